//! Encoded WebSocket frames: messages are encoded once, and shared by all connections that they are written to.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;

use crate::message::{Message, Utf8Bytes};

/// Encoded frames, shared without a copy by all connections that they are written to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    bytes: Bytes,
    messages: u64,
    payload: u64,
}

/// Frames in the order in which they are written. The common case of one piece is stored inline.
pub(super) type Pieces = SmallVec<[Frames; 1]>;

/// Encodes messages one after another.
#[derive(Debug, Default)]
pub(crate) struct FramesMut {
    bytes: BytesMut,
    messages: u64,
    payload: u64,
    /// Where the frame of the last message begins, if lines can still join it.
    open: Option<usize>,
}

/// Separates the lines of `everwire.v1` in a text message.
#[cfg(any(test, feature = "channels"))]
const SEPARATOR: u8 = 0x1e;
/// The largest payload of a message that lines join: the largest length of a header of four bytes.
#[cfg(any(test, feature = "channels"))]
const MAX_JOINED_BYTES: usize = 0xffff;

/// The first byte of a whole, uncompressed message: FIN and the opcode (RFC 6455 section 5.2).
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PONG: u8 = 0x8a;
/// The bit of the opcode that marks a control frame.
const CONTROL: u8 = 0x08;

impl Frames {
    /// Encodes one message.
    pub(crate) fn of(message: &Message) -> Self {
        let mut frames = FramesMut::default();
        frames.push(message);
        frames.take()
    }

    /// Encodes a close frame, which is not counted as a message. Its reason must have at most 123 bytes.
    pub(super) fn close(frame: Option<CloseFrame>) -> Self {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail.
        let _ = Frame::close(frame).format(&mut bytes);
        Self { bytes: bytes.into(), messages: 0, payload: 0 }
    }

    /// The frames as they are written.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The number of messages; control frames do not count.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes of the messages without headers.
    pub(crate) fn payload(&self) -> u64 {
        self.payload
    }

    /// The frames up to the end of the one that is incomplete after `written` bytes; `None` if a frame ends there.
    pub(super) fn up_to_incomplete(&self, written: usize) -> Option<Self> {
        let mut started = Self::default();
        for frame in self.clone().split() {
            if started.bytes.len() >= written {
                break;
            }
            started.bytes = self.bytes.slice(..started.bytes.len() + frame.bytes.len());
            started.messages += frame.messages;
            started.payload += frame.payload;
        }
        (started.bytes.len() > written).then_some(started)
    }

    /// The messages, decoded; control frames are left out.
    pub(crate) fn messages_decoded(&self) -> impl Iterator<Item = Message> {
        self.clone().split().filter_map(|frame| {
            let (header, _) = lengths(&frame.bytes)?;
            let payload = frame.bytes.slice(header..);
            match frame.bytes[0] {
                TEXT => Utf8Bytes::try_from(payload).ok().map(Message::Text),
                BINARY => Some(Message::Binary(payload)),
                _ => None,
            }
        })
    }

    /// The frames one by one.
    pub(crate) fn split(mut self) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (header, payload) = lengths(&self.bytes)?;
            let bytes = self.bytes.split_to(header + payload);
            let (messages, payload) = if bytes[0] & CONTROL == 0 { (1, payload as u64) } else { (0, 0) };
            Some(Self { bytes, messages, payload })
        })
    }
}

impl FramesMut {
    /// Adds a message.
    pub(crate) fn push(&mut self, message: &Message) {
        let (first, payload): (u8, &[u8]) = match message {
            Message::Text(text) => (TEXT, text.as_bytes()),
            Message::Binary(bytes) => (BINARY, bytes),
        };
        // A header without a mask, which a server must not use, has at most ten bytes.
        self.bytes.reserve(10 + payload.len());
        self.bytes.put_u8(first);
        match payload.len() {
            length @ 0..126 => self.bytes.put_u8(length as u8),
            length @ 126..0x1_0000 => {
                self.bytes.put_u8(126);
                self.bytes.put_u16(length as u16);
            }
            length => {
                self.bytes.put_u8(127);
                self.bytes.put_u64(length as u64);
            }
        }
        self.bytes.put_slice(payload);
        self.messages += 1;
        self.payload += payload.len() as u64;
        self.open = None;
    }

    /// Adds a message that holds lines of `everwire.v1`. They join the message before them if that holds lines of the same kind, and
    /// nothing was added after it.
    #[cfg(any(test, feature = "channels"))]
    pub(crate) fn push_lines(&mut self, message: &Message) {
        let open = self.open.filter(|start| {
            let (header, before) = lengths(&self.bytes[*start..]).unwrap_or_default();
            let is_text = self.bytes[*start] == TEXT;
            header > 0 && is_text == message.as_text().is_some() && before + 1 + message.len() <= MAX_JOINED_BYTES
        });
        let Some(start) = open else {
            let start = self.bytes.len();
            self.push(message);
            self.open = Some(start);
            return;
        };
        let (header, before) = lengths(&self.bytes[start..]).unwrap_or_default();
        let separator: &[u8] = if message.as_text().is_some() { &[SEPARATOR] } else { &[] };
        let after = before + separator.len() + message.len();
        self.bytes.reserve(separator.len() + message.len() + 2);
        if header == 2 && after >= 126 {
            // The length takes two more bytes.
            let end = self.bytes.len();
            self.bytes.put_u16(0);
            self.bytes.copy_within(start + 2..end, start + 4);
        }
        if after < 126 {
            self.bytes[start + 1] = after as u8;
        } else {
            self.bytes[start + 1] = 126;
            self.bytes[start + 2..start + 4].copy_from_slice(&(after as u16).to_be_bytes());
        }
        self.bytes.put_slice(separator);
        self.bytes.put_slice(message.as_bytes());
        self.payload += (after - before) as u64;
    }

