//! Token ids -> hidden states. Backbones speak the packed form: `(tokens, hidden)`, the tokens of all
//! sequences one after another without padding, with [`Sequences`] saying where each begins.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::Weights;
use crate::checkpoint::config::completed;
use crate::error::{Error, Result};

pub mod bart;
pub mod bert;
mod bounds;
pub mod buckets;
pub mod deberta_v2;
pub mod decoder;
pub mod layers;
pub mod modernbert;
pub mod rope;
pub mod t5;

/// Where the sequences of a packed batch begin and end, and how many threads may work on them.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// Cumulative token counts: sequence `i` is the rows `bounds[i]..bounds[i + 1]`.
    pub bounds: Vec<usize>,
    /// The rows of each sequence that are text, where some are padding: no token sees those, but the
    /// reference's pooling of a bi-encoder's labels counts them.
    pub text: Option<Vec<Range<usize>>>,
    /// The ids of all tokens, where only they make up the words that are read: RoBERTa and its kin count positions by
    /// them, and by place where they know vectors alone.
    pub ids: Option<Vec<u32>>,
    /// The rows of the last hidden state that anybody reads, rising, where those are few: a backbone may
    /// leave the others out of it.
    pub read: Option<Vec<usize>>,
    /// Threads that one operation may use.
    pub threads: usize,
    /// How they lie on the device, from the first operation on that asks.
    packing: OnceLock<Arc<layers::Packing>>,
}

impl Sequences {
    /// Sequences of these lengths.
    pub fn new(lengths: impl IntoIterator<Item = usize>, threads: usize) -> Self {
        let ends = consecutive(lengths).into_iter().map(|rows| rows.end);
        let bounds = std::iter::once(0).chain(ends).collect();
        Self { bounds, text: None, ids: None, read: None, threads, packing: OnceLock::new() }
    }

    /// Sequences of these lengths, each followed by padding up to `length`.
    pub fn padded(lengths: impl IntoIterator<Item = usize>, length: usize, threads: usize) -> Self {
        let rows = lengths.into_iter().enumerate().map(|(i, own)| i * length..i * length + own);
        let text: Vec<Range<usize>> = rows.collect();
        Self { text: Some(text.clone()), ..Self::new(text.iter().map(|_| length), threads) }
    }

    /// Texts of these lengths, each behind padding up to `length`, which neither sees nor is seen: both are sequences
    /// of their own, where there is any. So it is for a causal backbone without absolute positions.
    pub fn padded_before(lengths: impl IntoIterator<Item = usize>, length: usize, threads: usize) -> Self {
        let parts = lengths.into_iter().flat_map(|own| [(length.saturating_sub(own), false), (own, true)]);
        let (lengths, is_text): (Vec<_>, Vec<_>) = parts.filter(|(length, _)| *length > 0).unzip();
        let sequences = Self::new(lengths, threads);
        let seen = |(rows, is_text): (Range<usize>, bool)| if is_text { rows } else { rows.start..rows.start };
        let text = sequences.ranges().zip(is_text).map(seen).collect();
        Self { text: Some(text), ..sequences }
    }

    /// The rows that layer `index` of `layers` may leave it at after its attention, which sees all.
    fn read_after(&self, index: usize, layers: usize) -> Option<&[usize]> {
        self.read.as_deref().filter(|_| index + 1 == layers)
    }

    /// The rows of padding behind each text.
    pub fn padding(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let text = |index: usize, rows: &Range<usize>| self.text.as_ref().map_or(rows.end, |text| text[index].end);
        self.ranges().enumerate().map(move |(index, rows)| text(index, &rows)..rows.end)
    }

    /// How the sequences lie on the device of the computation.
    fn packing(&self, device: &Device) -> Result<&layers::Packing> {
        let make = || layers::Packing::new(&self.bounds, self.text.as_deref(), device).map(Arc::new);
        Ok(layers::get_or_make(&self.packing, make)?)
    }

