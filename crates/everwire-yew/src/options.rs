use std::fmt;

use everwire::{Socket, SocketBuilder};
use yew::AttrValue;

/// Where a socket leads, and its settings.
///
/// A hook compares the options of one render with those of the next, and where they differ it closes the socket and
/// opens another. Two options are equal when their keys are: a [`SocketBuilder`] holds functions, which cannot be
/// compared. Put into the key whatever should open another socket when it changes.
#[derive(Clone)]
pub struct SocketOptions {
    key: AttrValue,
    builder: Option<SocketBuilder>,
    /// Where it leads, as far as it is known: a provider's address is not.
    address: Option<AttrValue>,
}

impl SocketOptions {
    /// A socket to a fixed address with every default. The address is the key.
    pub fn new(url: impl Into<AttrValue>) -> Self {
        let url = url.into();
        Self { builder: Some(Socket::builder(url.as_str())), address: Some(url.clone()), key: url }
    }

    /// A socket with settings of your own, or with an address provider.
    pub fn with_builder(key: impl Into<AttrValue>, builder: SocketBuilder) -> Self {
        Self { key: key.into(), builder: Some(builder), address: None }
    }

    /// No socket, for as long as these are the options. A hook cannot be left out of a render, but this way its socket
    /// can.
    pub fn idle() -> Self {
        Self { key: AttrValue::Static(""), builder: None, address: None }
    }

    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    pub(crate) fn builder(&self) -> Option<SocketBuilder> {
        self.builder.clone()
    }
}

impl PartialEq for SocketOptions {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.builder.is_some() == other.builder.is_some()
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SocketOptions")
            .field("key", &self.key)
            .field("idle", &self.builder.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_differ_when_their_keys_do() {
        let one = SocketOptions::new("ws://one.example");
        assert_eq!(one, SocketOptions::new("ws://one.example"));
        assert_ne!(one, SocketOptions::new("ws://two.example"));
        assert_eq!(one, SocketOptions::with_builder("ws://one.example", Socket::builder("ws://two.example")));
    }

    #[test]
    fn no_socket_is_not_a_socket_without_a_key() {
        assert_ne!(SocketOptions::idle(), SocketOptions::new(""));
        assert_eq!(SocketOptions::idle(), SocketOptions::idle());
    }
}
