//! `gliclass batch`: records in, the same records out with their labels.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use serde_json::{Map, Value};

#[cfg(feature = "parquet")]
use self::forms::Parquet;
use self::forms::{Csv, Form, Jsonl};
pub use self::options::Args;
use self::resume::Keeper;
use self::writer::Writer;
use super::args::ModelArgs;
use super::format::Format;
use super::own_examples::OwnExamples;
use super::retrieval::Retrieval;
use super::terminal::{self, Progress};
use crate::adapted::Adapted;
use crate::classifier::Classifier;
use crate::error::Error;
use crate::model;
use crate::records::input::{Input, Packing};
use crate::records::output::{Output, Sheet};
#[cfg(feature = "parquet")]
use crate::records::parquet;
use crate::records::shard::{Shard, Until};
use crate::records::{Defaults, Reading, Source, csv, jsonl};
use crate::runner::Runner;
use crate::scores::Thresholds;

mod forms;
mod options;
mod resume;
pub mod shard;
mod writer;

/// A model that is named and not loaded yet.
pub trait Candidate {
    /// What it becomes.
    type Model: Classifier;

    /// What tells it from another model.
    ///
    /// # Errors
    /// It is not there.
    fn fingerprint(&self) -> anyhow::Result<String>;

    /// Loads it.
    ///
    /// # Errors
    /// It is damaged, or this build or machine cannot run it.
    fn load(self) -> anyhow::Result<Self::Model>;
}

/// The model of the command line.
struct Named {
    args: ModelArgs,
    source: model::Source,
    retrieval: Option<Retrieval>,
    single_label: bool,
}

impl Candidate for Named {
    type Model = model::Model;

    fn fingerprint(&self) -> anyhow::Result<String> {
        self.args.base.fingerprint(&self.source)
    }

    fn load(self) -> anyhow::Result<model::Model> {
        self.args.load_with(&self.source, self.retrieval, self.single_label)
    }
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a model or file that cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let single_label = args.decision.single_label;
    args.model.base.share_threads()?;
    run_with(args, |args, defaults| {
        let retrieval = Retrieval::new(&args.labels, defaults)?;
        let args = args.model.clone();
        Ok(Named { source: args.base.source()?, args, retrieval, single_label })
    })
}

/// Runs the command with a model found by `find`, which is not asked where there is nothing to do.
///
/// # Errors
/// Wrong usage, or a model or file that cannot be used.
pub fn run_with<C: Candidate>(
    args: Args,
    find: impl FnOnce(&Args, &Defaults) -> anyhow::Result<C>,
) -> anyhow::Result<ExitCode> {
    args.check()?;
    let defaults = args.labels.defaults(args.model.base.verbosity)?;
    let decision = args.decision.decision(defaults.labels.as_deref())?;
    let shard = args.run.shard.map(|choice| choice.shard(|name| std::env::var(name).ok())).transpose()?;
    let mut input = Input::open(args.input.as_deref())?;
    let output = Output::open(args.output.as_deref(), args.run.existing(), &input)?;
    let format = args.format();
    args.model.base.verbosity.invite(args.input.as_deref());
    let is_looked_at = format != Format::Parquet && !terminal::is_awaited(args.input.as_deref());
    let is_nothing = is_looked_at && input.is_empty()?;
    if is_looked_at {
        if is_nothing && args.needs_no_model(&output)? {
            return args.write_nothing(output);
        }
        if format == Format::Jsonl { jsonl::refuse_other(&mut input)? } else { input.refuse_utf16()? }
    }
    let candidate = find(&args, &defaults)?;
    let keeper = args.keeper(&output, || args.facts(&candidate, &defaults, &decision, shard, &input))?;
    let fitted = decision.fitted.clone();
    let own_examples = OwnExamples::new(&defaults);
    #[cfg(feature = "parquet")]
    if format == Format::Parquet {
        let reading = Reading { text_field: args.text_field.clone(), defaults };
        let path = input.plain_file().with_context(|| {
            let name = input.name.display();
            format!("{name}: Parquet needs a file, which can be read from any place")
        })?;
        let source = parquet::Reader::open(path, reading)?;
        let range = shard.map(|shard| source.whole_groups(shard.range(source.rows())));
        let size = Some(source.rows());
        let stage = Stage { candidate, fitted, own_examples, output, keeper, size, range, has_header: true };
        return args.stream(Parquet::new(&args, decision, &source)?, source, stage);
    }
    let range = shard.map(|shard| part(shard, &input)).transpose()?;
    let has_header = shard.is_none_or(Shard::is_first);
    let stage = Stage { candidate, fitted, own_examples, output, keeper, size: input.size()?, range, has_header };
    match format {
        // Nothing has no header.
        format if format == Format::Jsonl || is_nothing => {
            let reading = Reading { text_field: args.text_field.clone(), defaults };
            let source = jsonl::Reader::new(input.stream, &input.name, reading);
            args.stream(Jsonl::new(&args, decision), source, stage)
        }
        format => {
            let delimiter = if format == Format::Csv { b',' } else { b'\t' };
            let labels = defaults.labels.clone().context("no labels: CSV and TSV need --labels or --labels-file")?;
            let source = csv::Reader::new(input.stream, &input.name, delimiter, &args.text_field, defaults)?;
            args.stream(Csv::new(&args, decision, &labels, &source)?, source, stage)
        }
    }
}

