use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use everwire::{
    CloseCode, CloseReason, Event, JsonDecodeError, JsonSendError, Message, SendError, Sent, SocketHandle, State,
    codec::{Encoder, Json},
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use yew::prelude::*;

use crate::live::{Connection, Live};
use crate::offline::use_offline;
use crate::reader::{Change, Incoming, Listen, Reader};
use crate::status::Known;
use crate::{ConnectionStatus, DownReason, SocketOptions};

/// A socket of JSON messages that lives as long as the component: `Tx` on the way out, `Rx` on the way in.
///
/// It is opened after the first render, and again whenever `options` change, after the old one was closed; it is closed
/// when the component is gone. Every event is handed to `on_event`, one by one and in order, also when many arrive
/// between two renders. A message that is not an `Rx` is an error in its place and ends nothing. `on_event` may be
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
    use_reader(options, on_event, listen)
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
    use_reader(options, on_event, listen)
}

/// Yew's callbacks belong to one thread, and a native socket calls from any. Pages are compiled natively for their tests only, in
/// which no effect runs and no socket is opened.
#[cfg(not(target_family = "wasm"))]
fn unread<I>(socket: everwire::Socket, _on_event: Box<dyn FnMut(I)>) -> Box<dyn std::any::Any> {
    Box::new(socket)
}

#[hook]
fn use_reader<Tx, I>(options: SocketOptions, on_event: Callback<I>, listen: Listen<I>) -> UseSocket<Tx>
where
    Tx: 'static,
    I: Incoming + 'static,
{
    let live = use_memo((), |()| Live::default());
    let status = {
        let live = Rc::clone(&live);
        // Before the first effect nothing is known but that there will be a socket.
        let state = if options.builder().is_some() { State::Connecting } else { State::Closed };
        use_reducer_eq(move || Known(ConnectionStatus::new(state, live)))
    };
    let shown = status.0.shown(options.address(), use_offline());
    let latest = use_mut_ref(|| on_event.clone());
    *latest.borrow_mut() = on_event;
    {
        let (live, status) = (Rc::clone(&live), status.dispatcher());
        use_effect_with(options, move |options| {
            let reader = open(options, live, status, latest, listen);
            move || drop(reader)
        });
    }
    UseSocket { status: shown, types: PhantomData }
}

fn open<I: Incoming + 'static>(
    options: &SocketOptions,
    live: Rc<Live>,
    status: UseReducerDispatcher<Known>,
    latest: Rc<RefCell<Callback<I>>>,
    listen: Listen<I>,
) -> Option<Reader> {
    let Some(builder) = options.builder() else {
        live.replace(None);
        status.dispatch((State::Closed, Change::Gone));
        return None;
    };
    match builder.open() {
        Ok(socket) => {
            live.replace(Some(Connection::Socket(socket.handle().clone())));
            status.dispatch((socket.state(), Change::Gone));
            let on_event = move |event| {
                // Cloned first: the callback may render, and a render puts the next callback there.
                let on_event = latest.borrow().clone();
                on_event.emit(event);
            };
            let on_state = move |state, change| status.dispatch((state, change));
            Some(Reader::start(socket, listen, &live, on_state, on_event))
        }
        Err(error) => {
            live.replace(None);
            status.dispatch((State::Closed, Change::Down(DownReason::Unusable(error))));
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
    /// How the connection is.
    pub fn status(&self) -> ConnectionStatus {
        self.status.clone()
    }

    /// Everything else that the socket can do. `None` before the first effect of the component, and where the options
    /// are idle or name no address.
    ///
    /// To reconnect and to close use the methods here: after those of the handle, [`status`](Self::status) follows only
    /// with the next event, and a connection that is over stays unread.
    pub fn handle(&self) -> Option<SocketHandle> {
        self.status.live.handle()
    }

    /// Makes an attempt now: in place of waiting, of an open connection that is mistrusted, or after the end.
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
            self.status.live.look();
        }
    }
}

impl<Tx: Serialize> UseSocket<Tx> {
    /// Sends a value: at once where the connection is open, as soon as it is otherwise.
    ///
    /// # Errors
    /// The value has no JSON form, the outbox has no room, or there is no connection to wait for.
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
