//! `gliclass embed`: the vectors of texts and labels.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::bail;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ValueEnum};

use super::args::{LabelArgs, ModelArgs, check_free, check_text_field};
use super::format::check_jsonl;
use super::own_examples::OwnExamples;
use super::terminal::{self, Progress};
use crate::architectures::Vectors;
use crate::error::Result;
use crate::model::{Embedder, Overflow};
use crate::records::input::Input;
use crate::records::jsonl::{self, Line, json_string};
use crate::records::names::{ERROR, TRUNCATED};
use crate::records::output::{Existing, Output, Sheet};
use crate::records::{LabelSet, Raw, Reading};
use crate::runner::{Classified, Runner, Sink};

/// Write the vectors of texts and labels that the model compares, as JSONL
///
/// A record comes out as it went in, with two fields more: "text_embedding": [0.12, ...] and
/// "class_embeddings": {"travel": [0.07, ...], ...}, 32-bit numbers. They are the vectors after the
/// projectors, which the scorer compares. If the model reads labels and text together, as a uni-encoder does,
/// both change with the labels. A model whose scorer looks at every token gives a vector for each token.
///
/// Existing fields of these names are replaced, and so are "error", set on a record that cannot be read, and
/// "truncated", set if the text did not fit.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, mut_args(without_refused))]
pub struct Args {
    /// The records, as JSONL; with `-` or nothing, standard input
    input: Option<PathBuf>,
    /// The output file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing output
    #[arg(long)]
    force: bool,
    /// The field with the text
    #[arg(long, value_name = "NAME", default_value = "text", value_parser = NonEmptyStringValueParser::new())]
    text_field: String,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gliclass embed reviews.jsonl -o vectors.jsonl --labels praise,complaint
  echo '{\"text\": \"One day I will see the world!\"}' | gliclass embed -l travel | jq .text_embedding

Exit status: 0 done; 1 some records failed; 2 wrong usage or a model or file that cannot be used;
130 interrupted.";

/// Hides what other commands with a model and labels have, and this one refuses with the reason, or has no use for.
fn without_refused(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "wordings" | "rac_retrieve" | "chunk_overlap" | "labels_chunk_size" => arg.hide(true),
        "on_overflow" => {
            let modes = Overflow::value_variants().iter();
            let shown = modes.filter_map(|mode| Some(mode.to_possible_value()?.hide(*mode == Overflow::Chunk)));
            let mode = |name: String| Overflow::from_str(&name, false);
            arg.value_parser(PossibleValuesParser::new(shown).try_map(mode))
        }
        _ => arg,
    }
}

/// The fields with vectors.
const TEXT: &str = "text_embedding";
const LABELS: &str = "class_embeddings";

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a model or file that cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.model.on_overflow == Overflow::Chunk || args.model.labels_chunk_size.is_some() {
        bail!("--on-overflow chunk and --labels-chunk-size: a record has one vector, it cannot be read in pieces");
    }
    if args.labels.rac_retrieve.is_some() {
        bail!("--rac-retrieve: solved cases are found by these vectors, they cannot change them");
    }
    if args.labels.wordings {
        bail!("--wordings: every wording has a vector of its own, give them as labels");
    }
    check_text_field(&args.text_field, &[TEXT, LABELS, ERROR, TRUNCATED])?;
    if let Some(input) = &args.input {
        check_jsonl("the input", input)?;
    }
    if let Some(output) = &args.output {
        check_jsonl("--output", output)?;
        check_free("--output", output, args.labels.files())?;
    }
    let reading =
        Reading { text_field: args.text_field.clone(), defaults: args.labels.defaults(args.model.base.verbosity)? };
    let own_examples = OwnExamples::new(&reading.defaults);
    let mut input = Input::open(args.input.as_deref())?;
    let existing = if args.force { Existing::Replace } else { Existing::Refuse("--force overwrites it") };
    let output = Output::open(args.output.as_deref(), existing, &input)?;
    args.model.base.verbosity.invite(args.input.as_deref());
    if !terminal::is_awaited(args.input.as_deref()) {
        jsonl::refuse_other(&mut input)?;
    }
    let size = input.size()?;
    args.model.base.share_threads()?;
    let model = args.model.load(false)?;
    let model = Embedder(&model);
    let progress = Progress::new(size, args.model.base.verbosity.quiet).beside(&output);
    let mut writer = Writer { output: output.begin(0)?, progress, input_name: input.name.clone() };
    let interrupted = terminal::listen_for_interrupt()?;
    let runner = Runner::new(args.model.base.threads(), Some(interrupted));
    let records = own_examples.counted(jsonl::Reader::new(input.stream, &input.name, reading));
    let result = runner.run(&model, records, &mut writer);
    let finished = writer.output.finish();
    let result = result.and(finished);
    if result.is_ok() {
        own_examples.tell(|line| writer.progress.say(line));
    }
    writer.progress.finish(&result);
    result?;
    Ok(terminal::status(interrupted.load(Ordering::Relaxed), writer.progress.errors() > 0))
}

/// The output as it is written.
struct Writer {
    output: Sheet,
    progress: Progress,
    input_name: PathBuf,
}

impl Sink<Line> for Writer {
    fn write(&mut self, line: Line, outcome: Result<Classified>) -> Result<()> {
        self.progress.advance(line.size());
        match outcome {
            _ if line.is_blank() => self.output.write(|out| line.write_unchanged(out)),
            Ok(found) => {
                self.progress.classified(found.tokens, found.truncated);
                self.output.write(|out| _ = line.write(&fields(&found), &[TEXT, ERROR, TRUNCATED], out))
            }
            Err(error) => {
                self.progress.failed(format!("{}:{}: {error}", self.input_name.display(), line.begin().line));
                let error = (ERROR, json_string(&error.to_string()));
                self.output.write(|out| _ = line.write(&[error], &[TEXT, LABELS, TRUNCATED], out))
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.output.flush()
    }
}

/// The fields that a record gets.
fn fields(found: &Classified) -> Vec<(&'static str, String)> {
    let vectors = Vectors::from_list(&found.logits, found.labels.len());
    let text = match &vectors.text[..] {
        [one] => json(one),
        all => json(all),
    };
    let mut fields = vec![(TEXT, text), (LABELS, by_label(&found.labels, &vectors.labels))];
    fields.extend(found.truncated.then(|| (TRUNCATED, "true".into())));
    fields
}

fn by_label(labels: &LabelSet, vectors: &[Vec<f32>]) -> String {
    let pairs =
        labels.names().iter().zip(vectors).map(|(name, vector)| format!("{}:{}", json_string(name), json(vector)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("lists of numbers are JSON: this is a bug")
}
