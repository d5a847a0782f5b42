//! The table of states and lines of the specification.

use crate::support::{Client, TestServer};

const SPECIFICATION: &str = include_str!("../../../../docs/protocol.md");

/// A line of each row, with what it is answered where it is handled.
fn sample(row: &str) -> (&'static str, Option<&'static str>) {
    match row {
        "hello" => ("hello attempt=0", Some("welcome ")),
        "sub" => ("sub chat live", Some("subscribed chat ")),
        "unsub" => ("unsub chat", None),
        "pub" => ("pub chat 1\nhello", Some("ack 1 ")),
        "req" => ("req nothing 1", Some("nack 1 no-handler of=req")),
        "cancel" => ("cancel 1", None),
        "ping" => ("ping 7", Some("pong 7 ")),
        "bye" => ("bye", None),
        "error" => ("error malformed line=res", None),
        "a type of no client" => ("hug", None),
        "malformed" => ("sub", None),
        other => panic!("the row {other} has no sample"),
    }
}

/// The rows of the table: a line, and what the server does with it in each state.
fn rows() -> Vec<(String, [String; 3])> {
    let (_, table) = SPECIFICATION.split_once("| received by the server | new | attached | closing |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (cells.next().unwrap(), [(); 3].map(|()| cells.next().unwrap()))
    })
    .collect()
}

async fn check(mut client: Client, row: &str, cell: &str) {
    let (line, answer) = sample(row);
    client.send(line).await;
    match cell {
        "attach" | "handle" => {
            if let Some(answer) = answer {
                client.expect(answer).await;
            }
            assert_eq!(client.settled().await, [""; 0], "{row}");
        }
        "close" => assert_eq!(client.client.closed().await.0, 1000),
        "unknown-line" => {
            assert_eq!(client.settled().await, [format!("error unknown-line line={line}")]);
        }
        "unexpected" | "malformed" => {
            let error = format!("error {cell} fatal=1 line={}", line.split(' ').next().unwrap());
            let code = if cell == "unexpected" { 4502 } else { 4501 };
            assert_eq!(client.closed_after(&error).await, code);
        }
        "ignore" => {
            client.expect("error unexpected fatal=1 line=hello").await;
            assert_eq!(client.client.close_frame().await.0, 4502, "{row}");
        }
        other => panic!("{row}: {other} is not known"),
    }
}

#[tokio::test]
async fn every_line_is_treated_in_every_state_as_the_specification_says() {
    let rows = rows();
    assert_eq!(rows.len(), 11);
    for (row, [new, attached, closing]) in rows {
        let server = TestServer::start(|builder| builder).await;
        check(server.connect().await, &row, &new).await;
        check(server.attach().await.0, &row, &attached).await;
        // A line behind one that ends the connection.
        let mut client = server.attach().await.0;
        client.send(&format!("hello attempt=0 ␞ {}", sample(&row).0)).await;
        assert_eq!(closing, "ignore");
        client.expect("error unexpected fatal=1 line=hello").await;
        assert_eq!(client.client.close_frame().await.0, 4502, "{row}");
    }
}

#[tokio::test]
async fn lines_behind_an_unknown_one_count_and_lines_behind_a_malformed_one_do_not() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.attach().await;
    client.send("hug ␞ sub chat live").await;
    client.expect("error unknown-line line=hug").await;
    client.expect("subscribed chat ").await;
    client.send("sub chat ␞ pub chat 1\nlost").await;
    assert_eq!(client.closed_after("error malformed fatal=1 line=sub").await, 4501);
    assert!(server.wire.subscribe(&everwire_server::Channel::<String>::new("chat")).await.is_ok());
}

#[tokio::test]
async fn lines_that_come_with_hello_are_handled_behind_the_welcome() {
    let server = TestServer::start(|builder| builder).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0 ␞ sub chat live ␞ ping 1").await;
    client.send("sub other hold").await;
    for start in ["welcome ", "subscribed chat ", "pong 1 ", "subscribed other "] {
        client.expect(start).await;
    }
}

/// A number may not be skipped: what was published between would be lost.
#[tokio::test]
async fn a_publish_behind_a_missing_one_ends_the_connection_and_not_the_session() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.send("pub chat 2\nhello").await;
    assert_eq!(client.closed_after("error sequence fatal=1 line=pub").await, 4504);
    let (mut client, welcome) = server.resume(&session, "").await;
    assert!(welcome.contains("acked=0") && !welcome.contains("secret="), "{welcome}");
    client.ask("pub chat 1\nhello", "ack 1 ").await;
    client.ask("pub chat 4 after=1\nhello", "ack 4 ").await;
}

#[tokio::test]
async fn a_message_over_the_limit_of_the_welcome_ends_the_connection_with_1009() {
    let server = TestServer::start(|builder| builder.connection_limits(|limits| limits.message_bytes = 1_000)).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0").await;
    let welcome = client.expect("welcome ").await;
    assert!(welcome.contains(" message=1000 "), "{welcome}");
    client.send(&format!("pub chat 1\n{}", "x".repeat(1_000))).await;
    assert_eq!(client.client.closed().await.0, 1009);
}
