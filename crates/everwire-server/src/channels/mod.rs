//! Channels by `everwire.v1`: sessions that survive their connections, subscriptions that miss nothing, publishes that are stored once,
//! requests, presence.
//!
//! [`Everwire::router`](crate::Everwire::router) serves them, [`Builder`](crate::Builder) sets them up, and a
//! [`Broker`](crate::broker::Broker) keeps the messages. The protocol is specified in `docs/protocol.md`; the decisions are those of
//! [`everwire_core::session`].
//!
//! # Layout
//! - `api`, `router`: what an application calls; `config`, `authorize`, `events`: what it sets
//! - `connection`: the protocol of one connection; `attach`: from `hello` to `welcome`
//! - `session`: what survives a connection, with `secret`; `requests`: its requests; `presence`: where it is present
//! - `subscription`: from history to live; `fan_out`: live; `open_channels`: the channels that have subscribers
//! - `local`: subscriptions within the server
//! - `hub`: what connects these with the broker; `link`: the lines to one client

mod api;
mod attach;
pub(crate) mod authorize;
pub(crate) mod config;
mod connection;
pub(crate) mod events;
mod fan_out;
pub(crate) mod hub;
mod link;
mod local;
mod open_channels;
mod presence;
mod requests;
mod router;
mod secret;
mod session;
mod subscription;

pub use api::{Ack, ChannelError};
pub use authorize::{Action, AllowAll, Authentication, Authorize, Denied, Identity};
pub use config::{ChannelLimits, ChannelOptions};
pub use events::{SessionChange, SessionEvent};
pub use local::{LocalDelivery, LocalSubscription};
pub use presence::PresentSession;
pub use requests::{RequestContext, RequestError};
