use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use everwire::client::SubscribeOptions;
use everwire::{Channel, Client, Delivery, Message};
use serde::de::DeserializeOwned;
use yew::prelude::*;

use super::panel::Panel;
use super::traffic::Traffic;
use crate::subscription::read;

/// What a panel shows of its channel.
pub(super) trait Model: Default + 'static {
    type Item: DeserializeOwned;

    /// Where a subscription starts.
    fn start() -> SubscribeOptions;

    /// The panel was switched on: what the start yields follows.
    fn restart(&mut self) {
        *self = Self::default();
    }

    /// Takes a message.
    fn take(&mut self, arrival: Arrival<Self::Item>);
}

/// A message of a channel.
#[derive(Debug)]
pub(super) struct Arrival<T> {
    pub(super) item: T,
    pub(super) key: Option<String>,
    /// When the server stored it, in milliseconds since the Unix epoch.
    pub(super) time: f64,
}

/// The channel of a panel, as far as it was received.
pub(super) struct Feed<M> {
    shown: Rc<RefCell<Shown<M>>>,
    /// The client that reads it, if there is one.
    pub(super) client: Option<Client>,
    /// How often it went on without a gap after the connection was lost.
    pub(super) resumed: u32,
    /// Why the server does not send it.
    pub(super) refused: Option<AttrValue>,
}

impl<M> Feed<M> {
    pub(super) fn model(&self) -> Ref<'_, M> {
        Ref::map(self.shown.borrow(), |shown| &shown.model)
    }

    /// The model, for what the visitor does. The change is drawn with the next message, or by the component.
    pub(super) fn model_mut(&self) -> RefMut<'_, M> {
        RefMut::map(self.shown.borrow_mut(), |shown| &mut shown.model)
    }
}

impl<M> Clone for Feed<M> {
    fn clone(&self) -> Self {
        let Self { shown, client, resumed, refused } = self;
        Self { shown: Rc::clone(shown), client: client.clone(), resumed: *resumed, refused: refused.clone() }
    }
}

#[derive(Default)]
struct Shown<M> {
    model: M,
    /// Whose messages these are.
    client: Option<Client>,
    resumed: u32,
    refused: Option<AttrValue>,
}

/// Subscribes to the channel of a panel while that is on. What comes is in the model, and counted.
#[hook]
pub(super) fn use_feed<M: Model>(panel: Panel, is_on: bool, traffic: &Rc<Traffic>) -> Feed<M> {
    let client = use_context::<Option<Client>>().flatten();
    let shown = use_mut_ref(Shown::<M>::default);
    let update = use_force_update();
    {
        let (shown, traffic) = (Rc::clone(&shown), Rc::clone(traffic));
        use_effect_with((client.clone(), is_on), move |(client, is_on)| {
            let job = client.clone().filter(|_| *is_on).map(|client| {
                let opened = Rc::clone(&shown);
                let open = move |client: &Client| {
                    opened.borrow_mut().begin(client);
                    client.subscribe_raw(&Channel::new(panel.channel()), &M::start())
                };
                // However many messages come together, the panel is drawn once.
                read(client, open, move |delivery, _| {
                    shown.borrow_mut().take(delivery, panel, &traffic);
                    update.force_update();
                })
            });
            move || drop(job)
        });
    }
    let (resumed, refused) = {
        let shown = shown.borrow();
        (shown.resumed, shown.refused.clone())
    };
    Feed { shown, client, resumed, refused }
}

impl<M: Model> Shown<M> {
    fn begin(&mut self, client: &Client) {
        if self.client.as_ref() == Some(client) {
            self.model.restart();
        } else {
            *self = Self { client: Some(client.clone()), ..Self::default() };
        }
        self.refused = None;
    }

    fn take(&mut self, delivery: Delivery<Message>, panel: Panel, traffic: &Traffic) {
        match delivery {
            Delivery::Message(message) => {
                traffic.count(panel, message.value.len());
                // A server of another version may send something else.
                let text = message.value.as_text().unwrap_or_default();
                if let Ok(item) = serde_json::from_str(text) {
                    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
                    let time = message.cursor.time as f64;
                    self.model.take(Arrival { item, key: message.key, time });
                }
            }
            Delivery::Gap(gap) => traffic.count_missed(gap.missed),
            Delivery::Resumed => {
                traffic.count_resumed();
                self.resumed += 1;
            }
            Delivery::Ended(error) => self.refused = Some(error.to_string().into()),
            _ => {}
        }
    }
}
