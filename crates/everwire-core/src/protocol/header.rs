//! The words of a line's header: parsing, writing and their limits.

use alloc::string::String;
use core::{
    fmt::{self, Write as _},
    str::FromStr,
};

use thiserror::Error;

use super::error::{EncodeError, ErrorCode, ProtocolError};

/// The largest number in a line, 2⁵³ − 1: the largest integer that JavaScript represents exactly. Only epochs and offsets may be larger.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The most bytes of a header.
pub const MAX_HEADER: usize = 1_024;

/// The most bytes of the name of a channel, a request or a key.
pub const MAX_NAME: usize = 128;

/// The most bytes of a session's id or secret.
pub const MAX_ID: usize = 64;

/// The most bytes of a line's type, and of the name of an option.
pub const MAX_TYPE: usize = 32;

/// What is wrong with a line, or what would be allowed.
pub(super) type Reason = &'static str;

const HEADER_TOO_LONG: Reason = "a header has at most 1024 bytes";
const CONTROL: Reason = "a header has no control characters";
const EMPTY_WORD: Reason = "words are separated by one space, and none is empty";
const TYPE: Reason = "a type has 1 to 32 characters of a-z, 0-9 and -";
const MISSING_ARGUMENT: Reason = "an argument is missing";
const NAME: Reason = "a name has 1 to 128 bytes, no space and no control character";
const ID: Reason = "a session or secret has 1 to 64 characters of A-Z, a-z, 0-9, - and _";
const NUMBER: Reason = "a number is an integer from 0 to 2^53 - 1 without leading zeros";
const SEQ: Reason = "a sequence number is an integer from 1 to 2^53 - 1 without leading zeros";
const OFFSET: Reason = "an offset is an integer from 0 to 2^64 - 1 without leading zeros";
const CURSOR: Reason = "a cursor is EPOCH.OFFSET.TIME";
const CLOSE: Reason = "a close code is an integer from 1000 to 4999";
const CODE: Reason = "not one of the error codes";
const FLAG: Reason = "the only value of this option is 1";
const OPTION: Reason = "after its arguments a line has options: name=value, a name of a-z, 0-9 and -, a value";
const REPEATED: Reason = "an option occurs at most once";
const BEFORE: Reason = "after= names a smaller number than the line's own";

/// A position in a channel: after the message at `offset`. It is written as `EPOCH.OFFSET.TIME`.
///
/// Applications store it whole and treat it as opaque. Two cursors of one channel can be compared only within an epoch.
///
/// ```
/// use everwire_core::protocol::Cursor;
///
/// let cursor: Cursor = "9f.17.1795219190000".parse()?;
/// assert_eq!(cursor, Cursor { epoch: 0x9f, offset: 17, time: 1_795_219_190_000 });
/// assert_eq!(cursor.to_string(), "9f.17.1795219190000");
/// # Ok::<(), everwire_core::protocol::CursorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Chosen when the broker creates the channel's history, and again after that history was lost.
    pub epoch: u64,
    /// The offset of the last message before the position; 0 before the first.
    pub offset: u64,
    /// The time of that message in milliseconds since 1970, up to [`MAX_NUMBER`]. It shows whether the history was rewritten.
    pub time: u64,
}

impl Cursor {
    /// Parses the word of a line. `None` if it is not a cursor.
    pub fn parse(word: &str) -> Option<Self> {
        let (epoch, rest) = word.split_once('.')?;
        let (offset, time) = rest.split_once('.')?;
        let is_hexadecimal = epoch.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hexadecimal || (epoch.starts_with('0') && epoch != "0") {
            return None;
        }
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            offset: decimal(offset, u64::MAX)?,
            time: decimal(time, MAX_NUMBER)?,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}.{}.{}", self.epoch, self.offset, self.time)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        Self::parse(text).ok_or(CursorError)
    }
}

/// A text that is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor: pass one as it was received, EPOCH.OFFSET.TIME")]
pub struct CursorError;

/// Whether a text can name a channel, a request or a key: 1 to [`MAX_NAME`] bytes without a space and control characters.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.contains(' ') && !has_control(text)
}

