//! Logits -> scores -> the labels that hold.

use serde::Serialize;
use serde_json::{Number, Value};

use crate::records::LabelSet;

/// How scores become labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Softmax and exactly one label, instead of sigmoid and every label at or above the threshold.
    pub single_label: bool,
    /// The least score of a label that holds; unused with `single_label`.
    pub threshold: f32,
    /// At most this many labels.
    pub top_k: Option<usize>,
    /// Every label, whatever its score.
    pub all_scores: bool,
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
pub fn decide(logits: &[f32], decision: &Decision) -> Vec<Prediction> {
    let mut predictions: Vec<Prediction> = scores(logits, decision.single_label)
        .into_iter()
        .zip(logits)
        .enumerate()
        .map(|(label, (score, &logit))| Prediction { label, score, logit })
        .collect();
    predictions.sort_by(|a, b| b.score.total_cmp(&a.score));
    if !decision.all_scores {
        if decision.single_label {
            predictions.truncate(1);
        } else {
            predictions.retain(|p| p.score >= decision.threshold);
        }
    }
    if let Some(k) = decision.top_k {
        predictions.truncate(k);
    }
    predictions
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
pub fn to_json_shaped(logits: &[f32], labels: &LabelSet, single_label: bool) -> String {
    let values: Vec<Value> = scores(logits, single_label).into_iter().map(number).collect();
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

    fn decision() -> Decision {
        Decision { single_label: false, threshold: 0.5, top_k: None, all_scores: false }
    }

    fn labels() -> LabelSet {
        LabelSet::flat(vec!["a".into(), "b".into(), "c".into()]).unwrap()
    }

    fn names(logits: &[f32], decision: &Decision) -> Vec<usize> {
        decide(logits, decision).iter().map(|p| p.label).collect()
    }

    #[test]
    fn labels_at_the_threshold_hold_and_ties_keep_their_order() {
        assert_eq!(names(&[0.0, -0.1, 0.0], &decision()), [0, 2]);
    }

    #[test]
    fn a_single_label_is_the_best_whatever_the_threshold() {
        assert_eq!(names(&[-5.0, -4.0, -9.0], &Decision { single_label: true, threshold: 0.99, ..decision() }), [1]);
    }

    #[test]
    fn top_k_limits_all_scores_too() {
        assert_eq!(names(&[-1.0, 3.0, 2.0], &Decision { all_scores: true, top_k: Some(2), ..decision() }), [1, 2]);
    }

    #[test]
    fn json_numbers_are_the_shortest_that_read_back() {
        let predictions = decide(&[0.1, -9.0, -9.0], &decision());
        let json = to_json(&predictions, &labels(), true);
        assert_eq!(json, r#"[{"label":"a","score":0.5249792,"logit":0.1}]"#);
        let shaped = to_json_shaped(&[0.1, 0.0, 0.0], &labels(), false);
        assert_eq!(shaped, r#"{"a":0.5249792,"b":0.5,"c":0.5}"#);
    }
}
