//! Texts and label lists that are too long for one sequence: cut into pieces, each read on its own, and one
//! answer made of the answers to all.
//!
//! Source: `ZeroShotClassificationWithChunkingPipeline` of `gliclass` 0.1.21, which cuts by characters.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use crate::architectures::Network;
use crate::classifier::Encoded;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::records::labels::greater;
use crate::records::{LabelSet, Record};

/// What becomes of a text that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Overflow {
    /// Its end is cut off
    #[default]
    Truncate,
    /// It is read in pieces, and each label gets its best score of all pieces
    Chunk,
    /// The record is an error
    Error,
}

/// How long inputs are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pieces {
    /// What becomes of a text that does not fit.
    pub overflow: Overflow,
    /// Tokens that a piece has in common with the one before, at most half of a piece.
    pub overlap: usize,
    /// Labels that are read together; all where nothing is said.
    pub labels: Option<NonZeroUsize>,
    /// Whether scores are softmax, over all labels of a piece of the text, instead of sigmoid.
    pub single_label: bool,
}

/// What writes and cuts the input of one model.
pub(super) struct Writer<'a> {
    pub(super) network: &'a dyn Network,
    pub(super) encoder: &'a Encoder,
    pub(super) pieces: Pieces,
}

impl Writer<'_> {
    /// A record as tokens, in as many pieces as it takes.
    pub(super) fn encode(&self, record: &Record) -> Result<Encoded> {
        let runs = self.runs(record)?;
        let whole = self.encode_all(Cow::Borrowed(record), &runs)?;
        if whole.iter().all(|piece| !piece.truncated) || self.pieces.overflow == Overflow::Truncate {
            return Ok(together(whole, &record.labels));
        }
        if self.pieces.overflow == Overflow::Error {
            return Err(Error::Record(format!(
                "the text and its labels do not fit in {} tokens: raise --max-length if the model allows it, or cut \
                 the text with --on-overflow truncate or chunk",
                self.encoder.max_length()
            )));
        }
        Ok(together(self.windows(record, &runs)?, &record.labels))
    }

    /// The labels that are read together; all of them where they are one run.
    fn runs(&self, record: &Record) -> Result<Vec<Arc<LabelSet>>> {
        let at_once = self.pieces.labels.map_or(usize::MAX, NonZeroUsize::get);
        if record.labels.len() <= at_once {
            return Ok(vec![Arc::clone(&record.labels)]);
        }
        let runs = record.labels.names().chunks(at_once);
        runs.map(|names| LabelSet::flat(names.to_vec()).map(Arc::new)).collect()
    }

    /// A record with each run of its labels. There is one copy of its text, however many there are.
    fn encode_all(&self, record: Cow<'_, Record>, runs: &[Arc<LabelSet>]) -> Result<Vec<Encoded>> {
        if runs.len() == 1 {
            return Ok(vec![self.network.encode(&record, self.encoder)?]);
        }
        let mut record = record.into_owned();
        let with = |labels: &Arc<LabelSet>| {
            record.labels = Arc::clone(labels);
            self.network.encode(&record, self.encoder)
        };
        runs.iter().map(with).collect()
    }

    /// Overlapping pieces of the text, each with all runs of labels. The pieces begin and end at the same
    /// places for all of them: where they fit beside the longest.
    fn windows(&self, record: &Record, runs: &[Arc<LabelSet>]) -> Result<Vec<Encoded>> {
        let beside =
            self.encode_all(with_text(record, ""), runs)?.iter().map(|piece| piece.tokens.len()).max().unwrap_or(0);
        let room = self.encoder.max_length().saturating_sub(beside).max(1);
        let overlap = self.pieces.overlap.min(room / 2);
        let offsets = self.encoder.offsets(&record.text)?;
        let (mut pieces, mut start) = (Vec::new(), 0);
        while start < offsets.len() {
            let (end, window) = self.window(record, runs, &offsets, start..start + room)?;
            pieces.extend(window);
            if end == offsets.len() {
                break;
            }
            start = next_start(start, end, overlap);
        }
        Ok(pieces)
    }

    /// The piece of about these tokens, and the token where it ends: cut alone, a piece may have some tokens more
    /// than as part of the text.
    fn window(
        &self,
        record: &Record,
        runs: &[Arc<LabelSet>],
        offsets: &[(usize, usize)],
        Range { start, end }: Range<usize>,
    ) -> Result<(usize, Vec<Encoded>)> {
        let (text, mut end) = (record.text.as_str(), end.min(offsets.len()));
        let mut fewer = 1;
        loop {
            let from = if start == 0 { 0 } else { text.floor_char_boundary(offsets[start].0) };
            let to = if end == offsets.len() { text.len() } else { text.ceil_char_boundary(offsets[end - 1].1) };
            let window = self.encode_all(with_text(record, &text[from..to.max(from)]), runs)?;
            if end == start + 1 || window.iter().all(|piece| !piece.truncated) {
                return Ok((end, window));
            }
            end = end.saturating_sub(fewer).max(start + 1);
            fewer *= 2;
        }
    }
}

