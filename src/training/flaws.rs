//! What is wrong with data to learn from: counted, and said before the first step.

use std::collections::BTreeMap;
use std::fmt;

/// Labels that are named where many have no record.
const NAMED: usize = 5;

/// What can be wrong with an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// There are no candidates, one is empty, or one is given twice.
    Candidates,
    /// A true label is not among the candidates.
    Unknown,
    /// A weight is no target.
    Weight,
    /// Not exactly one label is true, where one must be.
    NotOne,
    /// There is no text.
    EmptyText,
    /// It came before.
    Repeated,
    /// The labels leave no room for the text.
    NoRoom,
    /// Its text came before, with another target for a label.
    Contradictory,
    /// Its text does not fit the model.
    Cut,
    /// It is held out, and its text is learned from.
    Seen,
    /// All records have the same label.
    OneClass,
}

impl Flaw {
    /// Whether such an example is left out.
    pub fn is_left_out(self) -> bool {
        self <= Self::NoRoom
    }

    /// The flaw in words, behind the number of records.
    fn says(self) -> &'static str {
        match self {
            Self::Candidates => "left out: the candidate labels cannot be used",
            Self::Unknown => "left out: a true label is not among the candidates",
            Self::Weight => "left out: a weight is not from 0 to 1",
            Self::NotOne => "left out: not exactly one true label, as --single-label needs",
            Self::EmptyText => "left out: the text is empty",
            Self::Repeated => "left out: the same text with the same labels came before",
            Self::NoRoom => "left out: the labels leave no room for the text",
            Self::Contradictory => "kept: the same text came before with other true labels",
            Self::Cut => "kept: the text is too long for the model and is cut",
            Self::Seen => "held out, though the text is learned from: the figures are too good",
            Self::OneClass => "kept: all have the same true label, so there is nothing to tell apart",
        }
    }
}

/// The flaws of data to learn from, and its labels without a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaws {
    name: String,
    found: BTreeMap<Flaw, Found>,
    labels_without_records: Vec<String>,
}

/// How often a flaw was found, and where first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    count: usize,
    first: String,
}

impl Flaws {
    /// Nothing yet, of the file `name`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), found: BTreeMap::new(), labels_without_records: Vec::new() }
    }

    /// Whether nothing is wrong. Labels without a record are worth knowing, and no flaw.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.is_clean() && self.labels_without_records.is_empty()
    }

    /// How many examples have a flaw.
    pub fn of(&self, flaw: Flaw) -> usize {
        self.found.get(&flaw).map_or(0, |found| found.count)
    }

    /// Counts a flaw that was found at `place`.
    pub fn count(&mut self, flaw: Flaw, place: impl FnOnce() -> String) {
        self.found.entry(flaw).or_insert_with(|| Found { count: 0, first: place() }).count += 1;
    }

    /// All of so many examples share a flaw.
    pub fn all_have(&mut self, flaw: Flaw, count: usize, first: String) {
        self.found.insert(flaw, Found { count, first });
    }

    /// No record has these labels.
    pub fn no_record_has(&mut self, labels: Vec<String>) {
        self.labels_without_records = labels;
    }

    /// The labels without a record, in words.
    fn shown_labels(&self) -> Option<String> {
        let labels = &self.labels_without_records;
        let named = labels.iter().take(NAMED).map(|label| format!("{label:?}")).collect::<Vec<String>>().join(", ");
        let more = labels.len().saturating_sub(NAMED);
        match (labels.len(), more) {
            (0, _) => None,
            (1, _) => Some(format!("no record has the label {named}")),
            (count, 0) => Some(format!("no record has one of {count} labels: {named}")),
            (count, more) => Some(format!("no record has one of {count} labels: {named} and {more} more")),
        }
    }
}

impl fmt::Display for Flaws {
    /// One line for each of them, without a line break behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        for (flaw, Found { count, first }) in &self.found {
            let records = if *count == 1 { "record" } else { "records" };
            let first = if *flaw == Flaw::OneClass || *count == 1 { first.clone() } else { format!("first {first}") };
            lines.push(format!("{}: {count} {records} {} ({first})", self.name, flaw.says()));
        }
        if let Some(labels) = self.shown_labels() {
            lines.push(format!("{}: {labels}", self.name));
        }
        f.write_str(&lines.join("\n"))
    }
}
