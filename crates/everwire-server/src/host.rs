use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{Method, Version, header};

/// The host of a URI (RFC 3986 section 3.2.2), normalized: a name in lower case, an address parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

/// Why a request does not identify its target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHost {
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
    pub(crate) fn of(request: &Parts) -> Result<Option<(Self, Option<u16>)>, BadHost> {
        if !has_valid_target(request) {
            return Err(BadHost::Target);
        }
        let mut headers = request.headers.get_all(header::HOST).iter();
        let header = match (headers.next(), headers.next()) {
            (_, Some(_)) => return Err(BadHost::Several),
            (Some(header), None) => {
                let header = header.to_str().ok().and_then(Self::parse_with_port);
                Some(header.ok_or(BadHost::Invalid)?)
            }
            (None, None) if request.version == Version::HTTP_11 => return Err(BadHost::Missing),
            (None, None) => None,
        };
        match request.uri.authority() {
            // An absolute target, as sent to proxies, overrides the header (RFC 9112 section 3.2.2). HTTP/2 has no other.
            Some(authority) => Self::parse_with_port(authority.as_str()).map(Some).ok_or(BadHost::Invalid),
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
    use super::*;

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
