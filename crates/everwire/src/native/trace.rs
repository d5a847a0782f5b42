//! The log records of the feature `tracing`: attempts, and the events that change the state of the connection. They have the target
//! `everwire` and belong to the span in which the socket was opened. URLs are logged without user, password and query, which may be
//! credentials; payloads are never logged.

#[cfg(feature = "tracing")]
pub(super) use enabled::Trace;

#[cfg(feature = "tracing")]
mod enabled {
    use std::sync::{Arc, Mutex, PoisonError};

    use everwire_core::{DiscardReason, MessageId};
    use tracing::{Span, debug, info, warn};

    use crate::{Closed, Discarded, Dropped, Event, Opened, event::without_secrets};

    /// Writes the records of one socket.
    #[derive(Debug, Clone)]
    pub(in crate::native) struct Trace {
        span: Span,
        /// The URL of the latest attempt.
        url: Arc<Mutex<String>>,
    }

    impl Trace {
        pub(in crate::native) fn new() -> Self {
            Self { span: Span::current(), url: Arc::default() }
        }

        /// An attempt begins.
        pub(in crate::native) fn connecting(&self, url: &str, failures: u32) {
            let mut current = self.url.lock().unwrap_or_else(PoisonError::into_inner);
            *current = without_secrets(url);
            let url = current.clone();
            drop(current);
            debug!(target: "everwire", parent: &self.span, %url, attempt = failures.saturating_add(1), "connecting");
        }

        /// The record of an event, to be written when no lock is held: a subscriber may send it over the same socket.
        pub(in crate::native) fn record<T>(&self, event: &Event<T>) -> Option<impl FnOnce() + use<T>> {
            let event = match event {
                Event::Opened(opened) => Recorded::Opened(opened.clone()),
                Event::Dropped(dropped) => Recorded::Dropped(dropped.clone()),
                Event::Closed(closed) => Recorded::Closed(closed.clone()),
                Event::Discarded(Discarded { id, message, reason }) => Recorded::Discarded(*id, message.len(), *reason),
                _ => return None,
            };
            let trace = self.clone();
            Some(move || trace.write(event))
        }

        fn write(&self, event: Recorded) {
            let url = self.url.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match event {
                Recorded::Opened(Opened { protocol, is_reconnect, failures, .. }) => {
                    info!(target: "everwire", parent: &self.span, %url, protocol, is_reconnect, failures, "opened");
                }
                Recorded::Dropped(Dropped { cause, at_risk, attempt, retry_in }) => {
                    let at_risk = at_risk.bytes;
                    warn!(target: "everwire", parent: &self.span, %url, %cause, at_risk, attempt, ?retry_in, "dropped");
                }
                Recorded::Closed(Closed { ended, at_risk }) => {
                    let at_risk = at_risk.bytes;
                    info!(target: "everwire", parent: &self.span, %url, ?ended, at_risk, "closed");
                }
                Recorded::Discarded(id, bytes, reason) => {
                    debug!(target: "everwire", parent: &self.span, %url, ?id, bytes, ?reason, "discarded");
                }
            }
        }
    }

    /// The part of an event that is logged.
    enum Recorded {
        Opened(Opened),
        Dropped(Dropped),
        Closed(Closed),
        Discarded(MessageId, usize, DiscardReason),
    }
}

/// Without the feature, nothing is logged.
#[cfg(not(feature = "tracing"))]
#[derive(Debug, Clone)]
pub(super) struct Trace;

#[cfg(not(feature = "tracing"))]
impl Trace {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn connecting(&self, _url: &str, _failures: u32) {}

    pub(super) fn record<T>(&self, _event: &crate::Event<T>) -> Option<impl FnOnce() + use<T>> {
        None::<fn()>
    }
}
