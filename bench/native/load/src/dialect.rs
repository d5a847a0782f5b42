//! The protocols of the servers: how messages are encoded, and what the frames of a server say.

use std::str;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use memchr::{memchr, memchr_iter};

use crate::message::SIZE;

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// A text message is the message.
    Plain,
    /// The fourth protocol of Engine.IO, and in it events of Socket.IO with the message as their first argument. The event is named
    /// `m`. Where the server recovers sessions, the second argument is the position.
    SocketIo,
    /// Channels by `everwire.v1`.
    Everwire,
}

/// What a server says with a part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// A message, and the position after it, where the server has positions.
    Message { message: &'a [u8], position: &'a [u8] },
    /// The publish with this number is stored.
    Ack(u64),
    /// The connection is attached to a session, which the secret resumes. A session that is resumed keeps its secret.
    Welcome { session: &'a [u8], secret: Option<&'a [u8]> },
    /// The subscription begins at this position.
    Subscribed { position: &'a [u8] },
    /// What messages are measured without.
    Other,
}

/// What a client needs to resume its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resumable {
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
    /// With the session and the subscription of an earlier connection. `next` is the number of the first message that follows.
    Resume { channel: String, resumable: Resumable, next: u64 },
}

/// What separates two lines of `everwire.v1`.
const SEPARATOR: u8 = 0x1e;
/// An event of Socket.IO up to the message.
const EVENT: &str = r#"["m",""#;

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
            // Lines that are ready together travel together.
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

    /// What a client of `everwire.v1` sends first.
    pub(crate) fn hello(opening: &Opening) -> String {
        match opening {
            Opening::Attach => "hello attempt=0".to_owned(),
            Opening::Subscribe { channel } => format!("hello attempt=0\u{1e}sub {channel} live"),
            Opening::Resume { channel, resumable: Resumable { session, secret, position }, .. } => {
                let hello = format!("hello attempt=1 session={session} secret={secret} closed=1006");
                format!("{hello}\u{1e}sub {channel} from:{position}")
            }
        }
    }

    /// What a client of Socket.IO answers to the first packet of Engine.IO.
    pub(crate) fn connect(opening: &Opening) -> String {
        match opening {
            Opening::Resume { resumable: Resumable { session, position, .. }, .. } => {
                format!(r#"40{{"pid":"{session}","offset":"{position}"}}"#)
            }
            _ => "40".to_owned(),
        }
    }

    /// What the payload of a frame says, in order.
    ///
    /// # Errors
    /// If it is not what the dialect says, or says that something was refused or lost.
    pub(crate) fn read<'a>(self, payload: &'a [u8], mut each: impl FnMut(Received<'a>) -> Result<()>) -> Result<()> {
        match self {
            Self::Plain => each(Received::Message { message: payload, position: &[] }),
            Self::SocketIo => each(socket_io(payload).with_context(|| said(payload))?),
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
    let mut word = || words.next().with_context(|| said(line));
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
        _ => bail!(said(line)),
    })
}

fn socket_io(packet: &[u8]) -> Option<Received<'_>> {
    if let Some(rest) = packet.strip_prefix(b"43") {
        let end = memchr(b'[', rest)?;
        return Some(Received::Ack(str::from_utf8(&rest[..end]).ok()?.parse().ok()?));
    }
    if let Some(rest) = packet.strip_prefix(b"40") {
        // Without recovery there is no `pid`.
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

fn said(received: &[u8]) -> String {
    format!("the server sent {:?}", String::from_utf8_lossy(received))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn read(dialect: Dialect, payload: &[u8]) -> Result<Vec<Received<'_>>> {
        let mut received = Vec::new();
        dialect.read(payload, |one| {
            received.push(one);
            Ok(())
        })?;
        Ok(received)
    }

    #[test]
    fn publishes_of_everwire_travel_in_one_frame() {
        let (mut seq, messages) = (4, [message::write(1), message::write(2)]);
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
    fn what_everwire_refuses_or_loses_is_an_error() {
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
    fn an_acknowledgement_of_socket_io_is_asked_for_by_a_number() {
        let mut seq = 0;
        let frames = Dialect::SocketIo.publish_acknowledged("", &[message::write(0)], &mut seq);
        assert!(frames[0].starts_with(br#"421["m","0"#), "{:?}", String::from_utf8_lossy(&frames[0]));
        let frames = Dialect::SocketIo.publish("", &[message::write(0)], &mut seq);
        assert!(frames[0].starts_with(br#"42["m","0"#));
    }
}
