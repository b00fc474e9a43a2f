//! `gliclass classify`.

use std::process::ExitCode;

/// Classifies the texts given, or one text a line from standard input
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// To come.
pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
