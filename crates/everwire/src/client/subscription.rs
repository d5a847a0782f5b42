//! Reading a channel: the stream of its messages, and that of its members.

use core::{
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};
use std::sync::{Mutex, PoisonError};

use everwire_core::{
    Channel, Time,
    protocol::{Cursor, GapReason, Start},
};
use futures_core::Stream;

use super::{
    driver::Driver,
    events::{Gap, SubscriptionError},
    members::Member,
    options::SubscribeOptions,
    reader::{Item, RawMessage},
};
use crate::{
    Message,
    threads::{BoxFuture, MaybeSend, Pointer, send_dyn},
};

/// What a subscription yields. `D` is the data of a [snapshot](crate::Client::subscribe_with_snapshot).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Delivery<T, D = Infallible> {
    /// A message.
    Message(ChannelMessage<T>),
    /// A key of the channel was removed.
    Removed(Removed),
    /// Messages that will not come. In a subscription that began with the latest message of each key, these come again, so that what is
    /// known of the keys can be forgotten here; unless the reason is [`GapReason::Refused`].
    Gap(Gap),
    /// The connection was lost meanwhile, and nothing was missed.
    Resumed,
    /// What follows is new: the history was delivered that the subscription started with, or what was published while the connection
    /// was down. A subscription that starts with the next message begins without it.
    CaughtUp,
    /// The data that was loaded; what follows continues it.
    Snapshot(D),
    /// A message that is not a `T`.
    Undecodable(Undecodable),
    /// The subscription is over. It is the last item.
    Ended(SubscriptionError),
}

/// A message of a channel.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChannelMessage<T> {
    /// What was published.
    pub value: T,
    /// The position after it, to go on from there in another run: [`SubscribeOptions::from`].
    pub cursor: Cursor,
    /// It is the latest message of this key.
    pub key: Option<String>,
    /// The session that published it; `None` for what the server published.
    pub by: Option<String>,
    /// Whether this client published it.
    pub is_own: bool,
}

impl<T> ChannelMessage<T> {
    /// Counts the messages of the channel, from 1, while its history exists.
    pub const fn offset(&self) -> u64 {
        self.cursor.offset
    }

    /// When the server stored it, since 1970.
    pub const fn time(&self) -> Time {
        Time::from_millis(self.cursor.time)
    }
}

/// A key that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The key.
    pub key: String,
    /// The position after the removal.
    pub cursor: Cursor,
    /// The session that removed it; `None` for the server.
    pub by: Option<String>,
    /// Whether this client removed it.
    pub is_own: bool,
}

/// A message that is not of the channel's type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Undecodable {
    /// The message as it was received.
    pub message: Message,
    /// The position after it.
    pub cursor: Cursor,
    /// What is wrong with it.
    pub problem: String,
}

/// Decodes a payload.
pub(super) type Decode<T> = fn(&Message) -> Result<T, String>;

/// Loads the data of a snapshot for a position.
type LoadFn<D> = Box<send_dyn!(FnMut(Cursor) -> BoxFuture<D>)>;

/// The messages of a channel: a `Stream` of [`Delivery`], over reconnects, restarts of the server and new sessions.
///
/// Each message comes once and in order, or a [`Delivery::Gap`] is in its place. A reader that is slower than the channel loses nothing:
/// the server waits for it. The stream ends after [`Delivery::Ended`]. Dropping it ends the subscription. `next` can be cancelled at any
/// time, in a `select!` for example: what was not returned is returned by the next call.
///
/// ```no_run
/// use everwire::{Channel, Client, Delivery};
/// use futures_util::StreamExt;
///
/// const CHAT: Channel<String> = Channel::new("chat");
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("wss://example.org/everwire")?;
/// let mut chat = client.subscribe(&CHAT);
/// while let Some(delivery) = chat.next().await {
///     match delivery {
///         Delivery::Message(message) => println!("{}: {}", message.offset(), message.value),
///         Delivery::Gap(gap) => println!("messages were missed: {}", gap.reason),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Several of one channel
/// Several components of an application may subscribe to the same channel. They share one subscription on the server, and each gets what
/// it would get by itself: from its own start, once and in order, at its own pace. A message is sent once for all that are at the
/// same position. Where one starts earlier, or has fallen behind because it reads slowly, the server repeats from there what the others
/// have already; they wait meanwhile, for at most as many messages as that one has room for. Dropping one leaves the others as they are.
///
/// Where one of them wants each message, those in the [mode](SubscribeOptions::latest) of the latest get each, too. A refusal by the
/// server ends all of them.
#[must_use = "dropping a subscription ends it"]
pub struct Subscription<T, D = Infallible> {
    driver: Pointer<Driver>,
    reader: u64,
    decode: Decode<T>,
    /// The lock makes the future, which need not be `Sync`, a part of a type that is.
    snapshot: Mutex<Option<Snapshot<D>>>,
    /// It starts with the latest message of each key, and does so again after a gap: a key that changed in the gap may not change again
    /// for a long time.
    is_state: bool,
    value: PhantomData<fn() -> T>,
}

struct Snapshot<D> {
    load: LoadFn<D>,
    loading: Option<(Cursor, BoxFuture<D>)>,
}

impl<T> Subscription<T> {
    pub(super) fn open(
        driver: &Pointer<Driver>,
        channel: &Channel<T>,
        options: &SubscribeOptions,
        decode: Decode<T>,
    ) -> Self {
        let default = if channel.is_state() { Start::State } else { Start::Live };
        Self::start(driver, channel, options.start.unwrap_or(default), options, decode, None)
    }
}

