use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwire_server::testing::Recorder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::files::upload::{Chunk, Client, WINDOW};

const HOUR: Duration = Duration::from_secs(3600);

fn store(parent: &Path) -> Arc<Store> {
    let limits =
        FileLimits { folder: Some(parent.into()), finished: HOUR, unfinished: HOUR / 2, ..FileLimits::default() };
    Store::new(limits, Clock::from_fn(|| 0.0))
}

fn key(text: &str) -> ResumeKey {
    format!("a-key-that-is-long-enough-{text}").try_into().unwrap()
}

fn begin(store: &Arc<Store>, name: &str, size: u64) -> Upload {
    match store.begin(&key(name), FileName::parse(name).unwrap(), size).unwrap() {
        Begin::Upload(upload) => upload,
        Begin::Stored(file) => panic!("{file:?} is there already"),
    }
}

/// A connection that takes an upload up: the turn that it has there, and what it is told.
fn attach(store: &Store, upload: &Upload) -> (u64, Recorder) {
    let turn = store.turn();
    let recorder = Recorder::new();
    upload.attach(Client { turn, stream: 1, chunk: 100, connection: recorder.connection().clone() }).unwrap();
    (turn, recorder)
}

/// Sends bytes of a file from its start.
fn put(store: &Store, upload: &Upload, bytes: &'static [u8]) -> (u64, Recorder) {
    let (turn, recorder) = attach(store, upload);
    upload.chunk(Chunk { turn, offset: 0, bytes: Bytes::from_static(bytes) }).unwrap();
    (turn, recorder)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until a connection is told this, and returns the whole of it.
async fn hears(recorder: &Recorder, kind: &str) -> Value {
    let heard = async {
        loop {
            for message in recorder.messages() {
                let news: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
                if news["type"] == kind {
                    return news;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), heard).await.unwrap_or_else(|_| panic!("it is not told {kind}"))
}

async fn leave(store: &Arc<Store>, name: &str, bytes: &'static [u8]) {
    let upload = begin(store, name, bytes.len() as u64);
    let (turn, _) = put(store, &upload, bytes);
    upload.finish(turn, sha256(bytes)).unwrap();
    let stored = async {
        while files(store).iter().all(|file| file.name.as_str() != name) {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(20), stored).await.expect("the file is stored");
}

fn files(store: &Store) -> Vec<FileInfo> {
    store.with(|shelf| shelf.files())
}

/// The files on disk, without the lock. The folder takes its name at the end of being made, so that it may not be found.
fn on_disk(parent: &Path) -> usize {
    let folders = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().path());
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).map(|entries| entries.count());
    entries.map(|count| count.saturating_sub(1)).sum()
}

/// Waits until so many files are on disk: removing one takes its own time, also where the clock is virtual.
async fn until_on_disk(parent: &Path, count: usize) {
    let start = std::time::Instant::now();
    while on_disk(parent) != count {
        assert!(start.elapsed() < Duration::from_secs(20), "{} files on disk instead of {count}", on_disk(parent));
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_stays_for_its_hour_and_not_longer() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    leave(&store, "a", b"hello").await;
    sleep(HOUR - Duration::from_secs(1)).await;
    assert_eq!((files(&store).len(), on_disk(parent.path())), (1, 1));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(files(&store), []);
    until_on_disk(parent.path(), 0).await;
}

#[tokio::test(start_paused = true)]
async fn each_file_goes_at_its_own_time() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    leave(&store, "first", b"1").await;
    sleep(HOUR / 2).await;
    leave(&store, "second", b"2").await;
    sleep(HOUR * 3 / 4).await;
    let names: Vec<_> = files(&store).into_iter().map(|file| file.name.to_string()).collect();
    assert_eq!(names, ["second"]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_goes_on_is_kept_and_one_that_stopped_is_not() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 10);
    put(&store, &upload, b"he");
    until_on_disk(parent.path(), 1).await;
    for _ in 0..5 {
        sleep(HOUR / 3).await;
        // Asking for it is enough to keep it.
        drop(begin(&store, "a", 10));
    }
    assert_eq!(on_disk(parent.path()), 1);
    sleep(HOUR).await;
    until_on_disk(parent.path(), 0).await;
    assert_eq!(store.with(|shelf| shelf.due()), None, "nothing holds room any more");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_stands_still_gives_its_room_to_one_that_needs_it_and_is_told() {
    let (parent, minute) = (tempfile::tempdir().unwrap(), Duration::from_secs(60));
    let most = FileLimits::default().file_bytes;
    let store = store(parent.path());
    let asked = |name: &str, size| store.begin(&key(name), FileName::parse(name).unwrap(), size);
    let (_, longest) = attach(&store, &begin(&store, "longest", most));
    sleep(Duration::from_secs(1)).await;
    let (_, still) = attach(&store, &begin(&store, "still", most - 10));
    sleep(minute - Duration::from_secs(2)).await;
    assert!(asked("early", most).unwrap_err().why.contains("after it stopped: try again"));
    sleep(Duration::from_secs(2)).await;

    drop(begin(&store, "small", 10));
    asked("huge", most + 1).unwrap_err();
    store.with(|shelf| assert_eq!(shelf.due(), Some(Instant::now() + HOUR / 2 - minute - Duration::from_secs(1))));
    put(&store, &begin(&store, "large", most - 10), b"he");
    assert!(hears(&longest, "failed").await["error"].as_str().unwrap().contains("stood still"));
    sleep(minute / 2).await;
    assert!(asked("second", most - 10).is_ok(), "the second gives way as well");
    hears(&still, "failed").await;
    assert!(asked("third", most - 10).is_err(), "what has only just come stays");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_goes_on_keeps_its_room() {
    let (parent, most) = (tempfile::tempdir().unwrap(), FileLimits::default().file_bytes);
    let store = store(parent.path());
    let upload = begin(&store, "a", most);
    let (turn, sender) = attach(&store, &upload);
    drop(begin(&store, "b", most));
    sleep(Duration::from_secs(50)).await;
    upload.chunk(Chunk { turn, offset: 0, bytes: Bytes::from_static(b"he") }).unwrap();
    hears(&sender, "ack").await;
    sleep(Duration::from_secs(20)).await;
    drop(begin(&store, "c", most));
    upload.chunk(Chunk { turn, offset: 2, bytes: Bytes::from_static(b"llo") }).unwrap();
    assert_eq!(hears(&sender, "ack").await["offset"], 5);
}

#[tokio::test(start_paused = true)]
async fn no_upload_is_let_go_where_that_makes_too_little_room() {
    let (parent, most) = (tempfile::tempdir().unwrap(), FileLimits::default().file_bytes);
    let store = store(parent.path());
    drop(begin(&store, "still", 10));
    sleep(Duration::from_secs(61)).await;
    drop(begin(&store, "a", most));
    drop(begin(&store, "b", most - 10));
    let full = store.begin(&key("c"), FileName::parse("c").unwrap(), 11).unwrap_err();
    assert!(full.why.contains("The store is full"), "{full:?}");
    assert!(store.with(|shelf| shelf.due()).unwrap() < Instant::now() + HOUR / 2, "the one that stands still is there");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_upload_is_removed_at_once() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let start = Instant::now();
    put(&store, &begin(&store, "a", 10), b"he");
    until_on_disk(parent.path(), 1).await;
    store.cancel(&key("a"));
    until_on_disk(parent.path(), 0).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_store_that_is_closed_leaves_nothing_on_disk() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    leave(&store, "a", b"hello").await;
    put(&store, &begin(&store, "b", 10), b"he");
    store.close();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn bytes_that_are_written_after_the_store_was_closed_make_no_new_folder() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    // Its task has had no time to write.
    let (_, sender) = put(&store, &begin(&store, "a", 10), b"he");
    store.close();
    assert!(hears(&sender, "failed").await["error"].as_str().unwrap().contains("the server is stopping"));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_nobody_leaves_a_file_in_touches_no_disk() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    drop(begin(&store, "a", 10));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn whoever_takes_up_an_upload_while_its_disk_fails_is_told_to_send_it_again() {
    let store = store(Path::new("/dev/null/files"));
    let upload = begin(&store, "a", 10);
    let (_, first) = put(&store, &upload, b"he");
    let (_, second) = attach(&store, &upload);
    hears(&first, "failed").await;
    assert!(hears(&second, "failed").await["error"].as_str().unwrap().contains("send it again"));
}

#[tokio::test]
async fn whoever_takes_up_an_upload_while_it_is_completed_is_told_to_send_it_again() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 5);
    let (turn, first) = put(&store, &upload, b"hello");
    upload.finish(turn, sha256(b"hello")).unwrap();
    let (_, second) = attach(&store, &upload);
    hears(&first, "stored").await;
    assert!(hears(&second, "failed").await["error"].as_str().unwrap().contains("send it again"));
    // So is who found it before it ended and comes after.
    let (_, third) = attach(&store, &upload);
    hears(&third, "failed").await;
}

#[tokio::test]
async fn whoever_completes_an_upload_that_was_let_go_is_told_to_send_it_again() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 5);
    let (turn, sender) = put(&store, &upload, b"hello");
    upload.finish(turn, sha256(b"hello")).unwrap();
    store.cancel(&key("a"));
    assert!(hears(&sender, "failed").await["error"].as_str().unwrap().contains("send it again"));
    assert_eq!(files(&store), []);
}

#[tokio::test]
async fn an_upload_that_ends_leaves_the_one_that_has_its_key_now_alone() {
    let store = store(Path::new("/dev/null/files"));
    let (_, sender) = put(&store, &begin(&store, "a", 10), b"he");
    store.cancel(&key("a"));
    let _again = begin(&store, "a", 10);
    hears(&sender, "failed").await;
    assert_ne!(store.with(|shelf| shelf.due()), None, "the second one still holds its room");
}

#[tokio::test]
async fn a_window_of_small_chunks_fits_into_the_queue() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", WINDOW);
    let (turn, sender) = attach(&store, &upload);
    let ready = hears(&sender, "ready").await;
    let (window, chunk) = (ready["window"].as_u64().unwrap(), ready["chunk"].as_u64().unwrap());
    assert!(window > WINDOW / 4, "{window}");
    let bytes = Bytes::from(vec![7; usize::try_from(chunk).unwrap()]);
    // Nothing is written meanwhile, since the task runs on the thread of this test.
    for offset in (0..window).step_by(bytes.len()) {
        assert_eq!(upload.chunk(Chunk { turn, offset, bytes: bytes.clone() }), Ok(()), "{offset}");
    }
    let full = (0..window)
        .step_by(bytes.len())
        .find_map(|offset| upload.chunk(Chunk { turn, offset, bytes: bytes.clone() }).err());
    assert!(full.is_some(), "twice the window does not fit");
}

#[tokio::test]
async fn what_is_left_of_the_connection_before_takes_no_room_from_the_one_that_counts() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", WINDOW);
    let (before, first) = attach(&store, &upload);
    hears(&first, "ready").await;
    let (now, second) = attach(&store, &upload);
    hears(&second, "ready").await;
    for turn in [before, now] {
        let bytes = Bytes::from(vec![7; 1 << 18]);
        for offset in (0..WINDOW).step_by(bytes.len()) {
            assert_eq!(upload.chunk(Chunk { turn, offset, bytes: bytes.clone() }), Ok(()), "{offset}");
        }
    }
}
