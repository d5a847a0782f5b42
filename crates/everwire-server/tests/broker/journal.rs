//! The journal: what survives an orderly end, backpressure, where reads come from, and files that were damaged.

use std::fs;
use std::future::poll_fn;
use std::path::Path;
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

use crate::{START, channel, everything, key, publish_again, session, text, texts};

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

/// Blocks the writer in the first call until the test releases it.
#[derive(Debug)]
struct BlockingListener {
    entered: mpsc::Sender<()>,
    open: Mutex<mpsc::Receiver<()>>,
}

impl Listener for BlockingListener {
    fn stored(&self, _messages: &[Arc<Stored>]) {
        let _ = self.entered.send(());
        let _ = self.open.lock().unwrap().recv();
    }
}

fn block_listener(journal: &Journal) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((entered, has_entered), (open, is_open)) = (mpsc::channel(), mpsc::channel());
    journal.listen(Arc::new(BlockingListener { entered, open: Mutex::new(is_open) }));
    (has_entered, open)
}

#[tokio::test]
async fn a_publisher_is_refused_when_the_queue_is_full_and_ready_when_it_has_drained() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(directory.path(), config(|config| config.queue = 8)).unwrap();
    let (has_entered, open) = block_listener(&journal);
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
    let (has_entered, open) = block_listener(&journal);
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
    let (has_entered, open) = block_listener(&journal);
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
struct PanickingListener;

impl Listener for PanickingListener {
    fn stored(&self, _messages: &[Arc<Stored>]) {
        panic!("a listener's mistake");
    }
}

#[tokio::test]
async fn a_listener_that_panics_does_not_stop_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    journal.listen(Arc::new(PanickingListener));
    for number in 1..=3 {
        assert_eq!(journal.publish(text("chat", "message")).await.unwrap().offset, number);
    }
}

/// Holds the last handle, and drops it.
#[derive(Debug)]
struct LastHandle {
    journal: Mutex<Option<Journal>>,
    is_last: Mutex<mpsc::Receiver<()>>,
    dropped: mpsc::Sender<()>,
}

impl Listener for LastHandle {
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
    journal.listen(Arc::new(LastHandle { journal: owned, is_last, dropped }));
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

const FILE: &str = "journal.redb";
const LOCK: &str = "lock";
const PAGE: usize = 4096;
const MESSAGES: u64 = 150;

/// What a journal's directory holds.
#[derive(Clone)]
struct Snapshot {
    file: Vec<u8>,
    lock: Vec<u8>,
}

impl Snapshot {
    fn of(directory: &Path) -> Self {
        let [file, lock] = [FILE, LOCK].map(|name| fs::read(directory.join(name)).unwrap());
        Self { file, lock }
    }

    fn with(&self, file: Vec<u8>) -> Self {
        Self { file, lock: self.lock.clone() }
    }
}

/// Publishes messages, and ends in an orderly way or not.
async fn written(is_orderly: bool) -> Snapshot {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    journal
        .store_session(session("a"), Bytes::from_static(b"record"), SessionExpiry::Attached(Duration::MAX))
        .await
        .unwrap();
    publish(&journal, 1..=MESSAGES).await;
    if is_orderly {
        drop(journal);
    }
    Snapshot::of(directory.path())
}

async fn publish(journal: &Journal, numbers: std::ops::RangeInclusive<u64>) {
    let message =
        |number: u64| text("chat", &payload(number)).with_key(key(&format!("k{number}"))).by(session("a"), number);
    let waiting: Vec<_> = numbers.map(|number| journal.publish(message(number))).collect();
    for publish in waiting {
        publish.await.unwrap();
    }
}

fn payload(number: u64) -> String {
    format!("{number}:{}", "x".repeat(number as usize * 7 % 500))
}

/// Either everything is there, or the file is reported as corrupt. `true` if it is reported.
async fn is_reported(snapshot: &Snapshot, damage: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE), &snapshot.file).unwrap();
    fs::write(directory.path().join(LOCK), &snapshot.lock).unwrap();
    let journal = Journal::open(directory.path()).unwrap_or_else(|error| panic!("{damage}: {error}"));
    let reported = journal.corruptions();
    let messages = journal.read(&channel("chat"), 0, everything()).await.unwrap().messages;
    match &reported[..] {
        [] => {
            let is_whole = texts(&messages).into_iter().eq((1..=MESSAGES).map(payload));
            assert!(is_whole, "{damage}: {} messages", messages.len());
            let stored = journal.load_session(&session("a")).await.unwrap().unwrap();
            assert_eq!(stored.answers.last().unwrap().0, MESSAGES, "{damage}");
        }
        [corruption] => {
            assert!(messages.is_empty(), "{damage}");
            assert!(fs::exists(&corruption.moved_to).unwrap(), "{damage}");
        }
        several => panic!("{damage}: {several:?}"),
    }
    publish(&journal, MESSAGES + 1..=MESSAGES + 1).await;
    !reported.is_empty()
}

#[tokio::test]
async fn a_damaged_file_has_every_acknowledged_message_or_is_reported() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut reported = 0;
    for snapshot in [written(true).await, written(false).await] {
        assert!(!is_reported(&snapshot, "no damage").await);
        let used = snapshot.file.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for number in 0..32 {
            let mut bytes = snapshot.file.clone();
            let at = random.usize(0..used);
            let damage = match number % 4 {
                0 => {
                    bytes.truncate(at);
                    format!("cut off at {at}")
                }
                1 => {
                    bytes[at] ^= 1 << random.u8(0..8);
                    format!("one bit at {at}")
                }
                2 => {
                    let page = at / PAGE * PAGE;
                    bytes[page..page + PAGE].fill(0);
                    format!("zeros at {page}")
                }
                _ => {
                    let end = (at + random.usize(1..2 * PAGE)).min(used);
                    random.fill(&mut bytes[at..end]);
                    format!("noise from {at} to {end}")
                }
            };
            reported += u32::from(is_reported(&snapshot.with(bytes), &damage).await);
        }
    }
    assert!(reported > 20, "{reported} of 64 were reported");
}

