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

    /// Everybody who is here now.
    pub(crate) fn everybody(&self) -> Vec<(u64, Arc<Mailbox>)> {
        self.open().mailboxes.iter().map(|(number, mailbox)| (*number, Arc::clone(mailbox))).collect()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
