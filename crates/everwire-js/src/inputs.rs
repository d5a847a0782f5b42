//! From numbers to what the core is told.

use alloc::{string::String, vec::Vec};

use everwire_core::{Cause, CloseCode, CloseReason, Input, Network, Page, SocketId};

use crate::{body::Body, codes::input, time};

/// `None` for a number that stands for nothing.
pub(crate) fn read(input: u32, a: f64, b: f64, c: f64) -> Option<Input<Body>> {
    let socket = SocketId(a as u64);
    let dropped = |cause, buffered: f64| Input::Dropped { socket, cause, buffered: buffered as u64 };
    Some(match input {
        input::OPEN => Input::Open,
        input::RECONNECT => Input::Reconnect,
        // JavaScript has checked the code and keeps the reason.
        input::CLOSE => {
            Input::Close { code: CloseCode::new(a as u16).unwrap_or_default(), reason: CloseReason::default() }
        }
        input::OPENED => Input::Opened { socket, greeting: Vec::new() },
        input::PONG => {
            Input::Pong { socket, ping: (b >= 0.0).then_some(b as u64), server_time: (c > 0.0).then_some(c) }
        }
        input::CLOSED => dropped(Cause::closed(b.abs() as u16, String::new(), b > 0.0), c),
        input::PROVIDER_FAILED => dropped(Cause::Provider(String::new()), 0.0),
        input::REFUSED => dropped(Cause::Refused(String::new()), 0.0),
        input::BUFFERED => Input::Buffered { socket, bytes: b as u64 },
        input::ONLINE => Input::Network(Network::Online),
        input::OFFLINE => Input::Network(Network::Offline),
        input::VISIBLE => Input::Page(Page::Visible),
        input::HIDDEN => Input::Page(Page::Hidden),
        input::FROZEN => Input::Page(Page::Frozen),
        input::RESUMED => Input::Page(Page::Resumed),
        input::SUSPENDED => Input::Page(Page::Suspended),
        input::RESTORED => Input::Page(Page::Restored),
        input::WAKE => Input::Wake { wall: time::from_millis(a) },
        _ => return None,
    })
}
