//! What tells a model from another, cheap enough to look at before every run.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Source, builtin};
use crate::checkpoint::{self, config, weights};
use crate::digest;
use crate::error::{Error, Result};

/// A file up to this size is read whole, and so is the beginning of a longer one, where its tensors are named.
const WHOLE: u64 = 16 << 20;

/// Of the rest one page is read in so many bytes: training changes every tensor, and a tensor is larger.
const STRIDE: u64 = 1 << 20;

/// Bytes of a page.
const PAGE: u64 = 1 << 12;

/// What a checkpoint has beside its weights. Nothing else in its folder has a say in the scores, and what a run writes
/// there must not look like another model.
const NAMES: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

/// A SHA-256 over the files of a model: names, sizes and contents; with another one for what its labels have in a
/// folder of their own.
///
/// Files above 16 MiB are sampled, 4 KiB of every MiB behind the first 16: another training is seen, a
/// single weight that was changed by hand may not be.
///
/// # Errors
/// A file cannot be read.
pub fn fingerprint(source: &Source, labels: Option<&Path>) -> Result<String> {
    let model = match source {
        Source::Builtin => digest::hex(builtin::contents().iter().fold(Sha256::new(), Sha256::chain_update)),
        Source::Folder(folder) => of_folder(folder)?,
    };
    match labels {
        Some(folder) => Ok(format!("{model} {}", of_folder(folder)?)),
        None => Ok(model),
    }
}

fn of_folder(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let below = ["".to_owned(), label_folder_of(folder)];
    let names = NAMES.into_iter().chain(weights::FORMS.into_iter().flatten());
    let mut files: Vec<PathBuf> =
        names.flat_map(|name| below.iter().map(move |below| Path::new(below).join(name))).collect();
    // What is wrong with an index is said where the weights are read.
    let shards = weights::FORMS.iter().filter_map(|[_, index]| weights::shards(&folder.join(index)).ok()).flatten();
    files.extend(shards.map(PathBuf::from));
    files.retain(|file| folder.join(file).is_file());
    files.sort();
    files.dedup();
    for file in files {
        let path = folder.join(&file);
        add(&path, &file, &mut hash).map_err(|error| Error::io(path, error))?;
    }
    Ok(digest::hex(hash))
}

/// Where the encoder of labels has its files, if there are any. What is wrong with the config is said where it is read.
fn label_folder_of(folder: &Path) -> String {
    let config = checkpoint::read(&folder.join("config.json")).unwrap_or_default();
    let config: Value = serde_json::from_str(&config).unwrap_or_default();
    let name = config["label_model_name"].as_str().and_then(|name| config::label_folder(name).ok());
    name.unwrap_or("label_model").to_owned()
}

fn add(path: &Path, name: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    hash.update(name.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(size.to_le_bytes());
    digest::add_all(file.by_ref().take(WHOLE), hash)?;
    for start in (WHOLE..size).step_by(STRIDE as usize) {
        file.seek(SeekFrom::Start(start))?;
        digest::add_all(file.by_ref().take(PAGE), hash)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn another_file_of_the_model_is_seen_and_what_else_lies_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let print = || fingerprint(&Source::Folder(folder.path().to_owned()), None).unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
        write("config.json", b"{}");
        let mut weights = vec![0_u8; (WHOLE + 3 * STRIDE) as usize];
        write("model.safetensors", &weights);
        let before = print();
        std::fs::create_dir(folder.path().join("label_model")).unwrap();
        for foreign in ["README.md", "out.json", "log.txt", "label_model/out.bin"] {
            write(foreign, b"written by a run");
            assert_eq!(print(), before, "{foreign}");
        }
        weights[(WHOLE + STRIDE) as usize] = 1;
        write("model.safetensors", &weights);
        let trained = print();
        assert_ne!(trained, before);
        write("config.json", b"{ }");
        assert_ne!(print(), trained);
        write("config.json", br#"{"label_model_name": "./of/labels"}"#);
        std::fs::create_dir_all(folder.path().join("of/labels")).unwrap();
        let without = print();
        write("of/labels/tokenizer.json", b"{}");
        assert_ne!(print(), without);
    }

    #[test]
    fn another_shard_is_seen_however_deep_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let print = || fingerprint(&Source::Folder(folder.path().to_owned()), None).unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        write("model.safetensors.index.json", r#"{"weight_map": {"x": "a/b/1.safetensors", "y": "2.safetensors"}}"#);
        write("2.safetensors", "second");
        let without = print();
        write("a/b/1.safetensors", "first");
        let before = print();
        assert_ne!(before, without);
        write("a/b/1.safetensors", "other");
        assert_ne!(print(), before);
    }
}
