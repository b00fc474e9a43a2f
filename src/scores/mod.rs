//! Logits -> scores -> the labels that hold.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Number, Value};

use crate::records::LabelSet;

pub mod thresholds;

pub use thresholds::Thresholds;

/// How scores become labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Softmax and exactly one label, instead of sigmoid and every label at or above the threshold.
    pub single_label: bool,
    /// The least score of a label that holds; unused with `single_label`, and for labels with a fitted one.
    pub threshold: f32,
    /// Fitted thresholds, and the temperature of the scores.
    pub fitted: Option<Arc<Thresholds>>,
    /// No label at all where the best score is lower.
    pub abstain_below: Option<f32>,
    /// At most this many labels.
    pub top_k: Option<usize>,
    /// Every label, whatever its score.
    pub all_scores: bool,
}

impl Default for Decision {
    /// Every label that is more likely than not.
    fn default() -> Self {
        Self { single_label: false, threshold: 0.5, fitted: None, abstain_below: None, top_k: None, all_scores: false }
    }
}

impl Decision {
    /// The score of every label: sigmoid, or softmax in `single_label` mode, of the logits over the temperature.
    pub fn scores(&self, logits: &[f32]) -> Vec<f32> {
        let temperature = self.fitted.as_ref().map_or(1.0, |fitted| fitted.temperature);
        if temperature == 1.0 {
            return scores(logits, self.single_label);
        }
        scores(&logits.iter().map(|logit| logit / temperature).collect::<Vec<f32>>(), self.single_label)
    }

    /// The logits by which labels are judged. The one label is chosen of those that are not ignored, as it is learned:
    /// others have no part in the softmax.
    fn judged_logits(&self, logits: &[f32], is_ignored: impl Fn(usize) -> bool) -> Vec<f32> {
        let is_out = |label| self.single_label && is_ignored(label);
        logits.iter().enumerate().map(|(label, &x)| if is_out(label) { f32::NEG_INFINITY } else { x }).collect()
    }

    /// The least score of this label where it holds.
    pub fn threshold_of(&self, label: &str) -> f32 {
        self.fitted.as_ref().and_then(|fitted| fitted.of(label)).unwrap_or(self.threshold)
    }

    /// Keeps what holds of `found`, all labels by falling score with their thresholds.
    pub fn keep<T>(&self, found: &mut Vec<T>, score: impl Fn(&T) -> f32, threshold: impl Fn(&T) -> f32) {
        let is_sure = |best: &T| self.abstain_below.is_none_or(|least| score(best) >= least);
        if !self.all_scores {
            if !found.first().is_some_and(is_sure) {
                found.clear();
            } else if self.single_label {
                found.truncate(1);
            } else {
                found.retain(|one| score(one) >= threshold(one));
            }
        }
        if let Some(k) = self.top_k {
            found.truncate(k);
        }
    }
}

/// A label with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Which of the record's labels, from 0.
    pub label: usize,
    /// Probability, 0 to 1.
    pub score: f32,
    /// What the model said before sigmoid or softmax.
    pub logit: f32,
}

impl Prediction {
    /// The name of the label.
    pub fn name(self, labels: &LabelSet) -> &str {
        &labels.names()[self.label]
    }
}

/// The score of every label: sigmoid, or softmax in `single_label` mode.
pub fn scores(logits: &[f32], single_label: bool) -> Vec<f32> {
    if !single_label {
        return logits.iter().map(|&x| 1.0 / (1.0 + (-x).exp())).collect();
    }
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = logits.iter().map(|&x| (x - max).exp()).collect();
    let sum: f32 = exp.iter().sum();
    exp.into_iter().map(|x| x / sum).collect()
}

/// The labels that hold, by falling score, ties in the order of the labels.
pub fn decide(logits: &[f32], labels: &LabelSet, decision: &Decision) -> Vec<Prediction> {
    let mut predictions: Vec<Prediction> = decision
        .scores(logits)
        .into_iter()
        .zip(logits)
        .enumerate()
        .map(|(label, (score, &logit))| Prediction { label, score, logit })
        .collect();
    predictions.sort_by(|a, b| b.score.total_cmp(&a.score));
    decision.keep(&mut predictions, |one| one.score, |one| decision.threshold_of(one.name(labels)));
    predictions
}

/// Every label that is not ignored, in their order: its place, its score, and whether it holds, asked for all scores
/// or not.
pub fn judged(
    logits: &[f32],
    labels: &LabelSet,
    decision: &Decision,
    is_ignored: impl Fn(usize) -> bool,
) -> Vec<(usize, f32, bool)> {
    let logits = decision.judged_logits(logits, &is_ignored);
    let holding = Decision { all_scores: false, ..decision.clone() };
    let mut holds = vec![false; logits.len()];
    decide(&logits, labels, &holding).iter().for_each(|one| holds[one.label] = true);
    let scored = (0..).zip(decision.scores(&logits)).zip(holds).map(|((label, score), holds)| (label, score, holds));
    scored.filter(|&(label, ..)| !is_ignored(label)).collect()
}

/// A prediction as it stands in the output; numbers are the shortest that read back as the same `f32`.
#[derive(Serialize)]
struct Shown<'a> {
    label: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    logit: Option<f32>,
}

