use everwire_companion_api::lab::Usage;

/// The usage of a transport that runs, which tells what its setup took from what each message takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::pages::lab) struct RunningUsage {
    /// When messages came already.
    first: Option<Usage>,
    latest: Option<Usage>,
}

impl RunningUsage {
    pub(in crate::pages::lab) fn take(&mut self, usage: Usage) {
        if self.first.is_none() && usage.messages > 0 {
            self.first = Some(usage);
        }
        self.latest = Some(usage);
    }

    /// All that was counted; `None` before the server has said anything.
    pub(in crate::pages::lab) fn total(&self) -> Option<Usage> {
        self.latest
    }

    /// What was added after the transport was set up.
    pub(in crate::pages::lab) fn steady(&self) -> Usage {
        self.latest.zip(self.first).map(|(latest, first)| latest.since(&first)).unwrap_or_default()
    }

    /// The bytes that are left when each message is taken for as much as later ones took: the request and the head of an answer
    /// that never ends, or a handshake.
    pub(in crate::pages::lab) fn set_up(&self) -> Option<f64> {
        let each = self.steady().overhead_per_message()?;
        let total = self.latest?;
        Some((total.overhead() as f64 - each * total.messages as f64).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(requests: u64, read: u64, written: u64, messages: u64, payload: u64) -> Usage {
        Usage { requests, read, written, messages, payload }
    }

    #[test]
    fn the_handshake_stands_apart_from_what_each_message_takes() {
        let mut running = RunningUsage::default();
        assert_eq!(running.total(), None, "nothing counted is not a count of nothing");
        running.take(usage(1, 500, 150, 0, 0));
        assert_eq!((running.set_up(), running.steady()), (None, Usage::default()));
        running.take(usage(1, 500, 150 + 3 * 130, 3, 3 * 128));
        running.take(usage(1, 500, 150 + 103 * 130, 103, 103 * 128));
        assert_eq!(running.steady().overhead_per_message(), Some(2.0));
        assert_eq!(running.set_up(), Some(650.0));
    }
}
