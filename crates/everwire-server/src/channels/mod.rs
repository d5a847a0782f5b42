#![doc = include_str!("../../docs/channels.md")]
//!
//! # Layout
//! - `api`: what an application calls; `config`, `authorize`: what it sets
//! - `connection`: the protocol of one connection, from `hello` on; `link`: the lines to its client
//! - `session`: what survives a connection; `requests`: its requests
//! - `subscription`: from history to live; `open_channels`: the channels that have subscribers, and what these read of the broker
//! - `hub`: what connects these with the broker, and presence
//!
//! The protocol is specified in `docs/protocol.md`, and decided by [`everwire_core::session`].

mod api;
pub(crate) mod authorize;
pub(crate) mod config;
mod connection;
pub(crate) mod hub;
mod link;
mod open_channels;
mod requests;
mod session;
mod subscription;

pub use api::{Ack, ChannelError, ChannelInfo, SessionInfo};
pub use authorize::{Action, AllowAll, Authentication, Authorize, ClientPublish, Denied, Identity};
pub use config::{ChannelLimits, ChannelOptions, SessionChange, SessionEvent};
pub use hub::PresentSession;
pub use requests::{RequestContext, RequestError};
pub use subscription::{LocalDelivery, LocalSubscription};
