//! How a transfer from the Hub is shown.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::terminal;
use crate::model::hub::Progress;

/// Progress on standard error: a bar for each file on a terminal, else a line; nothing when quiet.
pub struct Transfer {
    quiet: bool,
    bar: RefCell<Option<ProgressBar>>,
}

impl Transfer {
    /// A transfer that nothing is said of where `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, bar: RefCell::new(None) }
    }

    fn say(&self, message: &str) {
        if self.quiet {
            return;
        }
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(|| terminal::say(message)),
            None => terminal::say(message),
        }
    }
}

impl Progress for Transfer {
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
