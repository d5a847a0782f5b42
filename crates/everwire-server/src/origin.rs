//! Which pages may connect (`Origin`) and by which names the server may be called (`Host`): against cross-site WebSocket hijacking and DNS
//! rebinding.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{Method, Version, header};

/// The web pages that may connect, by the `Origin` header that browsers send with every WebSocket handshake.
///
/// The same-origin policy does not cover WebSockets: without this check, any page that a visitor opens could connect to a
/// server on the visitor's machine or network. Pages of the same host (any port) and of localhost may connect; others must be
/// listed. Programs that are not browsers send no `Origin` and may connect.
///
/// A request that reaches the server by a loopback address must name an address, `localhost` or the host of a listed origin, for every
/// route. Otherwise a page whose name resolves to the visitor's machine (DNS rebinding) would be of the same origin as the server. List
/// the public origin if a proxy on the same machine forwards the public name.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<Pattern>,
    any: bool,
    flag: Option<&'static str>,
}

/// The error of [`Origins::allow`]: the text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin: write it as the browser sends it, like https://example.org or http://10.0.0.5:8080 (letters beyond \
     ASCII as xn--), https://*.example.org for all subdomains, or * for any origin"
)]
pub struct InvalidOrigin(String);

/// Why a page may not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginError {
    /// Its origin is not allowed.
    NotAllowed(String),
    /// The `Origin` header is not valid.
    Invalid,
}

/// The origin of a page (RFC 6454 section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// An opaque origin, like that of a sandboxed frame.
    Null,
    Tuple {
        scheme: String,
        /// `None` for a scheme without hosts, like `file://`.
        host: Option<Host>,
        /// `None` for the default port of the scheme.
        port: Option<u16>,
    },
}

/// An entry of the list of allowed origins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exact(Origin),
    /// All names with this suffix, which begins with a dot.
    Subdomains {
        scheme: String,
        suffix: String,
        port: Option<u16>,
    },
}

impl Origins {
    /// Allows pages of `origin` too: a scheme, host and port as a browser sends them, `https://*.example.org` for all subdomains,
    /// `null` or `file://` for pages of which a browser sends that, or `*` for all pages.
    ///
    /// # Errors
    /// If the text is not an origin, or one that no page can have.
    pub fn allow(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        if origin == "*" {
            self.any = true;
        } else {
            self.allowed.push(Pattern::parse(origin).ok_or_else(|| InvalidOrigin(origin.to_owned()))?);
        }
        Ok(self)
    }

    /// Names the command line flag that allows an origin, like `--allow-origin`: refusals then say how to start the server.
    pub fn with_flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    /// What the operator of the server can do to allow `origin`, as the end of a sentence.
    pub(crate) fn remedy(&self, origin: &str) -> String {
        match self.flag {
            Some(flag) => format!("start the server with {flag} {origin}."),
            None => format!("the server has to allow the origin {origin}."),
        }
    }

    /// Whether the page that sent the request may connect. A request without an `Origin` comes from no page, and may.
    pub(crate) fn check(&self, request: &Parts) -> Result<(), OriginError> {
        let mut headers = request.headers.get_all(header::ORIGIN).iter();
        let Some(text) = headers.next().filter(|_| !self.any) else { return Ok(()) };
        let Some((text, origin)) = text.to_str().ok().and_then(|text| Some((text, Origin::parse(text)?))) else {
            return Err(OriginError::Invalid);
        };
        // Browsers send a single origin.
        if headers.next().is_some() {
            return Err(OriginError::Invalid);
        }
        let is_own = || {
            let own = Host::of(request).ok().flatten();
            own.is_some_and(|(own, _)| origin.host() == Some(&own) && (!is_local(request) || own.is_address()))
        };
        let is_allowed = self.allowed.iter().any(|pattern| pattern.matches(&origin))
            || origin.host().is_some_and(Host::is_localhost)
            || is_own();
        if is_allowed { Ok(()) } else { Err(OriginError::NotAllowed(text.to_owned())) }
    }

    /// Whether a request may name the server by this host.
    pub(crate) fn allows_host(&self, host: &Host, request: &Parts) -> bool {
        !is_local(request)
            || self.any
            || host.is_localhost()
            || host.is_address()
            || self.allowed.iter().any(|pattern| pattern.has_host(host))
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = parse_scheme(scheme)?;
        if rest.is_empty() {
            // A web page always has a host.
            return (!is_web(&scheme)).then_some(Self::Tuple { scheme, host: None, port: None });
        }
        let (host, port) = Host::parse_with_port(rest)?;
        let port = port.filter(|port| default_port(&scheme) != Some(*port));
        Some(Self::Tuple { scheme, host: Some(host), port })
    }

