use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;

use crate::everwire::{Builder, Everwire};
use crate::limits::{ConnectionLimits, Limits};
use crate::origin::{BadOrigin, Origins};
use crate::serve::{ServerConfig, Tls, TlsError};

/// Where a server listens, who may connect, and what they may use.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ServerFlags {
    /// Address to listen on; port 0 takes a free one. The first line of output names it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    pub listen: SocketAddr,

    /// Share the address with other servers that are started with this flag: the system distributes the connections. The servers
    /// share no state, so clients of different servers do not receive each other's messages.
    #[arg(long)]
    pub reuse_port: bool,

    /// Also let pages of this origin connect, like `https://example.org`, `https://*.example.org` for all its subdomains, `null`,
    /// `file://`, or `*` for any. Pages of the server's own host and of localhost may always connect, and so may programs that are not
    /// browsers. Over a loopback address the server accepts only an IP address, localhost, and the hosts given here as `Host`, so a
    /// proxy on the same machine needs this flag. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,

    /// When stopping (Ctrl-C, SIGTERM, SIGHUP), close the sockets spread over this many seconds, so that their clients do not all
    /// reconnect at once.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub drain: Duration,

    /// The certificate.
    #[command(flatten)]
    pub tls: TlsFlags,

    /// The limits.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Whether to serve `https` and `wss`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
#[non_exhaustive]
pub struct TlsFlags {
    /// Certificate chain (PEM), for https and wss.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// What one client, and all of them together, may use.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
#[non_exhaustive]
pub struct LimitFlags {
    /// Bytes in one message; a larger one closes the connection with 1009.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse_size::<usize>)]
    pub max_message_bytes: usize,

    /// Connections in total, each from the moment that it is accepted; a request on one more is refused with HTTP 503. The server
    /// raises its limit on open files as far as the system permits (`ulimit -H -n`), and accepts fewer connections if that is too low.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections)]
    pub max_connections: usize,

    /// Connections from one address; more are refused with HTTP 429. Behind a proxy, all connections come from one address.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections_per_address)]
    pub max_connections_per_address: usize,

    /// Messages a second that one connection may send; more closes it with 1008. 0 is no limit.
    #[arg(long, value_name = "COUNT", default_value_t = ConnectionLimits::default().messages_per_second)]
    pub max_messages_per_second: u32,

    /// Close a connection with 1001 after this time without a message in either direction. 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub idle_timeout: Duration,

    /// Time limit for the head of a client's request from its connect, then for the body, and then until its next request.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_positive_seconds)]
    pub handshake_timeout: Duration,

    /// Time limit for a message from its first byte to its last; a slower one closes its connection with 1008. 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub message_timeout: Duration,

    /// Bytes of incomplete messages and of unsent answers that all connections may hold together; a message without room waits
    /// until others are complete. One address may hold half, unless it may have all connections.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size::<usize>)]
    pub max_buffered_bytes: usize,

    /// Bytes that may be queued for a slow reader; more close its connection with 1013.
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = parse_size::<usize>)]
    pub max_backlog_bytes: usize,

    /// Time limit for writing one message; a slower reader is closed with 1013, or cut if it reads HTTP.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_positive_seconds)]
    pub write_timeout: Duration,

    /// Time limit for the closing handshake, after which TCP is cut.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub close_timeout: Duration,
}

/// Why flags that parse cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableFlags {
    /// `--allow-origin`.
    #[error(transparent)]
    Origin(#[from] BadOrigin),
    /// `--tls-cert` or `--tls-key`.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ServerFlags {
    /// A builder of the state with these flags.
    pub fn builder(&self) -> Result<Builder, UnusableFlags> {
        let builder = Everwire::builder()
            .origins(self.origins()?)
            .limits(|limits| *limits = self.limits.limits())
            .connection_limits(|limits| *limits = self.limits.connection_limits());
        Ok(builder)
    }

    /// Where and how to listen. Reads the files of the certificate.
    pub fn config(&self) -> Result<ServerConfig, UnusableFlags> {
        let config = ServerConfig::new(self.listen).reuse_port(self.reuse_port).drain(self.drain);
        Ok(match self.tls.load()? {
            Some(tls) => config.tls(tls),
            None => config,
        })
    }

    /// Which pages may connect.
    ///
    /// # Errors
    /// If `--allow-origin` names something that is not an origin.
    pub fn origins(&self) -> Result<Origins, UnusableFlags> {
        let origins = Origins::default().with_flag("--allow-origin");
        Ok(self.allow_origin.iter().try_fold(origins, |origins, origin| origins.allow(origin))?)
    }
}

impl TlsFlags {
    /// Reads the certificate and its key; `None` without the flags.
    ///
    /// # Errors
    /// If the files cannot be read or do not belong together.
    pub fn load(&self) -> Result<Option<Tls>, UnusableFlags> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some(Tls::from_pem_files(cert, key)?)),
            _ => Ok(None),
        }
    }
}

impl LimitFlags {
    /// The limits of all connections together.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            handshake: self.handshake_timeout,
            response: self.write_timeout,
            buffered_bytes: self.max_buffered_bytes,
        }
    }

    /// The limits of one connection.
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            message_bytes: self.max_message_bytes,
            messages_per_second: self.max_messages_per_second,
            idle: self.idle_timeout,
            message: self.message_timeout,
            backlog_bytes: self.max_backlog_bytes,
            write: self.write_timeout,
            close: self.close_timeout,
        }
    }
}

/// Parses a size like `64000`, `64kB` or `1MiB` into bytes: a `value_parser` for a flag.
///
/// # Errors
/// If the text is not a size, or too large for `T`.
pub fn parse_size<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let size: Option<ByteSize> = text.parse().ok();
    size.and_then(|size| T::try_from(size.as_u64()).ok()).ok_or("a size in bytes, like 64000, 64kB or 1MiB")
}

/// Parses seconds, also with a fraction, up to a year: a `value_parser` for a flag.
pub fn parse_seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, like 5 or 0.5")?;
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err("seconds from 0 to 31536000");
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// The same for a flag that must not be 0: a client cannot be served in no time.
pub fn parse_positive_seconds(text: &str) -> Result<Duration, &'static str> {
    match parse_seconds(text)? {
        Duration::ZERO => Err("more than 0 seconds"),
        duration => Ok(duration),
    }
}
