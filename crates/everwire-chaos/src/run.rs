use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use everwire::client::{Cursor, PublishOptions};
use everwire::{Channel, Message};
use everwire_test_client::{Direction, End, Flow, TcpProxy};
use fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::oracle::{Fate, History, MessageId, Publish, Verdict};
use crate::plan::{Fault, Plan};
use crate::process::Server;
use crate::program::{Event, Phase, Program, World, builder};

/// The most that is printed of what happened to a client.
const EVENTS_SHOWN: usize = 40;

/// What a run does.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The program of the server, which is everwire-server
    #[arg(long, value_name = "FILE")]
    pub server: PathBuf,
    /// How long there are faults
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    /// Programs, with a client each
    #[arg(long, default_value_t = 200)]
    pub clients: u32,
    /// Channels; each client subscribes to four of them, and publishes to all
    #[arg(long, default_value_t = 40)]
    pub channels: usize,
    /// Messages a second, of all clients together
    #[arg(long, default_value_t = 200.0)]
    pub messages: f64,
    /// Faults a second
    #[arg(long, default_value_t = 10.0)]
    pub faults: f64,
    /// Seconds that everything may take to arrive after the last fault
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
    /// Chooses the faults, their times and what clients publish [default: another one each time]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print each fault when it strikes
    #[arg(long)]
    pub verbose: bool,
    /// More flags for the server
    #[arg(last = true, value_name = "FLAGS")]
    pub server_flags: Vec<String>,
}

/// The channels that a client subscribes to.
const SUBSCRIPTIONS: usize = 4;

/// Short, so that a dead connection is noticed while the run goes on.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A run before its faults begin: the server listens behind the network.
#[derive(Debug)]
pub struct Run {
    options: Options,
    seed: u64,
    /// The journal and the log of the server.
    directory: TempDir,
    network: Arc<TcpProxy>,
    server: Server,
    url: String,
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// What chose the faults.
    pub seed: u64,
    /// How many faults there were of each kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What was wrong.
    pub verdict: Verdict,
    /// How often the server has panicked. It may go on, but not as it should.
    pub panics: usize,
    /// What happened to the clients that the violations name, and when.
    events: BTreeMap<u32, Vec<(Duration, Event)>>,
    /// Where the journal and the log of the server were left, if something was wrong.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether nothing was wrong.
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.panics == 0
    }

    /// How many faults there were.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// The violations with what happened to their clients, then the counts, one a line.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, faults, verdict, panics, events, kept } = self;
        for (client, events) in events {
            writeln!(formatter, "client {client}:")?;
            for (at, event) in &events[events.len().saturating_sub(EVENTS_SHOWN)..] {
                writeln!(formatter, "  {:.3} {event}", at.as_secs_f64())?;
            }
        }
        for violation in &verdict.violations {
            writeln!(formatter, "{violation}")?;
        }
        if let Some(kept) = kept {
            writeln!(formatter, "the journal and the log of the server are in {}", kept.display())?;
        }
        let kinds: Vec<_> = faults.iter().map(|(name, count)| format!("{name}={count}")).collect();
        writeln!(formatter, "seed={seed} {}", kinds.join(" "))?;
        writeln!(formatter, "faults={}", self.faults())?;
        write!(formatter, "{verdict}")?;
        writeln!(formatter, "panics={panics}")
    }
}

impl Run {
    /// Starts the server and the network before it.
    ///
    /// # Errors
    /// The server does not start, or there is no free port.
    pub async fn start(options: Options) -> Result<Self> {
        let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let directory = tempfile::Builder::new().prefix("everwire-chaos-").tempdir()?;
        let server = Server::start(&options.server, directory.path(), HEARTBEAT, &options.server_flags).await?;
        let network = Arc::new(TcpProxy::start(server.address()).await?);
        let url = format!("ws://{}/everwire", network.address());
        Ok(Self { options, seed, directory, network, server, url })
    }