    /// All tokens.
    pub fn tokens(&self) -> usize {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// The rows of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.bounds.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// Ranges of these lengths, one after another.
pub fn consecutive(lengths: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end = 0;
    let range = |length| {
        let start = end;
        end += length;
        start..end
    };
    lengths.into_iter().map(range).collect()
}

/// An encoder.
pub trait Backbone: Send + Sync {
    /// Width of the hidden states.
    fn hidden_size(&self) -> usize;

    /// Number of layers.
    fn layers(&self) -> usize;

    /// Tokens that a sequence may have, where positions are bounded.
    fn max_positions(&self) -> Option<usize>;

    /// Whether a token sees only itself and those before it.
    fn is_causal(&self) -> bool {
        false
    }

    /// The table of words.
    fn words(&self) -> &layers::Embedding;

    /// Whether there is a word embedding for each of these tokens.
    ///
    /// # Errors
    /// An id outside the vocabulary.
    fn check(&self, ids: &[u32]) -> Result<()> {
        self.words().check(ids)
    }

    /// Word embeddings `(tokens, embedding)`, before positions and norms.
    ///
    /// # Errors
    /// As [`Backbone::check`].
    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        self.words().forward(ids)
    }

    /// Hidden states from word embeddings `(tokens, embedding)`.
    ///
    /// Gives each state `(tokens, hidden)` to `visit` with its index: 0 is the input of the first
    /// layer, [`Backbone::layers`] the last hidden state. Stops once `visit` says so.
    ///
    /// # Errors
    /// The computation failed.
    fn forward(&self, words: Tensor, sequences: &Sequences, visit: &mut Visit) -> Result<()>;

    /// The last hidden state `(tokens, hidden)`.
    ///
    /// # Errors
    /// The computation failed.
    fn last(&self, words: Tensor, sequences: &Sequences) -> Result<Tensor> {
        last(|visit| self.forward(words, sequences, visit))
    }
}

/// An encoder, and a decoder that reads what it says.
pub trait EncoderDecoder: Send + Sync {
    /// Width of the hidden states.
    fn hidden_size(&self) -> usize;

    /// Tokens that a sequence may have, where positions are bounded.
    fn max_positions(&self) -> Option<usize>;

    /// As [`Backbone::check`].
    ///
    /// # Errors
    /// An id outside the vocabulary.
    fn check(&self, ids: &[u32]) -> Result<()>;

    /// The last hidden states of encoder and decoder, `(tokens, hidden)` each: sequence `i` of `written` reads
    /// sequence `i` of `read`.
    ///
    /// # Errors
    /// An id outside the vocabulary, or the computation failed.
    fn forward(&self, read: &Packed, written: &Packed) -> Result<[Tensor; 2]>;
}

/// Token ids of packed sequences.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The tokens of all sequences, one after another.
    pub ids: Vec<u32>,
    /// Where each begins and ends.
    pub sequences: Sequences,
}

impl Packed {
    /// Packs token sequences.
    pub fn new<'a>(tokens: impl Iterator<Item = &'a [u32]> + Clone, threads: usize) -> Self {
        let sequences = Sequences::new(tokens.clone().map(<[u32]>::len), threads);
        Self { ids: tokens.flatten().copied().collect(), sequences }
    }
}

/// What a decoder reads: the encoder's last hidden states, and the rows of each sequence.
struct Source<'a> {
    hidden: &'a Tensor,
    rows: &'a [Range<usize>],
}

/// Is given each hidden state with its index; false ends the pass.
pub type Visit<'a> = dyn FnMut(usize, &Tensor) -> Result<bool> + 'a;

/// The last of the hidden states that `forward` hands out.
///
/// # Errors
/// Its own.
pub fn last(forward: impl FnOnce(&mut Visit) -> Result<()>) -> Result<Tensor> {
    let mut last = None;
    forward(&mut |_, state| {
        last = Some(state.clone());
        Ok(true)
    })?;
    last.ok_or_else(|| candle_core::Error::Msg("no hidden state: this is a bug".into()).into())
}

/// Loads layers `0..count`, side by side on a processor: packing their weights is most of what a single text waits for.
///
/// # Errors
/// That of the first layer that cannot be loaded.
fn load_layers<L: Send>(
    count: usize,
    weights: &Weights,
    load: impl Fn(usize) -> Result<L> + Send + Sync,
) -> Result<Vec<L>> {
    let one_by_one = || (0..count).map(&load).collect();
    if !weights.device().is_cpu() {
        return one_by_one();
    }
    let together: Result<Vec<L>> = (0..count).into_par_iter().map(&load).collect();
    // Which of several errors comes first there depends on the threads.
    together.or_else(|_| one_by_one())
}

/// Loads the backbone that the section `name` of a model's config, `config`, names by its `model_type`; LLM2Vec runs it,
/// where that knows it and `llm2vec`.
///
/// # Errors
/// An unsupported `model_type` or setting; missing or mismatched tensors.
pub fn load(name: &str, config: &Value, llm2vec: bool, weights: &Weights) -> Result<Box<dyn Backbone>> {
    load_alone(config, llm2vec, weights).map_err(|error| in_section(name, error))
}

