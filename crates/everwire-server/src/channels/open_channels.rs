use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire_core::protocol::{Cursor, Mode};
use tokio::sync::watch;

use super::live::{LiveChannel, Locked};
use super::reads::Reads;
use crate::broker::{Broker, BrokerError, ChannelName, History, Page, PageLimits};

/// The channels that have subscribers in this server.
#[derive(Debug)]
pub(super) struct OpenChannels {
    broker: Arc<dyn Broker>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<ChannelName, Entry>,
    /// The numbers of subscribers that the application watches, also of channels without any.
    watched: HashMap<ChannelName, watch::Sender<usize>>,
}

#[derive(Debug)]
struct Entry {
    live: LiveChannel,
    reads: Arc<Reads>,
    /// How many [`OpenChannel`]s there are. With the last one the entry goes.
    references: usize,
}

/// A channel with subscribers. Dropping the last clone forgets it; its history stays with the broker.
#[derive(Debug)]
pub(super) struct OpenChannel {
    channels: Arc<OpenChannels>,
    live: LiveChannel,
    reads: Arc<Reads>,
}

impl OpenChannels {
    pub(super) fn new(broker: Arc<dyn Broker>) -> Arc<Self> {
        Arc::new(Self { broker, state: Mutex::default() })
    }

    /// Opens a channel.
    pub(super) fn open(self: &Arc<Self>, name: &ChannelName) -> OpenChannel {
        let mut state = self.state();
        let entry = state.entries.entry(name.clone()).or_insert_with(|| Entry {
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
        let State { entries, watched } = &mut *state;
        watched.retain(|_, sender| !sender.is_closed());
        let subscribers = entries.get(&name).map_or(0, |entry| entry.references);
        watched.entry(name).or_insert_with(|| watch::channel(subscribers).0).subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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
    pub(super) fn lock(&self) -> Locked<'_> {
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
