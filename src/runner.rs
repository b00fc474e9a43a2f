//! Moves records along: read -> encode -> batch -> workers -> ordered write.
//!
//! One thread reads. Each worker takes whatever is most urgent: a batch to compute, or, where batches run
//! low, a window of what has been read, which it encodes, sorts by length and cuts into batches. The
//! calling thread writes, in the order of the input. What has been read and not yet written is bounded in
//! records and in bytes, so memory does not grow with the input; a window is never waited for, so the
//! answer to a line appears as soon as it is computed.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::classifier::{Classifier, Encoded};
use crate::error::{Error, Result};
use crate::records::{Entry, LabelSet};

/// How often a waiting thread looks whether it was interrupted.
const INTERRUPT_POLL: Duration = Duration::from_millis(100);

/// How long the writer waits for more before it shows what is there: too short for anybody to see, and long
/// enough to write many records at once where they come fast.
const BREATH: Duration = Duration::from_millis(1);

/// Outcomes that the writer takes at once.
const HANDFUL: usize = 256;

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
pub struct Limits {
    /// Records that are sorted by length together.
    pub window: usize,
    /// Records that are held: read, and not yet written.
    pub records: usize,
    /// Bytes that are held; a single larger record passes alone.
    pub bytes: usize,
    /// Tokens of a batch, padding included; a single longer record is a batch.
    pub batch_tokens: usize,
}

impl Limits {
    /// The same with batches of so many tokens, and windows that fill several of them.
    fn with_batches_of(self, tokens: usize) -> Self {
        let growth = (tokens / self.batch_tokens.max(1)).clamp(1, 8);
        Self { window: self.window * growth, records: self.records * growth, batch_tokens: tokens, ..self }
    }
}

impl Default for Limits {
    /// A window fills several batches, and little work is lost with it at Ctrl-C; more fill up meanwhile. A
    /// batch keeps the products of a layer large enough to be fast and its activations in the cache.
    fn default() -> Self {
        Self { window: 128, records: 2048, bytes: 64 << 20, batch_tokens: 1024 }
    }
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Runner<'a> {
    /// Threads that compute.
    pub threads: usize,
    /// How much is held, and how it is cut.
    pub limits: Limits,
    /// Set from outside to stop: nothing more is read, what was begun is finished and written.
    pub interrupted: &'a AtomicBool,
}

impl Runner<'_> {
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
        let shared = Arc::new(Shared::new(limits, self.threads));
        // Not a scoped thread: it may wait for input for ever, and the run may end before.
        let reader = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || read(source, &reader))
            .map_err(|error| Error::io("cannot start a thread", error))?;
        std::thread::scope(|scope| {
            for _ in 0..shared.threads {
                scope.spawn(|| work(classifier, &shared));
            }
            let _stop = StopOnDrop(&shared);
            write(&shared, self.interrupted, sink)
        })
    }
}

/// A record on its way, with its place in the input.
struct Job<R> {
    place: u64,
    raw: R,
    encoded: Encoded,
}

/// What a place of the input came to. The outer error ends the run there.
type Outcome<R> = Result<(R, Result<Classified>)>;

/// A place with its outcome.
type Finished<R> = (u64, Outcome<R>);

/// The next thing for a worker to do.
enum Task<R> {
    /// Encode what was read, and cut it into batches.
    Encode(Vec<(u64, Entry<R>)>),
    /// Compute a batch on so many threads.
    Compute(Vec<Job<R>>, usize),
}

/// What the threads share.
struct Shared<R> {
    limits: Limits,
    threads: usize,
    state: Mutex<State<R>>,
    /// There may be room to read.
    room: Condvar,
    /// There may be a task.
    work: Condvar,
    /// There may be something to write.
    output: Condvar,
}

