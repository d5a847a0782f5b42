//! The demos of Everwire: one application, a page per demo.
//!
//! # Layout
//! - [`app`]: the root component
//! - [`routes`], [`mod@guard`]: which page an address shows, moving between them, and what is asked before one is left
//! - [`pages`]: one module a page
//! - [`components`]: what the pages share
//! - [`map`]: a map of the world that works without internet
//! - [`client`], [`visitor`]: the connection with the channels of all pages, and who the visitor is to the server
//! - [`server`], [`mod@line`], [`fault`]: which server the pages talk to, the way there, and what breaks it
//! - [`theme`], [`storage`]: what the visitor chose, and where that is kept; [`secret`]: what only this browser knows
//! - [`http`]: requests other than by WebSocket
//! - [`mod@format`]: numbers, sizes and times as people read them
//! - [`job`], [`mod@now`], [`ticks`]: what goes on in the background, what time it is, and drawing as it passes

mod app;
mod client;
mod components;
mod fault;
mod format;
mod guard;
mod http;
mod job;
mod line;
mod map;
mod now;
mod objects;
mod pages;
mod routes;
mod secret;
mod server;
mod storage;
mod subscription;
mod theme;
mod ticks;
mod visitor;

fn main() {
    yew::Renderer::<app::App>::new().render();
}
