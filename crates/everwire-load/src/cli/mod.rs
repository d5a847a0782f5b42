//! The command line.

mod command;
mod unusable;

use core::time::Duration;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser};
use everwire::{Headers, Protocols};
use url::Url;

pub use unusable::Unusable;

use crate::dialect::address;
use crate::files;
use crate::limits::Limits;
use crate::stamp::Stamp;
use crate::units::Period;
use crate::{Dialect, Plan, units};

/// Puts a load on a WebSocket server, and reports what came back and how fast.
///
/// Connections are opened at a steady rate. When all are open, each of them sends a message every ping period, which the server
/// is to send back, for as long as --warm-up and --duration say. Then what is still out may arrive, and a table is printed. Ctrl-C
/// ends it early and prints what is known by then.
#[derive(Clone, Debug, Parser)]
#[command(name = "everwire-load", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// The server's echo, like ws://127.0.0.1:9001/echo. For wss:// build with `--features rustls`.
    /// user:password@ before the host is sent as Basic authentication and not printed.
    #[arg(value_name = "URL")]
    url: String,

    /// What the server speaks.
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    dialect: Dialect,

    #[command(flatten)]
    clients: ClientFlags,
    #[command(flatten)]
    messages: MessageFlags,
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

const EXAMPLES: &str = "\
Examples:
  everwire-load ws://127.0.0.1:9001/echo
      100 connections, each a message of 64 bytes a second, for 10 seconds
  everwire-load ws://127.0.0.1:9001/echo --connections 25000 --rate 1000/s --ping-period 2.5s --duration 30s
      as many as a server can hold, in as many processes as the limit on open files makes necessary; everwire-companion takes
      them with --max-connections 30000 --max-connections-per-address 30000
  everwire-load ws://127.0.0.1:9001/echo --subscribers 100% --subscribe-url ws://127.0.0.1:9001/broadcast
      one publisher, and 100 connections that receive what it publishes
  everwire-load ws://127.0.0.1:3000 --dialect socket.io --json run.jsonl --charts charts/
      a socket.io server that answers the event \"echo\"; lines for programs and charts for people
  everwire-load ws://127.0.0.1:9001/echo --warm-up 3s --max-p99 50ms --max-lost 0 --min-open 100%
      a gate for a build: the exit code is 3 where the server, once it is warm, does not keep to these limits";

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
struct ClientFlags {
    /// How many connections to open.
    #[arg(long, short, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: u32,

    /// How many to open a second: 500/s, 3000/min, at least one an hour.
    #[arg(long, short, value_name = "COUNT/s", default_value = "500/s", value_parser = units::rate)]
    rate: f64,

    /// The share of the connections that send nothing and receive what is published, like 0.3 or 30%.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = units::share)]
    subscribers: f64,

    /// Where the subscribers and the publishers connect [default: URL].
    #[arg(long, value_name = "URL")]
    subscribe_url: Option<String>,

    /// How many connections to open for publishing, in addition to --connections [default: 1 if there are subscribers].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    publishers: Option<u32>,

    /// A subprotocol to offer; several are separated by commas, the most wanted first.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    subprotocol: Vec<String>,

    /// A header for the requests that open connections, like 'Authorization: Bearer x'; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// A PEM file of the certificates to trust for wss:// in place of the default: of an authority, or a server's self-signed one.
    #[cfg(feature = "rustls-own-roots")]
    #[arg(long, value_name = "FILE")]
    root_certificates: Option<PathBuf>,

    /// The client's own addresses, to be taken in turn. One address can open some 28,000 connections to a server; where the
    /// server is this machine, others of 127.0.0.0/8 are added by themselves.
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    source_address: Vec<IpAddr>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
struct MessageFlags {
    /// How long a connection waits from one message to the next; 1s..5s is a random time in between.
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = units::period)]
    ping_period: Period,

    /// The same for a publisher [default: --ping-period].
    #[arg(long, value_name = "TIME", value_parser = units::period)]
    publish_period: Option<Period>,

    /// Bytes of payload in a message, at least 40: 64, 4KiB.
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = payload)]
    payload: usize,

    /// Send binary messages instead of text.
    #[arg(long)]
    binary: bool,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run")]
struct RunFlags {
    /// For how long to send, once the connections are open.
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = units::some_duration)]
    duration: Duration,

    /// For how long to send before that, on the same schedule, to warm the server up. Nothing of it is counted, wherever its
    /// answers arrive.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = units::duration)]
    warm_up: Duration,

    /// How long to wait at the end for what has not arrived; what is still out then is lost.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    grace: Duration,

    /// How many processes to spread the connections over [default: as many as the limit on open files makes necessary].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    processes: Option<u32>,

    /// Threads of each process. One leaves the most of a small machine to the server.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,

    /// Where the random times start; the same seed gives the same times.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// What is watched, where results go, and what they have to keep to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Results")]
pub(crate) struct OutputFlags {
    /// The server's process, several separated by commas; their children count too. [default: the process that listens on the port,
    /// if the server is on this machine and its processes may be read].
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,

