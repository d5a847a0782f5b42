//! The lines that deliver a channel's messages to a subscriber.

use alloc::string::String;
use core::fmt;

use super::{
    error::EncodeError,
    header::{self, Cursor, HeaderReader, HeaderWriter, Reason, once},
};

/// `msg`: a message of a channel. With a key and without a payload, the key was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Msg<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The position after the message; its offset, from 1, is that of the message.
    pub cursor: Cursor,
    /// The session that published it, and its number there. `None` for what the server published.
    pub by: Option<Producer<'a>>,
    /// The message is the latest of this key.
    pub key: Option<&'a str>,
    /// The subscriber's offset before it: `cursor.offset - 1`, unless messages between did not concern the subscriber.
    pub after: u64,
}

/// The session that published a message, and the number of the publish there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer<'a> {
    /// The session.
    pub session: &'a str,
    /// The number of the publish.
    pub seq: u64,
}

impl fmt::Display for Producer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.session, self.seq)
    }
}

impl<'a> Msg<'a> {
    /// A message that follows the one before it, published by the server, without a key.
    pub const fn new(channel: &'a str, cursor: Cursor) -> Self {
        Self { channel, cursor, by: None, key: None, after: cursor.offset.saturating_sub(1) }
    }

    pub(super) fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let channel = reader.argument(header::name)?;
        let cursor = reader.argument(header::cursor)?;
        let (mut by, mut key, mut after) = (None, None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "by" => once(&mut by, Producer::read(value)?)?,
                "key" => once(&mut key, header::name(value)?)?,
                "after" => once(&mut after, header::offset(value)?)?,
                _ => {}
            }
        }
        Ok(Self { channel, cursor, by, key, after: header::before(after, cursor.offset)? })
    }

    pub(super) fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        self.write_common(writer).after_option(self.after, self.cursor.offset)
    }

    /// Everything but `after`, which is the last option.
    fn write_common<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let mut writer = writer.name(self.channel).cursor(self.cursor);
        if let Some(by) = self.by {
            writer = writer.require(header::id(by.session).and(header::is_seq(by.seq))).display_option("by", by);
        }
        writer.text_option("key", self.key, header::name)
    }

    /// Writes the part that is the same for all subscribers: everything but `after`.
    ///
    /// # Errors
    /// A field is not what the specification allows.
    pub fn encode(&self) -> Result<EncodedMsg, EncodeError> {
        let mut header = String::new();
        let writer = self.write_common(HeaderWriter::new(&mut header, "msg"));
        writer.require(header::before(None, self.cursor.offset).map(drop)).finish()?;
        Ok(EncodedMsg { header, offset: self.cursor.offset })
    }
}

impl<'a> Producer<'a> {
    fn read(word: &'a str) -> Result<Self, Reason> {
        let (session, seq) = word.split_once(':').ok_or("by is SESSION:SEQ")?;
        Ok(Self { session: header::id(session)?, seq: header::seq(seq)? })
    }
}

/// The header of a `msg` line, encoded once for all subscribers of a channel: [`Msg::encode`] makes it, and
/// [`MessageWriter::push_encoded`](super::MessageWriter::push_encoded) adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedMsg {
    header: String,
    offset: u64,
}

impl EncodedMsg {
    /// The offset of the message.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the header for a subscriber whose last offset is `after`.
    ///
    /// # Errors
    /// `after` is not below the offset; nothing was appended.
    pub fn write(&self, after: u64, header: &mut String) -> Result<(), EncodeError> {
        HeaderWriter::new(header, &self.header).after_option(after, self.offset).finish()
    }
}

/// `gap`: messages between the client's cursor and this one will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap<'a> {
    /// The channel.
    pub channel: &'a str,
    /// Why.
    pub reason: GapReason,
    /// The subscription continues from here.
    pub cursor: Cursor,
    /// How many messages will not come, if known.
    pub missed: Option<u64>,
}

/// Why messages will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// They are older than the history.
    Trimmed,
    /// The history is another one.
    Rewritten,
    /// The server's rules do not allow them.
    Refused,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Trimmed, Self::Rewritten, Self::Refused];

    /// The word that a line carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Rewritten => "rewritten",
            Self::Refused => "refused",
        }
    }

    /// Parses the word of a line.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl<'a> Gap<'a> {
    /// A gap of an unknown number of messages.
    pub const fn new(channel: &'a str, reason: GapReason, cursor: Cursor) -> Self {
        Self { channel, reason, cursor, missed: None }
    }

    pub(super) fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let channel = reader.argument(header::name)?;
        let reason = reader.argument(|word| GapReason::parse(word).ok_or("a gap is trimmed, rewritten or refused"))?;
        let cursor = reader.argument(header::cursor)?;
        let mut missed = None;
        while let Some((name, value)) = reader.option()? {
            if name == "missed" {
                once(&mut missed, header::number(value)?)?;
            }
        }
        Ok(Self { channel, reason, cursor, missed })
    }

    pub(super) fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let writer = writer.name(self.channel).display(self.reason).cursor(self.cursor);
        match self.missed {
            None => writer,
            Some(missed) => writer.number_option("missed", missed),
        }
    }
}
