//! The negotiation of the subprotocol by a client.

/// After so many failed attempts, one without a subprotocol finds out whether the server is reachable.
const FAILURES_BEFORE_PROBE: u32 = 2;

/// Decides which attempts of a client offer the subprotocol, and whether the server speaks it.
///
/// In Chromium, a server that does not choose the offered subprotocol looks like one that is not reachable: the attempt fails. So after two
/// failures the client makes an attempt without subprotocols. If that opens, the next attempt decides: a server that has merely started
/// meanwhile accepts it. After a first success, the client makes no such attempts.
///
/// ```
/// use everwire_core::session::{Negotiated, Negotiation};
///
/// let mut negotiation = Negotiation::default();
/// assert!(negotiation.offers_subprotocol() && !negotiation.failed(false) && !negotiation.failed(false));
/// assert!(!negotiation.offers_subprotocol());
/// assert_eq!(negotiation.opened(false), Negotiated::TryAgain);
/// assert!(negotiation.offers_subprotocol() && negotiation.failed(false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Negotiation {
    /// Failed attempts in a row, while nothing is known about the server.
    failures: u32,
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Probe {
    /// Not needed so far.
    #[default]
    Idle,
    /// The next attempt, or the one in progress, is without a subprotocol.
    Offering,
    /// It opened: if the next attempt fails, the server does not speak the subprotocol.
    Opened,
    /// The server speaks it.
    Done,
}

/// What an open socket says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Negotiated {
    /// Lines can be sent.
    Accepted,
    /// The server is reachable. Another attempt has to show whether it speaks the subprotocol.
    TryAgain,
    /// The server does not speak the subprotocol.
    Refused,
}

impl Negotiation {
    /// Whether the next attempt offers the subprotocol.
    pub fn offers_subprotocol(&self) -> bool {
        self.probe != Probe::Offering
    }

    /// Reports an open socket, with the subprotocol or without.
    pub fn opened(&mut self, is_accepted: bool) -> Negotiated {
        if is_accepted {
            self.probe = Probe::Done;
            Negotiated::Accepted
        } else if self.probe == Probe::Offering {
            self.probe = Probe::Opened;
            Negotiated::TryAgain
        } else {
            Negotiated::Refused
        }
    }

    /// Reports an attempt that failed without a close frame. `is_certain` says that the platform saw the server choose no subprotocol.
    /// Returns whether the failure proves that the server does not speak it.
    pub fn failed(&mut self, is_certain: bool) -> bool {
        match self.probe {
            Probe::Done => {}
            _ if is_certain => return true,
            Probe::Idle => {
                self.failures += 1;
                if self.failures >= FAILURES_BEFORE_PROBE {
                    self.probe = Probe::Offering;
                }
            }
            // The server is not reachable without a subprotocol either.
            Probe::Offering => *self = Self::default(),
            Probe::Opened => return true,
        }
        false
    }
}
