//! The handshake, `hello`, `ping` and `bye`; and lines that are wrong: the table of states and lines, the vectors, and what a server must
//! tolerate.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use everwire_core::protocol::SUBPROTOCOL;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::{ProtocolError, SubProtocolError},
};

use crate::client::{Client, Outcome, Session, Stop, failed, require};
use crate::suite::{Check, Context};

const SPECIFICATION: &str = include_str!("../../../../docs/protocol.md");
const VECTORS: &str = include_str!("../../../everwire-core/tests/vectors/protocol.json");

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        Check::new("the-subprotocol-is-chosen-among-others", chosen),
        Check::new("a-client-of-another-subprotocol-is-not-accepted-with-it", refused),
        Check::new("the-welcome-says-all-limits", welcome),
        Check::new("each-new-client-gets-a-session-of-its-own", distinct),
        Check::new("a-session-that-does-not-exist-is-replaced-by-a-new-one", not_existing),
        Check::new("a-session-is-not-resumed-without-its-secret", wrong_secret),
        Check::new("wrong-credentials-are-refused-and-nothing-else-is-answered", unauthorized),
        Check::new("lines-sent-with-hello-are-answered-after-the-welcome", early_lines),
        Check::new("a-message-of-64-kib-with-hello-is-taken", large_hello),
        Check::new("a-second-hello-in-a-message-ends-the-connection-and-not-the-session", two_hellos),
        Check::new("a-client-without-hello-is-closed-in-time", late_hello),
        Check::new("a-ping-is-answered-before-hello", ping_first),
        Check::new("a-ping-is-answered-with-its-number-and-the-time", ping),
        Check::new("pings-are-answered-in-their-order", pings),
        Check::new("bye-ends-the-session", bye),
    ];
    checks.extend(cells());
    checks.extend(malformed());
    checks.extend(tolerated());
    checks.extend([
        Check::new("a-malformed-line-ends-what-follows-in-its-message", after_malformed),
        Check::new("a-message-without-a-line-is-malformed", empty),
        Check::new("options-that-are-not-known-are-ignored", unknown_options),
        Check::new("payloads-without-a-use-are-ignored", unused_payloads),
        Check::new("a-line-about-what-does-not-exist-does-nothing", nothing_to_do),
    ]);
    checks
}

async fn chosen(context: Context) -> Outcome {
    match Client::open(&context.options, Some("other.v9, everwire.v1")).await? {
        Ok((_, Some(protocol))) if protocol == SUBPROTOCOL => Ok(()),
        Ok((_, protocol)) => failed(format_args!("the subprotocol {SUBPROTOCOL}"), format_args!("{protocol:?}")),
        Err(error) => failed(format_args!("the subprotocol {SUBPROTOCOL}"), error),
    }
}

async fn refused(context: Context) -> Outcome {
    let expected = "no WebSocket, or one without a subprotocol";
    match Client::open(&context.options, Some("other.v9")).await? {
        Ok((_, Some(protocol))) => failed(expected, protocol),
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            error @ (SubProtocolError::InvalidSubProtocol | SubProtocolError::ServerSentSubProtocolNoneRequested),
        ))) => failed(expected, error),
        Ok((_, None)) | Err(_) => Ok(()),
    }
}

async fn welcome(context: Context) -> Outcome {
    let (_client, session) = context.attach().await?;
    // The codec has read each field; here are those that cannot be zero, and those that a new session determines.
    for name in ["heartbeat", "message", "credits", "subscriptions", "expires"] {
        require(session.number(name)? > 0, format_args!("{name}= above 0"), &session.line)?;
    }
    require(session.number("generation")? == 1, "generation=1 in a new session", &session.line)?;
    require(session.number("acked")? == 0, "acked=0 in a new session", &session.line)?;
    require(session.line.option("requests").is_none(), "no requests=kept in a new session", &session.line)?;
    is_now(session.number("time")?)
}

/// Whether a server's time is that of the client, but for a day.
fn is_now(time: u64) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let is_near = now.abs_diff(u128::from(time)) < 24 * 3_600 * 1_000;
    require(is_near, format_args!("about {now}, the milliseconds since 1970"), time)
}

async fn distinct(context: Context) -> Outcome {
    let (_first, one) = context.attach().await?;
    let (_second, other) = context.attach().await?;
    require(one.id != other.id && one.secret != other.secret, "another session and secret", &other.line)
}

