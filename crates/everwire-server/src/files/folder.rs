use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::id::FileId;

const PREFIX: &str = "everwire-files-";
/// Held by the server that the folder belongs to. The system lets go of it however that server ends.
const LOCK: &str = "lock";

/// The folder of one running server. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes a folder that only this user can read.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let name = format!("{PREFIX}{}", FileId::random());
        // Under its own name only once it is locked: nobody shall take it for one that was left behind.
        let unlocked = parent.join(format!(".{name}"));
        make_private(&unlocked)?;
        let lock = File::create_new(unlocked.join(LOCK))?;
        lock.lock()?;
        let path = parent.join(name);
        fs::rename(unlocked, &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Removes what servers left behind that were killed.
    pub(crate) fn remove_leftovers(parent: &Path) -> io::Result<()> {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            // Another user's folder cannot be opened, and is not ours to remove.
            if is_ours
                && entry.file_type()?.is_dir()
                && is_left_behind(&entry.path())
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%error, folder = %entry.path().display(), "cannot remove files left behind");
            }
        }
        Ok(())
    }

    pub(crate) fn file(&self, id: FileId) -> PathBuf {
        self.path.join(id.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "cannot remove the files");
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn is_left_behind(folder: &Path) -> bool {
    let Ok(lock) = File::options().write(true).open(folder.join(LOCK)) else { return false };
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn dropping_a_folder_removes_it_with_its_files() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        fs::write(folder.file(FileId::random()), "bytes").unwrap();
        assert_eq!(folders(parent.path()), 1);
        drop(folder);
        assert_eq!(folders(parent.path()), 0);
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_what_a_running_one_has_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let running = Folder::create(parent.path()).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("file"), "bytes").unwrap();
        let stranger = parent.path().join("everwire-notes");
        fs::create_dir(&stranger).unwrap();

        Folder::remove_leftovers(parent.path()).unwrap();

        assert!(!left.exists() && stranger.exists() && running.path.exists());
    }
}
