use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Store;
use super::id::FileId;
use super::resume::ResumeKey;
use crate::connection::Mailbox;

mod task;

use task::Task;
pub(crate) use task::remove_files;

/// Bytes that a client may send ahead of their acknowledgement.
pub(crate) const WINDOW: u64 = 4 << 20;
/// What a queued job costs beside its bytes. Chunks of less than a kilobyte therefore fill the window sooner.
const OVERHEAD: u64 = 128;
const ALLOWANCE: u64 = WINDOW + WINDOW / 8;

/// An upload's task, as others hold it.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    jobs: mpsc::UnboundedSender<Job>,
    /// What waits to be written, which bounds the queue.
    pending: Arc<AtomicU64>,
}

/// The connection that an upload takes its bytes from, and the turn that it has there: when it comes back over another
/// connection, what is left of the turn before is let go.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) turn: u64,
    pub(crate) stream: u32,
    /// The most bytes that a chunk may have.
    pub(crate) chunk: u64,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// What an upload is asked to do, in order.
#[derive(Debug)]
enum Job {
    Attach(Client),
    Detach(u64),
    Chunk(Chunk),
    Finish { turn: u64, sha256: String },
    End(Option<&'static str>),
}

/// A piece of a file, and where it belongs.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) turn: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
}

/// The client has sent more than the window lets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OverWindow;

/// What a new upload needs to know.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: FileId,
    pub(crate) size: u64,
    pub(crate) resume: ResumeKey,
    pub(crate) store: Weak<Store>,
}

impl Upload {
    /// Starts the task. It ends when the file is complete, or when it is told to.
    pub(crate) fn start(plan: Plan) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let upload = Self { jobs, pending: Arc::default() };
        tokio::spawn(Task::new(plan, Arc::clone(&upload.pending)).run(queue));
        upload
    }

    pub(crate) fn attach(&self, client: Client) -> Result<(), OverWindow> {
        self.put(Job::Attach(client), 0)
    }

    /// The connection has other things to do, or is gone.
    pub(crate) fn detach(&self, turn: u64) {
        // There is one for each attachment, so that the window bounds them too.
        let _ = self.jobs.send(Job::Detach(turn));
    }

    pub(crate) fn chunk(&self, chunk: Chunk) -> Result<(), OverWindow> {
        let cost = chunk.bytes.len() as u64;
        self.put(Job::Chunk(chunk), cost)
    }

    pub(crate) fn finish(&self, turn: u64, sha256: String) -> Result<(), OverWindow> {
        self.put(Job::Finish { turn, sha256 }, 0)
    }

    /// Ends the upload and removes its file; the reason is for its sender.
    pub(crate) fn end(&self, why: Option<&'static str>) {
        let _ = self.jobs.send(Job::End(why));
    }

    fn put(&self, job: Job, cost: u64) -> Result<(), OverWindow> {
        let cost = cost + OVERHEAD;
        if self.pending.fetch_add(cost, Ordering::Relaxed) + cost > ALLOWANCE {
            self.pending.fetch_sub(cost, Ordering::Relaxed);
            return Err(OverWindow);
        }
        // The task of an upload that has ended takes nothing any more; its end has been told.
        let _ = self.jobs.send(job);
        Ok(())
    }
}
