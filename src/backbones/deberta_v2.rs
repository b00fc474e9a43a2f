//! DeBERTa-v2 and v3: attention that sees content and relative position apart.
//!
//! Source: `modeling_deberta_v2.py` of transformers; He et al., "DeBERTa" (arXiv 2006.03654).

use std::sync::Arc;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::layers::{
    self, Activation, Attention, Bias, Convolution, Disentangled, DistanceVectors, Distances, Dropout, Embedding,
    LayerNorm, Linear, PositionTable, Span,
};
use super::{Backbone, Sequences, Visit};
use crate::checkpoint::Weights;
use crate::checkpoint::config::Pooling;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    hidden_act: String,
    layer_norm_eps: f32,
    hidden_dropout_prob: f32,
    attention_probs_dropout_prob: f32,
    embedding_size: Option<usize>,
    type_vocab_size: usize,
    position_biased_input: bool,
    relative_attention: bool,
    share_att_key: bool,
    pos_att_type: Option<PositionTerms>,
    position_buckets: i64,
    max_relative_positions: i64,
    norm_rel_ebd: String,
    conv_kernel_size: usize,
    conv_groups: usize,
    conv_act: String,
    pad_token_id: Option<i64>,
}

/// `pos_att_type`: a list, or names joined by `|`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PositionTerms {
    List(Vec<String>),
    Joined(String),
}

impl PositionTerms {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::List(list) => list.iter().any(|term| term == name),
            Self::Joined(joined) => joined.split('|').any(|term| term.trim().eq_ignore_ascii_case(name)),
        }
    }
}

/// The values of the settings that a config leaves out.
fn defaults() -> Value {
    json!({
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "max_position_embeddings": 512,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-7,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "type_vocab_size": 0,
        "position_biased_input": true,
        "relative_attention": false,
        "share_att_key": false,
        "position_buckets": -1,
        "max_relative_positions": -1,
        "norm_rel_ebd": "",
        "conv_kernel_size": 0,
        "conv_groups": 1,
        "conv_act": "tanh",
        "pad_token_id": 0,
    })
}

impl Config {
    fn has_term(&self, name: &str) -> bool {
        self.pos_att_type.as_ref().is_some_and(|terms| terms.has(name))
    }

    fn max_distance(&self) -> usize {
        usize::try_from(self.max_relative_positions).ok().filter(|&n| n > 0).unwrap_or(self.max_position_embeddings)
    }

    fn buckets(&self) -> Option<usize> {
        usize::try_from(self.position_buckets).ok().filter(|&n| n > 0)
    }

    fn relative_rows(&self) -> RelativeRows {
        let span = self.buckets().unwrap_or_else(|| self.max_distance());
        RelativeRows { buckets: self.buckets(), max_distance: self.max_distance(), span }
    }
}

/// Which row of the table of relative positions stands for which distance.
#[derive(Debug, Clone, Copy)]
struct RelativeRows {
    buckets: Option<usize>,
    max_distance: usize,
    span: usize,
}

impl RelativeRows {
    /// The relative position of a query `distance` tokens behind its key: `make_log_bucket_position`.
    fn bucket(self, distance: i64) -> i64 {
        let Some(buckets) = self.buckets else { return distance };
        let middle = (buckets / 2) as i64;
        if distance.abs() <= middle {
            return distance;
        }
        // In f32 as the reference: the ceiling is sensitive to the last bit.
        let middle_f = middle as f32;
        let log = (distance.abs() as f32 / middle_f).ln() / ((self.max_distance - 1) as f32 / middle_f).ln();
        ((log * (middle_f - 1.0)).ceil() as i64 + middle) * distance.signum()
    }

    /// Row of the position tables for each distance from `1 - length` to `length - 1`.
    fn index(self, length: usize) -> Vec<u32> {
        let length = length as i64;
        let span = self.span as i64;
        (1 - length..length).map(|d| (self.bucket(d) + span).clamp(0, 2 * span - 1) as u32).collect()
    }
}

