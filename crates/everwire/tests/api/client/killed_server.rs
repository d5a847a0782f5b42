//! A server that is killed after its broker has stored a publish, and before the client gets the answer: again and again, as a process
//! of its own, on a journal.
//!
//! The test starts itself again as that process. It passes on the listening socket, so that clients wait in its queue while no
//! server runs.

use std::{
    collections::VecDeque,
    env,
    io::{BufRead, BufReader, stdin},
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, exit},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use everwire::{
    Channel, Client, Delivery,
    client::{Attachment, ClientEvent, Cursor, SubscribeOptions},
};
use everwire_server::{
    Everwire,
    broker::{
        BoxFuture, Broker, BrokerError, ChannelName, History, Journal, Listener, Page, PageLimits, Publication,
        SessionExpiry, SessionId, Stored, StoredSession,
    },
    channels::AllowAll,
};

use super::next;
use crate::support::{eager, within};

const CHANNEL: Channel<u64> = Channel::new("numbers");
const JOURNAL: &str = "EVERWIRE_TEST_JOURNAL";
/// How many messages the server process answers before it stops in front of the next one.
const ANSWERED: &str = "EVERWIRE_TEST_ANSWERED";
const STORED: &str = "stored, and not answered";
/// The value of the last message.
const LAST: u64 = 0;
/// How many publishes are in flight at a time.
const IN_FLIGHT: usize = 6;

/// How often the server is killed. `EVERWIRE_KILLS=1000` takes a minute.
fn kills() -> u64 {
    env::var("EVERWIRE_KILLS").map_or(100, |kills| kills.parse().unwrap())
}

/// A server process, which does not outlive the test.
struct Process(Child);

impl Process {
    fn start(listener: &TcpListener, directory: &Path, answered: Option<u64>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "client::killed_server::the_server_process", "--ignored", "--nocapture"]);
        if let Some(answered) = answered {
            command.env(ANSWERED, answered.to_string());
        }
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let command = command.env(JOURNAL, directory).stdin(socket).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Returns when the server has stored a message and keeps the answer back.
    fn stored(&mut self) {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with(STORED)), "the server ended by itself");
    }
}

impl Drop for Process {
    /// Kills it, as `kill -9` does.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of another test, which starts it in a process of its own"]
async fn the_server_process() {
    let Some(directory) = env::var_os(JOURNAL).map(PathBuf::from) else { return };
    let answered = env::var(ANSWERED).map_or(u64::MAX, |messages| messages.parse().unwrap());
    let broker = Stopping { journal: Journal::open(directory).unwrap(), answered: Arc::new(answered.into()) };
    let wire = Everwire::builder().broker(broker).authorize(AllowAll).build();
    let listener = TcpListener::from(stdin().as_fd().try_clone_to_owned().unwrap());
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let app = wire.router::<()>().into_make_service_with_connect_info::<SocketAddr>();
    // It ends by itself where the test that would kill it is gone.
    let _ = tokio::time::timeout(Duration::from_secs(60), async { axum::serve(listener, app).await }).await;
    exit(1);
}

/// A journal that stops for ever when so many messages were answered and another one is on the disk.
#[derive(Debug)]
struct Stopping {
    journal: Journal,
    answered: Arc<AtomicU64>,
}

#[derive(Debug)]
struct StoppingListener {
    listener: Arc<dyn Listener>,
    answered: Arc<AtomicU64>,
}

impl Listener for StoppingListener {
    fn stored(&self, messages: &[Arc<Stored>]) {
        let answered = self.answered.load(Ordering::Relaxed);
        let (passed_on, kept_back) = match usize::try_from(answered).ok().filter(|count| *count < messages.len()) {
            Some(count) => messages.split_at(count),
            None => (messages, [].as_slice()),
        };
        if !passed_on.is_empty() {
            self.answered.store(answered - passed_on.len() as u64, Ordering::Relaxed);
            self.listener.stored(passed_on);
        }
        if !kept_back.is_empty() {
            println!("{STORED}");
            loop {
                thread::park();
            }
        }
    }
}

impl Broker for Stopping {
    fn listen(&self, listener: Arc<dyn Listener>) {
        self.journal.listen(Arc::new(StoppingListener { listener, answered: Arc::clone(&self.answered) }));
    }

    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        self.journal.publish(publication)
    }

    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        self.journal.publish_all(publications)
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        self.journal.history(channel, at)
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        self.journal.read(channel, after, limits)
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        self.journal.read_state(channel, after, limits)
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        self.journal.store_session(id, record, expiry)
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        self.journal.load_session(id)
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.journal.remove_session(id)
    }
}

/// In the libraries compared, a publish that was stored and not answered before a crash is lost, or stored twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_between_store_and_answer_neither_loses_nor_repeats_a_message() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/everwire", listener.local_addr().unwrap());
    let resumed = Arc::new(AtomicU64::new(0));
    let connect = || {
        let resumed = Arc::clone(&resumed);
        let count = move |event: &ClientEvent| {
            let is_resumed = *event == ClientEvent::Attached(Attachment::Resumed);
            resumed.fetch_add(is_resumed.into(), Ordering::Relaxed);
        };
        Client::builder(&url).socket(|socket| socket.backoff(eager())).on_event(count).connect().unwrap()
    };
    let (publisher, subscriber) = (connect(), connect());
    let mut numbers = subscriber.subscribe_with(&CHANNEL, &SubscribeOptions::default().last(1));
    let (done, is_done) = mpsc::channel::<()>();
    let path = directory.path().to_owned();
    let server = thread::spawn(move || {
        for kill in 0..kills() {
            let mut process = Process::start(&listener, &path, Some(kill % 5));
            process.stored();
        }
        drop(done);
        Process::start(&listener, &path, None)
    });
    // The subscriber has a position before the first message.
    assert_eq!(next(&mut numbers).await, Delivery::CaughtUp);
    let publishing = async {
        let mut under_way = VecDeque::new();
        let (mut published, mut stored) = (0, 0);
        while stored <= published {
            let is_done = matches!(is_done.try_recv(), Err(mpsc::TryRecvError::Disconnected));
            while !is_done && under_way.len() < IN_FLIGHT {
                published += 1;
                under_way.push_back(publisher.publish(&CHANNEL, &published));
            }
            let publish = under_way.pop_front().unwrap_or_else(|| publisher.publish(&CHANNEL, &LAST));
            stored += 1;
            let at = within("it was stored", publish).await.unwrap_or_else(|error| panic!("{stored}: {error}"));
            assert_eq!(at.offset(), stored, "a message was lost or stored twice");
        }
        published
    };
    let receiving = async {
        let mut received = Vec::new();
        loop {
            match next(&mut numbers).await {
                Delivery::Resumed | Delivery::CaughtUp => {}
                Delivery::Message(message) if message.value == LAST => return received,
                Delivery::Message(message) => received.push((message.offset(), message.value)),
                other => panic!("{other:?}"),
            }
        }
    };
    let (published, received) = tokio::join!(publishing, receiving);
    assert!(received.into_iter().eq((1..=published).map(|number| (number, number))), "not each message came once");
    drop(server.join().unwrap());
    let resumed = resumed.load(Ordering::Relaxed);
    assert!(published >= kills() && resumed >= kills(), "{published} were published, {resumed} sessions resumed");
}
