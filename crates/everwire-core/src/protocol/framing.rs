//! WebSocket messages, their lines and payloads.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::{fmt::Write as _, marker::PhantomData, mem, str};

use super::{
    client::ClientLine,
    delivery::EncodedMsg,
    error::{EncodeError, ProtocolError},
    header::{self, MAX_HEADER, MAX_NUMBER, decimal},
    server::ServerLine,
};

/// Separates the lines of a text message.
const SEPARATOR: char = '\u{1e}';

/// The most bytes before a header in a binary message: a plus sign, the kind, the size and a space.
const MAX_SIZE_WORD: usize = 19;

/// A buffer that grew beyond this is not kept for the next message.
const MAX_SPARE: usize = 64 * 1024;

/// The payload of a line, which only applications read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Payload<'a> {
    /// The line has no payload, which differs from an empty one.
    #[default]
    None,
    /// A text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Its bytes; none for [`Payload::None`].
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Whether the line has no payload.
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether a text message can carry it.
    fn fits_text(self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) => !text.contains(SEPARATOR),
            Self::Binary(_) => false,
        }
    }
}

/// The lines of one direction: [`ClientLine`] or [`ServerLine`].
pub trait Line<'a>: Sized + sealed::Sealed {
    /// Parses a header.
    ///
    /// # Errors
    /// The type is not known, or the specification does not allow the header.
    fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>>;

    /// Appends the header, without what separates it from a payload.
    ///
    /// # Errors
    /// A field is not what the specification allows; nothing was appended.
    fn write(&self, header: &mut String) -> Result<(), EncodeError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ClientLine<'_> {}
    impl Sealed for super::ServerLine<'_> {}
}

impl<'a> Line<'a> for ClientLine<'a> {
    fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>> {
        Self::parse(header)
    }

    fn write(&self, header: &mut String) -> Result<(), EncodeError> {
        self.write(header)
    }
}

impl<'a> Line<'a> for ServerLine<'a> {
    fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>> {
        Self::parse(header)
    }

    fn write(&self, header: &mut String) -> Result<(), EncodeError> {
        self.write(header)
    }
}

/// The lines of a received message, each with its payload. Everything is borrowed from the message.
///
/// After [`ProtocolError::UnknownLine`] the other lines follow; [`ProtocolError::Malformed`] is the last item.
///
/// ```
/// use everwire_core::protocol::{ClientLine, Lines, Payload};
///
/// let mut lines = Lines::<ClientLine>::text("ping 7\u{1e}pub chat 1\nhello");
/// assert_eq!(lines.next(), Some(Ok((ClientLine::Ping { number: 7 }, Payload::None))));
/// let (line, payload) = lines.next().expect("a second line").expect("it is right");
/// assert_eq!((line.line_type(), payload), ("pub", Payload::Text("hello")));
/// assert_eq!(lines.next(), None);
/// ```
#[derive(Debug, Clone)]
pub struct Lines<'a, L> {
    rest: Rest<'a>,
    line: PhantomData<fn() -> L>,
}

/// The unread rest of a message.
#[derive(Debug, Clone, Copy)]
enum Rest<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Nothing,
}

impl<'a, L: Line<'a>> Lines<'a, L> {
    /// The lines of a text message.
    pub const fn text(message: &'a str) -> Self {
        Self { rest: Rest::Text(message), line: PhantomData }
    }

    /// The lines of a binary message.
    pub const fn binary(message: &'a [u8]) -> Self {
        Self { rest: Rest::Binary(message), line: PhantomData }
    }

    /// Splits off the next line, as a header and a payload.
    fn split(&mut self) -> Option<Result<(&'a str, Payload<'a>), ProtocolError<'a>>> {
        match mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Text(text) => {
                let (line, rest) = match text.split_once(SEPARATOR) {
                    Some((line, rest)) => (line, Rest::Text(rest)),
                    None => (text, Rest::Nothing),
                };
                self.rest = rest;
                Some(Ok(match line.split_once('\n') {
                    Some((header, payload)) => (header, Payload::Text(payload)),
                    None => (line, Payload::None),
                }))
            }
            Rest::Binary(bytes) => Some(split_binary(bytes).map(|(header, payload, rest)| {
                if !rest.is_empty() {
                    self.rest = Rest::Binary(rest);
                }
                (header, payload)
            })),
            Rest::Nothing => None,
        }
    }
}

