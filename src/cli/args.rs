//! Options that several commands share. What was typed is here; what it means is built once, before any work.

use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::terminal;
use super::transfer::Transfer;
use crate::files;
use crate::model;
use crate::model::hub::{self, Request};
use crate::model::{Device, Model, Options, Overflow, Pieces, Precision, Source};
use crate::records::{Defaults, LabelSet, RacExample, labelled, labels, left_out};
use crate::runner::{Classified, NO_THREAD};
use crate::scores::{self, Decision, Thresholds};

/// The name of the model inside the program.
pub const BUILTIN: &str = "builtin";

const MODEL_VARIABLE: &str = "GLICLASS_MODEL";

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Messages")]
pub struct Verbosity {
    /// Print only errors: no progress, no summary, no hints
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: what was loaded, how large it is, how it runs
    #[arg(short, long)]
    pub verbose: bool,
}

impl Verbosity {
    /// Says a line, unless nothing but errors is said.
    pub fn say(self, line: &str) {
        if !self.quiet {
            terminal::say(&terminal::escaped(line));
        }
    }

    /// Says a line where more is said.
    pub fn detail(self, line: &str) {
        if self.verbose {
            terminal::say(&terminal::escaped(line));
        }
    }

    /// Says so to somebody at a terminal who is to type the input, so that nobody waits for a program that waits.
    pub fn invite(self, input: Option<&Path>) {
        if terminal::is_awaited(input) {
            self.say("Reading records from the terminal; Ctrl-D ends.");
        }
    }
}

/// The options that were typed: those with a default, or from the environment, are not.
///
/// Stands before the options that it is to know, which take themselves out of what was parsed.
#[derive(Debug, Clone, Default)]
pub struct Typed(HashSet<String>);

impl Typed {
    /// Whether this option was typed: its long name, without the dashes.
    pub fn has(&self, option: &str) -> bool {
        self.0.contains(&option.replace('-', "_"))
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = matches.ids().map(clap::Id::as_str);
        let typed = names.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine));
        Ok(Self(typed.map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

/// Which model, and where it runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct BaseArgs {
    /// The model: `builtin`, a folder, or a repository of the Hub
    ///
    /// `builtin` is the small model inside the program: it needs no download. A name that is an
    /// existing folder, or begins with `.`, `/` or `~`, is a folder with config.json, tokenizer.json
    /// and weights. Anything else is a repository of the Hugging Face Hub, such as
    /// knowledgator/gliclass-base-v3.0. It is fetched into the Hugging Face cache, and again if it has
    /// changed: a run looks up the current revision, unless --offline is given or --revision names a commit.
    #[arg(short, long, env = MODEL_VARIABLE, value_name = "NAME", default_value = BUILTIN)]
    pub model: String,
    /// Branch, tag or commit of a Hub repository [default: main]
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Do not use the network: what is not in the cache is an error
    ///
    /// HF_HUB_OFFLINE does the same where it is 1, on, yes or true, as in Python.
    #[arg(long, env = "HF_HUB_OFFLINE", value_parser = is_true)]
    pub offline: bool,
    /// Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`
    ///
    /// `auto` takes a GPU if the program was built for one and one is found, else the processor.
    #[arg(long, env = "GLICLASS_DEVICE", value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: Device,
    /// Number of processor threads [default: all]
    #[arg(short = 'j', long, value_name = "N", value_parser = up_to::<1024>)]
    pub threads: Option<NonZeroUsize>,
    /// Most tokens that a text and its labels may have together
    ///
    /// A longer text is cut, labels never are. Reduced to what the model can hold. Longer sequences take more
    /// time and memory.
    #[arg(long, value_name = "N", default_value = "1024", value_parser = from_one)]
    pub max_length: NonZeroUsize,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub verbosity: Verbosity,
}

/// Which model, and how it classifies.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub base: BaseArgs,
    /// Number format of the computation
    #[arg(long, help_heading = "Model", value_name = "TYPE", value_enum, default_value_t)]
    pub dtype: Precision,
    /// What happens to a text that is too long
    #[arg(long, help_heading = "Model", value_name = "MODE", value_enum, default_value_t)]
    pub on_overflow: Overflow,
    /// With --on-overflow chunk: tokens shared by two pieces [default: 64]
    ///
    /// At most half of a piece. Counted in tokens, which differ between models, not in characters.
    #[arg(long, help_heading = "Model", value_name = "N", value_parser = from_zero::<usize>)]
    pub chunk_overlap: Option<usize>,
    /// Read at most N labels at once [default: all]
    ///
    /// A longer list is read in several passes. With --single-label, the softmax is over all labels.
    #[arg(long, help_heading = "Model", value_name = "N", value_parser = from_one)]
    pub labels_chunk_size: Option<NonZeroUsize>,
}

