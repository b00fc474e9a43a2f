//! `gliclass eval`.

mod fitting;
mod gather;
mod order;
mod predictions;
mod shown;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::builder::NonEmptyStringValueParser;

use self::gather::{Asking, Gathered};
use self::predictions::Predictions;
use super::args::{DecisionArgs, FieldArgs, LabelArgs, ModelArgs, ShapeArgs, Typed, check_free, from_zero, share};
use super::format::check_jsonl;
use super::own_examples::OwnExamples;
use super::retrieval::Retrieval;
use super::terminal::{self, Progress};
use crate::adapted::Adapted;
use crate::files::{Reserved, file_name, is_standard_output};
use crate::metrics::comparison::Comparison;
use crate::metrics::findings::LabelErrors;
use crate::metrics::goal::Goal;
use crate::metrics::page::Subject;
use crate::metrics::{self, Findings, Judged, Report, Resampling};
use crate::records::Defaults;
use crate::records::input::Input;
use crate::records::labelled::{self, Listed, Ready, align};
use crate::records::names::PREDICTIONS;
use crate::records::output::{Existing, Output};
use crate::runner::Runner;
use crate::scores::Decision;

/// Judge labels on labelled records, and fit thresholds
///
/// Reads JSON lines, a JSON array, Parquet, CSV or TSV with a header (labels in one column, or a column of 0 and 1
/// for each), or fastText's __label__ lines. A JSONL record is {"text": "Never again.", "true_labels": ["complaint"]};
/// a CSV has the columns text,label. True labels may also be {label: weight}: true from 0.5, and at -100 not judged.
///
/// Prints precision, recall and F1 for every label and on average, as scikit-learn's classification_report
/// does; the main figures with 95 % intervals; how well the scores are calibrated; and which labels are confused.
///
/// The candidate labels are those of --labels, else each record's all_labels or labels, else all labels of
/// the data. A record's own prompt, examples and rac_examples take precedence over the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    typed: Typed,
    /// The labelled records; `-` is standard input
    #[arg(value_name = "DATA", required_unless_present = "predictions_from", conflicts_with = "predictions_from")]
    data: Option<PathBuf>,
    #[command(flatten)]
    fields: FieldArgs,
    #[command(flatten)]
    ready: ReadyArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    decision: DecisionArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    fit: FitArgs,
    #[command(flatten)]
    minimums: Minimums,
    #[command(flatten)]
    model: ModelArgs,
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
struct ReadyArgs {
    /// Judge outputs of `batch` or of --predictions, without a model
    ///
    /// Several files are one set of records, such as the shards of a run. The true labels are in the records,
    /// as in DATA. With all scores in them (--all-scores), they are decided again by the options of this command;
    /// otherwise the listed labels are the decision. All scores are there where every record lists the same labels,
    /// or all candidates of its own: if a run at a low --threshold came to that, give it here also. A true label
    /// that was not asked counts as missed, and figures of scores are left out. The temperature of --thresholds is
    /// applied to the logits where they are in them (--logits), otherwise to the scores.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    predictions_from: Vec<PathBuf>,
    /// Compare with these predictions of the same records
    ///
    /// Says which figures differ, with paired bootstrap intervals and McNemar's test. Both are decided by the same
    /// options.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    compare: Vec<PathBuf>,
    /// The field with the predictions in these files
    #[arg(long, value_name = "NAME", default_value = PREDICTIONS, value_parser = NonEmptyStringValueParser::new())]
    output_field: String,
}