/// A DeBERTa-v2 encoder.
pub struct DebertaV2 {
    words: Embedding,
    positions: Option<PositionTable>,
    /// Where there are no positions that the token type of a single sequence could be part of.
    token_types: Option<Embedding>,
    project: Option<Linear>,
    norm: LayerNorm,
    dropout: Dropout,
    encoder: Encoder,
    hidden_size: usize,
}

/// The layers of a DeBERTa-v2, without its embeddings.
pub struct Encoder {
    layers: Vec<Layer>,
    conv: Option<Conv>,
    relative_rows: RelativeRows,
}

struct Layer {
    query_key_value: Linear,
    attention: Attention,
    /// Projected relative positions: content to position.
    position_keys: Option<DistanceVectors>,
    /// Position to content.
    position_queries: Option<DistanceVectors>,
    attention_output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
    norm: LayerNorm,
}

/// A convolution over neighbouring tokens, added after the first layer.
struct Conv {
    convolution: Convolution,
    norm: LayerNorm,
}

impl DebertaV2 {
    /// Loads the encoder.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Value, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(), weights)?;
        let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
        let width = config.embedding_size.unwrap_or(hidden);
        let embeddings = weights.at("embeddings");
        Ok(Self {
            words: Embedding::load(&embeddings.at("word_embeddings"), width)?.freezing(config.pad_token_id),
            positions: load_positions(&config, width, &embeddings)?,
            token_types: (config.type_vocab_size > 0 && !config.position_biased_input)
                .then(|| Embedding::load(&embeddings.at("token_type_embeddings"), width))
                .transpose()?,
            project: (width != hidden)
                .then(|| Linear::load(&embeddings.at("embed_proj").biased(false), width, hidden))
                .transpose()?,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), hidden, eps)?,
            dropout: Dropout::new(&embeddings, config.hidden_dropout_prob),
            encoder: Encoder::new(&config, &weights.at("encoder"))?,
            hidden_size: hidden,
        })
    }
}

impl Encoder {
    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Loads the layers below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Value, weights: &Weights) -> Result<Self> {
        Self::new(&super::parse(config, defaults(), weights)?, weights)
    }

    fn new(config: &Config, weights: &Weights) -> Result<Self> {
        let relative = RelativePositions::load(config, weights)?;
        // It belongs to the first layer.
        let conv = weights.at("conv").passed(weights.at("layer.0").learn());
        Ok(Self {
            layers: super::load_layers(config.num_hidden_layers, weights, |i| {
                Layer::load(config, relative.as_ref(), &weights.at(format_args!("layer.{i}")))
            })?,
            conv: (config.conv_kernel_size > 0).then(|| Conv::load(config, &conv)).transpose()?,
            relative_rows: config.relative_rows(),
        })
    }

    /// The hidden states after embeddings `x` `(tokens, hidden)`, as [`Backbone::forward`] gives them.
    ///
    /// # Errors
    /// The computation failed.
    pub fn forward(&self, mut x: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let longest = sequences.ranges().map(|range| range.len()).max().unwrap_or(0);
        let distances = Distances::new(self.relative_rows.index(longest));
        for (number, layer) in self.layers.iter().enumerate() {
            if !visit(number, &x)? {
                return Ok(());
            }
            let conv = self.conv.as_ref().filter(|_| number == 0);
            // The convolution adds all rows of its input.
            let read = sequences.read_after(number, self.layers.len()).filter(|_| conv.is_none());
            let y = layer.forward(&x, sequences, &distances, read)?;
            x = match conv {
                Some(conv) => conv.forward(&x, &y, sequences)?,
                None => y,
            };
        }
        visit(self.layers.len(), &x).map(|_| ())
    }
}

