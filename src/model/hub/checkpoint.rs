//! The one place that shows the whole way of a checkpoint: cached or fetched, file by file.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::{self, CONFIG, LocalRepo, TOKENIZER, TOKENIZER_CONFIG};
use super::remote::{Answer, Failure, Hub, Remote};
use super::settings::Settings;
use super::transfer::{self, ATTEMPTS, Transfer};
use super::{Progress, Request, names};
use crate::checkpoint::weights::{FORMS, forms, shards};
use crate::error::{Error, Result};

/// How much of a repository is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All that a model needs.
    Model,
    /// The tokenizer, for the labels of a bi-encoder.
    Tokenizer,
}

/// A checkpoint that was asked for, with all that is needed to get it.
pub(super) struct Checkpoint<'a> {
    repo: &'a str,
    revision: &'a str,
    wanted: Wanted,
    offline: bool,
    local: LocalRepo,
    hub: Hub,
}

impl<'a> Checkpoint<'a> {
    pub(super) fn new(request: &'a Request, wanted: Wanted) -> Result<Self> {
        let repo = names::repo(&request.repo)?;
        let revision = names::revision(request.revision.as_deref().unwrap_or("main"))?;
        let settings = Settings::from_env()?;
        Ok(Self {
            repo,
            revision,
            wanted,
            offline: request.offline,
            local: LocalRepo::new(&settings.cache, repo, revision),
            hub: Hub::new(&settings, repo),
        })
    }

    pub(super) fn fetch(&self, progress: &dyn Progress) -> Result<PathBuf> {
        let cached = self.local.known_snapshot().filter(|folder| self.is_complete(folder));
        if let Some(folder) = cached.as_ref().filter(|_| self.offline || names::is_commit(self.revision)) {
            return Ok(folder.clone());
        }
        if self.offline {
            return Err(self.not_cached());
        }
        // With something to fall back on, one attempt is enough.
        let attempts = if cached.is_some() { 1 } else { ATTEMPTS };
        match (self.update(attempts, progress), cached) {
            (Ok(folder), _) => Ok(folder),
            (Err(Failure::Final(error)), _) => Err(error),
            (Err(Failure::Passing(reason)), Some(folder)) => {
                progress.note(&format!("{reason}; using the copy of {} in the cache", self.repo));
                Ok(folder)
            }
            (Err(Failure::Passing(reason)), None) => Err(self.unreachable(&reason)),
        }
    }

    pub(super) fn remove_damaged(&self, progress: &dyn Progress) -> Result<()> {
        for blob in self.local.checkable_blobs()? {
            let expected = blob.file_name().unwrap_or_default();
            if transfer::sha256(&blob)?.as_str() != expected {
                fs::remove_file(&blob).map_err(|error| Error::io(&blob, error))?;
                progress.note(&format!("{}: damaged, removed from the cache", blob.display()));
            }
        }
        Ok(())
    }

    /// Asks what the revision stands for, and brings the folder of that commit up to what a model needs.
    fn update(&self, attempts: u32, progress: &dyn Progress) -> Answer<PathBuf> {
        let config = transfer::insist(attempts, || self.hub.describe(self.revision, CONFIG))?;
        let config = config.ok_or_else(|| self.lacks(CONFIG))?;
        let folder = self.local.snapshot(&config.commit);
        if !self.is_complete(&folder) {
            Files { checkpoint: self, commit: &config.commit, folder: &folder, progress }.fetch(&config)?;
        }
        self.local.remember(&config.commit)?;
        Ok(folder)
    }

    fn is_complete(&self, folder: &Path) -> bool {
        match self.wanted {
            Wanted::Model => cache::is_complete(folder),
            Wanted::Tokenizer => cache::has_tokenizer(folder),
        }
    }

