use js_sys::{ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use crate::{Message, Pong, pong};

/// A message in the browser's hands. It is copied into wasm memory when it is read, and never if it is not.
#[derive(Debug)]
pub(crate) struct Received(JsValue);

impl Received {
    pub(super) fn new(data: JsValue) -> Self {
        Self(data)
    }

    /// The length: bytes, or UTF-16 units of a text, whose bytes are only known by copying it.
    pub(crate) fn size(&self) -> usize {
        if let Some(text) = self.0.dyn_ref::<JsString>() {
            text.length() as usize
        } else if let Some(buffer) = self.0.dyn_ref::<ArrayBuffer>() {
            buffer.byte_length() as usize
        } else {
            self.0.dyn_ref::<Blob>().map_or(0, |blob| blob.size() as usize)
        }
    }

    pub(crate) fn into_message(self) -> Message {
        if let Some(text) = self.0.as_string() {
            return Message::Text(text);
        }
        match self.0.dyn_into::<Blob>() {
            Ok(blob) => Message::Blob(blob),
            // What is neither text nor Blob is an ArrayBuffer; of anything else a browser might come up with, `Uint8Array` makes
            // an empty message rather than a panic.
            Err(buffer) => Message::Binary(Uint8Array::new(&buffer).to_vec()),
        }
    }

    /// What it says, if it is a standard answer to a ping. A longer text is none, and is not copied to find that out.
    pub(crate) fn standard_pong(&self) -> Option<Pong> {
        let text = self.0.dyn_ref::<JsString>()?;
        if text.length() as usize > pong::MAX_LENGTH {
            return None;
        }
        pong::read(&String::from(text))
    }
}
