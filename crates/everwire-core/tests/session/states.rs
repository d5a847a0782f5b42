//! The tables of states and lines, cell by cell.

use everwire_core::{
    protocol::{ClientLine, ErrorCode, ProtocolError},
    session::{LineHandling, ServerConnection},
};

use super::page::{Cell, Reaction, server_reactions};

fn server_line(name: &str) -> Result<ClientLine<'static>, ProtocolError<'static>> {
    ClientLine::parse(match name {
        "hello" => "hello attempt=0",
        "sub" => "sub chat live",
        "unsub" => "unsub chat",
        "pub" => "pub chat 1",
        "req" => "req history 1",
        "cancel" => "cancel 1",
        "ping" => "ping 1",
        "bye" => "bye",
        "error" => "error sequence",
        "a type of no client" => "hug chat",
        "malformed" => "pub chat one",
        other => panic!("no example of {other:?}"),
    })
}

fn server_in(state: &str) -> ServerConnection {
    let mut connection = ServerConnection::default();
    match state {
        "new" => {}
        "attached" => assert_eq!(connection.receive(&server_line("hello")), LineHandling::Attach),
        "closing" => connection.close(),
        other => panic!("no state is {other:?}"),
    }
    connection
}

#[test]
fn the_server_does_with_each_line_what_the_table_says() {
    for Cell { line, state, reaction } in server_reactions() {
        let mut connection = server_in(&state);
        let expected = match reaction {
            Reaction::Attach => LineHandling::Attach,
            Reaction::Handle => LineHandling::Handle,
            Reaction::Close => LineHandling::Close,
            Reaction::Ignore => LineHandling::Ignore,
            Reaction::Unexpected => LineHandling::Fatal(ErrorCode::Unexpected),
            Reaction::Malformed => LineHandling::Fatal(ErrorCode::Malformed),
            Reaction::UnknownLine => LineHandling::Report(ErrorCode::UnknownLine),
        };
        assert_eq!(connection.receive(&server_line(&line)), expected, "{line} while {state}");
        let ends = state == "closing" || matches!(expected, LineHandling::Close | LineHandling::Fatal(_));
        assert_eq!(connection.is_closing(), ends, "after {line} while {state}");
    }
}
