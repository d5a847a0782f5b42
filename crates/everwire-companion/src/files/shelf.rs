use std::collections::{BTreeMap, HashMap};
use std::mem;

use everwire_companion_api::files::ResumeKey;
use tokio::time::Instant;

use super::FileLimits;
use super::id::FileId;
use super::name::FileName;
use super::no_begin::{NoBegin, bytes, minutes};
use super::upload::Upload;
use super::wire::FileInfo;

/// What the store holds and may hold. It is handed the time and touches no disk.
#[derive(Debug)]
pub(crate) struct Shelf {
    limits: FileLimits,
    stored: BTreeMap<FileId, Stored>,
    unfinished: HashMap<ResumeKey, Unfinished>,
    /// Uploads that gave their room to others, and have not been told yet.
    displaced: Vec<Upload>,
}

/// A file that can be fetched.
#[derive(Debug)]
struct Stored {
    info: FileInfo,
    resume: ResumeKey,
    expires: Instant,
}

/// A file that is being received, or waits to be resumed. Its whole size is reserved.
#[derive(Debug)]
struct Unfinished {
    name: FileName,
    size: u64,
    upload: Upload,
    active: Instant,
}

/// How an upload begins.
#[derive(Debug)]
pub(crate) enum Begin {
    /// This client has left this file already.
    Stored(FileInfo),
    /// New, or where it was interrupted.
    Upload(Upload),
}

/// What went.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    pub(crate) stored: Vec<FileId>,
    pub(crate) uploads: Vec<Upload>,
}

impl Shelf {
    pub(crate) fn new(limits: FileLimits) -> Self {
        Self { limits, stored: BTreeMap::new(), unfinished: HashMap::new(), displaced: Vec::new() }
    }

    pub(crate) fn files(&self) -> Vec<FileInfo> {
        self.stored.values().map(|stored| stored.info.clone()).collect()
    }

    pub(crate) fn file(&self, id: FileId) -> Option<&FileInfo> {
        self.stored.get(&id).map(|stored| &stored.info)
    }

    /// Finds the upload of this key, or makes room for a new one.
    pub(crate) fn begin(
        &mut self,
        resume: &ResumeKey,
        name: FileName,
        size: u64,
        now: Instant,
        make: impl FnOnce() -> Upload,
    ) -> Result<Begin, NoBegin> {
        if let Some(stored) = self.stored.values().find(|stored| stored.resume == *resume) {
            same((&stored.info.name, stored.info.size), (&name, size))?;
            return Ok(Begin::Stored(stored.info.clone()));
        }
        if let Some(unfinished) = self.unfinished.get_mut(resume) {
            same((&unfinished.name, unfinished.size), (&name, size))?;
            unfinished.active = now;
            return Ok(Begin::Upload(unfinished.upload.clone()));
        }
        self.make_room(size, now)?;
        let upload = make();
        self.unfinished.insert(resume.clone(), Unfinished { name, size, upload: upload.clone(), active: now });
        Ok(Begin::Upload(upload))
    }

    /// The upload goes on, so that its time begins anew.
    pub(crate) fn touch(&mut self, resume: &ResumeKey, id: FileId, now: Instant) {
        if let Some(unfinished) = self.unfinished.get_mut(resume).filter(|unfinished| unfinished.upload.id() == id) {
            unfinished.active = now;
        }
    }

    /// An upload has become a file. `None` if it was let go meanwhile.
    pub(crate) fn store(
        &mut self,
        resume: &ResumeKey,
        id: FileId,
        sha256: String,
        now: Instant,
        now_ms: f64,
    ) -> Option<FileInfo> {
        let Unfinished { name, size, .. } = self.take(resume, id)?;
        let lasts = self.limits.finished;
        let info = FileInfo { id, name, size, sha256, added: now_ms, expires: now_ms + lasts.as_secs_f64() * 1e3 };
        self.stored.insert(id, Stored { info: info.clone(), resume: resume.clone(), expires: now + lasts });
        Some(info)
    }

    /// An upload has ended without becoming a file.
    pub(crate) fn forget(&mut self, resume: &ResumeKey, id: FileId) {
        self.take(resume, id);
    }

    /// Lets go of an unfinished upload.
    pub(crate) fn cancel(&mut self, resume: &ResumeKey) -> Option<Upload> {
        self.unfinished.remove(resume).map(|unfinished| unfinished.upload)
    }

    /// Takes a file away, if it is its sender who asks for it.
    pub(crate) fn remove(&mut self, id: FileId, resume: &ResumeKey) -> bool {
        let may = self.stored.get(&id).is_some_and(|stored| stored.resume == *resume);
        may && self.stored.remove(&id).is_some()
    }

