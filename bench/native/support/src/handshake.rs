//! The opening handshake (RFC 6455, section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The request of a client, which may offer a subprotocol.
#[must_use]
pub fn request(host: &str, path: &str, protocol: Option<&str>, nonce: [u8; 16]) -> String {
    let key = STANDARD.encode(nonce);
    let protocol = protocol.map(|protocol| format!("Sec-WebSocket-Protocol: {protocol}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
    )
}

/// Whether the response accepts the request with this nonce, without extensions.
#[must_use]
pub fn accepts(head: &str, nonce: [u8; 16]) -> bool {
    let status = head.starts_with("HTTP/1.1 101 ");
    let accept = header(head, "sec-websocket-accept") == Some(&accept(&STANDARD.encode(nonce)));
    status && accept && header(head, "sec-websocket-extensions").is_none()
}

/// The response to a request; `None` if that is not a WebSocket request.
#[must_use]
pub fn response(head: &str) -> Option<String> {
    let accept = accept(header(head, "sec-websocket-key")?);
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

/// The path of a request.
#[must_use]
pub fn path(head: &str) -> Option<&str> {
    head.split(' ').nth(1)
}

/// The end of the head of a request or response; `None` if it is incomplete.
#[must_use]
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|start| start + 4)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_that_of_the_example_in_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_response_is_accepted_only_for_the_nonce_of_its_request() {
        let request = request("localhost", "/echo", None, [5; 16]);
        assert_eq!(path(&request), Some("/echo"));
        assert_eq!(end_of_head(request.as_bytes()), Some(request.len()));
        let response = response(&request).unwrap();
        assert!(accepts(&response, [5; 16]));
        assert!(!accepts(&response, [6; 16]));
        assert!(!accepts(&response.replace("101", "200"), [5; 16]));
        let extended = response.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        assert!(!accepts(&extended, [5; 16]));
    }

    #[test]
    fn a_request_for_a_page_gets_no_response() {
        assert_eq!(response("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), None);
    }
}
