//! A reconnecting WebSocket for [Yew](https://yew.rs) components.
//!
//! ```
//! use everwire::Event;
//! use everwire_yew::{ConnectionBadge, SocketOptions, use_socket};
//! use serde::{Deserialize, Serialize};
//! use yew::prelude::*;
//!
//! #[derive(Serialize)]
//! struct NewMessage { text: String }
//! #[derive(Deserialize)]
//! struct ChatMessage { from: String, text: String }
//!
//! #[component]
//! fn Chat() -> Html {
//!     let log = use_state(Vec::<String>::new);
//!     let lines = use_mut_ref(Vec::<String>::new);
//!     let on_event = {
//!         let (log, lines) = (log.clone(), lines.clone());
//!         Callback::from(move |event| {
//!             if let Ok(Event::Message(ChatMessage { from, text })) = event {
//!                 lines.borrow_mut().push(format!("{from}: {text}"));
//!                 log.set(lines.borrow().clone());
//!             }
//!         })
//!     };
//!     let socket = use_socket::<NewMessage, ChatMessage>(SocketOptions::new("wss://chat.example/room"), on_event);
//!     let wave = {
//!         let socket = socket.clone();
//!         Callback::from(move |_| {
//!             if let Err(error) = socket.send(&NewMessage { text: "hello".to_owned() }) {
//!                 web_sys::console::error_1(&error.to_string().into());
//!             }
//!         })
//!     };
//!     html! {
//!         <>
//!             <ConnectionBadge status={socket.status()} />
//!             <ul>{ for log.iter().map(|line| html! { <li>{ line }</li> }) }</ul>
//!             <button onclick={wave}>{ "Wave" }</button>
//!         </>
//!     }
//! }
//! ```
//!
//! # Layout
//! - [`use_socket`], [`use_raw_socket`]: a socket that lives as long as a component
//! - [`SocketOptions`]: its address and settings; another value opens another socket
//! - [`UseSocket`], [`ConnectionStatus`]: what the hooks return
//! - [`DownReason`]: why a connection is not open, as data and as text
//! - [`use_client`], [`ClientProvider`]: a client of an Everwire server for the components of a page; [`use_channel`],
//!   [`use_presence`]: its channels and their members; [`use_client_state`], [`use_client_status`]: its state
//! - [`ConnectionBadge`]: a badge that shows the connection

mod badge;
mod client;
mod connection;
mod down_reason;
mod socket;
mod status;

pub use badge::{BadgeProps, ConnectionBadge};
pub use client::{
    ClientProvider, UseChannel, use_channel, use_client, use_client_state, use_client_status, use_client_status_of,
    use_presence,
};
pub use down_reason::{DownReason, WasOpen};
pub use socket::{SocketOptions, UseSocket, use_raw_socket, use_socket};
pub use status::ConnectionStatus;

/// The code blocks of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
