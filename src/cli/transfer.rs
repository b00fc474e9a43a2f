//! How a transfer from the Hub is shown.

use std::cell::RefCell;

use indicatif::{HumanBytes, ProgressBar};

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
        let template = match size {
            Some(_) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {bytes} {bytes_per_sec}",
        };
        let bar = terminal::bar(size, template, self.quiet);
        if bar.is_hidden() {
            let size = size.map(|size| format!(" ({})", HumanBytes(size))).unwrap_or_default();
            self.say(&format!("fetching {file}{size}"));
        } else {
            bar.set_message(file.to_owned());
            *self.bar.borrow_mut() = Some(bar);
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