impl ModelArgs {
    /// Tokens that a piece has in common with the one before.
    pub fn overlap(&self) -> usize {
        const OVERLAP: usize = 64;
        self.chunk_overlap.unwrap_or(OVERLAP)
    }

    /// Finds the model (fetching it from the Hub where need be) and loads it, for scores by softmax where
    /// `single_label`.
    ///
    /// # Errors
    /// The model is not there, is damaged, or needs what this build or machine does not have.
    pub fn load(&self, single_label: bool) -> anyhow::Result<Model> {
        self.load_from(&self.base.source()?, single_label)
    }

    /// Loads the model that was found.
    ///
    /// # Errors
    /// The model is damaged, or needs what this build or machine does not have.
    pub fn load_from(&self, source: &Source, single_label: bool) -> anyhow::Result<Model> {
        if self.chunk_overlap.is_some() && self.on_overflow != Overflow::Chunk {
            bail!("--chunk-overlap is for texts that are read in pieces: add --on-overflow chunk, or leave it out");
        }
        let options = Options {
            precision: self.dtype,
            pieces: Pieces {
                overflow: self.on_overflow,
                overlap: self.overlap(),
                labels: self.labels_chunk_size,
                single_label,
            },
            ..self.base.options(source)?
        };
        let model = Model::load(source, &options).with_context(|| self.base.failure())?;
        model.describe().iter().for_each(|line| self.base.verbosity.detail(line));
        Ok(model)
    }
}

impl BaseArgs {
    /// Says a line, unless nothing but errors is said.
    pub fn say(&self, line: &str) {
        self.verbosity.say(line);
    }

    /// What loading needs to know.
    ///
    /// # Errors
    /// As [`BaseArgs::label_model`].
    pub fn options(&self, source: &Source) -> anyhow::Result<Options> {
        Ok(Options {
            device: self.device,
            max_length: self.max_length.get(),
            notify: if self.verbosity.quiet { |_| () } else { terminal::say },
            label_model: self.label_model(source)?,
            ..Options::default()
        })
    }

    /// What is said where the model cannot be loaded, before the cause.
    pub fn failure(&self) -> String {
        format!("cannot load the model {}", self.model)
    }

