//! The hooks and the badge in a window, against the companion server.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod client;
mod socket;

use std::cell::RefCell;
use std::rc::Rc;

use everwire::{Event, JsonDecodeError, Opened};
use everwire_yew::{ConnectionBadge, SocketOptions, UseSocket, use_socket};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlElement, MutationObserver, MutationObserverInit, window};
use yew::prelude::*;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// The URL of an endpoint.
pub(crate) fn endpoint(path: &str) -> String {
    let server = option_env!("EVERWIRE_TEST_SERVER").unwrap_or("ws://127.0.0.1:9001");
    format!("{server}{path}")
}

/// What `/echo` and `/tracker` exchange here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum TestMessage {
    Number { number: u32 },
    Position { lat: f64, lon: f64, accuracy: f64 },
    Welcome { id: u64 },
    Positions {},
    Left { id: u64 },
}

pub(crate) type SocketEvent = Result<Event<TestMessage>, JsonDecodeError>;

#[derive(Properties, Clone, PartialEq)]
struct TestProps {
    options: SocketOptions,
    probe: Probe,
}

/// How a component reports its events to the test.
#[derive(Clone)]
struct Probe {
    events: UnboundedSender<SocketEvent>,
    socket: Rc<RefCell<Option<UseSocket<TestMessage>>>>,
    renders: Rc<RefCell<u32>>,
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.socket, &other.socket)
    }
}

#[component]
fn TestComponent(props: &TestProps) -> Html {
    *props.probe.renders.borrow_mut() += 1;
    let events = props.probe.events.clone();
    // The test may be over before the component is gone.
    let on_event = Callback::from(move |event| drop(events.unbounded_send(event)));
    let socket = use_socket::<TestMessage, TestMessage>(props.options.clone(), on_event);
    *props.probe.socket.borrow_mut() = Some(socket.clone());
    html! { <ConnectionBadge status={socket.status()} /> }
}

/// A page with a component. Dropping it leaves the component mounted; [`TestPage::unmount`] unmounts it.
pub(crate) struct TestPage {
    app: AppHandle<TestComponent>,
    probe: Probe,
    events: UnboundedReceiver<SocketEvent>,
    pub(crate) root: Element,
}

impl TestPage {
    pub(crate) fn mount(options: SocketOptions) -> Self {
        let document = window().unwrap().document().unwrap();
        let root = document.create_element("div").unwrap();
        document.body().unwrap().append_child(&root).unwrap();
        let (sender, events) = unbounded();
        let probe = Probe { events: sender, socket: Rc::default(), renders: Rc::default() };
        let props = TestProps { options, probe: probe.clone() };
        let app = yew::Renderer::<TestComponent>::with_root_and_props(root.clone(), props).render();
        Self { app, probe, events, root }
    }

    /// Renders with other options.
    pub(crate) fn change(&mut self, options: SocketOptions) {
        self.app.update(TestProps { options, probe: self.probe.clone() });
    }

    /// Unmounts the component. Returns the events that it has reported.
    pub(crate) fn unmount(self) -> UnboundedReceiver<SocketEvent> {
        self.app.destroy();
        self.events
    }

    pub(crate) fn socket(&self) -> UseSocket<TestMessage> {
        self.probe.socket.borrow().clone().unwrap()
    }

    pub(crate) fn renders(&self) -> u32 {
        *self.probe.renders.borrow()
    }

    pub(crate) async fn event(&mut self) -> SocketEvent {
        self.events.next().await.unwrap()
    }

    pub(crate) async fn opened(&mut self) -> Opened {
        loop {
            if let Event::Opened(opened) = self.event().await.unwrap() {
                return opened;
            }
        }
    }

    pub(crate) async fn closed(&mut self) {
        while !matches!(self.event().await.unwrap(), Event::Closed(_)) {}
    }

    pub(crate) async fn message(&mut self) -> TestMessage {
        loop {
            if let Event::Message(message) = self.event().await.unwrap() {
                return message;
            }
        }
    }

    pub(crate) fn find(&self, class: &str) -> Option<HtmlElement> {
        let element = self.root.query_selector(&format!(".{class}")).unwrap()?;
        Some(element.unchecked_into())
    }

    pub(crate) fn text(&self, class: &str) -> Option<String> {
        self.find(class)?.text_content()
    }

    /// Waits until the page satisfies the condition, which is checked at each change.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let (sender, mut changes) = unbounded::<()>();
        let on_change = Closure::<dyn Fn()>::new(move || drop(sender.unbounded_send(())));
        let observer = MutationObserver::new(on_change.as_ref().unchecked_ref()).unwrap();
        let options = MutationObserverInit::new();
        options.set_subtree(true);
        options.set_child_list(true);
        options.set_attributes(true);
        options.set_character_data(true);
        observer.observe_with_options(&self.root, &options).unwrap();
        while !is_so(self) {
            changes.next().await.unwrap();
        }
        observer.disconnect();
    }
}
