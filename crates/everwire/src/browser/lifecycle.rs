use everwire_core::{Input, Network, Page};
use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{Event, EventTarget, PageTransitionEvent, VisibilityState};

use super::environment;

/// The listeners to page and network. Dropping it takes them off.
///
/// All of these are needed: after a resume Chrome on Android may send no `visibilitychange` (phoenix#6804), and iOS may come
/// back from an app switch with `pageshow` alone (flarum/framework#4590).
pub(super) struct Lifecycle {
    _listeners: Vec<EventListener>,
}

impl Lifecycle {
    pub(super) fn listen(report: impl Fn(Input) + Clone + 'static) -> Self {
        let mut listeners = Vec::new();
        if let Some(scope) = environment::events() {
            let mut on = |name, input: fn(&Event) -> Option<Input>| {
                listeners.push(listener(&scope, name, input, report.clone()))
            };
            on("online", |_| Some(Input::Network(Network::Online)));
            on("offline", |_| Some(Input::Network(Network::Offline)));
            on("focus", |_| Some(Input::Page(Page::Visible)));
            on("pageshow", |event| is_persisted(event).then_some(Input::Page(Page::Restored)));
            on("pagehide", |event| is_persisted(event).then_some(Input::Page(Page::Suspended)));
        }
        if let Some(document) = environment::document() {
            let mut on = |name, input: fn(&Event) -> Option<Input>| {
                listeners.push(listener(&document, name, input, report.clone()))
            };
            on("visibilitychange", |_| {
                environment::document().map(|document| Input::Page(visibility(document.visibility_state())))
            });
            on("freeze", |_| Some(Input::Page(Page::Frozen)));
            on("resume", |_| Some(Input::Page(Page::Resumed)));
        }
        Self { _listeners: listeners }
    }
}

fn listener(
    target: &EventTarget,
    name: &'static str,
    input: fn(&Event) -> Option<Input>,
    report: impl Fn(Input) + 'static,
) -> EventListener {
    EventListener::new(target, name, move |event| {
        if let Some(input) = input(event) {
            report(input);
        }
    })
}

fn is_persisted(event: &Event) -> bool {
    event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted)
}

fn visibility(state: VisibilityState) -> Page {
    if state == VisibilityState::Visible { Page::Visible } else { Page::Hidden }
}
