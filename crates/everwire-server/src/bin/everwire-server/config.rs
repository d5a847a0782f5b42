//! The configuration file.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

use everwire_server::broker::{BrokerConfig, Retention};
use everwire_server::channels::{ChannelLimits, ChannelOptions, Identity};
use everwire_server::cli::parse_size;
use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};
use toml::Spanned;

use crate::access::{AllowedUsers, Authenticator, ChannelRules, IpNetwork, Rule, SecretDigest, TrustedProxy};

/// The contents of the configuration file.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) rules: ChannelRules,
    pub(crate) access: Authenticator,
    limits: LimitsTable,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration {}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}:{line}: {message}", .path.display())]
    Invalid { path: PathBuf, line: usize, message: String },
}

/// An error, and its span in the text.
struct ParseError(Range<usize>, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    #[serde(default)]
    channels: Vec<RuleTable>,
    #[serde(default)]
    tokens: Vec<TokenTable>,
    proxy: Option<ProxyTable>,
    #[serde(default)]
    limits: LimitsTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    name: Spanned<String>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    subscribe: AllowedUsers,
    #[serde(default)]
    publish: AllowedUsers,
    #[serde(default)]
    presence: AllowedUsers,
    #[serde(default)]
    history: HistoryTable,
    message_bytes: Option<Size>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Stream,
    State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryTable {
    messages: Option<Count>,
    bytes: Option<Size>,
    seconds: Option<Count>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenTable {
    token: Spanned<String>,
    user: Spanned<String>,
    presence: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyTable {
    user_header: Spanned<String>,
    addresses: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    sessions: Option<Count>,
    session_seconds: Option<Count>,
    subscriptions: Option<Count>,
    channels: Option<Count>,
    history_bytes: Option<Size>,
}

/// A number that is not negative.
#[derive(Clone, Copy, Debug)]
struct Count(u64);

/// A number of bytes, or a text like `1MiB`.
#[derive(Clone, Copy, Debug)]
struct Size(u64);

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&text).map_err(|ParseError(span, message)| {
            let line = 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
            ConfigError::Invalid { path: path.to_owned(), line, message }
        })
    }

    /// Every client may use every channel.
    pub(crate) fn allow_all() -> Self {
        let anyone = Rule {
            subscribe: AllowedUsers::Anyone,
            publish: AllowedUsers::Anyone,
            presence: AllowedUsers::Anyone,
            options: ChannelOptions::state(),
        };
        let mut rules = ChannelRules::default();
        rules.add("*", anyone);
        Self { rules, ..Self::default() }
    }

    fn parse(text: &str) -> Result<Self, ParseError> {
        let FileTable { channels, tokens, proxy, limits } = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            // The line shows which key is wrong.
            let line = text.get(..span.start).map_or("", |before| {
                let start = before.rfind('\n').map_or(0, |at| at + 1);
                text[start..].lines().next().unwrap_or_default().trim()
            });
            let message = error.message().trim_end();
            ParseError(span, if line.is_empty() { message.to_owned() } else { format!("{message}, in `{line}`") })
        })?;
        let mut rules = ChannelRules::default();
        for rule in channels {
            let (span, name) = (rule.name.span(), rule.name.get_ref().clone());
            let rule = rule.rule(&name).map_err(|message| ParseError(span.clone(), message))?;
            if !rules.add(&name, rule) {
                return Err(ParseError(span, format!("a second rule for the channels {name:?}; remove one")));
            }
        }
        let mut access = Authenticator { proxy: proxy.map(ProxyTable::proxy).transpose()?, tokens: HashMap::new() };
        for token in tokens {
            let span = token.token.span();
            let (secret, identity) = token.identity()?;
            if access.tokens.insert(secret, identity).is_some() {
                return Err(ParseError(
                    span,
                    "a second user with the same token; each needs one of its own".to_owned(),
                ));
            }
        }
        Ok(Self { rules, access, limits })
    }

    /// Applies the limits of the configuration file.
    pub(crate) fn channel_limits(&self, limits: &mut ChannelLimits) {
        let LimitsTable { sessions, session_seconds, subscriptions, .. } = self.limits;
        limits.sessions = sessions.map_or(limits.sessions, Count::size);
        limits.subscriptions = subscriptions.map_or(limits.subscriptions, Count::size);
        limits.expires_after = session_seconds.map_or(limits.expires_after, Count::seconds);
    }

    /// Applies the limits of the configuration file. `other_sessions` are stored in addition to those of clients.
    pub(crate) fn broker(&self, broker: &mut BrokerConfig, other_sessions: usize) {
        let LimitsTable { sessions, channels, history_bytes, .. } = self.limits;
        broker.sessions = sessions.map_or(broker.sessions, Count::size).saturating_add(other_sessions);
        broker.channels = channels.map_or(broker.channels, Count::size);
        broker.bytes = history_bytes.map_or(broker.bytes, |Size(bytes)| bytes);
    }
}

