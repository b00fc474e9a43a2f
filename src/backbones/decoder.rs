//! Decoders read as encoders: as they were trained, each token seeing those before it, or without the causal mask,
//! where the config says so or LLM2Vec runs Llama, Mistral or Gemma.
//!
//! Source: `modeling_{qwen2,qwen3,llama,mistral,gemma}.py` of transformers and `bidirectional_*.py` of
//! llm2vec 0.2.3; BehnamGhader et al., "LLM2Vec" (arXiv 2404.05961).

use std::num::NonZeroUsize;
use std::sync::Arc;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::layers::{
    self, Activation, Attention, Bias, Dropout, Embedding, GatedLinear, Linear, RmsNorm, Rotary, Rotations,
};
use super::rope::Rope;
use super::{Backbone, LayerType, Sequences, Visit};
use crate::checkpoint::Weights;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    hidden_act: Option<String>,
    /// Gemma's in LLM2Vec, which does not look at `hidden_act`.
    hidden_activation: Option<String>,
    rms_norm_eps: f32,
    attention_dropout: f32,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    pad_token_id: Option<i64>,
    #[serde(flatten)]
    rope: Rope,
    use_sliding_window: bool,
    sliding_window: Option<NonZeroUsize>,
    max_window_layers: usize,
    layer_types: Option<Vec<LayerType>>,
    /// Read for every family but by LLM2Vec.
    is_causal: Option<bool>,
    /// Gemma's.
    use_bidirectional_attention: Option<bool>,
}

/// The values of the settings that a config leaves out. Llama has as many keys as queries then.
fn defaults(kind: &str) -> Value {
    let (hidden, layers, heads, key_heads, inner, positions) = match kind {
        "qwen2" | "qwen3" => (4096, 32, 32, Some(32), 22016, 32768),
        "mistral" => (4096, 32, 32, Some(8), 14336, 131_072),
        "gemma" => (3072, 28, 16, Some(16), 24576, 8192),
        _ => (4096, 32, 32, None, 11008, 2048),
    };
    json!({
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "rms_norm_eps": 1e-6,
        "attention_dropout": 0.0,
        "pad_token_id": (kind == "gemma").then_some(0),
        "use_sliding_window": false,
        "sliding_window": 4096,
        "max_window_layers": 28,
    })
}

/// What sets the families apart.
#[derive(Debug, Clone, Copy)]
struct Family {
    /// Whether LLM2Vec runs it, which has its own classes of an older transformers.
    llm2vec: bool,
    causal: bool,
    /// Whether queries and keys are normed head by head.
    norms_heads: bool,
    window: Window,
    biases: Biases,
    /// Width of a head where the config names none; else the heads share the hidden width.
    head_dim: Option<usize>,
    /// Added to the weights of the norms.
    norm_shift: f32,
    /// Whether word embeddings are multiplied by the root of their width.
    scales_words: bool,
    activation: &'static str,
}

/// In which layers the config's sliding window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Nowhere,
    /// Where the config says.
    InSome,
    InAll,
}

/// Which layers have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Biases {
    None,
    /// Those of queries, keys and values.
    QueryKeyValue,
    /// Those of the attention, where the config says so.
    Attention,
    /// Those of the attention and those of the MLP, where the config says so of each.
    AttentionAndMlp,
}

const LLAMA: Family = Family {
    llm2vec: false,
    causal: true,
    norms_heads: false,
    window: Window::Nowhere,
    biases: Biases::AttentionAndMlp,
    head_dim: None,
    norm_shift: 0.0,
    scales_words: false,
    activation: "silu",
};

const MISTRAL: Family = Family { window: Window::InAll, biases: Biases::None, ..LLAMA };

const QWEN2: Family = Family { window: Window::InSome, biases: Biases::QueryKeyValue, ..LLAMA };

const QWEN3: Family = Family { norms_heads: true, head_dim: Some(128), biases: Biases::Attention, ..QWEN2 };

const GEMMA: Family = Family {
    norm_shift: 1.0,
    scales_words: true,
    head_dim: Some(256),
    biases: Biases::Attention,
    activation: "gelu_pytorch_tanh",
    ..LLAMA
};

