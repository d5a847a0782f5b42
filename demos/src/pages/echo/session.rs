use std::cell::{Ref, RefCell};
use std::rc::Rc;

use everwire::{Event, SendError, SocketHandle, State};

use super::frames::Frames;
use super::payload::Payload;
use super::record::Record;
use crate::now::now;

/// The page's connection and what it has seen, shared by the parts of the page. Clones are the same session.
#[derive(Clone)]
pub(super) struct Session(Rc<Inner>);

struct Inner {
    record: RefCell<Record>,
    handle: RefCell<Option<SocketHandle>>,
    frames: Frames,
}

impl Session {
    pub(super) fn new() -> Self {
        let inner =
            Inner { record: RefCell::new(Record::new()), handle: RefCell::default(), frames: Frames::default() };
        Self(Rc::new(inner))
    }

    /// The page has this socket now, or none.
    pub(super) fn hold(&self, handle: Option<SocketHandle>) {
        self.0.handle.replace(handle);
    }

    /// The visitor connects, perhaps elsewhere than before.
    pub(super) fn connecting(&self, address: &str) {
        self.change(|record| record.connecting(now(), address));
    }

    /// Notes what the socket says.
    pub(super) fn happened(&self, event: Event) {
        self.change(|record| record.happened(now(), event));
    }

    /// Sends a message and notes it in the log.
    pub(super) fn send(&self, payload: &Payload) -> Result<(), SendError> {
        let message = payload.message();
        let sent = match self.handle() {
            Some(handle) => handle.send(message)?,
            None => return Err(SendError::Closed(message)),
        };
        self.change(|record| record.sent(now(), payload, sent));
        Ok(())
    }

    /// The socket; `None` before the first one.
    pub(super) fn handle(&self) -> Option<SocketHandle> {
        self.0.handle.borrow().clone()
    }

    pub(super) fn state(&self) -> State {
        self.handle().map_or(State::Closed, |handle| handle.state())
    }

    pub(super) fn record(&self) -> Ref<'_, Record> {
        self.0.record.borrow()
    }

    /// Changes the record; whoever shows it is drawn in the next frame.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let changed = change(&mut self.0.record.borrow_mut());
        self.0.frames.ask();
        changed
    }

    /// Changes what needs no drawing.
    pub(super) fn change_quietly<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        change(&mut self.0.record.borrow_mut())
    }

    /// Who is told, once a frame, that something happened.
    pub(super) fn frames(&self) -> &Frames {
        &self.0.frames
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
