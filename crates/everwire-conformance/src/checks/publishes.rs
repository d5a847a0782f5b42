//! Numbers and answers of publishes; and payloads, which arrive as they were sent.

use everwire_core::protocol::{ClientLine, Message as LineMessage, MessageWriter, Payload, Pub};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Content, Outcome, Stop, failed, require};
use crate::suite::{Check, Context};

/// A server that takes larger messages is not sent one that is too large.
const LARGEST_MESSAGE: u64 = 64 << 20;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("a-publish-is-answered-before-its-own-copy", own_copy),
        Check::new("a-message-says-who-published-it", producer),
        Check::new("offsets-count-by-one-and-times-do-not-go-back", offsets),
        Check::new("publishes-of-one-message-are-answered-in-order", batch),
        Check::new("a-repeated-publish-has-the-same-answer-and-is-stored-once", repeated),
        Check::new("a-publish-whose-answer-was-forgotten-is-unknown", forgotten),
        Check::new("a-missing-number-closes-the-connection", missing),
        Check::new("a-number-may-be-left-out-if-the-publish-says-so", left_out),
        Check::new("a-message-over-the-limit-closes-the-connection-with-1009", too_large_message),
        Check::new("a-payload-over-the-limit-of-its-channel-is-refused", too_large_payload),
        Check::new("a-denied-publish-is-refused-and-the-next-one-counts", denied),
        Check::new("texts-arrive-as-they-were-sent", text),
        Check::new("bytes-arrive-as-they-were-sent", binary),
        Check::new("a-text-with-u-001e-arrives-as-it-was-sent", separator),
        Check::new("an-empty-payload-is-not-none", empty),
        Check::new("several-lines-of-a-binary-message-are-all-handled", several),
        Check::new("payloads-are-kept-in-the-history-as-they-were-sent", history),
    ]
}

async fn own_copy(context: Context) -> Outcome {
    let (mut client, _) = context.subscribed().await?;
    for seq in 1..=3 {
        client.publish(context.channel(), seq, "\nhello").await?;
    }
    client.expect_nothing_else().await
}

async fn producer(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut subscriber, _) = context.subscribed().await?;
    let (mut client, session) = context.subscribed().await?;
    for (seq, key) in [(1, None), (2, Some("k"))] {
        let option = key.map(|key| format!(" key={key}")).unwrap_or_default();
        let (_, copy) = client.publish(channel, seq, &format!("{option}\nhello")).await?;
        let message = subscriber.expect(&format!("msg {channel}")).await?;
        require(message == copy, &copy, &message)?;
        let by = format!("{}:{seq}", session.id);
        require(copy.option("by") == Some(&by), format_args!("by={by}"), &copy)?;
        require(copy.option("key") == key, format_args!("the key {key:?}"), &copy)?;
    }
    Ok(())
}

async fn offsets(context: Context) -> Outcome {
    let (mut client, _) = context.attach().await?;
    let mut before = client.ask(&format!("pub {} 1\nhello", context.channel()), "ack 1").await?.cursor()?;
    require(before.offset == 1, "the offset 1 in a channel without messages", before)?;
    for seq in 2..=20 {
        let ack = client.ask(&format!("pub {} {seq}\nhello", context.channel()), &format!("ack {seq}")).await?;
        let cursor = ack.cursor()?;
        let follows = cursor.epoch == before.epoch && cursor.offset == before.offset + 1 && cursor.time >= before.time;
        require(follows, format_args!("the position after {before}"), &ack)?;
        before = cursor;
    }
    Ok(())
}

async fn batch(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, session) = context.attach().await?;
    let count = session.number("credits")?.min(10);
    let lines: Vec<_> = (1..=count).map(|seq| format!("pub {channel} {seq}\n{seq}")).collect();
    client.send(&lines.join(" ␞ ")).await?;
    for seq in 1..=count {
        let ack = client.expect(&format!("ack {seq}")).await?;
        require(ack.cursor()?.offset == seq, format_args!("the offset {seq}"), &ack)?;
    }
    client.expect_nothing_else().await
}

