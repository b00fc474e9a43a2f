//! What can be asked of `gliclass batch`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Candidate, shard};
use crate::cli::args::{DecisionArgs, LabelArgs, ModelArgs, ShapeArgs, check_free, check_text_field, name_of};
use crate::cli::cells::LIST_SEPARATOR;
use crate::cli::format::Format;
use crate::digest::hex;
use crate::error::Error;
use crate::files;
use crate::kernels;
use crate::model::Device;
use crate::model::kept::KeptVectors;
use crate::records::input::{Input, Packing};
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES, PREDICTIONS, TRUNCATED};
use crate::records::output::Existing;
use crate::records::shard::Shard;
use crate::records::{Defaults, LabelSet};
use crate::scores::Decision;

/// Add labels to every record of a file or stream: JSONL, CSV, TSV or Parquet
///
/// A JSONL record is an object with the field `text`; its own fields `labels`, `prompt`, `examples`
/// and `rac_examples` take precedence over the command's. It comes out as it went in, byte for byte, with one
/// field more: "predictions": [{"label": "travel", "score": 0.93}], and "truncated": true if the
/// text did not fit. An existing field of that name is replaced.
///
/// CSV and TSV need a header. The columns come out as they went in, followed by `predicted_labels`,
/// `predicted_scores` and, with --on-error keep, `error`. In TSV a line is a row and a tab ends a cell, whatever
/// quotes there are; quotes around a whole cell are not part of its text.
///
/// Parquet: the columns come out as they went in, but for types that only Arrow knows, followed by `predicted_labels`
/// and `predicted_scores` (lists) and, with --on-error keep, `error`. A column `labels` of lists of texts takes
/// precedence over the command's labels. Row groups are written whole: nothing is left of one that was not completed.
///
/// Record N of the output belongs to record N of the input. Memory does not grow with the input. For plain
/// lines of text use `gliclass classify < lines.txt`.
///
/// Files whose names end in .gz or .zst are compressed and decompressed on the fly; compressed standard input is
/// recognized.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The records; with `-` or nothing, standard input
    pub(super) input: Option<PathBuf>,
    /// The output file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// The format of input and output [default: by the input's ending, else jsonl]
    #[arg(long, alias = "format", value_name = "FORMAT")]
    pub(super) input_format: Option<Format>,
    /// The field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", value_parser = NonEmptyStringValueParser::new())]
    pub(super) text_field: String,
    /// The field that receives the predictions (JSONL only)
    #[arg(long, value_name = "NAME", default_value = PREDICTIONS, value_parser = NonEmptyStringValueParser::new())]
    pub(super) output_field: String,
    /// Separates several labels or scores in a CSV or TSV cell
    #[arg(long, value_name = "S", default_value = LIST_SEPARATOR, value_parser = NonEmptyStringValueParser::new())]
    pub(super) list_separator: String,
    /// What happens to a record that cannot be classified
    #[arg(long, value_name = "MODE", default_value = "keep")]
    pub(super) on_error: OnError,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) labels: LabelArgs,
    #[command(flatten)]
    pub(super) decision: DecisionArgs,
    #[command(flatten)]
    pub(super) shape: ShapeArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}

/// How a long run survives, and grows past one machine.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Long runs")]
pub(super) struct RunArgs {
    /// Continue a run that was stopped, or start one that can be continued
    ///
    /// The state is kept beside the output, in OUTPUT.resume: killed at any instant and run again with the same
    /// command, the output is that of one uninterrupted run. A different input, model, option or version is refused.
    /// A finished run does nothing, unless the stream that it read now brings more. With --force it starts again. An
    /// output in .gz or .zst goes back to its last whole block, of 128 KiB of records.
    #[arg(long, requires = "output")]
    pub(super) resume: bool,
    /// Overwrite an existing output
    #[arg(long)]
    pub(super) force: bool,
    /// Only shard I of N, from 0; or `auto` in a job of Slurm or Kubernetes
    ///
    /// In a Slurm array `auto` finds both numbers, in an indexed Job of Kubernetes `auto/N` finds the first. Shards
    /// are contiguous and of about equal size: their outputs, concatenated in order, are the output of one run. Only
    /// shard 0 has the header of CSV or TSV. In Parquet a shard is a run of row groups, and its output a file of its
    /// own.
    #[arg(long, env = "GLICLASS_SHARD", value_name = "I/N")]
    pub(super) shard: Option<shard::Choice>,
}

