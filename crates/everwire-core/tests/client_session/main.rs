//! How the client's side of a session behaves, in virtual time.

mod bench;
mod faults;
mod hello;
#[path = "../protocol/page.rs"]
#[expect(dead_code, reason = "the tests of the protocol read the rest of the page")]
mod page;
mod play;
mod properties;
mod publishes;
mod requests;
mod rules;
mod script;
mod subscriptions;
mod table;
