//! The address as the visitor types it. Its text is the only truth: what the form shows beside it (TLS, the preset) is read
//! off it and changes nothing but the text.

use thiserror::Error;

/// Whether the address asks for TLS; `None` while it has no WebSocket scheme.
pub(super) fn is_secure(address: &str) -> Option<bool> {
    match scheme(address)? {
        (scheme, _) if scheme.eq_ignore_ascii_case("wss") => Some(true),
        (scheme, _) if scheme.eq_ignore_ascii_case("ws") => Some(false),
        _ => None,
    }
}

/// The same address with or without TLS. A missing scheme is added, another one replaced.
pub(super) fn with_security(address: &str, secure: bool) -> String {
    let rest = scheme(address).map_or(address.trim(), |(_, rest)| rest);
    format!("{}://{rest}", if secure { "wss" } else { "ws" })
}

/// The same server, another path and query.
pub(super) fn with_path(address: &str, path: &str) -> String {
    let rest = scheme(address).map_or(address.trim(), |(_, rest)| rest);
    let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{}://{server}{path}", if is_secure(address) == Some(true) { "wss" } else { "ws" })
}

/// The path, without query; `None` where there is no server.
pub(super) fn path(address: &str) -> Option<&str> {
    let (_, rest) = scheme(address)?;
    let path = rest.split(['?', '#']).next()?;
    Some(path.find('/').map_or("/", |start| &path[start..]))
}

/// Says what is wrong with an address before a browser says so in its own words. `page_is_secure`: the page came by https,
/// where browsers refuse connections without TLS to any host but this machine.
pub(super) fn check(address: &str, page_is_secure: bool) -> Result<(), AddressError> {
    let address = address.trim();
    if address.is_empty() {
        return Err(AddressError::Empty);
    }
    let Some((scheme, rest)) = scheme(address) else { return Err(AddressError::NoScheme) };
    let Some(secure) = is_secure(address) else { return Err(AddressError::NotAWebSocket(scheme.to_owned())) };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(AddressError::NoHost);
    }
    if address.contains('#') {
        return Err(AddressError::Fragment);
    }
    if address.contains(char::is_whitespace) {
        return Err(AddressError::Blank);
    }
    if page_is_secure && !secure && !is_this_machine(host) {
        return Err(AddressError::Mixed);
    }
    Ok(())
}

fn scheme(address: &str) -> Option<(&str, &str)> {
    address.trim().split_once("://")
}

fn is_this_machine(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

/// Why an address cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum AddressError {
    #[error("Enter an address, like wss://example.org/echo.")]
    Empty,
    #[error("Start the address with ws:// or wss://.")]
    NoScheme,
    #[error("{0}:// is not a WebSocket address: start it with ws:// or wss://.")]
    NotAWebSocket(String),
    #[error("The address has no host: add one after ://.")]
    NoHost,
    #[error("Remove the # and what follows it: a WebSocket address has no fragment.")]
    Fragment,
    #[error("Remove the spaces, or write them as %20.")]
    Blank,
    #[error("This page was loaded over https, so the browser allows only wss://: turn TLS on.")]
    Mixed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_changes_the_scheme_and_nothing_else() {
        assert_eq!(with_security("ws://a.example:9/echo?x=1", true), "wss://a.example:9/echo?x=1");
        assert_eq!(with_security("WSS://a.example/", false), "ws://a.example/");
        assert_eq!(with_security(" a.example/echo ", true), "wss://a.example/echo");
        assert_eq!(with_security("https://a.example/", true), "wss://a.example/");
    }

    #[test]
    fn a_preset_keeps_the_server() {
        assert_eq!(with_path("wss://a.example:9/echo?fault=drop:1", "/sum"), "wss://a.example:9/sum");
        assert_eq!(with_path("ws://a.example?x", "/sum"), "ws://a.example/sum");
        assert_eq!(with_path("localhost:9001", "/ticker?rate=20"), "ws://localhost:9001/ticker?rate=20");
    }

    #[test]
    fn each_mistake_has_its_own_text() {
        let cases = [
            (" ", AddressError::Empty),
            ("example.org/echo", AddressError::NoScheme),
            ("ftp://example.org", AddressError::NotAWebSocket("ftp".to_owned())),
            ("ws:///echo", AddressError::NoHost),
            ("ws://:9001/echo", AddressError::NoHost),
            ("ws://example.org/#top", AddressError::Fragment),
            ("ws://example.org/a b", AddressError::Blank),
        ];
        for (address, error) in cases {
            assert_eq!(check(address, false), Err(error), "{address:?}");
        }
        assert_eq!(check("ws://example.org/echo?x=1", false), Ok(()));
    }

    #[test]
    fn a_page_by_https_connects_without_tls_to_this_machine_only() {
        assert_eq!(check("ws://example.org/", true), Err(AddressError::Mixed));
        assert_eq!(check("ws://localhost.example.org/", true), Err(AddressError::Mixed));
        for address in ["wss://example.org/", "ws://localhost:9001/", "ws://127.0.0.1:9001/", "ws://[::1]/"] {
            assert_eq!(check(address, true), Ok(()), "{address}");
        }
    }
}
