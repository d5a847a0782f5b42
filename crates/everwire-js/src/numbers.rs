use everwire_core::{Cause, Judge, MessageId, Terms, Time, Verdict};

/// The terms of this module: JavaScript keeps what is text, and is told how many messages may be lost rather than which.
pub(crate) enum Numbers {}

impl Terms for Numbers {
    type Text = ();
    type Reason = ();
    type Key = u32;
    type Messages = Count;
    type Time = Time;
    type Policy = Policy;

    fn text(_: &'static str) {}
}

/// How many messages.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Count(pub(crate) usize);

impl FromIterator<MessageId> for Count {
    fn from_iter<T: IntoIterator<Item = MessageId>>(messages: T) -> Self {
        Self(messages.into_iter().count())
    }
}

/// Which endings are worth another attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Policy {
    /// All but a refused address, since JavaScript judges.
    pub(crate) retries_all: bool,
    /// A function gives the address or the subprotocols of each attempt.
    pub(crate) renews_credentials: bool,
}

impl Policy {
    /// What the core would find.
    pub(crate) fn by_default(self, cause: &Cause<()>) -> Verdict {
        Verdict::by_default(cause, self.renews_credentials)
    }
}

impl Judge<()> for Policy {
    fn judge(&self, cause: &Cause<()>) -> Verdict {
        match self.by_default(cause) {
            Verdict::Stop if self.retries_all && !matches!(cause, Cause::Refused(())) => Verdict::Retry,
            verdict => verdict,
        }
    }
}
