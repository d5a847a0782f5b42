//! Decodes the frames of a client.

use std::io::Cursor;
use std::task::{Context, Poll};

use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::limits::Charge;

/// The longest header of a client's frame: two bytes, a length of eight bytes, a mask of four.
const MAX_HEADER_BYTES: usize = 14;
/// RFC 6455 section 5.5.
const MAX_CONTROL_BYTES: u64 = 125;

/// Incremental decoder for the frames of a client (RFC 6455 section 5).
///
/// It holds no memory between two messages, and at most twice what has arrived of an incomplete one. tungstenite parses
/// the headers. Its own decoder is not used because it reads into a buffer that never shrinks: a connection would keep room for
/// the largest frame that it ever received.
#[derive(Debug)]
pub(super) struct Decoder {
    max_message_bytes: usize,
    /// The start of an incomplete header, and how many bytes of it there are.
    header: ([u8; MAX_HEADER_BYTES], u8),
    /// Boxed and absent between two messages, since that is the state of most connections.
    partial: Option<Box<Partial>>,
    /// The share of the memory budget that the incomplete message holds.
    charge: Charge,
}

/// What the decoder holds of the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Nothing,
    /// A part of the message or of a frame.
    Part,
    /// The header of a message for which the memory budget has no room yet.
    WaitsForRoom,
}

/// An incomplete frame or message.
#[derive(Debug, Default)]
struct Partial {
    frame: Option<Frame>,
    /// The payload of a control frame. It has a buffer of its own since control frames may come between the fragments of a
    /// message.
    control: Vec<u8>,
    message: Option<PartialMessage>,
}

/// A frame whose payload is incomplete.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    length: usize,
    /// Bytes of the payload that have arrived.
    received: usize,
}

/// A message that lacks bytes or fragments.
#[derive(Debug)]
struct PartialMessage {
    is_text: bool,
    data: Vec<u8>,
    /// Bytes of a text that are known to be valid UTF-8. Each fragment is checked when it is complete; a character may be split
    /// between two fragments.
    valid: usize,
}

impl Decoder {
    pub(super) fn new(max_message_bytes: usize, charge: Charge) -> Self {
        Self { max_message_bytes, header: ([0; MAX_HEADER_BYTES], 0), partial: None, charge }
    }

    pub(super) fn progress(&self) -> Progress {
        if self.charge.is_waiting() {
            Progress::WaitsForRoom
        } else if self.header.1 > 0 || self.partial.is_some() {
            Progress::Part
        } else {
            Progress::Nothing
        }
    }

    /// Ready when the memory budget has room for the message whose header has arrived. Until then nothing is decoded.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.charge.poll_room(cx)
    }

    /// Decodes the next message and advances `input` past it. Returns `None` when more bytes, or room for them, are needed. Must
    /// not be called after an error.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, Error>> {
        self.try_next(input).transpose()
    }

    fn try_next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            if self.charge.is_waiting() {
                return Ok(None);
            }
            let has_frame = self.partial.as_ref().is_some_and(|partial| partial.frame.is_some());
            if !has_frame {
                let Some(frame) = self.next_header(input)? else { return Ok(None) };
                if let Some(message) = self.complete_message(&frame, input)? {
                    return Ok(Some(message));
                }
                let partial = self.partial.get_or_insert_default();
                if let OpCode::Data(_) = frame.opcode {
                    // For all that the header announces, since incomplete messages that wait for each other's memory would
                    // deadlock.
                    self.charge
                        .request(frame.length + partial.message.as_ref().map_or(0, |message| message.data.len()));
                }
                partial.frame = Some(frame);
                continue;
            }
            let Some(partial) = &mut self.partial else { return Ok(None) };
            if !partial.fill(input) {
                return Ok(None);
            }
            let message = partial.end_frame()?;
            if partial.message.is_none() {
                self.partial = None;
                self.charge.request(0);
            }
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// Takes the next header if it is complete.
    fn next_header(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Error> {
        let (head, have) = (&mut self.header.0, usize::from(self.header.1));
        let is_continued = have > 0;
        let (parsed, length) = if is_continued {
            let count = input.len().min(MAX_HEADER_BYTES - have);
            head[have..have + count].copy_from_slice(&input[..count]);
            let mut cursor = Cursor::new(&head[..have + count]);
            (FrameHeader::parse(&mut cursor)?, cursor.position() as usize)
        } else {
            let mut cursor = Cursor::new(*input);
            (FrameHeader::parse(&mut cursor)?, cursor.position() as usize)
        };
        match parsed {
            Some((header, payload)) => {
                *input = &input[length - have..];
                self.header.1 = 0;
                self.check(&header, payload).map(Some)
            }
            None => {
                // This fits: a header of the greatest length would have been parsed.
                if !is_continued {
                    head[..input.len()].copy_from_slice(input);
                }
                self.header.1 += input.len() as u8;
                *input = &[];
                Ok(None)
            }
        }
    }

    /// Rejects an invalid header, before its payload has arrived.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<Frame, Error> {
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let before = message.map_or(0, |message| message.data.len());
        let size = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(before);
        if size > self.max_message_bytes && matches!(header.opcode, OpCode::Data(_)) {
            return Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size: self.max_message_bytes }));
        }
        let mask = header.mask.ok_or(ProtocolError::UnmaskedFrameFromClient)?;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::NonZeroReservedBits.into());
        }
        match (header.opcode, message) {
            (OpCode::Control(_), _) if !header.is_final => return Err(ProtocolError::FragmentedControlFrame.into()),
            (OpCode::Control(_), _) if length > MAX_CONTROL_BYTES => {
                return Err(ProtocolError::ControlFrameTooBig.into());
            }
            (OpCode::Data(Data::Continue), None) => return Err(ProtocolError::UnexpectedContinueFrame.into()),
            (OpCode::Data(data @ (Data::Text | Data::Binary)), Some(_)) => {
                return Err(ProtocolError::ExpectedFragment(data).into());
            }
            _ => {}
        }
        Ok(Frame { opcode: header.opcode, is_final: header.is_final, mask, length: length as usize, received: 0 })
    }

    /// The fast path: a message that is one frame, all of which is in `input`.
    fn complete_message(&self, frame: &Frame, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        if !frame.is_final || frame.opcode == OpCode::Data(Data::Continue) {
            return Ok(None);
        }
        let Some((payload, rest)) = input.split_at_checked(frame.length) else { return Ok(None) };
        *input = rest;
        let mut payload = payload.to_vec();
        unmask(&mut payload, frame.mask);
        message(frame.opcode, payload).map(Some)
    }
}

