//! Examples as they are drawn for one step: labels in another order, fewer or more of them, other words for them,
//! and more to read beside the text.
//!
//! Source: `AugmentationConfig` and `DataAugmenter` in `data_processing.py` of `gliclass` 0.1.21: its kinds, its
//! probabilities, its order. Where that teaches what is not true, it is done otherwise; [`Augmenter`] says where.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom, index};
use serde::{Deserialize, Serialize};

use super::examples::{Example, TRUE_TARGET};
use crate::error::{Error, Result};
use crate::records::labels::read_text;
use crate::records::{Example as Shown, LabelSet, Record};

/// Labels that are described at most.
const MAX_DESCRIBED: usize = 3;
/// Examples that are shown at most.
const MAX_SHOWN: usize = 2;
/// How likely a label with synonyms has another name, where names are changed.
const RENAMED: f64 = 0.5;

/// What may be changed of an example, and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Leave out some of the labels.
    pub label_removal: f64,
    /// Add labels of other records, as wrong ones.
    pub label_addition: f64,
    /// Add the text of a record whose labels are all others.
    pub text_addition: f64,
    /// Call labels by their synonyms.
    pub synonyms: f64,
    /// Write descriptions of labels beside the text.
    pub descriptions: f64,
    /// Show solved examples.
    pub examples: f64,
    /// Set the labels in another order each time.
    pub shuffle_labels: bool,
    /// Draw at most this many labels each time: the true ones, and others by chance.
    pub max_labels: Option<usize>,
}

impl Default for Augmentation {
    /// The reference's.
    fn default() -> Self {
        Self {
            label_removal: 0.15,
            label_addition: 0.10,
            text_addition: 0.05,
            synonyms: 0.1,
            descriptions: 0.25,
            examples: 0.25,
            ..Self::none()
        }
    }
}

impl Augmentation {
    /// Nothing but another order of the labels.
    pub fn none() -> Self {
        Self {
            label_removal: 0.0,
            label_addition: 0.0,
            text_addition: 0.0,
            synonyms: 0.0,
            descriptions: 0.0,
            examples: 0.0,
            shuffle_labels: true,
            max_labels: None,
        }
    }
}

/// What a label may also be called, and what it means.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    #[serde(default)]
    synonyms: Vec<String>,
    #[serde(default)]
    descriptions: Vec<String>,
}

/// Synonyms and descriptions of labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Descriptions(BTreeMap<String, Description>);

impl Descriptions {
    /// Reads `{"label": {"synonyms": ["..."], "descriptions": ["..."]}}`, the reference's `label2description`.
    ///
    /// # Errors
    /// The file cannot be read, or is not of this form.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        Self::parse(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str) -> Result<Self> {
        let descriptions: BTreeMap<String, Description> = serde_json::from_str(text).map_err(|error| {
            let form = r#"{"label": {"synonyms": ["..."], "descriptions": ["..."]}}"#;
            Error::Usage(format!("{error}: write {form}"))
        })?;
        match descriptions.iter().find(|(_, said)| said.synonyms.iter().any(|synonym| synonym.trim().is_empty())) {
            Some((label, _)) => Err(Error::Usage(format!("a synonym of {label:?} is empty: remove it"))),
            None => Ok(Self(descriptions)),
        }
    }

    /// The labels that are described here and are none of those of `examples`: misspelt, most likely.
    pub fn unknown<'a>(&'a self, examples: &[Example]) -> Vec<&'a str> {
        let known: HashSet<&String> = examples.iter().flat_map(|example| example.record.labels.names()).collect();
        self.0.keys().filter(|label| !known.contains(label)).map(String::as_str).collect()
    }
}

/// Changes examples by chance. The same generator in the same state gives the same change.
///
/// Otherwise than the reference:
/// - a label keeps its target under a synonym (there a true label that is renamed is lost, and so becomes a wrong
///   one), and is described and shown by the name it has;
/// - no label is there twice: a label that is added is none that the record has, and a synonym is no label at all;
/// - a label that was left out does not come back as a wrong one;
/// - of a record's true labels one always stays;
/// - an example that is shown is another record than the one that is asked about, whose labels it would give away,
///   and has only labels that can be chosen.
#[derive(Debug)]
pub struct Augmenter<'a> {
    examples: &'a [Example],
    augmentation: Augmentation,
    descriptions: Descriptions,
    /// Every label of any example, in order.
    labels: Vec<&'a str>,
    /// The examples, by number, of which a label is true.
    solved: HashMap<&'a str, Vec<usize>>,
}

