//! One upload: the handle that connections use, the task that writes its file, and the flow-control window between them.
//!
//! The task owns the file. It does its jobs in order, so that a connection that takes an upload over needs no lock. Every chunk carries the
//! generation of its attachment, and chunks of an earlier connection are dropped.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::{Connection, DropReason};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::task::spawn_blocking;

use super::inventory::{BeginOutcome, UploadRejected};
use super::name::FileName;
use super::store::{FileId, PartialFile, Store, remove_files};
use crate::protocol::SendJson;

/// The flow-control window: bytes that a client may send before they are acknowledged.
pub(crate) const WINDOW: u64 = 4 << 20;

/// The cost of a queued job in addition to its bytes. It lets chunks of less than a kilobyte fill the window sooner.
const OVERHEAD: u64 = 128;

/// The greatest cost of all queued jobs.
const MAX_QUEUED: u64 = WINDOW + WINDOW / 8;

/// A handle to the task of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// Distinguishes it from earlier uploads with the same key.
    id: FileId,
    jobs: mpsc::UnboundedSender<Job>,
    /// Bounds the queue of jobs.
    window: Arc<FlowControlWindow>,
}

/// The connection that an upload takes its bytes from. Each attachment has a higher generation than the one before, and chunks of
/// older generations are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) generation: u64,
    pub(crate) stream: u32,
    /// The greatest size of a chunk in bytes.
    pub(crate) chunk: u64,
    pub(crate) connection: Connection,
}

/// The jobs of an upload's task, done in order.
#[derive(Debug)]
enum Job {
    Attach(Attachment),
    Detach(u64),
    Chunk(Chunk),
    Finish { generation: u64, sha256: String },
    End(Option<&'static str>),
}

/// A part of a file at its offset.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
}

impl Upload {
    /// A handle, and the queue of jobs for the task of the upload.
    fn new(id: FileId) -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (sender, jobs) = mpsc::unbounded_channel();
        (Self { id, jobs: sender, window: Arc::default() }, jobs)
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    pub(crate) fn attach(&self, client: Attachment) -> Result<(), WindowExceeded> {
        self.put(Job::Attach(client), 0)
    }

    /// Detaches a connection that starts another upload or has ended.
    pub(crate) fn detach(&self, generation: u64) {
        // Needs no room in the window: there is one for each attachment, which has taken some.
        let _ = self.jobs.send(Job::Detach(generation));
    }

    pub(crate) fn chunk(&self, chunk: Chunk) -> Result<(), WindowExceeded> {
        if self.window.is_over(chunk.generation) {
            // The chunk was in transit when another connection took over.
            return Ok(());
        }
        let cost = chunk.bytes.len() as u64;
        self.put(Job::Chunk(chunk), cost)
    }

    pub(crate) fn finish(&self, generation: u64, sha256: String) -> Result<(), WindowExceeded> {
        self.put(Job::Finish { generation, sha256 }, 0)
    }

    /// Ends the upload and removes its file. The sender gets the reason, if there is one.
    pub(crate) fn end(&self, reason: Option<&'static str>) {
        let _ = self.jobs.send(Job::End(reason));
    }

    fn put(&self, job: Job, cost: u64) -> Result<(), WindowExceeded> {
        self.window.reserve(cost + OVERHEAD)?;
        // The task of an upload that has ended takes no more jobs. An attached client got the reason; a new one gets an error.
        if let Err(SendError(Job::Attach(client))) = self.jobs.send(job) {
            client.reject();
        }
        Ok(())
    }
}

impl Attachment {
    /// Reports to the client that the upload has just ended.
    pub(super) fn reject(&self) {
        let error = "The upload has just ended: send it again.".to_owned();
        self.connection.send_json(&ServerMessage::Failed { stream: self.stream, error });
    }
}

/// Bounds the queue of an upload.
#[derive(Debug, Default)]
struct FlowControlWindow {
    /// The cost of the queued jobs.
    queued: AtomicU64,
    /// The generation of the current attachment.
    generation: AtomicU64,
}

/// The client has exceeded the flow-control window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WindowExceeded;

impl FlowControlWindow {
    /// Reserves room for a job.
    fn reserve(&self, cost: u64) -> Result<(), WindowExceeded> {
        if self.queued.fetch_add(cost, Ordering::Relaxed) + cost > MAX_QUEUED {
            self.queued.fetch_sub(cost, Ordering::Relaxed);
            return Err(WindowExceeded);
        }
        Ok(())
    }

