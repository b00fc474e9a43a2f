//! Batches on a device: one at a time where it is no processor, and smaller ones where they do not fit into its memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use candle_core::Device;

use crate::classifier::Encoded;
use crate::error::{Error, Result, is_out_of_memory};

/// How the batches of several threads come to a device.
pub(super) struct Turns {
    /// Held by the thread that computes: batches side by side would only share the GPU's memory.
    turn: Option<Mutex<()>>,
    /// Whether the device computes in the order in which it is told to, and takes memory in that order, so that the next
    /// batch may be on its way before the results of this one are back.
    queues: bool,
    /// Tokens that are computed together: fewer once a batch did not fit.
    most: AtomicUsize,
    notify: fn(&str),
    halved: Once,
}

impl Turns {
    /// `notify` hears of it once if a batch does not fit.
    pub(super) fn on(device: &Device, notify: fn(&str)) -> Self {
        let turn = (!device.is_cpu()).then(Mutex::default);
        Self { turn, queues: device.is_cuda(), most: AtomicUsize::new(usize::MAX), notify, halved: Once::new() }
    }

    /// Computes a batch when it is its turn, in parts where it does not fit, and reads the results back.
    ///
    /// # Errors
    /// The computation failed, or a single record does not fit.
    pub(super) fn compute<M, R>(
        &self,
        batch: &[Encoded],
        compute: &dyn Fn(&[Encoded]) -> Result<M>,
        read: fn(M) -> Result<Vec<R>>,
    ) -> Result<Vec<R>> {
        let (mut results, mut rest) = (Vec::with_capacity(batch.len()), batch);
        while !rest.is_empty() {
            let turn = self.turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
            let (part, others) = rest.split_at(fitting(rest, self.most.load(Ordering::Relaxed)));
            let computed = compute(part);
            let _turn = turn.filter(|_| !self.queues);
            match computed.and_then(read) {
                Err(Error::Compute(error)) if is_out_of_memory(&error) => self.halve(part)?,
                computed => {
                    results.extend(computed?);
                    rest = others;
                }
            }
        }
        Ok(results)
    }

    /// Half of what did not fit is tried from now on.
    fn halve(&self, part: &[Encoded]) -> Result<()> {
        let size = part.len();
        if size <= 1 {
            return Err(Error::Usage(
                "the device has too little memory for a single record: lower --max-length, try --dtype bf16, \
                 or compute with --device cpu"
                    .into(),
            ));
        }
        let tokens: usize = part.iter().map(Encoded::cost).sum();
        self.most.fetch_min(tokens / 2, Ordering::Relaxed);
        self.halved.call_once(|| {
            (self.notify)(&format!("a batch of {size} records does not fit into the device's memory: halving it"));
        });
        Ok(())
    }
}

/// How many records, one at least, have no more tokens than `most`.
fn fitting(batch: &[Encoded], most: usize) -> usize {
    let ends = batch.iter().scan(0, |tokens: &mut usize, record| {
        *tokens += record.cost();
        Some(*tokens)
    });
    ends.take_while(|tokens| *tokens <= most).count().max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::*;
    use crate::records::LabelSet;

    fn driver(words: &str) -> Error {
        candle_core::Error::Msg(words.into()).into()
    }

    fn turns() -> Turns {
        Turns::on(&Device::Cpu, |_| ())
    }

    /// Records of this many tokens each.
    fn records(lengths: &[u32]) -> Vec<Encoded> {
        let labels = Arc::new(LabelSet::flat(vec!["a".into()]).unwrap());
        lengths.iter().map(|length| Encoded::new((0..*length).collect(), Vec::new(), &labels, false)).collect()
    }

    #[test]
    fn a_batch_that_does_not_fit_is_halved_and_so_are_those_behind_it() {
        let sizes = RefCell::new(Vec::new());
        let compute = |batch: &[Encoded]| {
            let lengths: Vec<usize> = batch.iter().map(Encoded::cost).collect();
            sizes.borrow_mut().push(batch.len());
            if lengths.iter().sum::<usize>() > 30 {
                Err(driver("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"))
            } else {
                Ok(lengths)
            }
        };
        let turns = turns();
        let (batch, lengths) = (records(&[10, 10, 10, 10, 5, 5]), [10, 10, 10, 10, 5, 5]);
        assert_eq!(turns.compute(&batch, &compute, Ok).unwrap(), lengths);
        assert_eq!(turns.compute(&batch, &compute, Ok).unwrap(), lengths);
        assert_eq!(sizes.into_inner(), [6, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_single_record_that_does_not_fit_is_an_error_that_says_what_to_do() {
        let full = |_: &[Encoded]| Err::<Vec<u32>, _>(driver("out of memory"));
        let error = turns().compute(&records(&[1, 1]), &full, Ok).unwrap_err();
        assert!(error.to_string().contains("--max-length"), "{error}");
    }

    #[test]
    fn another_failure_is_not_tried_again() {
        let compute = |batch: &[Encoded]| {
            assert_eq!(batch.len(), 2, "halved");
            Err::<Vec<u32>, _>(driver("shape mismatch"))
        };
        let error = turns().compute(&records(&[1, 1]), &compute, Ok).unwrap_err();
        assert!(error.to_string().contains("shape mismatch"));
    }

    #[test]
    fn the_next_batch_may_be_sent_while_results_are_read_back_only_where_the_device_queues() {
        for queues in [false, true] {
            let turns = Turns { turn: Some(Mutex::default()), queues, ..turns() };
            let is_free = |turns: &Turns| Ok(vec![turns.turn.as_ref().is_some_and(|turn| turn.try_lock().is_ok())]);
            assert_eq!(turns.compute(&records(&[1]), &|_| Ok(&turns), is_free).unwrap(), [queues]);
        }
    }
}
