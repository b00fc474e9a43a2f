//! BERT and its kin: RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA, DistilBERT, MPNet, ALBERT. Absolute positions, norm after
//! each block. transformers 5 does not read `position_embedding_type`: all of them are absolute.
//!
//! Source: `modeling_{bert,roberta,electra,distilbert,mpnet,albert}.py` of transformers.

use std::sync::Arc;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::buckets::Buckets;
use super::layers::{
    self, Activation, Attention, Bias, Dropout, Embedding, LayerNorm, Linear, PositionTable, RelativeBias,
};
use super::{Backbone, Sequences, Visit};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Of the norms, where a config names no other.
const LAYER_NORM_EPS: f32 = 1e-12;

/// The families whose positions count from the id of padding on, and without it; it is 1 where nothing is said.
const COUNTS_FROM_PADDING: [&str; 4] = ["roberta", "xlm-roberta", "camembert", "mpnet"];

#[derive(Debug, Deserialize)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: Option<String>,
    max_position_embeddings: usize,
    embedding_size: Option<usize>,
    layer_norm_eps: f32,
    hidden_dropout_prob: Option<f32>,
    attention_probs_dropout_prob: Option<f32>,
    pad_token_id: Option<i64>,
    /// Rows of MPNet's table of distances, of which only the first [`MPNET_BUCKETS`] are looked up.
    relative_attention_num_buckets: Option<usize>,
    /// Sets of weights that ALBERT's layers share, one after another.
    num_hidden_groups: usize,
    /// ALBERT's layers in each set.
    inner_group_num: usize,
}

/// DistilBERT's own names of settings, what its kin calls them, and whether that name counts there, too, and more.
const DISTILBERT_SETTINGS: [(&str, &str, bool); 7] = [
    ("dim", "hidden_size", true),
    ("n_layers", "num_hidden_layers", true),
    ("n_heads", "num_attention_heads", true),
    ("hidden_dim", "intermediate_size", false),
    ("activation", "hidden_act", false),
    ("dropout", "hidden_dropout_prob", false),
    ("attention_dropout", "attention_probs_dropout_prob", false),
];

/// A config of DistilBERT with the names of its kin.
fn renamed(config: &Value) -> Value {
    let mut config = config.clone();
    let Some(settings) = config.as_object_mut() else { return config };
    for (own, name, counts) in DISTILBERT_SETTINGS {
        let other = settings.remove(name).filter(|_| counts);
        if let Some(value) = other.or_else(|| settings.remove(own)) {
            settings.insert(name.into(), value);
        }
    }
    config
}

/// The values of the settings that a config leaves out, by the names of DistilBERT's kin.
fn defaults(kind: &str) -> Value {
    let [embedding, hidden, layers, heads, inner] = match kind {
        "electra" => [128, 256, 12, 4, 1024],
        "albert" => [128, 4096, 12, 64, 16384],
        "distilbert" => [768, 768, 6, 12, 3072],
        _ => [768, 768, 12, 12, 3072],
    };
    json!({
        "embedding_size": embedding,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": 512,
        "layer_norm_eps": LAYER_NORM_EPS,
        "pad_token_id": i64::from(COUNTS_FROM_PADDING.contains(&kind)),
        "num_hidden_groups": 1,
        "inner_group_num": 1,
    })
}