    /// Releases the room of jobs that are done.
    fn release(&self, cost: u64) {
        self.queued.fetch_sub(cost, Ordering::Relaxed);
    }

    /// Starts a generation, before the client learns that it is attached.
    fn start_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// Whether a later generation has started. Chunks of this one would only take room from it.
    fn is_over(&self, generation: u64) -> bool {
        generation < self.generation.load(Ordering::Acquire)
    }
}

/// The window of a client that sends chunks of this size. For small chunks, their overhead in the queue bounds it.
fn window_for(chunk: u64) -> u64 {
    WINDOW.min(MAX_QUEUED / (chunk + OVERHEAD) * chunk)
}

/// Resumes the upload of this key, or starts the task of a new one. It ends when the file is complete, or with [`Upload::end`].
pub(super) fn begin(
    store: &Arc<Store>,
    resume: &ResumeKey,
    name: FileName,
    size: u64,
) -> Result<BeginOutcome, UploadRejected> {
    store.begin(resume, name, size, |id| {
        let (upload, jobs) = Upload::new(id);
        let task = UploadTask {
            id,
            size,
            resume: resume.clone(),
            store: Arc::downgrade(store),
            window: Arc::clone(&upload.window),
            client: None,
            offset: 0,
            partial: None,
        };
        tokio::spawn(task.run(jobs));
        upload
    })
}

/// Receives one file, from one connection after another.
struct UploadTask {
    id: FileId,
    size: u64,
    resume: ResumeKey,
    /// Weak, so that a task never keeps a stopped server's folder.
    store: Weak<Store>,
    window: Arc<FlowControlWindow>,
    client: Option<Attachment>,
    /// Bytes in the file.
    offset: u64,
    /// Created with the first bytes. `None` also while a blocking task writes to it.
    partial: Option<PartialFile>,
}

