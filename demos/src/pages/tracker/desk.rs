use everwire::Event;

use super::fix::Fix;
use super::participants::Participants;
use super::precision::Precision;
use super::problem::Problem;
use super::server_clock::ServerClock;
use super::sharing::Sharing;
use super::wire::{News, Report, Told};

/// Everything the page knows. Events change it as they come, and none is lost between two renders; what they ask to be
/// sent is what the methods return.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Desk {
    pub(super) participants: Participants,
    pub(super) sharing: Sharing,
    /// What the view shall move to as soon as it is there.
    pub(super) wish: Option<Wish>,
    /// The participant that was picked on the map or in the list.
    pub(super) picked: Option<u64>,
    clock: ServerClock,
}

/// Where the view shall move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Everyone,
    Me,
    One(u64),
}

impl Desk {
    pub(super) fn new(precision: Precision) -> Self {
        Self { sharing: Sharing::new(precision), wish: Some(Wish::Everyone), ..Self::default() }
    }

    /// The connection did or brought something.
    pub(super) fn hear(&mut self, event: Event<News>, now: f64) -> Option<Report> {
        match event {
            Event::Opened(_) => return self.sharing.connected(now),
            Event::Message(News::Told(told)) => self.told(told, now),
            _ => {}
        }
        None
    }

    pub(super) fn start(&mut self) {
        self.wish = Some(Wish::Me);
        self.sharing.start();
    }

    pub(super) fn measured(&mut self, fix: Fix, now: f64) -> Option<Report> {
        self.sharing.measured(fix, now)
    }

    pub(super) fn failed(&mut self, problem: Problem) -> Option<Report> {
        let farewell = self.sharing.failed(problem);
        self.leave_map();
        farewell
    }

    pub(super) fn stop(&mut self) -> Option<Report> {
        let farewell = self.sharing.stop();
        self.leave_map();
        farewell
    }

    /// How long ago somebody was heard of, in milliseconds, by the server's clock: as the connection measured it, or as
    /// the messages let it be guessed until then.
    pub(super) fn age_of(&self, time: f64, measured_now: Option<f64>, now: f64) -> Option<f64> {
        Some(measured_now.or_else(|| self.clock.at(now))? - time)
    }

    fn told(&mut self, told: Told, now: f64) {
        match &told {
            Told::Position(position) => self.clock.hear(position.time, now),
            Told::Positions { positions } => {
                positions.iter().for_each(|position| self.clock.hear(position.time, now));
                // An empty map has nobody to move to, and must not jump when somebody comes later.
                self.wish = self.wish.filter(|wish| *wish != Wish::Everyone || !positions.is_empty());
            }
            Told::Welcome { .. } | Told::Left { .. } => {}
        }
        self.participants.hear(told);
        // What was still on its way when the visitor stopped is not shown.
        self.leave_map();
    }

    fn leave_map(&mut self) {
        if !self.sharing.is_wanted() {
            self.participants.forget_me();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::LatLon;
    use crate::pages::tracker::wire::Position;

    const HOME: Fix = Fix { place: LatLon::new(52.52, 13.4), accuracy: 4.0 };

    fn told(told: Told) -> Event<News> {
        Event::Message(News::Told(told))
    }

    fn position(id: u64, time: f64) -> Position {
        Position { id, place: HOME.place, accuracy: HOME.accuracy, time }
    }

    fn sharing() -> Desk {
        let mut desk = Desk::new(Precision::Exact);
        desk.hear(Event::Opened(Default::default()), 0.0);
        desk.hear(told(Told::Welcome { id: 1 }), 0.0);
        desk.hear(told(Told::Positions { positions: vec![] }), 0.0);
        desk.start();
        assert_eq!(desk.measured(HOME, 0.0), Some(HOME.into()));
        desk.hear(told(Told::Position(position(1, 0.0))), 0.0);
        desk
    }

    #[test]
    fn an_open_connection_alone_sends_nothing() {
        let mut desk = Desk::new(Precision::Exact);
        assert_eq!(desk.hear(Event::Opened(Default::default()), 0.0), None);
        assert_eq!(desk.measured(HOME, 0.0), None);
    }

    #[test]
    fn sharing_resumes_on_a_new_connection_under_its_new_number() {
        let mut desk = sharing();
        assert_eq!(desk.hear(Event::Opened(Default::default()), 5.0), Some(HOME.into()));
        desk.hear(told(Told::Welcome { id: 2 }), 5.0);
        desk.hear(told(Told::Positions { positions: vec![] }), 5.0);
        desk.hear(told(Told::Position(position(2, 5.0))), 5.0);
        let numbers: Vec<_> = desk.participants.all().map(|(id, _)| id).collect();
        assert_eq!(numbers, [2]);
    }

    #[test]
    fn an_own_position_that_was_under_way_at_the_stop_does_not_bring_the_visitor_back() {
        let mut desk = sharing();
        assert_eq!(desk.stop(), Some(Report::Leave));
        desk.hear(told(Told::Position(position(1, 1.0))), 1.0);
        assert_eq!(desk.participants.all().count(), 0);
        assert_eq!(desk.hear(Event::Opened(Default::default()), 2.0), None);
    }

    #[test]
    fn an_empty_map_does_not_jump_when_somebody_comes() {
        let mut desk = Desk::new(Precision::Exact);
        assert_eq!(desk.wish, Some(Wish::Everyone));
        desk.hear(told(Told::Positions { positions: vec![] }), 0.0);
        assert_eq!(desk.wish, None);
    }

    #[test]
    fn ages_are_by_the_servers_clock_even_before_it_was_measured() {
        let mut desk = sharing();
        desk.hear(told(Told::Position(position(9, 100_000.0))), 40_000.0);
        assert_eq!(desk.age_of(100_000.0, None, 43_000.0), Some(3_000.0));
        assert_eq!(desk.age_of(100_000.0, Some(104_000.0), 43_000.0), Some(4_000.0));
    }
}
