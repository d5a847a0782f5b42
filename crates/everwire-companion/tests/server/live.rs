//! The trading floor of a server as a person starts it.

use std::process::Stdio;

use everwire_test_client::{Client, TIMEOUT};
use tokio::time::timeout;

use crate::process::Process;

/// Subscribes to a channel, and reads until a message of the server contains this.
async fn until(process: &Process, sub: &str, wanted: &str) {
    let mut client =
        Client::try_connect(process.address, "/everwire", &[("sec-websocket-protocol", "everwire.v1")]).await.unwrap();
    client.send(&format!("hello attempt=0\u{1e}{sub}")).await;
    let found = async { while !client.text().await.contains(wanted) {} };
    timeout(TIMEOUT, found).await.unwrap_or_else(|_| panic!("no {wanted} after {sub}"));
}

#[tokio::test]
async fn the_log_of_a_server_with_the_monitor_flag_shows_the_session_that_reads_it() {
    let process = Process::with_log(Stdio::null(), "info", &["--monitor"]);
    until(&process, "sub live/log last:50", r#""message":"a session started session=\""#).await;
    until(&process, "sub live/monitor last:1", r#""processor":"#).await;
}

#[tokio::test]
async fn without_the_flag_the_log_is_denied_and_the_floor_is_open() {
    let process = Process::start(&[]);
    until(&process, "sub live/log last:50", "unsub live/log denied").await;
    until(&process, "sub live/monitor last:1", r#"{"connections":1,"messages_in":"#).await;
    until(&process, "sub live/market state", "key=FJNE").await;
    until(&process, "sub live/news last:5", r#"{"text":"#).await;
}
