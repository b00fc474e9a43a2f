//! Writes results back in the order of the input, counts them, and keeps the state of the run.

use std::path::PathBuf;

use super::forms::Form;
use super::options::OnError;
use super::resume::Keeper;
use crate::cli::terminal::{self, Progress};
use crate::error::{Error, Result};
use crate::records::Raw;
use crate::records::output::Sheet;
use crate::runner::{Classified, Sink};

/// Writes results back.
pub(super) struct Writer<F> {
    pub(super) form: F,
    pub(super) output: Sheet,
    pub(super) keeper: Option<Keeper>,
    pub(super) input_name: PathBuf,
    pub(super) on_error: OnError,
    pub(super) progress: Progress,
}

impl<F: Form> Writer<F> {
    /// Writes what stands before the first record, unless it is there or is another's to write.
    pub(super) fn begin(&mut self, wants_header: bool) -> Result<()> {
        self.save()?;
        if wants_header { self.output.write(|out| self.form.header(out)) } else { Ok(()) }
    }

    /// Ends a run: what was written is whole, and the state says how far it came.
    pub(super) fn end(&mut self, complete: bool) -> Result<()> {
        // A state that cannot be saved is no reason to leave the output without its end.
        let saved = if complete { self.save() } else { self.save_last() };
        let held = self.form.held();
        if held > 0 {
            self.progress.say(&format!("warning: {held} rows are not written: their row group was not completed"));
        }
        if !self.output.has_failed() {
            self.append(self.form.footer()?)?;
        }
        self.output.finish()?;
        saved?;
        match (&mut self.keeper, self.output.settle()?) {
            (Some(keeper), Some(size)) if complete => keeper.complete(size, || self.output.sync()),
            _ => Ok(()),
        }
    }

    /// Saves how far the run came, if the output is at a point where it can be gone on with.
    fn save(&mut self) -> Result<()> {
        let Some(keeper) = self.keeper.as_mut().filter(|_| self.form.held() == 0) else { return Ok(()) };
        match self.output.settle()? {
            Some(size) => keeper.save(size, || self.output.sync().and_then(|()| self.form.footer())),
            None => Ok(()),
        }
    }

    /// Saves how far a run came that ends early: as far as the output can be gone on with.
    fn save_last(&mut self) -> Result<()> {
        self.save()?;
        match self.keeper.as_mut().filter(|_| !self.output.has_failed()) {
            Some(keeper) => keeper.save_marked(|| self.output.sync().and_then(|()| self.form.footer())),
            None => Ok(()),
        }
    }

    fn append(&mut self, mut bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.output.write(|out| out.append(&mut bytes))?;
        // What is written together is large, and the output can be gone on with behind it.
        self.output.flush()
    }

    fn put(&mut self, raw: &F::Raw, outcome: Result<Classified>) -> Result<()> {
        match outcome {
            _ if self.form.is_blank(raw) => self.output.write(|out| self.form.blank(raw, out)),
            Ok(found) => {
                self.progress.classified(found.tokens, found.truncated);
                self.output.write(|out| self.form.good(raw, &found, out))
            }
            Err(error) => self.bad(raw, &error),
        }
    }

    fn bad(&mut self, raw: &F::Raw, error: &Error) -> Result<()> {
        let (name, line, hint) = (self.input_name.display(), raw.begin().line, self.form.hint(raw));
        let what = format!("{name}:{line}: {error}{hint}");
        match self.on_error {
            OnError::Keep => {
                self.progress.failed(what);
                self.output.write(|out| self.form.bad(raw, &error.to_string(), out))
            }
            OnError::Skip => {
                let what = what + ": left out";
                self.progress.say(&terminal::escaped(&format!("warning: {what}")));
                self.progress.failed(what);
                Ok(())
            }
            OnError::Fail => {
                self.progress.ended_by_failure();
                Err(Error::Record(what))
            }
        }
    }
}

impl<F: Form> Sink<F::Raw> for Writer<F> {
    fn write(&mut self, raw: F::Raw, outcome: Result<Classified>) -> Result<()> {
        self.progress.advance(raw.size());
        let errors = self.progress.errors();
        self.put(&raw, outcome)?;
        if let Some(remark) = self.form.remark() {
            let (name, line) = (self.input_name.display(), raw.begin().line);
            self.progress.say(&terminal::escaped(&format!("warning: {name}:{line}: {remark}")));
        }
        let completed = self.form.completed(&raw)?;
        self.append(completed)?;
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.pass(&raw, self.progress.errors() > errors);
        if let Some(size) = self.output.whole().filter(|_| self.form.held() == 0) {
            keeper.mark(size);
        }
        if keeper.is_due() { self.save() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.output.flush()?;
        // An input that stalls may stall for ever: what is done must be safe then, too.
        if self.keeper.as_ref().is_some_and(Keeper::is_due) { self.save() } else { Ok(()) }
    }
}