    /// What tells the model, with the tokenizer of its labels, from another.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self, source: &Source) -> anyhow::Result<String> {
        Ok(model::fingerprint(source, self.label_model(source)?.as_deref())?)
    }

    /// How many processor threads to use.
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(available_threads, NonZeroUsize::get)
    }

    /// Makes these threads, and no others, share the work of loading a model, of figures and of tensor operations.
    ///
    /// # Errors
    /// They cannot be started.
    pub fn share_threads(&self) -> anyhow::Result<()> {
        match rayon::ThreadPoolBuilder::new().num_threads(self.threads()).build_global() {
            Err(error) if error.source().is_some() => Err(error).context(NO_THREAD),
            // An error without a cause means that they were made already.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the model is the one inside the program.
    pub fn is_builtin(&self) -> bool {
        self.model == BUILTIN
    }

    /// Finds the model, and fetches it from the Hub where need be.
    ///
    /// # Errors
    /// There is no such folder or repository, it cannot be reached, or what is no repository has a revision.
    pub fn source(&self) -> anyhow::Result<Source> {
        if !self.is_local() && !has_owner(&self.model) {
            bail!(
                "{}: there is no such folder; for a repository of the Hub give {}; `builtin` is the model inside the \
                 program",
                self.named(),
                hub::right_name(&self.model)
            );
        }
        self.backbone()
    }

    /// The same for a plain encoder: of these the Hub has some without an owner, such as bert-base-uncased.
    ///
    /// # Errors
    /// As [`BaseArgs::source`].
    pub fn backbone(&self) -> anyhow::Result<Source> {
        let source = self.find()?;
        if let (Some(revision), true) = (&self.revision, self.is_local()) {
            let model = &self.model;
            bail!(
                "--revision {revision}: {model} is not a repository of the Hub: leave it out, or name one with --model"
            );
        }
        Ok(source)
    }

    /// The same, whether the revision is meant for it or not.
    ///
    /// # Errors
    /// There is no such folder or repository, or it cannot be reached.
    pub fn find(&self) -> anyhow::Result<Source> {
        if let Some(folder) = self.folder()? {
            return Ok(Source::Folder(folder));
        }
        if self.is_builtin() {
            return Ok(Source::Builtin);
        }
        self.fetch().map(Source::Folder)
    }

    /// Whether nothing is fetched for it: it is a folder, or inside the program.
    fn is_local(&self) -> bool {
        self.is_builtin() || folder(&self.model).is_some()
    }

    /// The model as messages name it, with the variable where that is what names it.
    fn named(&self) -> String {
        let is_variable = std::env::var_os(MODEL_VARIABLE).is_some_and(|value| value == *self.model);
        let of = if is_variable { format!(" of {MODEL_VARIABLE}") } else { String::new() };
        format!("model {:?}{of}", self.model)
    }

    /// The folder that the model's name means, if it means one.
    ///
    /// # Errors
    /// There is no such folder, or it is none of a model.
    pub fn folder(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = folder(&self.model) else { return Ok(None) };
        if folder.is_file() {
            bail!("{}: is a file, not the folder of a model", self.named());
        }
        if !folder.is_dir() {
            bail!("{}: there is no such folder", self.named());
        }
        if !folder.join("config.json").is_file() {
            bail!(
                "{}: is not the folder of a model: it needs config.json, tokenizer.json and weights, such as \
                 model.safetensors",
                self.named()
            );
        }
        Ok(Some(folder))
    }

    /// The folder of a bi-encoder's label tokenizer, where it lies in a repository of its own.
    ///
    /// # Errors
    /// It is not there and cannot be fetched.
    pub fn label_model(&self, source: &Source) -> anyhow::Result<Option<PathBuf>> {
        let Source::Folder(folder) = source else { return Ok(None) };
        Ok(hub::fetch_label_tokenizer(folder, self.offline, &Transfer::new(self.verbosity.quiet))?)
    }

    fn fetch(&self) -> anyhow::Result<PathBuf> {
        let (repo, revision) = (self.model.clone(), self.revision.clone());
        let request = Request { repo, revision, offline: self.offline };
        Ok(hub::fetch(&request, &Transfer::new(self.verbosity.quiet))?)
    }
}

/// How many threads this machine can run at once.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The folder that a model's name means, if it means one.
fn folder(name: &str) -> Option<PathBuf> {
    if let Some(below) = name.strip_prefix("~/") {
        let home = std::env::home_dir().unwrap_or_default();
        return Some(home.join(below));
    }
    let path = Path::new(name);
    let looks_like_one = name.starts_with(['.', '/', '~']) || path.is_absolute();
    (looks_like_one || (name != BUILTIN && path.exists())).then(|| path.to_owned())
}

/// Whether a name has the form of those of the Hub.
fn has_owner(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

/// A whole number from 1.
pub fn from_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "give a whole number from 1")
}

/// A whole number from 0.
pub fn from_zero<N: FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "give a whole number from 0")
}