    /// Lets go of everything whose time is over, or whose room others have.
    pub(crate) fn expire(&mut self, now: Instant) -> Gone {
        let over = self.stored.iter().filter(|(_, stored)| stored.expires <= now);
        let stored = over.map(|(id, _)| *id).collect();
        self.stored.retain(|_, stored| stored.expires > now);
        let time_limit = self.limits.unfinished;
        let over = self.unfinished.extract_if(|_, unfinished| unfinished.active + time_limit <= now);
        let mut uploads = mem::take(&mut self.displaced);
        uploads.extend(over.map(|(_, unfinished)| unfinished.upload));
        Gone { stored, uploads }
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) -> Vec<Upload> {
        self.stored.clear();
        let mut uploads = mem::take(&mut self.displaced);
        uploads.extend(self.unfinished.drain().map(|(_, unfinished)| unfinished.upload));
        uploads
    }

    /// When the next thing expires.
    pub(crate) fn due(&self) -> Option<Instant> {
        let stored = self.stored.values().map(|stored| stored.expires);
        let unfinished = self.unfinished.values().map(|unfinished| unfinished.active + self.limits.unfinished);
        stored.chain(unfinished).min()
    }

    /// Takes out the upload of this key if it is the one that asks, and not one that was begun after it.
    fn take(&mut self, resume: &ResumeKey, id: FileId) -> Option<Unfinished> {
        let is_own = self.unfinished.get(resume).is_some_and(|unfinished| unfinished.upload.id() == id);
        if is_own { self.unfinished.remove(resume) } else { None }
    }

    fn count(&self) -> usize {
        self.stored.len() + self.unfinished.len()
    }

    fn used(&self) -> u64 {
        let stored: u64 = self.stored.values().map(|stored| stored.info.size).sum();
        stored + self.unfinished.values().map(|unfinished| unfinished.size).sum::<u64>()
    }

    /// Makes room for an upload of this size, or says what to do.
    fn make_room(&mut self, size: u64, now: Instant) -> Result<(), NoBegin> {
        self.check_size(size)?;
        let lacking = (self.used() + size).saturating_sub(self.limits.store_bytes);
        let is_crowded = self.count() >= self.limits.files;
        let mut idle: Vec<_> =
            self.unfinished.iter().filter(|(_, unfinished)| unfinished.active + self.limits.idle <= now).collect();
        idle.sort_by_key(|(_, unfinished)| unfinished.active);
        let (mut keys, mut freed) = (Vec::new(), 0);
        for (key, unfinished) in idle {
            if freed >= lacking && (!is_crowded || !keys.is_empty()) {
                break;
            }
            freed += unfinished.size;
            keys.push(key.clone());
        }
        // Nobody loses anything in vain.
        if freed >= lacking {
            self.displaced.extend(keys.iter().filter_map(|key| self.unfinished.remove(key)).map(|gone| gone.upload));
        }
        self.check_room(size, now)
    }

    fn check_size(&self, size: u64) -> Result<(), NoBegin> {
        let most = self.limits.file_bytes.min(self.limits.store_bytes);
        if size > most {
            let (size, most) = (bytes(size), bytes(most));
            return Err(NoBegin::for_good(format!(
                "The file has {size}, and one may have {most}. Split it, or start the server with a larger --max-file-bytes."
            )));
        }
        Ok(())
    }

    fn check_room(&self, size: u64, now: Instant) -> Result<(), NoBegin> {
        let count = self.count();
        if count >= self.limits.files {
            let way_out = self.way_out("--max-files", now);
            return Err(NoBegin::for_now(format!("The store is full: it has {count} files. {way_out}")));
        }
        let used = self.used();
        if size > self.limits.store_bytes - used {
            return Err(NoBegin::for_now(format!(
                "The store is full: {} of {} are taken, and this file needs {}. {}",
                bytes(used),
                bytes(self.limits.store_bytes),
                bytes(size),
                self.way_out("--max-store-bytes", now)
            )));
        }
        Ok(())
    }

    /// What to do about a full store.
    fn way_out(&self, flag: &str, now: Instant) -> String {
        match self.stored.values().min_by_key(|stored| stored.expires) {
            Some(oldest) => format!(
                "Wait: \u{201c}{}\u{201d} is the oldest and goes in {}. Or start the server with a larger {flag}.",
                oldest.info.name,
                minutes(oldest.expires.saturating_duration_since(now))
            ),
            None => format!(
                "Unfinished uploads hold the room, each for at most {} after it stopped: try again then. \
                 Or start the server with a larger {flag}.",
                minutes(self.limits.idle.min(self.limits.unfinished))
            ),
        }
    }
}

/// A key stays with its file.
fn same(known: (&FileName, u64), asked: (&FileName, u64)) -> Result<(), NoBegin> {
    let (name, size) = known;
    if known == asked {
        return Ok(());
    }
    let why = format!("This key belongs to \u{201c}{name}\u{201d} with {size} bytes: choose another key.");
    Err(NoBegin::for_good(why))
}
