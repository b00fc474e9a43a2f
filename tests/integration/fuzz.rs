//! Damaged input of every kind: an error that says so, or an answer, but never a panic.
//!
//! Each target takes good files and damages them at random. A few hundred cases run with the other tests;
//! more with `PROPTEST_CASES=100000 cargo test --release --test integration fuzz`. A case that fails is kept
//! in `tests/proptest-regressions` and tried first from then on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gliclass::checkpoint::{Config, Weights};
use gliclass::classifier::Classifier;
use gliclass::model::{Model, Options, Source};
use gliclass::records::{Defaults, LabelSet, csv, jsonl, labels};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

const RECORDS: &str = concat!(
    "\u{feff}{\"text\":\"One\",\"labels\":{\"a\":[\"b\",\"c\"],\"d\":\"e\"},\"n\":1.0e5}\r\n\n",
    "{\"text\":\"\\ud83d\\ude00\",\"prompt\":\"p\",\"examples\":[{\"text\":\"x\",\"labels\":[\"b\"]}],\"truncated\":0}\n",
    "{ \"id\" : 12345678901234567890 , \"text\" : \"b\" , \"text\" : \"c\" , \"rac_examples\" : [{\"text\":\"r\"}] }",
);

const TABLE: &str = "\u{feff}id,text,\"predicted_labels\"\r\n1,\"a \"\"b\"\",\nc\",x\r\n2,plain,\r\n\r\n3,\"open";

const LABELS: &str = "{\"travel\": [\"flights\", \"hotels\"], \"sport\": {\"ball\": [\"football\"]}, \"x\": \"y\"}";

/// What readers look for.
const WORDS: [&str; 20] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "null",
    "-1",
    "1e999",
    "\"text\"",
    "\"labels\"",
    "99999999999999999999",
    "\u{fffd}",
    "0",
];

/// One way to damage a file.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Insert(Index, usize),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        (any::<Index>(), 0..WORDS.len()).prop_map(|(place, word)| Damage::Insert(place, word)),
        (any::<Index>(), 1..40_usize).prop_map(|(place, count)| Damage::Remove(place, count)),
        (any::<Index>(), 1..40_usize).prop_map(|(place, count)| Damage::Repeat(place, count)),
    ];
    proptest::collection::vec(one, 0..6)
}

