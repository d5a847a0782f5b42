//! The opening handshake (RFC 6455 section 4.2), and the refusal of one.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::metrics::DropReason;

/// A valid opening handshake (RFC 6455 section 4.2).
///
/// axum's own upgrade hides the stream below the WebSocket, which is needed for the closing handshake and for direct writes, and
/// the errors that close codes are derived from.
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: HeaderValue,
    /// The subprotocols that the client offers, in its order of preference.
    offered: Vec<String>,
    on_upgrade: OnUpgrade,
}

/// Whether a request asks for a WebSocket at all.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
}

impl Handshake {
    /// Checks everything that section 4.2.1 requires, except for the host, which every request needs.
    pub(crate) fn from_request(request: &mut Parts, has_body: bool) -> Result<Self, HandshakeError> {
        if request.method != Method::GET || !has_token(&request.headers, header::CONNECTION, "upgrade") {
            return Err(HandshakeError::bad_request("A WebSocket handshake is a GET with `Connection: Upgrade`."));
        }
        if request.version < Version::HTTP_11 {
            return Err(HandshakeError::bad_request("A WebSocket handshake needs HTTP/1.1."));
        }
        // The bytes behind the head belong to the WebSocket. With a body, the two sides could disagree about them.
        if has_body {
            return Err(HandshakeError::bad_request("A WebSocket handshake has no body."));
        }
        let headers = &request.headers;
        check_version(headers)?;
        let key =
            single_value(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes())).ok_or_else(|| {
                HandshakeError::bad_request("A WebSocket handshake has one `Sec-WebSocket-Key`: 16 bytes in base64.")
            })?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).expect("base64 is visible ASCII");
        let offered = offered_protocols(headers)?;
        check_extensions(headers)?;
        let on_upgrade = request
            .extensions
            .remove::<OnUpgrade>()
            .ok_or_else(|| HandshakeError::bad_request("This connection cannot be upgraded; connect with HTTP/1.1."))?;
        Ok(Self { accept, offered, on_upgrade })
    }

    pub(crate) fn offered(&self) -> &[String] {
        &self.offered
    }

    /// The response that completes the handshake and grants a subprotocol, and the connection that follows it.
    pub(crate) fn accept(self, protocol: Option<HeaderValue>) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        (response, self.on_upgrade)
    }
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// The value of a header that must occur once.
fn single_value(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn check_version(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let version = single_value(headers, header::SEC_WEBSOCKET_VERSION).and_then(|version| version.to_str().ok());
    // Section 4.3: 0 to 255, without zeros in front.
    let is_number = |text: &str| text.parse::<u8>().is_ok_and(|number| number.to_string() == text);
    match version {
        Some("13") => Ok(()),
        Some(other) if is_number(other) => {
            let sentence = "This server speaks WebSocket version 13.";
            Err(HandshakeError::new(StatusCode::UPGRADE_REQUIRED, DropReason::BadRequest, sentence))
        }
        _ => Err(HandshakeError::bad_request(
            "A WebSocket handshake has one `Sec-WebSocket-Version`, and that is a number: 13.",
        )),
    }
}

/// Whether the key is the canonical base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    // `BASE64` is strict: it rejects trailing bits that are not zero.
    BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// The subprotocols that a client offers (RFC 6455 section 11.3.4).
fn offered_protocols(headers: &HeaderMap) -> Result<Vec<String>, HandshakeError> {
    let bad = || {
        HandshakeError::bad_request(
            "`Sec-WebSocket-Protocol` is a list of names, each of them once, like `chat, v2.chat`.",
        )
    };
    let mut offered = Vec::new();
    let mut seen = HashSet::new();
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for protocol in elements(value.to_str().map_err(|_| bad())?) {
            if !is_token(protocol) || !seen.insert(protocol) {
                return Err(bad());
            }
            offered.push(protocol.to_owned());
        }
    }
    if offered.is_empty() && headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Err(bad());
    }
    Ok(offered)
}

/// The server grants no extensions, but refuses a handshake that violates their grammar.
fn check_extensions(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let bad =
        || HandshakeError::bad_request("`Sec-WebSocket-Extensions` is not written as RFC 6455 section 9.1 has it.");
    let mut count = 0;
    for value in headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
        // No comma is valid within a quoted value, which has to be a token as well.
        for extension in elements(value.to_str().map_err(|_| bad())?) {
            let mut parts = extension.split(';').map(str::trim);
            let is_valid = parts.next().is_some_and(is_token) && parts.all(is_parameter);
            if !is_valid {
                return Err(bad());
            }
            count += 1;
        }
    }
    if count == 0 && headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) { Err(bad()) } else { Ok(()) }
}

fn is_parameter(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return is_token(text) };
    let (name, value) = (name.trim(), value.trim());
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    is_token(name)
        && quoted.map_or_else(|| is_token(value), |value| unescaped(value).is_some_and(|value| is_token(&value)))
}

/// The text of a quoted string (RFC 9110 section 5.6.4).
fn unescaped(quoted: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(chars.next()?),
            '"' => return None,
            char => text.push(char),
        }
    }
    Some(text)
}

/// The elements of a list. Empty ones are ignored (RFC 9110 section 5.6.1.2).
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}

/// A `token` of RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

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
