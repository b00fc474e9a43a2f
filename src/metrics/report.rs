//! Precision, recall and F1 of every label and their averages.
//!
//! The numbers are those of scikit-learn's `classification_report` with `labels` set to all the
//! candidate labels and `zero_division=0`: a label that never occurs counts in the macro average,
//! and a quotient without a denominator is 0.

use serde::Serialize;

use super::Outcome;

/// Precision, recall and F1 of a label or of an average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// The share of the predicted that is true.
    pub precision: f64,
    /// The share of the true that was predicted.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// How often the label is true; for an average, how often any label is.
    pub support: usize,
}

/// The figures of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Which of the two questions was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Each record has exactly one true and one predicted label.
    SingleLabel,
    /// Each record has any number of both.
    MultiLabel,
}

/// How good the predictions were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The task that the records show.
    pub task: Task,
    /// How many records were counted.
    pub records: usize,
    /// One entry for each label, in the order of the names.
    pub labels: Vec<LabelFigures>,
    /// The share of records whose predicted labels are exactly the true ones (multi-label: subset accuracy).
    pub accuracy: f64,
    /// Of all decisions counted together. Its F1 is the accuracy where the task is single-label.
    pub micro_average: Figures,
    /// The mean over labels, each counting the same.
    pub macro_average: Figures,
    /// The mean over labels, each counting by its support.
    pub weighted_average: Figures,
    /// The mean over records; only where the task is multi-label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_average: Option<Figures>,
}

impl Report {
    /// Counts `outcomes` over the labels `names`.
    ///
    /// With `single_label`, the task is single-label if every record has exactly one true and one
    /// predicted label; otherwise it is multi-label. No outcomes at all make every figure 0.
    ///
    /// # Panics
    /// An outcome has a label that `names` does not have.
    pub fn new(outcomes: &[Outcome], names: &[String], single_label: bool) -> Self {
        let one_each = |outcome: &Outcome| outcome.truth.len() == 1 && outcome.predicted.len() == 1;
        let single = single_label && outcomes.iter().all(one_each);
        let counts = count(outcomes, names.len());
        let figures: Vec<Figures> = counts.iter().map(Counts::figures).collect();
        let total = counts.iter().fold(Counts::default(), Counts::plus);
        let support = total.support;
        let exact = outcomes.iter().filter(|outcome| outcome.truth == outcome.predicted).count();
        Self {
            task: if single { Task::SingleLabel } else { Task::MultiLabel },
            records: outcomes.len(),
            accuracy: ratio(exact as f64, outcomes.len() as f64),
            micro_average: total.figures(),
            macro_average: mean(&figures, |_| 1.0, support),
            weighted_average: mean(&figures, |one| one.support as f64, support),
            samples_average: (!single).then(|| samples_average(outcomes, support)),
            labels: names
                .iter()
                .zip(figures)
                .map(|(label, figures)| LabelFigures { label: label.clone(), figures })
                .collect(),
        }
    }
}

/// What is counted of a label, or of a record.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    hits: usize,
    predicted: usize,
    support: usize,
}

impl Counts {
    fn plus(self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            predicted: self.predicted + other.predicted,
            support: self.support + other.support,
        }
    }

    fn figures(&self) -> Figures {
        let hits = self.hits as f64;
        Figures {
            precision: ratio(hits, self.predicted as f64),
            recall: ratio(hits, self.support as f64),
            f1: ratio(2.0 * hits, (self.predicted + self.support) as f64),
            support: self.support,
        }
    }
}

fn count(outcomes: &[Outcome], labels: usize) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); labels];
    for outcome in outcomes {
        for &label in &outcome.truth {
            counts[label].support += 1;
        }
        for label in &outcome.predicted {
            counts[*label].predicted += 1;
            counts[*label].hits += usize::from(outcome.truth.contains(label));
        }
    }
    counts
}

fn samples_average(outcomes: &[Outcome], support: usize) -> Figures {
    let of_record = |outcome: &Outcome| Counts {
        hits: outcome.truth.intersection(&outcome.predicted).count(),
        predicted: outcome.predicted.len(),
        support: outcome.truth.len(),
    };
    let figures: Vec<Figures> = outcomes.iter().map(|outcome| of_record(outcome).figures()).collect();
    mean(&figures, |_| 1.0, support)
}

