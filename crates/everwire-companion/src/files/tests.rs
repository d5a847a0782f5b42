use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwire_companion_api::files::ResumeKey;
use everwire_server::Clock;
use everwire_server::testing::Recorder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep, timeout};

use super::inventory::{BeginOutcome, FileInfo, UploadRejected};
use super::name::FileName;
use super::upload::{Attachment, Chunk, Upload, WINDOW};
use super::{FileLimits, Store, attachment, upload};

const HOUR: Duration = Duration::from_secs(3600);

fn store(parent: &Path) -> Arc<Store> {
    let limits =
        FileLimits { folder: Some(parent.into()), finished: HOUR, unfinished: HOUR / 2, ..FileLimits::default() };
    Store::new(limits, Clock::from_fn(|| 0.0))
}

fn key(text: &str) -> ResumeKey {
    format!("a-key-that-is-long-enough-{text}").try_into().unwrap()
}

fn request(store: &Arc<Store>, name: &str, size: u64) -> Result<BeginOutcome, UploadRejected> {
    upload::begin(store, &key(name), FileName::parse(name).unwrap(), size)
}

fn begin(store: &Arc<Store>, name: &str, size: u64) -> Upload {
    match request(store, name, size).unwrap() {
        BeginOutcome::Upload(upload) => upload,
        BeginOutcome::Complete(file) => panic!("{file:?} is there already"),
    }
}

/// Attaches a connection to an upload. Returns its generation and the messages that it receives.
fn attach(store: &Store, upload: &Upload) -> (u64, Recorder) {
    let generation = store.next_generation();
    let recorder = Recorder::new();
    upload.attach(Attachment { generation, stream: 1, chunk: 100, connection: recorder.connection().clone() }).unwrap();
    (generation, recorder)
}

/// Sends bytes of a file from its start.
fn put(store: &Store, upload: &Upload, bytes: &'static [u8]) -> (u64, Recorder) {
    let (generation, recorder) = attach(store, upload);
    upload.chunk(Chunk { generation, offset: 0, bytes: Bytes::from_static(bytes) }).unwrap();
    (generation, recorder)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until a connection is sent a message of this type, and returns it.
async fn receive(recorder: &Recorder, kind: &str) -> Value {
    let received = async {
        loop {
            for message in recorder.messages() {
                let event: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
                if event["type"] == kind {
                    return event;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), received).await.unwrap_or_else(|_| panic!("no message of type {kind}"))
}

async fn upload_file(store: &Arc<Store>, name: &str, bytes: &'static [u8]) {
    let upload = begin(store, name, bytes.len() as u64);
    let (generation, _) = put(store, &upload, bytes);
    upload.finish(generation, sha256(bytes)).unwrap();
    let stored = async {
        while files(store).iter().all(|file| file.name.as_str() != name) {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(20), stored).await.expect("the file is stored");
}

fn files(store: &Store) -> Vec<FileInfo> {
    store.with(|inventory| inventory.files())
}

/// The number of files on disk, the lock excluded. The folder gets its name last, so that it may not be found.
fn on_disk(parent: &Path) -> usize {
    let folders = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().path());
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).map(|entries| entries.count());
    entries.map(|count| count.saturating_sub(1)).sum()
}

/// Waits until so many files are on disk. Removing one takes real time even if the clock is virtual.
async fn until_on_disk(parent: &Path, count: usize) {
    let start = std::time::Instant::now();
    while on_disk(parent) != count {
        assert!(start.elapsed() < Duration::from_secs(20), "{} files on disk instead of {count}", on_disk(parent));
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_expires_after_its_hour_and_not_before() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    upload_file(&store, "a", b"hello").await;
    sleep(HOUR - Duration::from_secs(1)).await;
    assert_eq!((files(&store).len(), on_disk(parent.path())), (1, 1));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(files(&store), []);
    until_on_disk(parent.path(), 0).await;
}

#[tokio::test(start_paused = true)]
async fn each_file_expires_at_its_own_time() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    upload_file(&store, "first", b"1").await;
    sleep(HOUR / 2).await;
    upload_file(&store, "second", b"2").await;
    sleep(HOUR * 3 / 4).await;
    let names: Vec<_> = files(&store).into_iter().map(|file| file.name.to_string()).collect();
    assert_eq!(names, ["second"]);
}

#[tokio::test(start_paused = true)]
async fn an_active_upload_is_kept_and_an_idle_one_expires() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 10);
    put(&store, &upload, b"he");
    until_on_disk(parent.path(), 1).await;
    for _ in 0..5 {
        sleep(HOUR / 3).await;
        // A request for the upload counts as activity.
        drop(begin(&store, "a", 10));
    }
    assert_eq!(on_disk(parent.path()), 1);
    sleep(HOUR).await;
    until_on_disk(parent.path(), 0).await;
    assert_eq!(store.with(|inventory| inventory.next_expiry()), None, "nothing holds room any more");
}

