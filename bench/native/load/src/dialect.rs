//! The protocols of the servers: how messages are encoded, how a connection begins, and what the frames of a server mean.

use std::str;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use memchr::{memchr, memchr_iter};

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// The text message is the payload.
    Plain,
    /// Engine.IO 4, with events of Socket.IO named `m`. The first argument is the message; if the server recovers sessions, the second
    /// one is the position.
    SocketIo,
    /// Channels of `everwire.v1`.
    Everwire,
}

/// The meaning of a frame, or of a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// A message, and the position after it if the server has positions.
    Message { message: &'a [u8], position: &'a [u8] },
    /// The publish with this number is stored.
    Ack(u64),
    /// The connection is attached to a session, which the secret resumes. A resumed session keeps its secret.
    Welcome { session: &'a [u8], secret: Option<&'a [u8]> },
    /// The subscription begins at this position.
    Subscribed { position: &'a [u8] },
    /// Not measured.
    Other,
}

/// What a client needs to resume its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResumeState {
    pub(crate) session: String,
    pub(crate) secret: String,
    pub(crate) position: String,
}

/// How a connection begins.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// With a new session.
    Attach,
    /// With a new session and a subscription of this channel.
    Subscribe { channel: String },
    /// With the session and the subscription of an earlier connection. `next` is the number of the first missed message.
    Resume { channel: String, state: ResumeState, next: u64 },
}

/// Separates two lines of `everwire.v1`.
const SEPARATOR: u8 = 0x1e;
/// The start of a Socket.IO event, up to the message.
const EVENT: &str = r#"["m",""#;

/// The size of a message: text that begins with a number, by which lost and repeated messages are detected.
const SIZE: usize = 64;

const DIGITS: usize = 12;
const FILLER: &[u8; SIZE - DIGITS] = b" the quick brown fox jumps over the lazy dog, again.";

