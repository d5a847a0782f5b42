//! What the server counts for the lab's transports, compared with what a raw TCP client sees.

use everwire_test_client::TIMEOUT;
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::Harness;
use crate::lab::RawConnection;

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
async fn a_stream_takes_seven_bytes_a_message_for_its_chunk_and_its_line() {
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
async fn the_feed_over_a_websocket_costs_two_bytes_a_message() {
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
