//! The participants of the tracker, however they report and whoever watches them.
//!
//! Connections of `/tracker` are members of the group, and get every change. The channel gets the latest of each participant that has
//! changed: see `channels::tracker`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use everwire_companion_api::tracker::{Position, Secret, ServerMessage, participant_id};
use everwire_server::broker::SessionId;
use everwire_server::{Clock, Group, Message};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::protocol::json;

/// How long a participant stays whose session has lost its connection. A page that is closed says goodbye where it can, and one that
/// reconnects is back sooner.
const GRACE: Duration = Duration::from_secs(15);

/// How long a participant stays that an earlier run of the server knew, until its page reports again. A page that has tried in vain for a
/// while makes an attempt every 30 s.
const RESTORED_GRACE: Duration = Duration::from_secs(60);

/// The participants, for all connections and sessions.
#[derive(Debug)]
pub(crate) struct Tracker {
    group: Group<Participants>,
    clock: Clock,
    /// Some participant has changed, or will have to be removed at another time than was known.
    changed: Notify,
}

/// The state of the group.
#[derive(Debug, Default)]
pub(crate) struct Participants {
    present: BTreeMap<u64, Participant>,
    /// The participant that each session reports for.
    by_session: HashMap<SessionId, u64>,
    /// Those that the channel does not have yet as they are.
    changed: BTreeSet<u64>,
}

/// A client that shares its position.
#[derive(Clone, Debug)]
struct Participant {
    position: Position,
    holder: Holder,
    /// When it is removed, unless its holder comes back.
    expires: Option<Instant>,
}

/// Who reported last. Only the end of that one removes the participant: a connection that was lost and replaced ends later, by a timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The number of a connection in the group.
    Connection(u64),
    /// A session of the channels.
    Session(SessionId),
    /// A client of an earlier run of the server.
    Unknown,
}

/// A place on earth and the radius in metres of the circle around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    lat: f64,
    lon: f64,
    accuracy: f64,
}

impl Place {
    /// `None` if it is not on earth.
    pub(crate) fn new(lat: f64, lon: f64, accuracy: f64) -> Option<Self> {
        let is_on_earth = lat.abs() <= 90.0 && lon.abs() <= 180.0 && accuracy >= 0.0 && accuracy.is_finite();
        is_on_earth.then_some(Self { lat, lon, accuracy })
    }
}

/// The id of the participant with this secret.
pub(crate) fn id_of(secret: &Secret) -> u64 {
    participant_id(&Sha256::digest(secret.as_str()).into())
}

impl Tracker {
    /// A tracker without participants.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { group: Group::new(Participants::default()), clock, changed: Notify::new() }
    }

    /// The connections that get every change.
    pub(crate) fn group(&self) -> &Group<Participants> {
        &self.group
    }

    /// Completes when a participant has changed since the last time.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A participant is at this place.
    pub(crate) fn moved(&self, id: u64, place: Place, holder: Holder) {
        let Place { lat, lon, accuracy } = place;
        let position = Position { id, lat, lon, accuracy, time: self.clock.now_ms() };
        self.group.enqueue(|participants, _| {
            participants.insert(id, Participant { position, holder, expires: None });
            Some(json(&ServerMessage::Position(position)))
        });
        self.changed.notify_one();
    }

    /// Has a session report for this participant and no other.
    pub(crate) fn identify(&self, session: &SessionId, id: u64) {
        let before = self.group.with_state(|participants| participants.by_session.insert(session.clone(), id));
        if let Some(before) = before.filter(|before| *before != id) {
            self.remove_held(before, &Holder::Session(session.clone()));
        }
    }

    /// Removes a participant, whoever holds it.
    pub(crate) fn remove(&self, id: u64) {
        self.remove_if(id, |_| true);
    }

    /// Removes a participant, unless another holder has reported for it since.
    pub(crate) fn remove_held(&self, id: u64, holder: &Holder) {
        self.remove_if(id, |participant| participant.holder == *holder);
    }

    /// A session has lost its connection.
    pub(crate) fn detached(&self, session: &SessionId) {
        self.set_expiry(session, Some(Instant::now() + GRACE));
    }

    /// A session has a connection again.
    pub(crate) fn resumed(&self, session: &SessionId) {
        self.set_expiry(session, None);
    }

    /// A session is over.
    pub(crate) fn ended(&self, session: &SessionId) {
        if let Some(id) = self.group.with_state(|participants| participants.by_session.remove(session)) {
            self.remove_held(id, &Holder::Session(session.clone()));
        }
    }

    /// Adds those that an earlier run of the server knew.
    pub(crate) fn restore(&self, positions: impl IntoIterator<Item = Position>) {
        let expires = Some(Instant::now() + RESTORED_GRACE);
        for position in positions {
            self.group.update(|participants, _| {
                if participants.present.contains_key(&position.id) {
                    return None;
                }
                let participant = Participant { position, holder: Holder::Unknown, expires };
                participants.present.insert(position.id, participant);
                Some(json(&ServerMessage::Position(position)))
            });
        }
        self.changed.notify_one();
    }

    /// Removes those that have waited for their holders for too long. Returns when the next has.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.group.with_state(|participants| participants.expired(now));
        for id in expired {
            self.remove_if(id, |participant| participant.expires.is_some_and(|at| at <= now));
        }
        next
    }

    /// The ids of those that have changed since the last time, each with its position if it still shares one.
    pub(crate) fn take_changes(&self) -> Vec<(u64, Option<Position>)> {
        self.group.with_state(|participants| {
            let changed = std::mem::take(&mut participants.changed).into_iter();
            changed.map(|id| (id, participants.present.get(&id).map(|participant| participant.position))).collect()
        })
    }

    /// Takes changes back that could not be published.
    pub(crate) fn return_changes(&self, ids: impl IntoIterator<Item = u64>) {
        self.group.with_state(|participants| participants.changed.extend(ids));
        self.changed.notify_one();
    }

    fn set_expiry(&self, session: &SessionId, expires: Option<Instant>) {
        let is_known = self.group.with_state(|participants| {
            let Some(id) = participants.by_session.get(session) else { return false };
            let held = participants.present.get_mut(id);
            let held = held.filter(|participant| participant.holder == Holder::Session(session.clone()));
            held.map(|participant| participant.expires = expires).is_some()
        });
        if is_known {
            self.changed.notify_one();
        }
    }

    fn remove_if(&self, id: u64, condition: impl FnOnce(&Participant) -> bool) {
        self.group.update(|participants, _| {
            participants.present.get(&id).filter(|participant| condition(participant))?;
            participants.present.remove(&id);
            participants.changed.insert(id);
            Some(json(&ServerMessage::Left { id }))
        });
        self.changed.notify_one();
    }
}

