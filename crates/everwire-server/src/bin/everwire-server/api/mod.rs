//! The HTTP API for back ends.
//!
//! # Layout
//! - `publish`: one message, or several; `inspect`: history, channels, presence and sessions
//! - `request`: bodies, paths and queries, and the errors with which they are refused

mod inspect;
mod publish;
mod request;

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

use self::publish::IdempotencyKeys;
pub(crate) use self::publish::MAX_IDEMPOTENCY_KEYS;
pub(crate) use self::request::{ApiError, ApiErrorCode};
use crate::config::Config;
use crate::flags::ApiKeys;

/// The state that the routes share.
#[derive(Clone, Debug)]
pub(crate) struct Api(Arc<ApiState>);

#[derive(Debug)]
struct ApiState {
    everwire: Everwire,
    config: Arc<Config>,
    keys: ApiKeys,
    idempotency_keys: IdempotencyKeys,
}

impl Api {
    pub(crate) fn new(everwire: &Everwire, config: &Arc<Config>, keys: ApiKeys) -> Self {
        let (everwire, config) = (everwire.clone(), Arc::clone(config));
        Self(Arc::new(ApiState { everwire, config, keys, idempotency_keys: IdempotencyKeys::default() }))
    }

    /// The routes below `/api`.
    pub(crate) fn router(self) -> Router {
        let routes = Router::new()
            .route("/channels", get(inspect::channels))
            .route("/channels/{channel}", get(inspect::channel))
            .route("/channels/{channel}/messages", get(inspect::messages).post(publish::publish_message))
            .route("/channels/{channel}/state", get(inspect::state))
            .route("/channels/{channel}/state/{key}", put(publish::set_value).delete(publish::remove_value))
            .route("/channels/{channel}/presence", get(inspect::presence))
            .route("/messages", post(publish::publish_batch))
            .route("/sessions/{session}", delete(inspect::disconnect))
            .route("/users/{user}/sessions", get(inspect::sessions_of_user).delete(inspect::disconnect_user))
            .fallback(async |request: Request| ApiError::no_route(request.uri().path()))
            .method_not_allowed_fallback(async |request: Request| ApiError::no_method(request.method()))
            .layer(from_fn_with_state(self.clone(), require_key))
            .with_state(self);
        Router::new().nest("/api", routes)
    }

    fn everwire(&self) -> &Everwire {
        &self.0.everwire
    }

    /// Checks that a channel has a rule. A name without one is an error of the back end.
    fn channel(&self, name: &str) -> Result<ChannelName, ApiError> {
        let channel = ChannelName::try_from(name)?;
        match self.0.config.rules.find(name) {
            Some(_) => Ok(channel),
            None => Err(ApiError::new(
                ApiErrorCode::NoRule,
                format!("no rule of the configuration is for the channel {name:?}; add one, or correct the name"),
            )),
        }
    }

    /// Checks that a channel is a state channel.
    fn state_channel(&self, name: &str) -> Result<ChannelName, ApiError> {
        let channel = self.channel(name)?;
        if self.0.config.rules.is_state(name) {
            return Ok(channel);
        }
        let message = format!("the channel {name:?} keeps no values of keys; set `kind = \"state\"` in its rule");
        Err(ApiError::new(ApiErrorCode::NotAStateChannel, message))
    }

    /// The greatest size of a message in bytes.
    fn message_bytes(&self, channel: &ChannelName) -> usize {
        let most = self.everwire().connection_limits().message_bytes;
        self.everwire().channel_options(channel.as_str()).message_bytes.min(most)
    }
}

/// Rejects requests without a valid key, before their bodies are read.
async fn require_key(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = api.everwire().check_admitted(&parts) {
        return ApiError::from(error).into_response();
    }
    let message = match api.0.keys.check(&parts.headers) {
        Some(true) => return next.run(Request::from_parts(parts, body)).await,
        Some(false) => "this is not a key of the server; see --api-key, --api-key-file and EVERWIRE_API_KEY",
        None => "send a key of the server in the header `Authorization: Bearer KEY`",
    };
    let mut response = ApiError::new(ApiErrorCode::Unauthorized, message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// A JSON response.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a response could not be serialized as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
