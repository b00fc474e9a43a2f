//! `gliclass download`: a checkpoint into the Hugging Face cache.

use std::cell::RefCell;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::args::Verbosity;
use crate::model::hub::{self, Progress, Request};

/// Fetch a checkpoint into the Hugging Face cache and print its folder
///
/// The cache is the one that Python programs use (HF_HOME, HF_HUB_CACHE). Only the files that the
/// model needs are fetched; an interrupted download continues where it stopped; files that are in the
/// cache already are checked. Gated and private repositories need a token: HF_TOKEN, or the one that
/// `hf auth login` saves. HF_ENDPOINT names another Hub.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository of the Hugging Face Hub, such as knowledgator/gliclass-base-v3.0
    pub repo: String,
    /// Branch, tag or commit [default: main]
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Never touch the network: print the folder if the model is in the cache, or stop with an error
    #[arg(long, env = "HF_HUB_OFFLINE", value_parser = FalseyValueParser::new())]
    pub offline: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub verbosity: Verbosity,
}

/// Runs the command.
///
/// # Errors
/// The checkpoint is missing, gated or damaged, the Hub cannot be reached, or the cache not written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { repo, revision, offline, verbosity } = args;
    let request = Request { repo, revision, offline };
    let progress = Shown::new(verbosity.quiet);
    hub::remove_damaged(&request, &progress)?;
    let folder = hub::fetch(&request, &progress)?;
    hub::fetch_label_tokenizer(&folder, offline, &progress)?;
    writeln!(stdout().lock(), "{}", folder.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Progress on standard error: a bar for each file on a terminal, else a line; nothing when quiet.
pub(crate) struct Shown {
    quiet: bool,
    bar: RefCell<Option<ProgressBar>>,
}

impl Shown {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, bar: RefCell::new(None) }
    }

    fn say(&self, message: &str) {
        if self.quiet {
            return;
        }
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(|| write_line(message)),
            None => write_line(message),
        }
    }
}

impl Progress for Shown {
    fn begin(&self, file: &str, size: Option<u64>) {
        if !self.quiet && stderr().is_terminal() {
            let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            bar.set_style(style(size.is_some()));
            bar.set_message(file.to_owned());
            *self.bar.borrow_mut() = Some(bar);
        } else {
            let size = size.map(|size| format!(" ({})", HumanBytes(size))).unwrap_or_default();
            self.say(&format!("fetching {file}{size}"));
        }
    }

    fn at(&self, bytes: u64) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_position(bytes);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }

    fn note(&self, message: &str) {
        self.say(&format!("note: {message}"));
    }
}

fn style(with_size: bool) -> ProgressStyle {
    let template = if with_size {
        "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{msg} {bytes} {bytes_per_sec}"
    };
    ProgressStyle::with_template(template).expect("the template is fixed; this is a bug")
}

/// A message that cannot be written is not worth ending the download for.
fn write_line(message: &str) {
    let _ = writeln!(stderr().lock(), "{message}");
}
