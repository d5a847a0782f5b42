//! How many clients come back when their server does, and how fast one client does when its network does.
//!
//! `cargo run -p everwire-core --release --example herd [CLIENTS]`

use std::{collections::BTreeMap, time::Duration};

use everwire_core::{Action, Config, Connection, DropCause, Input, Network, SocketId, Time};

const BLIPS: u64 = 2_000;

fn main() {
    let clients = match std::env::args().nth(1).map(|number| number.parse()) {
        None => 10_000,
        Some(Ok(clients)) if clients > 0 => clients,
        Some(_) => {
            eprintln!("usage: herd [CLIENTS], a number of at least 1 (10000 if not given)");
            std::process::exit(2);
        }
    };
    let outage = Outage::simulate(clients);
    println!("{clients} clients with the default settings lose their server at once; it refuses all of them for 60 s.");
    println!("They make {} attempts, at most {} of them in any 100 ms.", outage.attempts, outage.peak_per_100ms);
    println!("After its return the last client is connected within {:.1} s.", seconds(&outage.back, 100.0));

    let reported = recovery_times(BLIPS, Browser::Reports);
    let kept = recovery_times(BLIPS, Browser::ReportsAndKeepsTheSocket);
    let silent = recovery_times(BLIPS, Browser::OnlyCloses);
    println!("{BLIPS} single clients lose their network for 1 s. Seconds from its return until they are connected:");
    println!("                                                 p50    p95    max");
    row("the browser reports offline, then online        ", &reported);
    row("the same, and the socket outlives the blip      ", &kept);
    row("the browser only closes with 1006, as for a crash", &silent);
    println!("peak_per_100ms={}", outage.peak_per_100ms);
    println!("attempts_per_client={:.1}", outage.attempts as f64 / clients as f64);
    println!("back_99_s={:.2}", seconds(&outage.back, 99.0));
    println!("blip_p95_s={:.2}", seconds(&reported, 95.0));
}

fn row(name: &str, times: &[Duration]) {
    let [p50, p95, max] = [50.0, 95.0, 100.0].map(|percent| seconds(times, percent));
    println!("{name} {p50:6.2} {p95:6.2} {max:6.2}");
}

fn seconds(durations: &[Duration], percent: f64) -> f64 {
    percentile(durations, percent).as_secs_f64()
}

const OUTAGE_TIME: Duration = Duration::from_secs(60);
/// From dialling to the refusal, or to the open socket.
const HANDSHAKE: Duration = Duration::from_millis(50);
/// The clients had been connected for longer than it takes to count as stable.
const LOST_AT: Duration = Duration::from_secs(3_600);
const BACK_AT: Duration = LOST_AT.saturating_add(OUTAGE_TIME);

/// The attempts of clients that lose their server in the same instant.
pub(crate) struct Outage {
    pub(crate) attempts: usize,
    pub(crate) peak_per_100ms: usize,
    /// How long after the server's return each client was open again.
    pub(crate) back: Vec<Duration>,
}

impl Outage {
    /// The server drops all clients without a close frame and refuses all of them until its return.
    pub(crate) fn simulate(clients: u64) -> Self {
        let mut dials = Vec::new();
        // The clients do not affect each other, so that they can be simulated one after the other.
        let back = (0..clients).map(|seed| recover(seed, &mut dials)).collect();
        dials.sort_unstable();
        Self { attempts: dials.len(), peak_per_100ms: most_within(Duration::from_millis(100), &dials), back }
    }
}

/// Simulates a client from the loss until it is open again. Returns how long after the server's return that is.
fn recover(seed: u64, dials: &mut Vec<Duration>) -> Duration {
    let mut client = Connection::new(Config::default(), seed);
    client.handle(Time::ZERO, Input::Open { since_last_dial: None });
    if let Some(Action::Dial { socket, .. }) = client.poll_action() {
        client.handle(HANDSHAKE.into(), Input::Opened { socket });
        client.handle(LOST_AT.into(), Input::Dropped { socket, cause: refusal(), buffered: 0 });
    }
    let mut now = LOST_AT;
    loop {
        while let Some(action) = client.poll_action() {
            let Action::Dial { socket, .. } = action else { continue };
            dials.push(now);
            let is_back = now >= BACK_AT;
            now += HANDSHAKE;
            if is_back {
                return now - BACK_AT;
            }
            client.handle(now.into(), Input::Dropped { socket, cause: refusal(), buffered: 0 });
        }
        let deadline = client.poll_deadline().expect("a client that waits has a deadline");
        client.handle(deadline, Input::Wake { wall: deadline });
        now = deadline.into();
    }
}

