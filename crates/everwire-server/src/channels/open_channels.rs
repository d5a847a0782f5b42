//! The channels that have subscribers: the delivery of new messages to live subscribers, and reads of the broker that subscribers share.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_core::protocol::{Cursor, EncodeError, MessageWriter, Mode};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep_until};

use super::link::{MESSAGE_BYTES, encoded, payload, to_message};
use crate::broker::{Broker, BrokerError, ChannelName, History, Page, PageLimits, Stored};
use crate::connection::{Frames, FramesMut, OutboundQueue};
use crate::fan_out::{FanOut, LockedFanOut, Source};

/// The channels that have subscribers in this server.
#[derive(Debug)]
pub(super) struct OpenChannels {
    broker: Arc<dyn Broker>,
    state: Mutex<RegistryState>,
}

#[derive(Debug, Default)]
struct RegistryState {
    entries: HashMap<ChannelName, ChannelEntry>,
    /// The numbers of subscribers that the application watches, also of channels without any.
    watched: HashMap<ChannelName, watch::Sender<usize>>,
}

#[derive(Debug)]
struct ChannelEntry {
    live: LiveChannel,
    reads: Arc<ReadCache>,
    /// How many [`OpenChannel`]s there are. With the last one the entry goes.
    references: usize,
}

/// A channel with subscribers. Dropping the last clone forgets it; its history stays with the broker.
#[derive(Debug)]
pub(super) struct OpenChannel {
    channels: Arc<OpenChannels>,
    live: LiveChannel,
    reads: Arc<ReadCache>,
}

impl OpenChannels {
    pub(super) fn new(broker: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { broker, state: Mutex::default() })
    }

    /// Opens a channel.
    pub(super) fn open(self: &Arc<Self>, name: &ChannelName) -> OpenChannel {
        let mut state = self.state();
        let entry = state.entries.entry(name.clone()).or_insert_with(|| ChannelEntry {
            live: LiveChannel::new(name.clone()),
            reads: Arc::default(),
            references: 0,
        });
        entry.references += 1;
        let (live, reads, subscribers) = (entry.live.clone(), Arc::clone(&entry.reads), entry.references);
        state.report(name, subscribers);
        OpenChannel { channels: Arc::clone(self), live, reads }
    }

    /// A channel, if it has subscribers.
    pub(super) fn find(&self, name: &ChannelName) -> Option<LiveChannel> {
        self.state().entries.get(name).map(|entry| entry.live.clone())
    }

    /// All channels, with the number of their subscribers.
    pub(super) fn list(&self) -> Vec<(ChannelName, usize)> {
        self.state().entries.iter().map(|(name, entry)| (name.clone(), entry.references)).collect()
    }

    /// The number of subscribers of a channel, now and whenever it changes.
    pub(super) fn watch_subscribers(&self, name: ChannelName) -> watch::Receiver<usize> {
        let mut state = self.state();
        let RegistryState { entries, watched } = &mut *state;
        watched.retain(|_, sender| !sender.is_closed());
        let subscribers = entries.get(&name).map_or(0, |entry| entry.references);
        watched.entry(name).or_insert_with(|| watch::channel(subscribers).0).subscribe()
    }

    fn state(&self) -> MutexGuard<'_, RegistryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistryState {
    fn report(&self, name: &ChannelName, subscribers: usize) {
        if let Some(sender) = self.watched.get(name) {
            sender.send_replace(subscribers);
        }
    }
}

impl OpenChannel {
    pub(super) fn name(&self) -> &ChannelName {
        self.live.name()
    }

