use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::Mailbox;

/// The open connections, by number.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    next: u64,
}

/// What a worker has to do with. A connection counts to the worker that served it last: with each thing that happens
/// it may go to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) connections: u64,
    /// Bytes that wait to be written, to all of them together, and to the slowest.
    pub(crate) queued: u64,
    pub(crate) largest_queue: u64,
}

impl Roster {
    /// Enters a connection, and gives it a number that no other had.
    pub(crate) fn enter(&self, mailbox: &Arc<Mailbox>) -> u64 {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.mailboxes.insert(number, Arc::clone(mailbox));
        number
    }

    pub(crate) fn leave(&self, number: u64) {
        let mut open = self.open();
        open.mailboxes.remove(&number);
        // Thousands that came at once and went leave no table of their size behind.
        if open.mailboxes.len() < open.mailboxes.capacity() / 8 {
            open.mailboxes.shrink_to_fit();
        }
    }

    /// The connections of each of so many workers, and what waits for them.
    pub(crate) fn census(&self, workers: usize) -> Vec<Census> {
        let mut census = vec![Census::default(); workers.max(1)];
        let open = self.open();
        for mailbox in open.mailboxes.values() {
            let place = mailbox.worker() % census.len();
            let (bytes, of) = (mailbox.bytes() as u64, &mut census[place]);
            of.connections += 1;
            of.queued += bytes;
            of.largest_queue = of.largest_queue.max(bytes);
        }
        census
    }

    /// Everybody who is here now.
    pub(crate) fn everybody(&self) -> Vec<(u64, Arc<Mailbox>)> {
        self.open().mailboxes.iter().map(|(number, mailbox)| (*number, Arc::clone(mailbox))).collect()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    #[test]
    fn a_census_counts_who_is_here_and_what_waits() {
        let roster = Roster::default();
        let mailboxes = [(); 3].map(|()| Arc::new(Mailbox::new(1000)));
        let numbers = mailboxes.each_ref().map(|mailbox| roster.enter(mailbox));
        mailboxes[0].send(Message::binary(vec![0; 98]));
        mailboxes[1].send(Message::binary(vec![0; 8]));
        assert_eq!(roster.census(1), [Census { connections: 3, queued: 110, largest_queue: 100 }]);
        roster.leave(numbers[0]);
        assert_eq!(roster.census(1), [Census { connections: 2, queued: 10, largest_queue: 10 }]);
    }
}
