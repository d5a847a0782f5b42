//! What each attempt of a client offers the server: the subprotocol, and credentials.

use core::{fmt, future::Future};
use std::sync::{Mutex, MutexGuard, PoisonError};

use everwire_core::{
    Protocols,
    protocol::SUBPROTOCOL,
    session::{self, Negotiated},
};

use crate::{
    Address, Attempt, Message,
    builder::{AddressFuture, AddressSource},
    threads::{BoxFuture, MaybeSend, MaybeSendSync, Pointer, shared_dyn},
};

type CredentialsFuture = BoxFuture<Result<Message, String>>;

/// Provides the credentials of each attempt.
#[derive(Clone)]
pub(super) struct CredentialsSource(Pointer<shared_dyn!(Fn(Attempt) -> CredentialsFuture)>);

impl CredentialsSource {
    pub(super) fn new<F, Fut, C, E>(provide: F) -> Self
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<C, E>> + MaybeSend + 'static,
        C: Into<Message>,
        E: fmt::Display,
    {
        Self(Pointer::new(move |attempt| -> CredentialsFuture {
            let credentials = provide(attempt);
            Box::pin(async move { credentials.await.map(Into::into).map_err(|error| error.to_string()) })
        }))
    }
}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("provider")
    }
}

/// Subprotocol and credentials of an attempt, shared by the source of addresses, which starts it, and the driver.
#[derive(Debug, Default)]
pub(super) struct Negotiation(Mutex<NegotiationState>);

#[derive(Default)]
struct NegotiationState {
    credentials: Option<Message>,
    /// Counts the attempts, so that late credentials of an earlier one do not replace those of the latest.
    attempt: u64,
    machine: session::Negotiation,
}

impl Negotiation {
    /// Wraps a source of addresses, so that each attempt offers the subprotocol and requests credentials.
    pub(super) fn source(
        negotiation: &Pointer<Self>,
        address: AddressSource,
        credentials: Option<CredentialsSource>,
    ) -> AddressSource {
        let negotiation = Pointer::clone(negotiation);
        AddressSource::Provider(Pointer::new(move |attempt| -> AddressFuture {
            let address: AddressFuture = match &address {
                AddressSource::Fixed(url) => Box::pin(core::future::ready(Ok(Address::from(url.as_str())))),
                AddressSource::Provider(provide) => provide(attempt),
            };
            let credentials = credentials.as_ref().map(|source| source.0(attempt));
            let (number, protocols) = negotiation.begin();
            let negotiation = Pointer::clone(&negotiation);
            Box::pin(async move {
                let address = address.await?;
                if let Some(credentials) = credentials {
                    let credentials = credentials.await?;
                    let mut state = negotiation.lock();
                    if state.attempt == number {
                        state.credentials = Some(credentials).filter(|credentials| !credentials.is_empty());
                    }
                }
                Ok(address.protocols(protocols))
            })
        }))
    }

    pub(super) fn set_credentials(&self, credentials: Option<Message>) {
        self.lock().credentials = credentials;
    }

    pub(super) fn credentials(&self) -> Option<Message> {
        self.lock().credentials.clone()
    }

    /// A socket opened with this subprotocol.
    pub(super) fn opened(&self, protocol: &str) -> Negotiated {
        self.lock().machine.opened(protocol == SUBPROTOCOL)
    }

    /// An attempt failed without a close frame. `is_certain`: the platform reported that the server chose no subprotocol. Returns
    /// whether that proves that the server does not support it.
    pub(super) fn failed(&self, is_certain: bool) -> bool {
        self.lock().machine.failed(is_certain)
    }

    fn begin(&self) -> (u64, Protocols) {
        let mut state = self.lock();
        state.attempt += 1;
        let protocols = if state.machine.offers_subprotocol() {
            // The name is a valid token.
            Protocols::new([SUBPROTOCOL]).unwrap_or_default()
        } else {
            Protocols::default()
        };
        (state.attempt, protocols)
    }

    fn lock(&self) -> MutexGuard<'_, NegotiationState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Omits credentials.
impl fmt::Debug for NegotiationState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NegotiationState").field("machine", &self.machine).finish_non_exhaustive()
    }
}