    /// The channel while no message can arrive.
    pub(super) fn lock(&self) -> LockedChannel<'_> {
        self.live.lock()
    }

    pub(super) fn learn_position(&self, position: Cursor) {
        self.live.learn_position(position);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Cursor>> {
        self.live.watch()
    }

    pub(super) fn leave(&self, number: u64) {
        self.live.leave(number);
    }

    /// What the broker has.
    pub(super) async fn history(&self, at: u64) -> Result<History, BrokerError> {
        let position = self.lock().position();
        self.reads.history(at, position, || self.channels.broker.history(self.name(), at)).await
    }

    /// A page of the history after this offset.
    pub(super) async fn page(&self, after: u64, mode: Mode) -> Result<Arc<Page>, BrokerError> {
        let limits = PageLimits::default();
        let read = || async move {
            let broker = &self.channels.broker;
            let page = match mode {
                Mode::Latest => broker.read_state(self.name(), after, limits),
                _ => broker.read(self.name(), after, limits),
            };
            page.await.map(Arc::new)
        };
        let position = self.lock().position();
        self.reads.page(after, mode, position, read).await
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        let mut state = self.channels.state();
        let Some(entry) = state.entries.get_mut(self.live.name()) else { return };
        entry.references -= 1;
        let subscribers = entry.references;
        if subscribers == 0 {
            state.entries.remove(self.live.name());
        }
        state.report(self.live.name(), subscribers);
    }
}

/// The live subscribers of a channel, and the delivery of its new messages to them.
///
/// Messages arrive in the order of their offsets. They are encoded once, and what is ready together leaves in one WebSocket message, by
/// one write per member. A member is sent each message after the position at which it joined, until it leaves or falls behind.
#[derive(Clone)]
pub(super) struct LiveChannel {
    name: ChannelName,
    fan_out: Arc<FanOut<NewMessages>>,
    /// The position, for subscribers within the server.
    position: Arc<watch::Sender<Option<Cursor>>>,
}

/// A subscriber with a connection.
pub(super) trait LiveSubscriber: Debug + Send + Sync {
    /// The member has left the fan-out, since its connection does not keep up or messages are missing. It was sent everything up to this
    /// position.
    fn fell_behind(self: Arc<Self>, position: Cursor);
}

/// The position of a channel, and what has arrived since the latest batch.
#[derive(Default)]
struct NewMessages {
    /// The position after the last message that arrived. Unknown until the first, or until the broker was asked.
    last: Option<Cursor>,
    pending: Option<Pending>,
}

struct Pending {
    /// The position before the first message.
    before: Cursor,
    writer: MessageWriter,
    bytes: usize,
}

/// A channel while its position cannot change.
pub(super) struct LockedChannel<'a>(LockedFanOut<'a, NewMessages>);

impl LiveChannel {
    pub(super) fn new(name: ChannelName) -> Self {
        let position = Arc::new(watch::Sender::new(None));
        Self { name, fan_out: Arc::new(FanOut::new(NewMessages::default())), position }
    }

    pub(super) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Sets the position that the broker has returned, unless one is known: a reported one may be later.
    pub(super) fn learn_position(&self, position: Cursor) {
        let mut channel = self.fan_out.lock();
        let last = &mut channel.source_mut().last;
        if last.is_none() {
            *last = Some(position);
            self.position.send_replace(Some(position));
        }
    }

    /// Takes messages that the broker has stored. [`flush`](Self::flush) sends them.
    pub(super) fn enqueue(&self, messages: &[Arc<Stored>]) {
        let mut channel = self.lock();
        let before = channel.position();
        messages.iter().for_each(|message| channel.enqueue(message));
        let last = channel.position();
        // A receiver that is woken may lock the channel at once.
        drop(channel);
        if last != before {
            self.position.send_replace(last);
        }
    }

    /// Sends the members what has arrived. Returns at once; the flush task does the work.
    pub(super) fn flush(&self) {
        self.fan_out.flush();
    }

    /// Locks the channel: no message can arrive meanwhile.
    pub(super) fn lock(&self) -> LockedChannel<'_> {
        LockedChannel(self.fan_out.lock())
    }

    /// Removes a member. Nothing more is sent to it after this. Must not be called under a lock that a member takes in
    /// [`LiveSubscriber::fell_behind`].
    pub(super) fn leave(&self, number: u64) {
        self.fan_out.leave_at_once(number);
    }

    /// Ready while little waits to be delivered. Otherwise the context's waker is woken once that is so.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.fan_out.poll_ready(context)
    }

    pub(super) fn has_room(&self) -> bool {
        self.fan_out.has_room()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Cursor>> {
        self.position.subscribe()
    }
}