fn refusal() -> DropCause {
    DropCause::closed(1006, false)
}

/// The greatest number of instants within any window of this length.
fn most_within(window: Duration, sorted: &[Duration]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (index, at) in sorted.iter().enumerate() {
        while sorted.get(first).is_some_and(|first| *first + window <= *at) {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

const BLIP: Duration = Duration::from_secs(1);
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// When TCP retransmits: it doubles its delay from 0.2 s for data and from 1 s for a dial.
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

/// How long after the network's return each client was connected again.
pub(crate) fn recovery_times(clients: u64, browser: Browser) -> Vec<Duration> {
    (0..clients).map(|seed| BlipSimulation::new(seed, browser).run()).collect()
}

/// One client whose network is gone for [`BLIP`].
struct BlipSimulation {
    client: Connection,
    events: BTreeMap<(Duration, u64), Input>,
    entries: u64,
    lost_at: Duration,
    /// Half of the attempts without a network fail at once, the others hang as their packets get lost.
    fails_at_once: bool,
    back: Option<Duration>,
}

impl BlipSimulation {
    fn new(seed: u64, browser: Browser) -> Self {
        let mut sim = Self {
            client: Connection::new(Config::default(), seed),
            events: BTreeMap::new(),
            entries: 0,
            // Anywhere between two pings.
            lost_at: Duration::from_secs(60) + Duration::from_millis(seed * 37 % 7_000),
            fails_at_once: seed.is_multiple_of(2),
            back: None,
        };
        sim.client.handle(Time::ZERO, Input::Open { since_last_dial: None });
        sim.act(Duration::ZERO);
        if browser != Browser::OnlyCloses {
            sim.schedule(sim.lost_at, Input::Network(Network::Offline));
            sim.schedule(sim.lost_at + BLIP, Input::Network(Network::Online));
        }
        if browser != Browser::ReportsAndKeepsTheSocket {
            let dropped = Input::Dropped { socket: SocketId(1), cause: DropCause::closed(1006, false), buffered: 0 };
            sim.schedule(sim.lost_at, dropped);
        }
        sim
    }

    fn run(mut self) -> Duration {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let timer = self.client.poll_deadline().map(Duration::from);
            let now = event.into_iter().chain(timer).min().expect("a client that is not connected has something to do");
            let input = match self.events.first_entry() {
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
                    Some(at) => self.schedule(at + ROUND_TRIP * 2, Input::Opened { socket }),
                    None => {
                        let cause = DropCause::closed(1006, false);
                        self.schedule(now, Input::Dropped { socket, cause, buffered: 0 });
                    }
                },
                Action::Ping { socket, ping } => {
                    if let Some(at) = self.arrives(now, &RESENDS) {
                        let pong = Input::Pong { socket, ping: Some(ping), server_time: None };
                        self.schedule(at + ROUND_TRIP, pong);
                    }
                }
                Action::Detach { socket } => self.events.retain(|_, input| !concerns(input, socket)),
                Action::Opened { .. } | Action::Latency(_) if now > self.lost_at + BLIP => {
                    self.back = Some(now - self.lost_at - BLIP);
                }
                _ => {}
            }
        }
    }

    /// When something sent now gets through; `None` where the attempt fails at once.
    fn arrives(&self, now: Duration, retransmissions: &[u64]) -> Option<Duration> {
        let has_network = |at: Duration| at < self.lost_at || at >= self.lost_at + BLIP;
        if has_network(now) {
            return Some(now);
        }
        if self.fails_at_once && retransmissions == REDIALS {
            return None;
        }
        retransmissions.iter().map(|after| now + Duration::from_millis(*after)).find(|at| has_network(*at))
    }

    fn schedule(&mut self, at: Duration, input: Input) {
        self.events.insert((at, self.entries), input);
        self.entries += 1;
    }
}

fn concerns(input: &Input, gone: SocketId) -> bool {
    match input {
        Input::Opened { socket, .. } | Input::Pong { socket, .. } | Input::Dropped { socket, .. } => *socket == gone,
        _ => false,
    }
}

/// The duration that so many percent of the durations do not exceed.
pub(crate) fn percentile(durations: &[Duration], percent: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}