#[tokio::test]
async fn a_damaged_header_has_every_acknowledged_message_or_is_reported() {
    let mut random = fastrand::Rng::with_seed(8);
    for snapshot in [written(true).await, written(false).await] {
        for at in (0..320).step_by(8) {
            let mut bytes = snapshot.file.clone();
            let at = at + random.usize(0..8);
            bytes[at] ^= 1 << random.u8(0..8);
            is_reported(&snapshot.with(bytes), &format!("one bit of the header at {at}")).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_reported() {
    for bytes in [&b""[..], b"not a database", &[0; 100_000], &[0xff; 100_000]] {
        let snapshot = Snapshot { file: bytes.to_vec(), lock: Vec::new() };
        assert!(is_reported(&snapshot, &format!("{} bytes", bytes.len())).await);
    }
}

/// A backup of the file, without the rest of the directory, lacks what was acknowledged since.
#[tokio::test]
async fn an_older_file_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    let journal = Journal::open(directory.path()).unwrap();
    publish(&journal, 1..=10).await;
    drop(journal);
    let older = fs::read(&file).unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    publish(&journal, 11..=11).await;
    drop(journal);
    fs::write(&file, older).unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    let [corruption] = &journal.corruptions()[..] else { panic!("it is not reported") };
    assert!(corruption.reason.contains("the last 1 commits are missing"), "{}", corruption.reason);
}

#[tokio::test]
async fn a_note_of_the_commits_that_is_damaged_or_missing_does_no_harm() {
    let snapshot = written(true).await;
    let mut noise = snapshot.lock.clone();
    noise[3] ^= 1;
    for lock in [noise, Vec::new(), vec![0; 16], vec![0xff; 4]] {
        assert!(!is_reported(&Snapshot { lock, ..snapshot.clone() }, "the note").await);
    }
}

/// Any part of the last commit may be on the disk when the power fails.
#[tokio::test]
async fn a_last_write_that_was_torn_is_taken_back_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    journal
        .store_session(session("a"), Bytes::from_static(b"record"), SessionExpiry::Attached(Duration::MAX))
        .await
        .unwrap();
    publish(&journal, 1..=MESSAGES).await;
    let before = Snapshot::of(directory.path());
    // One commit: pages of the last but one may be used again.
    journal.publish(text("chat", &"x".repeat(100_000))).await.unwrap();
    let after = Snapshot::of(directory.path()).file;
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..20 {
        let mut torn = before.file.clone();
        torn.resize(after.len().max(torn.len()), 0);
        for page in (0..after.len()).step_by(PAGE) {
            // A write of the store's header is not torn: it is within a sector.
            let end = if page == 0 { PAGE } else { page + random.usize(0..=PAGE) };
            if random.bool() {
                torn[page..end].copy_from_slice(&after[page..end]);
            }
        }
        assert!(!is_reported(&before.with(torn), "torn").await);
    }
}

#[tokio::test]
async fn a_corrupt_file_is_moved_aside_under_a_name_with_the_time_and_another_epoch_begins() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let mut config = JournalConfig::default();
        config.broker.clock = Clock::from_fn(|| START as f64);
        Journal::open_with(directory.path(), config).unwrap()
    };
    let first = open().publish(text("chat", "lost")).await.unwrap();
    for name in ["journal.redb.corrupt-20261121T000000Z", "journal.redb.corrupt-20261121T000000Z-2"] {
        fs::write(directory.path().join(FILE), "garbage").unwrap();
        let journal = open();
        let [corruption] = &journal.corruptions()[..] else { panic!("it is not reported") };
        assert_eq!(corruption.moved_to, directory.path().join(name));
        assert_eq!(fs::read(&corruption.moved_to).unwrap(), b"garbage");
        assert!(!corruption.reason.is_empty());
        let history = journal.history(&channel("chat"), 0).await.unwrap();
        assert_eq!(history.last.offset, 0);
        assert_ne!(history.epoch(), first.epoch);
    }
}

fn damage_pages(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[PAGE..].fill(0xaa);
    // In place: the journal has the file open.
    fs::File::options()
        .write(true)
        .open(file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes))
        .unwrap();
}

#[tokio::test]
async fn a_file_that_is_damaged_while_it_is_open_is_moved_aside_and_the_journal_continues() {
    for is_read_first in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut config = JournalConfig::default();
        (config.cache_bytes, config.recent_bytes) = (0, 0);
        let journal = Journal::open_with(directory.path(), config).unwrap();
        publish(&journal, 1..=MESSAGES).await;
        let before = journal.history(&channel("chat"), 0).await.unwrap();
        damage_pages(&directory.path().join(FILE));
        if is_read_first {
            let refused = journal.read(&channel("chat"), 0, everything()).await.unwrap_err();
            assert!(refused.is_retryable(), "{refused}");
            // The failed read alone has the file checked.
            let checked = async {
                while journal.corruptions().is_empty() {
                    tokio::task::yield_now().await
                }
            };
            timeout(Duration::from_secs(30), checked).await.unwrap();
        }
        let position = publish_again(&journal, text("chat", "after")).await;
        assert_eq!(journal.corruptions().len(), 1);
        assert_ne!(position.epoch, before.epoch());
        let messages = journal.read(&channel("chat"), 0, everything()).await.unwrap().messages;
        assert_eq!(texts(&messages), ["after"]);
    }
}
