//! What each attempt offers: the subprotocol, and credentials for the first line.

use core::{fmt, future::Future, pin::Pin};
use std::sync::{Mutex, MutexGuard, PoisonError};

use everwire_core::{
    Protocols,
    protocol::SUBPROTOCOL,
    session::{self, Negotiated},
};

use crate::{
    Address, Attempt, Message,
    address::{AddressFuture, AddressSource},
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

#[cfg(target_family = "wasm")]
type CredentialsFuture = Pin<Box<dyn Future<Output = Result<Message, String>>>>;
#[cfg(not(target_family = "wasm"))]
type CredentialsFuture = Pin<Box<dyn Future<Output = Result<Message, String>> + Send>>;

#[cfg(target_family = "wasm")]
type ProvideCredentials = dyn Fn(Attempt) -> CredentialsFuture;
#[cfg(not(target_family = "wasm"))]
type ProvideCredentials = dyn Fn(Attempt) -> CredentialsFuture + Send + Sync;

/// The source of credentials.
#[derive(Clone)]
pub(super) struct CredentialsSource(Pointer<ProvideCredentials>);

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

/// What the attempts of a client share with its driver.
#[derive(Debug, Default)]
pub(super) struct Negotiation(Mutex<State>);

#[derive(Default)]
struct State {
    credentials: Option<Message>,
    /// Counts the attempts, so that credentials of an earlier one that come late are not taken for the latest.
    attempt: u64,
    machine: session::Negotiation,
}

impl Negotiation {
    /// The source of addresses that offers what this negotiation says.
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

    /// An attempt failed without a close frame, and `is_certain` says that the platform knows of a server that chose no subprotocol.
    /// Returns whether that proves that the server does not speak it.
    pub(super) fn failed(&self, is_certain: bool) -> bool {
        self.lock().machine.failed(is_certain)
    }

    fn begin(&self) -> (u64, Protocols) {
        let mut state = self.lock();
        state.attempt += 1;
        let protocols = if state.machine.offers_subprotocol() {
            // The name is a token, so that it can be offered.
            Protocols::new([SUBPROTOCOL]).unwrap_or_default()
        } else {
            Protocols::default()
        };
        (state.attempt, protocols)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Credentials are left out.
impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("State").field("machine", &self.machine).finish_non_exhaustive()
    }
}
