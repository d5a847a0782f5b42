//! Who a client is, and which channels the configuration lets it use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use everwire_server::broker::{ChannelName, HistoryKind};
use everwire_server::channels::{Action, Authentication, Authorize, ChannelOptions, Denied, Identity};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// The digest of a key or a token. Comparing digests leaks no timing information about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SecretDigest([u8; 32]);

/// Authenticates clients: by a token, or through a reverse proxy.
#[derive(Debug, Default)]
pub(crate) struct Authenticator {
    pub(crate) tokens: HashMap<SecretDigest, Identity>,
    pub(crate) proxy: Option<TrustedProxy>,
}

/// The reverse proxy that names the user in a header.
#[derive(Debug)]
pub(crate) struct TrustedProxy {
    pub(crate) header: HeaderName,
    /// The addresses that it connects from.
    pub(crate) networks: Vec<IpNetwork>,
}

/// An IP address, or a network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpNetwork {
    address: IpAddr,
    bits: u32,
}

/// The rules of the configuration as the library's [`Authorize`].
#[derive(Clone, Debug)]
pub(crate) struct ConfigAuthorizer(pub(crate) Arc<Config>);

impl SecretDigest {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl Authenticator {
    /// A user whose name is visible to the other members of a channel.
    pub(crate) fn identity(user: &str) -> Identity {
        Identity::user(user).with_presence(json!({ "user": user }).to_string())
    }

    fn authenticate(&self, request: &Authentication) -> Result<Identity, Denied> {
        let Some(token) = request.credentials() else {
            let proxy = self.proxy.as_ref().filter(|proxy| proxy.is_peer(request));
            return proxy.map_or(Ok(Identity::anonymous()), |proxy| proxy.user(request));
        };
        let identity = self.tokens.get(&SecretDigest::of(token.as_bytes()));
        identity.cloned().ok_or_else(|| Denied::new("the server does not know this token"))
    }
}

impl Authorize for ConfigAuthorizer {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        self.0.access.authenticate(&request)
    }

    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
        self.0.rules.allow(identity, action)
    }
}

impl TrustedProxy {
    /// Whether the request comes from the proxy. The header is ignored from any other peer, since any client can send it.
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
            Some(Ok(user)) => Ok(Authenticator::identity(user)),
            Some(Err(_)) => Err(Denied::new("the user's name is not UTF-8")),
        }
    }
}

impl IpNetwork {
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

impl FromStr for IpNetwork {
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

/// The rules of all channels. The most specific one applies: an exact name first, then the longest prefix.
#[derive(Debug, Default)]
pub(crate) struct ChannelRules {
    exact: HashMap<String, Rule>,
    /// The longest first.
    prefixes: Vec<(String, Rule)>,
}

/// The permissions and the options of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) subscribe: AllowedUsers,
    pub(crate) publish: AllowedUsers,
    pub(crate) presence: AllowedUsers,
    pub(crate) options: ChannelOptions,
}

/// The users who have a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AllowedUsers {
    /// No client.
    #[default]
    None,
    /// Every client, with a user or without.
    Anyone,
    /// Every client with a user.
    SignedIn,
    /// The user whose name `*` matches in the channel's name.
    Owner,
    /// These users.
    Users(Vec<String>),
}

