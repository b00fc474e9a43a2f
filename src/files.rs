//! Files that the program keeps beside those of the user.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

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
