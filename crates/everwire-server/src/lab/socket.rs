use std::net::IpAddr;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use super::log::Subscription;
use super::meter::Account;
use super::source;
use crate::Everwire;
use crate::connection::OutboundQueue;
use crate::endpoints::Opening;
use crate::handler::Handler;
use crate::handshake_error::HandshakeError;
use crate::query::Query;

/// `/lab/socket`: a feed, or with `call` nothing but the answers to what the client says.
pub(super) struct LabHandler {
    outbound: Arc<OutboundQueue>,
    account: Option<Arc<Account>>,
    /// The bytes of the first message, if it only says where the feed begins and so is no payload. None once it is written.
    beginning: Option<u64>,
    _subscription: Option<Subscription>,
}

/// Reads what the client wants to hear.
pub(crate) fn prepare(everwire: &Everwire, query: &Query, address: Option<IpAddr>) -> Result<Opening, HandshakeError> {
    let account = query.text("account").and_then(|name| everwire.lab().account(name));
    let log = if query.text("call").is_some() { None } else { Some(source::log(everwire, query, address)?) };
    let after = query.text("after").map(|_| query.number("after", 0..=u64::MAX, 0)).transpose()?;
    Ok(Box::new(move |outbound| {
        let subscribed = log.map(|log| log.subscribe(outbound, after));
        let (subscription, beginning) = subscribed.unzip();
        let beginning = beginning.flatten().map(|beginning| beginning.text().len() as u64);
        Box::new(LabHandler { outbound: Arc::clone(outbound), account, beginning, _subscription: subscription })
    }))
}

impl Handler for LabHandler {
    fn on_message(&mut self, message: Message) {
        if let Some(account) = &self.account {
            account.heard(message.len());
        }
        self.outbound.send(message);
    }

    fn on_written(&mut self, mut messages: u64, mut payload: u64) {
        if let Some(beginning) = self.beginning.take_if(|_| messages > 0) {
            messages -= 1;
            payload = payload.saturating_sub(beginning);
        }
        if let Some(account) = &self.account {
            account.wrote(messages, payload);
        }
    }
}
