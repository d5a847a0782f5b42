//! The command line: the flags, their checks, and the plan that they make.

use core::time::Duration;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser};
use everwire::{Headers, Protocols};
use url::Url;

use crate::dialect::{Dialect, without_credentials};
use crate::error::UsageError;
use crate::machine;
use crate::payload::PayloadHeader;
use crate::plan::Plan;
use crate::report::Limits;
use crate::units::{self, Period};

/// Puts a WebSocket server under load, and reports latency, throughput and losses.
///
/// Opens connections at a steady rate. When all are open, each sends a message every ping period for --warm-up and --duration,
/// which the server should send back. Then waits for late answers and prints a table. Ctrl-C ends the run early and prints the
/// result so far.
#[derive(Clone, Debug, Parser)]
#[command(name = "everwire-load", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// The server's echo endpoint, like ws://127.0.0.1:9001/echo. For wss:// build with `--features rustls`.
    /// user:password@ before the host is sent as Basic authentication and not printed.
    #[arg(value_name = "URL")]
    url: String,

    /// The protocol of the server.
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
      100 connections, each with a message of 64 bytes per second, for 10 seconds
  everwire-load ws://127.0.0.1:9001/echo --connections 25000 --rate 1000/s --ping-period 2.5s --duration 30s
      many connections, in as many processes as the limit on open files requires; everwire-companion accepts them with
      --max-connections 30000 --max-connections-per-address 30000
  everwire-load ws://127.0.0.1:9001/echo --subscribers 100% --subscribe-url ws://127.0.0.1:9001/broadcast
      one publisher, and 100 connections that receive what it publishes
  everwire-load ws://127.0.0.1:3000 --dialect socket.io --json run.jsonl --charts charts/
      a socket.io server that answers the event \"echo\"; JSON lines for programs and charts for people
  everwire-load ws://127.0.0.1:9001/echo --warm-up 3s --max-p99 50ms --max-lost 0 --min-open 100%
      a check for a build: the exit code is 3 if the server, once it is warm, misses one of these limits";

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
struct ClientFlags {
    /// The number of connections.
    #[arg(long, short, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: u32,

    /// How many to open per second: 500/s, 3000/min, at least one per hour.
    #[arg(long, short, value_name = "COUNT/s", default_value = "500/s", value_parser = units::rate)]
    rate: f64,

    /// The share of the connections that subscribe instead of sending pings, like 0.3 or 30%.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = units::share)]
    subscribers: f64,

    /// Where the subscribers and the publishers connect [default: URL].
    #[arg(long, value_name = "URL")]
    subscribe_url: Option<String>,

    /// The number of publishers, in addition to --connections [default: 1 if there are subscribers].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    publishers: Option<u32>,

    /// The subprotocols to offer, separated by commas, the preferred one first.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    subprotocol: Vec<String>,

    /// A header of the handshake requests, like 'Authorization: Bearer x'; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// A PEM file of the certificates to trust for wss:// instead of the default: of an authority, or a self-signed one.
    #[cfg(feature = "rustls-own-roots")]
    #[arg(long, value_name = "FILE")]
    root_certificates: Option<PathBuf>,

    /// The client's own addresses, which the connections use in turn. One address can open some 28,000 connections to a server;
    /// to a server on this machine, others of 127.0.0.0/8 are added automatically.
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    source_address: Vec<IpAddr>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Messages")]
struct MessageFlags {
    /// The time between two messages of a connection; 1s..5s is a random time in between.
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
    /// How long to send, once the connections are open.
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = units::nonzero_duration)]
    duration: Duration,

    /// How long to send before that, on the same schedule, to warm the server up. These messages are not counted, even if
    /// their answers arrive later.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = units::duration)]
    warm_up: Duration,

    /// How long to wait at the end for late answers; what has not arrived by then is lost.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    grace: Duration,

    /// The number of processes that hold the connections [default: as many as the limit on open files requires].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    processes: Option<u32>,

    /// Threads per process. One thread leaves most of a small machine to the server.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,

    /// The seed of the random times; the same seed gives the same times.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// The processes to watch, where the results go, and their limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Results")]
pub(crate) struct OutputFlags {
    /// The server's processes, separated by commas; their children count as well [default: the process that listens on the
    /// port, if the server is on this machine and its processes may be read].
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,

