//! What a request holds.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use everwire_server::Message;
use futures_core::Stream;
use serde::de::IgnoredAny;

use super::error::ApiError;

/// What is read of a body that is too large, so that its client gets the answer: one that still writes when the connection is closed
/// finds a broken pipe instead.
const DISCARD: usize = 16 << 20;

/// A part of a request, which is refused in JSON if it cannot be read.
pub(super) struct Valid<T>(pub(super) T);

impl<S: Sync, T> FromRequestParts<S> for Valid<T>
where
    T: FromRequestParts<S, Rejection: fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let part = T::from_request_parts(parts, state).await;
        part.map(Self).map_err(|error| ApiError::bad_request(error.to_string()))
    }
}

/// Reads a body of at most so many bytes.
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

/// The message that a body is. Text and JSON are texts, and so is what has the type that curl and urllib set where the caller sets none;
/// everything else is bytes.
pub(super) fn message(headers: &HeaderMap, body: Bytes) -> Result<Message, ApiError> {
    let content_type = text_header(headers, &header::CONTENT_TYPE)?.unwrap_or("text/plain");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let is_text = is_json || essence.starts_with("text/") || essence == "application/x-www-form-urlencoded";
    if !is_text {
        return Ok(body.into());
    }
    if is_json {
        serde_json::from_slice::<IgnoredAny>(&body)
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON, as Content-Type says: {error}")))?;
    }
    let text = String::from_utf8(body.into()).map_err(|_| {
        let remedy = "send bytes as `Content-Type: application/octet-stream`";
        ApiError::bad_request(format!("the body is not UTF-8, as a text has to be; {remedy}"))
    })?;
    Ok(text.into())
}

/// A header that is given at most once.
pub(super) fn text_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(ApiError::bad_request(format!("the header {name} must be given once, in ASCII"))),
    }
}
