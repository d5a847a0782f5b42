use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::metrics::DropReason;

/// The refusal of a request: an HTTP status and a message that says what to do. On a route of
/// [`Endpoint::route`](crate::Endpoint::route) it is counted under its reason.
///
/// To refuse with another body or other headers, return any other response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HandshakeError {
    status: StatusCode,
    message: String,
    reason: DropReason,
}

impl HandshakeError {
    /// Refuses with a status and a message, counted as `reason`.
    pub fn new(status: StatusCode, reason: DropReason, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), reason }
    }

    /// Refuses with 400 Bad Request.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, DropReason::BadRequest, message)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The reason that is counted.
    pub fn reason(&self) -> DropReason {
        self.reason
    }
}

impl IntoResponse for HandshakeError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message + "\n").into_response();
        // `Endpoint::route` counts it.
        response.extensions_mut().insert(self.reason);
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        response
    }
}
