use std::time::Duration;

use everwire_core::{Action, Config, Connection, DropCause, Input, Time};

const OUTAGE: Duration = Duration::from_secs(60);
/// From dialling to the refusal, or to the open socket.
const HANDSHAKE: Duration = Duration::from_millis(50);
/// The clients had been connected for longer than it takes to count as stable.
const LOST_AT: Duration = Duration::from_secs(3_600);
const BACK_AT: Duration = LOST_AT.saturating_add(OUTAGE);

/// Clients that lose their server in the same instant.
pub(crate) struct Crowd {
    pub(crate) attempts: usize,
    pub(crate) peak_per_100ms: usize,
    /// How long after the server's return each client was open again.
    pub(crate) back: Vec<Duration>,
}

impl Crowd {
    /// The server drops all clients without a close frame and refuses all of them until its return.
    pub(crate) fn lose_server(clients: u64) -> Self {
        let mut dials = Vec::new();
        // The clients do not affect each other, so that they can be simulated one after the other.
        let back = (0..clients).map(|seed| live(seed, &mut dials)).collect();
        dials.sort_unstable();
        Self { attempts: dials.len(), peak_per_100ms: most_within(Duration::from_millis(100), &dials), back }
    }
}

/// One client's life from the loss until it is open again. Returns how long after the server's return that is.
fn live(seed: u64, dials: &mut Vec<Duration>) -> Duration {
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

/// The greatest number of these instants within any window of that length.
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
