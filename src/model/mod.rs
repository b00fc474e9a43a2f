//! A checkpoint, found, read and ready: the one place that chooses by the config's data.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::architectures::{self, Logits, Network, Vectors};
use crate::checkpoint::config::Architecture;
use crate::checkpoint::{self, Config, Weights};
use crate::classifier::{Classifier, Encoded};
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::kernels;
use crate::records::Record;

pub mod builtin;
pub mod device;
mod fingerprint;
pub mod fresh;
pub mod hub;
pub mod kept;
mod label_tokenizer;
pub mod learner;
mod memory;
pub mod neighbours;
pub mod pieces;

pub use device::Device;
use device::Place;
pub use fingerprint::fingerprint;
pub use kept::KeptVectors;
pub use learner::Learner;
use memory::Turns;
pub use neighbours::Neighbours;
pub use pieces::{Overflow, Pieces};

/// Pieces of one record that are computed together: what a batch holds does not grow with the text.
const PIECES_AT_ONCE: usize = 4;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The model inside the program.
    Builtin,
    /// A folder with `config.json`, `tokenizer.json` and weights.
    Folder(PathBuf),
}

/// The arithmetic of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Precision {
    /// The fastest one that loses no accuracy
    #[default]
    Auto,
    /// 32 bits
    F32,
    /// 16-bit products, 32-bit sums: faster, less exact
    Bf16,
    /// float16 if the device has it: less exact
    F16,
    /// 8-bit products if the processor is fastest that way, else as bf16: the least exact
    Int8,
}

impl Precision {
    /// How wide dense layers multiply on a processor, in a model that [magnifies rounding](Config::magnifies_rounding)
    /// or does not.
    fn on_kernels(self, magnifies_rounding: bool) -> kernels::Precision {
        match self {
            // A processor has no faster products of float16.
            Self::Bf16 | Self::F16 => kernels::Precision::Bf16,
            Self::Auto | Self::F32 if magnifies_rounding => kernels::Precision::F32,
            Self::Auto | Self::F32 => kernels::Precision::Split,
            Self::Int8 => kernels::Precision::Int8,
        }
    }
}

/// What loading needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to compute.
    pub device: Device,
    /// The arithmetic.
    pub precision: Precision,
    /// Tokens a sequence may have; cut to what the model can hold.
    pub max_length: usize,
    /// The folder of a bi-encoder's label tokenizer, where there is none beside the checkpoint.
    pub label_model: Option<PathBuf>,
    /// How long inputs are cut.
    pub pieces: Pieces,
    /// Hears what a user should know while the model runs.
    pub notify: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: Device::default(),
            precision: Precision::default(),
            max_length: 1024,
            label_model: None,
            pieces: Pieces::default(),
            notify: |_| (),
        }
    }
}

/// A checkpoint's files, read but not yet built.
pub struct Files {
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
    /// The files of a model, wherever it is.
    ///
    /// # Errors
    /// One of them is missing or damaged.
    pub(crate) fn find(source: &Source) -> Result<Self> {
        match source {
            Source::Builtin => builtin::files(),
            Source::Folder(folder) => Self::read(folder),
        }
    }

    fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| checkpoint::read(&folder.join(name));
        Ok(Self {
            config: text("config.json")?,
            tokenizer: text("tokenizer.json")?,
            weights: Weights::open(folder)?,
            folder: folder.to_owned(),
        })
    }
}

/// What a model is made of, whether it classifies or learns.
struct Parts {
    config: Config,
    encoder: Encoder,
    network: Box<dyn Network>,
}

impl Parts {
    /// Builds the network on `files.weights`, which `prepare` changes before the first tensor is asked for.
    fn new(files: &mut Files, options: &Options, prepare: impl FnOnce(Weights) -> Weights) -> Result<Self> {
        let config = Config::parse(&files.config, &files.folder.join("config.json"))?;
        let exact = config.magnifies_rounding();
        let weights = files.weights.clone();
        files.weights = prepare(if exact { weights.exact_throughout() } else { weights });
        let label_tokenizer = label_tokenizer::load(&config, &files.folder, options)?;
        let network = architectures::load(config.clone(), label_tokenizer, &files.weights)?;
        let max_length = options.max_length.min(network.max_positions().unwrap_or(usize::MAX));
        let path = files.folder.join("tokenizer.json");
        let encoder = match config.architecture_type {
            // Its text has no markers.
            Architecture::BiEncoder => Encoder::parse_any(&files.tokenizer, max_length, &path)?,
            _ => Encoder::parse(&files.tokenizer, max_length, &path)?,
        };
        network.check(&encoder).map_err(|message| Error::model(path, message))?;
        Ok(Self { config, encoder, network })
    }
}

/// A model that is ready to classify.
pub struct Model {
    encoder: Encoder,
    network: Box<dyn Network>,
    pieces: Pieces,
    neighbours: Option<Neighbours>,
    products: kernels::Precision,
    description: Vec<String>,
    turns: Turns,
    /// Tokens of a batch, where the device wants many.
    batch_tokens: Option<usize>,
}

