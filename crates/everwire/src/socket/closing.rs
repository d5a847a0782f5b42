use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Closed, platform::Pointer, shared::Shared};

/// A connection on its way to the end; awaiting it tells how it ended. Dropping it changes nothing.
pub struct Closing {
    pub(super) shared: Pointer<Shared>,
}

impl Closing {
    pub(super) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<Closed> {
        let is_over = self
            .shared
            .poll_for(context.waker(), |connection| (connection.state() == everwire_core::State::Closed).then_some(()));
        match (is_over, self.shared.closed()) {
            (Poll::Ready(()), Some(closed)) => Poll::Ready(closed),
            _ => Poll::Pending,
        }
    }
}

impl Future for Closing {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Closed> {
        self.poll_closed(context)
    }
}
