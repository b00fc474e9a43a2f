//! Hidden states -> one row for the text and one for each label: what the architectures have in common.
//!
//! Source: `GLiClassBaseModel._extract_class_features` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{matrix, with_values};
use crate::checkpoint::Config;
use crate::checkpoint::config::Pooling;
use crate::error::Result;
use crate::heads::Lstm;
use crate::heads::pooling::{label_spans, pool};

/// Token ids that a model looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Markers {
    pub(super) label: u32,
    pub(super) text: u32,
    pub(super) example: u32,
}

impl Markers {
    pub(super) fn new(config: &Config) -> Self {
        let vocab_size = config.encoder_config.get("vocab_size").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let [label, text, example] = config.marker_ids(vocab_size as usize);
        Self { label, text, example }
    }

    /// Where the text begins, if there is a marker for it.
    pub(super) fn text_start(&self, tokens: &[u32]) -> Option<usize> {
        tokens.iter().position(|&id| id == self.text)
    }

    /// The places of the labels' markers.
    pub(super) fn labels(&self, tokens: &[u32]) -> Vec<usize> {
        (0..tokens.len()).filter(|&at| tokens[at] == self.label).collect()
    }

    /// The rows of each label in a sequence that begins at row `first`; an empty range stands for zeros.
    pub(super) fn label_rows(&self, config: &Config, tokens: &[u32], first: usize) -> Vec<Range<usize>> {
        // Without `extract_text_features` the reference lets the last label's span run on to the end.
        let end = self.text_start(tokens).filter(|_| config.extract_text_features).unwrap_or(tokens.len());
        let (pooling, length) = (config.class_token_pooling, tokens.len());
        label_spans(pooling, config.embed_class_token, &self.labels(tokens), end, length)
            .into_iter()
            .map(|span| first + span.start.min(length)..first + span.end.clamp(span.start.min(length), length))
            .collect()
    }
}

/// The rows of one text, and how many cleared rows the reference's pooling counts beside them.
#[derive(Debug, Clone)]
pub(super) struct TextRows {
    pub(super) rows: Range<usize>,
    pub(super) zero_rows: usize,
}

impl TextRows {
    /// All rows of each sequence.
    pub(super) fn all(sequences: &Sequences) -> Vec<Self> {
        sequences.ranges().map(|rows| Self { rows, zero_rows: 0 }).collect()
    }
}

/// The pooled row of each text, or all its rows; and which rows are whose.
pub(super) fn text_features(
    hidden: &Tensor,
    texts: &[TextRows],
    pooling: Pooling,
    lstm: Option<&Lstm>,
    threads: usize,
) -> Result<(Tensor, Vec<Range<usize>>)> {
    let (_, width) = hidden.dims2()?;
    let mut rows = with_values(hidden, |hidden| {
        let rows = texts.iter().flat_map(|text| &hidden[text.rows.start * width..text.rows.end * width]);
        rows.copied().collect::<Vec<f32>>()
    })?;
    let sequences = Sequences::new(texts.iter().map(|text| text.rows.len()), threads);
    if let Some(lstm) = lstm {
        rows = with_values(&lstm.forward(&matrix(rows, width)?, &sequences)?, <[f32]>::to_vec)?;
    }
    if pooling == Pooling::Pass {
        return Ok((matrix(rows, width)?, sequences.ranges().collect()));
    }
    let pooled = sequences.ranges().zip(texts).flat_map(|(range, text)| {
        // The LSTM gives back the text's own rows only.
        let zero_rows = if lstm.is_some() { 0 } else { text.zero_rows };
        pool(pooling, &rows[range.start * width..range.end * width], width, zero_rows)
    });
    Ok((matrix(pooled.collect(), width)?, one_row_each(texts.len())))
}

/// The mean row of each label, then rows of zeros up to `slots` of the number of labels: some scorers see
/// the empty slots, too.
pub(super) fn label_features(
    hidden: &Tensor,
    labels: &[Vec<Range<usize>>],
    slots: impl Fn(usize) -> usize,
) -> Result<(Tensor, Vec<Range<usize>>)> {
    let (_, width) = hidden.dims2()?;
    let mut rows = Vec::new();
    let mut label_rows = Vec::with_capacity(labels.len());
    with_values(hidden, |hidden| {
        for spans in labels {
            let first = rows.len() / width;
            for span in spans {
                if span.is_empty() {
                    rows.resize(rows.len() + width, 0.0);
                } else {
                    rows.extend(pool(Pooling::Avg, &hidden[span.start * width..span.end * width], width, 0));
                }
            }
            rows.resize((first + slots(spans.len()).max(spans.len())) * width, 0.0);
            label_rows.push(first..rows.len() / width);
        }
    })?;
    Ok((matrix(rows, width)?, label_rows))
}

/// Row `i` for record `i`.
pub(super) fn one_row_each(records: usize) -> Vec<Range<usize>> {
    (0..records).map(|record| record..record + 1).collect()
}

/// The logits of each record, of which `labels` says how many there are, from those of all label rows.
pub(super) fn by_record(
    logits: &[f32],
    label_rows: &[Range<usize>],
    labels: impl Iterator<Item = usize>,
) -> Vec<Vec<f32>> {
    label_rows.iter().zip(labels).map(|(rows, labels)| logits[rows.clone()][..labels].to_vec()).collect()
}
