//! Logits -> logits that say how sure to be: `beta * logit + bias`, both for each text and label.
//!
//! Source: `calibration.py` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use super::Mlp;
use super::scorer::Features;
use crate::backbones::layers::{Activation, LayerNorm, Pairs, sigmoid, values};
use crate::checkpoint::{Config, Weights};
use crate::error::Result;

/// Numbers about a logit among those of its record.
const STATISTICS: usize = 6;

/// As torch's `LayerNorm` has it.
const EPSILON: f32 = 1e-5;

/// An MLP over text, label and logit.
pub struct Calibrator {
    text_norm: LayerNorm,
    label_norm: LayerNorm,
    mlp: Mlp,
    /// `beta` lies between 0 and this.
    beta_max: f32,
}

impl Calibrator {
    /// Loads the calibrator of a model whose features are `width` wide: none where its config has none, or where it
    /// learns, for what a model learns are the logits before.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(config: &Config, weights: &Weights, width: usize) -> Result<Option<Self>> {
        if !config.use_calibrator || weights.learn() {
            return Ok(None);
        }
        let weights = weights.root().at("calibrator");
        let columns = [4 * width + STATISTICS, 1 + usize::from(config.calibrator_use_bias)];
        Ok(Some(Self {
            text_norm: LayerNorm::load(&weights.at("text_norm"), width, EPSILON)?,
            label_norm: LayerNorm::load(&weights.at("label_norm"), width, EPSILON)?,
            mlp: Mlp::load(&weights, &["mlp.0", "mlp.3", "mlp.6"], columns, Activation::GELU)?,
            beta_max: config.calibrator_beta_max,
        }))
    }

    /// The logits of each record's labels, which `rows` names among `logits`, one record after another: `(rows)`.
    /// A record's labels are the first of its label rows.
    ///
    /// # Errors
    /// The features have another width.
    pub fn forward(
        &self,
        features: &Features,
        rows: &[Range<usize>],
        logits: &Tensor,
        threads: usize,
    ) -> Result<Tensor> {
        let all = values(logits)?;
        let logits: Vec<f32> = rows.iter().flat_map(|rows| &all[rows.clone()]).copied().collect();
        let statistics: Vec<f32> = rows.iter().flat_map(|rows| statistics(&all[rows.clone()])).collect();
        let records = features.text_rows.iter().zip(&features.label_rows).zip(rows);
        let own = records.map(|((text, labels), rows)| (text.start, labels.start..labels.start + rows.len()));

        let texts = self.text_norm.forward(&features.text, threads)?;
        let labels = self.label_norm.forward(&features.labels, threads)?;
        let statistics = Tensor::from_vec(statistics, (logits.len(), STATISTICS), texts.device())?;
        let mut done = 0;
        let output = Pairs::new(own).in_runs(|run| {
            let (text, label) = (run.firsts(&texts)?, run.seconds(&labels)?);
            let statistics = statistics.narrow(0, done, run.count())?;
            done += run.count();
            let (product, distance) = ((&text * &label)?, (&text - &label)?.abs()?);
            self.mlp.forward(&Tensor::cat(&[text, label, product, distance, statistics], 1)?, threads)
        })?;

        let (_, columns) = output.dims2()?;
        let numbers = values(&output)?;
        let calibrated = numbers.chunks_exact(columns).zip(&logits).map(|(output, logit)| {
            // The second column, where there is one, is the bias.
            self.beta_max * sigmoid(output[0]) * logit + output.get(1).copied().unwrap_or(0.0)
        });
        Ok(Tensor::from_iter(calibrated.collect::<Vec<_>>(), output.device())?)
    }
}

/// For each logit of a record: itself, its size, how far it is from the greatest and from the mean, the mean
/// entropy of the scores, and the logarithm of the number of labels.
fn statistics(logits: &[f32]) -> Vec<f32> {
    let count = logits.len().max(1) as f32;
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = logits.iter().sum::<f32>() / count;
    let entropy = logits.iter().map(|&logit| entropy(logit)).sum::<f32>() / count;
    logits.iter().flat_map(|&logit| [logit, logit.abs(), logit - greatest, logit - mean, entropy, count.ln()]).collect()
}

/// The entropy in nats of a label that holds with the probability `sigmoid(logit)`.
fn entropy(logit: f32) -> f32 {
    let log_sigmoid = |x: f32| x.min(0.0) - (-x.abs()).exp().ln_1p();
    -(sigmoid(logit) * log_sigmoid(logit) + sigmoid(-logit) * log_sigmoid(-logit))
}

#[cfg(test)]
mod tests {
    use std::f32::consts::LN_2;

    use super::statistics;

    #[test]
    fn statistics_are_about_a_logit_among_those_of_its_record() {
        let numbers = statistics(&[0.0, 2.0]);
        let entropy = (LN_2 + 0.365_335) / 2.0;
        let expected = [0.0, 0.0, -2.0, -1.0, entropy, LN_2, 2.0, 2.0, 0.0, 1.0, entropy, LN_2];
        assert!(numbers.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-5), "{numbers:?}");
        assert!(statistics(&[]).is_empty());
        assert!(statistics(&[-200.0, 200.0]).iter().all(|number| number.is_finite()));
    }
}
