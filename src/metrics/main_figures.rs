//! The main figures of records that count several times or not at all: what resampling asks a thousand times.

use std::collections::HashMap;

use serde::Serialize;

use super::Task;
use super::calibration::Confidences;
use super::counts::{Counts, Figures, Tally, mean};
use super::judged::{Candidate, Judged};
use super::losses::Losses;
use super::ranking::{Ranking, rankings};
use super::ratio;
use super::weights::{Weights, once};

/// A figure that is said with an interval, and that two sets of predictions are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Main {
    /// Accuracy; with any number of labels a record, subset accuracy.
    Accuracy,
    /// F1 of all decisions counted together.
    MicroF1,
    /// F1, the mean over labels.
    MacroF1,
    /// F1, the mean over labels by support.
    WeightedF1,
    /// F1, the mean over records.
    SamplesF1,
    /// Cohen's kappa.
    CohenKappa,
    /// Matthews' correlation coefficient.
    MatthewsCorrelation,
    /// Average precision, the mean over labels.
    MeanAveragePrecision,
    /// Log loss.
    LogLoss,
    /// Brier score.
    BrierScore,
    /// Expected calibration error.
    ExpectedCalibrationError,
}

impl Main {
    /// The name for people.
    pub fn name(self, task: Task) -> &'static str {
        match self {
            Self::Accuracy if task == Task::MultiLabel => "subset accuracy",
            Self::Accuracy => "accuracy",
            Self::MicroF1 => "micro F1",
            Self::MacroF1 => "macro F1",
            Self::WeightedF1 => "weighted F1",
            Self::SamplesF1 => "samples F1",
            Self::CohenKappa => "Cohen's kappa",
            Self::MatthewsCorrelation => "Matthews correlation",
            Self::MeanAveragePrecision => "mean average precision",
            Self::LogLoss => "log loss",
            Self::BrierScore => "Brier score",
            Self::ExpectedCalibrationError => "expected calibration error",
        }
    }

    /// Whether less of it is better.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::LogLoss | Self::BrierScore | Self::ExpectedCalibrationError)
    }
}

/// What the main figures are made of, laid out for reading it many times.
#[derive(Debug)]
pub struct MainFigures {
    task: Task,
    labels: usize,
    decisions_per_record: Vec<u32>,
    patterns: Patterns,
    /// For each label whether it is true of any record.
    supported: Vec<bool>,
    scores: Option<Scores>,
}

/// What is made of scores, where every candidate has one.
#[derive(Debug)]
pub(super) struct Scores {
    pub rankings: Vec<Ranking>,
    pub losses: Losses,
    pub confidences: Confidences,
}

impl Scores {
    pub fn new(judged: &Judged) -> Option<Self> {
        judged.is_scored().then(|| Self {
            rankings: rankings(judged),
            losses: Losses::new(judged),
            confidences: Confidences::new(judged),
        })
    }
}

impl MainFigures {
    /// Of these records.
    pub fn new(judged: &Judged) -> Self {
        Self::with(judged, Scores::new(judged))
    }

    pub(super) fn with(judged: &Judged, scores: Option<Scores>) -> Self {
        let all = judged.names().len() as u32;
        let own = |record: &[Candidate]| if judged.is_scored() { record.len() as u32 } else { all };
        let patterns = Patterns::new(judged);
        let mut supported = vec![false; all as usize];
        patterns.all.iter().flatten().filter(|one| one.truth).for_each(|one| supported[one.label as usize] = true);
        Self {
            task: judged.task(),
            labels: judged.names().len(),
            decisions_per_record: judged.iter().map(own).collect(),
            patterns,
            supported,
            scores,
        }
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.decisions_per_record.len()
    }

    /// For each label whether it is true of any record.
    #[cfg(test)]
    pub(super) fn supported(&self) -> &[bool] {
        &self.supported
    }

    /// The figures that can be made of them.
    pub fn figures(&self) -> Vec<Main> {
        let mut figures = vec![Main::Accuracy, Main::MicroF1, Main::MacroF1, Main::WeightedF1];
        if self.task == Task::MultiLabel {
            figures.push(Main::SamplesF1);
        }
        figures.extend([Main::CohenKappa, Main::MatthewsCorrelation]);
        if self.scores.is_some() {
            figures.extend([
                Main::MeanAveragePrecision,
                Main::LogLoss,
                Main::BrierScore,
                Main::ExpectedCalibrationError,
            ]);
        }
        figures
    }