impl RuleTable {
    fn rule(self, name: &str) -> Result<Rule, String> {
        let Self { kind, subscribe, publish, presence, history, message_bytes, .. } = self;
        ChannelRules::check_pattern(name)?;
        let may = [subscribe, publish, presence];
        if !name.ends_with('*') && may.contains(&AllowedUsers::Owner) {
            return Err(format!(
                "\"owner\" is the user whose name `*` matches in the channel's name, so {name:?} needs a `*` at its end"
            ));
        }
        let [subscribe, publish, presence] = may;
        let mut options = match kind {
            Kind::Stream => ChannelOptions::default(),
            Kind::State => ChannelOptions::state(),
        };
        let HistoryTable { messages, bytes, seconds } = history;
        let Retention { count, bytes: most, .. } = options.retention;
        options.retention = options.retention.with_count(messages.map_or(count, |Count(messages)| messages));
        options.retention = options.retention.with_bytes(bytes.map_or(most, |Size(bytes)| bytes));
        if let Some(seconds) = seconds {
            options.retention = options.retention.with_age(seconds.seconds());
        }
        if let Some(Size(bytes)) = message_bytes {
            options.message_bytes = Count(bytes).size();
        }
        Ok(Rule { subscribe, publish, presence, options })
    }
}

impl TokenTable {
    fn identity(self) -> Result<(SecretDigest, Identity), ParseError> {
        let Self { token, user, presence } = self;
        if token.get_ref().is_empty() {
            return Err(ParseError(token.span(), "a token must not be empty".to_owned()));
        }
        if user.get_ref().is_empty() {
            return Err(ParseError(user.span(), "a user must not be empty".to_owned()));
        }
        let secret = SecretDigest::of(token.get_ref().as_bytes());
        let identity = Authenticator::identity(user.get_ref());
        Ok((
            secret,
            match presence {
                Some(presence) => identity.with_presence(presence),
                None => identity,
            },
        ))
    }
}

impl ProxyTable {
    fn proxy(self) -> Result<TrustedProxy, ParseError> {
        let Self { user_header, addresses } = self;
        let header = user_header.get_ref().parse().map_err(|_| {
            ParseError(user_header.span(), format!("{:?} is not the name of a header", user_header.get_ref()))
        })?;
        let networks = match addresses {
            None => IpNetwork::loopback(),
            Some(addresses) => addresses
                .iter()
                .map(|address| {
                    let network = address.get_ref().parse();
                    network.map_err(|message: &str| ParseError(address.span(), message.to_owned()))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(TrustedProxy { header, networks })
    }
}

impl Count {
    fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// At most a year, which can be added to any time without an overflow.
    fn seconds(self) -> Duration {
        Duration::from_secs(self.0.min(31_536_000))
    }
}

/// Deserializes from several types of values.
struct ValueVisitor<T>(PhantomData<T>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<Self>(PhantomData))
    }
}

impl Visitor<'_> for ValueVisitor<Count> {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0")
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
        let count = u64::try_from(count).map(Count);
        count.map_err(|_| E::invalid_value(de::Unexpected::Other("a negative number"), &self))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<Self>(PhantomData))
    }
}

impl Visitor<'_> for ValueVisitor<Size> {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in bytes, like 64000, \"64kB\" or \"1MiB\"")
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
        let bytes = u64::try_from(bytes);
        bytes.map(Size).map_err(|_| E::invalid_value(de::Unexpected::Other("a negative number"), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        parse_size(text).map(Size).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for AllowedUsers {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<Self>(PhantomData))
    }
}

impl<'de> Visitor<'de> for ValueVisitor<AllowedUsers> {
    type Value = AllowedUsers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"none\", \"anyone\", \"signed-in\", \"owner\", or a list of users like [\"ada\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AllowedUsers, E> {
        Ok(match text {
            "none" => AllowedUsers::None,
            "anyone" => AllowedUsers::Anyone,
            "signed-in" => AllowedUsers::SignedIn,
            "owner" => AllowedUsers::Owner,
            _ => return Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<AllowedUsers, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = users.next_element()? {
            names.push(name);
        }
        Ok(AllowedUsers::Users(names))
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTable").field("user", &self.user).finish_non_exhaustive()
    }
}
