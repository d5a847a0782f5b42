use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use everwire_core::protocol::{Cursor, GapReason};
use everwire_core::session;
use everwire_server::broker::{History, Page, PageLimits};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::payload::MessageJson;
use super::request::Valid;
use super::{Api, json};

/// The most bytes of the messages of a page.
const PAGE_BYTES: usize = 1 << 20;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    after: Option<String>,
    last: Option<u64>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct PageJson {
    channel: String,
    messages: Vec<MessageJson>,
    /// The position after the page, for the next one.
    cursor: String,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<GapJson>,
}

/// What is missing between `after` and the page.
#[derive(Debug, Serialize)]
struct GapJson {
    reason: &'static str,
    missed: Option<u64>,
}

/// `GET /api/channels/{channel}/messages`
pub(super) async fn messages(
    State(api): State<Api>,
    Valid(Path(channel)): Valid<Path<String>>,
    Valid(Query(query)): Valid<Query<HistoryQuery>>,
) -> Result<Response, ApiError> {
    let (channel, limits) = (api.channel(&channel)?, query.limits()?);
    let after = query.after()?;
    let broker = api.wire().broker();
    let history = broker.history(&channel, after.map_or(0, |after| after.offset)).await?;
    let start = match (after, query.last) {
        (Some(_), Some(_)) => return Err(ApiError::bad_request("give `after` or `last`, not both")),
        (Some(after), None) => after.offset,
        (None, Some(last)) => history.last.offset.saturating_sub(last).max(history.trimmed.offset),
        (None, None) => history.trimmed.offset,
    };
    let mut page = broker.read(&channel, start, limits).await?;
    let gap = after.and_then(|after| gap(after, &page.history, page.history.trimmed.offset, history.found));
    if matches!(&gap, Some(GapJson { missed: None, .. })) {
        // An offset of another history says nothing in this one.
        page = broker.read(&channel, page.history.trimmed.offset, limits).await?;
    }
    Ok(json(StatusCode::OK, &PageJson::new(channel.as_str(), &page, gap)))
}

/// `GET /api/channels/{channel}/state`
pub(super) async fn state(
    State(api): State<Api>,
    Valid(Path(channel)): Valid<Path<String>>,
    Valid(Query(query)): Valid<Query<HistoryQuery>>,
) -> Result<Response, ApiError> {
    let (channel, limits) = (api.state_channel(&channel)?, query.limits()?);
    let after = query.after()?;
    if query.last.is_some() {
        return Err(ApiError::bad_request(
            "`last` is a parameter of the messages; the state is the latest of each key",
        ));
    }
    let broker = api.wire().broker();
    let start = after.map_or(0, |after| after.offset);
    let history = broker.history(&channel, start).await?;
    let mut page = broker.read_state(&channel, start, limits).await?;
    let gap = after.and_then(|after| gap(after, &page.history, page.history.state_trimmed, history.found));
    if gap.is_some() {
        page = broker.read_state(&channel, 0, limits).await?;
    }
    Ok(json(StatusCode::OK, &PageJson::new(channel.as_str(), &page, gap)))
}

impl HistoryQuery {
    fn after(&self) -> Result<Option<Cursor>, ApiError> {
        let parse = |text: &str| {
            let error = "`after` is not a cursor; give one that the server has answered with, as it is";
            Cursor::parse(text).ok_or_else(|| ApiError::bad_request(error))
        };
        self.after.as_deref().map(parse).transpose()
    }

    fn limits(&self) -> Result<PageLimits, ApiError> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            count @ 1..=MAX_LIMIT => Ok(PageLimits { count, bytes: PAGE_BYTES }),
            _ => Err(ApiError::bad_request(format!("`limit` is from 1 to {MAX_LIMIT}"))),
        }
    }
}

/// What is not in the history any more of what follows this position.
fn gap(after: Cursor, history: &History, trimmed: u64, found: Option<Cursor>) -> Option<GapJson> {
    let now = session::History { trimmed, last: history.last };
    let found = found.filter(|found| found.epoch == history.epoch());
    let gap = now.gap_after(after, |offset| found.filter(|found| found.offset == offset).map(|found| found.time))?;
    Some(match gap.reason {
        GapReason::Trimmed => GapJson { reason: "trimmed", missed: Some(trimmed - after.offset) },
        _ => GapJson { reason: "rewritten", missed: None },
    })
}

impl PageJson {
    fn new(channel: &str, page: &Page, gap: Option<GapJson>) -> Self {
        let last = page.messages.last().filter(|_| !page.is_last).map_or(page.history.last, |message| message.cursor);
        Self {
            channel: channel.to_owned(),
            messages: page.messages.iter().map(|message| MessageJson::of(message)).collect(),
            cursor: last.to_string(),
            more: !page.is_last,
            gap,
        }
    }
}
