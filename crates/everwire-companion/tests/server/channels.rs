//! The channels at `/everwire`: what every client may do, who it is, faults, and what stays over a restart.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use everwire_companion::{Config, Server, StartError};
use everwire_companion_api::server::IssuedToken;
use everwire_server::Clock;
use everwire_test_client::{Client, Refused, TIMEOUT, http};
use tokio::time::timeout;

use crate::harness::Harness;
use crate::process::Process;

/// A client that speaks lines.
struct ChannelsClient {
    client: Client,
    received: VecDeque<String>,
}

impl ChannelsClient {
    async fn connect(address: SocketAddr, path: &str) -> Result<Self, Refused> {
        let client = Client::try_connect(address, path, &[("sec-websocket-protocol", "everwire.v1")]).await?;
        Ok(Self { client, received: VecDeque::new() })
    }

    /// A client with a new session.
    async fn attach(harness: &Harness) -> Self {
        let mut client = Self::connect(harness.address(), "/everwire").await.unwrap();
        client.ask("hello attempt=0", "welcome ").await;
        client
    }

    /// Sends a line, and expects the next one to begin like this.
    async fn ask(&mut self, line: &str, start: &str) -> String {
        self.client.send(line).await;
        self.expect(start).await
    }

    /// Expects the next line to begin like this.
    async fn expect(&mut self, start: &str) -> String {
        if self.received.is_empty() {
            self.received.extend(self.client.text().await.split('\u{1e}').map(str::to_owned));
        }
        let line = self.received.pop_front().unwrap();
        assert!(line.starts_with(start), "{line} instead of {start}");
        line
    }
}

#[tokio::test]
async fn without_flags_clients_use_the_channels_of_the_demos_and_no_others() {
    let harness = Harness::start(|_| {}).await;
    let mut client = ChannelsClient::attach(&harness).await;
    client.ask("sub counter/1 live", "subscribed counter/1 ").await;
    client.ask("sub other live", "unsub other denied").await;
    client.ask("sub monitor live", "unsub monitor denied").await;
    client.ask("pub live/market 1\n1", "nack 1 denied").await;
    client.ask("pub other 2\n1", "nack 2 denied").await;
    client.ask("pub counter/2 3\n1", "ack 3 ").await;
}

#[tokio::test]
async fn with_faults_clients_use_any_other_channel() {
    let harness = Harness::start(|config| config.faults = true).await;
    let mut client = ChannelsClient::attach(&harness).await;
    client.ask("pub other 1\n1", "ack 1 ").await;
    client.ask("pub live/market 2\n1", "nack 2 denied").await;
}

#[tokio::test]
async fn faults_work_on_channels_as_on_every_endpoint() {
    let harness = Harness::start(|config| config.faults = true).await;
    let refused = ChannelsClient::connect(harness.address(), "/everwire?fault=refuse:503").await;
    assert_eq!(refused.err().map(|(status, _)| status), Some(503));
    let mut client = ChannelsClient::connect(harness.address(), "/everwire?fault=drop:2").await.unwrap();
    client.ask("hello attempt=0", "welcome ").await;
    client.client.is_cut().await;
    assert_eq!(harness.drops("/everwire", "fault").await, 2);
}

#[tokio::test]
async fn without_the_flag_faults_of_channels_are_refused() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = ChannelsClient::connect(harness.address(), "/everwire?fault=drop:1").await.err().unwrap();
    assert_eq!((status, sentence.contains("--faults")), (400, true));
}

#[tokio::test]
async fn the_page_of_the_demos_learns_which_faults_there_are() {
    for faults in [false, true] {
        let harness = Harness::start(|config| config.faults = faults).await;
        let answer = harness.get("/faults").await;
        assert!(answer.contains("content-type: application/json"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{{\"faults\":{faults},\"kill\":false}}")), "{answer}");
    }
}

#[tokio::test]
async fn with_a_journal_messages_stay_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let with_journal = |config: &mut Config| config.journal = Some(journal.clone());
    let harness = Harness::start(with_journal).await;
    ChannelsClient::attach(&harness).await.ask("pub counter/1 1\nhello", "ack 1 ").await;
    harness.server.stop().await;
    let harness = Harness::start(with_journal).await;
    let mut client = ChannelsClient::attach(&harness).await;
    client.ask("sub counter/1 last:1", "subscribed counter/1 ").await;
    assert!(client.expect("msg counter/1 ").await.ends_with("\nhello"));
}

