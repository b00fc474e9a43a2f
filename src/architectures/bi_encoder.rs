//! Text and labels through an encoder each. Plain, they meet in the scorer; fused, the text's encoder reads
//! a vector in the place of each label's token.
//!
//! Source: `GLiClassBiEncoder` and `GLiClassBiEncoderFused` of `gliclass` 0.1.21.

use candle_core::Tensor;

use super::features::{self, Markers, text_features};
use super::label_encoder::{LabelEncoder, LabelTokenizer, LabelVectors};
use super::{Logits, Network, Vectors};
use crate::backbones::layers::{Span, replace_rows, select_rows};
use crate::backbones::{self, Backbone, Packed, consecutive};
use crate::checkpoint::config::Architecture;
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::{Encoder, Prompt};
use crate::error::Result;
use crate::heads::Head;
use crate::heads::scorer::Features;
use crate::records::Record;

/// A bi-encoder model.
pub struct BiEncoder {
    config: Config,
    markers: Markers,
    backbone: Box<dyn Backbone>,
    labels: LabelEncoder,
    head: Head,
}

impl BiEncoder {
    /// Loads the model below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: Config, tokenizer: LabelTokenizer, weights: &Weights) -> Result<Self> {
        // Fused, it reads the labels' vectors, which learn whatever else does.
        let fused = config.architecture_type == Architecture::BiEncoderFused;
        let encoder = weights.at("encoder_model").passed(fused);
        let backbone = backbones::load("encoder_config", &config.encoder_config, false, &encoder)?;
        let model = Self {
            markers: Markers::new(&config),
            labels: LabelEncoder::load(&config, tokenizer, backbone.hidden_size(), weights)?,
            head: Head::load(&config, weights, backbone.hidden_size())?,
            backbone,
            config,
        };
        let (hidden, words) = (model.backbone.hidden_size(), model.backbone.embed(&[0])?.dims2()?.1);
        if model.is_fused() && words != hidden {
            return Err(weights.setting_error(format!(
                "word embeddings of {words} columns with a hidden size of {hidden}: label vectors do not fit among them"
            )));
        }
        Ok(model)
    }

    fn is_fused(&self) -> bool {
        self.config.architecture_type == Architecture::BiEncoderFused
    }

    /// Word embeddings, with a label's vector in the place of its token.
    fn with_labels(&self, words: &Tensor, tokens: &[u32], labels: &LabelVectors) -> Result<Tensor> {
        let places = self.markers.labels(tokens).into_iter().zip(labels.of_sets.iter().cloned().flatten());
        replace_rows(words, places, &labels.rows)
    }

    /// What the scorer compares.
    fn features(&self, batch: &[Encoded], threads: usize) -> Result<Features> {
        let Packed { ids: tokens, mut sequences } = Packed::new(batch.iter().map(|record| &record.tokens[..]), threads);
        let sets: Vec<_> = batch.iter().map(|record| &record.labels).collect();
        let mut words = self.backbone.embed(&tokens)?;
        let mut labels = self.labels.of_sets(&sets, &self.head, words.device(), threads)?;
        if self.is_fused() {
            words = self.with_labels(&words, &tokens, &labels)?;
        } else {
            sequences.ids = Some(tokens.clone());
        }
        let hidden = self.backbone.last(words, &sequences)?;
        let texts = Span::all(&sequences);
        let (text, text_rows) = text_features(&hidden, &texts, self.config.pooling_strategy, None, threads)?;
        if self.is_fused() {
            labels = LabelVectors {
                rows: select_rows(&hidden, &self.markers.labels(&tokens))?,
                of_sets: consecutive(sets.iter().map(|set| set.names().len())),
            };
        }
        let text = self.head.text(&text, threads)?;
        Ok(Features { text, text_rows, labels: labels.rows, label_rows: labels.of_sets })
    }
}

impl Network for BiEncoder {
    fn max_positions(&self) -> Option<usize> {
        self.backbone.max_positions()
    }

    fn check(&self, encoder: &Encoder) -> std::result::Result<(), String> {
        // Else its text has no markers.
        if self.is_fused() {
            features::check_encoder(encoder, &self.markers.sought(false, false), |ids| self.backbone.check(ids))?;
        }
        Ok(())
    }

    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded> {
        let prompt = if self.is_fused() {
            Prompt::bi_encoder_fused(record, self.config.prompt_first)
        } else {
            Prompt::bi_encoder(record)
        };
        let text = encoder.encode(&prompt)?;
        self.backbone.check(&text.ids)?;
        self.labels.check(&record.labels)?;
        if self.is_fused() {
            features::check_markers(&text.ids, self.markers.label, record.labels.len())?;
        }
        Ok(Encoded::new(text.ids, Vec::new(), &record.labels, text.truncated))
    }

    fn forward(&self, batch: &[Encoded], threads: usize) -> Result<Logits> {
        let logits = features::logits(&self.head, &self.features(batch, threads)?, batch, threads)?;
        Ok(Logits { labels: None, ..logits })
    }

    fn vectors(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vectors>> {
        features::vectors(&self.features(batch, threads)?, batch)
    }
}
