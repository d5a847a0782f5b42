use core::{fmt, future::Future, pin::Pin};

use everwire_core::Protocols;

use crate::platform::Pointer;

/// Where to dial: an address, and the subprotocols to offer where they differ from attempt to attempt, as credentials do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `ws://` or `wss://`; in a browser also `http://`, `https://` and what is relative to the page.
    pub url: String,
    /// What to offer in place of the builder's subprotocols.
    pub protocols: Option<Protocols>,
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self { url, protocols: None }
    }
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

/// The attempt for which an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// How many attempts failed since a connection was last stable: 0 for the first.
    pub failures: u32,
}

/// The future of an address; an error is told by its text.
#[cfg(target_family = "wasm")]
pub(crate) type AddressFuture = Pin<Box<dyn Future<Output = Result<Address, String>>>>;
#[cfg(not(target_family = "wasm"))]
pub(crate) type AddressFuture = Pin<Box<dyn Future<Output = Result<Address, String>> + Send>>;

#[cfg(target_family = "wasm")]
pub(crate) type Provide = dyn Fn(Attempt) -> AddressFuture;
#[cfg(not(target_family = "wasm"))]
pub(crate) type Provide = dyn Fn(Attempt) -> AddressFuture + Send + Sync;

/// Where addresses come from.
#[derive(Clone)]
pub(crate) enum AddressSource {
    Fixed(String),
    Provider(Pointer<Provide>),
}

impl fmt::Debug for AddressSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(url) => url.fmt(formatter),
            Self::Provider(_) => formatter.write_str("provider"),
        }
    }
}
