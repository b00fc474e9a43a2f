//! BERT and its kin: RoBERTa, XLM-RoBERTa, ELECTRA, DistilBERT. Absolute positions, norm after each block.
//!
//! Source: `modeling_bert.py`, `modeling_roberta.py`, `modeling_electra.py`, `modeling_distilbert.py` of transformers.

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::Value;

use super::layers::{Activation, Attention, Embedding, LayerNorm, Linear, PositionTable};
use super::{Backbone, Sequences, Visit};
use crate::checkpoint::Weights;
use crate::error::Result;

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    #[serde(alias = "activation", default = "gelu")]
    hidden_act: String,
    max_position_embeddings: usize,
    embedding_size: Option<usize>,
    #[serde(default = "layer_norm_eps")]
    layer_norm_eps: f32,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
}

fn gelu() -> String {
    "gelu".into()
}

fn layer_norm_eps() -> f32 {
    1e-12
}

/// Names of a layer's tensors, which differ between the families.
struct Names {
    layers: &'static str,
    query_key_value: [&'static str; 3],
    attention_output: &'static str,
    attention_norm: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
}

const BERT: Names = Names {
    layers: "encoder.layer",
    query_key_value: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

const DISTILBERT: Names = Names {
    layers: "transformer.layer",
    query_key_value: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

/// An encoder of the BERT family.
pub struct Bert {
    words: Embedding,
    positions: PositionTable,
    norm: LayerNorm,
    project: Option<Linear>,
    layers: Vec<Layer>,
    hidden_size: usize,
}

struct Layer {
    query_key_value: Linear,
    attention: Attention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
    norm: LayerNorm,
}

impl Bert {
    /// Loads an encoder of the family `kind`, a `model_type`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(kind: &str, config: &Value, weights: &Weights) -> Result<Self> {
        let config: Config = super::parse(config, weights)?;
        if let Some(kind) = config.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(weights.error(format!("position_embedding_type {kind:?} is not supported: only absolute is")));
        }
        let names = if kind == "distilbert" { &DISTILBERT } else { &BERT };
        let width = config.embedding_size.filter(|_| kind == "electra").unwrap_or(config.hidden_size);
        // RoBERTa counts positions from the padding's id on.
        let offset = if kind.ends_with("roberta") { config.pad_token_id.unwrap_or(1) + 1 } else { 0 };
        let embeddings = weights.at("embeddings");
        let mut positions =
            PositionTable::load(&embeddings.at("position_embeddings"), config.max_position_embeddings, width, offset)?;
        if embeddings.has("token_type_embeddings.weight") {
            positions.add_first_row(&embeddings.at("token_type_embeddings"))?;
        }
        let project = (width != config.hidden_size)
            .then(|| Linear::load(&weights.at("embeddings_project"), width, config.hidden_size))
            .transpose()?;
        let layers = weights.at(names.layers);
        Ok(Self {
            words: Embedding::load(&embeddings.at("word_embeddings"), width)?,
            positions,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), width, config.layer_norm_eps)?,
            project,
            layers: (0..config.num_hidden_layers)
                .map(|i| Layer::load(&config, names, &layers.at(i)))
                .collect::<Result<_>>()?,
            hidden_size: config.hidden_size,
        })
    }
}

impl Layer {
    fn load(config: &Config, names: &Names, weights: &Weights) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let attention = Attention::new(hidden, config.num_attention_heads).map_err(|e| weights.error(e))?;
        Ok(Self {
            query_key_value: Linear::load_joined(weights, &names.query_key_value, hidden, hidden)?,
            attention,
            attention_output: Linear::load(&weights.at(names.attention_output), hidden, hidden)?,
            attention_norm: LayerNorm::load(&weights.at(names.attention_norm), hidden, config.layer_norm_eps)?,
            up: Linear::load(&weights.at(names.up), hidden, inner)?,
            activation: Activation::parse(&config.hidden_act).map_err(|e| weights.error(e))?,
            down: Linear::load(&weights.at(names.down), inner, hidden)?,
            norm: LayerNorm::load(&weights.at(names.norm), hidden, config.layer_norm_eps)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let query_key_value = self.query_key_value.forward(x, sequences.threads)?;
        let context = self.attention.forward(&query_key_value, sequences)?;
        let x = self.attention_norm.forward(&self.attention_output.forward_add(&context, x, sequences.threads)?)?;
        let inner = self.up.forward_activated(&x, self.activation, sequences.threads)?;
        self.norm.forward(&self.down.forward_add(&inner, &x, sequences.threads)?)
    }
}

impl Backbone for Bert {
    fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    fn layers(&self) -> usize {
        self.layers.len()
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.positions.len())
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        self.words.forward(ids)
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let mut x = self.norm.forward(&self.positions.add_to(&words, sequences)?)?;
        if let Some(project) = &self.project {
            x = project.forward(&x, sequences.threads)?;
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            x = layer.forward(&x, sequences)?;
        }
        visit(self.layers.len(), &x).map(|_| ())
    }
}
