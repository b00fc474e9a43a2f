//! Which labels are taken for which.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::judged::Judged;

/// How often each label was said where another was true.
///
/// Of a record, every true label that was missed is set against every label that was said and is not true;
/// a label said where it is true is set against itself. With one label a record this is the usual matrix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confusion {
    cells: BTreeMap<(u32, u32), u64>,
}

/// Two labels that are confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confused {
    /// What is true, by its place in the names.
    pub truth: u32,
    /// What was said instead.
    pub said: u32,
    /// In how many records.
    pub count: u64,
}

impl Confusion {
    /// Counts `judged`.
    pub fn new(judged: &Judged) -> Self {
        let mut cells = BTreeMap::new();
        let (mut missed, mut wrong) = (Vec::new(), Vec::new());
        for record in judged.iter() {
            missed.clear();
            wrong.clear();
            for one in record {
                match (one.truth, one.predicted) {
                    (true, true) => *cells.entry((one.label, one.label)).or_default() += 1,
                    (true, false) => missed.push(one.label),
                    (false, true) => wrong.push(one.label),
                    (false, false) => {}
                }
            }
            for &truth in &missed {
                wrong.iter().for_each(|&said| *cells.entry((truth, said)).or_default() += 1);
            }
        }
        Self { cells }
    }

    /// How often `said` was said where `truth` is true.
    pub fn count(&self, truth: usize, said: usize) -> u64 {
        self.cells.get(&(truth as u32, said as u32)).copied().unwrap_or_default()
    }

    /// The pairs of different labels, the most confused first.
    pub fn pairs(&self) -> Vec<Confused> {
        let apart = self.cells.iter().filter(|((truth, said), _)| truth != said);
        let mut pairs: Vec<Confused> = apart.map(|(&(truth, said), &count)| Confused { truth, said, count }).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs
    }

    /// The `count` labels that take most part in confusions, in the order of the names; all of them if there are no more.
    pub fn most_confused(&self, labels: usize, count: usize) -> Vec<usize> {
        let mut weights: Vec<(u64, usize)> = (0..labels).map(|label| (0, label)).collect();
        for pair in self.pairs() {
            weights[pair.truth as usize].0 += pair.count;
            weights[pair.said as usize].0 += pair.count;
        }
        weights.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
        let mut chosen: Vec<usize> = weights.into_iter().take(count).map(|(_, label)| label).collect();
        chosen.sort_unstable();
        chosen
    }
}

/// As a list of `[truth, said, count]`, labels by their place: most cells of a large matrix are empty.
impl Serialize for Confusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.cells.iter().map(|((truth, said), count)| (truth, said, count)))
    }
}
