use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_core::protocol::{Cursor, GapReason, Mode};
use everwire_core::session::{Gap, History};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::open_channels::OpenChannel;
use crate::broker::{BrokerError, Key, Stored};
use crate::message::Message;

/// Items that are read ahead of the application.
const READ_AHEAD: usize = 64;
/// How long a subscription waits for a broker that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The messages of a channel, within the server: a stream that misses nothing without saying so. Dropping it unsubscribes.
///
/// One that is read more slowly than the channel is published to reads history later, and holds up no one.
#[must_use = "dropping it unsubscribes"]
pub struct LocalSubscription<T> {
    items: mpsc::Receiver<Item>,
    message: PhantomData<fn() -> T>,
}

/// What a [`LocalSubscription`] gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocalDelivery<T> {
    /// A message.
    #[non_exhaustive]
    Message {
        /// The message; `None` if the key was removed.
        message: Option<T>,
        /// What it is the latest value of.
        key: Option<Key>,
        /// The position after it, from which another subscription can go on.
        cursor: Cursor,
    },
    /// A message that is not JSON of this type.
    #[non_exhaustive]
    Unreadable {
        /// What was published.
        payload: Message,
        /// Why it cannot be read.
        error: serde_json::Error,
        /// The position after it.
        cursor: Cursor,
    },
    /// Messages between the position and this one do not come.
    #[non_exhaustive]
    Gap {
        /// Why.
        reason: GapReason,
        /// The position from which it goes on.
        cursor: Cursor,
        /// How many there were, if that is known.
        missed: Option<u64>,
    },
}

#[derive(Debug)]
enum Item {
    Message(Arc<Stored>),
    Gap(Gap),
}

impl<T> LocalSubscription<T> {
    /// Subscribes from a position on, or from now on.
    pub(super) async fn open(channel: OpenChannel, start: Option<Cursor>) -> Result<Self, BrokerError> {
        let history = channel.history(start.map_or(0, |cursor| cursor.offset)).await?;
        channel.learn_position(history.last);
        let now = History { trimmed: history.trimmed.offset, last: history.last };
        let gap = start.and_then(|cursor| {
            let time_at = |offset| history.found.filter(|found| found.offset == offset).map(|found| found.time);
            now.gap_after(cursor, time_at)
        });
        let position = gap.map(|gap| gap.cursor).or(start).unwrap_or(history.last);
        let (sender, items) = mpsc::channel(READ_AHEAD);
        tokio::spawn(async move {
            if let Some(gap) = gap
                && sender.send(Item::Gap(gap)).await.is_err()
            {
                return;
            }
            // It ends when the subscription is dropped.
            let _ = forward(channel, position, &sender).await;
        });
        Ok(Self { items, message: PhantomData })
    }
}

/// Reads the channel from a position on, until the receiver is gone.
async fn forward(
    channel: OpenChannel,
    mut position: Cursor,
    items: &mpsc::Sender<Item>,
) -> Result<(), mpsc::error::SendError<Item>> {
    let mut positions = channel.watch();
    loop {
        tokio::select! {
            moved = positions.wait_for(|last| last.is_some_and(|last| last != position)) => if moved.is_err() { return Ok(()) },
            () = items.closed() => return Ok(()),
        }
        let page = match channel.page(position.offset, Mode::Each).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, channel = %channel.name(), "a subscription waits for the broker");
                sleep(RETRY).await;
                continue;
            }
        };
        let history = History { trimmed: page.history.trimmed.offset, last: page.history.last };
        let is_other = page.history.epoch() != position.epoch || position.offset > history.last.offset;
        if is_other || history.trimmed > position.offset {
            let reason = if is_other { GapReason::Rewritten } else { GapReason::Trimmed };
            let missed = (!is_other).then(|| history.last.offset - position.offset);
            position = history.last;
            items.send(Item::Gap(Gap { reason, cursor: position, missed })).await?;
            continue;
        }
        if page.messages.is_empty() {
            // The broker reports what cannot be read yet.
            sleep(RETRY).await;
        }
        for message in &page.messages {
            position = message.cursor;
            items.send(Item::Message(Arc::clone(message))).await?;
        }
    }
}

impl<T: DeserializeOwned> Stream for LocalSubscription<T> {
    type Item = LocalDelivery<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.poll_recv(context).map(|item| item.map(LocalDelivery::of))
    }
}

impl<T: DeserializeOwned> LocalSubscription<T> {
    /// The next item; `None` when the server is gone.
    pub async fn next(&mut self) -> Option<LocalDelivery<T>> {
        self.items.recv().await.map(LocalDelivery::of)
    }
}

impl<T: DeserializeOwned> LocalDelivery<T> {
    fn of(item: Item) -> Self {
        let stored = match item {
            Item::Message(stored) => stored,
            Item::Gap(Gap { reason, cursor, missed }) => return Self::Gap { reason, cursor, missed },
        };
        let (cursor, key) = (stored.cursor, stored.key.clone());
        let Some(payload) = stored.payload.as_ref().filter(|_| !stored.is_removed) else {
            return Self::Message { message: None, key, cursor };
        };
        match serde_json::from_slice(payload.as_bytes()) {
            Ok(message) => Self::Message { message: Some(message), key, cursor },
            Err(error) => Self::Unreadable { payload: payload.clone(), error, cursor },
        }
    }
}

impl<T> fmt::Debug for LocalSubscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalSubscription")
    }
}
