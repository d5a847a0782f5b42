use crate::storage;

/// Under which the names of the panels that are off are kept.
const KEY: &str = "live.off";

/// A panel of the page. Each has a channel of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    Banner,
    Monitor,
    Market,
    Currency,
    Chat,
    News,
    Log,
}

impl Panel {
    pub(super) const COUNT: usize = 7;

    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Banner, Self::Monitor, Self::Market, Self::Currency, Self::Chat, Self::News, Self::Log];

    /// What is over it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Banner => "Trading day",
            Self::Monitor => "Server",
            Self::Market => "Stocks",
            Self::Currency => "Currencies",
            Self::Chat => "Chat",
            Self::News => "News",
            Self::Log => "Server log",
        }
    }

    /// Its channel.
    pub(super) fn channel(self) -> &'static str {
        match self {
            Self::Banner => "live/banner",
            Self::Monitor => "live/monitor",
            Self::Market => "live/market",
            Self::Currency => "live/currency",
            Self::Chat => "chat/lobby",
            Self::News => "live/news",
            Self::Log => "live/log",
        }
    }

    /// Its name in style sheets and in the storage.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Monitor => "monitor",
            Self::Market => "market",
            Self::Currency => "currency",
            Self::Chat => "chat",
            Self::News => "news",
            Self::Log => "log",
        }
    }
}

/// Which panels are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice([bool; Panel::COUNT]);

impl Choice {
    /// What the visitor chose last time; all at first.
    pub(super) fn remembered() -> Self {
        Self::without(&storage::read(KEY).unwrap_or_default())
    }

    pub(super) fn has(self, panel: Panel) -> bool {
        self.0[panel as usize]
    }

    /// How many are on.
    pub(super) fn count(self) -> usize {
        self.0.iter().filter(|is_on| **is_on).count()
    }

    /// The choice with another panel on or off, which is remembered.
    pub(super) fn switched(mut self, panel: Panel) -> Self {
        self.0[panel as usize] ^= true;
        let off = self.off();
        storage::write(KEY, Some(off.as_str()).filter(|off| !off.is_empty()));
        self
    }

    /// All but these.
    fn without(slugs: &str) -> Self {
        Self(Panel::ALL.map(|panel| !slugs.split(',').any(|slug| slug == panel.slug())))
    }

    /// The names of those that are off.
    fn off(self) -> String {
        let off = Panel::ALL.into_iter().filter(|panel| !self.has(*panel)).map(Panel::slug);
        off.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_where_its_number_says() {
        for (index, panel) in Panel::ALL.into_iter().enumerate() {
            assert_eq!(panel as usize, index);
        }
    }

    #[test]
    fn what_is_off_stays_off_over_a_visit_and_an_unknown_name_does_no_harm() {
        let choice = Choice::without("log,blackboard,chat");
        assert_eq!(choice.count(), 5);
        assert!(!choice.has(Panel::Log) && !choice.has(Panel::Chat) && choice.has(Panel::Market));
        assert_eq!(Choice::without(&choice.off()), choice);
        assert_eq!(Choice::without("").count(), Panel::COUNT);
    }
}
