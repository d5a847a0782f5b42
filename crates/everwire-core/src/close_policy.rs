use alloc::{string::String, sync::Arc};
use core::fmt;

use crate::{Cause, terms::Judge};

/// What follows when a connection ended or an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Try again, spread out: the fault may have hit many clients at once.
    Retry,
    /// Try again soon: the fault is on this client's side.
    RetrySoon,
    /// Do not try again: it would fail the same way.
    Stop,
}

impl Verdict {
    /// What follows where no policy says otherwise; see [`ClosePolicy`]. `renews_credentials` says whether each attempt has
    /// credentials of its own; see [`ClosePolicy::renewing_credentials`].
    pub fn by_default<Text>(cause: &Cause<Text>, renews_credentials: bool) -> Self {
        match cause {
            Cause::Refused(_) => Self::Stop,
            Cause::Closed { code, .. } if is_final(*code, renews_credentials) => Self::Stop,
            Cause::Closed { local_fault: true, .. } | Cause::HeartbeatTimeout { .. } | Cause::NetworkChanged => {
                Self::RetrySoon
            }
            _ => Self::Retry,
        }
    }
}

/// Decides which endings are worth another attempt.
///
/// The default stops where the server has said that it is done (1000) or that it would refuse the same client again (1002,
/// 1003, 1007, 1008, 1009, 1010, 3000, 3003, and 4400 to 4499 but 4408 and 4429, which private protocols derive from the HTTP
/// statuses), and retries everything else; see [`Self::renewing_credentials`] for the two codes that depend on the credentials. A
/// policy is not asked about what the application or the page's life cycle did ([`Cause::Requested`], [`Cause::Suspended`]).
#[derive(Clone, Default)]
pub struct ClosePolicy {
    amend: Option<Arc<Amend>>,
    renews_credentials: bool,
}

type Amend = dyn Fn(&Cause, Verdict) -> Verdict + Send + Sync;

impl ClosePolicy {
    /// A policy of the application's own.
    pub fn new(judge: impl Fn(&Cause) -> Verdict + Send + Sync + 'static) -> Self {
        Self::amending(move |cause, _| judge(cause))
    }

    /// A policy that is told what the default would say, to change a case and keep the rest.
    pub fn amending(judge: impl Fn(&Cause, Verdict) -> Verdict + Send + Sync + 'static) -> Self {
        Self { amend: Some(Arc::new(judge)), renews_credentials: false }
    }

    /// The same for a connection whose credentials are new for each attempt, since a provider gives its address: the default
    /// then retries 3000 and 4401, by which a server says that it does not accept the credentials, such as a token that has
    /// expired. 1008 and the codes for what is forbidden (3003, 4403) stay final: another token of the same client changes nothing
    /// about a policy that it violates or a right that it lacks.
    pub fn renewing_credentials(self) -> Self {
        Self { renews_credentials: true, ..self }
    }

    /// What follows from this cause.
    pub fn judge(&self, cause: &Cause) -> Verdict {
        let verdict = Verdict::by_default(cause, self.renews_credentials);
        self.amend.as_ref().map_or(verdict, |judge| judge(cause, verdict))
    }
}

impl Judge<String> for ClosePolicy {
    fn judge(&self, cause: &Cause) -> Verdict {
        self.judge(cause)
    }
}

/// Whether a server that closed with this code would do so again (the registry of RFC 6455, section 7.4.1, and IANA's).
fn is_final(code: u16, renews_credentials: bool) -> bool {
    match code {
        // IANA's "Unauthorized", and the HTTP status of that name.
        3000 | 4401 => !renews_credentials,
        4408 | 4429 => false,
        1000 | 1002 | 1003 | 1007..=1010 | 3003 | 4400..=4499 => true,
        _ => false,
    }
}

impl fmt::Debug for ClosePolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClosePolicy")
            .field("renews_credentials", &self.renews_credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(code: u16) -> Verdict {
        ClosePolicy::default().judge(&Cause::closed(code, "", true))
    }

    #[test]
    fn what_would_fail_the_same_way_again_is_not_tried_again() {
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4400, 4401, 4403, 4404] {
            assert_eq!(judge(code), Verdict::Stop, "{code}");
        }
    }

    #[test]
    fn an_amended_policy_keeps_what_it_does_not_change() {
        let policy = ClosePolicy::amending(|cause, by_default| match cause {
            Cause::Closed { code: 4_404, .. } => Verdict::Retry,
            _ => by_default,
        });
        assert_eq!(policy.judge(&Cause::closed(4_404, "", true)), Verdict::Retry);
        assert_eq!(policy.judge(&Cause::closed(4_401, "", true)), Verdict::Stop);
        assert_eq!(policy.judge(&Cause::NetworkChanged), Verdict::RetrySoon);
    }

    #[test]
    fn credentials_that_were_refused_are_worth_another_attempt_where_that_has_others() {
        let policy = ClosePolicy::default().renewing_credentials();
        for code in [3000, 4401] {
            assert_eq!(policy.judge(&Cause::closed(code, "", true)), Verdict::Retry, "{code}");
        }
        for code in [1000, 1008, 3003, 4400, 4403, 4404] {
            assert_eq!(policy.judge(&Cause::closed(code, "", true)), Verdict::Stop, "{code}");
        }
    }

    #[test]
    fn an_amended_policy_is_told_what_the_default_says_of_credentials() {
        let policy = ClosePolicy::amending(|_, by_default| by_default).renewing_credentials();
        assert_eq!(policy.judge(&Cause::closed(4_401, "", true)), Verdict::Retry);
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4000, 4100, 4408, 4429, 4500] {
            assert_eq!(judge(code), Verdict::Retry, "{code}");
        }
    }
}