async fn not_existing(context: Context) -> Outcome {
    let mut client = context.connect().await?;
    client.hello("hello attempt=3 session=never-existed secret=never-existed acked=7 floor=4 closed=1006", "").await?;
    let session = client.welcome().await?;
    require(!session.secret.is_empty() && session.id != "never-existed", "a new session", &session.line)?;
    require(session.number("acked")? == 0, "acked=0, because the session is new", &session.line)
}

async fn wrong_secret(context: Context) -> Outcome {
    let (mut owner, session) = context.attach().await?;
    let mut stranger = context.connect().await?;
    stranger.hello(&format!("hello attempt=1 session={} secret=guessed", session.id), "").await?;
    let other = stranger.welcome().await?;
    require(!other.secret.is_empty() && other.id != session.id, "a new session", &other.line)?;
    owner.expect_nothing_else().await
}

async fn unauthorized(context: Context) -> Outcome {
    let credentials = context.need(&context.options.refused_credentials, "--refused-credentials")?;
    let (_owner, session) = context.attach().await?;
    let Session { id, secret, .. } = session;
    for hello in ["hello attempt=0".to_owned(), format!("hello attempt=1 session={id} secret={secret}")] {
        let mut client = context.connect().await?;
        client.send(&format!("{hello}\n{credentials} ␞ sub {} live", context.channel())).await?;
        client.expect_fatal("unauthorized", None, 3000).await?;
    }
    Ok(())
}

async fn early_lines(context: Context) -> Outcome {
    let channel = context.channel();
    let mut client = context.connect().await?;
    client.hello("hello attempt=0", &format!(" ␞ sub {channel} live ␞ sub {channel}-b hold")).await?;
    client.send("ping 1").await?;
    for line in ["welcome", &format!("subscribed {channel}"), &format!("subscribed {channel}-b"), "pong 1"] {
        client.expect(line).await?;
    }
    Ok(())
}

async fn large_hello(context: Context) -> Outcome {
    let mut client = context.connect().await?;
    let length = (64 << 10) - "hello attempt=0\u{1e}ping 1\n".len() - client.credentials_len();
    client.hello("hello attempt=0", &format!(" ␞ ping 1\n{}", "x".repeat(length))).await?;
    client.welcome().await?;
    client.expect("pong 1").await.map(drop)
}

async fn two_hellos(context: Context) -> Outcome {
    let mut client = context.connect().await?;
    client.hello("hello attempt=0", " ␞ hello attempt=0").await?;
    let session = client.welcome().await?;
    client.expect_fatal("unexpected", Some("hello"), 4502).await?;
    context.resume(&session, "", "").await.map(drop)
}

async fn late_hello(context: Context) -> Outcome {
    let time = context.options.hello_timeout.ok_or_else(|| Stop::Skipped("needs --hello-timeout".to_owned()))?;
    let mut client = context.connect().await?;
    client.ask("ping 1", "pong 1").await?;
    client.extend_timeout(time);
    client.expect_fatal("unexpected", None, 4502).await
}

async fn ping_first(context: Context) -> Outcome {
    let mut client = context.connect().await?;
    client.ask("ping 5", "pong 5").await?;
    client.hello("hello attempt=0", "").await?;
    client.welcome().await.map(drop)
}

async fn ping(context: Context) -> Outcome {
    let (mut client, _) = context.attach().await?;
    for number in ["0", "9007199254740991"] {
        let pong = client.ask(&format!("ping {number}"), &format!("pong {number}")).await?;
        is_now(pong.header.rsplit(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0))?;
    }
    Ok(())
}

async fn pings(context: Context) -> Outcome {
    let (mut client, _) = context.attach().await?;
    client.send("ping 3 ␞ ping 1 ␞ ping 2").await?;
    client.send("ping 2").await?;
    for number in [3, 1, 2, 2] {
        client.expect(&format!("pong {number}")).await?;
    }
    client.expect_nothing_else().await
}

async fn bye(context: Context) -> Outcome {
    let (mut client, session) = context.attach().await?;
    client.send("bye").await?;
    client.expect_end().await?;
    let mut client = context.resuming(&session, "", "").await?;
    let other = client.welcome().await?;
    require(other.id != session.id && !other.secret.is_empty(), "a new session after bye", &other.line)
}

// Wrong lines.

