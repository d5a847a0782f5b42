//! Requests and their answers.

use crate::client::{Client, Received};
use crate::outcome::{Outcome, Stop, require};
use crate::suite::{Check, Context};

/// A server with more credits is not filled.
const MOST_CREDITS: u64 = 2_000;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("a-request-without-a-handler-is-refused", no_handler),
        Check::new("a-request-is-answered-in-parts", answered),
        Check::new("the-answer-to-a-request-sent-again-is-the-same", sent_again),
        Check::new("a-request-is-cancelled", cancelled),
        Check::new("another-session-of-the-user-cancels-a-request", cancelled_elsewhere),
        Check::new("another-user-cannot-cancel-a-request", cancelled_by_another_user),
        Check::new("a-request-expires", expired),
        Check::new("a-request-goes-on-over-a-reconnect", kept),
        Check::new("more-unanswered-requests-than-credits-close-the-connection", credits),
    ]
}

async fn no_handler(context: Context) -> Outcome {
    let name = context.channel();
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("req {name} 1\nhello"), "nack 1 no-handler of=req").await?;
    client.ask(&format!("req {name} 2 timeout=1000 floor=2"), "nack 2 no-handler of=req").await?;
    // Publishes have numbers of their own.
    client.ask(&format!("pub {name} 1\nhello"), "ack 1").await?;
    client.nothing_else().await
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
    client.nothing_else().await
}

async fn sent_again(context: Context) -> Outcome {
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
    client.nothing_else().await
}

async fn cancelled(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, _) = context.attach().await?;
    client.send(&format!("req {name} 1{} ␞ cancel 1", payload(&context))).await?;
    client.expect("nack 1 cancelled of=req").await?;
    client.nothing_else().await
}

async fn cancelled_elsewhere(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    // Without credentials, a server cannot know that two sessions have the same user.
    context.need(&context.options.credentials, "--credentials")?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.nothing_else().await?;
    let (mut other, _) = context.attach().await?;
    other.send(&format!("cancel 1 of={}", session.id)).await?;
    client.expect("nack 1 cancelled of=req").await?;
    other.nothing_else().await
}

async fn cancelled_by_another_user(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let mut other = context.attach_other_user().await?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.nothing_else().await?;
    other.send(&format!("cancel 1 of={}", session.id)).await?;
    // It is not said either that there is such a session.
    other.nothing_else().await?;
    client.ask("ping 1", "pong 1").await?;
    client.ask("cancel 1", "nack 1 cancelled of=req").await.map(drop)
}

async fn expired(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, _) = context.attach().await?;
    client.ask(&format!("req {name} 1 timeout=50{}", payload(&context)), "nack 1 expired of=req").await?;
    client.nothing_else().await
}

async fn kept(context: Context) -> Outcome {
    let name = context.need(&context.options.slow_request, "--slow-request")?;
    let (mut client, session) = context.attach().await?;
    client.send(&format!("req {name} 1{}", payload(&context))).await?;
    client.nothing_else().await?;
    drop(client);
    let (mut client, welcome) = context.resume(&session, "", "").await?;
    require(welcome.line.option("requests") == Some("kept"), "requests=kept", &welcome.line)?;
    client.send(&format!("req {name} 1{} ␞ ping 1", payload(&context))).await?;
    client.expect("pong 1").await?;
    client.ask("cancel 1", "nack 1 cancelled of=req").await?;
    client.nothing_else().await
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
    client.nothing_else().await?;
    client.send(&format!("req {name} {}{}", credits + 1, payload(&context))).await?;
    client.fatal("credits", Some("req"), 4503).await
}
