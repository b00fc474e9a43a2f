//! Text and label features -> logits.
//!
//! Source: `scorers.py` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use super::Mlp;
use crate::backbones::Sequences;
use crate::backbones::layers::{Activation, Attention, Dropout, LayerNorm, Linear, Pairs, dot_rows, softmax_within};
use crate::checkpoint::Weights;
use crate::checkpoint::config::{Config, ScorerType};
use crate::error::Result;

/// Epsilon of `torch.nn.LayerNorm`.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Sharpness of the `hopfield` scorer's softmax: the reference's default, which nothing changes.
const HOPFIELD_BETA: f64 = 4.0;

/// Dropout of the `weighted-dot` scorer: as above.
const WEIGHTED_DOT_DROPOUT: f32 = 0.1;

/// Features of a batch: for record `i` the text rows `text_rows[i]` of `text` and the label rows
/// `label_rows[i]` of `labels`, both `(rows, hidden)`. Records may share label rows.
pub struct Features {
    /// Text features: one row a record, or all its tokens for `cross-attn`.
    pub text: Tensor,
    /// Each record's rows of `text`.
    pub text_rows: Vec<Range<usize>>,
    /// Label features.
    pub labels: Tensor,
    /// Each record's rows of `labels`.
    pub label_rows: Vec<Range<usize>>,
}

/// How text and label features become a logit.
pub enum Scorer {
    /// Dot product.
    Simple,
    /// Projections, their product, an MLP.
    WeightedDot(Box<WeightedDot>),
    /// An MLP over both side by side.
    Mlp(Box<Mlp>),
    /// Labels take from the text by a softmax over the labels, then an MLP.
    Hopfield(Box<Hopfield>),
    /// Labels attend to the text's tokens, then an MLP.
    CrossAttention(Box<CrossAttention>),
}

impl Scorer {
    /// Loads the scorer that the config names.
    ///
    /// # Errors
    /// Missing or mismatched tensors; heads that do not divide the width.
    pub fn load(config: &Config, weights: &Weights, hidden: usize) -> Result<Self> {
        Ok(match config.scorer_type {
            ScorerType::Simple => Self::Simple,
            ScorerType::WeightedDot => Self::WeightedDot(Box::new(WeightedDot::load(weights, hidden)?)),
            ScorerType::Mlp => Self::mlp(weights, hidden)?,
            ScorerType::Hopfield => Self::Hopfield(Box::new(Hopfield::load(weights, hidden)?)),
            ScorerType::DecoderKv => {
                return Err(weights.setting_error("scorer_type `decoder-kv` is only for the architecture of that name"));
            }
            ScorerType::CrossAttn => Self::CrossAttention(Box::new(CrossAttention::load(config, weights, hidden)?)),
        })
    }

    /// Loads the `mlp` scorer.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn mlp(weights: &Weights, hidden: usize) -> Result<Self> {
        Ok(Self::Mlp(Box::new(load_mlp(weights, 2 * hidden)?)))
    }

    /// Whether a label's logit depends on the record's other label rows, empty slots included.
    pub fn looks_across_labels(&self) -> bool {
        matches!(self, Self::Hopfield(_))
    }

    /// A logit for each label row of each record, one record after another: `(logits)`.
    ///
    /// # Errors
    /// The features have another width.
    pub fn forward(&self, features: &Features, threads: usize) -> Result<Tensor> {
        let pairs = features.pairs();
        let logits = match self {
            Self::Simple => return dot_rows(&features.text, &features.labels, &pairs, threads),
            Self::WeightedDot(scorer) => scorer.forward(features, &pairs, threads)?,
            Self::Mlp(mlp) => pairs.in_runs(|run| {
                let both = side_by_side(&[&run.firsts(&features.text)?, &run.seconds(&features.labels)?])?;
                mlp.forward(&both, threads)
            })?,
            Self::Hopfield(scorer) => scorer.forward(features, &pairs, threads)?,
            Self::CrossAttention(scorer) => scorer.forward(features, threads)?,
        };
        Ok(logits.squeeze(1)?)
    }
}

fn load_mlp(weights: &Weights, inputs: usize) -> Result<Mlp> {
    Mlp::load(weights, &["mlp.0", "mlp.2", "mlp.4"], [inputs, 1], Activation::RELU)
}

impl Features {
    /// The row of each text, where it is one, with the record's label rows.
    fn pairs(&self) -> Pairs {
        let records = self.text_rows.iter().zip(&self.label_rows);
        Pairs::new(records.map(|(text, labels)| (text.start, labels.clone())))
    }
}

fn side_by_side(parts: &[&Tensor]) -> Result<Tensor> {
    Ok(Tensor::cat(parts, 1)?.contiguous()?)
}

