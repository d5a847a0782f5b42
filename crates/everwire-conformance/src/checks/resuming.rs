//! What survives a connection.

use crate::outcome::{Outcome, require};
use crate::suite::{Check, Context};

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("a-resume-goes-on-with-the-session", resume),
        Check::new("missed-messages-follow-once-and-in-order", missed),
        Check::new("missed-answers-follow-before-the-subscriptions", answers),
        Check::new("answers-that-the-client-has-do-not-follow", acked),
        Check::new("a-publish-sent-again-after-a-resume-is-stored-once", sent_again),
        Check::new("a-client-ahead-of-the-server-is-believed", ahead),
        Check::new("a-newer-generation-takes-over", takeover),
        Check::new("what-an-older-generation-sends-is-ignored", old_generation),
        Check::new("generations-count-by-one", generations),
        Check::new("subscriptions-end-with-their-connection", subscriptions),
    ]
}

async fn resume(context: Context) -> Outcome {
    let (client, session) = context.attach().await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, " closed=1006", "").await?;
    require(welcome.number("generation")? == 2, "generation=2", &welcome.line)?;
    require(welcome.secret.is_empty(), "no secret, because the session is not new", &welcome.line)?;
    require(welcome.number("acked")? == 0, "acked=0", &welcome.line)?;
    client.nothing_else().await
}

async fn missed(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut publisher, _) = context.attach().await?;
    let (mut client, session) = context.subscribed().await?;
    publisher.ask(&format!("pub {channel} 1\n1"), "ack 1").await?;
    let position = client.expect(&format!("msg {channel}")).await?.cursor()?;
    drop(client);
    for seq in 2..=50 {
        publisher.ask(&format!("pub {channel} {seq}\n{seq}"), &format!("ack {seq}")).await?;
    }
    let (mut client, _) = context.resume(&session, "", &format!(" ␞ sub {channel} from:{position}")).await?;
    client.expect(&format!("subscribed {channel} {position}")).await?;
    publisher.ask(&format!("pub {channel} 51\n51"), "ack 51").await?;
    for number in 2..=51 {
        let message = client.expect(&format!("msg {channel}")).await?;
        require(message.text() == number.to_string(), format_args!("the message {number}"), &message)?;
    }
    client.nothing_else().await
}

async fn answers(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, session) = context.subscribed().await?;
    let (first, position) = client.publish(channel, 1, "\n1").await?;
    let (second, _) = client.publish(channel, 2, "\n2").await?;
    drop(client);
    // As if none of them had arrived.
    let lines = format!(" ␞ sub {channel} from:{}", position.cursor()?);
    let (mut client, welcome) = context.resume(&session, "", &lines).await?;
    require(welcome.number("acked")? == 2, "acked=2", &welcome.line)?;
    for ack in [first, second] {
        let again = client.expect("ack").await?;
        require(again == ack, &ack, &again)?;
    }
    client.expect(&format!("subscribed {channel}")).await?;
    client.expect(&format!("msg {channel}")).await?;
    client.nothing_else().await
}

async fn acked(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut client, session) = context.attach().await?;
    for seq in 1..=3 {
        client.ask(&format!("pub {channel} {seq}\n{seq}"), &format!("ack {seq}")).await?;
    }
    drop(client);
    let (mut client, welcome) = context.resume(&session, " acked=2", "").await?;
    require(welcome.number("acked")? == 3, "acked=3", &welcome.line)?;
    client.expect("ack 3").await?;
    client.nothing_else().await
}

async fn sent_again(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut watcher, _) = context.subscribed().await?;
    let (mut client, session) = context.attach().await?;
    // The client does not wait for the answer, and cannot know whether the publish arrived.
    client.send(&format!("pub {channel} 1\n1")).await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, "", "").await?;
    let has_arrived = welcome.number("acked")? == 1;
    if has_arrived {
        client.expect("ack 1").await?;
    }
    client.ask(&format!("pub {channel} 1\n1"), "ack 1").await?;
    client.ask(&format!("pub {channel} 2\n2"), "ack 2").await?;
    for number in ["1", "2"] {
        let message = watcher.expect(&format!("msg {channel}")).await?;
        require(message.text() == number, format_args!("the message {number}"), &message)?;
    }
    watcher.nothing_else().await
}

async fn ahead(context: Context) -> Outcome {
    let channel = context.channel();
    let (client, session) = context.attach().await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, " acked=7", "").await?;
    require(welcome.number("acked")? == 7, "acked=7", &welcome.line)?;
    client.ask(&format!("pub {channel} 8\n8"), "ack 8").await.map(drop)
}

async fn takeover(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut old, session) = context.subscribed().await?;
    let (mut new, _) = context.resume(&session, "", &format!(" ␞ sub {channel} live")).await?;
    new.expect(&format!("subscribed {channel}")).await?;
    let (code, lines) = old.rest().await?;
    require(code == Some(4409), "the older connection to be closed with 4409", format_args!("{code:?}"))?;
    for line in lines {
        let is_reason = line.header.starts_with("error taken-over fatal=1");
        require(is_reason, "`error taken-over fatal=1`, or nothing", line)?;
    }
    // Its end does not end the session.
    drop(old);
    new.publish(channel, 1, "\nhello").await?;
    new.nothing_else().await
}

async fn old_generation(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut old, session) = context.attach().await?;
    let (mut new, _) = context.resume(&session, "", &format!(" ␞ sub {channel} live")).await?;
    new.expect(&format!("subscribed {channel}")).await?;
    // The older connection may be closed already.
    let _ = old.send(&format!("pub {channel} 1\nlate ␞ bye")).await;
    old.rest().await?;
    new.nothing_else().await?;
    let (_, copy) = new.publish(channel, 1, "\nhello").await?;
    require(copy.text() == "hello", "the message of the newer connection", copy)
}

async fn generations(context: Context) -> Outcome {
    let (mut client, session) = context.attach().await?;
    for generation in 2..=5 {
        let (next, welcome) = context.resume(&session, "", "").await?;
        require(welcome.number("generation")? == generation, format_args!("generation={generation}"), &welcome.line)?;
        client = next;
    }
    client.nothing_else().await
}

async fn subscriptions(context: Context) -> Outcome {
    let channel = context.channel();
    let (client, session) = context.subscribed().await?;
    drop(client);
    let (mut client, _) = context.resume(&session, "", "").await?;
    client.ask(&format!("pub {channel} 1\nhello"), "ack 1").await?;
    client.nothing_else().await
}