/// The same record with another text.
fn with_text<'a>(record: &Record, text: &str) -> Cow<'a, Record> {
    Cow::Owned(Record {
        text: text.to_owned(),
        labels: Arc::clone(&record.labels),
        prompt: record.prompt.clone(),
        examples: Arc::clone(&record.examples),
        rac_examples: Arc::clone(&record.rac_examples),
    })
}

/// Where the piece behind that of the tokens from `start` to `end` begins. That one may be shorter than the overlap.
fn next_start(start: usize, end: usize, overlap: usize) -> usize {
    end.saturating_sub(overlap).max(start + 1)
}

/// A record of one piece is that piece.
fn together(mut pieces: Vec<Encoded>, labels: &Arc<LabelSet>) -> Encoded {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let truncated = pieces.iter().any(|piece| piece.truncated);
    Encoded { tokens: Vec::new(), label_tokens: Vec::new(), labels: Arc::clone(labels), truncated, pieces }
}

impl Pieces {
    /// One logit for each of `labels` labels, from those of all pieces in their order.
    ///
    /// In `single_label` mode and over several pieces of text, the softmax of the result is what the reference
    /// answers: each label's best share of a piece, divided by the sum of these.
    pub(super) fn join(&self, logits: Vec<Vec<f32>>, labels: usize) -> Vec<f32> {
        let all: Vec<f32> = logits.into_iter().flatten().collect();
        let mut windows = all.chunks(labels.max(1));
        let Some(first) = windows.next().filter(|first| first.len() < all.len()) else { return all };
        let share = |window: &[f32]| if self.single_label { log_softmax(window) } else { window.to_vec() };
        windows.map(share).fold(share(first), |mut best, window| {
            best.iter_mut().zip(window).for_each(|(best, logit)| *best = greater(*best, logit));
            best
        })
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    logits.iter().map(|&logit| (f64::from(logit - max) - sum.ln()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: Pieces = Pieces { overflow: Overflow::Chunk, overlap: 0, labels: None, single_label: false };

    #[test]
    fn a_piece_begins_behind_the_one_before_it_even_if_that_is_shorter_than_the_overlap() {
        let starts =
            [(0, 1, 2), (0, 2, 2), (5, 6, 3), (4, 10, 2)].map(|(start, end, overlap)| next_start(start, end, overlap));
        assert_eq!(starts, [1, 1, 6, 8]);
    }

    #[test]
    fn labels_in_runs_are_set_side_by_side_and_stay_what_they_are() {
        let single = Pieces { single_label: true, ..PIECES };
        assert_eq!(single.join(vec![vec![1.0, 2.0], vec![3.0]], 3), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_label_has_the_best_logit_of_all_pieces_of_the_text() {
        let logits = vec![vec![1.0, 2.0], vec![3.0], vec![2.0, -2.0], vec![9.0]];
        assert_eq!(PIECES.join(logits, 3), [2.0, 2.0, 9.0]);
        // What is not a number stays so, to be told.
        let damaged = [[f32::NAN, 1.0], [0.0, f32::NAN]].map(Vec::from).to_vec();
        assert!(PIECES.join(damaged, 2).iter().all(|logit| logit.is_nan()));
    }

    #[test]
    fn a_single_label_is_the_best_share_of_a_piece() {
        let single = Pieces { single_label: true, ..PIECES };
        // Shares 1/2 and 1/2, then 1/4 and 3/4; of the best ones, 2/5 and 3/5.
        let joined = single.join(vec![vec![0.0, 0.0], vec![0.0, 3f32.ln()]], 2);
        let [a, b] = [joined[0].exp(), joined[1].exp()];
        assert!((a / (a + b) - 0.4).abs() < 1e-6, "{joined:?}");
    }

    #[test]
    fn a_share_of_nothing_stays_a_number() {
        assert!(log_softmax(&[-500.0, 500.0]).iter().all(|logit| logit.is_finite()));
    }
}
