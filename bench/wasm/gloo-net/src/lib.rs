//! A client for the benchmark: an echo to weigh, or a driver to time.

#[cfg(not(feature = "measure"))]
mod echo;
#[cfg(feature = "measure")]
mod measured;
