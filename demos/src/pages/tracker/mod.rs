//! The geolocation tracker: everyone who shares a position, on a map.
//!
//! # Layout
//! - [`page`], [`parts`], [`sights`]: what is seen
//! - [`tracking`], [`frame`]: connect the state, the application's client and the source of positions
//! - [`state`]: the state of the page, of
//!   - [`participants`], [`trail`]: who is on the map
//!   - [`sharing`], [`identity`], [`precision`], [`problem`]: what the visitor wants others to know, and as whom
//!   - [`server_clock`]: how old a position is
//! - [`outbox`]: what the server is to know, over reconnects
//! - [`source`]: where positions come from: [`geolocation`], or a [`walk`] from a [`start_place`] by [`dice`]
//! - [`remembered`]: what is kept for the next visit
//! - [`fix`], [`readable`]: a position as measured; distances, ages and places as people read them

mod dice;
mod fix;
mod frame;
mod geolocation;
mod identity;
mod outbox;
mod page;
mod participants;
mod parts;
mod precision;
mod problem;
mod readable;
mod remembered;
mod server_clock;
mod sharing;
mod sights;
mod source;
mod start_place;
mod state;
mod tracking;
mod trail;
mod walk;

pub(crate) use page::TrackerPage;

/// This machine's time in milliseconds since the Unix epoch.
fn now() -> f64 {
    js_sys::Date::now()
}
