//! What is judged: for every record its candidate labels, their scores, what is true and what was said.

use std::collections::HashMap;

use super::Task;

/// One candidate label of one record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its place in the list of names.
    pub label: u32,
    /// Its probability, 0 to 1; not a number where none is known.
    pub score: f32,
    /// Whether it is true of the record.
    pub truth: bool,
    /// Whether it was said of the record.
    pub predicted: bool,
}

/// Records with what is true of them and what was said. Kept flat: a million records take no million allocations.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    names: Vec<String>,
    single_label: bool,
    scored: bool,
    /// Where the candidates of each record begin, and the end of the last.
    starts: Vec<usize>,
    candidates: Vec<Candidate>,
}

impl Judged {
    /// No records yet, about the labels `names`; `single_label` if scores are softmax.
    pub fn new(names: Vec<String>, single_label: bool) -> Self {
        Self { names, single_label, scored: true, starts: vec![0], candidates: Vec::new() }
    }

    /// Adds a record. Its candidates are put by falling score, those without one last; equal ones stay as they come:
    /// in the order of the run, which took the first. A label that is neither true nor said may be left out where it
    /// has no score.
    ///
    /// # Panics
    /// A candidate has a label that is not among the names.
    pub fn push(&mut self, candidates: impl IntoIterator<Item = Candidate>) {
        let start = self.candidates.len();
        self.candidates.extend(candidates);
        let new = &mut self.candidates[start..];
        // The maximum of NaN and a number is the number.
        new.sort_by(|a, b| b.score.max(-1.0).total_cmp(&a.score.max(-1.0)));
        assert!(new.iter().all(|one| (one.label as usize) < self.names.len()), "a label without a name: this is a bug");
        self.scored &= !new.is_empty() && new.iter().all(|one| !one.score.is_nan());
        self.starts.push(self.candidates.len());
    }

    /// Scores of some candidates are not known: no figure will be made of scores.
    pub fn without_scores(mut self) -> Self {
        self.scored = false;
        self
    }

    /// The labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether scores are softmax over the candidates of a record.
    pub fn single_label(&self) -> bool {
        self.single_label
    }

    /// Whether every candidate has a score.
    pub fn is_scored(&self) -> bool {
        self.scored
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.starts.len() - 1
    }

    /// The candidates of a record, in the order of [`Judged::push`].
    pub fn record(&self, index: usize) -> &[Candidate] {
        &self.candidates[self.starts[index]..self.starts[index + 1]]
    }

    /// The candidates of each record, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Candidate]> + Clone {
        self.starts.windows(2).map(|range| &self.candidates[range[0]..range[1]])
    }

    /// All candidates of all records.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Over how many decisions errors are shared out: all candidates, or, where those without a score
    /// were left out, every label of every record.
    pub fn decisions(&self) -> usize {
        if self.scored { self.candidates.len() } else { self.names.len() * self.records() }
    }

    /// Single-label where that was asked and every record has one true label and at most one that was said.
    pub fn task(&self) -> Task {
        if self.single_label && self.not_one_label() == 0 { Task::SingleLabel } else { Task::MultiLabel }
    }

    /// How many records have no or several true labels, or several that were said, where exactly one was asked for.
    pub fn not_one_label(&self) -> usize {
        let has_one = |record: &&[Candidate]| {
            record.iter().filter(|one| one.truth).count() == 1 && record.iter().filter(|one| one.predicted).count() <= 1
        };
        if self.single_label { self.iter().filter(|record| !has_one(record)).count() } else { 0 }
    }

    /// The same records judged as having any number of labels each.
    pub fn as_multi_label(&self) -> Self {
        Self { single_label: false, ..self.clone() }
    }

    /// The same records with other scores and decisions, which `change` sets for each record.
    pub fn changed(&self, mut change: impl FnMut(&mut [Candidate])) -> Self {
        let mut changed = self.clone();
        for range in self.starts.windows(2) {
            change(&mut changed.candidates[range[0]..range[1]]);
        }
        changed
    }

    /// The records at `places`, in that order.
    pub fn selected(&self, places: impl IntoIterator<Item = usize>) -> Self {
        let mut selected = Self::new(self.names.clone(), self.single_label);
        places.into_iter().for_each(|place| selected.push(self.record(place).iter().copied()));
        selected.scored = self.scored;
        selected
    }

    /// The same records, their labels numbered by `names`, which has them all; candidates stay in their order.
    ///
    /// # Panics
    /// It does not.
    pub fn over(&self, names: &[String]) -> Self {
        let places: HashMap<&String, u32> = names.iter().zip(0..).collect();
        let numbers: Vec<u32> = self.names.iter().map(|name| places[name]).collect();
        let renumber =
            |record: &mut [Candidate]| record.iter_mut().for_each(|one| one.label = numbers[one.label as usize]);
        Self { names: names.to_vec(), ..self.changed(renumber) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stand_by_falling_score_and_equal_ones_as_they_came_whatever_their_numbers() {
        let mut judged = Judged::new(["a", "b", "c", "d"].map(String::from).to_vec(), true);
        let candidate = |(label, score)| Candidate { label, score, truth: label == 0, predicted: label == 2 };
        judged.push([(3, f32::NAN), (1, 0.1), (2, 0.4), (0, 0.4)].map(candidate));
        let names = ["a", "d", "c", "b"].map(String::from);
        for (judged, expected) in [(judged.over(&names), [2, 0, 3, 1]), (judged, [2, 0, 1, 3])] {
            assert_eq!(judged.record(0).iter().map(|one| one.label).collect::<Vec<u32>>(), expected);
        }
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;

    /// Records from true and predicted label numbers, without scores.
    pub fn judged(names: &[String], single_label: bool, truth: &[Vec<usize>], predicted: &[Vec<usize>]) -> Judged {
        let mut judged = Judged::new(names.to_vec(), single_label);
        for (truth, predicted) in truth.iter().zip(predicted) {
            let candidate = |label: usize| Candidate {
                label: label as u32,
                score: f32::NAN,
                truth: truth.contains(&label),
                predicted: predicted.contains(&label),
            };
            let labels = (0..names.len()).map(candidate).filter(|one| one.truth || one.predicted);
            judged.push(labels.collect::<Vec<_>>());
        }
        judged.without_scores()
    }
}
