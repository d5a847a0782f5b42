//! Who is connected, and what waits for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Everybody who gets what is published.
pub(crate) struct Hub<M> {
    mailboxes: Arc<Mutex<Vec<Arc<Mailbox<M>>>>>,
}

/// What waits for one connection.
pub(crate) struct Mailbox<M> {
    messages: Mutex<Vec<M>>,
    news: Notify,
}

impl<M: Clone> Hub<M> {
    pub(crate) fn join(&self) -> Arc<Mailbox<M>> {
        let mailbox = Arc::new(Mailbox { messages: Mutex::new(Vec::new()), news: Notify::new() });
        lock(&self.mailboxes).push(Arc::clone(&mailbox));
        mailbox
    }

    /// Those that have gone are held by nobody else.
    pub(crate) fn publish(&self, message: &M) {
        lock(&self.mailboxes).retain(|mailbox| {
            let here = Arc::strong_count(mailbox) > 1;
            if here {
                lock(&mailbox.messages).push(message.clone());
                mailbox.news.notify_one();
            }
            here
        });
    }
}

impl<M> Mailbox<M> {
    /// All that waits, once something does. Nothing is lost when this is not awaited to the end.
    pub(crate) async fn take(&self) -> Vec<M> {
        loop {
            let messages = std::mem::take(&mut *lock(&self.messages));
            if !messages.is_empty() {
                return messages;
            }
            self.news.notified().await;
        }
    }
}

impl<M> Clone for Hub<M> {
    fn clone(&self) -> Self {
        Self { mailboxes: Arc::clone(&self.mailboxes) }
    }
}

impl<M> Default for Hub<M> {
    fn default() -> Self {
        Self { mailboxes: Arc::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
