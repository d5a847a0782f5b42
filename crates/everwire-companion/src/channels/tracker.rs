//! The participants of the tracker as a channel: requests report for them, and the channel has the latest position of each.

use std::sync::Arc;
use std::time::Duration;

use everwire_companion_api::tracker::{ClientMessage, POSITIONS, Position, REPORT, Secret};
use everwire_server::Everwire;
use everwire_server::broker::BrokerError;
use everwire_server::channels::{ChannelOptions, RequestContext, RequestError, SessionChange, SessionEvent};
use tokio::time::{Instant, sleep, sleep_until};

use super::state::StateChannel;
use crate::companion::Companion;
use crate::tracker::{Holder, Place, Tracker, id_of};

/// How long a participant that has moved waits for its next message, so that a crowd shares commits.
const STEP: Duration = Duration::from_millis(20);
/// How long the channel waits for a broker that failed.
const RETRY: Duration = Duration::from_secs(1);

const NO_PLACE: &str = "there is no such place: lat is -90 to 90, lon -180 to 180, accuracy is in metres";
const NO_SECRET: &str = "name the participant by a secret of 16 to 128 characters";

/// What the channel keeps: the latest position of each participant, and none from before, as the page promises. So a page that reconnects
/// after somebody has moved gets everyone.
pub(super) fn options() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(0);
    options
}

/// Takes reports, and publishes the participants for as long as the server runs.
pub(super) fn start(companion: &Companion) {
    let everwire = companion.everwire().clone();
    let tracker = Arc::clone(companion.tracker());
    {
        let tracker = Arc::clone(&tracker);
        everwire.on_request(REPORT, move |context, message| {
            let answer = report(&tracker, &context, message);
            async move { answer }
        });
    }
    companion.spawn(async move { publish(&everwire, &tracker).await });
}

/// Follows the sessions of those who report.
pub(super) fn session_changed(tracker: &Tracker, event: &SessionEvent) {
    match event.change {
        SessionChange::Resumed => tracker.resumed(&event.session),
        SessionChange::Detached => tracker.detached(&event.session),
        SessionChange::Ended => tracker.ended(&event.session),
        _ => {}
    }
}

fn report(tracker: &Tracker, context: &RequestContext, message: ClientMessage) -> Result<(), RequestError> {
    let identify = |secret: Option<Secret>| {
        let id = id_of(&secret.ok_or_else(|| RequestError::new(NO_SECRET))?);
        tracker.identify(&context.session, id);
        Ok(id)
    };
    match message {
        ClientMessage::Position { lat, lon, accuracy, secret } => {
            let place = Place::new(lat, lon, accuracy).ok_or_else(|| RequestError::new(NO_PLACE))?;
            tracker.moved(identify(secret)?, place, Holder::Session(context.session.clone()));
            tracker.group().flush();
        }
        ClientMessage::Leave { secret } => tracker.remove(identify(secret)?),
    }
    Ok(())
}

/// Publishes whoever has changed, a step at a time.
async fn publish(everwire: &Everwire, tracker: &Tracker) {
    let channel = StateChannel::new(everwire, &POSITIONS);
    while let Err(error) = restore(&channel, tracker).await {
        tracing::warn!(%error, "the tracker's positions cannot be read");
        sleep(RETRY).await;
    }
    loop {
        let next = tracker.expire(Instant::now());
        let changes = tracker.take_changes();
        if !changes.is_empty() {
            let ids: Vec<u64> = changes.iter().map(|(id, _)| *id).collect();
            let values = changes.into_iter().map(|(id, position)| (id.to_string(), position));
            if let Err(error) = channel.publish(values).await {
                tracing::warn!(%error, "positions of the tracker are not published");
                tracker.return_changes(ids);
                sleep(RETRY).await;
            }
        }
        sleep(STEP).await;
        let expiry = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tracker.changed() => {}
            () = expiry => {}
        }
    }
}

/// Adds those that the channel knows from an earlier run of the server.
async fn restore(channel: &StateChannel<Position>, tracker: &Tracker) -> Result<(), BrokerError> {
    let known = channel.read().await?;
    tracker.restore(known.into_iter().map(|(_, position)| position));
    Ok(())
}
