//! `/lab`: one feed over polling, long polling, HTTP streaming, server-sent events and WebSocket, and what each transport costs.
//!
//! A client reads from a cursor, and gets one [`Item`] per line, event or message. The server counts the bytes of each transport, and
//! `/lab/accounts` answers with the [`Accounts`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// A line, an event or a message of a transport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item {
    /// Where reading begins. The server sends it only to a client that cannot know.
    Start {
        /// The number of the message before the first one that follows.
        cursor: u64,
        /// How many messages the client has missed: it was away for longer than the server keeps them.
        #[serde(default, skip_serializing_if = "is_zero")]
        gap: u64,
    },
    /// A message of the feed. [`padded_message`] writes it, with a member that readers skip.
    Message {
        /// The number of the message; each is one more than the one before it.
        seq: u64,
        /// When the server made it.
        time: f64,
    },
    /// The echo of a call, which is the same text.
    Call {
        /// The client's number for the call.
        call: u64,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The text of an [`Item::Message`] with `size` bytes: dots in a member `pad` fill it up. Where number and time alone need more,
/// the text is longer.
pub fn padded_message(seq: u64, time: f64, size: usize) -> String {
    let mut text = String::with_capacity(size);
    // Writing to a String never fails.
    let _ = write!(text, "{{\"seq\":{seq},\"time\":{time:.3},\"pad\":\"");
    let pad = size.saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('.', pad));
    text.push_str("\"}");
    text
}

/// The response of `/lab/accounts`: the usage of each account that the request names and the server knows, by name.
pub type Accounts = BTreeMap<String, Usage>;

/// What one transport of one client has used, as counted by the server below HTTP and above TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests whose answer has begun.
    pub requests: u64,
    /// Bytes from the client.
    pub read: u64,
    /// Bytes to the client.
    pub written: u64,
    /// Messages to the client.
    pub messages: u64,
    /// The bytes of these messages, and of the client's calls.
    pub payload: u64,
}

impl Usage {
    /// All bytes except the payload: heads, chunk sizes, frames and separators.
    pub fn overhead(&self) -> u64 {
        (self.read + self.written).saturating_sub(self.payload)
    }

    /// The overhead in bytes per message to the client; `None` before the first.
    pub fn overhead_per_message(&self) -> Option<f64> {
        ratio(self.overhead(), self.messages)
    }

    /// The overhead in bytes per request; `None` before the first.
    pub fn overhead_per_request(&self) -> Option<f64> {
        ratio(self.overhead(), self.requests)
    }

    /// What was added since an earlier count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            read: self.read.saturating_sub(earlier.read),
            written: self.written.saturating_sub(earlier.written),
            messages: self.messages.saturating_sub(earlier.messages),
            payload: self.payload.saturating_sub(earlier.payload),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.read += other.read;
        self.written += other.written;
        self.messages += other.messages;
        self.payload += other.payload;
    }
}

fn ratio(bytes: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| bytes as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_all_except_the_payload() {
        let polls = Usage { requests: 10, read: 5_000, written: 3_280, messages: 10, payload: 1_280 };
        assert_eq!(polls.overhead(), 7_000);
        assert_eq!((polls.overhead_per_request(), polls.overhead_per_message()), (Some(700.0), Some(700.0)));
        assert_eq!(Usage::default().overhead_per_message(), None);
    }

    #[test]
    fn a_difference_and_the_earlier_count_add_up() {
        let earlier = Usage { requests: 1, read: 2, written: 3, messages: 4, payload: 5 };
        let later = Usage { requests: 11, read: 22, written: 33, messages: 44, payload: 55 };
        let mut sum = earlier;
        sum += later.since(&earlier);
        assert_eq!(sum, later);
        assert_eq!(earlier.since(&later), Usage::default());
    }
}