impl Participants {
    /// All of them, as a message.
    pub(crate) fn positions(&self) -> Message {
        let positions = self.present.values().map(|participant| participant.position).collect();
        json(&ServerMessage::Positions { positions })
    }

    fn insert(&mut self, id: u64, participant: Participant) {
        self.present.insert(id, participant);
        self.changed.insert(id);
    }

    /// Those that have expired, and when the next does.
    fn expired(&self, now: Instant) -> (Vec<u64>, Option<Instant>) {
        let expiring = || self.present.iter().filter_map(|(id, participant)| Some((*id, participant.expires?)));
        let expired = expiring().filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        (expired, expiring().map(|(_, at)| at).filter(|at| *at > now).min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { lat: 1.0, lon: 2.0, accuracy: 3.0 };

    fn session(name: &str) -> SessionId {
        SessionId::try_from(name).unwrap()
    }

    /// A tracker with a participant of a session.
    fn shared_by(session: &SessionId) -> Tracker {
        let tracker = Tracker::new(Clock::from_fn(|| 0.0));
        tracker.identify(session, 7);
        tracker.moved(7, HERE, Holder::Session(session.clone()));
        tracker
    }

    fn present(tracker: &Tracker) -> Vec<u64> {
        tracker.group.with_state(|participants| participants.present.keys().copied().collect())
    }

    #[test]
    fn a_participant_stays_for_some_seconds_while_its_page_reconnects() {
        let ann = session("ann");
        let tracker = shared_by(&ann);
        let start = Instant::now();
        assert_eq!(tracker.expire(start + RESTORED_GRACE), None, "it does not expire while it is connected");
        tracker.detached(&ann);
        let next = tracker.expire(start).unwrap();
        assert_eq!(present(&tracker), [7]);
        tracker.resumed(&ann);
        assert_eq!(tracker.expire(next), None);
        tracker.detached(&ann);
        assert_eq!(tracker.expire(Instant::now() + GRACE), None);
        assert!(present(&tracker).is_empty());
        assert_eq!(tracker.take_changes(), [(7, None)]);
    }

    #[test]
    fn the_end_of_a_session_removes_no_participant_that_another_reports_for() {
        let (ann, again) = (session("ann"), session("again"));
        let tracker = shared_by(&ann);
        tracker.detached(&ann);
        tracker.identify(&again, 7);
        tracker.moved(7, HERE, Holder::Session(again.clone()));
        tracker.ended(&ann);
        tracker.expire(Instant::now() + GRACE);
        assert_eq!(present(&tracker), [7]);
        tracker.ended(&again);
        assert!(present(&tracker).is_empty());
    }

    #[test]
    fn a_participant_of_an_earlier_run_is_removed_unless_its_page_comes_back() {
        let tracker = Tracker::new(Clock::from_fn(|| 0.0));
        let position = |id| Position { id, lat: 1.0, lon: 2.0, accuracy: 3.0, time: 0.0 };
        tracker.restore([position(7), position(8)]);
        tracker.moved(7, HERE, Holder::Connection(1));
        assert!(tracker.expire(Instant::now()).is_some());
        tracker.expire(Instant::now() + RESTORED_GRACE);
        assert_eq!(present(&tracker), [7]);
    }

    #[test]
    fn what_was_reported_before_the_journal_was_read_is_newer() {
        let ann = session("ann");
        let tracker = shared_by(&ann);
        tracker.restore([Position { id: 7, lat: 80.0, lon: 2.0, accuracy: 3.0, time: 0.0 }]);
        let changes = tracker.take_changes();
        assert_eq!(changes[0].1.map(|position| position.lat), Some(HERE.lat));
    }
}
