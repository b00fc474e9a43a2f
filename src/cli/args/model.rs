//! Which model, where it runs, and how it classifies.

use std::borrow::Cow;
use std::error::Error as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::Verbosity;
use super::values::{device, from_one, from_zero, is_true, up_to};
use crate::cli::terminal;
use crate::cli::transfer::Transfer;
use crate::files::file_name;
use crate::model::hub::{self, Request};
use crate::model::{self, Device, Model, Options, Overflow, Pieces, Precision, Source};
use crate::runner::NO_THREAD;

/// The name of the model inside the program.
pub const BUILTIN: &str = "builtin";

const MODEL_VARIABLE: &str = "GLICLASS_MODEL";

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
    /// A longer list is read in several passes. A softmax is over all labels.
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

/// How many threads this machine can run at once.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What a page or another model calls the model `name`: of a folder only its own name.
pub fn model_name(name: &str) -> Cow<'_, str> {
    if folder(name).is_some() { file_name(Path::new(name)) } else { name.into() }
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
