/// After so many failed attempts, one without a subprotocol finds out whether the server is there.
const FAILURES_BEFORE_PROBE: u32 = 2;

/// Which attempts of a client offer the subprotocol, and whether the server speaks it.
///
/// A server that does not choose the offered subprotocol is a failed attempt in Chromium, like one that is not there, so an attempt
/// without subprotocols is made after two that failed. If that opens, the next attempt decides: a server that has started meanwhile
/// accepts it. Where a connection has succeeded before, nothing of this happens.
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
    /// In a row, while nothing is known of the server.
    failures: u32,
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Probe {
    /// Not needed so far.
    #[default]
    Idle,
    /// The next attempt, or the one under way, is without a subprotocol.
    Offering,
    /// It opened: if the next attempt fails, the server does not speak the subprotocol.
    Opened,
    /// The server speaks it.
    Done,
}

/// What follows from an open socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Negotiated {
    /// Lines can be sent.
    Accepted,
    /// The server is there. Another attempt has to show whether it speaks the subprotocol.
    TryAgain,
    /// The server does not speak the subprotocol.
    Refused,
}

impl Negotiation {
    /// Whether the next attempt offers the subprotocol.
    pub fn offers_subprotocol(&self) -> bool {
        self.probe != Probe::Offering
    }

    /// A socket opened, with the subprotocol or without.
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

    /// An attempt failed without a close frame, and `is_certain` says that the platform knows of a server that chose no subprotocol.
    /// Returns whether that proves that the server does not speak it.
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
            // The server is not there either without a subprotocol.
            Probe::Offering => *self = Self::default(),
            Probe::Opened => return true,
        }
        false
    }
}
