//! What brokers store of sessions, and how they detect repeated publishes.

use std::time::Duration;

use bytes::Bytes;
use everwire_server::broker::{BrokerError, Publication, SessionExpiry};

use crate::{Fixture, brokers, session, text};

const KEEP: Duration = Duration::from_secs(120);

fn by(id: &str, seq: u64) -> Publication {
    text("chat", &format!("{id}:{seq}")).by(session(id), seq)
}

async fn store(fixture: &Fixture, id: &str, expiry: SessionExpiry) -> Result<(), BrokerError> {
    fixture.broker.store_session(session(id), Bytes::from(format!("record of {id}")), expiry).await
}

/// The record and the numbers of the answers.
async fn load(fixture: &Fixture, id: &str) -> Option<(String, Vec<u64>)> {
    let stored = fixture.broker.load_session(&session(id)).await.unwrap()?;
    let record = String::from_utf8(stored.record.to_vec()).unwrap();
    Some((record, stored.answers.iter().map(|(seq, _)| *seq).collect()))
}

#[tokio::test]
async fn a_session_is_loaded_as_it_was_stored() {
    for fixture in brokers(|_| ()) {
        assert_eq!(load(&fixture, "a").await, None);
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        assert_eq!(load(&fixture, "a").await, Some(("record of a".into(), vec![])));
    }
}

#[tokio::test]
async fn a_session_has_the_positions_of_its_stored_publishes() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        let first = fixture.publish(by("a", 1)).await;
        let fourth = fixture.publish(by("a", 4)).await;
        let answers = fixture.broker.load_session(&session("a")).await.unwrap().unwrap().answers;
        assert_eq!(answers, [(1, first), (4, fourth)]);
        // Storing the session again changes the record alone.
        store(&fixture, "a", SessionExpiry::Detached(KEEP)).await.unwrap();
        assert_eq!(load(&fixture, "a").await.unwrap().1, [1, 4]);
    }
}

#[tokio::test]
async fn publishes_that_come_together_are_each_stored_once_in_their_order() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        let recorder = fixture.listen();
        let first = fixture.publish(by("a", 1)).await;
        let together = vec![by("a", 1), by("a", 2), text("other", "x"), by("a", 2), by("a", 3)];
        let mut positions = Vec::new();
        for publish in fixture.broker.publish_all(together) {
            positions.push(publish.await.unwrap());
        }
        assert_eq!(positions[0], first);
        assert_eq!(positions[1], positions[3]);
        assert_eq!(positions.iter().map(|position| position.offset).collect::<Vec<_>>(), [1, 2, 1, 2, 3]);
        assert_eq!(fixture.texts("chat", 0).await, ["a:1", "a:2", "a:3"]);
        let reported: Vec<_> = recorder.take().iter().map(|message| message.cursor).collect();
        assert_eq!(reported, [first, positions[1], positions[2], positions[4]]);
    }
}

#[tokio::test]
async fn a_publish_that_its_session_has_stored_is_not_stored_again() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        let recorder = fixture.listen();
        let first = fixture.publish(by("a", 1)).await;
        let second = fixture.publish(by("a", 2)).await;
        assert_eq!(fixture.publish(by("a", 1)).await, first);
        assert_eq!(fixture.publish(by("a", 2)).await, second);
        assert_eq!(recorder.take().len(), 2);
        assert_eq!(fixture.texts("chat", 0).await, ["a:1", "a:2"]);
    }
}

#[tokio::test]
async fn a_repetition_that_waits_together_with_the_first_is_not_stored_again() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        let waiting = [(); 3].map(|()| fixture.broker.publish(by("a", 1)));
        let mut positions = Vec::new();
        for publish in waiting {
            positions.push(publish.await.unwrap());
        }
        assert_eq!(positions, [positions[0]; 3]);
        assert_eq!(fixture.texts("chat", 0).await, ["a:1"]);
    }
}