impl Family {
    /// The family of a `model_type`, as transformers runs it or as LLM2Vec does.
    fn of(kind: &str, llm2vec: bool) -> Self {
        let own = match kind {
            "qwen2" => QWEN2,
            // LLM2Vec does not know it.
            "qwen3" => return QWEN3,
            "gemma" => GEMMA,
            "mistral" => MISTRAL,
            _ => LLAMA,
        };
        // LLM2Vec leaves Qwen2's causal mask in place unless attention runs in FlashAttention 2, which float32
        // never does: its class lacks the override of `_update_causal_mask` that the other families have.
        if llm2vec { Self { llm2vec, causal: kind == "qwen2", window: Window::Nowhere, ..own } } else { own }
    }
}

/// A decoder without its language head.
pub struct Decoder {
    words: Embedding,
    /// What word embeddings are multiplied with.
    word_scale: f64,
    /// What the input is multiplied with, whatever was added to the words or put in their place.
    input_scale: f64,
    layers: Vec<Layer>,
    norm: RmsNorm,
    rotations: Rotations,
    hidden_size: usize,
    max_positions: usize,
    causal: bool,
}

struct Layer {
    attention_norm: RmsNorm,
    queries: Linear,
    keys_values: Linear,
    /// Norms of each head's query and key.
    head_norms: Option<[RmsNorm; 2]>,
    key_heads: usize,
    head_dim: usize,
    attention: Attention,
    attention_output: Linear,
    mlp_norm: RmsNorm,
    up: GatedLinear,
    down: Linear,
}

impl Decoder {
    /// Loads a decoder of the family `kind`, a `model_type`, as transformers runs it or as LLM2Vec does.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(kind: &str, config: &Value, llm2vec: bool, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(kind), weights)?;
        weights.setting(super::check_layer_types(config.layer_types.as_deref(), config.num_hidden_layers))?;
        let mut family = Family::of(kind, llm2vec);
        family.causal = weights.setting(config.is_causal(&family))?;
        let family = &family;
        let hidden = config.hidden_size;
        let head_dim = weights.setting(config.head_dim(family))?;
        let turning = weights.setting(config.rope.turning(head_dim, config.max_position_embeddings))?;
        let layers = weights.at("layers");
        let scale = if family.scales_words { f64::from((hidden as f32).sqrt()) } else { 1.0 };
        let (word_scale, input_scale) = if family.llm2vec { (1.0, scale) } else { (scale, 1.0) };
        Ok(Self {
            words: Embedding::load(&weights.at("embed_tokens"), hidden)?.freezing(config.pad_token_id),
            word_scale,
            input_scale,
            layers: super::load_layers(config.num_hidden_layers, weights, |i| {
                Layer::load(&config, family, i, &layers.at(i))
            })?,
            norm: RmsNorm::load_shifted(&weights.at("norm"), hidden, config.rms_norm_eps, family.norm_shift)?,
            rotations: Rotations::new(turning, config.num_attention_heads),
            hidden_size: hidden,
            max_positions: config.max_position_embeddings,
            causal: family.causal,
        })
    }
}

impl Config {
    fn head_dim(&self, family: &Family) -> std::result::Result<usize, String> {
        let heads = self.num_attention_heads;
        match self.head_dim.or(family.head_dim) {
            Some(head_dim) => Ok(head_dim),
            None if heads > 0 && self.hidden_size.is_multiple_of(heads) => Ok(self.hidden_size / heads),
            None => Err(format!("num_attention_heads {heads} does not divide hidden_size {}", self.hidden_size)),
        }
    }

    fn key_heads(&self) -> std::result::Result<usize, String> {
        let heads = self.num_attention_heads;
        let key_heads = self.num_key_value_heads.unwrap_or(heads);
        if key_heads == 0 || !heads.is_multiple_of(key_heads) {
            return Err(format!("num_key_value_heads {key_heads} does not divide num_attention_heads {heads}"));
        }
        Ok(key_heads)
    }

    /// Whether there are biases of queries, keys and values, of the attention's output, and of the MLP.
    fn biases(&self, family: &Family) -> [bool; 3] {
        let [attention, mlp] = [self.attention_bias, self.mlp_bias].map(|setting| setting == Some(true));
        match family.biases {
            Biases::None => [false; 3],
            Biases::QueryKeyValue => [true, false, false],
            Biases::Attention => [attention, attention, false],
            Biases::AttentionAndMlp => [attention, attention, mlp],
        }
    }

    /// Whether a token sees only itself and those before it.
    fn is_causal(&self, family: &Family) -> std::result::Result<bool, String> {
        match self.is_causal {
            _ if family.llm2vec => Ok(family.causal),
            Some(is_causal) => Ok(is_causal),
            // The reference sees both ways with it, but only in a batch without padding.
            None if family.scales_words && self.use_bidirectional_attention == Some(true) => {
                Err("use_bidirectional_attention is not supported: \"is_causal\": false sees both ways in every batch"
                    .into())
            }
            None => Ok(family.causal),
        }
    }

