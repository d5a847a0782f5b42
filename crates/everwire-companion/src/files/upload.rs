use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::{Connection, DropReason};
use tokio::sync::mpsc::{self, error::SendError};
use tokio::task::spawn_blocking;

use super::disk::{FileId, PartialFile};
use super::store::Store;
use crate::json::SendJson;

/// The flow-control window: bytes that a client may send before they are acknowledged.
pub(crate) const WINDOW: u64 = 4 << 20;
/// The cost of a queued job besides its bytes. It lets chunks of less than a kilobyte fill the window sooner.
const OVERHEAD: u64 = 128;
/// The greatest cost of all queued jobs.
const MAX_QUEUED: u64 = WINDOW + WINDOW / 8;

/// A handle to the task of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// Distinguishes it from other uploads with the same key.
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

/// The parameters of a new upload.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: FileId,
    pub(crate) size: u64,
    pub(crate) resume: ResumeKey,
    pub(crate) store: Weak<Store>,
}

impl Upload {
    /// Starts the task. It ends when the file is complete, or with [`end`](Self::end).
    pub(crate) fn start(plan: Plan) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let upload = Self { id: plan.id, jobs, window: Arc::default() };
        tokio::spawn(UploadTask::new(plan, Arc::clone(&upload.window)).run(queue));
        upload
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
    /// Tells the client that the upload has just ended.
    fn reject(&self) {
        let error = "The upload has just ended: send it again.".to_owned();
        self.connection.send_json(&ServerMessage::Failed { stream: self.stream, error });
    }
}

/// Receives one file, from one connection after another.
struct UploadTask {
    plan: Plan,
    window: Arc<FlowControlWindow>,
    client: Option<Attachment>,
    /// Bytes in the file.
    offset: u64,
    /// Created with the first bytes. `None` also while a blocking task writes to it.
    partial: Option<PartialFile>,
}

impl UploadTask {
    fn new(plan: Plan, window: Arc<FlowControlWindow>) -> Self {
        Self { plan, window, client: None, offset: 0, partial: None }
    }

    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let mut next_job = None;
        loop {
            let job = match next_job.take() {
                Some(job) => job,
                None => match queue.recv().await {
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
                        && let Ok(job) = queue.try_recv()
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
        queue.close();
        if let Some(Job::Attach(client)) = next_job {
            client.reject();
        }
        while let Some(job) = queue.recv().await {
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
        if offset == expected && bytes.len() as u64 <= self.plan.size - expected {
            batch.bytes += bytes.len() as u64;
            batch.chunks.push(bytes);
        } else if let Some(client) = self.client.take() {
            let size = self.plan.size;
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
        if let Some(store) = self.plan.store.upgrade() {
            store.touch(&self.plan.resume, self.plan.id);
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
        if self.offset < self.plan.size {
            let (offset, size) = (self.offset, self.plan.size);
            client.connection.send_error(&format!("{offset} of {size} bytes have arrived; send the rest first"));
            return ControlFlow::Continue(());
        }
        // An empty file has not been created yet.
        if let Err(error) = self.on_disk(|_| Ok(())).await {
            return self.abort(&error).await;
        }
        let Some((store, partial)) = self.plan.store.upgrade().zip(self.partial.take()) else {
            return ControlFlow::Break(());
        };
        let found = partial.finish();
        if !found.eq_ignore_ascii_case(sha256) {
            store.discard(&self.plan.resume, self.plan.id);
            client.connection.send_json(&ServerMessage::Mismatch { stream: client.stream, sha256: found });
            self.remove().await;
        } else if let Some(file) = store.store_upload(&self.plan.resume, self.plan.id, found) {
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
        if let Some(store) = self.plan.store.upgrade() {
            store.discard(&self.plan.resume, self.plan.id);
        }
        self.fail(disk_error(error));
        tracing::warn!(%error, id = %self.plan.id, "an upload cannot be written");
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
        let store = self.plan.store.upgrade().ok_or_else(|| io::Error::other("the server is stopping"))?;
        let (partial, id) = (self.partial.take(), self.plan.id);
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
        let path = self.plan.store.upgrade().and_then(|store| store.path_if_any(self.plan.id));
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

/// The message for the sender about an error of the disk.
fn disk_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The server's disk is full: send the file again when there is room.".to_owned()
        }
        _ => format!("The server cannot write the file ({error}): send it again, or look at the server's log."),
    }
}

/// Removes files. Files that do not exist are skipped.
pub(crate) async fn remove_files(paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    let removed = spawn_blocking(move || {
        for path in paths {
            match std::fs::remove_file(&path) {
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