/// A whole number from 1 to `MOST`: what would take more memory or threads than there are is refused.
pub fn up_to<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("give a whole number from 1 to {MOST}"))
}

fn device(text: &str) -> Result<Device, &'static str> {
    match text {
        "auto" => Ok(Device::Auto),
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        "metal" => Ok(Device::Metal),
        _ => text
            .strip_prefix("cuda:")
            .and_then(|number| number.parse().ok())
            .map(Device::Cuda)
            .ok_or("give auto, cpu, cuda, metal or cuda:N, such as cuda:0"),
    }
}

/// The candidate labels.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Labels")]
pub struct CandidateArgs {
    /// Candidate labels, comma-separated; may be given several times
    ///
    /// A label that holds a comma is quoted as in CSV: --labels '"sports, outdoors",travel'.
    /// Labels are used as they are typed: never lower-cased, sorted or merged.
    #[arg(short, long, value_name = "A,B,C")]
    pub labels: Vec<String>,
    /// Candidate labels from a file: one per line, or JSON
    ///
    /// JSON is an array of strings, or a nested object for a hierarchy:
    /// {"travel": ["flights", "hotels"], "sport": ["football"]} has the labels travel.flights,
    /// travel.hotels and sport.football.
    #[arg(long, value_name = "FILE", conflicts_with = "labels")]
    pub labels_file: Option<PathBuf>,
    /// Separates the levels of a hierarchy of labels
    #[arg(long, value_name = "S", default_value = ".", value_parser = NonEmptyStringValueParser::new())]
    pub label_separator: String,
}

impl CandidateArgs {
    /// The candidate labels, if any were given; with `wordings`, lists in the file are wordings. A label that may be
    /// meant as a file, and one that may be meant as a list, are told.
    ///
    /// # Errors
    /// The file cannot be read, or a label is empty or given twice.
    pub fn read(&self, wordings: bool, verbosity: Verbosity) -> anyhow::Result<Option<Arc<LabelSet>>> {
        if let [name] = &self.labels[..]
            && Path::new(name).is_file()
        {
            verbosity.say(&format!(
                "note: --labels {name}: one label, though there is a file of this name: --labels-file reads it"
            ));
        }
        let labels = match &self.labels_file {
            Some(path) => self.read_file(path, wordings, verbosity)?,
            None if self.labels.is_empty() => return Ok(None),
            None => labels::from_options(&self.labels).context("--labels")?,
        };
        Ok(Some(Arc::new(labels)))
    }

    fn read_file(&self, path: &Path, wordings: bool, verbosity: Verbosity) -> anyhow::Result<LabelSet> {
        let labels = labels::from_file(path, &self.label_separator, wordings).context("--labels-file")?;
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if !is_json && matches!(labels.names(), [name] if name.contains(',')) {
            verbosity.say(&format!(
                "warning: --labels-file {}: one label, with commas in it: if these are several, write one per line",
                path.display()
            ));
        }
        Ok(labels)
    }
}

/// The candidate labels, and what is said beside the text.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Labels")]
pub struct LabelArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub candidates: CandidateArgs,
    /// Read lists in --labels-file as wordings of one label
    ///
    /// {"sport": ["sport", "sports news"]} then has one label, sport, with the score of its best wording, and is not
    /// a hierarchy.
    #[arg(long, requires = "labels_file", conflicts_with = "labels")]
    pub wordings: bool,
    /// The task in words, such as "Classify the mood"
    ///
    /// The model reads it before the text.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Examples to show the model with every text
    ///
    /// A JSON array or JSONL of {"text": "...", "labels": ["..."]}.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// Solved cases, for models trained to see them beside the text
    ///
    /// A JSON array or JSONL of {"text": "...", "all_labels": ["..."], "true_labels": ["..."]}.
    #[arg(long, value_name = "FILE")]
    pub rac_examples: Option<PathBuf>,
    /// Show only the K solved cases nearest to each text [default: all]
    ///
    /// Nearest by the cosine of the model's own vectors of the texts, each read with the command's labels; nearest
    /// first, ties in the order of the file. Cases without true labels are left out. A case with the record's own
    /// text is not, so keep the records you measure on out of the file. A record with its own `rac_examples` keeps
    /// these. The vectors of the cases are computed once and kept in FILE.vectors, if the folder is writable. Each
    /// record is read twice, once alone and once with its cases.
    #[arg(long, value_name = "K", requires = "rac_examples", value_parser = from_one)]
    pub rac_retrieve: Option<NonZeroUsize>,
}

