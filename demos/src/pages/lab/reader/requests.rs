use gloo_timers::future::TimeoutFuture;

use super::fetch::{Failed, Fetch, get_text};
use super::{News, Order, Tell};
use crate::pages::lab::transport::Transport;
use crate::pages::lab::wire::{Lines, Told};

/// How long a reader waits after a failure, in milliseconds.
const PAUSE: u32 = 1_000;

/// Polling, and long polling: a request after the other.
pub(super) async fn ask(order: Order, tell: Tell) {
    let mut after = None;
    loop {
        match get_text(&order.http_after(after)).await {
            Ok(text) => Told::lines(&text).for_each(|told| pass_on(told, &mut after, &tell)),
            Err(_) => {
                tell(News::Trouble);
                TimeoutFuture::new(PAUSE).await;
            }
        }
        if order.transport == Transport::Polling {
            TimeoutFuture::new(order.period).await;
        }
    }
}

/// HTTP streaming: one request, as long as it lasts.
pub(super) async fn stream(order: Order, tell: Tell) {
    let mut after = None;
    loop {
        // An answer that ends, because the server stops, is as much a loss as one that breaks off.
        let _ = read(&order, &mut after, &tell).await;
        tell(News::Trouble);
        TimeoutFuture::new(PAUSE).await;
    }
}

async fn read(order: &Order, after: &mut Option<u64>, tell: &Tell) -> Result<(), Failed> {
    let fetch = Fetch::send(&order.http_after(*after), None).await?;
    let chunks = fetch.chunks()?;
    let mut lines = Lines::default();
    while let Some(chunk) = chunks.next().await? {
        lines.take(&chunk).into_iter().for_each(|told| pass_on(told, after, tell));
    }
    Ok(())
}

/// Passes on what the server said, and remembers how far that goes. The answers to calls have no numbers: they are counted.
fn pass_on(told: Told, after: &mut Option<u64>, tell: &Tell) {
    *after = match &told {
        Told::Beginning { cursor, .. } => Some(*cursor),
        Told::Message { seq, .. } => Some(*seq),
        Told::Answer { .. } => after.map(|after| after + 1),
    };
    tell(News::Told(told));
}
