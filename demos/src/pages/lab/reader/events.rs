use std::cell::Cell;
use std::rc::Rc;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::StreamExt;
use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use web_sys::{EventSource, MessageEvent};

use super::cursor::Cursor;
use super::{News, Order, PAUSE, Tell};
use crate::pages::lab::wire::Told;

/// Listens until it is dropped. An `EventSource` connects again by itself when a connection breaks, and says what it has read
/// last; one that was answered with an error stays closed for good, and another takes its place.
pub(super) async fn listen(order: Order, tell: Tell) {
    let cursor = Rc::new(Cell::new(Cursor::default()));
    loop {
        let (closed, mut closing) = unbounded();
        match Source::open(&order.http_after(cursor.get().after()), &tell, &cursor, closed) {
            Some(_source) => drop(closing.next().await),
            None => tell(News::Trouble),
        }
        TimeoutFuture::new(PAUSE).await;
    }
}

/// The browser's own reader of server-sent events. Dropping it closes it.
struct Source {
    source: EventSource,
    _listeners: [EventListener; 2],
}

impl Source {
    fn open(url: &str, tell: &Tell, cursor: &Rc<Cell<Cursor>>, closed: UnboundedSender<()>) -> Option<Self> {
        let source = EventSource::new(url).ok()?;
        let on_message = {
            let (tell, cursor) = (Rc::clone(tell), Rc::clone(cursor));
            EventListener::new(&source, "message", move |event| {
                let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                if let Some(told) = text.and_then(|text| Told::read(&text)) {
                    let mut further = cursor.get();
                    further.follow(&told);
                    cursor.set(further);
                    tell(News::Told(told));
                }
            })
        };
        let on_error = {
            let (tell, ended) = (Rc::clone(tell), source.clone());
            EventListener::new(&source, "error", move |_| {
                tell(News::Trouble);
                if ended.ready_state() == EventSource::CLOSED {
                    // Nobody waits for it when the reader is gone.
                    drop(closed.unbounded_send(()));
                }
            })
        };
        Some(Self { source, _listeners: [on_message, on_error] })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.source.close();
    }
}
