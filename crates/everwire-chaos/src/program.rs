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

use crate::oracle::{Fate, Item, Log, MessageId, Publish};

/// What the programs do by and by.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// They publish.
    Publishing,
    /// They wait for the outcomes of what they have published.
    Settling,
    /// They read up to the last message of each channel.
    Reading(Arc<Vec<Cursor>>),
    /// They end, finished or not.
    Over,
}

/// What all programs have in common.
#[derive(Debug)]
pub(crate) struct World {
    /// Where clients connect to.
    pub(crate) url: String,
    pub(crate) channels: Vec<Channel<Message>>,
    /// How many messages a second each program publishes, on average.
    pub(crate) messages_per_second: f64,
    pub(crate) began: Instant,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Notified after each publish.
    pub(crate) published: Notify,
    /// Each subscription that has read up to the end.
    pub(crate) finished: mpsc::UnboundedSender<()>,
}

/// A program with a client that publishes and subscribes. It can end and start again; what it has stored is the positions of its
/// subscriptions.
#[derive(Debug)]
pub(crate) struct Program {
    orders: mpsc::UnboundedSender<Order>,
    /// Has a subscription be made again.
    again: Vec<Arc<Notify>>,
    events: Events,
    publisher: JoinHandle<Vec<Publish>>,
    /// What it has published, once it does no more.
    published: Option<Vec<Publish>>,
    readers: Vec<JoinHandle<Log>>,
}

/// What is done to a program from outside.
#[derive(Clone, Copy, Debug)]
enum Order {
    Restart,
    Reconnect,
}

/// What happened to the client of a program, and when since the start of the run.
#[derive(Clone, Debug, Default)]
struct Events(Arc<Mutex<Vec<(Duration, Event)>>>);

/// What happened to the client of a program.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// What the client reported.
    Client(ClientEvent),
    /// The program was started again.
    Restarted,
    /// It subscribed again to this channel.
    Resubscribed(usize),
}

/// What a program has done and seen.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
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
            Self::Client(ClientEvent::Closed(error)) => write!(formatter, "over ({error})"),
            Self::Client(other) => write!(formatter, "{other:?}"),
            Self::Restarted => formatter.write_str("the program was started again"),
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
    pub(crate) fn start(world: &Arc<World>, id: u32, channels: &[usize], mut random: Rng) -> Result<Self, OpenError> {
        let events = Events::default();
        let (orders, received) = mpsc::unbounded_channel();
        let client = connect(world, &events)?;
        let (clients, current) = watch::channel((0, client));
        let mut again = Vec::new();
        let mut readers = Vec::new();
        for &channel in channels {
            let notify = Arc::new(Notify::new());
            again.push(Arc::clone(&notify));
            let reader = Reader {
                world: Arc::clone(world),
                clients: current.clone(),
                again: notify,
                events: events.clone(),
                max_waiting: if random.u8(..4) == 0 { 16 } else { 1_024 },
                random: random.fork(),
                cursor: None,
                is_finished: false,
                log: Log { client: id, channel, items: Vec::new() },
            };
            readers.push(tokio::spawn(reader.run()));
        }
        let publisher =
            Publisher { world: Arc::clone(world), id, clients, events: events.clone(), random, publishes: Vec::new() };
        let publisher = tokio::spawn(publisher.run(received));
        Ok(Self { orders, again, events, publisher, published: None, readers })
    }

    pub(crate) fn restart(&self) {
        // A publisher that has ended does not start again.
        let _ = self.orders.send(Order::Restart);
    }

    pub(crate) fn reconnect(&self) {
        let _ = self.orders.send(Order::Reconnect);
    }

    pub(crate) fn resubscribe(&self, pick: usize) {
        if let Some(again) = pick.checked_rem(self.again.len()).and_then(|index| self.again.get(index)) {
            again.notify_one();
        }
    }

    /// Waits until the outcome of everything that was published is known.
    pub(crate) async fn settle(&mut self) -> Result<(), JoinError> {
        if self.published.is_none() {
            self.published = Some((&mut self.publisher).await?);
        }
        Ok(())
    }

    /// The end of the program: what it has published, what its subscriptions have yielded, and what happened to its client.
    pub(crate) async fn end(mut self) -> Result<Deeds, JoinError> {
        self.settle().await?;
        let mut deeds = Deeds { publishes: self.published.unwrap_or_default(), ..Deeds::default() };
        for reader in self.readers {
            deeds.logs.push(reader.await?);
        }
        deeds.events = std::mem::take(&mut *self.events.lock());
        Ok(deeds)
    }
}

