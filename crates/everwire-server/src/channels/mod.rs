#![doc = include_str!("../../docs/channels.md")]
//!
//! # Layout
//! - `api`, `router`: what an application calls; `config`, `authorize`, `events`: what it sets
//! - `connection`: the protocol of one connection; `attach`: from `hello` to `welcome`, in `turns`
//! - `session`: what survives a connection, with `secret`; `requests`: its requests; `presence`: where it is present
//! - `subscription`: from history to live; `live`: its new messages; `open_channels`: the channels that have subscribers;
//!   `reads`: what they read of the broker
//! - `local`: subscriptions within the server
//! - `hub`: what connects these with the broker; `link`: the lines to one client
//!
//! The protocol is specified in `docs/protocol.md`, and decided by [`everwire_core::session`].

mod api;
mod attach;
pub(crate) mod authorize;
pub(crate) mod config;
mod connection;
pub(crate) mod events;
pub(crate) mod hub;
mod link;
mod live;
mod local;
mod open_channels;
mod presence;
mod reads;
mod requests;
mod router;
mod secret;
mod session;
mod subscription;
mod turns;

pub use api::{Ack, ChannelError, ChannelInfo, SessionInfo};
pub use authorize::{Action, AllowAll, Authentication, Authorize, ClientPublish, Denied, Identity};
pub use config::{ChannelLimits, ChannelOptions};
pub use events::{SessionChange, SessionEvent};
pub use local::{LocalDelivery, LocalSubscription};
pub use presence::PresentSession;
pub use requests::{RequestContext, RequestError};
