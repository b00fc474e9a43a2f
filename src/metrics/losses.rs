//! Log loss and Brier score, as scikit-learn computes them of the same scores in 64 bits.

use super::judged::{Candidate, Judged};
use super::weights::Weights;
use super::{Task, ratio};

/// What each record adds to the log loss and the Brier score, and over how much they are shared out.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// The part of each record in the log loss, in nats.
    pub log_loss: Vec<f64>,
    /// The part of each record in the Brier score.
    pub brier: Vec<f64>,
    /// Over how many each record's parts are shared out: 1, or its candidates where any number of them may be true.
    pub counts: Vec<u32>,
}

impl Losses {
    /// The losses of `judged`, of which every candidate has a score.
    ///
    /// Single-label: the true label's log score; squared errors over all labels, halved where there are two.
    /// Multi-label: both over every decision, a binary one.
    pub fn new(judged: &Judged) -> Self {
        let task = judged.task();
        let mut losses = Self::default();
        for record in judged.iter() {
            let squares: f64 =
                record.iter().map(|one| (f64::from(one.score) - f64::from(u8::from(one.truth))).powi(2)).sum();
            let (log_loss, brier, count) = match task {
                Task::SingleLabel => {
                    let truth = record.iter().find(|one| one.truth).map_or(0.0, |one| one.score);
                    (-clip(f64::from(truth)).ln(), if record.len() <= 2 { squares / 2.0 } else { squares }, 1)
                }
                Task::MultiLabel => (record.iter().map(binary_log_loss).sum(), squares, record.len() as u32),
            };
            losses.log_loss.push(log_loss);
            losses.brier.push(brier);
            losses.counts.push(count);
        }
        losses
    }

    /// Log loss and Brier score, one pair for each lane of the weights.
    pub fn means<const L: usize>(&self, weights: &Weights<L>) -> [(f64, f64); L] {
        let (mut log_loss, mut brier, mut count) = ([0.0; L], [0.0; L], [0_u64; L]);
        let losses = self.log_loss.iter().zip(&self.brier).zip(&self.counts);
        for (((own_log_loss, own_brier), &own_count), weights) in losses.zip(weights) {
            for lane in 0..L {
                log_loss[lane] += own_log_loss * f64::from(weights[lane]);
                brier[lane] += own_brier * f64::from(weights[lane]);
                count[lane] += u64::from(own_count) * u64::from(weights[lane]);
            }
        }
        std::array::from_fn(|lane| {
            let count = count[lane] as f64;
            (ratio(log_loss[lane], count), ratio(brier[lane], count))
        })
    }
}

fn binary_log_loss(one: &Candidate) -> f64 {
    let score = f64::from(one.score);
    // 1 - score is taken before it is clipped, as scikit-learn has a column for each of the two.
    if one.truth { -clip(score).ln() } else { -clip(1.0 - score).ln() }
}

/// A score of 0 does not make the loss infinite.
fn clip(score: f64) -> f64 {
    score.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}
