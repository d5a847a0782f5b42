//! The lines of `everwire.v1`, by the examples and tables of their specification.

mod examples;
mod page;
mod tables;
