//! The members of a broadcast, each with a queue of the messages that wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The connections that receive every published message.
pub(crate) struct Group<M> {
    queues: Arc<Mutex<Vec<Arc<OutboundQueue<M>>>>>,
}

/// The messages that wait for one connection.
pub(crate) struct OutboundQueue<M> {
    messages: Mutex<Vec<M>>,
    news: Notify,
}

impl<M: Clone> Group<M> {
    pub(crate) fn join(&self) -> Arc<OutboundQueue<M>> {
        let queue = Arc::new(OutboundQueue { messages: Mutex::new(Vec::new()), news: Notify::new() });
        lock(&self.queues).push(Arc::clone(&queue));
        queue
    }

    /// Enqueues a message for every member. A member that has left no longer holds its queue, which is removed.
    pub(crate) fn publish(&self, message: &M) {
        lock(&self.queues).retain(|queue| {
            let here = Arc::strong_count(queue) > 1;
            if here {
                lock(&queue.messages).push(message.clone());
                queue.news.notify_one();
            }
            here
        });
    }
}

impl<M> OutboundQueue<M> {
    /// Waits for messages and takes all of them. Dropping the future loses none.
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

impl<M> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self { queues: Arc::clone(&self.queues) }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { queues: Arc::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
