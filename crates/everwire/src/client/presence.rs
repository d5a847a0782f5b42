//! Who is present in a channel.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::Channel;
use futures_core::Stream;

use super::{driver::Driver, members::Member};
use crate::threads::Pointer;

/// The members of a channel: a `Stream` of all of them, each time they change. While it lives, the client is one of them.
///
/// It receives no messages of the channel; those are for a [`Subscription`](crate::Subscription). Members are sessions, so that a reconnect is neither a leave nor a join. A reader that is slow gets the latest list. The stream ends
/// when the server ends the subscription, or the client is over. Dropping it ends the membership.
#[derive(Debug)]
#[must_use = "dropping it ends the membership"]
pub struct Presence {
    driver: Pointer<Driver>,
    reader: u64,
}

impl Presence {
    pub(super) fn open<T>(driver: &Pointer<Driver>, channel: &Channel<T>) -> Self {
        let reader = driver.run(|core, _| core.watch(channel.name()));
        Self { driver: Pointer::clone(driver), reader }
    }
}

impl Stream for Presence {
    type Item = Vec<Member>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<Member>>> {
        match self.driver.look(|core| core.next_members(self.reader, context.waker())) {
            None => Poll::Pending,
            Some(members) => Poll::Ready(members),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.driver.run(|core, _| core.drop_watcher(self.reader));
    }
}
