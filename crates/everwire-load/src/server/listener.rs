use url::Url;

/// The processes that listen where the address points, if they are on this machine and may be looked at.
#[cfg(target_os = "linux")]
pub(crate) fn listeners(url: &Url) -> Vec<u32> {
    use std::collections::HashSet;
    use std::net::ToSocketAddrs;

    use procfs::net::{TcpState, tcp, tcp6};
    use procfs::process::{FDTarget, all_processes};

    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let host = host.trim_matches(['[', ']']);
    let is_here = (host, port).to_socket_addrs().is_ok_and(|mut addresses| addresses.all(|a| a.ip().is_loopback()));
    if !is_here {
        return Vec::new();
    }
    let sockets = tcp().into_iter().chain(tcp6()).flatten();
    let listening = sockets.filter(|socket| socket.state == TcpState::Listen && socket.local_address.port() == port);
    let inodes: HashSet<u64> = listening.map(|socket| socket.inode).collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let holds = |process: &procfs::process::Process| {
        let files = process.fd().into_iter().flatten().flatten();
        files.into_iter().any(|file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
    };
    let processes = all_processes().into_iter().flatten().flatten();
    processes.filter(holds).filter_map(|process| u32::try_from(process.pid()).ok()).collect()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn listeners(_url: &Url) -> Vec<u32> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_on_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("ws://{}/echo", listener.local_addr().unwrap())).unwrap();
        // A child that another test is starting holds all that this process does, for a moment.
        assert!(listeners(&url).contains(&std::process::id()));
    }

    #[test]
    fn a_port_that_is_held_and_not_listened_on_has_no_listener() {
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let url = Url::parse(&format!("ws://{}/echo", held.local_addr().unwrap())).unwrap();
        assert!(listeners(&url).is_empty());
    }

    #[test]
    fn no_listener_is_searched_on_another_machine() {
        assert!(listeners(&Url::parse("ws://192.0.2.1:22/").unwrap()).is_empty());
    }
}