/// What is written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// The layout of the figures
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t)]
    report: metrics::Layout,
    /// Write every record with its predictions to a file, as JSON lines
    ///
    /// An existing file is replaced once all records are done, if its folder lets it be replaced. With `-` they go to
    /// standard output, and the figures to standard error.
    #[arg(long, value_name = "FILE", conflicts_with = "predictions_from")]
    predictions: Option<PathBuf>,
    /// Show the N most confident errors per label
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = from_zero::<usize>)]
    errors: usize,
    /// Write the plots to a folder, as SVG
    ///
    /// The confusion matrix, precision-recall curves, reliability, F1 against the threshold, and coverage against
    /// accuracy. They follow the reader's light or dark setting.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Write a page for a browser, with figures, plots and errors
    ///
    /// The errors are the most confident ones. Replaces an existing file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Bootstrap samples for the 95 % intervals, at least 100; 0 for none
    ///
    /// An interval is where the middle of the samples lies. The calibration error of samples is too high, and so is its
    /// own value, though less: its interval lies as far below the value as the samples lie above it.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = rounds)]
    bootstrap: u32,
    /// Seed of random numbers: the same one gives the same figures
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = from_zero::<u64>)]
    seed: u64,
    /// Classify again N times with shuffled labels, and count what changes
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = from_zero::<u32>)]
    #[arg(conflicts_with = "predictions_from")]
    label_order_trials: u32,
}

/// Fitted thresholds.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fitting")]
struct FitArgs {
    /// Fit thresholds and a temperature, and write them for --thresholds
    ///
    /// They are fitted to these records. Replaces an existing file. One threshold for all labels and one for each
    /// label; the file's "use" says which decide: those that did better in cross-validation. With --single-label, a
    /// temperature and, for a precision, the score below which there is no answer.
    #[arg(long, value_name = "FILE", conflicts_with = "thresholds")]
    fit: Option<PathBuf>,
    /// What to fit for: f1, f0.5, f2, precision=0.9 or recall=0.9
    ///
    /// Of the thresholds that reach that precision, the one with the best recall is taken, and the other way round.
    #[arg(long, value_name = "GOAL", default_value = "f1", requires = "fit")]
    fit_for: Goal,
}

/// Figures that must be reached.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Minimums (exit code 1 below)")]
struct Minimums {
    /// Lowest accuracy; with several labels per record, lowest subset accuracy
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    min_accuracy: Option<f64>,
    /// Lowest micro-averaged F1
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    min_micro_f1: Option<f64>,
    /// Lowest macro-averaged F1
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    min_macro_f1: Option<f64>,
    /// Lowest F1 averaged by support
    #[arg(long, value_name = "F", value_parser = share::<f64>)]
    min_weighted_f1: Option<f64>,
}

