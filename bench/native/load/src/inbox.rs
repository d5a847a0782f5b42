//! The messages that one connection receives, which must arrive once and in order.

use anyhow::{Context, Result, ensure};
use bench_native_support::frame::Frame;

use crate::message::{self, Dialect};

/// Checks and counts the messages of one connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The start of an incomplete frame.
    partial: Vec<u8>,
    /// The number that the next message must have. The first may have any: a connection subscribes some time after its handshake.
    next: Option<u64>,
}

impl Inbox {
    /// The number after that of the last message; `None` before the first.
    pub(crate) const fn next(&self) -> Option<u64> {
        self.next
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
        while let Some(frame) = Frame::first(&bytes[used..]) {
            ensure!(frame.is_message() && frame.mask.is_none(), "the server sent {frame:?}, which is no message");
            let payload = &bytes[used..][frame.payload.clone()];
            let number = dialect.decode(payload).and_then(message::read);
            let number = number.with_context(|| format!("the server sent {:?}", String::from_utf8_lossy(payload)))?;
            let expected = self.next.unwrap_or(number);
            ensure!(number == expected, "message {number} came instead of {expected}");
            self.next = Some(number + 1);
            count += 1;
            used += frame.payload.end;
        }
        Ok((count, used))
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
        frame::write(&mut bytes, TEXT, &Dialect::SocketIo.encode(&message::write(5)));
        assert_eq!(Inbox::default().receive(&bytes, Dialect::SocketIo).unwrap(), 1);
        assert!(Inbox::default().receive(&bytes, Dialect::Plain).is_err());
    }
}
