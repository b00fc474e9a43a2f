//! Two sets of predictions of the same records, side by side.

use serde::Serialize;

use super::Task;
use super::bootstrap::{Bounds, Resampling, percentiles, sorted};
use super::judged::{Candidate, Judged};
use super::main_figures::{Main, MainFigures};

/// In how many records each of two was exactly right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Agreement {
    /// Both were.
    pub both: u64,
    /// Only the first.
    pub only_this: u64,
    /// Only the second.
    pub only_other: u64,
    /// Neither was.
    pub neither: u64,
}

/// A figure of both, and how sure the difference is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Which figure.
    pub figure: Main,
    /// Of the first.
    pub this: f64,
    /// Of the second.
    pub other: f64,
    /// The first less the second.
    pub difference: f64,
    /// Where the difference lies in the middle 95 % of the rounds, the same records drawn for both; none without
    /// rounds, and none where there is no difference in any of them.
    #[serde(flatten)]
    pub bounds: Option<Bounds>,
}

impl Difference {
    /// Whether the interval is all on one side of 0.
    pub fn is_clear(&self) -> bool {
        self.bounds.is_some_and(|bounds| bounds.low > 0.0 || bounds.high < 0.0)
    }

    /// Whether the first is the better one, where the difference is clear.
    pub fn better(&self) -> Option<bool> {
        self.is_clear().then_some((self.difference > 0.0) != self.figure.is_loss())
    }
}

/// Two sets of predictions side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// How many records there are.
    pub records: usize,
    /// By which both are judged: where only one of them has one label a record, any number of labels.
    pub task: Task,
    /// Over how many labels both are judged: those of either.
    pub labels: usize,
    /// In how many records each was exactly right.
    pub exactly_right: Agreement,
    /// How likely such a difference in them, or a larger one, is by chance: McNemar's exact test.
    pub mcnemar_p: f64,
    /// The figures that both have.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Compares two judgements of the same records in the same order, over the same labels. Figures are of the same
    /// kind on either side: of one task, and, where not both have scores of the same candidates, over the same
    /// decisions, without figures of scores.
    ///
    /// # Panics
    /// They are not.
    pub fn new(this: &Judged, other: &Judged, resampling: Resampling) -> Self {
        assert_eq!((this.records(), this.names()), (other.records(), other.names()), "other records: this is a bug");
        if this.task() != other.task() {
            return Self::new(&this.as_multi_label(), &other.as_multi_label(), resampling);
        }
        let are_scored = this.is_scored() && other.is_scored();
        if this.is_scored() != other.is_scored() || are_scored && !have_same_candidates(this, other) {
            return Self::new(&this.clone().without_scores(), &other.clone().without_scores(), resampling);
        }
        let exactly_right = agreement(this, other);
        Self {
            records: this.records(),
            task: this.task(),
            labels: this.names().len(),
            exactly_right,
            mcnemar_p: mcnemar(exactly_right.only_this, exactly_right.only_other),
            differences: differences(&MainFigures::new(this), &MainFigures::new(other), resampling),
        }
    }
}

/// Whether both were asked the same labels of each record, in whatever order.
fn have_same_candidates(this: &Judged, other: &Judged) -> bool {
    let labels = |record: &[Candidate]| {
        let mut labels: Vec<u32> = record.iter().map(|one| one.label).collect();
        labels.sort_unstable();
        labels
    };
    this.iter().zip(other.iter()).all(|(this, other)| labels(this) == labels(other))
}

fn agreement(this: &Judged, other: &Judged) -> Agreement {
    let mut agreement = Agreement::default();
    for (this, other) in this.iter().zip(other.iter()) {
        let is_right = |record: &[Candidate]| record.iter().all(|one| one.truth == one.predicted);
        *match (is_right(this), is_right(other)) {
            (true, true) => &mut agreement.both,
            (true, false) => &mut agreement.only_this,
            (false, true) => &mut agreement.only_other,
            (false, false) => &mut agreement.neither,
        } += 1;
    }
    agreement
}

/// The exact two-sided p-value: how likely a fair coin falls as unevenly as the records that only one got right.
fn mcnemar(only_this: u64, only_other: u64) -> f64 {
    let (fewer, all) = (only_this.min(only_other), only_this + only_other);
    // Terms as logarithms: the first may be less than any number of 64 bits.
    let mut term = -(all as f64) * std::f64::consts::LN_2;
    let mut terms = vec![term];
    for drawn in 0..fewer {
        term += ((all - drawn) as f64 / (drawn + 1) as f64).ln();
        terms.push(term);
    }
    // They rise up to the middle: the last is the largest.
    let sum: f64 = terms.iter().map(|one| (one - term).exp()).sum();
    (2.0 * (term + sum.ln()).exp()).min(1.0)
}

