//! What is counted of labels, and the figures made of counts alone.

use serde::Serialize;

use super::judged::Judged;
use super::{Task, ratio};

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

/// What is counted of a label, or of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it is true and was predicted.
    pub hits: usize,
    /// How often it was predicted.
    pub predicted: usize,
    /// How often it is true.
    pub support: usize,
}

impl Counts {
    /// Counts one decision, `weight` times.
    pub fn add(&mut self, truth: bool, predicted: bool, weight: usize) {
        self.hits += if truth && predicted { weight } else { 0 };
        self.predicted += if predicted { weight } else { 0 };
        self.support += if truth { weight } else { 0 };
    }

    /// Both together.
    pub fn plus(self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            predicted: self.predicted + other.predicted,
            support: self.support + other.support,
        }
    }

    /// Precision, recall and F1.
    pub fn figures(&self) -> Figures {
        let hits = self.hits as f64;
        Figures {
            precision: ratio(hits, self.predicted as f64),
            recall: ratio(hits, self.support as f64),
            f1: ratio(2.0 * hits, (self.predicted + self.support) as f64),
            support: self.support,
        }
    }
}

/// What is counted of all records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// How many records.
    pub records: usize,
    /// Of how many exactly the true labels were predicted.
    pub exact: usize,
    /// How many decisions there were.
    pub decisions: usize,
    /// Each label.
    pub labels: Vec<Counts>,
}

impl Tally {
    /// Counts every record once.
    pub fn new(judged: &Judged) -> Self {
        let mut tally = Self {
            records: judged.records(),
            decisions: judged.decisions(),
            labels: vec![Counts::default(); judged.names().len()],
            ..Self::default()
        };
        for record in judged.iter() {
            tally.exact += usize::from(record.iter().all(|one| one.truth == one.predicted));
            for one in record {
                tally.labels[one.label as usize].add(one.truth, one.predicted, 1);
            }
        }
        tally
    }

    /// All labels together.
    pub fn total(&self) -> Counts {
        self.labels.iter().fold(Counts::default(), Counts::plus)
    }

    /// The share of records whose predicted labels are exactly the true ones.
    pub fn accuracy(&self) -> f64 {
        ratio(self.exact as f64, self.records as f64)
    }

    /// The share of decisions that are wrong.
    pub fn hamming_loss(&self) -> f64 {
        let total = self.total();
        ratio((total.predicted + total.support - 2 * total.hits) as f64, self.decisions as f64)
    }

    /// Cohen's kappa: agreement beyond chance, of labels where there is one a record, else of all yes-or-no
    /// decisions together.
    pub fn cohen_kappa(&self, task: Task) -> f64 {
        let sums = ClassSums::new(self, task);
        let expected = ratio(sums.products, sums.total * sums.total);
        // Where everything is of one kind: as scikit-learn with replace_undefined_by=0.
        ratio(ratio(sums.hits, sums.total) - expected, 1.0 - expected)
    }

    /// Matthews' correlation coefficient, of labels or of decisions as for Cohen's kappa; 0 where it is undefined.
    pub fn matthews_correlation(&self, task: Task) -> f64 {
        let ClassSums { total, hits, products, truth_squares, predicted_squares } = ClassSums::new(self, task);
        let (truth, predicted) = (total * total - truth_squares, total * total - predicted_squares);
        ratio(hits * total - products, (truth * predicted).sqrt())
    }
}

/// The sums over classes that kappa and Matthews' coefficient are made of.
struct ClassSums {
    total: f64,
    hits: f64,
    /// Of how often each class is true times how often it was predicted.
    products: f64,
    truth_squares: f64,
    predicted_squares: f64,
}

impl ClassSums {
    fn new(tally: &Tally, task: Task) -> Self {
        let total = tally.total();
        match task {
            Task::SingleLabel => {
                // No answer is an answer of its own, and never right.
                let none = Counts { predicted: tally.records - total.predicted, ..Counts::default() };
                Self::of_classes(tally.records, tally.labels.iter().copied().chain([none]))
            }
            Task::MultiLabel => {
                let wrong = total.predicted + total.support - 2 * total.hits;
                let no = Counts {
                    hits: tally.decisions - wrong - total.hits,
                    predicted: tally.decisions - total.predicted,
                    support: tally.decisions - total.support,
                };
                Self::of_classes(tally.decisions, [total, no].into_iter())
            }
        }
    }

    fn of_classes(total: usize, classes: impl Iterator<Item = Counts>) -> Self {
        let mut sums =
            Self { total: total as f64, hits: 0.0, products: 0.0, truth_squares: 0.0, predicted_squares: 0.0 };
        for class in classes {
            let (truth, predicted) = (class.support as f64, class.predicted as f64);
            sums.hits += class.hits as f64;
            sums.products += truth * predicted;
            sums.truth_squares += truth * truth;
            sums.predicted_squares += predicted * predicted;
        }
        sums
    }
}

/// The mean of each figure, each of `figures` counting by its weight.
pub fn mean(figures: &[Figures], weight: impl Fn(&Figures) -> f64, support: usize) -> Figures {
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
