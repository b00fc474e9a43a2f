//! What can be asked of `gliclass eval`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::args::{DecisionArgs, FieldArgs, LabelArgs, ModelArgs, ShapeArgs, Typed, check_free, from_zero, share};
use crate::cli::format::check_jsonl;
use crate::files::is_standard_output;
use crate::metrics::goal::Goal;
use crate::metrics::{Layout, Report};
use crate::records::names::PREDICTIONS;

/// Judge labels on labelled records, and fit thresholds
///
/// Reads JSON lines, a JSON array, Parquet, CSV or TSV with a header (labels in one column, or a column of 0 and 1
/// for each, which Parquet needs --labels for), or fastText's __label__ lines. A JSONL record is
/// {"text": "Never again.", "true_labels": ["complaint"]}; a CSV has the columns text,label. True labels may also be
/// {label: weight}: true from 0.5, and at -100 not judged.
///
/// Prints precision, recall and F1 for every label and on average, as scikit-learn's classification_report
/// does; the main figures with 95 % intervals; how well the scores are calibrated; and which labels are confused.
///
/// The candidate labels are those of --labels, else each record's all_labels or labels, else all labels of
/// the data; --wordings asks a label of the data in other words. A record's own prompt, examples and rac_examples take
/// precedence over the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub(super) typed: Typed,
    /// The labelled records; `-` is standard input
    #[arg(value_name = "DATA", required_unless_present = "predictions_from", conflicts_with = "predictions_from")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fields: FieldArgs,
    #[command(flatten)]
    pub(super) ready: ReadyArgs,
    #[command(flatten)]
    pub(super) labels: LabelArgs,
    #[command(flatten)]
    pub(super) decision: DecisionArgs,
    #[command(flatten)]
    pub(super) shape: ShapeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) fit: FitArgs,
    #[command(flatten)]
    pub(super) minimums: Minimums,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass eval labelled.jsonl
  gliclass eval topics.csv --single-label --labels-file names.txt --errors 3
  gliclass eval labelled.jsonl --fit thresholds.json --fit-for precision=0.9
  gliclass eval other.jsonl --thresholds thresholds.json --report json --min-macro-f1 0.8
  gliclass eval labelled.jsonl --all-scores --predictions small.jsonl
  gliclass eval --predictions-from large.jsonl --compare small.jsonl

Exit status: 0 done; 1 a figure is below its minimum, or records to judge hold an error; 2 wrong
usage, or data or a model that cannot be used; 130 interrupted.";

/// What has no effect where no model is asked.
const OPTIONS_OF_A_MODEL: [&str; 12] = [
    "model",
    "revision",
    "device",
    "max-length",
    "dtype",
    "on-overflow",
    "chunk-overlap",
    "labels-chunk-size",
    "prompt",
    "examples",
    "rac-examples",
    "rac-retrieve",
];

/// Predictions that are there already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Ready predictions")]
pub(super) struct ReadyArgs {
    /// Judge outputs of `batch` or of --predictions, without a model
    ///
    /// Several files are one set of records, such as the shards of a run. The true labels are in the records,
    /// as in DATA. With all scores in them (--all-scores), they are decided again by the options of this command;
    /// otherwise the listed labels are the decision. All scores are there where every record lists the same labels,
    /// or all candidates of its own: if a run at a low --threshold came to that, give it here also. A true label
    /// that was not asked counts as missed, and figures of scores are left out. The temperature of --thresholds is
    /// applied to the logits where they are in them (--logits), otherwise to the scores.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) predictions_from: Vec<PathBuf>,
    /// Compare with these predictions of the same records
    ///
    /// Says which figures differ, with paired bootstrap intervals and McNemar's test. Both are decided by the same
    /// options.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) compare: Vec<PathBuf>,
    /// The field with the predictions in these files
    #[arg(long, value_name = "NAME", default_value = PREDICTIONS, value_parser = NonEmptyStringValueParser::new())]
    pub(super) output_field: String,
}

