//! A run: it starts the server and the programs, injects faults, and checks the deliveries.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use everwire::client::{Cursor, PublishOptions};
use everwire::{Channel, Message};
use everwire_test_client::TcpProxy;
use fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use crate::faults::{FaultInjector, Plan};
use crate::oracle::{History, MessageId, Outcome, Publish, Verdict};
use crate::process::Server;
use crate::program::{Event, Phase, Program, Shared, builder};

/// The most events of a client that a report prints.
const EVENTS_SHOWN: usize = 40;

/// The options of a run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The server program, everwire-server
    #[arg(long, value_name = "FILE")]
    pub server: PathBuf,
    /// Seconds of faults
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    /// Programs, each with a client
    #[arg(long, default_value_t = 200)]
    pub clients: u32,
    /// Channels; each client subscribes to four of them, and publishes to all
    #[arg(long, default_value_t = 40)]
    pub channels: usize,
    /// Messages per second, of all clients together
    #[arg(long, default_value_t = 200.0)]
    pub messages: f64,
    /// Faults per second
    #[arg(long, default_value_t = 10.0)]
    pub faults: f64,
    /// Seconds that deliveries may take after the last fault
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
    /// Determines the faults, their times and the publishes [default: random]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print each fault when it is injected
    #[arg(long)]
    pub verbose: bool,
    /// More flags for the server
    #[arg(last = true, value_name = "FLAGS")]
    pub server_flags: Vec<String>,
}

/// The channels that a client subscribes to.
const SUBSCRIPTIONS: usize = 4;

/// Short, so that dead connections are detected during the run.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A run before its faults begin: the server listens behind the proxy.
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

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// The seed of the faults.
    pub seed: u64,
    /// The number of faults of each kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The result of checking the deliveries.
    pub verdict: Verdict,
    /// How often the server has panicked. A panic is a failure even if the server continues.
    pub panics: usize,
    /// The events of the clients that the violations name.
    events: BTreeMap<u32, Vec<(Duration, Event)>>,
    /// Where the journal and the log of the server were kept, if the run failed.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether the run passed.
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.panics == 0
    }

    /// The number of faults.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// The violations with the events of their clients, then the counts, one per line.
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
    /// Starts the server and the proxy in front of it.
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

    /// The seed of the faults.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The address for the clients.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has the clients connect to another address, which must lead to [`url`](Self::url).
    #[must_use]
    pub fn with_url(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The server exits by itself, or does not start again.
    pub async fn finish(self) -> Result<Report> {
        let Self { options, seed, directory, network, server, url } = self;
        let patience = Duration::from_secs(options.patience);
        let channels: Vec<Channel<Message>> =
            (0..options.channels).map(|number| Channel::named(format!("chaos/{number}"))).collect();
        let (phases, phase) = watch::channel(Phase::Publishing);
        let (finished, mut finishes) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
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
            programs.push(Program::start(&shared, id, &subscribed, random.fork())?);
        }

        let injector = FaultInjector::new(Arc::clone(&network), Arc::clone(&shared), server, options.verbose);
        let plan = Plan::new(seed, options.faults);
        let (faults, server) = injector.run(plan, &programs, Duration::from_secs(options.seconds)).await?;

        // From here on there are no faults.
        phases.send_replace(Phase::Settling);
        let settling = timeout(patience, async {
            for program in &mut programs {
                program.settle().await?;
            }
            Ok(())
        });
        // A publish without an outcome is a violation in the verdict.
        settling.await.unwrap_or(Ok::<_, JoinError>(()))?;
        let (last, publishes) = publish_last(&shared, options.clients, patience).await?;
        phases.send_replace(Phase::Reading(Arc::new(last.clone())));
        let mut unfinished = options.clients as usize * SUBSCRIPTIONS.min(options.channels);
        let all_finished = timeout(patience, async {
            while unfinished > 0 && finishes.recv().await.is_some() {
                unfinished -= 1;
            }
        });
        // A subscription that has not finished is a violation in the verdict.
        let _ = all_finished.await;
        phases.send_replace(Phase::Over);

        let mut history = History { publishes, last, ..History::default() };
        let mut events = BTreeMap::new();
        for (id, program) in (0..).zip(programs) {
            let record = program.end().await?;
            history.publishes.extend(record.publishes);
            history.logs.extend(record.logs);
            history.replaced.extend(record.events.iter().filter(|(_, event)| event.is_replacement()).map(|_| id));
            events.insert(id, record.events);
        }
        let verdict = history.check();
        events.retain(|id, _| verdict.violations.iter().any(|violation| violation.client == *id));
        let mut server = server.lock().await;
        server.check()?;
        let mut report = Report { seed, faults, verdict, panics: server.panics()?, events, kept: None };
        report.kept = (!report.is_good()).then(|| directory.keep());
        Ok(report)
    }
}

/// Publishes the last message of each channel. Returns their positions.
async fn publish_last(shared: &Shared, id: u32, patience: Duration) -> Result<(Vec<Cursor>, Vec<Publish>)> {
    let client = builder(&shared.url).connect()?;
    let (mut last, mut publishes) = (Vec::new(), Vec::new());
    for (index, channel) in shared.channels.iter().enumerate() {
        let id = MessageId { client: id, number: index as u32 + 1 };
        let publishing = client.publish_raw(channel, id.to_payload(0), PublishOptions::default());
        let published = timeout(patience, publishing).await.context("the last messages were not acknowledged")??;
        last.push(published.cursor);
        publishes.push(Publish { id, channel: index, incarnation: 0, outcome: Outcome::Stored(published.cursor) });
    }
    Ok((last, publishes))
}
