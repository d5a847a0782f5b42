use std::fmt;
use std::sync::Arc;

use super::authorize::Identity;
use crate::broker::SessionId;

/// What happened to a session. See [`Builder::on_session`](crate::Builder::on_session).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The session.
    pub session: SessionId,
    /// Who its client is.
    pub identity: Identity,
    /// What happened.
    pub change: SessionChange,
}

/// How a session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionChange {
    /// A connection is attached to a new session.
    Started,
    /// A connection is attached to a session that existed.
    Resumed,
    /// The session has no connection. It is kept for a while.
    Detached,
    /// The session is over: its client said goodbye, it expired, or the application ended it.
    Ended,
}

/// Receives the events of all sessions.
#[derive(Clone)]
pub(crate) struct SessionObserver(Arc<dyn Fn(SessionEvent) + Send + Sync>);

impl SessionObserver {
    pub(crate) fn new(observe: impl Fn(SessionEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn observe(&self, event: SessionEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for SessionObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionObserver")
    }
}
