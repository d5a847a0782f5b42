use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{fmt::Debug, time::Duration};

use crate::{Cause, ClosePolicy, CloseReason, MessageId, Payload, Time, Verdict};

/// In what a connection and its driver talk of that which the core hands on and hardly looks at.
///
/// A driver that keeps it itself, or has no use for it, says so by its types, and then neither memory nor code is spent on it. Of
/// the npm package's module, which has no text, that was a sixth.
pub trait Terms {
    /// What the platform says of a close or a failure.
    type Text: Debug + Clone + PartialEq + Default;
    /// Why the application closes the connection.
    type Reason: Debug + Clone + PartialEq + Into<Self::Text>;
    /// What makes a message the latest of its kind.
    type Key: Debug + Clone + PartialEq;
    /// Messages, oldest first.
    type Messages: Debug + Clone + PartialEq + Default + FromIterator<MessageId>;
    /// When something happens, and how long it takes.
    type Time: Debug + Clone + PartialEq + From<Time> + Into<Time>;
    /// Which endings are worth another attempt.
    type Policy: Debug + Judge<Self::Text>;

    /// What the core itself says.
    fn text(text: &'static str) -> Self::Text;
}

pub(crate) type TextOf<M> = <<M as Payload>::Terms as Terms>::Text;
pub(crate) type ReasonOf<M> = <<M as Payload>::Terms as Terms>::Reason;
pub(crate) type KeyOf<M> = <<M as Payload>::Terms as Terms>::Key;
pub(crate) type MessagesOf<M> = <<M as Payload>::Terms as Terms>::Messages;
pub(crate) type TimeOf<M> = <<M as Payload>::Terms as Terms>::Time;
pub(crate) type PolicyOf<M> = <<M as Payload>::Terms as Terms>::Policy;

/// Decides which endings are worth another attempt.
pub trait Judge<Text> {
    /// What follows from this cause.
    fn judge(&self, cause: &Cause<Text>) -> Verdict;
}

/// The terms of Rust programs: nothing is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {}

impl Terms for Words {
    type Text = String;
    type Reason = CloseReason;
    type Key = String;
    type Messages = Vec<MessageId>;
    type Time = Duration;
    type Policy = ClosePolicy;

    fn text(text: &'static str) -> String {
        text.to_owned()
    }
}
