//! Reads history, state, channels, presence and sessions, writes messages as JSON, and ends sessions.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::BASE64;
use everwire_core::protocol::{Cursor, GapReason};
use everwire_core::session;
use everwire_server::broker::{History, Page, PageLimits, SessionId, Stored};
use everwire_server::channels::{PresentSession, SessionInfo};
use everwire_server::{Channel, Message};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json as value;

use super::publish::is_idempotency_session;
use super::request::{ApiError, ApiErrorCode, WithApiError};
use super::{Api, json};

/// The greatest size of a page's messages in bytes.
const PAGE_BYTES: usize = 1 << 20;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    after: Option<String>,
    last: Option<u64>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct PageJson {
    channel: String,
    messages: Vec<MessageJson>,
    /// The position after the page, for the next one.
    cursor: String,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<GapJson>,
}

/// What is missing between `after` and the page.
#[derive(Debug, Serialize)]
struct GapJson {
    reason: &'static str,
    missed: Option<u64>,
}

/// `GET /api/channels/{channel}/messages`
pub(super) async fn messages(
    State(api): State<Api>,
    WithApiError(Path(channel)): WithApiError<Path<String>>,
    WithApiError(Query(query)): WithApiError<Query<HistoryQuery>>,
) -> Result<Response, ApiError> {
    let (channel, limits) = (api.channel(&channel)?, query.limits()?);
    let after = query.after()?;
    let broker = api.everwire().broker();
    let history = broker.history(&channel, after.map_or(0, |after| after.offset)).await?;
    let start = match (after, query.last) {
        (Some(_), Some(_)) => return Err(ApiError::bad_request("give `after` or `last`, not both")),
        (Some(after), None) => after.offset,
        (None, Some(last)) => history.last.offset.saturating_sub(last).max(history.trimmed.offset),
        (None, None) => history.trimmed.offset,
    };
    let mut page = broker.read(&channel, start, limits).await?;
    let gap = after.and_then(|after| gap(after, &page.history, page.history.trimmed.offset, history.found));
    if matches!(&gap, Some(GapJson { missed: None, .. })) {
        // An offset of another history has no meaning in this one.
        page = broker.read(&channel, page.history.trimmed.offset, limits).await?;
    }
    Ok(json(StatusCode::OK, &PageJson::new(channel.as_str(), &page, gap)))
}

/// `GET /api/channels/{channel}/state`
pub(super) async fn state(
    State(api): State<Api>,
    WithApiError(Path(channel)): WithApiError<Path<String>>,
    WithApiError(Query(query)): WithApiError<Query<HistoryQuery>>,
) -> Result<Response, ApiError> {
    let (channel, limits) = (api.state_channel(&channel)?, query.limits()?);
    let after = query.after()?;
    if query.last.is_some() {
        return Err(ApiError::bad_request(
            "`last` is a parameter of the messages; the state is the latest of each key",
        ));
    }
    let broker = api.everwire().broker();
    let start = after.map_or(0, |after| after.offset);
    let history = broker.history(&channel, start).await?;
    let mut page = broker.read_state(&channel, start, limits).await?;
    let gap = after.and_then(|after| gap(after, &page.history, page.history.state_trimmed, history.found));
    if gap.is_some() {
        page = broker.read_state(&channel, 0, limits).await?;
    }
    Ok(json(StatusCode::OK, &PageJson::new(channel.as_str(), &page, gap)))
}

impl HistoryQuery {
    fn after(&self) -> Result<Option<Cursor>, ApiError> {
        let parse = |text: &str| {
            let error = "`after` is not a cursor; give one that the server has answered with, as it is";
            Cursor::parse(text).ok_or_else(|| ApiError::bad_request(error))
        };
        self.after.as_deref().map(parse).transpose()
    }

    fn limits(&self) -> Result<PageLimits, ApiError> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            count @ 1..=MAX_LIMIT => Ok(PageLimits { count, bytes: PAGE_BYTES }),
            _ => Err(ApiError::bad_request(format!("`limit` is from 1 to {MAX_LIMIT}"))),
        }
    }
}

/// The gap behind this position, if the history no longer has all messages that follow it.
fn gap(after: Cursor, history: &History, trimmed: u64, found: Option<Cursor>) -> Option<GapJson> {
    let now = session::History { trimmed, last: history.last };
    let found = found.filter(|found| found.epoch == history.epoch());
    let gap = now.gap_after(after, |offset| found.filter(|found| found.offset == offset).map(|found| found.time))?;
    Some(match gap.reason {
        GapReason::Trimmed => GapJson { reason: "trimmed", missed: Some(trimmed - after.offset) },
        _ => GapJson { reason: "rewritten", missed: None },
    })
}

impl PageJson {
    fn new(channel: &str, page: &Page, gap: Option<GapJson>) -> Self {
        let last = page.messages.last().filter(|_| !page.is_last).map_or(page.history.last, |message| message.cursor);
        Self {
            channel: channel.to_owned(),
            messages: page.messages.iter().map(|message| MessageJson::of(message)).collect(),
            cursor: last.to_string(),
            more: !page.is_last,
            gap,
        }
    }
}

/// A payload: `{"text": "…"}` or `{"base64": "…"}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PayloadJson {
    Text(String),
    Base64(String),
}

