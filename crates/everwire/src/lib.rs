#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../docs/crate.md")]
//!
//! # Layout
//!
//! - [`Socket`], its [`SocketBuilder`] and [`SocketHandle`]: the connection
//! - [`JsonSocket`], a [`TypedSocket`] by the [codec](codec) for JSON: messages as values
//! - [`Client`]: channels, publishes and requests with an Everwire server; [`client`] has the rest of it
//! - [`Event`] and what it carries; [`Message`]: what comes out and goes in
//! - [`Heartbeat`], [`Backoff`], [`ReconnectPolicy`], [`OutboxLimits`], [`InboxLimits`], [`Watermarks`]: the options
//! - [`Stats`], [`State`], [`ReadyState`]: what is known of the connection
//! - `Headers`, `Proxy`, `RootCertificates` and `rustls`, in native programs
//! - [`OpenError`], [`SendError`], [`JsonDecodeError`]: what can go wrong

mod address;
mod builder;
mod cause;
pub mod client;
pub mod codec;
mod error;
mod event;
mod heartbeat;
mod inbox;
mod message;
mod outbound;
mod payload;
mod policy;
mod shared;
mod socket;
mod stats;
mod threads;

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
use browser::{Browser as CurrentPlatform, received::Received};
#[cfg(not(target_family = "wasm"))]
use native::{Native as CurrentPlatform, received::Received};

pub use address::{Address, Attempt};
pub use builder::SocketBuilder;
pub use cause::{Cause, Ended};
pub use client::{Client, Delivery, Subscription};
#[cfg(feature = "json")]
pub use codec::JsonDecodeError;
pub use error::{OpenError, SendError};
pub use event::{Closed, Discarded, Dropped, Event, Opened};
pub use heartbeat::{Heartbeat, Pong};
pub use inbox::InboxLimits;
pub use message::{BinaryType, Message, MessageRef};
#[cfg(not(target_family = "wasm"))]
pub use native::{Headers, HeadersError, Proxy, ProxyError};
#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use native::{RootCertificates, RootCertificatesError};
pub use outbound::{SendOptions, Sent};
pub use policy::ReconnectPolicy;
pub use socket::{Closing, Socket, SocketHandle, TypedSendError, TypedSocket};
#[cfg(feature = "json")]
pub use socket::{JsonSendError, JsonSocket};
pub use stats::{ReadyState, State, Stats};

#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
pub use tokio_rustls::rustls;

pub use everwire_core::{
    AtRisk, Backoff, Channel, CloseCode, CloseCodeError, CloseReason, CloseReasonError, Decision, DiscardReason,
    Histogram, LatencySummary, MessageId, OutboxLimits, PingSchedule, Protocols, ProtocolsError, Time, Watermarks,
    WhenFull,
};
