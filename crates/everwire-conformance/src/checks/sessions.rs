//! What survives a connection or a restart of the server: sessions, and requests with their answers.

use crate::client::{Client, Outcome, Received, Stop, require};
use crate::suite::{Check, Context};

/// A server with more credits is not filled.
const MOST_CREDITS: u64 = 2_000;

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
        Check::new("a-request-without-a-handler-is-refused", no_handler),
        Check::new("a-request-is-answered-in-parts", answered),
        Check::new("the-answer-to-a-request-sent-again-is-the-same", request_sent_again),
        Check::new("a-request-is-cancelled", cancelled),
        Check::new("another-session-of-the-user-cancels-a-request", cancelled_elsewhere),
        Check::new("another-user-cannot-cancel-a-request", cancelled_by_another_user),
        Check::new("a-request-expires", expired),
        Check::new("a-request-goes-on-over-a-reconnect", kept),
        Check::new("more-unanswered-requests-than-credits-close-the-connection", credits),
        Check::new("a-restart-neither-loses-nor-repeats-anything", restart),
        Check::new("a-server-that-drains-asks-its-clients-to-leave-and-serves-them-until-then", drain),
    ]
}

async fn resume(context: Context) -> Outcome {
    let (client, session) = context.attach().await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, " closed=1006", "").await?;
    require(welcome.number("generation")? == 2, "generation=2", &welcome.line)?;
    require(welcome.secret.is_empty(), "no secret, because the session is not new", &welcome.line)?;
    require(welcome.number("acked")? == 0, "acked=0", &welcome.line)?;
    client.expect_nothing_else().await
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
    client.expect_nothing_else().await
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
    client.expect_nothing_else().await
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
    client.expect_nothing_else().await
}

async fn sent_again(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut subscriber, _) = context.subscribed().await?;
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
        let message = subscriber.expect(&format!("msg {channel}")).await?;
        require(message.text() == number, format_args!("the message {number}"), &message)?;
    }
    subscriber.expect_nothing_else().await
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
    let (code, lines) = old.read_to_end().await?;
    require(code == Some(4409), "the older connection to be closed with 4409", format_args!("{code:?}"))?;
    for line in lines {
        let is_reason = line.header.starts_with("error taken-over fatal=1");
        require(is_reason, "`error taken-over fatal=1`, or nothing", line)?;
    }
    // Its end does not end the session.
    drop(old);
    new.publish(channel, 1, "\nhello").await?;
    new.expect_nothing_else().await
}

async fn old_generation(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut old, session) = context.attach().await?;
    let (mut new, _) = context.resume(&session, "", &format!(" ␞ sub {channel} live")).await?;
    new.expect(&format!("subscribed {channel}")).await?;
    // The older connection may be closed already.
    let _ = old.send(&format!("pub {channel} 1\nlate ␞ bye")).await;
    old.read_to_end().await?;
    new.expect_nothing_else().await?;
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
    client.expect_nothing_else().await
}

async fn subscriptions(context: Context) -> Outcome {
    let channel = context.channel();
    let (client, session) = context.subscribed().await?;
    drop(client);
    let (mut client, _) = context.resume(&session, "", "").await?;
    client.ask(&format!("pub {channel} 1\nhello"), "ack 1").await?;
    client.expect_nothing_else().await
}

// Requests.

async fn no_handler(context: Context) -> Outcome {
    let name = context.channel();
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("req {name} 1\nhello"), "nack 1 no-handler of=req").await?;
    client.ask(&format!("req {name} 2 timeout=1000 floor=2"), "nack 2 no-handler of=req").await?;
    // Publishes have numbers of their own.
    client.ask(&format!("pub {name} 1\nhello"), "ack 1").await?;
    client.expect_nothing_else().await
}

fn payload(context: &Context) -> String {
    context.options.request_payload.as_ref().map(|text| format!("\n{text}")).unwrap_or_default()
}

/// The parts of an answer up to the last one.
async fn parts(client: &mut Client, seq: u64) -> Outcome<Vec<Received>> {
    let mut parts = Vec::new();
    loop {
        let part = client.expect(&format!("res {seq} {}", parts.len())).await?;
        let has_more = part.option("more").is_some();
        parts.push(part);
        if !has_more {
            return Ok(parts);
        }
    }
}

async fn answered(context: Context) -> Outcome {
    let name = context.need(&context.options.request, "--request")?;
    let (mut client, _) = context.attach().await?;
    for seq in 1..=3 {
        client.send(&format!("req {name} {seq} floor={seq}{}", payload(&context))).await?;
        parts(&mut client, seq).await?;
    }
    client.expect_nothing_else().await
}

async fn request_sent_again(context: Context) -> Outcome {
    let name = context.need(&context.options.request, "--request")?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    let answer = parts(&mut client, 1).await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, "", "").await?;
    require(welcome.line.option("requests") == Some("kept"), "requests=kept", &welcome.line)?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    let again = parts(&mut client, 1).await?;
    require(again == answer, format_args!("{} parts as before", answer.len()), format_args!("{} others", again.len()))?;
    client.expect_nothing_else().await
}