impl<T, D> Subscription<T, D> {
    pub(super) fn open_with_snapshot<F, Fut>(
        driver: &Pointer<Driver>,
        channel: &Channel<T>,
        options: &SubscribeOptions,
        decode: Decode<T>,
        mut load: F,
    ) -> Self
    where
        F: FnMut(Cursor) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = D> + MaybeSend + 'static,
    {
        let load: LoadFn<D> = Box::new(move |cursor| -> BoxFuture<D> { Box::pin(load(cursor)) });
        let snapshot = Snapshot { load, loading: None };
        Self::start(driver, channel, Start::Hold, options, decode, Some(snapshot))
    }

    fn start(
        driver: &Pointer<Driver>,
        channel: &Channel<T>,
        start: Start,
        options: &SubscribeOptions,
        decode: Decode<T>,
        snapshot: Option<Snapshot<D>>,
    ) -> Self {
        let reader = driver.run(|core, _| core.subscribe(channel.name(), start, options));
        let is_state = start == Start::State || (channel.is_state() && matches!(start, Start::From(_)));
        Self {
            driver: Pointer::clone(driver),
            reader,
            decode,
            snapshot: Mutex::new(snapshot),
            is_state,
            value: PhantomData,
        }
    }

    /// The position after what was taken from this stream, to go on from there in another run of the program:
    /// [`SubscribeOptions::from`]. `None` before the server has said where the subscription is.
    ///
    /// Store it after the message has been handled, in one step with what the handling has changed if that is possible.
    pub fn cursor(&self) -> Option<Cursor> {
        self.driver.inspect(|core| core.cursor(self.reader))
    }

    fn decode(&self, message: RawMessage) -> Delivery<T, D> {
        let RawMessage { payload, cursor, key, by, is_own } = message;
        let payload = match (payload, key) {
            (None, Some(key)) => return Delivery::Removed(Removed { key, cursor, by, is_own }),
            (payload, key) => (payload.unwrap_or_else(|| Message::Text(String::new())), key),
        };
        let (payload, key) = payload;
        match (self.decode)(&payload) {
            Ok(value) => Delivery::Message(ChannelMessage { value, cursor, key, by, is_own }),
            Err(problem) => Delivery::Undecodable(Undecodable { message: payload, cursor, problem }),
        }
    }
}

impl<T, D> Stream for Subscription<T, D> {
    type Item = Delivery<T, D>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let snapshot = this.snapshot.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(Snapshot { loading: Some((cursor, future)), .. }) = snapshot {
                let data = core::task::ready!(future.as_mut().poll(context));
                let cursor = *cursor;
                if let Some(snapshot) = snapshot {
                    snapshot.loading = None;
                }
                this.driver.run(|core, _| core.restart(this.reader, Start::From(cursor)));
                return Poll::Ready(Some(Delivery::Snapshot(data)));
            }
            let item = match this.driver.run(|core, _| core.next_item(this.reader, context.waker())) {
                None => return Poll::Pending,
                Some(None) => return Poll::Ready(None),
                Some(Some(item)) => item,
            };
            return Poll::Ready(Some(match item {
                Item::Message(message) => this.decode(Pointer::unwrap_or_clone(message)),
                Item::Gap(gap) => {
                    if snapshot.is_some() {
                        this.driver.run(|core, _| core.restart(this.reader, Start::Hold));
                    } else if this.is_state && gap.reason != GapReason::Refused {
                        this.driver.run(|core, _| core.restart(this.reader, Start::State));
                    }
                    Delivery::Gap(gap)
                }
                Item::Resumed => Delivery::Resumed,
                Item::CaughtUp => Delivery::CaughtUp,
                Item::Held(cursor) => {
                    if let Some(Snapshot { load, loading }) = snapshot {
                        *loading = Some((cursor, load(cursor)));
                    }
                    continue;
                }
                Item::Ended(error) => Delivery::Ended(error),
            }));
        }
    }
}

impl<T, D> Drop for Subscription<T, D> {
    fn drop(&mut self) {
        self.driver.run(|core, _| core.drop_reader(self.reader));
    }
}

impl<T, D> fmt::Debug for Subscription<T, D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subscription").field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}

/// The members of a channel: a `Stream` of all of them, each time they change. While it lives, the client is one of them.
///
/// It receives no messages of the channel; use a [`Subscription`] for those. Members are sessions, so that a reconnect is neither a
/// leave nor a join. A slow reader gets only the latest list. The stream ends when the server ends the subscription, or the client is over. Dropping it ends the membership.
#[derive(Debug)]
#[must_use = "dropping it ends the membership"]
pub struct Presence {
    driver: Pointer<Driver>,
    reader: u64,
}

impl Presence {
    pub(super) fn open<T>(driver: &Pointer<Driver>, channel: &Channel<T>) -> Self {
        let reader = driver.run(|core, _| core.watch(channel.name()));
        Self { driver: Pointer::clone(driver), reader }
    }
}

impl Stream for Presence {
    type Item = Vec<Member>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<Member>>> {
        match self.driver.inspect(|core| core.next_members(self.reader, context.waker())) {
            None => Poll::Pending,
            Some(members) => Poll::Ready(members),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.driver.run(|core, _| core.drop_watcher(self.reader));
    }
}
