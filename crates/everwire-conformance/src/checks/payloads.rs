//! Payloads arrive as they were sent: their kind, and each of their bytes.

use everwire_core::protocol::{ClientLine, Message, MessageWriter, Payload, Pub};
use tokio_tungstenite::tungstenite::Message as WebSocketMessage;

use crate::client::{Client, Content};
use crate::outcome::{Outcome, Stop, require};
use crate::suite::{Check, Context};

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("texts-arrive-as-they-were-sent", text),
        Check::new("bytes-arrive-as-they-were-sent", binary),
        Check::new("a-text-with-u-001e-arrives-as-it-was-sent", separator),
        Check::new("an-empty-payload-is-not-none", empty),
        Check::new("several-lines-of-a-binary-message-are-all-handled", several),
        Check::new("payloads-are-kept-in-the-history-as-they-were-sent", history),
    ]
}

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
            Message::Text(text) => WebSocketMessage::text(text),
            Message::Binary(bytes) => WebSocketMessage::binary(bytes),
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
        let (mut watcher, _) = context.subscribed().await?;
        publish(&mut client, channel, std::slice::from_ref(&content)).await?;
        client.expect("ack 1").await?;
        let message = watcher.expect(&format!("msg {channel}")).await?;
        require(message.content == content, format_args!("{content:.80?}"), &message)?;
        watcher.nothing_else().await?;
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
    let (mut watcher, _) = context.subscribed().await?;
    publish(&mut client, context.channel(), &mixed()).await?;
    for (seq, content) in (1..).zip(mixed()) {
        client.expect(&format!("ack {seq}")).await?;
        let message = watcher.expect(&format!("msg {}", context.channel())).await?;
        require(message.content == content, format_args!("{content:?}"), &message)?;
    }
    client.nothing_else().await
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
    client.nothing_else().await
}
