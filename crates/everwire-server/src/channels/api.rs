//! What an application calls: publish, subscribe, handle requests, list and end sessions, and serve the route of the clients.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use everwire_core::Channel;
use everwire_core::protocol::{Cursor, SUBPROTOCOL};
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::authorize::{Identity, RequestHead};
use super::config::ChannelOptions;
use super::connection::ChannelsHandler;
use super::hub::PresentSession;
use super::requests::{RequestContext, RequestError};
use super::session::Session;
use super::subscription::LocalSubscription;
use crate::broker::{Broker, BrokerError, ChannelName, InvalidName, Key, Publication, SessionId};
use crate::endpoint::{Endpoint, Upgrade};
use crate::everwire::Everwire;
use crate::message::Message;

/// A message that the broker has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ack {
    /// The position after it.
    pub cursor: Cursor,
}

impl Ack {
    /// The number of the message in its channel.
    pub fn offset(&self) -> u64 {
        self.cursor.offset
    }
}

/// A channel with subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// The channel.
    pub name: ChannelName,
    /// How many subscriptions it has, those within the server included.
    pub subscribers: usize,
}

/// A session, and whose it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session.
    pub session: SessionId,
    /// Who its client is.
    pub identity: Identity,
    /// Whether it has a connection.
    pub is_attached: bool,
}

/// Why a publish or a subscription failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The channel or the key has a name that the protocol does not allow.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The message cannot be written as JSON.
    #[error("the message cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The broker has not stored it.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// Channels, with the feature `channels`.
