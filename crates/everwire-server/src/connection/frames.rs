use bytes::{BufMut, Bytes, BytesMut};
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

/// Encodes messages one behind the other.
#[derive(Debug, Default)]
pub(crate) struct FramesMut {
    bytes: BytesMut,
    messages: u64,
    payload: u64,
}

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
    }

    /// Copies encoded frames.
    pub(super) fn extend(&mut self, frames: &Frames) {
        self.bytes.extend_from_slice(&frames.bytes);
        self.messages += frames.messages;
        self.payload += frames.payload;
    }

    /// Adds a pong with the payload of the ping, at most 125 bytes. It is not counted as a message.
    pub(super) fn push_pong(&mut self, payload: &[u8]) {
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
        let Self { bytes, messages, payload } = std::mem::take(self);
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
