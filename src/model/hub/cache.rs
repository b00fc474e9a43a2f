//! The cache on disk: `models--owner--name/{blobs,refs,snapshots}`, as Python's `huggingface_hub` keeps it.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde_json::Value;

use super::{Progress, names};
use crate::checkpoint::weights::{FORMS, shards};
use crate::checkpoint::{self, config};
use crate::error::{Error, Result};
use crate::files;

/// The cache of one repository, seen at one revision.
pub(super) struct LocalRepo {
    repo: CacheRepo,
    locks: PathBuf,
    revision: String,
}

impl LocalRepo {
    pub(super) fn new(cache: &Path, repo: &str, revision: &str) -> Self {
        let described = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
        let locks = cache.join(".locks").join(described.folder_name());
        let repo = Cache::new(cache.to_owned()).repo(described);
        Self { repo, locks, revision: revision.to_owned() }
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// The folder that the revision stood for when it was last asked.
    pub(super) fn known_snapshot(&self) -> Option<PathBuf> {
        if names::is_commit(&self.revision) {
            return Some(self.snapshot(&self.revision));
        }
        self.repo.get(CONFIG)?.parent().map(Path::to_owned)
    }

    /// Remembers what the revision stands for. Last of all, so that offline use never sees half a checkpoint.
    pub(super) fn remember(&self, commit: &str) -> Result<()> {
        if self.revision == commit {
            return Ok(());
        }
        self.repo.create_ref(commit).map_err(|error| Error::io(self.snapshot(commit), error))
    }

    /// Where the content with this etag is kept.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.repo.blob_path(etag)
    }

    /// The contents whose names are their SHA-256.
    pub(super) fn checkable_blobs(&self) -> Result<Vec<PathBuf>> {
        let folder = self.blob("");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(folder, error)),
        };
        let mut blobs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&folder, error))?;
            if entry.file_name().to_str().is_some_and(names::is_sha256) {
                blobs.push(entry.path());
            }
        }
        Ok(blobs)
    }

    /// Keeps other processes, Python's too, from fetching the same content meanwhile. None where the file system knows
    /// no locks, as some network file systems do not: then each fetches for itself, and the last rename wins.
    pub(super) fn lock(&self, etag: &str, progress: &dyn Progress) -> Result<Option<File>> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                progress.note("waiting for another process that fetches the same file");
                file.lock().map_err(|error| Error::io(&path, error))?;
            }
            Err(TryLockError::Error(_)) => return Ok(None),
            Ok(()) => {}
        }
        Ok(Some(file))
    }

    /// Makes `file` of a commit's folder show a blob: a relative link, or a copy where there are no links.
    pub(super) fn link(&self, etag: &str, commit: &str, file: &str) -> Result<()> {
        let pointer = self.snapshot(commit).join(file);
        create_parent(&pointer)?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        if fs::read_link(&pointer).is_ok_and(|old| old == target) {
            return Ok(());
        }
        files::remove(&pointer).map_err(|error| Error::io(&pointer, error))?;
        match symlink(&target, &pointer) {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(_) => self.copy(etag, &pointer),
            Ok(()) => Ok(()),
        }
    }

    /// Puts the content of a blob where a link would be: in one step, since a file that is there counts as whole.
    fn copy(&self, etag: &str, pointer: &Path) -> Result<()> {
        files::replace_with(pointer, |new| fs::copy(self.blob(etag), new).map(drop))
            .map_err(|error| Error::io(pointer, error))
    }
}

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Whether a commit's folder holds all that a model needs. Weights are fetched last, so with them all is there.
pub(super) fn is_complete(snapshot: &Path) -> bool {
    let has = |file: &str| snapshot.join(file).is_file();
    let has_shards = |index: &str| shards(&snapshot.join(index)).is_ok_and(|files| files.iter().all(|file| has(file)));
    let has_weights = || FORMS.iter().any(|[whole, index]| has(whole) || has_shards(index));
    has(CONFIG) && has(TOKENIZER) && has_weights()
}

/// Whether a commit's folder holds a tokenizer, which is fetched after what belongs to it.
pub(super) fn has_tokenizer(snapshot: &Path) -> bool {
    snapshot.join(CONFIG).is_file() && snapshot.join(TOKENIZER).is_file()
}

/// The folder of a bi-encoder's label model inside the repository, if the config names one that could be.
pub(super) fn label_folder(config: &Path) -> Result<Option<String>> {
    let settings = config::settings(&checkpoint::read(config)?, config)?;
    let name = settings.get("label_model_name").and_then(Value::as_str);
    Ok(name.and_then(|name| config::label_folder(name).ok()).map(str::to_owned))
}

/// Makes the folder that a file lies in.
pub(super) fn create_parent(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))
}

#[cfg(unix)]
fn symlink(target: &Path, pointer: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

#[cfg(windows)]
fn symlink(target: &Path, pointer: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, pointer)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _pointer: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_in_the_place_of_a_link_is_whole_or_not_there() {
        let cache = tempfile::tempdir().unwrap();
        let local = LocalRepo::new(cache.path(), "owner/name", "main");
        let pointer = local.snapshot("commit").join("model.safetensors");
        create_parent(&local.blob("etag")).unwrap();
        create_parent(&pointer).unwrap();
        assert!(local.copy("etag", &pointer).is_err());
        assert!(!pointer.exists());
        fs::write(local.blob("etag"), "numbers").unwrap();
        local.copy("etag", &pointer).unwrap();
        assert_eq!(fs::read(&pointer).unwrap(), b"numbers");
        assert_eq!(fs::read_dir(local.snapshot("commit")).unwrap().count(), 1);
    }
}
