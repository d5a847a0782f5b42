use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use everwire_companion_api::files::ServerMessage;
use everwire_server::DropReason;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Chunk, Client, FlowControlWindow, Job, OVERHEAD, Plan, window_for};
use crate::files::partial::Partial;
use crate::json::SendJson;

/// Receives one file, from one connection after another.
pub(super) struct Task {
    plan: Plan,
    window: Arc<FlowControlWindow>,
    client: Option<Client>,
    /// How many bytes are in the file.
    offset: u64,
    /// Made with the first bytes, and away while it is written to.
    partial: Option<Partial>,
}

/// Whether an upload goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Ended,
}

impl Task {
    pub(super) fn new(plan: Plan, window: Arc<FlowControlWindow>) -> Self {
        Self { plan, window, client: None, offset: 0, partial: None }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
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
                Job::Detach(turn) => self.detach(turn),
                Job::Finish { turn, sha256 } => self.finish(turn, &sha256).await,
                Job::End(why) => self.end(why).await,
                Job::Chunk(first) => {
                    // Whatever has arrived meanwhile is written in one go.
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
            if next == Next::Ended {
                break;
            }
        }
        // From here on nothing gets in, and who came while the upload ended is not left without an answer.
        queue.close();
        if let Some(Job::Attach(client)) = next_job {
            client.turn_away();
        }
        while let Some(job) = queue.recv().await {
            if let Job::Attach(client) = job {
                client.turn_away();
            }
        }
    }

    fn attach(&mut self, client: Client) -> Next {
        self.window.release(OVERHEAD);
        self.window.start_turn(client.turn);
        let Client { stream, chunk, .. } = client;
        client.connection.send_json(&ServerMessage::Ready {
            stream,
            offset: self.offset,
            window: window_for(chunk),
            chunk,
        });
        if let Some(before) = self.client.replace(client) {
            before.connection.send_json(&ServerMessage::Taken { stream: before.stream });
        }
        Next::Go
    }

    fn detach(&mut self, turn: u64) -> Next {
        self.client.take_if(|client| client.turn == turn);
        Next::Go
    }

    /// Takes a chunk, or closes the connection of a client that does not count.
    fn add_to_batch(&mut self, chunk: Chunk, batch: &mut WriteBatch) {
        let Chunk { turn, offset, bytes } = chunk;
        let cost = bytes.len() as u64 + OVERHEAD;
        if self.client.as_ref().is_none_or(|client| client.turn != turn) {
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

    async fn write(&mut self, batch: WriteBatch) -> Next {
        let WriteBatch { chunks, bytes, cost } = batch;
        let result = if bytes == 0 { Ok(()) } else { self.on_disk(move |partial| partial.append(&chunks)).await };
        self.window.release(cost);
        if let Err(error) = result {
            return self.abandon(&error).await;
        }
        self.offset += bytes;
        if let Some(store) = self.plan.store.upgrade() {
            store.touch(&self.plan.resume, self.plan.id);
        }
        if let Some(client) = self.client.as_ref().filter(|_| bytes > 0) {
            client.connection.send_json(&ServerMessage::Ack { stream: client.stream, offset: self.offset });
        }
        Next::Go
    }

    async fn finish(&mut self, turn: u64, sha256: &str) -> Next {
        self.window.release(OVERHEAD);
        let Some(client) = self.client.clone().filter(|client| client.turn == turn) else { return Next::Go };
        if self.offset < self.plan.size {
            let (offset, size) = (self.offset, self.plan.size);
            client.connection.send_error(&format!("{offset} of {size} bytes have arrived; send the rest first"));
            return Next::Go;
        }
        // A file without bytes has not been made yet.
        if let Err(error) = self.on_disk(|_| Ok(())).await {
            return self.abandon(&error).await;
        }
        let Some((store, partial)) = self.plan.store.upgrade().zip(self.partial.take()) else { return Next::Ended };
        let found = partial.finish();
        if !found.eq_ignore_ascii_case(sha256) {
            store.forget(&self.plan.resume, self.plan.id);
            client.connection.send_json(&ServerMessage::Mismatch { stream: client.stream, sha256: found });
            self.remove().await;
        } else if let Some(file) = store.keep(&self.plan.resume, self.plan.id, found) {
            client.connection.send_json(&ServerMessage::Stored { stream: client.stream, file: file.into() });
        } else {
            // It was let go in this very moment.
            client.turn_away();
            self.remove().await;
        }
        Next::Ended
    }

    async fn end(&mut self, why: Option<&'static str>) -> Next {
        if let Some(why) = why {
            self.fail(why.to_owned());
        }
        self.remove().await;
        Next::Ended
    }

    /// The disk does not take it.
    async fn abandon(&mut self, error: &io::Error) -> Next {
        if let Some(store) = self.plan.store.upgrade() {
            store.forget(&self.plan.resume, self.plan.id);
        }
        self.fail(told(error));
        tracing::warn!(%error, id = %self.plan.id, "an upload cannot be written");
        self.remove().await;
        Next::Ended
    }

    fn fail(&mut self, error: String) {
        if let Some(client) = self.client.take() {
            client.connection.send_json(&ServerMessage::Failed { stream: client.stream, error });
        }
    }

    /// Works on the file where waiting for the disk holds nobody up.
    async fn on_disk(&mut self, work: impl FnOnce(&mut Partial) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let store = self.plan.store.upgrade().ok_or_else(|| io::Error::other("the server is stopping"))?;
        let (partial, id) = (self.partial.take(), self.plan.id);
        let task = spawn_blocking(move || {
            let mut partial = match partial {
                Some(partial) => partial,
                None => Partial::create(&store.path(id)?)?,
            };
            work(&mut partial)?;
            Ok(partial)
        });
        let partial: io::Result<Partial> = task.await.map_err(io::Error::other)?;
        self.partial = Some(partial?);
        Ok(())
    }

    async fn remove(&mut self) {
        self.partial = None;
        let path = self.plan.store.upgrade().and_then(|store| store.path_if_any(self.plan.id));
        remove_files(path.into_iter().collect()).await;
    }
}

/// Chunks that follow one another.
#[derive(Default)]
struct WriteBatch {
    chunks: Vec<Bytes>,
    bytes: u64,
    /// What they cost in the queue.
    cost: u64,
}

/// An error of the disk in words for the sender.
fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The server's disk is full: send the file again when there is room.".to_owned()
        }
        _ => format!("The server cannot write the file ({error}): send it again, or look at the server's log."),
    }
}

/// Removes files; one that is not there is removed already.
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
    // It fails only when the runtime ends, and with that goes the folder.
    let _ = removed.await;
}
