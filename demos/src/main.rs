//! The demos of Everwire: one application, a page per demo.
//!
//! # Layout
//! - [`app`]: the root component
//! - [`routes`]: which page an address shows, and moving between them
//! - [`pages`]: one module a page
//! - [`components`]: what the pages share
//! - [`theme`], [`storage`]: what the visitor chose, and where that is kept
//! - [`format`]: numbers, sizes and times as people read them

mod app;
mod components;
mod format;
mod pages;
mod routes;
mod storage;
mod theme;

fn main() {
    yew::Renderer::<app::App>::new().render();
}
