use std::env;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::Duration;

use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::{Clock, Connection, Group, Membership};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::disk::{FileId, Folder, remove_files};
use super::inventory::{Begin, Expired, FileInfo, FileLimits, Inventory, UploadRefused};
use super::name::FileName;
use super::upload::Upload;
use crate::protocol::json;

/// The time to the next check if nothing can expire.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365);

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
    Folder(Folder),
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
        match Folder::remove_leftovers(&self.parent()) {
            // Without a parent folder there is nothing to remove.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot look for files left behind");
            }
            _ => {}
        }
    }

    /// Sends a connection the files that there are, and every change from now on.
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
    ) -> Result<Begin, UploadRefused> {
        self.expiry_task.call_once(|| {
            tokio::spawn(run_expiry_task(Arc::downgrade(self), Arc::clone(&self.changed)));
        });
        let start = || start(FileId::random());
        let begin = self.with(|inventory| inventory.begin(resume, name, size, Instant::now(), start));
        self.changed.notify_one();
        begin
    }

    /// The generation of a new attachment: a number that no other has.
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
            *storage = Storage::Folder(Folder::create(&self.parent())?);
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