    /// Write JSON lines: one per second, then a summary. `-` writes them to stdout instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write charts (SVG) of throughput, latency, and the server's CPU time and memory into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) charts: Option<PathBuf>,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

impl Cli {
    /// The plan, and where its results go.
    ///
    /// # Errors
    /// If flags contradict each other, or require more than this machine can do.
    pub(crate) fn into_plan(self) -> Result<(Plan, OutputFlags), UsageError> {
        let Self { url, dialect, clients, messages, run, output } = self;
        let subscribers = (f64::from(clients.connections) * clients.subscribers).round() as u32;
        if subscribers == 0 {
            for (flag, is_given) in [
                ("--publishers", clients.publishers.is_some_and(|publishers| publishers > 0)),
                ("--subscribe-url", clients.subscribe_url.is_some()),
                ("--publish-period", messages.publish_period.is_some()),
            ] {
                if is_given {
                    return Err(UsageError::NoSubscribers { flag });
                }
            }
        }
        let publishers = clients.publishers.unwrap_or(u32::from(subscribers > 0));
        if subscribers > 0 && publishers == 0 {
            return Err(UsageError::NoPublishers);
        }
        let root_certificates = clients.root_certificates()?;
        let url = parse_url("URL", &url)?;
        let subscribe_url =
            clients.subscribe_url.as_deref().map(|url| parse_url("--subscribe-url", url)).transpose()?;
        let headers = clients.header.iter().map(|header| parse_header(header)).collect::<Result<_, _>>()?;
        Protocols::new(&clients.subprotocol)?;
        if messages.binary && dialect != Dialect::Plain {
            return Err(UsageError::Binary);
        }
        let total = clients.connections + publishers;
        let processes = run.processes.unwrap_or_else(|| machine::required_processes(total));
        let most = machine::max_connections_per_process();
        if total.div_ceil(processes) > most {
            return Err(UsageError::OpenFiles { most, needed: machine::required_processes(total) });
        }
        let subscribe_url = subscribe_url.unwrap_or_else(|| url.clone());
        let urls = [url, subscribe_url];
        let source_addresses = machine::source_addresses(&urls, total, clients.source_address)?;
        let [url, subscribe_url] = urls.map(|url| dialect.complete_url(url));
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

    /// The command line for the summary. Summaries may be published, so this leaves out credentials in addresses and the values of
    /// headers.
    pub(crate) fn command_without_credentials(&self, args: impl Iterator<Item = String>) -> String {
        let addresses: Vec<&str> =
            [Some(&self.url), self.clients.subscribe_url.as_ref()].into_iter().flatten().map(String::as_str).collect();
        redacted_command(args, &addresses)
    }
}

impl ClientFlags {
    #[cfg(feature = "rustls-own-roots")]
    fn root_certificates(&self) -> Result<Option<String>, UsageError> {
        let Some(file) = &self.root_certificates else { return Ok(None) };
        let invalid = |problem: String| UsageError::RootCertificates { file: file.clone(), problem };
        let pem = std::fs::read_to_string(file).map_err(|error| invalid(error.to_string()))?;
        everwire::RootCertificates::from_pem(&pem).map_err(|error| invalid(error.to_string()))?;
        Ok(Some(pem))
    }