    fn host(&self) -> Option<&Host> {
        match self {
            Self::Null => None,
            Self::Tuple { host, .. } => host.as_ref(),
        }
    }
}

impl Pattern {
    /// Parses an entry. `None` also for a pattern that no page's origin can match.
    fn parse(text: &str) -> Option<Self> {
        // The trailing slash of a copied address, or the three of `file:///`.
        let bare = text.trim_end_matches('/');
        let text = if bare.ends_with(':') { format!("{bare}//") } else { bare.to_owned() };
        let pattern = match Origin::parse(&text)? {
            Origin::Tuple { scheme, host: Some(Host::Name(name)), port } if name.starts_with("*.") => {
                Self::Subdomains { scheme, suffix: name[1..].to_owned(), port }
            }
            origin => Self::Exact(origin),
        };
        pattern.can_match().then_some(pattern)
    }

    fn can_match(&self) -> bool {
        let is_name = |name: &str| {
            let is_address = Host::Name(name.to_owned()).is_address();
            !name.contains('*') && !name.contains("..") && name.len() > 1 && !is_address
        };
        match self {
            Self::Exact(Origin::Null) => true,
            Self::Exact(Origin::Tuple { scheme, host, .. }) => {
                !is_web_socket(scheme) && !matches!(host, Some(Host::Name(name)) if !is_name(name))
            }
            Self::Subdomains { scheme, suffix, .. } => !is_web_socket(scheme) && is_name(suffix),
        }
    }

    fn matches(&self, origin: &Origin) -> bool {
        match (self, origin) {
            (Self::Exact(exact), origin) => exact == origin,
            (Self::Subdomains { scheme, port, .. }, Origin::Tuple { scheme: of, host: Some(host), port: at }) => {
                scheme == of && port == at && self.has_host(host)
            }
            _ => false,
        }
    }

    fn has_host(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(exact), host) => exact.host() == Some(host),
            (Self::Subdomains { suffix, .. }, Host::Name(name)) => {
                // The name has more in front, and not an empty label.
                name.strip_suffix(suffix.as_str()).is_some_and(|front| !front.is_empty() && !front.ends_with('.'))
            }
            _ => false,
        }
    }
}

/// The server's end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress {
    /// The server's address that the client connected to.
    pub(crate) address: IpAddr,
    pub(crate) is_tls: bool,
}

/// Whether the request reached the server by a loopback address. Unknown, and so false, if another server accepted the connection.
fn is_local(request: &Parts) -> bool {
    request.extensions.get::<LocalAddress>().is_some_and(|local| local.address.to_canonical().is_loopback())
}

/// A scheme of RFC 3986 section 3.1, in lower case.
fn parse_scheme(text: &str) -> Option<String> {
    let is_valid = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_valid.then(|| text.to_ascii_lowercase())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn is_web(scheme: &str) -> bool {
    default_port(scheme).is_some()
}

/// Pages connect to these schemes; no page has one in its origin.
fn is_web_socket(scheme: &str) -> bool {
    matches!(scheme, "ws" | "wss")
}

/// The host of a URI (RFC 3986 section 3.2.2), normalized: a name in lower case, an address parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

/// Why a request does not identify its target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHost {
    #[error("The request has no `Host` header; HTTP/1.1 needs one (RFC 9112 section 3.2).")]
    Missing,
    #[error("The request has several `Host` headers; send one.")]
    Several,
    #[error("The `Host` header is not a name or an address, with or without a port.")]
    Invalid,
    #[error("The target of the request is neither a path nor an http or https URL.")]
    Target,
}

