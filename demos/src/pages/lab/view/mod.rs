//! The parts of the page.
//!
//! # Layout
//! - [`controls`]: the feed and the network; [`cards`]: a card for each transport
//! - [`latency`], [`distribution`]: charts; [`overhead`]: what the bytes mean for thousands
//! - [`trial`], [`trial_table`]: the experiment with sets of calls
//! - [`choice`]: a labelled list to choose from; [`toggle`]: a button that starts and ends something; [`words`]: numbers as they are shown

mod cards;
mod choice;
mod controls;
mod distribution;
mod latency;
mod overhead;
mod toggle;
mod trial;
mod trial_table;
mod words;

pub(super) use cards::Cards;
pub(super) use controls::Controls;
pub(super) use distribution::Distribution;
pub(super) use latency::LatencyCard;
pub(super) use overhead::OverheadCard;
pub(super) use trial::ExperimentCard;
