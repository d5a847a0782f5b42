use serde::{Deserialize, Serialize};

/// The answer of any endpoint to a message that it does not expect. It has no `type`, unlike the endpoint's other messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What the client should do, in a sentence.
    pub error: String,
}
