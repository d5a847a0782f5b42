//! The codec of `everwire.v1`: by the examples and tables of its specification, by vectors, and by properties.

mod documentation;
mod framing;
mod invariants;
mod properties;
mod specification;
mod vectors;
