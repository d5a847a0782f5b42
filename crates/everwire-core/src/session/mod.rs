//! The part of `everwire.v1` that survives a connection: sessions, publishes, requests and subscriptions, as state machines without I/O.
//!
//! [`Connection`](crate::Connection) keeps a socket open, the codec in [`protocol`](crate::protocol) reads and writes lines, and the
//! machines here decide which lines to send: which publish is repeated, which answer belongs to it, where a subscription continues. Like
//! the connection, they take times and numbers and return actions. Names, payloads, secrets and credentials stay with the driver.
//!
//! ```
//! use everwire_core::{
//!     Delivery, Time,
//!     protocol::{Cursor, Start},
//!     session::{ClientAction, ClientInput, ClientSession, ClientSessionConfig},
//! };
//!
//! let mut session = ClientSession::new(ClientSessionConfig::default(), 42);
//! let chat = session.subscribe(Start::Last(20));
//!
//! // A socket opens: `hello` and the subscriptions go out together.
//! session.handle(Time::ZERO, ClientInput::Connected);
//! assert!(matches!(session.poll_action(), Some(ClientAction::Hello { attempt: 0, is_resume: false, .. })));
//! assert_eq!(session.poll_action(), Some(ClientAction::Subscribe { subscription: chat, start: Start::Last(20) }));
//!
//! // The server answers, and sends a message.
//! let (is_new, acked, keeps_requests) = (true, 0, false);
//! let welcome = ClientInput::Welcome { is_new, acked, keeps_requests, credits: 64, max_message: 1 << 20 };
//! session.handle(Time::from_millis(40), welcome);
//! assert!(matches!(session.poll_action(), Some(ClientAction::Attached { .. })));
//! let at = |offset| Cursor { epoch: 0x9f, offset, time: 1_795_219_190_000 };
//! session.handle(Time::from_millis(40), ClientInput::Subscribed { subscription: Some(chat), cursor: at(16) });
//! assert_eq!(session.receive(Some(chat), at(17), 16), Delivery::Deliver);
//!
//! // A publish is in flight when the connection breaks.
//! let id = session.publish(Time::from_secs(1), 120, None)?;
//! assert_eq!(session.poll_action(), Some(ClientAction::Publish { id, seq: 1, after: None }));
//! session.handle(Time::from_secs(2), ClientInput::Disconnected { code: 1006 });
//!
//! // On the next connection, the subscription continues from its position. The server does not have the publish, so it is sent again.
//! session.handle(Time::from_secs(3), ClientInput::Connected);
//! assert!(matches!(session.poll_action(), Some(ClientAction::Hello { attempt: 1, is_resume: true, acked: 0, .. })));
//! assert_eq!(session.poll_action(), Some(ClientAction::Subscribe { subscription: chat, start: Start::From(at(17)) }));
//! let (is_new, keeps_requests) = (false, true);
//! let welcome = ClientInput::Welcome { is_new, acked, keeps_requests, credits: 64, max_message: 1 << 20 };
//! session.handle(Time::from_secs(3), welcome);
//! assert!(matches!(session.poll_action(), Some(ClientAction::Attached { .. })));
//! assert_eq!(session.poll_action(), Some(ClientAction::Publish { id, seq: 1, after: None }));
//! # Ok::<(), everwire_core::session::QueueError>(())
//! ```
//!
//! # Layout
//!
//! - [`ClientSession`], its inputs ([`ClientInput`]) and actions ([`ClientAction`]): the client's side, and its contract
//! - [`Negotiation`]: which attempts offer the subprotocol, and whether the server speaks it
//! - [`ServerSession`] and [`ServerAction`]: the server's side of a session; [`ServerConnection`]: which lines its connections may receive
//! - [`Feed`], [`FeedStep`]: what a subscription of a server's connection gets next; [`History`]: whether it can continue from a position

mod client;
mod feed;
mod history;
mod negotiation;
mod server;

pub use client::{
    Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome, QueueError,
    RequestId, SubscriptionId,
};
pub use feed::{Feed, FeedStep, Opening};
pub use history::{Gap, History};
pub use negotiation::{Negotiated, Negotiation};
pub use server::{
    Answer, LineHandling, Receipt, Request, ServerAction, ServerConnection, ServerSession, SessionLimits,
};
