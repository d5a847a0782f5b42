use core::fmt;

use everwire_core::{Decision, ReconnectRules};

use crate::{
    Cause,
    threads::{MaybeSendSync, Pointer},
};

/// Decides which losses are worth another attempt.
///
/// The default stops where the server has said that it is done (1000) or that it would refuse the same client again (1002,
/// 1003, 1007, 1008, 1009, 1010, 3000, 3003, and 4400 to 4499 but 4408 and 4429, which private protocols derive from the HTTP
/// statuses), and retries everything else; see [`Self::renewing_credentials`] for the two codes that depend on the credentials. A
/// policy is not asked about what the application or the page's life cycle caused ([`Cause::Requested`], [`Cause::Suspended`]), nor
/// where no retries are left.
///
/// ```
/// use everwire::{Cause, Decision, ReconnectPolicy, Socket};
///
/// let policy = ReconnectPolicy::amending(|cause, default| match cause {
///     Cause::Closed { code: 4404, .. } => Decision::Retry, // the room may be created again
///     _ => default,
/// });
/// let builder = Socket::builder("wss://example.org/room").reconnect_policy(policy);
/// ```
#[derive(Clone, Default)]
pub struct ReconnectPolicy {
    amend: Option<Pointer<Amend>>,
    renews_credentials: bool,
}

#[cfg(target_family = "wasm")]
type Amend = dyn Fn(&Cause, Decision) -> Decision;
#[cfg(not(target_family = "wasm"))]
type Amend = dyn Fn(&Cause, Decision) -> Decision + Send + Sync;

impl ReconnectPolicy {
    /// A policy of the application's own.
    pub fn new(decide: impl Fn(&Cause) -> Decision + MaybeSendSync + 'static) -> Self {
        Self::amending(move |cause, _| decide(cause))
    }

    /// A policy that receives the default's decision, to change a case and keep the rest.
    pub fn amending(decide: impl Fn(&Cause, Decision) -> Decision + MaybeSendSync + 'static) -> Self {
        Self { amend: Some(Pointer::new(decide)), renews_credentials: false }
    }

    /// The same for a connection with new credentials for each attempt, since a provider gives its address: the default
    /// then retries 3000 and 4401, by which a server says that it does not accept the credentials, such as an expired token. 1008 and
    /// the codes for what is forbidden (3003, 4403) stay final: another token of the same client does not change a policy that it
    /// violates or a right that it lacks.
    #[must_use]
    pub fn renewing_credentials(self) -> Self {
        Self { renews_credentials: true, ..self }
    }

    /// What follows from this cause.
    pub fn decide(&self, cause: &Cause) -> Decision {
        let (cause_of_core, _) = cause.clone().split();
        self.amended(cause, self.rules().default_decision(&cause_of_core))
    }

    /// What follows from this cause, for which the core's rules say `default`.
    pub(crate) fn amended(&self, cause: &Cause, default: Decision) -> Decision {
        match (&self.amend, cause) {
            (Some(amend), cause) if !matches!(cause, Cause::Requested | Cause::Suspended) => amend(cause, default),
            _ => default,
        }
    }

    /// What the core has to know.
    pub(crate) fn rules(&self) -> ReconnectRules {
        ReconnectRules { renews_credentials: self.renews_credentials, asks_application: self.amend.is_some() }
    }
}

impl fmt::Debug for ReconnectPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReconnectPolicy")
            .field("renews_credentials", &self.renews_credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16) -> Cause {
        Cause::closed(code, "", true)
    }

    #[test]
    fn an_amended_policy_keeps_what_it_does_not_change() {
        let policy = ReconnectPolicy::amending(|cause, default| match cause {
            Cause::Closed { code: 4_404, .. } => Decision::Retry,
            _ => default,
        });
        assert_eq!(policy.decide(&closed(4_404)), Decision::Retry);
        assert_eq!(policy.decide(&closed(4_401)), Decision::Stop);
        assert_eq!(policy.decide(&Cause::NetworkChanged), Decision::RetrySoon);
    }

    #[test]
    fn an_amended_policy_receives_what_the_default_says_about_credentials() {
        let policy = ReconnectPolicy::amending(|_, default| default).renewing_credentials();
        assert_eq!(policy.decide(&closed(4_401)), Decision::Retry);
        assert_eq!(ReconnectPolicy::default().decide(&closed(4_401)), Decision::Stop);
    }

    #[test]
    fn a_policy_is_not_asked_about_what_the_application_or_the_page_caused() {
        let policy = ReconnectPolicy::new(|_| Decision::Stop);
        assert_eq!(policy.decide(&Cause::ConnectTimeout), Decision::Stop);
        for cause in [Cause::Requested, Cause::Suspended] {
            assert_eq!(policy.decide(&cause), Decision::Retry);
        }
    }
}
