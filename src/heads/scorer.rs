//! Text and label features -> logits.
//!
//! Source: `scorers.py` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use super::Mlp;
use crate::backbones::layers::{Activation, LayerNorm, Linear, matrix, with_values};
use crate::checkpoint::Weights;
use crate::checkpoint::config::{Config, ScorerType};
use crate::error::Result;

/// Epsilon of `torch.nn.LayerNorm`.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Sharpness of the `hopfield` scorer's softmax: the reference's default, which nothing changes.
const HOPFIELD_BETA: f32 = 4.0;

/// Features of a batch: for record `i` the text rows `text_rows[i]` of `text` and the label rows
/// `label_rows[i]` of `labels`, both `(rows, hidden)`.
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
            ScorerType::CrossAttn => {
                Self::CrossAttention(Box::new(CrossAttention::load(weights, hidden, config.scorer_num_heads)?))
            }
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

    /// A logit for each row of `labels`.
    ///
    /// # Errors
    /// The features have another width.
    pub fn forward(&self, features: &Features, threads: usize) -> Result<Vec<f32>> {
        match self {
            Self::Simple => dot(features),
            Self::WeightedDot(scorer) => scorer.forward(features, threads),
            Self::Mlp(mlp) => {
                let joined = join(features, |text, label, out| {
                    out.extend_from_slice(text);
                    out.extend_from_slice(label);
                })?;
                column(&mlp.forward(&joined, threads)?)
            }
            Self::Hopfield(scorer) => scorer.forward(features, threads),
            Self::CrossAttention(scorer) => scorer.forward(features, threads),
        }
    }
}

fn load_mlp(weights: &Weights, inputs: usize) -> Result<Mlp> {
    Mlp::load(weights, &["mlp.0", "mlp.2", "mlp.4"], inputs, Activation::RELU)
}

/// The values of a matrix of one column.
fn column(x: &Tensor) -> Result<Vec<f32>> {
    with_values(x, <[f32]>::to_vec)
}

fn row(values: &[f32], width: usize, index: usize) -> &[f32] {
    &values[index * width..(index + 1) * width]
}

/// Calls `f` with the text row and the label row of every label, in order.
fn each_label(features: &Features, mut f: impl FnMut(&[f32], &[f32])) -> Result<()> {
    let (_, text_width) = features.text.dims2()?;
    let (_, label_width) = features.labels.dims2()?;
    with_values(&features.text, |text| {
        with_values(&features.labels, |labels| {
            for (text_rows, label_rows) in features.text_rows.iter().zip(&features.label_rows) {
                for label in label_rows.clone() {
                    f(row(text, text_width, text_rows.start), row(labels, label_width, label));
                }
            }
        })
    })?
}

/// One row for each label, written by `write` from the text row and the label row.
fn join(features: &Features, write: impl Fn(&[f32], &[f32], &mut Vec<f32>)) -> Result<Tensor> {
    let (rows, _) = features.labels.dims2()?;
    let mut out = Vec::new();
    each_label(features, |text, label| write(text, label, &mut out))?;
    let width = out.len() / rows.max(1);
    matrix(out, width)
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32
}

