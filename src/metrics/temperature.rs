//! One number that makes over-confident scores honest: logits are divided by it.
//!
//! Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2.

use rayon::prelude::*;

use super::Task;
use super::judged::{Candidate, Judged};

/// The temperatures that are looked for; data without a single mistake asks for one of 0.
const COLDEST: f64 = 0.05;
const HOTTEST: f64 = 20.0;
/// Enough for Newton's method, and for halving if it fails.
const STEPS: u32 = 60;
/// Records whose sums are one number: sums do not depend on threads.
const CHUNK: usize = 4096;

/// The temperature under which the truth is most likely.
///
/// The likelihood has one peak in the inverse of the temperature: Newton's steps, halving where one leaves
/// the bracket.
pub fn fit(judged: &Judged) -> f64 {
    let task = judged.task();
    let (mut low, mut high, mut inverse) = (1.0 / HOTTEST, 1.0 / COLDEST, 1.0);
    for _ in 0..STEPS {
        let (slope, curvature) = slope(judged, task, inverse);
        if slope > 0.0 {
            high = inverse;
        } else {
            low = inverse;
        }
        let newton = inverse - slope / curvature;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        if (next - inverse).abs() <= 1e-9 * inverse {
            return 1.0 / next;
        }
        inverse = next;
    }
    1.0 / inverse
}

/// The first and second derivative of the loss with the inverse of the temperature.
fn slope(judged: &Judged, task: Task, inverse: f64) -> (f64, f64) {
    let sums: Vec<(f64, f64)> = (0..judged.records().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let records = chunk * CHUNK..judged.records().min((chunk + 1) * CHUNK);
            let slopes = records.map(|record| match task {
                Task::SingleLabel => softmax_slope(judged.record(record), inverse),
                Task::MultiLabel => sigmoid_slope(judged.record(record), inverse),
            });
            slopes.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        })
        .collect();
    sums.into_iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn sigmoid_slope(record: &[Candidate], inverse: f64) -> (f64, f64) {
    let of = |one: &Candidate| {
        let logit = logit(one.score);
        let share = 1.0 / (1.0 + (-inverse * logit).exp());
        (logit * (share - f64::from(u8::from(one.truth))), logit * logit * share * (1.0 - share))
    };
    record.iter().map(of).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn softmax_slope(record: &[Candidate], inverse: f64) -> (f64, f64) {
    let logits = record.iter().map(|one| log(one.score));
    let max = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let weight = |logit: f64| (inverse * (logit - max)).exp();
    let total: f64 = logits.clone().map(weight).sum();
    let mean = logits.clone().map(|logit| logit * weight(logit)).sum::<f64>() / total;
    let variance = logits.map(|logit| (logit - mean).powi(2) * weight(logit)).sum::<f64>() / total;
    let truth: f64 = record.iter().filter(|one| one.truth).map(|one| log(one.score)).sum();
    (mean - truth, variance)
}

/// The same records with the scores that they have at `temperature`; what was said stays.
pub fn apply(judged: &Judged, temperature: f64) -> Judged {
    judged.changed(|record| cool(record, judged.single_label(), temperature))
}

/// Sets the scores of one record to those at `temperature`.
pub fn cool(record: &mut [Candidate], single_label: bool, temperature: f64) {
    if temperature == 1.0 {
        return;
    }
    if !single_label {
        record.iter_mut().for_each(|one| one.score = (1.0 / (1.0 + (-logit(one.score) / temperature).exp())) as f32);
        return;
    }
    let max = record.iter().map(|one| log(one.score)).fold(f64::NEG_INFINITY, f64::max);
    let weight = |score: f32| ((log(score) - max) / temperature).exp();
    let total: f64 = record.iter().map(|one| weight(one.score)).sum();
    record.iter_mut().for_each(|one| one.score = (weight(one.score) / total) as f32);
}

/// A score's logit; a score that 32 bits round to 0 or 1 has one all the same.
fn logit(score: f32) -> f64 {
    let score = f64::from(score).clamp(f64::from(f32::MIN_POSITIVE), 1.0 - f64::from(f32::EPSILON) / 4.0);
    (score / (1.0 - score)).ln()
}

fn log(score: f32) -> f64 {
    f64::from(score.max(f32::MIN_POSITIVE)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 records with one label: said with `score`, true in `hits` of them.
    fn binary(score: f32, hits: usize) -> Judged {
        let mut judged = Judged::new(vec!["a".into()], false);
        for record in 0..100 {
            judged.push([Candidate { label: 0, score, truth: record < hits, predicted: true }]);
        }
        judged
    }

    #[test]
    fn at_the_temperature_found_scores_are_the_shares_that_are_true() {
        for (score, hits) in [(0.99, 80), (0.6, 90), (0.2, 40)] {
            let temperature = fit(&binary(score, hits));
            let scored = apply(&binary(score, hits), temperature).record(0)[0].score;
            assert!((f64::from(scored) - hits as f64 / 100.0).abs() < 1e-6, "{score} {hits}: {scored}");
        }
    }

    #[test]
    fn softmax_scores_are_cooled_together() {
        let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
        for record in 0..10 {
            let candidate = |label, score, truth| Candidate { label, score, truth, predicted: label == 0 };
            judged.push([candidate(0, 0.99, record < 7), candidate(1, 0.01, record >= 7)]);
        }
        let cooled = apply(&judged, fit(&judged));
        assert!((cooled.record(0)[0].score - 0.7).abs() < 1e-6, "{:?}", cooled.record(0));
        assert!((cooled.record(0)[1].score - 0.3).abs() < 1e-6);
    }

    #[test]
    fn data_without_a_mistake_ends_at_the_coldest() {
        assert!(fit(&binary(0.9, 100)) < COLDEST * 1.01);
        assert!(fit(&binary(0.9, 0)) > HOTTEST * 0.99);
        assert!(fit(&binary(1.0, 50)).is_finite());
    }
}
