//! Moves records along: read -> encode -> batch -> workers -> ordered write.
//!
//! One thread reads. Each worker takes whatever is most urgent: a batch to compute, or, where batches run
//! low, a window of what has been read, which it encodes and cuts into batches. The
//! calling thread writes, in the order of the input. What has been read and not yet written is bounded in
//! records and in bytes, so memory does not grow with the input; a window is never waited for, so the
//! answer to a line appears as soon as it is computed.

mod queue;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crate::classifier::Classifier;
use crate::error::{Error, Result};
use crate::records::{Entry, LabelSet};
use queue::{Held, Queue, StopOnDrop, Task};
use tasks::{compute, cut, encode, guard};

/// How often a waiting thread looks whether it was interrupted.
const INTERRUPT_POLL: Duration = Duration::from_millis(100);

/// How long the writer waits for more before it shows what is there: too short for anybody to see, and long
/// enough to write many records at once where they come fast.
const BREATH: Duration = Duration::from_millis(1);

/// What is said where the system lets no more threads run.
pub const NO_THREAD: &str = "cannot start a thread (--threads says how many)";

/// What the model said about one record.
#[derive(Debug, Clone)]
pub struct Classified {
    /// The candidate labels.
    pub labels: Arc<LabelSet>,
    /// One logit for each label, in order; all are numbers.
    pub logits: Vec<f32>,
    /// Whether the text was cut to fit.
    pub truncated: bool,
    /// How many tokens were read.
    pub tokens: usize,
}

/// Where results go, in the order of the input.
pub trait Sink<R> {
    /// Takes the result of one record.
    ///
    /// # Errors
    /// It cannot be written, or nothing more is wanted: the run ends with this error.
    fn write(&mut self, raw: R, outcome: Result<Classified>) -> Result<()>;

    /// Nothing more came for a while: shows what was written so far. Called again as long as that lasts.
    ///
    /// # Errors
    /// It cannot be written.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<R, F: FnMut(R, Result<Classified>) -> Result<()>> Sink<R> for F {
    fn write(&mut self, raw: R, outcome: Result<Classified>) -> Result<()> {
        self(raw, outcome)
    }
}

/// How much is held, and how it is cut.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Records that are cut into batches together.
    window: usize,
    /// Records that are held: read, and not yet written.
    records: usize,
    /// Bytes that are held; a single larger record passes alone.
    bytes: usize,
    /// Tokens of a batch, padding included; a single longer record is a batch.
    batch_tokens: usize,
    /// Whether short records are filled up to the longest of their batch, so that a batch is better of like length.
    padded: bool,
}

impl Limits {
    /// The same for a device that pads, with batches of so many tokens, and windows that fill several of them.
    fn with_batches_of(self, tokens: usize) -> Self {
        let growth = (tokens / self.batch_tokens.max(1)).clamp(1, 8);
        Self {
            window: self.window * growth,
            records: self.records * growth,
            batch_tokens: tokens,
            padded: true,
            ..self
        }
    }
}

impl Default for Limits {
    /// A window fills several batches, and little work is lost with it at Ctrl-C; more fill up meanwhile. A
    /// batch keeps the products of a layer large enough to be fast and its activations in the cache.
    fn default() -> Self {
        Self { window: 128, records: 2048, bytes: 64 << 20, batch_tokens: 512, padded: false }
    }
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Runner<'a> {
    /// Threads that compute.
    threads: usize,
    /// How much is held, and how it is cut.
    limits: Limits,
    /// Set from outside to stop, where anybody may: nothing more is read, what was begun is finished and written.
    interrupted: Option<&'a AtomicBool>,
}

impl<'a> Runner<'a> {
    /// With so many threads, until all is done or `interrupted` is set.
    pub fn new(threads: usize, interrupted: Option<&'a AtomicBool>) -> Self {
        Self { threads, limits: Limits::default(), interrupted }
    }

    /// Classifies every record of `source` and hands the results to `sink`, in order.
    ///
    /// A record that cannot be read or encoded is an outcome like any other; the run goes on.
    ///
    /// # Errors
    /// The source or the sink failed, or the computation did. All results before are written.
    pub fn run<R: Send + 'static>(
        &self,
        classifier: &impl Classifier,
        source: impl Iterator<Item = Result<Entry<R>>> + Send + 'static,
        sink: &mut impl Sink<R>,
    ) -> Result<()> {
        let limits = classifier.batch_tokens().map_or(self.limits, |tokens| self.limits.with_batches_of(tokens));
        let queue = Arc::new(Queue::new(limits, self.threads));
        // Not a scoped thread: it may wait for input for ever, and the run may end before.
        let reader = Arc::clone(&queue);
        let failed = |error| Error::io(NO_THREAD, error);
        Builder::new().name("reader".into()).spawn(move || read(source, &reader)).map_err(failed)?;
        std::thread::scope(|scope| {
            let _stop = StopOnDrop(&queue);
            for _ in 0..queue.threads {
                Builder::new().spawn_scoped(scope, || work(classifier, &queue)).map_err(failed)?;
            }
            write(&queue, self.interrupted, sink)
        })
    }
}

fn read<R>(mut source: impl Iterator<Item = Result<Entry<R>>>, queue: &Queue<R>) {
    loop {
        match guard(|| source.next().transpose()) {
            Ok(Some(entry)) => {
                if !queue.admit(entry) {
                    return;
                }
            }
            Ok(None) => return queue.close(None),
            Err(error) => return queue.close(Some(error)),
        }
    }
}

fn work<R>(classifier: &impl Classifier, queue: &Queue<R>) {
    while let Some(task) = queue.task() {
        match task {
            Task::Encode(window) => {
                let (jobs, outcomes) = encode(classifier, window);
                queue.finish(cut(jobs, &queue.limits, queue.threads), outcomes);
            }
            Task::Compute(batch, threads) => queue.finish(Vec::new(), compute(classifier, batch, threads)),
        }
    }
}

fn write<R>(queue: &Queue<R>, interrupted: Option<&AtomicBool>, sink: &mut impl Sink<R>) -> Result<()> {
    let (mut written, mut shown) = (Held::default(), true);
    loop {
        let patience = if shown { INTERRUPT_POLL } else { BREATH };
        let is_interrupted = interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed));
        let handful = queue.handful(written, patience, is_interrupted);
        written = handful.held;
        for outcome in handful.outcomes {
            shown = false;
            let result = outcome.and_then(|(raw, result)| sink.write(raw, result));
            if result.is_err() {
                // What came before is whole and true; the first error is the one to tell.
                drop(sink.flush());
                return result;
            }
        }
        if handful.is_last {
            return sink.flush();
        }
        if handful.came_late {
            sink.flush()?;
            shown = true;
        }
    }
}
