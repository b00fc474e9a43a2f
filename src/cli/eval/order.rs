//! `--label-order-trials`: whether it matters in which order the labels are asked for.

use std::sync::Arc;

use rand::seq::SliceRandom;

use crate::metrics::bootstrap::generator;
use crate::metrics::findings::OrderTrials;
use crate::metrics::{Candidate, Judged};
use crate::records::LabelSet;
use crate::records::labelled::Dataset;

/// The same records with their labels in another order, that of a trial of a seed; records with the same labels have
/// the same order.
pub fn shuffled(data: &Dataset, seed: u64, trial: u32) -> Dataset {
    let mut random = generator(seed, trial.into());
    let mut previous: Option<(Arc<LabelSet>, Arc<LabelSet>)> = None;
    let mut shuffled = data.clone();
    for record in &mut shuffled.records {
        let known = previous.as_ref().filter(|(before, _)| Arc::ptr_eq(before, &record.labels));
        let after = known.map(|(_, after)| after.clone()).unwrap_or_else(|| {
            let mut order: Vec<usize> = (0..record.labels.len()).collect();
            order.shuffle(&mut random);
            Arc::new(record.labels.reordered(&order))
        });
        previous = Some((std::mem::replace(&mut record.labels, after.clone()), after));
    }
    shuffled
}

/// Counts what changes.
pub struct Trials {
    /// What was found in the order given.
    first: Judged,
    changed: Vec<usize>,
    ever_changed: Vec<bool>,
    score_change: f64,
    scores: usize,
}

impl Trials {
    /// Nothing has been tried yet; `judged` is what was found in the order given.
    pub fn new(judged: &Judged) -> Self {
        let (first, ever_changed) = (by_label(judged), vec![false; judged.records()]);
        Self { first, changed: Vec::new(), ever_changed, score_change: 0.0, scores: 0 }
    }

    /// Counts what was found in another order.
    pub fn count(&mut self, found: &Judged) {
        let found = by_label(&found.over(self.first.names()));
        let mut changed = 0;
        for ((before, after), ever) in self.first.iter().zip(found.iter()).zip(&mut self.ever_changed) {
            let pairs = || before.iter().zip(after);
            let differs = pairs().any(|(a, b): (&Candidate, &Candidate)| a.predicted != b.predicted);
            changed += usize::from(differs);
            *ever |= differs;
            self.score_change += pairs().map(|(a, b)| f64::from((a.score - b.score).abs())).sum::<f64>();
            self.scores += before.len();
        }
        self.changed.push(changed);
    }

    /// What came of it.
    pub fn finish(self) -> OrderTrials {
        OrderTrials {
            trials: self.changed.len() as u32,
            changed: self.changed,
            ever_changed: self.ever_changed.iter().filter(|&&ever| ever).count(),
            mean_score_change: self.score_change / self.scores.max(1) as f64,
        }
    }
}

/// The same with the candidates of each record by their number: by score they stand elsewhere in another order.
fn by_label(judged: &Judged) -> Judged {
    judged.changed(|record| record.sort_unstable_by_key(|one| one.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_compared_with_themselves_whatever_their_scores() {
        let judged = |names: [&str; 2], scores: [f32; 2]| {
            let mut judged = Judged::new(names.map(String::from).to_vec(), false);
            let candidate = |(label, score)| Candidate { label, score, truth: false, predicted: score >= 0.5 };
            judged.push((0..).zip(scores).map(candidate));
            judged
        };
        let mut trials = Trials::new(&judged(["a", "b"], [0.75, 0.5]));
        trials.count(&judged(["b", "a"], [0.75, 0.5]));
        trials.count(&judged(["b", "a"], [0.5, 0.25]));
        let found = trials.finish();
        assert_eq!((&found.changed[..], found.ever_changed, found.mean_score_change), (&[0, 1][..], 1, 0.25));
    }
}
