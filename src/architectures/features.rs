//! Hidden states -> one row for the text and one for each label: what the architectures have in common.
//!
//! Source: `GLiClassBaseModel._extract_class_features` of `gliclass` 0.1.21.

use std::ops::Range;

use candle_core::Tensor;

use super::{Logits, Vectors};
use crate::backbones::layers::{Span, pool, select_ranges, values};
use crate::backbones::{Sequences, consecutive};
use crate::checkpoint::Config;
use crate::checkpoint::config::{ClassTokenPooling, Pooling};
use crate::classifier::Encoded;
use crate::encode::Encoder;
use crate::encode::prompt::{EXAMPLE, LABEL, SEP};
use crate::error::{Error, Result};
use crate::heads::scorer::Features;
use crate::heads::{Calibrator, Head, Lstm};
use crate::kernels::meter;

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

    /// The labels' marker for [`check_encoder`]; that of the text and that of examples, too, where they are looked for.
    pub(super) fn sought(&self, text: bool, example: bool) -> Vec<Sought> {
        let all = [
            (true, (LABEL, self.label, "class_token_index, or else vocab_size")),
            (text, (SEP, self.text, "text_token_index, or else vocab_size")),
            (example, (EXAMPLE, self.example, "example_token_index, or else vocab_size")),
        ];
        all.into_iter().filter(|(is_sought, _)| *is_sought).map(|(_, sought)| sought).collect()
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
        let labels = self.labels(tokens);
        let ends = labels.iter().skip(1).copied().chain([end]);
        let rows = labels.iter().zip(ends).map(|(&at, end)| {
            let start = at + usize::from(!config.embed_class_token);
            let end = match config.class_token_pooling {
                ClassTokenPooling::First => start + 1,
                ClassTokenPooling::Average => end,
            };
            first + start..first + end.clamp(start, tokens.len())
        });
        rows.collect()
    }
}

/// A marker, the token that a model looks for in its place, and the settings that say which.
pub(super) type Sought = (&'static str, u32, &'static str);

/// Checks that `encoder` writes markers as the tokens that are `sought`, and whether there `is_known` a word embedding for
/// the markers of every input.
///
/// # Errors
/// The tokenizer gives a marker another id than the config, or one behind the vocabulary.
pub(super) fn check_encoder(
    encoder: &Encoder,
    sought: &[Sought],
    is_known: impl FnOnce(&[u32]) -> Result<()>,
) -> std::result::Result<(), String> {
    for (marker, sought, setting) in sought {
        if let Some(id) = encoder.id(marker).filter(|id| id != sought) {
            return Err(format!(
                "{marker} is the token {id}, but {sought} by config.json ({setting}): the two files are not of one model"
            ));
        }
    }
    let ids: Vec<u32> = [LABEL, SEP].into_iter().filter_map(|name| encoder.id(name)).collect();
    is_known(&ids).map_err(|error| error.to_string())
}

/// Checks that there is a marker for each of `labels` labels.
///
/// # Errors
/// There are more or fewer: the tokenizer gives the marker another id than the config.
pub(super) fn check_markers(tokens: &[u32], marker: u32, labels: usize) -> Result<()> {
    let found = tokens.iter().filter(|&&id| id == marker).count();
    if found == labels {
        return Ok(());
    }
    Err(Error::Record(format!(
        "{found} tokens with the id {marker} for {labels} labels: class_token_index of config.json and the <<LABEL>> of \
         tokenizer.json do not fit"
    )))
}

/// The pooled row of each text, or all its rows; and which rows are whose.
pub(super) fn text_features(
    hidden: &Tensor,
    texts: &[Span],
    pooling: Pooling,
    lstm: Option<&Lstm>,
    threads: usize,
) -> Result<(Tensor, Vec<Range<usize>>)> {
    let _timer = meter::start(meter::Part::Heads);
    if pooling != Pooling::Pass && lstm.is_none() {
        return Ok((pool(hidden, texts, pooling)?, one_row_each(texts.len())));
    }
    let sequences = Sequences::new(texts.iter().map(|text| text.rows.len()), threads);
    let mut rows = select_ranges(hidden, texts.iter().map(|text| text.rows.clone()))?;
    if let Some(lstm) = lstm {
        rows = lstm.forward(&rows, &sequences)?;
    }
    if pooling == Pooling::Pass {
        return Ok((rows, sequences.ranges().collect()));
    }
    // The LSTM gives back the text's own rows only: there are no cleared ones to count.
    Ok((pool(&rows, &Span::all(&sequences), pooling)?, one_row_each(texts.len())))
}

