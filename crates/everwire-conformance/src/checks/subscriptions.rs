//! Where a subscription begins, what it delivers and what it reports instead; and who is in a channel.

use everwire_core::protocol::Cursor;

use crate::client::{Client, Outcome, Received, Session, Stop, failed, require};
use crate::suite::{Check, Context};

/// A server with more subscriptions a connection is not filled.
const MOST_SUBSCRIPTIONS: u64 = 2_000;

/// A channel with a short history keeps fewer messages.
const PAST_SHORT_HISTORY: u64 = 40;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("live-begins-with-the-next-message", live),
        Check::new("every-subscriber-gets-each-message-once", every_subscriber),
        Check::new("last-begins-with-so-many-messages", last),
        Check::new("from-begins-after-a-cursor", from),
        Check::new("from-the-beginning-delivers-everything", from_beginning),
        Check::new("hold-gives-the-position-only", hold),
        Check::new("state-gives-the-latest-message-of-each-key", state),
        Check::new("latest-mode-delivers-to-a-fast-subscriber", latest),
        Check::new("a-second-sub-replaces-the-first", replaced),
        Check::new("unsub-ends-the-deliveries", unsub),
        Check::new("channels-do-not-mix", channels),
        Check::new("a-cursor-of-another-epoch-is-a-gap", other_epoch),
        Check::new("a-cursor-ahead-of-the-history-is-a-gap", ahead),
        Check::new("a-cursor-with-another-time-is-a-gap", other_time),
        Check::new("a-cursor-that-was-trimmed-is-a-gap", trimmed),
        Check::new("a-history-that-is-not-shown-is-a-gap", no_history),
        Check::new("a-denied-channel-is-refused", denied),
        Check::new("more-subscriptions-than-the-limit-are-refused", limit),
        Check::new("a-session-that-enters-learns-who-is-there", members),
        Check::new("the-others-learn-who-enters-and-leaves", others),
        Check::new("a-reconnect-is-no-join-and-no-leave", reconnect),
        Check::new("a-session-without-presence-is-not-a-member", invisible),
    ]
}

/// A client whose session has published texts to the channel of the check, with the cursor of each.
async fn published(context: &Context, texts: &[&str]) -> Outcome<(Client, Vec<Cursor>)> {
    let (mut client, _) = context.attach().await?;
    let mut cursors = Vec::new();
    for (seq, text) in (1..).zip(texts) {
        cursors.push(
            client.ask(&format!("pub {} {seq}\n{text}", context.channel()), &format!("ack {seq}")).await?.cursor()?,
        );
    }
    Ok((client, cursors))
}

/// Subscribes, and reads up to the present. Returns the cursor of `subscribed`, and the messages, which follow it without a gap.
async fn caught_up(client: &mut Client, channel: &str, start: &str) -> Outcome<(Cursor, Vec<Received>)> {
    let begin = client.ask(&format!("sub {channel} {start}"), &format!("subscribed {channel}")).await?.cursor()?;
    let mut messages: Vec<Received> = Vec::new();
    let mut position = begin;
    loop {
        let line = client.expect_any(&[&format!("msg {channel}"), &format!("pos {channel}")]).await?;
        let cursor = line.cursor()?;
        require(cursor.epoch == position.epoch, "the epoch of the position before", &line)?;
        if line.header.starts_with("pos ") {
            require(cursor.offset >= position.offset, "a position that does not go back", &line)?;
            if line.option("live").is_some() {
                return Ok((begin, messages));
            }
        } else {
            let after = line.option("after").map_or(Ok(cursor.offset - 1), str::parse);
            let follows = after == Ok(position.offset);
            require(follows, format_args!("a message after the offset {}", position.offset), &line)?;
            messages.push(line);
        }
        position = cursor;
    }
}

fn texts(messages: &[Received]) -> Vec<String> {
    messages.iter().map(Received::text).collect()
}

fn require_texts(messages: &[Received], expected: &[&str]) -> Outcome {
    let texts = texts(messages);
    require(texts == expected, format_args!("the messages {expected:?}"), format_args!("{texts:?}"))
}