impl UploadTask {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut next_job = None;
        loop {
            let job = match next_job.take() {
                Some(job) => job,
                None => match jobs.recv().await {
                    Some(job) => job,
                    None => return self.remove().await,
                },
            };
            let next = match job {
                Job::Attach(client) => self.attach(client),
                Job::Detach(generation) => self.detach(generation),
                Job::Finish { generation, sha256 } => self.finish(generation, &sha256).await,
                Job::End(reason) => self.end(reason).await,
                Job::Chunk(first) => {
                    // All chunks that have arrived are written together.
                    let mut batch = WriteBatch::default();
                    self.add_to_batch(first, &mut batch);
                    while next_job.is_none()
                        && let Ok(job) = jobs.try_recv()
                    {
                        match job {
                            Job::Chunk(chunk) => self.add_to_batch(chunk, &mut batch),
                            other => next_job = Some(other),
                        }
                    }
                    self.write(batch).await
                }
            };
            if next.is_break() {
                break;
            }
        }
        // Clients that attach while the upload ends get an answer.
        jobs.close();
        if let Some(Job::Attach(client)) = next_job {
            client.reject();
        }
        while let Some(job) = jobs.recv().await {
            if let Job::Attach(client) = job {
                client.reject();
            }
        }
    }

    fn attach(&mut self, client: Attachment) -> ControlFlow<()> {
        self.window.release(OVERHEAD);
        self.window.start_generation(client.generation);
        let Attachment { stream, chunk, .. } = client;
        client.connection.send_json(&ServerMessage::Ready {
            stream,
            offset: self.offset,
            window: window_for(chunk),
            chunk,
        });
        if let Some(before) = self.client.replace(client) {
            before.connection.send_json(&ServerMessage::Taken { stream: before.stream });
        }
        ControlFlow::Continue(())
    }

    fn detach(&mut self, generation: u64) -> ControlFlow<()> {
        self.client.take_if(|client| client.generation == generation);
        ControlFlow::Continue(())
    }

    /// Adds a chunk, or closes the connection of a client whose offset is wrong.
    fn add_to_batch(&mut self, chunk: Chunk, batch: &mut WriteBatch) {
        let Chunk { generation, offset, bytes } = chunk;
        let cost = bytes.len() as u64 + OVERHEAD;
        if self.client.as_ref().is_none_or(|client| client.generation != generation) {
            return self.window.release(cost);
        }
        batch.cost += cost;
        let expected = self.offset + batch.bytes;
        if offset == expected && bytes.len() as u64 <= self.size - expected {
            batch.bytes += bytes.len() as u64;
            batch.chunks.push(bytes);
        } else if let Some(client) = self.client.take() {
            let size = self.size;
            let reason = format!("a chunk at {offset} where {expected} of {size} bytes had arrived");
            client.connection.reject(1008, DropReason::Malformed, reason);
        }
    }

    async fn write(&mut self, batch: WriteBatch) -> ControlFlow<()> {
        let WriteBatch { chunks, bytes, cost } = batch;
        let result = if bytes == 0 { Ok(()) } else { self.on_disk(move |partial| partial.append(&chunks)).await };
        self.window.release(cost);
        if let Err(error) = result {
            return self.abort(&error).await;
        }
        self.offset += bytes;
        if let Some(store) = self.store.upgrade() {
            store.touch(&self.resume, self.id);
        }
        if let Some(client) = self.client.as_ref().filter(|_| bytes > 0) {
            client.connection.send_json(&ServerMessage::Ack { stream: client.stream, offset: self.offset });
        }
        ControlFlow::Continue(())
    }

    async fn finish(&mut self, generation: u64, sha256: &str) -> ControlFlow<()> {
        self.window.release(OVERHEAD);
        let Some(client) = self.client.clone().filter(|client| client.generation == generation) else {
            return ControlFlow::Continue(());
        };
        if self.offset < self.size {
            let (offset, size) = (self.offset, self.size);
            client.connection.send_error(&format!("{offset} of {size} bytes have arrived; send the rest first"));
            return ControlFlow::Continue(());
        }
        // An empty file has not been created yet.
        if let Err(error) = self.on_disk(|_| Ok(())).await {
            return self.abort(&error).await;
        }
        let Some((store, partial)) = self.store.upgrade().zip(self.partial.take()) else {
            return ControlFlow::Break(());
        };
        let found = partial.finish();
        if !found.eq_ignore_ascii_case(sha256) {
            store.discard(&self.resume, self.id);
            client.connection.send_json(&ServerMessage::Mismatch { stream: client.stream, sha256: found });
            self.remove().await;
        } else if let Some(file) = store.store_upload(&self.resume, self.id, found) {
            client.connection.send_json(&ServerMessage::Stored { stream: client.stream, file: file.into() });
        } else {
            // It has just expired or been cancelled.
            client.reject();
            self.remove().await;
        }
        ControlFlow::Break(())
    }

    async fn end(&mut self, reason: Option<&'static str>) -> ControlFlow<()> {
        if let Some(reason) = reason {
            self.fail(reason.to_owned());
        }
        self.remove().await;
        ControlFlow::Break(())
    }

    /// Ends the upload after an error of the disk.
    async fn abort(&mut self, error: &io::Error) -> ControlFlow<()> {
        if let Some(store) = self.store.upgrade() {
            store.discard(&self.resume, self.id);
        }
        self.fail(disk_error(error));
        tracing::warn!(%error, id = %self.id, "an upload cannot be written");
        self.remove().await;
        ControlFlow::Break(())
    }

    fn fail(&mut self, error: String) {
        if let Some(client) = self.client.take() {
            client.connection.send_json(&ServerMessage::Failed { stream: client.stream, error });
        }
    }

    /// Works on the file in a blocking task.
    async fn on_disk(
        &mut self,
        work: impl FnOnce(&mut PartialFile) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let store = self.store.upgrade().ok_or_else(|| io::Error::other("the server is stopping"))?;
        let (partial, id) = (self.partial.take(), self.id);
        let task = spawn_blocking(move || {
            let mut partial = match partial {
                Some(partial) => partial,
                None => PartialFile::create(&store.path(id)?)?,
            };
            work(&mut partial)?;
            Ok(partial)
        });
        let partial: io::Result<PartialFile> = task.await.map_err(io::Error::other)?;
        self.partial = Some(partial?);
        Ok(())
    }

    async fn remove(&mut self) {
        self.partial = None;
        let path = self.store.upgrade().and_then(|store| store.path_if_any(self.id));
        remove_files(path.into_iter().collect()).await;
    }
}

/// Consecutive chunks.
#[derive(Default)]
struct WriteBatch {
    chunks: Vec<Bytes>,
    bytes: u64,
    /// Their cost in the window.
    cost: u64,
}

/// The message for the sender about an error of the disk.
fn disk_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The server's disk is full: send the file again when there is room.".to_owned()
        }
        _ => format!("The server cannot write the file ({error}): send it again, or look at the server's log."),
    }
}