/// JetStream stores a message again if it has forgotten its id; here its outcome is unknown.
#[tokio::test]
async fn a_number_whose_answer_is_forgotten_is_refused_and_not_stored_again() {
    for fixture in brokers(|config| config.answers = 3) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        for seq in 1..=6 {
            fixture.publish(by("a", seq)).await;
        }
        assert_eq!(load(&fixture, "a").await.unwrap().1, [4, 5, 6]);
        assert_eq!(fixture.try_publish(by("a", 3)).await, Err(BrokerError::Forgotten));
        assert_eq!(fixture.publish(by("a", 4)).await.offset, 4);
        assert_eq!(fixture.history("chat").await.last.offset, 6);
    }
}

#[tokio::test]
async fn answers_stay_when_the_messages_are_trimmed() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        let none = everwire_server::broker::Retention::stream().with_count(0);
        let first = fixture.publish(by("a", 1).with_retention(none)).await;
        assert_eq!(fixture.publish(by("a", 1).with_retention(none)).await, first);
    }
}

#[tokio::test]
async fn publishes_of_a_session_that_is_not_stored_are_stored_without_an_answer() {
    for fixture in brokers(|_| ()) {
        fixture.publish(by("a", 1)).await;
        assert_eq!(load(&fixture, "a").await, None);
    }
}

#[tokio::test]
async fn a_detached_session_expires_and_an_attached_one_does_not() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "detached", SessionExpiry::Detached(KEEP)).await.unwrap();
        store(&fixture, "attached", SessionExpiry::Attached(KEEP)).await.unwrap();
        fixture.advance(119_999);
        assert!(load(&fixture, "detached").await.is_some());
        fixture.advance(1);
        assert_eq!(load(&fixture, "detached").await, None);
        assert!(load(&fixture, "attached").await.is_some());
    }
}

#[tokio::test]
async fn a_session_that_is_attached_again_does_not_expire() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Detached(KEEP)).await.unwrap();
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        fixture.advance(1_000_000);
        assert!(load(&fixture, "a").await.is_some());
    }
}

#[tokio::test]
async fn a_removed_session_is_gone_with_its_answers() {
    for fixture in brokers(|_| ()) {
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        fixture.publish(by("a", 1)).await;
        fixture.broker.remove_session(&session("a")).await.unwrap();
        assert_eq!(load(&fixture, "a").await, None);
        store(&fixture, "a", SessionExpiry::Attached(KEEP)).await.unwrap();
        assert_eq!(fixture.publish(by("a", 1)).await.offset, 2);
    }
}

#[tokio::test]
async fn the_session_that_would_expire_first_makes_room_for_another() {
    for fixture in brokers(|config| config.sessions = 3) {
        store(&fixture, "attached", SessionExpiry::Attached(KEEP)).await.unwrap();
        store(&fixture, "later", SessionExpiry::Detached(KEEP * 2)).await.unwrap();
        store(&fixture, "sooner", SessionExpiry::Detached(KEEP)).await.unwrap();
        store(&fixture, "fourth", SessionExpiry::Attached(KEEP)).await.unwrap();
        assert_eq!(load(&fixture, "sooner").await, None);
        for id in ["attached", "later", "fourth"] {
            assert!(load(&fixture, id).await.is_some(), "{id}");
        }
    }
}

#[tokio::test]
async fn a_session_is_refused_when_all_others_are_attached() {
    for fixture in brokers(|config| config.sessions = 2) {
        for id in ["a", "b"] {
            store(&fixture, id, SessionExpiry::Attached(KEEP)).await.unwrap();
        }
        let refused = store(&fixture, "c", SessionExpiry::Attached(KEEP)).await.unwrap_err();
        assert_eq!(refused, BrokerError::TooManySessions { limit: 2 });
        assert!(refused.is_retryable());
        // A session that is stored already does not count twice.
        store(&fixture, "a", SessionExpiry::Detached(KEEP)).await.unwrap();
        store(&fixture, "c", SessionExpiry::Attached(KEEP)).await.unwrap();
        assert_eq!(load(&fixture, "a").await, None);
    }
}
