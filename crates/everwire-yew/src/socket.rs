//! Sockets in components: the hooks, their options, and the value that they return.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use everwire::codec::{Encoder, Json};
use everwire::{
    CloseCode, CloseReason, Event, JsonDecodeError, JsonSendError, Message, SendError, Sent, Socket, SocketBuilder,
    SocketHandle, State,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use yew::prelude::*;

use crate::connection::{Connection, Listen, OpenSocket, ReasonChange, SharedConnection, StatusSource};
use crate::status::{StatusReducer, use_offline};
use crate::{ConnectionStatus, DownReason};

/// A socket of JSON messages that lives as long as the component: sends `Tx`, receives `Rx`.
///
/// It is opened after the first render, and again whenever `options` change, after the old one was closed; it is closed
/// when the component is unmounted. Every event is handed to `on_event`, one by one and in order, also when many arrive
/// between two renders. A message that is not an `Rx` is an error at its position, and the events go on. `on_event` may be
/// another callback in every render: the latest is called.
///
/// The component renders again when the state of the connection changes or the browser goes offline or online, and not for a
/// message: the callback decides what a message means for the page. A callback that keeps messages in a `use_state` should push them to a
/// `use_mut_ref` first, since a state handle knows the value of its own render alone.
#[hook]
pub fn use_socket<Tx, Rx>(
    options: SocketOptions,
    on_event: Callback<Result<Event<Rx>, JsonDecodeError>>,
) -> UseSocket<Tx>
where
    Tx: 'static,
    Rx: DeserializeOwned + 'static,
{
    #[cfg(target_family = "wasm")]
    let listen: Listen<_> = |socket, on_event| {
        let mut socket = socket.json::<Tx, Rx>();
        socket.on_event(on_event);
        Box::new(socket)
    };
    #[cfg(not(target_family = "wasm"))]
    let listen = unread;
    use_connection(options, on_event, listen)
}

/// As [`use_socket`], for messages that are not JSON: text and binary as they are. Send through
/// [`handle`](UseSocket::handle).
#[hook]
pub fn use_raw_socket(options: SocketOptions, on_event: Callback<Event>) -> UseSocket {
    #[cfg(target_family = "wasm")]
    let listen: Listen<_> = |mut socket, on_event| {
        socket.on_event(on_event);
        Box::new(socket)
    };
    #[cfg(not(target_family = "wasm"))]
    let listen = unread;
    use_connection(options, on_event, listen)
}

/// Yew's callbacks belong to one thread, and a native socket calls from any. Pages are compiled natively for their tests only, in
/// which no effect runs and no socket is opened.
#[cfg(not(target_family = "wasm"))]
fn unread<I>(socket: everwire::Socket, _on_event: Box<dyn FnMut(I)>) -> Box<dyn std::any::Any> {
    Box::new(socket)
}

#[hook]
fn use_connection<Tx, I>(options: SocketOptions, on_event: Callback<I>, listen: Listen<I>) -> UseSocket<Tx>
where
    Tx: 'static,
    I: StatusSource + 'static,
{
    let connection = use_memo((), |()| SharedConnection::default());
    let status = {
        let connection = Rc::clone(&connection);
        // Before the first effect there is no socket yet.
        let state = if options.builder().is_some() { State::Connecting } else { State::Closed };
        use_reducer_eq(move || StatusReducer(ConnectionStatus::new(state, connection)))
    };
    let shown = status.0.shown(options.address(), use_offline());
    let latest = use_mut_ref(|| on_event.clone());
    *latest.borrow_mut() = on_event;
    {
        let (connection, status) = (Rc::clone(&connection), status.dispatcher());
        use_effect_with(options, move |options| {
            let reader = open(options, connection, status, latest, listen);
            move || drop(reader)
        });
    }
    UseSocket { status: shown, types: PhantomData }
}

fn open<I: StatusSource + 'static>(
    options: &SocketOptions,
    connection: Rc<SharedConnection>,
    status: UseReducerDispatcher<StatusReducer>,
    latest: Rc<RefCell<Callback<I>>>,
    listen: Listen<I>,
) -> Option<OpenSocket> {
    let Some(builder) = options.builder() else {
        connection.replace(None);
        status.dispatch((State::Closed, ReasonChange::Clear));
        return None;
    };
    match builder.open() {
        Ok(socket) => {
            connection.replace(Some(Connection::Socket(socket.handle().clone())));
            status.dispatch((socket.state(), ReasonChange::Clear));
            let on_event = move |event| {
                // Cloned first: the callback may render, and a render puts the next callback there.
                let on_event = latest.borrow().clone();
                on_event.emit(event);
            };
            let on_state = move |state, change| status.dispatch((state, change));
            Some(OpenSocket::start(socket, listen, &connection, on_state, on_event))
        }
        Err(error) => {
            connection.replace(None);
            status.dispatch((State::Closed, ReasonChange::Set(DownReason::Unusable(error))));
            None
        }
    }
}

