use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire_core::protocol::{MessageWriter, Payload, ServerLine};

use super::link::{Link, payload, to_message};
use crate::broker::{ChannelName, SessionId};
use crate::message::Message;

/// Which sessions are present in which channels. Sessions, and not connections: a reconnect changes nothing.
#[derive(Debug, Default)]
pub(super) struct Presence {
    channels: Mutex<HashMap<ChannelName, BTreeMap<SessionId, Present>>>,
}

#[derive(Debug)]
struct Present {
    shown: Option<Message>,
    /// Where the session learns of the others.
    link: Arc<Link>,
}

/// A session that is present in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentSession {
    /// The session.
    pub session: SessionId,
    /// The name of its user, while the server holds the session. Other clients do not see it.
    pub user: Option<Arc<str>>,
    /// What [`Identity::with_presence`](super::Identity::with_presence) shows of it.
    pub shown: Option<Message>,
}

impl Presence {
    /// A session is present, and learns on this connection who else is. The others learn of it unless they know.
    pub(super) fn enter(&self, channel: &ChannelName, session: &SessionId, shown: Option<Message>, link: &Arc<Link>) {
        let mut channels = self.channels();
        let present = channels.entry(channel.clone()).or_default();
        let before = present.insert(session.clone(), Present { shown: shown.clone(), link: Arc::clone(link) });
        let mut writer = MessageWriter::new(usize::MAX);
        let members = present.len() as u64;
        push(&mut writer, &ServerLine::Presence { channel: channel.as_str(), members }, Payload::None);
        for (session, Present { shown, .. }) in &*present {
            let join = ServerLine::Join { channel: channel.as_str(), session: session.as_str() };
            push(&mut writer, &join, payload(shown.as_ref()));
        }
        link.send_all(&mut writer);
        if before.is_none_or(|before| before.shown != shown) {
            let join = ServerLine::Join { channel: channel.as_str(), session: session.as_str() };
            send_to_others(present, session, &join, payload(shown.as_ref()));
        }
    }

    /// A session is not present any more.
    pub(super) fn leave(&self, channel: &ChannelName, session: &SessionId) {
        let mut channels = self.channels();
        let Some(present) = channels.get_mut(channel) else { return };
        if present.remove(session).is_none() {
            return;
        }
        let leave = ServerLine::Leave { channel: channel.as_str(), session: session.as_str() };
        send_to_others(present, session, &leave, Payload::None);
        if present.is_empty() {
            channels.remove(channel);
        }
    }

    /// The sessions that are present, by their ids, with what is shown of them.
    pub(super) fn list(&self, channel: &str) -> Vec<(SessionId, Option<Message>)> {
        let Ok(channel) = ChannelName::try_from(channel) else { return Vec::new() };
        let channels = self.channels();
        let present = channels.get(&channel).into_iter().flatten();
        present.map(|(session, Present { shown, .. })| (session.clone(), shown.clone())).collect()
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelName, BTreeMap<SessionId, Present>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a line, encoded once, to all that are present but one.
fn send_to_others(
    present: &BTreeMap<SessionId, Present>,
    but: &SessionId,
    line: &ServerLine<'_>,
    payload: Payload<'_>,
) {
    let mut writer = MessageWriter::new(usize::MAX);
    push(&mut writer, line, payload);
    let Some(lines) = writer.pop().map(to_message) else { return };
    for (_, Present { link, .. }) in present.iter().filter(|(session, _)| *session != but) {
        link.send_lines(&lines);
    }
}

fn push(writer: &mut MessageWriter, line: &ServerLine<'_>, payload: Payload<'_>) {
    if let Err(error) = writer.push(line, payload) {
        tracing::error!(%error, line = line.line_type(), "a line was not sent");
    }
}
