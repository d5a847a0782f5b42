//! The transport lab: the same feed and the same calls over each transport, side by side.
//!
//! # Layout
//! - [`settings`]: the transports, the feed and the network that are compared
//! - [`reader`]: the transports as a browser has them
//! - [`feed`]: runs the transports side by side; [`experiment`]: makes sets of calls
//! - [`statistics`]: what is computed from the measurements; [`export`]: files for the visitor
//! - [`page`], [`feed_view`], [`experiment_view`]: the views

mod experiment;
mod experiment_view;
mod export;
mod feed;
mod feed_view;
mod page;
mod reader;
mod settings;
mod statistics;

pub(crate) use page::LabPage;
