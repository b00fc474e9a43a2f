//! Logits -> scores -> the labels that hold.

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
