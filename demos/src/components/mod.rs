//! What the pages share.
//!
//! # Layout
//! - [`shell`]: header, navigation, main, footer around each page
//! - [`navigation`]: links between the pages
//! - [`theme_toggle`]: light or dark
//! - [`page_head`]: the head of each page
//! - [`icon`]: the pictograms

mod icon;
mod navigation;
mod page_head;
mod shell;
mod theme_toggle;

pub(crate) use icon::Icon;
pub(crate) use navigation::RouteLink;
pub(crate) use page_head::PageHead;
pub(crate) use shell::Shell;
