//! File transfer: a file in binary chunks under backpressure, resumed where it stopped.
//!
//! It has a socket of its own with an acknowledged stream, and no channel: chunks go to one receiver, which says how many more it takes and
//! which byte comes next. A channel would store each chunk for subscribers that there are none of, and hold up what shares its connection.
//!
//! # Layout
//! - [`page`], [`parts`]: what is seen
//! - [`controller`]: connects the state, the socket and the files; [`sending`]: sends one of them
//! - [`state`]: the state of the page, and the commands that follow from each event; [`transfer`]: one file of it
//! - [`flow`]: what may be sent before more is acknowledged; [`meter`]: how fast that goes
//! - [`checksum`], [`identity`]: what a file's bytes tell; [`reading`]: how they are read
//! - [`remembered`]: what outlives the page

mod checksum;
mod controller;
mod flow;
mod identity;
mod meter;
mod page;
mod parts;
mod readable;
mod reading;
mod remembered;
mod sending;
mod state;
mod transfer;

pub(crate) use page::FilesPage;
