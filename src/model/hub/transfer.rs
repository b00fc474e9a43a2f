//! One file from the Hub into the cache: resumed where it broke, then checked, then given its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;
use ureq::http::header::CONTENT_RANGE;

use super::cache::create_parent;
use super::remote::{Answer, Failure, Hub, Remote};
use super::{Progress, names};
use crate::error::{Error, Result};
use crate::{digest, files};

/// Attempts in a row that bring nothing new.
pub(super) const ATTEMPTS: u32 = 4;

/// Calls until the answer is final, `attempts` times at most, with growing pauses.
pub(super) fn insist<T>(attempts: u32, mut call: impl FnMut() -> Answer<T>) -> Answer<T> {
    for attempt in 1..attempts {
        match call() {
            Err(Failure::Passing(_)) => thread::sleep(pause(attempt)),
            answer => return answer,
        }
    }
    call()
}

fn pause(attempt: u32) -> Duration {
    Duration::from_millis(250 << attempt.min(6))
}

/// A file on its way.
pub(super) struct Transfer<'a> {
    pub(super) hub: &'a Hub,
    pub(super) progress: &'a dyn Progress,
    pub(super) url: String,
    pub(super) remote: &'a Remote,
    /// Whether no other process fetches the same content meanwhile.
    pub(super) is_alone: bool,
}

impl Transfer<'_> {
    /// Fetches the file to `blob`; what an earlier, interrupted transfer left is continued, unless another process may
    /// be at it.
    pub(super) fn run(&self, blob: &Path) -> Answer<()> {
        create_parent(blob)?;
        if self.is_alone {
            return self.fetch(&files::beside(blob, ".incomplete"), blob);
        }
        let (partial, _) = files::create_new(blob).map_err(|error| Error::io(blob, error))?;
        self.fetch(&partial, blob).inspect_err(|_| drop(fs::remove_file(&partial)))
    }

    /// Fetches the file to `partial` and, once it is whole, gives it its name.
    fn fetch(&self, partial: &Path, blob: &Path) -> Answer<()> {
        for last in [false, true] {
            let resumed = fs::metadata(partial).is_ok_and(|file| file.len() > 0);
            let resumed = self.receive(partial)? || resumed;
            let Some(problem) = self.problem(partial)? else {
                files::rename(partial, blob).map_err(|error| Error::io(blob, error))?;
                break;
            };
            fs::remove_file(partial).map_err(|error| Error::io(partial, error))?;
            if last || !resumed {
                return Err(Failure::Passing(format!("{}: {problem}; nothing of it was kept", self.url)));
            }
            self.progress.note(&format!("{}: {problem}; fetching it again from its beginning", self.url));
        }
        self.progress.finish();
        Ok(())
    }

    /// Receives until the file has its size, over as many connections as it takes; says whether more than one.
    fn receive(&self, partial: &Path) -> Answer<bool> {
        let mut file =
            OpenOptions::new().create(true).append(true).open(partial).map_err(|error| Error::io(partial, error))?;
        let (mut most, mut fruitless, mut broken) = (0, 0, false);
        loop {
            match self.receive_rest(&mut file, partial) {
                Ok(()) => return Ok(broken),
                Err(Failure::Passing(reason)) => {
                    let have = length(&file, partial)?;
                    fruitless = if have > most { 1 } else { fruitless + 1 };
                    (most, broken) = (most.max(have), true);
                    if fruitless == ATTEMPTS {
                        let next = format!(", and the next run will continue at byte {have}");
                        let next = if self.is_alone { &next } else { "" };
                        return Err(Failure::Passing(format!("{reason}; gave up after {ATTEMPTS} attempts{next}")));
                    }
                    self.progress.note(&format!("{reason}; continuing at byte {have}"));
                    thread::sleep(pause(fruitless));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// One connection: from the end of what is there to the end of the file.
    fn receive_rest(&self, file: &mut File, partial: &Path) -> Answer<()> {
        let have = self.usable_length(file, partial)?;
        self.progress.at(have);
        if self.remote.size == Some(have) {
            return Ok(());
        }
        let response = self.hub.read(&self.url, have)?;
        let continued = match response.status() {
            StatusCode::PARTIAL_CONTENT => begins_at(&response, have),
            StatusCode::OK => false,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                cut(file, 0, partial)?;
                return Err(Failure::Passing(format!("{}: the server refuses to continue", self.url)));
            }
            status => {
                return Err(self.hub.strange(&self.url, format_args!("the server answers {status}")).into());
            }
        };
        let start = if continued { have } else { 0 };
        cut(file, start, partial)?;
        // One byte more than announced is enough to know that the file is too long.
        let most = self.remote.size.map_or(u64::MAX, |size| size - start.min(size) + 1);
        self.copy(&mut response.into_body().into_reader().take(most), file, start, partial)?;
        match (length(file, partial)?, self.remote.size) {
            (have, Some(size)) if have < size => {
                Err(Failure::Passing(format!("{}: ended after {have} of {size} bytes", self.url)))
            }
            _ => Ok(()),
        }
    }

    fn copy(&self, body: &mut impl Read, file: &mut File, start: u64, partial: &Path) -> Answer<()> {
        let mut buffer = vec![0; 128 * 1024];
        let mut position = start;
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Passing(format!("{}: {error}", self.url))),
            };
            file.write_all(&buffer[..count]).map_err(|error| Error::io(partial, error))?;
            position += count as u64;
            self.progress.at(position);
        }
    }

    /// How much of what is there can be continued. Without a known size nothing can: the end would not be seen.
    fn usable_length(&self, file: &mut File, partial: &Path) -> Result<u64> {
        let have = length(file, partial)?;
        if self.remote.size.is_some_and(|size| have <= size) {
            return Ok(have);
        }
        cut(file, 0, partial)?;
        Ok(0)
    }

    /// What is wrong with the received file, if anything.
    fn problem(&self, partial: &Path) -> Result<Option<String>> {
        let have = fs::metadata(partial).map_err(|error| Error::io(partial, error))?.len();
        if let Some(size) = self.remote.size.filter(|&size| size != have) {
            return Ok(Some(format!("{have} bytes came where {size} were announced")));
        }
        if !names::is_sha256(&self.remote.etag) {
            return Ok(None);
        }
        let found = sha256(partial)?;
        let expected = &self.remote.etag;
        Ok((found != *expected).then(|| format!("damaged on the way: its sha256 is {found}, not {expected}")))
    }
}