/// The bytes of the input in which the records of a shard begin.
fn part(shard: Shard, input: &Input) -> anyhow::Result<Range<u64>> {
    let size = input.measured_size()?;
    let name = input.name.display();
    Ok(shard.range(size.with_context(|| format!("{name}: --shard needs a file, whose size is known"))?))
}

/// What a run is made of, beside its records.
struct Stage<C> {
    candidate: C,
    fitted: Option<Arc<Thresholds>>,
    own_examples: OwnExamples,
    output: Output,
    keeper: Option<Keeper>,
    /// The size of the input, where that is known, and the part of it that is to be done, if that is not all: in
    /// bytes, of Parquet in rows.
    size: Option<u64>,
    range: Option<Range<u64>>,
    has_header: bool,
}

impl Args {
    /// Whether a run over an input of nothing ends before the model is looked for.
    fn needs_no_model(&self, output: &Output) -> anyhow::Result<bool> {
        // There must be a state to say that an archive of nothing was begun with --resume.
        let needs_state = self.run.resume && self.output.as_deref().and_then(Packing::of).is_some();
        Ok(!needs_state && (self.run.force || output.size()?.unwrap_or(0) == 0))
    }

    /// The whole of such a run.
    fn write_nothing(&self, output: Output) -> anyhow::Result<ExitCode> {
        // A name that is none is told all the same.
        self.model.base.folder()?;
        self.begin(output, 0)?.finish()?;
        Progress::new(None, self.model.base.verbosity.quiet).finish(&Ok(()));
        Ok(ExitCode::SUCCESS)
    }

    /// The state of a run with these facts that can be gone on with, if that is wanted.
    fn keeper(
        &self,
        output: &Output,
        facts: impl FnOnce() -> anyhow::Result<Map<String, Value>>,
    ) -> anyhow::Result<Option<Keeper>> {
        let Some(path) = self.output.as_deref().filter(|_| self.run.resume) else { return Ok(None) };
        let size = output.size()?.with_context(|| format!("{}: --resume needs a file as --output", path.display()))?;
        let (run, kernels) = (facts()?, self.kernels()?);
        if self.run.force {
            return Ok(Some(Keeper::begin(path, run, kernels)));
        }
        let keeper = Keeper::open(path, size, run, kernels.clone())?;
        if keeper.kernels() != kernels {
            let before = keeper.kernels();
            self.model.base.say(&format!(
                "warning: started with {before} kernels, now {kernels}: scores may differ in the last digits"
            ));
        }
        Ok(Some(keeper))
    }

    /// Cuts the output to what is gone on with. The state of another run does not outlive what it speaks of.
    fn begin(&self, output: Output, size: u64) -> anyhow::Result<Sheet> {
        if let Some(anew) = output.file().filter(|_| self.run.force || !self.run.resume) {
            resume::forget(anew)?;
        }
        Ok(output.begin(size)?)
    }

