//! BART: learned positions, norm after each block.
//!
//! Source: `modeling_bart.py` of transformers; Lewis et al. (arXiv 1910.13461).

use std::ops::Range;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::layers::{Activation, Attention, Bias, Dropout, Embedding, LayerNorm, Linear, PositionTable};
use super::{EncoderDecoder, Packed, Sequences, Source};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Epsilon of `torch.nn.LayerNorm`.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Rows of the position table before that of the first position.
const POSITION_OFFSET: usize = 2;

#[derive(Debug, Deserialize)]
struct Config {
    d_model: usize,
    encoder_layers: usize,
    encoder_ffn_dim: usize,
    encoder_attention_heads: usize,
    decoder_layers: usize,
    decoder_ffn_dim: usize,
    decoder_attention_heads: usize,
    max_position_embeddings: usize,
    activation_function: String,
    scale_embedding: bool,
    dropout: f32,
    attention_dropout: f32,
    activation_dropout: f32,
    tie_word_embeddings: bool,
    pad_token_id: Option<i64>,
}

/// The values of the settings that a config leaves out.
fn defaults() -> Value {
    json!({
        "d_model": 1024,
        "encoder_layers": 12,
        "encoder_ffn_dim": 4096,
        "encoder_attention_heads": 16,
        "decoder_layers": 12,
        "decoder_ffn_dim": 4096,
        "decoder_attention_heads": 16,
        "max_position_embeddings": 1024,
        "activation_function": "gelu",
        "scale_embedding": false,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "tie_word_embeddings": true,
        "pad_token_id": 1,
    })
}

/// Sizes of an encoder or a decoder.
#[derive(Debug, Clone, Copy)]
struct Shape {
    hidden: usize,
    layers: usize,
    inner: usize,
    heads: usize,
    positions: usize,
    /// Whether it reads the encoder's hidden states.
    reads: bool,
    causal: bool,
    dropout: f32,
    attention_dropout: f32,
    activation_dropout: f32,
}

impl Shape {
    fn attention(self, weights: &Weights) -> Result<Attention> {
        let attention = Attention::beside(weights, self.hidden, self.heads)?;
        Ok(attention.dropping(Dropout::new(weights, self.attention_dropout)))
    }
}

/// The layers of an encoder or a decoder.
struct Stack {
    positions: PositionTable,
    norm: LayerNorm,
    dropout: Dropout,
    layers: Vec<Layer>,
}

struct Layer {
    query_key_value: Linear,
    attention: Attention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    reader: Option<Reader>,
    up: Linear,
    activation: Activation,
    dropout: Dropout,
    down: Linear,
    norm: LayerNorm,
}

/// A decoder's attention over the encoder's hidden states.
struct Reader {
    query: Linear,
    key_value: Linear,
    attention: Attention,
    output: Linear,
    norm: LayerNorm,
}

impl Stack {
    fn load(shape: Shape, activation: Activation, weights: &Weights) -> Result<Self> {
        let rows = shape.positions + POSITION_OFFSET;
        let positions = weights.at("embed_positions");
        Ok(Self {
            positions: PositionTable::load(&positions, rows, shape.hidden, POSITION_OFFSET)?,
            norm: LayerNorm::load(&weights.at("layernorm_embedding"), shape.hidden, LAYER_NORM_EPS)?,
            dropout: Dropout::new(&positions, shape.dropout),
            layers: super::load_layers(shape.layers, weights, |i| {
                Layer::load(shape, activation, &weights.at(format_args!("layers.{i}")))
            })?,
        })
    }

