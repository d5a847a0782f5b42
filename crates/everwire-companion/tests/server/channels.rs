//! The channels at `/everwire`: what every client may do, faults, and what stays over a restart.

use std::collections::VecDeque;
use std::net::SocketAddr;

use everwire_companion::{Config, Server, StartError};
use everwire_test_client::{Client, Refused};

use crate::harness::Harness;

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
    ChannelsClient::attach(&harness).await.ask("pub chat/room 1\nhello", "ack 1 ").await;
    harness.server.stop().await;
    let harness = Harness::start(with_journal).await;
    let mut client = ChannelsClient::attach(&harness).await;
    client.ask("sub chat/room last:1", "subscribed chat/room ").await;
    assert!(client.expect("msg chat/room ").await.ends_with("\nhello"));
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
