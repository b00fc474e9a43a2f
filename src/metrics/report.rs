//! All figures of a set of records.
//!
//! The numbers are those of scikit-learn, its `classification_report` with `labels` set to all the
//! candidate labels and `zero_division=0`: a label that never occurs counts in the macro average,
//! and a quotient without a denominator is 0.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{Interval, Resampling, intervals};
use super::calibration::Calibration;
use super::confusion::Confusion;
use super::counts::{Counts, Figures, Tally, mean};
use super::judged::{Candidate, Judged};
use super::main_figures::{MainFigures, Scores};
use super::ranking::{label_ranking_average_precision, top_k_accuracy};
use super::weights::once;
use super::{Task, ratio};

/// Top-k accuracy is said for these k, where there are more labels.
const TOP: [usize; 3] = [2, 3, 5];

/// The figures of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The area under its precision-recall curve, where its scores are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
}

/// The figures of scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreFigures {
    /// The share of records whose true label is among the k best, for some k; only where one label is true.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub top_k_accuracy: BTreeMap<usize, f64>,
    /// The mean over labels of their average precision.
    pub mean_average_precision: f64,
    /// The mean over records of how many of the labels ranked at or above a true one are true.
    pub label_ranking_average_precision: f64,
    /// In nats; of the true label, or, where any number is true, of every decision.
    pub log_loss: f64,
    /// Squared error, over all labels of a record (halved for two labels) or of every decision.
    pub brier_score: f64,
    /// Whether scores are what they say.
    pub calibration: Calibration,
}

/// How good the predictions were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The task that the records show.
    pub task: Task,
    /// How many records were counted.
    pub records: usize,
    /// How many have no or several true labels, or several that were said, where exactly one was asked for: for their
    /// sake all are judged as having any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_one_label: Option<usize>,
    /// Of how many no label was said; `None` where that is an answer like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abstained: Option<usize>,
    /// One entry for each label, in the order of the names.
    pub labels: Vec<LabelFigures>,
    /// The share of records whose predicted labels are exactly the true ones (multi-label: subset accuracy).
    pub accuracy: f64,
    /// Of all decisions counted together. Its F1 is the accuracy where every record has one label and one answer.
    pub micro_average: Figures,
    /// The mean over labels, each counting the same.
    pub macro_average: Figures,
    /// The mean over labels, each counting by its support.
    pub weighted_average: Figures,
    /// The mean over records; only where the task is multi-label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_average: Option<Figures>,
    /// The share of decisions that are wrong.
    pub hamming_loss: f64,
    /// Agreement beyond chance; multi-label: of all decisions together.
    pub cohen_kappa: f64,
    /// The correlation of truth and prediction; multi-label: of all decisions together.
    pub matthews_correlation: f64,
    /// Of scores, where all are known.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub scores: Option<ScoreFigures>,
    /// The main figures and how sure they are.
    pub intervals: Vec<Interval>,
    /// How they were drawn.
    pub bootstrap: Resampling,
    /// Which labels are taken for which.
    pub confusion: Confusion,
}

impl Report {
    /// Counts `judged`. No records at all make every figure 0.
    pub fn new(judged: &Judged, resampling: Resampling) -> Self {
        let task = judged.task();
        let tally = Tally::new(judged);
        let figures: Vec<Figures> = tally.labels.iter().map(Counts::figures).collect();
        let support = tally.total().support;
        let scores = Scores::new(judged);
        let weights = once(judged.records());
        let precisions = scores.as_ref().map(|scores| {
            let precisions = scores.rankings.iter().map(|ranking| ranking.average_precision(&weights)[0]);
            precisions.collect::<Vec<f64>>()
        });
        let names = judged.names().iter().zip(figures.iter().copied()).enumerate();
        Self {
            task,
            records: tally.records,
            not_one_label: Some(judged.not_one_label()).filter(|&count| count > 0),
            abstained: (task == Task::SingleLabel).then(|| tally.records - tally.total().predicted),
            accuracy: tally.accuracy(),
            micro_average: tally.total().figures(),
            macro_average: mean(&figures, |_| 1.0, support),
            weighted_average: mean(&figures, |one| one.support as f64, support),
            samples_average: (task == Task::MultiLabel).then(|| samples_average(judged, support)),
            hamming_loss: tally.hamming_loss(),
            cohen_kappa: tally.cohen_kappa(task),
            matthews_correlation: tally.matthews_correlation(task),
            labels: names
                .map(|(place, (label, figures))| LabelFigures {
                    label: label.clone(),
                    figures,
                    average_precision: precisions.as_ref().map(|precisions| precisions[place]),
                })
                .collect(),
            scores: scores
                .as_ref()
                .zip(precisions.as_deref())
                .map(|(scores, precisions)| ScoreFigures::new(judged, scores, precisions)),
            intervals: intervals(&MainFigures::with(judged, scores), resampling),
            bootstrap: resampling,
            confusion: Confusion::new(judged),
        }
    }
}