/// Absolute positions with the token type of a single sequence folded in; either may be absent.
fn load_positions(config: &Config, width: usize, embeddings: &Weights) -> Result<Option<PositionTable>> {
    let types = embeddings.at("token_type_embeddings");
    if !config.position_biased_input {
        return Ok(None);
    }
    let mut positions =
        PositionTable::load(&embeddings.at("position_embeddings"), config.max_position_embeddings, width, 0)?;
    if config.type_vocab_size > 0 {
        positions.add_first_row(&types)?;
    }
    Ok(Some(positions))
}

/// The table of relative positions.
struct RelativePositions {
    /// `(2 * span, hidden)`.
    table: Tensor,
    norm: Option<LayerNorm>,
}

impl RelativePositions {
    fn load(config: &Config, encoder: &Weights) -> Result<Option<Arc<Self>>> {
        if !config.relative_attention {
            return Ok(None);
        }
        let normed = config.norm_rel_ebd.split('|').any(|norm| norm.trim().eq_ignore_ascii_case("layer_norm"));
        let norm = || LayerNorm::load(&encoder.at("LayerNorm"), config.hidden_size, config.layer_norm_eps);
        let shape = [2 * config.relative_rows().span, config.hidden_size];
        let table = layers::parameter(&encoder.at("rel_embeddings"), "weight", &shape)?;
        Ok(Some(Arc::new(Self { table, norm: normed.then(norm).transpose()? })))
    }

    /// `(2 * span, hidden)` by a layer's own projection.
    fn project(&self, linear: &Linear, dropout: &Dropout) -> Result<Tensor> {
        let table = match &self.norm {
            Some(norm) => norm.forward(&self.table, 1)?,
            None => self.table.clone(),
        };
        linear.forward(&dropout.forward(&table)?, 1)
    }
}

/// Padding sees nothing, so the reference's softmax gives every row of its sequence, padding too, the same
/// weight: the mean of the values.
fn blind_padding(context: Tensor, query_key_value: &Tensor, sequences: &Sequences) -> Result<Tensor> {
    if sequences.text.is_none() {
        return Ok(context);
    }
    let (_, width) = context.dims2()?;
    let values = query_key_value.narrow(1, 2 * width, width)?.contiguous()?;
    let means = layers::pool(&values, &Span::all(sequences), Pooling::Avg)?;
    let places = sequences.padding().enumerate().flat_map(|(sequence, rows)| rows.map(move |row| (row, sequence)));
    layers::replace_rows(&context, places, &means)
}

