//! T5, mT5 and UMT5: norm by the root mean square, no bias anywhere, attention without a scale that adds
//! a learned number for each distance.
//!
//! Source: `modeling_t5.py` and `modeling_umt5.py` of transformers; Raffel et al. (arXiv 1910.10683).

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::buckets::Buckets;
use super::layers::{
    self, Activation, Attention, Bias, Dropout, Embedding, GatedLinear, Linear, RelativeBias, RmsNorm,
};
use super::{Backbone, EncoderDecoder, Packed, Sequences, Source, Visit};
use crate::checkpoint::Weights;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    d_model: usize,
    d_kv: usize,
    d_ff: usize,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    num_heads: usize,
    relative_attention_num_buckets: usize,
    relative_attention_max_distance: usize,
    layer_norm_epsilon: f32,
    dropout_rate: f32,
    feed_forward_proj: Option<String>,
    dense_act_fn: Option<String>,
    is_gated_act: Option<bool>,
}

/// The values of the settings that a config leaves out.
fn defaults(kind: &str) -> Value {
    let (inner, layers, heads) = if kind == "t5" { (2048, 6, 8) } else { (1024, 8, 6) };
    json!({
        "d_model": 512,
        "d_kv": 64,
        "d_ff": inner,
        "num_layers": layers,
        "num_heads": heads,
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6,
        "dropout_rate": 0.1,
    })
}

impl Config {
    /// Whether the feed-forward layer is gated, and its activation.
    fn feed_forward(&self, kind: &str) -> std::result::Result<(bool, Activation), String> {
        let default = if kind == "t5" { "relu" } else { "gated-gelu" };
        let form = self.feed_forward_proj.as_deref().unwrap_or(default);
        let (gated, name) = match form.strip_prefix("gated-") {
            Some("gelu") => (true, "gelu_new"),
            Some(name) => (true, name),
            None => (false, form),
        };
        let gated = self.is_gated_act.unwrap_or(gated);
        let (setting, name) = match &self.dense_act_fn {
            Some(name) => ("dense_act_fn", name.as_str()),
            None => ("feed_forward_proj", name),
        };
        Ok((gated, Activation::parse(setting, name)?))
    }

    fn buckets(&self, backward: bool) -> std::result::Result<Buckets, String> {
        Buckets::new(self.relative_attention_num_buckets, self.relative_attention_max_distance, backward)
    }

    fn heads(&self, weights: &Weights) -> Result<Attention> {
        let attention = Attention::beside(weights, self.num_heads * self.d_kv, self.num_heads)?;
        Ok(attention.scaled(1.0).dropping(Dropout::new(weights, self.dropout_rate)))
    }
}

/// The layers of an encoder or a decoder.
struct Stack {
    /// Of the words.
    dropout: Dropout,
    layers: Vec<Layer>,
    norm: RmsNorm,
    last_dropout: Dropout,
}

struct Layer {
    attention_norm: RmsNorm,
    query_key_value: Linear,
    attention: Attention,
    bias: Arc<RelativeBias>,
    attention_output: Linear,
    reader: Option<Reader>,
    norm: RmsNorm,
    up: Up,
    dropout: Dropout,
    down: Linear,
}

/// The first layer of a feed-forward block.
enum Up {
    Plain(Linear, Activation),
    Gated(GatedLinear),
}

/// A decoder's attention over the encoder's hidden states.
struct Reader {
    norm: RmsNorm,
    query: Linear,
    key_value: Linear,
    attention: Attention,
    output: Linear,
}

/// How a stack is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Encoder,
    /// A token sees only those before it where `causal`.
    Decoder {
        causal: bool,
    },
}

