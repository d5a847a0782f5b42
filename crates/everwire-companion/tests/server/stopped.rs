//! A process that is stopped (SIGSTOP) for longer than its limits allow, and continued.

use std::time::Duration;

use everwire_test_client::{Client, TIMEOUT, connect, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::Process;

/// The limit that passes while the process is stopped.
const LIMIT: &str = "0.5";

impl Process {
    /// Stops the process, lets `meanwhile` send, and continues it when the limit is over.
    async fn stopped(&self, meanwhile: impl Future<Output = ()>) {
        self.signal("-STOP");
        meanwhile.await;
        // No event ends this: it is the time itself that has to pass.
        sleep(Duration::from_millis(800)).await;
        self.signal("-CONT");
    }
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 1 << 10];
    let count = timeout(TIMEOUT, stream.read(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[tokio::test]
async fn a_message_that_came_while_the_process_was_stopped_keeps_its_connection_open() {
    let process = Process::start(&["--idle-timeout", LIMIT]);
    let mut client = Client::connect(process.address, "/echo").await;
    process.stopped(client.send("still here")).await;
    assert_eq!(client.text().await, "still here");
}

#[tokio::test]
async fn a_request_that_came_while_the_process_was_stopped_is_answered() {
    let process = Process::start(&["--handshake-timeout", LIMIT]);
    let mut stream = connect(process.address);
    // The server has accepted the connection before this one.
    http(process.address, "/healthz", "").await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", process.address);
    process.stopped(async { stream.write_all(request.as_bytes()).await.unwrap() }).await;
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_second_request_that_came_while_the_process_was_stopped_is_answered() {
    let process = Process::start(&["--handshake-timeout", LIMIT]);
    let mut stream = connect(process.address);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", process.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    // A second more is what a request on a connection that has served one may take.
    process
        .stopped(async {
            stream.write_all(request.as_bytes()).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        })
        .await;
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
