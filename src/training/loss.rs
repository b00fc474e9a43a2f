//! What training makes small: the reference's losses over the logits of a batch, with their slopes.
//!
//! Plain numbers in, plain numbers out: there are a few logits for each record, so that nothing is won by computing
//! them where the model does, and the slopes of closed forms are exact where automatic ones are not (a saturated
//! sigmoid, a broken power of zero). [`crate::model::Learner`] carries the slopes on into the model.
//!
//! Source: `loss_functions.py` and `get_loss` in `model.py` of `gliclass` 0.1.21.

use super::examples::IGNORED;

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Problem {
    /// Each label holds or not by itself.
    MultiLabel {
        /// The weight of a label that holds; one that does not has the rest of 1. Below 0: no weights.
        alpha: f64,
        /// How little what is already right counts: the power of the distance from it. Up to 0: as much as all else,
        /// and the loss is plain binary cross-entropy.
        gamma: f64,
    },
    /// One label of each record holds: cross-entropy of the softmax over its labels.
    SingleLabel,
}

/// The loss of a batch.
///
/// Reproduced of the reference: the average is over the labels that count, of all records together, or 0 where
/// none counts (its `clamp_min(1)`); a decoder-kv averages within each record before it averages over the records.
/// Soft targets work everywhere.
///
/// Not reproduced, because it is an error there: ignored labels with a broken `gamma` (not a number there, left out
/// here), and single-label training of everything but a decoder-kv (`view(-1, -1)` fails and the step is skipped;
/// here the loss is that of a model whose `num_labels` is the number of labels).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// What is asked.
    pub problem: Problem,
    /// How far targets are moved towards no opinion, 0 to 1: a half for each label, or, where one holds, an equal
    /// share. The reference has it in its focal loss, but never sets it.
    pub smoothing: f64,
    /// The sum over labels instead of the mean; only for several labels a record.
    pub sum: bool,
    /// Records count alike, however many labels they have.
    pub per_record: bool,
}

/// A loss, and how it changes with what it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The loss.
    pub value: f64,
    /// Its derivative by each number that went in, in the same shape.
    pub slopes: Vec<Vec<f32>>,
}

impl Objective {
    /// The loss of records, each given as the logits of its labels and their targets, 0 to 1 or [`IGNORED`].
    pub fn loss(&self, records: &[(&[f32], &[f32])]) -> Loss {
        let weights = self.weights(records);
        let mut value = 0.0;
        let slopes = records.iter().zip(weights).map(|(&(logits, targets), weight)| {
            let (loss, slopes) = match self.problem {
                Problem::MultiLabel { alpha, gamma } => focal(logits, targets, alpha, gamma, self.smoothing),
                Problem::SingleLabel => cross_entropy(logits, targets, self.smoothing),
            };
            value += weight * loss;
            slopes.into_iter().map(|slope| (weight * slope) as f32).collect()
        });
        let slopes = slopes.collect();
        Loss { value, slopes }
    }

    /// What the summed loss of each record is multiplied by.
    fn weights(&self, records: &[(&[f32], &[f32])]) -> Vec<f64> {
        let counts = records.iter().map(|(_, targets)| match self.problem {
            Problem::MultiLabel { .. } => targets.iter().filter(|&&target| target != IGNORED).count(),
            Problem::SingleLabel => usize::from(targets.iter().any(|&target| target != IGNORED)),
        });
        let counts: Vec<usize> = counts.collect();
        let (all, batch) = (counts.iter().sum::<usize>().max(1), records.len() as f64);
        let weight = |&count: &usize| match self {
            Self { per_record: true, .. } => 1.0 / (count.max(1) as f64 * batch),
            Self { sum: true, problem: Problem::MultiLabel { .. }, .. } => 1.0,
            _ => 1.0 / all as f64,
        };
        counts.iter().map(weight).collect()
    }
}

