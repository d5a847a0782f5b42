use bytes::{BufMut, Bytes, BytesMut};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;

/// Messages as they go over the wire, encoded once for however many receive them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    bytes: Bytes,
    messages: u64,
    payload: u64,
}

/// Messages that are being encoded, one behind the other.
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
/// The bit that tells a control frame from a message.
const CONTROL: u8 = 0x08;

impl Frames {
    /// One message.
    pub(crate) fn of(message: &Message) -> Self {
        let mut frames = FramesMut::default();
        frames.push(message);
        frames.take()
    }

    /// A close frame, which counts as no message. Its reason has at most 123 bytes.
    pub(super) fn close(frame: Option<CloseFrame>) -> Self {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = Frame::close(frame).format(&mut bytes);
        Self { bytes: bytes.into(), messages: 0, payload: 0 }
    }

    /// All of it, as it is written.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many messages these are.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// The bytes of the messages without their headers.
    pub(crate) fn payload(&self) -> u64 {
        self.payload
    }

    /// These frames up to the end of the one that the first `count` bytes end in; `None` where they end with a frame.
    pub(super) fn under_way(&self, count: usize) -> Option<Self> {
        let mut begun = Self::default();
        for frame in self.clone().split() {
            if begun.bytes.len() >= count {
                break;
            }
            begun.bytes = self.bytes.slice(..begun.bytes.len() + frame.bytes.len());
            begun.messages += frame.messages;
            begun.payload += frame.payload;
        }
        (begun.bytes.len() > count).then_some(begun)
    }

    /// Each frame by itself.
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
    /// Adds a text or a binary message. Other frames are the connection's own, and left out.
    pub(crate) fn push(&mut self, message: &Message) {
        let (first, payload): (u8, &[u8]) = match message {
            Message::Text(text) => (TEXT, text.as_bytes()),
            Message::Binary(bytes) => (BINARY, bytes),
            _ => return,
        };
        // Ten bytes are the longest header of a server, which does not mask.
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

    /// Adds frames that are encoded already.
    pub(super) fn extend(&mut self, frames: &Frames) {
        self.bytes.extend_from_slice(&frames.bytes);
        self.messages += frames.messages;
        self.payload += frames.payload;
    }

    /// Adds the answer to a ping, whose payload has at most 125 bytes. It counts as no message.
    pub(super) fn push_pong(&mut self, payload: &[u8]) {
        self.bytes.reserve(2 + payload.len());
        self.bytes.put_u8(PONG);
        self.bytes.put_u8(payload.len() as u8);
        self.bytes.put_slice(payload);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes with headers.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was added since the last time.
    pub(crate) fn take(&mut self) -> Frames {
        let Self { bytes, messages, payload } = std::mem::take(self);
        Frames { bytes: bytes.freeze(), messages, payload }
    }
}

/// How long the first frame's header and its payload are; `None` where there is none.
fn lengths(frames: &[u8]) -> Option<(usize, usize)> {
    let (_, rest) = frames.split_first()?;
    Some(match *rest.first()? {
        126 => (4, u16::from_be_bytes(*rest[1..].first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*rest[1..].first_chunk()?) as usize),
        length => (2, length.into()),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketContext};

    use super::*;

    /// The messages as a client of another make reads them.
    pub(crate) fn decoded(frames: &Frames) -> Vec<Message> {
        let mut client = WebSocketContext::new(Role::Client, None);
        let mut stream = Cursor::new(frames.bytes.to_vec());
        std::iter::from_fn(|| client.read(&mut stream).ok()).collect()
    }

    fn of_every_length() -> Vec<Message> {
        let lengths = [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 200_000];
        let texts = lengths.map(|length| Message::text("x".repeat(length)));
        texts.into_iter().chain(lengths.map(|length| Message::binary(vec![7; length]))).collect()
    }

    #[test]
    fn messages_of_every_length_come_out_as_they_went_in() {
        let messages = of_every_length();
        let mut frames = FramesMut::default();
        messages.iter().for_each(|message| frames.push(message));
        let frames = frames.take();
        assert_eq!(decoded(&frames), messages);
        assert_eq!(frames.messages(), messages.len() as u64);
        assert_eq!(frames.payload(), messages.iter().map(|message| message.len() as u64).sum::<u64>());
    }

    #[test]
    fn a_frame_that_is_begun_is_under_way_until_its_end() {
        let mut frames = FramesMut::default();
        ["a", "b", "c"].map(Message::text).iter().for_each(|message| frames.push(message));
        let frames = frames.take();
        let kept = |count| frames.under_way(count).map(|begun| decoded(&begun).len());
        assert_eq!([0, 1, 3, 4, 6, 7, 9].map(kept), [None, Some(1), None, Some(2), None, Some(3), None]);
    }

    #[test]
    fn split_gives_each_message_by_itself() {
        let messages = of_every_length();
        let mut frames = FramesMut::default();
        messages.iter().for_each(|message| frames.push(message));
        let each: Vec<Vec<Message>> = frames.take().split().map(|frames| decoded(&frames)).collect();
        assert_eq!(each.concat(), messages);
        assert!(each.iter().all(|messages| messages.len() == 1));
    }
}