impl Layer {
    fn load(config: &Config, relative: Option<&Arc<RelativePositions>>, weights: &Weights) -> Result<Self> {
        let (hidden, inner, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
        let own = weights.at("attention.self");
        let attention = Attention::beside(weights, hidden, heads)?;
        let terms = 1 + usize::from(config.has_term("c2p")) + usize::from(config.has_term("p2c"));
        let scale = 1.0 / ((hidden / heads * terms) as f32).sqrt();
        let dropout = Dropout::new(weights, config.hidden_dropout_prob);
        let vectors = |term: &str, shared: &str, separate: &str| -> Result<Option<DistanceVectors>> {
            let Some(relative) = relative.filter(|_| config.has_term(term)).cloned() else { return Ok(None) };
            let name = if config.share_att_key { shared } else { separate };
            let linear = Linear::load(&own.exact().at(name), hidden, hidden)?;
            let dropout = dropout.clone();
            DistanceVectors::new(&own, heads, move || relative.project(&linear, &dropout)).map(Some)
        };
        Ok(Self {
            query_key_value: Linear::load_joined(&own, &["query_proj", "key_proj", "value_proj"], hidden, hidden)?,
            attention: attention.scaled(scale).dropping(Dropout::new(weights, config.attention_probs_dropout_prob)),
            position_keys: vectors("c2p", "key_proj", "pos_key_proj")?,
            position_queries: vectors("p2c", "query_proj", "pos_query_proj")?,
            attention_output: Linear::load(&weights.at("attention.output.dense"), hidden, hidden)?
                .dropping(dropout.clone()),
            attention_norm: LayerNorm::load(&weights.at("attention.output.LayerNorm"), hidden, config.layer_norm_eps)?,
            up: Linear::load(&weights.at("intermediate.dense"), hidden, inner)?,
            activation: weights.setting(Activation::parse("hidden_act", &config.hidden_act))?,
            down: Linear::load(&weights.at("output.dense"), inner, hidden)?.dropping(dropout.clone()),
            norm: LayerNorm::load(&weights.at("output.LayerNorm"), hidden, config.layer_norm_eps)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        sequences: &Sequences,
        distances: &Distances,
        read: Option<&[usize]>,
    ) -> Result<Tensor> {
        let threads = sequences.threads;
        let bias = match (&self.position_keys, &self.position_queries) {
            (None, None) => Bias::None,
            (c2p, p2c) => Bias::Disentangled(Disentangled { c2p: c2p.as_ref(), p2c: p2c.as_ref(), distances }),
        };
        let query_key_value = self.query_key_value.forward(x, threads)?;
        let context = self.attention.forward(&query_key_value, sequences, bias, read)?;
        let context = blind_padding(context, &query_key_value, sequences)?;
        let [context, x] = layers::read_rows([&context, x], read)?;
        let x = self.attention_norm.forward(&self.attention_output.forward_add(&context, &x, threads)?, threads)?;
        let inner = self.up.forward_activated(&x, self.activation, threads)?;
        self.norm.forward(&self.down.forward_add(&inner, &x, threads)?, threads)
    }
}

impl Conv {
    fn load(config: &Config, weights: &Weights) -> Result<Self> {
        let hidden = config.hidden_size;
        let activation = weights.setting(Activation::parse("conv_act", &config.conv_act))?;
        let conv = weights.at("conv");
        Ok(Self {
            convolution: Convolution::load(&conv, hidden, config.conv_kernel_size, config.conv_groups, activation)?
                .dropping(Dropout::new(weights, config.hidden_dropout_prob)),
            norm: LayerNorm::load(&weights.at("LayerNorm"), hidden, config.layer_norm_eps)?,
        })
    }

    /// `norm(residual + activation(convolution of x))`.
    fn forward(&self, x: &Tensor, residual: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let x = self.norm.forward(&(residual + self.convolution.forward(x, sequences)?)?, sequences.threads)?;
        layers::clear_padding(x, sequences)
    }
}

impl Backbone for DebertaV2 {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn layers(&self) -> usize {
        self.encoder.layers.len()
    }

    fn max_positions(&self) -> Option<usize> {
        self.positions.as_ref().map(PositionTable::len)
    }

    fn words(&self) -> &Embedding {
        &self.words
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let mut x = match &self.positions {
            Some(positions) => positions.add_to(&words, sequences)?,
            None => words,
        };
        if let Some(types) = &self.token_types {
            x = (&x + types.forward(&vec![0; sequences.tokens()])?.to_dtype(x.dtype())?)?;
        }
        if let Some(project) = &self.project {
            x = project.forward(&x, sequences.threads)?;
        }
        x = layers::clear_padding(self.norm.forward(&x, sequences.threads)?, sequences)?;
        x = self.dropout.forward(&x)?;
        self.encoder.forward(x, sequences, visit)
    }
}

#[cfg(test)]
mod tests {
    use super::RelativeRows;

    #[test]
    fn near_distances_have_buckets_of_their_own_and_far_ones_share() {
        let rows = RelativeRows { buckets: Some(256), max_distance: 512, span: 256 };
        assert_eq!(rows.bucket(-128), -128);
        assert_eq!(rows.bucket(129), 129);
        assert_eq!(rows.bucket(-511), -255);
        assert_eq!(rows.bucket(200), -rows.bucket(-200));
        assert_eq!(rows.index(2), [255, 256, 257]);
    }

    #[test]
    fn without_buckets_the_distance_itself_is_clamped() {
        let rows = RelativeRows { buckets: None, max_distance: 2, span: 2 };
        assert_eq!(rows.index(4), [0, 0, 1, 2, 3, 3, 3]);
    }
}
