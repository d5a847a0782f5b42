use std::cell::Cell;
use std::rc::Rc;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::StreamExt;
use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use web_sys::{EventSource, MessageEvent};

use super::cursor::Cursor;
use super::{OnEvent, PAUSE, ReaderEvent, ReaderOptions};
use crate::pages::lab::items;

/// Listens until it is dropped. An `EventSource` connects again by itself when a connection breaks, and says what it has read
/// last; one that was answered with an error stays closed for good, and another takes its place.
pub(super) async fn listen(options: ReaderOptions, on_event: OnEvent) {
    let cursor = Rc::new(Cell::new(Cursor::default()));
    loop {
        let (closed, mut closing) = unbounded();
        match Source::open(&options.http_after(cursor.get().after()), &on_event, &cursor, closed) {
            Some(_source) => drop(closing.next().await),
            None => on_event(ReaderEvent::Failed),
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
    fn open(url: &str, on_event: &OnEvent, cursor: &Rc<Cell<Cursor>>, closed: UnboundedSender<()>) -> Option<Self> {
        let source = EventSource::new(url).ok()?;
        let on_message = {
            let (on_event, cursor) = (Rc::clone(on_event), Rc::clone(cursor));
            EventListener::new(&source, "message", move |event| {
                let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                if let Some(item) = text.and_then(|text| items::parse(&text)) {
                    let mut further = cursor.get();
                    further.follow(&item);
                    cursor.set(further);
                    on_event(ReaderEvent::Item(item));
                }
            })
        };
        let on_error = {
            let (on_event, ended) = (Rc::clone(on_event), source.clone());
            EventListener::new(&source, "error", move |_| {
                on_event(ReaderEvent::Failed);
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
