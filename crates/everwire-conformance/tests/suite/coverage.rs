//! Every requirement of the specification for a server has a check.

use std::collections::{BTreeMap, BTreeSet};

use everwire_conformance::checks;
use everwire_core::protocol::ClientLine;

use crate::specification;

/// Which checks cover a requirement.
enum Coverage {
    By(&'static [&'static str]),
    /// Why no check can cover it.
    NotFromOutside(&'static str),
}

use Coverage::{By, NotFromOutside};

/// The rows of a section whose first column is the form of a line.
fn forms(title: &str) -> Vec<(String, String)> {
    let rows = specification::tables(title).concat();
    rows[1..].iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone())).collect()
}

/// The names of the options of a form, each behind the type of its line.
fn options(form: &str) -> Vec<String> {
    let line = form.split(' ').next().unwrap();
    let words = form.split(' ').filter_map(|word| word.trim_matches(['[', ']']).split_once('='));
    words.map(|(name, _)| format!("{line} {name}=")).collect()
}

/// The words in backquotes of a text after a word, up to a full stop.
fn quoted_after(text: &str, word: &str) -> Vec<String> {
    let sentence = text.split_once(word).unwrap().1;
    let sentence = sentence.split(". ").next().unwrap();
    sentence.split('`').skip(1).step_by(2).map(|word| word.split(':').next().unwrap().to_owned()).collect()
}

/// Fails if the specification and the list differ, or if a check does not exist.
fn assert_covered(in_specification: impl IntoIterator<Item = String>, list: &[(&str, Coverage)]) {
    let in_specification: BTreeSet<String> = in_specification.into_iter().collect();
    let listed: BTreeSet<String> = list.iter().map(|(item, _)| (*item).to_owned()).collect();
    assert_eq!(in_specification, listed);
    let names: BTreeSet<String> = checks().iter().map(|check| check.name().to_owned()).collect();
    for (item, coverage) in list {
        match coverage {
            By(checks) => {
                assert!(!checks.is_empty(), "{item}");
                checks.iter().for_each(|check| assert!(names.contains(*check), "{item}: there is no check {check}"));
            }
            NotFromOutside(reason) => assert!(!reason.is_empty(), "{item}"),
        }
    }
}

#[test]
fn each_error_has_a_check() {
    let codes = specification::tables("Errors").concat()[1..].iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    let list = [
        ("malformed", By(&["malformed-when-new-is-treated-as-malformed", "a-message-without-a-line-is-malformed"])),
        ("unexpected", By(&["sub-when-new-is-treated-as-unexpected", "a-client-without-hello-is-closed-in-time"])),
        ("credits", By(&["more-unanswered-requests-than-credits-close-the-connection"])),
        ("sequence", By(&["a-missing-number-closes-the-connection"])),
        ("unauthorized", By(&["wrong-credentials-are-refused-and-nothing-else-is-answered"])),
        ("taken-over", By(&["a-newer-generation-takes-over"])),
        ("unavailable", NotFromOutside("a server that works is not too busy, and its broker does not fail")),
        ("unknown-line", By(&["a-type-of-no-client-when-new-is-treated-as-unknown-line"])),
        ("denied", By(&["a-denied-channel-is-refused", "a-denied-publish-is-refused-and-the-next-one-counts"])),
        ("too-large", By(&["a-payload-over-the-limit-of-its-channel-is-refused"])),
        ("limit", By(&["more-subscriptions-than-the-limit-are-refused"])),
        ("expired", By(&["a-request-expires"])),
        ("unknown", By(&["a-publish-whose-answer-was-forgotten-is-unknown"])),
        ("cancelled", By(&["a-request-is-cancelled", "another-session-of-the-user-cancels-a-request"])),
        ("no-handler", By(&["a-request-without-a-handler-is-refused"])),
        ("failed", NotFromOutside("a handler that fails is the application's")),
        ("gone", NotFromOutside("only the application ends a session on the server")),
    ];
    assert_covered(codes, &list);
}

#[test]
fn each_limit_and_number_of_the_welcome_has_a_check() {
    let welcome = forms("Lines of the server").into_iter().find(|(form, _)| form.starts_with("welcome ")).unwrap();
    let list = [
        ("welcome generation=", By(&["generations-count-by-one"])),
        ("welcome time=", By(&["the-welcome-says-all-limits"])),
        ("welcome heartbeat=", By(&["the-welcome-says-all-limits"])),
        (
            "welcome message=",
            By(&[
                "a-message-over-the-limit-closes-the-connection-with-1009",
                "a-message-of-64-kib-with-hello-is-taken",
            ]),
        ),
        ("welcome credits=", By(&["more-unanswered-requests-than-credits-close-the-connection"])),
        ("welcome subscriptions=", By(&["more-subscriptions-than-the-limit-are-refused"])),
        ("welcome expires=", NotFromOutside("two minutes, as a rule, are longer than a check should take")),
        ("welcome acked=", By(&["missed-answers-follow-before-the-subscriptions"])),
        ("welcome secret=", By(&["a-session-is-not-resumed-without-its-secret"])),
        ("welcome requests=", By(&["a-request-goes-on-over-a-reconnect"])),
    ];
    assert_covered(options(&welcome.0), &list);
}

