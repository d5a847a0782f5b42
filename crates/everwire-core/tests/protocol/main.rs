//! The lines of `everwire.v1`, by the examples and tables of their specification, by vectors, and by properties.

mod check;
mod examples;
mod framing;
mod make;
mod page;
mod properties;
mod tables;
mod vectors;