/// Predictions as a JSON array of objects `label`, `score` and, if wanted, `logit`.
pub fn to_json(predictions: &[Prediction], labels: &LabelSet, with_logits: bool) -> String {
    let shown: Vec<Shown> = predictions
        .iter()
        .map(|p| Shown { label: p.name(labels), score: p.score, logit: with_logits.then_some(p.logit) })
        .collect();
    serde_json::to_string(&shown).expect("strings and numbers are JSON; this is a bug")
}

/// The score of every label as a JSON object in the shape of the labels.
pub fn to_json_shaped(logits: &[f32], labels: &LabelSet, decision: &Decision) -> String {
    let values: Vec<Value> = decision.scores(logits).into_iter().map(number).collect();
    labels.shaped(&values).to_string()
}

/// A JSON number with the digits of the `f32`, which widening to `f64` would lengthen.
fn number(value: f32) -> Value {
    value.to_string().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn labels() -> LabelSet {
        LabelSet::flat(vec!["a".into(), "b".into(), "c".into()]).unwrap()
    }

    fn names(logits: &[f32], decision: &Decision) -> Vec<usize> {
        decide(logits, &labels(), decision).iter().map(|p| p.label).collect()
    }

    #[test]
    fn labels_at_the_threshold_hold_and_ties_keep_their_order() {
        assert_eq!(names(&[0.0, -0.1, 0.0], &Decision::default()), [0, 2]);
    }

    #[test]
    fn a_single_label_is_the_best_whatever_the_threshold() {
        assert_eq!(
            names(&[-5.0, -4.0, -9.0], &Decision { single_label: true, threshold: 0.99, ..Decision::default() }),
            [1]
        );
    }

    #[test]
    fn a_single_label_is_the_best_of_those_that_are_not_ignored() {
        let is_ignored = |label| label == 1;
        let single = Decision { single_label: true, ..Decision::default() };
        let logits = single.judged_logits(&[1.0, 4.0, -1.0], is_ignored);
        assert_eq!(names(&logits, &single), [0]);
        let others = scores(&[1.0, -1.0], true);
        assert_eq!(single.scores(&logits), [others[0], 0.0, others[1]]);
        assert_eq!(Decision::default().judged_logits(&[1.0, 4.0], is_ignored), [1.0, 4.0]);
        let all = Decision { all_scores: true, ..single };
        let expected = [(0, others[0], true), (2, others[1], false)];
        assert_eq!(judged(&[1.0, 4.0, -1.0], &labels(), &all, is_ignored), expected);
    }

    #[test]
    fn top_k_limits_all_scores_too() {
        assert_eq!(
            names(&[-1.0, 3.0, 2.0], &Decision { all_scores: true, top_k: Some(2), ..Decision::default() }),
            [1, 2]
        );
    }

    #[test]
    fn json_numbers_are_the_shortest_that_read_back() {
        let predictions = decide(&[0.1, -9.0, -9.0], &labels(), &Decision::default());
        let json = to_json(&predictions, &labels(), true);
        assert_eq!(json, r#"[{"label":"a","score":0.5249792,"logit":0.1}]"#);
        let shaped = to_json_shaped(&[0.1, 0.0, 0.0], &labels(), &Decision::default());
        assert_eq!(shaped, r#"{"a":0.5249792,"b":0.5,"c":0.5}"#);
    }

    fn fitted(temperature: f32, labels: &[(&str, f32)]) -> Decision {
        let labels = labels.iter().map(|&(name, threshold)| (name.to_owned(), threshold)).collect();
        let fitted = Thresholds { temperature, labels, ..serde_json::from_str("{}").unwrap() };
        Decision { fitted: Some(Arc::new(fitted)), ..Decision::default() }
    }

    #[test]
    fn a_fitted_threshold_decides_for_its_label() {
        let fitted = fitted(1.0, &[("a", 0.9), ("b", 0.1), ("c", 0.5)]);
        assert_eq!(names(&[1.0, -1.0, 0.0], &fitted), [2, 1]);
    }

    #[test]
    fn a_temperature_draws_scores_together_and_changes_no_order() {
        let cool = fitted(2.0, &[("a", 0.0), ("b", 0.0), ("c", 0.0)]);
        let found = decide(&[2.0, -2.0, 1.0], &labels(), &cool);
        let expected = decide(&[1.0, -1.0, 0.5], &labels(), &Decision { threshold: 0.0, ..Decision::default() });
        let scores = |found: &[Prediction]| found.iter().map(|p| (p.label, p.score)).collect::<Vec<_>>();
        assert_eq!(scores(&found), scores(&expected));
        assert_eq!(found[0].logit, 2.0);
    }

    #[test]
    fn below_the_least_best_score_there_is_no_label() {
        let careful = Decision { abstain_below: Some(0.8), ..Decision::default() };
        assert!(names(&[1.0, 0.5, -2.0], &careful).is_empty());
        assert_eq!(names(&[2.0, 0.5, -2.0], &careful), [0, 1]);
        let single = Decision { single_label: true, ..careful.clone() };
        assert!(names(&[1.0, 0.5, -2.0], &single).is_empty());
        assert_eq!(names(&[1.0, 0.5, -2.0], &Decision { all_scores: true, ..careful }).len(), 3);
    }
}
