//! The limits of a server: sizes, rates and times of messages, which connections hold a permit and for how long, and slow readers.

use std::time::Duration;

use everwire_test_client::{Client, TIMEOUT, connect, raw};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

#[cfg(target_os = "linux")]
use crate::harness::connect_from;

#[cfg(target_os = "linux")]
use crate::process::Process;

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

/// Waits until the server has ended a connection, and returns what it received on it.
async fn ended(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    // A connection that is cut without an answer may be reset.
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut received)).await.expect("an end in time");
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_with_408_and_its_place_is_free() {
    let head = "POST /lab/echo?call=a HTTP/1.1\r\nHost: localhost\r\n";
    for body in
        ["Content-Length: 5\r\n\r\n", "Content-Length: 5\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"]
    {
        let harness = Harness::start(|config| {
            config.limits.handshake = Duration::from_millis(200);
            config.limits.connections_per_address = 1;
        })
        .await;
        let answer = raw(harness.address(), &format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{body}: {answer}");
        harness.becomes_free().await;
        assert_eq!(harness.drops("/lab/socket", "late_request").await, 1);
    }
}

#[tokio::test]
async fn slow_bytes_of_a_body_do_not_extend_its_time_limit() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(200)).await;
    let mut stream = connect(harness.address());
    let head = "POST /lab/echo?call=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let drip = async {
        let mut pace = interval(Duration::from_millis(20));
        // Fewer than the body has bytes.
        for _ in 0..100 {
            pace.tick().await;
            if write.write_all(b"a").await.is_err() {
                break;
            }
        }
    };
    let mut answer = [0; 12];
    let (answered, ()) = tokio::join!(timeout(TIMEOUT, read.read_exact(&mut answer)), drip);
    answered.expect("an answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_connection_without_another_request_is_closed_in_time() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(100)).await;
    let mut stream = connect(harness.address());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(ended(stream).await.ends_with("ok\n"));
}

/// Sixty idle connections of one address kept all others out, although ten were allowed.
#[tokio::test]
async fn connections_count_from_the_moment_that_they_are_accepted() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 10).await;
    let mut idle: Vec<_> = (0..10).map(|_| connect(harness.address())).collect();
    let (status, sentence) = harness.refusal("/echo").await;
    assert_eq!(status, 429);
    assert!(sentence.contains("Your address holds 10 connections"), "{sentence}");
    for path in ["/", "/lab/poll", "/files/x"] {
        assert!(harness.get(path).await.starts_with("HTTP/1.1 429 "), "{path}");
    }
    idle.clear();
    harness.becomes_free().await;
}

