//! The chat: rooms over one connection, in which nothing is lost and nothing comes twice.
//!
//! # Layout
//! - [`page`], [`side`], [`log`], [`message_row`], [`composer`]: what is seen
//! - [`controller`]: connects the state with the client; it outlives the page, so that what was written is sent, and serves the chat
//!   on the trading floor too
//! - [`rooms`]: the state, of [`room`]s, each with
//!   - [`timeline`]: what the server has stored; [`outgoing`]: what the visitor wrote and is not confirmed
//!   - [`typing`]: who is typing
//! - [`rows`]: what is drawn of a room; [`people`]: who is present
//! - [`text`], [`clock`], [`announce`]: texts, times, and what a screen reader says

mod announce;
mod clock;
mod composer;
mod controller;
mod log;
mod message_row;
mod outgoing;
mod page;
mod people;
mod room;
mod rooms;
mod rows;
mod side;
mod text;
mod timeline;
mod typing;

pub(super) use controller::Controller;
pub(super) use outgoing::{Fate, Outgoing, Unconfirmed};
pub(crate) use page::ChatPage;