/// Whether a text can be a session's id or secret: 1 to [`MAX_ID`] characters of `A–Z a–z 0–9 - _`.
pub fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn is_type(text: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=MAX_TYPE).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// The error of a line with this header, which names the line's type if it can be read.
pub(super) fn malformed(header: &str, reason: Reason) -> ProtocolError<'_> {
    let first = header.split(' ').next();
    ProtocolError::Malformed { line: first.filter(|word| is_type(word)), reason }
}

/// An integer without a sign and without zeros before it, up to `max`.
pub(super) fn decimal(text: &str, max: u64) -> Option<u64> {
    let digits = text.as_bytes();
    // `parse` would accept a plus sign.
    let is_plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !digits.starts_with(b"0"));
    is_plain.then(|| text.parse().ok())?.filter(|number| *number <= max)
}

fn has_control(text: &str) -> bool {
    // Bytes first: a header is ASCII almost always.
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) }
}

/// Reads the words of a header from left to right.
#[derive(Debug)]
pub(super) struct HeaderReader<'a> {
    line_type: &'a str,
    rest: Option<&'a str>,
}

impl<'a> HeaderReader<'a> {
    /// Checks the rules for every header, whether or not the type is known.
    pub(super) fn read(header: &'a str) -> Result<Self, Reason> {
        if header.len() > MAX_HEADER {
            return Err(HEADER_TOO_LONG);
        }
        if has_control(header) {
            return Err(CONTROL);
        }
        if header.split(' ').any(str::is_empty) {
            return Err(EMPTY_WORD);
        }
        let (line_type, rest) = match header.split_once(' ') {
            Some((line_type, rest)) => (line_type, Some(rest)),
            None => (header, None),
        };
        if !is_type(line_type) {
            return Err(TYPE);
        }
        Ok(Self { line_type, rest })
    }

    pub(super) fn line_type(&self) -> &'a str {
        self.line_type
    }

    pub(super) fn argument<T>(&mut self, read: impl FnOnce(&'a str) -> Result<T, Reason>) -> Result<T, Reason> {
        read(self.next().ok_or(MISSING_ARGUMENT)?)
    }

    pub(super) fn option(&mut self) -> Result<Option<(&'a str, &'a str)>, Reason> {
        let Some(word) = self.next() else { return Ok(None) };
        match word.split_once('=') {
            Some((name, value)) if is_type(name) && !value.is_empty() => Ok(Some((name, value))),
            _ => Err(OPTION),
        }
    }

    /// Ends a line that has no options of its own.
    pub(super) fn end<T>(mut self, line: T) -> Result<T, Reason> {
        while self.option()?.is_some() {}
        Ok(line)
    }

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (word, rest) = match rest.split_once(' ') {
            Some((word, rest)) => (word, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(word)
    }
}

/// Sets an option that occurs at most once.
pub(super) fn once<T>(option: &mut Option<T>, value: T) -> Result<(), Reason> {
    if option.replace(value).is_some() { Err(REPEATED) } else { Ok(()) }
}

pub(super) fn name(word: &str) -> Result<&str, Reason> {
    if is_name(word) { Ok(word) } else { Err(NAME) }
}

pub(super) fn id(word: &str) -> Result<&str, Reason> {
    if is_id(word) { Ok(word) } else { Err(ID) }
}

pub(super) fn line_type(word: &str) -> Result<&str, Reason> {
    if is_type(word) { Ok(word) } else { Err(TYPE) }
}

pub(super) fn number(word: &str) -> Result<u64, Reason> {
    decimal(word, MAX_NUMBER).ok_or(NUMBER)
}

pub(super) fn seq(word: &str) -> Result<u64, Reason> {
    decimal(word, MAX_NUMBER).filter(|seq| *seq > 0).ok_or(SEQ)
}

pub(super) fn offset(word: &str) -> Result<u64, Reason> {
    decimal(word, u64::MAX).ok_or(OFFSET)
}

pub(super) fn cursor(word: &str) -> Result<Cursor, Reason> {
    Cursor::parse(word).ok_or(CURSOR)
}

pub(super) fn code(word: &str) -> Result<ErrorCode, Reason> {
    ErrorCode::parse(word).ok_or(CODE)
}

pub(super) fn close_code(word: &str) -> Result<u16, Reason> {
    let code = decimal(word, u16::MAX.into()).and_then(|code| u16::try_from(code).ok()).ok_or(CLOSE)?;
    is_close_code(code).map(|()| code)
}

pub(super) fn flag(word: &str) -> Result<bool, Reason> {
    if word == "1" { Ok(true) } else { Err(FLAG) }
}

/// The number before `own`: the explicit one, or `own` less one.
pub(super) fn before(explicit: Option<u64>, own: u64) -> Result<u64, Reason> {
    let after = explicit.or(own.checked_sub(1)).ok_or(BEFORE)?;
    if after < own { Ok(after) } else { Err(BEFORE) }
}

/// Appends a header. An error is remembered until [`Self::finish`], which then removes everything that was appended.
#[derive(Debug)]
pub(super) struct HeaderWriter<'o> {
    header: &'o mut String,
    start: usize,
    wrong: Option<Reason>,
}

