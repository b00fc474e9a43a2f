//! Chunks of records become one set, their labels numbered anew.

use std::sync::Arc;

use rayon::prelude::*;

use super::{Chunk, Listed, Names, Place, Ready, ReadyRecord};
use crate::error::{Error, Result};
use crate::records::labelled::{ALL_IGNORED, Form, Layout, flaw};
use crate::records::labels::EMPTY_LABEL;

/// Brings chunks together under one list of names.
pub(super) struct Merge {
    /// What the files are called.
    files: Vec<String>,
    names: Names,
    /// How many candidates the command names; none where the data say it.
    given: Option<usize>,
}

impl Merge {
    pub(super) fn new(layout: &Layout, files: Vec<String>) -> Self {
        let mut names = Names::default();
        let given = layout.labels.as_ref().map(|labels| names.numbers(labels.names()).len());
        Self { files, names, given }
    }

    pub(super) fn merge(mut self, mut chunks: Vec<Chunk>, form: Form) -> Result<Ready> {
        let failed = chunks.iter().map(|chunk| chunk.failed).sum();
        let mut maps: Vec<Vec<Option<u32>>> = chunks.iter().map(|chunk| vec![None; chunk.names.names.len()]).collect();
        // First the candidates as they are listed, then what is true, then what was said, as it comes by score.
        self.number(&chunks, &mut maps, |record| record.candidates.as_deref().unwrap_or_default().to_vec())?;
        self.number(&chunks, &mut maps, |record| record.truth.clone())?;
        let true_labels = self.names.names.len();
        self.number(&chunks, &mut maps, |record| record.scores.iter().map(|(label, _)| *label).collect())?;
        let is_number = |name: &String| name.parse::<u64>().is_ok();
        let are_numbers = true_labels > 0 && self.names.names[..true_labels].iter().all(is_number);
        if are_numbers && !self.names.names.iter().all(is_number) {
            return Err(self.of_all("the true labels are numbers: name them with --labels, the name of 0 first"));
        }
        for (chunk, map) in chunks.iter_mut().zip(&maps) {
            renumber(chunk, map);
        }
        let records: Vec<ReadyRecord> = chunks.into_iter().flat_map(|chunk| chunk.records).collect();
        if records.is_empty() {
            return Err(self.of_all(&format!("no records with predictions (read as {form})")));
        }
        let complete = records
            .par_iter()
            .map(|record| is_complete(record, &self.names.names).map_err(|message| self.of_record(record, &message)));
        let complete: Vec<bool> = complete.collect::<Result<_>>()?;
        let listed = listed(&records, &complete);
        Ok(Ready { names: self.names.names, records, listed, failed, form })
    }

    /// Gives numbers to the labels that `labels` finds in each record.
    fn number(
        &mut self,
        chunks: &[Chunk],
        maps: &mut [Vec<Option<u32>>],
        labels: impl Fn(&ReadyRecord) -> Vec<u32>,
    ) -> Result<()> {
        for (chunk, map) in chunks.iter().zip(maps) {
            for record in &chunk.records {
                for local in labels(record) {
                    if map[local as usize].is_none() {
                        let name = &chunk.names.names[local as usize];
                        let number = self.number_of(name).map_err(|message| self.of_record(record, &message))?;
                        map[local as usize] = Some(number);
                    }
                }
            }
        }
        Ok(())
    }

    /// What is wrong with the files together.
    fn of_all(&self, message: &str) -> Error {
        Error::Record(format!("{}: {message}", self.files.join(", ")))
    }

    /// What is wrong with a record of one of the files.
    fn of_record(&self, record: &ReadyRecord, message: &str) -> Error {
        let Place { file, spot } = record.place;
        Error::Record(format!("{}: {}", self.files[file], flaw(spot, None, message)))
    }

    fn number_of(&mut self, name: &str) -> std::result::Result<u32, String> {
        if name.trim().is_empty() {
            return Err(EMPTY_LABEL.into());
        }
        let Some(given) = self.given else { return Ok(self.names.number(name)) };
        let known = self.names.numbers.get(name).copied();
        let unknown = || format!("label {name:?} is not among the {given} of --labels: correct it, or add it there");
        known.ok_or_else(unknown)
    }
}

/// Candidates by their numbers in a chunk, and in all.
struct Renumbered {
    before: Arc<[u32]>,
    after: Arc<[u32]>,
}

fn renumber(chunk: &mut Chunk, map: &[Option<u32>]) {
    let number = |local: u32| map[local as usize].expect("every label was numbered: this is a bug");
    let mut last: Option<Renumbered> = None;
    for record in &mut chunk.records {
        record.truth.iter_mut().for_each(|label| *label = number(*label));
        record.scores.iter_mut().for_each(|(label, _)| *label = number(*label));
        // One that is no candidate, and was not said, is nowhere else.
        record.ignored = record.ignored.iter().filter_map(|&label| map[label as usize]).collect();
        let Some(before) = record.candidates.take() else { continue };
        let known = last.take().filter(|last| Arc::ptr_eq(&last.before, &before));
        let now =
            known.unwrap_or_else(|| Renumbered { after: before.iter().map(|&one| number(one)).collect(), before });
        record.candidates = Some(now.after.clone());
        last = Some(now);
    }
}

/// What is listed, by which records are `complete`. A run that is asked for all scores lists the same labels of every
/// record that has no candidates of its own; one label alone may be what was said of each.
fn listed(records: &[ReadyRecord], complete: &[bool]) -> Listed {
    if complete.iter().all(|one| *one) {
        return Listed::All;
    }
    let mut own = records.iter().zip(complete).filter(|(record, _)| record.candidates.is_some());
    let shared = || records.iter().filter(|record| record.candidates.is_none() && !record.is_whole);
    let first = shared().next().map(ReadyRecord::listed);
    let are_asked = first.is_none_or(|first| first.len() > 1 && shared().all(|record| record.listed() == first));
    if are_asked && own.all(|(_, complete)| *complete) { Listed::Asked } else { Listed::Said }
}

/// Whether every candidate has a score; else what is wrong with the record.
fn is_complete(record: &ReadyRecord, names: &[String]) -> std::result::Result<bool, String> {
    let labels = record.listed();
    if let Some(twice) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{:?} has two scores: leave one of them out", names[twice[0] as usize]));
    }
    let is_ignored = |label: u32| record.ignored.contains(&label);
    let are_ignored = match &record.candidates {
        Some(candidates) => candidates.iter().all(|&label| is_ignored(label)),
        None => (0..names.len() as u32).all(is_ignored),
    };
    if are_ignored && !record.ignored.is_empty() {
        return Err(ALL_IGNORED.into());
    }
    let Some(candidates) = &record.candidates else { return Ok(labels.len() == names.len()) };
    let mut known = candidates.to_vec();
    known.sort_unstable();
    let foreign = record.truth.iter().chain(&labels).find(|label| known.binary_search(label).is_err());
    match foreign {
        None => Ok(labels.len() == candidates.len()),
        Some(&label) => {
            let label = &names[label as usize];
            Err(format!(
                "{label:?} is true or predicted and not among the {} candidate labels of the record: name all with \
                 --labels, and what holds the true ones with --label-field",
                candidates.len()
            ))
        }
    }
}
