//! Brokers that fail, and what an application sees of sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use everwire_server::Channel;
use everwire_server::broker::{
    BoxFuture, Broker, BrokerError, ChannelName, History, Listener, Memory, Page, PageLimits, Publication,
    SessionExpiry, SessionId, StoredSession,
};
use everwire_server::channels::{LocalDelivery, SessionChange, SessionEvent};
use tokio::sync::oneshot;

use crate::{TestServer, cursor, message, option, pass};

const CHAT: Channel<String> = Channel::new("chat");
const PRICES: Channel<u64> = Channel::state("prices");

/// A broker in memory that fails, or waits, where the test says.
#[derive(Clone, Debug, Default)]
struct FlakyBroker {
    memory: Memory,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    is_down: bool,
    /// Publishes fail, and whether they were stored is unknown.
    forgets: bool,
    /// Publishes wait until the test releases them.
    holds: bool,
    held: VecDeque<oneshot::Sender<()>>,
    reads: usize,
    histories: usize,
    holds_reads: bool,
    held_reads: VecDeque<oneshot::Sender<()>>,
    /// How many reads of a channel were under way at once.
    reads_under_way: HashMap<ChannelName, usize>,
    most_under_way: usize,
}

impl FlakyBroker {
    fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock().unwrap());
    }

    /// How often pages and positions were read.
    fn calls(&self) -> (usize, usize) {
        let faults = self.faults.lock().unwrap();
        (faults.reads, faults.histories)
    }

    fn check(&self) -> Result<(), BrokerError> {
        if self.faults.lock().unwrap().is_down {
            return Err(BrokerError::Unavailable { reason: "the disk is full".into() });
        }
        Ok(())
    }
}

impl Broker for FlakyBroker {
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        let this = self.clone();
        let mut faults = self.faults.lock().unwrap();
        let released = faults.holds.then(|| {
            let (sender, receiver) = oneshot::channel();
            faults.held.push_back(sender);
            receiver
        });
        drop(faults);
        Box::pin(async move {
            if let Some(released) = released {
                let _ = released.await;
            }
            this.check()?;
            if this.faults.lock().unwrap().forgets {
                return Err(BrokerError::Undecided);
            }
            this.memory.publish(publication).await
        })
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        let (this, history) = (self.clone(), self.memory.history(channel, at));
        self.set(|faults| faults.histories += 1);
        Box::pin(async move {
            this.check()?;
            history.await
        })
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        let (this, page) = (self.clone(), self.memory.read(channel, after, limits));
        let mut guard = self.faults.lock().unwrap();
        let faults = &mut *guard;
        faults.reads += 1;
        let under_way = faults.reads_under_way.entry(channel.clone()).or_default();
        *under_way += 1;
        faults.most_under_way = faults.most_under_way.max(*under_way);
        let channel = channel.clone();
        let released = faults.holds_reads.then(|| {
            let (sender, receiver) = oneshot::channel();
            faults.held_reads.push_back(sender);
            receiver
        });
        drop(guard);
        Box::pin(async move {
            if let Some(released) = released {
                let _ = released.await;
            }
            this.set(|faults| *faults.reads_under_way.entry(channel).or_default() -= 1);
            this.check()?;
            page.await
        })
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        self.memory.read_state(channel, after, limits)
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.memory.listen(listener);
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        let (this, stored) = (self.clone(), self.memory.store_session(id, record, expiry));
        Box::pin(async move {
            this.check()?;
            stored.await
        })
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        self.memory.load_session(id)
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.memory.remove_session(id)
    }
}

async fn server(broker: &FlakyBroker) -> TestServer {
    let broker = broker.clone();
    TestServer::start(|builder| builder.broker(broker)).await
}

#[tokio::test]
async fn a_broker_that_fails_refuses_publishes_and_ends_no_connection() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.subscribed("sub chat live").await;
    broker.set(|faults| faults.is_down = true);
    client.ask("pub chat 1\nhello", "nack 1 unavailable\n").await;
    broker.set(|faults| faults.is_down = false);
    let ack = client.ask("pub chat 2\nhello", "ack 2 ").await;
    assert_eq!(cursor(&ack).offset, 1);
    assert_eq!(message(&client.line().await).0, 1);
}

/// A client that assumed it was not stored would publish it again with another number, perhaps twice.
#[tokio::test]
async fn a_publish_that_the_broker_may_have_stored_is_not_reported_as_failed() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.attach().await;
    broker.set(|faults| faults.forgets = true);
    client.ask("pub chat 1\nhello", "nack 1 unknown\n").await;
}

#[tokio::test]
async fn a_subscription_while_the_broker_fails_is_refused_and_can_be_repeated() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.attach().await;
    broker.set(|faults| faults.is_down = true);
    client.ask("sub chat live", "unsub chat unavailable").await;
    broker.set(|faults| faults.is_down = false);
    client.ask("sub chat live", "subscribed chat ").await;
}

