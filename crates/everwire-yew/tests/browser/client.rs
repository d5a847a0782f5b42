//! The hooks for channels.

use std::cell::RefCell;
use std::rc::Rc;

use everwire::client::Member;
use everwire::{Channel, Client};
use everwire_yew::{ClientProvider, UseChannel, use_channel, use_client, use_presence};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::window;
use yew::prelude::*;

use crate::stage::endpoint;

#[derive(Properties, Clone)]
struct RoomProps {
    channel: Channel<u32>,
    shown: Rc<RefCell<Option<Shown>>>,
    renders: UnboundedSender<()>,
}

impl PartialEq for RoomProps {
    fn eq(&self, other: &Self) -> bool {
        self.channel == other.channel
    }
}

/// What a render had.
#[derive(Clone)]
struct Shown {
    chat: UseChannel<u32>,
    members: Rc<[Member]>,
    client: Option<Client>,
}

#[component]
fn Page(props: &RoomProps) -> Html {
    let client = use_client(endpoint("/everwire"));
    html! { <ClientProvider context={client}><Room ..props.clone() /></ClientProvider> }
}

#[component]
fn Room(props: &RoomProps) -> Html {
    let (chat, members) = (use_channel(&props.channel), use_presence(&props.channel));
    let client = use_context::<Option<Client>>().flatten();
    *props.shown.borrow_mut() = Some(Shown { chat, members, client });
    let _ = props.renders.unbounded_send(());
    html! {}
}

struct World {
    app: AppHandle<Page>,
    shown: Rc<RefCell<Option<Shown>>>,
    renders: UnboundedReceiver<()>,
}

impl World {
    fn start() -> Self {
        let root = window().unwrap().document().unwrap().create_element("div").unwrap();
        let (sender, renders) = unbounded();
        let shown = Rc::default();
        let channel = Channel::named(format!("yew-{}", js_sys::Math::random()));
        let props = RoomProps { channel, shown: Rc::clone(&shown), renders: sender };
        Self { app: yew::Renderer::<Page>::with_root_and_props(root, props).render(), shown, renders }
    }

    async fn until(&mut self, is_so: impl Fn(&Shown) -> bool) -> Shown {
        loop {
            if let Some(shown) = self.shown.borrow().clone().filter(&is_so) {
                return shown;
            }
            self.renders.next().await.unwrap();
        }
    }
}

fn values(shown: &Shown) -> Vec<u32> {
    shown.chat.messages().iter().map(|message| message.value).collect()
}

#[wasm_bindgen_test]
async fn a_component_shows_the_messages_of_its_channel_and_who_is_there() {
    let mut world = World::start();
    let shown = world.until(|shown| shown.chat.has_caught_up() && shown.members.len() == 1).await;
    assert_eq!(values(&shown), [] as [u32; 0]);
    for value in [1, 2] {
        drop(shown.chat.publish(&value));
    }
    let shown = world.until(|shown| shown.chat.messages().len() == 2).await;
    assert_eq!(values(&shown), [1, 2]);
    assert_eq!(shown.members[0].session(), shown.client.unwrap().session().unwrap());
}

#[wasm_bindgen_test]
async fn a_component_that_is_gone_leaves_its_channel() {
    let mut world = World::start();
    let client = world.until(|shown| shown.members.len() == 1).await.client.unwrap();
    let channel = world.shown.borrow_mut().take().unwrap().chat.channel().clone();
    world.app.destroy();
    // Ends when the components and their properties are gone.
    while world.renders.next().await.is_some() {}
    // A client has one subscription of a channel.
    let mut again = client.subscribe(&channel);
    drop(client.publish(&channel, &7));
    loop {
        match again.next().await {
            Some(everwire::Delivery::Message(message)) => break assert_eq!(message.value, 7),
            Some(everwire::Delivery::Ended(error)) => panic!("{error}"),
            _ => {}
        }
    }
}
