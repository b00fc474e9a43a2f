//! `gliclass eval`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Context;
use serde_json::Value;

use super::args::{DecisionArgs, LabelArgs, ModelArgs, ShapeArgs};
use super::terminal::{self, Progress};
use crate::classifier::Classifier;
use crate::error::{Error, Result};
use crate::metrics::{self, Outcome, Report};
use crate::records::labelled::{self, Dataset, Labelled};
use crate::records::{Defaults, Entry, Record};
use crate::runner::{Classified, Limits, Runner};
use crate::scores::{Decision, decide};

/// Classify labelled records and print quality figures
///
/// Reads JSON lines, a JSON array, CSV or TSV with a header, or fastText's __label__ lines, and prints
/// precision, recall and F1 for every label and on average, as scikit-learn's classification_report does.
/// The candidate labels are those of --labels, else each record's all_labels, else all labels of the data.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The labelled records; `-` is standard input
    #[arg(value_name = "DATA")]
    data: PathBuf,
    #[command(flatten)]
    fields: FieldArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    decision: DecisionArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    minimums: Minimums,
    #[command(flatten)]
    model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass eval labelled.jsonl
  gliclass eval topics.csv --single-label --labels-file names.txt --predictions predicted.jsonl
  gliclass eval labelled.jsonl --report json --min-macro-f1 0.8

Exit status: 0 done; 1 a figure is below its minimum; 2 wrong usage, or data or a model that cannot
be used; 130 interrupted.";

/// Where in the data things are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Data")]
struct FieldArgs {
    /// The field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,
    /// The field or column with the true labels [default: true_labels, or label]
    ///
    /// In JSON it holds a label, a list of labels, or {label: weight}, where a label is true from 0.5 up.
    /// A label may be a number: that of the name in --labels, counted from 0.
    #[arg(long, value_name = "NAME")]
    label_field: Option<String>,
    /// Stands between the labels in a cell of CSV or TSV
    #[arg(long, value_name = "S", default_value = "|")]
    list_separator: String,
}

/// What is written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// How the figures are printed
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t)]
    report: metrics::Layout,
    /// Write every record with its true labels and its predictions to a file, as JSON lines
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
}

/// Figures that must be reached.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Minimums (exit code 1 below)")]
struct Minimums {
    /// The least accuracy; for several labels a record, the least subset accuracy
    #[arg(long, value_name = "F", value_parser = share)]
    min_accuracy: Option<f64>,
    /// The least micro-averaged F1
    #[arg(long, value_name = "F", value_parser = share)]
    min_micro_f1: Option<f64>,
    /// The least macro-averaged F1
    #[arg(long, value_name = "F", value_parser = share)]
    min_macro_f1: Option<f64>,
    /// The least F1 averaged by support
    #[arg(long, value_name = "F", value_parser = share)]
    min_weighted_f1: Option<f64>,
}

fn share(text: &str) -> std::result::Result<f64, &'static str> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).ok_or("give a number from 0 to 1")
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
    let quiet = args.model.verbosity.quiet;
    let defaults = args.labels.defaults()?;
    let data = read_data(&args, &defaults)?;
    if !quiet {
        let (records, labels) = (data.records.len(), data.labels.len());
        terminal::say(&format!("read {records} records as {}; {labels} labels", data.form));
    }
    let predictions = args.output.predictions.as_deref().map(Predictions::create).transpose()?;
    let model = args.model.load(args.decision.single_label)?;
    let interrupted = terminal::listen_for_interrupt()?;
    let runner = Runner { threads: args.model.threads(), limits: Limits::default(), interrupted };
    let names = data.labels.clone();
    let progress = Progress::new(Some(data.records.iter().map(|one| one.text.len() as u64).sum()), quiet);
    let evaluation =
        Evaluation { decision: args.decision.decision(), shape: args.shape, defaults, predictions, progress };
    let outcomes = evaluation.run(&runner, &model, data)?;
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitCode::from(130));
    }
    let report = Report::new(&outcomes, &names, args.decision.single_label);
    print(&args.output.report.render(&report))?;
    let missed = args.minimums.missed(&report);
    missed.iter().for_each(|line| terminal::say(&format!("error: {line}")));
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_data(args: &Args, defaults: &Defaults) -> anyhow::Result<Dataset> {
    let path = &args.data;
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
        ("standard input".to_owned(), bytes)
    } else {
        (path.display().to_string(), std::fs::read(path).map_err(|error| Error::io(path, error))?)
    };
    let layout = labelled::Layout {
        text_field: args.fields.text_field.clone(),
        label_field: args.fields.label_field.clone(),
        list_separator: args.fields.list_separator.clone(),
        label_separator: defaults.label_separator.clone(),
        labels: defaults.labels.clone(),
    };
    Ok(labelled::read(&name, &bytes, &layout)?)
}

