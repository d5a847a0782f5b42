//! The hooks for channels, and the badge of a client.

use std::cell::RefCell;
use std::rc::Rc;

use everwire::client::{ClientState, Member};
use everwire::{Cause, Channel, Client, State};
use everwire_yew::{
    ClientProvider, ConnectionBadge, ConnectionStatus, DownReason, UseChannel, WasOpen, use_channel, use_client,
    use_client_state, use_client_status, use_presence,
};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Element, window};
use yew::prelude::*;

use crate::endpoint;

#[derive(Properties, Clone)]
struct RoomProps {
    channel: Channel<u32>,
    /// Whether a second component shows the same channel.
    is_double: bool,
    shown: Rc<RefCell<Option<Shown>>>,
    double: Rc<RefCell<Option<Shown>>>,
    renders: UnboundedSender<()>,
}

impl PartialEq for RoomProps {
    fn eq(&self, other: &Self) -> bool {
        self.channel == other.channel && self.is_double == other.is_double
    }
}

/// What a render had.
#[derive(Clone)]
struct Shown {
    chat: UseChannel<u32>,
    members: Rc<[Member]>,
    client: Option<Client>,
    state: Option<ClientState>,
    status: ConnectionStatus,
}

#[component]
fn Page(props: &RoomProps) -> Html {
    let client = use_client(endpoint("/everwire"));
    let double = RoomProps { shown: Rc::clone(&props.double), ..props.clone() };
    html! {
        <ClientProvider context={client}>
            <Room ..props.clone() />
            if props.is_double { <Room ..double /> }
        </ClientProvider>
    }
}

#[component]
fn Room(props: &RoomProps) -> Html {
    let (chat, members) = (use_channel(&props.channel), use_presence(&props.channel));
    let client = use_context::<Option<Client>>().flatten();
    let state = use_client_state();
    let status = use_client_status();
    *props.shown.borrow_mut() = Some(Shown { chat, members, client, state, status: status.clone() });
    let _ = props.renders.unbounded_send(());
    html! { <ConnectionBadge {status} /> }
}

struct ClientPage {
    app: AppHandle<Page>,
    props: RoomProps,
    renders: UnboundedReceiver<()>,
    root: Element,
}

impl ClientPage {
    fn start() -> Self {
        let root = window().unwrap().document().unwrap().create_element("div").unwrap();
        let (sender, renders) = unbounded();
        let channel = new_channel();
        let props =
            RoomProps { channel, is_double: false, shown: Rc::default(), double: Rc::default(), renders: sender };
        let app = yew::Renderer::<Page>::with_root_and_props(root.clone(), props.clone()).render();
        Self { app, props, renders, root }
    }

    /// What the badge shows: the state, and whether there is a button to connect.
    fn badge(&self) -> (String, bool) {
        let find = |class| self.root.query_selector(class).unwrap();
        let state = find(".everwire-badge-state").and_then(|state| state.text_content());
        (state.unwrap_or_default(), find(".everwire-badge-now").is_some())
    }

    fn change(&mut self, change: impl FnOnce(&mut RoomProps)) {
        change(&mut self.props);
        self.app.update(self.props.clone());
    }

    async fn until(&mut self, is_so: impl Fn(&Shown) -> bool) -> Shown {
        let shown = Rc::clone(&self.props.shown);
        self.until_in(&shown, is_so).await
    }

    async fn until_in(&mut self, place: &RefCell<Option<Shown>>, is_so: impl Fn(&Shown) -> bool) -> Shown {
        loop {
            if let Some(shown) = place.borrow().clone().filter(&is_so) {
                return shown;
            }
            self.renders.next().await.unwrap();
        }
    }
}

fn new_channel() -> Channel<u32> {
    Channel::named(format!("yew-{}", js_sys::Math::random()))
}

fn values(shown: &Shown) -> Vec<u32> {
    shown.chat.messages().iter().map(|message| message.value).collect()
}

#[wasm_bindgen_test]
async fn a_component_shows_the_messages_of_its_channel_and_who_is_there() {
    let mut page = ClientPage::start();
    let shown = page.until(|shown| shown.chat.has_caught_up() && shown.members.len() == 1).await;
    assert_eq!(values(&shown), [] as [u32; 0]);
    for value in [1, 2] {
        drop(shown.chat.publish(&value));
    }
    let shown = page.until(|shown| shown.chat.messages().len() == 2).await;
    assert_eq!(values(&shown), [1, 2]);
    assert_eq!(shown.members[0].session(), shown.client.unwrap().session().unwrap());
}

