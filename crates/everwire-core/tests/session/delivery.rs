//! Hard cases of publishes and deliveries, each by a test that is named after what must not happen. If another project has met the case, the
//! test cites the issue.

use std::collections::BTreeSet;

use everwire_core::{
    Time,
    protocol::{ErrorCode, GapReason, Mode, Start},
    session::{Attachment, PublishId, PublishOutcome, QueueError},
};

use crate::simulation::{Event, Frame, Item, Simulation};

const CHAT: &str = "chat";

// Publishes.

fn chat() -> String {
    CHAT.to_owned()
}

fn connected() -> Simulation {
    let mut sim = Simulation::new(1);
    sim.connect(0);
    sim
}

fn outcome(sim: &Simulation, id: PublishId) -> Option<PublishOutcome> {
    sim.clients[0].publishes[&id].outcome
}

fn stored(sim: &Simulation, channel: &str) -> usize {
    sim.server.broker.disk.channels.get(channel).map_or(0, |channel| channel.messages.len())
}

/// Delivers everything in flight to the server.
fn all_to_server(sim: &mut Simulation) {
    let id = sim.connection(0);
    while !sim.connections[&id].up.is_empty() {
        sim.apply(Event::ToServer(id));
    }
}

/// JetStream forgets what it has seen when the history is trimmed and the server restarts: it stored the message a second time.
#[test]
fn a_trimmed_history_and_a_restart_do_not_store_a_publish_twice() {
    let mut sim = connected();
    let id = sim.publish(0, CHAT);
    all_to_server(&mut sim);
    sim.apply(Event::Store(chat()));
    sim.apply(Event::Trim(chat(), 1));
    sim.apply(Event::Restart);
    sim.connect(0);
    assert!(matches!(outcome(&sim, id), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&sim, CHAT), 1);
    sim.check_quiescent();
}