impl LabelArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.candidates.labels_file, &self.examples, &self.rac_examples].into_iter().flatten().map(PathBuf::as_path)
    }

    /// What a record has that says nothing else. Examples that cannot be written, and a label that may be meant as a
    /// file, are told.
    ///
    /// # Errors
    /// A file cannot be read, or a label is empty or given twice.
    pub fn defaults(&self, verbosity: Verbosity) -> anyhow::Result<Defaults> {
        let rac_examples: Arc<[RacExample]> =
            labels::examples_from_file(self.rac_examples.as_deref()).context("--rac-examples")?;
        let useless = left_out(&rac_examples);
        if let Some(path) = self.rac_examples.as_deref().filter(|_| useless > 0) {
            let (path, count) = (path.display(), rac_examples.len());
            verbosity.say(&format!("warning: {path}: {useless} of {count} examples have no true label: left out"));
        }
        Ok(Defaults {
            labels: self.candidates.read(self.wordings, verbosity)?,
            label_separator: self.candidates.label_separator.clone(),
            prompt: self.prompt.as_deref().map(Arc::from),
            examples: labels::examples_from_file(self.examples.as_deref()).context("--examples")?,
            rac_examples,
        })
    }
}

/// Where in labelled data things are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct FieldArgs {
    /// The field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", value_parser = NonEmptyStringValueParser::new())]
    pub text_field: String,
    /// The field or column with the true labels [default: true_labels, or label]
    ///
    /// In JSON it holds a label, a list of labels, or {label: weight}, where a label is true from 0.5 up.
    /// A label may be a number: the position of its name in --labels, from 0, unless a label has that number as its
    /// name. A table without such a column may have a column of 0 and 1 for each label.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub label_field: Option<String>,
    /// Separates several labels in a CSV or TSV cell
    #[arg(long, value_name = "S", default_value = "|", value_parser = NonEmptyStringValueParser::new())]
    pub list_separator: String,
}

impl FieldArgs {
    /// The layout of labelled data, with the candidate labels of the command.
    pub fn layout(&self, defaults: &Defaults) -> labelled::Layout {
        labelled::Layout {
            text_field: self.text_field.clone(),
            label_field: self.label_field.clone(),
            list_separator: self.list_separator.clone(),
            label_separator: defaults.label_separator.clone(),
            labels: defaults.labels.clone(),
            whole: false,
        }
    }
}

/// How scores become labels.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Decision")]
pub struct DecisionArgs {
    /// Exactly one label per text
    ///
    /// Scores are then by softmax and sum to 1. Otherwise each label is judged by itself, by sigmoid.
    #[arg(long)]
    pub single_label: bool,
    /// The lowest score at which a label applies, from 0 to 1 [default: 0.5]
    ///
    /// Unused with --single-label.
    #[arg(short, long, value_name = "F", value_parser = share::<f32>)]
    pub threshold: Option<f32>,
    /// Thresholds and temperature from a file written by `eval --fit`
    ///
    /// Without --single-label, every label must be in it.
    #[arg(long, value_name = "FILE", conflicts_with = "threshold")]
    pub thresholds: Option<PathBuf>,
    /// No label for a text whose best score is below F, from 0 to 1
    #[arg(long, value_name = "F", value_parser = share::<f32>)]
    pub abstain_below: Option<f32>,
    /// At most N labels per text, the best ones
    #[arg(short = 'k', long, value_name = "N", value_parser = from_one)]
    pub top_k: Option<NonZeroUsize>,
    /// Every label with its score, whatever the threshold
    #[arg(long)]
    pub all_scores: bool,
}