impl Host {
    /// Parses the value of a `Host` header: a host with an optional port (RFC 9110 section 7.2).
    pub(crate) fn parse_with_port(text: &str) -> Option<(Self, Option<u16>)> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address are within its brackets.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (text, ""),
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // The grammar allows an empty port after the colon.
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        Some((Self::parse(host)?, port))
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Some(Self::Address(address.parse::<Ipv6Addr>().ok()?.into()));
        }
        if let Ok(IpAddr::V4(address)) = text.parse() {
            return Some(Self::Address(address.into()));
        }
        is_name(text).then(|| Self::Name(text.to_ascii_lowercase()))
    }

    /// The host and port that a request is for. `None` is a request of HTTP/1.0 without a host.
    pub(crate) fn of(request: &Parts) -> Result<Option<(Self, Option<u16>)>, InvalidHost> {
        if !has_valid_target(request) {
            return Err(InvalidHost::Target);
        }
        let mut headers = request.headers.get_all(header::HOST).iter();
        let header = match (headers.next(), headers.next()) {
            (_, Some(_)) => return Err(InvalidHost::Several),
            (Some(header), None) => {
                let header = header.to_str().ok().and_then(Self::parse_with_port);
                Some(header.ok_or(InvalidHost::Invalid)?)
            }
            (None, None) if request.version == Version::HTTP_11 => return Err(InvalidHost::Missing),
            (None, None) => None,
        };
        match request.uri.authority() {
            // An absolute target, as sent to proxies, overrides the header (RFC 9112 section 3.2.2). HTTP/2 has no other.
            Some(authority) => Self::parse_with_port(authority.as_str()).map(Some).ok_or(InvalidHost::Invalid),
            None => Ok(header),
        }
    }

    /// Whether the host is the local machine (RFC 6761 section 6.3).
    pub(crate) fn is_localhost(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }

    /// Whether the host is never resolved by DNS. Browsers treat a name whose last label is a number as an address, or as invalid.
    pub(crate) fn is_address(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let last = name.rsplit('.').next().unwrap_or_default();
                let digits = last.strip_prefix("0x").unwrap_or(last);
                let is_digit = if digits.len() == last.len() { u8::is_ascii_digit } else { u8::is_ascii_hexdigit };
                !last.is_empty() && digits.as_bytes().iter().all(is_digit)
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => address.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

/// Whether the target has a form that is valid for the method (RFC 9112 sections 3.2.1 to 3.2.4).
fn has_valid_target(request: &Parts) -> bool {
    let (method, uri) = (&request.method, &request.uri);
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), _) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
        (None, Some(_)) => method == Method::CONNECT,
        (None, None) => {
            // Not `path()`, which returns a slash if there is no path.
            let target = uri.path_and_query().map_or("", |target| target.as_str());
            target.starts_with('/') || (target == "*" && method == Method::OPTIONS)
        }
    }
}

