//! The binary with `--supervise`: workers that end and are replaced, and what their clients see of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwire::client::{Attachment, ClientEvent, SubscribeOptions};
use everwire::{Backoff, Channel, Delivery};
use everwire_test_client::{Client, TIMEOUT, http, raw};
use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::Harness;
use crate::process::{PROGRAM, Process};

fn supervised(flags: &[&str]) -> Process {
    Process::start(&[&["--supervise", "--faults", "--drain", "0"], flags].concat())
}

/// Sends `POST /kill`, and returns the answer.
async fn kill(address: SocketAddr, headers: &str) -> String {
    let request =
        format!("POST /kill HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");
    raw(address, &request).await
}

/// Returns when nothing listens any more.
async fn is_free(address: SocketAddr) {
    let free = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(TIMEOUT, free).await.expect("nothing listens any more");
}

/// A client of channels, and how often it has resumed its session.
fn channels_client(process: &Process) -> (everwire::Client, Arc<AtomicU64>) {
    let resumed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&resumed);
    let on_event = move |event: &ClientEvent| {
        let is_resumed = *event == ClientEvent::Attached(Attachment::Resumed);
        count.fetch_add(is_resumed.into(), Ordering::Relaxed);
    };
    let url = format!("ws://{}/everwire", process.address);
    let soon = Duration::from_millis(20);
    let eager = Backoff::default().floor(soon).first(soon).max(soon).quick(soon);
    let client = everwire::Client::builder(url).socket(|socket| socket.backoff(eager)).on_event(on_event);
    (client.connect().unwrap(), resumed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_killed_worker_resume_their_sessions_and_lose_and_repeat_nothing() {
    const KILLS: u64 = 3;
    const UNDER_WAY: usize = 6;
    const CHANNEL: Channel<u64> = Channel::new("counter/1");
    /// The last message.
    const LAST: u64 = 0;
    let journal = tempfile::tempdir().unwrap();
    let process = supervised(&["--journal", journal.path().to_str().unwrap()]);
    let ((publisher, resumed), (subscriber, _)) = (channels_client(&process), channels_client(&process));
    let mut numbers = subscriber.subscribe_with(&CHANNEL, &SubscribeOptions::default().last(1));
    // A worker that is killed before it has a session leaves nothing to resume.
    for client in [&publisher, &subscriber] {
        timeout(TIMEOUT, client.attached()).await.expect("a welcome").unwrap();
    }
    let publishing = async {
        let (mut published, mut stored) = (0, 0);
        let mut under_way = VecDeque::new();
        for kills in 1..=KILLS {
            assert!(kill(process.address, "").await.starts_with("HTTP/1.1 204 "));
            while resumed.load(Ordering::Relaxed) < kills {
                published += 1;
                under_way.push_back(publisher.publish(&CHANNEL, &published));
                if under_way.len() == UNDER_WAY {
                    stored += 1;
                    let at = timeout(TIMEOUT, under_way.pop_front().unwrap()).await.expect("an answer").unwrap();
                    assert_eq!(at.offset(), stored, "a message was lost or stored twice");
                }
            }
        }
        publisher.publish(&CHANNEL, &LAST).await.unwrap();
        published
    };
    let receiving = async {
        let mut received = Vec::new();
        loop {
            match timeout(TIMEOUT, numbers.next()).await.expect("a message").expect("an open subscription") {
                Delivery::Message(message) if message.value == LAST => return received,
                Delivery::Message(message) => received.push((message.offset(), message.value)),
                Delivery::Resumed | Delivery::CaughtUp => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let (published, received) = tokio::join!(publishing, receiving);
    assert!(received.into_iter().eq((1..=published).map(|number| (number, number))), "not each message came once");
}

#[tokio::test]
async fn a_worker_that_was_killed_is_replaced_and_clients_wait_meanwhile() {
    let process = supervised(&[]);
    let mut client = Client::connect(process.address, "/echo").await;
    assert_eq!(client.ask("hi").await, "hi");
    assert!(kill(process.address, "").await.starts_with("HTTP/1.1 204 "));
    client.is_cut().await;
    let answer = http(process.address, "/healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn the_page_learns_that_it_can_kill_the_server() {
    let process = supervised(&[]);
    assert!(http(process.address, "/faults", "").await.ends_with("{\"faults\":true,\"kill\":true}"));
}

#[tokio::test]
async fn only_a_post_from_a_page_of_the_server_kills_it() {
    let process = supervised(&[]);
    let mut client = Client::connect(process.address, "/echo").await;
    assert!(http(process.address, "/kill", "").await.starts_with("HTTP/1.1 405 "));
    assert!(kill(process.address, "Origin: https://example.org\r\n").await.starts_with("HTTP/1.1 403 "));
    let rebound = "POST /kill HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(raw(process.address, rebound).await.starts_with("HTTP/1.1 403 "));
    assert_eq!(client.ask("still?").await, "still?");
    let origin = format!("Origin: http://{}\r\n", process.address);
    assert!(kill(process.address, &origin).await.starts_with("HTTP/1.1 204 "));
    client.is_cut().await;
}

#[tokio::test]
async fn a_server_without_a_supervisor_cannot_be_killed() {
    let harness = Harness::start(|config| config.faults = true).await;
    let answer = kill(harness.address(), "").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("--supervise"), "{answer}");
    let process = Process::start(&["--supervise", "--drain", "0"]);
    let answer = kill(process.address, "").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("--faults"), "{answer}");
}

#[tokio::test]
async fn a_signal_to_stop_drains_the_worker_and_ends_both_with_success() {
    for signal in ["-TERM", "-INT"] {
        let mut process = supervised(&[]);
        let mut client = Client::connect(process.address, "/echo").await;
        assert_eq!(client.ask("hi").await, "hi");
        process.signal(signal);
        assert_eq!(client.closed().await.0, 1001, "{signal}");
        assert!(process.end().await.success(), "{signal}");
        is_free(process.address).await;
    }
}

#[tokio::test]
async fn a_second_signal_cuts_the_drain_short() {
    let mut process = Process::start(&["--supervise", "--drain", "3600"]);
    // Number 0 has the first turn, at once; number 1 has the rest of the hour.
    let mut first = Client::connect(process.address, "/echo").await;
    first.ask("hi").await;
    let mut second = Client::connect(process.address, "/echo").await;
    second.ask("hi").await;
    process.signal("-TERM");
    assert_eq!(first.closed().await.0, 1001);
    assert_eq!(second.ask("still?").await, "still?");
    process.signal("-TERM");
    assert_eq!(process.end().await.code(), Some(1));
    second.is_cut().await;
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_worker_with_it() {
    let mut process = supervised(&[]);
    let mut client = Client::connect(process.address, "/echo").await;
    assert_eq!(client.ask("hi").await, "hi");
    process.child.kill().unwrap();
    client.is_cut().await;
    is_free(process.address).await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_ends_its_supervisor_before_anything_is_announced() {
    let journal = tempfile::tempdir().unwrap();
    let _first = Harness::start(|config| config.journal = Some(journal.path().to_owned())).await;
    let flags = ["--supervise", "--listen", "127.0.0.1:0", "--journal", journal.path().to_str().unwrap()];
    let output = Command::new(PROGRAM).args(flags).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use"));
}

#[test]
fn a_worker_without_a_supervisor_says_what_to_use() {
    let output = Command::new(PROGRAM).arg("--worker").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("use --supervise"));
}
