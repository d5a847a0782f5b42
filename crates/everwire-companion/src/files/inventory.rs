use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use everwire_companion_api::files::{Limits, ResumeKey, StoredFile};
use tokio::time::Instant;

use super::name::{FileName, FileNameError};
use super::store::FileId;
use super::upload::Upload;

/// Limits of `/files`. An upload over one of them is refused with a sentence that says what to do.
#[derive(Clone, Debug)]
pub struct FileLimits {
    /// Where the server creates its temporary folder; `None` for the system's temporary directory.
    pub folder: Option<PathBuf>,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together. Unfinished uploads count with their final size.
    pub store_bytes: u64,
    /// Number of files, unfinished uploads included.
    pub files: usize,
    /// How long an interrupted upload can be resumed.
    pub unfinished: Duration,
    /// How long an interrupted upload keeps its room when another needs it. Without this limit, two requests that are never
    /// followed by a byte could fill the store for as long as `unfinished`.
    pub idle: Duration,
    /// How long a complete file is kept.
    pub finished: Duration,
}

/// The files and uploads that the store holds, and the rules for what it may hold. It has no clock and does no I/O.
#[derive(Debug)]
pub(crate) struct Inventory {
    limits: FileLimits,
    stored: BTreeMap<FileId, CompleteFile>,
    unfinished: HashMap<ResumeKey, UnfinishedUpload>,
    /// Uploads that gave up their room and have not been ended yet.
    displaced: Vec<Upload>,
}

/// A complete file.
#[derive(Debug)]
struct CompleteFile {
    info: FileInfo,
    resume: ResumeKey,
    expires: Instant,
}

/// A file that is being received or waits to be resumed. Its whole size is reserved.
#[derive(Debug)]
struct UnfinishedUpload {
    name: FileName,
    size: u64,
    upload: Upload,
    last_activity: Instant,
}

/// The outcome of a request to upload.
#[derive(Debug)]
pub(crate) enum BeginOutcome {
    /// The client has uploaded this file already.
    Complete(FileInfo),
    /// A new upload, or one that is resumed.
    Upload(Upload),
}

/// What has expired.
#[derive(Debug, Default)]
pub(crate) struct Expired {
    pub(crate) stored: Vec<FileId>,
    pub(crate) uploads: Vec<Upload>,
}

/// A complete file, as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileInfo {
    pub(crate) id: FileId,
    pub(crate) name: FileName,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) added: f64,
    /// Milliseconds since the Unix epoch.
    pub(crate) expires: f64,
}

/// Why an upload cannot start.
#[derive(Debug)]
pub(crate) struct UploadRejected {
    /// A sentence for the visitor.
    pub(crate) message: String,
    /// Whether the same request would be refused again.
    pub(crate) is_final: bool,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            folder: None,
            file_bytes: 2 << 30,
            store_bytes: 4 << 30,
            files: 100,
            unfinished: Duration::from_secs(3600),
            idle: Duration::from_secs(60),
            finished: Duration::from_secs(3600),
        }
    }
}

impl Inventory {
    pub(crate) fn new(limits: FileLimits) -> Self {
        Self { limits, stored: BTreeMap::new(), unfinished: HashMap::new(), displaced: Vec::new() }
    }

    pub(crate) fn files(&self) -> Vec<FileInfo> {
        self.stored.values().map(|stored| stored.info.clone()).collect()
    }

    pub(crate) fn file(&self, id: FileId) -> Option<&FileInfo> {
        self.stored.get(&id).map(|stored| &stored.info)
    }