#[tokio::test]
async fn health_and_metrics_are_served_while_the_server_is_full() {
    let harness = Harness::start(|config| config.limits.connections = 1).await;
    let _client = harness.client("/echo").await;
    assert!(harness.get("/healthz").await.ends_with("ok\n"));
    assert!(harness.get("/metrics").await.contains("everwire_connections{endpoint=\"/echo\"} 1"));
    assert!(harness.get("/").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_connection_over_the_limit_lasts_for_one_request_and_too_many_are_cut_at_once() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 1).await;
    let _client = harness.client("/echo").await;
    let mut stream = connect(harness.address());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(ended(stream).await.ends_with("ok\n"), "without `Connection: close`");

    let mut ends: FuturesUnordered<_> = (0..60).map(|_| ended(connect(harness.address()))).collect();
    for _ in 0..60 - 8 {
        assert_eq!(ends.next().await.as_deref(), Some(""));
    }
    drop(ends);
    let cut = async { while harness.metric("everwire_connections_cut_total").await < 52 {} };
    timeout(TIMEOUT, cut).await.expect("what was cut is counted");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_cannot_take_all_files_that_the_system_lets_the_server_open() {
    let process = Process::with_open_files(64, &[]);
    let _idle: Vec<_> = (0..200).map(|_| connect(process.address)).collect();
    let stream = connect_from([127, 0, 0, 2], process.address);
    let url = format!("ws://{}/echo", process.address);
    let client = timeout(TIMEOUT, Client::over(stream, &url, &[])).await.expect("an answer in time");
    assert_eq!(client.ok().unwrap().ask("hi").await, "hi");
}

/// A server with tight limits for slow readers.
async fn harness_with_short_queues() -> Harness {
    Harness::start(|config| {
        config.connection.backlog_bytes = 256 << 10;
        // It may take its time to read what is under way, and what comes behind that.
        config.connection.close = TIMEOUT;
    })
    .await
}

#[tokio::test]
async fn a_slow_reader_is_closed_with_1013_and_counted_and_a_fast_one_misses_nothing() {
    let harness = harness_with_short_queues().await;
    let mut slow = Client::with_small_buffer(harness.address(), "/broadcast").await;
    slow.ask(r#"{"ping":1}"#).await;
    let mut fast = harness.client("/broadcast").await;
    let mut sent = 0_u32;
    let flood = async {
        while harness.drops("/broadcast", "slow_reader").await == 0 {
            for _ in 0..20 {
                let mut message = vec![0; 64 << 10];
                message[..4].copy_from_slice(&sent.to_be_bytes());
                // It comes back although the slow reader does not take it: no client waits for another.
                fast.echoes(Message::binary(message)).await;
                sent += 1;
            }
        }
    };
    timeout(TIMEOUT, flood).await.expect("a reader that never reads must be noticed");
    assert_eq!(slow.closed().await.0, 1013);
    fast.echoes(Message::text("still served")).await;
}

#[tokio::test]
async fn a_slow_reader_reads_in_order_and_without_a_gap() {
    let harness = harness_with_short_queues().await;
    let mut slow = Client::with_small_buffer(harness.address(), "/ticker?rate=10000").await;
    let counted = async { while harness.drops("/ticker", "slow_reader").await == 0 {} };
    timeout(TIMEOUT, counted).await.expect("a reader that never reads must be noticed");
    let mut last = slow.json().await["seq"].as_u64().unwrap();
    loop {
        match slow.message().await {
            Message::Text(text) => {
                let updates: serde_json::Value = serde_json::from_str(&text).unwrap();
                for update in updates["updates"].as_array().unwrap() {
                    last += 1;
                    assert_eq!(update["seq"], last);
                }
            }
            Message::Close(frame) => break assert_eq!(u16::from(frame.unwrap().code), 1013),
            other => panic!("{other:?}"),
        }
    }
}

/// Its stream is observed, so that it is written through the stream with the time limits of HTTP.
#[tokio::test]
async fn a_client_of_the_lab_that_sends_without_reading_is_counted_as_a_slow_reader() {
    let harness = Harness::start(|config| config.connection.write = Duration::from_millis(300)).await;
    send_without_reading(&harness, "/lab/socket?call=x").await.1.abort();
}

/// Sends until the server counts a slow reader. Returns the reading half, and the task that continues to send.
async fn send_without_reading(
    harness: &Harness,
    path: &str,
) -> (SplitStream<WebSocketStream<TcpStream>>, JoinHandle<()>) {
    let client = Client::with_small_buffer(harness.address(), path).await;
    let (mut write, read) = client.socket.split();
    let sending = tokio::spawn(async move { while write.send(Message::binary(vec![0; 64 << 10])).await.is_ok() {} });
    let endpoint = path.split('?').next().unwrap();
    let counted = async { while harness.drops(endpoint, "slow_reader").await == 0 {} };
    timeout(TIMEOUT, counted).await.expect("a client that never reads must be noticed");
    (read, sending)
}

#[tokio::test]
async fn a_client_that_sends_without_reading_is_slowed_down_and_then_closed_with_1013() {
    let harness = Harness::start(|config| {
        config.connection.write = Duration::from_millis(300);
        // The client may take its time to read what is under way.
        config.connection.close = TIMEOUT;
    })
    .await;
    let (mut read, sending) = send_without_reading(&harness, "/echo").await;
    let read_to_the_end = async {
        while let Some(Ok(message)) = read.next().await {
            if let Message::Close(frame) = message {
                return u16::from(frame.unwrap().code);
            }
        }
        panic!("no close frame");
    };
    assert_eq!(timeout(TIMEOUT, read_to_the_end).await.expect("a close frame in time"), 1013);
    sending.abort();
}
