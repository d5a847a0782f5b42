//! A component on a page of its own, and what a test sees of it.

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

/// Where an endpoint is.
pub(crate) fn endpoint(path: &str) -> String {
    let server = option_env!("EVERWIRE_TEST_SERVER").unwrap_or("ws://127.0.0.1:9001");
    format!("{server}{path}")
}

/// What `/echo` and `/tracker` exchange here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Letter {
    Number { number: u32 },
    Position { lat: f64, lon: f64, accuracy: f64 },
    Welcome { id: u64 },
    Positions {},
    Left { id: u64 },
}

pub(crate) type Told = Result<Event<Letter>, JsonDecodeError>;

#[derive(Properties, Clone, PartialEq)]
struct SceneProps {
    options: SocketOptions,
    probe: Probe,
}

/// How a component tells the test what happens to it.
#[derive(Clone)]
struct Probe {
    events: UnboundedSender<Told>,
    socket: Rc<RefCell<Option<UseSocket<Letter>>>>,
    renders: Rc<RefCell<u32>>,
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.socket, &other.socket)
    }
}

#[component]
fn Scene(props: &SceneProps) -> Html {
    *props.probe.renders.borrow_mut() += 1;
    let events = props.probe.events.clone();
    // The test may be over before the component is gone.
    let on_event = Callback::from(move |event| drop(events.unbounded_send(event)));
    let socket = use_socket::<Letter, Letter>(props.options.clone(), on_event);
    *props.probe.socket.borrow_mut() = Some(socket.clone());
    html! { <ConnectionBadge status={socket.status()} /> }
}

/// A component in the page. Dropping the stage leaves it there; [`Stage::strike`] unmounts it.
pub(crate) struct Stage {
    app: AppHandle<Scene>,
    probe: Probe,
    events: UnboundedReceiver<Told>,
    pub(crate) root: Element,
}

impl Stage {
    pub(crate) fn set(options: SocketOptions) -> Self {
        let document = window().unwrap().document().unwrap();
        let root = document.create_element("div").unwrap();
        document.body().unwrap().append_child(&root).unwrap();
        let (sender, events) = unbounded();
        let probe = Probe { events: sender, socket: Rc::default(), renders: Rc::default() };
        let props = SceneProps { options, probe: probe.clone() };
        let app = yew::Renderer::<Scene>::with_root_and_props(root.clone(), props).render();
        Self { app, probe, events, root }
    }

    /// Renders with other options.
    pub(crate) fn change(&mut self, options: SocketOptions) {
        self.app.update(SceneProps { options, probe: self.probe.clone() });
    }

    /// Unmounts the component; what is left are the events that it told.
    pub(crate) fn strike(self) -> UnboundedReceiver<Told> {
        self.app.destroy();
        self.events
    }

    pub(crate) fn socket(&self) -> UseSocket<Letter> {
        self.probe.socket.borrow().clone().unwrap()
    }

    pub(crate) fn renders(&self) -> u32 {
        *self.probe.renders.borrow()
    }

    pub(crate) async fn event(&mut self) -> Told {
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

    pub(crate) async fn letter(&mut self) -> Letter {
        loop {
            if let Event::Message(letter) = self.event().await.unwrap() {
                return letter;
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

    /// Waits until the page is as it should be, looking whenever it changes.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let (sender, mut changes) = unbounded::<()>();
        let on_change = Closure::<dyn Fn()>::new(move || drop(sender.unbounded_send(())));
        let observer = MutationObserver::new(on_change.as_ref().unchecked_ref()).unwrap();
        let what = MutationObserverInit::new();
        what.set_subtree(true);
        what.set_child_list(true);
        what.set_attributes(true);
        what.set_character_data(true);
        observer.observe_with_options(&self.root, &what).unwrap();
        while !is_so(self) {
            changes.next().await.unwrap();
        }
        observer.disconnect();
    }
}