#[tokio::test(start_paused = true)]
async fn an_idle_upload_gives_its_room_to_one_that_needs_it_and_gets_an_error() {
    let (parent, minute) = (tempfile::tempdir().unwrap(), Duration::from_secs(60));
    let most = FileLimits::default().file_bytes;
    let store = store(parent.path());
    let (_, longest) = attach(&store, &begin(&store, "longest", most));
    sleep(Duration::from_secs(1)).await;
    let (_, still) = attach(&store, &begin(&store, "still", most - 10));
    sleep(minute - Duration::from_secs(2)).await;
    assert!(request(&store, "early", most).unwrap_err().message.contains("after it stopped: try again"));
    sleep(Duration::from_secs(2)).await;

    drop(begin(&store, "small", 10));
    request(&store, "huge", most + 1).unwrap_err();
    store.with(|inventory| {
        assert_eq!(inventory.next_expiry(), Some(Instant::now() + HOUR / 2 - minute - Duration::from_secs(1)))
    });
    put(&store, &begin(&store, "large", most - 10), b"he");
    assert!(receive(&longest, "failed").await["error"].as_str().unwrap().contains("was idle"));
    sleep(minute / 2).await;
    assert!(request(&store, "second", most - 10).is_ok(), "the second is displaced as well");
    receive(&still, "failed").await;
    assert!(request(&store, "third", most - 10).is_err(), "an upload that has just started is kept");
}

#[tokio::test(start_paused = true)]
async fn an_active_upload_keeps_its_room() {
    let (parent, most) = (tempfile::tempdir().unwrap(), FileLimits::default().file_bytes);
    let store = store(parent.path());
    let upload = begin(&store, "a", most);
    let (generation, sender) = attach(&store, &upload);
    drop(begin(&store, "b", most));
    sleep(Duration::from_secs(50)).await;
    upload.chunk(Chunk { generation, offset: 0, bytes: Bytes::from_static(b"he") }).unwrap();
    receive(&sender, "ack").await;
    sleep(Duration::from_secs(20)).await;
    drop(begin(&store, "c", most));
    upload.chunk(Chunk { generation, offset: 2, bytes: Bytes::from_static(b"llo") }).unwrap();
    assert_eq!(receive(&sender, "ack").await["offset"], 5);
}

