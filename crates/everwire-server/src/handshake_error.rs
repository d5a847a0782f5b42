use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::metrics::DropReason;

/// A request that is not granted: an HTTP status and a message that says what to do.
#[derive(Clone, Debug)]
pub(crate) struct HandshakeError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// What it is counted as.
    pub(crate) reason: DropReason,
}

impl HandshakeError {
    pub(crate) fn new(status: StatusCode, reason: DropReason, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), reason }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, DropReason::BadRequest, message)
    }
}

impl IntoResponse for HandshakeError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.message + "\n").into_response();
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
