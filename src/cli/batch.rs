//! `gliclass batch`: records in, the same records out with their labels.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::args::{DecisionArgs, LabelArgs, ModelArgs, ShapeArgs};
use super::terminal::{self, Progress};
use crate::error::{Error, Result};
use crate::records::csv::{self, Columns, Row};
use crate::records::jsonl::{self, Line, json_string};
use crate::records::{Defaults, Entry, LabelSet};
use crate::runner::{Classified, Limits, Runner, Sink};
use crate::scores::{self, Decision};

/// Stream JSONL, CSV or TSV and write every record back with its labels
///
/// A JSONL record is an object with the field `text`; its own fields `labels`, `prompt`, `examples`
/// and `rac_examples` come before the command's. It comes out as it went in, byte for byte, with one
/// field more: "predictions": [{"label": "travel", "score": 0.93}], and "truncated": true where the
/// text did not fit. A field of that name that is there already is replaced.
///
/// CSV and TSV need a header. The columns come out as they went in, then `predicted_labels` and
/// `predicted_scores`, then, with --on-error keep, `error`.
///
/// Line N of the output belongs to line N of the input. Memory does not grow with the input.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The records; standard input with `-` or nothing
    input: Option<PathBuf>,
    /// Where the records go [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The form of the input and of the output [default: by the input's ending, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    input_format: Option<Format>,
    /// The field or column that holds the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_field: String,
    /// The field of a JSONL record that receives the predictions
    #[arg(long, value_name = "NAME", default_value = "predictions")]
    output_field: String,
    /// Joins several labels, and several scores, in a CSV or TSV column
    #[arg(long, value_name = "S", default_value = "|")]
    list_separator: String,
    /// What becomes of a record that cannot be classified
    #[arg(long, value_name = "MODE", default_value = "keep")]
    on_error: OnError,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    decision: DecisionArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    #[command(flatten)]
    model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass batch reviews.jsonl -o labelled.jsonl --labels praise,complaint,question
  gliclass batch mails.csv -o sorted.csv --text-field body --labels-file labels.txt --single-label
  tail -f log.jsonl | gliclass batch --labels error,warning,other | jq -c .predictions

Exit status: 0 done; 1 some records failed; 2 wrong usage or a model or file that cannot be used;
130 interrupted.";

/// The form of a file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated, with a header
    Csv,
    /// Tab-separated, with a header
    Tsv,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// What becomes of a bad record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// Written back with a field `error`; the exit status is 1 at the end
    Keep,
    /// Left out, with a line on standard error; the exit status is 1 at the end
    Skip,
    /// The run ends there; all records before it are written
    Fail,
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a model or file that cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    args.check()?;
    let defaults = args.labels.defaults()?;
    let input = Input::open(args.input.as_deref())?;
    let output = Output::open(args.output.as_deref(), &input)?;
    match args.format() {
        Format::Jsonl => args.run_jsonl(defaults, input, output),
        Format::Csv => args.run_csv(b',', defaults, input, output),
        Format::Tsv => args.run_csv(b'\t', defaults, input, output),
    }
}

impl Args {
    fn format(&self) -> Format {
        self.input_format.or_else(|| Format::of(self.input.as_deref()?)).unwrap_or(Format::Jsonl)
    }

    fn check(&self) -> anyhow::Result<()> {
        let format = self.format();
        if let Some(other) = self.output.as_deref().and_then(Format::of).filter(|other| *other != format) {
            bail!("--output ends like {other:?}, but the output has the form of the input, {format:?}: rename it");
        }
        if [self.text_field.as_str(), "error", "truncated"].contains(&self.output_field.as_str()) {
            bail!("--output-field {:?} is taken by another field: give another name", self.output_field);
        }
        if format != Format::Jsonl && (self.shape.hierarchical || self.shape.logits) {
            bail!("--hierarchical and --logits need JSONL: a {format:?} column cannot hold them");
        }
        Ok(())
    }

    fn run_jsonl(self, defaults: Defaults, input: Input, output: Output) -> anyhow::Result<ExitCode> {
        let reading = jsonl::Reading { text_field: self.text_field.clone(), defaults };
        let source = jsonl::Reader::new(input.reader, &input.name, reading);
        let form =
            Jsonl { output_field: self.output_field.clone(), decision: self.decision.decision(), shape: self.shape };
        self.stream(form, source, input.name, input.bytes, output)
    }

    fn run_csv(self, delimiter: u8, defaults: Defaults, input: Input, output: Output) -> anyhow::Result<ExitCode> {
        let labels = defaults.labels.clone().context("no labels: CSV and TSV need --labels or --labels-file")?;
        let source = csv::Reader::new(input.reader, &input.name, delimiter, &self.text_field, defaults)?;
        let form = Csv::new(&self, &labels, &source)?;
        self.stream(form, source, input.name, input.bytes, output)
    }

