//! ModernBERT: rotary positions, local and global attention layers, gated MLP, norm before each block.
//!
//! Source: `modeling_modernbert.py` and `configuration_modernbert.py` of transformers.

use std::sync::Arc;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::layers::{
    self, Activation, Attention, Bias, Dropout, Embedding, GatedLinear, LayerNorm, Linear, Rotary, Rotations,
};
use super::{Backbone, LayerType, Sequences, Visit, rope};
use crate::checkpoint::Weights;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    hidden_activation: String,
    norm_eps: f32,
    norm_bias: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    global_attn_every_n_layers: usize,
    local_attention: usize,
    /// Half of `local_attention`, which it goes before.
    sliding_window: Option<usize>,
    embedding_dropout: f32,
    attention_dropout: f32,
    mlp_dropout: f32,
    pad_token_id: Option<i64>,
    layer_types: Option<Vec<LayerType>>,
    rope_parameters: Option<RopeParameters>,
    /// The old form of the config.
    global_rope_theta: Option<f32>,
    local_rope_theta: Option<f32>,
    rope_scaling: Option<rope::Parameters>,
}

#[derive(Debug, Default, Deserialize)]
struct RopeParameters {
    full_attention: Option<rope::Parameters>,
    sliding_attention: Option<rope::Parameters>,
    /// YaRN's: the reference looks for it here, not among the settings of a kind.
    truncate: Option<bool>,
}

/// The values of the settings that a config leaves out.
fn defaults() -> Value {
    json!({
        "hidden_size": 768,
        "num_hidden_layers": 22,
        "num_attention_heads": 12,
        "intermediate_size": 1152,
        "max_position_embeddings": 8192,
        "hidden_activation": "gelu",
        "norm_eps": 1e-5,
        "global_attn_every_n_layers": 3,
        "local_attention": 128,
        "embedding_dropout": 0.0,
        "attention_dropout": 0.0,
        "mlp_dropout": 0.0,
        "pad_token_id": 50283,
    })
}

impl Config {
    fn layer_type(&self, layer: usize) -> LayerType {
        match &self.layer_types {
            Some(types) => types[layer],
            None if layer.is_multiple_of(self.global_attn_every_n_layers.max(1)) => LayerType::FullAttention,
            None => LayerType::SlidingAttention,
        }
    }

    fn norm(&self, weights: &Weights) -> Result<LayerNorm> {
        LayerNorm::load(&weights.clone().biased(self.norm_bias == Some(true)), self.hidden_size, self.norm_eps)
    }

    /// How far a layer that sees what is near sees to each side.
    fn reach(&self) -> usize {
        self.sliding_window.unwrap_or(self.local_attention / 2)
    }

    /// The settings of rotary positions of the layers of this kind, where there are any.
    fn rope(&self, kind: LayerType) -> std::result::Result<Option<rope::Parameters>, String> {
        match (&self.rope_parameters, &self.rope_scaling) {
            (Some(_), Some(_)) => Err("rope_scaling beside rope_parameters is not supported: write its settings into \
                                       full_attention and sliding_attention of rope_parameters"
                .into()),
            (Some(parameters), None) => {
                let own = match kind {
                    LayerType::FullAttention => &parameters.full_attention,
                    LayerType::SlidingAttention => &parameters.sliding_attention,
                };
                Ok(own.as_ref().map(|own| own.with_truncate(parameters.truncate)))
            }
            (None, Some(scaling)) if scaling.has_only_old_type() => {
                Err("rope_scaling has a \"type\", which transformers 5 does not read here: call it \"rope_type\""
                    .into())
            }
            (None, scaling) => Ok(scaling.as_ref().map(|scaling| scaling.with_truncate(None))),
        }
    }

