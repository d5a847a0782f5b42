//! The parts of the page that are seen.

mod follow_button;
mod people;
mod precision_choice;
mod privacy;
mod share_card;
mod simulation;
mod tile_card;

pub(super) use follow_button::FollowButton;
pub(super) use people::{People, Person};
pub(super) use precision_choice::PrecisionChoice;
pub(super) use privacy::Privacy;
pub(super) use share_card::ShareCard;
pub(super) use simulation::Simulation;
pub(super) use tile_card::TileCard;
