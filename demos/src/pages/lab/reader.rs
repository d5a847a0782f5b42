//! The transports as a browser has them. Dropping a reader releases what it holds: requests are aborted, event sources and sockets are
//! closed.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use everwire::{Event, Heartbeat, Message, Socket, SocketHandle};
use everwire_companion_api::lab::Item;
use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::StreamExt;
use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, EventSource, MessageEvent, ReadableStreamDefaultReader, RequestInit, Response, window};

use super::settings::Transport;
use crate::job::Job;

/// How long a reader waits after a failure, in milliseconds.
const RETRY_DELAY: u32 = 1_000;

/// What to read, and how.
#[derive(Clone, Debug)]
pub(super) struct ReaderOptions {
    pub(super) transport: Transport,
    /// The URL of the server: `ws://127.0.0.1:9001`.
    pub(super) base: String,
    /// The query that selects a log: the parameters of a feed, or a name for calls.
    pub(super) query: String,
    /// The name under which the server counts the bytes.
    pub(super) account: String,
    /// Milliseconds between two polls.
    pub(super) period: u32,
}

/// An event of a reader.
pub(super) enum ReaderEvent {
    /// The WebSocket is open: calls can be made.
    Open,
    Item(Item),
    /// A request failed or a connection was lost. The reader tries again.
    Failed,
}

pub(super) type OnEvent = Rc<dyn Fn(ReaderEvent)>;

/// A running transport. Dropping it stops it.
#[must_use = "dropping the reader stops it"]
pub(super) struct Reader {
    _job: Job,
    /// The socket that calls are sent over; `None` if each call is a request of its own.
    pub(super) socket: Option<SocketHandle>,
}

impl Reader {
    pub(super) fn open(options: ReaderOptions, on_event: OnEvent) -> Self {
        match options.transport {
            Transport::Polling | Transport::LongPolling => {
                Self { _job: Job::start(poll(options, on_event)), socket: None }
            }
            Transport::Streaming => Self { _job: Job::start(stream(options, on_event)), socket: None },
            Transport::Events => Self { _job: Job::start(listen(options, on_event)), socket: None },
            Transport::WebSocket => {
                let socket = ResumingSocket::open(&options);
                let handle = socket.as_ref().map(|socket| socket.socket.handle().clone());
                Self { _job: Job::start(read_socket(socket, on_event)), socket: handle }
            }
        }
    }
}

impl ReaderOptions {
    /// The HTTP URL of an endpoint below `/lab`.
    pub(super) fn http(&self, endpoint: &str) -> String {
        let base = self.base.replacen("ws", "http", 1);
        format!("{base}/lab/{endpoint}?{}&account={}", self.query, self.account)
    }

    /// The HTTP URL of the transport for the messages after one.
    fn http_after(&self, after: Option<u64>) -> String {
        let url = self.http(self.transport.key());
        after.map_or(url.clone(), |after| format!("{url}&after={after}"))
    }
}

/// Polling and long polling: one request after the other.
async fn poll(options: ReaderOptions, on_event: OnEvent) {
    let mut cursor = Cursor::default();
    loop {
        match get_text(&options.http_after(cursor.after())).await {
            Ok(text) => parse_lines(&text).for_each(|item| report(item, &mut cursor, &on_event)),
            Err(_) => {
                on_event(ReaderEvent::Failed);
                TimeoutFuture::new(RETRY_DELAY).await;
            }
        }
        if options.transport == Transport::Polling {
            TimeoutFuture::new(options.period).await;
        }
    }
}

/// HTTP streaming: one request for as long as it lasts.
async fn stream(options: ReaderOptions, on_event: OnEvent) {
    let mut cursor = Cursor::default();
    loop {
        // A response that ends because the server stops is a loss too, like one that breaks off.
        let _ = read_stream(&options, &mut cursor, &on_event).await;
        on_event(ReaderEvent::Failed);
        TimeoutFuture::new(RETRY_DELAY).await;
    }
}

async fn read_stream(options: &ReaderOptions, cursor: &mut Cursor, on_event: &OnEvent) -> Result<(), FetchError> {
    let fetch = Fetch::send(&options.http_after(cursor.after()), None).await?;
    let chunks = fetch.chunks()?;
    let mut lines = LineSplitter::default();
    while let Some(chunk) = chunks.next().await? {
        lines.push(&chunk).into_iter().for_each(|item| report(item, cursor, on_event));
    }
    Ok(())
}

/// Reports an item, and advances the cursor.
fn report(item: Item, cursor: &mut Cursor, on_event: &OnEvent) {
    cursor.advance(&item);
    on_event(ReaderEvent::Item(item));
}

