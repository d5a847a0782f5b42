//! The monitor's samples as channels: points with five minutes of history, and what tables show.

use std::time::Duration;

use everwire_companion_api::monitor::{KEPT, LATEST, POINTS, Point, STATUS, Status};
use everwire_server::Everwire;
use everwire_server::broker::Retention;
use everwire_server::channels::{ChannelError, ChannelOptions};

use crate::companion::Companion;

/// What the channel of points keeps: what a page can show that comes late.
pub(super) fn points() -> ChannelOptions {
    let mut options = ChannelOptions::default();
    options.retention = Retention::stream().with_count(KEPT.into()).with_age(Duration::from_secs(KEPT.into()));
    options
}

/// What the channel of tables keeps: the latest.
pub(super) fn status() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(1);
    options
}

/// Samples for as long as the server runs, so that the history has no gap.
pub(super) fn start(companion: &Companion) {
    if companion.config().monitor {
        companion.monitor().start(companion);
    }
}

/// Publishes a sample. A broker that fails costs this sample and not the sampler.
pub(crate) async fn publish(everwire: &Everwire, point: &Point, status: Option<&Status>) {
    let stored = async {
        everwire.publish(&POINTS, point).await?;
        if let Some(status) = status {
            everwire.set(&STATUS, LATEST, status).await?;
        }
        Ok::<_, ChannelError>(())
    };
    if let Err(error) = stored.await {
        tracing::warn!(%error, "a sample of the monitor was not published");
    }
}
