//! Labels -> vectors, through an encoder and a tokenizer of their own; computed once and kept.
//!
//! Source: `GLiClassBiEncoder.encode_classes` of `gliclass` 0.1.21.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;

use super::features::{TextRows, text_features};
use crate::backbones::layers::{Activation, detach_rows, matrix, select_rows, values};
use crate::backbones::{self, Backbone, Sequences};
use crate::checkpoint::config::Pooling;
use crate::checkpoint::{Config, Weights};
use crate::encode::Encoder;
use crate::error::Result;
use crate::heads::{Head, Projector};
use crate::records::LabelSet;

/// Labels that are computed together: enough for the products of a layer to be fast, few enough for
/// several workers to share the labels of one set.
const AT_ONCE: usize = 64;

/// Bytes of labels and their vectors that are kept; beyond that all are forgotten.
const KEPT_BYTES: usize = 256 << 20;

/// A tokenizer for labels, and the token that fills them up to one length.
pub struct LabelTokenizer {
    /// The tokenizer.
    pub encoder: Encoder,
    /// The padding's token id.
    pub padding: u32,
}

/// The label side of a bi-encoder.
pub(super) struct LabelEncoder {
    tokenizer: LabelTokenizer,
    backbone: Box<dyn Backbone>,
    projector: Projector,
    pooling: Pooling,
    /// Whether vectors change from one use to the next.
    learns: bool,
    store: Store,
    /// The set that was asked for last: a run mostly has one.
    recent: Mutex<Option<Recent>>,
}

/// A label set with its vectors `(labels, hidden)`.
type Recent = (Arc<LabelSet>, Arc<[f32]>);

impl LabelEncoder {
    /// Loads the encoder of labels that are compared with rows of `hidden` columns.
    pub(super) fn load(config: &Config, tokenizer: LabelTokenizer, hidden: usize, weights: &Weights) -> Result<Self> {
        let label_config = config.label_model_config.clone().unwrap_or_default();
        let backbone = backbones::load(&label_config, false, &weights.at("label_encoder"))?;
        let activation = Activation::parse(&config.projector_hidden_act).map_err(|e| weights.error(e))?;
        let LabelTokenizer { encoder, padding } = tokenizer;
        let encoder = encoder.at_most(backbone.max_positions().unwrap_or(usize::MAX));
        if config.pooling_strategy != Pooling::First {
            backbone.check(&[padding]).map_err(|e| weights.error(format!("the labels' padding: {e}")))?;
        }
        let columns = [backbone.hidden_size(), hidden];
        Ok(Self {
            tokenizer: LabelTokenizer { encoder, padding },
            projector: Projector::load(&weights.at("biencoder_projector"), columns, activation, 0.0)?,
            pooling: config.pooling_strategy,
            learns: weights.learn(),
            backbone,
            store: Store::default(),
            recent: Mutex::default(),
        })
    }

