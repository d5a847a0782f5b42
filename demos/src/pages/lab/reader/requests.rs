use everwire_companion_api::lab::Item;
use gloo_timers::future::TimeoutFuture;

use super::cursor::Cursor;
use super::fetch::{Failed, Fetch, get_text};
use super::{OnEvent, PAUSE, ReaderEvent, ReaderOptions};
use crate::pages::lab::items::{self, LineSplitter};
use crate::pages::lab::transport::Transport;

/// Polling, and long polling: a request after the other.
pub(super) async fn ask(options: ReaderOptions, on_event: OnEvent) {
    let mut cursor = Cursor::default();
    loop {
        match get_text(&options.http_after(cursor.after())).await {
            Ok(text) => items::parse_lines(&text).for_each(|item| pass_on(item, &mut cursor, &on_event)),
            Err(_) => {
                on_event(ReaderEvent::Failed);
                TimeoutFuture::new(PAUSE).await;
            }
        }
        if options.transport == Transport::Polling {
            TimeoutFuture::new(options.period).await;
        }
    }
}

/// HTTP streaming: one request, as long as it lasts.
pub(super) async fn stream(options: ReaderOptions, on_event: OnEvent) {
    let mut cursor = Cursor::default();
    loop {
        // An answer that ends, because the server stops, is as much a loss as one that breaks off.
        let _ = read(&options, &mut cursor, &on_event).await;
        on_event(ReaderEvent::Failed);
        TimeoutFuture::new(PAUSE).await;
    }
}

async fn read(options: &ReaderOptions, cursor: &mut Cursor, on_event: &OnEvent) -> Result<(), Failed> {
    let fetch = Fetch::send(&options.http_after(cursor.after()), None).await?;
    let chunks = fetch.chunks()?;
    let mut lines = LineSplitter::default();
    while let Some(chunk) = chunks.next().await? {
        lines.push(&chunk).into_iter().for_each(|item| pass_on(item, cursor, on_event));
    }
    Ok(())
}

/// Reports an item, and remembers how far it goes.
fn pass_on(item: Item, cursor: &mut Cursor, on_event: &OnEvent) {
    cursor.follow(&item);
    on_event(ReaderEvent::Item(item));
}
