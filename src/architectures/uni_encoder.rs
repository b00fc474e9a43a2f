//! Labels and text in one sequence: the hidden state at each `<<LABEL>>` stands for that label.
//!
//! Source: `GLiClassUniEncoder` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use super::features::{self, Markers, text_features};
use super::{Logits, Network, Vectors};
use crate::backbones::layers::{Embedding, Span};
use crate::backbones::{self, Backbone, Packed, Sequences};
use crate::checkpoint::config::Pooling;
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::{Encoder, Prompt, Tokens};
use crate::error::Result;
use crate::heads::scorer::Features;
use crate::heads::{Head, LayerAttention, Lstm};
use crate::records::Record;

/// A uni-encoder model.
pub struct UniEncoder {
    config: Config,
    markers: Markers,
    backbone: Box<dyn Backbone>,
    /// Which of its hidden states is read.
    layer: usize,
    segments: Option<Embedding>,
    layer_attention: Option<LayerAttention>,
    lstm: Option<Lstm>,
    head: Head,
}

impl UniEncoder {
    /// Loads the model below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: Config, weights: &Weights) -> Result<Self> {
        let backbone = backbones::load("encoder_config", &config.encoder_config, true, &weights.at("encoder_model"))?;
        let hidden = backbone.hidden_size();
        let layer_attention = config
            .squeeze_layers
            .then(|| load_layer_attention(&weights.at("layer_wise_attention"), backbone.as_ref()))
            .transpose()?;
        Ok(Self {
            markers: Markers::new(&config),
            segments: config
                .use_segment_embeddings
                .then(|| Embedding::load(&weights.at("segment_embeddings"), hidden))
                .transpose()?,
            layer_attention,
            lstm: config.use_lstm.then(|| Lstm::load(&weights.at("lstm.lstm"), hidden)).transpose()?,
            head: Head::load(&config, weights, hidden)?,
            layer: weights.setting(layer_read(config.encoder_layer_id, backbone.layers()))?,
            backbone,
            config,
        })
    }

    /// Word embeddings of all sequences, with the segments' where the model has them.
    fn embed(&self, ids: &[u32], batch: &[Encoded]) -> Result<Tensor> {
        let words = self.backbone.embed(ids)?;
        let Some(segments) = &self.segments else { return Ok(words) };
        let ids: Vec<u32> = batch.iter().flat_map(|record| self.segment_ids(&record.tokens)).collect();
        Ok((&words + segments.forward(&ids)?.to_dtype(words.dtype())?)?)
    }

    /// 0 for labels, 1 for the text, 2 for examples, as the reference does it: where there is an example,
    /// it takes the first token that is none for the beginning of the examples, which is nearly always
    /// the first of all. Models were trained that way.
    fn segment_ids(&self, tokens: &[u32]) -> Vec<u32> {
        let text = self.markers.text_start(tokens).unwrap_or(0);
        let examples = if tokens.contains(&self.markers.example) {
            tokens.iter().position(|&id| id != self.markers.example).unwrap_or(0)
        } else {
            tokens.len()
        };
        (0..tokens.len()).map(|at| if at >= examples { 2 } else { u32::from(at >= text) }).collect()
    }

    /// The hidden state that the heads read: `(tokens, hidden)`.
    fn hidden(&self, words: Tensor, sequences: &Sequences) -> Result<Tensor> {
        let mut states = Vec::new();
        let attention = self.layer_attention.as_ref().filter(|_| self.config.encoder_layer_id == -1);
        if let Some(attention) = attention {
            let skipped = self.backbone.layers() + 1 - attention.layers();
            self.backbone.forward(words, sequences, &mut |index, state| {
                if index >= skipped {
                    states.push(state.clone());
                }
                Ok(true)
            })?;
            return attention.forward(&states, sequences);
        }
        self.backbone.forward(words, sequences, &mut |index, state| {
            if index == self.layer {
                states.push(state.clone());
            }
            Ok(index < self.layer)
        })?;
        states.pop().ok_or_else(|| candle_core::Error::Msg("the encoder gave no hidden state".into()).into())
    }

    /// The rows of the last hidden state that the heads read, rising, where that is not nearly all of it.
    fn rows_read(&self, texts: &[Span], labels: &[Vec<Range<usize>>]) -> Option<Vec<usize>> {
        let last = self.layer == self.backbone.layers() && self.layer_attention.is_none();
        if !last || self.lstm.is_some() || self.config.pooling_strategy != Pooling::First {
            return None;
        }
        let firsts = texts.iter().filter(|text| !text.rows.is_empty()).map(|text| text.rows.start);
        let mut read: Vec<usize> = labels.iter().flatten().cloned().flatten().chain(firsts).collect();
        read.sort_unstable();
        read.dedup();
        Some(read)
    }

    /// The rows of a record's text: where the model extracts them, those from `<<SEP>>` on.
    fn text_rows(&self, tokens: &[u32], rows: Range<usize>) -> Span {
        let start = self.markers.text_start(tokens).filter(|_| self.config.extract_text_features).unwrap_or(0);
        Span { rows: rows.start + start..rows.end, zero_rows: start }
    }

    /// What the scorer compares.
    fn features(&self, batch: &[Encoded], threads: usize) -> Result<Features> {
        let Packed { ids, mut sequences } = Packed::new(batch.iter().map(|record| &record.tokens[..]), threads);
        let (mut texts, mut labels) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for (record, rows) in batch.iter().zip(sequences.ranges()) {
            labels.push(self.markers.label_rows(&self.config, &record.tokens, rows.start));
            texts.push(self.text_rows(&record.tokens, rows));
        }
        sequences.read = self.rows_read(&texts, &labels).filter(|read| 2 * read.len() < sequences.tokens());
        let words = self.embed(&ids, batch)?;
        sequences.ids = self.segments.is_none().then_some(ids);
        let hidden = self.hidden(words, &sequences)?;
        if let Some(read) = sequences.read.filter(|read| hidden.dim(0).is_ok_and(|rows| rows == read.len())) {
            texts.iter_mut().for_each(|text| text.rows = place_among(&read, &text.rows));
            labels.iter_mut().flatten().for_each(|rows| *rows = place_among(&read, rows));
        }
        let text = text_features(&hidden, &texts, self.config.pooling_strategy, self.lstm.as_ref(), threads)?;
        features::compared((&self.head, &self.config), text, (&hidden, &labels), threads)
    }
}

