//! What clients may do with channels and requests, and what channels keep: a line for each pattern of names.

use std::sync::Arc;

use everwire_companion_api::chat::{Message, Typing};
use everwire_server::channels::{Action, Authentication, Authorize, ChannelOptions, ClientPublish, Denied, Identity};

use super::chat;
use super::tokens::Tokens;
use crate::config::Config;
use crate::{monitor, ticker, tracker};
use Permission::{Presence, Publish, Subscribe};

/// The first rule whose pattern matches a channel's name applies.
const CHANNEL_RULES: &[ChannelRule] = &[
    ChannelRule::new("chat/*/typing", &[Subscribe, Publish])
        .options(chat::typing_options)
        .checked(chat::set_author::<Typing>),
    ChannelRule::new("chat/*", &[Subscribe, Publish, Presence])
        .options(chat::room_options)
        .checked(chat::set_author::<Message>),
    ChannelRule::new("live/log", &[Subscribe]).with_monitor(),
    ChannelRule::new("live/*", &[Subscribe]),
    ChannelRule::new("ticker/*", &[Subscribe]).options(ticker::channel_options).named(ticker::is_channel),
    ChannelRule::new("tracker", &[Subscribe]).options(tracker::channel_options),
    ChannelRule::new("monitor", &[Subscribe]).options(monitor::points_options).with_monitor(),
    ChannelRule::new("monitor/detail", &[Subscribe]).options(monitor::status_options).with_monitor(),
    ChannelRule::new("counter/*", &[Subscribe, Publish]),
];

/// The requests that every client may send.
const REQUESTS: &[&str] = &["chat/*", "live/*", "ticker/*", "tracker/*"];

/// The channels whose names match a pattern.
#[derive(Debug)]
struct ChannelRule {
    /// A name, or the beginning and the end of names around a `*`.
    pattern: &'static str,
    permissions: &'static [Permission],
    options: fn() -> ChannelOptions,
    /// Checks, and may change, what clients publish.
    check: fn(&Identity, &mut ClientPublish<'_>) -> Result<(), Denied>,
    /// Which of the matching names exist.
    exists: fn(&str) -> bool,
    /// Whether they expose what only a server with `--monitor` exposes.
    need_monitor: bool,
}

/// A permission that every client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    Subscribe,
    Publish,
    Presence,
}

impl ChannelRule {
    const fn new(pattern: &'static str, permissions: &'static [Permission]) -> Self {
        Self {
            pattern,
            permissions,
            options: ChannelOptions::default,
            check: |_, _| Ok(()),
            exists: |_| true,
            need_monitor: false,
        }
    }

    /// Sets the retention and the limits of the channels.
    const fn options(mut self, options: fn() -> ChannelOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the check of what clients publish.
    const fn checked(mut self, check: fn(&Identity, &mut ClientPublish<'_>) -> Result<(), Denied>) -> Self {
        self.check = check;
        self
    }

    /// Sets which of the matching names exist.
    const fn named(mut self, exists: fn(&str) -> bool) -> Self {
        self.exists = exists;
        self
    }

    /// Allows them only with `--monitor`.
    const fn with_monitor(mut self) -> Self {
        self.need_monitor = true;
        self
    }

    fn of(name: &str) -> Option<&'static Self> {
        CHANNEL_RULES.iter().find(|channels| matches(channels.pattern, name))
    }
}

/// The retention and the limits of a channel.
pub(super) fn options(channel: &str) -> ChannelOptions {
    ChannelRule::of(channel).map(|channels| (channels.options)()).unwrap_or_default()
}

/// The rules of a server.
#[derive(Clone, Debug)]
pub(super) struct AccessRules {
    monitor: bool,
    /// Whether every client may use all names that match no pattern: for tests.
    others: bool,
    tokens: Arc<Tokens>,
}

impl AccessRules {
    pub(super) fn new(config: &Config, tokens: &Arc<Tokens>) -> Self {
        Self { monitor: config.monitor, others: config.faults, tokens: Arc::clone(tokens) }
    }

