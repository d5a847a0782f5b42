//! The journal: what survives an orderly end, who may open it, backpressure, and where reads come from.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use everwire_server::Clock;
use everwire_server::broker::{
    Broker, BrokerConfig, BrokerError, Fsync, Journal, JournalConfig, JournalError, Listener, PageLimits, Publication,
    Retention, SessionExpiry, Stored,
};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::support::{START, channel, everything, key, session, text, texts};

const KEEP: Duration = Duration::from_secs(120);

fn config(change: impl FnOnce(&mut JournalConfig)) -> JournalConfig {
    let mut config = JournalConfig::default();
    change(&mut config);
    config
}

fn at(time: u64) -> JournalConfig {
    config(|config| config.broker.clock = Clock::from_fn(move || time as f64))
}

async fn read(journal: &Journal, name: &str) -> Vec<String> {
    texts(&journal.read(&channel(name), 0, everything()).await.unwrap().messages)
}

#[tokio::test]
async fn everything_is_there_after_an_orderly_end() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let aged = Retention::state().with_count(2).with_age(Duration::from_secs(3600));
    journal.store_session(session("a"), Bytes::from_static(b"record"), SessionExpiry::Attached(KEEP)).await.unwrap();
    let by = |number: u64| {
        let publication = text("prices", &number.to_string()).with_key(key(&format!("k{}", number % 3)));
        journal.publish(publication.with_retention(aged).by(session("a"), number))
    };
    let mut positions = Vec::new();
    for number in 1..=7 {
        positions.push(by(number).await.unwrap());
    }
    let empty = journal.history(&channel("empty"), 0).await.unwrap();
    let before = journal.history(&channel("prices"), 0).await.unwrap();
    let state = journal.read_state(&channel("prices"), 0, everything()).await.unwrap().messages;
    drop(journal);

    let journal = Journal::open(directory.path()).unwrap();
    assert!(journal.corruptions().is_empty());
    assert_eq!(journal.history(&channel("empty"), 0).await.unwrap(), empty);
    assert_eq!(journal.history(&channel("prices"), 0).await.unwrap(), before);
    assert_eq!(journal.read_state(&channel("prices"), 0, everything()).await.unwrap().messages, state);
    let stored = journal.load_session(&session("a")).await.unwrap().unwrap();
    assert_eq!((&stored.record[..], stored.answers.len()), (&b"record"[..], 7));
    assert_eq!(stored.answers.last(), Some(&(7, positions[6])));
    assert_eq!(journal.publish(text("prices", "again").by(session("a"), 3)).await, Ok(positions[2]));
    let next = journal.publish(text("prices", "8").with_key(key("k2")).with_retention(aged)).await.unwrap();
    assert_eq!((next.epoch, next.offset), (before.epoch(), 8));
}

#[tokio::test]
async fn messages_become_too_old_while_the_journal_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(directory.path(), at(START)).unwrap();
    let aged = Retention::stream().with_age(Duration::from_secs(60));
    let last = journal.publish(text("chat", "old").with_retention(aged)).await.unwrap();
    drop(journal);
    let journal = Journal::open_with(directory.path(), at(START + 60_000)).unwrap();
    assert_eq!(read(&journal, "chat").await, [""; 0]);
    assert_eq!(journal.history(&channel("chat"), 0).await.unwrap().trimmed, last);
}

#[tokio::test]
async fn what_waits_when_the_last_handle_is_dropped_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let waiting: Vec<_> = (0..500).map(|number| journal.publish(text("chat", &number.to_string()))).collect();
    drop(journal);
    for publish in waiting {
        publish.await.unwrap();
    }
    let journal = Journal::open(directory.path()).unwrap();
    assert_eq!(journal.history(&channel("chat"), 0).await.unwrap().last.offset, 500);
}

#[tokio::test]
async fn an_interval_loses_nothing_in_an_orderly_end() {
    let directory = tempfile::tempdir().unwrap();
    let hour = || config(|config| config.fsync = Fsync::Interval(Duration::from_secs(3600)));
    let journal = Journal::open_with(directory.path(), hour()).unwrap();
    for number in 0..10 {
        journal.publish(text("chat", &number.to_string())).await.unwrap();
    }
    drop(journal);
    let journal = Journal::open_with(directory.path(), hour()).unwrap();
    assert_eq!(read(&journal, "chat").await.len(), 10);
}