async fn live(context: Context) -> Outcome {
    let channel = context.channel();
    let (_publisher, cursors) = published(&context, &["1", "2"]).await?;
    let (mut client, _) = context.attach().await?;
    let begin = client.ask(&format!("sub {channel} live"), &format!("subscribed {channel}")).await?.cursor()?;
    require(Some(&begin) == cursors.last(), format_args!("the position {}", cursors[1]), begin)?;
    let (_, copy) = client.publish(channel, 1, "\n3").await?;
    require(copy.cursor()?.offset == begin.offset + 1, "the next offset", &copy)?;
    client.expect_nothing_else().await
}

async fn every_subscriber(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut publisher, _) = context.subscribed().await?;
    let (mut one, _) = context.subscribed().await?;
    let (mut other, _) = context.subscribed().await?;
    for seq in 1..=5 {
        let (ack, _) = publisher.publish(channel, seq, &format!("\n{seq}")).await?;
        for client in [&mut one, &mut other] {
            let message = client.expect(&format!("msg {channel}")).await?;
            let is_same = message.cursor()? == ack.cursor()? && message.text() == seq.to_string();
            require(is_same, format_args!("the message that {ack} answers"), &message)?;
        }
    }
    for client in [&mut publisher, &mut one, &mut other] {
        client.expect_nothing_else().await?;
    }
    Ok(())
}

async fn last(context: Context) -> Outcome {
    let channel = context.channel();
    let (_publisher, cursors) = published(&context, &["1", "2", "3"]).await?;
    let (mut client, _) = context.attach().await?;
    let (begin, messages) = caught_up(&mut client, channel, "last:2").await?;
    require(begin == cursors[0], cursors[0], begin)?;
    require_texts(&messages, &["2", "3"])?;
    require_texts(&caught_up(&mut client, channel, "last:100").await?.1, &["1", "2", "3"])?;
    require_texts(&caught_up(&mut client, channel, "last:0").await?.1, &[])?;
    client.publish(channel, 1, "\n4").await?;
    client.expect_nothing_else().await
}

async fn from(context: Context) -> Outcome {
    let channel = context.channel();
    let (_publisher, cursors) = published(&context, &["1", "2", "3"]).await?;
    let (mut client, _) = context.attach().await?;
    for (cursor, expected) in cursors.iter().zip([&["2", "3"][..], &["3"], &[]]) {
        let (begin, messages) = caught_up(&mut client, channel, &format!("from:{cursor}")).await?;
        require(begin == *cursor, cursor, begin)?;
        require_texts(&messages, expected)?;
    }
    client.publish(channel, 1, "\n4").await?;
    client.expect_nothing_else().await
}

async fn from_beginning(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    let begin = client.ask(&format!("sub {channel} hold"), &format!("subscribed {channel}")).await?.cursor()?;
    require(begin.offset == 0, "the offset 0 in a channel without messages", begin)?;
    client.ask(&format!("pub {channel} 1\n1 ␞ pub {channel} 2\n2"), "ack 1").await?;
    client.expect("ack 2").await?;
    let (_, messages) = caught_up(&mut client, channel, &format!("from:{begin}")).await?;
    require_texts(&messages, &["1", "2"])
}

async fn hold(context: Context) -> Outcome {
    let channel = context.channel();
    let (_publisher, cursors) = published(&context, &["1"]).await?;
    let (mut client, _) = context.attach().await?;
    let begin = client.ask(&format!("sub {channel} hold"), &format!("subscribed {channel}")).await?.cursor()?;
    require(begin == cursors[0], cursors[0], begin)?;
    publish_to_others(&context).await?;
    client.expect_nothing_else().await
}

/// Publishes to a subscriber twice. An ack says nothing of deliveries, and a server may need a moment for them: whom it sends the first
/// message, it has sent it when another subscriber has the second.
async fn publish_to_others(context: &Context) -> Outcome {
    let (mut other, _) = context.subscribed().await?;
    for seq in 1..=2 {
        other.publish(context.channel(), seq, "\nfor others").await?;
    }
    Ok(())
}

