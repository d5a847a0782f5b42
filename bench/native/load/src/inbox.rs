//! The messages that one connection receives, which must arrive once and in order.

use anyhow::{Context, Result, ensure};
use bench_native_support::frame::Frame;

use crate::dialect::{Dialect, Received, Resumable};
use crate::message;

/// Checks and counts what one connection receives.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The start of an incomplete frame.
    partial: Vec<u8>,
    /// The number that the next message must have. The first may have any: a connection subscribes some time after its handshake.
    next: Option<u64>,
    /// The publishes that were acknowledged, in the order of their numbers.
    acknowledged: u64,
    is_attached: bool,
    is_subscribed: bool,
    resumable: Resumable,
}

impl Inbox {
    /// Of a connection that resumes a session, and whose first message must have this number.
    pub(crate) fn resuming(resumable: Resumable, next: u64) -> Self {
        Self { resumable, next: Some(next), ..Self::default() }
    }

    /// The number after that of the last message; `None` before the first.
    pub(crate) const fn next(&self) -> Option<u64> {
        self.next
    }

    pub(crate) const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) const fn is_attached(&self) -> bool {
        self.is_attached
    }

    pub(crate) const fn is_subscribed(&self) -> bool {
        self.is_subscribed
    }

    /// The session and the position after the last message.
    pub(crate) const fn resumable(&self) -> &Resumable {
        &self.resumable
    }

    /// Keeps bytes that arrived together with the handshake.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
    }

    /// Takes the kept bytes or the start of a frame.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    /// Counts the messages that end in these bytes. A lost, repeated, early or changed message is an error, and so is any other
    /// frame.
    pub(crate) fn receive(&mut self, bytes: &[u8], dialect: Dialect) -> Result<usize> {
        if self.partial.is_empty() {
            let (count, used) = self.count(bytes, dialect)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(count);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(bytes);
        let (count, used) = self.count(&whole, dialect)?;
        whole.drain(..used);
        self.partial = whole;
        Ok(count)
    }

    /// The number of complete messages in these bytes, and their length.
    fn count(&mut self, bytes: &[u8], dialect: Dialect) -> Result<(usize, usize)> {
        let (mut count, mut used) = (0, 0);
        let mut last_position: &[u8] = &[];
        while let Some(frame) = Frame::first(&bytes[used..]) {
            ensure!(frame.is_message() && frame.mask.is_none(), "the server sent {frame:?}, which is no message");
            let payload = &bytes[used..][frame.payload.clone()];
            dialect.read(payload, |received| {
                match received {
                    Received::Message { message, position } => {
                        self.check(message)?;
                        last_position = position;
                        count += 1;
                    }
                    Received::Ack(seq) => {
                        let expected = self.acknowledged + 1;
                        ensure!(seq == expected, "publish {seq} was acknowledged instead of {expected}");
                        self.acknowledged = seq;
                    }
                    Received::Welcome { session, secret } => {
                        self.is_attached = true;
                        self.resumable.session = String::from_utf8(session.to_vec())?;
                        if let Some(secret) = secret {
                            self.resumable.secret = String::from_utf8(secret.to_vec())?;
                        }
                    }
                    Received::Subscribed { position } => {
                        self.is_subscribed = true;
                        last_position = position;
                    }
                    Received::Other => {}
                }
                Ok(())
            })?;
            used += frame.payload.end;
        }
        if !last_position.is_empty() {
            self.resumable.position.clear();
            self.resumable.position.push_str(std::str::from_utf8(last_position)?);
        }
        Ok((count, used))
    }

    fn check(&mut self, received: &[u8]) -> Result<()> {
        let number = message::read(received);
        let number = number.with_context(|| format!("the server sent {:?}", String::from_utf8_lossy(received)))?;
        let expected = self.next.unwrap_or(number);
        ensure!(number == expected, "message {number} came instead of {expected}");
        self.next = Some(number + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bench_native_support::frame::{self, BINARY, TEXT};

    use super::*;

    fn frames(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in numbers {
            frame::write(&mut bytes, if number % 2 == 0 { TEXT } else { BINARY }, &message::write(number));
        }
        bytes
    }

    #[test]
    fn messages_are_counted_once_wherever_the_bytes_are_cut() {
        let bytes = frames(3..8);
        for size in 1..=bytes.len() {
            let mut inbox = Inbox::default();
            let counts = bytes.chunks(size).map(|chunk| inbox.receive(chunk, Dialect::Plain).unwrap());
            assert_eq!(counts.sum::<usize>(), 5, "in pieces of {size}");
            assert_eq!(inbox.next(), Some(8));
        }
    }

    #[test]
    fn a_message_that_is_lost_repeated_or_early_is_an_error() {
        for numbers in [[1, 3], [1, 1], [2, 1]] {
            assert!(Inbox::default().receive(&frames(numbers), Dialect::Plain).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn other_frames_are_errors() {
        let ping = [0x89, 0];
        let mut masked = Vec::new();
        frame::write_masked(&mut masked, TEXT, &message::write(0), [1; 4]);
        let mut other = Vec::new();
        frame::write(&mut other, TEXT, b"hello");
        for bytes in [&ping[..], &masked, &other] {
            assert!(Inbox::default().receive(bytes, Dialect::Plain).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn messages_of_socket_io_are_decoded() {
        let mut bytes = Vec::new();
        let payload = Dialect::SocketIo.publish("", &[message::write(5)], &mut 0).concat();
        frame::write(&mut bytes, TEXT, &payload);
        assert_eq!(Inbox::default().receive(&bytes, Dialect::SocketIo).unwrap(), 1);
        assert!(Inbox::default().receive(&bytes, Dialect::Plain).is_err());
    }

    #[test]
    fn a_session_of_everwire_is_known_until_it_is_resumed() {
        let mut bytes = Vec::new();
        let message = String::from_utf8(message::write(5).to_vec()).unwrap();
        let message = format!("msg fan 9f.2.3\n{message}");
        for payload in ["welcome abc generation=1 secret=def", "subscribed fan 9f.1.2", &message] {
            frame::write(&mut bytes, TEXT, payload.as_bytes());
        }
        let mut inbox = Inbox::default();
        assert_eq!(inbox.receive(&bytes, Dialect::Everwire).unwrap(), 1);
        let Resumable { session, secret, position } = inbox.resumable();
        assert_eq!([session, secret, position], ["abc", "def", "9f.2.3"]);
        assert!(inbox.is_attached() && inbox.is_subscribed());
    }

    #[test]
    fn a_publish_that_is_acknowledged_twice_or_early_is_an_error() {
        for (acks, expected) in [(&[1, 2][..], true), (&[1, 1], false), (&[2], false)] {
            let mut bytes = Vec::new();
            acks.iter().for_each(|seq| frame::write(&mut bytes, TEXT, format!("ack {seq} 9f.1.2").as_bytes()));
            assert_eq!(Inbox::default().receive(&bytes, Dialect::Everwire).is_ok(), expected, "{acks:?}");
        }
    }
}