/// A component's socket. Its clones are of the same socket, also of the one that is opened for other options.
pub struct UseSocket<Tx = Message> {
    status: ConnectionStatus,
    types: PhantomData<fn(Tx)>,
}

impl<Tx> UseSocket<Tx> {
    /// The status of the connection.
    pub fn status(&self) -> ConnectionStatus {
        self.status.clone()
    }

    /// The handle, for everything else that the socket can do. `None` before the first effect of the component, and where the options
    /// are idle or name no address.
    ///
    /// To reconnect and to close use the methods here: after those of the handle, [`status`](Self::status) follows only
    /// with the next event, and a connection that is over stays unread.
    pub fn handle(&self) -> Option<SocketHandle> {
        self.status.connection.handle()
    }

    /// Connects now: instead of waiting for the next attempt, to replace an open connection, or after the end.
    pub fn reconnect(&self) {
        self.status.reconnect();
    }

    /// Closes the connection with code 1000. [`reconnect`](Self::reconnect) opens it again.
    pub fn close(&self) {
        self.close_with(CloseCode::NORMAL, CloseReason::default());
    }

    /// Closes the connection.
    pub fn close_with(&self, code: CloseCode, reason: CloseReason) {
        if let Some(handle) = self.handle() {
            drop(handle.close_with(code, reason));
            self.status.connection.refresh();
        }
    }
}

impl<Tx: Serialize> UseSocket<Tx> {
    /// Sends a value: at once if the connection is open, otherwise as soon as it is.
    ///
    /// # Errors
    /// The value cannot be encoded as JSON, the outbox has no room, or there is no connection to wait for.
    pub fn send(&self, value: &Tx) -> Result<Sent, JsonSendError> {
        let message = Json.encode(value).map_err(JsonSendError::Encode)?;
        match self.handle() {
            Some(handle) => Ok(handle.send(message)?),
            None => Err(SendError::Closed(message).into()),
        }
    }
}

impl<Tx> Clone for UseSocket<Tx> {
    fn clone(&self) -> Self {
        Self { status: self.status.clone(), types: PhantomData }
    }
}

impl<Tx> PartialEq for UseSocket<Tx> {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status
    }
}

impl<Tx> fmt::Debug for UseSocket<Tx> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(formatter)
    }
}

/// The address and settings of a socket.
///
/// A hook compares the options of one render with those of the next, and where they differ it closes the socket and
/// opens another. Two options are equal when their keys are: a [`SocketBuilder`] holds functions, which cannot be
/// compared. Put everything into the key whose change should open another socket.
#[derive(Clone)]
pub struct SocketOptions {
    key: AttrValue,
    builder: Option<SocketBuilder>,
    /// The address, if it is fixed: a provider's is not known.
    address: Option<AttrValue>,
}

impl SocketOptions {
    /// A socket to a fixed address with every default. The address is the key.
    pub fn new(url: impl Into<AttrValue>) -> Self {
        let url = url.into();
        Self { builder: Some(Socket::builder(url.as_str())), address: Some(url.clone()), key: url }
    }

    /// A socket with settings of your own, or with an address provider.
    pub fn with_builder(key: impl Into<AttrValue>, builder: SocketBuilder) -> Self {
        Self { key: key.into(), builder: Some(builder), address: None }
    }

    /// No socket, for as long as these are the options. A hook cannot be left out of a render, but this way its socket
    /// can.
    pub fn idle() -> Self {
        Self { key: AttrValue::Static(""), builder: None, address: None }
    }

    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    pub(crate) fn builder(&self) -> Option<SocketBuilder> {
        self.builder.clone()
    }
}

impl PartialEq for SocketOptions {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.builder.is_some() == other.builder.is_some()
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SocketOptions")
            .field("key", &self.key)
            .field("idle", &self.builder.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_differ_when_their_keys_do() {
        let one = SocketOptions::new("ws://one.example");
        assert_eq!(one, SocketOptions::new("ws://one.example"));
        assert_ne!(one, SocketOptions::new("ws://two.example"));
        assert_eq!(one, SocketOptions::with_builder("ws://one.example", Socket::builder("ws://two.example")));
    }

    #[test]
    fn no_socket_is_not_a_socket_without_a_key() {
        assert_ne!(SocketOptions::idle(), SocketOptions::new(""));
        assert_eq!(SocketOptions::idle(), SocketOptions::idle());
    }
}
