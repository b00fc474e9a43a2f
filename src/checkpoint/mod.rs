//! The files of a checkpoint: what its config says, and its tensors by name.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod config;
mod file;
pub mod learning;
mod stored;
pub mod values;
pub mod weights;

pub use config::Config;
pub(crate) use file::{invalid_json, read};
pub use learning::Learning;
pub use weights::Weights;

/// What a thread that panicked left behind is whole: nothing here is changed in steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
