//! Clients of an Everwire server: channels, publishes, requests and presence over `everwire.v1`.
//!
//! [`Client`] is the entry point.
//!
//! # Layout
//!
//! - [`Client`] and its [`ClientBuilder`]
//! - [`Subscription`], and the [`Delivery`] that it yields
//! - [`Publishing`] and [`Published`], [`Requesting`] and [`Answers`]: the outcome of a publish or a request
//! - [`Presence`]: who is present in a channel
//! - [`SubscribeOptions`], [`PublishOptions`], [`RequestOptions`]
//! - [`ClientState`], [`ClientEvent`], [`ClientEvents`], [`ClientError`]: the state of the client

mod builder;
mod channels;
mod core;
mod driver;
mod events;
mod members;
mod negotiation;
mod options;
mod pending;
mod publish;
mod reader;
mod request;
mod subscription;

use ::core::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "json")]
use serde::{Serialize, de::DeserializeOwned};

use everwire_core::{Channel, Input};
pub use everwire_core::{
    protocol::{Cursor, CursorError, ErrorCode, GapReason, Mode, Start},
    session::Attachment,
};
use futures_core::Stream;

pub use self::{
    builder::ClientBuilder,
    events::{ClientError, ClientEvent, ClientState, Gap, SubscriptionError},
    members::Member,
    options::{PublishOptions, RequestOptions, SubscribeOptions},
    publish::{PublishError, Published, Publishing},
    request::{Answers, RequestError, Requesting},
    subscription::{ChannelMessage, Delivery, Presence, Removed, Subscription, Undecodable},
};
use self::{core::Core, driver::Driver, negotiation::Negotiation};
#[cfg(feature = "json")]
use crate::codec::{Decoder, Encoder, Json};
use crate::{
    Address, Attempt, BinaryType, CurrentPlatform, Heartbeat, InboxLimits, Message, OpenError, Socket, State, Stats,
    shared::Platform,
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// A client of an Everwire server (`everwire.v1`): channels, publishes and requests over a [`Socket`] that stays connected, without an
/// unreported loss or repetition.
///
/// It can be cloned; every clone is the same client. Dropping the last one closes it, like [`close`](Self::close): subscriptions end,
/// and so does the session on the server. Futures and streams of it do not keep it alive.
///
/// ```no_run
/// use everwire::{Channel, Client, Delivery};
/// use futures_util::StreamExt;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChatMessage { text: String }
///
/// /// Declared once, and shared with the server.
/// const CHAT: Channel<ChatMessage> = Channel::new("chat");
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("wss://example.org/everwire")?;
/// let mut chat = client.subscribe(&CHAT);
/// let published = client.publish(&CHAT, &ChatMessage { text: "hello".into() }).await?;
/// println!("stored at {}", published.offset());
/// while let Some(delivery) = chat.next().await {
///     match delivery {
///         Delivery::Message(message) => println!("{}", message.value.text),
///         Delivery::Gap(gap) => println!("messages were missed: {}", gap.reason),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "dropping a client closes it"]
pub struct Client {
    inner: Pointer<Inner>,
}

struct Inner {
    driver: Pointer<Driver>,
    socket: Socket,
}

impl Client {
    /// Connects with every default. It returns at once and connects in the background.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub fn connect(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::builder(url).connect()
    }

    /// The options of a client of the server at a fixed URL.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Socket::builder(url))
    }

    /// The options of a client whose URL a provider returns for each attempt, as [`Socket::builder_with_url_provider`] does.
    pub fn builder_with_url_provider<F, Fut, A, E>(provide: F) -> ClientBuilder
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<A, E>> + MaybeSend + 'static,
        A: Into<Address>,
        E: fmt::Display,
    {
        ClientBuilder::new(Socket::builder_with_url_provider(provide))
    }

    /// Subscribes to a channel: from the next message on, or for a state channel with the latest message of each key.
    ///
    /// It is sent at once, or when the client is connected. Subscriptions of one channel [share](Subscription#several-of-one-channel)
    /// what the server sends.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client, Delivery};
    /// # use futures_util::StreamExt;
    /// # const CHAT: Channel<String> = Channel::new("chat");
    /// # async fn example(client: Client) {
    /// let mut chat = client.subscribe(&CHAT);
    /// while let Some(delivery) = chat.next().await {
    ///     match delivery {
    ///         Delivery::Message(message) => println!("{}", message.value),
    ///         Delivery::Gap(gap) => println!("messages were missed: {}", gap.reason),
    ///         Delivery::Ended(error) => println!("{error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    #[cfg(feature = "json")]
    pub fn subscribe<T: DeserializeOwned>(&self, channel: &Channel<T>) -> Subscription<T> {
        self.subscribe_with(channel, &SubscribeOptions::default())
    }

    /// Subscribes to a channel from another start, or with other limits.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client, client::SubscribeOptions};
    /// # const CHAT: Channel<String> = Channel::new("chat");
    /// # fn example(client: Client) {
    /// let chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().last(50));
    /// # }
    /// ```
    #[cfg(feature = "json")]
    pub fn subscribe_with<T: DeserializeOwned>(
        &self,
        channel: &Channel<T>,
        options: &SubscribeOptions,
    ) -> Subscription<T> {
        Subscription::open(&self.inner.driver, channel, options, decode_json)
    }

    /// Subscribes to a channel that continues data from elsewhere, such as a list from a database.
    ///
    /// `load` is called with the position of the channel, and loads data that holds at least what was published up to it. The stream
    /// yields this as [`Delivery::Snapshot`], then every message after the position; so a message may be in
    /// both, and none in neither. After a [`Delivery::Gap`], `load` is called again.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client, Delivery};
    /// # use futures_util::StreamExt;
    /// # const CHAT: Channel<String> = Channel::new("chat");
    /// # async fn fetch_lines() -> Vec<String> { Vec::new() }
    /// # async fn example(client: Client) {
    /// let mut chat = client.subscribe_with_snapshot(&CHAT, &Default::default(), |_position| fetch_lines());
    /// let mut lines = Vec::new();
    /// while let Some(delivery) = chat.next().await {
    ///     match delivery {
    ///         Delivery::Snapshot(loaded) => lines = loaded,
    ///         Delivery::Message(message) => lines.push(message.value),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    #[cfg(feature = "json")]
    pub fn subscribe_with_snapshot<T, D, F, Fut>(
        &self,
        channel: &Channel<T>,
        options: &SubscribeOptions,
        load: F,
    ) -> Subscription<T, D>
    where
        T: DeserializeOwned,
        F: FnMut(Cursor) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = D> + MaybeSend + 'static,
    {
        Subscription::open_with_snapshot(&self.inner.driver, channel, options, decode_json, load)
    }

    /// Subscribes to a channel of texts or bytes, without decoding them.
    pub fn subscribe_raw(&self, channel: &Channel<Message>, options: &SubscribeOptions) -> Subscription<Message> {
        Subscription::open(&self.inner.driver, channel, options, |message| Ok(message.clone()))
    }

    /// Subscribes to a channel of texts or bytes that continues data from elsewhere, as `subscribe_with_snapshot` does for values.
    pub fn subscribe_raw_with_snapshot<D, F, Fut>(
        &self,
        channel: &Channel<Message>,
        options: &SubscribeOptions,
        load: F,
    ) -> Subscription<Message, D>
    where
        F: FnMut(Cursor) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = D> + MaybeSend + 'static,
    {
        Subscription::open_with_snapshot(&self.inner.driver, channel, options, |message| Ok(message.clone()), load)
    }

    /// Publishes a value to a channel. It is sent at once, or when the client is connected, and over reconnects until the server has
    /// answered; the future returns its fate. Dropping the future withdraws nothing.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client, client::PublishError};
    /// # const CHAT: Channel<String> = Channel::new("chat");
    /// # async fn example(client: Client) {
    /// match client.publish(&CHAT, &"hello".to_owned()).await {
    ///     Ok(published) => println!("stored as number {}", published.offset()),
    ///     Err(PublishError::Unknown) => println!("look whether it is there"),
    ///     Err(error) => println!("not stored: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`PublishError`].
    #[cfg(feature = "json")]
    pub fn publish<T: Serialize>(&self, channel: &Channel<T>, value: &T) -> Publishing {
        self.publish_with(channel, value, PublishOptions::default())
    }

    /// Publishes a value with a key or with a time to live.
    ///
    /// ```no_run
    /// # use core::time::Duration;
    /// # use everwire::{Channel, Client, client::{PublishError, PublishOptions}};
    /// const PRICES: Channel<f64> = Channel::state("prices");
    ///
    /// # async fn example(client: Client) -> Result<(), PublishError> {
    /// let options = PublishOptions::default().key("AAPL").time_to_live(Duration::from_secs(5));
    /// client.publish_with(&PRICES, &187.2, options).await?;
    /// client.remove(&PRICES, "AAPL").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`PublishError`].
    #[cfg(feature = "json")]
    pub fn publish_with<T: Serialize>(&self, channel: &Channel<T>, value: &T, options: PublishOptions) -> Publishing {
        let payload = Json.encode(value).map(Some).map_err(PublishError::Encode);
        Publishing::start(&self.inner.driver, channel, payload, options)
    }

    /// Publishes a text or bytes as they are.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client, Message, client::PublishError};
    /// const FRAMES: Channel<Message> = Channel::new("frames");
    ///
    /// # async fn example(client: Client) -> Result<(), PublishError> {
    /// client.publish_raw(&FRAMES, vec![0xff, 0xd8], Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish_raw(
        &self,
        channel: &Channel<Message>,
        message: impl Into<Message>,
        options: PublishOptions,
    ) -> Publishing {
        Publishing::start(&self.inner.driver, channel, Ok(Some(message.into())), options)
    }

    /// Removes a key of a channel: its subscribers get a [`Delivery::Removed`].
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn remove<T>(&self, channel: &Channel<T>, key: impl Into<String>) -> Publishing {
        Publishing::start(&self.inner.driver, channel, Ok(None), PublishOptions::default().key(key))
    }

    /// Calls a request handler of the server, whose answer has one part. Over reconnects it is sent again, and executed once, as long
    /// as the server keeps the session. Dropping the future cancels the request.
    ///
    /// ```no_run
    /// # use everwire::{Client, client::RequestError};
    /// # async fn example(client: Client) -> Result<(), RequestError> {
    /// let quotient: u32 = client.request("divide", &(42, 6)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`RequestError`].
    #[cfg(feature = "json")]
    pub fn request<A: Serialize + ?Sized, B: DeserializeOwned>(&self, name: &str, value: &A) -> Requesting<B> {
        self.request_with(name, value, &RequestOptions::default())
    }

    /// Calls a request handler with a timeout, which holds offline, too, and stops the handler.
    ///
    /// ```no_run
    /// # use core::time::Duration;
    /// # use everwire::{Client, client::{RequestError, RequestOptions}};
    /// # async fn example(client: Client) -> Result<(), RequestError> {
    /// let options = RequestOptions::default().timeout(Duration::from_secs(5));
    /// let quotient: u32 = client.request_with("divide", &(42, 6), &options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`RequestError`].
    #[cfg(feature = "json")]
    pub fn request_with<A: Serialize + ?Sized, B: DeserializeOwned>(
        &self,
        name: &str,
        value: &A,
        options: &RequestOptions,
    ) -> Requesting<B> {
        Requesting::new(self.request_stream(name, value, options))
    }

    /// Calls a request handler whose answer has several parts. Dropping the stream cancels the request.
    ///
    /// ```no_run
    /// # use everwire::{Client, client::RequestError};
    /// # use futures_util::StreamExt;
    /// # async fn example(client: Client) -> Result<(), RequestError> {
    /// let mut lines = client.request_stream::<_, String>("history", &50, &Default::default());
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`RequestError`].
    #[cfg(feature = "json")]
    pub fn request_stream<A: Serialize + ?Sized, B: DeserializeOwned>(
        &self,
        name: &str,
        value: &A,
        options: &RequestOptions,
    ) -> Answers<B> {
        let payload = Json.encode(value).map(Some).map_err(RequestError::Encode);
        Answers::start(&self.inner.driver, name, payload, options, decode_json)
    }

    /// Calls a request handler with a text or bytes as they are. The answer has one part.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request_raw(
        &self,
        name: &str,
        message: impl Into<Message>,
        options: &RequestOptions,
    ) -> Requesting<Message> {
        Requesting::new(self.request_raw_stream(name, message, options))
    }

    /// Calls a request handler with a text or bytes as they are. The answer may have several parts.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request_raw_stream(
        &self,
        name: &str,
        message: impl Into<Message>,
        options: &RequestOptions,
    ) -> Answers<Message> {
        Answers::start(&self.inner.driver, name, Ok(Some(message.into())), options, |message| Ok(message.clone()))
    }

    /// Joins a channel, and watches who else is present. Dropping the stream leaves.
    ///
    /// ```no_run
    /// # use everwire::{Channel, Client};
    /// # use futures_util::StreamExt;
    /// # const CHAT: Channel<String> = Channel::new("chat");
    /// # async fn example(client: Client) {
    /// let mut room = client.presence(&CHAT);
    /// while let Some(members) = room.next().await {
    ///     println!("{} are here", members.len());
    /// }
    /// # }
    /// ```
    pub fn presence<T>(&self, channel: &Channel<T>) -> Presence {
        Presence::open(&self.inner.driver, channel)
    }

    /// The id by which other clients know this one's session; `None` before the first `welcome`.
    pub fn session(&self) -> Option<String> {
        self.inner.driver.inspect(|core| core.session_id())
    }

    /// The state of the client. [`events`](Self::events) reports when it changes.
    pub fn state(&self) -> ClientState {
        if self.inner.driver.inspect(|core| core.is_over()) {
            return ClientState::Closed;
        }
        match self.inner.socket.state() {
            State::Open if self.inner.driver.inspect(|core| core.is_attached()) => ClientState::Attached,
            State::Waiting { attempt, retry_in } => ClientState::Waiting { attempt, retry_in },
            State::Closing | State::Closed => ClientState::Closed,
            State::Connecting | State::Open => ClientState::Connecting,
        }
    }

    /// The statistics of the connection. A message of it may hold several lines.
    pub fn stats(&self) -> Stats {
        self.inner.socket.stats()
    }

    /// How many publishes and requests wait to be sent or are unanswered, and their bytes.
    pub fn pending(&self) -> (usize, usize) {
        self.inner.driver.inspect(|core| core.pending())
    }

    /// The server's time in milliseconds since the Unix epoch; `None` before an answer to a ping carried it.
    pub fn server_time(&self) -> Option<f64> {
        self.inner.socket.handle().server_time()
    }

    /// Connects now, instead of waiting for the next attempt or to replace an open connection.
    pub fn reconnect(&self) {
        if !self.inner.driver.inspect(|core| core.is_over()) {
            self.inner.driver.shared.request(Input::Reconnect);
        }
    }

    /// Ends the session on the server and closes the connection. What was not sent fails; what was sent and not answered has the fate
    /// `unknown`.
    pub fn close(&self) {
        self.inner.close();
    }

    /// The events of the client from now on, for displays and logs: when it is attached, and to which session, and when its connection is
    /// lost.
    ///
    /// ```no_run
    /// # use everwire::{Client, client::ClientEvent};
    /// # use futures_util::StreamExt;
    /// # async fn example(client: Client) {
    /// let mut events = client.events();
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         ClientEvent::Attached(session) => println!("online ({session:?})"),
    ///         ClientEvent::Dropped(dropped) => println!("offline: {}", dropped.cause),
    ///         ClientEvent::Closed(error) => println!("over: {error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> ClientEvents {
        ClientEvents::open(&self.inner.driver)
    }

    /// Waits until the server has welcomed the client. Not needed before a publish or request, which waits by itself. The future can be
    /// dropped at any time.
    ///
    /// # Errors
    /// Why the client is over, and will never be attached again.
    ///
    /// ```no_run
    /// # use everwire::Client;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::connect("wss://example.org/everwire")?;
    /// client.attached().await?; // fails for a server that is no Everwire server, or refuses the credentials
    /// # Ok(())
    /// # }
    /// ```
    pub async fn attached(&self) -> Result<(), ClientError> {
        poll_fn(|context| {
            self.inner.driver.inspect(|core| {
                if core.is_attached() {
                    return Poll::Ready(Ok(()));
                }
                core.end_or_wait(context.waker()).map_or(Poll::Pending, |end| Poll::Ready(Err(end)))
            })
        })
        .await
    }

    /// Waits until the client is over, and returns why. The future can be dropped at any time.
    pub async fn closed(&self) -> ClientError {
        poll_fn(|context| {
            let end = self.inner.driver.inspect(|core| core.end_or_wait(context.waker()));
            end.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Inner {
    fn close(&self) {
        self.driver.run(|core, _| core.end(ClientError::Closed, ErrorCode::Cancelled));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl ClientBuilder {
    /// Connects, in the background.
    ///
    /// # Errors
    /// The URL is invalid, the platform has no WebSocket, or a native program calls it outside of a tokio runtime.
    pub fn connect(self) -> Result<Client, OpenError> {
        let Self { mut socket, credentials, provider, ping_every, config, on_event } = self;
        // Checks a fixed URL here: below it becomes that of a provider, whose URLs are checked by an attempt.
        drop(CurrentPlatform::new(&socket)?);
        let negotiation = Pointer::new(Negotiation::default());
        negotiation.set_credentials(credentials);
        socket.source = Negotiation::source(&negotiation, socket.source, provider);
        socket.on_open_messages = None;
        let socket = socket
            .heartbeat(Heartbeat::ping_only(|ping| Message::Text(format!("ping {ping}"))))
            // The client reads immediately, and a dropped line would be a lost message.
            .inbox(InboxLimits::default().max_messages(usize::MAX).max_bytes(usize::MAX))
            .binary_type(BinaryType::ArrayBuffer);
        let mut socket = socket.open()?;
        let shared = Pointer::clone(&socket.handle().shared);
        let core = Core::new(config, shared.platform.seed());
        let driver = Pointer::new(Driver::new(core, shared, negotiation, ping_every, on_event));
        let weak = Pointer::downgrade(&driver);
        socket.set_callback(Box::new(move |event| {
            if let Some(driver) = weak.upgrade() {
                driver.handle(event);
            }
        }));
        Ok(Client { inner: Pointer::new(Inner { driver, socket }) })
    }
}

/// Whether both are the same client.
impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Pointer::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Client {}

#[cfg(feature = "json")]
fn decode_json<T: DeserializeOwned>(message: &Message) -> Result<T, String> {
    Json.decode(message.as_ref()).map_err(|error: crate::JsonDecodeError| error.to_string())
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("session", &self.session())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The events of a client from now on: a `Stream` of [`ClientEvent`]s, of which the last is [`ClientEvent::Closed`].
///
/// A stream that is not read keeps the latest 256 events. Dropping it changes nothing else. `next` can be cancelled at any time.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is read"]
pub struct ClientEvents {
    driver: Pointer<Driver>,
    number: u64,
}

impl ClientEvents {
    fn open(driver: &Pointer<Driver>) -> Self {
        let number = driver.inspect(|core| core.watch_events());
        Self { driver: Pointer::clone(driver), number }
    }
}

impl Stream for ClientEvents {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.driver.inspect(|core| core.event_queues.next(self.number, context.waker()))
    }
}

impl Drop for ClientEvents {
    fn drop(&mut self) {
        self.driver.inspect(|core| core.event_queues.remove(self.number));
    }
}