/// Server-sent events. An `EventSource` reconnects by itself when a connection breaks, and sends the id of its last message. After an
/// HTTP error, however, it stays closed, and so another replaces it.
async fn listen(options: ReaderOptions, on_event: OnEvent) {
    let cursor = Rc::new(Cell::new(Cursor::default()));
    loop {
        let (closed, mut closing) = unbounded();
        match EventReader::open(&options.http_after(cursor.get().after()), &on_event, &cursor, closed) {
            Some(_source) => drop(closing.next().await),
            None => on_event(ReaderEvent::Failed),
        }
        TimeoutFuture::new(RETRY_DELAY).await;
    }
}

/// An `EventSource` that is closed on drop.
struct EventReader {
    source: EventSource,
    _listeners: [EventListener; 2],
}

impl EventReader {
    fn open(url: &str, on_event: &OnEvent, cursor: &Rc<Cell<Cursor>>, closed: UnboundedSender<()>) -> Option<Self> {
        let source = EventSource::new(url).ok()?;
        let on_message = {
            let (on_event, cursor) = (Rc::clone(on_event), Rc::clone(cursor));
            EventListener::new(&source, "message", move |event| {
                let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                if let Some(item) = text.and_then(|text| parse(&text)) {
                    let mut next = cursor.get();
                    next.advance(&item);
                    cursor.set(next);
                    on_event(ReaderEvent::Item(item));
                }
            })
        };
        let on_error = {
            let (on_event, ended) = (Rc::clone(on_event), source.clone());
            EventListener::new(&source, "error", move |_| {
                on_event(ReaderEvent::Failed);
                if ended.ready_state() == EventSource::CLOSED {
                    // It fails only when the reader was dropped.
                    drop(closed.unbounded_send(()));
                }
            })
        };
        Some(Self { source, _listeners: [on_message, on_error] })
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// A feed sends at least one message per second, so that silence shows a dead connection. Pings would add to the measured bytes.
const SILENCE: Duration = Duration::from_secs(15);

/// A socket that continues behind the last message when it reconnects.
struct ResumingSocket {
    socket: Socket,
    /// The last message; 0 before the first.
    after: Arc<AtomicU64>,
}

impl ResumingSocket {
    /// `None` if the browser rejects the URL.
    fn open(options: &ReaderOptions) -> Option<Self> {
        let ReaderOptions { base, query, account, transport, .. } = options;
        let url = format!("{base}/lab/{}?{query}&account={account}", transport.key());
        let after = Arc::<AtomicU64>::default();
        let read_until = Arc::clone(&after);
        let provide = move |_| {
            let url = match read_until.load(Relaxed) {
                0 => url.clone(),
                after => format!("{url}&after={after}"),
            };
            async move { Ok::<_, std::convert::Infallible>(url) }
        };
        // Between calls, the server sends nothing.
        let heartbeat = if query.starts_with("call=") { Heartbeat::off() } else { Heartbeat::silence(SILENCE) };
        let socket = Socket::builder_with_url_provider(provide).heartbeat(heartbeat).open().ok()?;
        Some(Self { socket, after })
    }
}

async fn read_socket(socket: Option<ResumingSocket>, on_event: OnEvent) {
    let Some(ResumingSocket { mut socket, after }) = socket else { return on_event(ReaderEvent::Failed) };
    while let Some(event) = socket.next().await {
        match event {
            Event::Opened(_) => on_event(ReaderEvent::Open),
            Event::Message(Message::Text(text)) => {
                let Some(item) = parse(&text) else { continue };
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

/// The position up to which a reader has read. `None` before the server has sent the start position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor(Option<u64>);

impl Cursor {
    /// Moves behind an item. Answers to calls have no sequence numbers, so they are counted.
    fn advance(&mut self, item: &Item) {
        self.0 = match item {
            Item::Start { cursor, .. } => Some(*cursor),
            Item::Message { seq, .. } => Some(*seq),
            Item::Call { .. } => self.0.map(|after| after + 1),
        };
    }

    /// The sequence number of the last message.
    fn after(self) -> Option<u64> {
        self.0
    }
}

/// Parses an item; `None` if it is malformed.
fn parse(text: &str) -> Option<Item> {
    serde_json::from_str(text).ok()
}

/// Parses a complete response with an item per line.
fn parse_lines(text: &str) -> impl Iterator<Item = Item> {
    text.lines().filter_map(parse)
}

/// Splits a stream of bytes into lines, independently of its chunks.
#[derive(Debug, Default)]
struct LineSplitter {
    rest: Vec<u8>,
}

impl LineSplitter {
    /// The most bytes that are kept of an incomplete line, far above what the lab's server sends.
    const MAX_LINE: usize = 64 << 10;

    /// Returns the items that are complete with this chunk.
    fn push(&mut self, chunk: &[u8]) -> Vec<Item> {
        self.rest.extend_from_slice(chunk);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            if self.rest.len() > Self::MAX_LINE {
                self.rest.clear();
            }
            return Vec::new();
        };
        let complete: Vec<u8> = self.rest.drain(..=end).collect();
        parse_lines(&String::from_utf8_lossy(&complete)).collect()
    }
}

/// A request. Dropping it aborts it in any phase.
struct Fetch {
    abort: AbortController,
    response: Response,
}

/// A failed request, for which the browser gives no reason.
#[derive(Debug)]
pub(super) struct FetchError;

impl From<JsValue> for FetchError {
    fn from(_: JsValue) -> Self {
        Self
    }
}

/// Aborts a request while it waits for its response.
struct Abort(Option<AbortController>);

impl Fetch {
    /// Sends a request and waits for the head of the response.
    async fn send(url: &str, body: Option<&str>) -> Result<Self, FetchError> {
        let mut abort = Abort(Some(AbortController::new()?));
        let init = RequestInit::new();
        init.set_signal(abort.0.as_ref().map(AbortController::signal).as_ref());
        if let Some(body) = body {
            // A text body needs no CORS preflight, since a form could send it too.
            init.set_method("POST");
            init.set_body(&JsValue::from_str(body));
        }
        let window = window().ok_or(FetchError)?;
        let response: Response = JsFuture::from(window.fetch_with_str_and_init(url, &init)).await?.dyn_into()?;
        let abort = abort.0.take().filter(|_| response.ok()).ok_or(FetchError)?;
        Ok(Self { abort, response })
    }

    async fn text(self) -> Result<String, FetchError> {
        JsFuture::from(self.response.text()?).await?.as_string().ok_or(FetchError)
    }

    /// The body, chunk by chunk.
    fn chunks(&self) -> Result<Chunks, FetchError> {
        let body = self.response.body().ok_or(FetchError)?;
        Ok(Chunks(body.get_reader().dyn_into().map_err(|_| FetchError)?))
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortController::abort);
    }
}

/// A streamed body.
struct Chunks(ReadableStreamDefaultReader);

impl Chunks {
    /// `None` at the end of the body.
    async fn next(&self) -> Result<Option<Vec<u8>>, FetchError> {
        let read = JsFuture::from(self.0.read()).await?;
        let is_done = Reflect::get(&read, &"done".into())?.is_truthy();
        let value = Reflect::get(&read, &"value".into())?;
        Ok((!is_done).then(|| Uint8Array::new(&value).to_vec()))
    }
}

/// Fetches a text.
pub(super) async fn get_text(url: &str) -> Result<String, FetchError> {
    Fetch::send(url, None).await?.text().await
}

/// Posts a text, and waits for the response.
pub(super) async fn post(url: &str, body: &str) -> Result<(), FetchError> {
    Fetch::send(url, Some(body)).await?.text().await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_log_the_account_and_the_cursor() {
        let options = ReaderOptions {
            transport: Transport::LongPolling,
            base: "wss://demo.example".to_owned(),
            query: "rate=1&size=64".to_owned(),
            account: "a-1".to_owned(),
            period: 500,
        };
        assert_eq!(options.http_after(None), "https://demo.example/lab/long-poll?rate=1&size=64&account=a-1");
        assert!(options.http_after(Some(7)).ends_with("&account=a-1&after=7"));
    }

    #[test]
    fn the_cursor_is_behind_the_last_item() {
        let mut cursor = Cursor::default();
        let mut after = |item| {
            cursor.advance(&item);
            cursor.after()
        };
        assert_eq!(after(Item::Call { call: 1 }), None, "the start is not known");
        assert_eq!(after(Item::Start { cursor: 7, gap: 0 }), Some(7));
        assert_eq!(after(Item::Call { call: 2 }), Some(8));
        assert_eq!(after(Item::Message { seq: 12, time: 0.0 }), Some(12));
    }

    #[test]
    fn lines_are_joined_from_chunks_that_are_cut_anywhere() {
        let text = b"{\"cursor\":1}\n{\"seq\":2,\"time\":1}\n{\"seq\":3,\"time\":1}\n";
        for size in 1..text.len() {
            let mut lines = LineSplitter::default();
            let items: Vec<Item> = text.chunks(size).flat_map(|chunk| lines.push(chunk)).collect();
            assert_eq!(items.len(), 3, "chunks of {size}");
        }
    }

    #[test]
    fn a_malformed_line_is_skipped() {
        assert_eq!(parse_lines("<html>\n{\"call\":9}\n").collect::<Vec<_>>(), [Item::Call { call: 9 }]);
    }

    #[test]
    fn an_endless_line_is_not_buffered_for_ever() {
        let mut lines = LineSplitter::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 4096]).is_empty());
        }
        assert!(lines.rest.len() <= LineSplitter::MAX_LINE);
    }
}
