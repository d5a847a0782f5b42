use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Closed, SocketHandle};

/// A future of how the connection ended. Dropping it changes nothing: closing goes on.
#[derive(Debug)]
pub struct Closing {
    pub(super) handle: SocketHandle,
}

impl Closing {
    pub(super) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<Closed> {
        self.handle.shared.poll_closed(context.waker())
    }
}

impl Future for Closing {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Closed> {
        self.poll_closed(context)
    }
}
