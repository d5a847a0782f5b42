//! What a request holds, and the JSON error with which it is refused.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::broker::{BrokerError, InvalidName};
use everwire_server::{HandshakeError, Message};
use futures_core::Stream;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::json;

/// An error response: a code for programs, and a message for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub(super) status: StatusCode,
    code: ApiErrorCode,
    message: String,
    /// The index of the message in a batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

/// Why a request is refused, as listed in `docs/standalone.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ApiErrorCode {
    BadRequest,
    BadName,
    Unauthorized,
    NoRule,
    NotFound,
    NoSession,
    ApiOff,
    MethodNotAllowed,
    NotAStateChannel,
    TooLarge,
    KeyReused,
    TooManyConnections,
    Unknown,
    Unavailable,
    Busy,
}

impl ApiErrorCode {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::BadName => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NoRule => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoSession | Self::ApiOff => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAStateChannel => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    pub(crate) fn new(code: ApiErrorCode, message: impl Into<String>) -> Self {
        Self { status: code.status(), code, message: message.into(), index: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ApiErrorCode::BadRequest, message)
    }

    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        Self::new(ApiErrorCode::TooLarge, format!("{what} may have at most {limit} bytes"))
    }

    /// The broker failed before anything was published.
    pub(super) fn not_stored(error: &BrokerError) -> Self {
        let code = if *error == BrokerError::Busy { ApiErrorCode::Busy } else { ApiErrorCode::Unavailable };
        Self::new(code, format!("nothing was stored: {error}"))
    }

    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(ApiErrorCode::NotFound, format!("there is nothing at {path}"))
    }

    pub(super) fn no_method(method: &Method) -> Self {
        let message = format!("this route does not support {method}; the header `Allow` lists its methods");
        Self::new(ApiErrorCode::MethodNotAllowed, message)
    }

    /// Sets the index of the message in a batch.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }
}

/// A publish or read that failed in the broker.
impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Undecided | BrokerError::Forgotten => Self::new(
                ApiErrorCode::Unknown,
                "the journal failed at the end of the write, and whether the message was stored is not known yet; repeat it if it has an \
                 Idempotency-Key, which is stored once, and otherwise read the history first",
            ),
            error => Self::not_stored(&error),
        }
    }
}

impl From<InvalidName> for ApiError {
    fn from(error: InvalidName) -> Self {
        Self::new(ApiErrorCode::BadName, error.to_string())
    }
}

impl From<HandshakeError> for ApiError {
    fn from(error: HandshakeError) -> Self {
        Self { status: error.status(), ..Self::new(ApiErrorCode::TooManyConnections, error.message()) }
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

/// How much of a body over the limit is read and discarded, so that its client gets the response: a client that still writes when the
/// connection closes gets a broken pipe instead.
const DISCARD: usize = 16 << 20;

/// An extractor whose rejection is an [`ApiError`].
pub(super) struct WithApiError<T>(pub(super) T);

impl<S: Sync, T> FromRequestParts<S> for WithApiError<T>
where
    T: FromRequestParts<S, Rejection: fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let part = T::from_request_parts(parts, state).await;
        part.map(Self).map_err(|error| ApiError::bad_request(error.to_string()))
    }
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read_body(body: Body, what: &str, limit: usize) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut read = Vec::new();
    let mut size = 0;
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut chunks).poll_next(context)).await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the body ended early: {error}")))?;
        size += chunk.len();
        if size <= limit {
            read.extend_from_slice(&chunk);
        } else if size > limit.saturating_add(DISCARD) {
            break;
        }
    }
    if size > limit { Err(ApiError::too_large(what, limit)) } else { Ok(read.into()) }
}

/// Parses a body into a message. Text and JSON become a text message, and so does the form type that curl and urllib set by default;
/// everything else becomes a binary message.
pub(super) fn parse_message(headers: &HeaderMap, body: Bytes) -> Result<Message, ApiError> {
    let content_type = single_header(headers, &header::CONTENT_TYPE)?.unwrap_or("text/plain");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let is_text = is_json || essence.starts_with("text/") || essence == "application/x-www-form-urlencoded";
    if !is_text {
        return Ok(body.into());
    }
    if is_json {
        serde_json::from_slice::<IgnoredAny>(&body).map_err(|error| {
            ApiError::bad_request(format!("the body is not JSON, although Content-Type says so: {error}"))
        })?;
    }
    let text = String::from_utf8(body.into()).map_err(|_| {
        let remedy = "send bytes as `Content-Type: application/octet-stream`";
        ApiError::bad_request(format!("the body is not UTF-8, as a text has to be; {remedy}"))
    })?;
    Ok(text.into())
}

/// The value of a header that may be given at most once.
pub(super) fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(ApiError::bad_request(format!("the header {name} must be given once, in ASCII"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../../../../docs/standalone.md");
    const ALL: [ApiErrorCode; 15] = [
        ApiErrorCode::BadRequest,
        ApiErrorCode::BadName,
        ApiErrorCode::Unauthorized,
        ApiErrorCode::NoRule,
        ApiErrorCode::NotFound,
        ApiErrorCode::NoSession,
        ApiErrorCode::ApiOff,
        ApiErrorCode::MethodNotAllowed,
        ApiErrorCode::NotAStateChannel,
        ApiErrorCode::TooLarge,
        ApiErrorCode::KeyReused,
        ApiErrorCode::TooManyConnections,
        ApiErrorCode::Unknown,
        ApiErrorCode::Unavailable,
        ApiErrorCode::Busy,
    ];

    #[test]
    fn the_guide_has_all_codes_with_their_statuses() {
        let table = GUIDE.lines().skip_while(|line| !line.starts_with("| status | code")).skip(2);
        let mut described = Vec::new();
        for row in table.take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            described.extend(cells[2].split(", ").map(|code| (code.to_owned(), cells[1].to_owned())));
        }
        let name = |code| serde_json::to_string(&code).unwrap().replace('"', "`");
        let codes: Vec<_> = ALL.iter().map(|code| (name(*code), code.status().as_u16().to_string())).collect();
        assert!(
            described.iter().all(|code| codes.contains(code) || code.0 == name(ApiErrorCode::TooManyConnections)),
            "{described:?}"
        );
        assert_eq!(described.len(), codes.len());
    }
}
