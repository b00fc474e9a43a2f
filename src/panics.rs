//! Panics that are told as errors: nothing else is said of them.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is told as an error.
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
    /// Where the last one of them was.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// What `call` returns; where it panics, where and why. A panic on another thread that it waits for is still reported.
///
/// # Errors
/// It panics.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    silence();
    let before = IS_TOLD.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_TOLD.set(before);
    result.map_err(|panic| match PLACE.take() {
        Some(place) => format!("{place}: {}", message(&*panic)),
        None => message(&*panic).to_owned(),
    })
}

/// Has the program's report of panics pass over those that are told as errors.
fn silence() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_TOLD.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                report(info);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a thread panicked")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place_and_what_comes_after_it_runs() {
        for number in 0..2 {
            let told = caught(|| assert!(number > 1, "number {number}")).unwrap_err();
            assert!(told.starts_with(file!()) && told.ends_with(&format!(": number {number}")), "{told}");
        }
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn one_inside_another_is_told_inside() {
        let told = caught::<()>(|| {
            let inner = caught::<()>(|| panic!("inner")).unwrap_err();
            assert!(IS_TOLD.get() && inner.ends_with(": inner"), "{inner}");
            panic!("outer")
        });
        assert!(told.unwrap_err().ends_with(": outer") && !IS_TOLD.get());
    }

    #[test]
    fn one_that_comes_from_another_thread_is_told_without_a_place() {
        let panic = std::thread::spawn(|| caught(|| panic::resume_unwind(Box::new("far away")))).join().unwrap();
        assert_eq!(panic, Err::<(), _>("far away".to_owned()));
    }
}