    /// Each of [`MainFigures::figures`], once for each lane of the weights.
    pub fn values<const L: usize>(&self, weights: &Weights<L>) -> [Vec<f64>; L] {
        let counts = self.patterns.weighted(weights);
        let tallies: [Tally; L] = std::array::from_fn(|lane| {
            let decisions = self.decisions_per_record.iter().zip(weights);
            let decisions = decisions.map(|(&own, weight)| own as usize * usize::from(weight[lane])).sum();
            self.tally(counts.iter().map(|count| count[lane]), decisions)
        });
        let mut values: [Vec<f64>; L] =
            std::array::from_fn(|lane| self.counted(&tallies[lane], counts.iter().map(|count| count[lane])));
        if let Some(scores) = &self.scores {
            let mut precisions = [0.0; L];
            for ranking in &scores.rankings {
                let own = ranking.average_precision(weights);
                precisions.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
            }
            let losses = scores.losses.means(weights);
            let calibrations = scores.confidences.calibration(weights);
            for (lane, values) in values.iter_mut().enumerate() {
                let (log_loss, brier) = losses[lane];
                values.extend([
                    ratio(precisions[lane], self.drawn(&tallies[lane]).count() as f64),
                    log_loss,
                    brier,
                    calibrations[lane].expected_calibration_error,
                ]);
            }
        }
        values
    }

    /// The values of the records as they are.
    pub fn plain_values(&self) -> Vec<f64> {
        let [values] = self.values(&once(self.records()));
        values
    }

    /// The labels that a mean goes over: where records are drawn anew, those that are true of some record, and of
    /// none that was drawn, say nothing.
    fn drawn<'a>(&'a self, tally: &'a Tally) -> impl Iterator<Item = Figures> + 'a {
        let figures = tally.labels.iter().map(Counts::figures).zip(&self.supported);
        figures.filter(|(figures, supported)| figures.support > 0 || !**supported).map(|(figures, _)| figures)
    }

    /// The figures made of counts, and of how often each pattern occurs.
    fn counted(&self, tally: &Tally, counts: impl Iterator<Item = u32>) -> Vec<f64> {
        let figures: Vec<Figures> = self.drawn(tally).collect();
        let mut values = vec![
            tally.accuracy(),
            tally.total().figures().f1,
            mean(&figures, |_| 1.0, 0).f1,
            mean(&figures, |one| one.support as f64, 0).f1,
        ];
        if self.task == Task::MultiLabel {
            values.push(self.patterns.samples_f1(&counts.collect::<Vec<u32>>(), tally.records));
        }
        values.extend([tally.cohen_kappa(self.task), tally.matthews_correlation(self.task)]);
        values
    }

    /// The counts of so many decisions, given how often each pattern occurs.
    fn tally(&self, counts: impl Iterator<Item = u32>, decisions: usize) -> Tally {
        let mut tally = Tally { labels: vec![Counts::default(); self.labels], decisions, ..Tally::default() };
        for (pattern, count) in self.patterns.all.iter().zip(counts) {
            let count = count as usize;
            tally.records += count;
            tally.exact += if pattern.iter().all(|one| one.truth == one.predicted) { count } else { 0 };
            for one in pattern {
                tally.labels[one.label as usize].add(one.truth, one.predicted, count);
            }
        }
        tally
    }
}

/// Records of which the same is true and the same was said are counted together: of ten labels, one true
/// and one said, there are no more than a hundred kinds.
#[derive(Debug)]
struct Patterns {
    of_record: Vec<u32>,
    all: Vec<Vec<Decided>>,
}

/// A label that is true, or was said, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Decided {
    label: u32,
    truth: bool,
    predicted: bool,
}

impl Patterns {
    fn new(judged: &Judged) -> Self {
        let mut places: HashMap<Vec<Decided>, u32> = HashMap::new();
        let mut all = Vec::new();
        let mut pattern = Vec::new();
        let mut of_record = Vec::with_capacity(judged.records());
        for record in judged.iter() {
            pattern.clear();
            let decided = |one: &Candidate| Decided { label: one.label, truth: one.truth, predicted: one.predicted };
            pattern.extend(record.iter().filter(|one| one.truth || one.predicted).map(decided));
            // Candidates stand by score, which here does not matter.
            pattern.sort_unstable_by_key(|one| one.label);
            let place = places.get(&pattern).copied().unwrap_or_else(|| {
                all.push(pattern.clone());
                let place = all.len() as u32 - 1;
                places.insert(pattern.clone(), place);
                place
            });
            of_record.push(place);
        }
        Self { of_record, all }
    }

    fn weighted<const L: usize>(&self, weights: &Weights<L>) -> Vec<[u32; L]> {
        let mut counts = vec![[0; L]; self.all.len()];
        for (&pattern, weight) in self.of_record.iter().zip(weights) {
            counts[pattern as usize].iter_mut().zip(weight).for_each(|(count, &weight)| *count += u32::from(weight));
        }
        counts
    }

    fn samples_f1(&self, counts: &[u32], records: usize) -> f64 {
        let f1 = |pattern: &Vec<Decided>| {
            let mut counts = Counts::default();
            pattern.iter().for_each(|one| counts.add(one.truth, one.predicted, 1));
            counts.figures().f1
        };
        let sum: f64 = self.all.iter().zip(counts).map(|(pattern, &count)| f1(pattern) * f64::from(count)).sum();
        ratio(sum, records as f64)
    }
}