    fn forward(&self, words: &Tensor, sequences: &Sequences, source: Option<&Source>) -> Result<Tensor> {
        let x = self.norm.forward(&self.positions.add_to(words, sequences)?, sequences.threads)?;
        let mut x = self.dropout.forward(&x)?;
        for layer in &self.layers {
            x = layer.forward(&x, sequences, source)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn load(shape: Shape, activation: Activation, weights: &Weights) -> Result<Self> {
        let Shape { hidden, inner, .. } = shape;
        let own = weights.at("self_attn");
        let attention = shape.attention(weights)?;
        let dropout = Dropout::new(weights, shape.dropout);
        let norm = |name: &str| LayerNorm::load(&weights.at(name), hidden, LAYER_NORM_EPS);
        Ok(Self {
            query_key_value: Linear::load_joined(&own, &["q_proj", "k_proj", "v_proj"], hidden, hidden)?,
            attention: if shape.causal { attention.causal() } else { attention },
            attention_output: Linear::load(&own.at("out_proj"), hidden, hidden)?.dropping(dropout.clone()),
            attention_norm: norm("self_attn_layer_norm")?,
            reader: shape.reads.then(|| Reader::load(shape, weights)).transpose()?,
            up: Linear::load(&weights.at("fc1"), hidden, inner)?,
            activation,
            dropout: Dropout::new(weights, shape.activation_dropout),
            down: Linear::load(&weights.at("fc2"), inner, hidden)?.dropping(dropout),
            norm: norm("final_layer_norm")?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, source: Option<&Source>) -> Result<Tensor> {
        let threads = sequences.threads;
        let query_key_value = self.query_key_value.forward(x, threads)?;
        let context = self.attention.forward(&query_key_value, sequences, Bias::None, None)?;
        let mut x = self.attention_norm.forward(&self.attention_output.forward_add(&context, x, threads)?, threads)?;
        if let (Some(reader), Some(source)) = (&self.reader, source) {
            x = reader.forward(&x, sequences, source)?;
        }
        let inner = self.up.forward_activated(&x, self.activation, threads)?;
        self.norm.forward(&self.down.forward_add(&self.dropout.forward(&inner)?, &x, threads)?, threads)
    }
}

impl Reader {
    fn load(shape: Shape, weights: &Weights) -> Result<Self> {
        let hidden = shape.hidden;
        let own = weights.at("encoder_attn");
        Ok(Self {
            query: Linear::load(&own.at("q_proj"), hidden, hidden)?,
            key_value: Linear::load_joined(&own, &["k_proj", "v_proj"], hidden, hidden)?,
            attention: shape.attention(weights)?,
            output: Linear::load(&own.at("out_proj"), hidden, hidden)?.dropping(Dropout::new(weights, shape.dropout)),
            norm: LayerNorm::load(&weights.at("encoder_attn_layer_norm"), hidden, LAYER_NORM_EPS)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, source: &Source) -> Result<Tensor> {
        let threads = sequences.threads;
        let query = self.query.forward(x, threads)?;
        let key_value = self.key_value.forward(source.hidden, threads)?;
        let context = self.attention.forward_over(&query, &key_value, sequences, source.rows)?;
        self.norm.forward(&self.output.forward_add(&context, x, threads)?, threads)
    }
}

/// A whole BART.
pub struct Bart {
    words: Embedding,
    /// The decoder's, where they are not the encoder's.
    written_words: Option<Embedding>,
    scale: f64,
    encoder: Stack,
    decoder: Stack,
    hidden_size: usize,
    max_positions: usize,
}

impl Bart {
    /// Loads encoder and decoder. A token of the decoder sees only those before it where `causal`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Value, causal: bool, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, defaults(), weights)?;
        let (hidden, positions) = (config.d_model, config.max_position_embeddings);
        let activation = weights.setting(Activation::parse("activation_function", &config.activation_function))?;
        let encoder = Shape {
            hidden,
            layers: config.encoder_layers,
            inner: config.encoder_ffn_dim,
            heads: config.encoder_attention_heads,
            positions,
            reads: false,
            causal: false,
            dropout: config.dropout,
            attention_dropout: config.attention_dropout,
            activation_dropout: config.activation_dropout,
        };
        let decoder = Shape {
            layers: config.decoder_layers,
            inner: config.decoder_ffn_dim,
            heads: config.decoder_attention_heads,
            reads: true,
            causal,
            ..encoder
        };
        let own = weights.at("decoder.embed_tokens");
        let table = |weights| Embedding::load(weights, hidden).map(|table| table.freezing(config.pad_token_id));
        let unties = !config.tie_word_embeddings && own.has("weight");
        Ok(Self {
            words: table(&super::shared_words(weights))?,
            written_words: unties.then(|| table(&own)).transpose()?,
            scale: if config.scale_embedding { (hidden as f64).sqrt() } else { 1.0 },
            encoder: Stack::load(encoder, activation, &weights.at("encoder"))?,
            // It reads the encoder's states, which may learn.
            decoder: Stack::load(decoder, activation, &weights.at("decoder").passed(true))?,
            hidden_size: hidden,
            max_positions: positions,
        })
    }

    /// The table of the words that the decoder reads.
    fn written_words(&self) -> &Embedding {
        self.written_words.as_ref().unwrap_or(&self.words)
    }

    fn embed(&self, words: &Embedding, ids: &[u32]) -> Result<Tensor> {
        Ok((words.forward(ids)? * self.scale)?)
    }
}

impl EncoderDecoder for Bart {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.max_positions)
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        self.words.check(ids)?;
        self.written_words().check(ids)
    }

    fn forward(&self, read: &Packed, written: &Packed) -> Result<[Tensor; 2]> {
        let encoded = self.encoder.forward(&self.embed(&self.words, &read.ids)?, &read.sequences, None)?;
        let rows: Vec<Range<usize>> = read.sequences.ranges().collect();
        let source = Source { hidden: &encoded, rows: &rows };
        let decoded = self.decoder.forward(
            &self.embed(self.written_words(), &written.ids)?,
            &written.sequences,
            Some(&source),
        )?;
        Ok([encoded, decoded])
    }
}
