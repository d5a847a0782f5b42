use std::future::pending;
use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{EventSource, MessageEvent};

use super::{News, Order, Tell};
use crate::pages::lab::wire::Told;

/// The browser's own reader of server-sent events. It connects again by itself, and says what it has read last.
struct Source {
    source: EventSource,
    _listeners: [EventListener; 2],
}

impl Source {
    fn open(order: &Order, tell: &Tell) -> Option<Self> {
        let source = EventSource::new(&order.http(order.transport.key())).ok()?;
        let on_message = {
            let tell = Rc::clone(tell);
            EventListener::new(&source, "message", move |event| {
                let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                if let Some(told) = text.and_then(|text| Told::read(&text)) {
                    tell(News::Told(told));
                }
            })
        };
        let on_error = {
            let tell = Rc::clone(tell);
            EventListener::new(&source, "error", move |_| tell(News::Trouble))
        };
        Some(Self { source, _listeners: [on_message, on_error] })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// Listens until it is dropped.
pub(super) async fn listen(order: Order, tell: Tell) {
    let source = Source::open(&order, &tell);
    if source.is_none() {
        tell(News::Trouble);
    }
    pending::<()>().await;
    drop(source);
}
