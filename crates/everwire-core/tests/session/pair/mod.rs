//! The hard cases of sessions, each by a test that is named after what must not happen. Where another project has met it, the test cites
//! the issue.

mod cursors;
mod drain;
mod load;
mod publishes;
mod requests;
mod takeover;