/// Centrifugo documents that a publish that is retried after a timeout can arrive twice.
#[test]
fn a_publish_of_which_the_server_does_not_know_is_not_sent_again_blindly() {
    let mut sim = connected();
    let (undecided, later) = (sim.publish(0, CHAT), sim.publish(0, "news"));
    all_to_server(&mut sim);
    sim.apply(Event::Store("news".to_owned()));
    sim.apply(Event::Restart);
    sim.connect(0);
    assert_eq!(outcome(&sim, undecided), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    assert!(matches!(outcome(&sim, later), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&sim, CHAT), 0);
    sim.check_quiescent();
}

#[test]
fn a_publish_is_not_left_without_an_outcome_because_many_have_expired_after_it() {
    let mut sim = connected();
    let first = sim.publish(0, "news");
    for _ in 0..20 {
        sim.try_publish(0, CHAT, Some(Time::from_secs(1))).expect("there is room");
        sim.apply(Event::Restart);
        sim.pass(Time::from_secs(2));
        sim.apply(Event::Dial(0));
        all_to_server(&mut sim);
        sim.deliver_all(0);
    }
    sim.publish(0, CHAT);
    all_to_server(&mut sim);
    sim.apply(Event::Store(chat()));
    sim.apply(Event::Restart);
    sim.connect(0);
    assert_eq!(outcome(&sim, first), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    sim.check_quiescent();
}

#[test]
fn a_publish_in_a_session_that_was_lost_is_not_sent_in_the_next_one() {
    let mut sim = connected();
    let id = sim.publish(0, CHAT);
    all_to_server(&mut sim);
    sim.apply(Event::Store(chat()));
    sim.apply(Event::ClientLoses(0));
    sim.pass(Time::from_secs(200));
    let waiting = sim.publish(0, CHAT);
    sim.run();
    sim.pass(Time::from_secs(200));
    sim.connect(0);
    assert_eq!(sim.clients[0].attachments, [Attachment::New, Attachment::Replaced]);
    assert_eq!(outcome(&sim, id), Some(PublishOutcome::Failed(ErrorCode::Unknown)));
    assert!(matches!(outcome(&sim, waiting), Some(PublishOutcome::Stored(_))));
    assert_eq!(stored(&sim, CHAT), 2);
    sim.check_quiescent();
}

#[test]
fn a_server_that_dies_between_store_and_answer_neither_loses_nor_repeats_a_publish() {
    let mut sim = connected();
    sim.subscribe(0, CHAT, Start::Live);
    sim.run();
    for round in 1..=1_000 {
        let id = sim.publish(0, CHAT);
        all_to_server(&mut sim);
        sim.apply(Event::Store(chat()));
        sim.apply(Event::Restart);
        sim.connect(0);
        assert!(matches!(outcome(&sim, id), Some(PublishOutcome::Stored(_))), "round {round}");
    }
    assert_eq!(stored(&sim, CHAT), 1_000);
    assert_eq!(sim.clients[0].messages(CHAT).len(), 1_000);
    sim.check_quiescent();
}

#[test]
fn a_server_that_dies_before_it_has_stored_does_not_lose_a_publish() {
    let mut sim = connected();
    for _ in 0..100 {
        sim.publish(0, CHAT);
        all_to_server(&mut sim);
        sim.apply(Event::Restart);
        sim.connect(0);
    }
    assert_eq!(stored(&sim, CHAT), 100);
    sim.check_quiescent();
}

fn lines_to_client(sim: &Simulation) -> Vec<String> {
    let id = sim.connection(0);
    let frames = sim.connections[&id].down.iter();
    let texts = frames.filter_map(|frame| if let Frame::Text(text) = frame { Some(text) } else { None });
    let lines = texts.flat_map(|text| text.split('\u{1e}'));
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_own_message_does_not_precede_its_answer() {
    let mut sim = connected();
    sim.subscribe(0, CHAT, Start::Live);
    sim.run();
    sim.publish(0, CHAT);
    all_to_server(&mut sim);
    sim.apply(Event::Store(chat()));
    assert_eq!(lines_to_client(&sim), ["ack", "msg"]);
}

/// Convex answers all mutations before it sends any data.
#[test]
fn after_a_reconnect_an_own_message_does_not_precede_its_answer() {
    let mut sim = connected();
    sim.subscribe(0, CHAT, Start::Live);
    sim.run();
    sim.publish(0, CHAT);
    all_to_server(&mut sim);
    sim.apply(Event::Store(chat()));
    sim.disconnect(0);
    sim.apply(Event::Dial(0));
    all_to_server(&mut sim);
    let id = sim.connection(0);
    (0..2).for_each(|_| sim.apply(Event::PollFeed(id, chat())));
    assert_eq!(lines_to_client(&sim), ["welcome", "ack", "subscribed", "msg", "pos"]);
    sim.run();
    sim.check_quiescent();
}

#[test]
fn a_slow_channel_does_not_hold_up_the_answers_of_another() {
    let mut sim = connected();
    let (slow, quick) = (sim.publish(0, CHAT), sim.publish(0, "news"));
    all_to_server(&mut sim);
    sim.apply(Event::Store("news".to_owned()));
    sim.deliver_all(0);
    assert_eq!(outcome(&sim, slow), None);
    assert!(matches!(outcome(&sim, quick), Some(PublishOutcome::Stored(_))));
    // Answered in another order than sent, they are still not mixed up after a reconnect.
    sim.apply(Event::Store(chat()));
    sim.reconnect(0);
    assert!(matches!(outcome(&sim, slow), Some(PublishOutcome::Stored(_))));
    sim.publish(0, CHAT);
    sim.run();
    sim.check_quiescent();
}

/// emqx/emqx#17698: messages that had expired in flight were delivered.
#[test]
fn a_publish_that_has_expired_is_not_sent_again() {
    let mut sim = connected();
    let id = sim.try_publish(0, CHAT, Some(Time::from_secs(5))).unwrap();
    sim.disconnect(0);
    sim.pass(Time::from_secs(6));
    let next = sim.publish(0, CHAT);
    sim.connect(0);
    assert_eq!(outcome(&sim, id), Some(PublishOutcome::Failed(ErrorCode::Expired)));
    assert!(matches!(outcome(&sim, next), Some(PublishOutcome::Stored(_))));
    sim.check_quiescent();
}

/// eclipse-mosquitto/mosquitto#1822: more than the receive maximum was sent after a reconnect.
#[test]
fn a_reconnect_does_not_send_more_than_the_credits() {
    let mut sim = connected();
    for _ in 0..30 {
        sim.publish(0, CHAT);
    }
    for _ in 0..3 {
        // The sim's server takes it for an error if there are more than its eight credits.
        all_to_server(&mut sim);
        assert_eq!(sim.server.broker.undecided.len(), 8);
        sim.apply(Event::ClientLoses(0));
        while !sim.server.broker.undecided.is_empty() {
            sim.apply(Event::Store(chat()));
        }
        sim.apply(Event::Dial(0));
        all_to_server(&mut sim);
        sim.deliver_all(0);
    }
    sim.run();
    assert_eq!(stored(&sim, CHAT), 30);
    sim.check_quiescent();
}

/// liveblocks/liveblocks#434, jamsocket/y-sweet#217: a box in the middle dropped the connection at each attempt.
#[test]
fn a_message_above_the_limit_of_the_server_is_not_tried() {
    let mut sim = connected();
    let id = sim.connection(0);
    assert_eq!(sim.publish_payload(0, "x".repeat(1_000)), Err(QueueError::TooLarge { limit: 1_000 }));
    assert!(sim.connections[&id].up.is_empty());
    sim.publish_payload(0, "x".repeat(900)).unwrap();
    sim.run();
    sim.check_quiescent();
}

// Positions in a history.

fn subscribed() -> Simulation {
    let mut sim = Simulation::new(1);
    sim.subscribe(0, CHAT, Start::Live);
    sim.connect(0);
    sim
}

/// A channel with so many messages that the client has.
fn with_messages(count: usize) -> Simulation {
    let mut sim = subscribed();
    sim.server_publishes(CHAT, count);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT).len(), count);
    sim
}

#[track_caller]
fn assert_gap(sim: &Simulation, reason: GapReason) {
    assert_eq!(sim.clients[0].gaps(CHAT), [reason]);
    sim.check_quiescent();
}

/// centrifugal/centrifuge-go#160: the offset of the lost history was taken for one of the new history.
#[test]
fn a_position_in_a_history_that_was_lost_is_not_taken_for_one_in_the_next() {
    let mut sim = with_messages(3);
    sim.apply(Event::LoseDisk);
    sim.server_publishes(CHAT, 5);
    sim.connect(0);
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2", "p3"]);
    assert_gap(&sim, GapReason::Rewritten);
    sim.server_publishes(CHAT, 1);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2", "p3", "p9"]);
}

/// centrifugal/centrifuge-go#159: without an epoch, the check was skipped.
#[test]
fn a_channel_without_messages_is_not_without_an_epoch() {
    let mut sim = subscribed();
    sim.apply(Event::LoseDisk);
    sim.server_publishes(CHAT, 2);
    sim.connect(0);
    assert_gap(&sim, GapReason::Rewritten);
}

/// A store directory of NATS JetStream that was put back showed the same creation time and the same sequence numbers with other content.
#[test]
fn messages_that_took_the_offsets_of_others_are_not_delivered_as_their_continuation() {
    let mut sim = with_messages(2);
    sim.apply(Event::BackUp);
    sim.server_publishes(CHAT, 2);
    sim.run();
    sim.apply(Event::RestoreBackup);
    sim.server_publishes(CHAT, 4);
    sim.connect(0);
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2", "p3", "p4"]);
    assert_gap(&sim, GapReason::Rewritten);
}

/// Replicache answers such a client with an error: its cookie is from the future.
#[test]
fn a_position_ahead_of_the_history_is_not_waited_for_in_silence() {
    let mut sim = with_messages(2);
    sim.apply(Event::BackUp);
    sim.server_publishes(CHAT, 2);
    sim.run();
    sim.apply(Event::RestoreBackup);
    sim.connect(0);
    assert_gap(&sim, GapReason::Rewritten);
    sim.server_publishes(CHAT, 1);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT).last(), Some(&"p5"));
}

