//! The participants of the tracker, however they report and whichever way they watch: the endpoint `/tracker`, and the channel `tracker` with
//! its requests.
//!
//! Connections of `/tracker` are members of a group and get every change. The channel gets the latest position of each participant that has
//! changed, a step at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_companion_api::tracker::{
    ClientMessage, POSITIONS, Position, REPORT, Secret, ServerMessage, participant_id,
};
use everwire_server::broker::{BrokerError, SessionId};
use everwire_server::channels::{ChannelOptions, RequestContext, RequestError, SessionChange, SessionEvent};
use everwire_server::{Clock, Connection, Everwire, Group, Handler, Membership, Message};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::channels::StateChannel;
use crate::companion::Companion;
use crate::protocol::{SendJson, json};

/// How long a participant stays whose session has lost its connection. A page that is closed leaves where it can, and one that reconnects
/// is back sooner.
const GRACE: Duration = Duration::from_secs(15);

/// How long a participant stays that an earlier run of the server knew, until its page reports again. A page that has tried in vain for a
/// while makes an attempt every 30 s.
const RESTORED_GRACE: Duration = Duration::from_secs(60);

/// How long a participant that has moved waits for its next message, so that a crowd shares commits.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(20);

/// How long the channel waits for a broker that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const INVALID_COORDINATES: &str = "not a place on Earth: lat is -90 to 90, lon -180 to 180, accuracy is in metres";
const MISSING_SECRET: &str = "identify the participant by a secret of 16 to 128 characters";

/// The participants, for all connections and sessions.
#[derive(Debug)]
pub(crate) struct Tracker {
    group: Group<Participants>,
    clock: Clock,
    /// Notified when a participant, or the time of its removal, has changed.
    changed: Notify,
}

/// The state of the group.
#[derive(Debug, Default)]
struct Participants {
    present: BTreeMap<u64, Participant>,
    /// The participant that each session reports for.
    by_session: HashMap<SessionId, u64>,
    /// The participants that have changed since they were published.
    changed: BTreeSet<u64>,
}

/// A client that shares its position.
#[derive(Clone, Debug)]
struct Participant {
    position: Position,
    reporter: Reporter,
    /// When it is removed, unless its reporter comes back.
    expires: Option<Instant>,
}

/// What reported last. Only its end removes the participant: a connection that was lost and replaced ends later, by a timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reporter {
    /// The number of a connection in the group.
    Connection(u64),
    /// A session of the channels.
    Session(SessionId),
    /// A client of an earlier run of the server.
    Unknown,
}

/// A place on earth and the radius in metres of the circle around it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Coordinates {
    lat: f64,
    lon: f64,
    accuracy: f64,
}

impl Coordinates {
    /// `None` if it is not on earth.
    fn new(lat: f64, lon: f64, accuracy: f64) -> Option<Self> {
        let is_on_earth = lat.abs() <= 90.0 && lon.abs() <= 180.0 && accuracy >= 0.0 && accuracy.is_finite();
        is_on_earth.then_some(Self { lat, lon, accuracy })
    }
}

/// The id of the participant with this secret.
fn id_of(secret: &Secret) -> u64 {
    participant_id(&Sha256::digest(secret.as_str()).into())
}