    fn allow(&self, channel: &str, permission: Permission) -> bool {
        match ChannelRule::of(channel) {
            Some(channels) => {
                channels.permissions.contains(&permission)
                    && (self.monitor || !channels.need_monitor)
                    && (channels.exists)(channel)
            }
            None => self.others,
        }
    }
}

impl Authorize for AccessRules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        match request.credentials() {
            Some(credentials) if !credentials.is_empty() => {
                self.tokens.identity(credentials.as_text().unwrap_or_default())
            }
            _ => Ok(Identity::anonymous()),
        }
    }

    fn allows(&self, _: &Identity, action: Action<'_>) -> bool {
        match action {
            Action::Subscribe(channel) => self.allow(channel, Subscribe),
            Action::Publish(channel) => self.allow(channel, Publish),
            Action::Presence(channel) => self.allow(channel, Presence),
            Action::Request(name) => self.others || REQUESTS.iter().any(|pattern| matches(pattern, name)),
            _ => false,
        }
    }

    fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
        ChannelRule::of(publish.channel).map_or(Ok(()), |channels| (channels.check)(identity, publish))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::broker::HistoryKind;

    use super::*;

    fn allowed(config: &Config, action: Action<'_>) -> bool {
        let tokens = Arc::new(Tokens::new(config).unwrap());
        AccessRules::new(config, &tokens).allows(&Identity::anonymous(), action)
    }

    #[test]
    fn a_channel_without_a_rule_is_open_only_with_faults() {
        let other = [
            Action::Subscribe("other"),
            Action::Publish("other"),
            Action::Presence("other"),
            Action::Request("other"),
            Action::Subscribe("chat"),
            Action::Subscribe("tracker/"),
        ];
        for faults in [false, true] {
            let config = Config { faults, ..Config::default() };
            assert_eq!(other.map(|action| allowed(&config, action)), [faults; 6]);
        }
    }

    #[test]
    fn a_rule_holds_with_faults_too() {
        for faults in [false, true] {
            let config = Config { faults, ..Config::default() };
            assert!(allowed(&config, Action::Publish("chat/lobby")));
            assert!(allowed(&config, Action::Subscribe("live/market")));
            assert!(!allowed(&config, Action::Publish("live/market")));
            assert!(!allowed(&config, Action::Presence("ticker/10")));
        }
    }

    #[test]
    fn the_monitor_is_read_only_with_its_flag() {
        for monitor in [false, true] {
            let config = Config { monitor, faults: true, ..Config::default() };
            for channel in ["monitor", "monitor/detail", "live/log"] {
                assert_eq!(allowed(&config, Action::Subscribe(channel)), monitor);
                assert!(!allowed(&config, Action::Publish(channel)));
            }
        }
    }

    #[test]
    fn a_room_has_history_and_its_typing_notices_have_none() {
        assert!(options("chat/lobby").has_history && options("chat/typing").has_history);
        assert!(!options("chat/lobby/typing").has_history);
        let presence = |channel| allowed(&Config::default(), Action::Presence(channel));
        assert!(presence("chat/lobby") && !presence("chat/lobby/typing"));
    }

    #[test]
    fn only_the_rates_that_are_played_have_a_channel() {
        let allowed = |channel| allowed(&Config { faults: true, ..Config::default() }, Action::Subscribe(channel));
        assert!(allowed("ticker/1") && allowed("ticker/20000/all"));
        assert!(["ticker/", "ticker/7", "ticker/100/some", "ticker/0100"].into_iter().all(|channel| !allowed(channel)));
    }

    #[test]
    fn what_has_keys_is_a_state_channel() {
        let kinds = ["ticker/10", "tracker", "monitor/detail"].map(|channel| options(channel).retention.kind);
        assert_eq!(kinds, [HistoryKind::State; 3]);
        let kinds = ["monitor", "chat/lobby", "other"].map(|channel| options(channel).retention.kind);
        assert_eq!(kinds, [HistoryKind::Stream; 3]);
    }
}
