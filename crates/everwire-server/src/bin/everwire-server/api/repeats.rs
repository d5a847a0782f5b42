//! A publish that is sent again with the same `Idempotency-Key` is stored once.
//!
//! The broker stores each number of a session once, with the message and in the same transaction. So each key becomes a session of its own
//! with the one number 1, whose record is the digest of what is published.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use everwire_core::protocol::Cursor;
use everwire_server::Everwire;
use everwire_server::broker::{Publication, SessionExpiry, SessionId};
use sha2::{Digest, Sha256};

use super::error::{ApiError, Code};

/// How long a key is remembered.
const WINDOW: Duration = Duration::from_secs(300);
/// The most keys that are remembered. Above it, the oldest are forgotten, so that they take no room of the clients' sessions.
pub(crate) const MAX_REPEATS: usize = 100_000;
/// No client's session has an id that begins like this.
const PREFIX: &str = "api_";
/// The longest key.
const MAX_KEY: usize = 255;

/// The keys that are remembered, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    order: VecDeque<SessionId>,
    ids: HashSet<SessionId>,
}

/// What is to be done for a key.
#[derive(Debug)]
pub(super) enum Decision {
    /// It was published already.
    Repeated(Cursor),
    /// The publication, which the broker stores once.
    Publish(Publication),
}

/// Whether a session is that of a key.
pub(super) fn is_own(session: &str) -> bool {
    session.starts_with(PREFIX)
}

impl Repeats {
    /// Decides about a publication with a key.
    pub(super) async fn decide(
        &self,
        wire: &Everwire,
        key: &str,
        publication: Publication,
    ) -> Result<Decision, ApiError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(ApiError::bad_request(format!("an Idempotency-Key has 1 to {MAX_KEY} bytes")));
        }
        let id = id_of(&publication, key)?;
        let record = record_of(&publication);
        let broker = wire.broker();
        if let Some(stored) = broker.load_session(&id).await.map_err(|error| ApiError::not_stored(&error))? {
            if *stored.record != record {
                let message =
                    "this Idempotency-Key was used for another message to this channel; use each for one message";
                return Err(ApiError::new(Code::KeyReused, message));
            }
            if let Some((_, cursor)) = stored.answers.first() {
                return Ok(Decision::Repeated(*cursor));
            }
        }
        if let Some(oldest) = self.known().remember(id.clone()) {
            // It takes effect without being awaited.
            drop(broker.remove_session(&oldest));
        }
        broker
            .store_session(id.clone(), record.to_vec().into(), SessionExpiry::Detached(WINDOW))
            .await
            .map_err(|error| ApiError::not_stored(&error))?;
        Ok(Decision::Publish(publication.by(id, 1)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Remembers a key. Returns one that has to go for it.
    fn remember(&mut self, id: SessionId) -> Option<SessionId> {
        if !self.ids.insert(id.clone()) {
            return None;
        }
        self.order.push_back(id);
        let oldest = if self.order.len() > MAX_REPEATS { self.order.pop_front() } else { None }?;
        self.ids.remove(&oldest);
        Some(oldest)
    }
}

fn id_of(publication: &Publication, key: &str) -> Result<SessionId, ApiError> {
    let digest =
        Sha256::new().chain_update(publication.channel.as_str()).chain_update([0]).chain_update(key).finalize();
    Ok(SessionId::try_from(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&digest)).as_str())?)
}

/// What tells a repetition from another message.
fn record_of(publication: &Publication) -> [u8; 32] {
    let Publication { key, payload, is_removed, .. } = publication;
    let key = key.as_ref().map_or("", |key| key.as_str());
    let payload = payload.as_ref().map_or(&[][..], |payload| payload.as_bytes());
    let digest = Sha256::new().chain_update(key).chain_update([0, u8::from(*is_removed)]).chain_update(payload);
    digest.finalize().into()
}
