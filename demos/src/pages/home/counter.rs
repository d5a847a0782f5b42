//! Publishes a number every 100 ms to a channel of the page's own, and keeps the books on what arrives.

use std::cell::RefCell;
use std::rc::Rc;

use everwire::client::{Cursor, PublishError, SubscribeOptions};
use everwire::{Channel, Client, Delivery, Subscription};
use everwire_yew::ConnectionStatus;
use futures_util::StreamExt;
use gloo_timers::callback::Interval;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::tally::Tally;
use super::timeline::{Phase, Timeline};
use super::torture::{Step, Torture};
use crate::fault::Disruption;
use crate::job::Job;
use crate::line::Line;
use crate::now::now;
use crate::secret;

/// Milliseconds between two publishes.
const EVERY: u32 = 100;

/// The counter and what happened to its connection.
#[derive(Debug)]
pub(super) struct Counter {
    channel: Channel<u64>,
    pub(super) tally: Tally,
    /// Gaps that the library reported.
    pub(super) gaps: u64,
    pub(super) timeline: Timeline,
    pub(super) run: Option<Run>,
    pub(super) error: Option<String>,
    /// Where the subscription is: another client goes on from there.
    cursor: Option<Cursor>,
    /// Whether the channel is subscribed to, so that nothing is published that it cannot deliver.
    is_subscribed: bool,
}

/// A run of the torture with its own books.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) torture: Torture,
    pub(super) tally: Tally,
    pub(super) gaps: u64,
    pub(super) is_finished: bool,
}

pub(super) type CounterRef = Rc<RefCell<Counter>>;

impl Counter {
    fn new() -> Self {
        // Of this visit: another tab counts by itself.
        let channel = Channel::named(format!("counter/{}", secret::random()));
        Self {
            channel,
            tally: Tally::default(),
            gaps: 0,
            timeline: Timeline::default(),
            run: None,
            error: None,
            cursor: None,
            is_subscribed: false,
        }
    }

    /// Takes what arrived.
    fn take(&mut self, delivery: Delivery<u64>) {
        match delivery {
            Delivery::Message(message) => {
                self.cursor = Some(message.cursor);
                self.tally.deliver(message.value);
                if let Some(run) = self.unfinished() {
                    run.tally.deliver(message.value);
                }
            }
            Delivery::Undecodable(_) => {
                self.tally.deliver_foreign();
                if let Some(run) = self.unfinished() {
                    run.tally.deliver_foreign();
                }
            }
            Delivery::Gap(gap) => {
                self.cursor = Some(gap.cursor);
                self.gaps += 1;
                if let Some(run) = self.unfinished() {
                    run.gaps += 1;
                }
            }
            Delivery::CaughtUp => self.is_subscribed = true,
            Delivery::Ended(error) => {
                self.is_subscribed = false;
                self.error = Some(error.to_string());
            }
            _ => {}
        }
    }

    fn unfinished(&mut self) -> Option<&mut Run> {
        self.run.as_mut().filter(|run| !run.is_finished)
    }

    /// The number to publish now.
    fn publish(&mut self) -> Option<u64> {
        if !self.is_subscribed {
            return None;
        }
        if let Some(run) = self.unfinished().filter(|run| !run.torture.is_settling()) {
            run.tally.publish();
        }
        Some(self.tally.publish())
    }

    fn refuse(&mut self, number: u64, error: &PublishError) {
        // Whether it was stored is not known: the message may still arrive, and is lost if it does not.
        if !matches!(error, PublishError::Unknown) {
            self.tally.refuse(number);
            if let Some(run) = self.unfinished() {
                run.tally.refuse(number);
            }
        }
    }

    /// What the torture wants done.
    fn next_step(&mut self, now: f64, phase: Phase) -> Option<Step> {
        let run = self.unfinished()?;
        let step = run.torture.next(now, phase, run.tally.on_the_way() == 0)?;
        match step {
            Step::Disrupt(disruption) => self.timeline.mark(now, disruption),
            Step::Settle => run.tally.close(),
            Step::Finish => run.is_finished = true,
            Step::Reconnect => {}
        }
        Some(step)
    }