/// The focal loss of each label, summed, and its slopes; 0 for ignored ones.
///
/// Source: `focal_loss_with_logits`; <https://arxiv.org/abs/1708.02002>.
fn focal(logits: &[f32], targets: &[f32], alpha: f64, gamma: f64, smoothing: f64) -> (f64, Vec<f64>) {
    let mut sum = 0.0;
    let slopes = logits.iter().zip(targets).map(|(&logit, &target)| {
        if target == IGNORED {
            return 0.0;
        }
        let x = f64::from(logit);
        let target = f64::from(target) * (1.0 - smoothing) + 0.5 * smoothing;
        let (p, not_p) = (sigmoid(x), sigmoid(-x));
        let mut loss = x.max(0.0) - x * target + (-x.abs()).exp().ln_1p();
        let mut slope = p - target;
        if gamma > 0.0 {
            // How far the answer is from the target, 0 to 1.
            let wrong = p * (1.0 - target) + not_p * target;
            let bend = (1.0 - 2.0 * target) * p * not_p;
            let steepness = if bend == 0.0 { 0.0 } else { gamma * wrong.powf(gamma - 1.0) * bend };
            slope = slope * wrong.powf(gamma) + loss * steepness;
            loss *= wrong.powf(gamma);
        }
        let share = if alpha < 0.0 { 1.0 } else { alpha * target + (1.0 - alpha) * (1.0 - target) };
        sum += share * loss;
        share * slope
    });
    let slopes = slopes.collect();
    (sum, slopes)
}

/// The cross-entropy of a record's targets under the softmax over the labels that are not ignored, and its slopes.
fn cross_entropy(logits: &[f32], targets: &[f32], smoothing: f64) -> (f64, Vec<f64>) {
    let counts = |target: &f32| *target != IGNORED;
    let labels = targets.iter().filter(|target| counts(target)).count() as f64;
    let counted = || logits.iter().zip(targets).filter(|(_, target)| counts(target));
    let top = counted().map(|(&logit, _)| f64::from(logit)).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = counted().map(|(&logit, _)| (f64::from(logit) - top).exp()).sum();
    let smoothed = |target: f32| f64::from(target) * (1.0 - smoothing) + smoothing / labels;
    let mass: f64 = counted().map(|(_, &target)| smoothed(target)).sum();
    let mut sum = 0.0;
    let slopes = logits.iter().zip(targets).map(|(&logit, &target)| {
        if !counts(&target) {
            return 0.0;
        }
        let above = f64::from(logit) - top;
        sum -= smoothed(target) * (above - total.ln());
        mass * above.exp() / total - smoothed(target)
    });
    let slopes = slopes.collect();
    (sum, slopes)
}

/// How alike the labels of each record are to the model: the mean over all labels of the cross-entropy by which a
/// label is told from the others of its record by the cosines of their rows. Slopes are by the rows.
///
/// `records` has the rows of each record's labels. The reference also compares with the rows of empty slots, so that
/// its value is this one only where all records of a batch have equally many labels.
///
/// Source: `sequence_contrastive_loss`.
pub fn contrastive(records: &[&[Vec<f32>]]) -> Loss {
    let labels = records.iter().map(|rows| rows.len()).sum::<usize>().max(1) as f64;
    let (mut value, mut slopes) = (0.0, Vec::new());
    for rows in records {
        let (loss, found) = contrast(rows);
        value += loss / labels;
        slopes.extend(found.into_iter().map(|row| row.into_iter().map(|slope| (slope / labels) as f32).collect()));
    }
    Loss { value, slopes }
}

