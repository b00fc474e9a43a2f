//! One run at a time for each output.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

use super::beside;

/// Keeps other runs from an output as long as it lives, by a file beside it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Locked until it is closed, however the program ends.
    _file: File,
}

impl Lock {
    /// Locks `output`, which need not be there yet; none where another run has locked it.
    ///
    /// # Errors
    /// The file beside it cannot be made.
    pub fn of(output: &Path) -> io::Result<Option<Self>> {
        // A name of its own: many programs keep a NAME.lock, which would be taken away with the lock.
        let path = beside(output, ".gliclass-lock");
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Ok(None);
            }
            // The run before may have taken the file away after it was opened here; then it keeps nobody out.
            let mine = Handle::from_file(file.try_clone()?)?;
            if Handle::from_path(&path).is_ok_and(|there| there == mine) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_has_the_lock_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("mine");
        let first = Lock::of(&output).unwrap().unwrap();
        assert!(Lock::of(&output).unwrap().is_none());
        drop(first);
        assert!(Lock::of(&output).unwrap().is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_that_another_program_keeps_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("uv.lock");
        fs::write(&theirs, "").unwrap();
        drop(Lock::of(&folder.path().join("uv")).unwrap().unwrap());
        assert!(theirs.exists());
    }
}