/// What is written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// The layout of the figures
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t)]
    pub(super) report: Layout,
    /// Write every record with its predictions to a file, as JSON lines
    ///
    /// An existing file is replaced once all records are done, if its folder lets it be replaced. With `-` they go to
    /// standard output, and the figures to standard error. --all-scores, --logits and --hierarchical say what is
    /// written there, and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "predictions_from")]
    pub(super) predictions: Option<PathBuf>,
    /// Show the N most confident errors per label
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = from_zero::<usize>)]
    pub(super) errors: usize,
    /// Write the plots to a folder, as SVG
    ///
    /// The confusion matrix, precision-recall curves, reliability, F1 against the threshold, and coverage against
    /// accuracy. They follow the reader's light or dark setting.
    #[arg(long, value_name = "DIR")]
    pub(super) plots: Option<PathBuf>,
    /// Write a page for a browser, with figures, plots and errors
    ///
    /// The errors are the most confident ones. Replaces an existing file.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Bootstrap samples for the 95 % intervals, at least 100; 0 for none
    ///
    /// An interval is the middle 95 % of the samples. Samples overstate mean average precision and the calibration
    /// error: their intervals are mirrored at the value. There is none where all samples give the same value.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = rounds)]
    pub(super) bootstrap: u32,
    /// Seed of random numbers: the same one gives the same figures
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = from_zero::<u64>)]
    pub(super) seed: u64,
    /// Classify again N times with shuffled labels, and count what changes
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = from_zero::<u32>)]
    #[arg(conflicts_with = "predictions_from")]
    pub(super) label_order_trials: u32,
}

/// Fitted thresholds.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fitting")]
pub(super) struct FitArgs {
    /// Fit thresholds and a temperature, and write them for --thresholds
    ///
    /// They are fitted to these records. Replaces an existing file. One threshold for all labels and one for each
    /// label; the file's "use" says which decide: those that did better in cross-validation. With --single-label, a
    /// temperature and, for a precision, the score below which there is no answer.
    #[arg(long, value_name = "FILE", conflicts_with = "thresholds")]
    pub(super) fit: Option<PathBuf>,
    /// What to fit for: f1, f0.5, f2 or another F-measure, precision=0.9 or recall=0.9
    ///
    /// Of the thresholds that reach that precision, the one with the best recall is taken, and the other way round.
    #[arg(long, value_name = "GOAL", default_value = "f1", requires = "fit")]
    pub(super) fit_for: Goal,
}

/// Figures that must be reached.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Minimums (exit code 1 below)")]
pub(super) struct Minimums {
    /// Lowest accuracy; with several labels per record, lowest subset accuracy
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    pub(super) min_accuracy: Option<f64>,
    /// Lowest micro-averaged F1
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    pub(super) min_micro_f1: Option<f64>,
    /// Lowest macro-averaged F1
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    pub(super) min_macro_f1: Option<f64>,
    /// Lowest F1 averaged by support
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    pub(super) min_weighted_f1: Option<f64>,
}

impl Minimums {
    /// One line for each figure below its minimum.
    pub(super) fn missed(&self, report: &Report) -> Vec<String> {
        let asked = [
            ("accuracy", "--min-accuracy", report.accuracy, self.min_accuracy),
            ("micro F1", "--min-micro-f1", report.micro_average.f1, self.min_micro_f1),
            ("macro F1", "--min-macro-f1", report.macro_average.f1, self.min_macro_f1),
            ("weighted F1", "--min-weighted-f1", report.weighted_average.f1, self.min_weighted_f1),
        ];
        let below = asked.into_iter().filter_map(|(figure, option, value, minimum)| {
            let minimum = minimum.filter(|minimum| value < *minimum)?;
            Some(format!("{figure} is {value}, below the minimum {minimum} of {option}"))
        });
        below.collect()
    }
}

