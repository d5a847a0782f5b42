//! What the page is made of.

mod actions;
mod chooser;
mod figures;
mod file_name;
mod focus;
mod progress;
mod stored_files;
mod transfers;

pub(super) use chooser::Chooser;
pub(super) use stored_files::StoredFiles;
pub(super) use transfers::Transfers;
