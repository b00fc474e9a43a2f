//! Projectors, norms, scorer and scale: the same in every architecture that has them.
//!
//! Source: `GLiClassBaseModel` of `gliclass` 0.1.21.

use candle_core::Tensor;

use super::scorer::Features;
use super::{Calibrator, Mlp, Scorer};
use crate::backbones::layers::{Dropout, normalize};
use crate::checkpoint::Weights;
use crate::checkpoint::config::Config;
use crate::error::Result;
use crate::kernels::meter;

/// From the pooled rows of text and labels to logits.
pub struct Head {
    text_projector: Mlp,
    classes_projector: Mlp,
    /// Of the text's features.
    dropout: Dropout,
    scorer: Scorer,
    normalizes: bool,
    logit_scale: Option<Tensor>,
    calibrator: Option<Calibrator>,
}

impl Head {
    /// Loads the head of a model whose text and label rows are `hidden` wide. Logits are multiplied by
    /// `logit_scale` where features have unit length, and everywhere in a bi-encoder.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Config, weights: &Weights, hidden: usize) -> Result<Self> {
        let projector = |name| Mlp::projector(config, &weights.at(name), [hidden; 2], config.dropout);
        let scaled = config.normalize_features || config.architecture_type.has_label_encoder();
        Ok(Self {
            text_projector: projector("text_projector")?,
            classes_projector: projector("classes_projector")?,
            dropout: Dropout::new(weights, config.dropout),
            scorer: Scorer::load(config, &weights.at("scorer"), hidden)?,
            normalizes: config.normalize_features,
            calibrator: Calibrator::load(config, weights, hidden)?,
            logit_scale: scaled.then(|| weights.tensor("logit_scale", &[])).transpose()?,
        })
    }

    /// What the logits go through last, if the model has one.
    pub fn calibrator(&self) -> Option<&Calibrator> {
        self.calibrator.as_ref()
    }

    /// Whether a label's logit depends on the record's other label rows, empty slots included.
    pub fn looks_across_labels(&self) -> bool {
        self.scorer.looks_across_labels()
    }

    /// Text rows `(rows, hidden)` in the space where text and labels are compared.
    ///
    /// # Errors
    /// The rows have another width.
    pub fn text(&self, rows: &Tensor, threads: usize) -> Result<Tensor> {
        let _timer = meter::start(meter::Part::Heads);
        self.finish(self.dropout.forward(&self.text_projector.forward(rows, threads)?)?)
    }

    /// Label rows `(rows, hidden)` in that space.
    ///
    /// # Errors
    /// The rows have another width.
    pub fn labels(&self, rows: &Tensor, threads: usize) -> Result<Tensor> {
        let _timer = meter::start(meter::Part::Heads);
        self.finish(self.classes_projector.forward(rows, threads)?)
    }

    fn finish(&self, projected: Tensor) -> Result<Tensor> {
        if self.normalizes { normalize(&projected) } else { Ok(projected) }
    }

    /// A logit for each label row of each record, one record after another: `(logits)`.
    ///
    /// # Errors
    /// The features have another width.
    pub fn logits(&self, features: &Features, threads: usize) -> Result<Tensor> {
        let _timer = meter::start(meter::Part::Heads);
        let logits = self.scorer.forward(features, threads)?;
        match &self.logit_scale {
            Some(scale) => Ok(logits.broadcast_mul(scale)?),
            None => Ok(logits),
        }
    }
}
