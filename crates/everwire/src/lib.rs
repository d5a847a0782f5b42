#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../docs/crate.md")]
//!
//! # Layout
//!
//! - [`Socket`], its [`SocketBuilder`] and [`SocketHandle`]: the connection
//! - [`JsonSocket`], a [`TypedSocket`] with the JSON [codec]: messages as values
//! - [`Client`]: channels, publishes and requests with an Everwire server; [`client`] has the rest of it
//! - [`Event`] and what it carries; [`Message`]: what is received and sent
//! - [`Heartbeat`], [`Backoff`], [`ReconnectPolicy`], [`OutboxLimits`], [`InboxLimits`], [`Watermarks`]: the options
//! - [`Stats`], [`State`], [`ReadyState`]: the state of the connection
//! - `Headers`, `Proxy`, `RootCertificates` and `rustls`, for native programs
//! - [`OpenError`], [`SendError`], [`JsonDecodeError`]: what can go wrong

mod builder;
pub mod client;
pub mod codec;
mod event;
mod handle;
mod heartbeat;
mod message;
mod payload;
mod queue;
mod shared;
mod socket;
mod stats;
mod threads;

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
use browser::{Browser as CurrentPlatform, Received};
#[cfg(not(target_family = "wasm"))]
use native::{Native as CurrentPlatform, Received};

pub use builder::{Address, Attempt, ReconnectPolicy, SocketBuilder};
pub use client::{Client, Delivery, Subscription};
#[cfg(feature = "json")]
pub use codec::JsonDecodeError;
pub use event::{Cause, Closed, Discarded, Dropped, Ended, Event, OpenError, Opened, SendError};
pub use handle::{Closing, SocketHandle};
pub use heartbeat::{Heartbeat, Pong};
pub use message::{BinaryType, Message, MessageRef};
#[cfg(not(target_family = "wasm"))]
pub use native::{Headers, HeadersError, Proxy, ProxyError};
#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use native::{RootCertificates, RootCertificatesError};
pub use queue::{InboxLimits, SendOptions, Sent};
#[cfg(feature = "json")]
pub use socket::{JsonSendError, JsonSocket};
pub use socket::{Socket, TypedSendError, TypedSocket};
pub use stats::{ReadyState, State, Stats};

#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use tokio_rustls::rustls;

pub use everwire_core::{
    AtRisk, Backoff, Channel, CloseCode, CloseCodeError, CloseReason, CloseReasonError, Decision, DiscardReason,
    Histogram, LatencySummary, MessageId, OutboxLimits, PingSchedule, Protocols, ProtocolsError, Time, Watermarks,
    WhenFull,
};

/// The code blocks of the README compile.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