/// How records are classified, and who hears of it.
struct Evaluation {
    decision: Decision,
    shape: ShapeArgs,
    defaults: Defaults,
    predictions: Option<Predictions>,
    progress: Progress,
}

impl Evaluation {
    /// Classifies every record and sets what was predicted beside what is true.
    fn run(mut self, runner: &Runner, classifier: &impl Classifier, data: Dataset) -> Result<Vec<Outcome>> {
        let places: HashMap<&str, usize> = data.labels.iter().map(String::as_str).zip(0..).collect();
        let mut outcomes = Vec::with_capacity(data.records.len());
        let defaults = self.defaults.clone();
        let source = data.records.into_iter().map(move |labelled| Ok(entry(labelled, &defaults)));
        let mut sink = |labelled: Labelled, classified: Result<Classified>| {
            let at = |error| Error::Record(format!("{}: line {}: {error}", data.name, labelled.line));
            let classified = classified.map_err(at)?;
            self.note(&labelled, &classified)?;
            outcomes.push(self.outcome(&labelled, &classified, &places));
            Ok(())
        };
        runner.run(classifier, source, &mut sink)?;
        self.progress.finish();
        self.predictions.map_or(Ok(()), Predictions::finish)?;
        Ok(outcomes)
    }

    fn note(&mut self, labelled: &Labelled, classified: &Classified) -> Result<()> {
        self.progress.classified(classified.tokens, classified.truncated);
        self.progress.advance(labelled.text.len());
        let Some(file) = &mut self.predictions else { return Ok(()) };
        file.write(labelled, classified, &self.shape.json(&self.decision, classified))
    }

    /// With all scores asked for, every label is listed; predicted are still those that hold.
    fn outcome(&self, labelled: &Labelled, classified: &Classified, places: &HashMap<&str, usize>) -> Outcome {
        let predicted = decide(&classified.logits, &Decision { all_scores: false, ..self.decision });
        Outcome {
            truth: labelled.truth.iter().map(|name| places[name.as_str()]).collect(),
            predicted: predicted.iter().map(|one| places[one.name(&classified.labels)]).collect(),
        }
    }
}

fn entry(labelled: Labelled, defaults: &Defaults) -> Entry<Labelled> {
    let record = Record {
        text: labelled.text.clone(),
        labels: labelled.labels.clone(),
        prompt: defaults.prompt.clone(),
        examples: defaults.examples.clone(),
        rac_examples: defaults.rac_examples.clone(),
    };
    Entry { bytes: 2 * labelled.text.len(), raw: labelled, record: Ok(record) }
}

