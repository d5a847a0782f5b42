//! What each path does with messages.

mod broadcast;
mod clock;
mod countdown;
mod echo;
mod hello;
mod sum;
mod tracker;

use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use sum::Total;
pub(crate) use tracker::Positions;

use crate::Everwire;
use crate::connection::Mailbox;
use crate::files::Transfer;
use crate::hub::Hub;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::ticker;
use crate::{lab, monitor};

/// The WebSocket endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Echo,
    Broadcast,
    Hello,
    Countdown,
    Sum,
    Clock,
    Ticker,
    Tracker,
    Monitor,
    Lab,
    Files,
}

/// Makes the session of a connection, once there is one.
pub(crate) type Opening = Box<dyn FnOnce(&Arc<Mailbox>) -> Box<dyn Session> + Send>;

/// What the connections of endpoints share.
#[derive(Debug)]
pub(crate) struct Hubs {
    broadcast: Arc<Hub<()>>,
    sum: Arc<Hub<Total>>,
    tracker: Arc<Hub<Positions>>,
}

impl Default for Hubs {
    fn default() -> Self {
        Self { broadcast: Hub::new(()), sum: Hub::new(Total::default()), tracker: Hub::new(Positions::default()) }
    }
}

impl Endpoint {
    pub(crate) const ALL: [Self; 11] = [
        Self::Echo,
        Self::Broadcast,
        Self::Hello,
        Self::Countdown,
        Self::Sum,
        Self::Clock,
        Self::Ticker,
        Self::Tracker,
        Self::Monitor,
        Self::Lab,
        Self::Files,
    ];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Echo => "/echo",
            Self::Broadcast => "/broadcast",
            Self::Hello => "/hello",
            Self::Countdown => "/countdown",
            Self::Sum => "/sum",
            Self::Clock => "/clock",
            Self::Ticker => "/ticker",
            Self::Tracker => "/tracker",
            Self::Monitor => "/monitor",
            Self::Lab => "/lab/socket",
            Self::Files => "/files",
        }
    }

    /// Reads the request's parameters, so that a mistake in them is answered with HTTP 400 before the handshake.
    pub(crate) fn prepare(
        self,
        everwire: &Everwire,
        query: &Query,
        address: Option<IpAddr>,
    ) -> Result<Opening, Refusal> {
        let hubs = everwire.hubs();
        Ok(match self {
            Self::Echo => Box::new(|mailbox| Box::new(echo::Echo::new(mailbox))),
            Self::Broadcast => {
                let hub = Arc::clone(&hubs.broadcast);
                Box::new(move |mailbox| Box::new(broadcast::Broadcast::new(&hub, mailbox)))
            }
            Self::Hello => Box::new(|mailbox| Box::new(hello::Hello::new(mailbox))),
            Self::Countdown => {
                let steps = countdown::Steps::from_query(query)?;
                Box::new(move |mailbox| Box::new(countdown::Countdown::new(steps, mailbox)))
            }
            Self::Sum => {
                let hub = Arc::clone(&hubs.sum);
                Box::new(move |mailbox| Box::new(sum::Sum::new(&hub, mailbox)))
            }
            Self::Clock => {
                let clock = everwire.config().clock.clone();
                Box::new(move |mailbox| Box::new(clock::ClockSession::new(clock, mailbox)))
            }
            Self::Ticker => ticker::prepare(everwire, query, address)?,
            Self::Tracker => {
                let hub = Arc::clone(&hubs.tracker);
                let clock = everwire.config().clock.clone();
                Box::new(move |mailbox| Box::new(tracker::Tracker::new(&hub, clock, mailbox)))
            }
            Self::Monitor => monitor::prepare(everwire),
            Self::Lab => lab::prepare(everwire, query, address)?,
            Self::Files => {
                let (store, message_bytes) = (Arc::clone(everwire.files()), everwire.config().limits.message_bytes);
                Box::new(move |mailbox| Box::new(Transfer::new(&store, message_bytes, mailbox)))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_stands_in_the_list_at_its_own_number() {
        for (number, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, number);
        }
    }
}
