use serde::Deserialize;

/// What the server counted for an account: bytes that really passed through its socket, above TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(in crate::pages::lab) struct Statement {
    pub(in crate::pages::lab) requests: u64,
    /// Bytes from the browser.
    pub(in crate::pages::lab) read: u64,
    /// Bytes to the browser.
    pub(in crate::pages::lab) written: u64,
    /// Messages to the browser.
    pub(in crate::pages::lab) messages: u64,
    /// Their bytes, and those of what the browser said.
    pub(in crate::pages::lab) payload: u64,
}

impl Statement {
    /// Everything but the payload: heads, chunk sizes, frames, what stands between messages.
    pub(in crate::pages::lab) fn overhead(&self) -> u64 {
        (self.read + self.written).saturating_sub(self.payload)
    }

    /// What was added since an earlier statement.
    pub(in crate::pages::lab) fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            read: self.read.saturating_sub(earlier.read),
            written: self.written.saturating_sub(earlier.written),
            messages: self.messages.saturating_sub(earlier.messages),
            payload: self.payload.saturating_sub(earlier.payload),
        }
    }

    /// Both together.
    pub(in crate::pages::lab) fn with(&self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            read: self.read + other.read,
            written: self.written + other.written,
            messages: self.messages + other.messages,
            payload: self.payload + other.payload,
        }
    }

    pub(in crate::pages::lab) fn overhead_of_a_message(&self) -> Option<f64> {
        share(self.overhead(), self.messages)
    }

    pub(in crate::pages::lab) fn overhead_of_a_request(&self) -> Option<f64> {
        share(self.overhead(), self.requests)
    }
}

/// The account of a transport that runs: what it took to be set up stands apart from what each message takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::pages::lab) struct Running {
    /// When messages came already.
    first: Option<Statement>,
    latest: Option<Statement>,
}

impl Running {
    pub(in crate::pages::lab) fn take(&mut self, statement: Statement) {
        if self.first.is_none() && statement.messages > 0 {
            self.first = Some(statement);
        }
        self.latest = Some(statement);
    }

    /// All that was counted; `None` before the server has said anything.
    pub(in crate::pages::lab) fn total(&self) -> Option<Statement> {
        self.latest
    }

    /// What was added after the transport was set up.
    pub(in crate::pages::lab) fn steady(&self) -> Statement {
        self.latest.zip(self.first).map(|(latest, first)| latest.since(&first)).unwrap_or_default()
    }

    /// The bytes that are left when each message is taken for as much as later ones took: the request and the head of an answer
    /// that never ends, or a handshake.
    pub(in crate::pages::lab) fn set_up(&self) -> Option<f64> {
        let each = self.steady().overhead_of_a_message()?;
        let total = self.latest?;
        Some((total.overhead() as f64 - each * total.messages as f64).max(0.0))
    }
}

fn share(bytes: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| bytes as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(requests: u64, read: u64, written: u64, messages: u64, payload: u64) -> Statement {
        Statement { requests, read, written, messages, payload }
    }

    #[test]
    fn overhead_is_all_but_the_payload() {
        let polls = statement(10, 5_000, 3_280, 10, 1_280);
        assert_eq!(polls.overhead(), 7_000);
        assert_eq!((polls.overhead_of_a_request(), polls.overhead_of_a_message()), (Some(700.0), Some(700.0)));
        assert_eq!(Statement::default().overhead_of_a_message(), None);
    }

    #[test]
    fn the_handshake_stands_apart_from_what_each_message_takes() {
        let mut running = Running::default();
        assert_eq!(running.total(), None, "nothing counted is not a count of nothing");
        running.take(statement(1, 500, 150, 0, 0));
        assert_eq!((running.set_up(), running.steady()), (None, Statement::default()));
        running.take(statement(1, 500, 150 + 3 * 130, 3, 3 * 128));
        running.take(statement(1, 500, 150 + 103 * 130, 103, 103 * 128));
        assert_eq!(running.steady().overhead_of_a_message(), Some(2.0));
        assert_eq!(running.set_up(), Some(650.0));
    }
}
