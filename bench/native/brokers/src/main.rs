//! Measures acknowledged publishes per second and their latency, for each broker of the server library, without a network.
//!
//! Sessions publish in turn to a few channels. Each has some publishes in flight, and publishes again when the oldest is acknowledged.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use everwire_server::broker::{
    Broker, ChannelName, Fsync, Journal, JournalConfig, Memory, PageLimits, Publication, SessionExpiry, SessionId,
};

/// Acknowledged publishes per second for each broker.
#[derive(Parser)]
struct Options {
    /// The directory of the journals, which has to be on the disk to measure.
    #[arg(long, default_value = "target/bench-brokers")]
    directory: PathBuf,
    /// The number of sessions.
    #[arg(long, default_value_t = 50)]
    sessions: usize,
    /// Publishes in flight, over all sessions.
    #[arg(long, default_value_t = 1_000)]
    in_flight: usize,
    /// The number of channels.
    #[arg(long, default_value_t = 10)]
    channels: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Seconds for each broker.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// The number of rounds, in which the brokers take turns.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    for round in 1..=options.rounds {
        measure("memory", &options, Arc::new(Memory::default())).await?;
        for (name, fsync) in
            [("journal", Fsync::Always), ("journal_interval_100ms", Fsync::Interval(Duration::from_millis(100)))]
        {
            let directory = options.directory.join(format!("{name}-{round}"));
            if directory.exists() {
                std::fs::remove_dir_all(&directory)?;
            }
            let config = |recent_bytes| {
                let mut config = JournalConfig::default();
                (config.fsync, config.recent_bytes) = (fsync, recent_bytes);
                config
            };
            let journal = Journal::open_with(&directory, config(64 << 20))?;
            measure(name, &options, Arc::new(journal.clone())).await?;
            read(&format!("{name}, recent"), &journal).await?;
            drop(journal);
            let begin = Instant::now();
            let journal = Journal::open_with(&directory, config(0))?;
            let opened = begin.elapsed();
            let bytes = std::fs::metadata(directory.join("journal.redb"))?.len();
            println!("{name}: opened {:.1} MB in {:.1} ms", bytes as f64 / 1e6, millis(opened));
            read(&format!("{name}, from the file"), &journal).await?;
            drop(journal);
            std::fs::remove_dir_all(&directory)?;
        }
    }
    Ok(())
}

/// Publishes for some seconds, and prints the rate and the latency.
async fn measure(name: &str, options: &Options, broker: Arc<dyn Broker>) -> Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let sessions: Vec<_> = (0..options.sessions)
        .map(|number| {
            let in_flight = (options.in_flight / options.sessions).max(1);
            let channel = format!("channel-{}", number % options.channels);
            let session = Publisher { number, channel, in_flight, payload: Bytes::from(vec![b'x'; options.size]) };
            tokio::spawn(session.run(Arc::clone(&broker), Arc::clone(&is_over)))
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    is_over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for session in sessions {
        times.extend(session.await??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| millis(times[((times.len() - 1) as f64 * share) as usize]);
    println!(
        "{name}: {:.0} publishes/s, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        times.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// A session that publishes.
struct Publisher {
    number: usize,
    channel: String,
    in_flight: usize,
    payload: Bytes,
}

impl Publisher {
    /// Publishes until `is_over`. Returns the latency of each publish.
    async fn run(self, broker: Arc<dyn Broker>, is_over: Arc<AtomicBool>) -> Result<Vec<Duration>> {
        let id = SessionId::try_from(format!("session-{}", self.number).as_str())?;
        let channel = ChannelName::try_from(self.channel.as_str())?;
        broker.store_session(id.clone(), Bytes::new(), SessionExpiry::Attached(Duration::from_secs(120))).await?;
        let mut waiting = VecDeque::new();
        let (mut times, mut seq) = (Vec::new(), 0);
        loop {
            while waiting.len() < self.in_flight && !is_over.load(Ordering::Relaxed) {
                seq += 1;
                let publication = Publication::new(channel.clone(), self.payload.clone()).by(id.clone(), seq);
                waiting.push_back((Instant::now(), broker.publish(publication)));
            }
            let Some((begin, publish)) = waiting.pop_front() else { return Ok(times) };
            publish.await?;
            times.push(begin.elapsed());
            // The broker in memory never returns pending, so the other sessions would not run.
            tokio::task::yield_now().await;
        }
    }
}

/// Reads the whole history of a channel.
async fn read(name: &str, broker: &Journal) -> Result<()> {
    let channel = ChannelName::try_from("channel-0")?;
    let after = broker.history(&channel, 0).await?.trimmed.offset;
    let mut times = Vec::new();
    let mut messages = 0;
    for _ in 0..20 {
        let begin = Instant::now();
        messages = broker.read(&channel, after, PageLimits { count: 1_000, bytes: 16 << 20 }).await?.messages.len();
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).context("no read")?;
    println!("{name}: {messages} messages read in {:.2} ms", millis(*median));
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