impl LockedChannel<'_> {
    /// The position, if it is known.
    pub(super) fn position(&self) -> Option<Cursor> {
        self.0.source().last
    }

    /// Adds a member with its outbound queue, which is sent everything after the position. Returns its number.
    pub(super) fn join(&mut self, queue: &Arc<OutboundQueue>, member: Arc<dyn LiveSubscriber>) -> u64 {
        self.0.join(Arc::clone(queue), member)
    }

    fn enqueue(&mut self, message: &Stored) {
        let cursor = message.cursor;
        let has_members = self.0.members() > 0;
        let channel = self.0.source_mut();
        let last = channel.last.replace(cursor);
        // Members join only at a known position, so there are none yet.
        let Some(last) = last else { return };
        if last.epoch == cursor.epoch && cursor.offset <= last.offset {
            // Its subscribers have read it from history.
            channel.last = Some(last);
            return;
        }
        if !has_members {
            return;
        }
        // After a gap, in another epoch, or if a message cannot be encoded, the members continue from history, which reports what they
        // miss.
        let follows = last.epoch == cursor.epoch && cursor.offset == last.offset + 1;
        if follows && channel.encode(message, last).is_ok() {
            self.0.seal_if_full();
        } else {
            self.0.interrupt(last);
        }
    }
}

impl NewMessages {
    fn encode(&mut self, message: &Stored, before: Cursor) -> Result<(), EncodeError> {
        let encoded = encoded(message)?;
        let pending =
            self.pending.get_or_insert_with(|| Pending { before, writer: MessageWriter::new(MESSAGE_BYTES), bytes: 0 });
        // A larger message is sent alone.
        let size = message.size() + MESSAGE_BYTES / 32;
        pending.writer.set_max_bytes(MESSAGE_BYTES.max(size));
        pending.writer.push_encoded(&encoded, before.offset, payload(message.payload.as_ref()))?;
        pending.bytes += message.size();
        Ok(())
    }
}

impl Source for NewMessages {
    type Member = Arc<dyn LiveSubscriber>;
    type Position = Cursor;

    /// A member that falls behind reads the rest from history.
    const BEHIND_BYTES: usize = 256 << 10;

    fn pending_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes)
    }

    fn take_pending(&mut self) -> Option<(Cursor, Frames)> {
        let Pending { before, mut writer, .. } = self.pending.take()?;
        let mut frames = FramesMut::default();
        while let Some(message) = writer.pop() {
            frames.push(&to_message(message));
        }
        Some((before, frames.take()))
    }

    fn fell_behind(member: Arc<dyn LiveSubscriber>, position: Cursor) {
        member.fell_behind(position);
    }
}

impl Debug for LiveChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LiveChannel").field(&self.name).finish()
    }
}

/// How long a result is cached. A message that has expired may be delivered for this much longer.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// The greatest number of cached results of each kind of a channel. A whole history of the default size is four pages.
const MOST_KEPT: usize = 8;

/// The shared reads of one channel: a thousand clients that resume together cost one read.
///
/// Concurrent reads of the same data share one read. Its result is cached for a short time, and used while the channel's position shows
/// that it is current: a broker reports each message before its publish resolves.
#[derive(Debug, Default)]
pub(super) struct ReadCache {
    histories: SingleFlight<u64, History>,
    pages: SingleFlight<(u64, Mode), Arc<Page>>,
    /// Whether a task evicts old results, so that an idle channel holds none.
    has_sweeper: Mutex<bool>,
}

type ReadCell<T> = OnceCell<Result<T, BrokerError>>;

#[derive(Debug)]
struct SingleFlight<K, T>(Mutex<HashMap<K, CachedRead<T>>>);

#[derive(Debug)]
enum CachedRead<T> {
    Running(Weak<ReadCell<T>>),
    Kept { result: T, since: Instant },
}

impl ReadCache {
    /// The history with the position at the offset `at`, where the channel is at `position`.
    pub(super) async fn history<F>(
        self: &Arc<Self>,
        at: u64,
        position: Option<Cursor>,
        read: impl FnOnce() -> F,
    ) -> Result<History, BrokerError>
    where
        F: Future<Output = Result<History, BrokerError>>,
    {
        let is_current = |history: &History| Some(history.last) == position;
        let history = self.histories.get(at, is_current, read).await;
        self.sweep_later();
        history
    }

