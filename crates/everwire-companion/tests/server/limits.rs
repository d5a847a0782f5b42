use std::time::Duration;

#[cfg(target_os = "linux")]
use everwire_test_client::Client;
use everwire_test_client::{TIMEOUT, connect, raw};
use futures_util::SinkExt;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;
#[cfg(target_os = "linux")]
use crate::harness::connect_from;

#[tokio::test]
async fn a_message_over_the_greatest_size_closes_with_1009() {
    let harness = Harness::start(|config| config.connection.message_bytes = 1000).await;
    let mut client = harness.client("/echo").await;
    client.echoes(Message::binary(vec![0; 1000])).await;
    client.socket.send(Message::binary(vec![0; 1001])).await.unwrap();
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.as_str()), (1009, "a message may have 1000 bytes"));
    assert_eq!(harness.drops("/echo", "message_too_big").await, 1);
}

#[tokio::test]
async fn the_close_frame_arrives_although_megabytes_follow_the_offending_header() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    // If the server closed TCP with these bytes unread, a reset would destroy the close frame.
    client.socket.send(Message::binary(vec![0; 8 << 20])).await.unwrap();
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn a_client_refused_for_lack_of_room_takes_no_stream() {
    let harness = Harness::start(|config| (config.limits.connections, config.ticker.streams) = (0, 1)).await;
    for rate in 1..=3 {
        harness.refusal(&format!("/ticker?rate={rate}")).await;
    }
    assert_eq!((harness.drops("/ticker", "server_full").await, harness.drops("/ticker", "streams_full").await), (3, 0));
}

#[tokio::test]
async fn more_connections_than_the_server_holds_are_refused_with_503() {
    let harness = Harness::start(|config| config.limits.connections = 2).await;
    let first = harness.client("/echo").await;
    let _second = harness.client("/hello").await;
    let (status, sentence) = harness.refusal("/echo").await;
    assert_eq!(status, 503);
    assert!(sentence.contains("2 connections"), "{sentence}");
    assert_eq!(harness.drops("/echo", "server_full").await, 1);
    drop(first);
    harness.becomes_free().await;
}

#[tokio::test]
async fn more_connections_than_an_address_may_hold_are_refused_with_429() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 1).await;
    let first = harness.client("/echo").await;
    let (status, sentence) = harness.refusal("/echo").await;
    assert_eq!(status, 429);
    assert!(sentence.contains("Your address"), "{sentence}");
    assert_eq!(harness.drops("/echo", "address_full").await, 1);
    drop(first);
    harness.becomes_free().await;
}

