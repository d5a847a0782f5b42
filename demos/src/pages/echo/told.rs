//! What happened to the connection, in words for the log.

use everwire::{AtRisk, Cause, Closed, Discarded, Dropped, Ended, Opened};

use super::log::Tone;
use crate::format;

/// A line for the log.
pub(super) type Told = (Tone, String);

pub(super) fn opened(opened: &Opened) -> Told {
    let mut words = match (opened.is_reconnect, opened.failures) {
        (false, 0) => format!("Connected to {}", opened.url),
        (true, 0) => format!("Reconnected to {}", opened.url),
        (false, failures) => format!("Connected to {} after {}", opened.url, attempts(failures)),
        (true, failures) => format!("Reconnected to {} after {}", opened.url, attempts(failures)),
    };
    if !opened.protocol.is_empty() {
        words.push_str(&format!(" · subprotocol {}", opened.protocol));
    }
    if !opened.extensions.is_empty() {
        words.push_str(&format!(" · {}", opened.extensions));
    }
    (Tone::Good, words)
}

/// `was_open`: a connection was lost; otherwise an attempt failed.
pub(super) fn dropped(dropped: &Dropped, was_open: bool) -> Vec<Told> {
    let what = if was_open { "Connection lost" } else { "Connection failed" };
    let retry = match dropped.retry_in {
        Some(wait) if wait.is_zero() => "retrying now".to_owned(),
        Some(wait) => format!("attempt {} in {}", dropped.attempt, format::duration(wait)),
        None => "the next attempt follows when the page is visible again".to_owned(),
    };
    let tone = if dropped.cause == Cause::Requested { Tone::Plain } else { Tone::Bad };
    let mut told = vec![(tone, format!("{what}: {}; {retry}", why(&dropped.cause, was_open)))];
    told.extend(at_risk(&dropped.at_risk));
    told
}

/// What is known. A browser says 1006 of whatever had no close frame; what is likely then is told in the head of the page.
fn why(cause: &Cause, was_open: bool) -> String {
    match cause {
        Cause::Closed { code: 1006, .. } if was_open => "the connection broke off without a close frame".to_owned(),
        Cause::Closed { code: 1006, .. } => "no WebSocket answered at this address".to_owned(),
        cause => cause.to_string(),
    }
}

pub(super) fn discarded(discarded: &Discarded) -> Told {
    let size = format::bytes(discarded.message.len() as u64);
    let kind = if discarded.message.as_text().is_some() { "text" } else { "binary" };
    (Tone::Bad, format!("Not sent ({kind}, {size}): {}", discarded.reason))
}

pub(super) fn lagged(missed: u64) -> Told {
    (Tone::Bad, format!("The page could not keep up: {} were not read", messages(missed)))
}

pub(super) fn closed(closed: &Closed) -> Vec<Told> {
    let (tone, words) = match &closed.ended {
        Ended::ByApplication { was_clean: false, .. } => {
            (Tone::Bad, "Closed by you; the server did not complete the closing handshake".to_owned())
        }
        Ended::ByApplication { code, reason, .. } if reason.is_empty() => {
            (Tone::Plain, format!("Closed by you with code {code}"))
        }
        Ended::ByApplication { code, reason, .. } => (Tone::Plain, format!("Closed by you with code {code}: {reason}")),
        Ended::Final(Cause::Closed { code: 1000, reason, .. }) if reason.is_empty() => {
            (Tone::Plain, "Closed by the server with code 1000".to_owned())
        }
        Ended::Final(Cause::Closed { code: 1000, reason, .. }) => {
            (Tone::Plain, format!("Closed by the server with code 1000: {reason}"))
        }
        Ended::Final(cause) => (Tone::Bad, format!("Gave up: {cause}; another attempt would fail in the same way")),
        Ended::Exhausted(cause) => (Tone::Bad, format!("Gave up after the last attempt: {cause}")),
        _ => (Tone::Plain, "Closed".to_owned()),
    };
    let mut told = vec![(tone, words)];
    told.extend(at_risk(&closed.at_risk));
    told
}

fn at_risk(at_risk: &AtRisk) -> Option<Told> {
    if at_risk.bytes == 0 && at_risk.messages.is_empty() {
        return None;
    }
    let (count, size) = (messages(at_risk.messages.len() as u64), format::bytes(at_risk.bytes));
    Some((Tone::Bad, format!("At risk: {count} ({size}) were sent but may not have arrived")))
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 failed attempt".to_owned() } else { format!("{count} failed attempts") }
}

fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{} messages", format::count(count)) }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn a_reconnect_says_how_many_attempts_it_took() {
        let mut event = Opened::new("ws://h/echo");
        (event.is_reconnect, event.failures) = (true, 3);
        assert_eq!(opened(&event), (Tone::Good, "Reconnected to ws://h/echo after 3 failed attempts".to_owned()));
    }

    #[test]
    fn the_subprotocol_that_the_server_chose_is_shown() {
        let mut event = Opened::new("ws://h/");
        event.protocol = "chat".to_owned();
        assert_eq!(opened(&event).1, "Connected to ws://h/ · subprotocol chat");
    }

    #[test]
    fn a_drop_says_why_when_the_next_attempt_is_and_what_is_at_risk() {
        let mut event = Dropped::new(Cause::closed(1001, "going away", true));
        event.at_risk.bytes = 1_500;
        (event.attempt, event.retry_in) = (2, Some(Duration::from_millis(1_250)));
        let told: Vec<String> = dropped(&event, true).into_iter().map(|(_, words)| words).collect();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], "Connection lost: closed with code 1001: going away; attempt 2 in 1.2 s");
        assert!(told[1].starts_with("At risk:") && told[1].contains("1.5 kB"), "{}", told[1]);
    }

    #[test]
    fn an_attempt_that_failed_was_never_a_connection_that_dropped() {
        let mut event = Dropped::new(Cause::ConnectTimeout);
        event.retry_in = Some(Duration::ZERO);
        let told = dropped(&event, false);
        assert_eq!(told.len(), 1, "nothing is at risk that was never handed over");
        let cut = Dropped::new(Cause::closed(1006, "", false));
        for (was_open, words) in [(true, "broke off without a close frame"), (false, "no WebSocket answered")] {
            let told = &dropped(&cut, was_open)[0].1;
            assert!(told.contains(words) && !told.contains("1006"), "{told}");
        }
        assert!(told[0].1.starts_with("Connection failed:") && told[0].1.ends_with("retrying now"), "{}", told[0].1);
    }

    #[test]
    fn an_end_says_who_wanted_it() {
        let told = |ended| closed(&Closed::new(ended)).remove(0);
        let by_us = Ended::ByApplication { code: 3001, reason: "done".to_owned(), was_clean: true };
        assert_eq!(told(by_us), (Tone::Plain, "Closed by you with code 3001: done".to_owned()));
        let by_server = Ended::Final(Cause::closed(1000, "", true));
        assert_eq!(told(by_server).0, Tone::Plain);
        let refused = told(Ended::Final(Cause::closed(1008, "too many messages", true)));
        assert!(refused.0 == Tone::Bad && refused.1.contains("too many messages"), "{refused:?}");
    }
}