impl Model {
    /// Loads a model.
    ///
    /// # Errors
    /// A missing, damaged or unsupported file, named.
    pub fn load(source: &Source, options: &Options) -> Result<Self> {
        let place = Place::find(options.device, options.precision)?;
        kernels::keep_pages();
        let mut files = Files::find(source)?;
        files.weights = files.weights.on(place.hardware.clone(), place.dtype);
        if options.precision == Precision::Int8 {
            files.weights = files.weights.in_bytes();
        }
        let Parts { config, encoder, network } = Parts::new(&mut files, options, |weights| weights)?;
        let kind = config.encoder_config["model_type"].as_str().unwrap_or("deberta-v2");
        let (architecture, max_length) = (config.architecture_type, encoder.max_length());
        let size = rounded(files.weights.parameters());
        let model = format!("model: {architecture:?} on {kind}, {size} parameters, at most {max_length} tokens");
        let products = options.precision.on_kernels(config.magnifies_rounding());
        let mut description = vec![model, place.describe(products)];
        let unused = files.weights.unused();
        if !unused.is_empty() {
            description.push(format!("tensors not needed: {}", unused.join(", ")));
        }
        let turns = Turns::on(&place.hardware, options.notify);
        let batch_tokens = device::batch_tokens(&place.hardware);
        let (pieces, neighbours) = (options.pieces, None);
        Ok(Self { encoder, network, pieces, neighbours, products, description, turns, batch_tokens })
    }

    /// How the wide dense layers of the encoder multiply, where the kernels compute.
    pub fn products(&self) -> kernels::Precision {
        self.products
    }

    /// Lines for `--verbose`: architecture, backbone, size, kernels, tensors left unused.
    pub fn describe(&self) -> &[String] {
        &self.description
    }

    /// The same model that writes the nearest of these examples into a text.
    pub fn with_neighbours(self, neighbours: Neighbours) -> Self {
        Self { neighbours: Some(neighbours), ..self }
    }

    /// The logits of records without pieces.
    fn compute(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        self.turns.compute(batch, &|batch| self.network.forward(batch, threads), |logits: Logits| logits.by_record())
    }

    /// A record as tokens, cut as `pieces` say.
    fn write(&self, record: &Record, pieces: Pieces) -> Result<Encoded> {
        pieces::Writer { network: &*self.network, encoder: &self.encoder, pieces }.encode(record)
    }

    /// The record with the examples nearest to it, where there are some to choose from.
    fn with_examples<'a>(&self, record: &'a Record) -> Result<Cow<'a, Record>> {
        let Some(neighbours) = self.neighbours.as_ref().filter(|neighbours| neighbours.concern(record)) else {
            return Ok(Cow::Borrowed(record));
        };
        let query = self.network.encode(&neighbours.query(record), &self.encoder)?;
        // Alone and on one thread, as records are encoded: the bits are those it would have in a batch.
        let vectors = self.turns.compute(&[query], &|query| self.network.vectors(query, 1), Ok)?;
        let vector = vectors.first().map(|vectors| neighbours::unit(&vectors.text)).unwrap_or_default();
        Ok(Cow::Owned(neighbours.add_to(record, &vector)))
    }

    /// The logits of one record from those of its pieces.
    fn joined_logits(&self, record: &Encoded, threads: usize) -> Result<Vec<f32>> {
        let mut logits = Vec::with_capacity(record.pieces.len());
        for pieces in record.pieces.chunks(PIECES_AT_ONCE) {
            logits.extend(self.compute(pieces, threads)?);
        }
        Ok(self.pieces.join(logits, record.labels.len()))
    }
}

/// A number as people say it, with two digits or more: 144 M.
fn rounded(number: usize) -> String {
    let number = number as f64;
    match [(1e9, "B"), (1e6, "M"), (1e3, "k")].into_iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) if number < 9.95 * size => format!("{:.1} {unit}", number / size),
        Some((size, unit)) => format!("{:.0} {unit}", number / size),
        None => number.to_string(),
    }
}

/// A model whose answers are vectors instead of logits: for each record a [`Vectors::to_list`].
pub struct Embedder<'a>(pub &'a Model);

impl Classifier for Embedder<'_> {
    /// A text that does not fit is cut where it would be read in pieces: it has one vector.
    fn encode(&self, record: &Record) -> Result<Encoded> {
        let overflow = match self.0.pieces.overflow {
            Overflow::Error => Overflow::Error,
            Overflow::Truncate | Overflow::Chunk => Overflow::Truncate,
        };
        self.0.write(record, Pieces { overflow, ..Pieces::default() })
    }

    fn batch_tokens(&self) -> Option<usize> {
        self.0.batch_tokens
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let lists = |vectors: Vec<Vectors>| Ok(vectors.iter().map(Vectors::to_list).collect());
        self.0.turns.compute(batch, &|batch| self.0.network.vectors(batch, threads), lists)
    }
}

impl Classifier for Model {
    fn encode(&self, record: &Record) -> Result<Encoded> {
        self.write(&*self.with_examples(record)?, self.pieces)
    }

    fn batch_tokens(&self) -> Option<usize> {
        self.batch_tokens
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        let mut logits = Vec::with_capacity(batch.len());
        // Records in one piece are computed together, one of several alone.
        for run in batch.chunk_by(|a, b| a.pieces.is_empty() && b.pieces.is_empty()) {
            match run {
                [record] if !record.pieces.is_empty() => logits.push(self.joined_logits(record, threads)?),
                _ => logits.extend(self.compute(run, threads)?),
            }
        }
        Ok(logits)
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn a_size_is_said_in_two_digits_or_more() {
        let said = [999, 1_000, 129_825, 9_960_000, 143_800_000, 7_241_732_096].map(rounded);
        assert_eq!(said, ["999", "1.0 k", "130 k", "10 M", "144 M", "7.2 B"]);
    }
}
