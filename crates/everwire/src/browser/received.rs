//! A message as the browser received it.

use everwire_core::ping;
use js_sys::{JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::*};
use web_sys::Blob;

use crate::{Message, MessageRef};

#[wasm_bindgen]
extern "C" {
    /// The data of a message event. Each access is a call out of wasm, so that one getter decides both the kind and the length.
    type Data;

    /// Only texts have it.
    #[wasm_bindgen(method, getter)]
    fn length(this: &Data) -> Option<u32>;

    /// Only an `ArrayBuffer` has it.
    #[wasm_bindgen(method, getter, js_name = byteLength)]
    fn byte_length(this: &Data) -> Option<u32>;

    /// Only a `Blob` has it.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Data) -> Option<f64>;
}

/// A message as the browser received it. A short text is copied into wasm memory at once, which costs no more than a look at it would;
/// everything else is copied when it is read.
#[derive(Debug)]
pub(crate) struct Received {
    content: Content,
    /// The length: bytes, or UTF-16 units of a text, whose length in bytes is only known after a copy.
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
            let content = if size < MIN_ENCODED_TEXT {
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
            // `Uint8Array` turns any other value into an empty message rather than a panic.
            Self { content: Content::Bytes(value), size: 0 }
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn into_message(self) -> Message {
        match self.content {
            Content::ShortText(text) => Message::Text(text),
            Content::LongText(text) => Message::Text(read_text(&text, self.size)),
            Content::Bytes(buffer) => Message::Binary(Uint8Array::new(&buffer).to_vec()),
            Content::Blob(blob) => Message::Blob(blob),
        }
    }

    /// The content; a long text and bytes are copied into `buffer`, a Blob stays where it is.
    pub(crate) fn as_ref<'a>(&'a self, buffer: &'a mut Vec<u8>) -> MessageRef<'a> {
        match &self.content {
            Content::ShortText(text) => MessageRef::Text(text),
            Content::LongText(text) => MessageRef::Text(copy_text(text, self.size, buffer)),
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

    /// The answer to a standard ping, if it is one: that is never a long text.
    pub(crate) fn standard_pong(&self) -> Option<ping::Answer> {
        match &self.content {
            Content::ShortText(text) => ping::Answer::parse(text),
            _ => None,
        }
    }
}

/// From this length on, in UTF-16 units, the browser's `TextEncoder` is faster than wasm-bindgen, which copies texts by character.
const MIN_ENCODED_TEXT: usize = 256;

#[wasm_bindgen]
extern "C" {
    type TextEncoder;

    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;

    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &TextEncoder, source: &JsString, destination: &mut [u8]) -> Encoded;

    type Encoded;

    #[wasm_bindgen(method, getter)]
    fn read(this: &Encoded) -> u32;

    #[wasm_bindgen(method, getter)]
    fn written(this: &Encoded) -> u32;
}

thread_local! {
    static ENCODER: TextEncoder = TextEncoder::new();
}

/// Copies a text; `length` is in UTF-16 units.
fn read_text(text: &JsString, length: usize) -> String {
    if !uses_encoder(length) {
        return text.into();
    }
    let mut bytes = Vec::new();
    let written = encode(text, length, &mut bytes);
    bytes.truncate(written);
    // The encoder writes only UTF-8.
    String::from_utf8(bytes).unwrap_or_else(|_| text.into())
}

/// Copies a text into `scratch`, whose memory is reused; `length` is in UTF-16 units.
fn copy_text<'a>(text: &JsString, length: usize, scratch: &'a mut Vec<u8>) -> &'a str {
    let written = if uses_encoder(length) {
        encode(text, length, scratch)
    } else {
        *scratch = String::from(text).into_bytes();
        scratch.len()
    };
    // The encoder writes only UTF-8.
    str::from_utf8(&scratch[..written]).unwrap_or_default()
}

/// `TextEncoder` throws for memory that several threads share.
fn uses_encoder(length: usize) -> bool {
    length >= MIN_ENCODED_TEXT && cfg!(not(target_feature = "atomics"))
}

/// Encodes a text to the start of `bytes`, which grow as needed, and returns how many bytes it wrote.
fn encode(text: &JsString, length: usize, bytes: &mut Vec<u8>) -> usize {
    ENCODER.with(|encoder| {
        let grow = |bytes: &mut Vec<u8>, size| bytes.resize(bytes.len().max(size), 0);
        grow(bytes, length);
        let first = encoder.encode_into(text, bytes);
        let (read, written) = (first.read() as usize, first.written() as usize);
        if read >= length {
            return written;
        }
        // The text is not all ASCII. A UTF-16 unit takes at most three bytes.
        grow(bytes, written + 3 * (length - read));
        let rest = text.slice(read as u32, length as u32);
        written + encoder.encode_into(&rest, &mut bytes[written..]).written() as usize
    })
}