#[tokio::test]
async fn an_empty_lobby_has_a_line_of_welcome_once() {
    let folder = tempfile::tempdir().unwrap();
    let with_journal = |config: &mut Config| config.journal = Some(folder.path().join("journal"));
    for _ in 0..2 {
        let harness = Harness::start(with_journal).await;
        let mut client = ChannelsClient::attach(&harness).await;
        // The line is published while the server starts.
        let page = loop {
            let page = client.ask("req chat/history 1\n{\"room\":\"lobby\",\"limit\":9}", "res 1 0\n").await;
            if !page.contains("\"last\":0") {
                break page;
            }
            client = ChannelsClient::attach(&harness).await;
        };
        assert!(page.contains("\"last\":1,") && page.contains("\"name\":\"Everwire\""), "{page}");
        drop(client);
        harness.server.stop().await;
    }
}

#[tokio::test]
async fn a_request_for_too_much_history_says_what_to_change() {
    let harness = Harness::start(|_| {}).await;
    let mut client = ChannelsClient::attach(&harness).await;
    let failed = client.ask("req chat/history 1\n{\"room\":\"lobby\",\"limit\":201}", "nack 1 failed of=req\n").await;
    assert!(failed.ends_with("limit: use a number from 1 to 200"), "{failed}");
}

#[tokio::test]
async fn a_journal_that_another_server_has_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        || Config { listen: ([127, 0, 0, 1], 0).into(), journal: Some(folder.path().to_owned()), ..Config::default() };
    let _first = Server::bind(config()).await.unwrap();
    let error = Server::bind(config()).await.unwrap_err();
    assert!(matches!(error, StartError::Journal(_)) && error.to_string().contains("in use"), "{error}");
}

