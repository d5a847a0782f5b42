//! The pages, one module each.

mod chat;
mod echo;
mod files;
mod home;
mod lab;
mod live;
mod missing;
mod monitor;
mod throughput;
mod ticker;
mod tracker;

pub(crate) use chat::ChatPage;
pub(crate) use echo::EchoPage;
pub(crate) use files::FilesPage;
pub(crate) use home::HomePage;
pub(crate) use lab::LabPage;
pub(crate) use live::LivePage;
pub(crate) use missing::MissingPage;
pub(crate) use monitor::MonitorPage;
pub(crate) use throughput::ThroughputPage;
pub(crate) use ticker::TickerPage;
pub(crate) use tracker::TrackerPage;
