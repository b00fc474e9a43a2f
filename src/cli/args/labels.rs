//! The labels, what is said beside the text, and where labelled data has them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Verbosity;
use super::values::from_one;
use crate::cli::cells::LIST_SEPARATOR;
use crate::records::{Defaults, LabelSet, RacExample, labelled, labels, left_out};

/// The candidate labels.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Labels")]
pub struct CandidateArgs {
    /// Candidate labels, comma-separated; may be given several times
    ///
    /// A label that holds a comma is quoted as in CSV: --labels '"sports, outdoors",travel'.
    /// Labels are used as they are typed: never lower-cased, sorted or merged.
    #[arg(short, long, value_name = "A,B,C")]
    pub labels: Vec<String>,
    /// Candidate labels from a file: one per line, or JSON
    ///
    /// JSON is an array of strings, or a nested object for a hierarchy:
    /// {"travel": ["flights", "hotels"], "sport": ["football"]} has the labels travel.flights,
    /// travel.hotels and sport.football.
    #[arg(long, value_name = "FILE", conflicts_with = "labels")]
    pub labels_file: Option<PathBuf>,
    /// Separates the levels of a hierarchy of labels
    #[arg(long, value_name = "S", default_value = ".", value_parser = NonEmptyStringValueParser::new())]
    pub label_separator: String,
}

impl CandidateArgs {
    /// The candidate labels, if any were given; with `wordings`, lists in the file are wordings. A label that may be
    /// meant as a file, and one that may be meant as a list, are told.
    ///
    /// # Errors
    /// The file cannot be read, or a label is empty or given twice.
    pub fn read(&self, wordings: bool, verbosity: Verbosity) -> anyhow::Result<Option<Arc<LabelSet>>> {
        if let [name] = &self.labels[..]
            && Path::new(name).is_file()
        {
            verbosity.say(&format!(
                "note: --labels {name}: one label, though there is a file of this name: --labels-file reads it"
            ));
        }
        let labels = match &self.labels_file {
            Some(path) => self.read_file(path, wordings, verbosity)?,
            None if self.labels.is_empty() => return Ok(None),
            None => labels::from_options(&self.labels).context("--labels")?,
        };
        Ok(Some(Arc::new(labels)))
    }

    fn read_file(&self, path: &Path, wordings: bool, verbosity: Verbosity) -> anyhow::Result<LabelSet> {
        let labels = labels::from_file(path, &self.label_separator, wordings).context("--labels-file")?;
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if !is_json && matches!(labels.names(), [name] if name.contains(',')) {
            verbosity.say(&format!(
                "warning: --labels-file {}: one label, with commas in it: if these are several, write one per line",
                path.display()
            ));
        }
        Ok(labels)
    }
}

/// The candidate labels, and what is said beside the text.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Labels")]
pub struct LabelArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub candidates: CandidateArgs,
    /// Read lists in --labels-file as wordings of one label
    ///
    /// {"sport": ["sport", "sports news"]} then has one label, sport, with the score of its best wording, and is not
    /// a hierarchy.
    #[arg(long, requires = "labels_file", conflicts_with = "labels")]
    pub wordings: bool,
    /// The task in words, such as "Classify the mood"
    ///
    /// The model reads it before the text.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Examples to show the model with every text
    ///
    /// A JSON array or JSONL of {"text": "...", "labels": ["..."]}. A plain bi-encoder reads none.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// Solved cases, for models trained to see them beside the text
    ///
    /// A JSON array or JSONL of {"text": "...", "all_labels": ["..."], "true_labels": ["..."]}.
    #[arg(long, value_name = "FILE")]
    pub rac_examples: Option<PathBuf>,
    /// Show only the K solved cases nearest to each text [default: all]
    ///
    /// Nearest by the cosine of the model's own vectors of the texts, each read with the command's labels; nearest
    /// first, ties in the order of the file. Cases without true labels are left out. A case with the record's own
    /// text is not, so keep the records you measure on out of the file. A record with its own `rac_examples` keeps
    /// these. The vectors of the cases are computed once and kept in FILE.vectors, if the folder is writable. Each
    /// record is read twice, once alone and once with its cases.
    #[arg(long, value_name = "K", requires = "rac_examples", value_parser = from_one)]
    pub rac_retrieve: Option<NonZeroUsize>,
}

impl LabelArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.candidates.labels_file, &self.examples, &self.rac_examples].into_iter().flatten().map(PathBuf::as_path)
    }

    /// What a record has that says nothing else. Examples that cannot be written, and a label that may be meant as a
    /// file, are told.
    ///
    /// # Errors
    /// A file cannot be read, or a label is empty or given twice.
    pub fn defaults(&self, verbosity: Verbosity) -> anyhow::Result<Defaults> {
        let rac_examples: Arc<[RacExample]> =
            labels::examples_from_file(self.rac_examples.as_deref()).context("--rac-examples")?;
        let useless = left_out(&rac_examples);
        if let Some(path) = self.rac_examples.as_deref().filter(|_| useless > 0) {
            let (path, count) = (path.display(), rac_examples.len());
            verbosity.say(&format!("warning: {path}: {useless} of {count} examples have no true label: left out"));
        }
        Ok(Defaults {
            labels: self.candidates.read(self.wordings, verbosity)?,
            label_separator: self.candidates.label_separator.clone(),
            prompt: self.prompt.as_deref().map(Arc::from),
            examples: labels::examples_from_file(self.examples.as_deref()).context("--examples")?,
            rac_examples,
        })
    }
}

/// Where in labelled data things are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct FieldArgs {
    /// The field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", value_parser = NonEmptyStringValueParser::new())]
    pub text_field: String,
    /// The field or column with the true labels [default: true_labels, or label]
    ///
    /// In JSON it holds a label, a list of labels, or {label: weight}. A label may be a number: the position of its
    /// name in --labels, from 0, unless a label has that number as its name, or the file names its numbers itself, as
    /// Parquet of Hugging Face's `datasets` does. A table without such a column may have a column of 0 and 1 for each
    /// label, in Parquet of those in --labels.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub label_field: Option<String>,
    /// Separates several labels in a CSV or TSV cell
    #[arg(long, value_name = "S", default_value = LIST_SEPARATOR, value_parser = NonEmptyStringValueParser::new())]
    pub list_separator: String,
}

impl FieldArgs {
    /// The layout of labelled data, with the candidate labels of the command.
    pub fn layout(&self, defaults: &Defaults) -> labelled::Layout {
        labelled::Layout {
            text_field: self.text_field.clone(),
            label_field: self.label_field.clone(),
            list_separator: self.list_separator.clone(),
            label_separator: defaults.label_separator.clone(),
            labels: defaults.labels.clone(),
            whole: false,
        }
    }
}
