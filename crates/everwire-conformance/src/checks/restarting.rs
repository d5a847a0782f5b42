//! A server that stops and starts again.

use crate::outcome::{Outcome, require};
use crate::suite::{Check, Context};

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new("a-restart-neither-loses-nor-repeats-anything", restart),
        Check::new("a-server-that-drains-asks-its-clients-to-leave-and-serves-them-until-then", drain),
    ]
}

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
    client.nothing_else().await?;
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
    client.nothing_else().await?;
    let (mut publisher, _) = context.resume(&other, " acked=1", "").await?;
    publisher.ask(&format!("pub {channel} 2\n2"), "ack 2").await?;
    let message = client.expect(&format!("msg {channel}")).await?;
    require(message.text() == "2", "the message 2", message)
}
