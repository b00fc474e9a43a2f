//! ModernBERT: rotary positions, local and global attention layers, gated MLP, norm before each block.
//!
//! Source: `modeling_modernbert.py` and `configuration_modernbert.py` of transformers.

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::Value;

use super::layers::{
    self, Activation, Attention, Dropout, Embedding, GatedLinear, LayerNorm, Linear, Rotary, Rotations,
};
use super::{Backbone, Sequences, Visit, rope};
use crate::checkpoint::Weights;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default = "norm_eps")]
    norm_eps: f32,
    #[serde(default = "global_every")]
    global_attn_every_n_layers: usize,
    #[serde(default = "local_attention")]
    local_attention: usize,
    #[serde(default)]
    embedding_dropout: f32,
    #[serde(default)]
    attention_dropout: f32,
    #[serde(default)]
    mlp_dropout: f32,
    layer_types: Option<Vec<LayerType>>,
    rope_parameters: Option<RopeParameters>,
    /// The old form of the config.
    global_rope_theta: Option<f32>,
    local_rope_theta: Option<f32>,
    rope_scaling: Option<rope::Parameters>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    FullAttention,
    SlidingAttention,
}

#[derive(Debug, Default, Deserialize)]
struct RopeParameters {
    full_attention: Option<rope::Parameters>,
    sliding_attention: Option<rope::Parameters>,
}

fn gelu() -> String {
    "gelu".into()
}

fn norm_eps() -> f32 {
    1e-5
}

fn global_every() -> usize {
    3
}

fn local_attention() -> usize {
    128
}

impl Config {
    fn layer_type(&self, layer: usize) -> LayerType {
        match &self.layer_types {
            Some(types) if layer < types.len() => types[layer],
            _ if layer.is_multiple_of(self.global_attn_every_n_layers.max(1)) => LayerType::FullAttention,
            _ => LayerType::SlidingAttention,
        }
    }

    /// Rotary positions of the layers of this kind.
    fn rotations(&self, kind: LayerType) -> std::result::Result<Rotations, String> {
        let parameters = self.rope_parameters.as_ref().and_then(|parameters| match kind {
            LayerType::FullAttention => parameters.full_attention.as_ref(),
            LayerType::SlidingAttention => parameters.sliding_attention.as_ref(),
        });
        let parameters = parameters.or(self.rope_scaling.as_ref());
        let theta = match kind {
            LayerType::FullAttention => self.global_rope_theta.unwrap_or(160_000.0),
            LayerType::SlidingAttention => self.local_rope_theta.unwrap_or(10_000.0),
        };
        let heads = self.num_attention_heads;
        let head_dim = self.hidden_size.checked_div(heads).unwrap_or(0);
        let turning = rope::turning(parameters, theta, head_dim, self.max_position_embeddings)?;
        Ok(Rotations::new(turning.frequencies, turning.scale, heads))
    }
}

/// A ModernBERT encoder.
pub struct ModernBert {
    words: Embedding,
    norm: LayerNorm,
    dropout: Dropout,
    /// Of layers that see everything, and of those that see what is near.
    rotations: [Rotations; 2],
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    hidden_size: usize,
    max_positions: usize,
}

struct Layer {
    /// Absent in the first layer, whose input is normed already.
    attention_norm: Option<LayerNorm>,
    query_key_value: Linear,
    kind: LayerType,
    attention: Attention,
    attention_output: Linear,
    mlp_norm: LayerNorm,
    up: GatedLinear,
    dropout: Dropout,
    down: Linear,
}

impl ModernBert {
    /// Loads the encoder. Whether there are biases is told by the tensors.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Value, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, weights)?;
        let hidden = config.hidden_size;
        let embeddings = weights.at("embeddings");
        let layers = weights.at("layers");
        let rotations = |kind| config.rotations(kind).map_err(|e| weights.setting_error(e));
        Ok(Self {
            words: Embedding::load(&embeddings.at("tok_embeddings"), hidden)?,
            norm: LayerNorm::load(&embeddings.at("norm"), hidden, config.norm_eps)?,
            dropout: Dropout::new(&embeddings, config.embedding_dropout),
            layers: super::load_layers(config.num_hidden_layers, weights, |i| Layer::load(&config, i, &layers.at(i)))?,
            rotations: [rotations(LayerType::FullAttention)?, rotations(LayerType::SlidingAttention)?],
            final_norm: LayerNorm::load(&weights.at("final_norm"), hidden, config.norm_eps)?,
            hidden_size: hidden,
            max_positions: config.max_position_embeddings,
        })
    }
}

impl Layer {
    fn load(config: &Config, index: usize, weights: &Weights) -> Result<Self> {
        let (hidden, inner, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
        let kind = config.layer_type(index);
        let mut attention = Attention::beside(weights, hidden, heads)?;
        if kind == LayerType::SlidingAttention {
            attention = attention.within(config.local_attention / 2);
        }
        let dropout = Dropout::new(weights, config.attention_dropout);
        let activation = Activation::parse(&config.hidden_activation).map_err(|e| weights.setting_error(e))?;
        Ok(Self {
            attention_norm: (index > 0)
                .then(|| LayerNorm::load(&weights.at("attn_norm"), hidden, config.norm_eps))
                .transpose()?,
            query_key_value: Linear::load(&weights.at("attn.Wqkv"), hidden, 3 * hidden)?,
            kind,
            attention: attention.dropping(dropout.clone()),
            attention_output: Linear::load(&weights.at("attn.Wo"), hidden, hidden)?.dropping(dropout),
            mlp_norm: LayerNorm::load(&weights.at("mlp_norm"), hidden, config.norm_eps)?,
            up: GatedLinear::load(&weights.at("mlp.Wi"), None, hidden, inner, activation)?,
            dropout: Dropout::new(weights, config.mlp_dropout),
            down: Linear::load(&weights.at("mlp.Wo"), inner, hidden)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, rotary: &Rotary, read: Option<&[usize]>) -> Result<Tensor> {
        let threads = sequences.threads;
        let normed = self.attention_norm.as_ref().map(|norm| norm.forward(x)).transpose()?;
        let query_key_value = self.query_key_value.forward(normed.as_ref().unwrap_or(x), threads)?;
        let query_key_value = rotary.forward(query_key_value, sequences)?;
        let context = self.attention.forward(&query_key_value, sequences)?;
        let [context, x] = layers::read_rows([&context, x], read)?;
        let x = self.attention_output.forward_add(&context, &x, threads)?;
        let up = self.up.forward(&self.mlp_norm.forward(&x)?, threads)?;
        self.down.forward_add(&self.dropout.forward(&up)?, &x, threads)
    }
}

impl Backbone for ModernBert {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn layers(&self) -> usize {
        self.layers.len()
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.max_positions)
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        self.words.check(ids)
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        self.words.forward(ids)
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let [everywhere, near] = [0, 1].map(|kind| self.rotations[kind].for_sequences(sequences));
        let mut x = self.dropout.forward(&self.norm.forward(&words)?)?;
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            let rotary = if layer.kind == LayerType::FullAttention { &everywhere } else { &near };
            x = layer.forward(&x, sequences, rotary, sequences.read_after(index, self.layers.len()))?;
        }
        visit(self.layers.len(), &self.final_norm.forward(&x)?).map(|_| ())
    }
}