struct State<R> {
    /// Read, not yet taken by a worker.
    inbox: VecDeque<(u64, Entry<R>)>,
    /// Nothing more will be read.
    closed: bool,
    /// Cut, not yet taken by a worker.
    batches: VecDeque<Vec<Job<R>>>,
    /// Workers that have a task.
    busy: usize,
    /// Workers that wait for one.
    idle: usize,
    /// The reader waits for room.
    reader_waits: bool,
    /// The writer waits for an outcome.
    writer_waits: bool,
    /// What the writer has not taken yet: the bytes of each place, and its outcome once it is known.
    slots: VecDeque<(usize, Option<Outcome<R>>)>,
    /// The place of the first of them.
    next: u64,
    /// What was read and is not written yet.
    held: Held,
    /// Everybody goes home.
    stop: bool,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self {
            inbox: VecDeque::new(),
            closed: false,
            batches: VecDeque::new(),
            busy: 0,
            idle: 0,
            reader_waits: false,
            writer_waits: false,
            slots: VecDeque::new(),
            next: 0,
            held: Held::default(),
            stop: false,
        }
    }
}

/// How many records are held, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    records: usize,
    bytes: usize,
}

impl Held {
    fn has_room(self, bytes: usize, limits: &Limits) -> bool {
        self.records == 0 || (self.records < limits.records && self.bytes + bytes <= limits.bytes)
    }

    fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
    }
}

impl<R> State<R> {
    /// Takes a place in the order of the output.
    fn take_place(&mut self, bytes: usize, outcome: Option<Outcome<R>>) -> u64 {
        self.held.add(bytes);
        self.slots.push_back((bytes, outcome));
        self.next + self.slots.len() as u64 - 1
    }

    /// Reads no more, and forgets what no worker has begun.
    fn interrupt(&mut self) {
        self.closed = true;
        let read = self.inbox.front().map(|(place, _)| *place);
        let first = self.batches.iter().flatten().map(|job| job.place).chain(read).min();
        if let Some(first) = first {
            // What is known beyond the first gap is given up: the output has none.
            self.slots.truncate((first - self.next) as usize);
            self.inbox.clear();
            self.batches.clear();
        }
    }

    /// The next outcomes in order, as far as they are known.
    fn handful(&mut self) -> Handful<R> {
        let (mut outcomes, mut held) = (Vec::new(), Held::default());
        while outcomes.len() < HANDFUL
            && let Some((bytes, outcome)) = self.slots.front_mut()
            && let Some(outcome) = outcome.take()
        {
            held.add(*bytes);
            outcomes.push(outcome);
            self.slots.pop_front();
            self.next += 1;
        }
        Handful { outcomes, held, is_last: self.closed && self.slots.is_empty(), came_late: false }
    }
}

/// What the writer takes at once.
struct Handful<R> {
    outcomes: Vec<Outcome<R>>,
    held: Held,
    /// Nothing comes after it.
    is_last: bool,
    /// The writer's patience ended before there was anything.
    came_late: bool,
}

