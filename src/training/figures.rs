//! How good a model is on records it does not learn from, and what an epoch came to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::examples::{Example, IGNORED, TRUE_TARGET};
use super::loss::{Objective, Problem};
use crate::classifier::Classifier;
use crate::error::Result;
use crate::metrics::{Candidate, Judged, Report, Resampling};
use crate::records::{Entry, labelled};
use crate::runner::{Classified, Runner};
use crate::scores::{self, Decision};

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochFigures {
    /// Its mean loss.
    pub loss: f64,
    /// The figures of the held-out records after it, where there are some.
    pub held_out: Option<HeldOutFigures>,
}

/// The figures of held-out records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOutFigures {
    /// The loss.
    pub loss: f64,
    /// The mean F1 of the labels.
    pub macro_f1: f64,
    /// F1 over all decisions.
    pub micro_f1: f64,
    /// The share of records with exactly the true labels.
    pub accuracy: f64,
}

impl HeldOutFigures {
    /// Whether they are better: the mean F1 is, or, as often where few records are held out, it is the same and the
    /// loss is less.
    pub fn are_better_than(&self, other: &Self) -> bool {
        self.macro_f1 > other.macro_f1 || self.macro_f1 == other.macro_f1 && self.loss < other.loss
    }
}

/// Judges a model on records; nothing where it was interrupted.
///
/// # Errors
/// A record cannot be classified.
pub fn judge(
    model: &impl Classifier,
    examples: &[Example],
    objective: &Objective,
    threads: usize,
    interrupted: &AtomicBool,
) -> Result<Option<HeldOutFigures>> {
    let names = labelled::distinct(examples.iter().flat_map(|example| example.record.labels.names()));
    let places: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let single_label = objective.problem == Problem::SingleLabel;
    let decision = Decision { single_label, ..Decision::default() };
    let mut judged = Judged::new(names.clone(), single_label);
    let mut answers: Vec<(Vec<f32>, Vec<f32>)> = Vec::with_capacity(examples.len());
    let entry = |example: Example| {
        let bytes = 2 * example.record.text.len();
        Ok(Entry { raw: example.targets, bytes, record: Ok(example.record) })
    };
    let mut sink = |targets: Vec<f32>, classified: Result<Classified>| {
        let classified = classified?;
        let labels = &classified.labels;
        let asked = scores::judged(&classified.logits, labels, &decision, |label| targets[label] == IGNORED);
        judged.push(asked.into_iter().map(|(label, score, predicted)| Candidate {
            label: places[labels.names()[label].as_str()],
            score,
            truth: targets[label] >= TRUE_TARGET,
            predicted,
        }));
        answers.push((classified.logits, targets));
        Ok(())
    };
    // The thread that reads may outlive this function.
    let owned = examples.to_vec();
    let runner = Runner::new(threads, Some(interrupted));
    runner.run(model, owned.into_iter().map(entry), &mut sink)?;
    if interrupted.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let report = Report::new(&judged, Resampling { rounds: 0, seed: 0 });
    let records: Vec<(&[f32], &[f32])> = answers.iter().map(|(logits, targets)| (&logits[..], &targets[..])).collect();
    Ok(Some(HeldOutFigures {
        loss: objective.loss(&records).value,
        macro_f1: report.macro_average.f1,
        micro_f1: report.micro_average.f1,
        accuracy: report.accuracy,
    }))
}
