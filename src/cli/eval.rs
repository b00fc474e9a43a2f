//! `gliclass eval`.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use serde::Serialize;

use crate::classifier::Classifier;
use crate::cli::args::{DecisionArgs, LabelArgs, ModelArgs};
use crate::error::{Error, Result};
use crate::metrics::{self, Outcome, Report};
use crate::records::labelled::{self, Dataset, Labelled};
use crate::records::{Defaults, Entry, Record};
use crate::runner::{Classified, Limits, Runner};
use crate::scores::{Decision, decide};

/// Classifies labelled records and prints quality figures
///
/// Reads JSON lines, a JSON array, CSV or TSV with a header, or fastText's __label__ lines, and prints
/// precision, recall and F1 for every label and on average, as scikit-learn's classification_report does.
/// The candidate labels are those of --labels, else each record's all_labels, else all labels of the data.
#[derive(Debug, clap::Args)]
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
    output: OutputArgs,
    #[command(flatten)]
    minimums: Minimums,
    #[command(flatten)]
    model: ModelArgs,
}

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
    /// Writes every record with its true labels and its predictions to a file, as JSON lines
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
        say(&format!("read {} records as {}; {} labels", data.records.len(), data.form, data.labels.len()));
    }
    let mut predictions = args.output.predictions.as_deref().map(Predictions::create).transpose()?;
    let model = args.model.load()?;
    let names = data.labels.clone();
    let interrupted = AtomicBool::new(false);
    let runner = Runner { threads: args.model.threads(), limits: Limits::default(), interrupted: &interrupted };
    let outcomes = evaluate(&runner, &model, data, &defaults, &args.decision.decision(), predictions.as_mut())?;
    if let Some(predictions) = predictions {
        predictions.finish()?;
    }
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitCode::from(130));
    }
    let report = Report::new(&outcomes, &names, args.decision.single_label);
    print(&args.output.report.render(&report))?;
    let missed = args.minimums.missed(&report);
    missed.iter().for_each(|line| say(&format!("error: {line}")));
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

/// Classifies every record and sets what was predicted beside what is true.
fn evaluate(
    runner: &Runner,
    classifier: &impl Classifier,
    data: Dataset,
    defaults: &Defaults,
    decision: &Decision,
    mut predictions: Option<&mut Predictions>,
) -> Result<Vec<Outcome>> {
    let places: HashMap<&str, usize> =
        data.labels.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
    let deciding = Decision { all_scores: false, ..*decision };
    let mut outcomes = Vec::with_capacity(data.records.len());
    let mut sink = |labelled: Labelled, classified: Result<Classified>| {
        let classified = classified.map_err(|error| Error::Record(format!("line {}: {error}", labelled.line)))?;
        if let Some(predictions) = &mut predictions {
            predictions.write(&labelled, &classified, decision)?;
        }
        let predicted = decide(&classified.logits, &deciding);
        outcomes.push(Outcome {
            truth: labelled.truth.iter().map(|name| places[name.as_str()]).collect(),
            predicted: predicted.iter().map(|one| places[one.name(&classified.labels)]).collect::<BTreeSet<_>>(),
        });
        Ok(())
    };
    let defaults = defaults.clone();
    let source = data.records.into_iter().map(move |labelled| Ok(entry(labelled, &defaults)));
    runner.run(classifier, source, &mut sink)?;
    Ok(outcomes)
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

/// A line of `--predictions`.
#[derive(Serialize)]
struct PredictionLine<'a> {
    text: &'a str,
    true_labels: &'a [String],
    predictions: Vec<Scored<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

#[derive(Serialize)]
struct Scored<'a> {
    label: &'a str,
    score: f32,
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

    fn write(&mut self, labelled: &Labelled, classified: &Classified, decision: &Decision) -> Result<()> {
        let labels = &classified.labels;
        let predictions = decide(&classified.logits, decision);
        let line = PredictionLine {
            text: &labelled.text,
            true_labels: &labelled.truth,
            predictions: predictions.iter().map(|one| Scored { label: one.name(labels), score: one.score }).collect(),
            truncated: classified.truncated,
        };
        let written = serde_json::to_writer(&mut self.file, &line).map_err(Into::into);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(|error| Error::io(&self.path, error))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::io(&self.path, error))
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}

/// A line on standard error; where that is closed, nobody reads it.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
            Ok(Encoded { tokens, labels: record.labels.clone(), truncated: record.text.contains("cut") })
        }

        fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
            let logit = |&token: &u32| if token == 1 { 2.0 } else { -2.0 };
            Ok(batch.iter().map(|one| one.tokens.iter().map(logit).collect()).collect())
        }
    }

    const MULTI: Decision = Decision { single_label: false, threshold: 0.5, top_k: None, all_scores: false };

    fn evaluated(text: &str, decision: &Decision, predictions: Option<&mut Predictions>) -> Result<Vec<Outcome>> {
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
        evaluate(&runner, &Contains, data, &Defaults::default(), decision, predictions)
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
        let mut predictions = Predictions::create(&path).unwrap();
        let all = Decision { all_scores: true, ..MULTI };
        let outcomes = evaluated("text,label\ncut red,red\nblue,blue\n", &all, Some(&mut predictions)).unwrap();
        predictions.finish().unwrap();
        assert!(outcomes.iter().all(|one| one.predicted.len() == 1));
        let lines = std::fs::read_to_string(path).unwrap();
        let first = r#"{"text":"cut red","true_labels":["red"],"predictions":[{"label":"red","score":0.880797},{"label":"blue","score":0.11920292}],"truncated":true}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn a_record_that_cannot_be_classified_is_named_by_its_line() {
        let error = evaluated("text,label\nred,red\ntoo long,blue\n", &MULTI, None).unwrap_err();
        assert_eq!(error.to_string(), "line 3: the labels do not fit");
    }

    #[test]
    fn each_figure_below_its_minimum_is_named_with_both_numbers() {
        let outcomes = [Outcome { truth: [0].into(), predicted: [1].into() }];
        let report = Report::new(&outcomes, &["a".into(), "b".into()], true);
        let minimums = Minimums { min_accuracy: Some(0.0), min_macro_f1: Some(0.5), ..Minimums::default() };
        assert_eq!(minimums.missed(&report), ["macro F1 is 0, below the minimum 0.5 of --min-macro-f1"]);
    }
}
