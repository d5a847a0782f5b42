//! The handshake, `hello` and `welcome`, `ping` and `bye`.

use std::time::{SystemTime, UNIX_EPOCH};

use everwire_core::protocol::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};

use crate::client::{Client, Session};
use crate::outcome::{Outcome, Stop, failed, require};
use crate::suite::{Check, Context};

pub(super) fn checks() -> Vec<Check> {
    vec![
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
    ]
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
    owner.nothing_else().await
}

async fn unauthorized(context: Context) -> Outcome {
    let credentials = context.need(&context.options.refused_credentials, "--refused-credentials")?;
    let (_owner, session) = context.attach().await?;
    let Session { id, secret, .. } = session;
    for hello in ["hello attempt=0".to_owned(), format!("hello attempt=1 session={id} secret={secret}")] {
        let mut client = context.connect().await?;
        client.send(&format!("{hello}\n{credentials} ␞ sub {} live", context.channel())).await?;
        client.fatal("unauthorized", None, 3000).await?;
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
    client.fatal("unexpected", Some("hello"), 4502).await?;
    context.resume(&session, "", "").await.map(drop)
}

async fn late_hello(context: Context) -> Outcome {
    let time = context.options.hello_timeout.ok_or_else(|| Stop::Skipped("needs --hello-timeout".to_owned()))?;
    let mut client = context.connect().await?;
    client.ask("ping 1", "pong 1").await?;
    client.wait(time);
    client.fatal("unexpected", None, 4502).await
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
    client.nothing_else().await
}

async fn bye(context: Context) -> Outcome {
    let (mut client, session) = context.attach().await?;
    client.send("bye").await?;
    client.end().await?;
    let mut client = context.resuming(&session, "", "").await?;
    let other = client.welcome().await?;
    require(other.id != session.id && !other.secret.is_empty(), "a new session after bye", &other.line)
}
