//! Which clients may use which channels.

use std::collections::HashMap;

use everwire_server::broker::{ChannelName, HistoryKind};
use everwire_server::channels::{Action, ChannelOptions, Identity};

/// The rules of all channels. The most specific one holds: that of the channel's own name, or else the one with the longest prefix.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    exact: HashMap<String, Rule>,
    /// The longest first.
    prefixes: Vec<(String, Rule)>,
}

/// What may be done with a channel, and what it keeps.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) subscribe: Who,
    pub(crate) publish: Who,
    pub(crate) presence: Who,
    pub(crate) options: ChannelOptions,
}

/// Who may do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Who {
    /// No client.
    #[default]
    None,
    /// Every client, with a user or without.
    Anyone,
    /// Every client with a user.
    SignedIn,
    /// The user whose name is what `*` is in the channel's name.
    Owner,
    /// These users.
    Users(Vec<String>),
}

impl Rules {
    /// Checks a channel's name, or the beginning of names before a `*`.
    pub(crate) fn check_pattern(pattern: &str) -> Result<(), String> {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        if name.contains('*') {
            return Err(format!("{pattern:?}: a `*` may only be at the end"));
        }
        // An empty beginning is one of all names.
        if !(name.is_empty() && pattern == "*") {
            ChannelName::try_from(name).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Returns whether there was no rule for this pattern.
    pub(crate) fn add(&mut self, pattern: &str, rule: Rule) -> bool {
        let Some(prefix) = pattern.strip_suffix('*') else {
            return self.exact.insert(pattern.to_owned(), rule).is_none();
        };
        if self.prefixes.iter().any(|(other, _)| other == prefix) {
            return false;
        }
        let place = self.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(place, (prefix.to_owned(), rule));
        true
    }

    /// The rule of a channel, and what `*` is in its name.
    pub(crate) fn of<'a>(&self, channel: &'a str) -> Option<(&Rule, Option<&'a str>)> {
        if let Some(rule) = self.exact.get(channel) {
            return Some((rule, None));
        }
        self.prefixes.iter().find_map(|(prefix, rule)| Some((rule, Some(channel.strip_prefix(prefix.as_str())?))))
    }

    /// What a channel keeps and takes. One without a rule keeps nothing, since nothing is published to it.
    pub(crate) fn options(&self, channel: &str) -> ChannelOptions {
        self.of(channel).map(|(rule, _)| rule.options).unwrap_or_default()
    }

    pub(crate) fn is_state(&self, channel: &str) -> bool {
        self.options(channel).retention.kind == HistoryKind::State
    }

    pub(crate) fn allow(&self, identity: &Identity, action: Action<'_>) -> bool {
        let (channel, who): (_, fn(&Rule) -> &Who) = match action {
            Action::Subscribe(channel) => (channel, |rule| &rule.subscribe),
            Action::Publish(channel) => (channel, |rule| &rule.publish),
            Action::Presence(channel) => (channel, |rule| &rule.presence),
            // There are none, which the answer says.
            Action::Request(_) => return true,
            _ => return false,
        };
        self.of(channel).is_some_and(|(rule, star)| who(rule).includes(identity.user_name(), star))
    }
}

impl Who {
    fn includes(&self, user: Option<&str>, star: Option<&str>) -> bool {
        match self {
            Self::None => false,
            Self::Anyone => true,
            Self::SignedIn => user.is_some(),
            Self::Owner => user.is_some() && user == star,
            Self::Users(users) => user.is_some_and(|user| users.iter().any(|other| other == user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(patterns: &[(&str, Who)]) -> Rules {
        let mut rules = Rules::default();
        for (pattern, subscribe) in patterns {
            let (publish, presence, options) = (Who::None, Who::None, ChannelOptions::default());
            assert!(rules.add(pattern, Rule { subscribe: subscribe.clone(), publish, presence, options }));
        }
        rules
    }

    fn may_subscribe(rules: &Rules, user: Option<&'static str>, channel: &str) -> bool {
        let identity = user.map(Identity::user).unwrap_or_default();
        rules.allow(&identity, Action::Subscribe(channel))
    }

    #[test]
    fn the_most_specific_rule_holds_in_whatever_order_they_are() {
        let all =
            [("*", Who::None), ("chat:*", Who::Anyone), ("chat:team:*", Who::None), ("chat:team:open", Who::Anyone)];
        for shift in 0..all.len() {
            let mut turned = all.clone();
            turned.rotate_left(shift);
            let rules = rules(&turned);
            let channels = ["news", "chat:lobby", "chat:team:secret", "chat:team:open", "chat:"];
            assert_eq!(channels.map(|channel| may_subscribe(&rules, None, channel)), [false, true, false, true, true]);
        }
    }

    #[test]
    fn a_channel_without_a_rule_is_closed() {
        assert!(!may_subscribe(&rules(&[("chat", Who::Anyone)]), Some("ada"), "chat2"));
    }

    #[test]
    fn users_are_distinguished_from_clients_without_one() {
        let users = Who::Users(vec!["ada".to_owned()]);
        let rules = rules(&[("inbox:*", Who::Owner), ("staff", users), ("members", Who::SignedIn)]);
        let may =
            |user| ["inbox:ada", "inbox:", "staff", "members"].map(|channel| may_subscribe(&rules, user, channel));
        assert_eq!(may(Some("ada")), [true, false, true, true]);
        assert_eq!(may(Some("bob")), [false, false, false, true]);
        assert_eq!(may(None), [false; 4]);
    }

    #[test]
    fn only_subscribe_is_allowed_by_subscribe() {
        let rules = rules(&[("chat", Who::Anyone)]);
        assert!(
            ![Action::Publish("chat"), Action::Presence("chat")]
                .map(|action| rules.allow(&Identity::anonymous(), action))
                .contains(&true)
        );
    }
}
