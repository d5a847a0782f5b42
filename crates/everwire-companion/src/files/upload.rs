use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use everwire_companion_api::files::ServerMessage;
use everwire_server::Connection;
use tokio::sync::mpsc::{self, error::SendError};

use super::disk::FileId;
use crate::protocol::SendJson;

/// The flow-control window: bytes that a client may send before they are acknowledged.
pub(crate) const WINDOW: u64 = 4 << 20;
/// The cost of a queued job in addition to its bytes. It lets chunks of less than a kilobyte fill the window sooner.
pub(super) const OVERHEAD: u64 = 128;
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
pub(super) enum Job {
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

/// The task's end of an upload: its jobs, and the window to release their room in.
pub(super) struct JobQueue {
    pub(super) jobs: mpsc::UnboundedReceiver<Job>,
    pub(super) window: Arc<FlowControlWindow>,
}

impl Upload {
    /// A handle, and the queue of jobs for the task of the upload.
    pub(super) fn new(id: FileId) -> (Self, JobQueue) {
        let (sender, jobs) = mpsc::unbounded_channel();
        let window = Arc::<FlowControlWindow>::default();
        (Self { id, jobs: sender, window: Arc::clone(&window) }, JobQueue { jobs, window })
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
pub(super) struct FlowControlWindow {
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
    pub(super) fn release(&self, cost: u64) {
        self.queued.fetch_sub(cost, Ordering::Relaxed);
    }

    /// Starts a generation, before the client learns that it is attached.
    pub(super) fn start_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// Whether a later generation has started. Chunks of this one would only take room from it.
    fn is_over(&self, generation: u64) -> bool {
        generation < self.generation.load(Ordering::Acquire)
    }
}

/// The window of a client that sends chunks of this size. For small chunks, their overhead in the queue bounds it.
pub(super) fn window_for(chunk: u64) -> u64 {
    WINDOW.min(MAX_QUEUED / (chunk + OVERHEAD) * chunk)
}
