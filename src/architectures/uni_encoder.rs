//! Labels and text in one sequence: the hidden state at each `<<LABEL>>` stands for that label.
//!
//! Source: `GLiClassUniEncoder` of `gliclass` 0.1.21.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::Network;
use crate::backbones::layers::{Activation, Embedding, matrix, with_values};
use crate::backbones::{self, Backbone, Sequences};
use crate::checkpoint::config::Pooling;
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::{Encoder, Prompt, Tokens};
use crate::error::Result;
use crate::heads::pooling::{label_spans, pool};
use crate::heads::projector::normalize;
use crate::heads::scorer::Features;
use crate::heads::{LayerAttention, Lstm, Projector, Scorer};
use crate::records::Record;

/// A uni-encoder model.
pub struct UniEncoder {
    config: Config,
    markers: Markers,
    backbone: Box<dyn Backbone>,
    segments: Option<Embedding>,
    layer_attention: Option<LayerAttention>,
    lstm: Option<Lstm>,
    text_projector: Projector,
    classes_projector: Projector,
    scorer: Scorer,
    /// Only with `normalize_features`.
    logit_scale: Option<f32>,
}

/// Token ids that the model looks for.
#[derive(Debug, Clone, Copy)]
struct Markers {
    label: u32,
    text: u32,
    example: u32,
}

/// One sequence's part of the batch: its rows, and what was found in it.
struct Parts {
    rows: Range<usize>,
    /// Rows of each label.
    labels: Vec<Range<usize>>,
    /// Rows of the text features.
    text: Range<usize>,
    /// Cleared rows that the reference's pooling counts.
    zero_rows: usize,
}

impl UniEncoder {
    /// Loads the model below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: Config, weights: &Weights) -> Result<Self> {
        let backbone = backbones::load(&config.encoder_config, &weights.at("encoder_model"))?;
        let hidden = backbone.hidden_size();
        let activation = Activation::parse(&config.projector_hidden_act).map_err(|e| weights.error(e))?;
        let layer_attention = config
            .squeeze_layers
            .then(|| load_layer_attention(&weights.at("layer_wise_attention"), backbone.as_ref()))
            .transpose()?;
        let vocab_size = config.encoder_config.get("vocab_size").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let [label, text, example] = config.marker_ids(vocab_size as usize);
        let model = Self {
            markers: Markers { label, text, example },
            segments: config
                .use_segment_embeddings
                .then(|| Embedding::load(&weights.at("segment_embeddings"), hidden))
                .transpose()?,
            layer_attention,
            lstm: config.use_lstm.then(|| Lstm::load(&weights.at("lstm.lstm"), hidden)).transpose()?,
            text_projector: Projector::load(&weights.at("text_projector"), hidden, activation)?,
            classes_projector: Projector::load(&weights.at("classes_projector"), hidden, activation)?,
            scorer: Scorer::load(&config, &weights.at("scorer"), hidden)?,
            logit_scale: config
                .normalize_features
                .then(|| weights.vec("logit_scale", &[]).map(|scale| scale[0]))
                .transpose()?,
            backbone,
            config,
        };
        if model.layer_index().is_none() {
            let (layer, layers) = (model.config.encoder_layer_id, model.backbone.layers());
            return Err(weights.error(format!("encoder_layer_id {layer}: the encoder has {layers} layers")));
        }
        Ok(model)
    }

    /// Word embeddings of all sequences, with the segments' where the model has them.
    fn embed(&self, batch: &[Encoded]) -> Result<Tensor> {
        let ids: Vec<u32> = batch.iter().flat_map(|record| record.tokens.iter().copied()).collect();
        let words = self.backbone.embed(&ids)?;
        let Some(segments) = &self.segments else { return Ok(words) };
        let ids: Vec<u32> = batch.iter().flat_map(|record| self.segment_ids(&record.tokens)).collect();
        Ok((words + segments.forward(&ids)?)?)
    }

    /// 0 for labels, 1 for the text, 2 for examples, as the reference does it: where there is an example,
    /// it takes the first token that is none for the beginning of the examples, which is nearly always
    /// the first of all. Models were trained that way.
    fn segment_ids(&self, tokens: &[u32]) -> Vec<u32> {
        let text = tokens.iter().position(|&id| id == self.markers.text).unwrap_or(0);
        let examples = if tokens.contains(&self.markers.example) {
            tokens.iter().position(|&id| id != self.markers.example).unwrap_or(0)
        } else {
            tokens.len()
        };
        (0..tokens.len()).map(|at| if at >= examples { 2 } else { u32::from(at >= text) }).collect()
    }

    /// Which hidden state is read; none where the config names one that is not there.
    fn layer_index(&self) -> Option<usize> {
        let layers = self.backbone.layers() as i64;
        let id = self.config.encoder_layer_id;
        let index = if id < 0 { id + layers + 1 } else { id };
        (0..=layers).contains(&index).then_some(index as usize)
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
        let wanted = self.layer_index().unwrap_or(self.backbone.layers());
        self.backbone.forward(words, sequences, &mut |index, state| {
            if index == wanted {
                states.push(state.clone());
            }
            Ok(index < wanted)
        })?;
        states.pop().ok_or_else(|| candle_core::Error::Msg("the encoder gave no hidden state".into()).into())
    }

    fn find_parts(&self, tokens: &[u32], rows: Range<usize>) -> Parts {
        let config = &self.config;
        let labels: Vec<usize> = (0..tokens.len()).filter(|&at| tokens[at] == self.markers.label).collect();
        let text = tokens.iter().position(|&id| id == self.markers.text);
        // Without `extract_text_features` the reference lets the last label's span run on to the end.
        let end = text.filter(|_| config.extract_text_features).unwrap_or(tokens.len());
        let start = text.filter(|_| config.extract_text_features).unwrap_or(0);
        let spans = label_spans(config.class_token_pooling, config.embed_class_token, &labels, end, tokens.len());
        let shift = |range: Range<usize>| rows.start + range.start..rows.start + range.end.max(range.start);
        Parts {
            labels: spans.into_iter().map(|span| shift(span.start.min(tokens.len())..span.end)).collect(),
            text: shift(start..tokens.len()),
            zero_rows: start,
            rows,
        }
    }

    fn features(&self, hidden: &Tensor, parts: &[Parts], threads: usize) -> Result<Features> {
        let (text, text_rows) = self.text_features(hidden, parts, threads)?;
        let (labels, label_rows) = self.label_features(hidden, parts)?;
        let mut text = self.text_projector.forward(&text, threads)?;
        let mut labels = self.classes_projector.forward(&labels, threads)?;
        if self.config.normalize_features {
            text = normalize(&text)?;
            labels = normalize(&labels)?;
        }
        Ok(Features { text, text_rows, labels, label_rows })
    }

    /// The pooled text of each record, or all its rows.
    fn text_features(&self, hidden: &Tensor, parts: &[Parts], threads: usize) -> Result<(Tensor, Vec<Range<usize>>)> {
        let (_, width) = hidden.dims2()?;
        let mut rows = with_values(hidden, |hidden| {
            let text = parts.iter().flat_map(|part| &hidden[part.text.start * width..part.text.end * width]);
            text.copied().collect::<Vec<f32>>()
        })?;
        let sequences = Sequences::new(parts.iter().map(|part| part.text.len()), threads);
        if let Some(lstm) = &self.lstm {
            rows = with_values(&lstm.forward(&matrix(rows, width)?, &sequences)?, <[f32]>::to_vec)?;
        }
        if self.config.pooling_strategy == Pooling::Pass {
            return Ok((matrix(rows, width)?, sequences.ranges().collect()));
        }
        let pooled = sequences.ranges().zip(parts).flat_map(|(range, part)| {
            // The LSTM gives back the text's own rows only.
            let zero_rows = if self.lstm.is_some() { 0 } else { part.zero_rows };
            pool(self.config.pooling_strategy, &rows[range.start * width..range.end * width], width, zero_rows)
        });
        let pooled = matrix(pooled.collect(), width)?;
        Ok((pooled, (0..parts.len()).map(|record| record..record + 1).collect()))
    }

    /// The mean row of each label; rows of zeros for the empty slots that some scorers see.
    fn label_features(&self, hidden: &Tensor, parts: &[Parts]) -> Result<(Tensor, Vec<Range<usize>>)> {
        let (_, width) = hidden.dims2()?;
        let mut rows = Vec::new();
        let mut label_rows = Vec::with_capacity(parts.len());
        with_values(hidden, |hidden| {
            for part in parts {
                let first = rows.len() / width;
                for span in &part.labels {
                    let span = span.start.min(part.rows.end)..span.end.min(part.rows.end);
                    if span.is_empty() {
                        rows.resize(rows.len() + width, 0.0);
                    } else {
                        rows.extend(pool(Pooling::Avg, &hidden[span.start * width..span.end * width], width, 0));
                    }
                }
                if self.scorer.looks_across_labels() {
                    let slots = self.config.label_slots(part.labels.len());
                    rows.resize((first + slots) * width, 0.0);
                }
                label_rows.push(first..rows.len() / width);
            }
        })?;
        Ok((matrix(rows, width)?, label_rows))
    }
}

