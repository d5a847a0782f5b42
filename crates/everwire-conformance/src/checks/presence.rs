//! Who is in a channel.

use crate::client::{Client, Session};
use crate::outcome::{Outcome, require};
use crate::suite::{Check, Context};

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("a-session-that-enters-learns-who-is-there", members),
        Check::new("the-others-learn-who-enters-and-leaves", others),
        Check::new("a-reconnect-is-no-join-and-no-leave", reconnect),
        Check::new("a-session-without-presence-is-not-a-member", invisible),
    ]
}

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
    let (mut watcher, _) = enter(&context, 1).await?;
    for lines in [format!("unsub {channel}"), "bye".to_owned(), format!("sub {channel} live")] {
        let (mut client, session) = enter(&context, 2).await?;
        watcher.expect(&format!("join {channel} {}", session.id)).await?;
        client.send(&lines).await?;
        watcher.expect(&format!("leave {channel} {}", session.id)).await?;
    }
    watcher.nothing_else().await
}

async fn reconnect(context: Context) -> Outcome {
    let channel = context.channel();
    let (mut watcher, _) = enter(&context, 1).await?;
    let (mut client, session) = enter(&context, 2).await?;
    watcher.expect(&format!("join {channel} {}", session.id)).await?;
    for _ in 0..3 {
        drop(client);
        (client, _) = context.resume(&session, "", &format!(" ␞ sub {channel} live presence=1")).await?;
        entered(&context, &mut client, 2, &session).await?;
    }
    watcher.nothing_else().await?;
    client.nothing_else().await
}

async fn invisible(context: Context) -> Outcome {
    let (mut watcher, _) = enter(&context, 1).await?;
    let (mut client, _) = context.subscribed().await?;
    client.nothing_else().await?;
    watcher.nothing_else().await
}