    fn stream<F: Form>(
        self,
        form: F,
        source: impl Iterator<Item = Result<Entry<F::Raw>>> + Send + 'static,
        input_name: PathBuf,
        input_bytes: Option<u64>,
        output: Output,
    ) -> anyhow::Result<ExitCode> {
        let model = self.model.load(self.decision.single_label)?;
        let interrupted = terminal::listen_for_interrupt()?;
        let progress = Progress::new(input_bytes, self.model.verbosity.quiet);
        let mut writer = Writer { form, output: output.begin()?, input_name, on_error: self.on_error, progress };
        writer.begin()?;
        let runner = Runner { threads: self.model.threads(), limits: Limits::default(), interrupted };
        let result = runner.run(&model, source, &mut writer);
        writer.progress.finish();
        match result {
            Err(error @ Error::Record(_)) => {
                terminal::say(&format!("error: {}", terminal::escaped(&error.to_string())));
                Ok(ExitCode::from(1))
            }
            Err(error) => Err(error.into()),
            Ok(()) if interrupted.load(Ordering::Relaxed) => Ok(ExitCode::from(130)),
            Ok(()) if writer.progress.errors() > 0 => Ok(ExitCode::from(1)),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Where records come from.
struct Input {
    reader: Box<dyn BufRead + Send>,
    name: PathBuf,
    /// Its size, where it has one.
    bytes: Option<u64>,
}

impl Input {
    fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            let reader = Box::new(BufReader::new(std::io::stdin()));
            return Ok(Self { reader, name: "standard input".into(), bytes: None });
        };
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        if metadata.is_dir() {
            return Err(Error::Usage(format!("{}: is a folder, not a file of records", path.display())));
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { reader: Box::new(BufReader::with_capacity(1 << 18, file)), name: path.to_owned(), bytes })
    }
}

/// Where records go. A file is opened before the model is loaded and emptied only after.
struct Output {
    file: Option<File>,
    name: PathBuf,
}

impl Output {
    fn open(path: Option<&Path>, input: &Input) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self { file: None, name: "standard output".into() });
        };
        let same = |real: PathBuf| input.name.canonicalize().is_ok_and(|input| input == real);
        if path.canonicalize().is_ok_and(same) {
            return Err(Error::Usage(format!("{}: is the input, too: write to another file", path.display())));
        }
        let file = File::options().write(true).create(true).truncate(false).open(path);
        Ok(Self { file: Some(file.map_err(|error| Error::io(path, error))?), name: path.to_owned() })
    }

    fn begin(self) -> Result<Sheet> {
        let out: Box<dyn Write> = match self.file {
            None => Box::new(std::io::stdout().lock()),
            Some(file) => {
                empty(&file).map_err(|error| Error::io(&self.name, error))?;
                Box::new(file)
            }
        };
        Ok(Sheet { out: BufWriter::with_capacity(1 << 16, out), name: self.name, record: Vec::new() })
    }
}

/// Empties a file; a pipe or a device has nothing to empty.
fn empty(file: &File) -> std::io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

/// The output as it is written: a record at a time, so that none is ever there in part.
struct Sheet {
    out: BufWriter<Box<dyn Write>>,
    name: PathBuf,
    record: Vec<u8>,
}

impl Sheet {
    fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.record.clear();
        fill(&mut self.record);
        self.out.write_all(&self.record).map_err(|error| Error::io(&self.name, error))
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| Error::io(&self.name, error))
    }
}

/// How records of one form are written back.
trait Form {
    type Raw: Send + 'static;

    /// What stands before the first record.
    fn header(&self, _out: &mut Vec<u8>) {}
    /// A record with what was found.
    fn good(&self, raw: &Self::Raw, found: &Classified, out: &mut Vec<u8>);
    /// A record with what is wrong with it.
    fn bad(&self, raw: &Self::Raw, message: &str, out: &mut Vec<u8>);
    /// What is no record and goes through as it is.
    fn passes(&self, _raw: &Self::Raw, _out: &mut Vec<u8>) -> bool {
        false
    }
    /// The line of the input.
    fn line(&self, raw: &Self::Raw) -> u64;
    /// Its size in the input, about.
    fn bytes(&self, raw: &Self::Raw) -> usize;
}

/// Writes results back and counts them.
struct Writer<F> {
    form: F,
    output: Sheet,
    input_name: PathBuf,
    on_error: OnError,
    progress: Progress,
}

impl<F: Form> Writer<F> {
    fn begin(&mut self) -> Result<()> {
        self.output.write(|out| self.form.header(out))
    }

