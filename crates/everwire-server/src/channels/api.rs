use everwire_core::Channel;
use everwire_core::protocol::Cursor;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::ChannelOptions;
use super::local::LocalSubscription;
use super::presence::PresentSession;
use super::requests::{RequestContext, RequestError};
use crate::broker::{BadName, BrokerError, ChannelName, Key, Publication, SessionId};
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
        self.store(publication, self.hub().table().typed_options(channel)).await
    }

    /// Publishes the latest value of a key.
    pub async fn set<T: Serialize>(&self, channel: &Channel<T>, key: &str, value: &T) -> Result<Ack, ChannelError> {
        let publication = Publication::new(channel.name().try_into()?, serde_json::to_string(value)?);
        let publication = publication.with_key(Key::try_from(key)?);
        self.store(publication, self.hub().table().typed_options(channel)).await
    }

    /// Publishes that a key has no value any more.
    pub async fn remove<T>(&self, channel: &Channel<T>, key: &str) -> Result<Ack, ChannelError> {
        let publication = Publication::without_payload(channel.name().try_into()?);
        let publication = publication.with_key(Key::try_from(key)?).removed();
        self.store(publication, self.hub().table().typed_options(channel)).await
    }

    /// Publishes a text or bytes, for back ends that know the channel only by its name.
    pub async fn publish_raw(&self, channel: &str, message: impl Into<Message>) -> Result<Ack, ChannelError> {
        let publication = Publication::new(ChannelName::try_from(channel)?, message);
        self.store(publication, self.hub().table().options(channel)).await
    }

    async fn store(&self, publication: Publication, options: ChannelOptions) -> Result<Ack, ChannelError> {
        let cursor = self.hub().broker().publish(publication.with_retention(options.retention)).await?;
        Ok(Ack { cursor })
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
        self.hub().presence().list(channel.name())
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