/// A server that was killed could not detach its sessions, and no client could resume while it was down.
#[tokio::test]
async fn sessions_are_kept_for_their_time_from_when_the_journal_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(directory.path(), at(START)).unwrap();
    let record = Bytes::from_static(b"record");
    journal.store_session(session("attached"), record.clone(), SessionExpiry::Attached(KEEP)).await.unwrap();
    journal.store_session(session("detached"), record.clone(), SessionExpiry::Detached(KEEP)).await.unwrap();
    drop(journal);
    let later = START + 1_000_000;
    drop(Journal::open_with(directory.path(), at(later)).unwrap());
    let journal = Journal::open_with(directory.path(), at(later + 1)).unwrap();
    for id in ["attached", "detached"] {
        assert!(journal.load_session(&session(id)).await.unwrap().is_some(), "{id}");
    }
    drop(journal);
    let time = Arc::new(Mutex::new(later));
    let now = Arc::clone(&time);
    let clock = config(|config| config.broker.clock = Clock::from_fn(move || *now.lock().unwrap() as f64));
    let journal = Journal::open_with(directory.path(), clock).unwrap();
    *time.lock().unwrap() += 120_002;
    for id in ["attached", "detached"] {
        assert_eq!(journal.load_session(&session(id)).await.unwrap(), None, "{id}");
    }
}

#[tokio::test]
async fn a_journal_that_is_open_cannot_be_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let refused = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("stop the other server"), "{refused}");
    drop(journal);
    Journal::open(directory.path()).unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named_in_the_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = Journal::open(file.path().join("data")).unwrap_err();
    assert!(matches!(&refused, JournalError::Io { path, .. } if path.ends_with("data")), "{refused}");
}

#[tokio::test]
async fn a_resume_storm_over_recent_messages_reads_nothing_from_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    for number in 0..100 {
        journal.publish(text("chat", &number.to_string())).await.unwrap();
    }
    for after in 0..1_000 {
        let history = journal.history(&channel("chat"), after % 101).await.unwrap();
        assert!(history.found.is_some());
        let page = journal.read(&channel("chat"), after % 101, PageLimits::default()).await.unwrap();
        assert_eq!(page.messages.len() as u64, 100 - after % 101);
    }
    assert_eq!(journal.stats().disk_reads, 0);
}

#[tokio::test]
async fn the_recent_messages_in_memory_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let small = config(|config| config.recent_bytes = 68 * 10);
    let journal = Journal::open_with(directory.path(), small).unwrap();
    for number in 0..30 {
        journal.publish(text("chat", &format!("{number:04}"))).await.unwrap();
    }
    journal.read(&channel("chat"), 20, everything()).await.unwrap();
    assert_eq!(journal.stats().disk_reads, 0);
    assert_eq!(journal.read(&channel("chat"), 19, everything()).await.unwrap().messages.len(), 11);
    assert_eq!(journal.stats().disk_reads, 1);
}

/// Holds up the writer in the first call until the test lets it go on.
#[derive(Debug)]
struct Gate {
    entered: mpsc::Sender<()>,
    open: Mutex<mpsc::Receiver<()>>,
}

impl Listener for Gate {
    fn stored(&self, _messages: &[Arc<Stored>]) {
        let _ = self.entered.send(());
        let _ = self.open.lock().unwrap().recv();
    }
}

fn gate(journal: &Journal) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((entered, has_entered), (open, is_open)) = (mpsc::channel(), mpsc::channel());
    journal.listen(Arc::new(Gate { entered, open: Mutex::new(is_open) }));
    (has_entered, open)
}

