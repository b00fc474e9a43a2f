//! Labels -> vectors, through an encoder and a tokenizer of their own; computed once and kept.
//!
//! Source: `GLiClassBiEncoder.encode_classes` of `gliclass` 0.1.21.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Tensor};

use super::features::text_features;
use super::label_store::{Store, Vector};
use crate::backbones::layers::{Span, matrix, select_rows, values};
use crate::backbones::{self, Backbone, Sequences, consecutive};
use crate::checkpoint::config::Pooling;
use crate::checkpoint::{Config, Weights};
use crate::encode::Encoder;
use crate::error::Result;
use crate::heads::{Head, Mlp};
use crate::records::LabelSet;

/// A tokenizer for labels, and the token that fills them up to one length.
pub struct LabelTokenizer {
    /// The tokenizer.
    pub encoder: Encoder,
    /// The padding's token id.
    pub padding: u32,
    /// Whether the padding stands before the label.
    pub pads_before: bool,
}

/// The label side of a bi-encoder.
pub(super) struct LabelEncoder {
    tokenizer: LabelTokenizer,
    backbone: Box<dyn Backbone>,
    projector: Mlp,
    pooling: Pooling,
    /// Whether vectors change from one use to the next.
    learns: bool,
    store: Store,
    /// The set that was asked for last: a run mostly has one.
    recent: Mutex<Option<Recent>>,
}

/// The vectors of the labels of several sets.
pub(super) struct LabelVectors {
    /// All of them, on the device of the computation: `(labels, width)`.
    pub(super) rows: Tensor,
    /// The rows of each set; those with the same labels may share them.
    pub(super) of_sets: Vec<Range<usize>>,
}

/// A label set with its vectors `(labels, hidden)`.
type Recent = (Arc<LabelSet>, Arc<[f32]>);

impl LabelEncoder {
    /// Loads the encoder of labels that are compared with rows of `hidden` columns.
    pub(super) fn load(config: &Config, tokenizer: LabelTokenizer, hidden: usize, weights: &Weights) -> Result<Self> {
        let label_config = config.label_model_config.clone().unwrap_or_default();
        let backbone = backbones::load("label_model_config", &label_config, false, &weights.at("label_encoder"))?;
        let LabelTokenizer { encoder, padding, pads_before } = tokenizer;
        if pads_before && !backbone.is_causal() {
            return Err(weights.setting_error(
                "the tokenizer of the labels has padding_side \"left\", which is supported for causal encoders only: if the \
                 model was not trained that way, write \"right\" into its tokenizer_config.json",
            ));
        }
        let encoder = encoder.at_most(backbone.max_positions().unwrap_or(usize::MAX));
        if pads_before || config.pooling_strategy != Pooling::First {
            backbone.check(&[padding]).map_err(|e| weights.setting_error(format!("the labels' padding: {e}")))?;
        }
        let columns = [backbone.hidden_size(), hidden];
        Ok(Self {
            tokenizer: LabelTokenizer { encoder, padding, pads_before },
            projector: Mlp::projector(config, &weights.at("biencoder_projector"), columns, 0.0)?,
            pooling: config.pooling_strategy,
            learns: weights.learn(),
            backbone,
            store: Store::default(),
            recent: Mutex::default(),
        })
    }

    /// The vectors of the labels of several sets, for a computation on `device`. Gradients pass them where the model
    /// learns.
    pub(super) fn of_sets(
        &self,
        sets: &[&Arc<LabelSet>],
        head: &Head,
        device: &Device,
        threads: usize,
    ) -> Result<LabelVectors> {
        if self.learns {
            let rows = self.in_graph(sets, head, threads)?.to_device(device)?;
            return Ok(LabelVectors { rows, of_sets: consecutive(sets.iter().map(|set| set.names().len())) });
        }
        let (different, of_sets) = different(sets);
        let vectors = different.iter().map(|set| self.vectors(set, head, threads)).collect::<Result<Vec<_>>>()?;
        let labels: usize = different.iter().map(|set| set.names().len()).sum();
        let numbers = vectors.concat();
        let width = numbers.len() / labels.max(1);
        Ok(LabelVectors { rows: matrix(numbers, width)?.to_device(device)?, of_sets })
    }

    /// Each label once for each length that it is filled up to, all of these together.
    fn in_graph(&self, sets: &[&Arc<LabelSet>], head: &Head, threads: usize) -> Result<Tensor> {
        let mut distinct: BTreeMap<Option<usize>, BTreeSet<&str>> = BTreeMap::new();
        let lengths = sets.iter().map(|set| self.padded_length(set)).collect::<Result<Vec<_>>>()?;
        for (set, length) in sets.iter().zip(&lengths) {
            distinct.entry(*length).or_default().extend(set.names().iter().map(String::as_str));
        }
        let (mut tensors, mut places) = (Vec::with_capacity(distinct.len()), HashMap::new());
        for (length, names) in &distinct {
            let first = places.len();
            places.extend(names.iter().enumerate().map(|(i, name)| ((*length, *name), first + i)));
            tensors.push(self.encode(&names.iter().copied().collect::<Vec<_>>(), *length, head, threads)?);
        }
        let of_set = |(set, length): (&'_ &Arc<LabelSet>, &Option<usize>)| {
            let rows = set.names().iter().map(|name| places[&(*length, name.as_str())]);
            rows.collect::<Vec<_>>()
        };
        let rows: Vec<usize> = sets.iter().zip(&lengths).flat_map(of_set).collect();
        select_rows(&Tensor::cat(&tensors, 0)?, &rows)
    }

