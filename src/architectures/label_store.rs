//! The vectors of labels, computed once by whichever worker comes first, and kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::Result;

/// Labels that are computed together: enough for the products of a layer to be fast, few enough for
/// several workers to share the labels of one set.
const AT_ONCE: usize = 64;

/// Vectors of 768 columns of some 80,000 labels.
const ROOM: usize = 256 << 20;

/// The vector of a label.
pub(super) type Vector = Arc<[f32]>;

/// The vectors known so far, by the length that labels were filled up to and by their text.
pub(super) struct Store {
    /// Bytes of labels and their vectors that are kept; beyond that all are forgotten.
    room: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Default for Store {
    fn default() -> Self {
        Self { room: ROOM, state: Mutex::default(), changed: Condvar::default() }
    }
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
    pub(super) fn collect(
        &self,
        names: &[String],
        length: Option<usize>,
        compute: impl Fn(&[&str]) -> Result<Vec<Vector>>,
    ) -> Result<Vec<Vector>> {
        let mut found = self.known(names, length);
        let mut open: VecDeque<usize> = (0..names.len()).filter(|&index| found[index].is_none()).collect();
        while let Some(claim) = self.claim(names, length, &mut open, &mut found) {
            let vectors = compute(&claim.names)?;
            claim.publish(&vectors);
            for (index, vector) in claim.indices.iter().zip(vectors) {
                found[*index] = Some(vector);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// What is known of `names`. It comes before all that is computed, to make room for which it may be forgotten.
    fn known(&self, names: &[String], length: Option<usize>) -> Vec<Option<Vector>> {
        let state = self.lock();
        let slots = state.slots.get(&length);
        let known = |name: &String| match slots?.get(name)? {
            Slot::Known(vector) => Some(Arc::clone(vector)),
            Slot::Claimed => None,
        };
        names.iter().map(known).collect()
    }

    /// Claims some of the `open` places, those not found yet, and takes over what other workers have found meanwhile;
    /// none once everything is found. What others compute is looked at again after all the rest.
    fn claim<'a>(
        &'a self,
        names: &'a [String],
        length: Option<usize>,
        open: &mut VecDeque<usize>,
        found: &mut [Option<Vector>],
    ) -> Option<Claim<'a>> {
        if open.is_empty() {
            return None;
        }
        let mut claim = Claim { store: self, length, names: Vec::new(), indices: Vec::new() };
        let mut state = self.lock();
        loop {
            let slots = state.slots.entry(length).or_default();
            for _ in 0..open.len() {
                if claim.names.len() == AT_ONCE {
                    break;
                }
                let Some(index) = open.pop_front() else { break };
                match slots.get(&names[index]) {
                    Some(Slot::Known(vector)) => found[index] = Some(Arc::clone(vector)),
                    Some(Slot::Claimed) => open.push_back(index),
                    None => {
                        slots.insert(names[index].clone(), Slot::Claimed);
                        claim.names.push(&names[index]);
                        claim.indices.push(index);
                    }
                }
            }
            if !claim.names.is_empty() {
                return Some(claim);
            }
            if open.is_empty() {
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
        if state.bytes + bytes > self.store.room {
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

    /// Room for the labels that are computed together, but not for as many again.
    fn small() -> Store {
        Store { room: AT_ONCE << 4, ..Store::default() }
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
    fn what_is_known_is_taken_before_it_is_forgotten_for_what_is_computed() {
        let store = small();
        store.collect(&names(3), None, |names| Ok(number(names))).unwrap();
        let computed = AtomicUsize::new(0);
        let names: Vec<String> = names(3 * AT_ONCE).into_iter().rev().collect();
        let found = store.collect(&names, None, |claimed| {
            computed.fetch_add(claimed.len(), Ordering::Relaxed);
            Ok(number(claimed))
        });
        assert!(found.unwrap().iter().zip((0..3 * AT_ONCE).rev()).all(|(vector, i)| vector[0] == i as f32));
        assert_eq!(computed.into_inner(), 3 * AT_ONCE - 3);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let store = small();
        assert_eq!(store.collect(&names(1000), None, |names| Ok(number(names))).unwrap().len(), 1000);
        assert!(store.lock().bytes <= store.room);
    }
}
