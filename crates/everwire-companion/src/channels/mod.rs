//! The channels of `everwire.v1` at `/everwire`: which there are, who may use them, and those that belong to no endpoint.
//!
//! # Layout
//! - this module: configures and starts all channels; [`StateChannel`] publishes many keys of a state channel in one step
//! - `rules`: what clients may do, and what channels keep; `tokens`: who they are
//! - `chat`: rooms and their history; `live`: the trading floor
//!
//! The channels of an endpoint are in its module: `monitor`, `ticker`, `tracker`.

mod chat;
mod live;
mod rules;
mod tokens;

pub use live::LogTap;
pub(crate) use tokens::{Tokens, token};

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use everwire_server::broker::{BrokerError, ChannelName, Key, PageLimits, Publication};
use everwire_server::{Builder, Channel, Everwire};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio::time::sleep;

use crate::companion::Companion;
use crate::config::Config;
use crate::protocol::to_json;
use crate::tracker::Tracker;
use crate::{monitor, ticker, tracker};
use rules::AccessRules;

/// How long publishing continues without subscribers: a page that reloads or reconnects subscribes again.
const LINGER: Duration = Duration::from_secs(5);

/// Sets the rules and the options of all channels.
pub(crate) fn configure(builder: Builder, config: &Config, tokens: &Arc<Tokens>, tracker: &Arc<Tracker>) -> Builder {
    let tracker = Arc::clone(tracker);
    let builder = builder.authorize(AccessRules::new(config, tokens)).channels(rules::options);
    live::configure(builder).on_session(move |event| {
        tracker::session_changed(&tracker, &event);
        live::session_changed(event);
    })
}

/// Registers the request handlers and starts the publishers, once the server runs.
pub(crate) fn start(companion: &Companion) {
    chat::start(companion);
    live::start(companion);
    monitor::start(companion);
    ticker::start(companion);
    tracker::start(companion);
}

/// Completes when there have been no subscribers for [`LINGER`]. Fails when the server has stopped.
pub(crate) async fn without_subscribers(subscribers: &mut watch::Receiver<usize>) -> Result<(), RecvError> {
    loop {
        subscribers.wait_for(|count| *count == 0).await?;
        tokio::select! {
            () = sleep(LINGER) => return Ok(()),
            others = subscribers.wait_for(|count| *count > 0) => drop(others?),
        }
    }
}

/// A state channel that only the server publishes to, many keys at a time: each step of a feed is one commit of the broker and one write to
/// each subscriber.
#[derive(Debug)]
pub(crate) struct StateChannel<T> {
    everwire: Everwire,
    name: ChannelName,
    value: PhantomData<fn(T) -> T>,
}

impl<T> StateChannel<T> {
    /// The channel must have a valid name.
    pub(crate) fn new(everwire: &Everwire, channel: &Channel<T>) -> Self {
        let name = ChannelName::try_from(channel.name()).expect("the names of channels are constants");
        Self { everwire: everwire.clone(), name, value: PhantomData }
    }
}

impl<T: Serialize> StateChannel<T> {
    /// Publishes the value of each key; `None` removes it. Returns when all are stored, with the first error if some are not.
    pub(crate) async fn publish(
        &self,
        values: impl IntoIterator<Item = (impl AsRef<str>, Option<T>)>,
    ) -> Result<(), BrokerError> {
        let publications = values.into_iter().filter_map(|(key, value)| {
            // Keys are symbols and numbers.
            let key = Key::try_from(key.as_ref()).ok()?;
            Some(match value {
                Some(value) => Publication::new(self.name.clone(), to_json(&value)).with_key(key),
                None => Publication::without_payload(self.name.clone()).with_key(key).removed(),
            })
        });
        self.everwire.publish_all(publications.collect()).await.into_iter().try_for_each(|stored| stored.map(drop))
    }
}

impl<T: DeserializeOwned> StateChannel<T> {
    /// The channel's values. Values that an earlier version wrote in another form are skipped.
    pub(crate) async fn read(&self) -> Result<Vec<(String, T)>, BrokerError> {
        let (mut values, mut after) = (Vec::new(), 0);
        loop {
            let page = self.everwire.broker().read_state(&self.name, after, PageLimits::default()).await?;
            for message in &page.messages {
                after = message.cursor.offset;
                let payload = message.payload.as_ref().filter(|_| !message.is_removed);
                let value = payload.and_then(|payload| serde_json::from_slice(payload.as_bytes()).ok());
                if let (Some(key), Some(value)) = (&message.key, value) {
                    values.push((key.as_str().to_owned(), value));
                }
            }
            if page.is_last {
                return Ok(values);
            }
        }
    }
}
