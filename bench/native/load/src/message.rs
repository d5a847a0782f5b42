//! The messages: 64 bytes of text that begin with a number, so that lost and repeated ones are detected; and their encoding in the
//! protocol of a server.

use clap::ValueEnum;

/// The bytes of a message.
pub(crate) const SIZE: usize = 64;

const DIGITS: usize = 12;
const FILLER: &[u8; SIZE - DIGITS] = b" the quick brown fox jumps over the lazy dog, again.";

/// The message with this number.
pub(crate) fn write(number: u64) -> [u8; SIZE] {
    let mut message = [0; SIZE];
    let (digits, filler) = message.split_at_mut(DIGITS);
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    filler.copy_from_slice(FILLER);
    message
}

/// The number of a message; `None` if it has another form.
pub(crate) fn read(message: &[u8]) -> Option<u64> {
    let (digits, filler) = message.split_first_chunk::<DIGITS>()?;
    if filler != FILLER {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

/// The protocol of the server.
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
    /// The payload of a frame with this message.
    pub(crate) fn encode(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => message.to_vec(),
            Self::SocketIo => [EVENT.0.as_bytes(), message, EVENT.1.as_bytes()].concat(),
        }
    }

    /// The message in the payload of a frame; `None` if the frame has no message of an application.
    pub(crate) fn decode(self, received: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Plain => Some(received),
            Self::SocketIo => received.strip_prefix(EVENT.0.as_bytes())?.strip_suffix(EVENT.1.as_bytes()),
        }
    }

    /// The exchange after the handshake: the start of each message of the server, and the answer to it.
    pub(crate) const fn greetings(self) -> &'static [(&'static [u8], Option<&'static [u8]>)] {
        match self {
            Self::Plain => &[],
            Self::SocketIo => &[(b"0{", Some(b"40")), (b"40{", None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_its_number() {
        for number in [0, 7, 1_234_567_890] {
            assert_eq!(read(&write(number)), Some(number));
        }
    }

    #[test]
    fn a_message_that_has_changed_is_none() {
        let message = write(3);
        assert_eq!(read(&message[..SIZE - 1]), None);
        for index in [0, SIZE - 1] {
            let mut changed = message;
            changed[index] = b'x';
            assert_eq!(read(&changed), None);
        }
    }

    #[test]
    fn a_message_is_decoded_as_it_was_encoded() {
        for dialect in [Dialect::Plain, Dialect::SocketIo] {
            assert_eq!(dialect.decode(&dialect.encode(b"hello")), Some(&b"hello"[..]));
        }
        assert_eq!(Dialect::SocketIo.encode(b"hello"), br#"42["m","hello"]"#);
        assert_eq!(Dialect::SocketIo.decode(b"2"), None);
    }
}