impl<'a, L: Line<'a>> Iterator for Lines<'a, L> {
    type Item = Result<(L, Payload<'a>), ProtocolError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.split()?.and_then(|(header, payload)| Ok((L::parse(header)?, payload)));
        if matches!(item, Err(ProtocolError::Malformed { .. })) {
            self.rest = Rest::Nothing;
        }
        Some(item)
    }
}

fn split_binary(bytes: &[u8]) -> Result<(&str, Payload<'_>, &[u8]), ProtocolError<'_>> {
    let malformed = |reason| header::malformed("", reason);
    let searched = &bytes[..bytes.len().min(MAX_SIZE_WORD + MAX_HEADER + 1)];
    let end = searched.iter().position(|byte| *byte == b'\n');
    let (header, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => return Err(malformed("in a binary message a header has at most 1024 bytes and ends with a line feed")),
    };
    let header = str::from_utf8(header).map_err(|_| malformed("a header is UTF-8"))?;
    let Some(sized) = header.strip_prefix('+') else { return Ok((header, Payload::None, rest)) };
    let (size, header) = sized.split_once(' ').ok_or_else(|| malformed("a header follows its size"))?;
    let malformed = |reason| header::malformed(header, reason);
    let is_text = match size.as_bytes().first() {
        Some(b't') => true,
        Some(b'b') => false,
        _ => return Err(malformed("a payload is +t for a text or +b for bytes")),
    };
    let size = decimal(&size[1..], MAX_NUMBER).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| malformed("the size of a payload is an integer without leading zeros"))?;
    let (payload, rest) =
        rest.split_at_checked(size).ok_or_else(|| malformed("the payload is shorter than its size"))?;
    let payload = if is_text {
        Payload::Text(str::from_utf8(payload).map_err(|_| malformed("a text is UTF-8"))?)
    } else {
        Payload::Binary(payload)
    };
    Ok((header, payload, rest))
}

/// A WebSocket message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Message {
    /// Its size in bytes.
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it holds no line, which no message of a [`MessageWriter`] does.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Packs lines into as few messages as their order allows.
///
/// Lines join the last message. The first payload that a text message cannot carry begins a binary message, which takes everything after
/// it; so a batch is one text message, one binary message, or one of each, unless a message would exceed the limit.
///
/// ```
/// use everwire_core::protocol::{ClientLine, Message, MessageWriter, Payload, Pub};
///
/// let mut writer = MessageWriter::new(usize::MAX);
/// writer.push(&ClientLine::Ping { number: 1 }, Payload::None)?;
/// writer.push(&ClientLine::Pub(Pub::new("chat", 1)), Payload::Text("hello"))?;
/// writer.push(&ClientLine::Pub(Pub::new("map", 2)), Payload::Binary(b"\x00\x01"))?;
/// let Some(Message::Text(text)) = writer.pop() else { panic!("a text message first") };
/// assert_eq!(text, "ping 1\u{1e}pub chat 1\nhello");
/// assert_eq!(writer.pop(), Some(Message::Binary(b"+b2 pub map 2\n\x00\x01".to_vec())));
/// assert_eq!(writer.pop(), None);
/// // The buffer of a sent message is reused for the next.
/// writer.recycle(Message::Text(text));
/// # Ok::<(), everwire_core::protocol::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct MessageWriter {
    max_bytes: usize,
    /// The last one accepts more lines.
    messages: VecDeque<Message>,
    header: String,
    spare_text: String,
    spare_binary: Vec<u8>,
}