/// One check a cell of the table of what a server does with each line.
fn cells() -> Vec<Check> {
    let table = SPECIFICATION.lines().skip_while(|line| !line.starts_with("| received by the server |"));
    let rows = table.take_while(|line| line.starts_with('|')).filter(|line| !line.starts_with("|---"));
    let mut rows =
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    let states = rows.next().unwrap_or_default();
    rows.flat_map(|row| {
        let cells = states.iter().cloned().zip(row.clone()).skip(1);
        let line = row.first().cloned().unwrap_or_default();
        cells
            .map(|(state, reaction)| {
                let name = format!("{}-when-{state}-is-treated-as-{reaction}", line.replace(' ', "-"));
                let line = line.clone();
                Check::new(name, move |context| cell(context, line.clone(), state.clone(), reaction.clone()))
            })
            .collect::<Vec<_>>()
    })
    .collect()
}

async fn cell(context: Context, row: String, state: String, reaction: String) -> Outcome {
    let channel = context.channel();
    let (line, answer) = match row.as_str() {
        "hello" => ("hello attempt=0".to_owned(), Some("welcome".to_owned())),
        "sub" => (format!("sub {channel} live"), Some(format!("subscribed {channel}"))),
        "unsub" => (format!("unsub {channel}"), None),
        "pub" => (format!("pub {channel} 1\nhello"), Some("ack 1".to_owned())),
        "req" => (format!("req {channel} 1"), Some("nack 1 no-handler of=req".to_owned())),
        "cancel" => ("cancel 1".to_owned(), None),
        "ping" => ("ping 7".to_owned(), Some("pong 7".to_owned())),
        "bye" => ("bye".to_owned(), None),
        "error" => ("error malformed line=res".to_owned(), None),
        "a type of no client" => ("hug".to_owned(), None),
        "malformed" => ("sub".to_owned(), None),
        other => {
            return Err(Stop::Failed(format!(
                "the specification has the row {other:?}, this program has no line for it"
            )));
        }
    };
    let line_type = line.split(' ').next().unwrap_or_default().to_owned();
    let mut client = match state.as_str() {
        "new" => context.connect().await?,
        _ => context.attach().await?.0,
    };
    match (reaction.as_str(), answer) {
        // After an error that closes the connection, which is the only thing that comes.
        ("ignore", _) => {
            client.send(&format!("hello attempt=0 ␞ {line}")).await?;
            return client.expect_fatal("unexpected", Some("hello"), 4502).await;
        }
        ("attach", _) => {
            client.hello(&line, "").await?;
            client.welcome().await?;
        }
        ("handle", Some(answer)) => drop(client.ask(&line, &answer).await?),
        ("handle", None) => client.send(&line).await?,
        ("close", _) => {
            client.send(&line).await?;
            return client.expect_end().await.map(drop);
        }
        ("unknown-line", _) => drop(client.ask(&line, &format!("error unknown-line line={line_type}")).await?),
        ("unexpected", _) => {
            client.send(&line).await?;
            return client.expect_fatal("unexpected", Some(&line_type), 4502).await;
        }
        ("malformed", _) => {
            client.send(&line).await?;
            return client.expect_fatal("malformed", Some(&line_type), 4501).await;
        }
        (other, _) => {
            return Err(Stop::Failed(format!("the specification says {other:?}, which this program does not know")));
        }
    }
    client.expect_nothing_else().await
}

/// A message of the vectors.
fn message(text: &Value, is_binary: bool) -> Option<Message> {
    let text = text.as_str()?;
    if !is_binary {
        return Some(Message::text(text.to_owned()));
    }
    // One character a byte.
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    Some(Message::binary(bytes.ok()?))
}

fn vectors(kind: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap_or_default();
    let vectors = vectors[kind].as_array().cloned().unwrap_or_default();
    vectors.into_iter().filter(|vector| vector["from"] == "client").collect()
}

/// One check a group of malformed lines.
fn malformed() -> Vec<Check> {
    let groups = vectors("malformed").into_iter().map(|group| {
        let is_binary = group["binary"].is_array();
        let kind = if is_binary { "binary" } else { "text" };
        let line = group["line"].as_str().map(str::to_owned);
        let messages = group[kind].as_array().into_iter().flatten().filter_map(|text| message(text, is_binary));
        let messages: Arc<[Message]> = messages.collect();
        let name = line.as_deref().unwrap_or("lines-without-a-type");
        Check::new(format!("malformed-{name}-in-a-{kind}-message-closes-the-connection"), move |context| {
            all_malformed(context, Arc::clone(&messages), line.clone())
        })
    });
    groups.collect()
}