impl Everwire {
    /// Publishes a message, as JSON, to all subscribers of a channel, and to its history. Returns when the broker has stored it.
    ///
    /// ```
    /// use everwire_server::channels::ChannelError;
    /// use everwire_server::{Channel, Everwire};
    ///
    /// const NEWS: Channel<String> = Channel::new("news");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ChannelError> {
    /// let everwire = Everwire::default();
    /// let ack = everwire.publish(&NEWS, &"hello".to_owned()).await?;
    /// assert_eq!(ack.offset(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish<T: Serialize>(&self, channel: &Channel<T>, message: &T) -> Result<Ack, ChannelError> {
        let publication = Publication::new(channel.name().try_into()?, serde_json::to_string(message)?);
        Ok(self.store(publication, self.hub().options().get_typed(channel)).await?)
    }

    /// Publishes the latest value of a key.
    pub async fn set<T: Serialize>(&self, channel: &Channel<T>, key: &str, value: &T) -> Result<Ack, ChannelError> {
        let publication = Publication::new(channel.name().try_into()?, serde_json::to_string(value)?);
        let publication = publication.with_key(Key::try_from(key)?);
        Ok(self.store(publication, self.hub().options().get_typed(channel)).await?)
    }

    /// Publishes that a key has no value any more.
    pub async fn remove<T>(&self, channel: &Channel<T>, key: &str) -> Result<Ack, ChannelError> {
        let publication = Publication::without_payload(channel.name().try_into()?);
        let publication = publication.with_key(Key::try_from(key)?).removed();
        Ok(self.store(publication, self.hub().options().get_typed(channel)).await?)
    }

    /// Publishes a text or bytes, for back ends that know the channel only by its name.
    pub async fn publish_raw(&self, channel: &str, message: impl Into<Message>) -> Result<Ack, ChannelError> {
        Ok(self.publish_prepared(Publication::new(ChannelName::try_from(channel)?, message)).await?)
    }

    /// Publishes a [`Publication`]: with a key, a producer, or a channel name that is known only at run time. Its retention is that of
    /// the channel's options. Publishes take effect in the order of the calls, also if the future is dropped.
    ///
    /// A producer makes a publish safe to repeat: see [`Broker::publish`].
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, Key, Publication};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let everwire = Everwire::default();
    /// let publication = Publication::new(ChannelName::try_from("buses")?, "52.51,13.38").with_key(Key::try_from("bus-7")?);
    /// let ack = everwire.publish_prepared(publication).await?;
    /// # assert_eq!(ack.offset(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_prepared(
        &self,
        publication: Publication,
    ) -> impl Future<Output = Result<Ack, BrokerError>> + Send + use<> {
        let options = self.channel_options(publication.channel.as_str());
        self.store(publication, options)
    }

    /// Publishes several messages, each as by [`publish_prepared`](Self::publish_prepared): the broker stores them in one step if it can,
    /// and each subscriber gets them in one write. Returns the result of each, in order.
    ///
    /// ```
    /// use everwire_server::broker::{ChannelName, Key, Publication};
    /// use everwire_server::{Channel, Everwire};
    ///
    /// const PRICES: Channel<f64> = Channel::state("prices");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let everwire = Everwire::builder().channel(&PRICES, |_| ()).build();
    /// let prices = ChannelName::try_from(PRICES.name())?;
    /// let mut changes = Vec::new();
    /// for (symbol, price) in [("AAPL", "187.20"), ("MSFT", "402.11")] {
    ///     changes.push(Publication::new(prices.clone(), price).with_key(Key::try_from(symbol)?));
    /// }
    /// for stored in everwire.publish_all(changes).await {
    ///     stored?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_all(
        &self,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Vec<Result<Ack, BrokerError>>> + Send + use<> {
        let with_retention = |publication: Publication| {
            let options = self.channel_options(publication.channel.as_str());
            publication.with_retention(options.retention)
        };
        let all_stored = self.broker().publish_all(publications.into_iter().map(with_retention).collect());
        async move {
            let mut results = Vec::with_capacity(all_stored.len());
            for stored in all_stored {
                results.push(stored.await.map(|cursor| Ack { cursor }));
            }
            results
        }
    }

    fn store(
        &self,
        publication: Publication,
        options: ChannelOptions,
    ) -> impl Future<Output = Result<Ack, BrokerError>> + Send + use<> {
        let stored = self.hub().broker().publish(publication.with_retention(options.retention));
        async move { Ok(Ack { cursor: stored.await? }) }
    }

    /// The options of a channel: how much history it keeps, and which messages it accepts.
    pub fn channel_options(&self, channel: &str) -> ChannelOptions {
        self.hub().options().get(channel)
    }

    /// The broker, to read history, which ignores [`ChannelOptions::has_history`]. To publish, use [`publish`](Self::publish) and its
    /// relatives.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, PageLimits};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let everwire = Everwire::default();
    /// everwire.publish_raw("news", "hello").await?;
    /// let page = everwire.broker().read(&ChannelName::try_from("news")?, 0, PageLimits::default()).await?;
    /// assert_eq!(page.messages[0].payload, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn broker(&self) -> &Arc<dyn Broker> {
        self.hub().broker()
    }

    /// Subscribes within the server, from now on.
    ///
    /// ```
    /// use everwire_server::channels::LocalDelivery;
    /// use everwire_server::{Channel, Everwire};
    ///
    /// const NEWS: Channel<String> = Channel::new("news");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), everwire_server::channels::ChannelError> {
    /// let everwire = Everwire::default();
    /// let mut news = everwire.subscribe(&NEWS).await?;
    /// everwire.publish(&NEWS, &"hello".to_owned()).await?;
    /// let Some(LocalDelivery::Message { message: Some(text), .. }) = news.next().await else { panic!("a message") };
    /// assert_eq!(text, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe<T>(&self, channel: &Channel<T>) -> Result<LocalSubscription<T>, ChannelError> {
        let channel = self.hub().channels().open(&channel.name().try_into()?);
        Ok(LocalSubscription::open(channel, None).await?)
    }

    /// Subscribes within the server, from the position of an earlier subscription.
    pub async fn subscribe_from<T>(
        &self,
        channel: &Channel<T>,
        position: Cursor,
    ) -> Result<LocalSubscription<T>, ChannelError> {
        let channel = self.hub().channels().open(&channel.name().try_into()?);
        Ok(LocalSubscription::open(channel, Some(position)).await?)
    }

    /// Answers requests of clients. Argument and answer are JSON; a request without a payload has the argument `()`. A second handler
    /// of the same name replaces the first.
    ///
    /// The handler's future is dropped when the client cancels the request, when the request times out, and when the session ends. It
    /// keeps running while the client reconnects.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::channels::RequestError;
    ///
    /// let everwire = Everwire::default();
    /// everwire.on_request("divide", |_, (a, b): (u32, u32)| async move {
    ///     a.checked_div(b).ok_or_else(|| RequestError::new("cannot divide by zero"))
    /// });
    /// ```
    pub fn on_request<A, B, F, R>(&self, name: &str, handler: F)
    where
        A: DeserializeOwned + Send + 'static,
        B: Serialize,
        F: Fn(RequestContext, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<B, RequestError>> + Send + 'static,
    {
        self.hub().handlers().add(name, handler);
    }

    /// Like [`on_request`](Self::on_request), with an answer of several parts. They are read from the stream as fast as the client
    /// reads them.
    pub fn on_stream_request<A, B, F, S>(&self, name: &str, handler: F)
    where
        A: DeserializeOwned + Send + 'static,
        B: Serialize,
        F: Fn(RequestContext, A) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<B, RequestError>> + Send + 'static,
    {
        self.hub().handlers().add_stream(name, handler);
    }

    /// The sessions that are present in a channel, by their ids.
    pub fn presence<T>(&self, channel: &Channel<T>) -> Vec<PresentSession> {
        let present = self.hub().presence().list(channel.name()).into_iter();
        let user_of =
            |session: &SessionId| self.hub().find_session(session)?.read(|state| state.identity().shared_user_name());
        present.map(|(session, shown)| PresentSession { user: user_of(&session), session, shown }).collect()
    }

    /// The channels that have subscribers in this server, in no particular order.
    pub fn open_channels(&self) -> Vec<ChannelInfo> {
        let channels = self.hub().channels().list().into_iter();
        channels.map(|(name, subscribers)| ChannelInfo { name, subscribers }).collect()
    }

    /// Watches how many subscriptions a channel has in this server, including those within the server, so that an expensive feed runs
    /// only while there are any. Let the feed run for some seconds without: a client that reconnects subscribes again.
    ///
    /// Dropping the receiver stops watching. Its `changed` fails once the server is gone.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use everwire_server::{Channel, Everwire};
    ///
    /// const CLOCK: Channel<u64> = Channel::new("clock");
    ///
    /// async fn run_clock(everwire: Everwire) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut subscribers = everwire.watch_subscribers(&CLOCK)?;
    ///     let mut ticks = 0;
    ///     loop {
    ///         subscribers.wait_for(|subscribers| *subscribers > 0).await?;
    ///         everwire.publish(&CLOCK, &ticks).await?;
    ///         ticks += 1;
    ///         tokio::time::sleep(Duration::from_secs(1)).await;
    ///     }
    /// }
    /// # let _ = run_clock;
    /// ```
    ///
    /// # Errors
    /// If the protocol does not allow the name of the channel.
    pub fn watch_subscribers<T>(&self, channel: &Channel<T>) -> Result<watch::Receiver<usize>, InvalidName> {
        Ok(self.hub().channels().watch_subscribers(channel.name().try_into()?))
    }

    /// The sessions of this server, in no particular order. A session that was detached before the server was started again is one of
    /// them only once its client has resumed it.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let info = |session: &Arc<Session>| {
            let (identity, is_attached) = session.read(|state| (state.identity().clone(), state.is_attached()));
            SessionInfo { session: session.id().clone(), identity, is_attached }
        };
        self.hub().all_sessions().iter().map(info).collect()
    }

    /// Ends a session: its client receives `bye gone`, and does not reconnect. Returns whether the session existed.
    pub fn disconnect(&self, session: &SessionId) -> bool {
        let session = self.hub().find_session(session);
        session.map(|session| self.hub().update(&session, |state| state.machine().end())).is_some()
    }

    /// Ends all sessions of a user. Returns how many there were.
    pub fn disconnect_user(&self, user: &str) -> usize {
        let sessions = self.hub().sessions_of(user);
        sessions.iter().for_each(|session| self.hub().update(session, |state| state.machine().end()));
        sessions.len()
    }
}

