//! What the threads of a run share: what was read, what is to be computed, what is to be written.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Classified, Limits};
use crate::classifier::Encoded;
use crate::error::{Error, Result};
use crate::records::Entry;

/// Outcomes that the writer takes at once.
const HANDFUL: usize = 256;

/// A record on its way, with its place in the input.
pub(super) struct Job<R> {
    pub(super) place: u64,
    pub(super) raw: R,
    pub(super) encoded: Encoded,
}

/// What a place of the input came to. The outer error ends the run there.
pub(super) type Outcome<R> = Result<(R, Result<Classified>)>;

/// A place with its outcome.
pub(super) type Finished<R> = (u64, Outcome<R>);

/// The next thing for a worker to do.
pub(super) enum Task<R> {
    /// Encode what was read, and cut it into batches.
    Encode(Vec<(u64, Entry<R>)>),
    /// Compute a batch on so many threads.
    Compute(Vec<Job<R>>, usize),
}

/// What the threads share.
pub(super) struct Queue<R> {
    pub(super) limits: Limits,
    pub(super) threads: usize,
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
pub(super) struct Held {
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

    /// Takes in the batches of a window before those of later ones, which another worker may have cut meanwhile.
    fn put_in_order(&mut self, batches: Vec<Vec<Job<R>>>) {
        let Some(first) = batches.first().map(|batch| batch[0].place) else { return };
        // All places of an earlier window are before any of this one.
        let earlier = self.batches.partition_point(|batch| batch[0].place < first);
        let later = self.batches.split_off(earlier);
        self.batches.extend(batches);
        self.batches.extend(later);
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
pub(super) struct Handful<R> {
    pub(super) outcomes: Vec<Outcome<R>>,
    pub(super) held: Held,
    /// Nothing comes after it.
    pub(super) is_last: bool,
    /// The writer's patience ended before there was anything.
    pub(super) came_late: bool,
}

impl<R> Queue<R> {
    pub(super) fn new(limits: Limits, threads: usize) -> Self {
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
    pub(super) fn admit(&self, entry: Entry<R>) -> bool {
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
    pub(super) fn close(&self, error: Option<Error>) {
        let mut state = self.lock();
        if let Some(error) = error.filter(|_| !state.closed) {
            state.take_place(0, Some(Err(error)));
        }
        state.closed = true;
        self.output.notify_one();
    }

    /// Waits for the next task; none when the run is over.
    pub(super) fn task(&self) -> Option<Task<R>> {
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
    pub(super) fn finish(&self, batches: Vec<Vec<Job<R>>>, outcomes: Vec<Finished<R>>) {
        let mut state = self.lock();
        state.busy -= 1;
        state.put_in_order(batches);
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
    pub(super) fn handful(&self, written: Held, patience: Duration, is_interrupted: bool) -> Handful<R> {
        let mut state = self.lock();
        state.held.records -= written.records;
        state.held.bytes -= written.bytes;
        if std::mem::take(&mut state.reader_waits) {
            self.room.notify_one();
        }
        if is_interrupted {
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
pub(super) struct StopOnDrop<'a, R>(pub(super) &'a Queue<R>);

impl<R> Drop for StopOnDrop<'_, R> {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.room.notify_all();
        self.0.work.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::records::LabelSet;

    #[test]
    fn batches_are_computed_in_the_order_of_their_windows_whichever_was_cut_first() {
        let labels = Arc::new(LabelSet::flat(vec!["a".into()]).unwrap());
        let batch = |places: &[u64]| -> Vec<Job<()>> {
            let encoded = || Encoded::new(vec![0], Vec::new(), &labels, false);
            places.iter().map(|&place| Job { place, raw: (), encoded: encoded() }).collect()
        };
        let mut state = State::default();
        state.put_in_order(vec![batch(&[5, 4])]);
        state.put_in_order(vec![batch(&[9]), batch(&[8])]);
        state.put_in_order(vec![batch(&[2, 3]), batch(&[0, 1])]);
        state.put_in_order(Vec::new());
        state.put_in_order(vec![batch(&[6, 7])]);
        let places: Vec<u64> = state.batches.iter().flatten().map(|job| job.place).collect();
        assert_eq!(places, [2, 3, 0, 1, 5, 4, 6, 7, 9, 8]);
    }
}
