//! What the page is made of.

mod actions;
mod chooser;
mod figures;
mod file_name;
mod focus;
mod progress;
mod shelf;
mod transfers;

pub(super) use chooser::Chooser;
pub(super) use shelf::Shelf;
pub(super) use transfers::Transfers;
