//! `--label-order-trials`: whether it matters in which order the labels are asked for.

use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use crate::metrics::findings::OrderTrials;
use crate::metrics::{Candidate, Judged};
use crate::records::LabelSet;
use crate::records::labelled::Dataset;

/// The same records with their labels in another order; records with the same labels have the same order.
pub fn shuffled(data: &Dataset, seed: u64) -> Dataset {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
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
pub struct Trials<'a> {
    judged: &'a Judged,
    changed: Vec<usize>,
    ever_changed: Vec<bool>,
    score_change: f64,
    scores: usize,
}

impl<'a> Trials<'a> {
    /// Nothing has been tried yet; `judged` is what was found in the order given.
    pub fn new(judged: &'a Judged) -> Self {
        let ever_changed = vec![false; judged.records()];
        Self { judged, changed: Vec::new(), ever_changed, score_change: 0.0, scores: 0 }
    }

    /// Counts what was found in another order.
    pub fn count(&mut self, found: &Judged) {
        let found = found.over(self.judged.names());
        let first = self.judged.over(self.judged.names());
        let mut changed = 0;
        for ((before, after), ever) in first.iter().zip(found.iter()).zip(&mut self.ever_changed) {
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