impl MessageWriter {
    /// Creates a writer of messages up to the peer's limit in bytes.
    pub const fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            messages: VecDeque::new(),
            header: String::new(),
            spare_text: String::new(),
            spare_binary: Vec::new(),
        }
    }

    /// Changes the limit for the lines that follow.
    pub const fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Whether there is no message to send.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Appends a line.
    ///
    /// # Errors
    /// A field is not what the specification allows, or the line alone is larger than a message may be. Nothing was appended.
    pub fn push<'a>(&mut self, line: &impl Line<'a>, payload: Payload<'_>) -> Result<(), EncodeError> {
        self.header.clear();
        line.write(&mut self.header)?;
        self.append(payload)
    }

    /// Appends a message of a channel that was encoded for all subscribers, for one whose last offset is `after`.
    ///
    /// # Errors
    /// `after` is not below the offset, or the line alone is larger than a message may be. Nothing was appended.
    pub fn push_encoded(&mut self, msg: &EncodedMsg, after: u64, payload: Payload<'_>) -> Result<(), EncodeError> {
        self.header.clear();
        msg.write(after, &mut self.header)?;
        self.append(payload)
    }

    /// Takes the next message to send. Lines that are pushed afterwards join those that are left.
    pub fn pop(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// Keeps the buffer of a sent message for a later one.
    pub fn recycle(&mut self, message: Message) {
        match message {
            Message::Text(mut text) if text.capacity() <= MAX_SPARE => {
                text.clear();
                self.spare_text = text;
            }
            Message::Binary(mut bytes) if bytes.capacity() <= MAX_SPARE => {
                bytes.clear();
                self.spare_binary = bytes;
            }
            _ => {}
        }
    }

    /// Appends a line with the header `self.header`.
    fn append(&mut self, payload: Payload<'_>) -> Result<(), EncodeError> {
        let end = self.header.len();
        // The size that precedes the header in a binary message is formatted behind it in the same buffer, and copied to its front.
        let kind = match payload {
            Payload::None => None,
            Payload::Text(_) => Some('t'),
            Payload::Binary(_) => Some('b'),
        };
        let payload_len = payload.as_bytes().len();
        if let Some(kind) = kind {
            // Writing to a string cannot fail.
            let _ = write!(self.header, "+{kind}{payload_len} ");
        }
        let (header, size) = self.header.split_at(end);
        let text_len = header.len() + usize::from(kind.is_some()) + payload_len;
        let binary_len = size.len() + header.len() + 1 + payload_len;
        let fits_text = payload.fits_text();
        match self.messages.back_mut() {
            Some(Message::Text(text)) if fits_text && text.len() + 1 + text_len <= self.max_bytes => {
                text.push(SEPARATOR);
                append_text(text, header, payload);
            }
            Some(Message::Binary(bytes)) if bytes.len() + binary_len <= self.max_bytes => {
                append_binary(bytes, size, header, payload);
            }
            _ => {
                let bytes = if fits_text { text_len } else { binary_len };
                if bytes > self.max_bytes {
                    return Err(EncodeError::TooLarge { bytes, max: self.max_bytes });
                }
                self.messages.push_back(if fits_text {
                    let mut text = mem::take(&mut self.spare_text);
                    append_text(&mut text, header, payload);
                    Message::Text(text)
                } else {
                    let mut bytes = mem::take(&mut self.spare_binary);
                    append_binary(&mut bytes, size, header, payload);
                    Message::Binary(bytes)
                });
            }
        }
        Ok(())
    }
}

fn append_text(message: &mut String, header: &str, payload: Payload<'_>) {
    message.push_str(header);
    if let Payload::Text(payload) = payload {
        message.push('\n');
        message.push_str(payload);
    }
}

fn append_binary(message: &mut Vec<u8>, size: &str, header: &str, payload: Payload<'_>) {
    message.extend_from_slice(size.as_bytes());
    message.extend_from_slice(header.as_bytes());
    message.push(b'\n');
    message.extend_from_slice(payload.as_bytes());
}
