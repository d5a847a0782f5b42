//! What this machine lets one process, and one address, open.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use crate::Unusable;

/// Files that a process needs in addition to its connections.
const RESERVE: u64 = 100;
/// The limit where a system reports none.
const NO_LIMIT: u64 = 1_000_000;
/// Left of the ports of an address for those that other programs hold.
const SPARE_PORTS: u32 = 1000;

/// How many connections a process may hold.
pub(crate) fn connections_each() -> u32 {
    u32::try_from(limit().saturating_sub(RESERVE).max(1)).unwrap_or(u32::MAX)
}

/// How many processes it takes to hold so many.
pub(crate) fn processes_for(connections: u32) -> u32 {
    connections.div_ceil(connections_each())
}

/// Lets this process open as many files as it may.
pub(crate) fn raise_limit() {
    // If it fails the limit stays as it was, and flags that need more are refused.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

#[cfg(unix)]
fn limit() -> u64 {
    rlimit::Resource::NOFILE.get_hard().map_or(NO_LIMIT, |hard| hard.min(NO_LIMIT))
}

#[cfg(not(unix))]
fn limit() -> u64 {
    NO_LIMIT
}

/// The addresses that connections come from: those of the flag, or as many of 127.0.0.0/8 as are necessary to hold so many
/// connections to a server on this machine. None where the system may choose.
pub(crate) fn source_addresses(urls: &[Url], connections: u32, asked: Vec<IpAddr>) -> Result<Vec<IpAddr>, Unusable> {
    let each = ports();
    let count = asked.len().max(1) as u32;
    // Ports stay in use for a minute after a connection, so on this machine, where addresses are plenty, half of them are kept.
    let is_free_to_choose = urls.iter().all(is_loopback) && asked.is_empty();
    let comfortable = if is_free_to_choose { each / 2 } else { each };
    if connections.div_ceil(count) <= comfortable {
        return Ok(asked);
    }
    if is_free_to_choose {
        let addresses = 1..=connections.div_ceil(comfortable);
        return Ok(addresses.map(|n| Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) - 1 + n).into()).collect());
    }
    Err(Unusable::Ports { each, needed: connections.div_ceil(count) })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        _ => false,
    }
}

/// How many connections one address can open to one port of another.
fn ports() -> u32 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let bounds = range.and_then(|range| {
        let mut bounds = range.split_whitespace().map_while(|bound| bound.parse::<u32>().ok());
        Some((bounds.next()?, bounds.next()?))
    });
    // The range that Linux comes with.
    let (first, last) = bounds.unwrap_or((32_768, 60_999));
    (last.saturating_sub(first) + 1).saturating_sub(SPARE_PORTS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(url: &str, connections: u32, asked: &[IpAddr]) -> Result<Vec<IpAddr>, Unusable> {
        source_addresses(&[Url::parse(url).unwrap()], connections, asked.to_vec())
    }

    #[test]
    fn to_this_machine_there_are_as_many_addresses_as_it_takes() {
        let (few, many) = (ports() / 2, ports() / 2 * 2 + 1);
        assert_eq!(addresses("ws://127.0.0.1/echo", few, &[]), Ok(vec![]));
        let three = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        assert_eq!(addresses("ws://127.0.0.1/echo", many, &[]), Ok(three.to_vec()));
    }

    #[test]
    fn to_another_machine_too_many_connections_are_refused() {
        let one = IpAddr::from([10, 0, 0, 7]);
        assert_eq!(addresses("ws://10.0.0.1/echo", ports(), &[one]), Ok(vec![one]));
        let (each, needed) = (ports(), ports() + 1);
        assert_eq!(addresses("ws://10.0.0.1/echo", needed, &[one]), Err(Unusable::Ports { each, needed }));
        assert_eq!(addresses("ws://10.0.0.1/echo", needed, &[]), Err(Unusable::Ports { each, needed }));
        let urls = ["ws://127.0.0.1/echo", "ws://10.0.0.1/news"].map(|url| Url::parse(url).unwrap());
        assert_eq!(source_addresses(&urls, needed, vec![]), Err(Unusable::Ports { each, needed }));
    }
}
