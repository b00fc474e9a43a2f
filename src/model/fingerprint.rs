//! What tells a model from another, cheap enough to look at before every run.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Source, builtin};
use crate::checkpoint::weights;
use crate::digest;
use crate::error::{Error, Result};

/// A file up to this size is read whole, and so is the beginning of a longer one, where its tensors are named.
const WHOLE: u64 = 16 << 20;

/// Of the rest one page is read in so many bytes: training changes every tensor, and a tensor is larger.
const STRIDE: u64 = 1 << 20;

/// Bytes of a page.
const PAGE: u64 = 1 << 12;

/// What a checkpoint's files end in; others have no say in the scores.
const ENDINGS: [&str; 4] = ["json", "safetensors", "bin", "txt"];

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
    let mut files = Vec::new();
    list(folder, Path::new(""), &mut files).map_err(|error| Error::io(folder, error))?;
    // Shards may lie deeper. What is wrong with an index is said where the weights are read.
    let shards = weights::FORMS.iter().filter_map(|[_, index]| weights::shards(&folder.join(index)).ok()).flatten();
    files.extend(shards.map(PathBuf::from).filter(|shard| folder.join(shard).is_file()));
    files.sort();
    files.dedup();
    for file in files {
        let path = folder.join(&file);
        add(&path, &file, &mut hash).map_err(|error| Error::io(path, error))?;
    }
    Ok(digest::hex(hash))
}

/// The files of a checkpoint, and those of the encoder of labels in a folder below it.
fn list(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder.join(below))? {
        let name = below.join(entry?.file_name());
        // The Hub's cache has links. One that leads nowhere, such as an editor's lock, is no file.
        let metadata = match std::fs::metadata(folder.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let ending = name.extension().and_then(|ending| ending.to_str());
        if metadata.is_dir() && below.as_os_str().is_empty() {
            list(folder, &name, files)?;
        } else if metadata.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            files.push(name);
        }
    }
    Ok(())
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
    fn another_file_of_the_model_is_seen_and_a_note_beside_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let print = || fingerprint(&Source::Folder(folder.path().to_owned()), None).unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
        write("config.json", b"{}");
        let mut weights = vec![0_u8; (WHOLE + 3 * STRIDE) as usize];
        write("model.safetensors", &weights);
        let before = print();
        write("README.md", b"a note");
        assert_eq!(print(), before);
        weights[(WHOLE + STRIDE) as usize] = 1;
        write("model.safetensors", &weights);
        let trained = print();
        assert_ne!(trained, before);
        write("config.json", b"{ }");
        assert_ne!(print(), trained);
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

    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_nowhere_is_no_file_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let print = || fingerprint(&Source::Folder(folder.path().to_owned()), None).unwrap();
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let before = print();
        std::os::unix::fs::symlink("somebody@somewhere.1", folder.path().join(".#config.json")).unwrap();
        assert_eq!(print(), before);
    }
}
