use std::path::PathBuf;

use thiserror::Error;

/// Why flags that parse cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unusable {
    /// A flag that says something of subscribers, where there are none.
    #[error("{flag} is for subscribers, and there are none: add --subscribers SHARE")]
    NoSubscribers {
        /// The flag.
        flag: &'static str,
    },
    /// An invalid address. It is not repeated, since it may hold credentials.
    #[error("{flag}: {problem}")]
    Address {
        /// The flag.
        flag: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An invalid header. Its value is not repeated, since it may be a credential.
    #[error("--header: {problem}")]
    Header {
        /// What is wrong and what to do.
        problem: String,
    },
    /// An unusable file of root certificates.
    #[error("--root-certificates {}: {problem}", file.display())]
    RootCertificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Subprotocols that no server could be offered.
    #[error("--subprotocol: {0}")]
    Protocols(#[from] everwire::ProtocolsError),
    /// A dialect that is text.
    #[error("--binary is for --dialect plain: the others wrap messages in text")]
    Binary,
    /// Subscribers without a publisher.
    #[error("the subscribers would receive nothing: leave out --publishers 0")]
    NoPublishers,
    /// More connections than a process may open files.
    #[error(
        "a process may hold {most} connections here (the limit on open files, `ulimit -n`): use --processes {needed}, or leave it out"
    )]
    Files {
        /// How many connections a process may hold.
        most: u32,
        /// How many processes it takes.
        needed: u32,
    },
    /// More connections than an address has ports.
    #[error(
        "one address of this machine can open {each} connections to a server (net.ipv4.ip_local_port_range), and {needed} are needed: name more addresses of it by --source-address IP,IP, or run on several machines"
    )]
    Ports {
        /// How many connections an address can open.
        each: u32,
        /// How many each would have to.
        needed: u32,
    },
}
