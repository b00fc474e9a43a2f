//! Files that the program keeps beside those of the user.

use std::fs::{self, File};
use std::io::{self, Write};
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
    write(new, content).and_then(|()| fs::rename(new, path)).inspect_err(|_| drop(fs::remove_file(new)))?;
    // Elsewhere a folder cannot be opened, and a rename is on the disk at once.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}