impl<R> Shared<R> {
    fn new(limits: Limits, threads: usize) -> Self {
        Self {
            limits,
            threads: threads.max(1),
            state: Mutex::default(),
            room: Condvar::new(),
            work: Condvar::new(),
            output: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was read, once there is room. False where nothing more is wanted.
    fn admit(&self, entry: Entry<R>) -> bool {
        let mut state = self.lock();
        while !state.closed && !state.stop && !state.held.has_room(entry.bytes, &self.limits) {
            state.reader_waits = true;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed || state.stop {
            return false;
        }
        let place = state.take_place(entry.bytes, None);
        state.inbox.push_back((place, entry));
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        true
    }

    /// The input ends here, perhaps with an error.
    fn close(&self, error: Option<Error>) {
        let mut state = self.lock();
        if let Some(error) = error.filter(|_| !state.closed) {
            state.take_place(0, Some(Err(error)));
        }
        state.closed = true;
        self.output.notify_one();
    }

    /// Waits for the next task; none when the run is over.
    fn task(&self) -> Option<Task<R>> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            if self.wants_window(&state) {
                state.busy += 1;
                let window = state.inbox.len().min(self.limits.window);
                return Some(Task::Encode(state.inbox.drain(..window).collect()));
            }
            if let Some(batch) = state.batches.pop_front() {
                state.busy += 1;
                let wanted = state.busy + state.batches.len();
                return Some(Task::Compute(batch, (self.threads / wanted).max(1)));
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Whether to encode next: what is there when no batch is left, a full window already before.
    fn wants_window(&self, state: &State<R>) -> bool {
        let low = state.batches.len() < self.threads && state.inbox.len() >= self.limits.window;
        !state.inbox.is_empty() && (state.batches.is_empty() || low)
    }

    /// Takes back what a task came to.
    fn finish(&self, batches: Vec<Vec<Job<R>>>, outcomes: Vec<Finished<R>>) {
        let mut state = self.lock();
        state.busy -= 1;
        state.batches.extend(batches);
        let next = state.next;
        for (place, outcome) in outcomes {
            // What was forgotten at an interrupt has no slot.
            if let Some((_, slot)) = state.slots.get_mut((place - next) as usize) {
                *slot = Some(outcome);
            }
        }
        let (worker, writer) = (state.idle > 0, state.writer_waits);
        drop(state);
        if worker {
            self.work.notify_all();
        }
        if writer {
            self.output.notify_one();
        }
    }

    /// Gives the room of `written` back and takes the next outcomes; waits for the first at most for `patience`.
    fn handful(&self, written: Held, patience: Duration, interrupted: &AtomicBool) -> Handful<R> {
        let mut state = self.lock();
        state.held.records -= written.records;
        state.held.bytes -= written.bytes;
        if std::mem::take(&mut state.reader_waits) {
            self.room.notify_one();
        }
        if interrupted.load(Ordering::Relaxed) {
            state.interrupt();
        }
        let mut handful = state.handful();
        if handful.outcomes.is_empty() && !handful.is_last {
            state.writer_waits = true;
            let waited = self.output.wait_timeout(state, patience);
            let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state.writer_waits = false;
            handful = state.handful();
            handful.came_late = timeout.timed_out();
        }
        handful
    }
}

/// Sends everybody home when the writer is done, however it ended.
struct StopOnDrop<'a, R>(&'a Shared<R>);

impl<R> Drop for StopOnDrop<'_, R> {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.room.notify_all();
        self.0.work.notify_all();
    }
}

fn read<R>(mut source: impl Iterator<Item = Result<Entry<R>>>, shared: &Shared<R>) {
    loop {
        match guard(|| source.next().transpose()) {
            Ok(Some(entry)) => {
                if !shared.admit(entry) {
                    return;
                }
            }
            Ok(None) => return shared.close(None),
            Err(error) => return shared.close(Some(error)),
        }
    }
}

fn work<R>(classifier: &impl Classifier, shared: &Shared<R>) {
    while let Some(task) = shared.task() {
        match task {
            Task::Encode(window) => {
                let (jobs, outcomes) = encode(classifier, window);
                shared.finish(cut(jobs, shared.limits.batch_tokens, shared.threads), outcomes);
            }
            Task::Compute(batch, threads) => shared.finish(Vec::new(), compute(classifier, batch, threads)),
        }
    }
}

fn write<R>(shared: &Shared<R>, interrupted: &AtomicBool, sink: &mut impl Sink<R>) -> Result<()> {
    let (mut written, mut shown) = (Held::default(), true);
    loop {
        let patience = if shown { INTERRUPT_POLL } else { BREATH };
        let handful = shared.handful(written, patience, interrupted);
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

/// Encodes a window; what cannot be encoded has its outcome at once.
fn encode<R>(classifier: &impl Classifier, window: Vec<(u64, Entry<R>)>) -> (Vec<Job<R>>, Vec<Finished<R>>) {
    let (mut jobs, mut outcomes) = (Vec::with_capacity(window.len()), Vec::new());
    for (place, Entry { raw, record, .. }) in window {
        match record.and_then(|record| guard(|| classifier.encode(&record))) {
            Ok(encoded) => jobs.push(Job { place, raw, encoded }),
            Err(error) => outcomes.push((place, Ok((raw, Err(error))))),
        }
    }
    (jobs, outcomes)
}

/// Cuts jobs into batches of like length, the longest first so that none is left over at the end.
///
/// Where there is not enough for a full batch on every thread, the batches are smaller.
fn cut<R>(mut jobs: Vec<Job<R>>, batch_tokens: usize, threads: usize) -> Vec<Vec<Job<R>>> {
    let length = |job: &Job<R>| job.encoded.cost();
    jobs.sort_by_key(|job| std::cmp::Reverse(length(job)));
    let total: usize = jobs.iter().map(length).sum();
    let budget = batch_tokens.min(total.div_ceil(threads));
    let mut batches: Vec<Vec<Job<R>>> = Vec::new();
    for job in jobs {
        match batches.last_mut() {
            Some(batch) if length(&batch[0]) * (batch.len() + 1) <= budget => batch.push(job),
            _ => batches.push(vec![job]),
        }
    }
    batches
}

fn compute<R>(classifier: &impl Classifier, batch: Vec<Job<R>>, threads: usize) -> Vec<Finished<R>> {
    let first = batch.iter().map(|job| job.place).min().unwrap_or_default();
    let (encoded, raws): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.encoded, (job.place, job.raw))).unzip();
    match guard(|| classifier.logits(&encoded, threads)) {
        Ok(logits) if logits.len() == raws.len() => raws
            .into_iter()
            .zip(encoded.into_iter().zip(logits))
            .map(|((place, raw), (encoded, logits))| (place, Ok((raw, classified(encoded, logits)))))
            .collect(),
        Ok(logits) => vec![(first, Err(bug(&format!("{} rows of logits for {} records", logits.len(), raws.len()))))],
        // The whole batch failed: the run ends at its first record.
        Err(error) => vec![(first, Err(error))],
    }
}

fn classified(encoded: Encoded, logits: Vec<f32>) -> Result<Classified> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return Err(Error::Record("the model's answer is not a finite number: try --dtype f32".into()));
    }
    let tokens = encoded.cost();
    let Encoded { labels, truncated, .. } = encoded;
    Ok(Classified { labels, logits, truncated, tokens })
}

