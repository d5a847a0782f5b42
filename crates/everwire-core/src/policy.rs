use crate::{Decision, DropCause};

/// Which losses are worth another attempt.
///
/// The default stops where the server has said that it is done (1000) or that it would refuse the same client again (1002,
/// 1003, 1007, 1008, 1009, 1010, 3000, 3003, and 4400 to 4499 but 4408 and 4429, which private protocols derive from the HTTP
/// statuses), and retries everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReconnectRules {
    /// Each attempt has new credentials, since a provider gives its address. The default then retries 3000 and 4401, by which a server
    /// says that it does not accept the credentials, such as an expired token. 1008 and the codes for what is forbidden (3003, 4403)
    /// stay final: another token of the same client does not change a policy that it violates or a right that it lacks.
    pub renews_credentials: bool,
    /// The application decides, asked by [`Action::Decide`](crate::Action::Decide). It is not asked about
    /// [`DropCause::Requested`], and not where the retries are exhausted.
    pub asks_application: bool,
}

impl ReconnectRules {
    /// What follows where the application does not decide otherwise.
    pub fn default_decision(self, cause: &DropCause) -> Decision {
        match cause {
            DropCause::AddressRefused => Decision::Stop,
            DropCause::Closed { code, .. } if self.is_final(*code) => Decision::Stop,
            DropCause::Closed { local_fault: true, .. }
            | DropCause::HeartbeatTimeout { .. }
            | DropCause::NetworkChanged => Decision::RetrySoon,
            _ => Decision::Retry,
        }
    }

    /// Whether a server that closed with this code would do so again (the registry of RFC 6455, section 7.4.1, and IANA's).
    fn is_final(self, code: u16) -> bool {
        match code {
            // IANA's "Unauthorized", and the HTTP status of that name.
            3000 | 4401 => !self.renews_credentials,
            4408 | 4429 => false,
            1000 | 1002 | 1003 | 1007..=1010 | 3003 | 4400..=4499 => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_close(rules: ReconnectRules, code: u16) -> Decision {
        rules.default_decision(&DropCause::closed(code, true))
    }

    #[test]
    fn codes_that_would_fail_the_same_way_again_stop() {
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4400, 4401, 4403, 4404] {
            assert_eq!(after_close(ReconnectRules::default(), code), Decision::Stop, "{code}");
        }
    }

    #[test]
    fn transient_codes_are_retried() {
        for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4000, 4100, 4408, 4429, 4500] {
            assert_eq!(after_close(ReconnectRules::default(), code), Decision::Retry, "{code}");
        }
    }

    #[test]
    fn refused_credentials_are_retried_where_each_attempt_has_new_ones() {
        let rules = ReconnectRules { renews_credentials: true, ..ReconnectRules::default() };
        for code in [3000, 4401] {
            assert_eq!(after_close(rules, code), Decision::Retry, "{code}");
        }
        for code in [1000, 1008, 3003, 4400, 4403, 4404] {
            assert_eq!(after_close(rules, code), Decision::Stop, "{code}");
        }
    }
}
