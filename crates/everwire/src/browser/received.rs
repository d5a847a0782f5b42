use everwire_core::ping;
use js_sys::{ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use super::text;
use crate::{Message, MessageRef, Pong};

/// A message in the browser's hands. It is copied into wasm memory when it is read, and never if it is not.
///
/// Every question to the browser is a call out of wasm, so that kind and size are asked for once.
#[derive(Debug)]
pub(crate) struct Received {
    data: JsValue,
    kind: Kind,
    /// The length: bytes, or UTF-16 units of a text, whose bytes are only known by copying it.
    size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Bytes,
    Blob,
}

impl Received {
    pub(super) fn new(data: JsValue) -> Self {
        let (kind, size) = if data.is_string() {
            (Kind::Text, data.unchecked_ref::<JsString>().length() as usize)
        } else if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
            (Kind::Bytes, buffer.byte_length() as usize)
        } else if let Some(blob) = data.dyn_ref::<Blob>() {
            (Kind::Blob, blob.size() as usize)
        } else {
            // Of anything else that a browser might come up with, `Uint8Array` makes an empty message rather than a panic.
            (Kind::Bytes, 0)
        };
        Self { data, kind, size }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn into_message(self) -> Message {
        match self.kind {
            Kind::Text => Message::Text(text::read(self.data.unchecked_ref(), self.size)),
            Kind::Bytes => Message::Binary(Uint8Array::new(&self.data).to_vec()),
            Kind::Blob => Message::Blob(self.data.unchecked_into()),
        }
    }

    /// The content, copied into `buffer`; a Blob stays where it is.
    pub(crate) fn as_ref<'a>(&'a self, buffer: &'a mut Vec<u8>) -> MessageRef<'a> {
        match self.kind {
            Kind::Text => MessageRef::Text(text::copy(self.data.unchecked_ref(), self.size, buffer)),
            Kind::Bytes => {
                let bytes = Uint8Array::new(&self.data);
                let length = bytes.length() as usize;
                buffer.resize(buffer.len().max(length), 0);
                bytes.copy_to(&mut buffer[..length]);
                MessageRef::Binary(&buffer[..length])
            }
            Kind::Blob => MessageRef::Blob(self.data.unchecked_ref()),
        }
    }

    /// What it says, if it is a standard answer to a ping. A text that is too long or starts otherwise is none, and is not copied to
    /// find that out.
    pub(crate) fn standard_pong(&self) -> Option<Pong> {
        if self.kind != Kind::Text || self.size > ping::MAX_LENGTH {
            return None;
        }
        let text = self.data.unchecked_ref::<JsString>();
        // Outside of the text that is no number.
        let unit = |index| text.char_code_at(index) as u8;
        ping::Answer::may_start(unit).then(|| ping::Answer::parse(&String::from(text)))?.map(Pong::from)
    }
}
