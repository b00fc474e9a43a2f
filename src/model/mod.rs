//! A checkpoint, found, read and ready: the one place that chooses by the config's data.

use std::path::PathBuf;

use crate::classifier::{Classifier, Encoded};
use crate::error::{Error, Result};
use crate::records::Record;

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

/// A model that is ready to classify.
#[derive(Debug)]
pub struct Model {}

impl Model {
    /// Loads a model.
    ///
    /// # Errors
    /// A missing, damaged or unsupported file, named.
    pub fn load(_source: &Source, _options: &Options) -> Result<Self> {
        Err(Error::Usage("not yet".into()))
    }

    /// Lines for `--verbose`: architecture, backbone, size, kernels, tensors left unused.
    pub fn describe(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Classifier for Model {
    fn encode(&self, _record: &Record) -> Result<Encoded> {
        Err(Error::Usage("not yet".into()))
    }

    fn logits(&self, _batch: &[Encoded], _threads: usize) -> Result<Vec<Vec<f32>>> {
        Err(Error::Usage("not yet".into()))
    }
}