#[tokio::test]
async fn more_messages_a_second_than_allowed_close_with_1008_and_a_reason() {
    let harness = Harness::start(|config| config.connection.messages_per_second = 5).await;
    let mut client = harness.client("/echo").await;
    for number in 0..50 {
        client.socket.feed(Message::text(number.to_string())).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    for number in 0..5 {
        assert_eq!(client.text().await, number.to_string(), "what was within the limit is answered");
    }
    assert_eq!(client.closed().await, (1008, "more than 5 messages per second".to_owned()));
    assert_eq!(harness.drops("/echo", "too_many_messages").await, 1);
}

#[tokio::test]
async fn protocol_pings_count_as_messages() {
    let harness = Harness::start(|config| config.connection.messages_per_second = 5).await;
    let mut client = harness.client("/echo").await;
    for _ in 0..50 {
        client.socket.feed(Message::Ping(vec![].into())).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn an_idle_connection_is_closed_with_1001() {
    let harness = Harness::start(|config| config.connection.idle = Duration::from_millis(300)).await;
    let mut silent = harness.client("/echo").await;
    assert_eq!(silent.closed().await, (1001, "no message for 0.3 s".to_owned()));
    assert_eq!(harness.drops("/echo", "idle").await, 1);
}

/// The first bytes of a message of a million.
const BEGINNING: [u8; 16] = [0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0, 1, 2];

#[tokio::test]
async fn a_message_that_is_not_complete_in_time_closes_with_1008_also_among_pings() {
    let harness = Harness::start(|config| {
        config.connection.message = Duration::from_millis(300);
        // Pings count, and there are as many as there can be.
        config.connection.messages_per_second = 0;
    })
    .await;
    let mut client = harness.client("/echo").await;
    client.socket.get_mut().write_all(&[0x02, 0x81, 0, 0, 0, 0, 1]).await.unwrap();
    let pings = async {
        let mut pings = 0;
        while client.socket.send(Message::Ping("between the fragments".into())).await.is_ok() {
            match client.message().await {
                Message::Pong(_) => pings += 1,
                Message::Close(frame) => return (pings, frame.unwrap()),
                other => panic!("{other:?}"),
            }
        }
        panic!("no close frame");
    };
    let (pings, frame) = timeout(TIMEOUT, pings).await.expect("a close frame");
    assert_eq!((u16::from(frame.code), pings > 0), (1008, true), "{frame}");
    assert_eq!(harness.drops("/echo", "unfinished").await, 1);
}

#[tokio::test]
async fn a_message_that_finds_no_room_closes_with_1013_in_time_and_small_messages_pass() {
    let harness = Harness::start(|config| {
        config.limits.buffered_bytes = 200_000;
        config.connection.message = Duration::from_millis(500);
    })
    .await;
    let mut unconcerned = harness.client("/echo").await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = harness.client("/echo").await;
        client.socket.get_mut().write_all(&BEGINNING).await.unwrap();
        client.socket.get_mut().write_all(&[0; 40_000]).await.unwrap();
        unconcerned.echoes(Message::text("still served")).await;
        clients.push(client);
    }
    let mut codes = Vec::new();
    for client in &mut clients {
        codes.push(client.closed().await.0);
    }
    assert!(codes.contains(&1008) && codes.contains(&1013), "{codes:?}");
    // Their memory is available again.
    unconcerned.echoes(Message::binary(vec![0; 180_000])).await;
}

#[tokio::test]
async fn large_messages_of_many_connections_pass_in_turn_where_there_is_no_room_for_all() {
    let harness = Harness::start(|config| config.limits.buffered_bytes = 1_000_000).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(harness.client("/echo").await);
    }
    let large = Message::binary(vec![7; 400_000]);
    let exchanges = clients.iter_mut().map(|client| client.echoes(large.clone()));
    timeout(TIMEOUT, join_all(exchanges)).await.expect("all in time");
}

/// A header alone costs its sender nothing, but reserves memory for the whole message.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_that_announces_large_messages_leaves_room_for_those_of_others() {
    let harness = Harness::start(|config| config.limits.buffered_bytes = 2_000_000).await;
    let mut greedy = Vec::new();
    for _ in 0..10 {
        let mut client = harness.client("/echo").await;
        client.socket.get_mut().write_all(&BEGINNING).await.unwrap();
        greedy.push(client);
    }
    let stream = connect_from([127, 0, 0, 2], harness.address());
    let mut other = Client::over(stream, &format!("ws://{}/echo", harness.address()), &[]).await.unwrap();
    other.echoes(Message::binary(vec![7; 900_000])).await;
}

#[tokio::test]
async fn a_request_that_does_not_arrive_in_time_is_answered_with_408() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(100)).await;
    let answer = raw(harness.address(), "GET /echo HTTP/1.1\r\nHost: localhost\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("send it again."), "{answer}");
    assert!(raw(harness.address(), "").await.starts_with("HTTP/1.1 408 "));
    timed_out(&harness, 2).await;
}

#[tokio::test]
async fn slow_bytes_of_a_request_do_not_extend_its_time_limit() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(200)).await;
    let mut stream = connect(harness.address());
    stream.write_all(b"GET /echo HTTP/1.1\r\n").await.unwrap();
    let drip = async {
        while stream.write_all(b"a: b\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, drip).await.expect("the server must end the connection");
}

#[tokio::test]
async fn a_websocket_outlives_the_time_for_its_handshake() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(200)).await;
    let mut client = harness.client("/echo").await;
    // A later client that sends nothing has used up its time.
    assert!(raw(harness.address(), "").await.starts_with("HTTP/1.1 408 "));
    client.echoes(Message::text("still here")).await;
}

async fn timed_out(harness: &Harness, count: u64) {
    let counted = async { while harness.metric("everwire_handshake_timeouts_total").await != count {} };
    timeout(TIMEOUT, counted).await.expect("handshake timeouts are counted");
}
