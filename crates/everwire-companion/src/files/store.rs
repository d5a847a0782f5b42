//! The files of one server: the inventory, the connections that follow its changes, and the temporary folder on disk.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::Duration;
use std::{env, fmt, fs, io};

use bytes::Bytes;
use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::{Clock, Connection, Group, Membership};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::inventory::{BeginOutcome, Expired, FileInfo, FileLimits, Inventory, UploadRejected};
use super::name::FileName;
use super::upload::Upload;
use crate::protocol::json;

/// The time to the next check if nothing can expire.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);
const PREFIX: &str = "everwire-files-";

/// Locked by the server that owns the folder. The system releases the lock however that server ends.
const LOCK: &str = "lock";

/// The files of one server: the inventory, the connections that follow its changes, and the folder on disk.
#[derive(Debug)]
pub(crate) struct Store {
    limits: FileLimits,
    group: Group<Inventory>,
    clock: Clock,
    storage: Mutex<Storage>,
    generations: AtomicU64,
    expiry_task: Once,
    /// Notified when something may expire sooner.
    changed: Arc<Notify>,
}

/// The folder on disk.
#[derive(Debug, Default)]
enum Storage {
    /// The folder is created with the first upload, so that a server without files does not touch the disk.
    #[default]
    NotCreated,
    Folder(TempFolder),
    /// The server stops. A late write must not create a folder that would be left behind.
    Closed,
}

impl Store {
    pub(crate) fn new(limits: FileLimits, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            group: Group::new(Inventory::new(limits.clone())),
            limits,
            clock,
            storage: Mutex::default(),
            generations: AtomicU64::new(1),
            expiry_task: Once::new(),
            changed: Arc::default(),
        })
    }

    /// Removes the folders of servers that were killed.
    pub(crate) fn remove_leftovers(&self) {
        match TempFolder::remove_leftovers(&self.parent()) {
            // Without a parent folder there is nothing to remove.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot look for files left behind");
            }
            _ => {}
        }
    }

    /// Sends a connection the list of files, and every change from now on.
    pub(crate) fn join(&self, connection: &Connection) -> Membership<Inventory> {
        self.group.join(connection, |inventory, _| {
            let files = inventory.files().into_iter().map(Into::into).collect();
            vec![json(&ServerMessage::Files { files, limits: (&self.limits).into() })]
        })
    }

    /// Resumes the upload of this key, or makes room for a new one, which `start` starts.
    pub(crate) fn begin(
        self: &Arc<Self>,
        resume: &ResumeKey,
        name: FileName,
        size: u64,
        start: impl FnOnce(FileId) -> Upload,
    ) -> Result<BeginOutcome, UploadRejected> {
        self.expiry_task.call_once(|| {
            tokio::spawn(run_expiry_task(Arc::downgrade(self), Arc::clone(&self.changed)));
        });
        let start = || start(FileId::random());
        let begin = self.with(|inventory| inventory.begin(resume, name, size, Instant::now(), start));
        self.changed.notify_one();
        begin
    }

    /// The generation of a new attachment, which is unique.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// Records activity of an upload.
    pub(crate) fn touch(&self, resume: &ResumeKey, id: FileId) {
        self.with(|inventory| inventory.touch(resume, id, Instant::now()));
    }

    /// Makes a complete upload a file and announces it. `None` if it has expired or was cancelled meanwhile.
    pub(crate) fn store_upload(&self, resume: &ResumeKey, id: FileId, sha256: String) -> Option<FileInfo> {
        let mut kept = None;
        self.group.update(|inventory, _| {
            kept = inventory.store(resume, id, sha256, Instant::now(), self.clock.now_ms());
            kept.clone().map(|file| json(&ServerMessage::Added { file: file.into() }))
        });
        self.changed.notify_one();
        kept
    }

    /// Removes an upload that has failed.
    pub(crate) fn discard(&self, resume: &ResumeKey, id: FileId) {
        self.with(|inventory| inventory.discard(resume, id));
    }

    /// Cancels an upload. A connection that still sends it gets an error.
    pub(crate) fn cancel(&self, resume: &ResumeKey) {
        if let Some(upload) = self.with(|inventory| inventory.cancel(resume)) {
            upload.end(Some("The upload was cancelled from another page: send it again if you want it."));
        }
    }

    /// Removes a file of this sender. Returns false if there is no such file, or it is another's.
    pub(crate) fn remove(&self, id: FileId, resume: &ResumeKey) -> bool {
        let mut is_removed = false;
        self.group.update(|inventory, _| {
            is_removed = inventory.remove(id, resume);
            is_removed.then(|| json(&ServerMessage::Removed { ids: vec![id.to_string()] }))
        });
        if is_removed && let Some(path) = self.path_if_any(id) {
            tokio::spawn(remove_files(vec![path]));
        }
        is_removed
    }

    /// A complete file and its path.
    pub(crate) fn find(&self, id: FileId) -> Option<(FileInfo, PathBuf)> {
        let info = self.with(|inventory| inventory.file(id).cloned())?;
        Some((info, self.path_if_any(id)?))
    }

    /// The path of a file. Creates the folder if there is none, which blocks on the disk.
    pub(crate) fn path(&self, id: FileId) -> io::Result<PathBuf> {
        let mut storage = self.storage();
        if let Storage::NotCreated = *storage {
            *storage = Storage::Folder(TempFolder::create(&self.parent())?);
        }
        match &*storage {
            Storage::Folder(folder) => Ok(folder.file(id)),
            _ => Err(io::Error::other("the server is stopping")),
        }
    }

    /// The path of a file, if the folder exists.
    pub(crate) fn path_if_any(&self, id: FileId) -> Option<PathBuf> {
        match &*self.storage() {
            Storage::Folder(folder) => Some(folder.file(id)),
            _ => None,
        }
    }

    /// Ends all uploads and removes the folder.
    pub(crate) fn close(&self) {
        self.with(Inventory::clear).iter().for_each(|upload| upload.end(None));
        let storage = std::mem::replace(&mut *self.storage(), Storage::Closed);
        drop(storage);
    }

    /// Removes what has expired. Returns the time of the next expiry.
    async fn expire(&self) -> Instant {
        let now = Instant::now();
        let (mut expired, mut next) = (Expired::default(), None);
        self.group.update(|inventory, _| {
            expired = inventory.expire(now);
            next = inventory.next_expiry();
            let ids: Vec<_> = expired.stored.iter().map(ToString::to_string).collect();
            (!ids.is_empty()).then(|| json(&ServerMessage::Removed { ids }))
        });
        for upload in &expired.uploads {
            upload.end(Some("The upload was idle for so long that the server dropped it: send it again."));
        }
        remove_files(expired.stored.iter().filter_map(|id| self.path_if_any(*id)).collect()).await;
        next.unwrap_or(now + FAR_FUTURE)
    }

    fn parent(&self) -> PathBuf {
        self.limits.folder.clone().unwrap_or_else(env::temp_dir)
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Inventory) -> T) -> T {
        let mut result = None;
        self.group.update(|inventory, _| {
            result = Some(work(inventory));
            None
        });
        result.expect("a group always calls the change")
    }

    fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Ends the expiry task.
        self.changed.notify_one();
    }
}