/// What sets the families apart: names of a layer's tensors, and where the config names none, the activation and the
/// rate of dropout.
struct Names {
    activation: &'static str,
    dropout: f32,
    /// Whether there is dropout after the attention, and after the layers between.
    drops: [bool; 2],
    layers: &'static str,
    query_key_value: [&'static str; 3],
    attention_output: &'static str,
    attention_norm: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
}

const BERT: Names = Names {
    activation: "gelu",
    dropout: 0.1,
    drops: [true, true],
    layers: "encoder.layer",
    query_key_value: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

const DISTILBERT: Names = Names {
    activation: "gelu",
    dropout: 0.1,
    drops: [false, true],
    layers: "transformer.layer",
    query_key_value: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

const MPNET: Names = Names {
    query_key_value: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    attention_output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..BERT
};

const ALBERT: Names = Names {
    activation: "gelu_new",
    dropout: 0.0,
    drops: [true, false],
    layers: "encoder.albert_layer_groups",
    query_key_value: ["attention.query", "attention.key", "attention.value"],
    attention_output: "attention.dense",
    attention_norm: "attention.LayerNorm",
    up: "ffn",
    down: "ffn_output",
    norm: "full_layer_layer_norm",
};

/// Rows of MPNet's table of distances that are looked up, and their reach, whatever its config says.
const MPNET_BUCKETS: usize = 32;
const MPNET_DISTANCE: usize = 128;

/// An encoder of the BERT family.
pub struct Bert {
    words: Embedding,
    positions: PositionTable,
    norm: LayerNorm,
    dropout: Dropout,
    project: Option<Linear>,
    /// MPNet's, the same in all layers.
    bias: Option<RelativeBias>,
    layers: Vec<Arc<Layer>>,
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
        let mut config: Config = match kind {
            "distilbert" => super::parse(&renamed(config), defaults(kind), weights)?,
            _ => super::parse(config, defaults(kind), weights)?,
        };
        if kind == "distilbert" {
            // Fixed there, whatever the config says.
            config.layer_norm_eps = LAYER_NORM_EPS;
        }
        let names = match kind {
            "distilbert" => &DISTILBERT,
            "mpnet" => &MPNET,
            "albert" => &ALBERT,
            _ => &BERT,
        };
        let width = config.embedding_size.filter(|_| ["electra", "albert"].contains(&kind));
        let width = width.unwrap_or(config.hidden_size);
        // MPNet's, whatever the config says.
        let padding = if kind == "mpnet" { Some(1) } else { config.pad_token_id };
        let embeddings = weights.at("embeddings");
        let (table, rows) = (embeddings.at("position_embeddings"), config.max_position_embeddings);
        let mut positions = if COUNTS_FROM_PADDING.contains(&kind) {
            // Null is as nothing said.
            let padding = weights.setting(unplaced(padding.unwrap_or(1), rows))?;
            PositionTable::load_without(&table, rows, width, padding)?
        } else {
            PositionTable::load(&table, rows, width, 0)?
        };
        if !["distilbert", "mpnet"].contains(&kind) {
            positions.add_first_row(&embeddings.at("token_type_embeddings"))?;
        }
        let project = match kind {
            "albert" => Some("encoder.embedding_hidden_mapping_in"),
            _ => (width != config.hidden_size).then_some("embeddings_project"),
        };
        let layers = weights.at(names.layers);
        Ok(Self {
            words: Embedding::load(&embeddings.at("word_embeddings"), width)?.freezing(padding),
            positions,
            norm: LayerNorm::load(&embeddings.at("LayerNorm"), width, config.layer_norm_eps)?,
            dropout: Dropout::new(&embeddings, config.hidden_dropout_prob.unwrap_or(names.dropout)),
            project: project.map(|name| Linear::load(&weights.at(name), width, config.hidden_size)).transpose()?,
            bias: (kind == "mpnet").then(|| load_bias(&config, &weights.at("encoder"))).transpose()?,
            layers: match kind {
                "albert" => load_shared(&config, names, &layers)?,
                _ => super::load_layers(config.num_hidden_layers, weights, |i| {
                    Layer::load(&config, names, &layers.at(i)).map(Arc::new)
                })?,
            },
            hidden_size: config.hidden_size,
        })
    }
}

/// The id of padding, from which `positions` rows are counted on.
fn unplaced(padding: i64, positions: usize) -> std::result::Result<u32, String> {
    let before = |padding: &u32| (*padding as usize) + 1 < positions;
    u32::try_from(padding).ok().filter(before).ok_or_else(|| {
        format!(
            "pad_token_id {padding}: positions are counted from it on, so it must be from 0 and leave some of \
             {positions}"
        )
    })
}

/// ALBERT's layers in the order they are run, those of a group again and again.
fn load_shared(config: &Config, names: &Names, weights: &Weights) -> Result<Vec<Arc<Layer>>> {
    let (layers, groups) = (config.num_hidden_layers, config.num_hidden_groups);
    let load = |group, inner| {
        Layer::load(config, names, &weights.at(format_args!("{group}.albert_layers.{inner}"))).map(Arc::new)
    };
    let groups: Vec<Vec<Arc<Layer>>> = (0..groups)
        .map(|group| (0..config.inner_group_num).map(|inner| load(group, inner)).collect())
        .collect::<Result<_>>()?;
    // Divided as the reference does it: a layer more or less goes to another group.
    let group = |layer: usize| (layer as f64 / (layers as f64 / groups.len() as f64)) as usize;
    Ok((0..layers).flat_map(|layer| groups.get(group(layer)).into_iter().flatten().map(Arc::clone)).collect())
}

fn load_bias(config: &Config, weights: &Weights) -> Result<RelativeBias> {
    let buckets = weights.setting(Buckets::new(MPNET_BUCKETS, MPNET_DISTANCE, false))?;
    let table = weights.at("relative_attention_bias");
    let count = config.relative_attention_num_buckets.unwrap_or_default().max(MPNET_BUCKETS);
    RelativeBias::load(&table, count, config.num_attention_heads, &buckets.rows())
}

impl Layer {
    fn load(config: &Config, names: &Names, weights: &Weights) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let attention = Attention::beside(weights, hidden, config.num_attention_heads)?;
        let dropout = |rate: Option<f32>| Dropout::new(weights, rate.unwrap_or(names.dropout));
        let [after_attention, after_layers] =
            names.drops.map(|drops| if drops { dropout(config.hidden_dropout_prob) } else { Dropout::default() });
        let activation = config.hidden_act.as_deref().unwrap_or(names.activation);
        Ok(Self {
            query_key_value: Linear::load_joined(weights, &names.query_key_value, hidden, hidden)?,
            attention: attention.dropping(dropout(config.attention_probs_dropout_prob)),
            attention_output: Linear::load(&weights.at(names.attention_output), hidden, hidden)?
                .dropping(after_attention),
            attention_norm: LayerNorm::load(&weights.at(names.attention_norm), hidden, config.layer_norm_eps)?,
            up: Linear::load(&weights.at(names.up), hidden, inner)?,
            activation: weights.setting(Activation::parse("hidden_act", activation))?,
            down: Linear::load(&weights.at(names.down), inner, hidden)?.dropping(after_layers),
            norm: LayerNorm::load(&weights.at(names.norm), hidden, config.layer_norm_eps)?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences, bias: Bias<'_>, read: Option<&[usize]>) -> Result<Tensor> {
        let threads = sequences.threads;
        let query_key_value = self.query_key_value.forward(x, threads)?;
        let context = self.attention.forward(&query_key_value, sequences, bias, read)?;
        let [context, x] = layers::read_rows([&context, x], read)?;
        let x = self.attention_norm.forward(&self.attention_output.forward_add(&context, &x, threads)?, threads)?;
        let inner = self.up.forward_activated(&x, self.activation, threads)?;
        self.norm.forward(&self.down.forward_add(&inner, &x, threads)?, threads)
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

    fn words(&self) -> &Embedding {
        &self.words
    }

    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()> {
        let x = self.norm.forward(&self.positions.add_to(&words, sequences)?, sequences.threads)?;
        let mut x = self.dropout.forward(&x)?;
        if let Some(project) = &self.project {
            x = project.forward(&x, sequences.threads)?;
        }
        let bias = self.bias.as_ref().map_or(Bias::None, Bias::Relative);
        for (index, layer) in self.layers.iter().enumerate() {
            if !visit(index, &x)? {
                return Ok(());
            }
            x = layer.forward(&x, sequences, bias, sequences.read_after(index, self.layers.len()))?;
        }
        visit(self.layers.len(), &x).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{renamed, unplaced};

    #[test]
    fn an_id_of_padding_that_leaves_no_position_is_refused() {
        assert_eq!([0, 1, 6].map(|padding| unplaced(padding, 8)), [Ok(0), Ok(1), Ok(6)]);
        for padding in [-1, 7, 1 << 31, 1 << 40] {
            let error = unplaced(padding, 8).err().unwrap_or_default();
            assert!(error.starts_with(&format!("pad_token_id {padding}: positions are counted from it on")), "{error}");
        }
    }

    #[test]
    fn of_two_names_of_a_setting_distilbert_takes_the_one_of_the_reference() {
        let config = json!({
            "dim": 4, "hidden_size": 8, "n_heads": 2, "activation": "gelu", "hidden_act": "relu", "dropout": 0.5,
        });
        let renamed = renamed(&config);
        for (name, value) in [
            ("hidden_size", json!(8)),
            ("num_attention_heads", json!(2)),
            ("hidden_act", json!("gelu")),
            ("hidden_dropout_prob", json!(0.5)),
        ] {
            assert_eq!(renamed[name], value, "{name}");
        }
    }
}