fn load_alone(config: &Value, llm2vec: bool, weights: &Weights) -> Result<Box<dyn Backbone>> {
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or("deberta-v2");
    let weights = &weights.for_encoder();
    refuse(causal_settings(kind), config, weights)?;
    Ok(match kind {
        "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra" | "distilbert" | "mpnet" | "albert" => {
            Box::new(bert::Bert::load(kind, config, weights)?)
        }
        "deberta-v2" => Box::new(deberta_v2::DebertaV2::load(config, weights)?),
        "qwen2" | "qwen3" | "llama" | "mistral" | "gemma" => {
            Box::new(decoder::Decoder::load(kind, config, llm2vec, weights)?)
        }
        "modernbert" => Box::new(modernbert::ModernBert::load(config, weights)?),
        "t5" | "mt5" | "umt5" => Box::new(t5::Encoder::load(kind, config, weights)?),
        other => {
            return Err(weights.setting_error(format!(
                "model_type {other:?} is not supported: bert, roberta, xlm-roberta, camembert, electra, distilbert, mpnet, albert, \
                 deberta-v2, modernbert, t5, mt5, umt5, qwen2, qwen3, llama, mistral and gemma are"
            )));
        }
    })
}

/// The settings that make an encoder of this `kind` causal in the reference, which none is here; the other kinds do not
/// look at them.
fn causal_settings(kind: &str) -> &'static [&'static str] {
    match kind {
        "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra" | "t5" | "mt5" | "umt5" => {
            &["is_causal", "is_decoder"]
        }
        "distilbert" | "albert" | "modernbert" => &["is_causal"],
        _ => &[],
    }
}

/// Refuses a model where one of these settings, which make an encoder causal, is on.
fn refuse(settings: &[&str], config: &Value, weights: &Weights) -> Result<()> {
    match settings.iter().find(|name| config.get(**name) == Some(&Value::Bool(true))) {
        Some(name) => Err(weights.setting_error(format!(
            "{name}: an encoder whose tokens see only those before them is not supported for this model_type"
        ))),
        None => Ok(()),
    }
}

/// Loads the encoder and decoder that `config` names. A token of the decoder sees only those before it
/// where `causal` and `config` does not say otherwise.
///
/// # Errors
/// An unsupported `model_type` or setting; missing or mismatched tensors.
pub fn load_encoder_decoder(config: &Value, causal: bool, weights: &Weights) -> Result<Box<dyn EncoderDecoder>> {
    load_pair(config, causal, weights).map_err(|error| in_section("encoder_config", error))
}

fn load_pair(config: &Value, causal: bool, weights: &Weights) -> Result<Box<dyn EncoderDecoder>> {
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let weights = &weights.for_encoder();
    // Where that says no, the decoder sees both ways, too.
    refuse(&["is_causal"], config, weights)?;
    let causal = causal && config.get("is_causal") != Some(&Value::Bool(false));
    Ok(match kind {
        "t5" | "mt5" | "umt5" => Box::new(t5::T5::load(kind, config, causal, weights)?),
        "bart" => Box::new(bart::Bart::load(config, causal, weights)?),
        other => {
            return Err(weights.setting_error(format!(
                "model_type {other:?} is not supported as an encoder-decoder: t5, mt5, umt5 and bart are"
            )));
        }
    })
}

/// The weights of the words that encoder and decoder share.
fn shared_words(weights: &Weights) -> Weights {
    let shared = weights.at("shared");
    if shared.has("weight") { shared } else { weights.at("encoder.embed_tokens") }
}

/// What a layer's tokens see, by its name in `layer_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    #[serde(alias = "attention")]
    FullAttention,
    SlidingAttention,
}

/// Refuses a list of the kinds of another number of `layers`.
fn check_layer_types(types: Option<&[LayerType]>, layers: usize) -> std::result::Result<(), String> {
    match types.map(<[_]>::len).filter(|&types| types != layers) {
        Some(types) => Err(format!("layer_types has {types} entries, but num_hidden_layers is {layers}")),
        None => Ok(()),
    }
}

/// Reads a backbone's own config. What it leaves out is in `defaults`, where transformers has a value for it.
fn parse<T: serde::de::DeserializeOwned>(config: &Value, defaults: Value, weights: &Weights) -> Result<T> {
    let config = completed(config, defaults);
    weights.setting(bounds::check(&config))?;
    serde_path_to_error::deserialize(&config).map_err(|error| weights.setting_error(error.to_string()))
}