#[test]
fn an_older_store_is_no_gap_for_a_client_that_has_nothing_newer() {
    let mut sim = with_messages(2);
    sim.apply(Event::BackUp);
    sim.disconnect(0);
    sim.server_publishes(CHAT, 2);
    sim.apply(Event::RestoreBackup);
    sim.server_publishes(CHAT, 1);
    sim.connect(0);
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2", "p5"]);
    assert_eq!(sim.clients[0].gaps(CHAT), []);
    sim.check_quiescent();
}

/// gofastr#382: offsets were rounded to what a double can hold.
#[test]
fn offsets_beyond_two_to_the_53_are_not_rounded() {
    let mut sim = Simulation::new(1);
    sim.server.broker.first_offset = (1 << 53) - 2;
    sim.subscribe(0, CHAT, Start::Live);
    sim.connect(0);
    for message in 1..=6 {
        sim.disconnect(0);
        sim.server_publishes(CHAT, 1);
        sim.connect(0);
        assert_eq!(sim.clients[0].messages(CHAT).len(), message);
    }
    let position = sim.clients[0].machine.position(sim.clients[0].subscriptions[0].id);
    assert_eq!(position.map(|position| position.offset), Some((1 << 53) + 4));
    assert_eq!(sim.clients[0].gaps(CHAT), []);
    sim.check_quiescent();
}

