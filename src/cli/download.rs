//! `gliclass download`.

use std::process::ExitCode;

/// Fetches a checkpoint into the Hugging Face cache and prints its folder
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// To come.
pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
