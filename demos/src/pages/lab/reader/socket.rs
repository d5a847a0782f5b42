use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use everwire::{Event, Heartbeat, Message, Socket};
use everwire_companion_api::lab::Item;
use futures_util::StreamExt;

use super::{OnEvent, ReaderEvent, ReaderOptions};
use crate::pages::lab::items;

/// A feed says something each second; without a word for so long the line is dead. No ping adds to what is measured.
const SILENCE: Duration = Duration::from_secs(15);

/// A socket that goes on behind the last message when it is connected again.
pub(super) struct Resuming {
    socket: Socket,
    /// The last message; 0 before the first.
    after: Arc<AtomicU64>,
}

impl std::ops::Deref for Resuming {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

/// `None` where the browser makes no socket for such an address.
pub(super) fn open(options: &ReaderOptions) -> Option<Resuming> {
    let ReaderOptions { base, query, account, transport, .. } = options;
    let url = format!("{base}/lab/{}?{query}&account={account}", transport.key());
    let after = Arc::<AtomicU64>::default();
    let heard = Arc::clone(&after);
    let provide = move |_| {
        let url = match heard.load(Relaxed) {
            0 => url.clone(),
            after => format!("{url}&after={after}"),
        };
        async move { Ok::<_, std::convert::Infallible>(url) }
    };
    // Nobody speaks to one who makes calls unless he calls.
    let heartbeat = if query.starts_with("call=") { Heartbeat::off() } else { Heartbeat::silence(SILENCE) };
    let socket = Socket::builder_with_url_provider(provide).heartbeat(heartbeat).open().ok()?;
    Some(Resuming { socket, after })
}

/// Reads until it is dropped, and the socket with it.
pub(super) async fn read(socket: Option<Resuming>, on_event: OnEvent) {
    let Some(Resuming { mut socket, after }) = socket else { return on_event(ReaderEvent::Failed) };
    while let Some(event) = socket.next().await {
        match event {
            Event::Opened(_) => on_event(ReaderEvent::Open),
            Event::Message(Message::Text(text)) => {
                let Some(item) = items::parse(&text) else { continue };
                match item {
                    Item::Start { cursor, .. } => after.store(cursor, Relaxed),
                    Item::Message { seq, .. } => after.store(seq, Relaxed),
                    Item::Call { .. } => {}
                }
                on_event(ReaderEvent::Item(item));
            }
            Event::Dropped(_) | Event::Closed(_) => on_event(ReaderEvent::Failed),
            _ => {}
        }
    }
}
