//! The reference's numbers, on small checkpoints with recorded answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gliclass::classifier::{Classifier, Encoded};
use gliclass::model::{Device, Model, Options, Precision, Source};
use gliclass::records::{LabelSet, Record};
use gliclass::scores::scores;
use serde_json::Value;

use crate::harness::fixture;

/// A logit may differ by this much, and by `RELATIVE` of its size.
const ABSOLUTE: f64 = 1e-3;
const RELATIVE: f64 = 1e-4;

pub fn folders() -> Vec<PathBuf> {
    let root = std::env::var_os("GLICLASS_REFERENCE").map_or_else(|| fixture(""), PathBuf::from);
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("expected.json").exists());
    folders.sort();
    assert!(!folders.is_empty(), "no cases");
    folders
}

pub fn load(folder: &Path) -> Model {
    let options = Options { device: Device::Cpu, precision: Precision::F32, ..Options::default() };
    Model::load(&Source::Folder(folder.to_owned()), &options)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

pub fn cases(folder: &Path) -> Vec<Value> {
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    json["cases"].as_array().unwrap().clone()
}

fn record(case: &Value) -> Record {
    let list = |name: &str| case.get(name).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    Record {
        text: case["text"].as_str().unwrap().to_owned(),
        labels: Arc::new(LabelSet::from_json(&case["labels"], ".").unwrap()),
        prompt: case.get("prompt").and_then(Value::as_str).map(Arc::from),
        examples: serde_json::from_value::<Vec<_>>(list("examples")).unwrap().into(),
        rac_examples: serde_json::from_value::<Vec<_>>(list("rac_examples")).unwrap().into(),
    }
}

pub fn encoded(model: &Model, folder: &Path) -> Vec<Encoded> {
    let encode = |case: &Value| model.encode(&record(case)).unwrap();
    cases(folder).iter().map(encode).collect()
}

/// The largest distance from a logit of the reference, as a share of what is allowed.
pub fn share_of_tolerance(case: &Value, logits: &[f32]) -> f64 {
    let expected: Vec<f64> = serde_json::from_value(case["logits"].clone()).unwrap();
    assert_eq!(logits.len(), expected.len());
    let shares = logits.iter().zip(expected).map(|(&found, expected)| {
        let share = (f64::from(found) - expected).abs() / (ABSOLUTE + RELATIVE * expected.abs());
        if share.is_nan() { f64::INFINITY } else { share }
    });
    shares.fold(0.0, f64::max)
}

#[test]
fn token_ids_are_those_of_the_reference() {
    for folder in folders() {
        let model = load(&folder);
        for (case, encoded) in cases(&folder).iter().zip(encoded(&model, &folder)) {
            let expected: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
            assert_eq!(encoded.tokens, expected, "{}: {}", folder.display(), case["text"]);
        }
    }
}

#[test]
fn logits_and_scores_are_those_of_the_reference() {
    for folder in folders() {
        let model = load(&folder);
        let mut worst = 0f64;
        for (case, encoded) in cases(&folder).iter().zip(encoded(&model, &folder)) {
            let logits = model.logits(&[encoded], 1).unwrap().remove(0);
            worst = worst.max(share_of_tolerance(case, &logits));
            if let Some(best) = case["single_label"].get(0) {
                let scores = scores(&logits, true);
                let top = scores.iter().copied().fold(0.0, f32::max);
                assert!((f64::from(top) - best["score"].as_f64().unwrap()).abs() < 1e-3);
            }
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(worst <= 1.0, "{name}: {worst:.2} times the tolerance");
    }
}

#[test]
fn a_record_has_the_same_bits_alone_among_neighbours_and_on_two_threads() {
    for folder in folders() {
        let model = load(&folder);
        let records = encoded(&model, &folder);
        let together = model.logits(&records, 2).unwrap();
        let mut backwards = records.clone();
        backwards.reverse();
        let mut backwards = model.logits(&backwards, 1).unwrap();
        backwards.reverse();
        assert_eq!(together, backwards, "{}", folder.display());
        for (record, expected) in records.iter().zip(&together) {
            let alone = model.logits(std::slice::from_ref(record), 1).unwrap().remove(0);
            let bits = |logits: &[f32]| logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&alone), bits(expected), "{}", folder.display());
        }
    }
}

#[test]
fn a_decoder_kv_cuts_its_text_and_never_its_labels() {
    let folder = fixture("decoderkv-halts");
    let options = Options { max_length: 60, ..Options::default() };
    let model = Model::load(&Source::Folder(folder.clone()), &options).unwrap();
    let case = cases(&folder).remove(1);
    let whole: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
    let cut = model.encode(&record(&case)).unwrap();
    assert!(cut.truncated && whole.len() > 60);
    let separator = whole[whole.len() - 1];
    let labels = whole.iter().position(|&id| id == separator).unwrap();
    let kept = 60 - (whole.len() - labels);
    assert_eq!(cut.tokens, [&whole[..kept], &whole[labels..]].concat());
}
