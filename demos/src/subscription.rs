//! Channels of the application's client.

use everwire::client::{ClientEvent, Cursor};
use everwire::{Client, Delivery, Subscription};
use futures_util::StreamExt;
use yew::prelude::*;

use crate::job::Job;

/// Reads a channel until the job is dropped. `take` gets each delivery, and the position of the subscription after it.
///
/// `open` subscribes. It is called again where the server has refused the subscription and then welcomes the client once more: the server or
/// the visitor's token may be another one.
pub(crate) fn read<T: 'static>(
    client: Client,
    open: impl Fn(&Client) -> Subscription<T> + 'static,
    take: impl Fn(Delivery<T>, Option<Cursor>) + 'static,
) -> Job {
    Job::start(async move {
        loop {
            let mut deliveries = open(&client);
            while let Some(delivery) = deliveries.next().await {
                let position = deliveries.cursor();
                take(delivery, position);
            }
            let mut attached = client.events().filter(is_attached);
            if attached.next().await.is_none() {
                // The client is closed.
                return;
            }
        }
    })
}

/// Passes on what a channel of the application's client delivers, while the component lives and until `key` or the client is another. A
/// channel that was refused is subscribed to again as by [`read`].
#[hook]
pub(crate) fn use_subscription<K: PartialEq + 'static, T: 'static>(
    key: K,
    open: impl Fn(&Client) -> Subscription<T> + 'static,
    on_delivery: impl Fn(Delivery<T>) + 'static,
) {
    let client = use_context::<Option<Client>>().flatten();
    use_effect_with((client, key), move |(client, _)| {
        let job = client.clone().map(|client| read(client, open, move |delivery, _| on_delivery(delivery)));
        move || drop(job)
    });
}

/// Calls a function each time that the server welcomes the application's client, while the component lives.
#[hook]
pub(crate) fn use_attached(on_attached: impl Fn() + 'static) {
    let client = use_context::<Option<Client>>().flatten();
    use_effect_with(client, move |client| {
        let job = client.as_ref().map(Client::events).map(|events| {
            let mut attached = events.filter(is_attached);
            Job::start(async move {
                while attached.next().await.is_some() {
                    on_attached();
                }
            })
        });
        move || drop(job)
    });
}

fn is_attached(event: &ClientEvent) -> std::future::Ready<bool> {
    std::future::ready(matches!(event, ClientEvent::Attached(_)))
}