/// A position in a channel, as in the response to a publish.
#[derive(Debug)]
pub(super) struct PositionJson(pub(super) Cursor);

/// A message of the history.
#[derive(Debug, Serialize)]
pub(super) struct MessageJson {
    #[serde(flatten)]
    position: PositionJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    /// The session that published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(flatten)]
    payload: Option<PayloadJson>,
}

impl PayloadJson {
    pub(super) fn of(message: &Message) -> Self {
        match message.as_text() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Base64(BASE64.encode(message.as_bytes())),
        }
    }
}

impl Serialize for PositionJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cursor { epoch, offset, time } = self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("cursor", &self.0.to_string())?;
        // A number of 64 bits is not exact in every language's JSON.
        map.serialize_entry("epoch", &format!("{epoch:x}"))?;
        map.serialize_entry("offset", &offset)?;
        map.serialize_entry("time", &time)?;
        map.end()
    }
}

impl MessageJson {
    pub(super) fn of(stored: &Stored) -> Self {
        let session = stored.by.as_ref().map(|by| by.session.as_str()).filter(|id| !is_idempotency_session(id));
        Self {
            position: PositionJson(stored.cursor),
            key: stored.key.as_ref().map(|key| key.as_str().to_owned()),
            removed: stored.is_removed,
            session: session.map(str::to_owned),
            payload: stored.payload.as_ref().map(PayloadJson::of),
        }
    }
}

/// The greatest number of channels in a response.
const MAX_CHANNELS: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelsQuery {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    after: String,
}

/// `GET /api/channels`
pub(super) async fn channels(
    State(api): State<Api>,
    WithApiError(Query(ChannelsQuery { prefix, after })): WithApiError<Query<ChannelsQuery>>,
) -> Response {
    let mut channels = api.everwire().open_channels();
    channels.retain(|channel| channel.name.as_str().starts_with(&prefix) && *channel.name.as_str() > *after);
    channels.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let more = channels.len() > MAX_CHANNELS;
    channels.truncate(MAX_CHANNELS);
    let channels: Vec<_> = channels
        .iter()
        .map(|channel| value!({ "channel": channel.name.as_str(), "subscribers": channel.subscribers }))
        .collect();
    json(StatusCode::OK, &value!({ "channels": channels, "more": more }))
}

/// `GET /api/channels/{channel}`
pub(super) async fn channel(
    State(api): State<Api>,
    WithApiError(Path(name)): WithApiError<Path<String>>,
) -> Result<Response, ApiError> {
    let channel = api.channel(&name)?;
    let history = api.everwire().broker().history(&channel, 0).await?;
    let open = api.everwire().open_channels().into_iter().find(|open| open.name == channel);
    let answer = value!({
        "channel": name,
        "subscribers": open.map_or(0, |open| open.subscribers),
        "present": api.everwire().presence(&Channel::<()>::named(name.clone())).len(),
        "messages": history.len(),
        "last": PositionJson(history.last),
    });
    Ok(json(StatusCode::OK, &answer))
}

#[derive(Debug, Serialize)]
struct MemberJson {
    session: String,
    user: Option<String>,
    /// What other members see of it.
    shown: Option<PayloadJson>,
}

/// `GET /api/channels/{channel}/presence`
pub(super) async fn presence(
    State(api): State<Api>,
    WithApiError(Path(name)): WithApiError<Path<String>>,
) -> Result<Response, ApiError> {
    api.channel(&name)?;
    let member = |PresentSession { session, user, shown, .. }: PresentSession| MemberJson {
        session: session.as_str().to_owned(),
        user: user.map(|user| user.to_string()),
        shown: shown.as_ref().map(PayloadJson::of),
    };
    let members = api.everwire().presence(&Channel::<()>::named(name.clone()));
    let members: Vec<_> = members.into_iter().map(member).collect();
    Ok(json(StatusCode::OK, &value!({ "channel": name, "members": members })))
}

/// `DELETE /api/sessions/{session}`
pub(super) async fn disconnect(
    State(api): State<Api>,
    WithApiError(Path(session)): WithApiError<Path<String>>,
) -> Result<Response, ApiError> {
    let id = SessionId::try_from(session.as_str())?;
    if api.everwire().disconnect(&id) {
        return Ok(json(StatusCode::OK, &value!({ "ended": 1 })));
    }
    let message = format!("there is no session {session:?}; it may have ended");
    Err(ApiError::new(ApiErrorCode::NoSession, message))
}

/// `GET /api/users/{user}/sessions`
pub(super) async fn sessions_of_user(
    State(api): State<Api>,
    WithApiError(Path(user)): WithApiError<Path<String>>,
) -> Response {
    let mut sessions = api.everwire().sessions();
    sessions.retain(|session| session.identity.user_name() == Some(&user));
    let session = |SessionInfo { session, is_attached, .. }: &SessionInfo| value!({ "session": session.as_str(), "attached": is_attached });
    let sessions: Vec<_> = sessions.iter().map(session).collect();
    json(StatusCode::OK, &value!({ "user": user, "sessions": sessions }))
}

/// `DELETE /api/users/{user}/sessions`
pub(super) async fn disconnect_user(
    State(api): State<Api>,
    WithApiError(Path(user)): WithApiError<Path<String>>,
) -> Response {
    json(StatusCode::OK, &value!({ "ended": api.everwire().disconnect_user(&user) }))
}