/// The path of [`Everwire::router`].
const PATH: &str = "/everwire";

/// Channels, with the feature `channels`.
impl Everwire {
    /// The route `/everwire` for clients of channels.
    ///
    /// ```
    /// use axum::Router;
    /// use everwire_server::Everwire;
    /// use everwire_server::channels::AllowAll;
    ///
    /// let everwire = Everwire::builder().authorize(AllowAll).build();
    /// let app: Router = Router::new().merge(everwire.router());
    /// # drop(app);
    /// ```
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.router_at(PATH)
    }

    /// Like [`router`](Self::router), on another path.
    pub fn router_at<S: Clone + Send + Sync + 'static>(&self, path: &str) -> Router<S> {
        let connect = async |OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade| {
            upgrade.accept_channels(headers, uri)
        };
        Router::new().route(path, self.channels_endpoint(path).route(connect))
    }

    /// An endpoint for channels, with this name in the metrics, whose handshakes a function of the application handles: it may refuse
    /// some, or add an [`Interceptor`](crate::Interceptor), and passes the others to [`Upgrade::accept_channels`].
    ///
    /// ```
    /// use axum::Router;
    /// use axum::extract::OriginalUri;
    /// use axum::http::{HeaderMap, StatusCode};
    /// use axum::response::{IntoResponse, Response};
    /// use everwire_server::channels::AllowAll;
    /// use everwire_server::{Everwire, Upgrade};
    ///
    /// async fn connect(OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade) -> Response {
    ///     if !headers.contains_key("cookie") {
    ///         return (StatusCode::UNAUTHORIZED, "log in first").into_response();
    ///     }
    ///     upgrade.accept_channels(headers, uri)
    /// }
    ///
    /// let everwire = Everwire::builder().authorize(AllowAll).build();
    /// let app: Router = Router::new().route("/live", everwire.channels_endpoint("/live").route(connect));
    /// # drop(app);
    /// ```
    pub fn channels_endpoint(&self, name: &str) -> Endpoint {
        let silence = self.hub().limits().heartbeat * 3;
        Endpoint::new(self, name).answer_pings(false).limits(|limits| {
            limits.idle = if limits.idle.is_zero() { silence } else { limits.idle.min(silence) };
        })
    }
}

/// Channels, with the feature `channels`.
impl Upgrade {
    /// Accepts the handshake of a client of channels, on an [`Everwire::channels_endpoint`]. Return this response; it is 400 if the client
    /// does not offer the subprotocol `everwire.v1`.
    ///
    /// [`Authorize::authenticate`](super::Authorize::authenticate) gets the headers and the address of the request.
    pub fn accept_channels(self, headers: HeaderMap, uri: Uri) -> Response {
        let upgrade = self.protocols([SUBPROTOCOL]);
        if upgrade.protocol().is_none() {
            let text = format!("connect with the subprotocol {SUBPROTOCOL}");
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
        let head = RequestHead { headers, uri, address: upgrade.peer_address() };
        let (hub, message_bytes) = (Arc::clone(upgrade.everwire().hub()), upgrade.message_bytes());
        upgrade.accept(move |connection| ChannelsHandler::new(&hub, connection, head, message_bytes))
    }
}