/// The same error, which names the section of the config where it is about a setting.
fn in_section(name: &str, error: Error) -> Error {
    match error {
        Error::Model { path, message } if path.ends_with("config.json") => {
            Error::Model { path, message: format!("{name}: {message}") }
        }
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A file without tensors: settings are looked at before any is missed.
    const NO_TENSORS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

    #[test]
    fn a_config_may_leave_out_whatever_transformers_has_a_default_for() {
        let weights = Weights::from_static("model.safetensors", NO_TENSORS).unwrap();
        for kind in [
            "bert",
            "roberta",
            "xlm-roberta",
            "camembert",
            "electra",
            "distilbert",
            "mpnet",
            "albert",
            "deberta-v2",
            "qwen2",
            "qwen3",
            "llama",
            "mistral",
            "gemma",
            "modernbert",
            "t5",
            "mt5",
            "umt5",
            "bart",
        ] {
            let config = json!({"model_type": kind});
            let error = match kind {
                "bart" => load_encoder_decoder(&config, true, &weights).err(),
                _ => load("encoder_config", &config, false, &weights).err(),
            };
            let error = error.unwrap().to_string();
            assert!(error.contains("is missing: the weights do not fit"), "{kind}: {error}");
        }
    }

    #[test]
    fn sizes_are_bounded_in_the_config_of_every_family() {
        let weights = Weights::from_static("model.safetensors", NO_TENSORS).unwrap();
        for (kind, name) in [
            ("bert", "hidden_size"),
            ("distilbert", "dim"),
            ("deberta-v2", "intermediate_size"),
            ("llama", "head_dim"),
            ("modernbert", "num_hidden_layers"),
            ("t5", "d_kv"),
            ("bart", "d_model"),
        ] {
            let config = json!({"model_type": kind, name: 0});
            let error = match kind {
                "bart" => load_encoder_decoder(&config, true, &weights).err(),
                _ => load("encoder_config", &config, false, &weights).err(),
            };
            let error = error.unwrap().to_string();
            assert!(
                error.starts_with("config.json: encoder_config: ") && error.contains(" is 0, not from 1 to "),
                "{error}"
            );
        }
    }

    #[test]
    fn a_setting_is_named_with_its_section() {
        let weights = Weights::from_static("model.safetensors", NO_TENSORS).unwrap();
        for (config, what) in [
            (json!(true), "invalid type: boolean"),
            (json!({"model_type": "x"}), "model_type \"x\" is not supported"),
            (json!({"model_type": "llama", "num_attention_heads": 3}), "num_attention_heads 3 does not divide"),
        ] {
            let error = load("label_model_config", &config, false, &weights).err().unwrap().to_string();
            assert!(error.starts_with(&format!("config.json: label_model_config: {what}")), "{error}");
        }
        let config = json!({"model_type": "bart", "activation_function": "x"});
        let error = load_encoder_decoder(&config, true, &weights).err().unwrap().to_string();
        assert!(
            error.starts_with("config.json: encoder_config: activation_function \"x\" is not supported"),
            "{error}"
        );
    }

    #[test]
    fn each_layer_has_a_kind_that_is_known() {
        let weights = Weights::from_static("model.safetensors", NO_TENSORS).unwrap();
        for kind in ["qwen2", "qwen3", "mistral", "modernbert"] {
            for (types, what) in [
                (json!([]), "layer_types has 0 entries, but num_hidden_layers is 2"),
                (json!(["full_attention"]), "layer_types has 1 entries, but num_hidden_layers is 2"),
                (json!(["full_attention", "chunked_attention"]), "layer_types[1]: unknown variant `chunked_attention`"),
                (json!(["attention", "sliding_attention"]), "is missing"),
            ] {
                let config = json!({"model_type": kind, "num_hidden_layers": 2, "layer_types": types});
                let error = load("encoder_config", &config, false, &weights).err().unwrap().to_string();
                assert!(error.contains(what), "{kind}: {error}");
            }
        }
    }

    #[test]
    fn settings_that_would_make_an_encoder_causal_are_refused_by_name() {
        let weights = Weights::from_static("model.safetensors", NO_TENSORS).unwrap();
        let refused = |kind: &str, setting: &str, value: bool| {
            let config = json!({"model_type": kind, setting: value});
            let error = match kind {
                "bart" => load_encoder_decoder(&config, true, &weights).err(),
                _ => load("encoder_config", &config, false, &weights).err(),
            };
            error.unwrap().to_string().contains(&format!("{setting}: an encoder"))
        };
        for (kind, is_causal, is_decoder) in [
            ("electra", true, true),
            ("umt5", true, true),
            ("distilbert", true, false),
            ("albert", true, false),
            ("modernbert", true, false),
            ("bart", true, false),
            ("mpnet", false, false),
            ("deberta-v2", false, false),
            ("mistral", false, false),
        ] {
            assert_eq!(refused(kind, "is_causal", true), is_causal, "{kind}");
            assert_eq!(refused(kind, "is_decoder", true), is_decoder, "{kind}");
            assert!(!refused(kind, "is_causal", false), "{kind}");
        }
    }
}