    /// Rotary positions of the layers of this kind.
    fn rotations(&self, kind: LayerType) -> std::result::Result<Rotations, String> {
        let theta = match kind {
            LayerType::FullAttention => self.global_rope_theta.unwrap_or(160_000.0),
            LayerType::SlidingAttention => self.local_rope_theta.unwrap_or(10_000.0),
        };
        let heads = self.num_attention_heads;
        let head_dim = self.hidden_size.checked_div(heads).unwrap_or(0);
        let turning = rope::turning(self.rope(kind)?.as_ref(), theta, head_dim, self.max_position_embeddings)?;
        Ok(Rotations::new(turning, heads))
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
    /// Loads the encoder.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Value, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(), weights)?;
        weights.setting(super::check_layer_types(config.layer_types.as_deref(), config.num_hidden_layers))?;
        let hidden = config.hidden_size;
        let embeddings = weights.at("embeddings");
        let layers = weights.at("layers");
        let rotations = |kind| weights.setting(config.rotations(kind));
        Ok(Self {
            words: Embedding::load(&embeddings.at("tok_embeddings"), hidden)?.freezing(config.pad_token_id),
            norm: config.norm(&embeddings.at("norm"))?,
            dropout: Dropout::new(&embeddings, config.embedding_dropout),
            layers: super::load_layers(config.num_hidden_layers, weights, |i| Layer::load(&config, i, &layers.at(i)))?,
            rotations: [rotations(LayerType::FullAttention)?, rotations(LayerType::SlidingAttention)?],
            final_norm: config.norm(&weights.at("final_norm"))?,
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
            attention = attention.within(config.reach());
        }
        let dropout = Dropout::new(weights, config.attention_dropout);
        let activation = weights.setting(Activation::parse("hidden_activation", &config.hidden_activation))?;
        let own = weights.at("attn").biased(config.attention_bias == Some(true));
        let mlp = weights.at("mlp").biased(config.mlp_bias == Some(true));
        Ok(Self {
            attention_norm: (index > 0).then(|| config.norm(&weights.at("attn_norm"))).transpose()?,
            query_key_value: Linear::load(&own.at("Wqkv"), hidden, 3 * hidden)?,
            kind,
            attention: attention.dropping(dropout.clone()),
            attention_output: Linear::load(&own.at("Wo"), hidden, hidden)?.dropping(dropout),
            mlp_norm: config.norm(&weights.at("mlp_norm"))?,
            up: GatedLinear::load(&mlp.at("Wi"), None, hidden, inner, activation)?,
            dropout: Dropout::new(weights, config.mlp_dropout),
            down: Linear::load(&mlp.at("Wo"), inner, hidden)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, turn: &Arc<Rotary>, read: Option<&[usize]>) -> Result<Tensor> {
        let threads = sequences.threads;
        let normed = self.attention_norm.as_ref().map(|norm| norm.forward(x, threads)).transpose()?;
        let query_key_value = self.query_key_value.forward(normed.as_ref().unwrap_or(x), threads)?;
        let query_key_value = turn.forward(query_key_value, sequences)?;
        let context = self.attention.forward(&query_key_value, sequences, Bias::None, read)?;
        let [context, x] = layers::read_rows([&context, x], read)?;
        let x = self.attention_output.forward_add(&context, &x, threads)?;
        let up = self.up.forward(&self.mlp_norm.forward(&x, threads)?, threads)?;
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

    fn words(&self) -> &Embedding {
        &self.words
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let [everywhere, near] = [0, 1].map(|kind| self.rotations[kind].for_sequences(sequences));
        let mut x = self.dropout.forward(&self.norm.forward(&words, sequences.threads)?)?;
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            let rotary = if layer.kind == LayerType::FullAttention { &everywhere } else { &near };
            x = layer.forward(&x, sequences, rotary, sequences.read_after(index, self.layers.len()))?;
        }
        visit(self.layers.len(), &self.final_norm.forward(&x, sequences.threads)?).map(|_| ())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::LayerType::FullAttention;
    use super::{Config, defaults};
    use crate::backbones::{completed, rope};

    fn config(settings: &[(&str, Value)]) -> Config {
        let config: Value = settings.iter().cloned().collect();
        serde_json::from_value(completed(&config, defaults())).unwrap()
    }

    #[test]
    fn a_sliding_window_goes_before_local_attention() {
        let local = ("local_attention", json!(20));
        assert_eq!(config(std::slice::from_ref(&local)).reach(), 10);
        assert_eq!(config(&[local, ("sliding_window", json!(3))]).reach(), 3);
    }

    #[test]
    fn the_truncation_of_yarn_stands_beside_the_kinds_of_layers() {
        let turning = |inside: bool, beside: Option<bool>| {
            let yarn = json!({
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "truncate": inside,
            });
            let config = config(&[("rope_parameters", json!({"full_attention": yarn, "truncate": beside}))]);
            rope::turning(config.rope(FullAttention).unwrap().as_ref(), 1e4, 32, 256).unwrap()
        };
        assert_eq!(turning(false, None), turning(true, None));
        assert_ne!(turning(false, Some(false)), turning(false, None));
    }

    #[test]
    fn two_forms_of_rotary_settings_and_an_old_name_of_one_are_refused() {
        let rope = |settings: &[(&str, Value)]| config(settings).rope(FullAttention).map(|found| found.is_some());
        let scaling = |name: &str| ("rope_scaling", json!({name: "linear", "factor": 2.0}));
        assert_eq!(rope(&[scaling("rope_type")]), Ok(true));
        assert!(rope(&[scaling("type")]).unwrap_err().contains("\"rope_type\""));
        let both = rope(&[scaling("rope_type"), ("rope_parameters", json!({}))]);
        assert!(both.unwrap_err().starts_with("rope_scaling beside rope_parameters"));
    }
}
