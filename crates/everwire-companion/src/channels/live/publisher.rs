use std::time::Duration;

use everwire_server::Channel;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::channels::without_subscribers;
use crate::companion::Companion;

/// What publishes to a channel.
pub(super) trait Publisher: Send + 'static {
    type Item;

    const CHANNEL: Channel<Self::Item>;

    /// Publishes until the future is dropped. It goes on from there when it is called again.
    fn run(&mut self, companion: &Companion) -> impl Future<Output = ()> + Send;
}

/// Runs a publisher while its channel has subscribers, until the server has stopped.
pub(super) fn spawn_while_subscribed<P: Publisher>(companion: &Companion, publisher: P) {
    let Ok(subscribers) = companion.everwire().watch_subscribers(&P::CHANNEL) else { return };
    let running = companion.clone();
    companion.spawn(async move {
        // It ends with the server.
        let _ = run_while_subscribed(&running, publisher, subscribers).await;
    });
}

async fn run_while_subscribed<P: Publisher>(
    companion: &Companion,
    mut publisher: P,
    mut subscribers: watch::Receiver<usize>,
) -> Result<(), RecvError> {
    let channel = P::CHANNEL;
    let channel = channel.name();
    loop {
        subscribers.wait_for(|count| *count > 0).await?;
        tracing::info!(channel, "publishing, since there are subscribers");
        tokio::select! {
            () = publisher.run(companion) => {}
            ended = without_subscribers(&mut subscribers) => ended?,
        }
        tracing::info!(channel, "paused, without subscribers");
    }
}

/// Ticks of which the first is due at once. Those that a stopped machine missed are left out.
pub(super) fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
