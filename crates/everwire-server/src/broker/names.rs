use std::fmt;
use std::sync::Arc;

use everwire_core::protocol::{is_id, is_name};

/// A word that the protocol does not allow as a name or an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {what}: {rule}")]
pub struct BadName {
    word: Box<str>,
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$attributes:meta])* $Name:ident, $is_valid:path, $what:literal, $rule:literal) => {
        $(#[$attributes])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $Name {
            type Error = BadName;

            fn try_from(word: &str) -> Result<Self, BadName> {
                if $is_valid(word) {
                    Ok(Self(word.into()))
                } else {
                    Err(BadName { word: word.into(), what: $what, rule: $rule })
                }
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(
    /// The name of a channel: 1 to 128 bytes, no space, no control character. A clone shares the text.
    ChannelName,
    is_name,
    "channel",
    "1 to 128 bytes, no space, no control character"
);
name!(
    /// The key of a message: 1 to 128 bytes, no space, no control character. A clone shares the text.
    Key,
    is_name,
    "key",
    "1 to 128 bytes, no space, no control character"
);
name!(
    /// The id of a session: 1 to 64 characters of `A–Z a–z 0–9 - _`. A clone shares the text.
    SessionId,
    is_id,
    "session",
    "1 to 64 characters of A-Z a-z 0-9 - _"
);