/// Removes files and uploads when they expire, for as long as the store exists.
async fn run_expiry_task(store: Weak<Store>, changed: Arc<Notify>) {
    loop {
        let due = match store.upgrade() {
            Some(store) => store.expire().await,
            None => return,
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = changed.notified() => {}
        }
    }
}

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
struct TempFolder {
    path: PathBuf,
    _lock: File,
}

impl TempFolder {
    /// Creates a folder that only this user can read.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let name = format!("{PREFIX}{}", FileId::random());
        // It gets its final name once it is locked, so that no other server takes it for one that was left behind.
        let unlocked = parent.join(format!(".{name}"));
        create_private_folder(&unlocked)?;
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

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "cannot remove the files");
        }
    }
}

fn create_private_folder(path: &Path) -> io::Result<()> {
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
        let folder = TempFolder::create(parent.path()).unwrap();
        fs::write(folder.file(FileId::random()), "bytes").unwrap();
        assert_eq!(folders(parent.path()), 1);
        drop(folder);
        assert_eq!(folders(parent.path()), 0);
    }

    #[test]
    fn the_folder_of_a_killed_server_is_removed_and_that_of_a_running_one_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let running = TempFolder::create(parent.path()).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("file"), "bytes").unwrap();
        let unrelated = parent.path().join("everwire-notes");
        fs::create_dir(&unrelated).unwrap();

        TempFolder::remove_leftovers(parent.path()).unwrap();

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
        std::thread::spawn(move || done.send(TempFolder::remove_leftovers(&path)));
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