/// A label while an example is changed.
#[derive(Debug, Clone)]
struct Candidate<'a> {
    label: &'a str,
    name: &'a str,
    target: f32,
}

impl<'a> Augmenter<'a> {
    /// Changes examples with the help of `examples`, all that are learned from.
    pub fn new(examples: &'a [Example], augmentation: Augmentation, descriptions: Descriptions) -> Self {
        let labels = examples.iter().flat_map(|example| example.record.labels.names()).map(String::as_str);
        let labels: HashSet<&str> = labels.collect();
        let mut labels: Vec<&str> = labels.into_iter().collect();
        labels.sort_unstable();
        let mut solved: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, example) in examples.iter().enumerate() {
            example.true_labels().for_each(|label| solved.entry(label).or_default().push(number));
        }
        Self { examples, augmentation, descriptions, labels, solved }
    }

    /// The example as it is learned from this time.
    pub fn apply(&self, example: &Example, random: &mut impl Rng) -> Example {
        let chances = &self.augmentation;
        let mut record = example.record.clone();
        let labels = example.record.labels.names().iter().zip(&example.targets);
        let mut candidates: Vec<Candidate<'_>> =
            labels.map(|(label, &target)| Candidate { label, name: label, target }).collect();
        if let Some(count) = chances.max_labels {
            draw(&mut candidates, count, random);
        }
        if random.random_bool(chances.label_removal) {
            remove(&mut candidates, random);
        }
        if random.random_bool(chances.label_addition) {
            self.add(example, &mut candidates, random);
        }
        if random.random_bool(chances.text_addition) {
            self.add_text(&mut record.text, &candidates, random);
        }
        if random.random_bool(chances.synonyms) {
            self.rename(&mut candidates, random);
        }
        if random.random_bool(chances.descriptions) {
            self.describe(&mut record.text, &candidates, random);
        }
        if random.random_bool(chances.examples) {
            self.show_examples(&mut record, &example.record.text, &candidates, random);
        }
        if chances.shuffle_labels {
            candidates.shuffle(random);
        }
        let names = candidates.iter().map(|candidate| candidate.name.to_owned()).collect();
        let labels = LabelSet::flat(names).expect("no label is changed into none or another: this is a bug");
        Example {
            record: Record { labels: Arc::new(labels), ..record },
            targets: candidates.iter().map(|candidate| candidate.target).collect(),
        }
    }

    /// The example with nothing added, and with no more labels than are drawn of it: those that it was found to
    /// have room for.
    pub fn plain(&self, example: &Example) -> Example {
        example.with_at_most(self.augmentation.max_labels)
    }

    /// Adds labels that the record has not, as wrong ones.
    fn add(&self, example: &Example, candidates: &mut Vec<Candidate<'a>>, random: &mut impl Rng) {
        let own: HashSet<&str> = example.record.labels.names().iter().map(String::as_str).collect();
        let others: Vec<&'a str> = self.labels.iter().copied().filter(|label| !own.contains(label)).collect();
        let most = (candidates.len() + 1).min(others.len());
        if most == 0 {
            return;
        }
        let count = random.random_range(1..=most);
        let added = others.choose_multiple(random, count);
        candidates.extend(added.map(|&label| Candidate { label, name: label, target: 0.0 }));
    }

    /// Adds the text of another record before or after the text, if none of its labels is a candidate.
    fn add_text(&self, text: &mut String, candidates: &[Candidate<'_>], random: &mut impl Rng) {
        let Some(other) = self.examples.choose(random) else { return };
        let is_candidate = |label: &String| candidates.iter().any(|candidate| candidate.label == label);
        if !other.record.labels.names().iter().any(is_candidate) {
            join(text, &other.record.text, random);
        }
    }

    /// Calls labels by synonyms that are no label themselves and that no other has.
    fn rename<'b>(&'b self, candidates: &mut [Candidate<'b>], random: &mut impl Rng) {
        let mut taken: HashSet<&str> = HashSet::new();
        for candidate in candidates {
            let synonyms = self.descriptions.0.get(candidate.label).map(|said| said.synonyms.as_slice());
            let Some(synonym) = synonyms.unwrap_or_default().choose(random) else { continue };
            let is_label = self.labels.binary_search(&synonym.as_str()).is_ok();
            if random.random_bool(RENAMED) && !is_label && taken.insert(synonym) {
                candidate.name = synonym;
            }
        }
    }

    /// Writes what some of the labels mean before or after the text.
    fn describe(&self, text: &mut String, candidates: &[Candidate<'_>], random: &mut impl Rng) {
        let count = random.random_range(1..=MAX_DESCRIBED.min(candidates.len()));
        let described = candidates.choose_multiple(random, count).collect::<Vec<_>>();
        let mut sentences = Vec::new();
        for candidate in described {
            let descriptions = self.descriptions.0.get(candidate.label).map(|said| said.descriptions.as_slice());
            if let Some(description) = descriptions.unwrap_or_default().choose(random) {
                sentences.push(format!("{}: {description}", candidate.name));
            }
        }
        if !sentences.is_empty() {
            join(text, &sentences.join(" "), random);
        }
    }

    /// Shows one or two records, solved: of the record's own examples, or of those of which a candidate is true.
    fn show_examples(&self, record: &mut Record, text: &str, candidates: &[Candidate<'_>], random: &mut impl Rng) {
        let most = random.random_range(1..=MAX_SHOWN);
        let count = random.random_range(1..=most);
        if !record.examples.is_empty() {
            record.examples = record.examples.choose_multiple(random, count).cloned().collect();
            return;
        }
        let solved: Vec<&[usize]> =
            candidates.iter().filter_map(|one| Some(self.solved.get(one.label)?.as_slice())).collect();
        let total = solved.iter().map(|examples| examples.len()).sum::<usize>();
        // Enough to pass over the record itself and what is drawn twice.
        let drawn = index::sample(random, total, (count + 1 + candidates.len()).min(total));
        let mut shown: Vec<usize> = Vec::with_capacity(count);
        for number in drawn.into_iter().map(|place| at(&solved, place)) {
            if shown.len() < count && !shown.contains(&number) && self.examples[number].record.text != text {
                shown.push(number);
            }
        }
        record.examples = shown.into_iter().map(|number| solved_example(&self.examples[number], candidates)).collect();
    }
}

/// The value at `place` of lists that are thought of as one.
fn at(lists: &[&[usize]], mut place: usize) -> usize {
    for list in lists {
        match list.get(place) {
            Some(&value) => return value,
            None => place -= list.len(),
        }
    }
    unreachable!("a place within the lists: this is a bug")
}

/// An example to show, with those of its true labels that are candidates, by the names these have.
fn solved_example(example: &Example, candidates: &[Candidate<'_>]) -> Shown {
    let truth: HashSet<&str> = example.true_labels().collect();
    let labels = candidates.iter().filter(|candidate| truth.contains(candidate.label));
    Shown { text: example.record.text.clone(), labels: labels.map(|candidate| candidate.name.to_owned()).collect() }
}

/// Keeps the true labels, and others by chance, `count` in all; in their order.
fn draw(candidates: &mut Vec<Candidate<'_>>, count: usize, random: &mut impl Rng) {
    let others: Vec<usize> = (0..candidates.len()).filter(|&place| candidates[place].target < TRUE_TARGET).collect();
    let kept = count.max(1).saturating_sub(candidates.len() - others.len());
    if kept >= others.len() {
        return;
    }
    let kept: HashSet<usize> = others.choose_multiple(random, kept).copied().collect();
    let mut place = 0..;
    candidates.retain(|candidate| {
        let is_kept = place.next().is_some_and(|place| kept.contains(&place));
        candidate.target >= TRUE_TARGET || is_kept
    });
}

/// Leaves out labels: any number of them stays, and of the true ones one.
fn remove(candidates: &mut Vec<Candidate<'_>>, random: &mut impl Rng) {
    let truth: Vec<usize> = (0..candidates.len()).filter(|&place| candidates[place].target >= TRUE_TARGET).collect();
    let count = random.random_range(1..=candidates.len());
    let mut kept = index::sample(random, candidates.len(), count).into_vec();
    if let Some(&one) = truth.choose(random)
        && !kept.iter().any(|place| truth.contains(place))
    {
        kept[0] = one;
    }
    *candidates = kept.into_iter().map(|place| candidates[place].clone()).collect();
}

/// Writes `more` before or after the text.
fn join(text: &mut String, more: &str, random: &mut impl Rng) {
    *text = if random.random_bool(0.5) { format!("{more} {text}") } else { format!("{text} {more}") };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