async fn state(context: Context) -> Outcome {
    let channel = context.need(&context.options.state, "--state")?;
    // The keys of earlier runs may still be there.
    let run = context.channel();
    let (mut client, _) = context.attach().await?;
    let lines = ["a\n1", "b\n2", "c\n3", "a\n4", "c"];
    for (seq, line) in (1..).zip(lines) {
        client.ask(&format!("pub {channel} {seq} key={run}-{line}"), &format!("ack {seq}")).await?;
    }
    for start in ["state", "state mode=latest"] {
        let (_, messages) = caught_up(&mut client, channel, start).await?;
        let keys = messages.iter().filter_map(|line| Some((line.option("key")?, line)));
        let own = keys.filter_map(|(key, line)| Some((key.strip_prefix(run)?.to_owned(), line.text())));
        let found: Vec<(String, String)> = own.collect();
        let expected = [("-b", "2"), ("-a", "4")].map(|(key, text)| (key.to_owned(), text.to_owned()));
        require(found == expected, format_args!("{expected:?}"), format_args!("{found:?}"))?;
    }
    let (_, copy) = client.publish(channel, 6, &format!(" key={run}-b")).await?;
    require(copy.has_no_content(), "the removal of the key", copy)
}

async fn latest(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("sub {channel} live mode=latest"), &format!("subscribed {channel}")).await?;
    for seq in 1..=3 {
        client.publish(channel, seq, &format!(" key=k{seq}\n{seq}")).await?;
    }
    client.expect_nothing_else().await
}

async fn replaced(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.subscribed().await?;
    client.publish(channel, 1, "\n1").await?;
    let (_, messages) = caught_up(&mut client, channel, "last:1").await?;
    require_texts(&messages, &["1"])?;
    client.publish(channel, 2, "\n2").await?;
    client.expect_nothing_else().await
}

async fn unsub(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.subscribed().await?;
    client.publish(channel, 1, "\n1").await?;
    client.ask(&format!("unsub {channel} ␞ pub {channel} 2\n2"), "ack 2").await?;
    publish_to_others(&context).await?;
    client.expect_nothing_else().await
}

async fn channels(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, _) = context.subscribed().await?;
    client.ask(&format!("pub {channel}-b 1\nother"), "ack 1").await?;
    client.publish(channel, 2, "\n1").await?;
    client.expect_nothing_else().await
}

/// A cursor that the history does not have: `change` is applied to that of the first of two messages.
async fn rewritten(context: Context, change: fn(Cursor) -> Cursor) -> Outcome {
    let channel = context.channel();
    let (_publisher, cursors) = published(&context, &["1", "2"]).await?;
    let (mut client, _) = context.attach().await?;
    gap(&mut client, channel, change(cursors[0]), "rewritten", cursors[1]).await
}

/// Subscribes from a cursor that cannot be recovered, and publishes what must be delivered nevertheless.
async fn gap(client: &mut Client, channel: &str, cursor: Cursor, reason: &str, present: Cursor) -> Outcome {
    let begin =
        client.ask(&format!("sub {channel} from:{cursor}"), &format!("subscribed {channel}")).await?.cursor()?;
    require(begin == present, format_args!("the present position {present}"), begin)?;
    let gap = client.expect(&format!("gap {channel} {reason}")).await?;
    require(gap.cursor()? == present, format_args!("the present position {present}"), &gap)?;
    let (_, copy) = client.publish(channel, 1, "\nnew").await?;
    require(copy.cursor()?.offset == present.offset + 1, "the message after the gap", &copy)?;
    client.expect_nothing_else().await
}

async fn other_epoch(context: Context) -> Outcome {
    rewritten(context, |cursor| Cursor { epoch: cursor.epoch ^ 1, ..cursor }).await
}

async fn ahead(context: Context) -> Outcome {
    rewritten(context, |cursor| Cursor { offset: cursor.offset + 1_000, ..cursor }).await
}

async fn other_time(context: Context) -> Outcome {
    rewritten(context, |cursor| Cursor { time: cursor.time - 1, ..cursor }).await
}

async fn trimmed(context: Context) -> Outcome {
    let channel = context.need(&context.options.short_history, "--short-history")?;
    let (mut client, _) = context.attach().await?;
    let mut cursors = Vec::new();
    for seq in 1..=PAST_SHORT_HISTORY {
        cursors.push(client.ask(&format!("pub {channel} {seq}\n{seq}"), &format!("ack {seq}")).await?.cursor()?);
    }
    let [first, .., present] = cursors[..] else { return failed("answers", "none") };
    let (mut client, _) = context.attach().await?;
    gap(&mut client, channel, first, "trimmed", present).await?;
    // What is kept is recovered.
    let (mut client, _) = context.attach().await?;
    let (_, messages) = caught_up(&mut client, channel, &format!("from:{present}")).await?;
    require_texts(&messages, &["new"])
}