/// What `GET /token` answers.
async fn token(harness: &Harness, query: &str) -> IssuedToken {
    let answer = harness.get(&format!("/token?{query}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("cache-control: no-store"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn the_others_see_the_name_and_the_user_of_a_token() {
    let harness = Harness::start(|_| {}).await;
    let ada = token(&harness, "name=%20Ada%20L.%20").await;
    let mut client = ChannelsClient::connect(harness.address(), "/everwire").await.unwrap();
    client.ask(&format!("hello attempt=0\n{}", ada.token), "welcome ").await;
    client.ask("sub chat/lobby live presence=1", "subscribed ").await;
    client.expect("presence chat/lobby 1").await;
    let join = client.expect("join chat/lobby ").await;
    assert!(join.ends_with(&format!("\n{{\"name\":\"Ada L.\",\"user\":\"{}\"}}", ada.user)), "{join}");
}

/// Subscribes to the channel of a room, publishes there, and returns the payload that the others get.
async fn published(client: &mut ChannelsClient, channel: &str, payload: &str) -> String {
    client.ask(&format!("sub {channel} live"), "subscribed ").await;
    client.ask(&format!("pub {channel} 1\n{payload}"), "ack 1 ").await;
    client.expect("msg ").await.split_once('\n').unwrap().1.to_owned()
}

const OF_EVE: &str = r#"{"id":"m1","author":{"id":"ada's id","name":"Ada"},"text":"I owe Eve 100"}"#;

/// Otherwise a visitor could speak for another, whose id everyone in the room knows.
#[tokio::test]
async fn the_author_of_a_message_is_the_visitor_of_the_token_whatever_the_client_writes() {
    let harness = Harness::start(|_| {}).await;
    let eve = token(&harness, "name=Eve").await;
    let expected = format!(r#""author":{{"id":"{}","name":"Eve"}}"#, eve.user);
    let typing = r#"{"author":{"id":"ada's id","name":"Ada"}}"#;
    for (channel, payload) in [("chat/lobby", OF_EVE), ("chat/lobby/typing", typing)] {
        let mut client = ChannelsClient::connect(harness.address(), "/everwire").await.unwrap();
        client.ask(&format!("hello attempt=0\n{}", eve.token), "welcome ").await;
        let message = published(&mut client, channel, payload).await;
        assert!(message.contains(&expected) && !message.contains("Ada"), "{message}");
    }
}

#[tokio::test]
async fn a_client_without_a_token_writes_as_its_session_under_a_name_of_its_own() {
    let harness = Harness::start(|_| {}).await;
    let mut client = ChannelsClient::connect(harness.address(), "/everwire").await.unwrap();
    let welcome = client.ask("hello attempt=0", "welcome ").await;
    let session = welcome.split(' ').nth(1).unwrap();
    let message = published(&mut client, "chat/lobby", OF_EVE).await;
    assert!(message.contains(&format!(r#""author":{{"id":"{session}","name":"Ada"}}"#)), "{message}");
}

#[tokio::test]
async fn what_is_no_message_of_the_chat_is_refused() {
    let harness = Harness::start(|_| {}).await;
    let mut client = ChannelsClient::attach(&harness).await;
    let turned = r#"{"id":"m","author":{"id":"","name":"\u202eadA"},"text":""}"#;
    for (seq, payload) in ["hello", "{}", r#"{"author":{"name":"Ada"},"text":"hi"}"#, turned].into_iter().enumerate() {
        let seq = seq + 1;
        client.ask(&format!("pub chat/lobby {seq}\n{payload}"), &format!("nack {seq} denied\n")).await;
    }
    client.ask("pub chat/lobby 5 key=m1", "nack 5 denied\n").await;
}

#[tokio::test]
async fn an_expired_token_is_refused_and_the_renewed_one_resumes_the_session() {
    let now = Arc::new(AtomicU32::new(0));
    let clock = Arc::clone(&now);
    let harness = Harness::start(|config| {
        config.clock = Clock::from_fn(move || clock.load(Ordering::Relaxed).into());
        config.token_ttl = Duration::from_secs(1);
    })
    .await;
    let connect = async || ChannelsClient::connect(harness.address(), "/everwire").await.unwrap();
    let first = token(&harness, "name=Ada").await;
    let welcome = connect().await.ask(&format!("hello attempt=0\n{}", first.token), "welcome ").await;
    let word = |name: &str| welcome.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
    let session = format!("session={} secret={}", welcome.split(' ').nth(1).unwrap(), word("secret="));
    now.store(1_000, Ordering::Relaxed);
    let resume = format!("hello attempt=1 {session}\n");
    connect().await.ask(&format!("{resume}{}", first.token), "error unauthorized fatal=1\nthe token has expired").await;
    let second = token(&harness, &format!("name=Ada&renew={}", first.token)).await;
    let resumed = connect().await.ask(&format!("{resume}{}", second.token), "welcome ").await;
    assert!(resumed.contains(" generation=2 "), "{resumed}");
}

#[tokio::test]
async fn no_token_is_issued_to_a_bad_name_or_to_a_page_of_another_origin() {
    let harness = Harness::start(|_| {}).await;
    for query in ["", "?name=", "?name=%20", "?name=a%0Ab", &format!("?name={}", "x".repeat(41))] {
        let answer = harness.get(&format!("/token{query}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("1 to 40 characters"), "{query}: {answer}");
    }
    for header in ["Origin: https://example.org\r\n", "Host: example.org\r\n"] {
        let request = format!("GET /token?name=Ada HTTP/1.1\r\n{header}Connection: close\r\n");
        let host = if header.starts_with("Host") { String::new() } else { format!("Host: {}\r\n", harness.address()) };
        let answer = everwire_test_client::raw(harness.address(), &format!("{request}{host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    let same = format!("Origin: http://{}\r\n", harness.address());
    assert!(http(harness.address(), "/token?name=Ada", &same).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_page_of_another_origin_that_may_connect_reads_what_the_server_offers() {
    let harness = Harness::start(|_| {}).await;
    for path in ["/token?name=Ada", "/faults"] {
        let answer = http(harness.address(), path, "Origin: http://127.0.0.1:8080\r\n").await;
        assert!(answer.contains("access-control-allow-origin: http://127.0.0.1:8080\r\n"), "{answer}");
        let answer = http(harness.address(), path, "Origin: https://example.org\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("access-control"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_with_an_empty_token_is_anonymous() {
    let harness = Harness::start(|_| {}).await;
    let mut client = ChannelsClient::connect(harness.address(), "/everwire").await.unwrap();
    client.ask("hello attempt=0\n", "welcome ").await;
}

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