/// Runs foreign work; a panic in it becomes an error, so that no thread waits for ever.
fn guard<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(bug(panic_message(&*panic))))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a thread panicked")
}

fn bug(message: &str) -> Error {
    candle_core::Error::msg(format!("{message} (this is a bug, please report it)")).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;
    use crate::records::{Defaults, Record};

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// One token a byte; the logit is the number of bytes. Some texts misbehave.
    struct Fake;

    impl Classifier for Fake {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            match record.text.as_str() {
                "refuse" => Err(Error::Record("refused".into())),
                "panic in encode" => panic!("encode"),
                text => Ok(Encoded {
                    tokens: text.bytes().map(u32::from).collect(),
                    label_tokens: Vec::new(),
                    pieces: Vec::new(),
                    labels: Arc::clone(&record.labels),
                    truncated: false,
                }),
            }
        }

        fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
            assert!(threads > 0);
            batch.iter().map(|encoded| self.logit(encoded)).collect()
        }
    }

    impl Fake {
        fn logit(&self, encoded: &Encoded) -> Result<Vec<f32>> {
            let text: String = encoded.tokens.iter().filter_map(|&token| char::from_u32(token)).collect();
            match text.as_str() {
                "fail" => Err(Error::Usage("failed".into())),
                "panic" => panic!("logits"),
                "nan" => Ok(vec![f32::NAN]),
                text => Ok(vec![text.len() as f32]),
            }
        }
    }

    fn entry(text: &str) -> Entry<String> {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
        let defaults = Defaults { labels, ..Defaults::default() };
        Entry { raw: text.to_owned(), bytes: text.len(), record: defaults.record(text.to_owned()) }
    }

    fn run_with(threads: usize, limits: Limits, texts: &[String]) -> (Vec<String>, Result<()>) {
        let source: Vec<_> = texts.iter().map(|text| Ok(entry(text))).collect();
        let mut lines = Vec::new();
        let mut sink = |raw: String, outcome: Result<Classified>| {
            lines.push(match outcome {
                Ok(found) => format!("{raw}: {}", found.logits[0]),
                Err(error) => format!("{raw}: {error}"),
            });
            Ok(())
        };
        let result = Runner { threads, limits, interrupted: &NEVER }.run(&Fake, source.into_iter(), &mut sink);
        (lines, result)
    }

    #[test]
    fn larger_batches_come_from_larger_windows() {
        let limits = Limits { window: 4, records: 8, bytes: 64, batch_tokens: 16 };
        let larger = limits.with_batches_of(40);
        assert_eq!((larger.window, larger.records, larger.bytes, larger.batch_tokens), (8, 16, 64, 40));
        assert_eq!(limits.with_batches_of(8).window, 4);
    }

    fn small() -> Limits {
        Limits { window: 4, records: 8, bytes: 64, batch_tokens: 16 }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn order_and_results_are_the_same_whatever_the_threads_and_limits(
            lengths in proptest::collection::vec(0_usize..100, 0..60),
            threads in 1_usize..6,
            window in 1_usize..10,
            records in 1_usize..10,
            bytes in 0_usize..200,
            batch_tokens in 0_usize..100,
        ) {
            let texts: Vec<String> = lengths.iter().map(|&length| "x".repeat(length)).collect();
            let expected: Vec<String> = texts.iter().map(|text| format!("{text}: {}", text.len())).collect();
            let (lines, result) = run_with(threads, Limits { window, records, bytes, batch_tokens }, &texts);
            prop_assert!(result.is_ok());
            prop_assert_eq!(lines, expected);
        }
    }

    #[test]
    fn a_bad_record_is_an_outcome_in_its_place() {
        let (lines, result) = run_with(2, small(), &strings(&["one", "refuse", "nan", "panic in encode", "two"]));
        result.unwrap();
        assert_eq!(lines[0], "one: 3");
        assert_eq!(lines[1], "refuse: refused");
        assert!(lines[2].contains("not a finite number"), "{}", lines[2]);
        assert!(lines[3].contains("bug"), "{}", lines[3]);
        assert_eq!(lines[4], "two: 3");
    }

    #[test]
    fn a_failing_computation_ends_the_run_after_what_came_before() {
        for culprit in ["fail", "panic"] {
            let limits = Limits { batch_tokens: 1, ..small() };
            let (lines, result) = run_with(3, limits, &strings(&["one", "three", culprit, "two", "seven"]));
            assert_eq!(lines, ["one: 3", "three: 5"]);
            assert!(result.is_err(), "{culprit}");
        }
    }

    #[test]
    fn an_error_of_the_source_ends_the_run_after_what_came_before() {
        let source = vec![Ok(entry("one")), Err(Error::Usage("torn".into())), Ok(entry("two"))];
        let mut seen = Vec::new();
        let mut sink = |raw: String, _: Result<Classified>| {
            seen.push(raw);
            Ok(())
        };
        let runner = Runner { threads: 2, limits: small(), interrupted: &NEVER };
        let error = runner.run(&Fake, source.into_iter(), &mut sink).unwrap_err();
        assert_eq!(error.to_string(), "torn");
        assert_eq!(seen, ["one"]);
    }

    #[test]
    fn an_error_of_the_sink_ends_an_endless_run() {
        let mut count = 0;
        let mut sink = |_: String, _: Result<Classified>| {
            count += 1;
            if count == 100 { Err(Error::Usage("full".into())) } else { Ok(()) }
        };
        let source = std::iter::repeat_with(|| Ok(entry("again")));
        let error = Runner { threads: 2, limits: small(), interrupted: &NEVER }.run(&Fake, source, &mut sink);
        assert_eq!(error.unwrap_err().to_string(), "full");
    }

    #[test]
    fn no_more_is_held_than_the_limit_says() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        let source = (0..500).map(|_| {
            READ.fetch_add(1, Ordering::SeqCst);
            Ok(entry("text"))
        });
        let mut written = 0;
        let mut sink = |_: String, _: Result<Classified>| {
            written += 1;
            // One more is in the hands of the reader, and one in ours.
            assert!(READ.load(Ordering::SeqCst) <= written + small().records + 1);
            Ok(())
        };
        Runner { threads: 2, limits: small(), interrupted: &NEVER }.run(&Fake, source, &mut sink).unwrap();
        assert_eq!(written, 500);
    }

    /// Sends on what is written, as soon as it is flushed.
    struct Flushed {
        waiting: Vec<String>,
        out: mpsc::Sender<String>,
    }

    impl Sink<String> for Flushed {
        fn write(&mut self, raw: String, _: Result<Classified>) -> Result<()> {
            self.waiting.push(raw);
            Ok(())
        }

        fn flush(&mut self) -> Result<()> {
            self.waiting.drain(..).for_each(|raw| drop(self.out.send(raw)));
            Ok(())
        }
    }

    #[test]
    fn an_answer_does_not_wait_for_more_input() {
        let (questions, source) = mpsc::channel();
        let (out, answers) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let runner = Runner { threads: 2, limits: Limits::default(), interrupted: &NEVER };
                runner.run(&Fake, source.into_iter(), &mut Flushed { waiting: Vec::new(), out }).unwrap();
            });
            for text in ["one", "two", "three"] {
                questions.send(Ok(entry(text))).unwrap();
                assert_eq!(answers.recv_timeout(Duration::from_secs(20)).unwrap(), text);
            }
            drop(questions);
        });
    }

    #[test]
    fn an_interrupt_ends_a_run_whose_input_stalls() {
        static INTERRUPTED: AtomicBool = AtomicBool::new(false);
        let (questions, source) = mpsc::channel();
        questions.send(Ok(entry("one"))).unwrap();
        let mut seen = Vec::new();
        let mut sink = |raw: String, _: Result<Classified>| {
            seen.push(raw);
            INTERRUPTED.store(true, Ordering::Relaxed);
            Ok(())
        };
        let runner = Runner { threads: 2, limits: small(), interrupted: &INTERRUPTED };
        runner.run(&Fake, source.into_iter(), &mut sink).unwrap();
        assert_eq!(seen, ["one"]);
        drop(questions);
    }

    #[test]
    fn an_interrupt_waits_only_for_what_is_being_computed() {
        static INTERRUPTED: AtomicBool = AtomicBool::new(false);
        struct Slow(AtomicUsize);
        impl Classifier for Slow {
            fn encode(&self, record: &Record) -> Result<Encoded> {
                Fake.encode(record)
            }
            fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
                self.0.fetch_add(1, Ordering::Relaxed);
                INTERRUPTED.store(true, Ordering::Relaxed);
                // Longer than the writer goes without a look at the flag.
                std::thread::sleep(10 * INTERRUPT_POLL);
                Fake.logits(batch, threads)
            }
        }
        let slow = Slow(AtomicUsize::new(0));
        let source = (0..100).map(|number| Ok(entry(&format!("a text of sixteen bytes, {number:03}"))));
        let mut seen = Vec::new();
        let mut sink = |raw: String, _: Result<Classified>| {
            seen.push(raw);
            Ok(())
        };
        Runner { threads: 1, limits: small(), interrupted: &INTERRUPTED }.run(&slow, source, &mut sink).unwrap();
        assert!(slow.0.into_inner() < 4, "what no worker had begun was computed");
        assert!(
            seen.len() < 4 && seen.iter().enumerate().all(|(at, raw)| raw.ends_with(&format!("{at:03}"))),
            "{seen:?}"
        );
    }

    #[test]
    fn a_lone_batch_has_all_the_threads() {
        struct Threads;
        impl Classifier for Threads {
            fn encode(&self, record: &Record) -> Result<Encoded> {
                Fake.encode(record)
            }
            fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
                Ok(batch.iter().map(|_| vec![threads as f32]).collect())
            }
        }
        let mut seen = Vec::new();
        let mut sink = |_: String, found: Result<Classified>| {
            seen.push(found?.logits[0]);
            Ok(())
        };
        let runner = Runner { threads: 5, limits: Limits::default(), interrupted: &NEVER };
        runner.run(&Threads, std::iter::once(Ok(entry("one"))), &mut sink).unwrap();
        assert_eq!(seen, [5.0]);
    }
}
