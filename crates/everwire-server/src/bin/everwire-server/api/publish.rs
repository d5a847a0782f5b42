//! Publishes one message or several. A publish that is repeated with the same `Idempotency-Key` is stored once.
//!
//! The broker stores each number of a session once, with the message and in the same transaction. So each key becomes a session of its own
//! with the one number 1, whose record is the digest of what is published.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use everwire_core::protocol::Cursor;
use everwire_server::broker::{ChannelName, Key, Publication, SessionExpiry, SessionId};
use everwire_server::{Everwire, Message};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::inspect::PositionJson;
use super::request::{ApiError, ApiErrorCode, WithApiError, parse_message, read_body, single_header};
use super::{Api, json};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The greatest number of messages in a batch.
const MAX_MESSAGES: usize = 1_000;
/// The greatest size of a batch in bytes.
const MAX_BYTES: usize = 8 << 20;

/// The response to a publish.
#[derive(Debug, Serialize)]
struct PublishResponse {
    channel: String,
    #[serde(flatten)]
    position: PositionJson,
    /// Whether an earlier request with the same key has stored it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
}

/// `POST /api/channels/{channel}/messages`
pub(super) async fn publish_message(
    State(api): State<Api>,
    WithApiError(Path(channel)): WithApiError<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let channel = api.channel(&channel)?;
    let payload = api.read_message(&channel, &headers, body).await?;
    api.publish(&headers, Publication::new(channel, payload)).await
}

/// `PUT /api/channels/{channel}/state/{key}`
pub(super) async fn set_value(
    State(api): State<Api>,
    WithApiError(Path((channel, key))): WithApiError<Path<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (channel, key) = (api.state_channel(&channel)?, Key::try_from(key.as_str())?);
    let payload = api.read_message(&channel, &headers, body).await?;
    api.publish(&headers, Publication::new(channel, payload).with_key(key)).await
}

/// `DELETE /api/channels/{channel}/state/{key}`
pub(super) async fn remove_value(
    State(api): State<Api>,
    WithApiError(Path((channel, key))): WithApiError<Path<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (channel, key) = (api.state_channel(&channel)?, Key::try_from(key.as_str())?);
    api.publish(&headers, Publication::without_payload(channel).with_key(key).removed()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchRequest<'a> {
    #[serde(borrow)]
    messages: Vec<BatchEntry<'a>>,
}

/// One message of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchEntry<'a> {
    channel: String,
    text: Option<String>,
    #[serde(borrow)]
    json: Option<&'a RawValue>,
    base64: Option<String>,
    key: Option<String>,
    #[serde(default)]
    remove: bool,
    idempotency_key: Option<String>,
}

/// The result of one message of a batch.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum BatchResult {
    Published(PublishResponse),
    Failed { error: ApiError },
}

