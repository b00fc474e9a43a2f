//! A file of a checkpoint, opened: what Git leaves in its place is told from it.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::Path;

use crate::error::{Error, Result};

/// What a file begins with that Git leaves where Git LFS is to bring the content, and does not.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Opens a file of a checkpoint.
///
/// # Errors
/// It is not there, cannot be opened, or is only a pointer of Git LFS.
pub(super) fn open(path: &Path) -> Result<File> {
    let failed = |error| failed(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(POINTER.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start == POINTER {
        return Err(Error::model(path, "a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"));
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// The text of a file of a checkpoint.
///
/// # Errors
/// As for [`open`], or it is no text.
pub(crate) fn read(path: &Path) -> Result<String> {
    io::read_to_string(open(path)?).map_err(|error| failed(path, error))
}

/// What is said where a file of a checkpoint cannot be read.
fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::model(path, "is not there, and the model needs it: fetch it, too"),
        ErrorKind::IsADirectory => Error::model(path, "is a folder where the model needs a file: fetch the file"),
        ErrorKind::InvalidData => Error::model(path, format!("not UTF-8: {}", fetch_again(path))),
        _ => Error::io(path, error),
    }
}

/// What to do about a file that is damaged. One in the cache of the Hub is looked at again only by `download`.
pub(super) fn fetch_again(path: &Path) -> String {
    match cached_repo(path).filter(|_| cfg!(feature = "hub")) {
        Some(repo) => format!("fetch it again with `gliclass download {repo}`"),
        None => "fetch it again".into(),
    }
}

/// The repository whose file this is, if it lies in the cache of the Hub: below `models--OWNER--NAME/snapshots`.
fn cached_repo(path: &Path) -> Option<String> {
    let names: Vec<&str> = path.iter().filter_map(OsStr::to_str).collect();
    let folder = names.windows(2).rev().find(|pair| pair[1] == "snapshots")?[0];
    folder.strip_prefix("models--").map(|repo| repo.replace("--", "/"))
}

/// What is said of a file of a checkpoint that is to be JSON and is none.
pub(crate) fn invalid_json(path: &Path, error: impl Display) -> Error {
    Error::model(path, format!("not JSON: {error}: mend it, or fetch it again"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::checkpoint::Weights;

    #[test]
    fn a_file_that_is_not_there_is_told_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&folder.path().join("tokenizer.json")).unwrap_err().to_string();
        assert!(error.ends_with("tokenizer.json: is not there, and the model needs it: fetch it, too"), "{error}");
    }

    #[test]
    fn what_is_no_text_and_what_is_no_file_are_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, b"{\xff}").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("config.json: not UTF-8: fetch it again"), "{error}");
        if cfg!(unix) {
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.ends_with(": is a folder where the model needs a file: fetch the file"), "{error}");
        }
    }

    #[test]
    fn damaged_weights_of_the_hub_are_told_with_the_command_that_fetches_them() {
        let folder = tempfile::tempdir().unwrap();
        for (name, remedy) in [
            ("hub/models--o--m/snapshots/0a1b", "; fetch it again with `gliclass download o/m`"),
            ("hub/models--plain/snapshots/0a1b", "; fetch it again with `gliclass download plain`"),
            ("mine", "; fetch it again"),
            ("snapshots/mine", "; fetch it again"),
        ] {
            let folder = folder.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("model.safetensors"), "cut").unwrap();
            let remedy = if cfg!(feature = "hub") { remedy } else { "; fetch it again" };
            let error = Weights::open(&folder).err().unwrap().to_string();
            assert!(error.contains("damaged or cut short") && error.ends_with(remedy), "{error}");
        }
    }
}
