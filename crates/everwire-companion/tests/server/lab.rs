//! The transport lab: one log over every transport, under the limits of all connections, and what the server counts for each transport
//! compared with what a raw TCP client sees.

use std::time::{Duration, Instant};

use everwire_server::Origins;
use everwire_test_client::{TIMEOUT, connect, http, raw};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::Harness;

/// A connection that is kept alive, on which every byte in either direction is counted.
struct RawConnection {
    stream: TcpStream,
    sent: usize,
    received: Vec<u8>,
}

impl RawConnection {
    fn connect(harness: &Harness) -> Self {
        Self { stream: connect(harness.address()), sent: 0, received: Vec::new() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.sent += bytes.as_ref().len();
    }

    async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: a raw one\r\n\r\n")).await;
    }

    /// Reads until the condition holds for what was received.
    async fn until(&mut self, come: impl Fn(&str) -> bool) {
        while !come(&String::from_utf8_lossy(&self.received)) {
            self.read().await;
        }
    }

    /// Reads until so many bytes were received.
    async fn until_length(&mut self, length: usize) {
        while self.received.len() < length {
            self.read().await;
        }
        assert_eq!(self.received.len(), length, "{}", String::from_utf8_lossy(&self.received));
    }

    async fn read(&mut self) {
        let mut buffer = [0; 4096];
        let read = timeout(TIMEOUT, self.stream.read(&mut buffer)).await.expect("bytes in time").unwrap();
        assert!(read > 0, "it ended after {}", String::from_utf8_lossy(&self.received));
        self.received.extend_from_slice(&buffer[..read]);
    }

    /// Sends a request, and returns the body of a response with a length.
    async fn ask(&mut self, path: &str) -> String {
        let before = self.received.len();
        self.get(path).await;
        self.answer(before).await
    }

    async fn answer(&mut self, before: usize) -> String {
        let whole = |text: &str| {
            let (head, body) = text.get(before..)?.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            (body.len() >= length.parse::<usize>().unwrap()).then(|| body.to_owned())
        };
        self.until(|text| whole(text).is_some()).await;
        whole(&String::from_utf8_lossy(&self.received)).unwrap()
    }
}

fn lines(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn numbers(values: &[Value]) -> Vec<u64> {
    values.iter().filter_map(|value| value["seq"].as_u64()).collect()
}

fn assert_consecutive(numbers: &[u64]) {
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[tokio::test]
async fn polls_get_every_message_once_however_far_apart_they_are() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    let mut cursor = lines(&connection.ask("/lab/poll?rate=20").await)[0]["cursor"].as_u64().unwrap();
    let mut heard = vec![cursor];
    let start = Instant::now();
    while heard.len() < 12 {
        let found = numbers(&lines(&connection.ask(&format!("/lab/poll?rate=20&after={cursor}")).await));
        heard.extend(&found);
        cursor = *heard.last().unwrap();
        assert!(start.elapsed() < TIMEOUT);
    }
    assert_consecutive(&heard);
}

#[tokio::test]
async fn a_long_poll_is_held_until_there_is_a_message_and_not_for_ever() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    let cursor = lines(&connection.ask("/lab/long-poll?rate=2").await)[0]["cursor"].as_u64().unwrap();
    let first = lines(&connection.ask(&format!("/lab/long-poll?rate=2&after={cursor}")).await);
    // More than one if the test was delayed.
    assert_eq!(numbers(&first)[0], cursor + 1);

    connection.ask("/lab/poll?call=unused").await;
    let start = Instant::now();
    assert_eq!(connection.ask("/lab/long-poll?call=unused&after=0&wait=200").await, "");
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn all_transports_deliver_the_same_messages() {
    let harness = Harness::start(|_| {}).await;
    let mut socket = harness.client("/lab/socket?rate=20&size=64").await;
    let cursor = socket.json().await["cursor"].as_u64().unwrap();
    let by_socket = [socket.text().await, socket.text().await];

    let query = format!("rate=20&size=64&after={cursor}");
    let has_both = |text: &str| by_socket.iter().all(|message| text.contains(message.as_str()));
    for path in ["stream", "events"] {
        let mut connection = RawConnection::connect(&harness);
        connection.get(&format!("/lab/{path}?{query}")).await;
        connection.until(has_both).await;
    }
    for path in ["poll", "long-poll"] {
        let body = RawConnection::connect(&harness).ask(&format!("/lab/{path}?{query}")).await;
        assert!(has_both(&body), "{path}: {body}");
    }
    let after = format!("/lab/socket?{query}");
    assert_eq!(harness.client(&after).await.text().await, by_socket[0]);
}

#[tokio::test]
async fn an_event_source_resumes_at_its_cursor() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.get("/lab/events?rate=20").await;
    let ids = |text: &str| -> Vec<u64> {
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.trim().parse().ok()).collect()
    };
    connection.until(|text| ids(text).len() >= 2).await;
    let last = ids(&String::from_utf8_lossy(&connection.received))[1];
    let mut again = RawConnection::connect(&harness);
    again.send(format!("GET /lab/events?rate=20 HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {last}\r\n\r\n")).await;
    again.until(|text| !ids(text).is_empty()).await;
    let text = String::from_utf8_lossy(&again.received).into_owned();
    assert_eq!(ids(&text)[0], last + 1);
    assert!(text.contains("content-type: text/event-stream"), "{text}");
}