fn differences(this: &MainFigures, other: &MainFigures, resampling: Resampling) -> Vec<Difference> {
    let (mine, theirs) = (this.figures(), other.figures());
    let place = |figures: &[Main], figure| figures.iter().position(|&one| one == figure);
    let common: Vec<(Main, usize, usize)> =
        mine.iter().filter_map(|&figure| Some((figure, place(&mine, figure)?, place(&theirs, figure)?))).collect();
    let rounds = resampling.map(this.records(), |weights| {
        let (mut mine, mut theirs) = (this.values(weights).into_iter(), other.values(weights).into_iter());
        std::array::from_fn(|_| (mine.next().unwrap_or_default(), theirs.next().unwrap_or_default()))
    });
    let (mine, theirs) = (this.plain_values(), other.plain_values());
    common
        .into_iter()
        .map(|(figure, here, there)| {
            let (this, other) = (mine[here], theirs[there]);
            let drawn = sorted(rounds.iter().map(|(mine, theirs)| mine[here] - theirs[there]));
            let difference = this - other;
            let bounds = percentiles(&drawn).filter(|bounds| difference != 0.0 || bounds.say_something());
            Difference { figure, this, other, difference, bounds }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::judged::fixtures;
    use super::*;

    #[test]
    fn the_p_value_is_that_of_the_exact_binomial_test() {
        // scipy.stats.binomtest(min, min + max).pvalue
        for (only_this, only_other, expected) in [
            (0, 0, 1.0),
            (3, 3, 1.0),
            (1, 9, 0.021484375),
            (0, 5, 0.0625),
            (30, 60, 0.002_060_265_680_963_074_5),
            (4000, 4200, 0.027_972_423_571_324_654),
        ] {
            let found = mcnemar(only_this, only_other);
            assert!((found - expected).abs() < 1e-9, "{only_this} {only_other}: {found}");
        }
    }

    #[test]
    fn the_same_predictions_do_not_differ() {
        let names = ["a".into(), "b".into()];
        let truth: Vec<Vec<usize>> = (0..40).map(|i| vec![i % 2]).collect();
        let said: Vec<Vec<usize>> = (0..40).map(|i| vec![(i / 3) % 2]).collect();
        let judged = fixtures::judged(&names, true, &truth, &said);
        let comparison = Comparison::new(&judged, &judged, Resampling { rounds: 20, seed: 0 });
        assert_eq!((comparison.mcnemar_p, comparison.exactly_right.only_this), (1.0, 0));
        let is_nothing = |one: &Difference| one.difference == 0.0 && one.bounds.is_none() && !one.is_clear();
        assert!(comparison.differences.iter().all(is_nothing), "{:?}", comparison.differences);
    }

    #[test]
    fn figures_are_of_the_same_kind_where_only_one_has_several_labels_or_scores() {
        let names = ["a".into(), "b".into(), "c".into()];
        // Of labels that are equally frequent both kinds of kappa are the same.
        let truth: Vec<Vec<usize>> = (0..30_usize).map(|i| vec![(i % 5).min(2)]).collect();
        let mut said = truth.clone();
        said[7] = vec![0];
        let one_label = fixtures::judged(&names, true, &truth, &said);
        said[8].push(0);
        let several = fixtures::judged(&names, true, &truth, &said);
        let resampling = Resampling { rounds: 0, seed: 0 };
        let kappa = |comparison: &Comparison| {
            let found = comparison.differences.iter().find(|one| one.figure == Main::CohenKappa);
            found.map(|one| (one.this, one.other))
        };
        let mixed = Comparison::new(&one_label, &several, resampling);
        let pooled = one_label.as_multi_label();
        assert_eq!((mixed.task, mixed.labels), (Task::MultiLabel, 3));
        assert_eq!(kappa(&mixed), kappa(&Comparison::new(&pooled, &several, resampling)));
        assert!(mixed.differences.iter().any(|one| one.figure == Main::SamplesF1));

        // Of its own candidates alone, one with scores has fewer decisions.
        let mut scored = Judged::new(names.to_vec(), false);
        for record in one_label.iter() {
            scored.push(record.iter().map(|one| Candidate { score: 0.9, ..*one }));
        }
        let (this, other) = kappa(&Comparison::new(&scored, &pooled, resampling)).unwrap_or_default();
        assert!(scored.is_scored() && this == other && this > 0.0, "{this} {other}");
    }

    #[test]
    fn figures_of_scores_are_left_out_where_other_labels_were_asked() {
        let scored = |labels: &[u32]| {
            let mut judged = Judged::new(["a", "b", "c"].map(String::from).to_vec(), false);
            for record in 0..6_u32 {
                let candidate = |&label: &u32| {
                    let is_true = label == record % 2;
                    Candidate { label, score: if is_true { 0.9 } else { 0.2 }, truth: is_true, predicted: is_true }
                };
                judged.push(labels.iter().map(candidate));
            }
            judged
        };
        let figures = |other: &[u32]| {
            let comparison = Comparison::new(&scored(&[0, 1]), &scored(other), Resampling { rounds: 0, seed: 0 });
            comparison.differences.iter().map(|one| (one.figure, one.difference)).collect::<Vec<_>>()
        };
        let has_losses = |other: &[u32]| figures(other).iter().any(|(figure, _)| figure.is_loss());
        assert!(has_losses(&[0, 1]) && has_losses(&[1, 0]) && !has_losses(&[0, 1, 2]));
        // The same decisions, the label that was not asked being one that is not said.
        assert!(figures(&[0, 1, 2]).iter().all(|(_, difference)| *difference == 0.0), "{:?}", figures(&[0, 1, 2]));
    }

    #[test]
    fn what_is_better_on_every_record_is_clearly_so() {
        let names = ["a".into(), "b".into()];
        let truth: Vec<Vec<usize>> = (0..40).map(|i| vec![i % 2]).collect();
        let right = fixtures::judged(&names, true, &truth, &truth);
        let half: Vec<Vec<usize>> = (0..40).map(|i| vec![if i % 4 < 2 { i % 2 } else { 1 - i % 2 }]).collect();
        let half = fixtures::judged(&names, true, &truth, &half);
        let comparison = Comparison::new(&right, &half, Resampling { rounds: 200, seed: 0 });
        let accuracy = comparison.differences[0];
        assert_eq!((accuracy.difference, accuracy.is_clear()), (0.5, true));
        assert_eq!(comparison.exactly_right, Agreement { both: 20, only_this: 20, only_other: 0, neither: 0 });
        assert!(comparison.mcnemar_p < 1e-5);
    }
}
