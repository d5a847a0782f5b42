//! How fast messages go, and how long they take.

mod columns;
mod echoes;
mod meter;
mod pacer;
mod series;

pub(super) use columns::columns;
pub(super) use echoes::Echoes;
pub(super) use meter::Meter;
pub(super) use pacer::Pacer;
pub(super) use series::Series;
