//! `gliclass eval`.

use std::process::ExitCode;

/// Classifies labelled records and prints quality figures
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// To come.
pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
