//! One WebSocket of the browser with its listeners, and the messages that it receives.

use core::cell::Cell;
use std::rc::{Rc, Weak};

use everwire_core::{CloseCode, CloseReason, Protocols, SocketId, ping};
use js_sys::{Array, JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::*};
use web_sys::{Blob, CloseEvent, MessageEvent, WebSocket};

use super::page::{self, Clock};
use crate::{
    BinaryType, Cause, Message, MessageRef,
    shared::{Platform, Shared},
};

/// One WebSocket of the browser with its listeners.
///
/// Dropping it removes the listeners first and then closes the socket, so that the browser never calls a freed closure.
pub(super) struct Link {
    web_socket: WebSocket,
    /// The bytes in the browser's buffer when they were last measured.
    last_buffered: Rc<Cell<u64>>,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Link {
    /// Opens a socket. The error is the browser's, as a text: a `SyntaxError` or a `SecurityError`.
    pub(super) fn open<P: Platform>(
        shared: &Weak<Shared<P>>,
        clock: Clock,
        socket: SocketId,
        url: &str,
        protocols: &Protocols,
        binary_type: BinaryType,
    ) -> Result<Self, String> {
        let offered: Array = protocols.as_slice().iter().map(JsValue::from).collect();
        let web_socket = WebSocket::new_with_str_sequence(url, &offered).map_err(|error| page::describe(&error))?;
        let on_open = Closure::new(on_open(shared.clone(), socket, web_socket.clone()));
        let on_message = Closure::new(on_message(shared.clone(), socket, clock));
        let last_buffered = Rc::default();
        let on_close = Closure::new(on_close(shared.clone(), socket, web_socket.clone(), Rc::clone(&last_buffered)));
        // There is no listener for `error`: the event carries no information, and a `close` follows.
        web_socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        web_socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        web_socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        let link = Self { web_socket, last_buffered, _on_open: on_open, _on_message: on_message, _on_close: on_close };
        link.set_binary_type(binary_type);
        Ok(link)
    }

    /// Hands a message to the browser. On a closing socket the browser discards it but still counts it in `bufferedAmount`, so that
    /// the core knows it as unsent when the close arrives.
    pub(super) fn send(&self, message: Message) {
        let result = match &message {
            Message::Text(text) => self.web_socket.send_with_str(text),
            Message::Binary(bytes) => send_bytes(&self.web_socket, bytes),
            Message::Blob(blob) => self.web_socket.send_with_blob(blob),
        };
        // A socket throws only while it connects, and the core sends on open ones.
        debug_assert!(result.is_ok(), "send threw: {result:?}");
    }

    pub(super) fn close(&self, code: CloseCode, reason: &CloseReason) {
        let result = self.web_socket.close_with_code_and_reason(code.value(), reason.as_str());
        debug_assert!(result.is_ok(), "close threw: {result:?}");
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        let bytes = u64::from(self.web_socket.buffered_amount());
        self.last_buffered.set(bytes);
        bytes
    }

    pub(super) fn set_binary_type(&self, binary_type: BinaryType) {
        self.web_socket.set_binary_type(match binary_type {
            BinaryType::ArrayBuffer => web_sys::BinaryType::Arraybuffer,
            BinaryType::Blob => web_sys::BinaryType::Blob,
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.web_socket.set_onopen(None);
        self.web_socket.set_onmessage(None);
        self.web_socket.set_onclose(None);
        // Without arguments this cannot throw, and on a closed socket it does nothing.
        let _ = self.web_socket.close();
    }
}

fn on_open<P: Platform>(shared: Weak<Shared<P>>, socket: SocketId, web_socket: WebSocket) -> impl FnMut() {
    move || {
        let Some(shared) = shared.upgrade() else { return };
        shared.opened(socket, web_socket.url(), web_socket.protocol(), web_socket.extensions());
    }
}

fn on_message<P: Platform>(shared: Weak<Shared<P>>, socket: SocketId, clock: Clock) -> impl FnMut(MessageEvent) {
    move |event| {
        let Some(shared) = shared.upgrade() else { return };
        let at = clock.time_of(&event);
        shared.received(socket, Received::new(event.data()), at);
    }
}

fn on_close<P: Platform>(
    shared: Weak<Shared<P>>,
    socket: SocketId,
    web_socket: WebSocket,
    last_buffered: Rc<Cell<u64>>,
) -> impl FnMut(CloseEvent) {
    move |event| {
        let Some(shared) = shared.upgrade() else { return };
        // Chromium frees its buffer before it reports a lost connection, so that only an earlier measurement knows what it held.
        let buffered = match web_socket.buffered_amount() {
            0 if !event.was_clean() => last_buffered.get(),
            bytes => u64::from(bytes),
        };
        let cause = Cause::closed(event.code(), event.reason(), event.was_clean());
        shared.dropped(socket, cause, buffered);
    }
}

/// `WebSocket.send` throws for a view of memory that several threads share, so that such a program has to copy.
fn send_bytes(web_socket: &WebSocket, bytes: &[u8]) -> Result<(), JsValue> {
    if cfg!(target_feature = "atomics") {
        web_socket.send_with_js_u8_array(&js_sys::Uint8Array::from(bytes))
    } else {
        web_socket.send_with_u8_array(bytes)
    }
}

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
