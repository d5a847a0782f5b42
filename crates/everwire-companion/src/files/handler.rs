use std::sync::Arc;

use bytes::Bytes;
use everwire_companion_api::files::{ChunkHeader, ClientMessage, ResumeKey, ServerMessage};
use everwire_server::{Connection, DropReason, Handler, Membership, Message};

use super::disk::FileId;
use super::inventory::{Begin, Inventory, UploadRefused};
use super::name::FileName;
use super::store::Store;
use super::task;
use super::upload::{Attachment, Chunk, Upload, WINDOW, WindowExceeded};
use crate::protocol::SendJson;

/// The greatest size of a chunk in bytes, so that a ping does not wait long behind one.
const MAX_CHUNK: u64 = 256 << 10;

/// The messages that a client may send.
const GRAMMAR: &str = r#"send {"type":"upload","stream":NUMBER,"name":TEXT,"size":BYTES,"resume":KEY}, {"type":"finish","stream":NUMBER,"sha256":HEX}, {"type":"cancel","resume":KEY}, {"type":"remove","id":ID,"resume":KEY}, where KEY is 16 to 128 letters and digits, or a chunk: stream (4 bytes), offset (8 bytes), bytes"#;

/// `/files`: receives files, one at a time, and sends the list of files and its changes.
pub(crate) struct FilesHandler {
    store: Arc<Store>,
    connection: Connection,
    /// The greatest size of a chunk within the limit of a message.
    chunk: u64,
    current: Option<Current>,
    _membership: Membership<Inventory>,
}

/// The upload that is attached to this connection.
struct Current {
    stream: u32,
    generation: u64,
    resume: ResumeKey,
    upload: Upload,
}

impl FilesHandler {
    pub(crate) fn new(store: &Arc<Store>, message_bytes: usize, connection: &Connection) -> Self {
        let chunk = (message_bytes.saturating_sub(ChunkHeader::SIZE) as u64).clamp(1, MAX_CHUNK);
        let (store, connection) = (Arc::clone(store), connection.clone());
        Self { _membership: store.join(&connection), store, connection, chunk, current: None }
    }

    fn handle(&mut self, request: ClientMessage) -> Result<(), WindowExceeded> {
        match request {
            ClientMessage::Upload { stream, name, size, resume } => return self.begin(stream, &name, size, &resume),
            ClientMessage::Finish { stream, sha256 } => {
                if let Some(current) = self.current.as_ref().filter(|current| current.stream == stream) {
                    return current.upload.finish(current.generation, sha256);
                }
            }
            ClientMessage::Cancel { resume } => {
                // The connection that cancels needs no error about it.
                if self.current.as_ref().is_some_and(|current| current.resume == resume) {
                    self.detach();
                }
                self.store.cancel(&resume);
            }
            ClientMessage::Remove { id, resume } => {
                let is_removed = FileId::parse(&id).is_some_and(|id| self.store.remove(id, &resume));
                if !is_removed {
                    self.connection.send_error("there is no such file of yours; it may have gone already");
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, stream: u32, name: &str, size: u64, resume: &ResumeKey) -> Result<(), WindowExceeded> {
        self.detach();
        let name = FileName::parse(name).map_err(UploadRefused::from);
        match name.and_then(|name| task::begin(&self.store, resume, name, size)) {
            Ok(Begin::Stored(file)) => self.connection.send_json(&ServerMessage::Stored { stream, file: file.into() }),
            Ok(Begin::Upload(upload)) => {
                let generation = self.store.next_generation();
                upload.attach(Attachment {
                    generation,
                    stream,
                    chunk: self.chunk,
                    connection: self.connection.clone(),
                })?;
                self.current = Some(Current { stream, generation, resume: resume.clone(), upload });
            }
            Err(UploadRefused { message, is_final }) => {
                self.connection.send_json(&ServerMessage::Refused { stream, error: message, is_final });
            }
        }
        Ok(())
    }

    fn chunk(&self, message: Bytes) -> Result<(), WindowExceeded> {
        let Some(ChunkHeader { stream, offset }) = ChunkHeader::parse(&message) else {
            self.connection.send_error(GRAMMAR);
            return Ok(());
        };
        match self.current.as_ref().filter(|current| current.stream == stream) {
            Some(Current { generation, upload, .. }) => {
                upload.chunk(Chunk { generation: *generation, offset, bytes: message.slice(ChunkHeader::SIZE..) })
            }
            // The client's outbox still held chunks of an earlier attempt.
            None => Ok(()),
        }
    }

    fn detach(&mut self) {
        if let Some(Current { generation, upload, .. }) = self.current.take() {
            upload.detach(generation);
        }
    }
}

impl Handler for FilesHandler {
    fn on_message(&mut self, message: Message) {
        let result = match message {
            Message::Binary(bytes) => self.chunk(bytes),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(request) => self.handle(request),
                Err(_) => return self.connection.send_error(GRAMMAR),
            },
        };
        if result == Err(WindowExceeded) {
            let reason = format!("more than {WINDOW} bytes without waiting for their acknowledgement");
            self.connection.reject(1008, DropReason::Malformed, reason);
        }
    }
}

impl Drop for FilesHandler {
    fn drop(&mut self) {
        self.detach();
    }
}
