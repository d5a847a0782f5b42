//! A reconnecting WebSocket for [Yew](https://yew.rs) components.
//!
//! ```
//! use everwire::Event;
//! use everwire_yew::{ConnectionBadge, SocketOptions, use_socket};
//! use serde::{Deserialize, Serialize};
//! use yew::prelude::*;
//!
//! #[derive(Serialize)]
//! struct Say { text: String }
//! #[derive(Deserialize)]
//! struct Said { from: String, text: String }
//!
//! #[component]
//! fn Chat() -> Html {
//!     let log = use_state(Vec::<String>::new);
//!     let lines = use_mut_ref(Vec::<String>::new);
//!     let on_event = {
//!         let (log, lines) = (log.clone(), lines.clone());
//!         Callback::from(move |event| {
//!             if let Ok(Event::Message(Said { from, text })) = event {
//!                 lines.borrow_mut().push(format!("{from}: {text}"));
//!                 log.set(lines.borrow().clone());
//!             }
//!         })
//!     };
//!     let socket = use_socket::<Say, Said>(SocketOptions::new("wss://chat.example/room"), on_event);
//!     let wave = {
//!         let socket = socket.clone();
//!         Callback::from(move |_| {
//!             if let Err(error) = socket.send(&Say { text: "hello".to_owned() }) {
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
//! - [`SocketOptions`]: where to and how; another value opens another socket
//! - [`UseSocket`], [`ConnectionStatus`]: what the hooks give
//! - [`DownReason`]: why a connection is not open, as data and in words
//! - [`use_client`], [`ClientProvider`]: a client of an Everwire server for the components of a page; [`use_channel`],
//!   [`use_presence`]: its channels and who is in them; [`use_client_state`], [`use_client_status`]: how it is
//! - [`ConnectionBadge`]: how the connection is, for people

mod badge;
mod client;
mod client_status;
mod down_reason;
mod hook;
mod live;
mod offline;
mod options;
mod reader;
mod status;

pub use badge::{BadgeProps, ConnectionBadge};
pub use client::{ClientProvider, UseChannel, use_channel, use_client, use_client_state, use_presence};
pub use client_status::{use_client_status, use_client_status_of};
pub use down_reason::{DownReason, WasOpen};
pub use hook::{UseSocket, use_raw_socket, use_socket};
pub use options::SocketOptions;
pub use status::ConnectionStatus;
