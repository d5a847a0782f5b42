use clap::CommandFactory;

use super::*;

/// What the flags say, for an address that does not matter.
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
fn what_an_example_in_the_help_says_is_understood() {
    let example = "--connections 1000 --rate 500/s --ping-period 1s..5s --payload 4KiB --subscribers 0.3 --duration 30s --processes 2";
    let plan = plan(&example.split(' ').collect::<Vec<_>>()).unwrap();
    assert_eq!((plan.connections, plan.subscribers, plan.publishers, plan.processes), (1000, 300, 1, 2));
    assert_eq!((plan.rate, plan.payload), (500.0, 4096));
    assert_eq!(plan.duration, Duration::from_secs(30));
    assert_eq!(plan.publish_period, plan.ping_period);
}

#[test]
fn where_a_process_may_not_hold_them_there_are_several() {
    let most = files::connections_each();
    let plan =
        plan(&["--connections", &(most * 2 + 1).to_string(), "--source-address", "127.0.0.1,127.0.0.2,127.0.0.3"]);
    assert_eq!(plan.unwrap().processes, 3);
}

#[test]
fn no_process_is_without_a_connection() {
    assert_eq!(plan(&["--connections", "2", "--processes", "8000"]).unwrap().processes, 2);
}

#[test]
fn what_is_wrong_with_an_address_or_a_header_is_told_without_its_credentials() {
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
fn bad_input_is_told_with_what_to_do() {
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
