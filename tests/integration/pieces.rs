//! Long texts and long lists of labels, in pieces.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};

use gliclass::classifier::Classifier;
use gliclass::model::{Model, Options, Overflow, Pieces, Source};
use gliclass::records::{Defaults, LabelSet, Record};
use gliclass::scores::scores;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{MODEL, Sandbox, fixture};

fn model(max_length: usize, pieces: Pieces) -> Model {
    Model::load(&Source::Folder(MODEL.into()), &Options { max_length, pieces, ..Options::default() }).unwrap()
}

fn record(text: &str, labels: &[String]) -> Record {
    let labels = Some(Arc::new(LabelSet::flat(labels.to_vec()).unwrap()));
    Defaults { labels, ..Defaults::default() }.record(text.to_owned()).unwrap()
}

fn logits(model: &Model, record: &Record) -> Vec<f32> {
    model.logits(&[model.encode(record).unwrap()], 1).unwrap().remove(0)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("label number {i}")).collect()
}

fn chunked() -> Pieces {
    Pieces { overflow: Overflow::Chunk, overlap: 5, ..Pieces::default() }
}

#[test]
fn scores_are_those_of_the_reference_where_the_pieces_fall_on_the_same_characters() {
    let answers: Value = serde_json::from_slice(&std::fs::read(fixture("uni-electra/chunks.json")).unwrap()).unwrap();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let labels: Vec<String> = serde_json::from_value(answers["labels"].clone()).unwrap();
    for case in answers["cases"].as_array().unwrap() {
        let single_label = case["single_label"].as_bool().unwrap();
        let pieces = Pieces {
            overflow: Overflow::Chunk,
            overlap: number(&answers["overlap"]),
            labels: NonZeroUsize::new(number(&case["labels_at_once"])),
            single_label,
        };
        let model = model(number(&answers["max_length"]), pieces);
        let record = record(case["text"].as_str().unwrap(), &labels);
        let runs = labels.len().div_ceil(number(&case["labels_at_once"]));
        let encoded = model.encode(&record).unwrap();
        assert_eq!(encoded.pieces.len().max(1), runs * number(&case["pieces"]), "{case}");
        let found = scores(&logits(&model, &record), single_label);
        let expected: Vec<f32> = serde_json::from_value(case["scores"].clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected} {case}");
        }
    }
}

static WHOLE: LazyLock<Model> = LazyLock::new(|| model(1024, Pieces::default()));
static CHUNKED: LazyLock<Model> = LazyLock::new(|| model(1024, chunked()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_text_that_fits_has_the_same_bits_where_long_ones_are_cut_into_pieces(text in ".{0,60}", labels in 1_usize..5) {
        let record = record(&text, &names(labels));
        prop_assert_eq!(logits(&WHOLE, &record), logits(&CHUNKED, &record));
    }

    #[test]
    fn any_text_is_read_to_its_end_and_every_label_has_a_logit(text in "\\PC{0,400}", labels in 1_usize..6) {
        let model = model(40, Pieces { labels: NonZeroUsize::new(2), ..chunked() });
        let encoded = model.encode(&record(&text, &names(labels))).unwrap();
        prop_assert!(!encoded.truncated);
        prop_assert!(encoded.pieces.iter().all(|piece| piece.tokens.len() <= 40));
        prop_assert_eq!(model.logits(&[encoded], 1).unwrap()[0].len(), labels);
    }
}

#[test]
fn a_prompt_is_never_cut_and_leaves_room_for_the_text() {
    for name in ["uni-deberta-extract-classavg", "fused-bert-roberta-max-textfirst"] {
        let folder = fixture(name);
        let load = |max_length, pieces| {
            let options = Options { max_length, pieces, ..Options::default() };
            Model::load(&Source::Folder(folder.clone()), &options).unwrap()
        };
        let text = "politics and war and all the rivers of the world";
        let with_prompt = |text: &str| {
            let prompt = Some("Pick the topics of this text, whatever they are: ".into());
            Record { prompt, ..record(text, &names(2)) }
        };
        let whole = load(1024, Pieces::default()).encode(&with_prompt(text)).unwrap().tokens;
        let without = load(1024, Pieces::default()).encode(&with_prompt("")).unwrap().tokens.len();
        let short = load(without + 2, Pieces::default());
        let cut = short.encode(&with_prompt(text)).unwrap();
        let over = whole.len() - cut.tokens.len();
        assert!(cut.truncated && cut.tokens.len() == without + 2, "{name}");
        let is_cut_at = |at: usize| cut.tokens == [&whole[..at], &whole[at + over..]].concat();
        assert!((0..=cut.tokens.len()).any(is_cut_at), "{name}");
        assert_ne!(logits(&short, &with_prompt(text)), logits(&short, &with_prompt("football and all that")), "{name}");

        let chunked = load(without + 4, chunked()).encode(&with_prompt(text)).unwrap();
        assert!(!chunked.truncated && chunked.pieces.len() > 1, "{name}");
        let error = load(without, Pieces::default()).encode(&with_prompt(text)).unwrap_err().to_string();
        assert!(error.contains("and the text at least one more"), "{error}");
    }
}

#[test]
fn a_label_with_an_encoder_of_its_own_is_never_cut() {
    let folder = fixture("bi-bert-bert-avg-norm-mlp");
    let load = |max_length| {
        let options = Options { max_length, ..Options::default() };
        Model::load(&Source::Folder(folder.clone()), &options).unwrap()
    };
    let [long, longer] = [20, 200].map(|words| record("a text", &["a label of some words ".repeat(words / 5)]));
    assert_eq!(logits(&load(8), &long), logits(&load(1024), &long));
    let error = load(8).encode(&longer).unwrap_err().to_string();
    assert!(error.contains("\"a label of some words a label") && error.contains("reads 200"), "{error}");
}

#[test]
fn neighbours_do_not_change_a_record_of_many_pieces() {
    let model = model(40, chunked());
    let long = "One day I will see the world, and all its rivers. ".repeat(20);
    let records = [record(&long, &names(3)), record("short", &names(2)), record(&long, &names(1))];
    let encoded: Vec<_> = records.iter().map(|record| model.encode(record).unwrap()).collect();
    assert!(encoded[0].pieces.len() > 4);
    let together = model.logits(&encoded, 2).unwrap();
    let alone: Vec<_> = records.iter().map(|record| logits(&model, record)).collect();
    assert_eq!(together, alone);
}

#[test]
fn the_command_says_what_becomes_of_a_text_that_does_not_fit() {
    let sandbox = Sandbox::new();
    let text = json!({"text": "One day I will see the world. ".repeat(30)}).to_string();
    let run = |mode: &str| {
        let arguments =
            ["batch", "-m", MODEL, "-l", "travel,sport", "--max-length", "40", "--on-overflow", mode, "--all-scores"];
        sandbox.gliclass(arguments).input(text.clone()).run()
    };
    assert_eq!(run("truncate").ends_with(0).json()["truncated"], true);
    let chunked = run("chunk").ends_with(0).json();
    assert!(chunked.get("truncated").is_none());
    assert_eq!(chunked["predictions"].as_array().unwrap().len(), 2);
    assert!(run("error").ends_with(1).json()["error"].as_str().unwrap().contains("--on-overflow"));
}