const EXAMPLES: &str = "\
Examples:
  gliclass batch reviews.jsonl -o labelled.jsonl --labels praise,complaint,question
  gliclass batch mails.csv -o sorted.csv --text-field body --labels-file labels.txt --single-label
  gliclass batch in.parquet -o out.parquet --labels-file labels.txt --resume
  gliclass batch all.jsonl.zst -o out.jsonl.zst --labels-file labels.txt --resume
  gliclass batch in.jsonl -o out.jsonl --labels a,b --rac-examples solved.jsonl --rac-retrieve 3
  (for i in 0 1 2 3; do gliclass batch in.jsonl -o out.$i.jsonl -l a,b --shard $i/4 || exit; done) &&
    cat out.0.jsonl out.1.jsonl out.2.jsonl out.3.jsonl > out.jsonl
  tail -f log.jsonl | gliclass batch --labels error,warning,other | jq -c .predictions

Exit status: 0 done; 1 some records failed; 2 wrong usage or a model or file that cannot be used;
130 interrupted (Ctrl-C or SIGTERM; the second one stops at once).";

/// What happens to a bad record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnError {
    /// Written back with a field `error`; the exit status is 1 at the end
    Keep,
    /// Left out, with a line on standard error; the exit status is 1 at the end
    Skip,
    /// The run ends there; all records before it are written, in Parquet all row groups before its own
    Fail,
}

impl RunArgs {
    /// What becomes of an output that is there.
    pub(super) fn existing(self) -> Existing {
        match self {
            Self { force: true, .. } => Existing::Replace,
            Self { resume: true, .. } => Existing::Continue,
            _ => Existing::Refuse("--force overwrites it, --resume continues a run that was started with it"),
        }
    }
}

impl Args {
    /// The form of the input and of the output.
    pub(super) fn format(&self) -> Format {
        self.input_format.or_else(|| Format::of(self.input.as_deref()?)).unwrap_or(Format::Jsonl)
    }