impl Network for UniEncoder {
    fn max_positions(&self) -> Option<usize> {
        self.backbone.max_positions()
    }

    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded> {
        let Tokens { ids, truncated } = encoder.encode(&Prompt::uni_encoder(record, self.config.prompt_first))?;
        Ok(Encoded { tokens: ids, label_tokens: Vec::new(), labels: Arc::clone(&record.labels), truncated })
    }

    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>> {
        let sequences = Sequences::new(batch.iter().map(|record| record.tokens.len()), threads);
        let words = self.embed(batch)?;
        let hidden = self.hidden(words, &sequences)?;
        let parts: Vec<Parts> =
            batch.iter().zip(sequences.ranges()).map(|(record, rows)| self.find_parts(&record.tokens, rows)).collect();
        let features = self.features(&hidden, &parts, threads)?;
        let mut logits = self.scorer.forward(&features, threads)?;
        if let Some(scale) = self.logit_scale {
            logits.iter_mut().for_each(|logit| *logit *= scale);
        }
        let rows = features.label_rows.iter();
        Ok(rows.zip(batch).map(|(rows, record)| logits[rows.clone()][..record.labels.len()].to_vec()).collect())
    }
}

fn load_layer_attention(weights: &Weights, backbone: &dyn Backbone) -> Result<LayerAttention> {
    let attention = LayerAttention::load(weights, backbone.hidden_size())?;
    let layers = backbone.layers();
    if ![layers, layers + 1].contains(&attention.layers()) {
        let found = attention.layers();
        return Err(weights.error(format!("layer_wise_attention weighs {found} layers, the encoder has {layers}")));
    }
    Ok(attention)
}
