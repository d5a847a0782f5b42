//! Subscriptions of clients and of the application: from history to live, and back when a subscriber falls behind.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_core::protocol::{Cursor, ErrorCode, Gap, GapReason, MessageWriter, Mode, Payload, ServerLine, Start};
use everwire_core::session::{self, Feed, FeedStep};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::link::{Link, MESSAGE_BYTES, encoded, payload};
use super::open_channels::{LiveSubscriber, OpenChannel};
use crate::broker::{BrokerError, History, Key, Page, Stored};
use crate::message::Message;

/// A page of history is read when no more than this waits in the outbound queue.
const LOW_WATER_MARK: usize = 64 << 10;
/// How long a subscription waits for a broker that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Items that are read ahead of the application.
const READ_AHEAD: usize = 64;

/// The subscription of a connection to a channel.
#[derive(Debug)]
pub(super) struct Subscription {
    link: Arc<Link>,
    channel: OpenChannel,
    mode: Mode,
    /// Taken before the lock of the channel.
    state: Mutex<SubscriptionState>,
    /// Held until `sub` is answered. The connection's subscriptions of a channel share it, so that the answers come in order.
    reply_lock: Arc<AsyncMutex<()>>,
    /// That of the connection: a broker may deliver from a thread without one.
    runtime: Handle,
}

#[derive(Debug)]
struct SubscriptionState {
    feed: Option<Feed>,
    /// The number in the fan-out while the feed is live.
    member: Option<u64>,
    /// It was ended, and sends nothing more.
    is_over: bool,
}

/// The offset up to which messages were trimmed, for both ways to read a channel.
#[derive(Clone, Copy, Debug)]
struct TrimmedOffsets {
    each: u64,
    latest: u64,
}

/// The next step of a feed that is not live.
enum CatchUpStep {
    Read {
        after: u64,
        mode: Mode,
    },
    /// Lines were sent.
    Again,
    Done,
}

impl Subscription {
    /// A subscription of a connection, in whose task this is called.
    pub(super) fn new(
        link: &Arc<Link>,
        channel: OpenChannel,
        mode: Mode,
        reply_lock: Arc<AsyncMutex<()>>,
    ) -> Arc<Self> {
        let state = Mutex::new(SubscriptionState { feed: None, member: None, is_over: false });
        Arc::new(Self { link: Arc::clone(link), channel, mode, state, reply_lock, runtime: Handle::current() })
    }

    /// Shared by all subscriptions of the connection to the channel.
    pub(super) fn reply_lock(&self) -> &Arc<AsyncMutex<()>> {
        &self.reply_lock
    }

    /// Answers `sub` and catches up. `opened` runs behind the answer.
    pub(super) async fn run(self: Arc<Self>, start: Start, has_history: bool, opened: impl FnOnce() + Send) {
        let answering = Arc::clone(&self.reply_lock).lock_owned().await;
        let trimmed = match self.open(start, has_history).await {
            Ok(trimmed) => trimmed,
            Err(error) => {
                tracing::warn!(%error, channel = self.name(), "a subscription was refused");
                self.state().is_over = true;
                self.link
                    .send(&ServerLine::Unsub { channel: self.name(), code: ErrorCode::Unavailable }, Payload::None);
                return;
            }
        };
        opened();
        drop(answering);
        self.catch_up(trimmed).await;
    }