async fn all_malformed(context: Context, messages: Arc<[Message]>, line: Option<String>) -> Outcome {
    for message in messages.iter() {
        let in_message = |stop| match stop {
            Stop::Failed(reason) => Stop::Failed(format!("after {message:.100?}: {reason}")),
            skipped => skipped,
        };
        for is_attached in [false, true] {
            let mut client = if is_attached { context.attach().await?.0 } else { context.connect().await? };
            client.send_message(message.clone()).await?;
            client.expect_fatal("malformed", line.as_deref(), 4501).await.map_err(in_message)?;
        }
    }
    Ok(())
}

/// The vectors of what others may write, as far as each of their lines has an answer that does not depend on anything else.
fn tolerated() -> Option<Check> {
    let vectors = vectors("tolerated").into_iter().filter_map(|vector| {
        let is_binary = vector["binary"].is_string();
        let message = message(&vector[if is_binary { "binary" } else { "text" }], is_binary)?;
        let items = vector["items"].as_array()?.iter();
        let answers: Option<Vec<Answer>> = items.map(Answer::to).collect();
        Some((message, answers?))
    });
    let vectors: Arc<[(Message, Vec<Answer>)]> = vectors.collect();
    (!vectors.is_empty()).then(|| {
        Check::new("lines-that-others-may-write-are-answered-one-by-one", move |context| {
            all_tolerated(context, Arc::clone(&vectors))
        })
    })
}

#[derive(Debug)]
enum Answer {
    Line(String),
    Fatal(Option<String>),
    End,
}

impl Answer {
    fn to(item: &Value) -> Option<Self> {
        let line = item["line"].as_str();
        match (item["error"].as_str(), line) {
            (Some("malformed"), line) => Some(Self::Fatal(line.map(str::to_owned))),
            (Some("unknown-line"), Some(line)) => Some(Self::Line(format!("error unknown-line line={line}"))),
            (None, Some("ping")) => Some(Self::Line(format!("pong {}", item["number"]))),
            (None, Some("bye")) => Some(Self::End),
            _ => None,
        }
    }
}

async fn all_tolerated(context: Context, vectors: Arc<[(Message, Vec<Answer>)]>) -> Outcome {
    for (message, answers) in vectors.iter() {
        let (mut client, _) = context.attach().await?;
        client.send_message(message.clone()).await?;
        let mut is_open = true;
        for answer in answers {
            match answer {
                Answer::Line(line) => drop(client.expect(line).await?),
                Answer::Fatal(line) => client.expect_fatal("malformed", line.as_deref(), 4501).await?,
                Answer::End => drop(client.expect_end().await?),
            }
            is_open = matches!(answer, Answer::Line(_));
        }
        if is_open {
            client.expect_nothing_else().await?;
        }
    }
    Ok(())
}

async fn after_malformed(context: Context) -> Outcome {
    let (mut subscriber, _) = context.subscribed().await?;
    let (mut client, _) = context.attach().await?;
    client.send(&format!("ping 1 ␞ sub ␞ pub {} 1\nlost", context.channel())).await?;
    client.expect("pong 1").await?;
    client.expect_fatal("malformed", Some("sub"), 4501).await?;
    subscriber.expect_nothing_else().await
}

async fn empty(context: Context) -> Outcome {
    for message in [Message::text(""), Message::binary(Vec::new())] {
        let (mut client, _) = context.attach().await?;
        client.send_message(message).await?;
        client.expect_fatal("malformed", None, 4501).await?;
    }
    Ok(())
}

async fn unknown_options(context: Context) -> Outcome {
    let channel = context.channel();
    let mut client: Client = context.connect().await?;
    client.hello("hello attempt=0 colour=blue", "").await?;
    client.welcome().await?;
    client.ask(&format!("sub {channel} live colour=blue"), &format!("subscribed {channel}")).await?;
    client.publish(channel, 1, " colour=blue\nhello").await?;
    client.ask(&format!("req {channel} 1 colour=blue"), "nack 1 no-handler of=req").await?;
    client.ask("ping 1 colour=blue colour=red", "pong 1").await?;
    client.send(&format!("cancel 1 colour=blue ␞ error malformed colour=blue ␞ unsub {channel} colour=blue")).await?;
    client.expect_nothing_else().await
}

async fn unused_payloads(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("sub {channel} live\nunused"), &format!("subscribed {channel}")).await?;
    client.ask("ping 1\nunused", "pong 1").await?;
    client.send(&format!("unsub {channel}\nping 2")).await?;
    client.expect_nothing_else().await
}

async fn nothing_to_do(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    client
        .send(&format!("unsub {channel} ␞ cancel 99 ␞ cancel 3 of=never-existed ␞ error unknown-line line=hug"))
        .await?;
    client.expect_nothing_else().await
}
