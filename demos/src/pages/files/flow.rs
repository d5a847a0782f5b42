use std::ops::Range;

/// How far a file is, and how much of it may be sent ahead of the server's acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Flow {
    size: u64,
    acked: u64,
    sent: u64,
    window: u64,
    chunk: u64,
}

impl Flow {
    /// A file of which nothing has been sent.
    pub(super) fn new(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// The server has everything before `offset` and says how it wants the rest. Returns whether it lost what it had
    /// acknowledged before.
    pub(super) fn resume(&mut self, offset: u64, window: u64, chunk: u64) -> bool {
        let has_lost = offset < self.acked;
        // A server's number is not trusted to be within the file.
        let offset = offset.min(self.size);
        *self = Self { size: self.size, acked: offset, sent: offset, window, chunk: chunk.max(1) };
        has_lost
    }

    /// The server has everything before `offset`.
    pub(super) fn acknowledge(&mut self, offset: u64) {
        self.acked = offset.clamp(self.acked, self.sent);
    }

    /// What to send next, of at most `most` bytes: `None` while the window is full, or when all has been sent. It waits for
    /// room for a whole chunk, since many small ones cost more than they gain.
    pub(super) fn next(&self, most: u64) -> Option<Range<u64>> {
        let rest = self.size - self.sent;
        let room = self.window.saturating_sub(self.on_the_way());
        let least = self.chunk.min(self.window).min(rest).max(1);
        (room >= least && rest > 0).then(|| self.sent..self.sent + rest.min(room).min(most.max(1)))
    }

    /// Everything before `offset` has been handed to the connection.
    pub(super) fn send(&mut self, offset: u64) {
        self.sent = offset.clamp(self.sent, self.size);
    }

    /// The connection is lost, and with it what was on the way.
    pub(super) fn interrupt(&mut self) {
        self.sent = self.acked;
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The most bytes of a message.
    pub(super) fn chunk(&self) -> u64 {
        self.chunk
    }

    /// Bytes that were sent and are not acknowledged.
    pub(super) fn on_the_way(&self) -> u64 {
        self.sent - self.acked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(size: u64) -> Flow {
        let mut flow = Flow::new(size);
        assert!(!flow.resume(0, 100, 10));
        flow
    }

    #[test]
    fn no_more_is_sent_than_the_window_holds_until_it_is_acknowledged() {
        let mut flow = flow(1000);
        assert_eq!(flow.next(60), Some(0..60));
        flow.send(60);
        assert_eq!(flow.next(60), Some(60..100));
        flow.send(100);
        assert_eq!(flow.next(60), None);
        flow.acknowledge(9);
        assert_eq!(flow.next(60), None, "less than a chunk is not worth a message");
        flow.acknowledge(50);
        assert_eq!(flow.next(60), Some(100..150));
    }

    #[test]
    fn the_last_piece_is_as_long_as_what_is_left() {
        let mut flow = flow(15);
        flow.send(12);
        assert_eq!(flow.next(60), Some(12..15));
        flow.send(15);
        assert_eq!(flow.next(60), None);
        assert_eq!(self::flow(0).next(60), None);
    }

    #[test]
    fn an_interrupted_file_goes_on_where_the_server_says() {
        let mut flow = flow(1000);
        flow.send(100);
        flow.acknowledge(40);
        flow.interrupt();
        assert_eq!((flow.sent(), flow.on_the_way()), (40, 0));
        assert!(!flow.resume(70, 100, 10), "an acknowledgement may have been lost");
        assert_eq!(flow.next(500), Some(70..170));
    }

    #[test]
    fn a_server_that_started_anew_is_noticed() {
        let mut flow = flow(1000);
        flow.send(100);
        flow.acknowledge(40);
        assert!(flow.resume(0, 100, 10));
        assert_eq!(flow.acked(), 0);
    }

    #[test]
    fn numbers_that_make_no_sense_do_no_harm() {
        let mut flow = flow(100);
        flow.acknowledge(500);
        assert_eq!(flow.acked(), 0, "what was not sent cannot have arrived");
        flow.resume(500, 0, 0);
        assert_eq!(flow.next(10), None);
        flow.resume(0, 0, 0);
        assert_eq!(flow.next(10), None);
    }
}