#[test]
fn each_option_of_a_client_has_a_check() {
    let in_specification = forms("Lines of the client").into_iter().flat_map(|(form, _)| options(&form));
    let list = [
        ("hello attempt=", By(&["the-welcome-says-all-limits"])),
        ("hello session=", By(&["a-resume-goes-on-with-the-session"])),
        ("hello secret=", By(&["a-session-is-not-resumed-without-its-secret"])),
        (
            "hello acked=",
            By(&["answers-that-the-client-has-do-not-follow", "a-client-ahead-of-the-server-is-believed"]),
        ),
        ("hello floor=", By(&["a-session-that-does-not-exist-is-replaced-by-a-new-one"])),
        ("hello closed=", By(&["a-resume-goes-on-with-the-session"])),
        ("sub mode=", By(&["latest-mode-delivers-to-a-fast-subscriber"])),
        ("sub presence=", By(&["a-session-that-enters-learns-who-is-there"])),
        ("pub after=", By(&["a-number-may-be-left-out-if-the-publish-says-so"])),
        ("pub key=", By(&["a-message-says-who-published-it", "state-gives-the-latest-message-of-each-key"])),
        ("req timeout=", By(&["a-request-expires"])),
        ("req floor=", By(&["a-request-is-answered-in-parts"])),
        ("req part=", NotFromOutside("where a connection breaks within an answer is chance")),
        ("cancel of=", By(&["another-session-of-the-user-cancels-a-request", "another-user-cannot-cancel-a-request"])),
        ("error line=", By(&["error-when-attached-is-treated-as-handle"])),
    ];
    assert_covered(in_specification, &list);
}

#[test]
fn each_start_of_a_subscription_and_each_reason_of_a_gap_has_a_check() {
    let (clients, servers) = (forms("Lines of the client"), forms("Lines of the server"));
    let meaning = |forms: &[(String, String)], line: &str| {
        forms.iter().find(|(form, _)| form.starts_with(line)).map(|(_, meaning)| meaning.clone()).unwrap()
    };
    let starts = [
        ("live", By(&["live-begins-with-the-next-message"])),
        ("hold", By(&["hold-gives-the-position-only"])),
        ("state", By(&["state-gives-the-latest-message-of-each-key"])),
        ("last", By(&["last-begins-with-so-many-messages"])),
        ("from", By(&["from-begins-after-a-cursor", "from-the-beginning-delivers-everything"])),
    ];
    assert_covered(quoted_after(&meaning(&clients, "sub "), "START is "), &starts);
    let reasons = [
        ("trimmed", By(&["a-cursor-that-was-trimmed-is-a-gap"])),
        (
            "rewritten",
            By(&[
                "a-cursor-of-another-epoch-is-a-gap",
                "a-cursor-ahead-of-the-history-is-a-gap",
                "a-cursor-with-another-time-is-a-gap",
            ]),
        ),
        ("refused", By(&["a-history-that-is-not-shown-is-a-gap"])),
    ];
    assert_covered(quoted_after(&meaning(&servers, "gap "), "for a reason: "), &reasons);
}

#[test]
fn each_rule_has_a_check() {
    // `1. **Order.** …`
    let names = specification::section("Rules").lines().filter_map(|line| line.split_once(". **")?.1.split_once("**"));
    let rules = names.map(|(name, _)| name.trim_end_matches('.').to_owned());
    let list = [
        (
            "Order",
            By(&[
                "lines-sent-with-hello-are-answered-after-the-welcome",
                "missed-answers-follow-before-the-subscriptions",
                "a-publish-is-answered-before-its-own-copy",
            ]),
        ),
        (
            "Numbers",
            By(&[
                "a-repeated-publish-has-the-same-answer-and-is-stored-once",
                "a-publish-whose-answer-was-forgotten-is-unknown",
                "a-missing-number-closes-the-connection",
            ]),
        ),
        (
            "Publishes",
            By(&["a-publish-sent-again-after-a-resume-is-stored-once", "a-client-ahead-of-the-server-is-believed"]),
        ),
        ("Requests", By(&["the-answer-to-a-request-sent-again-is-the-same", "a-request-goes-on-over-a-reconnect"])),
        (
            "Limits",
            By(&[
                "more-unanswered-requests-than-credits-close-the-connection",
                "a-message-over-the-limit-closes-the-connection-with-1009",
            ]),
        ),
        ("Recovery", By(&["missed-messages-follow-once-and-in-order", "a-cursor-that-was-trimmed-is-a-gap"])),
        ("Generations", By(&["generations-count-by-one", "what-an-older-generation-sends-is-ignored"])),
        ("Presence", By(&["a-reconnect-is-no-join-and-no-leave"])),
    ];
    assert_covered(rules, &list);
}

#[test]
fn each_cell_of_the_table_and_each_line_that_can_be_malformed_has_a_check() {
    let names: BTreeSet<String> = checks().iter().map(|check| check.name().to_owned()).collect();
    let mut cells = BTreeMap::new();
    for specification::Cell { line, state, .. } in specification::server_reactions() {
        let start = format!("{}-when-{state}-is-treated-as-", line.replace(' ', "-"));
        cells.insert(start.clone(), names.iter().filter(|name| name.starts_with(&start)).count());
    }
    assert!(cells.values().all(|count| *count == 1), "{cells:?}");
    for line in ClientLine::TYPES {
        assert!(names.contains(&format!("malformed-{line}-in-a-text-message-closes-the-connection")), "{line}");
    }
}
