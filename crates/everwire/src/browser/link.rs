//! One WebSocket of the browser with its listeners.

use core::cell::Cell;
use std::rc::{Rc, Weak};

use everwire_core::{CloseCode, CloseReason, Protocols, SocketId};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use super::{
    page::{self, Clock},
    received::Received,
};
use crate::{
    BinaryType, Cause, Message,
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