impl Stack {
    fn load(kind: &str, config: &Config, role: Role, weights: &Weights) -> Result<Self> {
        let decodes = role != Role::Encoder;
        let count = config.num_decoder_layers.filter(|_| decodes).unwrap_or(config.num_layers);
        let buckets = weights.setting(config.buckets(decodes))?;
        let weights = &weights.clone().biased(false);
        let block = |index: usize| weights.at(format_args!("block.{index}"));
        let bias = |index: usize| {
            let table = block(index).at("layer.0.SelfAttention.relative_attention_bias");
            let count = config.relative_attention_num_buckets;
            RelativeBias::load(&table, count, config.num_heads, &buckets.rows()).map(Arc::new)
        };
        // Only UMT5 has a table in every layer.
        let shared = (kind != "umt5" && count > 0).then(|| bias(0)).transpose()?;
        let layers = super::load_layers(count, weights, |index| {
            let bias = shared.clone().map_or_else(|| bias(index), Ok)?;
            Layer::load(kind, config, role, bias, &block(index))
        })?;
        let last = weights.at("final_layer_norm");
        Ok(Self {
            dropout: Dropout::new(&weights.at("embed_tokens"), config.dropout_rate),
            layers,
            norm: RmsNorm::load(&last, config.d_model, config.layer_norm_epsilon)?,
            last_dropout: Dropout::new(&last, config.dropout_rate),
        })
    }

    /// Hands out the hidden states as [`Backbone::forward`] does.
    fn forward(&self, words: Tensor, sequences: &Sequences, source: Option<&Source>, visit: &mut Visit) -> Result<()> {
        let mut x = self.dropout.forward(&words)?;
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            x = layer.forward(&x, sequences, source, sequences.read_after(index, self.layers.len()))?;
        }
        visit(self.layers.len(), &self.last_dropout.forward(&self.norm.forward(&x, sequences.threads)?)?).map(|_| ())
    }

    fn last(&self, words: Tensor, sequences: &Sequences, source: Option<&Source>) -> Result<Tensor> {
        super::last(|visit| self.forward(words, sequences, source, visit))
    }
}

