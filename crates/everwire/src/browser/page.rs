//! The window or worker that a socket lives in: what its global scope has, its clock and timers, and the events of its life cycle.

use everwire_core::{Input, Network, Page, Time};
use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Event, EventTarget, PageTransitionEvent, Performance, Url, VisibilityState};

use crate::OpenError;

/// The listeners for the events of page and network. Dropping it removes them.
///
/// All of these are needed: after a resume Chrome on Android may send no `visibilitychange` (phoenix#6804), and iOS may come
/// back from an app switch with `pageshow` alone (flarum/framework#4590).
pub(super) struct Lifecycle {
    _listeners: Vec<EventListener>,
}

impl Lifecycle {
    pub(super) fn listen(report: impl Fn(Input) + Clone + 'static) -> Self {
        let mut listeners = Vec::new();
        if let Some(scope) = events() {
            let mut on = |name, input: fn(&Event) -> Option<Input>| {
                listeners.push(listener(&scope, name, input, report.clone()))
            };
            on("online", |_| Some(Input::Network(Network::Online)));
            on("offline", |_| Some(Input::Network(Network::Offline)));
            on("focus", |_| Some(Input::Page(Page::Visible)));
            on("pageshow", |event| is_persisted(event).then_some(Input::Page(Page::Restored)));
            on("pagehide", |event| is_persisted(event).then_some(Input::Page(Page::Suspended)));
        }
        if let Some(current) = document() {
            let mut on = |name, input: fn(&Event) -> Option<Input>| {
                listeners.push(listener(&current, name, input, report.clone()))
            };
            on("visibilitychange", |_| document().map(|document| Input::Page(visibility(document.visibility_state()))));
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

/// The monotonic clock of the page or worker, from the moment it was started. `std::time::Instant` panics on wasm32.
#[derive(Clone)]
pub(super) struct Clock {
    started: f64,
    performance: Option<web_sys::Performance>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let mut clock = Self { started: 0.0, performance: performance() };
        clock.started = clock.millis();
        clock
    }

    pub(super) fn now(&self) -> Time {
        Time::from_millis_f64(self.millis() - self.started)
    }

    /// When an event was created, which is cheaper to read than the clock.
    pub(super) fn time_of(&self, event: &web_sys::Event) -> Time {
        let millis = event.time_stamp();
        // A synthetic event may have no time, and without `performance` the start is on another scale.
        if millis > self.started && self.performance.is_some() {
            Time::from_millis_f64(millis - self.started)
        } else {
            self.now()
        }
    }

    /// Falls back to the wall clock if there is no `performance`.
    fn millis(&self) -> f64 {
        self.performance.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now)
    }
}

/// The wall clock since the Unix epoch, which runs on while the machine sleeps.
pub(super) fn wall_clock() -> Time {
    Time::from_millis_f64(js_sys::Date::now())
}

/// Browsers keep a timeout in a signed 32-bit number and fire at once above it (HTML, "run steps after a timeout").
const LONGEST: f64 = i32::MAX as f64;

/// A timer. Dropping it clears it.
pub(crate) struct Timer {
    _timeout: Timeout,
}

impl Timer {
    pub(super) fn set(after: Time, fire: impl FnOnce() + 'static) -> Self {
        // Rounded up: a timer that fired just before its deadline would have to fire again.
        let millis = after.as_millis_f64().ceil().min(LONGEST) as u32;
        Self { _timeout: Timeout::new(millis, fire) }
    }
}

pub(super) fn has_web_socket() -> bool {
    global("WebSocket").is_some_and(|class| class.is_function())
}

pub(super) fn performance() -> Option<Performance> {
    global("performance").map(JsValue::unchecked_into)
}

pub(super) fn document() -> Option<Document> {
    global("document").map(JsValue::unchecked_into)
}

/// The global scope as the target of `online`, `offline`, `pageshow` and the like.
pub(super) fn events() -> Option<EventTarget> {
    js_sys::global().dyn_into().ok()
}

/// 53 random bits from the browser.
pub(super) fn random_seed() -> u64 {
    (js_sys::Math::random() * (1_u64 << 53) as f64) as u64
}

/// Validates an address like the constructor of `WebSocket`, which throws (WHATWG WebSockets, "constructor").
pub(super) fn check_address(url: &str) -> Result<(), OpenError> {
    let invalid = |problem: &str| OpenError::address(url, problem);
    let base = global("location").and_then(|location| Reflect::get(&location, &"href".into()).ok()?.as_string());
    let parsed = base
        .and_then(|base| Url::new_with_base(url, &base).ok())
        .or_else(|| Url::new(url).ok())
        .ok_or_else(|| invalid("write it as wss://host/path, or relative to the page"))?;
    if !matches!(parsed.protocol().as_str(), "ws:" | "wss:" | "http:" | "https:") {
        return Err(invalid("its scheme has to be ws or wss"));
    }
    // `hash` is empty for an empty fragment, which the constructor rejects as well.
    if parsed.href().contains('#') {
        return Err(invalid("leave out the part from # on, which a server never sees"));
    }
    Ok(())
}

/// The message of an exception.
pub(super) fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| error.message().into())
        .or_else(|| {
            // To wasm-bindgen, a DOMException is no Error, although it has a message.
            Reflect::get(error, &"message".into()).ok()?.as_string()
        })
        .unwrap_or_else(|| "the browser gave no reason".to_owned())
}

fn global(name: &str) -> Option<JsValue> {
    Reflect::get(&js_sys::global(), &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