    fn bad(&mut self, raw: &F::Raw, error: &Error) -> Result<()> {
        let place = format!("{}:{}", self.input_name.display(), self.form.line(raw));
        match self.on_error {
            OnError::Keep => {
                self.progress.failed();
                self.output.write(|out| self.form.bad(raw, &error.to_string(), out))
            }
            OnError::Skip => {
                self.progress.failed();
                self.progress.say(&terminal::escaped(&format!("warning: {place}: {error}: left out")));
                Ok(())
            }
            OnError::Fail => Err(Error::Record(format!("{place}: {error}"))),
        }
    }
}

impl<F: Form> Sink<F::Raw> for Writer<F> {
    fn write(&mut self, raw: F::Raw, outcome: Result<Classified>) -> Result<()> {
        self.progress.advance(self.form.bytes(&raw));
        let mut passed = false;
        self.output.write(|out| passed = self.form.passes(&raw, out))?;
        match outcome {
            _ if passed => Ok(()),
            Ok(found) => {
                self.progress.classified(found.tokens, found.truncated);
                self.output.write(|out| self.form.good(&raw, &found, out))
            }
            Err(error) => self.bad(&raw, &error),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.output.flush()
    }
}

/// JSONL: fields set in the line.
struct Jsonl {
    output_field: String,
    decision: Decision,
    shape: ShapeArgs,
}

impl Form for Jsonl {
    type Raw = Line;

    fn good(&self, raw: &Line, found: &Classified, out: &mut Vec<u8>) {
        let mut fields = vec![(self.output_field.as_str(), self.shape.json(&self.decision, found))];
        if found.truncated {
            fields.push(("truncated", "true".into()));
        }
        raw.write(&fields, out);
    }

    fn bad(&self, raw: &Line, message: &str, out: &mut Vec<u8>) {
        raw.write(&[("error", json_string(message))], out);
    }

    fn passes(&self, raw: &Line, out: &mut Vec<u8>) -> bool {
        if raw.is_blank() {
            raw.write_unchanged(out);
        }
        raw.is_blank()
    }

    fn line(&self, raw: &Line) -> u64 {
        raw.number
    }

    fn bytes(&self, raw: &Line) -> usize {
        raw.size()
    }
}

/// CSV and TSV: columns behind the row's own.
struct Csv {
    columns: Columns,
    decision: Decision,
    list_separator: String,
    /// How many columns hold predictions; one more holds the error, where errors are kept.
    predicted: usize,
    keeps_errors: bool,
}

impl Csv {
    fn new<B: BufRead>(args: &Args, labels: &LabelSet, source: &csv::Reader<B>) -> anyhow::Result<Self> {
        let separator = &args.list_separator;
        if let Some(label) = labels.names().iter().find(|label| label.contains(separator.as_str())) {
            bail!("label {label:?} holds the separator {separator:?} of lists: give another --list-separator");
        }
        let decision = args.decision.decision();
        let mut added: Vec<String> = if decision.all_scores {
            labels.names().iter().map(|label| format!("score:{label}")).collect()
        } else {
            vec!["predicted_labels".into(), "predicted_scores".into()]
        };
        let predicted = added.len();
        let keeps_errors = args.on_error == OnError::Keep;
        if keeps_errors {
            added.push("error".into());
        }
        let columns = Columns::new(source.header(), &added, source.dialect());
        Ok(Self { columns, decision, list_separator: separator.clone(), predicted, keeps_errors })
    }

    fn write(&self, row: &Row, mut values: Vec<String>, error: &str, out: &mut Vec<u8>) {
        values.resize(self.predicted, String::new());
        if self.keeps_errors {
            values.push(error.to_owned());
        }
        self.columns.write(row, &values, out);
    }
}

impl Form for Csv {
    type Raw = Row;

    fn header(&self, out: &mut Vec<u8>) {
        self.columns.write_header(out);
    }

    fn good(&self, raw: &Row, found: &Classified, out: &mut Vec<u8>) {
        self.write(raw, csv_values(found, &self.decision, &self.list_separator), "", out);
    }

    fn bad(&self, raw: &Row, message: &str, out: &mut Vec<u8>) {
        self.write(raw, Vec::new(), message, out);
    }

    fn line(&self, raw: &Row) -> u64 {
        raw.number
    }

    fn bytes(&self, raw: &Row) -> usize {
        raw.size()
    }
}

/// The values of the predictions' columns: every score, or the labels that hold and their scores.
pub(super) fn csv_values(found: &Classified, decision: &Decision, list_separator: &str) -> Vec<String> {
    if decision.all_scores {
        return scores::scores(&found.logits, decision.single_label).iter().map(f32::to_string).collect();
    }
    let predictions = scores::decide(&found.logits, decision);
    let labels: Vec<&str> = predictions.iter().map(|prediction| prediction.name(&found.labels)).collect();
    let scores: Vec<String> = predictions.iter().map(|prediction| prediction.score.to_string()).collect();
    vec![labels.join(list_separator), scores.join(list_separator)]
}