    #[cfg(not(feature = "rustls-own-roots"))]
    fn root_certificates(&self) -> Result<Option<String>, UsageError> {
        Ok(None)
    }
}

fn parse_url(flag: &'static str, text: &str) -> Result<Url, UsageError> {
    let invalid = |problem: String| UsageError::Address { flag, problem };
    let url = Url::parse(text).map_err(|error| invalid(format!("{error}; write it like ws://127.0.0.1:9001/echo")))?;
    match url.scheme() {
        "ws" => Ok(url),
        "wss" if cfg!(feature = "rustls-own-roots") => Ok(url),
        "wss" => Err(invalid("wss needs the feature rustls: build with `--features rustls`".to_owned())),
        _ => Err(invalid("write it with ws:// or wss://, like ws://127.0.0.1:9001/echo".to_owned())),
    }
}

fn parse_header(text: &str) -> Result<(String, String), UsageError> {
    let invalid = |problem: String| UsageError::Header { problem };
    let (name, value) =
        text.split_once(':').ok_or_else(|| invalid("write it like 'Authorization: Bearer x'".to_owned()))?;
    let header = (name.trim().to_owned(), value.trim().to_owned());
    Headers::new([header.clone()]).map_err(|error| invalid(error.to_string()))?;
    Ok(header)
}

fn payload(text: &str) -> Result<usize, String> {
    match units::size(text)? {
        bytes if bytes < PayloadHeader::LENGTH => {
            Err(format!("at least {} bytes, since a message begins with a header", PayloadHeader::LENGTH))
        }
        bytes if bytes > 64 << 20 => Err("at most 64MiB".to_owned()),
        bytes => Ok(bytes),
    }
}

fn redacted_command(args: impl Iterator<Item = String>, addresses: &[&str]) -> String {
    let mut is_header = false;
    let redact_addresses = |arg: String| {
        addresses.iter().fold(arg, |arg, address| match Url::parse(address) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                arg.replace(address, without_credentials(&url).as_str())
            }
            _ => arg,
        })
    };
    let shown = args.map(redact_addresses).map(|arg| match arg.strip_prefix("--header=") {
        Some(header) => format!("--header={}", name_of(header)),
        None if core::mem::replace(&mut is_header, arg == "--header") => name_of(&arg),
        None => arg,
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn name_of(header: &str) -> String {
    format!("'{}: …'", header.split(':').next().unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn values_of_headers_are_left_out() {
        let args = ["everwire-load", "ws://h/", "--header", "Authorization: x", "--quiet", "--header=Cookie: y", "-q"];
        assert_eq!(
            redacted_command(args.map(str::to_owned).into_iter(), &["ws://h/"]),
            "everwire-load ws://h/ --header 'Authorization: …' --quiet --header='Cookie: …' -q"
        );
    }

    #[test]
    fn credentials_of_addresses_are_left_out() {
        let (url, other) = ("ws:user:secret@h", "wss://:secret@h/x");
        let args = ["everwire-load", url, "--subscribe-url", other].map(str::to_owned);
        let joined = "--subscribe-url=wss://:secret@h/x".to_owned();
        assert_eq!(
            redacted_command(args.into_iter().chain([joined]), &[url, other]),
            "everwire-load ws://h/ --subscribe-url wss://h/x --subscribe-url=wss://h/x"
        );
    }

    /// The plan of these flags, for some address.
    pub(crate) fn plan(flags: &[&str]) -> Result<Plan, String> {
        let all = ["everwire-load", "ws://127.0.0.1:9/echo"].iter().chain(flags);
        let cli = Cli::try_parse_from(all).map_err(|error| error.to_string())?;
        cli.into_plan().map(|(plan, _)| plan).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_example_with_every_kind_of_unit_is_parsed() {
        let example = "--connections 1000 --rate 500/s --ping-period 1s..5s --payload 4KiB --subscribers 0.3 --duration 30s --processes 2";
        let plan = plan(&example.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!((plan.connections, plan.subscribers, plan.publishers, plan.processes), (1000, 300, 1, 2));
        assert_eq!((plan.rate, plan.payload), (500.0, 4096));
        assert_eq!(plan.duration, Duration::from_secs(30));
        assert_eq!(plan.publish_period, plan.ping_period);
    }

    #[test]
    fn connections_over_the_limit_of_a_process_get_several() {
        let most = machine::max_connections_per_process();
        let plan =
            plan(&["--connections", &(most * 2 + 1).to_string(), "--source-address", "127.0.0.1,127.0.0.2,127.0.0.3"]);
        assert_eq!(plan.unwrap().processes, 3);
    }

    #[test]
    fn no_process_is_without_a_connection() {
        assert_eq!(plan(&["--connections", "2", "--processes", "8000"]).unwrap().processes, 2);
    }

    #[test]
    fn errors_of_addresses_and_headers_do_not_repeat_credentials() {
        for args in [
            ["http://user:secret@h/", "--header=a:b"],
            ["ws://user:secret@h h/", "--header=a:b"],
            ["ws://h/", "--header=Authorization: secr\u{e9}t secret"],
            ["ws://h/", "--subscribe-url=ws://user:secret@h:x"],
        ] {
            let cli = Cli::try_parse_from(["everwire-load", "--subscribers=1"].iter().chain(&args)).unwrap();
            let problem = cli.into_plan().unwrap_err().to_string();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn invalid_flags_are_rejected_with_advice() {
        for (flags, advice) in [
            (&["--connections", "0"][..], "1..=10000000"),
            (&["--rate", "fast"], "like 500/s"),
            (&["--ping-period", "5"], "like 200ms"),
            (&["--payload", "39"], "at least 40 bytes"),
            (&["--payload", "65MiB"], "at most 64MiB"),
            (&["--subscribers", "2"], "from 0 to 1"),
            (&["--duration", "0s"], "longer than 0"),
            (&["--dialect", "stomp"], "socketcluster"),
            (&["--publishers", "3"], "add --subscribers SHARE"),
            (&["--subscribe-url", "ws://127.0.0.1:9/broadcast"], "add --subscribers SHARE"),
            (&["--subscribers", "0.5", "--publishers", "0"], "leave out --publishers 0"),
            (&["--subscribers", "0.5", "--subscribe-url", "http://127.0.0.1/"], "write it with ws://"),
            (&["--connections", "9000000", "--processes", "1"], "ulimit -n"),
            (&["--connections", "90000", "--source-address", "10.0.0.7"], "--source-address IP,IP"),
            (&["--source-address", "here"], "invalid"),
            (&["--binary", "--dialect", "socket.io"], "--binary is for --dialect plain"),
            (&["--subprotocol", "a b"], "is not a subprotocol"),
            (&["--subprotocol", "a,b,A"], "offered twice"),
            (&["--header", "Authorization"], "'Authorization: Bearer x'"),
            (&["--header", "Auth orization: x"], "is not the name of a header"),
            (&["--header", "X: é"], "visible ASCII"),
            (&["--header", "Host: x"], "the handshake itself sends Host"),
            (&["--max-lost", "few"], "like 0.1%"),
            (&["--min-open", "200%"], "from 0 to 1"),
            (&["--max-p99", "50"], "like 200ms"),
        ] {
            let problem = plan(flags).unwrap_err();
            assert!(problem.contains(advice), "{flags:?}: {problem}");
        }
    }
}