impl ChannelRules {
    /// Checks a channel's name, or the beginning of names before a `*`.
    pub(crate) fn check_pattern(pattern: &str) -> Result<(), String> {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        if name.contains('*') {
            return Err(format!("{pattern:?}: a `*` may only be at the end"));
        }
        // The empty prefix matches all names.
        if !(name.is_empty() && pattern == "*") {
            ChannelName::try_from(name).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Returns whether there was no rule for this pattern.
    pub(crate) fn add(&mut self, pattern: &str, rule: Rule) -> bool {
        let Some(prefix) = pattern.strip_suffix('*') else {
            return self.exact.insert(pattern.to_owned(), rule).is_none();
        };
        if self.prefixes.iter().any(|(other, _)| other == prefix) {
            return false;
        }
        let place = self.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(place, (prefix.to_owned(), rule));
        true
    }

    /// The rule of a channel, and what `*` matches in its name.
    pub(crate) fn find<'a>(&self, channel: &'a str) -> Option<(&Rule, Option<&'a str>)> {
        if let Some(rule) = self.exact.get(channel) {
            return Some((rule, None));
        }
        self.prefixes.iter().find_map(|(prefix, rule)| Some((rule, Some(channel.strip_prefix(prefix.as_str())?))))
    }

    /// The options of a channel. Those of a channel without a rule do not matter: nothing can be published to it.
    pub(crate) fn options(&self, channel: &str) -> ChannelOptions {
        self.find(channel).map(|(rule, _)| rule.options).unwrap_or_default()
    }

    pub(crate) fn is_state(&self, channel: &str) -> bool {
        self.options(channel).retention.kind == HistoryKind::State
    }

    pub(crate) fn allow(&self, identity: &Identity, action: Action<'_>) -> bool {
        let (channel, who): (_, fn(&Rule) -> &AllowedUsers) = match action {
            Action::Subscribe(channel) => (channel, |rule| &rule.subscribe),
            Action::Publish(channel) => (channel, |rule| &rule.publish),
            Action::Presence(channel) => (channel, |rule| &rule.presence),
            // There are no request handlers: the client gets `no-handler`.
            Action::Request(_) => return true,
            _ => return false,
        };
        self.find(channel).is_some_and(|(rule, wildcard)| who(rule).includes(identity.user_name(), wildcard))
    }
}

impl AllowedUsers {
    fn includes(&self, user: Option<&str>, wildcard: Option<&str>) -> bool {
        match self {
            Self::None => false,
            Self::Anyone => true,
            Self::SignedIn => user.is_some(),
            Self::Owner => user.is_some() && user == wildcard,
            Self::Users(users) => user.is_some_and(|user| users.iter().any(|other| other == user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        let contains =
            |network: &str, address: &str| network.parse::<IpNetwork>().unwrap().contains(address.parse().unwrap());
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
            assert!(wrong.parse::<IpNetwork>().is_err(), "{wrong}");
        }
    }

    fn rules(patterns: &[(&str, AllowedUsers)]) -> ChannelRules {
        let mut rules = ChannelRules::default();
        for (pattern, subscribe) in patterns {
            let (publish, presence, options) = (AllowedUsers::None, AllowedUsers::None, ChannelOptions::default());
            assert!(rules.add(pattern, Rule { subscribe: subscribe.clone(), publish, presence, options }));
        }
        rules
    }

    fn may_subscribe(rules: &ChannelRules, user: Option<&'static str>, channel: &str) -> bool {
        let identity = user.map(Identity::user).unwrap_or_default();
        rules.allow(&identity, Action::Subscribe(channel))
    }

    #[test]
    fn the_most_specific_rule_applies_in_any_order() {
        let all = [
            ("*", AllowedUsers::None),
            ("chat:*", AllowedUsers::Anyone),
            ("chat:team:*", AllowedUsers::None),
            ("chat:team:open", AllowedUsers::Anyone),
        ];
        for shift in 0..all.len() {
            let mut turned = all.clone();
            turned.rotate_left(shift);
            let rules = rules(&turned);
            let channels = ["news", "chat:lobby", "chat:team:secret", "chat:team:open", "chat:"];
            assert_eq!(channels.map(|channel| may_subscribe(&rules, None, channel)), [false, true, false, true, true]);
        }
    }

    #[test]
    fn a_channel_without_a_rule_is_closed() {
        assert!(!may_subscribe(&rules(&[("chat", AllowedUsers::Anyone)]), Some("ada"), "chat2"));
    }

    #[test]
    fn users_are_distinguished_from_clients_without_one() {
        let users = AllowedUsers::Users(vec!["ada".to_owned()]);
        let rules = rules(&[("inbox:*", AllowedUsers::Owner), ("staff", users), ("members", AllowedUsers::SignedIn)]);
        let may =
            |user| ["inbox:ada", "inbox:", "staff", "members"].map(|channel| may_subscribe(&rules, user, channel));
        assert_eq!(may(Some("ada")), [true, false, true, true]);
        assert_eq!(may(Some("bob")), [false, false, false, true]);
        assert_eq!(may(None), [false; 4]);
    }

    #[test]
    fn only_subscribe_is_allowed_by_subscribe() {
        let rules = rules(&[("chat", AllowedUsers::Anyone)]);
        assert!(
            ![Action::Publish("chat"), Action::Presence("chat")]
                .map(|action| rules.allow(&Identity::anonymous(), action))
                .contains(&true)
        );
    }
}