    /// The page after the offset `after`, where the channel is at `position`.
    pub(super) async fn page<F>(
        self: &Arc<Self>,
        after: u64,
        mode: Mode,
        position: Option<Cursor>,
        read: impl FnOnce() -> F,
    ) -> Result<Arc<Page>, BrokerError>
    where
        F: Future<Output = Result<Arc<Page>, BrokerError>>,
    {
        let is_current = |page: &Arc<Page>| {
            // A page of a stream stays valid when other messages follow it.
            let is_beginning = mode == Mode::Each && !page.messages.is_empty();
            position.is_some_and(|position| {
                position == page.history.last || (is_beginning && position.epoch == page.history.epoch())
            })
        };
        let page = self.pages.get((after, mode), is_current, read).await;
        self.sweep_later();
        page
    }

    fn sweep_later(self: &Arc<Self>) {
        let mut has_sweeper = self.has_sweeper();
        if *has_sweeper {
            return;
        }
        let Some(mut next) = self.sweep() else { return };
        *has_sweeper = true;
        drop(has_sweeper);
        let reads = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep_until(next).await;
                let Some(reads) = reads.upgrade() else { return };
                // Under the lock, so that a result that is cached from now on finds either this task or none.
                let mut has_sweeper = reads.has_sweeper();
                let Some(later) = reads.sweep() else { return *has_sweeper = false };
                next = later;
            }
        });
    }

    /// Evicts old results. Returns when the next one becomes old.
    fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        [self.histories.sweep(now), self.pages.sweep(now)].into_iter().flatten().min()
    }

    fn has_sweeper(&self) -> MutexGuard<'_, bool> {
        self.has_sweeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, T: Clone> SingleFlight<K, T> {
    /// The cached result for `key` if it `is_current`; otherwise that of a running read, or of a new one.
    async fn get<F>(
        &self,
        key: K,
        is_current: impl FnOnce(&T) -> bool,
        read: impl FnOnce() -> F,
    ) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, BrokerError>>,
    {
        let outcome = {
            let mut reads = self.reads();
            let running = match reads.get(&key) {
                Some(CachedRead::Kept { result, since }) if since.elapsed() < KEPT_FOR && is_current(result) => {
                    return Ok(result.clone());
                }
                Some(CachedRead::Running(running)) => running.upgrade(),
                _ => None,
            };
            running.unwrap_or_else(|| {
                let outcome = Arc::new(OnceCell::new());
                // Weak, so that a read that everyone has stopped waiting for is started again.
                reads.insert(key, CachedRead::Running(Arc::downgrade(&outcome)));
                outcome
            })
        };
        let result = outcome.get_or_init(read).await.clone();
        let mut reads = self.reads();
        // Of those that share the read, the first one caches it. An error is not cached: the next read may succeed.
        let is_first =
            matches!(reads.get(&key), Some(CachedRead::Running(running)) if running.as_ptr() == Arc::as_ptr(&outcome));
        if is_first {
            reads.remove(&key);
            if let Ok(result) = &result {
                make_room(&mut reads);
                reads.insert(key, CachedRead::Kept { result: result.clone(), since: Instant::now() });
            }
        }
        result
    }

    fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut reads = self.reads();
        reads.retain(|_, read| match read {
            CachedRead::Running(_) => true,
            CachedRead::Kept { since, .. } => now < *since + KEPT_FOR,
        });
        reads.values().filter_map(CachedRead::since).min().map(|since| since + KEPT_FOR)
    }

    fn reads(&self) -> MutexGuard<'_, HashMap<K, CachedRead<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Evicts the oldest result if the cache is full.
fn make_room<K: Eq + Hash + Copy, T>(reads: &mut HashMap<K, CachedRead<T>>) {
    let kept = || reads.iter().filter_map(|(key, read)| Some((*key, read.since()?)));
    if kept().count() < MOST_KEPT {
        return;
    }
    if let Some((oldest, _)) = kept().min_by_key(|(_, since)| *since) {
        reads.remove(&oldest);
    }
}

impl<T> CachedRead<T> {
    fn since(&self) -> Option<Instant> {
        match self {
            Self::Running(_) => None,
            Self::Kept { since, .. } => Some(*since),
        }
    }
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