    fn not_cached(&self) -> Error {
        let (repo, revision) = (self.repo, self.revision);
        if self.wanted == Wanted::Tokenizer {
            return Error::Hub(format!(
                "the tokenizer of {repo}, which the model's labels need, is not in the cache, and the network is off \
                 (--offline or HF_HUB_OFFLINE): run this once where there is a network"
            ));
        }
        let command = match revision {
            "main" => format!("gliclass download {repo}"),
            _ => format!("gliclass download {repo} --revision {revision}"),
        };
        Error::Hub(format!(
            "{repo} (revision {revision}) is not in the cache, or not whole, and the network is off \
             (--offline or HF_HUB_OFFLINE): run `{command}` once where there is a network"
        ))
    }

    fn lacks(&self, file: &str) -> Error {
        Error::Hub(format!(
            "{} (revision {}) has no {file}: no such repository or revision, or not a model that can be read here",
            self.repo, self.revision
        ))
    }

    fn unreachable(&self, reason: &str) -> Error {
        Error::Hub(format!("{reason}; check the network and HF_ENDPOINT, then run it again ({})", self.repo))
    }
}

/// The files of one commit, on their way into its folder.
struct Files<'a> {
    checkpoint: &'a Checkpoint<'a>,
    commit: &'a str,
    folder: &'a Path,
    progress: &'a dyn Progress,
}

impl Files<'_> {
    /// The weights come last: a folder that has them is whole.
    fn fetch(&self, config: &Remote) -> Answer<()> {
        self.store(CONFIG, config)?;
        if self.checkpoint.wanted == Wanted::Tokenizer {
            self.get(TOKENIZER_CONFIG)?;
            return self.require(TOKENIZER);
        }
        self.require(TOKENIZER)?;
        self.get(TOKENIZER_CONFIG)?;
        if let Some(labels) = cache::label_folder(&self.folder.join(CONFIG))?
            && self.get(&format!("{labels}/{CONFIG}"))?
        {
            self.require(&format!("{labels}/{TOKENIZER}"))?;
            self.get(&format!("{labels}/{TOKENIZER_CONFIG}"))?;
        }
        self.fetch_weights()
    }

    /// The weights in the first form that the repository has, and only in that.
    fn fetch_weights(&self) -> Answer<()> {
        for [whole, index] in FORMS {
            if self.get(whole)? {
                return Ok(());
            }
            if self.get(index)? {
                let shards = shards(&self.folder.join(index))?;
                return shards.iter().try_for_each(|shard| self.require(shard));
            }
        }
        Err(self.checkpoint.lacks(&forms()).into())
    }

    fn require(&self, file: &str) -> Answer<()> {
        if self.get(file)? { Ok(()) } else { Err(self.checkpoint.lacks(file).into()) }
    }

    /// Fetches a file if the repository has it, and says whether.
    fn get(&self, file: &str) -> Answer<bool> {
        let described = transfer::insist(ATTEMPTS, || self.checkpoint.hub.describe(self.commit, file))?;
        let Some(remote) = described else { return Ok(false) };
        self.store(file, &remote)?;
        Ok(true)
    }

    fn store(&self, file: &str, remote: &Remote) -> Answer<()> {
        let Checkpoint { local, hub, .. } = self.checkpoint;
        let blob = local.blob(&remote.etag);
        if !has_size(&blob, remote.size) {
            let lock = local.lock(&remote.etag, self.progress)?;
            // Whoever held the lock may have fetched it.
            if !has_size(&blob, remote.size) {
                self.progress.begin(file, remote.size);
                let url = hub.url(self.commit, file);
                Transfer { hub, progress: self.progress, url, remote, is_alone: lock.is_some() }.run(&blob)?;
            }
        }
        Ok(local.link(&remote.etag, self.commit, file)?)
    }
}

/// Whether a blob is there, and as long as the Hub says.
fn has_size(blob: &Path, size: Option<u64>) -> bool {
    fs::metadata(blob).is_ok_and(|file| size.is_none_or(|size| size == file.len()))
}
