//! Text, then labels, through a causal decoder; a small encoder over the labels' hidden states sees both
//! ways, and each `<<LABEL>>` is compared with the last `<<SEP>>`.
//!
//! Source: `GLiClassDecoderKV` and `DecoderKVScorer` of `gliclass` 0.1.21. Its `scorer_full_sequence` is
//! read by nothing there, so by nothing here.

use std::ops::Range;

use candle_core::{DType, Tensor};
use serde_json::{Value, json};

use super::features::{self, Markers, one_row_each};
use super::{Logits, Network, Vectors};
use crate::backbones::layers::{Dropout, Linear, normalize, replace_rows, select_ranges, select_rows, values};
use crate::backbones::{self, Backbone, Packed, Sequences, consecutive, deberta_v2};
use crate::checkpoint::config::ProblemType;
use crate::checkpoint::{Config, Weights};
use crate::classifier::Encoded;
use crate::encode::prompt::SEP;
use crate::encode::{Encoder, Prompt, Tokens};
use crate::error::Result;
use crate::heads::reasoning::ReasoningCell;
use crate::heads::scorer::Features;
use crate::heads::{Calibrator, Scorer};
use crate::kernels::meter;
use crate::records::Record;
use crate::scores::scores;

/// A decoder-kv model.
pub struct DecoderKv {
    markers: Markers,
    separator: u32,
    decoder: Box<dyn Backbone>,
    encoder: deberta_v2::Encoder,
    text_projector: Linear,
    label_projector: Linear,
    /// Of the text's features.
    dropout: Dropout,
    normalizes: bool,
    scorer: Scorer,
    recurrence: Option<Recurrence>,
    calibrator: Option<Calibrator>,
}

/// Passes of the encoder after the first.
struct Recurrence {
    cell: ReasoningCell,
    /// How many there are at most.
    steps: usize,
    /// A record is done once no probability moves by this much.
    halt: Option<f32>,
    single_label: bool,
}

/// The labels' part of each sequence, and what stands before it.
struct Sections {
    /// Rows of the hidden states.
    labels: Vec<Range<usize>>,
    text: Vec<Range<usize>>,
    /// The labels' rows alone, packed.
    sequences: Sequences,
    /// Among those, each record's `<<LABEL>>` rows and its last `<<SEP>>`.
    markers: Vec<usize>,
    marker_rows: Vec<Range<usize>>,
    separators: Vec<usize>,
}

impl DecoderKv {
    /// Loads the model below `weights`.
    ///
    /// # Errors
    /// Unsupported settings, missing or mismatched tensors.
    pub fn load(config: &Config, weights: &Weights) -> Result<Self> {
        let kind = config.encoder_config["model_type"].as_str().unwrap_or_default();
        if kind != "qwen3" {
            return Err(weights.setting_error(format!("decoder-kv on {kind:?} is not supported: only on qwen3 it is")));
        }
        let separator = config.sep_token_index.ok_or_else(|| weights.setting_error("there is no sep_token_index"))?;
        let decoder = backbones::load("encoder_config", &config.encoder_config, false, &weights.at("decoder_model"))?;
        let hidden = decoder.hidden_size();
        let scorer = weights.at("scorer");
        Ok(Self {
            markers: Markers::new(config),
            separator,
            encoder: deberta_v2::Encoder::load(&encoder_config(config, hidden), &scorer.at("scorer_encoder"))?,
            text_projector: Linear::load(&scorer.at("text_projector"), hidden, hidden)?,
            label_projector: Linear::load(&scorer.at("label_projector"), hidden, hidden)?,
            dropout: Dropout::new(&scorer, config.dropout),
            normalizes: config.normalize_features,
            recurrence: Recurrence::load(config, &scorer.at("reasoning_cell"), hidden)?,
            scorer: Scorer::mlp(&scorer, hidden)?,
            calibrator: Calibrator::load(config, weights, hidden)?,
            decoder,
        })
    }

    /// The decoder's last hidden state: `(tokens, hidden)`.
    fn hidden(&self, Packed { ids, sequences }: &Packed) -> Result<Tensor> {
        self.decoder.last(self.decoder.embed(ids)?, sequences)
    }

    fn encode_labels(&self, states: Tensor, sections: &Sections) -> Result<Tensor> {
        backbones::last(|visit| self.encoder.forward(states, &sections.sequences, visit))
    }