    /// The vectors of the labels of several sets, one set after another: `(labels, width)`. Gradients pass them
    /// where the model learns.
    pub(super) fn of_sets(&self, sets: &[&Arc<LabelSet>], head: &Head, threads: usize) -> Result<Tensor> {
        if self.learns {
            return self.in_graph(sets, head, threads);
        }
        let found = sets.iter().map(|set| self.vectors(set, head, threads)).collect::<Result<Vec<_>>>()?;
        let labels: usize = sets.iter().map(|set| set.names().len()).sum();
        let numbers: Vec<f32> = found.iter().flat_map(|vectors| vectors.iter().copied()).collect();
        let width = numbers.len() / labels.max(1);
        matrix(numbers, width)
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
    /// the first token does not depend on it.
    fn padded_length(&self, labels: &LabelSet) -> Result<Option<usize>> {
        if self.pooling == Pooling::First {
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
        let (sequences, ids): (_, Vec<u32>) = match length {
            None => (Sequences::new(lengths, threads), tokens.iter().flat_map(|ids| ids.iter().copied()).collect()),
            Some(length) => {
                let padding = std::iter::repeat(self.tokenizer.padding);
                let filled = tokens.iter().flat_map(|ids| ids.iter().copied().chain(padding.clone()).take(length));
                (Sequences::padded(lengths, length, threads), filled.collect())
            }
        };
        let mut words = self.backbone.embed(&ids)?;
        if self.learns && length.is_some() {
            // As in the reference, the word and the position of padding never change (`padding_idx`).
            words = detach_rows(&words, sequences.padding().flatten())?;
        }
        let hidden = self.backbone.last(words, &sequences)?;
        let (pooled, _) = text_features(&hidden, &TextRows::all(&sequences), self.pooling, None, threads)?;
        head.labels(&self.projector.forward(&pooled, threads)?, threads)
    }
}

type Vector = Arc<[f32]>;

/// The vectors known so far, by the length that labels were filled up to and by their text.
#[derive(Default)]
struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    slots: HashMap<Option<usize>, HashMap<String, Slot>>,
    bytes: usize,
}

enum Slot {
    /// Another worker computes it.
    Claimed,
    Known(Vector),
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vectors of all `names`: workers that want the same ones divide the work.
    fn collect(
        &self,
        names: &[String],
        length: Option<usize>,
        compute: impl Fn(&[&str]) -> Result<Vec<Vector>>,
    ) -> Result<Vec<Vector>> {
        let mut found: Vec<Option<Vector>> = vec![None; names.len()];
        while let Some(claim) = self.claim(names, length, &mut found) {
            let vectors = compute(&claim.names)?;
            claim.publish(&vectors);
            for (index, vector) in claim.indices.iter().zip(vectors) {
                found[*index] = Some(vector);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Takes over what is known, and claims some of what is not; none once everything is found.
    fn claim<'a>(
        &'a self,
        names: &'a [String],
        length: Option<usize>,
        found: &mut [Option<Vector>],
    ) -> Option<Claim<'a>> {
        let mut claim = Claim { store: self, length, names: Vec::new(), indices: Vec::new() };
        let mut state = self.lock();
        loop {
            let slots = state.slots.entry(length).or_default();
            let mut missing = false;
            for (index, name) in
                names.iter().enumerate().filter(|(index, _)| found[*index].is_none()).collect::<Vec<_>>()
            {
                match slots.get(name) {
                    Some(Slot::Known(vector)) => found[index] = Some(Arc::clone(vector)),
                    None if claim.names.len() < AT_ONCE => {
                        slots.insert(name.clone(), Slot::Claimed);
                        claim.names.push(name);
                        claim.indices.push(index);
                    }
                    _ => missing = true,
                }
            }
            if !claim.names.is_empty() {
                return Some(claim);
            }
            if !missing {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Labels that one worker computes; given up when it is dropped before they are there.
struct Claim<'a> {
    store: &'a Store,
    length: Option<usize>,
    names: Vec<&'a str>,
    indices: Vec<usize>,
}

impl Claim<'_> {
    fn publish(&self, vectors: &[Vector]) {
        let mut state = self.store.lock();
        let size = |(name, vector): (&&str, &Vector)| name.len() + size_of_val(&**vector);
        let bytes: usize = self.names.iter().zip(vectors).map(size).sum();
        if state.bytes + bytes > KEPT_BYTES {
            state.forget();
        }
        state.bytes += bytes;
        let slots = state.slots.entry(self.length).or_default();
        for (name, vector) in self.names.iter().zip(vectors) {
            slots.insert((*name).to_owned(), Slot::Known(Arc::clone(vector)));
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        if let Some(slots) = state.slots.get_mut(&self.length) {
            for name in &self.names {
                if matches!(slots.get(*name), Some(Slot::Claimed)) {
                    slots.remove(*name);
                }
            }
        }
        self.store.changed.notify_all();
    }
}

impl State {
    /// Forgets all vectors, but not who computes which.
    fn forget(&mut self) {
        self.bytes = 0;
        self.slots.values_mut().for_each(|slots| slots.retain(|_, slot| matches!(slot, Slot::Claimed)));
        self.slots.retain(|_, slots| !slots.is_empty());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("label {i}")).collect()
    }

    /// A label's number as its vector.
    fn number(names: &[&str]) -> Vec<Vector> {
        names.iter().map(|name| Vector::from([name[6..].parse::<f32>().unwrap()])).collect()
    }

    #[test]
    fn every_label_is_computed_once_however_many_workers_want_it() {
        let (store, computed) = (Store::default(), AtomicUsize::new(0));
        let names = names(1000);
        let count = |claimed: &[&str]| {
            computed.fetch_add(claimed.len(), Ordering::Relaxed);
            Ok(number(claimed))
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let found = store.collect(&names, None, count).unwrap();
                    assert!(found.iter().enumerate().all(|(i, vector)| vector[0] == i as f32));
                });
            }
        });
        assert_eq!(computed.load(Ordering::Relaxed), 1000);
        store.collect(&names, Some(7), count).unwrap();
        assert_eq!(computed.load(Ordering::Relaxed), 2000);
    }

    #[test]
    fn a_failed_computation_leaves_its_labels_to_the_next() {
        let store = Store::default();
        let fail = |_: &[&str]| Err(Error::Record("failed".into()));
        assert!(store.collect(&names(3), None, fail).is_err());
        assert_eq!(store.collect(&names(3), None, |names| Ok(number(names))).unwrap().len(), 3);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let store = Store::default();
        let large = |names: &[&str]| Ok(names.iter().map(|_| Vector::from(vec![0.0; 1 << 20])).collect());
        assert_eq!(store.collect(&names(100), None, large).unwrap().len(), 100);
        assert!(store.lock().bytes <= KEPT_BYTES);
    }
}