impl Events {
    fn add(&self, world: &World, event: Event) {
        self.lock().push((world.began.elapsed(), event));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Duration, Event)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The options of every client: the default ones, but for attempts that come sooner and wait less, so that there is more to break.
pub(crate) fn builder(url: &str) -> ClientBuilder {
    let ms = Duration::from_millis;
    let backoff = Backoff::default().floor(ms(20)).first(ms(300)).max(ms(1_000)).quick(ms(100));
    Client::builder(url).socket(|socket| socket.backoff(backoff).connect_timeout(ms(3_000)))
}

fn connect(world: &Arc<World>, events: &Events) -> Result<Client, OpenError> {
    let (events, world_of_events) = (events.clone(), Arc::downgrade(world));
    let client = builder(&world.url).on_event(move |event| {
        if let Some(world) = world_of_events.upgrade() {
            events.add(&world, Event::Client(event.clone()));
        }
    });
    client.connect()
}

/// The part of a program that publishes, and that has its client.
struct Publisher {
    world: Arc<World>,
    id: u32,
    /// The run of the program, and its client.
    clients: watch::Sender<(u32, Client)>,
    events: Events,
    random: Rng,
    publishes: Vec<Publish>,
}

impl Publisher {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) -> Vec<Publish> {
        let mut phase = self.world.phase.clone();
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
                    self.world.published.notify_waiters();
                    next = self.next_publish();
                }
                Some((index, outcome)) = outcomes.next(), if !outcomes.is_empty() => {
                    let is_closed = self.publishes[index].life < self.clients.borrow().0;
                    self.publishes[index].fate = fate(outcome, is_closed);
                }
                Some(order) = orders.recv(), if is_publishing => match order {
                    Order::Restart => self.restart().await,
                    Order::Reconnect => self.clients.borrow().1.reconnect(),
                },
                _ = phase.changed() => {}
            }
        }
    }

    fn next_publish(&mut self) -> Instant {
        // Bursts make up half of what is published.
        let mean = 2.5 / self.world.messages_per_second;
        Instant::now() + Duration::from_secs_f64(-(1.0 - self.random.f64()).ln() * mean)
    }

    fn publish(&mut self) -> Publishing {
        let channel = self.random.usize(..self.world.channels.len());
        let (life, client) = self.clients.borrow().clone();
        let id = MessageId { client: self.id, number: self.publishes.len() as u32 + 1 };
        self.publishes.push(Publish { id, channel, life, fate: Fate::Pending });
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
        client.publish_raw(&self.world.channels[channel], message, options)
    }

    /// Ends the client, and starts another one.
    async fn restart(&mut self) {
        let (life, client) = self.clients.borrow().clone();
        client.close();
        sleep(Duration::from_millis(self.random.u64(..300))).await;
        self.events.add(&self.world, Event::Restarted);
        // The URL was valid before.
        if let Ok(client) = connect(&self.world, &self.events) {
            drop(self.clients.send_replace((life + 1, client)));
        }
    }
}

/// What an outcome says about the server.
fn fate(outcome: Result<Published, PublishError>, is_closed: bool) -> Fate {
    match outcome {
        Ok(published) => Fate::Stored(published.cursor),
        Err(PublishError::Unknown) if is_closed => Fate::Unknown,
        Err(PublishError::Unknown) => Fate::Forgotten,
        Err(_) => Fate::NotStored,
    }
}

/// The part of a program that reads a channel.
struct Reader {
    world: Arc<World>,
    clients: watch::Receiver<(u32, Client)>,
    again: Arc<Notify>,
    events: Events,
    max_waiting: usize,
    random: Rng,
    /// What the program has stored.
    cursor: Option<Cursor>,
    is_finished: bool,
    log: Log,
}

impl Reader {
    async fn run(mut self) -> Log {
        let mut phase = self.world.phase.clone();
        let mut subscription = self.subscribe();
        loop {
            let now = phase.borrow_and_update().clone();
            match &now {
                Phase::Over => break,
                Phase::Reading(last) => self.check_finished(&last[self.log.channel]),
                Phase::Publishing | Phase::Settling => {}
            }
            tokio::select! {
                // What has arrived is not more urgent than anything else.
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { break };
                    if self.take(delivery, &subscription) {
                        self.cursor = subscription.cursor().or(self.cursor);
                        if self.clients.changed().await.is_err() {
                            break;
                        }
                        subscription = self.subscribe();
                    }
                    // Some readers are slow now and then, so that the server has to wait for them.
                    if self.max_waiting < 100 && self.random.u8(..100) == 0 && matches!(now, Phase::Publishing) {
                        sleep(Duration::from_millis(self.random.u64(..1_000))).await;
                    }
                }
                () = self.again.notified() => {
                    self.cursor = subscription.cursor().or(self.cursor);
                    self.events.add(&self.world, Event::Resubscribed(self.log.channel));
                    // A channel has at most one subscription.
                    drop(subscription);
                    subscription = self.subscribe();
                }
                _ = phase.changed() => {}
            }
        }
        // Nothing comes any more, or it is one message too many.
        while let Some(Some(delivery)) = subscription.next().now_or_never() {
            if self.take(delivery, &subscription) {
                break;
            }
        }
        self.log
    }

    fn subscribe(&mut self) -> Subscription<Message> {
        let (life, client) = self.clients.borrow_and_update().clone();
        self.log.items.push(Item::Started { life });
        let options = SubscribeOptions::default().max_waiting(self.max_waiting);
        let options = match self.cursor {
            Some(cursor) => options.from(cursor),
            // From now on, and unlike `live` it reports when that is.
            None => options.last(0),
        };
        client.subscribe_raw(&self.world.channels[self.log.channel], &options)
    }

    /// Takes an item. Returns whether the client is over.
    fn take(&mut self, delivery: Delivery<Message>, subscription: &Subscription<Message>) -> bool {
        let item = match delivery {
            Delivery::Message(message) => {
                let payload = match &message.value {
                    Message::Text(text) => text.as_bytes(),
                    Message::Binary(bytes) => bytes,
                    _ => &[][..],
                };
                // One that nobody has published.
                let id = MessageId::from_payload(payload).unwrap_or(MessageId { client: u32::MAX, number: 0 });
                Item::Message { cursor: message.cursor, id, is_own: message.is_own }
            }
            Delivery::Gap(gap) => Item::Gap { reason: gap.reason, cursor: gap.cursor },
            Delivery::CaughtUp if self.cursor.is_none() => {
                self.cursor = subscription.cursor();
                // A client that has been closed meanwhile does not know it. Where messages wait, the first of them says it.
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
            // Where nothing waits for it, the run is over.
            let _ = self.world.finished.send(());
        }
    }
}