    pub(super) fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_finished)
    }

    /// Starts to torture the connection, for so many milliseconds.
    pub(super) fn start(&mut self, length: f64, can_kill: bool) {
        let (torture, tally) = (Torture::new(now(), length, can_kill), Tally::after(self.tally.latest()));
        self.run = Some(Run { torture, tally, gaps: 0, is_finished: false });
    }

    pub(super) fn stop(&mut self) {
        if let Some(run) = self.unfinished() {
            run.torture.stop();
        }
    }

    /// The visitor did something to the connection.
    pub(super) fn mark(&mut self, disruption: Disruption) {
        self.timeline.mark(now(), disruption);
    }
}

/// A counter that goes on for as long as the component lives. Another server has another one.
#[hook]
pub(super) fn use_counter(line: &Line, status: &ConnectionStatus) -> CounterRef {
    let counter = use_memo(line.key(), |_| RefCell::new(Counter::new()));
    let client = use_context::<Option<Client>>();
    let client = client.flatten();
    {
        let counter = Rc::clone(&counter);
        use_effect_with(status.state(), move |state| counter.borrow_mut().timeline.enter(now(), Phase::of(*state)));
    }
    let connection = use_mut_ref(|| (line.clone(), status.clone()));
    *connection.borrow_mut() = (line.clone(), status.clone());
    {
        let counter = Rc::clone(&counter);
        use_effect_with((client, line.key()), move |(client, _)| {
            let running = client.clone().map(|client| {
                let (ticking, read) = (Rc::clone(&counter), Rc::clone(&counter));
                let subscription = subscribe(&client, &counter.borrow());
                let reading = Job::start(read_all(subscription, read));
                let ticks = Interval::new(EVERY, {
                    let connection = Rc::clone(&connection);
                    move || {
                        let (line, status) = connection.borrow().clone();
                        tick(&ticking, &client, &line, &status);
                    }
                });
                (reading, ticks)
            });
            move || {
                drop(running);
                // The other pages have the connection as it was.
                let (line, status) = connection.borrow().clone();
                if counter.borrow().is_running() {
                    line.arm(None);
                    status.reconnect();
                }
            }
        });
    }
    counter
}

fn subscribe(client: &Client, counter: &Counter) -> Subscription<u64> {
    let options = SubscribeOptions::default();
    // One that starts with the next message does not say when it has begun.
    let options = match counter.cursor {
        Some(cursor) => options.from(cursor),
        None => options.last(1),
    };
    client.subscribe_with(&counter.channel, &options)
}

async fn read_all(mut subscription: Subscription<u64>, counter: CounterRef) {
    while let Some(delivery) = subscription.next().await {
        counter.borrow_mut().take(delivery);
    }
}

fn tick(counter: &CounterRef, client: &Client, line: &Line, status: &ConnectionStatus) {
    let published = {
        let mut counter = counter.borrow_mut();
        let number = counter.publish();
        number.map(|number| (number, client.publish(&counter.channel, &number)))
    };
    if let Some((number, publishing)) = published {
        let counter = Rc::clone(counter);
        spawn_local(async move {
            if let Err(error) = publishing.await {
                counter.borrow_mut().refuse(number, &error);
            }
        });
    }
    let step = {
        let mut counter = counter.borrow_mut();
        let waiting = counter.tally.on_the_way();
        counter.timeline.sample(now(), waiting);
        counter.next_step(now(), Phase::of(status.state()))
    };
    match step {
        Some(Step::Disrupt(disruption)) => line.disrupt(disruption, status),
        Some(Step::Reconnect) => {
            line.arm(None);
            status.reconnect();
        }
        Some(Step::Settle | Step::Finish) | None => {}
    }
}
