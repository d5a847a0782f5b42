use std::io::Cursor;
use std::task::{Context, Poll};

use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::limits::Charge;

/// The longest header that a client sends: two bytes, a length of eight, and a mask.
const LONGEST_HEADER: usize = 14;
/// RFC 6455 section 5.5.
const MOST_CONTROL_BYTES: u64 = 125;

/// Decodes what a client sends (RFC 6455 section 5), in whatever parts it arrives.
///
/// Between two messages it holds no memory, and in the middle of one at most twice what has arrived. tungstenite parses the
/// headers. Its own decoder reads into one buffer that it never gives back: it keeps room for the largest frame that a
/// connection has sent, for as long as the connection lives.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Bytes of a message at most.
    most: usize,
    /// What has arrived of a header.
    header: ([u8; LONGEST_HEADER], u8),
    /// What has arrived of a frame and a message. Most connections wait between two messages.
    partial: Option<Box<Partial>>,
    charge: Charge,
}

/// What a decoder has of the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Nothing,
    /// A part of it, or of a frame.
    Part,
    /// A header, and all connections together hold as much of unfinished messages as they may.
    WaitsForRoom,
}

#[derive(Debug, Default)]
struct Partial {
    frame: Option<Frame>,
    /// The payload of a control frame, which may come between the frames of a message.
    control: Vec<u8>,
    message: Option<Unfinished>,
}

/// A frame whose payload is still arriving.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    length: usize,
    /// How much of it has arrived.
    done: usize,
}

/// A message that still lacks something.
#[derive(Debug)]
struct Unfinished {
    is_text: bool,
    data: Vec<u8>,
    /// How much of a text is known to be UTF-8. Each frame is looked at by itself; a character may lie across two.
    valid: usize,
}

impl Decoder {
    pub(super) fn new(most: usize, charge: Charge) -> Self {
        Self { most, header: ([0; LONGEST_HEADER], 0), partial: None, charge }
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

    /// Ready when there is room for the message whose header has arrived. Nothing more is decoded before.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.charge.poll_room(cx)
    }

    /// The next message of `input`, which is moved on behind what was decoded; `None` when more has to arrive, or there has to
    /// be room. After an error there is nothing more to decode.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, Error>> {
        self.try_next(input).transpose()
    }

    fn try_next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            if self.charge.is_waiting() {
                return Ok(None);
            }
            let is_under_way = self.partial.as_ref().is_some_and(|partial| partial.frame.is_some());
            if !is_under_way {
                let Some(frame) = self.next_header(input)? else { return Ok(None) };
                if let Some(message) = self.whole(&frame, input)? {
                    return Ok(Some(message));
                }
                let partial = self.partial.get_or_insert_default();
                if let OpCode::Data(_) = frame.opcode {
                    // For all that the header announces: what has begun must not have to wait for others that have begun.
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

    /// Takes the next header, if all of it is there.
    fn next_header(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Error> {
        let (head, have) = (&mut self.header.0, usize::from(self.header.1));
        let begun = have > 0;
        let (parsed, length) = if begun {
            let count = input.len().min(LONGEST_HEADER - have);
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
                // Fewer than the longest header has: that one would have been parsed.
                if !begun {
                    head[..input.len()].copy_from_slice(input);
                }
                self.header.1 += input.len() as u8;
                *input = &[];
                Ok(None)
            }
        }
    }

    /// What a header is refused for is refused before its payload arrives.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<Frame, Error> {
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let before = message.map_or(0, |message| message.data.len());
        let size = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(before);
        if size > self.most && matches!(header.opcode, OpCode::Data(_)) {
            return Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size: self.most }));
        }
        let mask = header.mask.ok_or(ProtocolError::UnmaskedFrameFromClient)?;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::NonZeroReservedBits.into());
        }
        match (header.opcode, message) {
            (OpCode::Control(_), _) if !header.is_final => return Err(ProtocolError::FragmentedControlFrame.into()),
            (OpCode::Control(_), _) if length > MOST_CONTROL_BYTES => {
                return Err(ProtocolError::ControlFrameTooBig.into());
            }
            (OpCode::Data(Data::Continue), None) => return Err(ProtocolError::UnexpectedContinueFrame.into()),
            (OpCode::Data(data @ (Data::Text | Data::Binary)), Some(_)) => {
                return Err(ProtocolError::ExpectedFragment(data).into());
            }
            _ => {}
        }
        Ok(Frame { opcode: header.opcode, is_final: header.is_final, mask, length: length as usize, done: 0 })
    }

    /// The message that a frame is, where all of it is here: most often it is.
    fn whole(&self, frame: &Frame, input: &mut &[u8]) -> Result<Option<Message>, Error> {
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
    /// Takes what there is of the frame's payload. Says whether that is all of it.
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        let Some(frame) = &mut self.frame else { return true };
        let data = match frame.opcode {
            OpCode::Control(_) => &mut self.control,
            OpCode::Data(data) => {
                let is_text = data == Data::Text;
                &mut self.message.get_or_insert_with(|| Unfinished { is_text, data: Vec::new(), valid: 0 }).data
            }
        };
        let (part, rest) = input.split_at(input.len().min(frame.length - frame.done));
        let needed = data.len() + part.len();
        if needed > data.capacity() {
            // Not at once as much as the header announces, which costs its sender nothing.
            let all = data.len() + frame.length - frame.done;
            data.reserve_exact(needed.max(2 * data.capacity()).min(all) - data.len());
        }
        let start = data.len();
        data.extend_from_slice(part);
        let mut mask = frame.mask;
        mask.rotate_left(frame.done % 4);
        unmask(&mut data[start..], mask);
        frame.done += part.len();
        *input = rest;
        frame.done == frame.length
    }

    /// Ends the frame, all of which is here, and the message if the frame is its last.
    fn end_frame(&mut self) -> Result<Option<Message>, Error> {
        let Some(Frame { opcode, is_final, .. }) = self.frame.take() else { return Ok(None) };
        if let OpCode::Control(_) = opcode {
            return message(opcode, std::mem::take(&mut self.control)).map(Some);
        }
        let Some(unfinished) = &mut self.message else { return Ok(None) };
        unfinished.validate(is_final)?;
        if !is_final {
            return Ok(None);
        }
        let opcode = if unfinished.is_text { Data::Text } else { Data::Binary };
        let data = std::mem::take(&mut unfinished.data);
        self.message = None;
        message(OpCode::Data(opcode), data).map(Some)
    }
}

