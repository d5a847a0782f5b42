//! The connection as an application holds it.

mod handle;
mod stream;

use core::{fmt, future::Future};

pub use handle::{Closing, SocketHandle};

use everwire_core::{CloseCode, CloseReason, Input};

use crate::{
    Address, Attempt, CurrentPlatform, Event, Message, OpenError, SendError, SendOptions, Sent, SocketBuilder, State,
    Stats,
    address::AddressSource,
    inbox::Callback,
    payload::Payload,
    shared::{Platform, Shared},
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// A WebSocket that stays connected.
///
/// It is a `Stream` of [`Event`](crate::Event) and a `Sink` of [`Message`](crate::Message), so `split()`, `forward()` and the rest
/// of `futures` work with it. Its [`handle`](Self::handle) can be cloned, to send and to look at the connection from elsewhere.
/// The stream ends after [`Event::Closed`](crate::Event::Closed), and goes on after a call of [`reconnect`](Self::reconnect).
///
/// Dropping it closes the connection with code 1000 and frees every listener and timer.
///
/// ```no_run
/// use everwire::{Event, Socket};
/// use futures_util::StreamExt;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = Socket::open("ws://127.0.0.1:9001/echo")?;
/// socket.send("hello")?;
/// while let Some(event) = socket.next().await {
///     match event {
///         Event::Message(message) => println!("{message:?}"),
///         Event::Dropped(dropped) => println!("{}; next attempt in {:?}", dropped.cause, dropped.retry_in),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a socket closes it"]
pub struct Socket {
    handle: SocketHandle,
}

impl Socket {
    /// Opens a socket with every default. It returns at once and connects in the background.
    ///
    /// # Errors
    /// As [`SocketBuilder::open`].
    pub fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::builder(url).open()
    }

    /// The options of a socket to a fixed URL.
    pub fn builder(url: impl Into<String>) -> SocketBuilder {
        SocketBuilder::new(AddressSource::Fixed(url.into()))
    }

    /// The options of a socket whose URL a provider returns for each attempt: for tokens that expire. An error is a failed attempt, and
    /// so is a provider that takes longer than the connect timeout. If the server refuses the credentials (close codes 3000 and 4401),
    /// the socket connects again with the next ones; with a fixed URL the connection would be over.
    pub fn builder_with_url_provider<F, Fut, A, E>(provide: F) -> SocketBuilder
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<A, E>> + MaybeSend + 'static,
        A: Into<Address>,
        E: fmt::Display,
    {
        SocketBuilder::with_provider(provide)
    }

    /// The handle of the connection: the part of the socket that can be cloned, and that has every method but those that read.
    pub fn handle(&self) -> &SocketHandle {
        &self.handle
    }

    /// Hands every event to `callback` from now on, in place of the stream: for code that is called rather than polled. It costs a
    /// browser less than half of what a task does, which each message has to wake. The stream yields `None` from now on; another
    /// call replaces the callback.
    ///
    /// The callback runs where the platform reports what happened: in a browser in the listener of the WebSocket or of a timer, in a
    /// native program in a task of the runtime, which it must not block. It never runs within a call of the application such as
    /// [`send`](Self::send), and never within itself: what such a call causes, and what waited when the callback was set, is
    /// delivered by a task soon after. So the callback may call everything, and may lock or borrow what the application locks or
    /// borrows during its own calls. In a native program a panic in it drops the connection, as one in a custom heartbeat does.
    ///
    /// Dropping the socket drops the callback, unless that is running: then it is dropped when it returns. No event follows. A
    /// callback may hold a [`SocketHandle`].
    ///
    /// ```no_run
    /// use everwire::{Event, Message, Socket};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut socket = Socket::open("ws://127.0.0.1:9001/echo")?;
    /// let handle = socket.handle().clone();
    /// socket.on_event(move |event| {
    ///     if let Event::Message(Message::Text(text)) = event {
    ///         let _ = handle.send(text.to_uppercase());
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(&mut self, mut callback: impl FnMut(Event) + MaybeSend + 'static) {
        self.set_callback(Box::new(move |event| callback(event.map(Payload::into_message))));
    }

    pub(crate) fn set_callback(&mut self, callback: Callback) {
        self.handle.shared.set_callback(callback);
    }

    /// As [`SocketHandle::send`].
    ///
    /// # Errors
    /// As [`SocketHandle::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<Sent, SendError> {
        self.handle.send(message)
    }

    /// As [`SocketHandle::send_with`].
    ///
    /// # Errors
    /// As [`SocketHandle::send`].
    pub fn send_with(&self, message: impl Into<Message>, options: SendOptions) -> Result<Sent, SendError> {
        self.handle.send_with(message, options)
    }

    /// As [`SocketHandle::ready`].
    ///
    /// # Errors
    /// As [`SocketHandle::ready`].
    pub async fn ready(&self) -> Result<(), SendError> {
        self.handle.ready().await
    }

    /// As [`SocketHandle::flush`].
    ///
    /// # Errors
    /// As [`SocketHandle::flush`].
    pub async fn flush(&self) -> Result<(), SendError> {
        self.handle.flush().await
    }

    /// As [`SocketHandle::close`].
    pub fn close(&self) -> Closing {
        self.handle.close()
    }

    /// As [`SocketHandle::close_with`].
    pub fn close_with(&self, code: CloseCode, reason: CloseReason) -> Closing {
        self.handle.close_with(code, reason)
    }

    /// As [`SocketHandle::reconnect`].
    pub fn reconnect(&self) {
        self.handle.reconnect();
    }

    /// As [`SocketHandle::state`].
    pub fn state(&self) -> State {
        self.handle.state()
    }

    /// As [`SocketHandle::stats`].
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }
}

impl SocketBuilder {
    /// Opens the socket, which connects in the background.
    ///
    /// # Errors
    /// The URL is invalid, the platform has no WebSocket, or a native program calls it outside of a tokio runtime.
    pub fn open(self) -> Result<Socket, OpenError> {
        let shared = Pointer::new(Shared::new(&self, CurrentPlatform::new(&self)?));
        shared.platform.start(&shared);
        shared.request(Input::Open { since_last_dial: None });
        Ok(Socket { handle: SocketHandle { shared } })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A callback may hold a handle, and with it everything else.
        self.handle.shared.stop_reading();
        // Closing lets what was sent go out; releasing then ends the connection for the handles that are left.
        drop(self.handle.close());
        self.handle.shared.platform.release(&self.handle.shared);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(formatter)
    }
}
