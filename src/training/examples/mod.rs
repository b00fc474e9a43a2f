//! Labelled records as a model learns from them, and what is wrong with them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use super::flaws::{Flaw, Flaws};
use crate::classifier::Classifier;
use crate::error::{Error, Result};
pub use crate::records::labelled::IGNORED;
use crate::records::labelled::{self, Fault, Labelled, Layout};
use crate::records::{Defaults, LabelSet, Record};

/// From this target on a label is true, as `eval` reads weights.
pub(super) const TRUE_TARGET: f32 = 0.5;

/// A record, and how true each of its labels is.
#[derive(Debug, Clone)]
pub struct Example {
    /// What is asked of the model.
    pub record: Record,
    /// One for each label, in their order: from 0 to 1, or [`IGNORED`].
    pub targets: Vec<f32>,
}

impl Example {
    /// The labels that are true of it.
    pub fn true_labels(&self) -> impl Iterator<Item = &str> {
        let labels = self.record.labels.names().iter().zip(&self.targets);
        labels.filter(|&(_, &target)| target >= TRUE_TARGET).map(|(label, _)| label.as_str())
    }

    /// The same with at most `count` labels, if there is a limit: the true ones, then the first of the others.
    pub(super) fn with_at_most(&self, count: Option<usize>) -> Self {
        let Some(count) = count.filter(|&count| count < self.targets.len()) else { return self.clone() };
        let mut places: Vec<usize> = (0..self.targets.len()).collect();
        places.sort_by_key(|&place| self.targets[place] < TRUE_TARGET);
        places.truncate(count.max(self.true_labels().count()).max(1));
        places.sort_unstable();
        let names = places.iter().map(|&place| self.record.labels.names()[place].clone()).collect();
        let labels = LabelSet::flat(names).expect("some of the labels of a set are a set: this is a bug");
        Self {
            record: Record { labels: labels.into(), ..self.record.clone() },
            targets: places.iter().map(|&place| self.targets[place]).collect(),
        }
    }
}

/// How labelled data becomes examples.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Where in the data things are.
    pub layout: &'a Layout,
    /// What records say that say nothing else.
    pub defaults: &'a Defaults,
    /// Whether exactly one label is true of a record.
    pub single_label: bool,
}

/// Reads the examples of the file `name`, in the forms that `eval` reads.
///
/// A record that cannot teach what it means is left out and counted: one whose true label is not among the
/// candidates would else teach that none of them fits.
///
/// # Errors
/// The data cannot be read, or no record can be used.
pub fn read(name: &str, bytes: Vec<u8>, how: &Reading<'_>) -> Result<(Vec<Example>, Flaws)> {
    let (data, unusable) = labelled::read_usable(name, bytes, how.layout)?;
    let mut flaws = Flaws::new(name);
    for record in unusable {
        let flaw = match record.fault {
            Fault::Candidates => Flaw::Candidates,
            Fault::Unknown => Flaw::Unknown,
        };
        flaws.count(flaw, || record.message);
    }
    let mut first_with: HashMap<(String, Option<Arc<str>>), usize> = HashMap::new();
    let mut examples: Vec<Example> = Vec::with_capacity(data.records.len());
    for labelled in &data.records {
        let example = Example { record: labelled.record(how.defaults), targets: targets(labelled) };
        let flaw = flaw(&example, how.single_label).or_else(|| {
            let said = (example.record.text.clone(), example.record.prompt.clone());
            let first = *first_with.entry(said).or_insert(examples.len());
            repetition(&example, examples.get(first)?)
        });
        if let Some(flaw) = flaw {
            flaws.count(flaw, || labelled.spot.to_string());
        }
        if flaw.is_none_or(|flaw| !flaw.is_left_out()) {
            examples.push(example);
        }
    }
    if examples.is_empty() {
        return Err(nothing_left(&flaws));
    }
    look_at_all(&examples, &mut flaws);
    Ok((examples, flaws))
}

/// Finds what only all examples together show.
fn look_at_all(examples: &[Example], flaws: &mut Flaws) {
    let taught: HashSet<&str> = examples.iter().flat_map(Example::true_labels).collect();
    let asked = labelled::distinct(examples.iter().flat_map(|example| example.record.labels.names()));
    flaws.no_record_has(asked.into_iter().filter(|label| !taught.contains(label.as_str())).collect());
    if taught.len() <= 1 && examples.iter().all(|example| example.true_labels().count() == taught.len()) {
        let first = taught.into_iter().next().map_or("none".to_owned(), |label| format!("{label:?}"));
        flaws.all_have(Flaw::OneClass, examples.len(), first);
    }
}

/// The weights of the labels as they were written; else 1 for the true ones and 0 for the others.
///
/// Source: `GLiClassDataset.prepare_labels` in `data_processing.py`.
fn targets(labelled: &Labelled) -> Vec<f32> {
    let names = labelled.labels.names();
    if labelled.weights.is_empty() {
        let truth: HashSet<&String> = labelled.truth.iter().collect();
        return names.iter().map(|name| f32::from(truth.contains(name))).collect();
    }
    let weights: HashMap<&String, f32> = labelled.weights.iter().map(|(label, weight)| (label, *weight)).collect();
    names.iter().map(|name| weights.get(name).copied().unwrap_or(0.0)).collect()
}

/// What is wrong with an example by itself.
fn flaw(example: &Example, single_label: bool) -> Option<Flaw> {
    let is_target = |&target: &f32| target == IGNORED || (0.0..=1.0).contains(&target);
    if example.record.text.trim().is_empty() {
        Some(Flaw::EmptyText)
    } else if !example.targets.iter().all(is_target) {
        Some(Flaw::Weight)
    } else if single_label && example.true_labels().count() != 1 {
        Some(Flaw::NotOne)
    } else {
        None
    }
}