fn dot(features: &Features) -> Result<Vec<f32>> {
    let mut logits = Vec::new();
    each_label(features, |text, label| logits.push(product(text, label)))?;
    Ok(logits)
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
            output: Mlp::load(weights, &["out_mlp.0", "out_mlp.3"], 3 * hidden, Activation::RELU)?,
        })
    }

    fn forward(&self, features: &Features, threads: usize) -> Result<Vec<f32>> {
        let projected = Features {
            text: self.text.forward(&features.text, threads)?,
            text_rows: features.text_rows.clone(),
            labels: self.label.forward(&features.labels, threads)?,
            label_rows: features.label_rows.clone(),
        };
        let joined = join(&projected, |text, label, out| {
            let half = text.len() / 2;
            out.extend_from_slice(&text[..half]);
            out.extend_from_slice(&label[..half]);
            out.extend(text[half..].iter().zip(&label[half..]).map(|(a, b)| a * b));
        })?;
        column(&self.output.forward(&joined, threads)?)
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
        let linear = |name| Linear::load(&weights.at(name), hidden, hidden);
        let mlp = load_mlp(weights, hidden)?;
        Ok(Self { query: linear("q_proj")?, key: linear("k_proj")?, value: linear("v_proj")?, mlp })
    }

    fn forward(&self, features: &Features, threads: usize) -> Result<Vec<f32>> {
        let (_, width) = features.labels.dims2()?;
        let queries = self.query.forward(&features.labels, threads)?;
        let keys = self.key.forward(&features.text, threads)?;
        let values = column(&self.value.forward(&features.text, threads)?)?;
        let scores = dot(&Features {
            text: keys,
            text_rows: features.text_rows.clone(),
            labels: queries,
            label_rows: features.label_rows.clone(),
        })?;
        let mut labels = column(&features.labels)?;
        for (text_rows, label_rows) in features.text_rows.iter().zip(&features.label_rows) {
            let value = row(&values, width, text_rows.start);
            let weights = softmax(scores[label_rows.clone()].iter().map(|score| score * HOPFIELD_BETA));
            let rows = labels[label_rows.start * width..label_rows.end * width].chunks_exact_mut(width);
            for (label, weight) in rows.zip(weights) {
                label.iter_mut().zip(value).for_each(|(x, v)| *x += weight * v);
            }
        }
        column(&self.mlp.forward(&matrix(labels, width)?, threads)?)
    }
}

fn softmax(scores: impl Iterator<Item = f32>) -> Vec<f32> {
    let scores: Vec<f32> = scores.collect();
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = scores.iter().map(|x| (x - max).exp()).collect();
    let sum = exp.iter().map(|&x| f64::from(x)).sum::<f64>() as f32;
    exp.into_iter().map(|x| x / sum).collect()
}

/// The `cross-attn` scorer.
pub struct CrossAttention {
    query_norm: LayerNorm,
    key_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl CrossAttention {
    fn load(weights: &Weights, hidden: usize, heads: usize) -> Result<Self> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(weights.error(format!("scorer_num_heads {heads} does not divide the hidden size {hidden}")));
        }
        let linear = |name| Linear::load(&weights.at(name), hidden, hidden);
        let norm = |name| LayerNorm::load(&weights.at(name), hidden, LAYER_NORM_EPS);
        let names = ["score_mlp.0", "score_mlp.2", "score_mlp.4"];
        Ok(Self {
            query_norm: norm("q_norm")?,
            key_norm: norm("kv_norm")?,
            query: linear("q")?,
            key: linear("k")?,
            value: linear("v")?,
            output: linear("out")?,
            norm: norm("norm")?,
            mlp: Mlp::load(weights, &names, 2 * hidden, Activation::GELU)?,
            heads,
        })
    }

    fn forward(&self, features: &Features, threads: usize) -> Result<Vec<f32>> {
        let (_, width) = features.labels.dims2()?;
        let queries = column(&self.query.forward(&self.query_norm.forward(&features.labels)?, threads)?)?;
        let keys = column(&self.key.forward(&self.key_norm.forward(&features.text)?, threads)?)?;
        let values = column(&self.value.forward(&features.text, threads)?)?;
        let mut context = vec![0f32; queries.len()];
        for (text_rows, label_rows) in features.text_rows.iter().zip(&features.label_rows) {
            for label in label_rows.clone() {
                let out = &mut context[label * width..(label + 1) * width];
                self.attend(row(&queries, width, label), &keys, &values, text_rows, out);
            }
        }
        let context = self.norm.forward(&self.output.forward(&matrix(context, width)?, threads)?)?;
        let joined = Tensor::cat(&[&context, &features.labels], 1)?.contiguous()?;
        column(&self.mlp.forward(&joined, threads)?)
    }

    /// One label's attention over the text's rows, head by head.
    fn attend(&self, query: &[f32], keys: &[f32], values: &[f32], text_rows: &Range<usize>, out: &mut [f32]) {
        let width = query.len();
        let head_dim = width / self.heads;
        let scale = 1.0 / (head_dim as f32).sqrt();
        for head in 0..self.heads {
            let columns = head * head_dim..(head + 1) * head_dim;
            let scores = text_rows
                .clone()
                .map(|i| product(&query[columns.clone()], &row(keys, width, i)[columns.clone()]) * scale);
            for (weight, i) in softmax(scores).into_iter().zip(text_rows.clone()) {
                let value = &row(values, width, i)[columns.clone()];
                out[columns.clone()].iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
            }
        }
    }
}
