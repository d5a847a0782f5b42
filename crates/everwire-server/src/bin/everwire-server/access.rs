//! Who clients and back ends are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use everwire_server::channels::{Action, Authentication, Authorize, Denied, Identity};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// The digest of a key or a token. To compare digests takes a time that reveals nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Secret([u8; 32]);

/// How a client shows who it is.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) tokens: HashMap<Secret, Identity>,
    pub(crate) proxy: Option<Proxy>,
}

/// The reverse proxy that names the user in a header.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) header: HeaderName,
    /// Where it connects from.
    pub(crate) networks: Vec<Network>,
}

/// An address, or those with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

/// The rules of the configuration, for the library.
#[derive(Clone, Debug)]
pub(crate) struct Configured(pub(crate) Arc<Config>);

impl Secret {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl Access {
    /// A user, whose name the other members of a channel learn.
    pub(crate) fn identity(user: &str) -> Identity {
        Identity::user(user).with_presence(json!({ "user": user }).to_string())
    }

    fn authenticate(&self, request: &Authentication) -> Result<Identity, Denied> {
        let Some(token) = request.credentials() else {
            let proxy = self.proxy.as_ref().filter(|proxy| proxy.is_peer(request));
            return proxy.map_or(Ok(Identity::anonymous()), |proxy| proxy.user(request));
        };
        let identity = self.tokens.get(&Secret::of(token.as_bytes()));
        identity.cloned().ok_or_else(|| Denied::new("the server does not know this token"))
    }
}

impl Authorize for Configured {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        self.0.access.authenticate(&request)
    }

    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
        self.0.rules.allow(identity, action)
    }
}

impl Proxy {
    /// Whether the request comes from the proxy. A header from elsewhere says nothing: any client can send it.
    fn is_peer(&self, request: &Authentication) -> bool {
        request.peer_address().is_some_and(|peer| self.networks.iter().any(|network| network.contains(peer)))
    }

    fn user(&self, request: &Authentication) -> Result<Identity, Denied> {
        let mut values = request.headers().get_all(&self.header).iter().filter(|value| !value.is_empty());
        let user = values.next().map(HeaderValue::as_bytes).map(str::from_utf8);
        if values.next().is_some() {
            // One of them may be the client's own.
            return Err(Denied::new("the proxy names more than one user; it has to replace the header"));
        }
        match user {
            None => Ok(Identity::anonymous()),
            Some(Ok(user)) => Ok(Access::identity(user)),
            Some(Err(_)) => Err(Denied::new("the user's name is not UTF-8")),
        }
    }
}

impl Network {
    pub(crate) fn loopback() -> Vec<Self> {
        let v4 = Self { address: Ipv4Addr::LOCALHOST.into(), bits: 8 };
        vec![v4, Self { address: Ipv6Addr::LOCALHOST.into(), bits: 128 }]
    }

    fn contains(&self, address: IpAddr) -> bool {
        let same_bits = |own: u128, other: u128, width: u32| {
            (own ^ other).checked_shr(width - self.bits).is_none_or(|difference| difference == 0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same_bits(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same_bits(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mistake = "an address is like \"10.0.0.7\", \"10.0.0.0/8\" or \"fd00::/8\"";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| mistake)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).ok().filter(|bits| *bits <= width).ok_or(mistake)?;
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        let contains =
            |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        for (network, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.6"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/31", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.7", "::ffff:10.0.0.7", "::10.0.0.7"),
            ("fd00::/8", "fd12::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("::/0", "fe00::", "10.0.0.1"),
            ("0.0.0.0/0", "10.0.0.1", "::1"),
        ] {
            assert!(contains(network, inside), "{network} {inside}");
            assert!(!contains(network, outside), "{network} {outside}");
        }
        for wrong in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
