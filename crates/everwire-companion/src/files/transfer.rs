use std::sync::Arc;

use bytes::Bytes;
use everwire_companion_api::files::{ChunkHeader, ClientMessage, ResumeKey, ServerMessage};
use everwire_server::{Connection, DropReason, Handler, Membership, Message};

use super::Store;
use super::id::FileId;
use super::name::FileName;
use super::no_begin::NoBegin;
use super::shelf::{Begin, Shelf};
use super::upload::{Chunk, Client, Upload, WINDOW, WindowExceeded};
use super::wire::GRAMMAR;
use crate::json::SendJson;

/// The most bytes of a chunk, so that a ping need not wait for long behind one.
const CHUNK: u64 = 256 << 10;

/// `/files`: takes files, one at a time, and tells of those that there are.
pub(crate) struct FilesHandler {
    store: Arc<Store>,
    connection: Connection,
    /// The most bytes of a chunk that the limit of a message lets through.
    chunk: u64,
    current: Option<Current>,
    _membership: Membership<Shelf>,
}

/// The upload whose chunks come over this connection.
struct Current {
    stream: u32,
    turn: u64,
    resume: ResumeKey,
    upload: Upload,
}

impl FilesHandler {
    pub(crate) fn new(store: &Arc<Store>, message_bytes: usize, connection: &Connection) -> Self {
        let chunk = (message_bytes.saturating_sub(ChunkHeader::SIZE) as u64).clamp(1, CHUNK);
        let (store, connection) = (Arc::clone(store), connection.clone());
        Self { _membership: store.join(&connection), store, connection, chunk, current: None }
    }

    fn asked(&mut self, request: ClientMessage) -> Result<(), WindowExceeded> {
        match request {
            ClientMessage::Upload { stream, name, size, resume } => return self.begin(stream, &name, size, &resume),
            ClientMessage::Finish { stream, sha256 } => {
                if let Some(current) = self.current.as_ref().filter(|current| current.stream == stream) {
                    return current.upload.finish(current.turn, sha256);
                }
            }
            ClientMessage::Cancel { resume } => {
                // Who cancels need not be told of it.
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
        let name = FileName::parse(name).map_err(NoBegin::from);
        match name.and_then(|name| self.store.begin(resume, name, size)) {
            Ok(Begin::Stored(file)) => self.connection.send_json(&ServerMessage::Stored { stream, file: file.into() }),
            Ok(Begin::Upload(upload)) => {
                let turn = self.store.turn();
                upload.attach(Client { turn, stream, chunk: self.chunk, connection: self.connection.clone() })?;
                self.current = Some(Current { stream, turn, resume: resume.clone(), upload });
            }
            Err(NoBegin { why, is_final }) => {
                self.connection.send_json(&ServerMessage::Refused { stream, error: why, is_final });
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
            Some(Current { turn, upload, .. }) => {
                upload.chunk(Chunk { turn: *turn, offset, bytes: message.slice(ChunkHeader::SIZE..) })
            }
            // What a client's outbox had left of an attempt that is over.
            None => Ok(()),
        }
    }

    fn detach(&mut self) {
        if let Some(Current { turn, upload, .. }) = self.current.take() {
            upload.detach(turn);
        }
    }
}

impl Handler for FilesHandler {
    fn on_message(&mut self, message: Message) {
        let result = match message {
            Message::Binary(bytes) => self.chunk(bytes),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(request) => self.asked(request),
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
