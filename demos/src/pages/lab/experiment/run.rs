use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use everwire::SocketHandle;
use everwire_companion_api::lab::{Item, Usage};
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_util::future::{Either, join, select};
use futures_util::{StreamExt, pin_mut};
use gloo_timers::future::TimeoutFuture;

use super::{Plan, Results};
use crate::pages::lab::bench::{ask, new_name, now};
use crate::pages::lab::reader::{Reader, ReaderEvent, ReaderOptions, post};
use crate::pages::lab::settings::Network;
use crate::pages::lab::transport::Transport;

/// How long an answer may take, in milliseconds.
const PATIENCE: u32 = 20_000;

/// Where calls are made.
#[derive(Clone, Debug)]
pub(in crate::pages::lab) struct Environment {
    /// The server: `ws://127.0.0.1:9001`.
    pub(in crate::pages::lab) base: String,
    pub(in crate::pages::lab) network: Network,
    /// Milliseconds between two polls.
    pub(in crate::pages::lab) period: u32,
}

/// Makes the calls of a plan. Dropping the future ends it at once, and what it holds.
pub(in crate::pages::lab) async fn run(plan: Plan, environment: Environment, results: Rc<RefCell<Results>>) {
    let name = new_name();
    for set in 0..plan.sets {
        for transport in plan.order(set) {
            let Some(mut caller) = Caller::connect(environment.options(&name, transport, set)).await else {
                (0..plan.calls).for_each(|_| results.borrow_mut().record(transport, None));
                continue;
            };
            let before = caller.usage().await;
            for number in 0..plan.calls {
                caller.pause().await;
                // A number of its own in all sets: an answer that comes too late for one is none of the next.
                let round_trip = caller.call((set * plan.calls + number) as u64).await;
                results.borrow_mut().record(transport, round_trip);
            }
            if let (Some(before), Some(after)) = (before, caller.usage().await) {
                results.borrow_mut().used(transport, after.since(&before));
            }
        }
    }
}

impl Environment {
    /// All sets of a transport read one log of answers: the server has room for so many. Their accounts are their own, so that
    /// nothing of a set that has just ended, as the closing of its connection, is entered into the next.
    fn options(&self, run: &str, transport: Transport, set: usize) -> ReaderOptions {
        let name = format!("{run}-{}", transport.key());
        ReaderOptions {
            transport,
            base: self.base.clone(),
            query: format!("call={name}{}", self.network.parameter()),
            account: format!("{name}-{set}"),
            period: self.period,
        }
    }
}

/// One transport, connected and ready for calls.
struct Caller {
    options: ReaderOptions,
    socket: Option<SocketHandle>,
    events: UnboundedReceiver<ReaderEvent>,
    _reader: Reader,
}

impl Caller {
    /// `None` where the server does not answer in time.
    async fn connect(options: ReaderOptions) -> Option<Self> {
        let (sender, events) = unbounded();
        // Nobody hears it when the caller is gone, and then the reader is too.
        let reader = Reader::open(options.clone(), Rc::new(move |event| drop(sender.unbounded_send(event))));
        let mut caller = Self { options, socket: reader.socket.clone(), events, _reader: reader };
        let is_ready = |event: &ReaderEvent| matches!(event, ReaderEvent::Open | ReaderEvent::Item(Item::Start { .. }));
        caller.wait_for(is_ready).await.then_some(caller)
    }

    /// Waits for a moment that has nothing to do with the latest poll. A call right behind an answer would wait a whole period
    /// each time, and people's do not.
    async fn pause(&self) {
        if self.options.transport == Transport::Polling {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to a period")]
            let pause = (js_sys::Math::random() * f64::from(self.options.period)) as u32;
            TimeoutFuture::new(pause).await;
        }
    }

    /// The time from question to answer in milliseconds; `None` if there was none.
    async fn call(&mut self, number: u64) -> Option<f64> {
        let question = format!("{{\"call\":{number}}}");
        let start = now();
        let url = self.options.http("echo");
        let socket = self.socket.clone();
        let ask = in_time(async move {
            match socket {
                Some(socket) => socket.send(question).is_ok(),
                None => post(&url, &question).await.is_ok(),
            }
        });
        let answer = async {
            let is_answer =
                |event: &ReaderEvent| matches!(event, ReaderEvent::Item(Item::Call { call }) if *call == number);
            self.wait_for(is_answer).await.then(|| now() - start)
        };
        // The answer may come before the one to the request that asked; both belong to the call, and so do their bytes.
        join(ask, answer).await.1
    }

    /// `None` where the server does not say it in time.
    async fn usage(&self) -> Option<Usage> {
        let account = self.options.account.as_str();
        in_time(ask(&self.options.base, std::iter::once(account))).await?.get(account).copied()
    }

    async fn wait_for(&mut self, is_it: impl Fn(&ReaderEvent) -> bool) -> bool {
        let it = async {
            while let Some(event) = self.events.next().await {
                if is_it(&event) {
                    return true;
                }
            }
            false
        };
        in_time(it).await.unwrap_or(false)
    }
}

/// What comes of it, if that does not take too long. What does is dropped: a server may have gone without a word.
async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    pin_mut!(work);
    match select(work, TimeoutFuture::new(PATIENCE)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_needs_one_log_a_transport_however_many_its_sets_and_an_account_for_each() {
        let environment = Environment { base: String::new(), network: Network::default(), period: 100 };
        let of = |run, transport, set| {
            let options = environment.options(run, transport, set);
            (options.query, options.account)
        };
        let (one, other) =
            (of("1fffffffffffff", Transport::LongPolling, 0), of("1fffffffffffff", Transport::LongPolling, 99));
        assert_eq!(one.0, other.0);
        assert_ne!(one.1, other.1);
        assert_ne!(of("a", Transport::Polling, 0).0, of("a", Transport::Events, 0).0);
        assert_ne!(of("a", Transport::Polling, 0).0, of("b", Transport::Polling, 0).0);
        assert!(other.1.len() <= 40, "the server takes names up to 40 letters, digits and hyphens");
    }
}
