#![doc = include_str!("../docs/crate.md")]
//!
//! # Layout
//!
//! - [`Socket`], its [`SocketBuilder`] and [`SocketHandle`]; [`JsonSocket`]: the connection
//! - [`Event`] and what it carries; [`Message`]: what comes out and goes in
//! - [`Heartbeat`], [`Backoff`], [`ClosePolicy`], [`OutboxLimits`], [`InboxLimits`], [`Watermarks`]: the knobs
//! - [`Stats`], [`State`], [`ReadyState`]: what is known of the connection
//! - `Headers`, `Proxy`, `RootCertificates` and `rustls`, in native programs
//! - [`OpenError`], [`SendError`], [`DecodeError`]: what can go wrong

mod address;
mod builder;
mod error;
mod event;
mod heartbeat;
mod inbox;
#[cfg(feature = "json")]
mod json;
mod message;
mod payload;
mod pong;
mod shared;
mod socket;
mod stats;

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
use browser as platform;
#[cfg(not(target_family = "wasm"))]
use native as platform;

pub use address::{Address, Attempt};
pub use builder::SocketBuilder;
pub use error::{OpenError, SendError};
pub use event::{Closed, Discarded, Dropped, Event, Opened};
pub use heartbeat::{Heartbeat, Pong};
pub use inbox::InboxLimits;
#[cfg(feature = "json")]
pub use json::{DecodeError, JsonSendError, JsonSocket};
pub use message::{BinaryType, Message};
#[cfg(not(target_family = "wasm"))]
pub use native::{Headers, HeadersError, Proxy, ProxyError};
#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use native::{RootCertificates, RootCertificatesError};
pub use socket::{Closing, Socket, SocketHandle};
pub use stats::{ReadyState, State, Stats};

#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use tokio_rustls::rustls;

pub use everwire_core::{
    AtRisk, Backoff, Cause, CloseCode, CloseCodeError, ClosePolicy, CloseReason, CloseReasonError, DiscardReason,
    Ended, Histogram, LatencySummary, MessageId, OutboxLimits, PingSchedule, Protocols, ProtocolsError, SendOptions,
    Sent, Verdict, Watermarks, WhenFull,
};
