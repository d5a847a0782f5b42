//! What the page is made of.

mod chooser;
mod file_name;
mod progress;
mod shelf;
mod transfers;

pub(super) use chooser::Chooser;
pub(super) use shelf::Shelf;
pub(super) use transfers::Transfers;
