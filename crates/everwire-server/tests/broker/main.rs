//! Tests of the brokers: what holds for all of them, and what holds for the journal.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod channels;
#[cfg(all(feature = "journal", unix))]
mod crash;
#[cfg(feature = "journal")]
mod journal;
mod sessions;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use everwire_core::protocol::Cursor;
use everwire_server::Clock;
use everwire_server::broker::{
    Broker, BrokerConfig, BrokerError, ChannelName, History, Key, Listener, Memory, PageLimits, Publication, SessionId,
    Stored,
};

/// When the clock of the tests starts, in milliseconds since 1970.
pub(crate) const START: u64 = 1_795_219_200_000;

/// A broker, with a clock that the test moves.
pub(crate) struct Fixture {
    pub(crate) broker: Arc<dyn Broker>,
    clock: Arc<AtomicU64>,
    /// Dropped after the broker.
    _directory: Option<tempfile::TempDir>,
}

/// One broker of each kind, with the limits that a test changes.
pub(crate) fn brokers(change: impl Fn(&mut BrokerConfig)) -> Vec<Fixture> {
    let config = || {
        let clock = Arc::new(AtomicU64::new(START));
        let mut config = BrokerConfig::default();
        let now = Arc::clone(&clock);
        config.clock = Clock::from_fn(move || now.load(Ordering::SeqCst) as f64);
        change(&mut config);
        (clock, config)
    };
    let (clock, memory) = config();
    #[cfg_attr(not(feature = "journal"), allow(unused_mut, reason = "there is one broker"))]
    let mut fixtures = vec![Fixture::new(Arc::new(Memory::new(memory)), clock)];
    #[cfg(feature = "journal")]
    {
        use everwire_server::broker::{Journal, JournalConfig};

        // Reads that memory answers, and reads that the file answers.
        for recent_bytes in [64 << 20, 0] {
            let (clock, config) = config();
            let directory = tempfile::tempdir().unwrap();
            let mut journal = JournalConfig::default();
            (journal.broker, journal.recent_bytes) = (config, recent_bytes);
            let broker = Arc::new(Journal::open_with(directory.path(), journal).unwrap());
            fixtures.push(Fixture { _directory: Some(directory), ..Fixture::new(broker, clock) });
        }
    }
    fixtures
}

impl Fixture {
    fn new(broker: Arc<dyn Broker>, clock: Arc<AtomicU64>) -> Self {
        Self { broker, clock, _directory: None }
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, millis: u64) {
        self.clock.fetch_sub(millis, Ordering::SeqCst);
    }

    pub(crate) async fn publish(&self, publication: Publication) -> Cursor {
        self.try_publish(publication).await.unwrap()
    }

    pub(crate) async fn try_publish(&self, publication: Publication) -> Result<Cursor, BrokerError> {
        self.broker.publish(publication).await
    }

    /// Publishes the numbers of a range as texts.
    pub(crate) async fn publish_all(&self, channel: &str, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.publish(text(channel, &number.to_string())).await;
        }
    }

    pub(crate) async fn history(&self, name: &str) -> History {
        self.broker.history(&channel(name), 0).await.unwrap()
    }

    pub(crate) async fn found(&self, name: &str, at: u64) -> Option<Cursor> {
        self.broker.history(&channel(name), at).await.unwrap().found
    }

    /// The texts of all messages after an offset.
    pub(crate) async fn texts(&self, name: &str, after: u64) -> Vec<String> {
        let page = self.broker.read(&channel(name), after, everything()).await.unwrap();
        assert!(page.is_last);
        texts(&page.messages)
    }

    /// The latest messages of the keys, as `key=text@offset` or `-key@offset`.
    pub(crate) async fn state(&self, name: &str, after: u64) -> Vec<String> {
        let page = self.broker.read_state(&channel(name), after, everything()).await.unwrap();
        assert!(page.is_last);
        let show = |message: &Arc<Stored>| {
            let (key, offset) = (message.key.as_ref().unwrap(), message.cursor.offset);
            let text = message.payload.as_ref().and_then(|payload| payload.as_text()).unwrap_or_default();
            if message.is_removed { format!("-{key}@{offset}") } else { format!("{key}={text}@{offset}") }
        };
        page.messages.iter().map(show).collect()
    }

    pub(crate) fn listen(&self) -> Arc<Recorder> {
        let recorder = Arc::new(Recorder::default());
        self.broker.listen(Arc::clone(&recorder) as Arc<dyn Listener>);
        recorder
    }
}

/// Keeps what was stored.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Arc<Stored>>>);

impl Recorder {
    pub(crate) fn take(&self) -> Vec<Arc<Stored>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Recorder {
    fn stored(&self, messages: &[Arc<Stored>]) {
        self.0.lock().unwrap().extend_from_slice(messages);
    }
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::try_from(name).unwrap()
}

pub(crate) fn session(id: &str) -> SessionId {
    SessionId::try_from(id).unwrap()
}

pub(crate) fn key(key: &str) -> Key {
    Key::try_from(key).unwrap()
}

pub(crate) fn text(name: &str, payload: &str) -> Publication {
    Publication::new(channel(name), payload)
}

pub(crate) fn texts(messages: &[Arc<Stored>]) -> Vec<String> {
    let text =
        |message: &Arc<Stored>| message.payload.as_ref().and_then(|payload| payload.as_text()).unwrap().to_owned();
    messages.iter().map(text).collect()
}

pub(crate) fn everything() -> PageLimits {
    PageLimits { count: usize::MAX, bytes: usize::MAX }
}

/// Publishes until the broker works again.
#[cfg(feature = "journal")]
pub(crate) async fn publish_again(broker: &impl Broker, publication: Publication) -> Cursor {
    let again = async {
        loop {
            match broker.publish(publication.clone()).await {
                Ok(position) => return position,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("the broker does not work again")
}
