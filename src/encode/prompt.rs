//! Record -> Prompt: the order of text and markers that a model was trained on.
//!
//! Source: `prepare_input` and `prepare_labels_prompt` of the pipelines, `format_decoder_kv_sequence`,
//! `format_examples_prompt` and `retrieval_augmented_text` of `gliclass` 0.1.21.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::records::{Example, RacExample, Record};

/// Stands before each label.
pub const LABEL: &str = "<<LABEL>>";
/// Stands between the labels and the text, and after the examples.
pub const SEP: &str = "<<SEP>>";
/// Stands before each example.
pub const EXAMPLE: &str = "<<EXAMPLE>>";
const TRUE_LABEL: &str = "<<TRUE_LABEL>>";
const FALSE_LABEL: &str = "<<FALSE_LABEL>>";
const END_EXAMPLE: &str = "<</EXAMPLE>>";

/// Every marker that the program writes.
pub const MARKERS: [&str; 6] = [LABEL, SEP, EXAMPLE, TRUE_LABEL, FALSE_LABEL, END_EXAMPLE];

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A marker of the program's own: a token of its kind where the tokenizer has it.
    Marker(&'static str),
    /// A candidate label.
    Label(&'a str),
    /// The task description, which stays whole.
    Task(&'a str),
    /// Other words that stay whole.
    Text(Cow<'a, str>),
    /// The record's text: what is cut where all does not fit.
    Body(&'a str),
    /// Here the tokenizer's input ends: it reads what follows as another one.
    End,
}

/// The parts of a model's input, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a>(pub Vec<Piece<'a>>);

impl<'a> Prompt<'a> {
    /// The input of a uni-encoder.
    pub fn uni_encoder(record: &'a Record, prompt_first: bool) -> Self {
        let mut pieces = Vec::with_capacity(2 * record.labels.len() + 4);
        if !prompt_first {
            body(record, &mut pieces);
        }
        labels(record, &mut pieces);
        if prompt_first {
            body(record, &mut pieces);
        }
        few_shot(&record.examples, &mut pieces);
        Self(pieces)
    }

    /// The text's input of an encoder-decoder.
    pub fn text(record: &'a Record) -> Self {
        let mut pieces = Vec::new();
        body(record, &mut pieces);
        few_shot(&record.examples, &mut pieces);
        Self(pieces)
    }

    /// The labels' input of an encoder-decoder.
    pub fn labels(record: &'a Record) -> Self {
        let mut pieces = Vec::with_capacity(2 * record.labels.len() + 2);
        labels(record, &mut pieces);
        Self(pieces)
    }

    /// The text's input of a bi-encoder. Examples have no place in it.
    pub fn bi_encoder(record: &'a Record) -> Self {
        let mut pieces = Vec::new();
        leading(record, &mut pieces);
        body(record, &mut pieces);
        Self(pieces)
    }

    /// The input of a bi-encoder that reads a vector in the place of each label.
    pub fn bi_encoder_fused(record: &'a Record, prompt_first: bool) -> Self {
        let mut pieces = Vec::with_capacity(record.labels.len() + 4);
        if !prompt_first {
            body(record, &mut pieces);
        }
        leading(record, &mut pieces);
        pieces.extend(record.labels.names().iter().map(|_| Piece::Marker(LABEL)));
        pieces.push(Piece::Marker(SEP));
        if prompt_first {
            body(record, &mut pieces);
        }
        few_shot(&record.examples, &mut pieces);
        Self(pieces)
    }

    /// The input of a decoder-kv: what lasts first, each label before its marker.
    pub fn decoder_kv(record: &'a Record) -> Self {
        let mut pieces = Vec::with_capacity(2 * record.labels.len() + 5);
        task(record, &mut pieces);
        few_shot(&record.examples, &mut pieces);
        body(record, &mut pieces);
        pieces.extend([Piece::End, Piece::Marker(SEP)]);
        for label in record.labels.names() {
            pieces.extend([Piece::Label(label), Piece::Marker(LABEL)]);
        }
        pieces.push(Piece::Marker(SEP));
        Self(pieces)
    }
}

/// The labels, then the task description.
fn labels<'a>(record: &'a Record, pieces: &mut Vec<Piece<'a>>) {
    for label in record.labels.names() {
        pieces.extend([Piece::Marker(LABEL), Piece::Label(label)]);
    }
    pieces.push(Piece::Marker(SEP));
    task(record, pieces);
}

/// The task description.
fn task<'a>(record: &'a Record, pieces: &mut Vec<Piece<'a>>) {
    if let Some(prompt) = record.prompt.as_deref() {
        pieces.push(Piece::Task(prompt));
    }
}

/// The task description and a space.
fn leading<'a>(record: &'a Record, pieces: &mut Vec<Piece<'a>>) {
    if let Some(prompt) = record.prompt.as_deref().filter(|prompt| !prompt.is_empty()) {
        pieces.extend([Piece::Task(prompt), Piece::Text(" ".into())]);
    }
}

/// The record's text, with the retrieved examples written behind it.
fn body<'a>(record: &'a Record, pieces: &mut Vec<Piece<'a>>) {
    pieces.push(Piece::Body(&record.text));
    for example in record.rac_examples.iter().filter(|example| !example.true_labels.is_empty()) {
        pieces.push(Piece::Text(" ".into()));
        retrieved(example, pieces);
    }
}

fn retrieved<'a>(example: &'a RacExample, pieces: &mut Vec<Piece<'a>>) {
    pieces.push(Piece::Marker(EXAMPLE));
    pieces.push(Piece::Text(format!(" {} ", example.text).into()));
    // Each once, in the order in which they are named: the reference has a set, which has none.
    let mut others: HashSet<&String> = example.true_labels.iter().collect();
    let false_labels = example.all_labels.iter().filter(|label| others.insert(label));
    marked(TRUE_LABEL, example.true_labels.iter(), pieces);
    pieces.push(Piece::Text(" ".into()));
    marked(FALSE_LABEL, false_labels, pieces);
    pieces.push(Piece::Text(" ".into()));
    pieces.push(Piece::Marker(END_EXAMPLE));
}

fn marked<'a>(marker: &'static str, labels: impl Iterator<Item = &'a String>, pieces: &mut Vec<Piece<'a>>) {
    for (index, label) in labels.enumerate() {
        if index > 0 {
            pieces.push(Piece::Text(" ".into()));
        }
        pieces.extend([Piece::Marker(marker), Piece::Text(format!(" {label}").into())]);
    }
}

fn few_shot<'a>(examples: &'a [Example], pieces: &mut Vec<Piece<'a>>) {
    for example in examples {
        pieces.push(Piece::Marker(EXAMPLE));
        pieces.push(Piece::Text(format!("{} \nLabels:\n {}", example.text, example.labels.join(", ")).into()));
    }
    if !examples.is_empty() {
        pieces.push(Piece::Marker(SEP));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn of_a_retrieved_example_each_false_label_is_written_once() {
        let example = |all_labels: &[&str]| RacExample {
            text: "solved".into(),
            all_labels: all_labels.iter().map(ToString::to_string).collect(),
            true_labels: vec!["t".into()],
        };
        let (repeated, distinct) = (example(&["y", "x", "t", "y", "x"]), example(&["y", "x", "t"]));
        let pieces = |example| {
            let mut pieces = Vec::new();
            retrieved(example, &mut pieces);
            pieces
        };
        assert_eq!(pieces(&repeated), pieces(&distinct));
        let falses = pieces(&distinct).iter().filter(|piece| **piece == Piece::Marker(FALSE_LABEL)).count();
        assert_eq!(falses, 2);
    }
}
