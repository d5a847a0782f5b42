//! Lines that are not as they should be: the table of states and lines, the vectors, and what must be tolerated.

use std::sync::Arc;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::outcome::{Outcome, Stop};
use crate::suite::{Check, Context};

const PAGE: &str = include_str!("../../../../docs/protocol.md");
const VECTORS: &str = include_str!("../../../everwire-core/tests/vectors/protocol.json");

pub(super) fn checks() -> Vec<Check> {
    let mut checks = cells();
    checks.extend(malformed());
    checks.extend(tolerated());
    checks.push(Check::new("a-malformed-line-ends-what-follows-in-its-message", after_malformed));
    checks.push(Check::new("a-message-without-a-line-is-malformed", empty));
    checks.push(Check::new("options-that-are-not-known-are-ignored", unknown_options));
    checks.push(Check::new("payloads-without-a-use-are-ignored", unused_payloads));
    checks.push(Check::new("a-line-about-what-does-not-exist-does-nothing", nothing_to_do));
    checks
}

/// One check a cell of the table of what a server does with each line.
fn cells() -> Vec<Check> {
    let table = PAGE.lines().skip_while(|line| !line.starts_with("| received by the server |"));
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
            return client.fatal("unexpected", Some("hello"), 4502).await;
        }
        ("attach", _) => {
            client.hello(&line, "").await?;
            client.welcome().await?;
        }
        ("handle", Some(answer)) => drop(client.ask(&line, &answer).await?),
        ("handle", None) => client.send(&line).await?,
        ("close", _) => {
            client.send(&line).await?;
            return client.end().await.map(drop);
        }
        ("unknown-line", _) => drop(client.ask(&line, &format!("error unknown-line line={line_type}")).await?),
        ("unexpected", _) => {
            client.send(&line).await?;
            return client.fatal("unexpected", Some(&line_type), 4502).await;
        }
        ("malformed", _) => {
            client.send(&line).await?;
            return client.fatal("malformed", Some(&line_type), 4501).await;
        }
        (other, _) => {
            return Err(Stop::Failed(format!("the specification says {other:?}, which this program does not know")));
        }
    }
    client.nothing_else().await
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
            client.fatal("malformed", line.as_deref(), 4501).await.map_err(in_message)?;
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
                Answer::Fatal(line) => client.fatal("malformed", line.as_deref(), 4501).await?,
                Answer::End => drop(client.end().await?),
            }
            is_open = matches!(answer, Answer::Line(_));
        }
        if is_open {
            client.nothing_else().await?;
        }
    }
    Ok(())
}

async fn after_malformed(context: Context) -> Outcome {
    let (mut watcher, _) = context.subscribed().await?;
    let (mut client, _) = context.attach().await?;
    client.send(&format!("ping 1 ␞ sub ␞ pub {} 1\nlost", context.channel())).await?;
    client.expect("pong 1").await?;
    client.fatal("malformed", Some("sub"), 4501).await?;
    watcher.nothing_else().await
}

async fn empty(context: Context) -> Outcome {
    for message in [Message::text(""), Message::binary(Vec::new())] {
        let (mut client, _) = context.attach().await?;
        client.send_message(message).await?;
        client.fatal("malformed", None, 4501).await?;
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
    client.nothing_else().await
}

async fn unused_payloads(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("sub {channel} live\nunused"), &format!("subscribed {channel}")).await?;
    client.ask("ping 1\nunused", "pong 1").await?;
    client.send(&format!("unsub {channel}\nping 2")).await?;
    client.nothing_else().await
}

async fn nothing_to_do(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    client
        .send(&format!("unsub {channel} ␞ cancel 99 ␞ cancel 3 of=never-existed ␞ error unknown-line line=hug"))
        .await?;
    client.nothing_else().await
}
