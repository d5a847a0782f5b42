//! The journal of a process that ends in the middle of its work. The tests start themselves again as that process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use everwire_server::broker::{
    Broker, BrokerError, Fsync, Journal, JournalConfig, JournalError, Publication, Retention, SessionExpiry,
};

use crate::{channel, everything, publish_again, session, text, texts};

const DIRECTORY: &str = "EVERWIRE_TEST_JOURNAL";
const TASK: &str = "EVERWIRE_TEST_TASK";
const SESSIONS: u64 = 3;
const KEEP: Duration = Duration::from_secs(120);
const EVERYTHING: Retention = Retention::stream().with_count(u64::MAX).with_bytes(u64::MAX);

/// Starts a task of this module in another process.
fn command(task: &str, directory: &Path) -> Command {
    let mut command = Command::new("sh");
    // With the signal ignored, a write beyond the limit on file sizes fails instead of ending the process.
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::the_other_process", "--ignored", "--nocapture"]);
    command.env(DIRECTORY, directory).env(TASK, task);
    command
}

fn start(task: &str, directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(task, directory).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The words of the lines that begin with `ack`, as numbers.
fn acks(output: impl BufRead) -> impl Iterator<Item = (u64, u64, u64)> {
    output.lines().map_while(Result::ok).filter_map(|line| {
        let mut numbers = line.strip_prefix("ack ")?.split(' ').map(|word| word.parse().unwrap());
        Some((numbers.next()?, numbers.next()?, numbers.next()?))
    })
}

fn ack(session: u64, seq: u64, offset: u64) {
    let mut output = stdout().lock();
    writeln!(output, "ack {session} {seq} {offset}").unwrap();
    output.flush().unwrap();
}

#[tokio::test]
#[ignore = "a part of other tests, which start it in a process of its own"]
async fn the_other_process() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    match std::env::var(TASK).unwrap().as_str() {
        "publish" => publish(&directory, Fsync::Always).await,
        "publish, fsync later" => publish(&directory, Fsync::Interval(Duration::from_secs(3600))).await,
        "fill the disk" => fill_the_disk(&directory).await,
        "fill the disk, fsync later" => fill_the_disk_before_fsync(&directory).await,
        task => panic!("no task {task}"),
    }
}

/// Publishes for all sessions from the first numbers that the parent has no answer for, until it is killed.
async fn publish(directory: &Path, fsync: Fsync) {
    let mut config = JournalConfig::default();
    config.fsync = fsync;
    let journal = Journal::open_with(directory, config).unwrap();
    let mut next = BTreeMap::new();
    for number in 0..SESSIONS {
        let id = session(&number.to_string());
        let stored = journal.load_session(&id).await.unwrap();
        // Repeats a few that were answered already, as a client that has not received the answers does.
        let stored = stored.and_then(|stored| Some(stored.answers.last()?.0)).unwrap_or(0);
        next.insert(number, stored.saturating_sub(5) + 1);
        journal.store_session(id, Bytes::from_static(b"record"), SessionExpiry::Attached(KEEP)).await.unwrap();
    }
    loop {
        let mut waiting = Vec::new();
        for _ in 0..5 {
            for (number, seq) in &mut next {
                let publication = text("chat", &format!("{number}:{seq}")).with_retention(EVERYTHING);
                let publication = publication.by(session(&number.to_string()), *seq);
                waiting.push((*number, *seq, journal.publish(publication)));
                *seq += 1;
            }
        }
        for (number, seq, publish) in waiting {
            ack(number, seq, publish.await.unwrap().offset);
        }
    }
}

#[tokio::test]
async fn a_killed_process_has_stored_each_acknowledged_message_once_with_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let mut acknowledged = BTreeMap::new();
    for _ in 0..20 {
        let (mut child, output) = start("publish", directory.path());
        let until_kill = random.usize(1..120);
        let mut acks = acks(output);
        for (session, seq, offset) in acks.by_ref().take(until_kill) {
            let first = *acknowledged.entry((session, seq)).or_insert(offset);
            assert_eq!(first, offset, "a repetition was stored again");
        }
        child.kill().unwrap();
        // What it has printed before it ended.
        acknowledged.extend(acks.map(|(session, seq, offset)| ((session, seq), offset)));
        child.wait().unwrap();
    }
    let journal = Journal::open(directory.path()).unwrap();
    assert!(journal.corruptions().is_empty());
    let messages = journal.read(&channel("chat"), 0, everything()).await.unwrap().messages;
    assert!(acknowledged.len() > 500, "{} were acknowledged", acknowledged.len());
    let mut latest = BTreeMap::new();
    for message in &messages {
        let by = message.by.as_ref().unwrap();
        let next = latest.entry(by.session.clone()).or_insert(0);
        assert_eq!(by.seq, *next + 1, "a message of session {} is missing or repeated", by.session);
        *next = by.seq;
        assert_eq!(message.payload, Some(format!("{}:{}", by.session, by.seq).into()));
    }
    for ((number, seq), offset) in acknowledged {
        let message = &messages[offset as usize - 1];
        assert_eq!(message.payload, Some(format!("{number}:{seq}").into()), "offset {offset}");
    }
    for (id, seq) in latest {
        let stored = journal.load_session(&id).await.unwrap().unwrap();
        assert_eq!(stored.answers.last().map(|(seq, _)| *seq), Some(seq));
        assert_eq!(stored.answers.len(), 64);
    }
}

