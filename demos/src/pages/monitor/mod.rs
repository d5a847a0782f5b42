//! The server monitor.
//!
//! # Layout
//! - [`state`]: what the page knows; [`track`]: the last five minutes of it
//! - [`page`]: how it all comes together
//! - [`charts`], [`processes`], [`vmstat`], [`traffic`]: what is seen; [`off`]: what is seen where there is nothing to see
//! - [`readable`]: numbers in words

mod charts;
mod off;
mod page;
mod processes;
mod readable;
mod state;
mod track;
mod traffic;
mod vmstat;

pub(crate) use page::MonitorPage;