impl DecisionArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.thresholds.iter().map(PathBuf::as_path)
    }

    /// What was typed, as the decision that it means, about `labels` if they are known.
    ///
    /// # Errors
    /// The file of thresholds cannot be used, or not for these labels.
    pub fn decision(&self, labels: Option<&LabelSet>) -> anyhow::Result<Decision> {
        let fitted =
            self.thresholds.as_deref().map(Thresholds::read).transpose().context("--thresholds")?.map(Arc::new);
        if let (Some(fitted), Some(path)) = (&fitted, &self.thresholds)
            && fitted.single_label != self.single_label
        {
            let (with, remedy) = if fitted.single_label { ("with", "add it") } else { ("without", "leave it out") };
            bail!("{}: fitted {with} --single-label: {remedy}", path.display());
        }
        if let (Some(fitted), Some(labels)) = (&fitted, labels) {
            fitted.cover(labels)?;
        }
        Ok(Decision {
            single_label: self.single_label,
            threshold: self.threshold.unwrap_or(Decision::default().threshold),
            abstain_below: self.abstain_below.or_else(|| fitted.as_ref()?.abstain_below),
            fitted,
            top_k: self.top_k.map(NonZeroUsize::get),
            all_scores: self.all_scores,
        })
    }
}

/// What a prediction looks like in JSON.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Decision")]
pub struct ShapeArgs {
    /// Add `logit`, the score before sigmoid or softmax, to each prediction
    #[arg(long, conflicts_with = "hierarchical")]
    pub logits: bool,
    /// Write predictions in the shape of the labels, every leaf a score
    ///
    /// No label is left out, whatever the threshold is.
    #[arg(long)]
    pub hierarchical: bool,
}

impl ShapeArgs {
    /// Checks that no label is to be left out of an object of all labels.
    ///
    /// # Errors
    /// `decision` says that some are.
    pub fn check(self, decision: &DecisionArgs) -> anyhow::Result<()> {
        let options = [("--top-k", decision.top_k.is_some()), ("--abstain-below", decision.abstain_below.is_some())];
        if let Some((option, _)) = options.iter().find(|(_, is_given)| self.hierarchical && *is_given) {
            bail!("{option} with --hierarchical: there every label has its score: leave one of the two out");
        }
        Ok(())
    }

    /// The predictions of one record as JSON.
    pub fn json(self, decision: &Decision, found: &Classified) -> String {
        if self.hierarchical {
            return scores::to_json_shaped(&found.logits, &found.labels, decision);
        }
        scores::to_json(&scores::decide(&found.logits, &found.labels, decision), &found.labels, self.logits)
    }
}

/// Checks that the file of `option` is none of those that are `taken`.
///
/// # Errors
/// It is one of them.
pub fn check_free<'a>(option: &str, path: &Path, mut taken: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
    if taken.any(|other| files::is_same(path, other)) {
        bail!("{option} {} is also an input or another output: name another file", path.display());
    }
    Ok(())
}

/// Checks that the field of the text is none of those that are `written`.
///
/// # Errors
/// It is one of them, and would be replaced.
pub fn check_text_field(text_field: &str, written: &[impl AsRef<str>]) -> anyhow::Result<()> {
    if written.iter().any(|name| name.as_ref() == text_field) {
        bail!("--text-field {text_field:?}: a field of this name is written and would replace it: rename it");
    }
    Ok(())
}

/// A value of an option as it is typed.
pub fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What a variable of the Hub says, as Python's `huggingface_hub` reads it.
///
/// # Errors
/// None: what is not yes is no.
pub fn is_true(text: &str) -> Result<bool, Infallible> {
    Ok(["1", "ON", "YES", "TRUE"].iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// A number from 0 to 1.
///
/// # Errors
/// It is none.
pub fn share<F: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<F, &'static str> {
    let range = F::from(0)..=F::from(1);
    text.parse().ok().filter(|value| range.contains(value)).ok_or("give a number from 0 to 1")
}
