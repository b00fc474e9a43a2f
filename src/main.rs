//! The program: an exit code and nothing else.

fn main() -> std::process::ExitCode {
    gliclass::cli::main()
}
