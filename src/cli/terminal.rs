//! What a person at a terminal sees and does: messages, progress, colour, Ctrl-C.

use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::display;
pub use crate::display::escaped;
use crate::error::{Error, Result};
use crate::records::output::Output;

/// Draws of the progress bar each second.
const DRAWS: u8 = 10;

/// The exit status of a run that was interrupted.
pub const INTERRUPT_STATUS: u8 = 130;

/// The exit status of a run over records that came as far as it could.
pub fn status(was_interrupted: bool, has_errors: bool) -> ExitCode {
    match (was_interrupted, has_errors) {
        (true, _) => ExitCode::from(INTERRUPT_STATUS),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    }
}

/// Says a line on standard error. Nobody may be there to read it any more: that ends no work.
pub fn say(line: &str) {
    // At once, so that the lines of several processes stay apart.
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Writes to standard output, where results go. A reader that has gone changes nothing of how the program ends.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<()> {
    let mut out = display::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_closed(written.map_err(Error::output))
}

/// What came of writing, where more is due than what nobody reads any more.
///
/// # Errors
/// Something else failed.
pub fn unless_closed(written: Result<()>) -> Result<()> {
    match written {
        Err(Error::ClosedOutput { .. }) => Ok(()),
        written => written,
    }
}

/// Whether colour and animation are welcome on `stream`.
pub fn is_lively(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stream.is_terminal() && !refused && !dumb
}

/// Whether somebody at a terminal is to type the input: then nothing may wait for its first line.
pub fn is_awaited(input: Option<&Path>) -> bool {
    input.is_none_or(|path| path.as_os_str() == "-") && std::io::stdin().is_terminal()
}

/// Whether the first Ctrl-C ends the program: nobody listens yet.
static IS_UNHEARD: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Ends the program at Ctrl-C and SIGTERM, with the status for that, until [`listen_for_interrupt`].
///
/// # Errors
/// The system does not let us.
pub fn end_on_interrupt() -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPT_STATUS.into(), Arc::clone(&IS_UNHEARD))
            .context("cannot listen for Ctrl-C")?;
    }
    Ok(())
}

/// Listens for Ctrl-C and SIGTERM: the first sets the flag that is returned, the second ends the program.
///
/// # Errors
/// The system does not let us.
pub fn listen_for_interrupt() -> anyhow::Result<&'static AtomicBool> {
    static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
    // A file that may not grow is an error like a full disk, and the last line is whole; unheard, the signal kills.
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).context("cannot listen for signals")?;
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset.
        flag::register_conditional_shutdown(signal, INTERRUPT_STATUS.into(), Arc::clone(&INTERRUPTED))
            .and_then(|_| flag::register(signal, Arc::clone(&INTERRUPTED)))
            .context("cannot listen for Ctrl-C")?;
    }
    IS_UNHEARD.store(false, Ordering::Relaxed);
    Ok(&INTERRUPTED)
}

/// A bar of progress, up to `length` where that is known; hidden where `quiet`, and where nobody sees it move.
pub fn bar(length: Option<u64>, template: &str, quiet: bool) -> ProgressBar {
    let is_shown = !quiet && is_lively(&std::io::stderr());
    let target = if is_shown { ProgressDrawTarget::stderr_with_hz(DRAWS) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).expect("the template is right; otherwise this is a bug");
    ProgressBar::with_draw_target(length, target).with_style(style)
}

/// How much time is left where so much was done in these seconds; nothing where there is nothing to tell it by.
fn left(seconds: f64, done: u64, rest: u64) -> String {
    match Duration::try_from_secs_f64(seconds * rest as f64 / done as f64) {
        Ok(left) => format!(", {:#} left", HumanDuration(left)),
        Err(_) => String::new(),
    }
}

/// So many records failed.
pub fn failures(count: u64) -> String {
    if count == 1 { "1 record failed".into() } else { format!("{count} records failed") }
}

/// Counts what was done, and shows it where there is somebody to see it.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    start: Instant,
    /// Bytes that were done before this run.
    before: u64,
    records: u64,
    errors: u64,
    truncated: u64,
    tokens: u64,
    /// The first record that could not be classified, and why.
    first_failure: Option<String>,
}

impl Progress {
    /// Progress over so many bytes, if that is known.
    pub fn new(bytes: Option<u64>, quiet: bool) -> Self {
        let template = match bytes {
            Some(_) => "{wide_bar} {percent:>3}% {msg}",
            None => "{spinner} {msg}",
        };
        let bar = bar(bytes, template, quiet).with_message("no record yet");
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let start = Instant::now();
        Self { bar, quiet, start, before: 0, records: 0, errors: 0, truncated: 0, tokens: 0, first_failure: None }
    }

    /// Without a bar where the output goes to the same terminal: it would stay between the lines.
    pub fn beside(self, output: &Output) -> Self {
        if output.is_on_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// So many bytes of the input were done before this run.
    pub fn begin_at(&mut self, bytes: u64) {
        self.before = bytes;
        self.bar.set_position(bytes);
    }

    /// One record was classified.
    pub fn classified(&mut self, tokens: usize, truncated: bool) {
        self.records += 1;
        self.tokens += tokens as u64;
        self.truncated += u64::from(truncated);
    }

    /// One record could not be classified: `what` names it and says why.
    pub fn failed(&mut self, what: String) {
        self.ended_by_failure();
        self.first_failure.get_or_insert(what);
    }

    /// One record could not be classified, and the run ends with an error that says why.
    pub fn ended_by_failure(&mut self) {
        self.records += 1;
        self.errors += 1;
    }

    /// So many bytes of the input are done.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
        if !self.bar.is_hidden() {
            let (seconds, position) = (self.seconds(), self.bar.position());
            // By the rate that is shown: the bar's own would differ from it.
            let rest = self.bar.length().map(|length| length.saturating_sub(position));
            let left = rest.map_or_else(String::new, |rest| left(seconds, position - self.before, rest));
            self.bar.set_message(format!("{} records, {}{left}", self.records, self.rates(seconds)));
        }
    }

    /// Says a line, above the bar if there is one.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| say(line));
        }
    }

    /// Takes the bar away and says why records failed, also where nothing but errors is said; then the summary. A run
    /// that `ended` because nobody reads its output any more ends without a word.
    pub fn finish(&self, ended: &Result<()>) {
        self.bar.finish_and_clear();
        if matches!(ended, Err(Error::ClosedOutput { .. })) {
            return;
        }
        if let Some(first) = &self.first_failure {
            let which = if self.errors == 1 { "" } else { ", the first" };
            say(&escaped(&format!("error: {}{which}: {first}", failures(self.errors))));
        }
        self.say(&self.summary());
    }

    /// How many records could not be classified.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64().max(1e-9)
    }

    fn rates(&self, seconds: f64) -> String {
        let (records, tokens) = (self.records as f64 / seconds, self.tokens as f64 / seconds);
        format!("{records:.1} records/s, {tokens:.0} tokens/s")
    }

    fn summary(&self) -> String {
        let Self { records, errors, truncated, .. } = self;
        let seconds = self.seconds();
        format!("{records} records, {errors} errors, {truncated} truncated, {seconds:.1} s, {}", self.rates(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_told_by_what_was_done_so_far() {
        assert_eq!(left(1.25, 4, 96), ", 30s left");
        assert_eq!(left(7.0, 0, 96), "");
        assert_eq!(left(7.0, 0, 0), "");
        assert_eq!(left(1e9, 1, u64::MAX), "");
    }
}
