//! Random histories of clients, a server, its broker and the connections between them. Whatever happens: nothing is lost without a gap,
//! nothing is delivered twice, every publish has one true outcome, and when the faults are over everything arrives.

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Time,
    protocol::{Mode, Start},
};
use proptest::prelude::*;

use super::simulation::{Event, Simulation};

const CLIENTS: usize = 2;
/// Of the last one, the clients want the latest value of each key.
const CHANNELS: [&str; 3] = ["chat", "news", "prices"];
const PRICES: &str = CHANNELS[2];

#[derive(Debug, Clone, Copy)]
enum Step {
    /// One of the events that would follow without faults.
    Progress(u8),
    Dial(u8),
    ClientLoses(u8),
    ServerLoses(u8),
    Publish(u8, u8, Option<u8>),
    Request(u8, Option<u8>),
    Cancel(u8, u8),
    Respond(u8),
    Refuse(u8),
    Credits(u8, u8),
    Drain(u8),
    ServerPublish(u8),
    ServerSet(u8),
    Pause(u8, u8),
    Resume(u8, u8),
    Resubscribe(u8, u8, u8),
    Trim(u8, u8),
    Pass(u8),
    Deadline,
    Restart,
    BackUp,
    RestoreBackup,
    LoseDisk,
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut any = || bytes.arbitrary::<u8>();
        Ok(match any()? % 64 {
            0..20 => Self::Progress(0),
            20..32 => Self::Progress(any()?),
            32..36 => Self::Dial(any()?),
            36..38 => Self::ClientLoses(any()?),
            38..40 => Self::ServerLoses(any()?),
            40..46 => Self::Publish(any()?, any()?, Some(any()?).filter(|time| *time < 64)),
            46..48 => Self::Request(any()?, Some(any()?).filter(|time| *time < 64)),
            48 => Self::Cancel(any()?, any()?),
            49..51 => Self::Respond(any()?),
            51 => match any()? % 4 {
                0 | 1 => Self::Refuse(any()?),
                2 => Self::Credits(any()?, any()?),
                _ => Self::Drain(any()?),
            },
            52..54 => Self::ServerPublish(any()?),
            54 => Self::ServerSet(any()?),
            55 => Self::Pause(any()?, any()?),
            56 => Self::Resume(any()?, any()?),
            57 => Self::Resubscribe(any()?, any()?, any()?),
            58 => Self::Trim(any()?, any()?),
            59 => Self::Pass(any()?),
            60 => Self::Deadline,
            61 => Self::Restart,
            62 => Self::BackUp,
            _ => match any()? % 4 {
                0 => Self::LoseDisk,
                1 | 2 => Self::RestoreBackup,
                _ => Self::Restart,
            },
        })
    }
}

fn pick<T>(items: impl IntoIterator<Item = T>, number: u8) -> Option<T> {
    let items: Vec<T> = items.into_iter().collect();
    let index = usize::from(number).checked_rem(items.len())?;
    items.into_iter().nth(index)
}

fn channel(number: u8) -> &'static str {
    CHANNELS[usize::from(number) % CHANNELS.len()]
}

/// One whose messages have no keys.
fn stream(number: u8) -> &'static str {
    CHANNELS[usize::from(number) % 2]
}