/// The summed loss of one record's rows, and its slopes.
fn contrast(rows: &[Vec<f32>]) -> (f64, Vec<Vec<f64>>) {
    let lengths: Vec<f64> =
        rows.iter().map(|row| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()).collect();
    // A row of zeros has no direction: it is like nothing, and is not moved.
    let scales = lengths.iter().map(|&length| if length > 0.0 { 1.0 / length } else { 0.0 });
    let scales: Vec<f64> = scales.collect();
    let units: Vec<Vec<f64>> =
        rows.iter().zip(&scales).map(|(row, scale)| row.iter().map(|&x| f64::from(x) * scale).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut loss = 0.0;
    // The slopes by the unit rows: each cosine moves both of its rows.
    let mut slopes: Vec<Vec<f64>> = units.iter().map(|row| vec![0.0; row.len()]).collect();
    for (i, unit) in units.iter().enumerate() {
        let cosines: Vec<f64> = units.iter().map(|other| dot(unit, other)).collect();
        let total: f64 = cosines.iter().map(|cosine| cosine.exp()).sum();
        loss += total.ln() - cosines[i];
        for (j, cosine) in cosines.iter().enumerate() {
            let slope = cosine.exp() / total - f64::from(u8::from(i == j));
            for (column, (a, b)) in unit.iter().zip(&units[j]).enumerate() {
                slopes[i][column] += slope * b;
                slopes[j][column] += slope * a;
            }
        }
    }
    for ((slope, unit), scale) in slopes.iter_mut().zip(&units).zip(&scales) {
        let along = dot(slope, unit);
        slope.iter_mut().zip(unit).for_each(|(slope, unit)| *slope = (*slope - along * unit) * scale);
    }
    (loss, slopes)
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Recorded {
        labels: Vec<Case>,
        contrastive: Contrastive,
    }

    /// One of the cases that `tests/fixtures/training/make.py` recorded.
    #[derive(Debug, Deserialize)]
    struct Case {
        kind: String,
        alpha: f64,
        gamma: f64,
        smoothing: f64,
        sum: bool,
        per_record: bool,
        logits: Vec<Vec<f32>>,
        targets: Vec<Vec<f32>>,
        loss: f64,
        slopes: Vec<Vec<f32>>,
    }

    #[derive(Deserialize)]
    struct Contrastive {
        labels: Vec<usize>,
        rows: Vec<Vec<f32>>,
        loss: f64,
        slopes: Vec<Vec<f32>>,
    }

    fn recorded() -> Recorded {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/training/losses.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn loss(case: &Case) -> Loss {
        let problem = match case.kind.as_str() {
            "single-label" => Problem::SingleLabel,
            _ => Problem::MultiLabel { alpha: case.alpha, gamma: case.gamma },
        };
        let Case { smoothing, sum, per_record, .. } = *case;
        let records = case.logits.iter().zip(&case.targets).map(|(logits, targets)| (&logits[..], &targets[..]));
        Objective { problem, smoothing, sum, per_record }.loss(&records.collect::<Vec<_>>())
    }

    #[track_caller]
    fn assert_close(found: &Loss, value: f64, slopes: &[Vec<f32>], case: &dyn std::fmt::Debug) {
        assert!((found.value - value).abs() <= 1e-6 * value.abs().max(1.0), "{} in {case:?}", found.value);
        for (found, slope) in found.slopes.iter().flatten().zip(slopes.iter().flatten()) {
            assert!((found - slope).abs() <= 1e-6 * slope.abs().max(1.0), "{found} for {slope} in {case:?}");
        }
    }

    #[test]
    fn losses_and_their_slopes_are_those_of_the_reference() {
        let recorded = recorded();
        assert!(recorded.labels.len() > 100);
        for case in &recorded.labels {
            assert_close(&loss(case), case.loss, &case.slopes, case);
        }
    }

    #[test]
    fn the_contrastive_loss_is_that_of_the_reference() {
        let Contrastive { labels, rows, loss, slopes } = recorded().contrastive;
        let records: Vec<&[Vec<f32>]> = rows.chunks(labels[0]).collect();
        assert_close(&contrastive(&records), loss, &slopes, &"contrastive");
    }

    #[test]
    fn ignored_labels_have_no_say_whatever_gamma_is() {
        let problem = Problem::MultiLabel { alpha: 0.25, gamma: 0.5 };
        let objective = Objective { problem, smoothing: 0.1, sum: false, per_record: false };
        let with = objective.loss(&[(&[0.5, f32::MAX], &[1.0, IGNORED])]);
        let without = objective.loss(&[(&[0.5], &[1.0])]);
        assert_eq!((with.value, with.slopes), (without.value, vec![vec![without.slopes[0][0], 0.0]]));
    }

    #[test]
    fn what_is_exactly_right_has_no_slope_rather_than_none_that_is_a_number() {
        let objective = Objective {
            problem: Problem::MultiLabel { alpha: -1.0, gamma: 0.5 },
            smoothing: 0.0,
            sum: true,
            per_record: false,
        };
        let found = objective.loss(&[(&[-1e4, 1e4], &[0.0, 1.0])]);
        assert_eq!((found.value, found.slopes), (0.0, vec![vec![0.0, 0.0]]));
    }

    #[test]
    fn a_row_of_zeros_is_not_moved() {
        let rows = vec![vec![0.0, 0.0], vec![1.0, 0.0]];
        let found = contrastive(&[&rows]);
        assert!(found.value.is_finite());
        assert_eq!(found.slopes[0], [0.0, 0.0]);
    }
}
