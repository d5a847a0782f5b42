use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use everwire_companion_api::files::{ResumeKey, ServerMessage};
use everwire_server::DropReason;
use tokio::task::spawn_blocking;

use super::disk::{FileId, PartialFile, remove_files};
use super::inventory::{Begin, UploadRefused};
use super::name::FileName;
use super::store::Store;
use super::upload::{Attachment, Chunk, FlowControlWindow, Job, JobQueue, OVERHEAD, Upload, window_for};
use crate::protocol::SendJson;

/// Resumes the upload of this key, or starts the task of a new one. It ends when the file is complete, or with [`Upload::end`].
pub(super) fn begin(store: &Arc<Store>, resume: &ResumeKey, name: FileName, size: u64) -> Result<Begin, UploadRefused> {
    store.begin(resume, name, size, |id| {
        let plan = Plan { id, size, resume: resume.clone(), store: Arc::downgrade(store) };
        let (upload, queue) = Upload::new(id);
        tokio::spawn(UploadTask::new(plan, Arc::clone(&queue.window)).run(queue));
        upload
    })
}

/// The parameters of a new upload.
#[derive(Debug)]
struct Plan {
    id: FileId,
    size: u64,
    resume: ResumeKey,
    store: Weak<Store>,
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

    async fn run(mut self, JobQueue { mut jobs, .. }: JobQueue) {
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

/// The message for the sender about an error of the disk.
fn disk_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The server's disk is full: send the file again when there is room.".to_owned()
        }
        _ => format!("The server cannot write the file ({error}): send it again, or look at the server's log."),
    }
}