/// `POST /api/messages`
///
/// An invalid request publishes nothing. Otherwise the messages are published in order, and each succeeds or fails on its own.
pub(super) async fn publish_batch(State(api): State<Api>, body: Body) -> Result<Response, ApiError> {
    let body = read_body(body, "a request with several messages", MAX_BYTES).await?;
    let BatchRequest { messages } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not as described: {error}")))?;
    if messages.len() > MAX_MESSAGES {
        let message = format!("{} messages; a request may have at most {MAX_MESSAGES}", messages.len());
        return Err(ApiError::new(ApiErrorCode::TooLarge, message));
    }
    let mut publications = Vec::with_capacity(messages.len());
    for (index, entry) in messages.into_iter().enumerate() {
        publications.push(api.publication(entry).map_err(|error| error.at(index))?);
    }
    // The broker stores in the order of the calls, and commits what is pending in one write.
    let mut pending = Vec::with_capacity(publications.len());
    for (publication, key) in publications {
        let channel = publication.channel.clone();
        let decided = match key {
            Some(key) => api.0.idempotency_keys.check(api.everwire(), &key, publication).await,
            None => Ok(Decision::Publish(publication)),
        };
        pending.push((
            channel,
            decided.map(|decision| match decision {
                Decision::Duplicate(cursor) => Err(cursor),
                Decision::Publish(publication) => Ok(api.everwire().publish_prepared(publication)),
            }),
        ));
    }
    let mut results = Vec::with_capacity(pending.len());
    let mut first_error = None;
    for (index, (channel, decided)) in pending.into_iter().enumerate() {
        let outcome = match decided {
            Ok(Err(cursor)) => Ok((cursor, true)),
            Ok(Ok(publishing)) => publishing.await.map(|ack| (ack.cursor, false)).map_err(ApiError::from),
            Err(error) => Err(error),
        };
        results.push(match outcome {
            Ok((cursor, repeated)) => BatchResult::Published(PublishResponse::new(&channel, cursor, repeated)),
            Err(error) => {
                first_error.get_or_insert_with(|| error.clone().at(index));
                BatchResult::Failed { error }
            }
        });
    }
    #[derive(Serialize)]
    struct BatchResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ApiError>,
        results: Vec<BatchResult>,
    }
    let status = first_error.as_ref().map_or(StatusCode::OK, |error| error.status);
    Ok(json(status, &BatchResponse { error: first_error, results }))
}

impl Api {
    async fn read_message(&self, channel: &ChannelName, headers: &HeaderMap, body: Body) -> Result<Message, ApiError> {
        let what = format!("a message to {:?}", channel.as_str());
        parse_message(headers, read_body(body, &what, self.message_bytes(channel)).await?)
    }

    async fn publish(&self, headers: &HeaderMap, publication: Publication) -> Result<Response, ApiError> {
        let channel = publication.channel.clone();
        let publication = match single_header(headers, &IDEMPOTENCY_KEY)? {
            None => publication,
            Some(key) => match self.0.idempotency_keys.check(self.everwire(), key, publication).await? {
                Decision::Publish(publication) => publication,
                Decision::Duplicate(cursor) => return Ok(PublishResponse::new(&channel, cursor, true).into_response()),
            },
        };
        let ack = self.everwire().publish_prepared(publication).await?;
        Ok(PublishResponse::new(&channel, ack.cursor, false).into_response())
    }

    /// Validates one message of a batch. Also returns its idempotency key.
    fn publication(&self, entry: BatchEntry<'_>) -> Result<(Publication, Option<String>), ApiError> {
        let BatchEntry { channel: name, text, json, base64, key, remove, idempotency_key } = entry;
        let channel = if key.is_some() { self.state_channel(&name) } else { self.channel(&name) }?;
        let key = key.as_deref().map(Key::try_from).transpose()?;
        let payload: Option<Message> = match (text, json, base64, remove) {
            (Some(text), None, None, false) => Some(text.into()),
            (None, Some(json), None, false) => Some(json.get().into()),
            (None, None, Some(base64), false) => {
                let bytes = BASE64.decode(base64.as_bytes());
                let bytes = bytes.map_err(|error| ApiError::bad_request(format!("`base64` is not base64: {error}")))?;
                Some(bytes.into())
            }
            (None, None, None, true) if key.is_some() => None,
            _ => {
                let message = "a message has one of `text`, `json` and `base64`, or a `key` and `\"remove\": true`";
                return Err(ApiError::bad_request(message));
            }
        };
        let limit = self.message_bytes(&channel);
        if payload.as_ref().is_some_and(|payload| payload.len() > limit) {
            return Err(ApiError::too_large(&format!("a message to {name:?}"), limit));
        }
        let mut publication = Publication::without_payload(channel);
        (publication.payload, publication.key, publication.is_removed) = (payload, key, remove);
        Ok((publication, idempotency_key))
    }
}

