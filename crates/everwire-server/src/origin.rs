use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};

/// Which web pages may connect, by the `Origin` header that browsers send with every WebSocket handshake.
///
/// WebSockets are outside the same-origin policy: without this check any page that a visitor opens could connect
/// to a server on the visitor's machine or network. Programs that are not browsers send no `Origin` and may
/// connect. Pages of the same host (any port) and of localhost may connect, others when listed.
///
/// Whoever reaches the server by a loopback address has to call it by an address or `localhost`: any other name is listed or
/// refused, since a page can have its own name lead to the visitor's machine (DNS rebinding). So a proxy on the same machine
/// that passes on the name by which it was called needs that listed.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
    any: bool,
}

/// A text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin: write it as the browser does, like https://example.org or http://10.0.0.5:8080, or * for any"
)]
pub struct BadOrigin(String);

impl Origins {
    /// Also allows pages of `origin` (scheme, host and port, as a browser writes them), or of any for `*`.
    pub fn allow(mut self, origin: &str) -> Result<Self, BadOrigin> {
        match origin {
            "*" => self.any = true,
            "null" => self.allowed.push(origin.to_owned()),
            _ => {
                let origin = origin.trim_end_matches('/').to_ascii_lowercase();
                let uri: Uri = origin.parse().map_err(|_| BadOrigin(origin.clone()))?;
                if uri.scheme().is_none() || uri.authority().is_none() || uri.path() != "/" {
                    return Err(BadOrigin(origin));
                }
                self.allowed.push(origin);
            }
        }
        Ok(self)
    }

    /// The origin that must be refused, when there is one.
    pub(crate) fn refused<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN)?;
        let Ok(origin) = origin.to_str() else { return Some("(not text)") };
        let allowed = self.any
            || self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
            || host_of(origin).is_some_and(|host| {
                let is_own =
                    requested_host(headers).as_ref() == Some(&host) && (!is_local(request) || is_address(&host));
                is_own || is_localhost(&host)
            });
        (!allowed).then_some(origin)
    }
}

/// The address by which a connection reached the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReachedBy(pub(crate) IpAddr);

/// Whether the request comes from the same machine. Where the routes are part of another application nobody tells.
fn is_local(request: &Request) -> bool {
    request.extensions().get::<ReachedBy>().is_some_and(|by| by.0.to_canonical().is_loopback())
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn host_of(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    uri.scheme()?;
    Some(uri.host()?.to_ascii_lowercase())
}

fn requested_host(headers: &HeaderMap) -> Option<String> {
    let uri: Uri = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(uri.host()?.to_ascii_lowercase())
}

fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(host: &str, origin: &str) -> Request {
        let request = Request::builder().header(header::HOST, host).header(header::ORIGIN, origin);
        request.body(Body::empty()).unwrap()
    }

    fn asks(origins: &Origins, host: &str, origin: &str) -> bool {
        origins.refused(&request(host, origin)).is_none()
    }

    #[test]
    fn the_same_host_on_any_port_and_localhost_are_allowed() {
        let origins = Origins::default();
        assert!(asks(&origins, "demo.example:9001", "https://demo.example"));
        assert!(asks(&origins, "192.168.1.5:9001", "http://192.168.1.5:8080"));
        assert!(asks(&origins, "demo.example", "http://localhost:8080"));
        assert!(asks(&origins, "demo.example", "http://127.0.0.1:8080"));
        assert!(asks(&origins, "demo.example", "http://[::1]:8080"));
    }

    #[test]
    fn on_the_same_machine_only_an_address_or_localhost_is_the_same_host() {
        let asks = |by: [u8; 4], host, listed: &[&str]| {
            let mut request = request(&format!("{host}:9001"), &format!("http://{host}:9001"));
            request.extensions_mut().insert(ReachedBy(by.into()));
            let origins = listed.iter().fold(Origins::default(), |origins, origin| origins.allow(origin).unwrap());
            origins.refused(&request).is_none()
        };
        assert!(asks([127, 0, 0, 1], "127.0.0.1", &[]));
        assert!(asks([127, 0, 0, 1], "127.0.0.2", &[]));
        assert!(asks([127, 0, 0, 1], "localhost", &[]));
        assert!(!asks([127, 0, 0, 1], "rebound.example", &[]));
        assert!(asks([127, 0, 0, 1], "rebound.example", &["http://rebound.example:9001"]));
        assert!(asks([192, 168, 1, 5], "demo.example", &[]));
    }

    #[test]
    fn others_are_refused_also_those_that_look_similar() {
        let origins = Origins::default();
        assert!(!asks(&origins, "demo.example", "https://evil.example"));
        assert!(!asks(&origins, "demo.example", "https://demo.example.evil.example"));
        assert!(!asks(&origins, "demo.example", "https://localhost.evil.example"));
        assert!(!asks(&origins, "demo.example", "https://localhost@evil.example"));
        assert!(!asks(&origins, "demo.example", "null"));
    }

    #[test]
    fn a_listed_origin_is_allowed_with_its_scheme_and_port_only() {
        let origins = Origins::default().allow("https://Friend.example/").unwrap();
        assert!(asks(&origins, "demo.example", "https://friend.example"));
        assert!(!asks(&origins, "demo.example", "http://friend.example"));
        assert!(!asks(&origins, "demo.example", "https://friend.example:444"));
        assert!(asks(&Origins::default().allow("*").unwrap(), "demo.example", "https://any.example"));
    }

    #[test]
    fn what_is_no_origin_cannot_be_listed() {
        for text in ["friend.example", "https://friend.example/path", "https://", ""] {
            assert!(Origins::default().allow(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_program_without_an_origin_is_allowed() {
        assert_eq!(Origins::default().refused(&Request::new(Body::empty())), None);
    }
}
