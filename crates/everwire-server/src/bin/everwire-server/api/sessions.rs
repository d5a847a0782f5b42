use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use everwire_server::Channel;
use everwire_server::broker::SessionId;
use everwire_server::channels::{PresentSession, SessionInfo};
use serde::{Deserialize, Serialize};
use serde_json::json as value;

use super::error::{ApiError, Code};
use super::payload::{PayloadJson, Position};
use super::request::Valid;
use super::{Api, json};

/// The most channels of an answer.
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
    Valid(Query(ChannelsQuery { prefix, after })): Valid<Query<ChannelsQuery>>,
) -> Response {
    let mut channels = api.wire().open_channels();
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
    Valid(Path(name)): Valid<Path<String>>,
) -> Result<Response, ApiError> {
    let channel = api.channel(&name)?;
    let history = api.wire().broker().history(&channel, 0).await?;
    let open = api.wire().open_channels().into_iter().find(|open| open.name == channel);
    let answer = value!({
        "channel": name,
        "subscribers": open.map_or(0, |open| open.subscribers),
        "present": api.wire().presence(&Channel::<()>::named(name.clone())).len(),
        "messages": history.len(),
        "last": Position(history.last),
    });
    Ok(json(StatusCode::OK, &answer))
}

#[derive(Debug, Serialize)]
struct Member {
    session: String,
    user: Option<String>,
    /// What the other members see of it.
    shown: Option<PayloadJson>,
}

/// `GET /api/channels/{channel}/presence`
pub(super) async fn presence(
    State(api): State<Api>,
    Valid(Path(name)): Valid<Path<String>>,
) -> Result<Response, ApiError> {
    api.channel(&name)?;
    let member = |PresentSession { session, user, shown, .. }: PresentSession| Member {
        session: session.as_str().to_owned(),
        user: user.map(|user| user.to_string()),
        shown: shown.as_ref().map(PayloadJson::of),
    };
    let members = api.wire().presence(&Channel::<()>::named(name.clone()));
    let members: Vec<_> = members.into_iter().map(member).collect();
    Ok(json(StatusCode::OK, &value!({ "channel": name, "members": members })))
}

/// `DELETE /api/sessions/{session}`
pub(super) async fn disconnect(
    State(api): State<Api>,
    Valid(Path(session)): Valid<Path<String>>,
) -> Result<Response, ApiError> {
    let id = SessionId::try_from(session.as_str())?;
    if api.wire().disconnect(&id) {
        return Ok(json(StatusCode::OK, &value!({ "ended": 1 })));
    }
    let message = format!("there is no session {session:?}; it may have ended");
    Err(ApiError::new(Code::NoSession, message))
}

/// `GET /api/users/{user}/sessions`
pub(super) async fn of_user(State(api): State<Api>, Valid(Path(user)): Valid<Path<String>>) -> Response {
    let mut sessions = api.wire().sessions();
    sessions.retain(|session| session.identity.user_name() == Some(&user));
    let session = |SessionInfo { session, is_attached, .. }: &SessionInfo| value!({ "session": session.as_str(), "attached": is_attached });
    let sessions: Vec<_> = sessions.iter().map(session).collect();
    json(StatusCode::OK, &value!({ "user": user, "sessions": sessions }))
}

/// `DELETE /api/users/{user}/sessions`
pub(super) async fn disconnect_user(State(api): State<Api>, Valid(Path(user)): Valid<Path<String>>) -> Response {
    json(StatusCode::OK, &value!({ "ended": api.wire().disconnect_user(&user) }))
}