    /// Ends it: nothing more is sent. A `sub` that is not answered yet still is.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        let member = state.member.take();
        // Taken by `fell_behind`, which the fan-out waits for.
        drop(state);
        if let Some(number) = member {
            self.channel.leave(number);
        }
    }

    async fn open(self: &Arc<Self>, start: Start, has_history: bool) -> Result<TrimmedOffsets, BrokerError> {
        let (history, found) = match start {
            Start::From(cursor) => {
                let history = self.channel.history(cursor.offset).await?;
                (history, history.found)
            }
            Start::Last(count) => {
                let history = self.channel.history(0).await?;
                let first = history.last.offset.saturating_sub(count).max(history.trimmed.offset);
                let found = self.channel.history(first).await?.found;
                (history, found.filter(|found| found.epoch == history.last.epoch))
            }
            _ => (self.channel.history(0).await?, None),
        };
        self.channel.learn_position(history.last);
        let trimmed = TrimmedOffsets::of(&history);
        let mut state = self.state();
        // No message can arrive between the position of `subscribed` and the join.
        let mut channel = self.channel.lock();
        let mode = if matches!(start, Start::From(_)) { self.mode } else { Mode::Each };
        let last = channel.position().unwrap_or(history.last);
        let now = session::History { trimmed: trimmed.of_mode(mode), last };
        let time_at = |offset| found.filter(|found| found.offset == offset).map(|found| found.time);
        // The requested offset depends on the position that the broker had then.
        let now = if matches!(start, Start::Last(_)) { session::History { last: history.last, ..now } } else { now };
        let (feed, opening) = Feed::start(start, self.mode, has_history, &now, time_at);
        self.link.send(&ServerLine::Subscribed { channel: self.name(), cursor: opening.cursor }, Payload::None);
        if let Some(gap) = opening.gap {
            self.send_gap(gap);
        }
        if feed.is_live() && !state.is_over {
            state.member = Some(channel.join(self.link.queue(), Arc::clone(self) as Arc<dyn LiveSubscriber>));
        }
        state.feed = Some(feed);
        Ok(trimmed)
    }

    /// Reads history, at the speed of the client, until the feed is live.
    async fn catch_up(self: &Arc<Self>, mut trimmed: TrimmedOffsets) {
        let mut fruitless = 0;
        loop {
            // Only one page of the connection's subscriptions at a time is on its way.
            let sending = self.link.page_lock().lock().await;
            // Fails when the connection has ended.
            if !self.link.connection().drained(LOW_WATER_MARK).await {
                return;
            }
            let (after, mode) = match self.step(trimmed) {
                CatchUpStep::Done => return,
                CatchUpStep::Again => continue,
                CatchUpStep::Read { after, mode } => (after, mode),
            };
            match self.channel.page(after, mode).await {
                Ok(page) => {
                    trimmed = TrimmedOffsets::of(&page.history);
                    fruitless = if self.send_page(&page) { 0 } else { fruitless + 1 };
                    drop(sending);
                    if fruitless > 2 {
                        // The broker has reported messages that it cannot return yet.
                        sleep(RETRY).await;
                    }
                    // Lets the other work of the connection run between two pages.
                    yield_now().await;
                }
                Err(error) => {
                    drop(sending);
                    tracing::warn!(%error, channel = self.name(), "a subscription waits for the broker");
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn step(self: &Arc<Self>, trimmed: TrimmedOffsets) -> CatchUpStep {
        let mut state = self.state();
        let SubscriptionState { feed: Some(feed), member, is_over: false } = &mut *state else {
            return CatchUpStep::Done;
        };
        let mut channel = self.channel.lock();
        let Some(last) = channel.position() else { return CatchUpStep::Done };
        match feed.poll(&session::History { trimmed: trimmed.of_mode(self.mode), last }) {
            FeedStep::Read { after, mode, .. } => CatchUpStep::Read { after, mode },
            FeedStep::Gap(gap) => {
                self.send_gap(gap);
                CatchUpStep::Again
            }
            FeedStep::Position { cursor, is_live } => {
                self.link.send(&ServerLine::Pos { channel: self.name(), cursor, live: is_live }, Payload::None);
                if !is_live {
                    return CatchUpStep::Again;
                }
                // Under the lock of the channel, so that no message is lost or repeated between history and live.
                *member = Some(channel.join(self.link.queue(), Arc::clone(self) as Arc<dyn LiveSubscriber>));
                CatchUpStep::Done
            }
            _ => CatchUpStep::Done,
        }
    }

    /// Sends the messages of a page that the feed accepts. Returns whether its position advanced.
    fn send_page(&self, page: &Page) -> bool {
        let mut state = self.state();
        let SubscriptionState { feed: Some(feed), is_over: false, .. } = &mut *state else { return true };
        let before = feed.position();
        // The feed must not get ahead of the fan-out: the broker may have stored what it has not reported yet.
        let reported = self.channel.lock().position().filter(|reported| reported.epoch == page.history.epoch());
        let last = reported.filter(|reported| reported.offset < page.history.last.offset).unwrap_or(page.history.last);
        let trimmed = TrimmedOffsets::of(&page.history).of_mode(self.mode);
        let up_to = match feed.poll(&session::History { trimmed, last }) {
            FeedStep::Read { up_to, .. } => up_to,
            // Messages were trimmed since the latest step.
            FeedStep::Gap(gap) => {
                self.send_gap(gap);
                return true;
            }
            FeedStep::Position { cursor, is_live: false } => {
                self.link.send(&ServerLine::Pos { channel: self.name(), cursor, live: false }, Payload::None);
                return true;
            }
            // The next step joins the fan-out, under its lock.
            FeedStep::Position { is_live: true, .. } => {
                feed.fell_behind();
                return true;
            }
            _ => return true,
        };
        let mut writer = MessageWriter::new(MESSAGE_BYTES);
        let replaced = if self.mode == Mode::Latest { replaced_in(page) } else { HashSet::new() };
        for message in page.messages.iter().filter(|message| !replaced.contains(&message.cursor.offset)) {
            let Some(after) = feed.paged(message.cursor) else { continue };
            let result = encoded(message).and_then(|msg| {
                writer.set_max_bytes(MESSAGE_BYTES.max(message.size() + MESSAGE_BYTES / 32));
                writer.push_encoded(&msg, after, payload(message.payload.as_ref()))
            });
            if let Err(error) = result {
                tracing::error!(%error, channel = self.name(), "a stored message cannot be sent");
            }
        }
        if page.is_last || page.messages.last().is_some_and(|message| message.cursor.offset >= up_to) {
            feed.page_ended();
        }
        self.link.send_all(&mut writer);
        feed.position() != before
    }

    fn send_gap(&self, gap: session::Gap) {
        let mut line = Gap::new(self.name(), gap.reason, gap.cursor);
        line.missed = gap.missed;
        self.link.send(&ServerLine::Gap(line), Payload::None);
    }

    fn name(&self) -> &str {
        self.channel.name().as_str()
    }

    fn state(&self) -> MutexGuard<'_, SubscriptionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveSubscriber for Subscription {
    fn fell_behind(self: Arc<Self>, position: Cursor) {
        let mut state = self.state();
        let SubscriptionState { feed: Some(feed), member, is_over: false } = &mut *state else { return };
        *member = None;
        feed.delivered(position);
        feed.fell_behind();
        drop(state);
        // The first page shows what was trimmed meanwhile.
        let trimmed = TrimmedOffsets { each: position.offset, latest: position.offset };
        let runtime = self.runtime.clone();
        runtime.spawn(async move { self.catch_up(trimmed).await });
    }
}

impl TrimmedOffsets {
    fn of(history: &History) -> Self {
        Self { each: history.trimmed.offset, latest: history.state_trimmed }
    }

    fn of_mode(self, mode: Mode) -> u64 {
        match mode {
            Mode::Latest => self.latest,
            _ => self.each,
        }
    }
}

/// The messages of a page that a later one of the same page replaces. A broker leaves them out itself where it keeps state.
fn replaced_in(page: &Page) -> HashSet<u64> {
    let mut keys = HashSet::new();
    let keyed = page.messages.iter().rev().filter_map(|message| Some((message.key.as_ref()?, message.cursor.offset)));
    keyed.filter(|(key, _)| !keys.insert(*key)).map(|(_, offset)| offset).collect()
}

/// A subscription within the server: a stream of the messages of a channel that reports every gap. Dropping it unsubscribes.
///
/// A slow reader continues from history, and delays no one else.
#[must_use = "dropping it unsubscribes"]
pub struct LocalSubscription<T> {
    items: mpsc::Receiver<LocalItem>,
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
        /// The key whose latest value it is.
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
    /// The messages between the last position and this one are missing.
    #[non_exhaustive]
    Gap {
        /// Why.
        reason: GapReason,
        /// The position from which it continues.
        cursor: Cursor,
        /// How many there were, if that is known.
        missed: Option<u64>,
    },
}

#[derive(Debug)]
enum LocalItem {
    Message(Arc<Stored>),
    Gap(session::Gap),
}

impl<T> LocalSubscription<T> {
    /// Subscribes from a position on, or from now on.
    pub(super) async fn open(channel: OpenChannel, start: Option<Cursor>) -> Result<Self, BrokerError> {
        let history = channel.history(start.map_or(0, |cursor| cursor.offset)).await?;
        channel.learn_position(history.last);
        let now = session::History { trimmed: history.trimmed.offset, last: history.last };
        let gap = start.and_then(|cursor| {
            let time_at = |offset| history.found.filter(|found| found.offset == offset).map(|found| found.time);
            now.gap_after(cursor, time_at)
        });
        let position = gap.map(|gap| gap.cursor).or(start).unwrap_or(history.last);
        let (sender, items) = mpsc::channel(READ_AHEAD);
        tokio::spawn(async move {
            if let Some(gap) = gap
                && sender.send(LocalItem::Gap(gap)).await.is_err()
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
    items: &mpsc::Sender<LocalItem>,
) -> Result<(), mpsc::error::SendError<LocalItem>> {
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
        let history = session::History { trimmed: page.history.trimmed.offset, last: page.history.last };
        let is_other = page.history.epoch() != position.epoch || position.offset > history.last.offset;
        if is_other || history.trimmed > position.offset {
            let reason = if is_other { GapReason::Rewritten } else { GapReason::Trimmed };
            let missed = (!is_other).then(|| history.last.offset - position.offset);
            position = history.last;
            items.send(LocalItem::Gap(session::Gap { reason, cursor: position, missed })).await?;
            continue;
        }
        if page.messages.is_empty() {
            // The broker reports what cannot be read yet.
            sleep(RETRY).await;
        }
        for message in &page.messages {
            position = message.cursor;
            items.send(LocalItem::Message(Arc::clone(message))).await?;
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
    fn of(item: LocalItem) -> Self {
        let stored = match item {
            LocalItem::Message(stored) => stored,
            LocalItem::Gap(session::Gap { reason, cursor, missed }) => return Self::Gap { reason, cursor, missed },
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