impl Args {
    /// Checks what the options say together.
    ///
    /// # Errors
    /// Some of them exclude others.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.check_model_options()?;
        self.check_predictions()?;
        self.check_files()?;
        self.check_report()
    }

    /// Checks that no model is described where none is asked. In the environment one may be for other commands.
    fn check_model_options(&self) -> anyhow::Result<()> {
        let idle = OPTIONS_OF_A_MODEL.into_iter().find(|option| self.typed.has(option));
        match idle.filter(|_| self.data.is_none()) {
            Some(option) => bail!(
                "--{option}: --predictions-from judges what was said already, without a model: leave --{option} out, \
                 or give the records as DATA instead"
            ),
            None => Ok(()),
        }
    }

    /// Checks that there are predictions for what is said of their form.
    fn check_predictions(&self) -> anyhow::Result<()> {
        let form = [
            ("--all-scores", self.decision.all_scores),
            ("--logits", self.shape.logits),
            ("--hierarchical", self.shape.hierarchical),
        ];
        let idle = form.into_iter().find(|(_, is_given)| *is_given);
        if let Some((option, _)) = idle.filter(|_| self.output.predictions.is_none()) {
            // Beside --predictions-from nothing is written.
            let remedy = if self.data.is_some() { "give --predictions FILE, or " } else { "" };
            bail!("{option} says what --predictions writes: {remedy}leave {option} out");
        }
        let reads = !self.ready.predictions_from.is_empty() || !self.ready.compare.is_empty();
        if !reads && self.ready.output_field != PREDICTIONS {
            bail!(
                "--output-field is for --predictions-from and --compare: leave it out; --predictions writes the field \
                 {PREDICTIONS}"
            );
        }
        Ok(())
    }

    /// Checks that no record is read twice, and that nothing is written over what is read or what else is written.
    fn check_files(&self) -> anyhow::Result<()> {
        check_once("--predictions-from", &self.ready.predictions_from)?;
        check_once("--compare", &self.ready.compare)?;
        let mut taken: Vec<&Path> = self
            .data
            .iter()
            .chain(&self.ready.predictions_from)
            .chain(&self.ready.compare)
            .map(PathBuf::as_path)
            .chain(self.labels.files())
            .chain(self.decision.files())
            .collect();
        let written =
            [("--predictions", &self.output.predictions), ("--html", &self.output.html), ("--fit", &self.fit.fit)];
        for (option, path) in written {
            let Some(path) = path.as_deref() else { continue };
            if path.as_os_str() == "-" {
                match option {
                    "--predictions" => continue,
                    _ => bail!("{option} -: name a file; the figures go to standard output"),
                }
            }
            check_free(option, path, taken.iter().copied())?;
            if is_standard_output(path) {
                bail!("{option} {}: is standard output, where the figures go: name another file", path.display());
            }
            taken.push(path);
        }
        self.output.predictions.as_deref().map_or(Ok(()), |path| check_jsonl("--predictions", path))
    }

    /// Checks that what is to be found has a place where it is written.
    fn check_report(&self) -> anyhow::Result<()> {
        let more = [
            ("--compare", !self.ready.compare.is_empty()),
            ("--fit", self.fit.fit.is_some()),
            ("--errors", self.output.errors > 0),
            ("--label-order-trials", self.output.label_order_trials > 0),
        ];
        let is_one_table = self.output.report == Layout::Csv && self.output.html.is_none();
        match more.into_iter().find(|(_, is_asked)| *is_asked).filter(|_| is_one_table) {
            Some((option, _)) => bail!(
                "--report csv is one table of labels, without what {option} finds: give --report text, json or \
                 markdown, or add --html"
            ),
            None => Ok(()),
        }
    }
}

/// Checks that no file is given twice, by whatever name.
fn check_once(option: &str, paths: &[PathBuf]) -> anyhow::Result<()> {
    let mut known = HashMap::new();
    for path in paths {
        // What is not there is told where it is read.
        let place = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if let Some(before) = known.insert(place, path) {
            let (path, before) = (path.display(), before.display());
            bail!("{option} {path}: is also given as {before}, and its records would count twice: give it once");
        }
    }
    Ok(())
}

/// A number of bootstrap samples: of fewer the ends of an interval are mere chance, and more would take hours.
fn rounds(text: &str) -> Result<u32, &'static str> {
    let is_useful = |rounds: &u32| matches!(rounds, 0 | 100..=1_000_000);
    text.parse().ok().filter(is_useful).ok_or("give 0, or a whole number from 100 to 1000000")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Args as _, Command};

    use super::*;
    use crate::metrics::{Candidate, Judged, Resampling};

    #[test]
    fn each_option_of_a_model_or_of_labels_has_an_effect_without_a_model_or_is_refused() {
        let heeded = ["threads", "offline", "quiet", "verbose", "labels", "labels-file", "label-separator", "wordings"];
        let options = LabelArgs::augment_args(ModelArgs::augment_args(Command::new("eval")));
        for option in options.get_arguments().filter_map(Arg::get_long) {
            assert!(heeded.contains(&option) != OPTIONS_OF_A_MODEL.contains(&option), "--{option}");
        }
    }

    #[test]
    fn each_figure_below_its_minimum_is_named_with_both_numbers() {
        let mut judged = Judged::new(vec!["a".into(), "b".into()], true);
        let candidate = |label, truth| Candidate { label, score: 0.5, truth, predicted: !truth };
        judged.push([candidate(0, true), candidate(1, false)]);
        let report = Report::new(&judged, Resampling { rounds: 0, seed: 0 });
        let minimums = Minimums { min_accuracy: Some(0.0), min_macro_f1: Some(0.5), ..Minimums::default() };
        assert_eq!(minimums.missed(&report), ["macro F1 is 0, below the minimum 0.5 of --min-macro-f1"]);
    }
}
