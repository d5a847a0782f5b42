use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire_core::protocol::{Cursor, ErrorCode, Gap, MessageWriter, Mode, Payload, ServerLine, Start};
use everwire_core::session::{self, Feed, FeedStep};
use tokio::runtime::Handle;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::link::{Link, MESSAGE_BYTES, encoded, payload};
use super::live::Member;
use super::open_channels::OpenChannel;
use crate::broker::{BrokerError, History, Page};

/// A page of history is read when no more than this waits in the outbound queue.
const LOW_WATER_MARK: usize = 64 << 10;
/// How long a subscription waits for a broker that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The subscription of a connection to a channel.
#[derive(Debug)]
pub(super) struct Subscription {
    link: Arc<Link>,
    channel: OpenChannel,
    mode: Mode,
    /// Taken before the lock of the channel.
    state: Mutex<State>,
    /// Held until `sub` is answered. The connection's subscriptions of a channel share it, so that the answers come in order.
    turn: Arc<AsyncMutex<()>>,
    /// That of the connection: a broker may deliver from a thread without one.
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    feed: Option<Feed>,
    /// The number in the fan-out while the feed is live.
    member: Option<u64>,
    /// It was ended, and sends nothing more.
    is_over: bool,
}

/// The offset up to which messages were trimmed, for both ways to read a channel.
#[derive(Clone, Copy, Debug)]
struct Trimmed {
    each: u64,
    latest: u64,
}

/// What is done for a feed that is not live.
enum Step {
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
    pub(super) fn new(link: &Arc<Link>, channel: OpenChannel, mode: Mode, turn: Arc<AsyncMutex<()>>) -> Arc<Self> {
        let state = Mutex::new(State { feed: None, member: None, is_over: false });
        Arc::new(Self { link: Arc::clone(link), channel, mode, state, turn, runtime: Handle::current() })
    }

    /// Shared by all subscriptions of the connection to the channel.
    pub(super) fn turn(&self) -> &Arc<AsyncMutex<()>> {
        &self.turn
    }

    /// Answers `sub` and catches up. `opened` runs behind the answer.
    pub(super) async fn run(self: Arc<Self>, start: Start, has_history: bool, opened: impl FnOnce() + Send) {
        let turn = Arc::clone(&self.turn).lock_owned().await;
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
        drop(turn);
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

    async fn open(self: &Arc<Self>, start: Start, has_history: bool) -> Result<Trimmed, BrokerError> {
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
        let trimmed = Trimmed::of(&history);
        let mut state = self.state();
        let mut channel = self.channel.lock();
        let mode = if matches!(start, Start::From(_)) { self.mode } else { Mode::Each };
        let last = channel.position().unwrap_or(history.last);
        let now = session::History { trimmed: trimmed.of_mode(mode), last };
        let time_at = |offset| found.filter(|found| found.offset == offset).map(|found| found.time);
        // The offset that the broker was asked for depends on the position that it had then.
        let now = if matches!(start, Start::Last(_)) { session::History { last: history.last, ..now } } else { now };
        let (feed, opening) = Feed::start(start, self.mode, has_history, &now, time_at);
        self.link.send(&ServerLine::Subscribed { channel: self.name(), cursor: opening.cursor }, Payload::None);
        if let Some(gap) = opening.gap {
            self.send_gap(gap);
        }
        if feed.is_live() && !state.is_over {
            state.member = Some(channel.join(self.link.queue(), Arc::clone(self) as Arc<dyn Member>));
        }
        state.feed = Some(feed);
        Ok(trimmed)
    }

    /// Reads history, at the speed of the client, until the feed is live.
    async fn catch_up(self: &Arc<Self>, mut trimmed: Trimmed) {
        let mut fruitless = 0;
        loop {
            // Only one page of the connection's subscriptions at a time is on its way.
            let turn = self.link.page_turn().lock().await;
            if !self.link.connection().drained(LOW_WATER_MARK).await {
                return;
            }
            let (after, mode) = match self.step(trimmed) {
                Step::Done => return,
                Step::Again => continue,
                Step::Read { after, mode } => (after, mode),
            };
            match self.channel.page(after, mode).await {
                Ok(page) => {
                    trimmed = Trimmed::of(&page.history);
                    fruitless = if self.send_page(&page) { 0 } else { fruitless + 1 };
                    drop(turn);
                    if fruitless > 2 {
                        // The broker reports what it cannot read yet.
                        sleep(RETRY).await;
                    }
                    // Whatever else there is to do for the connection comes between two pages.
                    yield_now().await;
                }
                Err(error) => {
                    drop(turn);
                    tracing::warn!(%error, channel = self.name(), "a subscription waits for the broker");
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn step(self: &Arc<Self>, trimmed: Trimmed) -> Step {
        let mut state = self.state();
        let State { feed: Some(feed), member, is_over: false } = &mut *state else { return Step::Done };
        let mut channel = self.channel.lock();
        let Some(last) = channel.position() else { return Step::Done };
        match feed.poll(&session::History { trimmed: trimmed.of_mode(self.mode), last }) {
            FeedStep::Read { after, mode, .. } => Step::Read { after, mode },
            FeedStep::Gap(gap) => {
                self.send_gap(gap);
                Step::Again
            }
            FeedStep::Position { cursor, is_live } => {
                self.link.send(&ServerLine::Pos { channel: self.name(), cursor, live: is_live }, Payload::None);
                if !is_live {
                    return Step::Again;
                }
                *member = Some(channel.join(self.link.queue(), Arc::clone(self) as Arc<dyn Member>));
                Step::Done
            }
            _ => Step::Done,
        }
    }

    /// Sends what the feed takes of a page. Returns whether it got further by it.
    fn send_page(&self, page: &Page) -> bool {
        let mut state = self.state();
        let State { feed: Some(feed), is_over: false, .. } = &mut *state else { return true };
        let before = feed.position();
        // The feed must not get ahead of the fan-out: the broker may have stored what it has not reported yet.
        let reported = self.channel.lock().position().filter(|reported| reported.epoch == page.history.epoch());
        let last = reported.filter(|reported| reported.offset < page.history.last.offset).unwrap_or(page.history.last);
        let trimmed = Trimmed::of(&page.history).of_mode(self.mode);
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member for Subscription {
    fn fell_behind(self: Arc<Self>, position: Cursor) {
        let mut state = self.state();
        let State { feed: Some(feed), member, is_over: false } = &mut *state else { return };
        *member = None;
        feed.delivered(position);
        feed.fell_behind();
        drop(state);
        // The first page says what was trimmed meanwhile.
        let trimmed = Trimmed { each: position.offset, latest: position.offset };
        let runtime = self.runtime.clone();
        runtime.spawn(async move { self.catch_up(trimmed).await });
    }
}

impl Trimmed {
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