    /// What chooses the faults.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where the clients will connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has the clients connect to another address, which has to lead to [`url`](Self::url).
    #[must_use]
    pub fn with_url(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The server ends by itself, or does not start again.
    pub async fn finish(self) -> Result<Report> {
        let Self { options, seed, directory, network, server, url } = self;
        let patience = Duration::from_secs(options.patience);
        let channels: Vec<Channel<Message>> =
            (0..options.channels).map(|number| Channel::named(format!("chaos/{number}"))).collect();
        let (phases, phase) = watch::channel(Phase::Publishing);
        let (finished, mut finishes) = mpsc::unbounded_channel();
        let world = Arc::new(World {
            url,
            channels,
            messages_per_second: options.messages / f64::from(options.clients),
            began: Instant::now(),
            phase,
            published: Notify::new(),
            finished,
        });
        let mut random = Rng::with_seed(seed);
        let mut programs = Vec::new();
        for id in 0..options.clients {
            let subscribed = random.choose_multiple(0..options.channels, SUBSCRIPTIONS);
            programs.push(Program::start(&world, id, &subscribed, random.fork())?);
        }

        let strikes = Strikes {
            network: Arc::clone(&network),
            world: Arc::clone(&world),
            is_verbose: options.verbose,
            server: Arc::new(Mutex::new(server)),
            struck: BTreeMap::new(),
            lasting: JoinSet::new(),
            server_faults: JoinSet::new(),
        };
        let plan = Plan::new(seed, options.faults);
        let (faults, server) = strikes.run(plan, &programs, Duration::from_secs(options.seconds)).await?;

        // The network is whole, and the server stays.
        phases.send_replace(Phase::Settling);
        let settling = timeout(patience, async {
            for program in &mut programs {
                program.settle().await?;
            }
            Ok(())
        });
        // What has no outcome is in the verdict.
        settling.await.unwrap_or(Ok::<_, JoinError>(()))?;
        let (last, publishes) = publish_last(&world, options.clients, patience).await?;
        phases.send_replace(Phase::Reading(Arc::new(last.clone())));
        let mut unfinished = options.clients as usize * SUBSCRIPTIONS.min(options.channels);
        let all_finished = timeout(patience, async {
            while unfinished > 0 && finishes.recv().await.is_some() {
                unfinished -= 1;
            }
        });
        // Those that have not finished are in the verdict.
        let _ = all_finished.await;
        phases.send_replace(Phase::Over);

        let mut history = History { publishes, last, ..History::default() };
        let mut events = BTreeMap::new();
        for (id, program) in (0..).zip(programs) {
            let deeds = program.end().await?;
            history.publishes.extend(deeds.publishes);
            history.logs.extend(deeds.logs);
            history.replaced.extend(deeds.events.iter().filter(|(_, event)| event.is_replacement()).map(|_| id));
            events.insert(id, deeds.events);
        }
        let verdict = history.judge();
        events.retain(|id, _| verdict.violations.iter().any(|violation| violation.client == *id));
        let mut server = server.lock().await;
        server.check()?;
        let mut report = Report { seed, faults, verdict, panics: server.panics()?, events, kept: None };
        report.kept = (!report.is_good()).then(|| directory.keep());
        Ok(report)
    }
}

/// Publishes a message to each channel, after which nothing comes. Returns their positions.
async fn publish_last(world: &World, id: u32, patience: Duration) -> Result<(Vec<Cursor>, Vec<Publish>)> {
    let client = builder(&world.url).connect()?;
    let (mut last, mut publishes) = (Vec::new(), Vec::new());
    for (index, channel) in world.channels.iter().enumerate() {
        let id = MessageId { client: id, number: index as u32 + 1 };
        let publishing = client.publish_raw(channel, id.to_payload(0), PublishOptions::default());
        let published = timeout(patience, publishing).await.context("the last messages were not acknowledged")??;
        last.push(published.cursor);
        publishes.push(Publish { id, channel: index, life: 0, fate: Fate::Stored(published.cursor) });
    }
    Ok((last, publishes))
}

/// Carries out the faults of a plan.
struct Strikes {
    network: Arc<TcpProxy>,
    world: Arc<World>,
    is_verbose: bool,
    /// Locked by the fault that it has.
    server: Arc<Mutex<Server>>,
    struck: BTreeMap<&'static str, u64>,
    /// Faults of the network that end after a while.
    lasting: JoinSet<()>,
    server_faults: JoinSet<Result<()>>,
}

impl Strikes {
    async fn run(
        mut self,
        plan: Plan,
        programs: &[Program],
        period: Duration,
    ) -> Result<(BTreeMap<&'static str, u64>, Arc<Mutex<Server>>)> {
        let end = self.world.began + period;
        let mut at = self.world.began;
        for (wait, fault) in plan {
            at += wait;
            if at > end {
                break;
            }
            sleep_until(at).await;
            while let Some(ended) = self.server_faults.try_join_next() {
                ended??;
            }
            let name = fault.name();
            let shown = self.is_verbose.then(|| format!("{fault:?}"));
            if self.strike(fault, programs) {
                *self.struck.entry(name).or_default() += 1;
                if let Some(shown) = shown {
                    println!("{:.3} {shown}", self.world.began.elapsed().as_secs_f64());
                }
            }
        }
        sleep_until(end).await;
        self.lasting.shutdown().await;
        self.network.refuse(false);
        for connection in self.network.connections() {
            connection.set_flows(Flow::Open);
        }
        while let Some(ended) = self.server_faults.join_next().await {
            ended??;
        }
        Ok((self.struck, self.server))
    }

