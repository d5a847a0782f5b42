use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;

use super::catalog::millis;
use super::error::BrokerError;
use super::message::Producer;
use super::names::SessionId;

/// When a stored session expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionExpiry {
    /// Not while the broker is open. A broker on disk that is opened again keeps it for this long, since a server that was killed could
    /// not detach it.
    Attached(Duration),
    /// This long from now.
    Detached(Duration),
}

/// A session as a broker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSession {
    /// What was stored.
    pub record: Bytes,
    /// Its most recent stored publishes, by ascending number, with their positions.
    pub answers: Vec<(u64, Cursor)>,
}

/// The sessions of a broker.
#[derive(Debug)]
pub(super) struct Sessions {
    limit: usize,
    answers: usize,
    sessions: HashMap<SessionId, Session>,
    /// The detached ones, by the time of their expiry.
    expiries: BTreeSet<(u64, SessionId)>,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) record: Bytes,
    /// How long it is kept without a connection, in milliseconds.
    #[cfg(feature = "journal")]
    pub(super) keep: u64,
    /// In milliseconds since 1970; `None` while it is attached.
    pub(super) expires: Option<u64>,
    /// By ascending number.
    pub(super) answers: VecDeque<(u64, Cursor)>,
}

impl Sessions {
    pub(super) fn new(limit: usize, answers: usize) -> Self {
        Self { limit, answers, sessions: HashMap::new(), expiries: BTreeSet::new() }
    }

    /// Stores a session. Returns one that had to go for it.
    pub(super) fn store(
        &mut self,
        id: SessionId,
        record: Bytes,
        expiry: SessionExpiry,
        now: u64,
    ) -> Result<Option<SessionId>, BrokerError> {
        let mut evicted = None;
        if !self.sessions.contains_key(&id) && self.sessions.len() >= self.limit {
            let Some((_, first)) = self.expiries.first().cloned() else {
                return Err(BrokerError::TooManySessions { limit: self.limit });
            };
            self.remove(&first);
            evicted = Some(first);
        }
        let answers = self.take(&id).map(|session| session.answers).unwrap_or_default();
        let (SessionExpiry::Attached(keep) | SessionExpiry::Detached(keep)) = expiry;
        let keep = millis(keep);
        let expires = match expiry {
            SessionExpiry::Attached(_) => None,
            SessionExpiry::Detached(_) => Some(now.saturating_add(keep)),
        };
        let session = Session {
            record,
            #[cfg(feature = "journal")]
            keep,
            expires,
            answers,
        };
        self.restore(id, session);
        Ok(evicted)
    }

    /// Adds a session as it was stored.
    pub(super) fn restore(&mut self, id: SessionId, session: Session) {
        if let Some(expires) = session.expires {
            self.expiries.insert((expires, id.clone()));
        }
        self.sessions.insert(id, session);
    }

    #[cfg(feature = "journal")]
    pub(super) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// When the next session expires.
    #[cfg(feature = "journal")]
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<StoredSession> {
        let Session { record, answers, .. } = self.sessions.get(id)?;
        Some(StoredSession { record: record.clone(), answers: answers.iter().copied().collect() })
    }

    fn take(&mut self, id: &SessionId) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        if let Some(expires) = session.expires {
            self.expiries.remove(&(expires, id.clone()));
        }
        Some(session)
    }

    pub(super) fn remove(&mut self, id: &SessionId) {
        self.take(id);
    }

    /// The position of a publish that its session has stored already.
    pub(super) fn repeated(&self, producer: &Producer) -> Result<Option<Cursor>, BrokerError> {
        let Some(session) = self.sessions.get(&producer.session) else { return Ok(None) };
        match session.answers.back() {
            Some((latest, _)) if producer.seq <= *latest => {
                let at = session.answers.binary_search_by_key(&producer.seq, |(seq, _)| *seq);
                at.map(|at| Some(session.answers[at].1)).map_err(|_| BrokerError::Forgotten)
            }
            _ => Ok(None),
        }
    }

    /// Remembers a publish as stored, if its session is stored.
    pub(super) fn stored(&mut self, producer: &Producer, cursor: Cursor) {
        if let Some(session) = self.sessions.get_mut(&producer.session) {
            session.answers.push_back((producer.seq, cursor));
            if session.answers.len() > self.answers.max(1) {
                session.answers.pop_front();
            }
        }
    }

    /// Removes and returns the session that expired longest ago.
    pub(super) fn pop_expired(&mut self, now: u64) -> Option<SessionId> {
        let (_, id) = self.expiries.first().filter(|(expires, _)| *expires <= now)?;
        let id = id.clone();
        self.remove(&id);
        Some(id)
    }
}
