use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use everwire_core::protocol::{Cursor, Mode};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use crate::broker::{BrokerError, History, Page};

/// How long what was read is kept. A message that has become too old may be delivered for this much longer.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// The most results of each kind that are kept of a channel. The pages of a whole history of the default size are four.
const MOST_KEPT: usize = 8;

/// Reads of one channel, so that a thousand clients that resume together cost one read.
///
/// Those who ask for the same as a read that is under way share it. Its result is kept for those who come a little later, and used while
/// the channel's position shows that it has missed nothing: a broker reports each message before its publish resolves.
#[derive(Debug, Default)]
pub(super) struct Reads {
    histories: Shared<u64, History>,
    pages: Shared<(u64, Mode), Arc<Page>>,
    /// Whether a task removes what was kept for long enough, so that a channel at rest holds nothing.
    has_sweeper: Mutex<bool>,
}

type Outcome<T> = OnceCell<Result<T, BrokerError>>;

#[derive(Debug)]
struct Shared<K, T>(Mutex<HashMap<K, Read<T>>>);

#[derive(Debug)]
enum Read<T> {
    Running(Weak<Outcome<T>>),
    Kept { result: T, since: Instant },
}

impl Reads {
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
            // The messages of a stream are the same later, when others follow them.
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
                // Under the lock, so that what is kept from now on finds either this task or none.
                let mut has_sweeper = reads.has_sweeper();
                let Some(later) = reads.sweep() else { return *has_sweeper = false };
                next = later;
            }
        });
    }

    /// Removes what was kept for long enough. Returns when the next is.
    fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        [self.histories.sweep(now), self.pages.sweep(now)].into_iter().flatten().min()
    }

    fn has_sweeper(&self) -> MutexGuard<'_, bool> {
        self.has_sweeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, T: Clone> Shared<K, T> {
    /// The kept result for `key` if it `is_current`, or that of the read that is under way, or of a new one.
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
                Some(Read::Kept { result, since }) if since.elapsed() < KEPT_FOR && is_current(result) => {
                    return Ok(result.clone());
                }
                Some(Read::Running(running)) => running.upgrade(),
                _ => None,
            };
            running.unwrap_or_else(|| {
                let outcome = Arc::new(OnceCell::new());
                reads.insert(key, Read::Running(Arc::downgrade(&outcome)));
                outcome
            })
        };
        let result = outcome.get_or_init(read).await.clone();
        let mut reads = self.reads();
        let is_first =
            matches!(reads.get(&key), Some(Read::Running(running)) if running.as_ptr() == Arc::as_ptr(&outcome));
        if is_first {
            reads.remove(&key);
            if let Ok(result) = &result {
                make_room(&mut reads);
                reads.insert(key, Read::Kept { result: result.clone(), since: Instant::now() });
            }
        }
        result
    }

    fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut reads = self.reads();
        reads.retain(|_, read| match read {
            Read::Running(_) => true,
            Read::Kept { since, .. } => now < *since + KEPT_FOR,
        });
        reads.values().filter_map(Read::since).min().map(|since| since + KEPT_FOR)
    }

    fn reads(&self) -> MutexGuard<'_, HashMap<K, Read<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the oldest results while there are as many as are kept.
fn make_room<K: Eq + Hash + Copy, T>(reads: &mut HashMap<K, Read<T>>) {
    let kept = || reads.iter().filter_map(|(key, read)| Some((*key, read.since()?)));
    if kept().count() < MOST_KEPT {
        return;
    }
    if let Some((oldest, _)) = kept().min_by_key(|(_, since)| *since) {
        reads.remove(&oldest);
    }
}

impl<T> Read<T> {
    fn since(&self) -> Option<Instant> {
        match self {
            Self::Running(_) => None,
            Self::Kept { since, .. } => Some(*since),
        }
    }
}

impl<K, T> Default for Shared<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