    fn stream<F: Form>(
        &self,
        mut form: F,
        mut source: impl Source<Raw = F::Raw>,
        stage: Stage<impl Candidate>,
    ) -> anyhow::Result<ExitCode> {
        let Stage { candidate, fitted, own_examples, output, mut keeper, size, range, has_header } = stage;
        let size = range.as_ref().map_or(size, |range| Some(range.end - range.start));
        let (start, end) = range.map_or((0, None), |range| (range.start, Some(range.end)));
        source.seek_record(start)?;
        let resumed = keeper.as_mut().map(|keeper| keeper.resume(&mut source, end.is_none(), &mut form));
        let before = resumed.transpose()?.flatten();
        let errors_before = before.as_ref().map_or(0, |done| done.errors);
        if errors_before > 0 {
            terminal::say(&format!("error: {} before", terminal::failures(errors_before)));
        }
        if let Some(done) = &before {
            if done.complete {
                self.model.base.say("nothing to do: already finished");
                output.keep();
                return Ok(terminal::status(false, errors_before > 0));
            }
            self.model.base.say(&format!("continuing after {} records", done.records));
        } else if keeper.as_ref().is_some_and(Keeper::is_begun) {
            self.model.base.say("starting again: nothing whole was written yet");
        }
        let model = Adapted::new(candidate.load()?, fitted);
        let interrupted = terminal::listen_for_interrupt()?;
        let mut progress = Progress::new(size, self.model.base.verbosity.quiet).beside(&output);
        if let Some(done) = &before {
            progress.begin_at(done.input.byte.saturating_sub(start));
        }
        let written = keeper.as_ref().map_or(0, |keeper| keeper.done().output);
        let input_name = source.name().to_owned();
        let output = self.begin(output, written)?;
        let mut writer = Writer { form, output, keeper, input_name, on_error: self.on_error, progress };
        writer.begin(has_header && written == 0)?;
        let runner = Runner::new(self.model.base.threads(), Some(interrupted));
        let result = runner.run(&model, own_examples.counted(Until::new(source, end)), &mut writer);
        let was_interrupted = interrupted.load(Ordering::Relaxed);
        // Where the run failed, what can still be written is; the first error is the one to tell.
        let ended = writer.end(result.is_ok() && !was_interrupted);
        let result = result.and(ended);
        if result.is_ok() {
            own_examples.tell(|line| writer.progress.say(line));
        }
        writer.progress.finish(&result);
        if let Err(error @ Error::Record(_)) = &result {
            terminal::say(&format!("error: {}", terminal::escaped(&error.to_string())));
            return Ok(ExitCode::FAILURE);
        }
        result?;
        Ok(terminal::status(was_interrupted, errors_before + writer.progress.errors() > 0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Result;
    use crate::classifier::Encoded;
    use crate::records::Record;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    /// A model with a bug: it panics at the text "panic", or at all.
    struct Panics {
        always: bool,
    }

    impl Classifier for Panics {
        fn encode(&self, record: &Record) -> Result<Encoded> {
            let tokens = vec![u32::from(self.always || record.text == "panic")];
            Ok(Encoded::new(tokens, Vec::new(), &record.labels, false))
        }

        fn logits(&self, batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
            assert!(batch.iter().all(|one| one.tokens == [0]), "a worker panics");
            Ok(batch.iter().map(|one| vec![1.0; one.labels.len()]).collect())
        }
    }

    impl Candidate for Panics {
        type Model = Self;

        fn fingerprint(&self) -> anyhow::Result<String> {
            Ok("panics".into())
        }

        fn load(self) -> anyhow::Result<Self> {
            Ok(self)
        }
    }

    #[test]
    #[cfg(feature = "parquet")]
    fn a_table_of_which_nothing_was_done_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, output] = ["whole.parquet", "out.parquet"].map(|name| folder.path().join(name));
        let input = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/gaps.parquet");
        let run = |output: &std::path::Path, model: Panics| {
            let line = ["batch", input, "-o", output.to_str().unwrap(), "-q", "--labels", "a", "--resume"];
            run_with(Cli::parse_from(line).args, |_, _| Ok(model))
        };
        run(&whole, Panics { always: false }).unwrap();
        assert!(run(&output, Panics { always: true }).is_err());
        run(&output, Panics { always: false }).unwrap();
        assert!(std::fs::read(&output).unwrap() == std::fs::read(&whole).unwrap());
    }

    #[test]
    fn a_panic_of_a_worker_ends_the_run_with_whole_records_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let good: String = (0..5000).map(|number| format!("{{\"text\":\"{number}\"}}\n")).collect();
        std::fs::write(path("in.jsonl"), good.clone() + "{\"text\":\"panic\"}\n" + &good).unwrap();
        let (input, output) = (path("in.jsonl"), path("out.jsonl"));
        let line =
            ["batch", input.to_str().unwrap(), "-o", output.to_str().unwrap(), "-q", "--labels", "a", "--resume"];
        for _ in 0..2 {
            let error = run_with(Cli::parse_from(line).args, |_, _| Ok(Panics { always: false })).unwrap_err();
            assert!(format!("{error:#}").contains("a worker panics (this is a bug"), "{error:#}");
            let written = std::fs::read_to_string(&output).unwrap();
            let lines = written.lines().count();
            // What shared a batch with the culprit is lost with it.
            assert!(lines > 3000 && lines <= 5000 && written.ends_with("}]}\n"), "{lines}");
        }
    }
}
