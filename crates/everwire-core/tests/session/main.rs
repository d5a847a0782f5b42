//! The machines of sessions.

mod feed_property;
mod histories;
#[allow(dead_code, reason = "the tests of the protocol read other parts of the page")]
#[path = "../protocol/page.rs"]
mod page;
mod pair;
mod server_property;
mod server_script;
mod server_session;
mod states;
mod world;
