//! How a connection behaves in a simulated world, in virtual time.

mod backpressure;
mod closing;
mod hidden_page;
mod latency;
mod lost_bytes;
mod outbox;
mod page_cache;
mod policy;
mod provider;
mod reconnect;
mod retries;
mod silence;
mod uploads;
mod wake_events;
mod world;
