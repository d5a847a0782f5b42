//! File transfer: files in binary chunks under backpressure, resumed where they stopped.
//!
//! The page has a socket of its own with an acknowledged stream, and no channel: chunks go to one receiver, which grants a window and says
//! which byte comes next. A channel would store each chunk for subscribers that do not exist, and delay what shares its connection.
//!
//! # Layout
//! - [`state`]: the state of the page without I/O, and the commands that follow from each event; [`transfer`]: one file of it, with flow
//!   control and speed
//! - [`controller`]: connects the state, the socket and the files, and sends the chunks
//! - [`local_file`]: blocks, checksum and resume key of a file; [`unfinished`]: the uploads that outlive the page
//! - [`page`], [`transfer_list`], [`text`]: the views

mod controller;
mod local_file;
mod page;
mod state;
mod text;
mod transfer;
mod transfer_list;
mod unfinished;

pub(crate) use page::FilesPage;