/// Whether a partial answer continues at `have`; an answer that does not say so is believed, and checked at the end.
fn begins_at(response: &ureq::http::Response<ureq::Body>, have: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_none_or(|range| range.starts_with(&format!("bytes {have}-")))
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let failed = |error| Error::io(path, error);
    let mut hash = Sha256::new();
    digest::add_all(File::open(path).map_err(failed)?, &mut hash).map_err(failed)?;
    Ok(digest::hex(hash))
}

fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(file.metadata().map_err(|error| Error::io(path, error))?.len())
}

fn cut(file: &mut File, length: u64, path: &Path) -> Result<()> {
    let result = file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
    result.map(drop).map_err(|error| Error::io(path, error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::hub::settings::Settings;

    struct Nobody;

    impl Progress for Nobody {
        fn begin(&self, _: &str, _: Option<u64>) {}
        fn at(&self, _: u64) {}
        fn finish(&self) {}
        fn note(&self, _: &str) {}
    }

    #[test]
    fn where_no_lock_keeps_others_away_what_another_process_has_fetched_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [blob, others] = ["blob", "blob.incomplete"].map(|name| folder.path().join(name));
        fs::write(&others, "half of").unwrap();
        let endpoint = "http://127.0.0.1:9".to_owned();
        let settings = Settings { cache: folder.path().to_owned(), endpoint, user: None, token: None };
        let hub = &Hub::new(&settings, "owner/name");
        // Nothing is asked for a file of no bytes.
        let fetch = |etag: &str| {
            let remote = &Remote { commit: "commit".to_owned(), etag: etag.to_owned(), size: Some(0) };
            let url = hub.url("commit", "file");
            Transfer { hub, progress: &Nobody, url, remote, is_alone: false }.run(&blob)
        };
        assert!(matches!(fetch(&"0".repeat(64)), Err(Failure::Passing(reason)) if reason.contains("damaged")));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fetch("blob").unwrap();
        assert_eq!([&blob, &others].map(|path| fs::read_to_string(path).unwrap()), ["", "half of"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }
}
