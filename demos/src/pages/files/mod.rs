//! File transfer: a file in binary chunks under backpressure, resumed where it stopped.
//!
//! # Layout
//! - [`page`], [`parts`]: what is seen
//! - [`courier`]: ties the desk, the connection and the files together; [`sending`]: sends one of them
//! - [`desk`]: everything the page knows, and what follows from each event; [`transfer`]: one file of it
//! - [`flow`]: what may be sent before more is acknowledged; [`meter`]: how fast that goes
//! - [`checksum`], [`identity`]: what a file's bytes tell; [`reading`]: how they are read
//! - [`remembered`]: what outlives the page

mod checksum;
mod courier;
mod desk;
mod flow;
mod identity;
mod meter;
mod page;
mod parts;
mod readable;
mod reading;
mod remembered;
mod sending;
mod transfer;

pub(crate) use page::FilesPage;