async fn cancelled(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, _) = context.attach().await?;
    client.send(&format!("req {name} 1{} ␞ cancel 1", payload(&context))).await?;
    client.expect("nack 1 cancelled of=req").await?;
    client.expect_nothing_else().await
}

async fn cancelled_elsewhere(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    // Without credentials, a server cannot know that two sessions have the same user.
    context.need(&context.options.credentials, "--credentials")?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.expect_nothing_else().await?;
    let (mut other, _) = context.attach().await?;
    other.send(&format!("cancel 1 of={}", session.id)).await?;
    client.expect("nack 1 cancelled of=req").await?;
    other.expect_nothing_else().await
}

async fn cancelled_by_another_user(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let mut other = context.attach_other_user().await?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.expect_nothing_else().await?;
    other.send(&format!("cancel 1 of={}", session.id)).await?;
    // It is not said either that there is such a session.
    other.expect_nothing_else().await?;
    client.ask("ping 1", "pong 1").await?;
    client.ask("cancel 1", "nack 1 cancelled of=req").await.map(drop)
}

async fn expired(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("req {name} 1 timeout=50{}", payload(&context)), "nack 1 expired of=req").await?;
    client.expect_nothing_else().await
}

async fn kept(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.expect_nothing_else().await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, "", "").await?;
    require(welcome.line.option("requests") == Some("kept"), "requests=kept", &welcome.line)?;
    client.send(&format!("req {name} 1{} ␞ ping 1", payload(&context))).await?;
    client.expect("pong 1").await?;
    client.ask("cancel 1", "nack 1 cancelled of=req").await?;
    client.expect_nothing_else().await
}

async fn credits(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, session) = context.attach().await?;
    let credits = session.number("credits")?;
    if credits > MOST_CREDITS {
        return Err(Stop::Skipped(format!("the server gives {credits} credits")));
    }
    for seq in 1..=credits {
        client.send(&format!("req {name} {seq}{}", payload(&context))).await?;
    }
    client.expect_nothing_else().await?;
    client.send(&format!("req {name} {}{}", credits + 1, payload(&context))).await?;
    client.expect_fatal("credits", Some("req"), 4503).await
}

// Restarts.

async fn restart(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut publisher, other) = context.attach().await?;
    let (mut client, session) = context.subscribed().await?;
    publisher.ask(&format!("pub {channel} 1\n1"), "ack 1").await?;
    let position = client.expect(&format!("msg {channel}")).await?.cursor()?;
    let (ack, copy) = client.publish(channel, 1, "\n2").await?;
    context.run(&context.options.restart_command, "--restart-command").await?;
    // As if neither the answer nor the message had arrived.
    let (mut client, welcome) = context.resume(&session, "", &format!(" ␞ sub {channel} from:{position}")).await?;
    require(welcome.number("generation")? == 2, "generation=2", &welcome.line)?;
    require(welcome.number("acked")? == 1, "acked=1", &welcome.line)?;
    let again = client.expect("ack 1").await?;
    require(again == ack, &ack, &again)?;
    client.expect(&format!("subscribed {channel} {position}")).await?;
    let message = client.expect(&format!("msg {channel}")).await?;
    require(message == copy, &copy, &message)?;
    client.expect_nothing_else().await?;
    let (mut publisher, _) = context.resume(&other, " acked=1", "").await?;
    publisher.ask(&format!("pub {channel} 2\n3"), "ack 2").await?;
    let next = client.expect(&format!("msg {channel}")).await?;
    require(next.cursor()?.offset == copy.cursor()?.offset + 1, "the next offset", next)
}

async fn drain(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut publisher, other) = context.attach().await?;
    let (mut client, session) = context.subscribed().await?;
    context.run(&context.options.drain_command, "--drain-command").await?;
    for client in [&mut publisher, &mut client] {
        let line = client.expect("drain").await?;
        let millis = |name| line.option(name).and_then(|millis| millis.parse::<u64>().ok()).unwrap_or(u64::MAX);
        require(millis("spread") <= millis("deadline"), "time to leave before the deadline", &line)?;
    }
    let ack = publisher.ask(&format!("pub {channel} 1\n1"), "ack 1").await?;
    let position = client.expect(&format!("msg {channel}")).await?.cursor()?;
    require(ack.cursor()? == position, format_args!("the message that {ack} answers"), position)?;
    drop((publisher, client));
    context.run(&context.options.restart_command, "--restart-command").await?;
    let (mut client, _) = context.resume(&session, "", &format!(" ␞ sub {channel} from:{position}")).await?;
    client.expect(&format!("subscribed {channel} {position}")).await?;
    client.expect_nothing_else().await?;
    let (mut publisher, _) = context.resume(&other, " acked=1", "").await?;
    publisher.ask(&format!("pub {channel} 2\n2"), "ack 2").await?;
    let message = client.expect(&format!("msg {channel}")).await?;
    require(message.text() == "2", "the message 2", message)
}