impl ScoreFigures {
    fn new(judged: &Judged, scores: &Scores, precisions: &[f64]) -> Self {
        let weights = once(judged.records());
        let [(log_loss, brier_score)] = scores.losses.means(&weights);
        let [calibration] = scores.confidences.calibration(&weights);
        let top = TOP.into_iter().filter(|&k| judged.task() == Task::SingleLabel && k < judged.names().len());
        Self {
            top_k_accuracy: top.map(|k| (k, top_k_accuracy(judged, k))).collect(),
            mean_average_precision: ratio(precisions.iter().sum(), precisions.len() as f64),
            label_ranking_average_precision: label_ranking_average_precision(judged),
            log_loss,
            brier_score,
            calibration,
        }
    }
}

fn samples_average(judged: &Judged, support: usize) -> Figures {
    let of_record = |record: &[Candidate]| {
        let mut counts = Counts::default();
        record.iter().for_each(|one| counts.add(one.truth, one.predicted, 1));
        counts.figures()
    };
    let figures: Vec<Figures> = judged.iter().map(of_record).collect();
    mean(&figures, |_| 1.0, support)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::super::Layout;
    use super::super::judged::fixtures;
    use super::super::main_figures::Main;
    use super::*;

    const NO_ROUNDS: Resampling = Resampling { rounds: 0, seed: 0 };

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
            let judged = fixtures::judged(&self.names, self.single_label, &self.r#true, &self.predicted);
            Report::new(&judged, NO_ROUNDS)
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
            let text = Layout::Text.render(&case.report().into());
            assert!(text.contains(&case.table), "{text}\nscikit-learn says\n{}", case.table);
        }
    }

    /// One of the sets that `tests/fixtures/metrics/make_scores.py` recorded.
    #[derive(serde::Deserialize)]
    struct ScoreCase {
        single_label: bool,
        r#true: Vec<Vec<usize>>,
        scores: Vec<Vec<f32>>,
        average_precision: Vec<f64>,
        mean_average_precision: f64,
        lrap: f64,
        #[serde(default)]
        top_k: BTreeMap<usize, f64>,
        log_loss: f64,
        brier: f64,
        ece: f64,
        bins: Vec<(f64, f64, u64)>,
        kappa: f64,
        mcc: f64,
        accuracy: f64,
        hamming_loss: f64,
    }

    impl ScoreCase {
        fn judged(&self) -> Judged {
            let names: Vec<String> = (0..self.scores[0].len()).map(|label| label.to_string()).collect();
            let mut judged = Judged::new(names, self.single_label);
            for (truth, scores) in self.r#true.iter().zip(&self.scores) {
                let candidate = |(label, &score): (usize, &f32)| Candidate {
                    label: label as u32,
                    score,
                    truth: truth.contains(&label),
                    predicted: !self.single_label && score >= 0.5,
                };
                let mut candidates: Vec<Candidate> = scores.iter().enumerate().map(candidate).collect();
                let best = super::super::ranking::best(&candidates).map(|one| one.label as usize);
                candidates[best.unwrap()].predicted |= self.single_label;
                judged.push(candidates);
            }
            judged
        }
    }

    fn score_cases() -> Vec<ScoreCase> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/metrics/scores.json");
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        serde_json::from_value(recorded["cases"].clone()).unwrap()
    }

    #[test]
    fn every_figure_of_scores_is_the_one_scikit_learn_computes() {
        let cases = score_cases();
        assert!(cases.len() >= 30);
        for (number, case) in cases.iter().enumerate() {
            let report = Report::new(&case.judged(), NO_ROUNDS);
            let scores = report.scores.unwrap();
            let near = |found, expected, what: &str| assert_near(found, expected, &format!("case {number}: {what}"));
            for (label, expected) in report.labels.iter().zip(&case.average_precision) {
                near(label.average_precision.unwrap(), *expected, "average precision");
            }
            near(scores.mean_average_precision, case.mean_average_precision, "mean average precision");
            near(scores.label_ranking_average_precision, case.lrap, "label ranking average precision");
            near(scores.log_loss, case.log_loss, "log loss");
            near(scores.brier_score, case.brier, "Brier score");
            near(scores.calibration.expected_calibration_error, case.ece, "expected calibration error");
            near(report.cohen_kappa, case.kappa, "kappa");
            near(report.matthews_correlation, case.mcc, "Matthews correlation");
            near(report.accuracy, case.accuracy, "accuracy");
            near(report.hamming_loss, case.hamming_loss, "Hamming loss");
            assert_eq!(scores.calibration.points.len(), case.bins.len(), "case {number}");
            for (point, (score, share, count)) in scores.calibration.points.iter().zip(&case.bins) {
                near(point.score, *score, "score of a bin");
                near(point.share_true, *share, "share of a bin");
                assert_eq!(point.count, *count, "case {number}");
            }
            if case.single_label {
                let found: Vec<usize> = scores.top_k_accuracy.keys().copied().collect();
                assert_eq!(found, case.top_k.keys().copied().collect::<Vec<usize>>());
                case.top_k.iter().for_each(|(k, expected)| near(scores.top_k_accuracy[k], *expected, "top k"));
            }
        }
    }

    #[test]
    fn a_record_that_counts_twice_counts_as_two() {
        let mut compared = 0;
        for case in score_cases() {
            let judged = case.judged();
            let weights: Vec<[u8; 2]> = (0..judged.records()).map(|record| [1, ((record + 2) % 3) as u8]).collect();
            let copies = weights.iter().enumerate().flat_map(|(record, count)| vec![record; count[1].into()]);
            let copied = judged.selected(copies);
            if copied.records() == 0 || copied.task() != judged.task() {
                continue;
            }
            let (main, copied) = (MainFigures::new(&judged), MainFigures::new(&copied));
            let [plain, weighted] = main.values(&weights);
            assert_eq!(plain, main.plain_values());
            // A label that was not drawn is none of the copies' labels; here it would be one without records.
            if main.supported() == copied.supported() {
                let pairs = weighted.iter().zip(copied.plain_values());
                pairs.for_each(|(found, expected)| assert_near(*found, expected, "weighted"));
                compared += 1;
            }
        }
        assert!(compared > 10, "{compared}");
    }

    #[test]
    fn the_main_figures_are_those_of_the_report() {
        for case in score_cases() {
            let report = Report::new(&case.judged(), NO_ROUNDS);
            let scores = report.scores.as_ref().unwrap();
            for interval in &report.intervals {
                let expected = match interval.figure {
                    Main::Accuracy => report.accuracy,
                    Main::MicroF1 => report.micro_average.f1,
                    Main::MacroF1 => report.macro_average.f1,
                    Main::WeightedF1 => report.weighted_average.f1,
                    Main::SamplesF1 => report.samples_average.unwrap().f1,
                    Main::CohenKappa => report.cohen_kappa,
                    Main::MatthewsCorrelation => report.matthews_correlation,
                    Main::MeanAveragePrecision => scores.mean_average_precision,
                    Main::LogLoss => scores.log_loss,
                    Main::BrierScore => scores.brier_score,
                    Main::ExpectedCalibrationError => scores.calibration.expected_calibration_error,
                };
                assert_near(interval.value, expected, interval.figure.name(report.task));
            }
        }
    }

    #[test]
    fn intervals_are_the_same_on_any_number_of_threads() {
        let judged = score_cases().last().map(ScoreCase::judged).unwrap();
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Report::new(&judged, Resampling { rounds: 50, seed: 7 }).intervals)
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn an_interval_of_a_share_is_near_the_textbook_one() {
        // 400 records, 0.7 right: 1.96 standard errors are 0.045.
        let truth = vec![vec![0]; 400];
        let said: Vec<Vec<usize>> = (0..400).map(|record| vec![usize::from(record % 10 >= 7)]).collect();
        let judged = fixtures::judged(&["a".into(), "b".into()], true, &truth, &said);
        let report = Report::new(&judged, Resampling { rounds: 2000, seed: 1 });
        let accuracy = report.intervals[0];
        assert_near(accuracy.value, 0.7, "accuracy");
        let bounds = accuracy.bounds.unwrap();
        assert!((bounds.low - 0.655).abs() < 0.01 && (bounds.high - 0.745).abs() < 0.01, "{accuracy:?}");
    }

    #[test]
    fn no_records_make_every_figure_zero() {
        let report = Report::new(&Judged::new(vec!["a".into()], false), Resampling { rounds: 3, seed: 0 });
        assert_eq!((report.records, report.accuracy, report.macro_average.f1), (0, 0.0, 0.0));
        assert_eq!(report.samples_average.unwrap().f1, 0.0);
        assert!(report.intervals.iter().all(|interval| interval.value == 0.0), "{:?}", report.intervals);
    }

    #[test]
    fn one_record_with_two_true_labels_makes_the_task_multi_label() {
        let names = ["a".into(), "b".into()];
        let task = |truth: &[Vec<usize>], said: &[Vec<usize>]| fixtures::judged(&names, true, truth, said).task();
        assert_eq!(task(&[vec![0]], &[vec![1]]), Task::SingleLabel);
        assert_eq!(task(&[vec![0]], &[vec![]]), Task::SingleLabel);
        assert_eq!(task(&[vec![0], vec![0, 1]], &[vec![0], vec![0]]), Task::MultiLabel);
    }

    #[test]
    fn withheld_answers_count_as_wrong_and_are_counted() {
        let judged = fixtures::judged(&["a".into(), "b".into()], true, &[vec![0], vec![1]], &[vec![0], vec![]]);
        let report = Report::new(&judged, NO_ROUNDS);
        assert_eq!((report.accuracy, report.abstained), (0.5, Some(1)));
    }
}
