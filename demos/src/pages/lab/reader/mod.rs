//! The transports, as a browser has them. Whatever a reader holds is given back when it is dropped: requests are aborted, event
//! sources and sockets are closed.

mod cursor;
mod events;
mod fetch;
mod requests;
mod socket;

use std::rc::Rc;

use everwire::SocketHandle;
use everwire_companion_api::lab::Item;

pub(super) use self::fetch::{get_text, post};
use super::transport::Transport;
use crate::job::Job;

/// How long a reader waits after a failure, in milliseconds.
const PAUSE: u32 = 1_000;

/// What to read, and how.
#[derive(Clone, Debug)]
pub(super) struct ReaderOptions {
    pub(super) transport: Transport,
    /// The server: `ws://127.0.0.1:9001`.
    pub(super) base: String,
    /// Which log: the parameters of a feed, or a name for calls.
    pub(super) query: String,
    /// The account that the server enters the bytes into.
    pub(super) account: String,
    /// Milliseconds between two polls.
    pub(super) period: u32,
}

/// What a reader reports.
pub(super) enum ReaderEvent {
    /// The WebSocket is open: calls can be made.
    Open,
    Item(Item),
    /// A request failed, or a connection was lost; the reader tries again.
    Failed,
}

pub(super) type OnEvent = Rc<dyn Fn(ReaderEvent)>;

/// A transport at work. Dropping it ends that.
#[must_use = "dropping the reader ends it"]
pub(super) struct Reader {
    _job: Job,
    /// Where calls go, if not into requests of their own.
    pub(super) socket: Option<SocketHandle>,
}

impl Reader {
    pub(super) fn open(options: ReaderOptions, on_event: OnEvent) -> Self {
        match options.transport {
            Transport::Polling | Transport::LongPolling => {
                Self { _job: Job::start(requests::ask(options, on_event)), socket: None }
            }
            Transport::Streaming => Self { _job: Job::start(requests::stream(options, on_event)), socket: None },
            Transport::Events => Self { _job: Job::start(events::listen(options, on_event)), socket: None },
            Transport::WebSocket => {
                let socket = socket::open(&options);
                let handle = socket.as_ref().map(|socket| socket.handle().clone());
                Self { _job: Job::start(socket::read(socket, on_event)), socket: handle }
            }
        }
    }
}

impl ReaderOptions {
    /// The address of a transport's endpoint, or of another below `/lab`, by HTTP.
    pub(super) fn http(&self, endpoint: &str) -> String {
        let base = self.base.replacen("ws", "http", 1);
        format!("{base}/lab/{endpoint}?{}&account={}", self.query, self.account)
    }

    /// The same, for what follows a message.
    fn http_after(&self, after: Option<u64>) -> String {
        let url = self.http(self.transport.key());
        after.map_or(url.clone(), |after| format!("{url}&after={after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_log_the_account_and_the_cursor() {
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
}
