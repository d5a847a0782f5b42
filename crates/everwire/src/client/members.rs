//! Who is present in a channel.

use crate::{Message, threads::Pointer};

/// A session that is present in a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    session: Pointer<str>,
    info: Option<Pointer<Message>>,
}

impl Member {
    pub(super) fn new(session: &str, info: Option<Message>) -> Self {
        Self { session: session.into(), info: info.map(Pointer::new) }
    }

    /// The id of the session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What the server's rules say about the session, if anything.
    pub fn info(&self) -> Option<&Message> {
        self.info.as_deref()
    }
}

/// The sessions that are present in a channel, as the lines of the server report them.
#[derive(Debug, Default)]
pub(super) struct MemberList {
    current: Vec<Member>,
    /// While the whole list is being received: how many are missing, and those that have arrived.
    arriving: Option<(u64, Vec<Member>)>,
}

impl MemberList {
    pub(super) fn current(&self) -> Vec<Member> {
        self.current.clone()
    }

    /// The whole list follows. Returns whether the members have changed.
    pub(super) fn expect(&mut self, members: u64) -> bool {
        self.arriving = Some((members, Vec::new()));
        self.finish_list()
    }

    pub(super) fn join(&mut self, member: Member) -> bool {
        if let Some((missing, arrived)) = &mut self.arriving {
            *missing = missing.saturating_sub(1);
            put(arrived, member);
            return self.finish_list();
        }
        put(&mut self.current, member)
    }

    pub(super) fn leave(&mut self, session: &str) -> bool {
        let before = self.current.len();
        self.current.retain(|member| &*member.session != session);
        self.current.len() != before
    }

    /// A complete list replaces the previous one. The same list again, after a reconnect, is no change.
    fn finish_list(&mut self) -> bool {
        let Some((_, mut arrived)) = self.arriving.take_if(|(missing, _)| *missing == 0) else { return false };
        core::mem::swap(&mut self.current, &mut arrived);
        self.current != arrived
    }
}

/// Puts a member into a list, in the order of the sessions. Returns whether the list has changed.
fn put(members: &mut Vec<Member>, member: Member) -> bool {
    match members.binary_search_by(|other| other.session.cmp(&member.session)) {
        Ok(index) if members[index] == member => return false,
        Ok(index) => members[index] = member,
        Err(index) => members.insert(index, member),
    }
    true
}
