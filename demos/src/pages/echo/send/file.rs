use std::cell::Cell;
use std::rc::Rc;

use everwire::SendError;
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::pages::echo::payload::Payload;
use crate::pages::echo::session::Session;

/// How far a file has got.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Progress {
    pub(super) accepted: u64,
    pub(super) total: u64,
}

/// How long a full outbox is left alone.
const FULL_MS: u32 = 50;

/// Sends a file as binary messages of `chunk` bytes, each read only when the connection is ready for it: so a large file
/// neither fills the memory nor the network's buffer. Ends when everything has been handed to the network.
///
/// # Errors
/// The file could not be read, or the connection was closed.
pub(super) async fn send_file(
    session: Session,
    file: File,
    chunk: u32,
    progress: Rc<Cell<Progress>>,
) -> Result<(), String> {
    let closed = |_: SendError| "The connection was closed before the whole file was sent.".to_owned();
    let handle = session.handle().ok_or_else(|| "Connect first.".to_owned())?;
    let (total, mut from) = (file.size(), 0.0);
    while from < total {
        handle.ready().await.map_err(closed)?;
        let to = (from + f64::from(chunk)).min(total);
        let payload = Payload::Binary(read(&file, from, to).await?.into());
        while let Err(error) = session.send(&payload) {
            match error {
                SendError::Full(_) => TimeoutFuture::new(FULL_MS).await,
                error => return Err(closed(error)),
            }
        }
        from = to;
        progress.set(Progress { accepted: from as u64, total: total as u64 });
    }
    handle.flush().await.map_err(closed)
}

async fn read(file: &File, from: f64, to: f64) -> Result<Vec<u8>, String> {
    let unreadable = |_| "The file could not be read. It may have been moved or changed.".to_owned();
    let part = file.slice_with_f64_and_f64(from, to).map_err(unreadable)?;
    let bytes = JsFuture::from(part.array_buffer()).await.map_err(unreadable)?;
    Ok(Uint8Array::new(&bytes).to_vec())
}