#[test]
fn a_quiet_channel_whose_messages_have_aged_out_has_no_gap() {
    let mut sim = with_messages(3);
    sim.apply(Event::Trim(CHAT.to_owned(), 3));
    sim.reconnect(0);
    assert_eq!(sim.clients[0].items(CHAT)[3..], [Item::Resumed, Item::CaughtUp]);
    sim.check_quiescent();
}

#[test]
fn messages_that_were_missed_and_have_aged_out_are_not_passed_over() {
    let mut sim = with_messages(3);
    sim.disconnect(0);
    sim.server_publishes(CHAT, 4);
    sim.apply(Event::Trim(CHAT.to_owned(), 5));
    sim.connect(0);
    assert_eq!(sim.clients[0].items(CHAT)[3..], [Item::Gap(GapReason::Trimmed, Some(4)), Item::CaughtUp]);
    sim.check_quiescent();
}

/// The position of a subscriber of values moves on though nothing is delivered for it, so that it is not behind when they age out.
#[test]
fn a_position_is_not_left_behind_by_messages_that_do_not_concern_the_subscriber() {
    let mut sim = Simulation::new(1);
    sim.server_sets("prices", "a", "a1");
    sim.server_sets("prices", "b", "b1");
    sim.server_sets("prices", "a", "a2");
    sim.subscribe_in(0, "prices", Start::State, Mode::Latest);
    sim.connect(0);
    assert_eq!(sim.clients[0].messages("prices"), ["b1", "a2"]);
    sim.reconnect(0);
    assert_eq!(sim.clients[0].messages("prices"), ["b1", "a2"]);
    assert_eq!(sim.clients[0].gaps("prices"), []);
}

/// socketio/socket.io#5538: a connection could not be resumed before it had received an event.
#[test]
fn a_subscription_that_received_nothing_is_not_lost() {
    let mut sim = subscribed();
    sim.disconnect(0);
    sim.server_publishes(CHAT, 2);
    sim.connect(0);
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2"]);
    sim.check_quiescent();
}

/// socketio/socket.io#5419: what was replayed did not move the offset, and came again with the next replay.
#[test]
fn what_a_resume_delivered_is_not_delivered_by_the_next_one() {
    let mut sim = with_messages(1);
    sim.disconnect(0);
    sim.server_publishes(CHAT, 2);
    for _ in 0..3 {
        sim.connect(0);
        sim.disconnect(0);
    }
    assert_eq!(sim.clients[0].messages(CHAT), ["p1", "p2", "p3"]);
}

/// A resume that breaks off in the middle of a page.
#[test]
fn a_resume_that_is_interrupted_again_and_again_neither_loses_nor_repeats() {
    let mut sim = with_messages(1);
    sim.disconnect(0);
    sim.server_publishes(CHAT, 20);
    for _ in 0..20 {
        sim.apply(Event::Dial(0));
        let id = sim.connection(0);
        sim.apply(Event::ToServer(id));
        for _ in 0..2 {
            sim.apply(Event::PollFeed(id, CHAT.to_owned()));
            sim.apply(Event::ToClient(id));
        }
        sim.disconnect(0);
    }
    sim.connect(0);
    sim.check_quiescent();
}

/// Mercure authorises what it replays with today's token.
#[test]
fn what_a_subscriber_may_not_see_any_more_is_not_replayed() {
    let mut sim = with_messages(1);
    sim.disconnect(0);
    sim.server_publishes(CHAT, 2);
    sim.server.hides_history.insert(CHAT.to_owned());
    sim.connect(0);
    assert_eq!(sim.clients[0].items(CHAT)[1..], [Item::Gap(GapReason::Refused, Some(2)), Item::CaughtUp]);
    sim.check_quiescent();
}

// Slow readers and many of them.

/// One client reads what it is sent, the other one does not.
fn with_slow_reader(mode: Mode) -> (Simulation, u64) {
    let mut sim = Simulation::new(2);
    for client in 0..2 {
        sim.subscribe_in(client, CHAT, Start::Live, mode);
        sim.connect(client);
    }
    let slow = sim.connection(0);
    (sim, slow)
}

