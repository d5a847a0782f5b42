use std::cell::RefCell;
use std::rc::Rc;

use everwire::SendError;
use gloo_timers::future::TimeoutFuture;

use crate::now::now;
use crate::pages::echo::payload::Payload;
use crate::pages::echo::session::Session;
use crate::pages::echo::traffic::Pacer;

/// The most messages that are sent without a pause in which the page can draw and receive.
const AT_ONCE: u64 = 500;
/// How long a full outbox is left alone.
const FULL_MS: u32 = 50;

/// Sends a message again and again, as the pacer says. It waits where the network does not keep up, and ends early when the
/// connection is closed.
pub(super) async fn repeat(session: Session, payload: Payload, pacer: Rc<RefCell<Pacer>>) {
    loop {
        let Some(handle) = session.handle() else { return };
        if handle.ready().await.is_err() {
            return;
        }
        let mut due = pacer.borrow_mut().take(now(), AT_ONCE);
        while due > 0 {
            match session.send(&payload) {
                Ok(()) => due -= 1,
                Err(SendError::Full(_)) => TimeoutFuture::new(FULL_MS).await,
                Err(_) => return,
            }
        }
        let Some(next) = pacer.borrow().next() else { return };
        TimeoutFuture::new((next - now()).max(0.0).ceil() as u32).await;
    }
}