/// The mean row of each label, then rows of zeros up to `slots` of the number of labels: some scorers see
/// the empty slots, too.
fn label_features(
    hidden: &Tensor,
    labels: &[Vec<Range<usize>>],
    slots: impl Fn(usize) -> usize,
) -> Result<(Tensor, Vec<Range<usize>>)> {
    let _timer = meter::start(meter::Part::Heads);
    let mut spans: Vec<Span> = Vec::new();
    let mut label_rows = Vec::with_capacity(labels.len());
    for rows in labels {
        let first = spans.len();
        spans.extend(rows.iter().cloned().map(Span::from));
        spans.resize(first + slots(rows.len()).max(rows.len()), Span::from(0..0));
        label_rows.push(first..spans.len());
    }
    Ok((pool(hidden, &spans, Pooling::Avg)?, label_rows))
}

/// What the scorer compares: the pooled text and the labels' rows of `hidden`, both projected.
pub(super) fn compared(
    (head, config): (&Head, &Config),
    (text, text_rows): (Tensor, Vec<Range<usize>>),
    (hidden, labels): (&Tensor, &[Vec<Range<usize>>]),
    threads: usize,
) -> Result<Features> {
    let across = head.looks_across_labels();
    let slots = |labels| if across { config.label_slots(labels) } else { labels };
    let (labels, label_rows) = label_features(hidden, labels, slots)?;
    Ok(Features { text: head.text(&text, threads)?, text_rows, labels: head.labels(&labels, threads)?, label_rows })
}

/// Row `i` for record `i`.
pub(super) fn one_row_each(records: usize) -> Vec<Range<usize>> {
    (0..records).map(|record| record..record + 1).collect()
}

/// The logits of each record, without those of the empty slots behind its labels.
pub(super) fn logits(head: &Head, features: &Features, batch: &[Encoded], threads: usize) -> Result<Logits> {
    let rows = of_labels(&consecutive(features.label_rows.iter().map(Range::len)), batch);
    let logits = Logits { values: head.logits(features, threads)?, rows, labels: Some(features.labels.clone()) };
    calibrated(head.calibrator(), features, logits, threads)
}

/// The same logits by a calibrator, if there is one.
pub(super) fn calibrated(
    calibrator: Option<&Calibrator>,
    features: &Features,
    logits: Logits,
    threads: usize,
) -> Result<Logits> {
    let Some(calibrator) = calibrator else { return Ok(logits) };
    let values = calibrator.forward(features, &logits.rows, &logits.values, threads)?;
    Ok(Logits { values, rows: consecutive(logits.rows.iter().map(Range::len)), labels: None })
}

/// The features of each record as vectors, without the empty slots behind its labels.
pub(super) fn vectors(features: &Features, batch: &[Encoded]) -> Result<Vec<Vectors>> {
    let all = |tensor: &Tensor| -> Result<Vec<Vec<f32>>> {
        let (_, width) = tensor.dims2()?;
        Ok(values(tensor)?.chunks_exact(width).map(<[f32]>::to_vec).collect())
    };
    let (text, labels) = (all(&features.text)?, all(&features.labels)?);
    let rows = features.text_rows.iter().cloned().zip(of_labels(&features.label_rows, batch));
    Ok(rows.map(|(texts, rows)| Vectors { text: text[texts].to_vec(), labels: labels[rows].to_vec() }).collect())
}

/// Of the rows of each record those of its labels; the rest are empty slots.
fn of_labels(rows: &[Range<usize>], batch: &[Encoded]) -> Vec<Range<usize>> {
    rows.iter().zip(batch).map(|(rows, record)| rows.start..rows.start + record.labels.len()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_rows_of_a_label_reach_to_the_next_one_and_those_of_the_last_to_the_text() {
        let markers = Markers { label: 7, text: 8, example: 9 };
        let rows = |settings: &str, tokens: &[u32]| {
            let text = format!(r#"{{"encoder_config": {{}}, {settings}}}"#);
            markers.label_rows(&Config::parse(&text, Path::new("config.json")).unwrap(), tokens, 100)
        };
        let tokens = [0, 7, 1, 2, 7, 3, 8, 4, 5];
        let pooled =
            |pooling, text: bool| format!(r#""class_token_pooling": "{pooling}", "extract_text_features": {text}"#);
        let [first, average] = ["first", "average"].map(|pooling| pooled(pooling, true));
        let behind = |pooling: &str| format!(r#"{pooling}, "embed_class_token": false"#);
        assert_eq!(rows(&first, &tokens), [101..102, 104..105]);
        assert_eq!(rows(&behind(&first), &tokens), [102..103, 105..106]);
        assert_eq!(rows(&average, &tokens), [101..104, 104..106]);
        assert_eq!(rows(&behind(&average), &tokens), [102..104, 105..106]);
        assert_eq!(rows(&pooled("average", false), &tokens), [101..104, 104..109]);
        // Nothing stands behind the last marker.
        assert_eq!(rows(&behind(&first), &[8, 7, 7]), [102..103, 103..103]);
        assert_eq!(rows(&behind(&average), &[8, 7, 7]), [102..102, 103..103]);
    }
}
