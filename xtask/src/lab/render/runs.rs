use everwire_load::Summary;

use super::figure::{Count, Figure};
use super::spread::Spread;
use crate::lab::text::{count, in_markdown};
use crate::lab::trial::{Head, Outcome, Told};

/// The runs of one step against one server.
pub(super) struct Runs<'a>(Vec<&'a Told>);

impl<'a> Runs<'a> {
    pub(super) fn new(told: Vec<&'a Told>) -> Self {
        Self(told)
    }

    /// What they were: the same for all. Nothing where none was made.
    pub(super) fn head(&self) -> Option<&'a Head> {
        self.0.first().map(|told| &told.head)
    }

    pub(super) fn outcomes(&self) -> impl Iterator<Item = &'a Outcome> {
        self.0.iter().filter_map(|told| told.outcome.as_ref().ok())
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = &'a Summary> {
        self.outcomes().map(|outcome| &outcome.summary)
    }

    pub(super) fn spread(&self, figure: Figure) -> Option<Spread> {
        Spread::of(self.summaries().filter_map(figure))
    }

    /// Of all runs together.
    pub(super) fn total(&self, number: Count) -> u64 {
        self.summaries().map(number).sum()
    }

    /// Whether every connection came up and stayed, and every message was answered.
    pub(super) fn is_flawless(&self) -> bool {
        !self.0.is_empty() && self.troubles().is_empty()
    }

    /// What went wrong, in Markdown.
    pub(super) fn troubles(&self) -> Vec<String> {
        let failures: Vec<&String> = self.0.iter().filter_map(|told| told.outcome.as_ref().err()).collect();
        let failure = failures.first().map(|reason| match (failures.len(), self.0.len()) {
            (some, all) if some == all => format!("left out: {}", in_markdown(reason)),
            (some, all) => format!("{some} of {all} runs left out: {}", in_markdown(reason)),
        });
        let numbers: [(Count, &str); 3] =
            [(not_open, "not open"), (lost, "messages lost"), (|summary| summary.disconnects, "connections lost")];
        let numbers = numbers.into_iter().map(|(number, what)| (self.total(number), what));
        let numbers = numbers.filter(|(number, _)| *number > 0);
        failure.into_iter().chain(numbers.map(|(number, what)| format!("{} {what}", count(number)))).collect()
    }
}

pub(super) fn lost(summary: &Summary) -> u64 {
    summary.round_trips.lost
}

fn not_open(summary: &Summary) -> u64 {
    u64::from(summary.setting.connections).saturating_sub(summary.opening.opened)
}
