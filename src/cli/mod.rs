//! The command line: one file a command, what they share in [`args`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod args;
pub mod batch;
pub mod classify;
pub mod completions;
pub mod download;
pub mod eval;

/// Sorts text into labels you make up on the spot
#[derive(Debug, Parser)]
#[command(name = "gliclass", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Classify(classify::Args),
    Batch(batch::Args),
    Eval(eval::Args),
    Download(download::Args),
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Classify(args) => classify::run(args),
        Command::Batch(args) => batch::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Download(args) => download::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

#[allow(clippy::print_stderr)] // the one place where an error ends
fn report(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
