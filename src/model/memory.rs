//! Batches on a device: one at a time where it is no processor, and smaller ones where they do not fit into its memory.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use candle_core::Device;

use crate::error::{Error, Result};

/// How the batches of several threads come to a device.
pub(super) struct Turns {
    /// Held by the thread that computes: batches side by side would only share the GPU's memory.
    turn: Option<Mutex<()>>,
    notify: fn(&str),
    halved: Once,
}

impl Turns {
    /// `notify` hears of it once if a batch does not fit.
    pub(super) fn on(device: &Device, notify: fn(&str)) -> Self {
        Self { turn: (!device.is_cpu()).then(Mutex::default), notify, halved: Once::new() }
    }

    /// Held while a device computes that has room for one batch only.
    pub(super) fn take(&self) -> Option<MutexGuard<'_, ()>> {
        self.turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Computes a batch when it is its turn, in parts where it does not fit.
    ///
    /// # Errors
    /// As [`in_parts`].
    pub(super) fn compute<T, R>(&self, batch: &[T], compute: &dyn Fn(&[T]) -> Result<Vec<R>>) -> Result<Vec<R>> {
        let _turn = self.take();
        in_parts(batch, compute, &|size| {
            self.halved.call_once(|| {
                (self.notify)(&format!("a batch of {size} records does not fit into the device's memory: halving it"));
            });
        })
    }
}

/// Computes a batch; where it does not fit into memory, half of it at a time, down to single records.
/// `halved` hears of each batch that did not fit, with its size.
///
/// # Errors
/// The computation failed, or a single record does not fit.
fn in_parts<T, R>(batch: &[T], compute: &dyn Fn(&[T]) -> Result<Vec<R>>, halved: &dyn Fn(usize)) -> Result<Vec<R>> {
    match compute(batch) {
        Err(error) if is_out_of_memory(&error) && batch.len() > 1 => {
            halved(batch.len());
            let (first, second) = batch.split_at(batch.len() / 2);
            let mut results = in_parts(first, compute, halved)?;
            results.extend(in_parts(second, compute, halved)?);
            Ok(results)
        }
        Err(error) if is_out_of_memory(&error) => Err(Error::Usage(
            "the device has too little memory for a single record: lower --max-length, try --dtype bf16, \
             or compute with --device cpu"
                .into(),
        )),
        result => result,
    }
}

/// The tensor library has no kind of error for it, only the driver's words.
fn is_out_of_memory(error: &Error) -> bool {
    let Error::Compute(error) = error else { return false };
    let words = error.to_string().to_lowercase().replace('_', " ");
    ["out of memory", "memory allocation", "alloc failed"].iter().any(|sign| words.contains(sign))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn driver(words: &str) -> Error {
        candle_core::Error::Msg(words.into()).into()
    }

    #[test]
    fn a_batch_that_does_not_fit_is_halved_and_keeps_its_order() {
        let sizes = RefCell::new(Vec::new());
        let compute = |batch: &[u32]| {
            if batch.len() > 3 {
                Err(driver("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"))
            } else {
                Ok(batch.to_vec())
            }
        };
        let batch: Vec<u32> = (0..10).collect();
        assert_eq!(in_parts(&batch, &compute, &|size| sizes.borrow_mut().push(size)).unwrap(), batch);
        assert_eq!(sizes.into_inner(), [10, 5, 5]);
    }

    #[test]
    fn a_single_record_that_does_not_fit_is_an_error_that_says_what_to_do() {
        let error = in_parts(&[1], &|_: &[u32]| Err::<Vec<u32>, _>(driver("out of memory")), &|_| ()).unwrap_err();
        assert!(error.to_string().contains("--max-length"), "{error}");
    }

    #[test]
    fn another_failure_is_not_tried_again() {
        let error = in_parts(&[1, 2], &|_: &[u32]| Err::<Vec<u32>, _>(driver("shape mismatch")), &|_| panic!("halved"));
        assert!(error.unwrap_err().to_string().contains("shape mismatch"));
    }
}
