//! Files that were damaged.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use everwire_server::Clock;
use everwire_server::broker::{Broker, Journal, JournalConfig, SessionExpiry};

use tokio::time::timeout;

use crate::support::{START, channel, everything, key, publish_again, session, text, texts};

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
async fn a_file_of_something_else_is_reported() {
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
async fn a_file_that_is_damaged_while_it_is_open_is_moved_aside_and_the_journal_goes_on() {
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
