//! Files of checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use gliclass::checkpoint::{Config, Weights};
use gliclass::classifier::Classifier;
use gliclass::error::Error;
use gliclass::model::{Model, Options, Source};
use gliclass::records::{Defaults, LabelSet};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::damage::{Edit, damaged, damages, edited, edits};
use super::defaults;
use crate::harness::fixture;

const WEIGHTS: &str = "model.safetensors";
const PICKLE: &str = "pytorch_model.bin";

/// Bytes before the header of safetensors: its length.
const LENGTH: usize = 8;

/// One of the folders with a checkpoint.
fn checkpoint(which: &Index) -> PathBuf {
    let folders = fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    folders.sort();
    which.get(&folders).clone()
}

/// The files of a checkpoint, by their names in its folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let names = ["config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS, PICKLE];
    let names = names.iter().flat_map(|name| [PathBuf::from(name), Path::new("label_model").join(name)]);
    names.filter(|name| folder.join(name).exists()).collect()
}

/// The file with its tensors.
fn weights(folder: &Path) -> &'static Path {
    Path::new(if folder.join(WEIGHTS).exists() { WEIGHTS } else { PICKLE })
}

/// A copy of the checkpoint where `change` changes the file `changed`.
fn copy(from: &Path, changed: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("label_model")).unwrap();
    for name in files(from) {
        let bytes = fs::read(from.join(&name)).unwrap();
        let bytes = if name == changed { change(bytes) } else { bytes };
        fs::write(folder.path().join(&name), bytes).unwrap();
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

fn edited_json(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    edited(value, edits).to_string().into()
}

/// Changes what the header of safetensors says; its length stays true.
fn edited_header(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (length, rest) = bytes.split_at(LENGTH);
    let (header, tensors) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    let header = edited_json(header, edits);
    [&(header.len() as u64).to_le_bytes(), &header[..], tensors].concat()
}

/// A file of safetensors that holds one number under this name.
fn one_tensor(name: &str) -> Vec<u8> {
    let header = json!({ name: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat()
}

fn is_json(name: &Path) -> bool {
    name.extension().is_some_and(|ending| ending == "json")
}

/// A copy of the checkpoint with other settings in its config.
fn with_settings(name: &str, change: impl Fn(&mut Value)) -> TempDir {
    copy(&fixture(name), Path::new("config.json"), |bytes| {
        let mut config: Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut config);
        config.to_string().into()
    })
}

fn load(folder: &TempDir) -> gliclass::Result<Model> {
    Model::load(&Source::Folder(folder.path().to_owned()), &Options::default())
}

/// The logits of a text by the model in this folder.
fn logits(folder: &TempDir) -> Vec<f32> {
    let model = load(folder).unwrap();
    let encoded = model.encode(&defaults().record("One day I will see the world".into()).unwrap()).unwrap();
    model.logits(&[encoded], 1).unwrap().remove(0)
}

#[test]
fn a_kind_of_positions_that_transformers_no_longer_knows_changes_nothing() {
    let with = |kind: &str| {
        logits(&with_settings("uni-electra", |config| {
            config["encoder_config"]["position_embedding_type"] = kind.into()
        }))
    };
    assert_eq!(with("relative_key_query"), with("absolute"));
}

#[test]
fn memory_is_not_taken_for_layers_that_are_not_there() {
    for (count, expected) in [(1000, "is missing"), (1_u64 << 40, "num_layers is 1099511627776, not from 1 to 1000")] {
        let folder = with_settings("encdec-t5-gated-lstm", |config| {
            for name in ["num_layers", "num_decoder_layers"] {
                config["encoder_config"][name] = count.into();
            }
        });
        let error = load(&folder).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn memory_is_not_taken_for_distances_that_no_text_has() {
    let folder = with_settings("uni-modernbert-avg-mlp-tanh", |config| {
        config["encoder_config"]["max_position_embeddings"] = (1_u64 << 40).into();
    });
    assert!(logits(&folder)[0].is_finite());
    let folder = with_settings("uni-umt5-layers-mlp", |config| {
        config["encoder_config"]["relative_attention_max_distance"] = 10_000_000_000_000_u64.into();
    });
    let error = load(&folder).err().unwrap().to_string();
    assert!(error.contains("relative_attention_max_distance 10000000000000 is more than"), "{error}");
}

#[test]
fn the_scorer_of_a_decoder_kv_is_for_that_alone() {
    let set = |config: &mut Value| config["scorer_type"] = "decoder-kv".into();
    load(&with_settings("decoderkv-halts", set)).unwrap();
    let error = load(&with_settings("uni-electra", set)).err().unwrap().to_string();
    assert!(error.contains("`decoder-kv` is only for the architecture of that name"), "{error}");
}

#[test]
fn a_calibrator_has_as_many_outputs_as_its_config_says() {
    let folder =
        with_settings("bi-bert-bert-hopfield-calibrator", |config| config["calibrator_use_bias"] = true.into());
    let error = load(&folder).err().unwrap().to_string();
    assert!(error.contains("calibrator.mlp.6"), "{error}");
}

#[test]
fn markers_that_are_other_tokens_than_the_config_says_are_told_when_the_model_is_loaded() {
    let names =
        ["uni-deberta-extract-classavg", "fused-bert-roberta-max-textfirst", "encdec-t5-gated-lstm", "decoderkv-halts"];
    for (name, id) in names.into_iter().flat_map(|name| [5, 1 << 40].map(|id: u64| (name, id))) {
        let folder = with_settings(name, |config| config["class_token_index"] = id.into());
        let error = load(&folder).err().unwrap();
        assert!(matches!(error, Error::Model { .. }), "{name}: {error}");
        assert!(error.to_string().contains("<<LABEL>> is the token"), "{name}: {error}");
    }
    // The texts of others have no markers.
    load(&with_settings("bi-bert-bert-avg-norm-mlp", |config| config["class_token_index"] = 5.into())).unwrap();
}

#[test]
fn markers_without_a_word_embedding_are_told_when_the_model_is_loaded() {
    for name in ["uni-deberta-extract-classavg", "decoderkv-halts"] {
        let folder = copy(&fixture(name), Path::new("tokenizer.json"), |tokenizer| {
            let mut json: Value = serde_json::from_slice(&with_zebra(tokenizer)).unwrap();
            for token in json["added_tokens"].as_array_mut().unwrap() {
                match token["content"].as_str() {
                    Some("<<LABEL>>") => token["content"] = "no label".into(),
                    Some("zebra") => token["content"] = "<<LABEL>>".into(),
                    _ => {}
                }
            }
            json.to_string().into()
        });
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        // Twenty words behind the last of the three markers.
        config["class_token_index"] = (config["class_token_index"].as_u64().unwrap() + 22).into();
        fs::write(path, config.to_string()).unwrap();
        let error = load(&folder).err().unwrap().to_string();
        assert!(error.contains("tokenizer.json: token id") && error.contains("vocabulary"), "{name}: {error}");
    }
}

#[test]
fn shards_may_lie_in_a_folder_below_their_index() {
    let folder = copy(&fixture("uni-electra"), Path::new(""), |bytes| bytes);
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("parts")).unwrap();
    fs::rename(path(WEIGHTS), path("parts/model-1.safetensors")).unwrap();
    let index = r#"{"weight_map": {"a": "parts/model-1.safetensors"}}"#;
    fs::write(path("model.safetensors.index.json"), index).unwrap();
    load(&folder).unwrap();
}

#[test]
fn weights_of_pytorch_may_be_in_shards() {
    let folder = copy(&fixture("uni-format-pickle"), Path::new(""), |bytes| bytes);
    let whole = logits(&folder);
    let path = |name: &str| folder.path().join(name);
    fs::copy(path(PICKLE), path("first.bin")).unwrap();
    fs::rename(path(PICKLE), path("second.bin")).unwrap();
    let index = r#"{"weight_map": {"a": "first.bin", "b": "second.bin"}}"#;
    fs::write(path("pytorch_model.bin.index.json"), index).unwrap();
    assert_eq!(logits(&folder), whole);
    fs::rename(path("second.bin"), path("elsewhere.bin")).unwrap();
    let error = load(&folder).err().unwrap().to_string();
    assert!(error.contains("second.bin"), "{error}");
    fs::rename(path("elsewhere.bin"), path("second.bin")).unwrap();
    fs::write(path("first.bin"), b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.").unwrap();
    let error = load(&folder).err().unwrap().to_string();
    assert!(error.contains("first.bin: in the form of PyTorch before 1.6"), "{error}");
}

#[test]
fn a_pointer_of_git_lfs_is_told_in_the_place_of_any_file() {
    for (name, file) in [
        ("uni-electra", "config.json"),
        ("uni-electra", "tokenizer.json"),
        ("uni-electra", WEIGHTS),
        ("uni-format-pickle", PICKLE),
        ("bi-bert-bert-avg-norm-mlp", "label_model/tokenizer.json"),
    ] {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 577000000\n";
        let folder = copy(&fixture(name), Path::new(file), |_| pointer.into());
        let error = load(&folder).err().unwrap().to_string();
        assert!(error.contains("run `git lfs pull` in its folder"), "{file}: {error}");
    }
}

/// The same tokenizer with the word `zebra` far behind all others.
fn with_zebra(tokenizer: Vec<u8>) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&tokenizer).unwrap();
    let added = json["added_tokens"].as_array_mut().unwrap();
    let last = added.iter().map(|token| token["id"].as_u64().unwrap()).max().unwrap();
    let words = (1..20).map(|number| format!("between{number}")).chain(["zebra".to_owned()]);
    for (word, id) in words.zip(last + 1..) {
        let mut token = added[0].clone();
        (token["content"], token["special"], token["id"]) = (word.into(), false.into(), id.into());
        added.push(token);
    }
    json.to_string().into()
}

#[test]
fn a_word_that_the_model_has_no_vector_for_is_an_error_of_its_record_alone() {
    for (name, file, is_label) in [
        ("uni-deberta-extract-classavg", "tokenizer.json", false),
        ("uni-deberta-extract-classavg", "tokenizer.json", true),
        ("encdec-t5-gated-lstm", "tokenizer.json", true),
        ("bi-bert-bert-avg-norm-mlp", "tokenizer.json", false),
        ("bi-bert-bert-avg-norm-mlp", "label_model/tokenizer.json", true),
    ] {
        let folder = copy(&fixture(name), Path::new(file), with_zebra);
        let model = load(&folder).unwrap();
        let encode = |word: &str| {
            let (text, label) = if is_label { ("the text", word) } else { (word, "the label") };
            let labels = LabelSet::flat(vec![label.to_owned()]).unwrap();
            let defaults = Defaults { labels: Some(labels.into()), ..Defaults::default() };
            model.encode(&defaults.record(text.to_owned()).unwrap())
        };
        assert!(encode("horse").is_ok(), "{name}");
        let error = encode("zebra").unwrap_err();
        assert!(matches!(error, Error::Record(_)) && error.to_string().contains("vocabulary"), "{name}: {error}");
    }
}

proptest! {
    #[test]
    fn configs_are_parsed(which in any::<Index>(), edits in edits(), damages in damages()) {
        let good = fs::read(checkpoint(&which).join("config.json")).unwrap();
        let bad = damaged(edited_json(&good, &edits), usize::MAX, &damages);
        if let Ok(text) = String::from_utf8(bad) {
            drop(Config::parse(&text, Path::new("config.json")));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    #[test]
    fn a_model_with_other_words_in_a_file_is_loaded_or_refused(
        which in any::<Index>(), file in any::<Index>(), edits in edits(),
    ) {
        let good = checkpoint(&which);
        let mut names = files(&good);
        names.retain(|name| is_json(name));
        ask(copy(&good, file.get::<PathBuf>(&names), |bytes| edited_json(&bytes, &edits)).path());
    }

    #[test]
    fn a_model_with_a_damaged_file_is_loaded_or_refused(
        which in any::<Index>(), file in any::<Index>(), damages in damages(),
    ) {
        let good = checkpoint(&which);
        let names = files(&good);
        ask(copy(&good, file.get::<PathBuf>(&names), |bytes| damaged(bytes, usize::MAX, &damages)).path());
    }

    #[test]
    fn a_model_with_other_tensors_is_loaded_or_refused(which in any::<Index>(), edits in edits()) {
        ask(copy(&checkpoint(&which), Path::new(WEIGHTS), |bytes| edited_header(&bytes, &edits)).path());
    }

    #[test]
    fn a_model_whose_tensors_are_damaged_where_they_are_named_is_loaded_or_refused(
        which in any::<Index>(), length in any::<bool>(), damages in damages(),
    ) {
        let size = if length { LENGTH } else { 4096 };
        let good = checkpoint(&which);
        ask(copy(&good, weights(&good), |bytes| damaged(bytes, size, &damages)).path());
    }

    #[test]
    fn a_model_with_a_damaged_pickle_is_loaded_or_refused(damages in damages()) {
        let good = fixture("uni-format-pickle");
        ask(copy(&good, Path::new(PICKLE), |bytes| damaged(bytes, 4096, &damages)).path());
    }

    #[test]
    fn an_index_of_shards_never_leads_out_of_its_folder(damages in damages(), edits in edits()) {
        let (above, index) = (TempDir::new().unwrap(), "model.safetensors.index.json");
        let good = br#"{"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"../model-2.safetensors"}}"#;
        let folder = above.path().join("model");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(index), damaged(edited_json(good, &edits), usize::MAX, &damages)).unwrap();
        fs::write(folder.join("model-1.safetensors"), one_tensor("inside")).unwrap();
        fs::write(above.path().join("model-2.safetensors"), one_tensor("outside")).unwrap();
        prop_assert!(!Weights::open(&folder).is_ok_and(|weights| weights.all().contains_key("outside")));
    }
}