impl Tracker {
    /// A tracker without participants.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { group: Group::new(Participants::default()), clock, changed: Notify::new() }
    }

    /// The connections that get every change.
    fn group(&self) -> &Group<Participants> {
        &self.group
    }

    /// Completes when a participant has changed since the last time.
    async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A participant is at this place.
    fn moved(&self, id: u64, coordinates: Coordinates, reporter: Reporter) {
        let Coordinates { lat, lon, accuracy } = coordinates;
        let position = Position { id, lat, lon, accuracy, time: self.clock.now_ms() };
        self.group.enqueue(|participants, _| {
            participants.insert(id, Participant { position, reporter, expires: None });
            Some(json(&ServerMessage::Position(position)))
        });
        self.changed.notify_one();
    }

    /// Makes a session report for this participant and no other.
    fn identify(&self, session: &SessionId, id: u64) {
        let before = self.group.with_state(|participants| participants.by_session.insert(session.clone(), id));
        if let Some(before) = before.filter(|before| *before != id) {
            self.remove_reported_by(before, &Reporter::Session(session.clone()));
        }
    }

    /// Removes a participant, whichever reporter it has.
    fn remove(&self, id: u64) {
        self.remove_if(id, |_| true);
    }

    /// Removes a participant, unless another reporter has reported for it since.
    fn remove_reported_by(&self, id: u64, reporter: &Reporter) {
        self.remove_if(id, |participant| participant.reporter == *reporter);
    }

    /// A session has lost its connection.
    fn detached(&self, session: &SessionId) {
        self.set_expiry(session, Some(Instant::now() + GRACE));
    }

    /// A session has a connection again.
    fn resumed(&self, session: &SessionId) {
        self.set_expiry(session, None);
    }

    /// A session is over.
    fn ended(&self, session: &SessionId) {
        if let Some(id) = self.group.with_state(|participants| participants.by_session.remove(session)) {
            self.remove_reported_by(id, &Reporter::Session(session.clone()));
        }
    }

    /// Adds the participants of an earlier run of the server.
    fn restore(&self, positions: impl IntoIterator<Item = Position>) {
        let expires = Some(Instant::now() + RESTORED_GRACE);
        for position in positions {
            self.group.update(|participants, _| {
                if participants.present.contains_key(&position.id) {
                    return None;
                }
                let participant = Participant { position, reporter: Reporter::Unknown, expires };
                participants.present.insert(position.id, participant);
                Some(json(&ServerMessage::Position(position)))
            });
        }
        self.changed.notify_one();
    }

    /// Removes those whose reporter has been away for too long. Returns when the next expires.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.group.with_state(|participants| participants.expired(now));
        for id in expired {
            self.remove_if(id, |participant| participant.expires.is_some_and(|at| at <= now));
        }
        next
    }

    /// The ids of those that have changed since the last time, each with its position if it still shares one.
    fn take_changes(&self) -> Vec<(u64, Option<Position>)> {
        self.group.with_state(|participants| {
            let changed = std::mem::take(&mut participants.changed).into_iter();
            changed.map(|id| (id, participants.present.get(&id).map(|participant| participant.position))).collect()
        })
    }

    /// Takes back changes that could not be published.
    fn return_changes(&self, ids: impl IntoIterator<Item = u64>) {
        self.group.with_state(|participants| participants.changed.extend(ids));
        self.changed.notify_one();
    }

    fn set_expiry(&self, session: &SessionId, expires: Option<Instant>) {
        let is_known = self.group.with_state(|participants| {
            let Some(id) = participants.by_session.get(session) else { return false };
            let participant = participants.present.get_mut(id);
            let own = participant.filter(|participant| participant.reporter == Reporter::Session(session.clone()));
            own.map(|participant| participant.expires = expires).is_some()
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
    fn positions(&self) -> Message {
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

/// `/tracker`: sends all positions to all clients. A participant that leaves is removed.
pub(crate) struct TrackerHandler {
    tracker: Arc<Tracker>,
    membership: Membership<Participants>,
    /// The participant that this connection reports for. It is only one, or each new secret would leave a position behind.
    id: u64,
}

impl TrackerHandler {
    pub(crate) fn new(tracker: &Arc<Tracker>, connection: &Connection) -> Self {
        let membership = tracker
            .group()
            .join(connection, |participants, id| vec![json(&ServerMessage::Welcome { id }), participants.positions()]);
        let id = membership.number();
        Self { tracker: Arc::clone(tracker), membership, id }
    }

    fn reporter(&self) -> Reporter {
        Reporter::Connection(self.membership.number())
    }

    /// Reports for the participant of `secret` from now on.
    fn identify(&mut self, secret: Option<Secret>) {
        let Some(id) = secret.map(|secret| id_of(&secret)).filter(|id| *id != self.id) else { return };
        self.tracker.remove_reported_by(self.id, &self.reporter());
        self.id = id;
        self.membership.connection().send(json(&ServerMessage::Welcome { id }));
    }
}

impl Handler for TrackerHandler {
    fn on_message(&mut self, message: Message) {
        let report = match &message {
            Message::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        match report {
            Some(ClientMessage::Leave { secret }) => {
                self.identify(secret);
                // Whichever connection reports for it: this one has proven the secret.
                self.tracker.remove(self.id);
                return;
            }
            Some(ClientMessage::Position { lat, lon, accuracy, secret }) => {
                if let Some(coordinates) = Coordinates::new(lat, lon, accuracy) {
                    self.identify(secret);
                    self.tracker.moved(self.id, coordinates, self.reporter());
                    return;
                }
            }
            None => {}
        }
        self.membership.connection().send_error(
            r#"send {"type":"position","lat":-90..90,"lon":-180..180,"accuracy":metres} or {"type":"leave"}; with "secret":"16 to 128 characters" you keep your id over a reconnect"#,
        );
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

impl Drop for TrackerHandler {
    fn drop(&mut self) {
        self.tracker.remove_reported_by(self.id, &self.reporter());
    }
}

/// What the channel keeps: the latest position of each participant, and none from before, as the page promises. So a page that reconnects
/// after a participant has moved gets everyone.
pub(crate) fn channel_options() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(0);
    options
}

/// Handles reports, and publishes the participants for as long as the server runs.
pub(crate) fn start(companion: &Companion) {
    let everwire = companion.everwire().clone();
    let tracker = Arc::clone(companion.tracker());
    {
        let tracker = Arc::clone(&tracker);
        everwire.on_request(REPORT, move |context, message| {
            let answer = handle_report(&tracker, &context, message);
            async move { answer }
        });
    }
    companion.spawn(async move { publish_positions(&everwire, &tracker).await });
}

/// Applies the change of a session that may report.
pub(crate) fn session_changed(tracker: &Tracker, event: &SessionEvent) {
    match event.change {
        SessionChange::Resumed => tracker.resumed(&event.session),
        SessionChange::Detached => tracker.detached(&event.session),
        SessionChange::Ended => tracker.ended(&event.session),
        _ => {}
    }
}

fn handle_report(tracker: &Tracker, context: &RequestContext, message: ClientMessage) -> Result<(), RequestError> {
    let identify = |secret: Option<Secret>| {
        let id = id_of(&secret.ok_or_else(|| RequestError::new(MISSING_SECRET))?);
        tracker.identify(&context.session, id);
        Ok(id)
    };
    match message {
        ClientMessage::Position { lat, lon, accuracy, secret } => {
            let coordinates =
                Coordinates::new(lat, lon, accuracy).ok_or_else(|| RequestError::new(INVALID_COORDINATES))?;
            tracker.moved(identify(secret)?, coordinates, Reporter::Session(context.session.clone()));
            tracker.group().flush();
        }
        ClientMessage::Leave { secret } => tracker.remove(identify(secret)?),
    }
    Ok(())
}

/// Publishes the participants that have changed, a step at a time.
async fn publish_positions(everwire: &Everwire, tracker: &Tracker) {
    let channel = StateChannel::new(everwire, &POSITIONS);
    while let Err(error) = restore_positions(&channel, tracker).await {
        tracing::warn!(%error, "the tracker's positions cannot be read");
        sleep(RETRY_AFTER).await;
    }
    loop {
        let next = tracker.expire(Instant::now());
        let changes = tracker.take_changes();
        if !changes.is_empty() {
            let ids: Vec<u64> = changes.iter().map(|(id, _)| *id).collect();
            let values = changes.into_iter().map(|(id, position)| (id.to_string(), position));
            if let Err(error) = channel.publish(values).await {
                tracing::warn!(%error, "positions of the tracker are not published");
                tracker.return_changes(ids);
                sleep(RETRY_AFTER).await;
            }
        }
        sleep(PUBLISH_INTERVAL).await;
        let expiry = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tracker.changed() => {}
            () = expiry => {}
        }
    }
}

/// Restores the participants of an earlier run of the server from the channel.
async fn restore_positions(channel: &StateChannel<Position>, tracker: &Tracker) -> Result<(), BrokerError> {
    let known = channel.read().await?;
    tracker.restore(known.into_iter().map(|(_, position)| position));
    Ok(())
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;

    const HERE: Coordinates = Coordinates { lat: 1.0, lon: 2.0, accuracy: 3.0 };

    fn session(name: &str) -> SessionId {
        SessionId::try_from(name).unwrap()
    }

    /// A tracker with a participant of a session.
    fn shared_by(session: &SessionId) -> Tracker {
        let tracker = Tracker::new(Clock::from_fn(|| 0.0));
        tracker.identify(session, 7);
        tracker.moved(7, HERE, Reporter::Session(session.clone()));
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
        tracker.moved(7, HERE, Reporter::Session(again.clone()));
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
        tracker.moved(7, HERE, Reporter::Connection(1));
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

    fn join(tracker: &Arc<Tracker>) -> (TrackerHandler, Recorder) {
        let recorder = Recorder::new();
        (TrackerHandler::new(tracker, recorder.connection()), recorder)
    }

    #[test]
    fn the_end_of_a_replaced_connection_removes_no_participant() {
        let tracker = Arc::new(Tracker::new(Clock::from_fn(|| 0.0)));
        let here = r#"{"type":"position","lat":1,"lon":2,"accuracy":3,"secret":"0123456789abcdef"}"#;
        let (mut lost, _) = join(&tracker);
        lost.on_message(Message::text(here));
        let (mut replacement, recorder) = join(&tracker);
        replacement.on_message(Message::text(here));
        replacement.on_batch_end();
        recorder.messages();
        drop(lost);
        assert_eq!(recorder.messages(), [], "no participant is reported to have left");
        let (late, recorder) = join(&tracker);
        assert!(recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "the participant is gone");
        drop((replacement, late));
        let (_late, recorder) = join(&tracker);
        assert!(!recorder.messages()[1].as_text().unwrap().contains(r#""lat":1"#), "a ghost is left");
    }
}