/// Damages the first `size` bytes.
fn damaged(mut bytes: Vec<u8>, size: usize, damages: &[Damage]) -> Vec<u8> {
    let rest = bytes.split_off(size.min(bytes.len()));
    for damage in damages {
        let place = |index: &Index| index.index(bytes.len().max(1)).min(bytes.len());
        match damage {
            Damage::Set(index, byte) => {
                let place = place(index);
                bytes.get_mut(place).into_iter().for_each(|found| *found = *byte);
            }
            Damage::Insert(index, word) => {
                let place = place(index);
                bytes.splice(place..place, WORDS[*word].bytes());
            }
            Damage::Remove(index, count) => {
                let place = place(index);
                bytes.drain(place..(place + count).min(bytes.len()));
            }
            Damage::Repeat(index, count) => {
                let place = place(index);
                let part = bytes[place..(place + count).min(bytes.len())].to_vec();
                bytes.splice(place..place, part);
            }
        }
    }
    [bytes, rest].concat()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

fn defaults() -> Defaults {
    let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
    Defaults { labels, label_separator: ".".into(), ..Defaults::default() }
}

/// A copy of a checkpoint with one of its files damaged.
fn checkpoint(name: &str, file: &str, size: usize, damages: &[Damage]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for part in ["config.json", "tokenizer.json", "model.safetensors"] {
        let mut bytes = fs::read(fixture(name).join(part)).unwrap();
        if part == file {
            bytes = damaged(bytes, size, damages);
        }
        fs::write(folder.path().join(part), bytes).unwrap();
    }
    folder
}

/// Loads a model, if it is one, and asks it something.
fn ask(folder: &Path) {
    let options = Options { max_length: 64, ..Options::default() };
    let Ok(model) = Model::load(&Source::Folder(folder.to_owned()), &options) else { return };
    let record = defaults().record("One day I will see the world".into()).unwrap();
    if let Ok(encoded) = model.encode(&record) {
        drop(model.logits(&[encoded], 1));
    }
}

const CHECKPOINTS: [&str; 4] =
    ["uni-electra", "uni-deberta-lstm", "uni-deberta-crossattn", "uni-modernbert-avg-mlp-tanh"];

proptest! {
    #[test]
    fn jsonl_is_read_and_written_back(damages in damages()) {
        let bytes = damaged(RECORDS.into(), usize::MAX, &damages);
        let reading = jsonl::Reading { text_field: "text".into(), defaults: defaults() };
        let mut out = Vec::new();
        for entry in jsonl::Reader::new(&bytes[..], "in.jsonl", reading) {
            entry.unwrap().raw.write(&[("predictions", "[]".into()), ("truncated", "true".into())], &mut out);
        }
        for line in String::from_utf8(out).unwrap().trim_start_matches('\u{feff}').lines() {
            // Half a surrogate pair in a field that is not ours passes through: it is the grammar that must hold.
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok(), "{}", line);
        }
    }

    #[test]
    fn csv_is_read_and_written_back(damages in damages()) {
        let bytes = damaged(TABLE.into(), usize::MAX, &damages);
        if let Ok(reader) = csv::Reader::new(&bytes[..], "in.csv", b',', "text", defaults()) {
            let columns = csv::Columns::new(reader.header(), &["predicted_labels".into()], reader.dialect());
            let mut out = Vec::new();
            columns.write_header(&mut out);
            for entry in reader {
                columns.write(&entry.unwrap().raw, &["x".into()], &mut out);
            }
        }
    }

    #[test]
    fn label_files_are_read(damages in damages(), text in any::<bool>()) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("labels");
        let good = if text { "travel\n sport\r\n\n\u{feff}dreams" } else { LABELS };
        fs::write(&path, damaged(good.into(), usize::MAX, &damages)).unwrap();
        drop(labels::from_file(&path, ".", false));
        drop(labels::from_file(&path, ".", true));
        if let Ok(text) = fs::read_to_string(&path) {
            drop(labels::from_options(&[text]));
        }
        drop(labels::examples_from_file::<gliclass::records::Example>(Some(&path)));
    }

    #[test]
    fn configs_are_parsed(damages in damages(), which in 0..CHECKPOINTS.len()) {
        let good = fs::read(fixture(CHECKPOINTS[which]).join("config.json")).unwrap();
        if let Ok(text) = String::from_utf8(damaged(good, usize::MAX, &damages)) {
            drop(Config::parse(&text, Path::new("config.json")));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn a_model_with_a_damaged_config_is_loaded_or_refused(damages in damages(), which in 0..CHECKPOINTS.len()) {
        ask(checkpoint(CHECKPOINTS[which], "config.json", usize::MAX, &damages).path());
    }

    #[test]
    fn a_model_with_damaged_weights_is_loaded_or_refused(damages in damages(), which in 0..CHECKPOINTS.len()) {
        // Most of the damage is done where the tensors are named.
        ask(checkpoint(CHECKPOINTS[which], "model.safetensors", 4096, &damages).path());
    }

    #[test]
    fn a_model_with_a_damaged_tokenizer_is_loaded_or_refused(damages in damages(), which in 0..CHECKPOINTS.len()) {
        ask(checkpoint(CHECKPOINTS[which], "tokenizer.json", usize::MAX, &damages).path());
    }

    #[test]
    fn an_index_of_shards_never_leads_out_of_its_folder(damages in damages()) {
        let folder = TempDir::new().unwrap();
        let index = br#"{"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"../model-2.safetensors"}}"#;
        let bytes = damaged(index.to_vec(), usize::MAX, &damages);
        fs::write(folder.path().join("model.safetensors.index.json"), bytes).unwrap();
        prop_assert!(Weights::open(folder.path()).is_err());
    }
}