/// The `weighted-dot` scorer.
pub struct WeightedDot {
    text: Linear,
    label: Linear,
    output: Mlp,
}

impl WeightedDot {
    fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        Ok(Self {
            text: Linear::load(&weights.at("proj_text"), hidden, 2 * hidden)?,
            label: Linear::load(&weights.at("proj_label"), hidden, 2 * hidden)?,
            output: Mlp::load(weights, &["out_mlp.0", "out_mlp.3"], [3 * hidden, 1], Activation::RELU)?
                .dropping(Dropout::new(weights, WEIGHTED_DOT_DROPOUT)),
        })
    }

    fn forward(&self, features: &Features, pairs: &Pairs, threads: usize) -> Result<Tensor> {
        let texts = self.text.forward(&features.text, threads)?;
        let labels = self.label.forward(&features.labels, threads)?;
        pairs.in_runs(|run| {
            let (text, labels) = (run.firsts(&texts)?, run.seconds(&labels)?);
            let half = text.dim(1)? / 2;
            let product = (text.narrow(1, half, half)? * labels.narrow(1, half, half)?)?;
            let joined = side_by_side(&[&text.narrow(1, 0, half)?, &labels.narrow(1, 0, half)?, &product])?;
            self.output.forward(&joined, threads)
        })
    }
}

/// The `hopfield` scorer: one step of its retrieval.
pub struct Hopfield {
    query: Linear,
    key: Linear,
    value: Linear,
    mlp: Mlp,
}

impl Hopfield {
    fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        let linear = |name| Linear::load(&weights.at(name).biased(false), hidden, hidden);
        let mlp = load_mlp(weights, hidden)?;
        Ok(Self { query: linear("q_proj")?, key: linear("k_proj")?, value: linear("v_proj")?, mlp })
    }

    fn forward(&self, features: &Features, pairs: &Pairs, threads: usize) -> Result<Tensor> {
        let queries = self.query.forward(&features.labels, threads)?;
        let keys = self.key.forward(&features.text, threads)?;
        let values = self.value.forward(&features.text, threads)?;
        pairs.in_runs(|run| {
            let scores = (dot_rows(&keys, &queries, run, threads)? * HOPFIELD_BETA)?;
            let weights = softmax_within(&scores, &run.places())?.unsqueeze(1)?;
            let labels = (run.seconds(&features.labels)? + run.firsts(&values)?.broadcast_mul(&weights)?)?;
            self.mlp.forward(&labels, threads)
        })
    }
}

/// The `cross-attn` scorer.
pub struct CrossAttention {
    query_norm: LayerNorm,
    key_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    attention: Attention,
    output: Linear,
    norm: LayerNorm,
    mlp: Mlp,
}

impl CrossAttention {
    fn load(config: &Config, weights: &Weights, hidden: usize) -> Result<Self> {
        let heads = config.scorer_num_heads;
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(
                weights.setting_error(format!("scorer_num_heads {heads} does not divide the hidden size {hidden}"))
            );
        }
        let attention = Attention::beside(weights, hidden, heads)?;
        let linear = |name| Linear::load(&weights.at(name), hidden, hidden);
        let norm = |name| LayerNorm::load(&weights.at(name), hidden, LAYER_NORM_EPS);
        let names = ["score_mlp.0", "score_mlp.2", "score_mlp.4"];
        Ok(Self {
            query_norm: norm("q_norm")?,
            key_norm: norm("kv_norm")?,
            query: linear("q")?,
            key: linear("k")?,
            value: linear("v")?,
            attention: attention.dropping(Dropout::new(weights, config.scorer_attn_dropout)),
            output: linear("out")?,
            norm: norm("norm")?,
            mlp: Mlp::load(weights, &names, [2 * hidden, 1], Activation::GELU)?,
        })
    }

    fn forward(&self, features: &Features, threads: usize) -> Result<Tensor> {
        let query = self.query.forward(&self.query_norm.forward(&features.labels, threads)?, threads)?;
        let key = self.key.forward(&self.key_norm.forward(&features.text, threads)?, threads)?;
        let value = self.value.forward(&features.text, threads)?;
        let key_value = side_by_side(&[&key, &value])?;
        let records = Pairs::new(features.label_rows.iter().cloned().enumerate());
        records.in_runs(|run| {
            let sequences = Sequences::new(run.rows().iter().map(|(_, labels)| labels.len()), threads);
            let texts: Vec<_> = run.rows().iter().map(|(record, _)| features.text_rows[*record].clone()).collect();
            let context = self.attention.forward_over(&run.seconds(&query)?, &key_value, &sequences, &texts)?;
            let context = self.norm.forward(&self.output.forward(&context, threads)?, threads)?;
            self.mlp.forward(&side_by_side(&[&context, &run.seconds(&features.labels)?])?, threads)
        })
    }
}
