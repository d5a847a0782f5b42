//! The pages, one module each.

mod echo;
mod home;
mod missing;
mod ticker;
mod tracker;

pub(crate) use echo::EchoPage;
pub(crate) use home::HomePage;
pub(crate) use missing::MissingPage;
pub(crate) use ticker::TickerPage;
pub(crate) use tracker::TrackerPage;
