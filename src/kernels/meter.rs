//! Where the time goes, for `gliclass bench`: counters that cost one relaxed load while they are off.
//!
//! Time is that of the calling thread; what helps it inside a product is not counted again.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What time is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Dense layers.
    Dense,
    /// Attention, its positions included.
    Attention,
    /// Norms, gates and activations that stand alone.
    Rows,
    /// Pooling, projections and scorer, with their dense layers.
    Heads,
}

const PARTS: usize = 4;

static ON: AtomicBool = AtomicBool::new(false);
static NANOSECONDS: [AtomicU64; PARTS] = [const { AtomicU64::new(0) }; PARTS];
static MULTIPLY_ADDS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether a timer runs on this thread.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// What was counted, over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    nanoseconds: [u64; PARTS],
    /// Multiply-adds of all dense layers; 0 where the model does not run on these kernels.
    pub multiply_adds: u64,
}

impl Counts {
    /// The time of one part.
    pub fn time(&self, part: Part) -> Duration {
        Duration::from_nanos(self.nanoseconds[part as usize])
    }
}

/// Does `work` with the counters on. They are the process's: what runs beside it is counted too.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, Counts) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    NANOSECONDS.iter().chain([&MULTIPLY_ADDS]).for_each(|counter| counter.store(0, Ordering::Relaxed));
    ON.store(true, Ordering::Relaxed);
    let off = OffOnDrop;
    let result = work();
    drop(off);
    let nanoseconds = NANOSECONDS.each_ref().map(|counter| counter.load(Ordering::Relaxed));
    (result, Counts { nanoseconds, multiply_adds: MULTIPLY_ADDS.load(Ordering::Relaxed) })
}

/// Switches the counters off, however the work ended.
struct OffOnDrop;

impl Drop for OffOnDrop {
    fn drop(&mut self) {
        ON.store(false, Ordering::Relaxed);
    }
}

/// Counts time until it is dropped.
#[derive(Debug)]
#[must_use = "time is counted until it is dropped"]
pub struct Timer {
    part: Part,
    start: Instant,
}

/// Begins to count time for a part, unless counting is off or the thread's time is counted already.
#[inline]
pub fn start(part: Part) -> Option<Timer> {
    if ON.load(Ordering::Relaxed) { started(part) } else { None }
}

#[cold]
fn started(part: Part) -> Option<Timer> {
    (!BUSY.replace(true)).then(|| Timer { part, start: Instant::now() })
}

impl Drop for Timer {
    fn drop(&mut self) {
        let time = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        NANOSECONDS[self.part as usize].fetch_add(time, Ordering::Relaxed);
        BUSY.set(false);
    }
}

/// Counts the multiply-adds of a dense layer.
#[inline]
pub(super) fn multiplied(count: usize) {
    if ON.load(Ordering::Relaxed) {
        MULTIPLY_ADDS.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, PackedMatrix, Precision, linear};
    use super::*;

    // Other tests may run beside it and be counted.
    #[test]
    fn work_is_counted_once_and_only_while_counting_is_on() {
        let weight = PackedMatrix::new(&[1.0; 6], 2, 3, Precision::F32);
        let mut out = [0.0; 8];
        let mut layer = || linear(&[1.0; 12], 4, &weight, None, Activation::None, None, &mut out, 1);
        let ((), counts) = counted(|| {
            let outer = start(Part::Heads);
            assert!(outer.is_some() && start(Part::Dense).is_none(), "a timer inside another counts nothing");
            layer();
            std::thread::sleep(Duration::from_millis(1));
        });
        assert!(counts.multiply_adds >= 4 * 3 * 2, "{counts:?}");
        assert!(counts.time(Part::Heads) >= Duration::from_millis(1), "{counts:?}");
        assert!(start(Part::Heads).is_none());
    }
}