impl Unfinished {
    /// Refuses a text as soon as it cannot become UTF-8 any more.
    fn validate(&mut self, is_final: bool) -> Result<(), Error> {
        // A text in one frame is looked at when it becomes a message.
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

/// RFC 6455 section 5.5.1: nothing, or a code and a reason. A code that nobody may send is a mistake of its own.
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

/// Takes a mask off, or puts it on (RFC 6455 section 5.3).
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
    use crate::limits::{Budget, Limits};

    const MOST: usize = 3_000;

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

    fn decoder(most: usize) -> Decoder {
        Decoder::new(most, Budget::new(&Limits::default()).charge(None))
    }

    /// What comes out, and the error at the end.
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

    /// Memory that is read in parts.
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

    /// What tungstenite makes of it, up to a close frame.
    fn as_tungstenite_does(input: &[u8]) -> (Vec<Message>, Option<String>) {
        let config = WebSocketConfig::default().max_message_size(Some(MOST)).max_frame_size(Some(MOST));
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

    /// Frames as a client sends them, with a mistake at the end of some.
    fn stream(random: &mut Rng) -> Vec<u8> {
        let mut bytes = Vec::new();
        let payload = |random: &mut Rng| -> Vec<u8> {
            let length = random.choice([0, 1, 5, 125, 126, 700]).unwrap_or(0);
            "aé\u{20ac}\u{1f600}".bytes().cycle().take(length).collect()
        };
        for _ in 0..random.usize(..8) {
            let whole = payload(random);
            // A text in parts may be cut within a character; what is cut at its end is a mistake.
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
            7 => frame(FIN | BINARY, &[0; MOST + 1]),
            8 => [frame(BINARY, &[0; MOST]), frame(FIN, &[0; 1])].concat(),
            9 => frame(CLOSE, b""),
            10 => frame(CLOSE, &[3]),
            11 => frame(CLOSE, &[0x03, 0xe8, b'b', b'y', b'e']),
            12 => frame(CLOSE, &[0x03, 0xed, b'!']),
            13 => frame(CLOSE, &[0x03, 0xe8, 0xff]),
            14 => frame(FIN | TEXT, &[0xff]),
            _ => frame(FIN | BINARY, &[7; MOST]),
        };
        bytes.extend(end);
        bytes
    }

    #[test]
    fn it_makes_the_same_of_every_stream_as_tungstenite_does() {
        let mut random = Rng::with_seed(7);
        for _ in 0..2_000 {
            let bytes = stream(&mut random);
            let expected = as_tungstenite_does(&bytes);
            assert_eq!(decode(&mut decoder(MOST), &bytes), expected);
            // In whatever parts.
            let (mut decoder, mut found) = (decoder(MOST), (Vec::new(), None));
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
    fn a_byte_at_a_time_is_enough() {
        let bytes = [frame(TEXT, "\u{20ac}".as_bytes()), frame(PING, b"?"), frame(FIN, &[b'x'; 200])].concat();
        let mut decoder = decoder(MOST);
        let each = bytes.chunks(1).flat_map(|byte| decode(&mut decoder, byte).0);
        let text = format!("\u{20ac}{}", "x".repeat(200));
        assert_eq!(each.collect::<Vec<_>>(), [Message::Ping("?".into()), Message::text(text)]);
    }

    #[test]
    fn between_two_messages_it_holds_nothing_whatever_the_last_was() {
        let mut decoder = decoder(1 << 20);
        let bytes = frame(FIN | BINARY, &vec![0; 1 << 20]);
        for part in bytes.chunks(10_000) {
            decode(&mut decoder, part);
        }
        assert!(decoder.partial.is_none());
    }

    #[test]
    fn what_a_header_announces_takes_no_memory_before_it_arrives() {
        let mut decoder = decoder(1 << 20);
        let bytes = frame(FIN | BINARY, &vec![0; 1 << 20]);
        assert_eq!(decode(&mut decoder, &bytes[..30_000]), (Vec::new(), None));
        let held = decoder.partial.as_ref().unwrap().message.as_ref().unwrap().data.capacity();
        assert!(held <= 60_000, "{held}");
    }

    #[test]
    fn a_large_message_waits_for_room_and_a_small_one_does_not() {
        let budget = Budget::new(&Limits { buffered_bytes: 100_000, ..Limits::default() });
        let mut others = budget.charge(None);
        others.request(60_000);
        let mut decoder = Decoder::new(MOST << 10, budget.charge(None));
        let small = frame(FIN | BINARY, &[7; MOST]);
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