impl Dialect {
    /// The payloads of the frames that publish these messages. `seq` counts those of the connection.
    pub(crate) fn publish(self, channel: &str, messages: &[[u8; SIZE]], seq: &mut u64) -> Vec<Vec<u8>> {
        let encoded = messages.iter().map(|message| {
            *seq += 1;
            match self {
                Self::Plain => message.to_vec(),
                Self::SocketIo => [b"42", EVENT.as_bytes(), message, br#""]"#].concat(),
                Self::Everwire => [format!("pub {channel} {seq}\n").as_bytes(), message].concat(),
            }
        });
        let encoded: Vec<_> = encoded.collect();
        match self {
            // Lines that are ready together share a frame.
            Self::Everwire => vec![encoded.join(&SEPARATOR)],
            _ => encoded,
        }
    }

    /// The payloads of the frames that publish these messages and ask for an acknowledgement.
    pub(crate) fn publish_acknowledged(self, channel: &str, messages: &[[u8; SIZE]], seq: &mut u64) -> Vec<Vec<u8>> {
        match self {
            Self::SocketIo => messages.iter().map(|message| {
                *seq += 1;
                [format!("42{seq}{EVENT}").as_bytes(), message, br#""]"#].concat()
            }),
            _ => return self.publish(channel, messages, seq),
        }
        .collect()
    }

    /// The first message of a client of `everwire.v1`.
    pub(crate) fn hello(opening: &Opening) -> String {
        match opening {
            Opening::Attach => "hello attempt=0".to_owned(),
            Opening::Subscribe { channel } => format!("hello attempt=0\u{1e}sub {channel} live"),
            Opening::Resume { channel, state: ResumeState { session, secret, position }, .. } => {
                let hello = format!("hello attempt=1 session={session} secret={secret} closed=1006");
                format!("{hello}\u{1e}sub {channel} from:{position}")
            }
        }
    }

    /// The answer of a Socket.IO client to the first packet of Engine.IO.
    pub(crate) fn connect(opening: &Opening) -> String {
        match opening {
            Opening::Resume { state: ResumeState { session, position, .. }, .. } => {
                format!(r#"40{{"pid":"{session}","offset":"{position}"}}"#)
            }
            _ => "40".to_owned(),
        }
    }

    /// Decodes the payload of a frame.
    ///
    /// # Errors
    /// If the payload is not part of the dialect, or reports a rejection or a loss.
    pub(crate) fn read<'a>(self, payload: &'a [u8], mut each: impl FnMut(Received<'a>) -> Result<()>) -> Result<()> {
        match self {
            Self::Plain => each(Received::Message { message: payload, position: &[] }),
            Self::SocketIo => each(socket_io(payload).with_context(|| unexpected(payload))?),
            Self::Everwire => {
                let mut start = 0;
                for end in memchr_iter(SEPARATOR, payload).chain([payload.len()]) {
                    each(everwire(&payload[start..end])?)?;
                    start = end + 1;
                }
                Ok(())
            }
        }
    }
}

fn everwire(line: &[u8]) -> Result<Received<'_>> {
    let (header, payload) = match memchr(b'\n', line) {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (line, &line[line.len()..]),
    };
    let mut words = header.split(|byte| *byte == b' ');
    let kind = words.next().unwrap_or_default();
    let mut word = || words.next().with_context(|| unexpected(line));
    Ok(match kind {
        b"msg" => {
            word()?;
            Received::Message { message: payload, position: word()? }
        }
        b"ack" => Received::Ack(str::from_utf8(word()?)?.parse()?),
        b"subscribed" => {
            word()?;
            Received::Subscribed { position: word()? }
        }
        b"welcome" => {
            let session = word()?;
            Received::Welcome { session, secret: words.find_map(|word| word.strip_prefix(b"secret=")) }
        }
        b"pos" | b"pong" | b"credits" => Received::Other,
        _ => bail!(unexpected(line)),
    })
}

fn socket_io(packet: &[u8]) -> Option<Received<'_>> {
    if let Some(rest) = packet.strip_prefix(b"43") {
        let end = memchr(b'[', rest)?;
        return Some(Received::Ack(str::from_utf8(&rest[..end]).ok()?.parse().ok()?));
    }
    if let Some(rest) = packet.strip_prefix(b"40") {
        // A server without recovery sends no `pid`.
        let after = |name: &[u8]| rest.windows(name.len()).position(|found| found == name).map(|at| at + name.len());
        let session = after(br#""pid":""#).and_then(|start| {
            let end = memchr(b'"', &rest[start..])?;
            Some(&rest[start..start + end])
        });
        return Some(Received::Welcome { session: session.unwrap_or_default(), secret: None });
    }
    let rest = packet.strip_prefix(b"42")?.strip_prefix(EVENT.as_bytes())?;
    let end = memchr(b'"', rest)?;
    let (message, rest) = (&rest[..end], &rest[end + 1..]);
    let position = match rest {
        b"]" => &[],
        _ => rest.strip_prefix(br#",""#)?.strip_suffix(br#""]"#)?,
    };
    Some(Received::Message { message, position })
}

fn unexpected(received: &[u8]) -> String {
    format!("the server sent {:?}", String::from_utf8_lossy(received))
}

/// The message with this number.
pub(crate) fn write_message(number: u64) -> [u8; SIZE] {
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

/// The number of a message; `None` if the message is malformed.
pub(crate) fn read_message(message: &[u8]) -> Option<u64> {
    let (digits, filler) = message.split_first_chunk::<DIGITS>()?;
    if filler != FILLER {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, payload: &[u8]) -> Result<Vec<Received<'_>>> {
        let mut received = Vec::new();
        dialect.read(payload, |one| {
            received.push(one);
            Ok(())
        })?;
        Ok(received)
    }

    #[test]
    fn publishes_of_everwire_share_a_frame() {
        let (mut seq, messages) = (4, [write_message(1), write_message(2)]);
        let frames = Dialect::Everwire.publish("fan", &messages, &mut seq);
        let text = String::from_utf8(frames.concat()).unwrap();
        let [one, two] = messages.map(|message| String::from_utf8(message.to_vec()).unwrap());
        assert_eq!(text, format!("pub fan 5\n{one}\u{1e}pub fan 6\n{two}"));
        assert_eq!((frames.len(), seq), (1, 6));
    }

    #[test]
    fn lines_of_everwire_are_read_in_order() {
        let frame = b"welcome abc generation=1 secret=def requests=kept\x1esubscribed fan 9f.1.2\x1eack 7 9f.2.3\
            \x1emsg fan 9f.2.3 by=abc:7\nhello\x1epos fan 9f.2.3 live=1";
        let expected = [
            Received::Welcome { session: b"abc", secret: Some(b"def") },
            Received::Subscribed { position: b"9f.1.2" },
            Received::Ack(7),
            Received::Message { message: b"hello", position: b"9f.2.3" },
            Received::Other,
        ];
        assert_eq!(read(Dialect::Everwire, frame).unwrap(), expected);
    }

    #[test]
    fn a_rejection_or_a_loss_of_everwire_is_an_error() {
        for line in ["nack 1 denied", "gap fan trimmed 9f.2.3", "unsub fan denied", "error malformed", "msg"] {
            assert!(read(Dialect::Everwire, line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn packets_of_socket_io_are_read_with_and_without_a_position() {
        let message = |position| Received::Message { message: b"hello", position };
        let packets: [(&[u8], _); 5] = [
            (br#"42["m","hello"]"#, message(&b""[..])),
            (br#"42["m","hello","Pf2"]"#, message(&b"Pf2"[..])),
            (b"4312[]", Received::Ack(12)),
            (br#"40{"sid":"a","pid":"b"}"#, Received::Welcome { session: b"b", secret: None }),
            (br#"40{"sid":"a"}"#, Received::Welcome { session: b"", secret: None }),
        ];
        for (packet, expected) in packets {
            assert_eq!(read(Dialect::SocketIo, packet).unwrap(), [expected]);
        }
        assert!(read(Dialect::SocketIo, b"2").is_err());
    }

    #[test]
    fn an_acknowledgement_of_socket_io_is_requested_by_a_number() {
        let mut seq = 0;
        let frames = Dialect::SocketIo.publish_acknowledged("", &[write_message(0)], &mut seq);
        assert!(frames[0].starts_with(br#"421["m","0"#), "{:?}", String::from_utf8_lossy(&frames[0]));
        let frames = Dialect::SocketIo.publish("", &[write_message(0)], &mut seq);
        assert!(frames[0].starts_with(br#"42["m","0"#));
    }

    #[test]
    fn a_message_contains_its_number() {
        for number in [0, 7, 1_234_567_890] {
            assert_eq!(read_message(&write_message(number)), Some(number));
        }
    }

    #[test]
    fn a_changed_message_is_malformed() {
        let message = write_message(3);
        assert_eq!(read_message(&message[..SIZE - 1]), None);
        for index in [0, SIZE - 1] {
            let mut changed = message;
            changed[index] = b'x';
            assert_eq!(read_message(&changed), None);
        }
    }
}