impl Partial {
    /// Takes what `input` has of the frame's payload. Returns whether the payload is complete.
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        let Some(frame) = &mut self.frame else { return true };
        let data = match frame.opcode {
            OpCode::Control(_) => &mut self.control,
            OpCode::Data(data) => {
                let is_text = data == Data::Text;
                &mut self.message.get_or_insert_with(|| PartialMessage { is_text, data: Vec::new(), valid: 0 }).data
            }
        };
        let (part, rest) = input.split_at(input.len().min(frame.length - frame.received));
        let needed = data.len() + part.len();
        if needed > data.capacity() {
            // Grows with what arrives and not to the announced length, which costs a hostile client nothing to announce.
            let all = data.len() + frame.length - frame.received;
            data.reserve_exact(needed.max(2 * data.capacity()).min(all) - data.len());
        }
        let start = data.len();
        data.extend_from_slice(part);
        let mut mask = frame.mask;
        mask.rotate_left(frame.received % 4);
        unmask(&mut data[start..], mask);
        frame.received += part.len();
        *input = rest;
        frame.received == frame.length
    }

    /// Ends a complete frame. Returns the message if the frame is its last.
    fn end_frame(&mut self) -> Result<Option<Message>, Error> {
        let Some(Frame { opcode, is_final, .. }) = self.frame.take() else { return Ok(None) };
        if let OpCode::Control(_) = opcode {
            return message(opcode, std::mem::take(&mut self.control)).map(Some);
        }
        let Some(partial) = &mut self.message else { return Ok(None) };
        partial.validate(is_final)?;
        if !is_final {
            return Ok(None);
        }
        let opcode = if partial.is_text { Data::Text } else { Data::Binary };
        let data = std::mem::take(&mut partial.data);
        self.message = None;
        message(OpCode::Data(opcode), data).map(Some)
    }
}

impl PartialMessage {
    /// Rejects a text as soon as no further fragment could make it valid UTF-8.
    fn validate(&mut self, is_final: bool) -> Result<(), Error> {
        // A text in a single frame is checked by the conversion into a message.
        if !self.is_text || (is_final && self.valid == 0) {
            return Ok(());
        }
        match std::str::from_utf8(&self.data[self.valid..]) {
            Ok(text) => self.valid += text.len(),
            Err(error) if error.error_len().is_none() && !is_final => self.valid += error.valid_up_to(),
            Err(error) => return Err(Error::Utf8(error.to_string())),
        }
        Ok(())
    }
}

