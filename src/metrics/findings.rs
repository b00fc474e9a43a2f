//! Everything that `eval` found out, as it is printed.

use serde::Serialize;

use super::comparison::Comparison;
use super::fit::Fit;
use super::judged::Judged;
use super::mistakes::{Kind, Mistake, worst};
use super::report::Report;

/// Everything that was found out.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The figures.
    #[serde(flatten)]
    pub report: Report,
    /// What was fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// How much the order of the labels matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_order: Option<OrderTrials>,
    /// Another set of predictions beside this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The most confident errors, label by label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<LabelErrors>,
}

impl From<Report> for Findings {
    /// The figures alone.
    fn from(report: Report) -> Self {
        Self { report, fit: None, label_order: None, comparison: None, errors: Vec::new() }
    }
}

/// How much the order of the labels matters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderTrials {
    /// How often the labels were shuffled.
    pub trials: u32,
    /// In how many records each trial changed what was said.
    pub changed: Vec<usize>,
    /// In how many records any trial did.
    pub ever_changed: usize,
    /// By how much a score changed on average.
    pub mean_score_change: f64,
}

impl OrderTrials {
    /// In how many records a trial changed what was said, on average.
    pub fn mean_changed(&self) -> f64 {
        self.changed.iter().sum::<usize>() as f64 / f64::from(self.trials.max(1))
    }
}

/// The most confident errors of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelErrors {
    /// The label.
    pub label: String,
    /// The errors, the most confident first.
    pub errors: Vec<ShownError>,
}

/// An error with what a person needs to understand it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownError {
    /// What went wrong.
    pub kind: Kind,
    /// The label's score, where it is known.
    pub score: Option<f32>,
    /// Where the record is: a line, or a file and a line.
    pub place: String,
    /// The text.
    pub text: String,
    /// What is true.
    pub true_labels: Vec<String>,
    /// What was said.
    pub predicted_labels: Vec<String>,
}

impl LabelErrors {
    /// The `count` most confident errors of each label; `source` knows the place and the text of a record.
    pub fn of(judged: &Judged, count: usize, source: impl Fn(usize) -> (String, String)) -> Vec<Self> {
        let name = |label: u32| judged.names()[label as usize].clone();
        let shown = |mistake: &Mistake| {
            let (place, text) = source(mistake.record);
            let candidates = judged.record(mistake.record);
            ShownError {
                kind: mistake.kind,
                score: Some(mistake.score).filter(|score| !score.is_nan()),
                place,
                text,
                true_labels: candidates.iter().filter(|one| one.truth).map(|one| name(one.label)).collect(),
                predicted_labels: candidates.iter().filter(|one| one.predicted).map(|one| name(one.label)).collect(),
            }
        };
        let of_label = |mistakes: &Vec<Mistake>| Self {
            label: judged.names()[mistakes[0].label].clone(),
            errors: mistakes.iter().map(shown).collect(),
        };
        worst(judged, count).iter().map(of_label).collect()
    }
}
