//! Holds no Rust: see `main.cpp`, and `Cargo.toml` for where the source of uWebSockets comes from.