/// The file of `--predictions`.
struct Predictions {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Predictions {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| Error::io(path, error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    fn write(&mut self, labelled: &Labelled, classified: &Classified, predictions: &str) -> Result<()> {
        let (text, truth) = (Value::from(labelled.text.as_str()), Value::from(labelled.truth.as_slice()));
        let truncated = if classified.truncated { r#", "truncated": true"# } else { "" };
        writeln!(self.file, r#"{{"text": {text}, "true_labels": {truth}, "predictions": {predictions}{truncated}}}"#)
            .map_err(|error| Error::io(&self.path, error))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::io(&self.path, error))
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::classifier::Encoded;

    /// Says of each label that it holds if the text has it in it.
    struct Contains;

    impl Classifier for Contains {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            if record.text.contains("too long") {
                return Err(Error::Record("the labels do not fit".into()));
            }
            let holds = |name: &String| u32::from(record.text.contains(name.as_str()));
            let tokens = record.labels.names().iter().map(holds).collect();
            let truncated = record.text.contains("cut");
            Ok(Encoded {
                tokens,
                label_tokens: Vec::new(),
                labels: record.labels.clone(),
                truncated,
                pieces: Vec::new(),
            })
        }

        fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
            let logit = |&token: &u32| if token == 1 { 2.0 } else { -2.0 };
            Ok(batch.iter().map(|one| one.tokens.iter().map(logit).collect()).collect())
        }
    }

    const MULTI: Decision = Decision { single_label: false, threshold: 0.5, top_k: None, all_scores: false };

    fn evaluated(text: &str, decision: &Decision, predictions: Option<Predictions>) -> Result<Vec<Outcome>> {
        let layout = labelled::Layout {
            text_field: "text".into(),
            label_field: None,
            list_separator: "|".into(),
            label_separator: ".".into(),
            labels: None,
        };
        let data = labelled::read("d.csv", text.as_bytes(), &layout)?;
        let interrupted = AtomicBool::new(false);
        let runner = Runner { threads: 2, limits: Limits::default(), interrupted: &interrupted };
        let shape = ShapeArgs { logits: false, hierarchical: false };
        let progress = Progress::new(None, true);
        Evaluation { decision: *decision, shape, defaults: Defaults::default(), predictions, progress }
            .run(&runner, &Contains, data)
    }

    #[test]
    fn predictions_are_set_beside_the_truth_in_the_order_of_the_data() {
        let outcomes = evaluated("text,label\nred,red\nred blue,blue\nnone,red|blue\n", &MULTI, None).unwrap();
        let sets = |truth: &[usize], predicted: &[usize]| Outcome {
            truth: truth.iter().copied().collect(),
            predicted: predicted.iter().copied().collect(),
        };
        assert_eq!(outcomes, [sets(&[0], &[0]), sets(&[1], &[0, 1]), sets(&[0, 1], &[])]);
    }

    #[test]
    fn labels_of_different_records_are_counted_by_name() {
        let text = "text,all_labels,label\nred,blue|red,red\nred,red|green,green\n";
        let outcomes = evaluated(text, &MULTI, None).unwrap();
        assert_eq!(outcomes[0], Outcome { truth: [1].into(), predicted: [1].into() });
        assert_eq!(outcomes[1], Outcome { truth: [2].into(), predicted: [1].into() });
    }

    #[test]
    fn all_scores_are_written_but_not_taken_for_decisions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let predictions = Predictions::create(&path).unwrap();
        let all = Decision { all_scores: true, ..MULTI };
        let outcomes = evaluated("text,label\ncut red,red\nblue,blue\n", &all, Some(predictions)).unwrap();
        assert!(outcomes.iter().all(|one| one.predicted.len() == 1));
        let lines = std::fs::read_to_string(path).unwrap();
        let first = r#"{"text": "cut red", "true_labels": ["red"], "predictions": [{"label":"red","score":0.880797},{"label":"blue","score":0.11920292}], "truncated": true}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn a_record_that_cannot_be_classified_is_named_by_its_line() {
        let error = evaluated("text,label\nred,red\ntoo long,blue\n", &MULTI, None).unwrap_err();
        assert_eq!(error.to_string(), "d.csv: line 3: the labels do not fit");
    }

    #[test]
    fn each_figure_below_its_minimum_is_named_with_both_numbers() {
        let outcomes = [Outcome { truth: [0].into(), predicted: [1].into() }];
        let report = Report::new(&outcomes, &["a".into(), "b".into()], true);
        let minimums = Minimums { min_accuracy: Some(0.0), min_macro_f1: Some(0.5), ..Minimums::default() };
        assert_eq!(minimums.missed(&report), ["macro F1 is 0, below the minimum 0.5 of --min-macro-f1"]);
    }
}
