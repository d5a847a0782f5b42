use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// What a queued message costs beside its payload, so that empty messages cannot pile up for free.
const OVERHEAD: usize = 64;

/// The messages that wait to be written to one connection.
///
/// Anyone may put messages in and never waits for it; payloads are shared, not copied. When more waits than the
/// reader is allowed to be behind, everything is thrown away and the connection is told to end.
#[derive(Debug)]
pub(crate) struct Mailbox {
    limit: usize,
    queue: Mutex<Queue>,
    filled: Notify,
    overflowed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    end: Option<End>,
}

/// Why nothing more will come out of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The endpoint is done; close with this code and reason after what is queued.
    Close(u16, Cow<'static, str>),
    /// The reader is too slow.
    Overflow,
}

impl Mailbox {
    /// A mailbox that overflows when a message comes while more than `limit` bytes wait.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, queue: Mutex::default(), filled: Notify::new(), overflowed: Notify::new() }
    }

    /// Puts a message in. After the end it goes nowhere.
    pub(crate) fn send(&self, message: Message) {
        let mut queue = self.queue();
        if queue.end.is_some() {
            return;
        }
        if queue.bytes > self.limit {
            *queue = Queue { end: Some(End::Overflow), ..Queue::default() };
            drop(queue);
            self.overflowed.notify_one();
        } else {
            queue.bytes += message.len() + OVERHEAD;
            queue.messages.push_back(message);
            drop(queue);
        }
        self.filled.notify_one();
    }

    /// Sends `value` as JSON text.
    pub(crate) fn send_json(&self, value: &impl Serialize) {
        self.send(json(value));
    }

    /// Answers what the endpoint did not expect.
    pub(crate) fn send_error(&self, what_to_do: &str) {
        #[derive(Serialize)]
        struct Error<'a> {
            error: &'a str,
        }
        self.send_json(&Error { error: what_to_do });
    }

    /// Closes the connection once everything that is queued has been written.
    pub(crate) fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.queue().end.get_or_insert(End::Close(code, reason.into()));
        self.filled.notify_one();
    }

    /// Takes everything out.
    pub(crate) fn take(&self) -> (VecDeque<Message>, Option<End>) {
        let mut queue = self.queue();
        queue.bytes = 0;
        (std::mem::take(&mut queue.messages), queue.end.clone())
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Completes when something was put in since the last time.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Completes when the mailbox has overflowed.
    pub(crate) async fn overflowed(&self) {
        self.overflowed.notified().await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text message with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Message {
    let text = serde_json::to_string(value).expect("structs with string keys always have a JSON form");
    Message::Text(Utf8Bytes::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_out_in_order_with_the_end_behind_it() {
        let mailbox = Mailbox::new(1000);
        mailbox.send(Message::text("a"));
        mailbox.send(Message::text("b"));
        mailbox.close(1000, "done");
        mailbox.send(Message::text("after the end"));
        let (messages, end) = mailbox.take();
        assert_eq!(messages, [Message::text("a"), Message::text("b")]);
        assert_eq!(end, Some(End::Close(1000, "done".into())));
    }

    #[test]
    fn a_backlog_over_the_limit_is_thrown_away_and_ends_the_connection() {
        let mailbox = Mailbox::new(1000);
        let message = Message::binary(vec![0; 400]);
        for _ in 0..3 {
            mailbox.send(message.clone());
        }
        assert_eq!(mailbox.bytes(), 3 * (400 + OVERHEAD));
        mailbox.send(message.clone());
        assert_eq!(mailbox.bytes(), 0);
        assert_eq!(mailbox.take(), (VecDeque::new(), Some(End::Overflow)));
    }

    #[test]
    fn empty_messages_also_fill_a_mailbox() {
        let mailbox = Mailbox::new(1000);
        for _ in 0..100 {
            mailbox.send(Message::text(""));
        }
        assert_eq!(mailbox.take().1, Some(End::Overflow));
    }
}