    /// Copies encoded frames.
    pub(super) fn extend(&mut self, frames: &Frames) {
        self.open = None;
        self.bytes.extend_from_slice(&frames.bytes);
        self.messages += frames.messages;
        self.payload += frames.payload;
    }

    /// Adds a pong with the payload of the ping, at most 125 bytes. It is not counted as a message.
    pub(super) fn push_pong(&mut self, payload: &[u8]) {
        self.open = None;
        self.bytes.reserve(2 + payload.len());
        self.bytes.put_u8(PONG);
        self.bytes.put_u8(payload.len() as u8);
        self.bytes.put_slice(payload);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes, headers included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the frames that were added since the last call.
    pub(crate) fn take(&mut self) -> Frames {
        let Self { bytes, messages, payload, .. } = std::mem::take(self);
        Frames { bytes: bytes.freeze(), messages, payload }
    }
}

/// The lengths of the first frame's header and payload; `None` if there is no frame.
fn lengths(frames: &[u8]) -> Option<(usize, usize)> {
    let (_, rest) = frames.split_first()?;
    Some(match *rest.first()? {
        126 => (4, u16::from_be_bytes(*rest[1..].first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*rest[1..].first_chunk()?) as usize),
        length => (2, length.into()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketContext};

    use super::*;

    /// The messages as an independent client decodes them.
    fn read_by_tungstenite(frames: &Frames) -> Vec<Message> {
        let mut client = WebSocketContext::new(Role::Client, None);
        let mut stream = Cursor::new(frames.bytes.to_vec());
        let messages = std::iter::from_fn(|| client.read(&mut stream).ok());
        let messages = messages.map(|message| match message {
            tungstenite::Message::Text(text) => Message::Text(text),
            message => Message::Binary(message.into_data()),
        });
        messages.collect()
    }

    fn of_every_length() -> Vec<Message> {
        let lengths = [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 200_000];
        let texts = lengths.map(|length| Message::text("x".repeat(length)));
        texts.into_iter().chain(lengths.map(|length| Message::binary(vec![7; length]))).collect()
    }

    #[test]
    fn messages_of_every_length_are_encoded_as_clients_decode_them() {
        let messages = of_every_length();
        let mut frames = FramesMut::default();
        messages.iter().for_each(|message| frames.push(message));
        let frames = frames.take();
        assert_eq!(read_by_tungstenite(&frames), messages);
        assert!(frames.messages_decoded().eq(messages.iter().cloned()));
        assert_eq!(frames.messages(), messages.len() as u64);
        assert_eq!(frames.payload(), messages.iter().map(|message| message.len() as u64).sum::<u64>());
    }

    #[test]
    fn lines_join_the_message_before_them_as_clients_decode_them() {
        for length in [0, 1, 60, 123, 124, 125, 200, 40_000] {
            let line = "x".repeat(length);
            let mut frames = FramesMut::default();
            (0..3).for_each(|_| frames.push_lines(&Message::text(line.clone())));
            (0..3).for_each(|_| frames.push_lines(&Message::binary(line.clone())));
            let frames = frames.take();
            let messages = read_by_tungstenite(&frames);
            let all = messages.concat_lines();
            assert_eq!(all, (vec![line.clone(); 3], line.repeat(3).into_bytes()), "{length}");
            assert_eq!(frames.messages(), messages.len() as u64);
            assert_eq!(frames.payload(), messages.iter().map(|message| message.len() as u64).sum::<u64>());
            let expected = if length == 40_000 { 6 } else { 2 };
            assert_eq!(messages.len(), expected, "{length}");
        }
    }

    trait ConcatLines {
        /// The lines of all texts, and the bytes of all binary messages.
        fn concat_lines(&self) -> (Vec<String>, Vec<u8>);
    }

    impl ConcatLines for Vec<Message> {
        fn concat_lines(&self) -> (Vec<String>, Vec<u8>) {
            let texts = self.iter().filter_map(Message::as_text);
            let lines = texts.flat_map(|text| text.split('\u{1e}').map(str::to_owned)).collect();
            let binary = self.iter().filter(|message| message.as_text().is_none());
            (lines, binary.flat_map(|message| message.as_bytes().to_vec()).collect())
        }
    }

    #[test]
    fn lines_do_not_join_a_message_that_something_was_added_after() {
        let mut frames = FramesMut::default();
        frames.push_lines(&Message::text("a"));
        frames.push_pong(b"");
        frames.push_lines(&Message::text("b"));
        frames.push(&Message::text("c"));
        frames.push_lines(&Message::text("d"));
        assert!(frames.take().messages_decoded().eq(["a", "b", "c", "d"].map(Message::text)));
    }

    #[test]
    fn a_frame_is_incomplete_from_its_first_byte_to_its_last() {
        let mut frames = FramesMut::default();
        ["a", "b", "c"].map(Message::text).iter().for_each(|message| frames.push(message));
        let frames = frames.take();
        let kept = |count| frames.up_to_incomplete(count).map(|started| read_by_tungstenite(&started).len());
        assert_eq!([0, 1, 3, 4, 6, 7, 9].map(kept), [None, Some(1), None, Some(2), None, Some(3), None]);
    }

    #[test]
    fn split_returns_each_message_alone() {
        let messages = of_every_length();
        let mut frames = FramesMut::default();
        messages.iter().for_each(|message| frames.push(message));
        let each: Vec<Vec<Message>> = frames.take().split().map(|frames| read_by_tungstenite(&frames)).collect();
        assert_eq!(each.concat(), messages);
        assert!(each.iter().all(|messages| messages.len() == 1));
    }
}
