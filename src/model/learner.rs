//! A model that learns: the same network, with tensors that may change.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::{Files, Options, Parts, Place, Precision, Source, Turns};
use crate::architectures::{Logits, Network};
use crate::checkpoint::Config;
use crate::checkpoint::learning::Learning;
use crate::classifier::{Classifier, Encoded};
use crate::encode::Encoder;
use crate::error::Result;
use crate::kernels;
use crate::records::Record;

/// A model whose tensors are variables, and the files that it came from.
pub struct Learner {
    config: Config,
    encoder: Encoder,
    network: Box<dyn Network>,
    files: Files,
    description: String,
    turns: Turns,
}

impl Learner {
    /// Loads a model to train it. Computes in f32.
    ///
    /// # Errors
    /// A missing, damaged or unsupported file, named.
    pub fn load(source: &Source, options: &Options, learning: Learning) -> Result<Self> {
        Self::from_files(Files::find(source)?, options, learning)
    }

    /// The same, of files that were read or made.
    ///
    /// # Errors
    /// As [`Learner::load`].
    pub fn from_files(mut files: Files, options: &Options, learning: Learning) -> Result<Self> {
        let place = Place::find(options.device, Precision::F32)?;
        kernels::keep_pages();
        let turns = Turns::on(&place.hardware, options.notify);
        files.weights = files.weights.on(place.hardware.clone(), place.dtype);
        let Parts { config, encoder, network } =
            Parts::new(&mut files, options, |weights| weights.trainable(learning))?;
        let description = place.describe(Precision::F32.on_kernels(config.magnifies_rounding()));
        Ok(Self { config, encoder, network, files, description, turns })
    }

    /// Where it computes, for people.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// What its config says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The text of its `config.json`.
    pub fn config_text(&self) -> &str {
        &self.files.config
    }

    /// The text of its `tokenizer.json`.
    pub fn tokenizer_text(&self) -> &str {
        &self.files.tokenizer
    }

    /// What changes as it learns, by name.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        self.files.weights.variables()
    }

    /// Every tensor under its name in the checkpoint, as it is now.
    ///
    /// # Errors
    /// The device failed.
    pub fn checkpoint(&self) -> Result<BTreeMap<String, Tensor>> {
        self.files.weights.checkpoint()
    }

    /// The logits of the records of batch `number`, from which gradients reach the variables. Where the model learns
    /// with dropout, the number says what is left out.
    ///
    /// # Errors
    /// The computation failed.
    pub fn forward(&self, number: u64, batch: &[Encoded], threads: usize) -> Result<Logits> {
        self.files.weights.dropout_at(Some(number));
        let logits = self.network.forward(batch, threads);
        self.files.weights.dropout_at(None);
        logits
    }
}

impl Classifier for Learner {
    /// A text that does not fit is cut.
    fn encode(&self, record: &Record) -> Result<Encoded> {
        self.network.encode(record, &self.encoder)
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let judge = |batch: &[Encoded]| {
            let Logits { values, rows, .. } = self.network.forward(batch, threads)?;
            // What a gradient would need goes at once: on a GPU the next batch is computed while this one is read.
            Ok(Logits { values: values.detach(), rows, labels: None })
        };
        self.turns.compute(batch, &judge, |logits: Logits| logits.by_record())
    }
}