#[tokio::test]
async fn a_process_that_is_killed_before_its_fsync_takes_back_all_that_was_published_since() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, output) = start("publish, fsync later", directory.path());
    assert_eq!(acks(output).take(100).count(), 100);
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    assert!(journal.corruptions().is_empty());
    assert_eq!(journal.history(&channel("chat"), 0).await.unwrap().last.offset, 0);
    assert_eq!(journal.publish(text("chat", "next")).await.unwrap().offset, 1);
}

#[tokio::test]
async fn a_journal_that_another_process_has_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, output) = start("publish", directory.path());
    assert_eq!(acks(output).take(1).count(), 1);
    let refused = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    Journal::open(directory.path()).unwrap();
}

fn limit_file_size(bytes: u64) {
    let (_, hard) = rlimit::Resource::FSIZE.get().unwrap();
    rlimit::Resource::FSIZE.set(bytes, hard).unwrap();
}

fn lift_limit() {
    let (_, hard) = rlimit::Resource::FSIZE.get().unwrap();
    rlimit::Resource::FSIZE.set(hard, hard).unwrap();
}

fn large(number: u64) -> Publication {
    text("chat", &format!("{number}:{}", "x".repeat(10_000)))
}

async fn fill_the_disk(directory: &Path) {
    let journal = Journal::open(directory).unwrap();
    limit_file_size(3 << 20);
    let (mut stored, mut number) = (Vec::new(), 0);
    let refused = loop {
        number += 1;
        match journal.publish(large(number)).await {
            Ok(position) => stored.push((number, position)),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(&refused, BrokerError::Unavailable { .. }), "{refused:?}");
    assert!(refused.is_retryable());
    // What is stored can be read meanwhile.
    assert_eq!(journal.read(&channel("chat"), 0, everything()).await.unwrap().messages.len(), stored.len());
    assert!(journal.publish(large(number)).await.is_err());
    assert!(journal.stats().is_failing);
    lift_limit();
    stored.push((number, publish_again(&journal, large(number)).await));
    assert!(!journal.stats().is_failing);
    assert!(journal.corruptions().is_empty());
    drop(journal);
    let journal = Journal::open(directory).unwrap();
    let messages = journal.read(&channel("chat"), 0, everything()).await.unwrap().messages;
    let numbers: Vec<u64> =
        texts(&messages).iter().map(|text| text.split_once(':').unwrap().0.parse().unwrap()).collect();
    assert_eq!(numbers, (1..=number).collect::<Vec<_>>());
    assert_eq!(
        messages.iter().map(|message| message.cursor).collect::<Vec<_>>(),
        stored.iter().map(|(_, at)| *at).collect::<Vec<_>>()
    );
}

#[test]
fn a_full_disk_refuses_publishes_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let ended = command("fill the disk", directory.path()).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

/// Subscribers have seen offsets that are used again.
async fn fill_the_disk_before_fsync(directory: &Path) {
    let mut config = JournalConfig::default();
    config.fsync = Fsync::Interval(Duration::from_secs(3600));
    let journal = Journal::open_with(directory, config).unwrap();
    let first = journal.publish(text("other", "lost")).await.unwrap();
    limit_file_size(3 << 20);
    while journal.publish(large(0)).await.is_ok() {}
    lift_limit();
    let again = publish_again(&journal, text("other", "stored")).await;
    assert_ne!(again.epoch, first.epoch);
    let messages = journal.read(&channel("other"), 0, everything()).await.unwrap().messages;
    assert_eq!(texts(&messages), ["stored"]);
}

#[test]
fn messages_that_a_failure_takes_back_do_not_lend_their_offsets_to_others_in_the_same_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let ended = command("fill the disk, fsync later", directory.path()).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}