impl Layer {
    fn load(kind: &str, config: &Config, role: Role, bias: Arc<RelativeBias>, weights: &Weights) -> Result<Self> {
        let (hidden, inner) = (config.d_model, config.num_heads * config.d_kv);
        let own = weights.at("layer.0.SelfAttention");
        let (reader, last) = match role {
            Role::Encoder => (None, 1),
            Role::Decoder { .. } => (Some(Reader::load(config, &weights.at("layer.1"))?), 2),
        };
        let mut attention = config.heads(weights)?;
        let dropout = Dropout::new(weights, config.dropout_rate);
        if role == (Role::Decoder { causal: true }) {
            attention = attention.causal();
        }
        let (gated, activation) = weights.setting(config.feed_forward(kind))?;
        let feed_forward = weights.at(format_args!("layer.{last}.DenseReluDense"));
        let up = if gated {
            let names = Some(["wi_0", "wi_1"]);
            Up::Gated(GatedLinear::load(&feed_forward, names, hidden, config.d_ff, activation)?)
        } else {
            Up::Plain(Linear::load(&feed_forward.at("wi"), hidden, config.d_ff)?, activation)
        };
        let norm = |name: &str| RmsNorm::load(&weights.at(name), hidden, config.layer_norm_epsilon);
        Ok(Self {
            attention_norm: norm("layer.0.layer_norm")?,
            query_key_value: Linear::load_joined(&own, &["q", "k", "v"], hidden, inner)?,
            attention,
            bias,
            attention_output: Linear::load(&own.at("o"), inner, hidden)?.dropping(dropout.clone()),
            reader,
            norm: norm(&format!("layer.{last}.layer_norm"))?,
            up,
            down: Linear::load(&feed_forward.at("wo"), config.d_ff, hidden)?.dropping(dropout.clone()),
            dropout,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        sequences: &Sequences,
        source: Option<&Source>,
        read: Option<&[usize]>,
    ) -> Result<Tensor> {
        let threads = sequences.threads;
        let query_key_value = self.query_key_value.forward(&self.attention_norm.forward(x, threads)?, threads)?;
        let context = self.attention.forward(&query_key_value, sequences, Bias::Relative(&self.bias), read)?;
        let mut x = self.attention_output.forward_add(&context, x, threads)?;
        if let (Some(reader), Some(source)) = (&self.reader, source) {
            x = reader.forward(&x, sequences, source)?;
        }
        let [x] = layers::read_rows([&x], read)?;
        let normed = self.norm.forward(&x, threads)?;
        let inner = match &self.up {
            Up::Plain(linear, activation) => linear.forward_activated(&normed, *activation, threads)?,
            Up::Gated(gated) => gated.forward(&normed, threads)?,
        };
        self.down.forward_add(&self.dropout.forward(&inner)?, &x, threads)
    }
}

impl Reader {
    fn load(config: &Config, weights: &Weights) -> Result<Self> {
        let (hidden, inner) = (config.d_model, config.num_heads * config.d_kv);
        let own = weights.at("EncDecAttention");
        Ok(Self {
            norm: RmsNorm::load(&weights.at("layer_norm"), hidden, config.layer_norm_epsilon)?,
            query: Linear::load(&own.at("q"), hidden, inner)?,
            key_value: Linear::load_joined(&own, &["k", "v"], hidden, inner)?,
            attention: config.heads(weights)?,
            output: Linear::load(&own.at("o"), inner, hidden)?.dropping(Dropout::new(weights, config.dropout_rate)),
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, source: &Source) -> Result<Tensor> {
        let threads = sequences.threads;
        let query = self.query.forward(&self.norm.forward(x, threads)?, threads)?;
        let key_value = self.key_value.forward(source.hidden, threads)?;
        let context = self.attention.forward_over(&query, &key_value, sequences, source.rows)?;
        self.output.forward_add(&context, x, threads)
    }
}

/// The encoder of a T5, mT5 or UMT5.
pub struct Encoder {
    words: Embedding,
    stack: Stack,
    hidden_size: usize,
}

impl Encoder {
    /// Loads the encoder of a `kind`, a `model_type`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(kind: &str, config: &Value, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(kind), weights)?;
        Ok(Self {
            words: Embedding::load(&super::shared_words(weights), config.d_model)?,
            stack: Stack::load(kind, &config, Role::Encoder, &weights.at("encoder"))?,
            hidden_size: config.d_model,
        })
    }
}

impl Backbone for Encoder {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn layers(&self) -> usize {
        self.stack.layers.len()
    }

    fn max_positions(&self) -> Option<usize> {
        None
    }

    fn words(&self) -> &Embedding {
        &self.words
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        self.stack.forward(words, sequences, None, visit)
    }
}

/// A whole T5, mT5 or UMT5.
pub struct T5 {
    words: Embedding,
    encoder: Stack,
    decoder: Stack,
    hidden_size: usize,
}

impl T5 {
    /// Loads encoder and decoder of a `kind`, a `model_type`. A token of the decoder sees only those before
    /// it where `causal`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(kind: &str, config: &Value, causal: bool, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(kind), weights)?;
        Ok(Self {
            words: Embedding::load(&super::shared_words(weights), config.d_model)?,
            encoder: Stack::load(kind, &config, Role::Encoder, &weights.at("encoder"))?,
            // It reads the encoder's states, which may learn.
            decoder: Stack::load(kind, &config, Role::Decoder { causal }, &weights.at("decoder").passed(true))?,
            hidden_size: config.d_model,
        })
    }
}

impl EncoderDecoder for T5 {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn max_positions(&self) -> Option<usize> {
        None
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        self.words.check(ids)
    }

    fn forward(&self, read: &Packed, written: &Packed) -> Result<[Tensor; 2]> {
        let encoded = self.encoder.last(self.words.forward(&read.ids)?, &read.sequences, None)?;
        let rows: Vec<Range<usize>> = read.sequences.ranges().collect();
        let source = Source { hidden: &encoded, rows: &rows };
        let decoded = self.decoder.last(self.words.forward(&written.ids)?, &written.sequences, Some(&source))?;
        Ok([encoded, decoded])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::{Config, defaults};
    use crate::backbones::completed;

    #[test]
    fn a_feed_forward_layer_is_gated_where_its_form_or_the_setting_of_that_name_says_so() {
        let is_gated = |kind: &str, config: &Value| {
            let config: Config = serde_json::from_value(completed(config, defaults(kind))).unwrap();
            config.feed_forward(kind).unwrap().0
        };
        assert!(!is_gated("t5", &json!({})) && is_gated("mt5", &json!({})));
        assert!(is_gated("t5", &json!({"feed_forward_proj": "gated-gelu"})));
        assert!(is_gated("t5", &json!({"is_gated_act": true, "dense_act_fn": "gelu_new"})));
    }
}
