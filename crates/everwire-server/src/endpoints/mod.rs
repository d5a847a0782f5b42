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
use crate::connection::OutboundQueue;
use crate::files::FilesHandler;
use crate::group::Group;
use crate::handler::Handler;
use crate::handshake_error::HandshakeError;
use crate::query::Query;
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

/// Makes the handler of a connection, once there is one.
pub(crate) type Opening = Box<dyn FnOnce(&Arc<OutboundQueue>) -> Box<dyn Handler> + Send>;

/// What the connections of endpoints share.
#[derive(Debug)]
pub(crate) struct Groups {
    broadcast: Arc<Group<()>>,
    sum: Arc<Group<Total>>,
    tracker: Arc<Group<Positions>>,
}

impl Default for Groups {
    fn default() -> Self {
        Self { broadcast: Group::new(()), sum: Group::new(Total::default()), tracker: Group::new(Positions::default()) }
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
    ) -> Result<Opening, HandshakeError> {
        let groups = everwire.groups();
        Ok(match self {
            Self::Echo => Box::new(|outbound| Box::new(echo::EchoHandler::new(outbound))),
            Self::Broadcast => {
                let group = Arc::clone(&groups.broadcast);
                Box::new(move |outbound| Box::new(broadcast::BroadcastHandler::new(&group, outbound)))
            }
            Self::Hello => Box::new(|outbound| Box::new(hello::HelloHandler::new(outbound))),
            Self::Countdown => {
                let steps = countdown::Steps::from_query(query)?;
                Box::new(move |outbound| Box::new(countdown::CountdownHandler::new(steps, outbound)))
            }
            Self::Sum => {
                let group = Arc::clone(&groups.sum);
                Box::new(move |outbound| Box::new(sum::SumHandler::new(&group, outbound)))
            }
            Self::Clock => {
                let clock = everwire.config().clock.clone();
                Box::new(move |outbound| Box::new(clock::ClockHandler::new(clock, outbound)))
            }
            Self::Ticker => ticker::prepare(everwire, query, address)?,
            Self::Tracker => {
                let group = Arc::clone(&groups.tracker);
                let clock = everwire.config().clock.clone();
                Box::new(move |outbound| Box::new(tracker::TrackerHandler::new(&group, clock, outbound)))
            }
            Self::Monitor => monitor::prepare(everwire),
            Self::Lab => lab::prepare(everwire, query, address)?,
            Self::Files => {
                let (store, message_bytes) = (Arc::clone(everwire.files()), everwire.config().limits.message_bytes);
                Box::new(move |outbound| Box::new(FilesHandler::new(&store, message_bytes, outbound)))
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
