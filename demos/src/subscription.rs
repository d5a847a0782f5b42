//! Channels of the application's client in pages that keep what they receive by themselves.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use everwire::client::{ClientEvent, SubscribeOptions};
use everwire::{Channel, Client, Delivery, Subscription};
use futures_util::Stream;
use serde::de::DeserializeOwned;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

/// Passes on what a channel of the application's client delivers, while the component lives and until the channel or the client is another.
/// `options` is called for each subscription: a change of `round` subscribes again, and so does a gap, since the page needs the state of
/// the channel, or its latest messages, and not only what follows.
#[hook]
pub(crate) fn use_subscription<T: DeserializeOwned + 'static>(
    channel: Channel<T>,
    round: u32,
    options: impl Fn() -> SubscribeOptions + 'static,
    on_delivery: impl Fn(Delivery<T>) + 'static,
) {
    let client = use_context::<Option<Client>>().flatten();
    use_effect_with((client, channel, round), move |(client, channel, _)| {
        let reading = client.clone().map(|client| read(client, channel.clone(), options, on_delivery));
        // Dropping the subscription ends it at once, also while its reader waits.
        move || reading.into_iter().for_each(|reading| drop(reading.borrow_mut().take()))
    });
}

/// Calls a function each time that the server welcomes the application's client, while the component lives.
#[hook]
pub(crate) fn use_attached(on_attached: impl Fn() + 'static) {
    let client = use_context::<Option<Client>>().flatten();
    use_effect_with(client, move |client| {
        let events = Rc::new(RefCell::new(client.as_ref().map(Client::events)));
        let reading = Rc::clone(&events);
        spawn_local(async move {
            while let Some(event) = next(&reading).await {
                if matches!(event, ClientEvent::Attached(_)) {
                    on_attached();
                }
            }
        });
        move || drop(events.borrow_mut().take())
    });
}

type Reading<T> = Rc<RefCell<Option<Subscription<T>>>>;

/// Reads a channel until the subscription is taken out.
fn read<T: DeserializeOwned + 'static>(
    client: Client,
    channel: Channel<T>,
    options: impl Fn() -> SubscribeOptions + 'static,
    on_delivery: impl Fn(Delivery<T>) + 'static,
) -> Reading<T> {
    let subscribe = move || client.subscribe_with(&channel, &options());
    let reading = Rc::new(RefCell::new(Some(subscribe())));
    let current = Rc::clone(&reading);
    spawn_local(async move {
        while let Some(delivery) = next(&current).await {
            let is_gap = matches!(delivery, Delivery::Gap(_));
            on_delivery(delivery);
            if is_gap && current.borrow().is_some() {
                drop(current.borrow_mut().take());
                let again = subscribe();
                *current.borrow_mut() = Some(again);
            }
        }
    });
    reading
}

/// The next item; `None` once the stream has ended or was taken out.
async fn next<S: Stream + Unpin>(reading: &Rc<RefCell<Option<S>>>) -> Option<S::Item> {
    poll_fn(|context| match reading.borrow_mut().as_mut() {
        Some(stream) => Pin::new(stream).poll_next(context),
        None => Poll::Ready(None),
    })
    .await
}