#[tokio::test]
async fn while_the_broker_fails_a_new_client_retries_and_an_old_one_resumes() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (_client, session) = server.attach().await;
    broker.set(|faults| faults.is_down = true);
    let mut other = server.connect().await;
    other.send("hello attempt=0").await;
    assert_eq!(other.closed_after("error unavailable fatal=1 retry=").await, 1013);
    let (_, welcome) = server.resume(&session, "").await;
    assert_eq!(option(&welcome, "secret"), None);
}

/// No ack is lost: the client that resumes waits for the decision, and receives it.
#[tokio::test]
async fn a_publish_that_is_being_stored_when_its_connection_breaks_is_answered_on_the_next() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, session) = server.attach().await;
    broker.set(|faults| faults.holds = true);
    client.send("pub chat 1\nhello").await;
    client.ask("ping 1", "pong 1 ").await;
    server.detached(client).await;
    let mut client = server.connect().await;
    client.send(&session.hello()).await;
    let mut other = server.attach().await.0;
    other.ask("ping 1", "pong 1 ").await;
    assert!(client.client.is_silent(), "it is welcomed before the publish is decided");
    broker.set(|faults| faults.held.drain(..).for_each(|held| held.send(()).unwrap()));
    let welcome = client.expect("welcome ").await;
    assert_eq!(option(&welcome, "acked").as_deref(), Some("1"));
    client.expect("ack 1 ").await;
}

#[tokio::test]
async fn more_publishes_than_credits_end_the_connection() {
    let broker = FlakyBroker::default();
    let server = {
        let broker = broker.clone();
        TestServer::start(|builder| builder.broker(broker).channel_limits(|limits| limits.credits = 2)).await
    };
    broker.set(|faults| faults.holds = true);
    let (mut client, _) = server.attach().await;
    client.send("pub chat 1\na ␞ pub chat 2\nb ␞ pub chat 3\nc").await;
    assert_eq!(client.closed_after("error credits fatal=1 line=pub").await, 4503);
}

/// Each of a thousand clients that came back after a restart read the same history for itself.
#[tokio::test]
async fn clients_that_resume_together_share_one_read() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    server.everwire.publish(&CHAT, &"hello".to_owned()).await.unwrap();
    broker.set(|faults| faults.holds_reads = true);
    let mut clients = Vec::new();
    for _ in 0..50 {
        let (mut client, _) = server.attach().await;
        client.ask(&format!("sub chat from:{position}"), "subscribed chat ").await;
        clients.push(client);
    }
    broker.set(|faults| {
        faults.holds_reads = false;
        faults.held_reads.drain(..).for_each(|held| held.send(()).unwrap());
    });
    for client in &mut clients {
        assert_eq!(message(&client.line().await).0, 1);
    }
    assert_eq!(broker.calls().0, 1);
}

#[tokio::test]
async fn clients_that_resume_one_after_another_share_one_read_until_something_is_published() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    // The channel has subscribers all the time.
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    for published in 1..=3 {
        server.everwire.publish(&CHAT, &"hello".to_owned()).await.unwrap();
        broker.set(|faults| (faults.reads, faults.histories) = (0, 0));
        for _ in 0..10 {
            let (mut client, _) = server.attach().await;
            client.ask(&format!("sub chat from:{position}"), "subscribed chat ").await;
            for offset in 1..=published {
                assert_eq!(message(&client.line().await).0, offset);
            }
            client.expect("pos chat ").await;
        }
        assert_eq!(broker.calls(), (1, 1), "after {published} messages");
    }
}

#[tokio::test]
async fn the_state_of_a_channel_is_read_again_after_a_publish() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.attach().await;
    client.ask("sub prices hold", "subscribed prices ").await;
    for offset in 1..=3 {
        server.everwire.set(&PRICES, "AAPL", &offset).await.unwrap();
        let (mut client, _) = server.attach().await;
        client.ask("sub prices state", "subscribed prices ").await;
        assert_eq!(message(&client.line().await), (offset, offset.to_string()));
        client.expect("pos prices ").await;
    }
}

#[tokio::test]
async fn cached_reads_expire() {
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    server.everwire.publish(&CHAT, &"hello".to_owned()).await.unwrap();
    for reads in [1, 2] {
        let (mut client, _) = server.attach().await;
        client.ask(&format!("sub chat from:{position}"), "subscribed chat ").await;
        assert_eq!(message(&client.line().await).0, 1);
        assert_eq!(broker.calls().0, reads);
        pass(Duration::from_secs(6)).await;
    }
}

