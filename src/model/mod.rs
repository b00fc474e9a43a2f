//! A checkpoint, found, read and ready: the one place that chooses by the config's data.

use std::path::{Path, PathBuf};

use crate::architectures::{self, Network};
use crate::checkpoint::{Config, Weights};
use crate::classifier::{Classifier, Encoded};
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::kernels;
use crate::records::Record;

pub mod builtin;
pub mod hub;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The model inside the program.
    Builtin,
    /// A folder with `config.json`, `tokenizer.json` and weights.
    Folder(PathBuf),
}

/// The arithmetic of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// The fastest that keeps the reference's scores.
    #[default]
    Auto,
    /// 32 bits.
    F32,
    /// bfloat16 products, 32-bit sums.
    Bf16,
    /// float16 where the device has it.
    F16,
}

/// What loading needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The arithmetic.
    pub precision: Precision,
    /// Tokens a sequence may have; cut to what the model can hold.
    pub max_length: usize,
}

/// A checkpoint's files, read but not yet built.
pub(crate) struct Files {
    /// The text of `config.json`.
    pub(crate) config: String,
    /// The text of `tokenizer.json`.
    pub(crate) tokenizer: String,
    /// The tensors.
    pub(crate) weights: Weights,
    /// Where they lie; only named in errors.
    pub(crate) folder: PathBuf,
}

impl Files {
    fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|e| Error::io(path, e))
        };
        Ok(Self {
            config: text("config.json")?,
            tokenizer: text("tokenizer.json")?,
            weights: Weights::open(folder)?,
            folder: folder.to_owned(),
        })
    }
}

/// A model that is ready to classify.
pub struct Model {
    encoder: Encoder,
    network: Box<dyn Network>,
    description: Vec<String>,
}

impl Model {
    /// Loads a model.
    ///
    /// # Errors
    /// A missing, damaged or unsupported file, named.
    pub fn load(source: &Source, options: &Options) -> Result<Self> {
        let isa = kernels::isa().map_err(Error::Usage)?;
        let files = match source {
            Source::Builtin => builtin::files()?,
            Source::Folder(folder) => Files::read(folder)?,
        };
        let config = Config::parse(&files.config, &files.folder.join("config.json"))?;
        let kind = config.encoder_config["model_type"].as_str().unwrap_or("deberta-v2").to_owned();
        let architecture = config.architecture_type;
        let network = architectures::load(config, &files.weights)?;
        let max_length = options.max_length.min(network.max_positions().unwrap_or(usize::MAX));
        let encoder = Encoder::parse(&files.tokenizer, max_length, &files.folder.join("tokenizer.json"))?;
        let mut description = vec![
            format!("model: {architecture:?} on {kind}, at most {max_length} tokens"),
            format!("kernels: {}, arithmetic: f32", isa.name()),
        ];
        if !matches!(options.precision, Precision::Auto | Precision::F32) {
            description.push("there are no 16-bit kernels for this processor yet: computing in f32".into());
        }
        let unused = files.weights.unused();
        if !unused.is_empty() {
            description.push(format!("tensors without a use: {}", unused.join(", ")));
        }
        Ok(Self { encoder, network, description })
    }

    /// Lines for `--verbose`: architecture, backbone, size, kernels, tensors left unused.
    pub fn describe(&self) -> Vec<String> {
        self.description.clone()
    }
}

impl Classifier for Model {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        self.network.encode(record, &self.encoder)
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.network.logits(batch, threads)
    }
}