#[tokio::test(start_paused = true)]
async fn no_upload_is_displaced_if_that_makes_too_little_room() {
    let (parent, most) = (tempfile::tempdir().unwrap(), FileLimits::default().file_bytes);
    let store = store(parent.path());
    drop(begin(&store, "still", 10));
    sleep(Duration::from_secs(61)).await;
    drop(begin(&store, "a", most));
    drop(begin(&store, "b", most - 10));
    let full = request(&store, "c", 11).unwrap_err();
    assert!(full.message.contains("The store is full"), "{full:?}");
    assert!(
        store.with(|inventory| inventory.next_expiry()).unwrap() < Instant::now() + HOUR / 2,
        "the idle upload is there"
    );
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
async fn a_closed_store_leaves_nothing_on_disk() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    upload_file(&store, "a", b"hello").await;
    put(&store, &begin(&store, "b", 10), b"he");
    store.close();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_write_after_the_store_was_closed_creates_no_folder() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    // The task of the upload has not run yet.
    let (_, sender) = put(&store, &begin(&store, "a", 10), b"he");
    store.close();
    assert!(receive(&sender, "failed").await["error"].as_str().unwrap().contains("the server is stopping"));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_without_uploads_touches_no_disk() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    drop(begin(&store, "a", 10));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_client_that_attaches_while_the_disk_fails_gets_an_error() {
    let store = store(Path::new("/dev/null/files"));
    let upload = begin(&store, "a", 10);
    let (_, first) = put(&store, &upload, b"he");
    let (_, second) = attach(&store, &upload);
    receive(&first, "failed").await;
    assert!(receive(&second, "failed").await["error"].as_str().unwrap().contains("send it again"));
}

#[tokio::test]
async fn a_client_that_attaches_while_the_upload_completes_gets_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 5);
    let (generation, first) = put(&store, &upload, b"hello");
    upload.finish(generation, sha256(b"hello")).unwrap();
    let (_, second) = attach(&store, &upload);
    receive(&first, "stored").await;
    assert!(receive(&second, "failed").await["error"].as_str().unwrap().contains("send it again"));
    // So is one that found the upload before it ended and attaches afterwards.
    let (_, third) = attach(&store, &upload);
    receive(&third, "failed").await;
}

#[tokio::test]
async fn a_client_that_completes_an_expired_upload_gets_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", 5);
    let (generation, sender) = put(&store, &upload, b"hello");
    upload.finish(generation, sha256(b"hello")).unwrap();
    store.cancel(&key("a"));
    assert!(receive(&sender, "failed").await["error"].as_str().unwrap().contains("send it again"));
    assert_eq!(files(&store), []);
}

#[tokio::test]
async fn an_upload_that_ends_does_not_affect_a_later_one_with_its_key() {
    let store = store(Path::new("/dev/null/files"));
    let (_, sender) = put(&store, &begin(&store, "a", 10), b"he");
    store.cancel(&key("a"));
    let _again = begin(&store, "a", 10);
    receive(&sender, "failed").await;
    assert_ne!(store.with(|inventory| inventory.next_expiry()), None, "the second one still holds its room");
}

#[tokio::test]
async fn a_window_of_small_chunks_fits_into_the_queue() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", WINDOW);
    let (generation, sender) = attach(&store, &upload);
    let ready = receive(&sender, "ready").await;
    let (window, chunk) = (ready["window"].as_u64().unwrap(), ready["chunk"].as_u64().unwrap());
    assert!(window > WINDOW / 4, "{window}");
    let bytes = Bytes::from(vec![7; usize::try_from(chunk).unwrap()]);
    // Nothing is written meanwhile: the task runs on the thread of this test.
    for offset in (0..window).step_by(bytes.len()) {
        assert_eq!(upload.chunk(Chunk { generation, offset, bytes: bytes.clone() }), Ok(()), "{offset}");
    }
    let full = (0..window)
        .step_by(bytes.len())
        .find_map(|offset| upload.chunk(Chunk { generation, offset, bytes: bytes.clone() }).err());
    assert!(full.is_some(), "twice the window does not fit");
}

#[tokio::test]
async fn chunks_of_an_older_generation_take_no_room_from_the_current_one() {
    let parent = tempfile::tempdir().unwrap();
    let store = store(parent.path());
    let upload = begin(&store, "a", WINDOW);
    let (before, first) = attach(&store, &upload);
    receive(&first, "ready").await;
    let (now, second) = attach(&store, &upload);
    receive(&second, "ready").await;
    for generation in [before, now] {
        let bytes = Bytes::from(vec![7; 1 << 18]);
        for offset in (0..WINDOW).step_by(bytes.len()) {
            assert_eq!(upload.chunk(Chunk { generation, offset, bytes: bytes.clone() }), Ok(()), "{offset}");
        }
    }
}

#[test]
fn a_name_cannot_break_out_of_its_header() {
    let name = FileName::parse("a'; x=\u{fc} 100%.txt").unwrap();
    assert_eq!(
        attachment(&name),
        "attachment; filename=\"a__ x__ 100_.txt\"; filename*=UTF-8''a%27%3B%20x%3D%C3%BC%20100%25.txt"
    );
}