/// A restart of a server with a slow disk: all clients come back at once, and each resumes all its channels.
#[tokio::test]
async fn a_storm_of_clients_that_resume_costs_one_read_of_each_channel() {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let broker = FlakyBroker::default();
    let server = server(&broker).await;
    let (mut client, _) = server.attach().await;
    let mut subs = String::new();
    for name in NAMES {
        let position = cursor(&client.ask(&format!("sub {name} hold"), "subscribed ").await);
        subs.push_str(&format!(" ␞ sub {name} from:{position}"));
        for number in 1..=10 {
            server.everwire.publish_raw(name, number.to_string()).await.unwrap();
        }
    }
    let mut sessions = Vec::new();
    for _ in 0..60 {
        let (client, session) = server.attach().await;
        server.detached(client).await;
        sessions.push(session);
    }
    broker.set(|faults| faults.holds_reads = true);
    let mut clients = Vec::new();
    for session in &sessions {
        clients.push(server.resume(session, &subs).await.0);
    }
    // A read takes longer than it takes every client to ask for it.
    let disk = broker.clone();
    let disk = tokio::spawn(async move {
        loop {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            disk.set(|faults| faults.held_reads.drain(..).for_each(|held| held.send(()).unwrap_or_default()));
        }
    });
    for client in &mut clients {
        let mut offsets = HashMap::<String, u64>::new();
        let mut live = 0;
        while live < NAMES.len() {
            let line = client.line().await;
            let name = line.split(' ').nth(1).unwrap().to_owned();
            if line.starts_with("msg ") {
                let last = offsets.entry(name).or_default();
                assert_eq!(message(&line), (*last + 1, (*last + 1).to_string()));
                *last += 1;
            }
            live += usize::from(line.contains(" live=1"));
        }
        assert_eq!(offsets, NAMES.map(|name| (name.to_owned(), 10)).into());
    }
    disk.abort();
    let faults = broker.faults.lock().unwrap();
    assert_eq!((faults.reads, faults.most_under_way), (NAMES.len(), 1));
}

#[tokio::test]
async fn the_application_sees_sessions_start_detach_resume_and_end() {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel::<SessionEvent>();
    let server = TestServer::start(|builder| {
        builder.on_session(move |event| {
            let _ = sender.send(event);
        })
    })
    .await;
    let (client, session) = server.attach().await;
    drop(client);
    let mut changes = vec![events.recv().await.unwrap().change, events.recv().await.unwrap().change];
    let (mut client, _) = server.resume(&session, "").await;
    client.send("bye").await;
    for _ in 0..2 {
        let event = events.recv().await.unwrap();
        assert_eq!(event.session.as_str(), session.id);
        changes.push(event.change);
    }
    use SessionChange::{Detached, Ended, Resumed, Started};
    assert_eq!(changes, [Started, Detached, Resumed, Ended]);
}

/// Otherwise it would see the end of a session that never started.
#[tokio::test]
async fn the_application_sees_nothing_of_a_client_that_the_broker_could_not_take() {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel::<SessionEvent>();
    let broker = FlakyBroker::default();
    let server = {
        let broker = broker.clone();
        TestServer::start(|builder| {
            builder.broker(broker).on_session(move |event| {
                let _ = sender.send(event);
            })
        })
        .await
    };
    broker.set(|faults| faults.is_down = true);
    let mut client = server.connect().await;
    client.send("hello attempt=0").await;
    assert_eq!(client.closed_after("error unavailable fatal=1").await, 1013);
    broker.set(|faults| faults.is_down = false);
    server.attach().await;
    assert_eq!(events.recv().await.unwrap().change, SessionChange::Started);
}

#[tokio::test]
async fn a_session_that_the_application_ends_is_gone() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    assert!(server.everwire.disconnect(&SessionId::try_from(session.id.as_str()).unwrap()));
    assert_eq!(client.closed_after("bye gone").await, 4410);
    let (_, welcome) = server.resume(&session, "").await;
    assert!(option(&welcome, "secret").is_some());
}

#[tokio::test]
async fn a_subscription_within_the_server_continues_from_a_position_and_reports_what_it_missed() {
    let server = TestServer::start(|builder| {
        builder.channel(&CHAT, |options| options.retention = options.retention.with_count(2))
    })
    .await;
    let publish = async |text: &str| server.everwire.publish(&CHAT, &text.to_owned()).await.unwrap();
    let first = publish("1").await;
    publish("2").await;
    let mut from_first = server.everwire.subscribe_from(&CHAT, first.cursor).await.unwrap();
    let next = from_first.next().await.unwrap();
    let LocalDelivery::Message { message: Some(text), cursor, .. } = next else { panic!("{next:?}") };
    assert_eq!((text.as_str(), cursor.offset), ("2", 2));
    for text in ["3", "4", "5"] {
        publish(text).await;
    }
    let mut late = server.everwire.subscribe_from(&CHAT, first.cursor).await.unwrap();
    let gap = late.next().await.unwrap();
    assert!(matches!(gap, LocalDelivery::Gap { missed: Some(4), .. }), "{gap:?}");
    server.everwire.publish_raw("chat", "no JSON").await.unwrap();
    let bad = late.next().await.unwrap();
    assert!(matches!(bad, LocalDelivery::Unreadable { .. }), "{bad:?}");
}