    /// Write JSON lines: one a second, then a summary. `-` writes them to stdout instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write charts (SVG) of throughput, latency, and the server's processor time and memory into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) charts: Option<PathBuf>,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

impl Cli {
    /// What to do, and where its results go.
    ///
    /// # Errors
    /// Flags that do not go together, or ask for more than this machine can.
    pub(crate) fn into_plan(self) -> Result<(Plan, OutputFlags), Unusable> {
        let Self { url, dialect, clients, messages, run, output } = self;
        let subscribers = (f64::from(clients.connections) * clients.subscribers).round() as u32;
        if subscribers == 0 {
            for (flag, is_given) in [
                ("--publishers", clients.publishers.is_some_and(|publishers| publishers > 0)),
                ("--subscribe-url", clients.subscribe_url.is_some()),
                ("--publish-period", messages.publish_period.is_some()),
            ] {
                if is_given {
                    return Err(Unusable::NoSubscribers { flag });
                }
            }
        }
        let publishers = clients.publishers.unwrap_or(u32::from(subscribers > 0));
        if subscribers > 0 && publishers == 0 {
            return Err(Unusable::NoPublishers);
        }
        let root_certificates = clients.root_certificates()?;
        let url = parse_url("URL", &url)?;
        let subscribe_url =
            clients.subscribe_url.as_deref().map(|url| parse_url("--subscribe-url", url)).transpose()?;
        let headers = clients.header.iter().map(|header| parse_header(header)).collect::<Result<_, _>>()?;
        Protocols::new(&clients.subprotocol)?;
        if messages.binary && dialect != Dialect::Plain {
            return Err(Unusable::Binary);
        }
        let total = clients.connections + publishers;
        let processes = run.processes.unwrap_or_else(|| files::processes_for(total));
        let most = files::connections_each();
        if total.div_ceil(processes) > most {
            return Err(Unusable::Files { most, needed: files::processes_for(total) });
        }
        let subscribe_url = subscribe_url.unwrap_or_else(|| url.clone());
        let urls = [url, subscribe_url];
        let source_addresses = files::source_addresses(&urls, total, clients.source_address)?;
        let [url, subscribe_url] = urls.map(|url| address::complete(dialect, url));
        let plan = Plan {
            run: fastrand::u32(..),
            url,
            subscribe_url,
            dialect,
            connections: clients.connections,
            subscribers,
            publishers,
            rate: clients.rate,
            ping_period: messages.ping_period,
            publish_period: messages.publish_period.unwrap_or(messages.ping_period),
            payload: messages.payload,
            binary: messages.binary,
            subprotocols: clients.subprotocol,
            headers,
            root_certificates,
            warm_up: run.warm_up,
            duration: run.duration,
            grace: run.grace,
            processes: processes.min(total),
            threads: run.threads.into(),
            seed: run.seed,
            source_addresses,
        };
        Ok((plan, output))
    }

    /// The command line for the summary, without credentials.
    pub(crate) fn shown_command(&self, args: impl Iterator<Item = String>) -> String {
        let addresses: Vec<&str> =
            [Some(&self.url), self.clients.subscribe_url.as_ref()].into_iter().flatten().map(String::as_str).collect();
        command::command(args, &addresses)
    }
}

impl ClientFlags {
    #[cfg(feature = "rustls-own-roots")]
    fn root_certificates(&self) -> Result<Option<String>, Unusable> {
        let Some(file) = &self.root_certificates else { return Ok(None) };
        let unusable = |problem: String| Unusable::RootCertificates { file: file.clone(), problem };
        let pem = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
        everwire::RootCertificates::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        Ok(Some(pem))
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    fn root_certificates(&self) -> Result<Option<String>, Unusable> {
        Ok(None)
    }
}

fn parse_url(flag: &'static str, text: &str) -> Result<Url, Unusable> {
    let wrong = |problem: String| Unusable::Address { flag, problem };
    let url = Url::parse(text).map_err(|error| wrong(format!("{error}; write it like ws://127.0.0.1:9001/echo")))?;
    match url.scheme() {
        "ws" => Ok(url),
        "wss" if cfg!(feature = "rustls-own-roots") => Ok(url),
        "wss" => Err(wrong("wss needs the feature rustls: build with `--features rustls`".to_owned())),
        _ => Err(wrong("write it with ws:// or wss://, like ws://127.0.0.1:9001/echo".to_owned())),
    }
}

fn parse_header(text: &str) -> Result<(String, String), Unusable> {
    let wrong = |problem: String| Unusable::Header { problem };
    let (name, value) =
        text.split_once(':').ok_or_else(|| wrong("write it like 'Authorization: Bearer x'".to_owned()))?;
    let header = (name.trim().to_owned(), value.trim().to_owned());
    Headers::new([header.clone()]).map_err(|error| wrong(error.to_string()))?;
    Ok(header)
}

fn payload(text: &str) -> Result<usize, String> {
    match units::size(text)? {
        bytes if bytes < Stamp::LENGTH => {
            Err(format!("at least {} bytes: a message says whose it is and when it was due", Stamp::LENGTH))
        }
        bytes if bytes > 64 << 20 => Err("at most 64MiB".to_owned()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
pub(crate) mod tests;
