//! The chat: its rooms, who wrote what, and pages of older messages.

use std::sync::Arc;
use std::time::Duration;

use everwire_companion_api::chat::{
    Author, HISTORY, HistoryPage, HistoryRequest, MESSAGE_BYTES, Message, PAGE_MESSAGES, ROOMS, Stored, Typing,
    channel_name, is_room_name,
};
use everwire_companion_api::server::Visitor;
use everwire_server::Channel;
use everwire_server::broker::{Broker, BrokerError, ChannelName, PageLimits, Retention};
use everwire_server::channels::{ChannelError, ChannelOptions, ClientPublish, Denied, Identity, RequestError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tokens::{BAD_NAME, is_name};
use crate::companion::Companion;
use crate::protocol::to_json;

/// How many messages a room keeps, and for how long.
const ROOM_MESSAGES: u64 = 10_000;
const ROOM_BYTES: u64 = 16 << 20;
const ROOM_AGE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The largest typing notice, in bytes.
const TYPING_BYTES: usize = 1 << 10;

/// The greatest size of a page's messages together, in bytes. It is well below what a client accepts in one message.
const PAGE_BYTES: usize = 256 << 10;

/// The first line of an empty lobby.
const WELCOME: &str = "Welcome! Open this page a second time, or on your phone, and talk across. Then break the connection, \
                       or kill the server: nothing is lost, and nothing comes twice.";

/// The retention and the limits of a room.
pub(super) fn room_options() -> ChannelOptions {
    let mut options = ChannelOptions::default();
    options.retention = Retention::stream().with_count(ROOM_MESSAGES).with_bytes(ROOM_BYTES).with_age(ROOM_AGE);
    options.message_bytes = MESSAGE_BYTES;
    options
}

/// Typing notices are not kept, since only present clients need them.
pub(super) fn typing_options() -> ChannelOptions {
    let mut options = ChannelOptions::default();
    options.retention = Retention::stream().with_count(0);
    options.message_bytes = TYPING_BYTES;
    options.has_history = false;
    options
}

/// A client's publication that has an author.
pub(super) trait HasAuthor: Serialize + DeserializeOwned {
    fn author_mut(&mut self) -> &mut Author;
}

impl HasAuthor for Message {
    fn author_mut(&mut self) -> &mut Author {
        &mut self.author
    }
}

impl HasAuthor for Typing {
    fn author_mut(&mut self) -> &mut Author {
        &mut self.author
    }
}

/// Sets the author of what a client publishes, so that no visitor can impersonate another: the visitor of the client's token, or without
/// a token the session, under the name that the client gives.
pub(super) fn set_author<T: HasAuthor>(identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
    let text = publish.payload.as_ref().and_then(|payload| payload.as_text());
    let published = text.and_then(|text| serde_json::from_str::<T>(text).ok());
    let mut published = published.ok_or_else(|| Denied::new("not a message of the chat"))?;
    let author = published.author_mut();
    match identity.data::<Visitor>() {
        Some(Visitor { name, user }) => *author = Author { id: user.clone(), name: name.clone() },
        None if is_name(&author.name) => publish.session.as_str().clone_into(&mut author.id),
        None => return Err(Denied::new(BAD_NAME)),
    }
    publish.payload = Some(to_json(&published).into());
    Ok(())
}

/// Answers requests for history, and welcomes the first visitor.
pub(super) fn start(companion: &Companion) {
    let broker = Arc::clone(companion.everwire().broker());
    companion.everwire().on_request(HISTORY, move |_, request: HistoryRequest| {
        let broker = Arc::clone(&broker);
        async move { history(&*broker, &request).await }
    });
    companion.spawn({
        let companion = companion.clone();
        async move {
            if let Err(error) = welcome(&companion).await {
                tracing::warn!(%error, "the lobby of the chat has no welcome");
            }
        }
    });
}

async fn welcome(companion: &Companion) -> Result<(), ChannelError> {
    let lobby = channel_name(ROOMS[0]);
    let history = companion.everwire().broker().history(&ChannelName::try_from(&*lobby)?, 0).await?;
    if history.is_empty() {
        let author = Author { id: "everwire".to_owned(), name: "Everwire".to_owned() };
        // The id of each message of an author differs from the others.
        let message = Message { id: format!("welcome-{}", history.last.offset), author, text: WELCOME.to_owned() };
        companion.everwire().publish(&Channel::named(lobby), &message).await?;
    }
    Ok(())
}

/// A page of messages before an offset, oldest first.
async fn history(broker: &dyn Broker, request: &HistoryRequest) -> Result<HistoryPage, RequestError> {
    let HistoryRequest { room, before, limit } = request;
    if !is_room_name(room) {
        return Err(RequestError::new("not a valid name of a room: use letters, digits, - and _, at most 32 bytes"));
    }
    if !(1..=PAGE_MESSAGES).contains(limit) {
        return Err(RequestError::new(format!("limit: use a number from 1 to {PAGE_MESSAGES}")));
    }
    let channel = ChannelName::try_from(&*channel_name(room)).map_err(|error| RequestError::new(error.to_string()))?;
    read(broker, &channel, *before, *limit as usize).await.map_err(|error| {
        tracing::warn!(%error, room, "the history of a room cannot be read");
        RequestError::new("the history cannot be read at the moment: try again later")
    })
}

async fn read(
    broker: &dyn Broker,
    channel: &ChannelName,
    before: Option<u64>,
    limit: usize,
) -> Result<HistoryPage, BrokerError> {
    let limits = PageLimits { count: limit, bytes: PAGE_BYTES };
    let page = broker.read_before(channel, before.unwrap_or(u64::MAX), limits).await?;
    let stored = page.messages.iter().map(|message| Stored {
        offset: message.cursor.offset,
        time: message.cursor.time,
        message: message.payload.as_ref().and_then(|payload| serde_json::from_slice(payload.as_bytes()).ok()),
    });
    let history = page.history;
    Ok(HistoryPage {
        epoch: format!("{:x}", history.epoch()),
        first: history.trimmed.offset + 1,
        last: history.last.offset,
        messages: stored.collect(),
    })
}

#[cfg(test)]
mod tests {
    use everwire_server::broker::{Memory, Publication};

    use super::*;

    /// A room with `messages` messages, of which the latest `kept` are kept.
    async fn room(messages: u64, kept: u64, text: &str) -> (Memory, ChannelName) {
        let broker = Memory::default();
        let channel = ChannelName::try_from("chat/room").unwrap();
        for number in 1..=messages {
            let author = Author { id: "ada".to_owned(), name: "Ada".to_owned() };
            let message = Message { id: number.to_string(), author, text: text.to_owned() };
            let publication = Publication::new(channel.clone(), serde_json::to_string(&message).unwrap());
            let retention = room_options().retention.with_count(kept);
            broker.publish(publication.with_retention(retention)).await.unwrap();
        }
        (broker, channel)
    }

    fn request(before: Option<u64>, limit: u32) -> HistoryRequest {
        HistoryRequest { room: "room".to_owned(), before, limit }
    }

    fn offsets(page: &HistoryPage) -> Vec<u64> {
        page.messages.iter().map(|stored| stored.offset).collect()
    }

    /// The offsets of all pages from the latest to the oldest, and how many pages there were.
    async fn scroll(broker: &Memory, limit: u32) -> (Vec<u64>, usize) {
        let (mut all, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = history(broker, &request(before, limit)).await.unwrap();
            let Some(first) = page.messages.first() else { return (all, pages) };
            let mut page_offsets = offsets(&page);
            assert_eq!(page_offsets.last(), Some(&before.map_or(page.last, |before| before - 1)), "they meet");
            before = Some(first.offset);
            page_offsets.append(&mut all);
            all = page_offsets;
            pages += 1;
        }
    }

    #[tokio::test]
    async fn pages_meet_exactly() {
        let (broker, _) = room(1_000, 1_000, "x").await;
        for limit in [1, 7, 200] {
            let (offsets, pages) = scroll(&broker, limit).await;
            assert_eq!(offsets, (1..=1_000).collect::<Vec<_>>());
            assert_eq!(pages, 1_000_usize.div_ceil(limit as usize));
        }
    }

    #[tokio::test]
    async fn large_messages_come_in_smaller_pages_that_meet_too() {
        let (broker, _) = room(100, 100, &"x".repeat(20_000)).await;
        let (offsets, pages) = scroll(&broker, 100).await;
        assert_eq!(offsets, (1..=100).collect::<Vec<_>>());
        assert!((8..=10).contains(&pages), "{pages}");
    }

    #[tokio::test]
    async fn a_page_says_what_the_room_still_has() {
        let (broker, _) = room(100, 30, "x").await;
        let page = history(&broker, &request(Some(75), 50)).await.unwrap();
        assert_eq!((page.first, page.last, offsets(&page)), (71, 100, (71..=74).collect()));
        let page = history(&broker, &request(Some(71), 50)).await.unwrap();
        assert_eq!((page.first, offsets(&page)), (71, vec![]));
    }

    #[tokio::test]
    async fn a_room_without_messages_has_an_empty_page() {
        let (broker, channel) = room(0, 10, "").await;
        let page = history(&broker, &request(None, 50)).await.unwrap();
        assert_eq!((page.first, page.last, offsets(&page)), (1, 0, vec![]));
        let epoch = broker.history(&channel, 0).await.unwrap().epoch();
        assert_eq!(page.epoch, format!("{epoch:x}"));
        for before in [0, 1, u64::MAX] {
            assert!(history(&broker, &request(Some(before), 50)).await.unwrap().messages.is_empty());
        }
    }

    #[tokio::test]
    async fn an_invalid_message_keeps_its_offset() {
        let (broker, channel) = room(1, 10, "x").await;
        broker
            .publish(Publication::new(channel.clone(), "not JSON").with_retention(room_options().retention))
            .await
            .unwrap();
        let page = history(&broker, &request(None, 50)).await.unwrap();
        let are_messages: Vec<_> = page.messages.iter().map(|stored| stored.message.is_some()).collect();
        assert_eq!(are_messages, [true, false]);
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_answered_says_what_to_change() {
        let (broker, _) = room(1, 10, "x").await;
        for limit in [0, PAGE_MESSAGES + 1] {
            let error = history(&broker, &request(None, limit)).await.unwrap_err();
            assert_eq!(error.to_string(), "limit: use a number from 1 to 200");
        }
        let other = HistoryRequest { room: "lobby/typing".to_owned(), ..request(None, 1) };
        let error = history(&broker, &other).await.unwrap_err();
        assert!(error.to_string().starts_with("not a valid name of a room"), "{error}");
    }
}
