use std::time::Instant;

use everwire_test_client::Client;
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

async fn harness() -> Harness {
    Harness::start(|config| config.faults = true).await
}

/// Lets the server do whatever it was about to do: it answers another client many times.
async fn let_the_server_act(harness: &Harness) {
    let mut other = harness.client("/echo").await;
    for _ in 0..50 {
        other.ask("tick").await;
    }
}

#[tokio::test]
async fn drop_cuts_without_a_close_frame_after_messages_in_both_directions_together() {
    let harness = harness().await;
    let mut client = harness.client("/echo?fault=drop:3").await;
    assert_eq!(client.ask("first").await, "first");
    client.send("third").await;
    client.is_cut().await;
    assert_eq!(harness.drops("/echo", "fault").await, 1);
}

#[tokio::test]
async fn drop_counts_what_the_server_sends_by_itself() {
    let harness = harness().await;
    let mut client = harness.client("/countdown?every=1&fault=drop:2").await;
    assert_eq!(client.text().await, "10");
    assert_eq!(client.text().await, "9");
    client.is_cut().await;
}

#[tokio::test]
async fn drop_zero_cuts_right_after_the_handshake() {
    let harness = harness().await;
    harness.client("/ticker?fault=drop:0").await.is_cut().await;
}

#[tokio::test]
async fn half_open_keeps_tcp_and_answers_nothing_not_even_protocol_pings() {
    let harness = harness().await;
    let mut client = harness.client("/echo?fault=half-open:2").await;
    assert_eq!(client.ask("still there?").await, "still there?");
    client.send("and now?").await;
    client.socket.send(Message::Ping(vec![1].into())).await.unwrap();
    let_the_server_act(&harness).await;
    assert!(client.is_silent());
    harness.server.stop().await;
    client.is_cut().await;
}

#[tokio::test]
async fn without_half_open_the_same_silence_would_be_noticed() {
    let harness = harness().await;
    let mut client = harness.client("/echo").await;
    client.socket.send(Message::Ping(vec![1].into())).await.unwrap();
    let_the_server_act(&harness).await;
    assert!(!client.is_silent());
}

#[tokio::test]
async fn delay_holds_each_message_and_keeps_the_order() {
    let harness = harness().await;
    let mut client = harness.client("/echo?fault=delay:200").await;
    let start = Instant::now();
    client.send("a").await;
    client.send("b").await;
    assert_eq!((client.text().await, client.text().await), ("a".to_owned(), "b".to_owned()));
    assert!(start.elapsed().as_millis() >= 200);
}

#[tokio::test]
async fn delay_also_holds_the_close_until_the_messages_are_out() {
    let harness = harness().await;
    let mut client = harness.client("/hello?fault=delay:50").await;
    assert_eq!(client.ask("Ann").await, "Hello Ann!");
    assert_eq!(client.closed().await.0, 1000);
}

#[tokio::test]
async fn refuse_answers_the_handshake_with_the_status() {
    let harness = harness().await;
    for status in [401, 503] {
        assert_eq!(harness.refusal(&format!("/echo?fault=refuse:{status}")).await.0, status);
    }
}

#[tokio::test]
async fn close_closes_with_the_code_at_once_or_after_messages() {
    let harness = harness().await;
    assert_eq!(harness.client("/echo?fault=close:4321").await.closed().await.0, 4321);
    let mut client = harness.client("/echo?fault=close:1012:2").await;
    assert_eq!(client.ask("one more").await, "one more");
    assert_eq!(client.closed().await.0, 1012);
}

#[tokio::test]
async fn garbage_comes_between_the_real_messages_as_text_and_as_binary() {
    let harness = harness().await;
    let mut client = harness.client("/echo?fault=garbage").await;
    client.send("real").await;
    let (mut texts, mut binaries) = (0, 0);
    loop {
        match client.message().await {
            Message::Text(text) if text.as_str() == "real" => break,
            Message::Text(text) => {
                assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
                texts += 1;
            }
            _ => binaries += 1,
        }
    }
    assert!(texts > 0 && binaries > 0, "{texts} texts and {binaries} binaries");
}

#[tokio::test]
async fn several_faults_work_together() {
    let harness = harness().await;
    let mut client = harness.client("/echo?fault=delay:50,close:4000:2").await;
    assert_eq!(client.ask("late").await, "late");
    assert_eq!(client.closed().await.0, 4000);
}

#[tokio::test]
async fn a_fault_outside_the_grammar_is_refused_with_the_grammar() {
    let (status, sentence) = harness().await.refusal("/echo?fault=explode").await;
    assert_eq!(status, 400);
    for word in ["explode", "drop:N", "half-open:N", "delay:MS", "refuse:STATUS", "close:CODE", "garbage"] {
        assert!(sentence.contains(word), "{word} is missing in {sentence}");
    }
}

#[tokio::test]
async fn without_the_flag_faults_are_refused() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = harness.refusal("/echo?fault=drop:1").await;
    assert_eq!((status, sentence.contains("--faults")), (400, true));
    assert!(Client::try_connect(harness.address(), "/echo", &[]).await.is_ok());
}
