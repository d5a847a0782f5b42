//! The lines of `everwire.v1`: parsing and writing.
//!
//! `docs/protocol.md` is the specification, and the tests of this module read its examples and tables. A WebSocket message holds lines; a
//! line is a header of words and an optional payload, which only applications read. Parsing borrows everything from the message. Writing
//! appends to reused buffers. The state machines of [`session`](crate::session) decide which line may follow which.
//!
//! ```
//! use everwire_core::protocol::{
//!     ClientLine, Cursor, Hello, Lines, Message, MessageWriter, Msg, Payload, ProtocolError, ServerLine, Start, Sub,
//! };
//!
//! // A client attaches and subscribes, in one message.
//! let mut writer = MessageWriter::new(usize::MAX);
//! writer.push(&ClientLine::Hello(Hello::new(0)), Payload::None)?;
//! writer.push(&ClientLine::Sub(Sub::new("chat", Start::Last(2))), Payload::None)?;
//! let Some(Message::Text(text)) = writer.pop() else { panic!("no payload is binary") };
//! assert_eq!(text, "hello attempt=0\u{1e}sub chat last:2");
//!
//! // The server parses them,
//! let lines: Result<Vec<_>, ProtocolError<'_>> = Lines::<ClientLine>::text(&text).collect();
//! assert_eq!(lines.map(|lines| lines.len()), Ok(2));
//!
//! // encodes a message of the channel once, and sends it to each subscriber.
//! let cursor = Cursor { epoch: 0x9f, offset: 16, time: 1_795_219_150_000 };
//! let encoded = Msg::new("chat", cursor).encode()?;
//! let mut writer = MessageWriter::new(usize::MAX);
//! writer.push_encoded(&encoded, 15, Payload::Text("hi"))?;
//! assert_eq!(writer.pop(), Some(Message::Text("msg chat 9f.16.1795219150000\nhi".into())));
//!
//! // An error says why, and how to answer.
//! let error = ServerLine::parse("ack 01 9f.17.1795219190000").expect_err("a leading zero");
//! assert_eq!((error.code().as_str(), error.line()), ("malformed", Some("ack")));
//! # Ok::<(), everwire_core::protocol::EncodeError>(())
//! ```
//!
//! # Layout
//!
//! - [`Lines`], [`MessageWriter`], [`Payload`]: messages, their lines and payloads
//! - [`ClientLine`], [`ServerLine`]: the lines of each direction
//! - [`Msg`], [`EncodedMsg`], [`Gap`]: the lines that deliver a channel's messages
//! - [`Cursor`], [`is_name`], [`is_id`]: the words of a header
//! - [`ErrorCode`], [`ProtocolError`], [`EncodeError`]: the errors

mod client;
mod delivery;
mod error;
mod framing;
mod header;
mod server;

pub use client::{ClientError, ClientLine, Hello, Mode, Pub, Req, Resume, Start, Sub};
pub use delivery::{EncodedMsg, Gap, GapReason, Msg, Producer};
pub use error::{EncodeError, ErrorCode, ProtocolError};
pub use framing::{Line, Lines, Message, MessageWriter, Payload};
pub use header::{Cursor, CursorError, MAX_HEADER, MAX_ID, MAX_NAME, MAX_NUMBER, MAX_TYPE, is_id, is_name};
pub use server::{NackOf, ServerError, ServerLine, Welcome};

/// The subprotocol by which a WebSocket carries these lines.
pub const SUBPROTOCOL: &str = "everwire.v1";