impl Minimums {
    /// One line for each figure below its minimum.
    fn missed(&self, report: &Report) -> Vec<String> {
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

/// Runs the command.
///
/// # Errors
/// The data or the model cannot be used, a record cannot be classified, or an output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.check_model_options()?;
    args.check_files()?;
    args.check_report()?;
    args.model.base.share_threads()?;
    let defaults = args.labels.defaults(args.model.base.verbosity)?;
    let decision = args.decision.decision(defaults.labels.as_deref())?;
    fitting::check_goal(args.fit.fit_for, decision.single_label)?;
    let fit_file = args.fit.fit.as_deref().map(Reserved::open).transpose()?;
    let shown = shown::Shown::create(args.output.plots.as_deref(), args.output.html.as_deref())?;
    let others = args.read_others(&defaults)?;
    let Some((gathered, label_order)) = args.gather(&defaults, &decision)? else {
        terminal::say("interrupted: figures of only some of the records would mislead, so there are none");
        return Ok(ExitCode::from(terminal::INTERRUPT_STATUS));
    };
    args.warn_of_seen(&gathered, &decision);
    args.warn_of_other_than_one(&gathered);
    let resampling = Resampling { rounds: args.output.bootstrap, seed: args.output.seed };
    let report = Report::new(&gathered.judged, resampling);
    let fit = fit_file.map(|file| args.fit_to(&gathered, file)).transpose()?;
    let source = |record: usize| (gathered.place(record), gathered.texts[record].clone());
    let errors = match args.output.errors {
        0 => Vec::new(),
        count => LabelErrors::of(&gathered.judged, count, source),
    };
    let others = others.map(|others| args.judge(others, &decision)).transpose()?;
    others.iter().for_each(|other| args.warn_of_other_than_one(other));
    let comparison = others.as_ref().map(|other| compare(&gathered, other, resampling)).transpose()?;
    let findings = Findings { report, fit, label_order, comparison, errors };
    shown.write(&args.subject(&gathered, &decision), &gathered, &findings)?;
    let figures = args.output.report.render(&findings);
    if args.output.predictions.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        terminal::say(figures.trim_end());
    } else {
        terminal::print(&figures)?;
    }
    let has_failed = gathered.failed > 0 || others.is_some_and(|other| other.failed > 0);
    let missed = args.minimums.missed(&findings.report);
    missed.iter().for_each(|line| terminal::say(&format!("error: {line}")));
    Ok(if missed.is_empty() && !has_failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    /// What the page is about.
    fn subject(&self, gathered: &Gathered, decision: &Decision) -> Subject {
        let decided = match (&self.decision.thresholds, decision.single_label, gathered.is_decided) {
            (_, _, false) => "labels as they were said".to_owned(),
            (Some(path), false, _) => format!("thresholds of {}", file_name(path)),
            (None, false, _) => format!("threshold {}", decision.threshold),
            (_, true, _) => "the best label".to_owned(),
        };
        let withheld = decision.abstain_below.map(|least| format!(", none below {least}")).unwrap_or_default();
        Subject {
            data: gathered.files.iter().map(|file| file_name(Path::new(file))).collect::<Vec<_>>().join(", "),
            model: self.data.as_ref().map_or_else(
                || "Ready predictions".to_owned(),
                |_| format!("Model {}", file_name(Path::new(&self.model.base.model))),
            ),
            decision: decided + &withheld,
        }
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
        let is_one_table = self.output.report == metrics::Layout::Csv && self.output.html.is_none();
        match more.into_iter().find(|(_, is_asked)| *is_asked).filter(|_| is_one_table) {
            Some((option, _)) => bail!(
                "--report csv is one table of labels, without what {option} finds: give --report text, json or \
                 markdown, or add --html"
            ),
            None => Ok(()),
        }
    }

    /// The records with what was said of them; nothing where it was interrupted.
    fn gather(
        &self,
        defaults: &Defaults,
        decision: &Decision,
    ) -> anyhow::Result<Option<(Gathered, Option<metrics::findings::OrderTrials>)>> {
        let Some(path) = &self.data else {
            let ready = self.read_ready(&self.ready.predictions_from, defaults)?;
            return Ok(Some((self.judge(ready, decision)?, None)));
        };
        let retrieval = Retrieval::new(&self.labels, defaults)?;
        let mut input = Input::open(Some(path))?;
        let (name, bytes) = input.read_whole()?;
        let layout = labelled::Layout { whole: self.output.predictions.is_some(), ..self.fields.layout(defaults) };
        let data = labelled::read(&name, bytes, &layout)?;
        if self.fit.fit.is_some() {
            fitting::check_truth(data.records.iter().map(|record| record.truth.len()), decision.single_label)?;
        }
        let (records, labels) = (data.records.len(), data.labels.len());
        self.model.base.say(&format!(
            "read {records} records as {}, true labels from {:?}; {labels} labels",
            data.form, data.truth
        ));
        let own_examples = OwnExamples::new(defaults);
        let own = data.records.iter().filter_map(|record| record.own.rac_examples.as_ref());
        own.for_each(|examples| own_examples.count(examples));
        own_examples.tell(self.model.base.verbosity);
        let open = |path| Output::open(Some(path), Existing::Replace, &input);
        let output = self.output.predictions.as_deref().map(open).transpose()?;
        let model = self.model.load_with(&self.model.base.source()?, retrieval, decision.single_label)?;
        let model = Adapted::new(model, decision.fitted.clone());
        let bytes = data.records.iter().map(|record| record.text.len() as u64).sum();
        let progress = || Progress::new(Some(bytes), self.model.base.verbosity.quiet);
        let beside = output.iter().fold(progress(), Progress::beside);
        let interrupted = terminal::listen_for_interrupt()?;
        let predictions = output.map(Predictions::begin).transpose()?;
        let runner = Runner::new(self.model.base.threads(), Some(interrupted));
        let again = (self.output.label_order_trials > 0).then(|| data.clone());
        let asking = |predictions, progress| Asking {
            decision: decision.clone(),
            shape: self.shape,
            defaults: defaults.clone(),
            predictions,
            progress,
        };
        let gathered = asking(predictions, beside).run(&runner, &model, data)?;
        let mut trials = None;
        if let Some(data) = again {
            let mut trial = order::Trials::new(&gathered.judged);
            for number in 0..self.output.label_order_trials {
                let shuffled = order::shuffled(&data, self.output.seed, number);
                let found = asking(None, progress()).run(&runner, &model, shuffled)?;
                if interrupted.load(Ordering::Relaxed) {
                    break;
                }
                trial.count(&found.judged);
            }
            trials = Some(trial.finish());
        }
        Ok((!interrupted.load(Ordering::Relaxed)).then_some((gathered, trials)))
    }

    fn read_ready(&self, paths: &[PathBuf], defaults: &Defaults) -> anyhow::Result<(Ready, Vec<String>)> {
        let read = |path: &PathBuf| Input::open(Some(path))?.read_whole();
        let files = paths.iter().map(read).collect::<crate::Result<Vec<_>>>()?;
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        let ready = Ready::read(files, &self.fields.layout(defaults), &self.ready.output_field)?;
        let (records, labels) = (ready.records.len(), ready.names.len());
        let scores = match ready.listed {
            Listed::All => "all scores",
            Listed::Asked => "the scores of those that were asked (other true labels count as missed)",
            Listed::Said => "the labels that were said",
        };
        self.model.base.say(&format!("read {records} records as {} with {scores}; {labels} labels", ready.form));
        if ready.failed > 0 {
            let (count, names) = (ready.failed, names.join(", "));
            terminal::say(&terminal::escaped(&format!(
                "error: {names}: {count} records hold an error and no predictions: left out of all figures"
            )));
        }
        Ok((ready, names))
    }

    fn read_others(&self, defaults: &Defaults) -> anyhow::Result<Option<(Ready, Vec<String>)>> {
        let paths = &self.ready.compare;
        if paths.is_empty() { Ok(None) } else { self.read_ready(paths, defaults).map(Some) }
    }

    fn judge(&self, (ready, files): (Ready, Vec<String>), decision: &Decision) -> anyhow::Result<Gathered> {
        if ready.listed == Listed::Said {
            let typed = [
                ("--threshold", self.decision.threshold.is_some()),
                ("--thresholds", self.decision.thresholds.is_some()),
                ("--abstain-below", self.decision.abstain_below.is_some()),
            ];
            if let Some((option, _)) = typed.iter().find(|(_, typed)| *typed) {
                bail!("{}: {option} needs the scores of all labels: write them with --all-scores", files.join(", "));
            }
        }
        if let Some(fitted) = &decision.fitted {
            fitted.cover(&crate::records::LabelSet::flat(ready.names.clone())?)?;
            if fitted.temperature != 1.0 && !ready.has_logits() {
                self.model.base.say(&format!(
                    "warning: {}: the temperature of --thresholds is applied to the scores, which do not tell whether \
                     they have it already: if they were made with --thresholds, add --logits there, or set \
                     \"temperature\" to 1 in a copy of the thresholds",
                    files.join(", ")
                ));
            }
        }
        let gathered = gather::judge(ready, files, decision);
        let sums_to_one = |record: &[metrics::Candidate]| {
            (record.iter().map(|one| f64::from(one.score)).sum::<f64>() - 1.0).abs() < 1e-3
        };
        if gathered.judged.is_scored() && !decision.single_label && gathered.judged.iter().all(sums_to_one) {
            self.model.base.say(
                "warning: the scores of every record add up to 1: were they made with --single-label? Add it here also",
            );
        }
        Ok(gathered)
    }

    /// Thresholds look better than they are where they were fitted.
    fn warn_of_seen(&self, gathered: &Gathered, decision: &Decision) {
        let fitted = decision.fitted.as_ref().and_then(|thresholds| thresholds.fitted.as_ref());
        if fitted.is_some_and(|fitted| fitted.fingerprint == gathered.fingerprint()) {
            self.model.base.say(
                "warning: the thresholds were fitted on these very records: expect less on others. \
                 The figures of eval --fit under \"unseen\" say how much less",
            );
        }
    }

    /// With --single-label records that have not the one label are judged otherwise, and all others with them.
    fn warn_of_other_than_one(&self, gathered: &Gathered) {
        let (count, judged) = (gathered.judged.not_one_label(), &gathered.judged);
        if count > 0 {
            let how = metrics::layout::not_one_label(count, judged.records());
            self.model.base.say(&format!("warning: {}: --single-label, but {how}", gathered.files.join(", ")));
        }
    }

    fn fit_to(&self, gathered: &Gathered, file: Reserved) -> anyhow::Result<metrics::findings::FitSummary> {
        let fit = fitting::fit(gathered, self.fit.fit_for, self.output.seed)?;
        fitting::write(file, &fit, gathered)?;
        self.model.base.say(match fit.folds {
            0 | 1 => "warning: thresholds are fitted and judged on a single record: that says nothing about others",
            _ => {
                "warning: thresholds are fitted and judged on the same records: of the figures of the fit, \
                 believe those under \"unseen\""
            }
        });
        Ok(metrics::findings::FitSummary::new(&fit, gathered.judged.names()))
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

/// Sets other predictions of the same records beside these.
fn compare(this: &Gathered, other: &Gathered, resampling: Resampling) -> anyhow::Result<Comparison> {
    let names = other.files.join(", ");
    let known: HashSet<&String> = this.judged.names().iter().collect();
    let mut all = this.judged.names().to_vec();
    all.extend(other.judged.names().iter().filter(|name| !known.contains(name)).cloned());
    let (mine, theirs) = (this.judged.over(&all), other.judged.over(&all));
    let places = align(&true_labels(this, &mine), &true_labels(other, &theirs))
        .with_context(|| format!("cannot compare with {names}"))?;
    let theirs = theirs.selected(places);
    if let Some(record) = (0..mine.records()).find(|&record| truths(&mine, record) != truths(&theirs, record)) {
        bail!(
            "cannot compare with {names}: other labels are true there of {} ({})",
            this.place(record),
            terminal::escaped(&metrics::layout::cut(&this.texts[record], 60))
        );
    }
    Ok(Comparison::new(&mine, &theirs, resampling))
}

/// Each text with the labels that are true of it, numbered as in `judged`.
fn true_labels<'a>(gathered: &'a Gathered, judged: &Judged) -> Vec<(&'a str, Vec<u32>)> {
    (0..).zip(&gathered.texts).map(|(record, text)| (text.as_str(), truths(judged, record))).collect()
}

/// The numbers of the labels that are true of a record, rising.
fn truths(judged: &Judged, record: usize) -> Vec<u32> {
    let truths = judged.record(record).iter().filter(|one| one.truth).map(|one| one.label);
    let mut truths: Vec<u32> = truths.collect();
    truths.sort_unstable();
    truths
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Args as _, Command};

    use super::*;
    use crate::metrics::Candidate;

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