fn message(opcode: OpCode, payload: Vec<u8>) -> Result<Message, Error> {
    Ok(match opcode {
        OpCode::Data(Data::Text) => Message::Text(text(payload)?),
        OpCode::Data(_) => Message::Binary(payload.into()),
        OpCode::Control(Control::Ping) => Message::Ping(payload.into()),
        OpCode::Control(Control::Pong) => Message::Pong(payload.into()),
        OpCode::Control(_) => Message::Close(close_frame(payload)?),
    })
}

fn text(bytes: Vec<u8>) -> Result<Utf8Bytes, Error> {
    String::from_utf8(bytes).map(Utf8Bytes::from).map_err(|error| Error::Utf8(error.to_string()))
}

/// RFC 6455 section 5.5.1: an empty payload, or a code and a reason. A code that must not be sent becomes a protocol error.
fn close_frame(payload: Vec<u8>) -> Result<Option<CloseFrame>, Error> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::InvalidCloseSequence.into()) };
    };
    let (code, reason) = (CloseCode::from(u16::from_be_bytes(*code)), text(reason.to_vec())?);
    if code.is_allowed() {
        return Ok(Some(CloseFrame { code, reason }));
    }
    Ok(Some(CloseFrame { code: CloseCode::Protocol, reason: Utf8Bytes::from_static("Protocol violation") }))
}

