//! Checkpoints of the Hugging Face Hub, in its standard cache, which Python programs share.
//!
//! # Why hf-hub 0.5, and why only half of it
//!
//! Both were tried against the imitation of the Hub in `tests/integration`.
//!
//! hf-hub 1.0.0 brings some 290 crates (an async runtime, the Xet protocol). A transfer cut in the middle
//! is an error, and the next try begins at the first byte; a file with a damaged byte, or one shorter than
//! the Hub announced, is taken as good; `HF_HUB_OFFLINE` is not read, so a cached file still costs a request.
//!
//! hf-hub 0.5 on `ureq` with rustls brings 57 crates and needs no OpenSSL. Its blocking download fails with
//! a missing header wherever an answer lacks `Content-Range` (its issue 141), and checks no checksum.
//!
//! So the layout of the cache comes from hf-hub 0.5, and the transfer is written here on `ureq`, the client
//! that hf-hub brings anyway: resumed where it broke, checked, the token never sent to another host.
//!
//! ```text
//! names -> settings -> cache: complete? -> remote: one HEAD -> transfer: the files -> cache: links
//! ```

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::checkpoint::config::label_folder;
use crate::checkpoint::read;
use crate::error::{Error, Result};

#[cfg(feature = "hub")]
mod cache;
#[cfg(feature = "hub")]
mod checkpoint;
#[cfg(feature = "hub")]
mod names;
#[cfg(feature = "hub")]
mod remote;
#[cfg(feature = "hub")]
mod settings;
#[cfg(feature = "hub")]
mod transfer;

/// Which checkpoint of the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The repository: `owner/name`, or `name` alone.
    pub repo: String,
    /// Branch, tag or commit; `main` where nothing is said.
    pub revision: Option<String>,
    /// Never touch the network.
    pub offline: bool,
}

/// What to give in the place of a name that no repository of the Hub has: for the address of a page, as a browser shows
/// it, the repository that the page is about.
pub fn right_name(given: &str) -> &str {
    repo_of_page(given).unwrap_or("OWNER/NAME, such as knowledgator/gliclass-base-v3.0")
}

fn repo_of_page(address: &str) -> Option<&str> {
    /// Pages of other things than models begin so.
    const OTHERS: [&str; 5] = ["collections", "datasets", "docs", "papers", "spaces"];
    let path = address.strip_prefix("https://").unwrap_or(address).strip_prefix("huggingface.co/")?;
    let mut ends = path.match_indices(['/', '?', '#']).map(|(place, _)| place);
    let owner_end = ends.next().filter(|&place| path[place..].starts_with('/'))?;
    let repo = &path[..ends.next().unwrap_or(path.len())];
    (owner_end > 0 && repo.len() > owner_end + 1 && !OTHERS.contains(&&path[..owner_end])).then_some(repo)
}

/// Who watches a download. Calls come from one thread, in the order: `begin`, `at`..., `finish`.
pub trait Progress {
    /// A file begins: its name in the repository and its size in bytes where the Hub gives it.
    fn begin(&self, file: &str, size: Option<u64>);
    /// So many bytes of the file are on disk.
    fn at(&self, bytes: u64);
    /// The file is complete and checked.
    fn finish(&self);
    /// Something that the reader should know.
    fn note(&self, message: &str);
}

/// The folder of a checkpoint in the cache, fetched where it is not yet there.
///
/// The folder holds `config.json`, `tokenizer.json`, `tokenizer_config.json` where there is one, the
/// weights in one form, and what the label model of a bi-encoder needs. The network stays untouched
/// when all of it is cached and the revision is a commit or the request is offline; otherwise one
/// call asks what the revision stands for. Without a network, or where it fails on the way, what is
/// cached is used, with a note.
///
/// # Errors
/// The repository or revision is missing, gated or not cached while offline; the Hub cannot be
/// reached; what arrived is not what the Hub announced; the cache cannot be written.
#[cfg(feature = "hub")]
pub fn fetch(request: &Request, progress: &dyn Progress) -> Result<PathBuf> {
    checkpoint::Checkpoint::new(request, checkpoint::Wanted::Model)?.fetch(progress)
}

/// Fetches the label tokenizer of the bi-encoder in `folder` where its config names a repository, and says
/// where it is: none where there is no such name, or the tokenizer lies in a folder beside the checkpoint.
///
/// # Errors
/// As [`fetch`], for that repository; the config cannot be read, or its name leads elsewhere.
pub fn fetch_label_tokenizer(folder: &Path, offline: bool, progress: &dyn Progress) -> Result<Option<PathBuf>> {
    let path = folder.join("config.json");
    let text = read(&path)?;
    // Whoever loads the model says what else is wrong with its config.
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    let bi_encoder = config["architecture_type"].as_str().is_some_and(|kind| kind.starts_with("bi-encoder"));
    let Some(name) = config["label_model_name"].as_str().filter(|_| bi_encoder) else { return Ok(None) };
    label_folder(name).map_err(|message| Error::model(&path, message))?;
    if folder.join(name).join("tokenizer.json").is_file() {
        return Ok(None);
    }
    fetch_tokenizer(&Request { repo: name.to_owned(), revision: None, offline }, progress).map(Some)
}

#[cfg(feature = "hub")]
fn fetch_tokenizer(request: &Request, progress: &dyn Progress) -> Result<PathBuf> {
    checkpoint::Checkpoint::new(request, checkpoint::Wanted::Tokenizer)?.fetch(progress)
}

#[cfg(not(feature = "hub"))]
fn fetch_tokenizer(request: &Request, progress: &dyn Progress) -> Result<PathBuf> {
    fetch(request, progress)
}

/// Reads every cached file of the repository whose checksum is known and removes the damaged ones,
/// so that [`fetch`] fetches them again.
///
/// # Errors
/// The repository's name cannot be used, or the cache cannot be read or written.
#[cfg(feature = "hub")]
pub fn remove_damaged(request: &Request, progress: &dyn Progress) -> Result<()> {
    checkpoint::Checkpoint::new(request, checkpoint::Wanted::Model)?.remove_damaged(progress)
}

/// This build has no Hub.
///
/// # Errors
/// Always: the feature `hub` is off.
#[cfg(not(feature = "hub"))]
pub fn fetch(request: &Request, _progress: &dyn Progress) -> Result<PathBuf> {
    Err(crate::Error::Hub(format!(
        "cannot fetch {}: this program was built without the feature `hub`; \
         give a folder that holds the model, or build with --features hub",
        request.repo
    )))
}

/// This build has no Hub, and so nothing to remove.
///
/// # Errors
/// None.
#[cfg(not(feature = "hub"))]
pub fn remove_damaged(_request: &Request, _progress: &dyn Progress) -> Result<()> {
    Ok(())
}
