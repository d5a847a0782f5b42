//! The HTTP API for back ends.
//!
//! # Layout
//! - `publish`: one message, and several; `repeats`: a publish that is sent again is stored once
//! - `history`: messages and state; `sessions`: channels, presence and disconnect
//! - `error`: refusals; `request`: bodies, paths and queries; `payload`: messages as JSON

mod error;
mod history;
mod payload;
mod publish;
mod repeats;
mod request;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use everwire_server::Everwire;
use everwire_server::broker::ChannelName;
use serde::Serialize;

pub(crate) use self::error::{ApiError, Code};
pub(crate) use self::repeats::MAX_REPEATS;
use self::repeats::Repeats;
use crate::config::Config;
use crate::keys::Keys;

/// What the routes share.
#[derive(Clone, Debug)]
pub(crate) struct Api(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wire: Everwire,
    config: Arc<Config>,
    keys: Keys,
    repeats: Repeats,
}

impl Api {
    pub(crate) fn new(wire: &Everwire, config: &Arc<Config>, keys: Keys) -> Self {
        let (wire, config) = (wire.clone(), Arc::clone(config));
        Self(Arc::new(Shared { wire, config, keys, repeats: Repeats::default() }))
    }

    /// The routes below `/api`.
    pub(crate) fn router(self) -> Router {
        let routes = Router::new()
            .route("/channels", get(sessions::channels))
            .route("/channels/{channel}", get(sessions::channel))
            .route("/channels/{channel}/messages", get(history::messages).post(publish::one))
            .route("/channels/{channel}/state", get(history::state))
            .route("/channels/{channel}/state/{key}", put(publish::set).delete(publish::remove))
            .route("/channels/{channel}/presence", get(sessions::presence))
            .route("/messages", post(publish::several))
            .route("/sessions/{session}", delete(sessions::disconnect))
            .route("/users/{user}/sessions", get(sessions::of_user).delete(sessions::disconnect_user))
            .fallback(async |request: Request| ApiError::no_route(request.uri().path()))
            .method_not_allowed_fallback(async |request: Request| ApiError::no_method(request.method()))
            .layer(from_fn_with_state(self.clone(), check))
            .with_state(self);
        Router::new().nest("/api", routes)
    }

    fn wire(&self) -> &Everwire {
        &self.0.wire
    }

    /// A channel that has a rule: a name without one is a mistake of the back end.
    fn channel(&self, name: &str) -> Result<ChannelName, ApiError> {
        let channel = ChannelName::try_from(name)?;
        match self.0.config.rules.of(name) {
            Some(_) => Ok(channel),
            None => Err(ApiError::new(
                Code::NoRule,
                format!("no rule of the configuration is for the channel {name:?}; add one, or correct the name"),
            )),
        }
    }

    /// A channel of values.
    fn state_channel(&self, name: &str) -> Result<ChannelName, ApiError> {
        let channel = self.channel(name)?;
        if self.0.config.rules.is_state(name) {
            return Ok(channel);
        }
        let message = format!("the channel {name:?} keeps no values of keys; set `kind = \"state\"` in its rule");
        Err(ApiError::new(Code::NotAStateChannel, message))
    }

    /// The most bytes that a message may have.
    fn message_bytes(&self, channel: &ChannelName) -> usize {
        let most = self.wire().connection_limits().message_bytes;
        self.wire().channel_options(channel.as_str()).message_bytes.min(most)
    }
}

/// Lets requests with a key pass, before their bodies are read.
async fn check(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = api.wire().check_admitted(&parts) {
        return ApiError::from(error).into_response();
    }
    let message = match api.0.keys.check(&parts.headers) {
        Some(true) => return next.run(Request::from_parts(parts, body)).await,
        Some(false) => "this is not a key of the server; see --api-key, --api-key-file and EVERWIRE_API_KEY",
        None => "send a key of the server in the header `Authorization: Bearer KEY`",
    };
    let mut response = ApiError::new(Code::Unauthorized, message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// An answer in JSON.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