    /// Resumes the upload of this key, or makes room for a new one.
    pub(crate) fn begin(
        &mut self,
        resume: &ResumeKey,
        name: FileName,
        size: u64,
        now: Instant,
        make: impl FnOnce() -> Upload,
    ) -> Result<BeginOutcome, UploadRejected> {
        if let Some(stored) = self.stored.values().find(|stored| stored.resume == *resume) {
            check_same_file((&stored.info.name, stored.info.size), (&name, size))?;
            return Ok(BeginOutcome::Complete(stored.info.clone()));
        }
        if let Some(unfinished) = self.unfinished.get_mut(resume) {
            check_same_file((&unfinished.name, unfinished.size), (&name, size))?;
            unfinished.last_activity = now;
            return Ok(BeginOutcome::Upload(unfinished.upload.clone()));
        }
        self.make_room(size, now)?;
        let upload = make();
        self.unfinished
            .insert(resume.clone(), UnfinishedUpload { name, size, upload: upload.clone(), last_activity: now });
        Ok(BeginOutcome::Upload(upload))
    }

    /// Records activity of an upload, which restarts its time limits.
    pub(crate) fn touch(&mut self, resume: &ResumeKey, id: FileId, now: Instant) {
        if let Some(unfinished) = self.unfinished.get_mut(resume).filter(|unfinished| unfinished.upload.id() == id) {
            unfinished.last_activity = now;
        }
    }

    /// Makes a complete upload a file. `None` if it has expired or was cancelled meanwhile.
    pub(crate) fn store(
        &mut self,
        resume: &ResumeKey,
        id: FileId,
        sha256: String,
        now: Instant,
        now_ms: f64,
    ) -> Option<FileInfo> {
        let UnfinishedUpload { name, size, .. } = self.take(resume, id)?;
        let lasts = self.limits.finished;
        let info = FileInfo { id, name, size, sha256, added: now_ms, expires: now_ms + lasts.as_secs_f64() * 1e3 };
        self.stored.insert(id, CompleteFile { info: info.clone(), resume: resume.clone(), expires: now + lasts });
        Some(info)
    }

    /// Removes an upload that has failed.
    pub(crate) fn discard(&mut self, resume: &ResumeKey, id: FileId) {
        self.take(resume, id);
    }

    /// Removes an unfinished upload.
    pub(crate) fn cancel(&mut self, resume: &ResumeKey) -> Option<Upload> {
        self.unfinished.remove(resume).map(|unfinished| unfinished.upload)
    }

    /// Removes a file if the key is that of its sender.
    pub(crate) fn remove(&mut self, id: FileId, resume: &ResumeKey) -> bool {
        let is_sender = self.stored.get(&id).is_some_and(|stored| stored.resume == *resume);
        is_sender && self.stored.remove(&id).is_some()
    }

    /// Removes what has expired, and the uploads that gave up their room.
    pub(crate) fn expire(&mut self, now: Instant) -> Expired {
        let over = self.stored.iter().filter(|(_, stored)| stored.expires <= now);
        let stored = over.map(|(id, _)| *id).collect();
        self.stored.retain(|_, stored| stored.expires > now);
        let time_limit = self.limits.unfinished;
        let over = self.unfinished.extract_if(|_, unfinished| unfinished.last_activity + time_limit <= now);
        let mut uploads = mem::take(&mut self.displaced);
        uploads.extend(over.map(|(_, unfinished)| unfinished.upload));
        Expired { stored, uploads }
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) -> Vec<Upload> {
        self.stored.clear();
        let mut uploads = mem::take(&mut self.displaced);
        uploads.extend(self.unfinished.drain().map(|(_, unfinished)| unfinished.upload));
        uploads
    }

