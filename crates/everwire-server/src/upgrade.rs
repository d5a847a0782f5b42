use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::metrics::DropReason;
use crate::refusal::Refusal;

/// A request to become a WebSocket, with what the answer needs (RFC 6455 section 4.2).
///
/// axum's own upgrade hides the stream below the WebSocket, which is needed to end a connection properly (see
/// `Ending`), and the library's errors, from which the close code follows.
#[derive(Debug)]
pub(crate) struct Upgrade {
    accept: HeaderValue,
    protocol: Option<HeaderValue>,
    on_upgrade: OnUpgrade,
}

impl Upgrade {
    /// Whether the request asks for a WebSocket at all.
    pub(crate) fn is_wanted(request: &Request) -> bool {
        has_token(request.headers(), header::UPGRADE, "websocket")
    }

    /// Takes what is needed out of the request, or says what is wrong with it.
    pub(crate) fn from_request(request: &mut Request) -> Result<Self, Refusal> {
        if request.method() != Method::GET || !has_token(request.headers(), header::CONNECTION, "upgrade") {
            return Err(Refusal::bad_request("A WebSocket handshake is a GET with `Connection: Upgrade`."));
        }
        if request.headers().get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            let sentence = "This server speaks WebSocket version 13.";
            return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, DropReason::BadRequest, sentence));
        }
        let accept = request
            .headers()
            .get(header::SEC_WEBSOCKET_KEY)
            .and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok())
            .ok_or_else(|| Refusal::bad_request("The handshake lacks `Sec-WebSocket-Key`."))?;
        let protocol = first_protocol(request.headers());
        let on_upgrade = request
            .extensions_mut()
            .remove::<OnUpgrade>()
            .ok_or_else(|| Refusal::bad_request("This connection cannot be upgraded; connect with HTTP/1.1."))?;
        Ok(Self { accept, protocol, on_upgrade })
    }

    /// The answer that completes the handshake, and the connection that follows it.
    pub(crate) fn accept(self) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
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

/// The endpoints speak no subprotocol, but a browser fails a connection that asks for some and is granted none. So
/// the first is granted, which lets a client's handling of subprotocols be tried.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok()
}