    /// Checks what the options say together.
    ///
    /// # Errors
    /// Some of them exclude others.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let format = self.format();
        if let Some(other) = self.output.as_deref().and_then(Format::of).filter(|other| *other != format) {
            bail!("--output ends like {other}, but the output has the form of the input, {format}: rename it");
        }
        if let Some(output) = &self.output {
            let read = || self.labels.files().chain(self.decision.files());
            let examples = self.labels.rac_examples.as_deref().filter(|_| self.labels.rac_retrieve.is_some());
            let vectors = examples.map(KeptVectors::path_of);
            check_free("--output", output, read().chain(vectors.as_deref()))?;
            if self.run.resume {
                check_free("the state of --output", &files::state_of(output), read().chain(self.input.as_deref()))?;
            }
        }
        let taken = [self.text_field.as_str(), "labels", "prompt", "examples", "rac_examples", ERROR, TRUNCATED];
        if taken.contains(&self.output_field.as_str()) {
            bail!("--output-field {:?} is taken by another field: give another name", self.output_field);
        }
        if format == Format::Jsonl {
            self.check_text_field(&[ERROR, TRUNCATED])?;
        } else if self.output_field != PREDICTIONS {
            bail!("--output-field is for JSONL: {format} has the columns {PREDICTED_LABELS} and {PREDICTED_SCORES}");
        }
        if format == Format::Parquet {
            self.check_parquet()?;
        }
        if format != Format::Jsonl && (self.shape.hierarchical || self.shape.logits) {
            bail!("--hierarchical and --logits need JSONL: a column of {format} cannot hold them");
        }
        self.shape.check(&self.decision)?;
        if format != Format::Jsonl && self.decision.all_scores && self.decision.top_k.is_some() {
            bail!("--top-k with --all-scores needs JSONL: {format} has a column for every label");
        }
        Ok(())
    }

    /// Checks that the text is not overwritten by what is written.
    ///
    /// # Errors
    /// It has the name of a field or column that is.
    pub(super) fn check_text_field(&self, written: &[impl AsRef<str>]) -> anyhow::Result<()> {
        check_text_field(&self.text_field, written)
    }

    fn check_parquet(&self) -> anyhow::Result<()> {
        if cfg!(not(feature = "parquet")) {
            bail!("this program was built without Parquet: build it with --features parquet");
        }
        let paths = [&self.input, &self.output].into_iter().flatten();
        if let Some(packed) = paths.into_iter().find(|path| Packing::of(path).is_some()) {
            bail!("{}: Parquet is compressed inside: name a file without this ending", packed.display());
        }
        if self.output.is_none() && std::io::stdout().is_terminal() {
            bail!("Parquet is not for a terminal: give --output FILE");
        }
        if self.on_error == OnError::Skip {
            bail!("--on-error skip: no row of Parquet can be left out; `keep` says in a column `error` which failed");
        }
        Ok(())
    }

    /// Everything that the output depends on, by name.
    pub(super) fn facts(
        &self,
        candidate: &impl Candidate,
        defaults: &Defaults,
        decision: &Decision,
        shard: Option<Shard>,
        input: &Input,
    ) -> anyhow::Result<Map<String, Value>> {
        let mut facts = self.settings(defaults, decision);
        facts.insert("--shard".into(), shard.map(|shard| shard.to_string()).into());
        facts.insert("the input".into(), input.fingerprint()?);
        facts.insert("the model".into(), candidate.fingerprint()?.into());
        facts.insert("the version of gliclass".into(), env!("CARGO_PKG_VERSION").into());
        Ok(facts)
    }

    /// What the scores are computed with, which may change their last digits.
    pub(super) fn kernels(&self) -> anyhow::Result<String> {
        let processor = kernels::isa().map_err(Error::Usage)?.name();
        Ok(match self.model.base.device {
            Device::Auto | Device::Cpu => processor.to_owned(),
            gpu => format!("{processor} and {gpu:?}"),
        })
    }

    /// Every option that the output depends on, with its value.
    fn settings(&self, defaults: &Defaults, decision: &Decision) -> Map<String, Value> {
        let digest = |text: String| hex(Sha256::new_with_prefix(text));
        let shaped = |labels: &LabelSet| {
            let names: Vec<Value> = labels.names().iter().map(|name| name.as_str().into()).collect();
            if self.shape.hierarchical { labels.shaped(&names) } else { Value::Array(names) }
        };
        let settings = json!({
            "--input-format": self.format().to_string(),
            "--text-field": self.text_field,
            "--output-field": self.output_field,
            "--list-separator": self.list_separator,
            "--on-error": name_of(&self.on_error),
            "--labels": defaults.labels.as_deref().map(shaped),
            "--label-separator": defaults.label_separator,
            "--prompt": defaults.prompt.as_deref(),
            "--examples": digest(format!("{:?}", defaults.examples)),
            "--rac-examples": digest(format!("{:?}", defaults.rac_examples)),
            "--rac-retrieve": self.labels.rac_retrieve,
            "--single-label": self.decision.single_label,
            "--threshold": decision.threshold.to_string(),
            "--thresholds": decision.fitted.as_ref().map(|fitted| digest(format!("{fitted:?}"))),
            "--abstain-below": decision.abstain_below.map(|least| least.to_string()),
            "--wordings": defaults.labels.as_ref().and_then(|labels| Some(digest(format!("{:?}", labels.wordings()?)))),
            "--top-k": self.decision.top_k,
            "--all-scores": self.decision.all_scores,
            "--logits": self.shape.logits,
            "--hierarchical": self.shape.hierarchical,
            "--dtype": name_of(&self.model.dtype),
            "--max-length": self.model.base.max_length,
            "--on-overflow": name_of(&self.model.on_overflow),
            "--chunk-overlap": self.model.overlap(),
            "--labels-chunk-size": self.model.labels_chunk_size,
        });
        let Value::Object(settings) = settings else { unreachable!("an object was written above") };
        settings
    }
}
