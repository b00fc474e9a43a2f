//! Records -> tokens -> logits, one file for each way of reading labels and text.

use std::ops::Range;

use candle_core::Tensor;

use crate::backbones::layers::values;
use crate::checkpoint::config::Architecture;
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::Encoder;
use crate::error::Result;
use crate::records::Record;

pub mod bi_encoder;
pub mod decoder_kv;
pub mod encoder_decoder;
mod features;
pub mod label_encoder;
mod label_store;
pub mod uni_encoder;

pub use bi_encoder::BiEncoder;
pub use decoder_kv::DecoderKv;
pub use encoder_decoder::EncoderDecoder;
pub use label_encoder::LabelTokenizer;
pub use uni_encoder::UniEncoder;

/// A loaded architecture: the input it was trained on, and what it computes from it.
pub trait Network: Send + Sync {
    /// Tokens that one sequence may have, where that is bounded.
    fn max_positions(&self) -> Option<usize>;

    /// Whether the markers that `encoder` writes into every input are the tokens that the network looks for.
    ///
    /// # Errors
    /// They are others, or have no word embedding: no record could be answered.
    fn check(&self, encoder: &Encoder) -> std::result::Result<(), String>;

    /// Writes the model's input for one record and cuts it into tokens.
    ///
    /// # Errors
    /// The labels alone do not fit.
    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded>;

    /// One logit for each label of each record. `batch` is never empty; what a record gets does not depend
    /// on its neighbours: on the kernels to the last bit.
    ///
    /// # Errors
    /// The computation failed.
    fn forward(&self, batch: &[Encoded], threads: usize) -> Result<Logits>;

    /// The vectors of text and labels that the scorer compares, for each record.
    ///
    /// # Errors
    /// The computation failed.
    fn vectors(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vectors>>;
}

/// The vectors of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// Of the text: one, or one for each token where the scorer looks at all of them.
    pub text: Vec<Vec<f32>>,
    /// Of each label, in order.
    pub labels: Vec<Vec<f32>>,
}

impl Vectors {
    /// All numbers as one list, for ways that carry one for each record: how many vectors the text has, then
    /// those of the text and the labels.
    pub fn to_list(&self) -> Vec<f32> {
        let vectors = self.text.iter().chain(&self.labels).flatten().copied();
        std::iter::once(self.text.len() as f32).chain(vectors).collect()
    }

    /// From such a list.
    ///
    /// # Panics
    /// The list is not one of [`Vectors::to_list`] with so many labels.
    pub fn from_list(list: &[f32], labels: usize) -> Self {
        const NO_LIST: &str = "an embedder answers with a list of vectors: this is a bug";
        let (&texts, numbers) = list.split_first().expect(NO_LIST);
        let texts = texts as usize;
        let width = numbers.len() / (texts + labels).max(1);
        let mut vectors: Vec<Vec<f32>> = numbers.chunks_exact(width.max(1)).map(<[f32]>::to_vec).collect();
        assert_eq!(vectors.len(), texts + labels, "{NO_LIST}");
        Self { labels: vectors.split_off(texts), text: vectors }
    }
}

/// The logits of a batch.
pub struct Logits {
    /// All of them, on the device of the computation: `(rows)`.
    pub values: Tensor,
    /// The rows of each record's labels, in their order.
    pub rows: Vec<Range<usize>>,
    /// The vectors of the labels that the scorer compared, `(rows, width)`, where they are hidden states of a text
    /// that names them: what a contrastive loss pulls apart.
    pub labels: Option<Tensor>,
}

impl Logits {
    /// The logits of each record as numbers.
    ///
    /// # Errors
    /// The device failed.
    pub fn by_record(&self) -> Result<Vec<Vec<f32>>> {
        let values = values(&self.values)?;
        Ok(self.rows.iter().map(|rows| values[rows.clone()].to_vec()).collect())
    }
}

/// Loads the architecture that the config names; a bi-encoder needs `label_tokenizer`.
///
/// # Errors
/// Unsupported settings, missing or mismatched tensors.
pub fn load(config: Config, label_tokenizer: Option<LabelTokenizer>, weights: &Weights) -> Result<Box<dyn Network>> {
    let weights = weights.at("model");
    Ok(match config.architecture_type {
        Architecture::DecoderKv => Box::new(DecoderKv::load(&config, &weights)?),
        Architecture::UniEncoder => Box::new(UniEncoder::load(config, &weights)?),
        Architecture::EncoderDecoder | Architecture::EncoderDecoderCls => {
            Box::new(EncoderDecoder::load(config, &weights)?)
        }
        Architecture::BiEncoder | Architecture::BiEncoderFused => {
            let tokenizer =
                label_tokenizer.ok_or_else(|| weights.setting_error("a bi-encoder without a label tokenizer"))?;
            Box::new(BiEncoder::load(config, tokenizer, &weights)?)
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn fixture(name: &str) -> (PathBuf, String) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        (folder, config)
    }

    #[test]
    fn a_marker_with_another_id_than_a_model_looks_for_is_refused() {
        for (name, setting, is_sought) in [
            ("uni-electra", "class_token_index", true),
            ("uni-electra", "text_token_index", false),
            ("uni-deberta-extract-classavg", "text_token_index", true),
            ("uni-deberta-segments-layer1", "text_token_index", true),
            ("uni-deberta-segments-layer1", "example_token_index", true),
            ("encdec-t5-gated-lstm", "text_token_index", true),
            ("decoderkv-reads-text", "sep_token_index", true),
        ] {
            let (folder, config) = fixture(name);
            let weights = Weights::open(&folder).unwrap();
            let path = folder.join("tokenizer.json");
            let encoder = Encoder::parse(&std::fs::read_to_string(&path).unwrap(), 100, &path).unwrap();
            let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
            let check = |config: &serde_json::Value| {
                let config = Config::parse(&config.to_string(), &folder).unwrap();
                load(config, None, &weights).unwrap().check(&encoder)
            };
            assert_eq!(check(&config), Ok(()), "{name}");
            config[setting] = 5.into();
            let error = check(&config).err();
            let told = error.as_ref().map(|error| error.contains(&format!("but 5 by config.json ({setting}")));
            assert_eq!(told, is_sought.then_some(true), "{name}: {error:?}");
        }
    }

    #[test]
    fn a_bias_that_the_reference_has_may_not_be_missing() {
        for name in [
            "decoderkv-reads-text",
            "encdec-bart-crossattn",
            "uni-albert",
            "uni-deberta-conv-posbias",
            "uni-deberta-lstm",
            "uni-deberta-smallembed",
            "uni-deberta-types-calibrator",
            "uni-electra",
            "uni-llm2vec-qwen2",
            "uni-modernbert-avg-mlp-tanh",
            "uni-mpnet",
            "uni-umt5-layers-mlp",
        ] {
            let (folder, config) = fixture(name);
            let load = |weights: &Weights| load(Config::parse(&config, &folder).unwrap(), None, weights).map(|_| ());
            let weights = Weights::open(&folder).unwrap();
            load(&weights).unwrap();
            let unused = weights.unused();
            let is_bias = |name: &&String| name.ends_with(".bias") || name.contains("token_type");
            for missing in weights.all().keys().filter(is_bias).filter(|name| !unused.contains(name)) {
                let mut tensors = weights.all().clone();
                tensors.remove(missing);
                let error = load(&Weights::of(&folder, tensors)).err().map(|error| error.to_string());
                let told = error.as_ref().is_some_and(|error| error.contains(&format!("{missing:?} is missing")));
                assert!(told, "{name}: {missing}: {error:?}");
            }
        }
    }
}
