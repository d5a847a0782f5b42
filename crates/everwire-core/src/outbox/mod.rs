//! What waits to be sent, and what was handed over but may not have left.

mod in_flight;
mod limits;
mod queue;

pub(crate) use in_flight::InFlight;
pub use limits::{DiscardReason, OutboxLimits, Refusal, Refused, SendOptions, WhenFull};
pub use queue::{MessageId, Outbox, Sent};