impl PublishResponse {
    fn new(channel: &ChannelName, cursor: Cursor, repeated: bool) -> Self {
        Self { channel: channel.as_str().to_owned(), position: PositionJson(cursor), repeated }
    }
}

impl IntoResponse for PublishResponse {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

/// How long a key is remembered.
const WINDOW: Duration = Duration::from_secs(300);
/// The greatest number of keys. Above it, the oldest are evicted, so that they do not displace the sessions of clients.
pub(crate) const MAX_IDEMPOTENCY_KEYS: usize = 100_000;
/// The prefix of these sessions' ids. No client's session has it.
const PREFIX: &str = "api_";
/// The greatest length of a key in bytes.
const MAX_KEY: usize = 255;

/// The keys that are remembered, the oldest first.
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys(Mutex<RecentKeys>);

#[derive(Debug, Default)]
struct RecentKeys {
    order: VecDeque<SessionId>,
    ids: HashSet<SessionId>,
}

/// What to do with a publication that has a key.
#[derive(Debug)]
pub(super) enum Decision {
    /// It was published already, at this position.
    Duplicate(Cursor),
    /// Publish it; the broker stores it once.
    Publish(Publication),
}

/// Whether a session belongs to an idempotency key.
pub(super) fn is_idempotency_session(session: &str) -> bool {
    session.starts_with(PREFIX)
}

impl IdempotencyKeys {
    /// Checks whether a publication with this key was stored already.
    pub(super) async fn check(
        &self,
        everwire: &Everwire,
        key: &str,
        publication: Publication,
    ) -> Result<Decision, ApiError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(ApiError::bad_request(format!("an Idempotency-Key has 1 to {MAX_KEY} bytes")));
        }
        let id = id_of(&publication, key)?;
        let record = record_of(&publication);
        let broker = everwire.broker();
        if let Some(stored) = broker.load_session(&id).await.map_err(|error| ApiError::not_stored(&error))? {
            if *stored.record != record {
                let message =
                    "this Idempotency-Key was used for another message to this channel; use each for one message";
                return Err(ApiError::new(ApiErrorCode::KeyReused, message));
            }
            if let Some((_, cursor)) = stored.answers.first() {
                return Ok(Decision::Duplicate(*cursor));
            }
        }
        if let Some(oldest) = self.known().remember(id.clone()) {
            // The removal takes effect without being awaited.
            drop(broker.remove_session(&oldest));
        }
        broker
            .store_session(id.clone(), record.to_vec().into(), SessionExpiry::Detached(WINDOW))
            .await
            .map_err(|error| ApiError::not_stored(&error))?;
        Ok(Decision::Publish(publication.by(id, 1)))
    }

    fn known(&self) -> MutexGuard<'_, RecentKeys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentKeys {
    /// Remembers a key. Returns the key that is evicted for it.
    fn remember(&mut self, id: SessionId) -> Option<SessionId> {
        if !self.ids.insert(id.clone()) {
            return None;
        }
        self.order.push_back(id);
        let oldest = if self.order.len() > MAX_IDEMPOTENCY_KEYS { self.order.pop_front() } else { None }?;
        self.ids.remove(&oldest);
        Some(oldest)
    }
}

fn id_of(publication: &Publication, key: &str) -> Result<SessionId, ApiError> {
    let digest =
        Sha256::new().chain_update(publication.channel.as_str()).chain_update([0]).chain_update(key).finalize();
    Ok(SessionId::try_from(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&digest)).as_str())?)
}

/// The digest that distinguishes a repetition from another message.
fn record_of(publication: &Publication) -> [u8; 32] {
    let Publication { key, payload, is_removed, .. } = publication;
    let key = key.as_ref().map_or("", |key| key.as_str());
    let payload = payload.as_ref().map_or(&[][..], |payload| payload.as_bytes());
    let digest = Sha256::new().chain_update(key).chain_update([0, u8::from(*is_removed)]).chain_update(payload);
    digest.finalize().into()
}