#[wasm_bindgen_test]
async fn a_component_that_is_gone_leaves_its_channel() {
    let mut page = ClientPage::start();
    let client = page.until(|shown| shown.members.len() == 1).await.client.unwrap();
    let channel = page.props.channel.clone();
    let ClientPage { app, props, mut renders, .. } = page;
    drop(props);
    app.destroy();
    // Ends when the components and their properties are gone.
    while renders.next().await.is_some() {}
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

#[wasm_bindgen_test]
async fn two_components_show_the_same_channel_and_one_that_is_gone_leaves_it_to_the_other() {
    let mut page = ClientPage::start();
    let shown = page.until(|shown| shown.chat.has_caught_up()).await;
    drop(shown.chat.publish(&1));
    page.until(|shown| shown.chat.messages().len() == 1).await;
    page.change(|props| props.is_double = true);
    let double = Rc::clone(&page.props.double);
    let second = page.until_in(&double, |shown| shown.chat.has_caught_up() && shown.members.len() == 1).await;
    assert_eq!((values(&second), second.chat.error()), (vec![1], None));
    drop(second.chat.publish(&2));
    for place in [Rc::clone(&page.props.shown), double] {
        let shown = page.until_in(&place, |shown| shown.chat.messages().len() == 2).await;
        assert_eq!(values(&shown), [1, 2]);
    }
    page.change(|props| props.is_double = false);
    drop(second.chat.publish(&3));
    let shown = page.until(|shown| shown.chat.messages().len() == 3).await;
    assert_eq!((values(&shown), shown.members.len()), (vec![1, 2, 3], 1));
}

#[wasm_bindgen_test]
async fn a_component_that_changes_its_channel_shows_nothing_of_the_one_before() {
    let mut page = ClientPage::start();
    let shown = page.until(|shown| shown.chat.has_caught_up()).await;
    drop(shown.chat.publish(&1));
    page.until(|shown| shown.chat.messages().len() == 1 && shown.members.len() == 1).await;
    let first = page.props.channel.clone();
    let second = new_channel();
    page.change(|props| props.channel = second.clone());
    // The first render with it comes before it is subscribed to.
    let shown = page.until(|shown| *shown.chat.channel() == second).await;
    assert_eq!((values(&shown), shown.members.len()), (vec![], 0));
    drop(shown.chat.publish(&2));
    let shown = page.until(|shown| shown.chat.has_caught_up() && shown.chat.messages().len() == 1).await;
    assert_eq!(values(&shown), [2]);
    page.change(|props| props.channel = first.clone());
    let is_back = |shown: &Shown| *shown.chat.channel() == first && shown.chat.has_caught_up();
    let shown = page.until(is_back).await;
    assert_eq!(values(&shown), [1]);
}

#[wasm_bindgen_test]
async fn a_component_renders_again_when_the_state_of_its_client_changes() {
    let mut page = ClientPage::start();
    let shown = page.until(|shown| shown.state == Some(ClientState::Attached)).await;
    shown.client.unwrap().close();
    page.until(|shown| shown.state == Some(ClientState::Closed) && shown.chat.error().is_some()).await;
}

#[wasm_bindgen_test]
async fn a_badge_shows_the_connection_of_a_client_and_offers_no_attempt_to_one_that_is_over() {
    let mut page = ClientPage::start();
    let shown = page.until(|shown| shown.status.state() == State::Connecting).await;
    assert!(!shown.status.is_open() && !shown.status.is_idle());
    page.until(|shown| shown.status.is_open()).await;
    assert_eq!(page.badge(), ("Connected".to_owned(), false));
    shown.status.reconnect();
    let is_requested = |reason: &DownReason| {
        matches!(reason, DownReason::Dropped { cause: Cause::Requested, was_open: WasOpen::UntilNow })
    };
    page.until(|shown| shown.status.down_reason().is_some_and(is_requested)).await;
    let shown = page.until(|shown| shown.status.is_open() && shown.status.down_reason().is_none()).await;
    shown.client.unwrap().close();
    let shown = page.until(|shown| shown.status.state() == State::Closed).await;
    assert!(shown.status.down_reason().is_some_and(DownReason::is_normal));
    assert_eq!(page.badge(), ("Closed".to_owned(), false));
    shown.status.reconnect();
    assert_eq!(shown.client.unwrap().state(), ClientState::Closed);
}