#[tokio::test]
async fn a_publisher_is_refused_when_the_queue_is_full_and_ready_when_it_has_drained() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(directory.path(), config(|config| config.queue = 8)).unwrap();
    let (has_entered, open) = gate(&journal);
    let first = journal.publish(text("chat", "first"));
    has_entered.recv().unwrap();
    let is_ready = async || poll_fn(|context| Poll::Ready(journal.poll_ready(context).is_ready())).await;
    let waiting: Vec<_> = (0..8).map(|number| journal.publish(text("chat", &number.to_string()))).collect();
    assert!(!is_ready().await);
    assert_eq!(journal.stats().queued, 8);
    let refused = journal.publish(text("chat", "too much")).now_or_never();
    assert_eq!(refused, Some(Err(BrokerError::Busy)));
    drop(open);
    timeout(Duration::from_secs(30), poll_fn(|context| journal.poll_ready(context))).await.unwrap();
    first.await.unwrap();
    for publish in waiting {
        publish.await.unwrap();
    }
    assert_eq!(read(&journal, "chat").await.len(), 9);
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(directory.path(), config(|config| config.queue_bytes = 10_000)).unwrap();
    let (has_entered, open) = gate(&journal);
    let first = journal.publish(text("chat", "first"));
    has_entered.recv().unwrap();
    let large = || Publication::new(channel("chat"), vec![0; 6_000]);
    let fits = journal.publish(large());
    assert_eq!(journal.publish(large()).now_or_never(), Some(Err(BrokerError::Busy)));
    drop(open);
    first.await.unwrap();
    fits.await.unwrap();
    // One message alone may be larger than the queue.
    journal.publish(Publication::new(channel("chat"), vec![0; 20_000])).await.unwrap();
}

#[tokio::test]
async fn what_waits_together_is_stored_in_one_commit() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let (has_entered, open) = gate(&journal);
    let first = journal.publish(text("chat", "first"));
    has_entered.recv().unwrap();
    let waiting: Vec<_> = (0..500).map(|number| journal.publish(text("chat", &number.to_string()))).collect();
    let commits = journal.stats().commits;
    drop(open);
    first.await.unwrap();
    for publish in waiting {
        publish.await.unwrap();
    }
    assert_eq!(journal.stats().commits - commits, 1);
}

/// The writer would begin a transaction with the first of them alone.
#[tokio::test]
async fn what_is_published_together_is_stored_in_one_commit() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let commits = journal.stats().commits;
    for round in 1..=20 {
        let publications = (0..64).map(|number| text("chat", &number.to_string())).collect();
        for publish in journal.publish_all(publications) {
            publish.await.unwrap();
        }
        assert_eq!(journal.stats().commits - commits, round);
    }
}

#[derive(Debug)]
struct Panics;

impl Listener for Panics {
    fn stored(&self, _messages: &[Arc<Stored>]) {
        panic!("a listener's mistake");
    }
}

#[tokio::test]
async fn a_listener_that_panics_does_not_stop_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    journal.listen(Arc::new(Panics));
    for number in 1..=3 {
        assert_eq!(journal.publish(text("chat", "message")).await.unwrap().offset, number);
    }
}

/// Holds the last handle, and drops it.
#[derive(Debug)]
struct Last {
    journal: Mutex<Option<Journal>>,
    is_last: Mutex<mpsc::Receiver<()>>,
    dropped: mpsc::Sender<()>,
}

impl Listener for Last {
    fn stored(&self, _messages: &[Arc<Stored>]) {
        let Some(journal) = self.journal.lock().unwrap().take() else { return };
        let _ = self.is_last.lock().unwrap().recv();
        drop(journal);
        self.dropped.send(()).unwrap();
    }
}

#[tokio::test]
async fn a_listener_may_drop_the_last_handle() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let ((last, is_last), (dropped, has_dropped)) = (mpsc::channel(), mpsc::channel());
    let (owned, is_last) = (Mutex::new(Some(journal.clone())), Mutex::new(is_last));
    journal.listen(Arc::new(Last { journal: owned, is_last, dropped }));
    let waiting = [1, 2].map(|number| journal.publish(text("chat", &number.to_string())));
    drop((journal, last));
    for publish in waiting {
        publish.await.unwrap();
    }
    has_dropped.recv().unwrap();
}

#[tokio::test]
async fn lower_limits_hold_for_a_journal_that_is_opened_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    for (name, number) in [("old", 1), ("old", 2), ("new", 1), ("new", 2)] {
        journal.publish(text(name, &format!("{number:04}"))).await.unwrap();
    }
    drop(journal);
    let mut limits = BrokerConfig::default();
    limits.bytes = 68 * 3;
    let journal = Journal::open_with(directory.path(), config(|config| config.broker = limits)).unwrap();
    journal.publish(text("newest", "0001")).await.unwrap();
    assert_eq!(read(&journal, "old").await, [""; 0]);
    assert_eq!(read(&journal, "new").await, ["0001", "0002"]);
}