    /// Whether the encoder can read each label of a set.
    pub(super) fn check(&self, labels: &Arc<LabelSet>) -> Result<()> {
        if self.recent_vectors(labels).is_some() {
            return Ok(());
        }
        labels.names().iter().try_for_each(|label| self.backbone.check(&self.tokens(label)?))
    }

    fn recent(&self) -> MutexGuard<'_, Option<Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vectors of a set if it is the one that was asked for last.
    fn recent_vectors(&self, labels: &Arc<LabelSet>) -> Option<Arc<[f32]>> {
        self.recent().as_ref().filter(|(set, _)| Arc::ptr_eq(set, labels)).map(|(_, vectors)| Arc::clone(vectors))
    }

    /// The vectors `(labels, hidden)` of a set, projected and normed by `head`.
    fn vectors(&self, labels: &Arc<LabelSet>, head: &Head, threads: usize) -> Result<Arc<[f32]>> {
        if let Some(vectors) = self.recent_vectors(labels) {
            return Ok(vectors);
        }
        let length = self.padded_length(labels)?;
        let found = self.store.collect(labels.names(), length, |names| self.compute(names, length, head, threads))?;
        let vectors: Arc<[f32]> = found.iter().flat_map(|vector| vector.iter().copied()).collect();
        *self.recent() = Some((Arc::clone(labels), Arc::clone(&vectors)));
        Ok(vectors)
    }

    /// The reference fills all labels of a set up to the longest, and its poolings count the padding: only
    /// the first token of what is filled up behind it does not depend on it.
    fn padded_length(&self, labels: &LabelSet) -> Result<Option<usize>> {
        if self.pooling == Pooling::First && !self.tokenizer.pads_before {
            return Ok(None);
        }
        let mut longest = 0;
        for label in labels.names() {
            longest = longest.max(self.tokens(label)?.len());
        }
        Ok(Some(longest))
    }

    fn tokens(&self, label: &str) -> Result<Arc<[u32]>> {
        self.tokenizer.encoder.encode_label(label)
    }

    fn compute(&self, names: &[&str], length: Option<usize>, head: &Head, threads: usize) -> Result<Vec<Vector>> {
        let vectors = self.encode(names, length, head, threads)?;
        let (_, width) = vectors.dims2()?;
        Ok(values(&vectors)?.chunks_exact(width).map(Vector::from).collect())
    }

    /// The vectors of these labels, filled up to `length`: `(labels, width)`.
    fn encode(&self, names: &[&str], length: Option<usize>, head: &Head, threads: usize) -> Result<Tensor> {
        let tokens: Vec<Arc<[u32]>> = names.iter().map(|name| self.tokens(name)).collect::<Result<_>>()?;
        let lengths = tokens.iter().map(|tokens| tokens.len());
        let LabelTokenizer { padding, pads_before, .. } = self.tokenizer;
        let mut sequences = match length {
            None => Sequences::new(lengths, threads),
            Some(length) if pads_before => Sequences::padded_before(lengths, length, threads),
            Some(length) => Sequences::padded(lengths, length, threads),
        };
        let ids: Vec<u32> = tokens.iter().flat_map(|ids| filled(ids, length, padding, pads_before)).collect();
        let words = self.backbone.embed(&ids)?;
        sequences.ids = Some(ids);
        let hidden = self.backbone.last(words, &sequences)?;
        let labels = match length {
            None => Span::all(&sequences),
            Some(length) => consecutive(tokens.iter().map(|_| length)).into_iter().map(Span::from).collect(),
        };
        let (pooled, _) = text_features(&hidden, &labels, self.pooling, None, threads)?;
        head.labels(&self.projector.forward(&pooled, threads)?, threads)
    }
}

/// The sets whose labels none before them has, and where the labels of each of `sets` lie among those of these sets.
/// Mostly all records have one set.
fn different<'a>(sets: &[&'a Arc<LabelSet>]) -> (Vec<&'a Arc<LabelSet>>, Vec<Range<usize>>) {
    let (mut different, mut end) = (Vec::new(), 0);
    // Names are only looked at in sets that were not met before: there may be thousands.
    let (mut by_set, mut by_names) = (HashMap::new(), HashMap::new());
    let mut place = |set: &'a Arc<LabelSet>| match by_names.entry(set.names()) {
        Entry::Occupied(entry) => Range::clone(entry.get()),
        Entry::Vacant(entry) => {
            different.push(set);
            let start = end;
            end += set.names().len();
            entry.insert(start..end).clone()
        }
    };
    let rows = sets.iter().map(|set| by_set.entry(Arc::as_ptr(set)).or_insert_with(|| place(set)).clone()).collect();
    (different, rows)
}

/// A label's tokens with as much padding, before or behind them, as `length` asks for.
fn filled(ids: &[u32], length: Option<usize>, padding: u32, pads_before: bool) -> impl Iterator<Item = u32> + '_ {
    let missing = length.map_or(0, |length| length.saturating_sub(ids.len()));
    let [before, behind] = if pads_before { [missing, 0] } else { [0, missing] };
    let padding = move |count| std::iter::repeat_n(padding, count);
    padding(before).chain(ids.iter().copied()).chain(padding(behind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sets_with_the_same_labels_share_their_rows() {
        let set = |names: &[&str]| Arc::new(LabelSet::flat(names.iter().map(|name| (*name).into()).collect()).unwrap());
        let (two, three, turned) = (set(&["a", "b"]), set(&["a", "b", "c"]), set(&["b", "a"]));
        let again = set(&["a", "b"]);
        let (different, rows) = different(&[&two, &three, &two, &again, &turned, &three]);
        assert_eq!(different, [&two, &three, &turned]);
        assert_eq!(rows, [0..2, 2..5, 0..2, 0..2, 5..7, 2..5]);
    }
}
