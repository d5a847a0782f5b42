//! From numbers to what the core is told.

use alloc::vec::Vec;

use everwire_core::{At, Cause, CloseCode, Network, Page, SocketId, Time};

use crate::{body::Body, codes::input};

/// Tells the core. A number that stands for nothing has no effect.
///
/// The core's methods are called one by one, since to make an [`Input`](everwire_core::Input) of each only to take it apart again
/// cost more than the telling.
pub(crate) fn tell(core: At<'_, Body>, input: u32, a: f64, b: f64, c: f64) {
    let socket = SocketId(a as u64);
    match input {
        input::OPEN => core.open_after(Time::from_millis_f64(a)),
        input::RECONNECT => core.reconnect(),
        // JavaScript keeps the code and the reason.
        input::CLOSE => core.close(CloseCode::NORMAL, ()),
        input::OPENED => core.opened(socket, Vec::new()),
        // The message itself goes to the application without the core.
        input::HEARD => _ = core.receive(socket),
        input::PONG => core.pong(socket, (b >= 0.0).then_some(b as u64), (c > 0.0).then_some(c)),
        input::CLOSED | input::PROVIDER_FAILED | input::REFUSED => {
            let cause = match input {
                input::PROVIDER_FAILED => Cause::Provider(()),
                input::REFUSED => Cause::Refused(()),
                _ => Cause::closed(b.abs() as u16, (), b > 0.0),
            };
            core.dropped(socket, cause, c as u64);
        }
        input::BUFFERED => core.buffered(socket, b as u64),
        input::ONLINE => core.network(Network::Online),
        input::OFFLINE => core.network(Network::Offline),
        input::VISIBLE => core.page(Page::Visible),
        input::HIDDEN => core.page(Page::Hidden),
        input::FROZEN => core.page(Page::Frozen),
        input::RESUMED => core.page(Page::Resumed),
        input::SUSPENDED => core.page(Page::Suspended),
        input::RESTORED => core.page(Page::Restored),
        input::WAKE => core.wake(Time::from_millis_f64(a)),
        _ => {}
    }
}