/// The mean of each figure, each of `figures` counting by its weight.
fn mean(figures: &[Figures], weight: impl Fn(&Figures) -> f64, support: usize) -> Figures {
    let sum = |value: &dyn Fn(&Figures) -> f64| pairwise_sum(&figures.iter().map(value).collect::<Vec<f64>>());
    let weights = sum(&|one| weight(one));
    let mean_of = |figure: fn(&Figures) -> f64| ratio(sum(&|one| figure(one) * weight(one)), weights);
    Figures {
        precision: mean_of(|one| one.precision),
        recall: mean_of(|one| one.recall),
        f1: mean_of(|one| one.f1),
        support,
    }
}

/// Adds in the order in which NumPy does, so that a mean halfway between two printed numbers falls to
/// the same side: eight running sums up to 128 values, halves above that.
fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() > 128 {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let (eights, rest) = values.as_chunks::<8>();
    let mut s = [0.0; 8];
    for eight in eights {
        s.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value);
    }
    let sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    rest.iter().fold(sum, |sum, value| sum + value)
}

/// A quotient that is 0 where there is nothing to divide by.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::super::Layout;
    use super::*;

    /// One of the sets that `tests/fixtures/metrics/make.py` recorded.
    #[derive(serde::Deserialize)]
    struct Case {
        single_label: bool,
        names: Vec<String>,
        r#true: Vec<Vec<usize>>,
        predicted: Vec<Vec<usize>>,
        figures: Value,
        accuracy: f64,
        micro_f1: f64,
        table: String,
    }

    impl Case {
        fn report(&self) -> Report {
            let set = |labels: &Vec<usize>| labels.iter().copied().collect();
            let outcome = |(t, p)| Outcome { truth: set(t), predicted: set(p) };
            let outcomes: Vec<Outcome> = self.r#true.iter().zip(&self.predicted).map(outcome).collect();
            Report::new(&outcomes, &self.names, self.single_label)
        }
    }

    fn cases() -> Vec<Case> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/metrics/reports.json");
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        serde_json::from_value(recorded["cases"].clone()).unwrap()
    }

    fn assert_near(found: f64, expected: f64, what: &str) {
        assert!((found - expected).abs() < 1e-9, "{what}: found {found}, scikit-learn says {expected}");
    }

    fn assert_same(found: &Figures, expected: &Value, what: &str) {
        assert_near(found.precision, expected["precision"].as_f64().unwrap(), what);
        assert_near(found.recall, expected["recall"].as_f64().unwrap(), what);
        assert_near(found.f1, expected["f1-score"].as_f64().unwrap(), what);
        assert_near(found.support as f64, expected["support"].as_f64().unwrap(), what);
    }

    #[test]
    fn every_figure_is_the_one_scikit_learn_computes() {
        let cases = cases();
        assert!(cases.len() >= 30);
        for case in cases {
            let report = case.report();
            assert_eq!(report.task == Task::SingleLabel, case.single_label);
            assert_near(report.accuracy, case.accuracy, "accuracy");
            assert_near(report.micro_average.f1, case.micro_f1, "micro F1");
            for one in &report.labels {
                assert_same(&one.figures, &case.figures[&one.label], &one.label);
            }
            assert_same(&report.macro_average, &case.figures["macro avg"], "macro");
            assert_same(&report.weighted_average, &case.figures["weighted avg"], "weighted");
            if let Some(samples) = report.samples_average {
                assert_same(&report.micro_average, &case.figures["micro avg"], "micro");
                assert_same(&samples, &case.figures["samples avg"], "samples");
            }
        }
    }

    #[test]
    fn the_table_is_laid_out_as_scikit_learn_lays_it_out() {
        for case in cases() {
            let text = Layout::Text.render(&case.report());
            assert!(text.contains(&case.table), "{text}\nscikit-learn says\n{}", case.table);
        }
    }

    #[test]
    fn no_outcomes_make_every_figure_zero() {
        let report = Report::new(&[], &["a".into()], false);
        assert_eq!((report.records, report.accuracy, report.macro_average.f1), (0, 0.0, 0.0));
        assert_eq!(report.samples_average.unwrap().f1, 0.0);
    }

    #[test]
    fn one_record_with_two_true_labels_makes_the_task_multi_label() {
        let one = Outcome { truth: [0].into(), predicted: [0].into() };
        let two = Outcome { truth: [0, 1].into(), predicted: [0].into() };
        let names = ["a".into(), "b".into()];
        assert_eq!(Report::new(std::slice::from_ref(&one), &names, true).task, Task::SingleLabel);
        assert_eq!(Report::new(&[one, two], &names, true).task, Task::MultiLabel);
    }
}