impl Network for UniEncoder {
    fn max_positions(&self) -> Option<usize> {
        self.backbone.max_positions()
    }

    fn check(&self, encoder: &Encoder) -> std::result::Result<(), String> {
        let has_segments = self.segments.is_some();
        let sought = self.markers.sought(has_segments || self.config.extract_text_features, has_segments);
        features::check_encoder(encoder, &sought, |ids| self.backbone.check(ids))
    }

    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded> {
        let Tokens { ids, truncated } = encoder.encode(&Prompt::uni_encoder(record, self.config.prompt_first))?;
        self.backbone.check(&ids)?;
        features::check_markers(&ids, self.markers.label, record.labels.len())?;
        Ok(Encoded::new(ids, Vec::new(), &record.labels, truncated))
    }

    fn forward(&self, batch: &[Encoded], threads: usize) -> Result<Logits> {
        features::logits(&self.head, &self.features(batch, threads)?, batch, threads)
    }

    fn vectors(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vectors>> {
        features::vectors(&self.features(batch, threads)?, batch)
    }
}

/// Where rows that begin with one of the rising `read` lie among them; of a text only the first need be there.
fn place_among(read: &[usize], rows: &Range<usize>) -> Range<usize> {
    let start = read.partition_point(|&row| row < rows.start);
    let end = read.partition_point(|&row| row < rows.end);
    start..end
}

/// The hidden state that `encoder_layer_id` names in an encoder of so many layers.
fn layer_read(id: i64, layers: usize) -> std::result::Result<usize, String> {
    let index = if id < 0 { id + layers as i64 + 1 } else { id };
    let index = usize::try_from(index).ok().filter(|&index| index <= layers);
    index.ok_or_else(|| format!("encoder_layer_id {id}: the encoder has {layers} layers"))
}

fn load_layer_attention(weights: &Weights, backbone: &dyn Backbone) -> Result<LayerAttention> {
    let attention = LayerAttention::load(weights, backbone.hidden_size())?;
    let layers = backbone.layers();
    if ![layers, layers + 1].contains(&attention.layers()) {
        let found = attention.layers();
        return Err(
            weights.setting_error(format!("layer_wise_attention weighs {found} layers, the encoder has {layers}"))
        );
    }
    Ok(attention)
}