impl<'o> HeaderWriter<'o> {
    pub(super) fn new(header: &'o mut String, line_type: &str) -> Self {
        let start = header.len();
        header.push_str(line_type);
        Self { header, start, wrong: None }
    }

    pub(super) fn finish(self) -> Result<(), EncodeError> {
        match self.wrong {
            None => Ok(()),
            Some(reason) => {
                self.header.truncate(self.start);
                Err(EncodeError::Invalid(reason))
            }
        }
    }

    pub(super) fn require(mut self, holds: Result<(), Reason>) -> Self {
        self.wrong = self.wrong.or(holds.err());
        self
    }

    pub(super) fn display(self, word: impl fmt::Display) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.header, " {word}");
        self
    }

    pub(super) fn name(self, word: &str) -> Self {
        self.require(name(word).map(drop)).display(word)
    }

    pub(super) fn id(self, word: &str) -> Self {
        self.require(id(word).map(drop)).display(word)
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.require(is_number(number)).display(number)
    }

    pub(super) fn seq(self, seq: u64) -> Self {
        self.require(is_seq(seq)).display(seq)
    }

    pub(super) fn cursor(self, cursor: Cursor) -> Self {
        self.require(is_number(cursor.time)).display(cursor)
    }

    pub(super) fn display_option(self, name: &'static str, value: impl fmt::Display) -> Self {
        let _ = write!(self.header, " {name}={value}");
        self
    }

    pub(super) fn number_option(self, name: &'static str, number: u64) -> Self {
        self.require(is_number(number)).display_option(name, number)
    }

    pub(super) fn seq_option(self, name: &'static str, seq: u64) -> Self {
        self.require(is_seq(seq)).display_option(name, seq)
    }

    /// Writes the option if there is a value that `read` accepts.
    pub(super) fn text_option<'a>(
        self,
        name: &'static str,
        value: Option<&'a str>,
        read: fn(&'a str) -> Result<&'a str, Reason>,
    ) -> Self {
        match value {
            None => self,
            Some(value) => self.require(read(value).map(drop)).display_option(name, value),
        }
    }

    pub(super) fn flag_option(self, name: &'static str, is_set: bool) -> Self {
        if is_set { self.display_option(name, 1) } else { self }
    }

    /// Writes the number before `own`, unless it is `own` less one.
    pub(super) fn after_option(self, after: u64, own: u64) -> Self {
        let writer = self.require(before(Some(after), own).map(drop));
        if after.checked_add(1) == Some(own) { writer } else { writer.display_option("after", after) }
    }
}

pub(super) fn is_number(number: u64) -> Result<(), Reason> {
    if number <= MAX_NUMBER { Ok(()) } else { Err(NUMBER) }
}

pub(super) fn is_close_code(code: u16) -> Result<(), Reason> {
    if (1_000..5_000).contains(&code) { Ok(()) } else { Err(CLOSE) }
}

pub(super) fn is_seq(seq: u64) -> Result<(), Reason> {
    if (1..=MAX_NUMBER).contains(&seq) { Ok(()) } else { Err(SEQ) }
}