fn step(sim: &mut Simulation, step: Step) {
    let client = |number: u8| usize::from(number) % CLIENTS;
    let span = |seconds: Option<u8>| seconds.map(|seconds| Time::from_secs(seconds.into()));
    let event = match step {
        Step::Progress(number) => pick(sim.progress(), number),
        Step::Dial(number) => Some(Event::Dial(client(number))),
        Step::ClientLoses(number) => Some(Event::ClientLoses(client(number))),
        Step::ServerLoses(number) => {
            let is_cut = |id: &u64| sim.clients.iter().all(|client| client.connection != Some(*id));
            pick(sim.connections.keys().copied().filter(is_cut), number).map(Event::ServerLoses)
        }
        Step::Publish(number, name, time_to_live) => {
            // A full queue refuses; there is nothing to check then.
            let _ = sim.try_publish(client(number), stream(name), span(time_to_live));
            None
        }
        Step::Request(number, timeout) => {
            sim.try_request(client(number), span(timeout)).ok();
            None
        }
        Step::Cancel(number, which) => {
            let request = pick(sim.clients[client(number)].requests.keys().copied(), which);
            request.into_iter().for_each(|request| sim.cancel(client(number), request));
            None
        }
        Step::Respond(number) => {
            let sessions = sim.server.sessions.iter();
            let running = sessions.flat_map(|(name, session)| session.running.keys().map(move |seq| (name, *seq)));
            pick(running, number).map(|(name, seq)| Event::Respond(name.clone(), seq, true))
        }
        Step::Credits(number, credits) => {
            let session = pick(sim.server.sessions.keys().cloned(), number);
            session.map(|session| Event::Credits(session, usize::from(credits % 8) + 1))
        }
        Step::Drain(seconds) => Some(Event::Drain(Time::from_secs(u64::from(seconds) % 32))),
        Step::Refuse(name) => Some(Event::Refuse(channel(name).to_owned())),
        Step::ServerPublish(name) => Some(Event::ServerPublish(stream(name).to_owned())),
        Step::ServerSet(key) => Some(Event::ServerSet(PRICES.to_owned(), key % 4)),
        Step::Pause(number, name) => {
            sim.pause(client(number), channel(name));
            None
        }
        Step::Resume(number, name) => {
            sim.resume(client(number), channel(name));
            None
        }
        Step::Resubscribe(number, name, start) => {
            sim.unsubscribe(client(number), channel(name));
            let start = match channel(name) {
                PRICES => Start::State,
                _ => [Start::Live, Start::Last(2)][usize::from(start) % 2],
            };
            sim.subscribe_again(client(number), channel(name), start);
            None
        }
        Step::Trim(name, count) => Some(Event::Trim(channel(name).to_owned(), usize::from(count % 4))),
        Step::Pass(seconds) => {
            sim.pass(Time::from_secs(u64::from(seconds) % 32));
            None
        }
        Step::Deadline => Some(Event::Deadline),
        Step::Restart => Some(Event::Restart),
        Step::BackUp => Some(Event::BackUp),
        Step::RestoreBackup => Some(Event::RestoreBackup),
        Step::LoseDisk => Some(Event::LoseDisk),
    };
    event.into_iter().for_each(|event| sim.apply(event));
}

/// Ends the faults, and runs until nothing is left to do.
fn run_to_quiescence(sim: &mut Simulation) {
    for client in 0..CLIENTS {
        CHANNELS.iter().for_each(|channel| sim.resume(client, channel));
    }
    // A connection of which the server has a deadline to end may be lost once more.
    for _ in 0..4 {
        (0..CLIENTS).for_each(|client| sim.apply(Event::Dial(client)));
        sim.run();
    }
    sim.check_quiescent();
}

/// The steps that these bytes encode: as many as there are bytes for.
fn steps(bytes: &[u8]) -> Vec<Step> {
    let mut bytes = Unstructured::new(bytes);
    let mut steps = Vec::new();
    while !bytes.is_empty() {
        steps.push(bytes.arbitrary().expect("any bytes make a step"));
    }
    steps
}

fn run(steps: Vec<Step>) {
    let mut sim = Simulation::new(CLIENTS);
    for client in 0..CLIENTS {
        CHANNELS[..2].iter().for_each(|channel| {
            sim.subscribe(client, channel, Start::Live);
        });
        sim.subscribe_in(client, PRICES, Start::State, Mode::Latest);
    }
    steps.into_iter().for_each(|next| step(&mut sim, next));
    run_to_quiescence(&mut sim);
}

/// How many histories are run: `EVERWIRE_HISTORIES`, or as many as take a few seconds.
fn histories() -> u32 {
    std::env::var("EVERWIRE_HISTORIES").ok().and_then(|number| number.parse().ok()).unwrap_or(10_000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(),
        max_shrink_iters: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_or_repeated_without_a_report(
        history in proptest::collection::vec(any::<u8>(), 0..600).prop_map(|bytes| steps(&bytes)),
    ) {
        run(history);
    }
}
