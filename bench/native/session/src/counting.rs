//! A broker that counts how often another one is read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use everwire_server::broker::{
    BoxFuture, Broker, BrokerError, ChannelName, Cursor, History, Listener, Page, PageLimits, Publication,
    SessionExpiry, SessionId, StoredSession,
};

/// What a broker was asked for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Pages of messages.
    reads: AtomicU64,
    /// Positions of channels.
    histories: AtomicU64,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [reads, histories] = [&self.reads, &self.histories].map(|count| count.load(Ordering::Relaxed));
        write!(f, "reads={reads} histories={histories}")
    }
}

#[derive(Debug)]
pub(crate) struct Counting<B> {
    broker: B,
    calls: Arc<Calls>,
}

impl<B> Counting<B> {
    pub(crate) fn new(broker: B, calls: &Arc<Calls>) -> Self {
        Self { broker, calls: Arc::clone(calls) }
    }
}

impl<B: Broker> Broker for Counting<B> {
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        self.broker.publish(publication)
    }

    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        self.broker.publish_all(publications)
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.broker.poll_ready(context)
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        self.calls.histories.fetch_add(1, Ordering::Relaxed);
        self.broker.history(channel, at)
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        self.broker.read(channel, after, limits)
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        self.broker.read_state(channel, after, limits)
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.broker.listen(listener);
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        self.broker.store_session(id, record, expiry)
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        self.broker.load_session(id)
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.broker.remove_session(id)
    }
}
