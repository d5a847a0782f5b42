use everwire_core::ping;
use js_sys::{JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::*};
use web_sys::Blob;

use super::text;
use crate::{Message, MessageRef};

#[wasm_bindgen]
extern "C" {
    /// What a message event may carry. Every question to the browser is a call out of wasm, so that one answers for the kind and the
    /// length.
    type Data;

    /// Only a text has it.
    #[wasm_bindgen(method, getter)]
    fn length(this: &Data) -> Option<u32>;

    /// Only an `ArrayBuffer` has it.
    #[wasm_bindgen(method, getter, js_name = byteLength)]
    fn byte_length(this: &Data) -> Option<u32>;

    /// Only a `Blob` has it.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Data) -> Option<f64>;
}

/// A message as the browser received it. A short text is copied into wasm memory at once, which costs no more than to look at it in the
/// browser's hands; everything else is copied when it is read, and never if it is not.
#[derive(Debug)]
pub(crate) struct Received {
    content: Content,
    /// The length: bytes, or UTF-16 units of a text, whose bytes are only known by copying it.
    size: usize,
}

#[derive(Debug)]
enum Content {
    ShortText(String),
    LongText(JsString),
    Bytes(JsValue),
    Blob(Blob),
}

impl Received {
    pub(super) fn new(value: JsValue) -> Self {
        let data: &Data = value.unchecked_ref();
        if let Some(length) = data.length() {
            let size = length as usize;
            let content = if size < text::WORTH_ENCODING {
                Content::ShortText(value.as_string().unwrap_or_default())
            } else {
                Content::LongText(value.unchecked_into())
            };
            Self { content, size }
        } else if let Some(length) = data.byte_length() {
            Self { content: Content::Bytes(value), size: length as usize }
        } else if let Some(size) = data.size() {
            Self { content: Content::Blob(value.unchecked_into()), size: size as usize }
        } else {
            // Of anything else that a browser might come up with, `Uint8Array` makes an empty message rather than a panic.
            Self { content: Content::Bytes(value), size: 0 }
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn into_message(self) -> Message {
        match self.content {
            Content::ShortText(text) => Message::Text(text),
            Content::LongText(text) => Message::Text(text::read(&text, self.size)),
            Content::Bytes(buffer) => Message::Binary(Uint8Array::new(&buffer).to_vec()),
            Content::Blob(blob) => Message::Blob(blob),
        }
    }

    /// The content; a long text and bytes are copied into `buffer`, a Blob stays where it is.
    pub(crate) fn as_ref<'a>(&'a self, buffer: &'a mut Vec<u8>) -> MessageRef<'a> {
        match &self.content {
            Content::ShortText(text) => MessageRef::Text(text),
            Content::LongText(text) => MessageRef::Text(text::copy(text, self.size, buffer)),
            Content::Bytes(data) => {
                let bytes = Uint8Array::new(data);
                let length = bytes.length() as usize;
                buffer.resize(buffer.len().max(length), 0);
                bytes.copy_to(&mut buffer[..length]);
                MessageRef::Binary(&buffer[..length])
            }
            Content::Blob(blob) => MessageRef::Blob(blob),
        }
    }

    /// What it says, if it is a standard answer to a ping, which is never a long text.
    pub(crate) fn standard_pong(&self) -> Option<ping::Answer> {
        match &self.content {
            Content::ShortText(text) => ping::Answer::parse(text),
            _ => None,
        }
    }
}
