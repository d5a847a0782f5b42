//! The events of a client as a stream.

use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
};
use std::collections::VecDeque;

use futures_core::Stream;

use super::{driver::Driver, report::ClientEvent, table::Table};
use crate::threads::Pointer;

/// The most events that wait for a reader.
const MAX_WAITING: usize = 256;

/// What happens to a client from now on: a `Stream` of [`ClientEvent`]s, of which the last is [`ClientEvent::Closed`].
///
/// Of a stream that is not read, the latest 256 events are kept. Dropping it changes nothing else. `next` can be cancelled at any time.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is read"]
pub struct ClientEvents {
    driver: Pointer<Driver>,
    number: u64,
}

impl ClientEvents {
    pub(super) fn open(driver: &Pointer<Driver>) -> Self {
        let number = driver.look(|core| core.watch_events());
        Self { driver: Pointer::clone(driver), number }
    }
}

impl Stream for ClientEvents {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.driver.look(|core| core.observers.next(self.number, context.waker()))
    }
}

impl Drop for ClientEvents {
    fn drop(&mut self) {
        self.driver.look(|core| core.observers.remove(self.number));
    }
}

/// The streams of events, and what waits in them.
#[derive(Debug, Default)]
pub(super) struct Observers {
    all: Table<u64, Observer>,
    latest_number: u64,
}

#[derive(Debug, Default)]
struct Observer {
    events: VecDeque<ClientEvent>,
    waker: Option<Waker>,
    /// The last event was added.
    is_over: bool,
}

impl Observers {
    pub(super) fn add(&mut self) -> u64 {
        self.latest_number += 1;
        self.all.push(self.latest_number, Observer::default());
        self.latest_number
    }

    /// Adds an event to every stream, and what waits for it to the wakers.
    pub(super) fn observe(&mut self, event: &ClientEvent, wakers: &mut Vec<Waker>) {
        for observer in self.all.values_mut().filter(|observer| !observer.is_over) {
            if observer.events.len() == MAX_WAITING {
                observer.events.pop_front();
            }
            observer.events.push_back(event.clone());
            observer.is_over = matches!(event, ClientEvent::Closed(_));
            wakers.extend(observer.waker.take());
        }
    }

    fn next(&mut self, number: u64, waker: &Waker) -> Poll<Option<ClientEvent>> {
        let Some(observer) = self.all.get_mut(number) else { return Poll::Ready(None) };
        let event = observer.events.pop_front();
        if event.is_none() && !observer.is_over {
            observer.waker = Some(waker.clone());
            return Poll::Pending;
        }
        Poll::Ready(event)
    }

    fn remove(&mut self, number: u64) {
        self.all.remove(number);
    }
}
