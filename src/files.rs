//! Files that the program keeps beside those of the user.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The least time from one state of a run to the next: what a crash may cost.
const INTERVAL: Duration = Duration::from_millis(500);

/// A slow disk is asked less often: saving takes at most one part in so many of the time.
const LEAST_SHARE: u32 = 50;

/// The file beside `path` that has its name and `ending` behind it.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Replaces a file in one step that survives a loss of power; `new` is where it is written before, in the same
/// folder.
///
/// # Errors
/// It cannot be written; the old file is still there.
pub fn replace(path: &Path, new: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, new, |new| fs::write(new, content))
}

/// The same for a content that `write` brings into the file it is given.
///
/// # Errors
/// It cannot be written; the old file is still there.
pub fn replace_with(path: &Path, new: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let written = write(new).and_then(|()| File::options().write(true).open(new)?.sync_all());
    written.and_then(|()| fs::rename(new, path)).inspect_err(|_| drop(fs::remove_file(new)))?;
    // Elsewhere a folder cannot be opened, and a rename is on the disk at once.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes a file that may be there.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file beside the output of a run that says how far it came.
pub fn state_of(output: &Path) -> PathBuf {
    beside(output, ".resume")
}

/// How often the state of a run is saved.
#[derive(Debug)]
pub struct Pace {
    saved: Instant,
    pause: Duration,
}

impl Pace {
    /// Begins now.
    pub fn begin() -> Self {
        Self { saved: Instant::now(), pause: INTERVAL }
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.saved.elapsed() >= self.pause
    }

    /// The state was saved, which began at `start`.
    pub fn saved(&mut self, start: Instant) {
        self.saved = Instant::now();
        self.pause = INTERVAL.max(LEAST_SHARE * start.elapsed());
    }
}