/// What is wrong with an example whose text came before, in `first`.
fn repetition(example: &Example, first: &Example) -> Option<Flaw> {
    if example.record.examples != first.record.examples || example.record.rac_examples != first.record.rac_examples {
        return None;
    }
    let targets = |example: &Example| -> HashMap<String, f32> {
        example.record.labels.names().iter().cloned().zip(example.targets.iter().copied()).collect()
    };
    let (these, those) = (targets(example), targets(first));
    let differs = |(label, &target): (&String, &f32)| {
        let other = those.get(label).copied().unwrap_or(IGNORED);
        target != IGNORED && other != IGNORED && (target >= TRUE_TARGET) != (other >= TRUE_TARGET)
    };
    match these == those {
        true => Some(Flaw::Repeated),
        false => these.iter().any(differs).then_some(Flaw::Contradictory),
    }
}

/// Leaves out the examples whose labels leave no room for a text, and counts the texts that are cut. `max_labels`
/// is how many labels are drawn of a record at most.
///
/// # Errors
/// There is no room in any of them.
pub fn keep_fitting(
    examples: Vec<Example>,
    model: &impl Classifier,
    max_labels: Option<usize>,
    flaws: &mut Flaws,
) -> Result<Vec<Example>> {
    let encoded: Vec<Result<bool>> = examples
        .par_iter()
        .map(|example| Ok(model.encode(&example.with_at_most(max_labels).record)?.truncated))
        .collect();
    let fits = |(example, encoded): (Example, Result<bool>)| match encoded {
        Ok(false) => Some(example),
        Ok(true) => {
            flaws.count(Flaw::Cut, || beginning(&example.record.text));
            Some(example)
        }
        Err(error) => {
            flaws.count(Flaw::NoRoom, || format!("{}: {error}", beginning(&example.record.text)));
            None
        }
    };
    let fitting: Vec<Example> = examples.into_iter().zip(encoded).filter_map(fits).collect();
    if fitting.is_empty() { Err(nothing_left(flaws)) } else { Ok(fitting) }
}

fn nothing_left(flaws: &Flaws) -> Error {
    Error::Record(format!("no record can be used: {}", flaws.to_string().replace('\n', "; ")))
}

/// The first characters of a text, quoted.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown:?}{more}")
}

/// The labels of all examples, if they all have the same: those to ask for on other records, which may lack some.
pub fn shared_labels(examples: &[Example]) -> Option<Arc<LabelSet>> {
    let labels = &examples.first()?.record.labels;
    let is_same = |other: &Example| Arc::ptr_eq(&other.record.labels, labels) || other.record.labels == *labels;
    examples.iter().all(is_same).then(|| labels.clone())
}

/// Counts the texts of `held_out` that are in `trained` too: figures on them say nothing about new texts.
pub fn count_seen(trained: &[Example], held_out: &[Example], flaws: &mut Flaws) {
    let texts: HashSet<&str> = trained.iter().map(|example| example.record.text.as_str()).collect();
    for example in held_out.iter().filter(|example| texts.contains(example.record.text.as_str())) {
        flaws.count(Flaw::Seen, || beginning(&example.record.text));
    }
}

/// Draws about `share` of the examples from `seed`, to judge on: those to learn from, then those held out, each in
/// their order. Every label is drawn from alike, records of several labels with the rarest of them; one record of
/// each stays to learn from.
///
/// # Errors
/// There are too few examples to hold any out.
pub fn hold_out(examples: Vec<Example>, share: f64, seed: u64) -> Result<(Vec<Example>, Vec<Example>)> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut strata = strata(&examples);
    let wanted = (examples.len() as f64 * share).round() as usize;
    // Whole parts first, then one more where the most is missing.
    let exact = |stratum: &Vec<usize>| stratum.len() as f64 * share;
    let mut taken: Vec<usize> = strata.iter().map(|stratum| (exact(stratum) as usize).min(stratum.len() - 1)).collect();
    let mut order: Vec<usize> = (0..strata.len()).collect();
    order.shuffle(&mut random);
    order.sort_by(|&a, &b| exact(&strata[b]).fract().total_cmp(&exact(&strata[a]).fract()));
    let missing = wanted.saturating_sub(taken.iter().sum());
    order.retain(|&place| strata[place].len() > taken[place] + 1);
    order.into_iter().take(missing).for_each(|place| taken[place] += 1);
    let mut is_held_out = vec![false; examples.len()];
    for (stratum, taken) in strata.iter_mut().zip(taken) {
        stratum.shuffle(&mut random);
        stratum[..taken].iter().for_each(|&example| is_held_out[example] = true);
    }
    let mut held = is_held_out.iter();
    let (held_out, rest): (Vec<Example>, Vec<Example>) =
        examples.into_iter().partition(|_| held.next().is_some_and(|&held| held));
    if held_out.is_empty() {
        let count = rest.len();
        return Err(Error::Usage(format!(
            "{share} of {count} records leaves none to hold out: give more records, or --eval FILE"
        )));
    }
    Ok((rest, held_out))
}

/// The examples, by number, of each label: of several true ones the rarest.
fn strata(examples: &[Example]) -> Vec<Vec<usize>> {
    let mut frequency: HashMap<&str, usize> = HashMap::new();
    for label in examples.iter().flat_map(Example::true_labels) {
        *frequency.entry(label).or_default() += 1;
    }
    let mut strata: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (number, example) in examples.iter().enumerate() {
        let rarest = example.true_labels().min_by_key(|label| (frequency[label], *label));
        strata.entry(rarest).or_default().push(number);
    }
    strata.into_values().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
