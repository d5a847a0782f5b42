use gloo_timers::future::TimeoutFuture;

use super::cursor::Cursor;
use super::fetch::{Failed, Fetch, get_text};
use super::{News, Order, PAUSE, Tell};
use crate::pages::lab::transport::Transport;
use crate::pages::lab::wire::{Lines, Told};

/// Polling, and long polling: a request after the other.
pub(super) async fn ask(order: Order, tell: Tell) {
    let mut cursor = Cursor::default();
    loop {
        match get_text(&order.http_after(cursor.after())).await {
            Ok(text) => Told::lines(&text).for_each(|told| pass_on(told, &mut cursor, &tell)),
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
    let mut cursor = Cursor::default();
    loop {
        // An answer that ends, because the server stops, is as much a loss as one that breaks off.
        let _ = read(&order, &mut cursor, &tell).await;
        tell(News::Trouble);
        TimeoutFuture::new(PAUSE).await;
    }
}

async fn read(order: &Order, cursor: &mut Cursor, tell: &Tell) -> Result<(), Failed> {
    let fetch = Fetch::send(&order.http_after(cursor.after()), None).await?;
    let chunks = fetch.chunks()?;
    let mut lines = Lines::default();
    while let Some(chunk) = chunks.next().await? {
        lines.take(&chunk).into_iter().for_each(|told| pass_on(told, cursor, tell));
    }
    Ok(())
}

/// Passes on what the server said, and remembers how far that goes.
fn pass_on(told: Told, cursor: &mut Cursor, tell: &Tell) {
    cursor.follow(&told);
    tell(News::Told(told));
}
