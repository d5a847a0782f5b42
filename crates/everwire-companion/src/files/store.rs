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

use super::FileLimits;
use super::folder::Folder;
use super::id::FileId;
use super::name::FileName;
use super::no_begin::NoBegin;
use super::shelf::{Begin, Gone, Shelf};
use super::upload::{Plan, Upload, remove_files};
use super::wire::FileInfo;
use crate::json::json;

/// When nothing is there that could expire.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// The files of one server: what there is, who is told of it, and where it lies.
#[derive(Debug)]
pub(crate) struct Store {
    limits: FileLimits,
    group: Group<Shelf>,
    clock: Clock,
    place: Mutex<Place>,
    turns: AtomicU64,
    keeper: Once,
    /// Something may expire sooner than was known.
    changed: Arc<Notify>,
}

/// Where the files lie.
#[derive(Debug, Default)]
enum Place {
    /// It is made with the first bytes: a server that nobody leaves a file on touches no disk.
    #[default]
    Untouched,
    Folder(Folder),
    /// The server stops, and what is still written then must not make a folder that nobody removes.
    Closed,
}

impl Store {
    pub(crate) fn new(limits: FileLimits, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            group: Group::new(Shelf::new(limits.clone())),
            limits,
            clock,
            place: Mutex::default(),
            turns: AtomicU64::new(1),
            keeper: Once::new(),
            changed: Arc::default(),
        })
    }

    /// Removes what servers left behind that were killed.
    pub(crate) fn remove_leftovers(&self) {
        match Folder::remove_leftovers(&self.parent()) {
            // Without the folder there is nothing in it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot look for files left behind");
            }
            _ => {}
        }
    }

    /// Lets a connection hear of the files that there are, that come and that go.
    pub(crate) fn join(&self, connection: &Connection) -> Membership<Shelf> {
        self.group.join(connection, |shelf, _| {
            let files = shelf.files().into_iter().map(Into::into).collect();
            vec![json(&ServerMessage::Files { files, limits: (&self.limits).into() })]
        })
    }

    /// Finds or starts the upload of this key.
    pub(crate) fn begin(self: &Arc<Self>, resume: &ResumeKey, name: FileName, size: u64) -> Result<Begin, NoBegin> {
        self.keeper.call_once(|| {
            tokio::spawn(keep_watch(Arc::downgrade(self), Arc::clone(&self.changed)));
        });
        let plan = Plan { id: FileId::random(), size, resume: resume.clone(), store: Arc::downgrade(self) };
        let begin = self.with(|shelf| shelf.begin(resume, name, size, Instant::now(), || Upload::start(plan)));
        self.changed.notify_one();
        begin
    }

    /// A number that no other attachment of an upload to a connection has.
    pub(crate) fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// An upload goes on.
    pub(crate) fn touch(&self, resume: &ResumeKey, id: FileId) {
        self.with(|shelf| shelf.touch(resume, id, Instant::now()));
    }

    /// Makes a complete upload a file, and tells everybody. `None` if it was let go meanwhile.
    pub(crate) fn keep(&self, resume: &ResumeKey, id: FileId, sha256: String) -> Option<FileInfo> {
        let mut kept = None;
        self.group.update(|shelf, _| {
            kept = shelf.store(resume, id, sha256, Instant::now(), self.clock.now_ms());
            kept.clone().map(|file| json(&ServerMessage::Added { file: file.into() }))
        });
        self.changed.notify_one();
        kept
    }

    /// Lets go of an upload that has ended by itself.
    pub(crate) fn forget(&self, resume: &ResumeKey, id: FileId) {
        self.with(|shelf| shelf.forget(resume, id));
    }

    /// The sender does not want the upload any more. Whoever still sends it is told.
    pub(crate) fn cancel(&self, resume: &ResumeKey) {
        if let Some(upload) = self.with(|shelf| shelf.cancel(resume)) {
            upload.end(Some("The upload was cancelled from another page: send it again if you want it."));
        }
    }

    /// The sender takes a file back. False if it is not there, or another's.
    pub(crate) fn remove(&self, id: FileId, resume: &ResumeKey) -> bool {
        let mut is_removed = false;
        self.group.update(|shelf, _| {
            is_removed = shelf.remove(id, resume);
            is_removed.then(|| json(&ServerMessage::Removed { ids: vec![id.to_string()] }))
        });
        if is_removed && let Some(path) = self.path_if_any(id) {
            tokio::spawn(remove_files(vec![path]));
        }
        is_removed
    }

    /// A file that can be fetched, and where it lies.
    pub(crate) fn find(&self, id: FileId) -> Option<(FileInfo, PathBuf)> {
        let info = self.with(|shelf| shelf.file(id).cloned())?;
        Some((info, self.path_if_any(id)?))
    }

    /// Where a file lies, in a folder that is made if there is none yet. It waits for the disk.
    pub(crate) fn path(&self, id: FileId) -> io::Result<PathBuf> {
        let mut place = self.place();
        if let Place::Untouched = *place {
            *place = Place::Folder(Folder::create(&self.parent())?);
        }
        match &*place {
            Place::Folder(folder) => Ok(folder.file(id)),
            _ => Err(io::Error::other("the server is stopping")),
        }
    }

    /// Where a file lies, if anything does.
    pub(crate) fn path_if_any(&self, id: FileId) -> Option<PathBuf> {
        match &*self.place() {
            Place::Folder(folder) => Some(folder.file(id)),
            _ => None,
        }
    }

    /// Lets go of everything and removes the folder.
    pub(crate) fn close(&self) {
        self.with(Shelf::clear).iter().for_each(|upload| upload.end(None));
        let place = std::mem::replace(&mut *self.place(), Place::Closed);
        drop(place);
    }

    /// Lets go of what has expired, and returns when to look again.
    async fn expire(&self) -> Instant {
        let now = Instant::now();
        let (mut gone, mut due) = (Gone::default(), None);
        self.group.update(|shelf, _| {
            gone = shelf.expire(now);
            due = shelf.due();
            let ids: Vec<_> = gone.stored.iter().map(ToString::to_string).collect();
            (!ids.is_empty()).then(|| json(&ServerMessage::Removed { ids }))
        });
        for upload in &gone.uploads {
            upload.end(Some("The upload stood still for so long that the server let go of it: send it again."));
        }
        remove_files(gone.stored.iter().filter_map(|id| self.path_if_any(*id)).collect()).await;
        due.unwrap_or(now + FAR)
    }

    fn parent(&self) -> PathBuf {
        self.limits.folder.clone().unwrap_or_else(env::temp_dir)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut result = None;
        self.group.update(|shelf, _| {
            result = Some(work(shelf));
            None
        });
        result.expect("a group calls what it is given")
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // So that the keeper sees that there is nothing to keep any more.
        self.changed.notify_one();
    }
}

/// Sees to it that what expires goes, for as long as there is a store.
async fn keep_watch(store: Weak<Store>, changed: Arc<Notify>) {
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

#[cfg(test)]
mod tests;