async fn repeated(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.subscribed().await?;
    let (ack, _) = client.publish(channel, 1, "\nhello").await?;
    for _ in 0..2 {
        let again = client.ask(&format!("pub {channel} 1\nhello"), "ack 1").await?;
        require(again == ack, &ack, &again)?;
    }
    client.expect_nothing_else().await?;
    let (next, _) = client.publish(channel, 2, "\nhello").await?;
    require(next.cursor()?.offset == ack.cursor()?.offset + 1, "the next offset", next)
}

async fn forgotten(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, session) = context.attach().await?;
    // As many answers are kept as there are credits.
    let credits = session.number("credits")?;
    if credits > 2_000 {
        return Err(Stop::Skipped(format!("the server gives {credits} credits")));
    }
    let mut acks = Vec::new();
    for seq in 1..=credits + 1 {
        acks.push(client.ask(&format!("pub {channel} {seq}\n{seq}"), &format!("ack {seq}")).await?);
    }
    let again = client.ask_any(&format!("pub {channel} 1\n1"), &["ack 1", "nack 1 unknown"]).await?;
    let is_same = again.header.starts_with("nack") || again == acks[0];
    require(is_same, format_args!("{} or `nack 1 unknown`", acks[0]), &again)?;
    for ack in &acks[1..] {
        let seq = ack.header.split(' ').nth(1).unwrap_or_default();
        let again = client.ask(&format!("pub {channel} {seq}\n{seq}"), &format!("ack {seq}")).await?;
        require(again == *ack, ack, &again)?;
    }
    client.expect_nothing_else().await
}

async fn missing(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut subscriber, _) = context.subscribed().await?;
    let (mut client, session) = context.attach().await?;
    client.ask(&format!("pub {channel} 1\nhello"), "ack 1").await?;
    client.send(&format!("pub {channel} 3\nlost")).await?;
    client.expect_fatal("sequence", Some("pub"), 4504).await?;
    subscriber.expect(&format!("msg {channel}")).await?;
    subscriber.expect_nothing_else().await?;
    // The session is not over.
    let (mut client, welcome) = context.resume(&session, " acked=1", "").await?;
    require(welcome.number("acked")? == 1, "acked=1", &welcome.line)?;
    client.ask(&format!("pub {channel} 2\nhello"), "ack 2").await.map(drop)
}

async fn left_out(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.subscribed().await?;
    client.publish(channel, 2, " after=0\nhello").await?;
    client.publish(channel, 5, " after=2\nhello").await?;
    client.publish(channel, 6, "\nhello").await?;
    client.send(&format!("pub {channel} 9 after=7\nhello")).await?;
    client.expect_fatal("sequence", Some("pub"), 4504).await
}

async fn too_large_message(context: Context) -> Outcome {
    let (mut client, session) = context.attach().await?;
    let limit = session.number("message")?;
    if limit > LARGEST_MESSAGE {
        return Err(Stop::Skipped(format!("the server takes messages of {limit} bytes")));
    }
    let Ok(limit) = usize::try_from(limit) else { return failed("a limit of messages", limit) };
    let head = format!("pub {} 1\n", context.channel());
    let fits = format!("{head}{}", "x".repeat(limit.saturating_sub(head.len())));
    // A channel may take less than a message.
    client.ask_any(&fits, &["ack 1", "nack 1 too-large"]).await?;
    // The server may close before it has read everything.
    let _ = client.send_message(Message::text(format!("{}{}", head.replace(" 1\n", " 2\n"), "x".repeat(limit)))).await;
    let (code, lines) = client.read_to_end().await?;
    let is_stored = lines.iter().any(|line| line.header.starts_with("ack 2"));
    require(
        code == Some(1009) && !is_stored,
        "the close code 1009",
        format_args!("{code:?} after {} lines", lines.len()),
    )
}

async fn too_large_payload(context: Context) -> Outcome {
    let channel = context.need(&context.options.small_messages, "--small-messages")?;
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("pub {channel} 1\n{}", "x".repeat(1_001)), "nack 1 too-large").await?;
    client.ask(&format!("pub {channel} 2\nhello"), "ack 2").await.map(drop)
}

