use axum::http::{HeaderMap, Uri, header};

/// Which web pages may connect, by the `Origin` header that browsers send with every WebSocket handshake.
///
/// WebSockets are outside the same-origin policy: without this check any page that a visitor opens could connect
/// to a server on the visitor's machine or network. Programs that are not browsers send no `Origin` and may
/// connect. Pages of the same host (any port) and of localhost may connect, others when listed.
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
    pub(crate) fn refused<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let origin = headers.get(header::ORIGIN)?;
        let Ok(origin) = origin.to_str() else { return Some("(not text)") };
        let allowed = self.any
            || self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
            || host_of(origin).is_some_and(|host| is_localhost(&host) || Some(host) == requested_host(headers));
        (!allowed).then_some(origin)
    }
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
    use super::*;

    fn asks(origins: &Origins, host: &str, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        origins.refused(&headers).is_none()
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
        assert_eq!(Origins::default().refused(&HeaderMap::new()), None);
    }
}