    /// How far a layer sees, where that is bounded. The window counts the token itself where that is the last one seen.
    fn window(&self, family: &Family, layer: usize) -> Option<usize> {
        let chosen = || match &self.layer_types {
            Some(types) => types[layer] == LayerType::SlidingAttention,
            None => layer >= self.max_window_layers,
        };
        let slides = match family.window {
            Window::Nowhere => false,
            Window::InSome => self.use_sliding_window && chosen(),
            Window::InAll => true,
        };
        self.sliding_window.filter(|_| slides).map(|window| window.get() - usize::from(family.causal))
    }

    fn activation(&self, family: &Family) -> std::result::Result<Activation, String> {
        let (setting, named) = match (family.scales_words, family.llm2vec) {
            (true, true) => ("hidden_activation", self.hidden_activation.as_deref()),
            // Old configs of Gemma say `gelu` and mean its approximation.
            (true, false) => ("hidden_act", self.hidden_act.as_deref().filter(|name| *name != "gelu")),
            (false, _) => ("hidden_act", self.hidden_act.as_deref()),
        };
        Activation::parse(setting, named.unwrap_or(family.activation))
    }
}

impl Layer {
    fn load(config: &Config, family: &Family, index: usize, weights: &Weights) -> Result<Self> {
        let (hidden, inner, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
        let head_dim = weights.setting(config.head_dim(family))?;
        let key_heads = weights.setting(config.key_heads())?;
        let mut attention = Attention::beside(weights, heads * head_dim, heads)?;
        if family.causal {
            attention = attention.causal();
        }
        if let Some(window) = config.window(family, index) {
            attention = attention.within(window);
        }
        attention = attention.dropping(Dropout::new(weights, config.attention_dropout));
        let norm = |name: &str, width| -> Result<RmsNorm> {
            RmsNorm::load_shifted(&weights.at(name), width, config.rms_norm_eps, family.norm_shift)
        };
        let [with_query_key_value, with_output, with_mlp] = config.biases(family);
        let own = weights.at("self_attn").biased(with_query_key_value);
        let mlp = weights.at("mlp").biased(with_mlp);
        let activation = weights.setting(config.activation(family))?;
        Ok(Self {
            attention_norm: norm("input_layernorm", hidden)?,
            queries: Linear::load(&own.at("q_proj"), hidden, heads * head_dim)?,
            keys_values: Linear::load_joined(&own, &["k_proj", "v_proj"], hidden, key_heads * head_dim)?,
            head_norms: if family.norms_heads {
                Some([norm("self_attn.q_norm", head_dim)?, norm("self_attn.k_norm", head_dim)?])
            } else {
                None
            },
            key_heads,
            head_dim,
            attention,
            attention_output: Linear::load(&own.at("o_proj").biased(with_output), heads * head_dim, hidden)?,
            mlp_norm: norm("post_attention_layernorm", hidden)?,
            up: GatedLinear::load(&mlp, Some(["gate_proj", "up_proj"]), hidden, inner, activation)?,
            down: Linear::load(&mlp.at("down_proj"), inner, hidden)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, turn: &Arc<Rotary>, read: Option<&[usize]>) -> Result<Tensor> {
        let threads = sequences.threads;
        let joined = self.query_key_value(&self.attention_norm.forward(x, threads)?, threads)?;
        let context = self.attention.forward(&turn.forward(joined, sequences)?, sequences, Bias::None, read)?;
        let [context, x] = layers::read_rows([&context, x], read)?;
        let x = self.attention_output.forward_add(&context, &x, threads)?;
        let up = self.up.forward(&self.mlp_norm.forward(&x, threads)?, threads)?;
        self.down.forward_add(&up, &x, threads)
    }

    /// Queries, keys and values side by side, keys and values once for each query head: `(tokens, 3 * heads * head_dim)`.
    fn query_key_value(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        let mut queries = self.queries.forward(x, threads)?;
        let keys_values = self.keys_values.forward(x, threads)?;
        let (_, width) = queries.dims2()?;
        let key_width = self.key_heads * self.head_dim;
        let mut keys = keys_values.narrow(1, 0, key_width)?.contiguous()?;
        let values = keys_values.narrow(1, key_width, key_width)?;
        if let Some([query_norm, key_norm]) = &self.head_norms {
            queries = self.norm_heads(query_norm, &queries, threads)?;
            keys = self.norm_heads(key_norm, &keys, threads)?;
        }
        let repeat = |x: &Tensor| self.repeat(x, width / key_width);
        Ok(Tensor::cat(&[&queries, &repeat(&keys)?, &repeat(&values)?], 1)?)
    }

    /// Norms each head of `x` `(tokens, heads * head_dim)` by itself.
    fn norm_heads(&self, norm: &RmsNorm, x: &Tensor, threads: usize) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        Ok(norm.forward(&x.reshape(((), self.head_dim))?, threads)?.reshape((tokens, width))?)
    }

    /// Each head of `x` `(tokens, key_heads * head_dim)` `times` times: the attention takes a key for each query.
    fn repeat(&self, x: &Tensor, times: usize) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let heads = x.reshape((tokens, self.key_heads, 1, self.head_dim))?;
        Ok(heads.broadcast_as((tokens, self.key_heads, times, self.head_dim))?.reshape((tokens, times * width))?)
    }
}

impl Backbone for Decoder {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn layers(&self) -> usize {
        self.layers.len()
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.max_positions)
    }

