use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use everwire_server::{Connection, Handler, HandshakeError, Message};

use super::log::Subscription;
use super::meter::{Account, Meter};
use super::request::{self, bill};
use crate::companion::Companion;
use crate::upgrade::UpgradeRequest;

/// `/lab/socket`: sends a feed and echoes the client's messages; with `call`, only the echo.
pub(super) struct LabHandler {
    connection: Connection,
    account: Option<Arc<Account>>,
    /// The size of the first message, if it only says where the feed starts and so is not payload. `None` once it has been written.
    start: Option<u64>,
    _subscription: Option<Subscription>,
}

/// Accepts a handshake with the feed or the calls that the client selects. The stream keeps its meter, since the lab counts bytes.
pub(crate) async fn open(
    State(companion): State<Companion>,
    meter: Option<Extension<Arc<Meter>>>,
    UpgradeRequest { upgrade, query }: UpgradeRequest,
) -> Result<Response, HandshakeError> {
    let account = bill(&companion, meter.as_deref(), &query, true);
    let log = match query.text("call") {
        Some(_) => None,
        None => Some(request::log(&companion, &query, upgrade.peer_address())?),
    };
    let after = request::after(&query)?;
    Ok(upgrade.observe().accept(move |connection| {
        let subscribed = log.map(|log| log.subscribe(connection, after));
        let (subscription, start) = subscribed.unzip();
        let start = start.flatten().map(|start| start.text().len() as u64);
        LabHandler { connection: connection.clone(), account, start, _subscription: subscription }
    }))
}

impl Handler for LabHandler {
    fn on_message(&mut self, message: Message) {
        if let Some(account) = &self.account {
            account.received(message.len());
        }
        self.connection.send(message);
    }

    fn on_written(&mut self, mut messages: u64, mut payload: u64) {
        if let Some(start) = self.start.take_if(|_| messages > 0) {
            messages -= 1;
            payload = payload.saturating_sub(start);
        }
        if let Some(account) = &self.account {
            account.wrote(messages, payload);
        }
    }
}
