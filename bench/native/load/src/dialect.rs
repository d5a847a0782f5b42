//! How messages are dressed.

use clap::ValueEnum;

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// A text message is the message.
    Plain,
    /// The fourth protocol of Engine.IO, and in it events of Socket.IO with the message as their only argument. The event
    /// is named `m`.
    SocketIo,
}

const EVENT: (&str, &str) = (r#"42["m",""#, r#""]"#);

impl Dialect {
    /// A message as it is sent.
    pub(crate) fn dress(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => message.to_vec(),
            Self::SocketIo => [EVENT.0.as_bytes(), message, EVENT.1.as_bytes()].concat(),
        }
    }

    /// What a message as it was received holds, unless it is no message of an application.
    pub(crate) fn undress(self, received: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Plain => Some(received),
            Self::SocketIo => received.strip_prefix(EVENT.0.as_bytes())?.strip_suffix(EVENT.1.as_bytes()),
        }
    }

    /// What follows the handshake: the start of what the server says, and what to answer.
    pub(crate) const fn greetings(self) -> &'static [(&'static [u8], Option<&'static [u8]>)] {
        match self {
            Self::Plain => &[],
            Self::SocketIo => &[(b"0{", Some(b"40")), (b"40{", None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn what_is_dressed_is_undressed() {
        for dialect in [Dialect::Plain, Dialect::SocketIo] {
            assert_eq!(dialect.undress(&dialect.dress(b"hello")), Some(&b"hello"[..]));
        }
        assert_eq!(Dialect::SocketIo.dress(b"hello"), br#"42["m","hello"]"#);
        assert_eq!(Dialect::SocketIo.undress(b"2"), None);
    }
}
