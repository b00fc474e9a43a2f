//! Threads that help with the tasks of one operation.
//!
//! The operations of a single text take tens to hundreds of microseconds, and waking a thread that sleeps takes as
//! long. So the thread that calls works too, and a helper stays awake for a moment after its work: until the next
//! operation, when a text is on its way, and not much longer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread looks for news before it sleeps: longer than most of what one thread does between two operations.
const AWAKE: Duration = Duration::from_micros(50);

/// Does all the tasks, on as many threads as there are tasks: this one, and helpers.
pub(super) fn parallel<T: Send>(tasks: impl ExactSizeIterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let helpers = tasks.len().saturating_sub(1);
    if helpers == 0 {
        return tasks.for_each(work);
    }
    let tasks = Mutex::new(tasks.fuse());
    // A statement of its own, so that the lock is free during the work.
    let next = || lock(&tasks).next();
    with_helpers(helpers, &|| {
        while let Some(task) = next() {
            work(task);
        }
    });
}

/// Numbers below which waking a thread takes longer than the work on them.
const WORTH_A_THREAD: usize = 1 << 14;

/// How many of `threads` threads work on so many numbers is worth.
pub(super) fn worth(threads: usize, numbers: usize) -> usize {
    threads.min(numbers / WORTH_A_THREAD).max(1)
}

/// Work that helpers may join while the thread that waits for it keeps it in place.
struct Job<'a> {
    work: &'a (dyn Fn() + Sync),
    caller: Thread,
    /// What a helper panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Nothing to do; set by whoever ends the work on a job.
const IDLE: u8 = 0;
/// There is a job; set by the caller.
const POSTED: u8 = 1;
/// The job is worked on; set by the helper.
const TAKEN: u8 = 2;

struct Helper {
    state: AtomicU8,
    /// Meaningful while the state is [`POSTED`] or [`TAKEN`].
    job: AtomicPtr<Job<'static>>,
}

/// Helpers that nobody has asked for help, and their threads; the last one was busy last.
static FREE: Mutex<Vec<(Arc<Helper>, Thread)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` on this thread, and on as many helpers as come before it is done here.
fn with_helpers(count: usize, work: &(dyn Fn() + Sync)) {
    let job = Job { work, caller: thread::current(), panic: Mutex::default() };
    let helpers = hire(count);
    for (helper, thread) in &helpers {
        helper.job.store((&raw const job).cast_mut().cast(), Ordering::Relaxed);
        helper.state.store(POSTED, Ordering::Release);
        thread.unpark();
    }
    let outcome = catch_unwind(AssertUnwindSafe(work));
    // Every helper lets go of the job before it goes out of scope.
    helpers.iter().for_each(|(helper, _)| helper.dismiss());
    lock(&FREE).extend(helpers);
    if let Err(panic) = outcome.and_then(|()| lock(&job.panic).take().map_or(Ok(()), Err)) {
        resume_unwind(panic);
    }
}

/// As many helpers as asked for, or as many as the system has threads for.
fn hire(count: usize) -> Vec<(Arc<Helper>, Thread)> {
    let mut free = lock(&FREE);
    let first = free.len().saturating_sub(count);
    let mut helpers = free.split_off(first);
    drop(free);
    while helpers.len() < count {
        let helper = Arc::new(Helper { state: AtomicU8::new(IDLE), job: AtomicPtr::default() });
        let own = Arc::clone(&helper);
        let Ok(thread) = thread::Builder::new().name("helper".into()).spawn(move || own.serve()) else { break };
        helpers.push((helper, thread.thread().clone()));
    }
    helpers
}

impl Helper {
    /// The life of a helper's thread.
    fn serve(&self) {
        loop {
            wait_until(|| self.state.load(Ordering::Relaxed) == POSTED);
            if self.state.compare_exchange(POSTED, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
                // The work was done without it.
                continue;
            }
            // SAFETY: the state was POSTED, so the caller of `with_helpers` stored this pointer to its job. It does not
            // leave before `dismiss` has seen the state go back from TAKEN to IDLE, which is below, and nothing of the
            // job is used after it.
            let job = unsafe { &*self.job.load(Ordering::Relaxed) };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(job.work)) {
                *lock(&job.panic) = Some(panic);
            }
            let caller = job.caller.clone();
            self.state.store(IDLE, Ordering::Release);
            caller.unpark();
        }
    }

    /// Takes the job back where it was not begun, else waits for its end.
    fn dismiss(&self) {
        if self.state.compare_exchange(POSTED, IDLE, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            wait_until(|| self.state.load(Ordering::Acquire) == IDLE);
        }
    }
}

/// Looks for a moment, then sleeps until the thread is woken, and looks again.
fn wait_until(done: impl Fn() -> bool) {
    /// Looks between two glances at the clock.
    const LOOKS: usize = 32;
    let start = Instant::now();
    while start.elapsed() < AWAKE {
        for _ in 0..LOOKS {
            if done() {
                return;
            }
            std::hint::spin_loop();
        }
    }
    while !done() {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_task_is_done_once_however_many_ask_for_help() {
        thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..500 {
                        let mut numbers = vec![0; 1 + (caller + round) % 7];
                        parallel(numbers.iter_mut().enumerate(), |(i, x)| *x += i + round);
                        assert!(numbers.iter().enumerate().all(|(i, x)| *x == i + round), "{numbers:?}");
                    }
                });
            }
        });
    }

    #[test]
    fn tasks_may_have_tasks_of_their_own() {
        let done = AtomicUsize::new(0);
        parallel(0..4, |_| parallel(0..3, |_| _ = done.fetch_add(1, Ordering::Relaxed)));
        assert_eq!(done.into_inner(), 12);
    }

    #[test]
    fn helpers_that_sleep_are_woken() {
        for _ in 0..5 {
            let together = std::sync::Barrier::new(3);
            // Each task waits for the others, so that no thread can do two.
            parallel(0..3, |_| _ = together.wait());
            thread::sleep(4 * AWAKE);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_tasks_ended_and_the_next_work_is_done() {
        for culprit in 0..3 {
            let together = std::sync::Barrier::new(3);
            let panic = catch_unwind(AssertUnwindSafe(|| {
                parallel(0..3, |task| {
                    together.wait();
                    assert!(task != culprit, "task {task}");
                });
            }));
            let message = panic.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(*message, format!("task {culprit}"));
            let done = AtomicUsize::new(0);
            parallel(0..3, |_| _ = done.fetch_add(1, Ordering::Relaxed));
            assert_eq!(done.into_inner(), 3);
        }
    }
}
