//! What workers do with records: encode, cut into batches, compute. Nothing here knows of threads.

use super::queue::{Finished, Job};
use super::{Classified, Limits};
use crate::classifier::{Classifier, Encoded};
use crate::error::{Error, Result};
use crate::panics;
use crate::records::Entry;

/// Encodes a window; what cannot be encoded has its outcome at once. A device that fails, where encoding computes, fails
/// for all records, so that the run ends there.
pub(super) fn encode<R>(classifier: &impl Classifier, window: Vec<(u64, Entry<R>)>) -> (Vec<Job<R>>, Vec<Finished<R>>) {
    let (mut jobs, mut outcomes) = (Vec::with_capacity(window.len()), Vec::new());
    for (place, Entry { raw, record, .. }) in window {
        match record.and_then(|record| guard(|| classifier.encode(&record))) {
            Ok(encoded) => jobs.push(Job { place, raw, encoded }),
            Err(error @ Error::Compute(_)) => outcomes.push((place, Err(error))),
            Err(error) => outcomes.push((place, Ok((raw, Err(error))))),
        }
    }
    (jobs, outcomes)
}

/// Cuts jobs into batches: in their order, so that outcomes come in the order in which they are written; where padding
/// costs, of like length, the longest first so that none is left over at the end.
///
/// Where there is not enough for a full batch on every thread, the batches are smaller; a device that pads computes one
/// at a time, whatever the threads.
pub(super) fn cut<R>(mut jobs: Vec<Job<R>>, limits: &Limits, threads: usize) -> Vec<Vec<Job<R>>> {
    let length = |job: &Job<R>| job.encoded.cost();
    if limits.padded {
        jobs.sort_by_key(|job| std::cmp::Reverse(length(job)));
    }
    let total: usize = jobs.iter().map(length).sum();
    let budget = if limits.padded { limits.batch_tokens } else { limits.batch_tokens.min(total.div_ceil(threads)) };
    let mut batches: Vec<Vec<Job<R>>> = Vec::new();
    let mut tokens = 0;
    for job in jobs {
        tokens += length(&job);
        match batches.last_mut() {
            Some(batch) if limits.padded && length(&batch[0]) * (batch.len() + 1) <= budget => batch.push(job),
            Some(batch) if !limits.padded && tokens <= budget => batch.push(job),
            _ => {
                tokens = length(&job);
                batches.push(vec![job]);
            }
        }
    }
    batches
}

pub(super) fn compute<R>(classifier: &impl Classifier, batch: Vec<Job<R>>, threads: usize) -> Vec<Finished<R>> {
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
        return Err(Error::Record(
            "the model's answer is not a finite number: its weights are damaged, or --dtype f32 helps".into(),
        ));
    }
    let tokens = encoded.cost();
    let Encoded { labels, truncated, .. } = encoded;
    Ok(Classified { labels, logits, truncated, tokens })
}

/// Runs foreign work; a panic in it becomes an error, so that no thread waits for ever.
pub(super) fn guard<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::caught(run).unwrap_or_else(|panic| Err(bug(&panic)))
}

fn bug(message: &str) -> Error {
    Error::Bug(message.to_owned())
}
