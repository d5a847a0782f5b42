//! The programs of a run: each has a client that publishes and subscribes, and records what it does and sees.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire::client::{
    Attachment, ClientBuilder, ClientError, ClientEvent, Cursor, PublishError, PublishOptions, Published, Publishing,
    SubscribeOptions, SubscriptionError,
};
use everwire::{Backoff, Channel, Client, Delivery, Message, OpenError, Subscription};
use fastrand::Rng;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until};

use crate::oracle::{Item, Log, MessageId, Outcome, Publish};

/// The phases of a run.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Programs publish.
    Publishing,
    /// Programs wait for the outcomes of their publishes.
    Settling,
    /// Programs read up to the last message of each channel.
    Reading(Arc<Vec<Cursor>>),
    /// Programs end, finished or not.
    Over,
}

/// State that all programs share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where clients connect to.
    pub(crate) url: String,
    pub(crate) channels: Vec<Channel<Message>>,
    /// The messages per second of each program, on average.
    pub(crate) messages_per_second: f64,
    pub(crate) began: Instant,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Notified after each publish.
    pub(crate) published: Notify,
    /// Each subscription that has read up to the end.
    pub(crate) finished: mpsc::UnboundedSender<()>,
}

/// A program with a client that publishes and subscribes. It can end and start again, and stores only the positions of its
/// subscriptions.
#[derive(Debug)]
pub(crate) struct Program {
    commands: mpsc::UnboundedSender<Command>,
    /// Each has a reader subscribe again.
    resubscribe: Vec<Arc<Notify>>,
    events: Events,
    publisher: JoinHandle<Vec<Publish>>,
    /// The publishes, once the publisher has ended.
    published: Option<Vec<Publish>>,
    readers: Vec<JoinHandle<Log>>,
}

/// A command for a program.
#[derive(Clone, Copy, Debug)]
enum Command {
    Restart,
    Reconnect,
}

/// The events of a program's client, with their times since the start of the run.
#[derive(Clone, Debug, Default)]
struct Events(Arc<Mutex<Vec<(Duration, Event)>>>);

/// An event of a program's client.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An event that the client reported.
    Client(ClientEvent),
    /// The program was started again.
    Restarted,
    /// It subscribed again to this channel.
    Resubscribed(usize),
}

/// The record of a program.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) publishes: Vec<Publish>,
    pub(crate) logs: Vec<Log>,
    pub(crate) events: Vec<(Duration, Event)>,
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(ClientEvent::Attached(attachment)) => write!(formatter, "attached ({attachment:?})"),
            Self::Client(ClientEvent::Dropped(dropped)) => write!(formatter, "dropped ({})", dropped.cause),
            Self::Client(ClientEvent::Gap { channel, gap }) => {
                write!(formatter, "a gap in {channel} up to {} ({})", gap.cursor, gap.reason)
            }
            Self::Client(ClientEvent::Closed(error)) => write!(formatter, "closed ({error})"),
            Self::Client(other) => write!(formatter, "{other:?}"),
            Self::Restarted => formatter.write_str("the program restarted"),
            Self::Resubscribed(channel) => write!(formatter, "subscribed again to channel {channel}"),
        }
    }
}

impl Event {
    /// Whether the server had forgotten the session.
    pub(crate) fn is_replacement(&self) -> bool {
        matches!(self, Self::Client(ClientEvent::Attached(Attachment::Replaced)))
    }
}

impl Program {
    pub(crate) fn start(shared: &Arc<Shared>, id: u32, channels: &[usize], mut random: Rng) -> Result<Self, OpenError> {
        let events = Events::default();
        let (commands, received) = mpsc::unbounded_channel();
        let client = connect(shared, &events)?;
        let (clients, current) = watch::channel((0, client));
        let mut resubscribe = Vec::new();
        let mut readers = Vec::new();
        for &channel in channels {
            let notify = Arc::new(Notify::new());
            resubscribe.push(Arc::clone(&notify));
            let reader = Reader {
                shared: Arc::clone(shared),
                clients: current.clone(),
                resubscribe: notify,
                events: events.clone(),
                max_waiting: if random.u8(..4) == 0 { 16 } else { 1_024 },
                random: random.fork(),
                cursor: None,
                is_finished: false,
                log: Log { client: id, channel, items: Vec::new() },
            };
            readers.push(tokio::spawn(reader.run()));
        }
        let publisher = Publisher {
            shared: Arc::clone(shared),
            id,
            clients,
            events: events.clone(),
            random,
            publishes: Vec::new(),
        };
        let publisher = tokio::spawn(publisher.run(received));
        Ok(Self { commands, resubscribe, events, publisher, published: None, readers })
    }

    pub(crate) fn restart(&self) {
        // A publisher that has ended ignores it.
        let _ = self.commands.send(Command::Restart);
    }

    pub(crate) fn reconnect(&self) {
        let _ = self.commands.send(Command::Reconnect);
    }

