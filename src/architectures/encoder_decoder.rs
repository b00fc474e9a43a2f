//! Text and labels in a sequence each, one to the encoder and one to the decoder, which reads the other.
//!
//! In an `encoder-decoder` the labels are the decoder's, which sees them from both sides; in an
//! `encoder-decoder-cls` the text is, which sees only what stands before, and whose last token stands for it.
//!
//! Source: `GLiClassEncoderDecoder` and `GLiClassEncoderDecoderCLS` of `gliclass` 0.1.21.

use super::features::{self, Markers, text_features};
use super::{Logits, Network, Vectors};
use crate::backbones::layers::Span;
use crate::backbones::{self, Packed};
use crate::checkpoint::config::{Architecture, Pooling};
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::{Encoder, Prompt};
use crate::error::Result;
use crate::heads::scorer::Features;
use crate::heads::{Head, Lstm};
use crate::records::Record;

/// An encoder-decoder model.
pub struct EncoderDecoder {
    config: Config,
    markers: Markers,
    backbone: Box<dyn backbones::EncoderDecoder>,
    lstm: Option<Lstm>,
    head: Head,
}

impl EncoderDecoder {
    /// Loads the model below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: Config, weights: &Weights) -> Result<Self> {
        let decodes_text = config.architecture_type == Architecture::EncoderDecoderCls;
        let backbone = weights.at("encoder_decoder_model");
        let backbone = backbones::load_encoder_decoder(&config.encoder_config, decodes_text, &backbone)?;
        let hidden = backbone.hidden_size();
        let has_lstm = config.use_lstm && !decodes_text;
        Ok(Self {
            markers: Markers::new(&config),
            lstm: has_lstm.then(|| Lstm::load(&weights.at("lstm.lstm"), hidden)).transpose()?,
            head: Head::load(&config, weights, hidden)?,
            backbone,
            config,
        })
    }

    /// Whether the text is the decoder's.
    fn decodes_text(&self) -> bool {
        self.config.architecture_type == Architecture::EncoderDecoderCls
    }

    /// What the scorer compares.
    fn features(&self, batch: &[Encoded], threads: usize) -> Result<Features> {
        let texts = Packed::new(batch.iter().map(|record| &record.tokens[..]), threads);
        let labels = Packed::new(batch.iter().map(|record| &record.label_tokens[..]), threads);
        let (text_hidden, label_hidden) = if self.decodes_text() {
            let [read, written] = self.backbone.forward(&labels, &texts)?;
            (written, read)
        } else {
            let [read, written] = self.backbone.forward(&texts, &labels)?;
            (read, written)
        };
        let pooling = if self.decodes_text() { Pooling::Last } else { self.config.pooling_strategy };
        let rows = Span::all(&texts.sequences);
        let text = text_features(&text_hidden, &rows, pooling, self.lstm.as_ref(), threads)?;
        let starts = labels.sequences.ranges().map(|rows| rows.start);
        let spans: Vec<_> = batch
            .iter()
            .zip(starts)
            .map(|(record, start)| self.markers.label_rows(&self.config, &record.label_tokens, start))
            .collect();
        features::compared((&self.head, &self.config), text, (&label_hidden, &spans), threads)
    }
}

impl Network for EncoderDecoder {
    fn max_positions(&self) -> Option<usize> {
        self.backbone.max_positions()
    }

    fn check(&self, encoder: &Encoder) -> std::result::Result<(), String> {
        let sought = self.markers.sought(self.config.extract_text_features, false);
        features::check_encoder(encoder, &sought, |ids| self.backbone.check(ids))
    }

    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded> {
        let text = encoder.encode(&Prompt::text(record))?;
        let labels = encoder.encode(&Prompt::labels(record))?;
        self.backbone.check(&text.ids)?;
        self.backbone.check(&labels.ids)?;
        features::check_markers(&labels.ids, self.markers.label, record.labels.len())?;
        Ok(Encoded::new(text.ids, labels.ids, &record.labels, text.truncated))
    }

    fn forward(&self, batch: &[Encoded], threads: usize) -> Result<Logits> {
        features::logits(&self.head, &self.features(batch, threads)?, batch, threads)
    }

    fn vectors(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vectors>> {
        features::vectors(&self.features(batch, threads)?, batch)
    }
}
