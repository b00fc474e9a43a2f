//! `gliclass batch`.

use std::process::ExitCode;

/// Streams JSONL, CSV or TSV and writes every record back with its labels
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// To come.
pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
