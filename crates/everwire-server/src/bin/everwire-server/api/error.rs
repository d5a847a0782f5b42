use std::fmt;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::HandshakeError;
use everwire_server::broker::{BadName, BrokerError};
use serde::Serialize;

use super::json;

/// A refusal. The code is for programs, the message for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Which message of several is meant, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<usize>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), index: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        let message = format!("{what} may have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    }

    /// The broker failed before anything was published.
    pub(super) fn not_stored(error: &BrokerError) -> Self {
        let code = if *error == BrokerError::Busy { "busy" } else { "unavailable" };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("nothing was stored: {error}"))
    }

    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is nothing at {path}"))
    }

    pub(super) fn no_method(method: &Method) -> Self {
        let message = format!("{method} is not a method of this route; the header `Allow` names them");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
    }

    /// Names the message that is meant.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }
}

/// A publish, or a read, that the broker has not done.
impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Undecided | BrokerError::Forgotten => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unknown",
                "the journal failed at the end of the write, and whether the message was stored is not known yet; repeat it if it has an \
                 Idempotency-Key, which is stored once, and otherwise read the history first",
            ),
            error => Self::not_stored(&error),
        }
    }
}

impl From<BadName> for ApiError {
    fn from(error: BadName) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-name", error.to_string())
    }
}

impl From<HandshakeError> for ApiError {
    fn from(error: HandshakeError) -> Self {
        Self::new(error.status(), "too-many-connections", error.message())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a ApiError,
        }
        let mut response = json(self.status, &Body { error: &self });
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
