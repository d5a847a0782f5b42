use std::fmt;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

const PREFIX: &str = "everwire-files-";
/// Locked by the server that owns the folder. The system releases the lock however that server ends.
const LOCK: &str = "lock";

/// The id of a file, which is also its name on disk. It is random, so that no part of a path comes from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(u128);

impl FileId {
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }

    /// Parses exactly the form that `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_canonical = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_canonical { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// The temporary folder of a running server. Dropping it removes the folder and all files in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates a folder that only this user can read.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let name = format!("{PREFIX}{}", FileId::random());
        // It gets its final name once it is locked, so that no other server takes it for one that was left behind.
        let unlocked = parent.join(format!(".{name}"));
        make_private(&unlocked)?;
        let lock = File::create_new(unlocked.join(LOCK))?;
        lock.lock()?;
        let path = parent.join(name);
        fs::rename(unlocked, &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Removes the folders of servers that were killed.
    pub(crate) fn remove_leftovers(parent: &Path) -> io::Result<()> {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            // Folders of other users cannot be opened and are skipped.
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
    let Some(lock) = open_lock(&folder.join(LOCK)) else { return false };
    !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
}

/// Opens the lock file of a folder. Its parent may be shared by all users, so the lock may be anything: opening a pipe would
/// block until it has a reader, and a link could lead anywhere.
fn open_lock(path: &Path) -> Option<File> {
    let mut options = File::options();
    options.write(true);
    // Checking the type before opening would be a race.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let lock = options.open(path).ok()?;
    lock.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(lock)
}

/// A file that is being received. Its methods block on the disk.
pub(crate) struct PartialFile {
    file: File,
    digest: Sha256,
}

impl PartialFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, digest: Sha256::new() })
    }

    pub(crate) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all(chunk)?;
            self.digest.update(chunk);
        }
        Ok(())
    }

    /// The SHA-256 of the received bytes in hexadecimal.
    pub(crate) fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.digest.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// Removes files. Files that do not exist are skipped.
pub(crate) async fn remove_files(paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    let removed = spawn_blocking(move || {
        for path in paths {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "cannot remove a file");
                }
                _ => {}
            }
        }
    });
    // Fails only when the runtime ends, and then the folder is removed as a whole.
    let _ = removed.await;
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
    fn the_folder_of_a_killed_server_is_removed_and_that_of_a_running_one_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let running = Folder::create(parent.path()).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("file"), "bytes").unwrap();
        let unrelated = parent.path().join("everwire-notes");
        fs::create_dir(&unrelated).unwrap();

        Folder::remove_leftovers(parent.path()).unwrap();

        assert!(!left.exists() && unrelated.exists() && running.path.exists());
    }

    /// Any user can create one in a shared folder.
    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_not_a_file_is_left_alone_and_does_not_block() {
        let parent = tempfile::tempdir().unwrap();
        for (name, make) in [("fifo", "mkfifo lock"), ("link", "ln -s /dev/null lock"), ("folder", "mkdir lock")] {
            let folder = parent.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            let made = std::process::Command::new("sh").args(["-c", make]).current_dir(&folder).status().unwrap();
            assert!(made.success(), "{make}");
        }
        let (done, is_done) = std::sync::mpsc::channel();
        let path = parent.path().to_owned();
        std::thread::spawn(move || done.send(Folder::remove_leftovers(&path)));
        is_done.recv_timeout(std::time::Duration::from_secs(20)).expect("it does not wait").unwrap();
        assert_eq!(folders(parent.path()), 3);
    }

    #[test]
    fn an_id_is_parsed_in_its_displayed_form_only() {
        let id = FileId(0xab);
        let text = id.to_string();
        assert_eq!(FileId::parse(&text), Some(id));
        for bad in ["", "ab", "../../../../../../../../../etc/pw", &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(FileId::parse(bad), None, "{bad}");
        }
    }
}
