//! The client of `everwire.v1`, against a server that is scripted line by line.

mod connecting;
mod end_to_end;
#[cfg(unix)]
mod killed_server;
mod presence;
mod publishing;
mod requests;
mod script;
mod sharing;
mod subscribing;

use everwire::{
    Channel, Delivery, Subscription,
    client::{ChannelMessage, ClientError},
};
use futures_util::StreamExt;

use crate::tools::within;

const CHAT: Channel<String> = Channel::new("chat");

/// The next item of a subscription.
async fn next<T, D>(subscription: &mut Subscription<T, D>) -> Delivery<T, D> {
    within("an item arrived", subscription.next()).await.expect("the subscription ended")
}

/// The next item, which is a message.
async fn message<T: core::fmt::Debug, D: core::fmt::Debug>(subscription: &mut Subscription<T, D>) -> ChannelMessage<T> {
    match next(subscription).await {
        Delivery::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}

async fn closed(client: &everwire::Client) -> ClientError {
    within("the client was over", client.closed()).await
}