    /// The next time at which something expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let stored = self.stored.values().map(|stored| stored.expires);
        let unfinished = self.unfinished.values().map(|unfinished| unfinished.last_activity + self.limits.unfinished);
        stored.chain(unfinished).min()
    }

    /// Removes the upload of this key if it has this id. Another was started later with the same key.
    fn take(&mut self, resume: &ResumeKey, id: FileId) -> Option<UnfinishedUpload> {
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

    /// Makes room for an upload of this size by displacing idle ones, or refuses it.
    fn make_room(&mut self, size: u64, now: Instant) -> Result<(), UploadRejected> {
        self.check_size(size)?;
        let missing = (self.used() + size).saturating_sub(self.limits.store_bytes);
        let is_crowded = self.count() >= self.limits.files;
        let mut idle: Vec<_> = self
            .unfinished
            .iter()
            .filter(|(_, unfinished)| unfinished.last_activity + self.limits.idle <= now)
            .collect();
        idle.sort_by_key(|(_, unfinished)| unfinished.last_activity);
        let (mut keys, mut freed) = (Vec::new(), 0);
        for (key, unfinished) in idle {
            if freed >= missing && (!is_crowded || !keys.is_empty()) {
                break;
            }
            freed += unfinished.size;
            keys.push(key.clone());
        }
        // No upload is displaced unless that makes enough room.
        if freed >= missing {
            self.displaced.extend(keys.iter().filter_map(|key| self.unfinished.remove(key)).map(|gone| gone.upload));
        }
        self.check_room(size, now)
    }

    fn check_size(&self, size: u64) -> Result<(), UploadRejected> {
        let limit = self.limits.file_bytes.min(self.limits.store_bytes);
        if size > limit {
            let (size, limit) = (readable(size), readable(limit));
            return Err(UploadRejected::permanent(format!(
                "The file has {size}; the limit is {limit}. Split it, or start the server with a larger --max-file-bytes."
            )));
        }
        Ok(())
    }

    fn check_room(&self, size: u64, now: Instant) -> Result<(), UploadRejected> {
        let count = self.count();
        if count >= self.limits.files {
            let advice = self.advice("--max-files", now);
            return Err(UploadRejected::temporary(format!("The store is full: it has {count} files. {advice}")));
        }
        let used = self.used();
        if size > self.limits.store_bytes - used {
            return Err(UploadRejected::temporary(format!(
                "The store is full: {} of {} are taken, and this file needs {}. {}",
                readable(used),
                readable(self.limits.store_bytes),
                readable(size),
                self.advice("--max-store-bytes", now)
            )));
        }
        Ok(())
    }

    /// The advice for a full store.
    fn advice(&self, flag: &str, now: Instant) -> String {
        match self.stored.values().min_by_key(|stored| stored.expires) {
            Some(oldest) => format!(
                "Wait: \u{201c}{}\u{201d} is the oldest and will be deleted in {}. Or start the server with a larger {flag}.",
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

impl UploadRejected {
    fn permanent(message: String) -> Self {
        Self { message, is_final: true }
    }

    pub(crate) fn temporary(message: String) -> Self {
        Self { message, is_final: false }
    }
}

impl From<FileNameError> for UploadRejected {
    fn from(bad: FileNameError) -> Self {
        Self::permanent(bad.to_string())
    }
}

impl From<FileInfo> for StoredFile {
    fn from(FileInfo { id, name, size, sha256, added, expires }: FileInfo) -> Self {
        Self { id: id.to_string(), name: name.into_string(), size, sha256, added, expires }
    }
}

impl From<&FileLimits> for Limits {
    fn from(limits: &FileLimits) -> Self {
        Self {
            file_bytes: limits.file_bytes.min(limits.store_bytes),
            store_bytes: limits.store_bytes,
            files: limits.files as u64,
            unfinished: limits.unfinished.as_secs_f64() * 1e3,
            finished: limits.finished.as_secs_f64() * 1e3,
        }
    }
}

/// Checks that a key is used for one file only.
fn check_same_file(known: (&FileName, u64), requested: (&FileName, u64)) -> Result<(), UploadRejected> {
    let (name, size) = known;
    if known == requested {
        return Ok(());
    }
    let message = format!("This key belongs to \u{201c}{name}\u{201d} with {size} bytes: choose another key.");
    Err(UploadRejected::permanent(message))
}

/// A size in powers of 1,000.
fn readable(size: u64) -> String {
    format!("{:.1}", ByteSize(size).display().si())
}

/// A time to wait in seconds or minutes.
fn minutes(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=90 => format!("{} s", seconds.max(1)),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}
