//! Channels as applications declare them.

use alloc::{borrow::Cow, string::String};
use core::{fmt, marker::PhantomData};

/// The name of a channel and the type of its messages: declared once, and shared by the server and its clients.
///
/// ```
/// use everwire_core::Channel;
///
/// struct Line {
///     text: String,
/// }
///
/// pub const CHAT: Channel<Line> = Channel::new("chat");
/// // The latest message of each key is kept: a position of each bus, a price of each share.
/// pub const PRICES: Channel<f64> = Channel::state("prices");
///
/// fn room(number: u32) -> Channel<Line> {
///     Channel::named(format!("room/{number}"))
/// }
/// # assert_eq!(room(7).name(), "room/7");
/// ```
///
/// A name has 1 to 128 bytes, no space and no control character; the server refuses any other.
pub struct Channel<T> {
    name: Cow<'static, str>,
    is_state: bool,
    message: PhantomData<fn(T) -> T>,
}

impl<T> Channel<T> {
    /// A channel with history: its subscribers get every message.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), is_state: false, message: PhantomData }
    }

    /// A channel of values: its subscribers get the latest message of each key first.
    pub const fn state(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), is_state: true, message: PhantomData }
    }

    /// Like [`new`](Self::new), with a name that is only known at run time.
    pub const fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), is_state: false, message: PhantomData }
    }

    /// Like [`state`](Self::state), with a name that is only known at run time.
    pub const fn state_named(name: String) -> Self {
        Self { name: Cow::Owned(name), is_state: true, message: PhantomData }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the latest message of each key is kept.
    pub const fn is_state(&self) -> bool {
        self.is_state
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), is_state: self.is_state, message: PhantomData }
    }
}

impl<T> PartialEq for Channel<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.is_state == other.is_state
    }
}

impl<T> Eq for Channel<T> {}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_state { "state" } else { "stream" };
        write!(formatter, "Channel({:?}, {kind})", self.name)
    }
}
