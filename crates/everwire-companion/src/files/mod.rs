//! Files that one client leaves for others for a while: the WebSocket `/files` and downloads over HTTP.
//!
//! # Layout
//! - this module: the protocol of a connection ([`FilesHandler`]) and downloads
//! - `upload`: the handle and the task of one upload, and its flow-control window
//! - `store`: the inventory with its group, its expiry task and its temporary folder
//! - [`FileLimits`], `inventory`: what the store may hold and holds, without I/O
//! - `name`: the rules for file names
//!
//! A module uses only those in the lines below it: the store does not know the tasks that write into it.

mod inventory;
mod name;
mod store;
#[cfg(test)]
mod tests;
mod upload;

pub use inventory::FileLimits;
pub(crate) use store::Store;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use everwire_companion_api::files::{ChunkHeader, ClientMessage, ResumeKey, ServerMessage};
use everwire_server::{Connection, DropReason, Handler, HandshakeError, Membership, Message, Permit};
use tower_http::services::ServeFile;
use tower_service::Service;

use crate::companion::Companion;
use crate::companion::readable_by;
use crate::protocol::{FILES, SendJson};
use inventory::{BeginOutcome, FileInfo, Inventory, UploadRejected};
use name::FileName;
use store::FileId;
use upload::{Attachment, Chunk, Upload, WINDOW, WindowExceeded};

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
    active: Option<ActiveUpload>,
    _membership: Membership<Inventory>,
}

/// The upload that is attached to this connection.
struct ActiveUpload {
    stream: u32,
    generation: u64,
    resume: ResumeKey,
    upload: Upload,
}

impl FilesHandler {
    pub(crate) fn new(store: &Arc<Store>, message_bytes: usize, connection: &Connection) -> Self {
        let chunk = (message_bytes.saturating_sub(ChunkHeader::SIZE) as u64).clamp(1, MAX_CHUNK);
        let (store, connection) = (Arc::clone(store), connection.clone());
        Self { _membership: store.join(&connection), store, connection, chunk, active: None }
    }

    fn handle(&mut self, request: ClientMessage) -> Result<(), WindowExceeded> {
        match request {
            ClientMessage::Upload { stream, name, size, resume } => return self.begin(stream, &name, size, &resume),
            ClientMessage::Finish { stream, sha256 } => {
                if let Some(active) = self.active.as_ref().filter(|active| active.stream == stream) {
                    return active.upload.finish(active.generation, sha256);
                }
            }
            ClientMessage::Cancel { resume } => {
                // The connection that cancels needs no error about it.
                if self.active.as_ref().is_some_and(|active| active.resume == resume) {
                    self.detach();
                }
                self.store.cancel(&resume);
            }
            ClientMessage::Remove { id, resume } => {
                let is_removed = FileId::parse(&id).is_some_and(|id| self.store.remove(id, &resume));
                if !is_removed {
                    self.connection.send_error("you have no such file; it may already be deleted");
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, stream: u32, name: &str, size: u64, resume: &ResumeKey) -> Result<(), WindowExceeded> {
        self.detach();
        let name = FileName::parse(name).map_err(UploadRejected::from);
        match name.and_then(|name| upload::begin(&self.store, resume, name, size)) {
            Ok(BeginOutcome::Complete(file)) => {
                self.connection.send_json(&ServerMessage::Stored { stream, file: file.into() })
            }
            Ok(BeginOutcome::Upload(upload)) => {
                let generation = self.store.next_generation();
                upload.attach(Attachment {
                    generation,
                    stream,
                    chunk: self.chunk,
                    connection: self.connection.clone(),
                })?;
                self.active = Some(ActiveUpload { stream, generation, resume: resume.clone(), upload });
            }
            Err(UploadRejected { message, is_final }) => {
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
        match self.active.as_ref().filter(|active| active.stream == stream) {
            Some(ActiveUpload { generation, upload, .. }) => {
                upload.chunk(Chunk { generation: *generation, offset, bytes: message.slice(ChunkHeader::SIZE..) })
            }
            // The client's outbox still held chunks of an earlier attempt.
            None => Ok(()),
        }
    }

    fn detach(&mut self) {
        if let Some(ActiveUpload { generation, upload, .. }) = self.active.take() {
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

/// The routes under `/files`. The WebSocket itself is an endpoint like the others.
pub(crate) fn routes() -> Router<Companion> {
    Router::new().route("/files/{id}", get(download))
}

/// Serves a file, whole or in part, in a way that browsers never display or run it as a page of this server.
async fn download(State(companion): State<Companion>, Path(id): Path<String>, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = request.into_parts();
    match permits(&companion, &parts) {
        Ok([connection, file]) => {
            let mut response = serve(&companion, &id, Request::from_parts(parts, body)).await;
            let readable = HeaderValue::from_static("Content-Disposition, Content-Range, ETag, Accept-Ranges");
            response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
            readable_by(origin, connection.hold(file.hold(response)))
        }
        Err(error) => {
            companion.everwire().endpoint_metrics(FILES).record_drop(error.reason());
            readable_by(origin, error.into_response())
        }
    }
}

/// The permits that a response holds until it has been read: for a connection and for an open file.
fn permits(companion: &Companion, request: &Parts) -> Result<[Permit; 2], HandshakeError> {
    let everwire = companion.everwire();
    everwire.check_origin(request)?;
    Ok([everwire.admit(request)?, everwire.open_file(request)?])
}

async fn serve(companion: &Companion, id: &str, mut request: Request) -> Response {
    let Some((info, path)) = FileId::parse(id).and_then(|id| companion.files().find(id)) else {
        let sentence = "There is no such file: it has expired or was removed. Ask the sender to send it again.\n";
        return (StatusCode::NOT_FOUND, sentence).into_response();
    };
    let tag = format!("\"{}\"", info.sha256);
    let headers = request.headers_mut();
    if lists_tag(headers, header::IF_NONE_MATCH, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    // The checksum decides; times would repeat it less exactly.
    headers.remove(header::IF_MODIFIED_SINCE);
    headers.remove(header::IF_UNMODIFIED_SINCE);
    // A part of another file would be worse than the whole of this one (RFC 9110 section 13.1.5).
    if headers.contains_key(header::IF_RANGE) && !lists_tag(headers, header::IF_RANGE, &tag) {
        headers.remove(header::RANGE);
    }
    let (parts, _) = request.into_parts();
    let Ok(response) = ServeFile::new(path).call(Request::from_parts(parts, Body::empty())).await;
    let mut response = response.into_response();
    if response.status() == StatusCode::NOT_FOUND {
        return (StatusCode::NOT_FOUND, "The file has just expired.\n").into_response();
    }
    describe(response.headers_mut(), &info, &tag);
    response
}

fn describe(headers: &mut HeaderMap, info: &FileInfo, tag: &str) {
    let fixed = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(header::ETAG, tag), (header::CONTENT_DISPOSITION, &attachment(&info.name))] {
        let value = HeaderValue::from_str(value).expect("hex digits and percent signs are visible ASCII");
        headers.insert(name, value);
    }
}

/// The name to save the file under (RFC 6266): in ASCII for old programs, and in full.
fn attachment(name: &FileName) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || " .-_()".contains(char);
    let ascii: String = name.as_str().chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    let mut full = String::new();
    for byte in name.as_str().bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'_' => full.push(char::from(byte)),
            _ => full.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

fn lists_tag(headers: &HeaderMap, header: HeaderName, tag: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim() == tag || value.trim() == "*")
}