    /// Returns whether there was something to strike.
    fn strike(&mut self, fault: Fault, programs: &[Program]) -> bool {
        let connections = self.network.connections();
        let picked = |pick: usize| pick.checked_rem(connections.len()).and_then(|index| connections.get(index));
        let program = |pick: usize| pick.checked_rem(programs.len()).and_then(|index| programs.get(index));
        match fault {
            Fault::End { pick, client, server } => return picked(pick).is_some_and(|it| it.end(client, server)),
            Fault::EndAll(end) => {
                return connections.iter().filter(|connection| connection.end(end, end)).count() > 0;
            }
            Fault::Stall { pick, only, period, is_reset } => {
                let Some(connection) = picked(pick).cloned() else { return false };
                let directions = only.map_or(vec![Direction::ToServer, Direction::ToClient], |only| vec![only]);
                self.lasting.spawn(async move {
                    let set = |flow| directions.iter().for_each(|direction| connection.set_flow(*direction, flow));
                    set(Flow::Stalled);
                    sleep(period).await;
                    if is_reset {
                        connection.end(End::Reset, End::Reset);
                    }
                    set(Flow::Open);
                });
            }
            Fault::Slow { pick, bytes, pause, period } => {
                let Some(connection) = picked(pick).cloned() else { return false };
                self.lasting.spawn(async move {
                    connection.set_flows(Flow::Slow { bytes, pause });
                    sleep(period).await;
                    connection.set_flows(Flow::Open);
                });
            }
            Fault::Refuse(period) => {
                let network = Arc::clone(&self.network);
                network.refuse(true);
                self.lasting.spawn(async move {
                    sleep(period).await;
                    network.refuse(false);
                });
            }
            Fault::Kill { after_publish, delay, down } => {
                let Ok(mut server) = Arc::clone(&self.server).try_lock_owned() else { return false };
                let (network, world) = (Arc::clone(&self.network), Arc::clone(&self.world));
                self.server_faults.spawn(async move {
                    if after_publish {
                        // There is none for a while where the clients have lost their connections.
                        let _ = timeout(Duration::from_secs(1), world.published.notified()).await;
                    }
                    sleep(delay).await;
                    server.kill(down).await?;
                    network.set_target(server.address());
                    Ok(())
                });
            }
            Fault::Freeze(period) => {
                let Ok(mut server) = Arc::clone(&self.server).try_lock_owned() else { return false };
                self.server_faults.spawn(async move { server.freeze(period).await });
            }
            Fault::Restart(pick) => return program(pick).map(Program::restart).is_some(),
            Fault::Resubscribe(pick) => {
                return program(pick).map(|program| program.resubscribe(pick / programs.len())).is_some();
            }
            Fault::Reconnect(pick) => return program(pick).map(Program::reconnect).is_some(),
        }
        true
    }
}
