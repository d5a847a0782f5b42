use std::sync::{Arc, Weak};

use bytes::Bytes;
use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::Connection;
use tokio::sync::mpsc::{self, error::SendError};

use super::Store;
use super::id::FileId;
use crate::json::SendJson;

mod task;
mod window;

use task::Task;
pub(crate) use task::remove_files;
use window::{FlowControlWindow, OVERHEAD, window_for};
pub(crate) use window::{WINDOW, WindowExceeded};

/// An upload's task, as others hold it.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// What tells it from an earlier or a later one of the same key.
    id: FileId,
    jobs: mpsc::UnboundedSender<Job>,
    /// Bounds the queue.
    window: Arc<FlowControlWindow>,
}

/// The connection that an upload takes its bytes from, and the turn that it has there: when it comes back over another
/// connection, what is left of the turn before is let go.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) turn: u64,
    pub(crate) stream: u32,
    /// The most bytes that a chunk may have.
    pub(crate) chunk: u64,
    pub(crate) connection: Connection,
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
        let upload = Self { id: plan.id, jobs, window: Arc::default() };
        tokio::spawn(Task::new(plan, Arc::clone(&upload.window)).run(queue));
        upload
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    pub(crate) fn attach(&self, client: Client) -> Result<(), WindowExceeded> {
        self.put(Job::Attach(client), 0)
    }

    /// The connection has other things to do, or is gone.
    pub(crate) fn detach(&self, turn: u64) {
        // There is one for each attachment, so that the window bounds them too.
        let _ = self.jobs.send(Job::Detach(turn));
    }

    pub(crate) fn chunk(&self, chunk: Chunk) -> Result<(), WindowExceeded> {
        if self.window.is_over(chunk.turn) {
            // What the connection before still had on its way.
            return Ok(());
        }
        let cost = chunk.bytes.len() as u64;
        self.put(Job::Chunk(chunk), cost)
    }

    pub(crate) fn finish(&self, turn: u64, sha256: String) -> Result<(), WindowExceeded> {
        self.put(Job::Finish { turn, sha256 }, 0)
    }

    /// Ends the upload and removes its file; the reason is for its sender.
    pub(crate) fn end(&self, why: Option<&'static str>) {
        let _ = self.jobs.send(Job::End(why));
    }

    fn put(&self, job: Job, cost: u64) -> Result<(), WindowExceeded> {
        self.window.reserve(cost + OVERHEAD)?;
        // The task of an upload that has ended takes nothing any more. Who sent to it has been told; who comes has not.
        if let Err(SendError(Job::Attach(client))) = self.jobs.send(job) {
            client.turn_away();
        }
        Ok(())
    }
}

impl Client {
    /// Tells a client that came too late.
    fn turn_away(&self) {
        let error = "The upload ended in this very moment: send it again.".to_owned();
        self.connection.send_json(&ServerMessage::Failed { stream: self.stream, error });
    }
}
