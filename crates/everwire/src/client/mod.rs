//! Clients of an Everwire server: channels, publishes, requests and presence over `everwire.v1`.
//!
//! [`Client`] is the way in.
//!
//! # Layout
//!
//! - [`Client`] and its [`ClientBuilder`]
//! - [`Subscription`], and the [`Delivery`] that it yields
//! - [`Publishing`] and [`Published`]; [`Requesting`] and [`Answers`]: what a publish or a request comes to
//! - [`Presence`]: who is present in a channel
//! - [`SubscribeOptions`], [`PublishOptions`], [`RequestOptions`]
//! - [`ClientState`], [`ClientEvent`], [`ClientEvents`], [`ClientError`]: how the client is

mod builder;
mod channels;
mod core;
mod driver;
mod events;
mod exchange;
mod handle;
mod members;
mod negotiation;
mod options;
mod presence;
mod publish;
mod reader;
mod report;
mod request;
mod subscription;
mod table;

pub use builder::ClientBuilder;
pub use events::ClientEvents;
pub use everwire_core::{
    protocol::{Cursor, CursorError, ErrorCode, GapReason, Mode, Start},
    session::Attachment,
};
pub use handle::Client;
pub use members::Member;
pub use options::{PublishOptions, RequestOptions, SubscribeOptions};
pub use presence::Presence;
pub use publish::{PublishError, Published, Publishing};
pub use report::{ClientError, ClientEvent, ClientState, Gap, SubscriptionError};
pub use request::{Answers, RequestError, Requesting};
pub use subscription::{ChannelMessage, Delivery, Removed, Subscription, Undecodable};