async fn denied(context: Context) -> Outcome {
    let channel = context.need(&context.options.denied, "--denied")?;
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("pub {channel} 1\nhello"), "nack 1 denied").await?;
    // A refusal is an answer, which is repeated like any other.
    client.ask(&format!("pub {channel} 1\nhello"), "nack 1 denied").await?;
    client.ask(&format!("pub {} 2\nhello", context.channel()), "ack 2").await.map(drop)
}

// Payloads.

fn payload(content: &Content) -> Payload<'_> {
    match content {
        Content::None => Payload::None,
        Content::Text(text) => Payload::Text(text),
        Content::Binary(bytes) => Payload::Binary(bytes),
    }
}

/// Publishes contents in as few messages as possible, from the number 1.
async fn publish(client: &mut Client, channel: &str, contents: &[Content]) -> Outcome {
    let mut writer = MessageWriter::new(usize::MAX);
    for (seq, content) in (1..).zip(contents) {
        let line = ClientLine::Pub(Pub::new(channel, seq));
        writer.push(&line, payload(content)).map_err(|error| Stop::Failed(error.to_string()))?;
    }
    while let Some(message) = writer.pop() {
        let message = match message {
            LineMessage::Text(text) => Message::text(text),
            LineMessage::Binary(bytes) => Message::binary(bytes),
        };
        client.send_message(message).await?;
    }
    Ok(())
}

/// Each content is published by one client and arrives at another, one at a time.
async fn arrive(context: &Context, contents: Vec<Content>) -> Outcome {
    let channel = context.channel();
    for content in contents {
        let (mut client, _) = context.attach().await?;
        let (mut subscriber, _) = context.subscribed().await?;
        publish(&mut client, channel, std::slice::from_ref(&content)).await?;
        client.expect("ack 1").await?;
        let message = subscriber.expect(&format!("msg {channel}")).await?;
        require(message.content == content, format_args!("{content:.80?}"), &message)?;
        subscriber.expect_nothing_else().await?;
    }
    Ok(())
}

async fn text(context: Context) -> Outcome {
    let texts = ["{\"a\":[1,2]}", "two\nlines\n", "\nbegins with a line feed", "\u{0}\u{1f}é✓😀", "+b4 pub a 1\n"];
    arrive(&context, texts.map(|text| Content::Text(text.to_owned())).to_vec()).await
}

async fn binary(context: Context) -> Outcome {
    let all: Vec<u8> = (0..=255).collect();
    let contents = [all, b"\n".to_vec(), vec![0x1e; 3], b"text".to_vec(), vec![0; 70_000]];
    arrive(&context, contents.map(Content::Binary).to_vec()).await
}

async fn separator(context: Context) -> Outcome {
    arrive(&context, ["\u{1e}", "a\u{1e}ping 1\u{1e}b\n"].map(|text| Content::Text(text.to_owned())).to_vec()).await
}

async fn empty(context: Context) -> Outcome {
    arrive(&context, vec![Content::None, Content::Text(String::new()), Content::Binary(Vec::new())]).await
}

fn mixed() -> Vec<Content> {
    vec![
        Content::Binary(b"\x00+b1 ping 1\n\xff".to_vec()),
        Content::Text("plain".to_owned()),
        Content::None,
        Content::Text("a\u{1e}b".to_owned()),
    ]
}

async fn several(context: Context) -> Outcome {
    let (mut client, _) = context.attach().await?;
    let (mut subscriber, _) = context.subscribed().await?;
    publish(&mut client, context.channel(), &mixed()).await?;
    for (seq, content) in (1..).zip(mixed()) {
        client.expect(&format!("ack {seq}")).await?;
        let message = subscriber.expect(&format!("msg {}", context.channel())).await?;
        require(message.content == content, format_args!("{content:?}"), &message)?;
    }
    client.expect_nothing_else().await
}

async fn history(context: Context) -> Outcome {
    let (mut client, _) = context.attach().await?;
    publish(&mut client, context.channel(), &mixed()).await?;
    for seq in 1..=mixed().len() {
        client.expect(&format!("ack {seq}")).await?;
    }
    client.ask(&format!("sub {} last:10", context.channel()), "subscribed").await?;
    for content in mixed() {
        let message = client.expect(&format!("msg {}", context.channel())).await?;
        require(message.content == content, format_args!("{content:?}"), &message)?;
    }
    client.expect_nothing_else().await
}