async fn no_history(context: Context) -> Outcome {
    let channel = context.need(&context.options.no_history, "--no-history")?;
    let (mut client, _) = context.attach().await?;
    let first = client.ask(&format!("pub {channel} 1\n1"), "ack 1").await?.cursor()?;
    let present = client.ask(&format!("pub {channel} 2\n2"), "ack 2").await?.cursor()?;
    let (mut client, _) = context.attach().await?;
    gap(&mut client, channel, first, "refused", present).await
}

async fn denied(context: Context) -> Outcome {
    let channel = context.need(&context.options.denied, "--denied")?;
    let (mut client, _) = context.attach().await?;
    for start in ["live", "hold", "last:1", "state"] {
        client.ask(&format!("sub {channel} {start}"), &format!("unsub {channel} denied")).await?;
    }
    client.expect_nothing_else().await
}

async fn limit(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, session) = context.attach().await?;
    let limit = session.number("subscriptions")?;
    if limit > MOST_SUBSCRIPTIONS {
        return Err(Stop::Skipped(format!("the server takes {limit} subscriptions")));
    }
    for number in 0..limit {
        client.ask(&format!("sub {channel}-{number} hold"), &format!("subscribed {channel}-{number}")).await?;
    }
    client.ask(&format!("sub {channel} hold"), &format!("unsub {channel} limit")).await?;
    client.ask(&format!("unsub {channel}-0 ␞ sub {channel} hold"), &format!("subscribed {channel}")).await.map(drop)
}

// Presence.

/// A client with a new session that is a member of the channel of the check, as one of so many.
async fn enter(context: &Context, members: usize) -> Outcome<(Client, Session)> {
    let (mut client, session) = context.attach().await?;
    client.send(&format!("sub {} live presence=1", context.channel())).await?;
    entered(context, &mut client, members, &session).await?;
    Ok((client, session))
}

async fn entered(context: &Context, client: &mut Client, members: usize, session: &Session) -> Outcome {
    let channel = context.channel();
    client.expect(&format!("subscribed {channel}")).await?;
    client.expect(&format!("presence {channel} {members}")).await?;
    let mut is_member = false;
    for _ in 0..members {
        let join = client.expect(&format!("join {channel}")).await?;
        is_member |= join.header == format!("join {channel} {}", session.id);
    }
    require(is_member, "the session itself among the members", "others only")
}

async fn members(context: Context) -> Outcome {
    let mut clients = Vec::new();
    for members in 1..=3 {
        clients.push(enter(&context, members).await?);
    }
    Ok(())
}

async fn others(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut subscriber, _) = enter(&context, 1).await?;
    for lines in [format!("unsub {channel}"), "bye".to_owned(), format!("sub {channel} live")] {
        let (mut client, session) = enter(&context, 2).await?;
        subscriber.expect(&format!("join {channel} {}", session.id)).await?;
        client.send(&lines).await?;
        subscriber.expect(&format!("leave {channel} {}", session.id)).await?;
    }
    subscriber.expect_nothing_else().await
}

async fn reconnect(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut subscriber, _) = enter(&context, 1).await?;
    let (mut client, session) = enter(&context, 2).await?;
    subscriber.expect(&format!("join {channel} {}", session.id)).await?;
    for _ in 0..3 {
        drop(client);
        (client, _) = context.resume(&session, "", &format!(" ␞ sub {channel} live presence=1")).await?;
        entered(&context, &mut client, 2, &session).await?;
    }
    subscriber.expect_nothing_else().await?;
    client.expect_nothing_else().await
}

async fn invisible(context: Context) -> Outcome {
    let (mut subscriber, _) = enter(&context, 1).await?;
    let (mut client, _) = context.subscribed().await?;
    client.expect_nothing_else().await?;
    subscriber.expect_nothing_else().await
}