#[tokio::test]
async fn every_transport_reports_the_gap_after_a_long_absence() {
    let harness = Harness::start(|_| {}).await;
    for path in ["poll", "long-poll", "stream", "events"] {
        let mut connection = RawConnection::connect(&harness);
        connection.get(&format!("/lab/{path}?rate=20&after=1")).await;
        connection.until(|text| text.contains(r#""gap":"#)).await;
    }
    let first = harness.client("/lab/socket?rate=20&after=1").await.json().await;
    assert!(first["gap"].as_u64().unwrap() > 1_000_000, "{first}");
}

#[tokio::test]
async fn a_call_is_answered_on_every_transport() {
    let harness = Harness::start(|_| {}).await;
    let post = |name: &str, body: &str| {
        let (name, length) = (name.to_owned(), body.len());
        format!(
            "POST /lab/echo?call={name} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for path in ["poll", "long-poll", "stream", "events"] {
        let answer = raw(harness.address(), &post(path, r#"{"call":7}"#)).await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        let mut connection = RawConnection::connect(&harness);
        connection.get(&format!("/lab/{path}?call={path}&after=0")).await;
        connection.until(|text| text.contains(r#"{"call":7}"#)).await;
    }
    assert_eq!(harness.client("/lab/socket?call=x").await.ask(r#"{"call":8}"#).await, r#"{"call":8}"#);

    for (body, sentence) in [("two\nlines".to_owned(), "a line of"), ("x".repeat(1025), "up to 1024")] {
        let answer = raw(harness.address(), &post("x", &body)).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(sentence), "{answer}");
    }
}

#[tokio::test]
async fn calls_under_one_name_after_another_are_all_answered() {
    let harness = Harness::start(|_| {}).await;
    for number in 0..200 {
        let body = format!(r#"{{"call":{number}}}"#);
        let post = format!(
            "POST /lab/echo?call=n-{number} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(harness.address(), &post).await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "call {number}: {answer}");
        let answer = harness.get(&format!("/lab/poll?call=n-{number}&after=0")).await;
        assert!(answer.contains(&body), "call {number}: {answer}");
    }
}

#[tokio::test]
async fn a_held_request_takes_the_place_of_a_connection_and_gives_it_back() {
    let harness = Harness::start(|config| config.limits.connections = 2).await;
    let mut stream = RawConnection::connect(&harness);
    stream.get("/lab/stream?rate=1").await;
    stream.until(|text| text.contains("cursor")).await;
    let mut long_poll = RawConnection::connect(&harness);
    long_poll.get("/lab/long-poll?call=a&after=0").await;
    let refused = async { while !harness.get("/lab/poll").await.starts_with("HTTP/1.1 503 ") {} };
    timeout(TIMEOUT, refused).await.expect("a full server");
    assert_eq!(harness.refusal("/echo").await.0, 503);
    drop((stream, long_poll));
    let free = async { while !harness.get("/lab/poll").await.starts_with("HTTP/1.1 200 ") {} };
    timeout(TIMEOUT, free).await.expect("places that were given back");
}

#[tokio::test]
async fn a_page_of_another_origin_may_read_only_if_it_may_connect() {
    let harness =
        Harness::start(|config| config.origins = Origins::default().allow("https://friend.example").unwrap()).await;
    for origin in ["http://localhost:8080", "https://friend.example"] {
        let answer = http(harness.address(), "/lab/poll", &format!("Origin: {origin}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(&format!("access-control-allow-origin: {origin}\r\n")), "{answer}");
        assert!(answer.contains("vary: origin\r\n"), "{answer}");
    }
    let answer = http(harness.address(), "/lab/poll", "Origin: https://evil.example\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("access-control"), "{answer}");
    assert_eq!(harness.drops("/lab/socket", "origin").await, 1);
}

#[tokio::test]
async fn parameters_outside_their_ranges_are_refused_with_the_range() {
    let harness = Harness::start(|_| {}).await;
    for (query, sentence) in
        [("rate=21", "from 1 to 20"), ("size=63", "from 64 to 1024"), ("call=a%20b", "letters"), ("after=x", "number")]
    {
        let answer = harness.get(&format!("/lab/stream?{query}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(sentence), "{query}: {answer}");
    }
}

#[tokio::test]
async fn held_requests_end_when_the_server_stops() {
    let harness = Harness::start(|_| {}).await;
    let mut connections = Vec::new();
    for path in ["/lab/stream?call=a&after=0", "/lab/events?call=a&after=0", "/lab/long-poll?call=a&after=0"] {
        let mut connection = RawConnection::connect(&harness);
        connection.get(path).await;
        connections.push(connection);
    }
    // They are held once a poll behind them was answered.
    connections[0].until(|text| text.contains("200 OK")).await;
    connections[1].until(|text| text.contains("200 OK")).await;
    harness.get("/lab/poll?call=a").await;
    harness.server.stop().await;
    for mut connection in connections {
        let mut rest = Vec::new();
        timeout(TIMEOUT, connection.stream.read_to_end(&mut rest)).await.expect("an end in time").unwrap();
    }
}

mod faults {
    use super::*;

    #[tokio::test]
    async fn a_slow_network_delays_http_as_it_does_a_websocket() {
        let harness = Harness::start(|config| config.faults = true).await;
        harness.get("/lab/poll?call=a").await;
        for path in ["poll", "long-poll", "stream", "events"] {
            let post = format!(
                "POST /lab/echo?call={path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1"
            );
            raw(harness.address(), &post).await;
            let start = Instant::now();
            let mut connection = RawConnection::connect(&harness);
            connection.get(&format!("/lab/{path}?call={path}&after=0&fault=delay:150,jitter:5")).await;
            connection.until(|text| text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.contains('1'))).await;
            assert!(start.elapsed() >= Duration::from_millis(150), "{path}: {:?}", start.elapsed());
        }
        let mut socket = harness.client("/lab/socket?call=a&fault=delay:150").await;
        let start = Instant::now();
        socket.ask("1").await;
        assert!(start.elapsed() >= Duration::from_millis(150));
    }

    #[tokio::test]
    async fn a_lossy_network_loses_nothing_and_keeps_the_order() {
        let harness = Harness::start(|config| config.faults = true).await;
        let mut socket = harness.client("/lab/socket?rate=20&fault=loss:20").await;
        socket.json().await;
        let mut heard = Vec::new();
        for _ in 0..20 {
            heard.push(socket.json().await["seq"].as_u64().unwrap());
        }
        assert_consecutive(&heard);
    }

    #[tokio::test]
    async fn faults_of_sockets_are_refused_and_so_are_all_without_the_flag() {
        let harness = Harness::start(|config| config.faults = true).await;
        let answer = harness.get("/lab/poll?fault=drop:1").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("jitter:MS"), "{answer}");
        assert!(harness.get("/lab/poll?fault=refuse:503").await.starts_with("HTTP/1.1 503 "));
        let answer = Harness::start(|_| {}).await.get("/lab/poll?fault=delay:1").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("--faults"), "{answer}");
    }
}

/// The account of this name.
async fn account(harness: &Harness, name: &str) -> Value {
    let answer = harness.get(&format!("/lab/accounts?names={name}")).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<Value>(body).unwrap()[name].clone()
}

/// Asserts that the server counted what went over this connection to the byte, and returns the account.
async fn assert_counted(harness: &Harness, name: &str, connection: &RawConnection) -> Value {
    let account = account(harness, name).await;
    let expected = (connection.sent, connection.received.len());
    assert_eq!((number(&account, "read"), number(&account, "written")), expected, "read and written");
    account
}

fn number(account: &Value, name: &str) -> usize {
    usize::try_from(account[name].as_u64().unwrap()).unwrap()
}

fn overhead(account: &Value) -> usize {
    number(account, "read") + number(account, "written") - number(account, "payload")
}

async fn call(harness: &Harness, name: &str, text: &str) {
    let mut connection = RawConnection::connect(harness);
    let length = text.len();
    connection
        .send(format!(
            "POST /lab/echo?call={name} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{text}"
        ))
        .await;
    connection.until(|text| text.contains("\r\n\r\n")).await;
}

#[tokio::test]
async fn a_poll_is_counted_to_the_byte_and_so_is_the_next_on_the_same_connection() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    call(&harness, "c", "0123456789").await;
    for poll in 1..=3 {
        assert_eq!(connection.ask("/lab/poll?call=c&after=0&account=p").await, "0123456789\n");
        let account = assert_counted(&harness, "p", &connection).await;
        assert_eq!((number(&account, "requests"), number(&account, "messages")), (poll, poll));
        assert_eq!(number(&account, "payload"), 10 * poll);
    }
}

#[tokio::test]
async fn a_request_that_is_held_is_counted_with_its_bytes_once_it_is_answered() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.ask("/lab/long-poll?call=c&account=p").await;
    let before = account(&harness, "p").await;
    let received = connection.received.len();
    connection.get("/lab/long-poll?call=c&after=0&account=p").await;
    // It is held once a poll behind it was answered.
    harness.get("/lab/poll?call=c").await;
    assert_eq!(account(&harness, "p").await, before, "nothing while it is held");
    call(&harness, "c", "0123456789").await;
    assert_eq!(connection.answer(received).await, "0123456789\n");
    let after = assert_counted(&harness, "p", &connection).await;
    assert_eq!((number(&before, "requests"), number(&after, "requests")), (1, 2));
}

#[tokio::test]
async fn requests_for_other_things_on_the_same_connection_are_not_counted() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.ask("/healthz").await;
    let (sent, received) = (connection.sent, connection.received.len());
    connection.ask("/lab/poll?call=c&account=p").await;
    let (sent, received) = (connection.sent - sent, connection.received.len() - received);
    connection.ask("/healthz").await;
    let account = account(&harness, "p").await;
    assert_eq!((number(&account, "read"), number(&account, "written")), (sent, received));
}

#[tokio::test]
async fn a_call_is_counted_with_its_body_as_payload() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    for calls in 1..=2 {
        let before = connection.received.len();
        connection
            .send("POST /lab/echo?call=c&account=p HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n0123456789")
            .await;
        connection.answer(before).await;
        let account = assert_counted(&harness, "p", &connection).await;
        assert_eq!(number(&account, "payload"), 10 * calls);
    }
}

#[tokio::test]
async fn a_stream_takes_seven_bytes_per_message_for_its_chunk_and_its_line() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.get("/lab/stream?call=c&account=p").await;
    connection.until(|text| text.contains("{\"cursor\":0}\n\r\n")).await;
    let before = assert_counted(&harness, "p", &connection).await;
    let text = "m".repeat(100);
    for _ in 0..10 {
        let received = connection.received.len();
        call(&harness, "c", &text).await;
        connection.until_length(received + "65\r\n".len() + 101 + "\r\n".len()).await;
    }
    let after = assert_counted(&harness, "p", &connection).await;
    assert_eq!(number(&after, "messages"), 10);
    assert_eq!(overhead(&after) - overhead(&before), 10 * 7);
}

#[tokio::test]
async fn an_event_takes_its_fields_and_its_chunk() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.get("/lab/events?call=c&account=p").await;
    connection.until(|text| text.contains("{\"cursor\":0}\n\n\r\n")).await;
    let before = assert_counted(&harness, "p", &connection).await;
    call(&harness, "c", &"m".repeat(100)).await;
    connection.until(|text| text.contains("mm\n\n\r\n")).await;
    let after = assert_counted(&harness, "p", &connection).await;
    let framing = "74\r\n".len() + "id: 1\ndata: ".len() + "\n\n".len() + "\r\n".len();
    assert_eq!(overhead(&after) - overhead(&before), framing);
}

#[tokio::test]
async fn a_websocket_takes_two_bytes_down_and_six_up_and_two_more_beyond_125_bytes() {
    let harness = Harness::start(|_| {}).await;
    let mut connection = RawConnection::connect(&harness);
    connection.send(
        "GET /lab/socket?call=c&account=p HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    connection.until(|text| text.contains("\r\n\r\n")).await;
    let mut before = assert_counted(&harness, "p", &connection).await;
    assert_eq!(number(&before, "payload"), 0, "the handshake is overhead");
    for (length, framing) in [(1_usize, 2 + 6), (125, 2 + 6), (126, 4 + 8)] {
        let received = connection.received.len();
        let mut frame = vec![0x81];
        match u8::try_from(length) {
            Ok(short @ 0..=125) => frame.push(0x80 | short),
            _ => frame.extend([0x80 | 126, 0, u8::try_from(length).unwrap()]),
        }
        // Masked with zeros, a text stays what it is.
        frame.extend([0; 4]);
        frame.extend(std::iter::repeat_n(b'm', length));
        connection.send(frame).await;
        let answer = length + if length > 125 { 4 } else { 2 };
        connection.until_length(received + answer).await;
        let after = assert_counted(&harness, "p", &connection).await;
        assert_eq!(overhead(&after) - overhead(&before), framing, "a message of {length} bytes and its answer");
        assert_eq!(number(&after, "payload") - number(&before, "payload"), 2 * length);
        before = after;
    }
}

#[tokio::test]
async fn the_feed_over_a_websocket_costs_two_bytes_per_message() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/lab/socket?rate=20&size=100&account=p").await;
    client.json().await;
    client.text().await;
    let before = account(&harness, "p").await;
    let messages = |account: &Value| number(account, "messages") - number(&before, "messages");
    // More of them may have been written by then than were read.
    let more = async {
        loop {
            client.text().await;
            let account = account(&harness, "p").await;
            if messages(&account) >= 8 {
                return account;
            }
        }
    };
    let after = timeout(TIMEOUT, more).await.expect("eight messages in time");
    assert_eq!(overhead(&after) - overhead(&before), 2 * messages(&after));
}

#[tokio::test]
async fn requests_without_an_account_are_not_counted() {
    let harness = Harness::start(|_| {}).await;
    harness.get("/lab/poll?call=c").await;
    harness.get("/lab/poll?call=c&account=no%20name").await;
    assert_eq!(account(&harness, "p").await, Value::Null);
}
