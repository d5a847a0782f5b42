//! What the pages share.
//!
//! # Layout
//! - [`shell`]: header, navigation, main, footer around each page
//! - [`navigation`]: links between the pages
//! - [`theme_toggle`]: light or dark
//! - [`page_head`]: the head of each page: heading, and the line to the server
//! - [`break_menu`], [`server_menu`]: what breaks the line, and where it leads
//! - [`chart`]: charts that follow live data
//! - [`spark`]: small lines in tables
//! - [`popover`]: a button with a panel that it opens
//! - [`copy_button`]: copies a text; [`icon`]: the pictograms

mod break_menu;
mod chart;
mod copy_button;
mod icon;
mod navigation;
mod page_head;
mod popover;
mod server_menu;
mod shell;
mod spark;
mod theme_toggle;

pub(crate) use break_menu::BreakMenu;
pub(crate) use chart::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
pub(crate) use copy_button::CopyButton;
pub(crate) use icon::Icon;
pub(crate) use navigation::RouteLink;
pub(crate) use page_head::PageHead;
pub(crate) use popover::Popover;
pub(crate) use server_menu::ServerMenu;
pub(crate) use shell::Shell;
pub(crate) use spark::Spark;