    /// A logit for each `<<LABEL>>`, from a state of the labels `(tokens, hidden)`: `(rows)`.
    fn score(&self, state: &Tensor, sections: &Sections) -> Result<Tensor> {
        let features = self.features(state, sections)?;
        let _timer = meter::start(meter::Part::Heads);
        self.scorer.forward(&features, sections.sequences.threads)
    }

    /// What the scorer compares, from such a state.
    fn features(&self, state: &Tensor, sections: &Sections) -> Result<Features> {
        let _timer = meter::start(meter::Part::Heads);
        let threads = sections.sequences.threads;
        let mut text = self.text_projector.forward(&select_rows(state, &sections.separators)?, threads)?;
        text = self.dropout.forward(&text)?;
        let mut labels = self.label_projector.forward(&select_rows(state, &sections.markers)?, threads)?;
        if self.normalizes {
            text = normalize(&text)?;
            labels = normalize(&labels)?;
        }
        let text_rows = one_row_each(sections.separators.len());
        Ok(Features { text, text_rows, labels, label_rows: sections.marker_rows.clone() })
    }

    /// The logits of a batch, and the last state of the labels: that of each record where it is one alone.
    fn run(&self, batch: &[Encoded], threads: usize) -> Result<(Tensor, Tensor, Sections)> {
        let packed = Packed::new(batch.iter().map(|record| &record.tokens[..]), threads);
        let hidden = self.hidden(&packed)?;
        let sections = self.sections(batch, &packed.sequences);
        let state = self.encode_labels(part(&hidden, &sections.labels)?, &sections)?;
        let logits = self.score(&state, &sections)?;
        let (logits, state) = match &self.recurrence {
            Some(recurrence) => self.reason(recurrence, &hidden, &sections, state, logits)?,
            None => (logits, state),
        };
        Ok((logits, state, sections))
    }

    /// Looks again until no record's probabilities move, or there are no steps left.
    fn reason(
        &self,
        recurrence: &Recurrence,
        hidden: &Tensor,
        sections: &Sections,
        mut state: Tensor,
        mut logits: Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (cell, threads) = (&recurrence.cell, sections.sequences.threads);
        let inputs = cell.normalize(&part(hidden, &sections.labels)?, threads)?;
        let memory = cell.memory(hidden, &sections.text, threads)?;
        let mut active: Vec<&Range<usize>> = sections.marker_rows.iter().collect();
        for _ in 0..recurrence.steps {
            let encode = |x| self.encode_labels(x, sections);
            state = cell.step(&state, &inputs, &sections.sequences, memory.as_ref(), encode)?;
            let next = self.score(&state, sections)?;
            let (old, new) = (values(&logits)?, values(&next)?);
            logits =
                replace_rows(&logits, active.iter().flat_map(|rows| (*rows).clone()).map(|row| (row, row)), &next)?;
            active.retain(|rows| recurrence.moved(&old[(*rows).clone()], &new[(*rows).clone()]));
            if active.is_empty() {
                break;
            }
        }
        Ok((logits, state))
    }

    fn sections(&self, batch: &[Encoded], sequences: &Sequences) -> Sections {
        let starts = batch.iter().map(|record| self.labels_start(&record.tokens));
        let ranges: Vec<_> = sequences.ranges().zip(starts).collect();
        let (mut markers, mut marker_rows, mut separators) = (Vec::new(), Vec::new(), Vec::new());
        let packed = Sequences::new(ranges.iter().map(|(rows, start)| rows.len() - start), sequences.threads);
        for ((record, (_, start)), packed) in batch.iter().zip(&ranges).zip(packed.ranges()) {
            let tokens = &record.tokens[*start..];
            let first = markers.len();
            markers.extend(self.markers.labels(tokens).into_iter().map(|at| packed.start + at));
            marker_rows.push(first..markers.len());
            separators.push(packed.start + tokens.iter().rposition(|&id| id == self.separator).unwrap_or(0));
        }
        Sections {
            labels: ranges.iter().map(|(rows, start)| rows.start + start..rows.end).collect(),
            text: ranges.iter().map(|(rows, start)| rows.start..rows.start + start).collect(),
            sequences: packed,
            markers,
            marker_rows,
            separators,
        }
    }