    pub(crate) fn resubscribe(&self, pick: usize) {
        if let Some(notify) = pick.checked_rem(self.resubscribe.len()).and_then(|index| self.resubscribe.get(index)) {
            notify.notify_one();
        }
    }

    /// Waits until the outcome of every publish is known.
    pub(crate) async fn settle(&mut self) -> Result<(), JoinError> {
        if self.published.is_none() {
            self.published = Some((&mut self.publisher).await?);
        }
        Ok(())
    }

    /// Ends the program, and returns its publishes, the items of its subscriptions, and the events of its client.
    pub(crate) async fn end(mut self) -> Result<Record, JoinError> {
        self.settle().await?;
        let mut record = Record { publishes: self.published.unwrap_or_default(), ..Record::default() };
        for reader in self.readers {
            record.logs.push(reader.await?);
        }
        record.events = std::mem::take(&mut *self.events.lock());
        Ok(record)
    }
}

impl Events {
    fn add(&self, shared: &Shared, event: Event) {
        self.lock().push((shared.began.elapsed(), event));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Duration, Event)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The options of every client: the defaults, except that attempts come sooner and time out sooner, so that more can break in a run.
pub(crate) fn builder(url: &str) -> ClientBuilder {
    let ms = Duration::from_millis;
    let backoff = Backoff::default().floor(ms(20)).first(ms(300)).max(ms(1_000)).quick(ms(100));
    Client::builder(url).socket(|socket| socket.backoff(backoff).connect_timeout(ms(3_000)))
}

fn connect(shared: &Arc<Shared>, events: &Events) -> Result<Client, OpenError> {
    let (events, weak) = (events.clone(), Arc::downgrade(shared));
    let client = builder(&shared.url).on_event(move |event| {
        if let Some(shared) = weak.upgrade() {
            events.add(&shared, Event::Client(event.clone()));
        }
    });
    client.connect()
}

/// The part of a program that publishes and owns the client.
struct Publisher {
    shared: Arc<Shared>,
    id: u32,
    /// The incarnation of the program, and its client.
    clients: watch::Sender<(u32, Client)>,
    events: Events,
    random: Rng,
    publishes: Vec<Publish>,
}

impl Publisher {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) -> Vec<Publish> {
        let mut phase = self.shared.phase.clone();
        let mut outcomes = FuturesUnordered::new();
        let mut next = self.next_publish();
        loop {
            let now = phase.borrow_and_update().clone();
            let is_publishing = matches!(now, Phase::Publishing);
            if matches!(now, Phase::Over) || (!is_publishing && outcomes.is_empty()) {
                return self.publishes;
            }
            tokio::select! {
                () = sleep_until(next), if is_publishing => {
                    let burst = match self.random.u8(..100) {
                        // More than the credits of a session.
                        0 => 100,
                        1..6 => 10,
                        _ => 1,
                    };
                    for _ in 0..burst {
                        let (index, publishing) = (self.publishes.len(), self.publish());
                        outcomes.push(publishing.map(move |outcome| (index, outcome)));
                    }
                    self.shared.published.notify_waiters();
                    next = self.next_publish();
                }
                Some((index, outcome)) = outcomes.next(), if !outcomes.is_empty() => {
                    let is_closed = self.publishes[index].incarnation < self.clients.borrow().0;
                    self.publishes[index].outcome = outcome_of(outcome, is_closed);
                }
                Some(command) = commands.recv(), if is_publishing => match command {
                    Command::Restart => self.restart().await,
                    Command::Reconnect => self.clients.borrow().1.reconnect(),
                },
                _ = phase.changed() => {}
            }
        }
    }

    fn next_publish(&mut self) -> Instant {
        // Bursts make up half of what is published.
        let mean = 2.5 / self.shared.messages_per_second;
        Instant::now() + Duration::from_secs_f64(-(1.0 - self.random.f64()).ln() * mean)
    }

    fn publish(&mut self) -> Publishing {
        let channel = self.random.usize(..self.shared.channels.len());
        let (incarnation, client) = self.clients.borrow().clone();
        let id = MessageId { client: self.id, number: self.publishes.len() as u32 + 1 };
        self.publishes.push(Publish { id, channel, incarnation, outcome: Outcome::Pending });
        let size = match self.random.u8(..100) {
            0 => self.random.usize(10_000..60_000),
            _ => self.random.usize(..200),
        };
        let text = id.to_payload(size);
        let message = if self.random.bool() { Message::from(text) } else { Message::from(text.into_bytes()) };
        let mut options = PublishOptions::default();
        if self.random.u8(..10) == 0 {
            options = options.time_to_live(Duration::from_millis(self.random.u64(50..3_000)));
        }
        client.publish_raw(&self.shared.channels[channel], message, options)
    }

