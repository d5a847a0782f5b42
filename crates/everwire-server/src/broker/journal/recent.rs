use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::broker::catalog::{Catalog, Channel};
use crate::broker::history::{History, Page, PageLimits, take_page};
use crate::broker::message::{HistoryKind, Stored};
use crate::broker::names::ChannelName;

/// What was committed: the position of each channel, and its recent messages.
#[derive(Debug)]
pub(super) struct Recent {
    limit: u64,
    /// The history of a channel without an entry.
    empty: History,
    channels: HashMap<ChannelName, RecentChannel>,
    /// Channels with recent messages, the one that was published to longest ago first.
    by_publish: BTreeSet<(u64, ChannelName)>,
    bytes: u64,
}

#[derive(Debug)]
struct RecentChannel {
    channel: Channel,
    /// Without a hole up to the latest.
    messages: VecDeque<Arc<Stored>>,
    /// Bytes of these messages.
    bytes: u64,
}

/// Where a question is answered.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// From memory.
    Found(T),
    /// Only the file has it, under this id of the channel.
    OnDisk(u64),
}

impl Recent {
    pub(super) fn new(limit: u64, catalog: &Catalog) -> Self {
        let mut recent = Self {
            limit,
            empty: catalog.empty_history(),
            channels: HashMap::new(),
            by_publish: BTreeSet::new(),
            bytes: 0,
        };
        catalog.channels().for_each(|channel| recent.update(channel.clone()));
        recent
    }

    pub(super) fn history(&self, name: &ChannelName) -> History {
        self.channels.get(name).map_or(self.empty, |recent| recent.channel.history())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.keys()
    }

    /// Whether messages of the channel have become too old since the last commit.
    pub(super) fn is_due(&self, name: &ChannelName, now: u64) -> bool {
        self.channels.get(name).and_then(|recent| recent.channel.due()).is_some_and(|due| due <= now)
    }

    pub(super) fn history_at(&self, name: &ChannelName, at: u64) -> (History, Answer<()>) {
        let mut history = self.history(name);
        history.found = match self.channels.get(name) {
            _ if at == history.last.offset => Some(history.last),
            _ if at == history.trimmed.offset => Some(history.trimmed),
            _ if at > history.last.offset => None,
            Some(RecentChannel { messages, channel, .. }) => match messages.front() {
                Some(first) if first.cursor.offset <= at => {
                    let index = usize::try_from(at - first.cursor.offset).ok();
                    index.and_then(|index| messages.get(index)).map(|message| message.cursor)
                }
                _ => return (history, Answer::OnDisk(channel.id)),
            },
            None => None,
        };
        (history, Answer::Found(()))
    }

    pub(super) fn page(&self, name: &ChannelName, after: u64, limits: PageLimits, is_state: bool) -> Answer<Page> {
        let history = self.history(name);
        let Some(RecentChannel { channel, messages, .. }) = self.channels.get(name) else {
            return Answer::Found(Page { messages: Vec::new(), is_last: true, history });
        };
        let is_state = is_state && channel.retention.kind == HistoryKind::State;
        // Values of keys may be older than what a subscriber can resume over.
        let after_trimmed = if is_state { after } else { after.max(history.trimmed.offset) };
        let first = messages.front().map_or(history.last.offset, |first| first.previous);
        if after_trimmed < first || after_trimmed < history.trimmed.offset {
            return Answer::OnDisk(channel.id);
        }
        let skip = usize::try_from(after_trimmed - first).unwrap_or(usize::MAX).min(messages.len());
        let new = messages.range(skip..);
        let page = if is_state {
            let mut keys = HashSet::new();
            let is_latest = |message: &&Arc<Stored>| message.key.clone().is_some_and(|key| keys.insert(key));
            let mut latest: Vec<_> =
                new.rev().filter(is_latest).filter(|message| !message.is_removed || after > 0).collect();
            latest.reverse();
            take_page(latest.into_iter().map(|message| Ok::<_, ()>(Arc::clone(message))), limits)
        } else {
            take_page(new.map(|message| Ok(Arc::clone(message))), limits)
        };
        let (messages, is_last) = page.unwrap_or_default();
        Answer::Found(Page { messages, is_last, history })
    }

    /// Takes over what a commit has changed. `stored` are its messages in order.
    pub(super) fn committed(
        &mut self,
        empty: History,
        forgotten: &[ChannelName],
        changed: Vec<Channel>,
        stored: &[Arc<Stored>],
    ) {
        self.empty = empty;
        for name in forgotten {
            self.remove(name);
        }
        // A channel that was forgotten and published to again within one commit has messages of two epochs in `stored`.
        let epochs: HashMap<_, _> = changed.iter().map(|channel| (channel.name.clone(), channel.last.epoch)).collect();
        changed.into_iter().for_each(|channel| self.update(channel));
        for message in stored {
            if epochs.get(&message.channel) == Some(&message.cursor.epoch) {
                self.push(message);
            }
        }
        self.trim();
    }

    fn push(&mut self, message: &Arc<Stored>) {
        let Some(recent) = self.channels.get_mut(&message.channel) else { return };
        if message.cursor.offset <= recent.channel.trimmed.offset {
            return;
        }
        let size = message.size() as u64;
        recent.bytes += size;
        self.bytes += size;
        recent.messages.push_back(Arc::clone(message));
        self.by_publish.insert((recent.channel.published, message.channel.clone()));
    }

    /// Replaces what is known of a channel, and drops messages that were trimmed.
    fn update(&mut self, channel: Channel) {
        let (mut messages, mut bytes) = self.remove(&channel.name).unwrap_or_default();
        while let Some(message) = messages.pop_front_if(|message| message.cursor.offset <= channel.trimmed.offset) {
            bytes -= message.size() as u64;
        }
        self.bytes += bytes;
        if !messages.is_empty() {
            self.by_publish.insert((channel.published, channel.name.clone()));
        }
        self.channels.insert(channel.name.clone(), RecentChannel { channel, messages, bytes });
    }

    fn remove(&mut self, name: &ChannelName) -> Option<(VecDeque<Arc<Stored>>, u64)> {
        let RecentChannel { channel, messages, bytes } = self.channels.remove(name)?;
        self.by_publish.remove(&(channel.published, channel.name));
        self.bytes -= bytes;
        Some((messages, bytes))
    }

    fn trim(&mut self) {
        while self.bytes > self.limit {
            let Some((_, name)) = self.by_publish.first() else { return };
            let Some(recent) = self.channels.get_mut(name) else { return };
            if let Some(message) = recent.messages.pop_front() {
                recent.bytes -= message.size() as u64;
                self.bytes -= message.size() as u64;
            }
            if recent.messages.is_empty() {
                self.by_publish.pop_first();
            }
        }
    }
}