/// Applies a mask (RFC 6455 section 5.3); applying it twice restores the payload.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let mut words = bytes.chunks_exact_mut(4);
    for word in &mut words {
        for (byte, mask) in word.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::Waker;

    use fastrand::Rng;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

    use super::*;
    use crate::limits::{Limits, MemoryBudget};

    const MAX: usize = 3_000;

    /// The first byte of a frame.
    const TEXT: u8 = 0x01;
    const BINARY: u8 = 0x02;
    const CLOSE: u8 = 0x88;
    const PING: u8 = 0x89;
    const FIN: u8 = 0x80;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x1d, 0, 0xff, 0x80];
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length @ 126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn decoder(max_message_bytes: usize) -> Decoder {
        Decoder::new(max_message_bytes, MemoryBudget::new(&Limits::default()).charge(None))
    }

    /// The decoded messages, and the error if there is one.
    fn decode(decoder: &mut Decoder, input: &[u8]) -> (Vec<Message>, Option<String>) {
        let mut messages = Vec::new();
        let mut rest = input;
        while let Some(next) = decoder.next(&mut rest) {
            match next {
                Ok(message) => messages.push(message),
                Err(error) => return (messages, Some(kind(error))),
            }
        }
        assert!(rest.is_empty());
        (messages, None)
    }

    fn kind(error: Error) -> String {
        match error {
            Error::Utf8(_) => "not UTF-8".to_owned(),
            Error::Capacity(_) => "too large".to_owned(),
            error => format!("{error:?}"),
        }
    }

    /// A stream that blocks at the end of its bytes.
    struct Input<'a>(&'a [u8]);

    impl io::Read for Input<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(buffer) }
        }
    }

    impl io::Write for Input<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What tungstenite decodes, up to a close frame.
    fn as_tungstenite_does(input: &[u8]) -> (Vec<Message>, Option<String>) {
        let config = WebSocketConfig::default().max_message_size(Some(MAX)).max_frame_size(Some(MAX));
        let mut context = WebSocketContext::new(Role::Server, Some(config));
        let (mut input, mut messages) = (Input(input), Vec::new());
        loop {
            match context.read(&mut input) {
                Ok(message) => {
                    let is_close = message.is_close();
                    messages.push(message);
                    if is_close {
                        return (messages, None);
                    }
                }
                Err(Error::Io(_)) => return (messages, None),
                Err(error) => return (messages, Some(kind(error))),
            }
        }
    }

    /// Random frames of a client; most streams end with a violation of the protocol.
    fn stream(random: &mut Rng) -> Vec<u8> {
        let mut bytes = Vec::new();
        let payload = |random: &mut Rng| -> Vec<u8> {
            let length = random.choice([0, 1, 5, 125, 126, 700]).unwrap_or(0);
            "aé\u{20ac}\u{1f600}".bytes().cycle().take(length).collect()
        };
        for _ in 0..random.usize(..8) {
            let whole = payload(random);
            // Fragments may split a character. A text that ends within one is a violation, and is kept in one case of ten.
            let whole =
                if random.u8(..10) > 0 { String::from_utf8_lossy(&whole).into_owned().into_bytes() } else { whole };
            let mut opcode = if random.bool() { TEXT } else { BINARY };
            let mut rest = &whole[..];
            while random.bool() {
                let (part, behind) = rest.split_at(random.usize(..=rest.len()));
                bytes.extend(frame(opcode, part));
                (opcode, rest) = (0, behind);
                if random.bool() {
                    bytes.extend(frame(PING, &b"ping"[..random.usize(..=4)]));
                }
            }
            bytes.extend(frame(FIN | opcode, rest));
        }
        let unmasked = [FIN | TEXT, 1, b'a'];
        let end = match random.u8(..16) {
            0 => unmasked.to_vec(),
            1 => frame(FIN | 0x40 | TEXT, b"reserved bit"),
            2 => frame(FIN | 0x03, b"reserved opcode"),
            3 => frame(FIN, b"continues nothing"),
            4 => [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat(),
            5 => frame(0x09, b"a ping in parts"),
            6 => frame(PING, &[0; 126]),
            7 => frame(FIN | BINARY, &[0; MAX + 1]),
            8 => [frame(BINARY, &[0; MAX]), frame(FIN, &[0; 1])].concat(),
            9 => frame(CLOSE, b""),
            10 => frame(CLOSE, &[3]),
            11 => frame(CLOSE, &[0x03, 0xe8, b'b', b'y', b'e']),
            12 => frame(CLOSE, &[0x03, 0xed, b'!']),
            13 => frame(CLOSE, &[0x03, 0xe8, 0xff]),
            14 => frame(FIN | TEXT, &[0xff]),
            _ => frame(FIN | BINARY, &[7; MAX]),
        };
        bytes.extend(end);
        bytes
    }

    #[test]
    fn it_decodes_every_stream_as_tungstenite_does() {
        let mut random = Rng::with_seed(7);
        for _ in 0..2_000 {
            let bytes = stream(&mut random);
            let expected = as_tungstenite_does(&bytes);
            assert_eq!(decode(&mut decoder(MAX), &bytes), expected);
            // Also when it arrives in pieces.
            let (mut decoder, mut found) = (decoder(MAX), (Vec::new(), None));
            let mut rest = &bytes[..];
            while found.1.is_none() && !rest.is_empty() {
                let (part, behind) = rest.split_at(random.usize(1..=rest.len().min(300)));
                rest = behind;
                let (messages, error) = decode(&mut decoder, part);
                found.0.extend(messages);
                found.1 = error;
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn it_decodes_a_stream_that_arrives_byte_by_byte() {
        let bytes = [frame(TEXT, "\u{20ac}".as_bytes()), frame(PING, b"?"), frame(FIN, &[b'x'; 200])].concat();
        let mut decoder = decoder(MAX);
        let each = bytes.chunks(1).flat_map(|byte| decode(&mut decoder, byte).0);
        let text = format!("\u{20ac}{}", "x".repeat(200));
        assert_eq!(each.collect::<Vec<_>>(), [Message::Ping("?".into()), Message::text(text)]);
    }

    #[test]
    fn it_holds_no_memory_between_two_messages() {
        let mut decoder = decoder(1 << 20);
        let bytes = frame(FIN | BINARY, &vec![0; 1 << 20]);
        for part in bytes.chunks(10_000) {
            decode(&mut decoder, part);
        }
        assert!(decoder.partial.is_none());
    }

    #[test]
    fn an_announced_payload_takes_no_memory_before_it_arrives() {
        let mut decoder = decoder(1 << 20);
        let bytes = frame(FIN | BINARY, &vec![0; 1 << 20]);
        assert_eq!(decode(&mut decoder, &bytes[..30_000]), (Vec::new(), None));
        let held = decoder.partial.as_ref().unwrap().message.as_ref().unwrap().data.capacity();
        assert!(held <= 60_000, "{held}");
    }

    #[test]
    fn a_large_message_waits_for_room_in_the_memory_budget_and_a_small_one_does_not() {
        let budget = MemoryBudget::new(&Limits { buffered_bytes: 100_000, ..Limits::default() });
        let mut others = budget.charge(None);
        others.request(60_000);
        let mut decoder = Decoder::new(MAX << 10, budget.charge(None));
        let small = frame(FIN | BINARY, &[7; MAX]);
        assert_eq!(decode(&mut decoder, &small).0.len(), 1);
        let large = frame(FIN | BINARY, &[7; 80_000]);
        let mut input = &large[..50_000];
        assert!(decoder.next(&mut input).is_none());
        assert!(input.len() > 49_000, "the payload is not taken");
        assert_eq!(decoder.progress(), Progress::WaitsForRoom);
        drop(others);
        assert!(decoder.poll_room(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(decoder.next(&mut input).is_none());
        assert_eq!(decode(&mut decoder, &large[50_000..]).0, [Message::binary(vec![7; 80_000])]);
        let mut all = budget.charge(None);
        assert!(all.force(100_000), "all of it is given back");
    }
}
