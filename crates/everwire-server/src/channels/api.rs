use std::sync::Arc;

use everwire_core::Channel;
use everwire_core::protocol::Cursor;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::authorize::Identity;
use super::config::ChannelOptions;
use super::local::LocalSubscription;
use super::presence::PresentSession;
use super::requests::{RequestContext, RequestError};
use super::session::Session;
use crate::broker::{BadName, Broker, BrokerError, ChannelName, Key, Publication, SessionId};
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

/// Why a channel was not published or subscribed to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The channel or the key has a name that the protocol does not allow.
    #[error(transparent)]
    Name(#[from] BadName),
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
    /// let wire = Everwire::default();
    /// let ack = wire.publish(&NEWS, &"hello".to_owned()).await?;
    /// assert_eq!(ack.offset(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish<T: Serialize>(&self, channel: &Channel<T>, message: &T) -> Result<Ack, ChannelError> {
        let publication = Publication::new(channel.name().try_into()?, serde_json::to_string(message)?);
        Ok(self.store(publication, self.hub().table().typed_options(channel)).await?)
    }

    /// Publishes the latest value of a key.
    pub async fn set<T: Serialize>(&self, channel: &Channel<T>, key: &str, value: &T) -> Result<Ack, ChannelError> {
        let publication = Publication::new(channel.name().try_into()?, serde_json::to_string(value)?);
        let publication = publication.with_key(Key::try_from(key)?);
        Ok(self.store(publication, self.hub().table().typed_options(channel)).await?)
    }

    /// Publishes that a key has no value any more.
    pub async fn remove<T>(&self, channel: &Channel<T>, key: &str) -> Result<Ack, ChannelError> {
        let publication = Publication::without_payload(channel.name().try_into()?);
        let publication = publication.with_key(Key::try_from(key)?).removed();
        Ok(self.store(publication, self.hub().table().typed_options(channel)).await?)
    }

    /// Publishes a text or bytes, for back ends that know the channel only by its name.
    pub async fn publish_raw(&self, channel: &str, message: impl Into<Message>) -> Result<Ack, ChannelError> {
        Ok(self.publish_prepared(Publication::new(ChannelName::try_from(channel)?, message)).await?)
    }

    /// Publishes what has a key, a producer or a name that is known only while the program runs, with the retention of the channel's
    /// options. It takes effect in the order of the calls, also if the future is dropped.
    ///
    /// A producer makes a publish safe to repeat: see [`Broker::publish`].
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, Key, Publication};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wire = Everwire::default();
    /// let publication = Publication::new(ChannelName::try_from("buses")?, "52.51,13.38").with_key(Key::try_from("bus-7")?);
    /// let ack = wire.publish_prepared(publication).await?;
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

    /// Publishes messages that belong together, each as by [`publish_prepared`](Self::publish_prepared): the broker stores them in one
    /// step if it can, and each subscriber gets them in one write. Returns what became of each, in their order.
    ///
    /// ```
    /// use everwire_server::broker::{ChannelName, Key, Publication};
    /// use everwire_server::{Channel, Everwire};
    ///
    /// const PRICES: Channel<f64> = Channel::state("prices");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wire = Everwire::builder().channel(&PRICES, |_| ()).build();
    /// let prices = ChannelName::try_from(PRICES.name())?;
    /// let mut changes = Vec::new();
    /// for (symbol, price) in [("AAPL", "187.20"), ("MSFT", "402.11")] {
    ///     changes.push(Publication::new(prices.clone(), price).with_key(Key::try_from(symbol)?));
    /// }
    /// for stored in wire.publish_all(changes).await {
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

    /// What a channel keeps and takes.
    pub fn channel_options(&self, channel: &str) -> ChannelOptions {
        self.hub().table().options(channel)
    }

    /// The broker: to read history, which it does without regard to [`ChannelOptions::has_history`]. To publish, call the server.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, PageLimits};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wire = Everwire::default();
    /// wire.publish_raw("news", "hello").await?;
    /// let page = wire.broker().read(&ChannelName::try_from("news")?, 0, PageLimits::default()).await?;
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
    /// let wire = Everwire::default();
    /// let mut news = wire.subscribe(&NEWS).await?;
    /// wire.publish(&NEWS, &"hello".to_owned()).await?;
    /// let Some(LocalDelivery::Message { message: Some(text), .. }) = news.next().await else { panic!("a message") };
    /// assert_eq!(text, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe<T>(&self, channel: &Channel<T>) -> Result<LocalSubscription<T>, ChannelError> {
        let channel = self.hub().channels().open(&channel.name().try_into()?);
        Ok(LocalSubscription::open(channel, None).await?)
    }

    /// Subscribes within the server, from a position on that an earlier subscription had.
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
    /// The handler's future is dropped when the client cancels the request, when its time runs out, and when the session ends. It goes
    /// on while the client reconnects.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::channels::RequestError;
    ///
    /// let wire = Everwire::default();
    /// wire.on_request("divide", |_, (a, b): (u32, u32)| async move {
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
            |session: &SessionId| self.hub().find_session(session)?.read(|inner| inner.identity().shared_user_name());
        present.map(|(session, shown)| PresentSession { user: user_of(&session), session, shown }).collect()
    }

    /// The channels that have subscribers in this server, in no order.
    pub fn open_channels(&self) -> Vec<ChannelInfo> {
        let channels = self.hub().channels().list().into_iter();
        channels.map(|(name, subscribers)| ChannelInfo { name, subscribers }).collect()
    }

    /// How many subscriptions a channel has in this server, those within the server included: now, and whenever it changes. A feed that
    /// costs something runs only while there are any. It should go on for some seconds without: a client that reconnects subscribes again.
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
    /// async fn run_clock(wire: Everwire) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut subscribers = wire.watch_subscribers(&CLOCK)?;
    ///     let mut ticks = 0;
    ///     loop {
    ///         subscribers.wait_for(|subscribers| *subscribers > 0).await?;
    ///         wire.publish(&CLOCK, &ticks).await?;
    ///         ticks += 1;
    ///         tokio::time::sleep(Duration::from_secs(1)).await;
    ///     }
    /// }
    /// # let _ = run_clock;
    /// ```
    ///
    /// # Errors
    /// If the protocol does not allow the name of the channel.
    pub fn watch_subscribers<T>(&self, channel: &Channel<T>) -> Result<watch::Receiver<usize>, BadName> {
        Ok(self.hub().channels().watch_subscribers(channel.name().try_into()?))
    }

    /// The sessions of this server, in no order. A session that was detached before the server was started again is one of them only
    /// once its client has resumed it.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let info = |session: &Arc<Session>| {
            let (identity, is_attached) = session.read(|inner| (inner.identity().clone(), inner.is_attached()));
            SessionInfo { session: session.id().clone(), identity, is_attached }
        };
        self.hub().all_sessions().iter().map(info).collect()
    }

    /// Ends a session: its client is sent `bye gone`, and does not come back by itself. Returns whether there was one.
    pub fn disconnect(&self, session: &SessionId) -> bool {
        let session = self.hub().find_session(session);
        session.map(|session| self.hub().update(&session, |inner| inner.machine().end())).is_some()
    }

    /// Ends all sessions of a user. Returns how many there were.
    pub fn disconnect_user(&self, user: &str) -> usize {
        let sessions = self.hub().sessions_of(user);
        sessions.iter().for_each(|session| self.hub().update(session, |inner| inner.machine().end()));
        sessions.len()
    }
}
