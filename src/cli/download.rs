//! `gliclass download`: a checkpoint into the Hugging Face cache.

use std::process::ExitCode;

use anyhow::bail;

use super::args::{BUILTIN, Verbosity, is_true};
use super::terminal;
use super::transfer::Transfer;
use crate::model::hub::{self, Request};

/// Fetch a model from the Hugging Face Hub and print its folder
///
/// It goes into the cache that Python programs use (HF_HOME, HF_HUB_CACHE). Only the files that the
/// model needs are fetched; an interrupted download continues where it stopped; files that are already
/// in the cache are checked. Gated and private repositories need a token: HF_TOKEN, or the one that
/// `hf auth login` saves. HF_ENDPOINT names another Hub.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A repository of the Hugging Face Hub, such as knowledgator/gliclass-base-v3.0
    pub repo: String,
    /// Branch, tag or commit [default: main]
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Do not use the network: what is not in the cache is an error
    ///
    /// HF_HUB_OFFLINE does the same where it is 1, on, yes or true, as in Python.
    #[arg(long, env = "HF_HUB_OFFLINE", value_parser = is_true)]
    pub offline: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub verbosity: Verbosity,
}

const EXAMPLES: &str = "\
Examples:
  gliclass download knowledgator/gliclass-base-v3.0
  ls \"$(gliclass download knowledgator/gliclass-base-v3.0 --offline)\"

Exit status: 0 done; 2 wrong usage, the model is missing, gated or damaged, or the Hub cannot be
reached; 130 interrupted.";

/// Runs the command.
///
/// # Errors
/// The checkpoint is inside the program, missing, gated or damaged, the Hub cannot be reached, or the cache not written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { repo, revision, offline, verbosity } = args;
    if repo == BUILTIN {
        bail!("{BUILTIN} is the model inside the program: there is nothing to fetch, every command takes it");
    }
    let request = Request { repo, revision, offline };
    let progress = Transfer::new(verbosity.quiet);
    hub::remove_damaged(&request, &progress)?;
    let folder = hub::fetch(&request, &progress)?;
    hub::fetch_label_tokenizer(&folder, offline, &progress)?;
    terminal::print(&format!("{}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
