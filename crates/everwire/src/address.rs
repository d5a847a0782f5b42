use core::{fmt, future::Future, pin::Pin};
use std::borrow::Cow;

use everwire_core::Protocols;

use crate::threads::Pointer;

/// Where to connect to: a URL, and the subprotocols to offer if they differ from attempt to attempt, as credentials do.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// `ws://` or `wss://`, or `http://` or `https://` with the same meaning; in a browser also relative to the page. Credentials
    /// (`wss://user:password@host/`) are sent as Basic authentication (RFC 7617); native programs refuse them in combination with a
    /// header `Authorization`.
    pub url: String,
    /// The subprotocols to offer in place of the builder's.
    pub protocols: Option<Protocols>,
}

impl Address {
    /// A URL, with the subprotocols of the builder.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), protocols: None }
    }

    /// Offers these subprotocols in place of the builder's.
    #[must_use]
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = Some(protocols);
        self
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

/// Credentials are left out.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, protocols } = self;
        formatter.debug_struct("Address").field("url", &without_credentials(url)).field("protocols", protocols).finish()
    }
}

/// The attempt that an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// How many attempts failed since a connection was last stable: 0 for the first.
    pub failures: u32,
}

/// The future of an address, or of an error as text.
#[cfg(target_family = "wasm")]
pub(crate) type AddressFuture = Pin<Box<dyn Future<Output = Result<Address, String>>>>;
#[cfg(not(target_family = "wasm"))]
pub(crate) type AddressFuture = Pin<Box<dyn Future<Output = Result<Address, String>> + Send>>;

#[cfg(target_family = "wasm")]
pub(crate) type Provide = dyn Fn(Attempt) -> AddressFuture;
#[cfg(not(target_family = "wasm"))]
pub(crate) type Provide = dyn Fn(Attempt) -> AddressFuture + Send + Sync;

/// The source of addresses.
#[derive(Clone)]
pub(crate) enum AddressSource {
    Fixed(String),
    Provider(Pointer<Provide>),
}

impl fmt::Debug for AddressSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(url) => without_credentials(url).fmt(formatter),
            Self::Provider(_) => formatter.write_str("provider"),
        }
    }
}

/// An address without `user:password@`, for logs and errors. It need not be valid.
pub(crate) fn without_credentials(url: &str) -> Cow<'_, str> {
    let is_before_authority = |c: char| matches!(c, '/' | '\\') || c.is_whitespace() || c.is_control();
    let scheme = url.find(':').map_or(0, |colon| colon + 1);
    let (scheme, rest) = url.split_at(scheme);
    let authority = rest.trim_start_matches(is_before_authority);
    let start = url.len() - authority.len();
    let authority = authority.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    match (authority.rfind('@'), scheme.contains('@')) {
        (Some(at), false) => Cow::Owned([&url[..start], &url[start + at + 1..]].concat()),
        _ => Cow::Borrowed(url),
    }
}

/// A URL without what may be a credential, for logs and for causes: without `user:password@`, query and fragment.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn without_secrets(url: &str) -> String {
    let url = without_credentials(url);
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_removed_also_from_invalid_addresses() {
        for (url, printed) in [
            ("wss://user:pass@host/x@y?z@", "wss://host/x@y?z@"),
            ("wss://a@b:c@host", "wss://host"),
            ("ws:\\\\user:pass@host\\x", "ws:\\\\host\\x"),
            ("ws: \n//user:pass@ho st", "ws: \n//ho st"),
            ("ws://host/@x", "ws://host/@x"),
            ("user:pass@host", "user:host"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(url), printed, "{url}");
        }
        let address = Address::from("wss://user:pass@host/");
        let source = AddressSource::Fixed(address.url.clone());
        assert!(!format!("{address:?} {source:?}").contains("pass"));
    }
}
