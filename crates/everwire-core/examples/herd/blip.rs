use std::{collections::BTreeMap, time::Duration};

use everwire_core::{Action, Config, Connection, DropCause, Input, Network, SocketId, Time};

const BLIP: Duration = Duration::from_secs(1);
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// When TCP tries again what was not acknowledged: it doubles its delay from 0.2 s for data and from 1 s for a dial.
const RESENDS: [u64; 5] = [200, 600, 1_400, 3_000, 6_200];
const REDIALS: [u64; 3] = [1_000, 3_000, 7_000];

/// What the browser reports about the blip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Browser {
    /// It closes the socket and reports `offline`, then `online`, as Chromium does.
    Reports,
    /// It reports `offline` and `online`, and the socket outlives the blip.
    ReportsAndKeepsTheSocket,
    /// It closes the socket with 1006, as when the server crashed.
    OnlyCloses,
}

/// How long after the network's return each of so many clients was connected again.
pub(crate) fn returns(clients: u64, browser: Browser) -> Vec<Duration> {
    (0..clients).map(|seed| Life::new(seed, browser).run()).collect()
}

struct Life {
    client: Connection,
    agenda: BTreeMap<(Duration, u64), Input>,
    entries: u64,
    lost_at: Duration,
    /// Half of the attempts without a network fail at once, the others hang as their packets get lost.
    fails_at_once: bool,
    back: Option<Duration>,
}

impl Life {
    fn new(seed: u64, browser: Browser) -> Self {
        let mut life = Self {
            client: Connection::new(Config::default(), seed),
            agenda: BTreeMap::new(),
            entries: 0,
            // Anywhere between two pings.
            lost_at: Duration::from_secs(60) + Duration::from_millis(seed * 37 % 7_000),
            fails_at_once: seed.is_multiple_of(2),
            back: None,
        };
        life.client.handle(Time::ZERO, Input::Open { since_last_dial: None });
        life.act(Duration::ZERO);
        if browser != Browser::OnlyCloses {
            life.later(life.lost_at, Input::Network(Network::Offline));
            life.later(life.lost_at + BLIP, Input::Network(Network::Online));
        }
        if browser != Browser::ReportsAndKeepsTheSocket {
            let dropped = Input::Dropped { socket: SocketId(1), cause: DropCause::closed(1006, false), buffered: 0 };
            life.later(life.lost_at, dropped);
        }
        life
    }

    fn run(mut self) -> Duration {
        loop {
            let happening = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let timer = self.client.poll_deadline().map(Duration::from);
            let now = happening.into_iter().chain(timer).min().expect("a client that is not back has something to do");
            let input = match self.agenda.first_entry() {
                Some(entry) if entry.key().0 == now => entry.remove(),
                _ => Input::Wake { wall: now.into() },
            };
            self.client.handle(now.into(), input);
            self.act(now);
            if let Some(back) = self.back {
                return back;
            }
        }
    }

    fn act(&mut self, now: Duration) {
        while let Some(action) = self.client.poll_action() {
            match action {
                Action::Dial { socket, .. } => match self.arrives(now, &REDIALS) {
                    Some(at) => self.later(at + ROUND_TRIP * 2, Input::Opened { socket }),
                    None => {
                        let cause = DropCause::closed(1006, false);
                        self.later(now, Input::Dropped { socket, cause, buffered: 0 });
                    }
                },
                Action::Ping { socket, ping } => {
                    if let Some(at) = self.arrives(now, &RESENDS) {
                        let pong = Input::Pong { socket, ping: Some(ping), server_time: None };
                        self.later(at + ROUND_TRIP, pong);
                    }
                }
                Action::Detach { socket } => self.agenda.retain(|_, input| !is_about(input, socket)),
                Action::Opened { .. } | Action::Latency(_) if now > self.lost_at + BLIP => {
                    self.back = Some(now - self.lost_at - BLIP);
                }
                _ => {}
            }
        }
    }

    /// When what is sent now gets through; `None` where the attempt fails at once.
    fn arrives(&self, now: Duration, again: &[u64]) -> Option<Duration> {
        let has_network = |at: Duration| at < self.lost_at || at >= self.lost_at + BLIP;
        if has_network(now) {
            return Some(now);
        }
        if self.fails_at_once && again == REDIALS {
            return None;
        }
        again.iter().map(|after| now + Duration::from_millis(*after)).find(|at| has_network(*at))
    }

    fn later(&mut self, at: Duration, input: Input) {
        self.agenda.insert((at, self.entries), input);
        self.entries += 1;
    }
}

fn is_about(input: &Input, gone: SocketId) -> bool {
    match input {
        Input::Opened { socket, .. } | Input::Pong { socket, .. } | Input::Dropped { socket, .. } => *socket == gone,
        _ => false,
    }
}