    /// Ends the client, and starts another one.
    async fn restart(&mut self) {
        let (incarnation, client) = self.clients.borrow().clone();
        client.close();
        sleep(Duration::from_millis(self.random.u64(..300))).await;
        self.events.add(&self.shared, Event::Restarted);
        // The URL was valid before.
        if let Ok(client) = connect(&self.shared, &self.events) {
            drop(self.clients.send_replace((incarnation + 1, client)));
        }
    }
}

/// The outcome for the record.
fn outcome_of(outcome: Result<Published, PublishError>, is_closed: bool) -> Outcome {
    match outcome {
        Ok(published) => Outcome::Stored(published.cursor),
        Err(PublishError::Unknown) if is_closed => Outcome::Unknown,
        Err(PublishError::Unknown) => Outcome::Forgotten,
        Err(_) => Outcome::NotStored,
    }
}

/// The part of a program that reads a channel.
struct Reader {
    shared: Arc<Shared>,
    clients: watch::Receiver<(u32, Client)>,
    resubscribe: Arc<Notify>,
    events: Events,
    max_waiting: usize,
    random: Rng,
    /// The position that the program has stored.
    cursor: Option<Cursor>,
    is_finished: bool,
    log: Log,
}

impl Reader {
    async fn run(mut self) -> Log {
        let mut phase = self.shared.phase.clone();
        let mut subscription = self.subscribe();
        loop {
            let now = phase.borrow_and_update().clone();
            match &now {
                Phase::Over => break,
                Phase::Reading(last) => self.check_finished(&last[self.log.channel]),
                Phase::Publishing | Phase::Settling => {}
            }
            tokio::select! {
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { break };
                    if self.record(delivery, &subscription) {
                        self.cursor = subscription.cursor().or(self.cursor);
                        if self.clients.changed().await.is_err() {
                            break;
                        }
                        subscription = self.subscribe();
                    }
                    // Some readers are slow now and then, so that the server has to hold messages back for them.
                    if self.max_waiting < 100 && self.random.u8(..100) == 0 && matches!(now, Phase::Publishing) {
                        sleep(Duration::from_millis(self.random.u64(..1_000))).await;
                    }
                }
                () = self.resubscribe.notified() => {
                    self.cursor = subscription.cursor().or(self.cursor);
                    self.events.add(&self.shared, Event::Resubscribed(self.log.channel));
                    // A channel has at most one subscription.
                    drop(subscription);
                    subscription = self.subscribe();
                }
                _ = phase.changed() => {}
            }
        }
        // Nothing more is expected; an additional message is recorded and is a violation.
        while let Some(Some(delivery)) = subscription.next().now_or_never() {
            if self.record(delivery, &subscription) {
                break;
            }
        }
        self.log
    }

    fn subscribe(&mut self) -> Subscription<Message> {
        let (incarnation, client) = self.clients.borrow_and_update().clone();
        self.log.items.push(Item::Started { incarnation });
        let options = SubscribeOptions::default().max_waiting(self.max_waiting);
        let options = match self.cursor {
            Some(cursor) => options.from(cursor),
            // From now on. Unlike `live`, this reports the position.
            None => options.last(0),
        };
        client.subscribe_raw(&self.shared.channels[self.log.channel], &options)
    }

    /// Records a delivery. Returns whether the client is closed.
    fn record(&mut self, delivery: Delivery<Message>, subscription: &Subscription<Message>) -> bool {
        let item = match delivery {
            Delivery::Message(message) => {
                let payload = match &message.value {
                    Message::Text(text) => text.as_bytes(),
                    Message::Binary(bytes) => bytes,
                    _ => &[][..],
                };
                // A payload without an id was never published.
                let id = MessageId::from_payload(payload).unwrap_or(MessageId { client: u32::MAX, number: 0 });
                Item::Message { cursor: message.cursor, id, is_own: message.is_own }
            }
            Delivery::Gap(gap) => Item::Gap { reason: gap.reason, cursor: gap.cursor },
            Delivery::CaughtUp if self.cursor.is_none() => {
                self.cursor = subscription.cursor();
                // A client that has been closed meanwhile has no position. If messages wait, the first of them gives it.
                let Some(cursor) = self.cursor else { return false };
                Item::Established(cursor)
            }
            Delivery::CaughtUp | Delivery::Resumed => return false,
            Delivery::Ended(SubscriptionError::Over(ClientError::Closed)) => return true,
            other => Item::Ended(format!("{other:?}")),
        };
        self.log.items.push(item);
        false
    }

    fn check_finished(&mut self, last: &Cursor) {
        let position = self.log.items.iter().rev().find_map(|item| match item {
            Item::Message { cursor, .. } | Item::Gap { cursor, .. } => Some(cursor),
            _ => None,
        });
        if !self.is_finished && position.is_some_and(|position| position.offset >= last.offset) {
            self.is_finished = true;
            // The receiver is gone if the run is over.
            let _ = self.shared.finished.send(());
        }
    }
}