/// A `reg-name` of RFC 3986, which must not be empty in an http URI (RFC 9110 section 4.2.1).
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = match byte {
            b'%' => {
                bytes.next().is_some_and(|hex| hex.is_ascii_hexdigit())
                    && bytes.next().is_some_and(|hex| hex.is_ascii_hexdigit())
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte),
        };
        if !is_valid {
            return false;
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(host: &str, origin: &str) -> Parts {
        let request = Request::builder().header(header::HOST, host).header(header::ORIGIN, origin);
        request.body(()).unwrap().into_parts().0
    }

    fn asks(origins: &Origins, host: &str, origin: &str) -> bool {
        origins.check(&request(host, origin)).is_ok()
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
            request.extensions.insert(LocalAddress { address: by.into(), is_tls: false });
            let origins = listed.iter().fold(Origins::default(), |origins, origin| origins.allow(origin).unwrap());
            origins.check(&request).is_ok()
        };
        assert!(asks([127, 0, 0, 1], "127.0.0.1", &[]));
        assert!(asks([127, 0, 0, 1], "127.0.0.2", &[]));
        assert!(asks([127, 0, 0, 1], "localhost", &[]));
        assert!(!asks([127, 0, 0, 1], "rebound.example", &[]));
        assert!(asks([127, 0, 0, 1], "rebound.example", &["http://rebound.example:9001"]));
        assert!(asks([192, 168, 1, 5], "demo.example", &[]));
    }

    #[test]
    fn other_origins_are_refused_even_similar_ones() {
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
    fn an_invalid_origin_cannot_be_listed() {
        for text in [
            "friend.example",
            "https://friend.example/path",
            "https://",
            "http:",
            "",
            "/",
            "https://friend.example:port",
            "https://ann@friend.example",
            "https://friend.example, https://other.example",
            "https://b\u{fc}cher.example",
        ] {
            assert!(Origins::default().allow(text).is_err(), "{text:?}");
        }
    }

    /// A listed origin that never matches would be a silent mistake.
    #[test]
    fn an_origin_that_no_page_can_have_cannot_be_listed() {
        for text in [
            "wss://friend.example",
            "ws://*.friend.example",
            "https://*",
            "https://*.",
            "https://*friend.example",
            "https://friend.*",
            "https://a.*.example",
            "https://*.*.example",
            "https://*.0.0.1",
            "http://127.1",
        ] {
            assert!(Origins::default().allow(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn equivalent_forms_of_an_origin_match_what_a_browser_sends() {
        for (listed, sent) in [
            ("https://friend.example:443", "https://friend.example"),
            ("http://friend.example:80/", "http://friend.example"),
            ("HTTPS://FRIEND.EXAMPLE", "https://friend.example"),
            ("http://[0:0:0:0:0:0:0:2]:80", "http://[::2]"),
            ("file://", "file://"),
            ("file:///", "file://"),
            ("null", "null"),
            ("app://obsidian.md", "app://obsidian.md"),
        ] {
            let origins = Origins::default().allow(listed).unwrap();
            assert!(asks(&origins, "demo.example", sent), "{listed} and {sent}");
        }
    }

    #[test]
    fn a_wildcard_allows_all_subdomains_and_nothing_else() {
        let origins = Origins::default().allow("https://*.Friend.example").unwrap();
        for origin in ["https://a.friend.example", "https://a.b.friend.example"] {
            assert!(asks(&origins, "demo.example", origin), "{origin}");
        }
        for origin in [
            "https://friend.example",
            "https://.friend.example",
            "https://a..friend.example",
            "https://notfriend.example",
            "http://a.friend.example",
            "https://a.friend.example:8443",
            "https://a.friend.example.evil.example",
            "https://friend.example.evil.example",
        ] {
            assert!(!asks(&origins, "demo.example", origin), "{origin}");
        }
        let with_port = Origins::default().allow("https://*.friend.example:8443").unwrap();
        assert!(asks(&with_port, "demo.example", "https://a.friend.example:8443"));
        assert!(!asks(&with_port, "demo.example", "https://a.friend.example"));
    }

    #[test]
    fn a_request_with_two_origins_is_refused() {
        let mut twice = request("demo.example", "https://demo.example");
        twice.headers.append(header::ORIGIN, "https://demo.example".parse().unwrap());
        assert_eq!(Origins::default().check(&twice), Err(OriginError::Invalid));
        assert!(!asks(&Origins::default(), "demo.example", "https://demo.example https://demo.example"));
    }

    #[test]
    fn a_program_without_an_origin_is_allowed() {
        assert_eq!(Origins::default().check(&Request::new(()).into_parts().0), Ok(()));
    }

    fn host(text: &str) -> Option<(String, Option<u16>)> {
        Host::parse_with_port(text).map(|(host, port)| (host.to_string(), port))
    }

    #[test]
    fn a_host_is_parsed_with_its_port_and_displayed_in_normal_form() {
        for (text, name, port) in [
            ("Demo.Example", "demo.example", None),
            ("demo.example:9001", "demo.example", Some(9001)),
            ("demo.example:", "demo.example", None),
            ("my_service", "my_service", None),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]", Some(80)),
            ("[::FFFF]", "[::ffff]", None),
            ("a%20b", "a%20b", None),
        ] {
            assert_eq!(host(text), Some((name.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn an_invalid_host_is_rejected() {
        for text in [
            "",
            ":80",
            "a b",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:+1",
            "a/b",
            "a@b",
            "a\\b",
            "a?b",
            "a#b",
            "a%2",
            "a%zz",
            "::1",
            "[::1",
            "[::1]a",
            "[a]",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "a\u{e4}",
            "a\"",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_local_machine_is_localhost_and_only_what_dns_does_not_resolve_is_an_address() {
        let parse = |text| Host::parse_with_port(text).unwrap().0;
        for text in
            ["localhost", "LOCALHOST.", "a.localhost:1", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(parse(text).is_localhost(), "{text}");
        }
        for text in ["localhost.example", "notlocalhost", "10.0.0.1", "[::2]", "127.0.0.1.example"] {
            assert!(!parse(text).is_localhost(), "{text}");
        }
        for text in ["10.0.0.1", "[::2]", "127.1", "0", "0x7f.1", "1.0x7F", "127.0.0.1."] {
            assert!(parse(text).is_address(), "{text}");
        }
        for text in ["localhost", "10.example", "10.0.0.1.example", "0xg", "1a"] {
            assert!(!parse(text).is_address(), "{text}");
        }
    }
}
