//! `gliclass completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::terminal;

/// Print a completion script for your shell
///
/// The scripts are also in the folder completions/ of the source.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  gliclass completions bash > ~/.local/share/bash-completion/completions/gliclass
  gliclass completions zsh > \"${fpath[1]}/_gliclass\"
  gliclass completions fish > ~/.config/fish/completions/gliclass.fish

Exit status: 0 done; 2 wrong usage, or standard output cannot be written.";

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    terminal::print(&String::from_utf8_lossy(&script(args.shell)))?;
    Ok(ExitCode::SUCCESS)
}

/// The completion script of a shell.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "gliclass", &mut script);
    script
}