/// What waits for a client is bounded; the quick one gets everything at once.
fn publish_to_a_slow_reader(sim: &mut Simulation, slow: u64, publish: impl Fn(&mut Simulation, usize)) {
    for number in 0..40 {
        publish(sim, number);
        sim.deliver_all(1);
        assert!(sim.connections[&slow].down.len() <= 8, "what is queued for a slow reader grows without a bound");
    }
    assert_eq!(sim.clients[1].messages(CHAT).len(), 40, "another reader is held up");
}

/// wse-client drops a slow reader's messages above 16 MB.
#[test]
fn a_slow_reader_neither_loses_messages_nor_holds_up_others() {
    let (mut sim, slow) = with_slow_reader(Mode::Each);
    publish_to_a_slow_reader(&mut sim, slow, |sim, _| sim.server_publishes(CHAT, 1));
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), sim.clients[1].messages(CHAT));
    assert_eq!(sim.clients[0].gaps(CHAT), []);
    sim.check_quiescent();
}

#[test]
fn a_slow_reader_of_values_does_not_read_what_is_out_of_date() {
    let (mut sim, slow) = with_slow_reader(Mode::Latest);
    let set = |sim: &mut Simulation, number: usize| {
        sim.server_sets(CHAT, &format!("key{}", number % 4), &format!("value{number}"));
    };
    publish_to_a_slow_reader(&mut sim, slow, set);
    sim.run();
    let messages = sim.clients[0].messages(CHAT);
    assert_eq!(messages[messages.len() - 4..], ["value36", "value37", "value38", "value39"]);
    assert!(messages.len() <= 8 + 4, "{messages:?}");
    assert_eq!(sim.clients[0].gaps(CHAT), []);
}

/// ably/ably-js#1559: that messages are missing was a flag of a state, easily overlooked.
#[test]
fn a_reader_that_is_slower_than_the_history_is_long_does_not_miss_messages_in_silence() {
    let (mut sim, slow) = with_slow_reader(Mode::Each);
    publish_to_a_slow_reader(&mut sim, slow, |sim, _| sim.server_publishes(CHAT, 1));
    sim.apply(Event::Trim(CHAT.to_owned(), 30));
    sim.run();
    let received = sim.clients[0].messages(CHAT).len() as u64;
    assert_eq!(sim.clients[0].items(CHAT).last(), Some(&Item::CaughtUp));
    assert_eq!(sim.clients[0].gaps(CHAT), [GapReason::Trimmed]);
    assert!(sim.clients[0].items(CHAT).contains(&Item::Gap(GapReason::Trimmed, Some(40 - received))));
    sim.check_quiescent();
}

#[test]
fn a_paused_subscriber_does_not_lose_what_is_published_meanwhile() {
    let (mut sim, _) = with_slow_reader(Mode::Each);
    sim.pause(0, CHAT);
    sim.server_publishes(CHAT, 20);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT).len(), 0);
    sim.resume(0, CHAT);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT).len(), 20);
    sim.check_quiescent();
}

#[test]
fn a_storm_of_resumes_does_not_read_a_page_once_for_each_client() {
    const CLIENTS: usize = 100;
    let channels: Vec<String> = (0..10).map(|number| format!("channel{number}")).collect();
    let mut sim = Simulation::new(CLIENTS);
    for client in 0..CLIENTS {
        channels.iter().for_each(|channel| {
            sim.subscribe(client, channel, Start::Live);
        });
    }
    let connect_all = |sim: &mut Simulation| {
        for client in 0..CLIENTS {
            sim.apply(Event::Dial(client));
            let id = sim.connection(client);
            assert_eq!(sim.connections[&id].up.len(), 1, "`hello` and all subscriptions travel in one message");
            sim.apply(Event::ToServer(id));
            for channel in &channels {
                (0..3).for_each(|_| sim.apply(Event::PollFeed(id, channel.clone())));
            }
            sim.deliver_all(client);
        }
    };
    connect_all(&mut sim);
    sim.apply(Event::Restart);
    channels.iter().for_each(|channel| sim.server_publishes(channel, 2));
    sim.server.reads.clear();
    connect_all(&mut sim);
    let names: BTreeSet<&String> = sim.server.reads.iter().map(|(channel, ..)| channel).collect();
    assert_eq!((sim.server.reads.len(), names.len()), (10, 10));
    sim.check_quiescent();
}