    fn is_causal(&self) -> bool {
        self.causal
    }

    fn words(&self) -> &Embedding {
        &self.words
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        scaled(self.words.forward(ids)?, self.word_scale)
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let mut x = scaled(words, self.input_scale)?;
        let rotary = self.rotations.for_sequences(sequences);
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            x = layer.forward(&x, sequences, &rotary, sequences.read_after(index, self.layers.len()))?;
        }
        visit(self.layers.len(), &self.norm.forward(&x, sequences.threads)?).map(|_| ())
    }
}

fn scaled(x: Tensor, scale: f64) -> Result<Tensor> {
    if scale == 1.0 { Ok(x) } else { Ok((x * scale)?) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::{Config, Family, defaults};
    use crate::backbones::completed;

    fn config(settings: &[(&str, bool)]) -> Config {
        let settings = settings.iter().map(|(name, value)| (*name, json!(value)));
        let config: Value = settings.chain([("sliding_window", json!(4))]).collect();
        serde_json::from_value(completed(&config, defaults("llama"))).unwrap()
    }

    #[test]
    fn keys_that_a_config_does_not_count_are_as_many_as_its_family_has() {
        let key_heads = |kind: &str, config: &Value| -> usize {
            let config: Config = serde_json::from_value(completed(config, defaults(kind))).unwrap();
            config.key_heads().unwrap()
        };
        let half = json!({"num_attention_heads": 16});
        assert_eq!(["llama", "mistral", "gemma"].map(|kind| key_heads(kind, &half)), [16, 8, 16]);
        assert_eq!(key_heads("mistral", &json!({"num_key_value_heads": null})), 32);
    }

    #[test]
    fn a_decoder_is_causal_unless_its_config_or_llm2vec_says_otherwise() {
        let is_causal = |kind, llm2vec, setting| config(&[setting]).is_causal(&Family::of(kind, llm2vec));
        let [yes, no] = [true, false].map(|value| ("is_causal", value));
        assert_eq!(is_causal("llama", false, yes), Ok(true));
        assert_eq!(is_causal("llama", false, no), Ok(false));
        assert_eq!(is_causal("llama", true, yes), Ok(false));
        assert_eq!(is_causal("qwen2", true, no), Ok(true));
        assert_eq!(is_causal("qwen3", true, no), Ok(false));
    }

    #[test]
    fn what_gemma_reads_in_two_ways_is_refused_unless_its_config_says_which() {
        let both_ways = ("use_bidirectional_attention", true);
        let is_causal = |kind, llm2vec, settings: &[_]| config(settings).is_causal(&Family::of(kind, llm2vec));
        assert!(is_causal("gemma", false, &[both_ways]).unwrap_err().contains("\"is_causal\": false"));
        assert_eq!(is_causal("gemma", false, &[both_ways, ("is_causal", false)]), Ok(false));
        assert_eq!(is_causal("gemma", true, &[both_ways]), Ok(false));
        assert_eq!(is_causal("mistral", false, &[both_ways]), Ok(true));
    }

    #[test]
    fn a_window_counts_the_token_itself_only_where_none_is_seen_behind_it() {
        let family = Family::of("mistral", false);
        assert_eq!(config(&[]).window(&family, 0), Some(3));
        assert_eq!(config(&[]).window(&Family { causal: false, ..family }, 0), Some(4));
    }
}