    /// Behind the last `<<SEP>>` before the first `<<LABEL>>`.
    fn labels_start(&self, tokens: &[u32]) -> usize {
        let first = tokens.iter().position(|&id| id == self.markers.label).unwrap_or(0);
        tokens[..first].iter().rposition(|&id| id == self.separator).map_or(0, |at| at + 1)
    }
}

impl Network for DecoderKv {
    fn max_positions(&self) -> Option<usize> {
        self.decoder.max_positions()
    }

    fn check(&self, encoder: &Encoder) -> std::result::Result<(), String> {
        let mut sought = self.markers.sought(false, false);
        sought.push((SEP, self.separator, "sep_token_index"));
        features::check_encoder(encoder, &sought, |ids| self.decoder.check(ids))
    }

    fn encode(&self, record: &Record, encoder: &Encoder) -> Result<Encoded> {
        let Tokens { ids, truncated } = encoder.encode_bare(&Prompt::decoder_kv(record))?;
        self.decoder.check(&ids)?;
        features::check_markers(&ids, self.markers.label, record.labels.len())?;
        Ok(Encoded::new(ids, Vec::new(), &record.labels, truncated))
    }

    fn forward(&self, batch: &[Encoded], threads: usize) -> Result<Logits> {
        if self.calibrator.is_none() {
            let (values, _, sections) = self.run(batch, threads)?;
            return Ok(Logits { values, rows: sections.marker_rows, labels: None });
        }
        let mut logits = Vec::with_capacity(batch.len());
        // One by one, as for their vectors, which the calibrator reads.
        for record in batch.chunks(1) {
            let (values, state, sections) = self.run(record, threads)?;
            let features = self.features(&state, &sections)?;
            let uncalibrated = Logits { values, rows: sections.marker_rows, labels: None };
            logits.push(features::calibrated(self.calibrator.as_ref(), &features, uncalibrated, threads)?.values);
        }
        let rows = consecutive(batch.iter().map(|record| record.labels.len()));
        Ok(Logits { values: Tensor::cat(&logits, 0)?, rows, labels: None })
    }

    fn vectors(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vectors>> {
        let mut vectors = Vec::with_capacity(batch.len());
        // One by one: records of a batch halt at different steps.
        for record in batch.chunks(1) {
            let (_, state, sections) = self.run(record, threads)?;
            vectors.extend(features::vectors(&self.features(&state, &sections)?, record)?);
        }
        Ok(vectors)
    }
}

impl Recurrence {
    /// None where the first pass is the only one.
    fn load(config: &Config, weights: &Weights, hidden: usize) -> Result<Option<Self>> {
        if config.recurrent_steps <= 1 || !config.recurrent_inference {
            return Ok(None);
        }
        let steps = config.recurrent_inference_max_steps.filter(|&steps| steps > 0).unwrap_or(config.recurrent_steps);
        Ok(Some(Self {
            cell: ReasoningCell::load(weights, hidden, config.recurrent_read_text)?,
            steps: steps - 1,
            halt: config.recurrent_halt_threshold.filter(|&threshold| threshold != 0.0),
            single_label: config.problem_type == Some(ProblemType::SingleLabelClassification),
        }))
    }

    /// Whether a record goes on after a step from logits `old` to `new`.
    fn moved(&self, old: &[f32], new: &[f32]) -> bool {
        let Some(halt) = self.halt else { return true };
        let (old, new) = (scores(old, self.single_label), scores(new, self.single_label));
        old.iter().zip(new).any(|(old, new)| (new - old).abs() >= halt)
    }
}

/// The config of the encoder over the labels: the reference builds it from the hidden size alone.
fn encoder_config(config: &Config, hidden: usize) -> Value {
    json!({
        "hidden_size": hidden,
        "num_hidden_layers": config.scorer_encoder_num_layers,
        "num_attention_heads": (hidden / 64).max(1),
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": 512,
        "relative_attention": true,
        "pos_att_type": ["p2c", "c2p"],
        "max_relative_positions": 512,
    })
}

/// Ranges of rows, one after another, in the exact type of the scorer.
fn part(x: &Tensor, ranges: &[Range<usize>]) -> Result<Tensor> {
    Ok(select_ranges(x, ranges.iter().cloned())?.to_dtype(DType::F32)?)
}
