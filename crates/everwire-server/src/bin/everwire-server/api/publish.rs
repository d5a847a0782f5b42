use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use everwire_core::protocol::Cursor;
use everwire_server::Message;
use everwire_server::broker::{ChannelName, Key, Publication};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{ApiError, Code};
use super::payload::Position;
use super::repeats::Decision;
use super::request::{Valid, message, read_body, text_header};
use super::{Api, json};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The most messages of one request.
const MAX_MESSAGES: usize = 1_000;
/// The most bytes of a request with several messages.
const MAX_BYTES: usize = 8 << 20;

/// What a publish is answered with.
#[derive(Debug, Serialize)]
struct Published {
    channel: String,
    #[serde(flatten)]
    position: Position,
    /// It was stored by an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
}

/// `POST /api/channels/{channel}/messages`
pub(super) async fn one(
    State(api): State<Api>,
    Valid(Path(channel)): Valid<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let channel = api.channel(&channel)?;
    let payload = api.read_message(&channel, &headers, body).await?;
    api.publish(&headers, Publication::new(channel, payload)).await
}

/// `PUT /api/channels/{channel}/state/{key}`
pub(super) async fn set(
    State(api): State<Api>,
    Valid(Path((channel, key))): Valid<Path<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (channel, key) = (api.state_channel(&channel)?, Key::try_from(key.as_str())?);
    let payload = api.read_message(&channel, &headers, body).await?;
    api.publish(&headers, Publication::new(channel, payload).with_key(key)).await
}

/// `DELETE /api/channels/{channel}/state/{key}`
pub(super) async fn remove(
    State(api): State<Api>,
    Valid(Path((channel, key))): Valid<Path<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (channel, key) = (api.state_channel(&channel)?, Key::try_from(key.as_str())?);
    api.publish(&headers, Publication::without_payload(channel).with_key(key).removed()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<'a> {
    #[serde(borrow)]
    messages: Vec<Entry<'a>>,
}

/// One of several messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
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

/// What became of one of several messages.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Published(Published),
    Failed { error: ApiError },
}

/// `POST /api/messages`
///
/// A request with a mistake publishes nothing. Otherwise the messages are published in their order, and the broker decides about each.
pub(super) async fn several(State(api): State<Api>, body: Body) -> Result<Response, ApiError> {
    let body = read_body(body, "a request with several messages", MAX_BYTES).await?;
    let Several { messages } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not as described: {error}")))?;
    if messages.len() > MAX_MESSAGES {
        let message = format!("{} messages; a request may have at most {MAX_MESSAGES}", messages.len());
        return Err(ApiError::new(Code::TooLarge, message));
    }
    let mut publications = Vec::with_capacity(messages.len());
    for (index, entry) in messages.into_iter().enumerate() {
        publications.push(api.publication(entry).map_err(|error| error.at(index))?);
    }
    // The broker stores in the order of the calls, and what waits together in one write.
    let mut pending = Vec::with_capacity(publications.len());
    for (publication, key) in publications {
        let channel = publication.channel.clone();
        let decided = match key {
            Some(key) => api.0.repeats.decide(api.wire(), &key, publication).await,
            None => Ok(Decision::Publish(publication)),
        };
        pending.push((
            channel,
            decided.map(|decision| match decision {
                Decision::Repeated(cursor) => Err(cursor),
                Decision::Publish(publication) => Ok(api.wire().publish_prepared(publication)),
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
            Ok((cursor, repeated)) => Outcome::Published(Published::new(&channel, cursor, repeated)),
            Err(error) => {
                first_error.get_or_insert_with(|| error.clone().at(index));
                Outcome::Failed { error }
            }
        });
    }
    #[derive(Serialize)]
    struct Answer {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ApiError>,
        results: Vec<Outcome>,
    }
    let status = first_error.as_ref().map_or(StatusCode::OK, |error| error.status);
    Ok(json(status, &Answer { error: first_error, results }))
}

impl Api {
    async fn read_message(&self, channel: &ChannelName, headers: &HeaderMap, body: Body) -> Result<Message, ApiError> {
        let what = format!("a message to {:?}", channel.as_str());
        message(headers, read_body(body, &what, self.message_bytes(channel)).await?)
    }

    async fn publish(&self, headers: &HeaderMap, publication: Publication) -> Result<Response, ApiError> {
        let channel = publication.channel.clone();
        let publication = match text_header(headers, &IDEMPOTENCY_KEY)? {
            None => publication,
            Some(key) => match self.0.repeats.decide(self.wire(), key, publication).await? {
                Decision::Publish(publication) => publication,
                Decision::Repeated(cursor) => return Ok(Published::new(&channel, cursor, true).into_response()),
            },
        };
        let ack = self.wire().publish_prepared(publication).await?;
        Ok(Published::new(&channel, ack.cursor, false).into_response())
    }

    /// Checks one of several messages. Also returns its idempotency key.
    fn publication(&self, entry: Entry<'_>) -> Result<(Publication, Option<String>), ApiError> {
        let Entry { channel: name, text, json, base64, key, remove, idempotency_key } = entry;
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

impl Published {
    fn new(channel: &ChannelName, cursor: Cursor, repeated: bool) -> Self {
        Self { channel: channel.as_str().to_owned(), position: Position(cursor), repeated }
    }
}

impl IntoResponse for Published {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}
