//! The model: its states, the events that lead from one to the next, and their exploration.

use std::time::{Duration, Instant};

use everwire_core::{protocol::ErrorCode, session::PublishOutcome};
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{
    client::Client,
    link::{FromClient, FromServer, Link},
    scenario::{Counts, Defect, Scenario, Violation},
    server::Server,
    store::{OTHERS, identity},
};

/// More events than it takes to become quiescent from any state.
const MAX_EVENTS_TO_QUIESCENCE: usize = 400;

/// An event of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The client opens a connection, and the server accepts it.
    Dial,
    /// The next line of the client arrives.
    ToServer(u8),
    /// The next line of the server arrives.
    ToClient(u8),
    /// The client loses a connection. What it sent may still arrive.
    ClientLoses(u8),
    /// The server loses a connection. What it sent may still arrive.
    ServerLoses(u8),
    /// The server ends a connection whose session another one has taken over. Until then it keeps reading.
    EndSuperseded(u8),
    /// The broker stores the oldest publish.
    Store,
    /// The server's rules refuse the oldest publish.
    Refuse,
    /// The handler of the oldest request answers with a part.
    Respond,
    /// The server takes the next step for a subscription that has not caught up.
    PollFeed(u8),
    /// The client's application publishes.
    Publish,
    /// Another client publishes.
    PublishOther,
    /// The client's application sends a request.
    Request,
    /// The client's application cancels its latest request.
    Cancel,
    /// The client's application does not keep up, and pauses its subscription.
    Pause,
    /// It resumes the subscription.
    Resume,
    /// A connection does not keep up with the channel.
    Lag(u8),
    /// Everything that the client has sent on a connection arrives once more on another one.
    Duplicate(u8),
    /// The client's publishes and requests expire by its clock.
    ClientTimeout,
    /// Its requests time out by the clock of the server.
    ServerTimeout,
    /// The store drops the messages that it has.
    Trim,
    /// The sessions without a connection expire.
    ExpireSessions,
    /// The client's application has loaded a snapshot.
    Snapshot,
    /// The server asks its clients to leave, because it stops.
    Drain,
    /// The server's process ends and starts again.
    Restart,
    /// The store is copied.
    BackUp,
    /// The copy replaces the store, and the server starts again.
    RollBack,
    /// The store loses the channel's history, while the server keeps running.
    LoseHistory,
}

/// The model that the checker runs: a scenario, with or without a defect.
#[derive(Debug)]
pub(crate) struct SessionModel {
    pub(crate) scenario: Scenario,
    pub(crate) defect: Option<Defect>,
}

/// A state of the model: both sides, their connections, and which events have happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    client: Client,
    server: Server,
    links: Vec<Link>,
    next_link: u8,
    used: Counts,
    pub(crate) violation: Option<Violation>,
}

impl SessionModel {
    pub(crate) fn start(&self) -> State {
        State {
            client: Client::new(&self.scenario),
            server: Server::new(&self.scenario, self.defect),
            links: Vec::new(),
            next_link: 0,
            used: Counts::default(),
            violation: None,
        }
    }

    /// The events that follow without faults. The first of them is the most urgent.
    fn progress(&self, state: &State, events: &mut Vec<Event>) {
        let State { client, server, links, .. } = state;
        for link in links {
            let id = link.id;
            let has_server = server.has(id);
            if server.is_superseded(id) {
                events.push(Event::EndSuperseded(id));
            }
            if !link.up.is_empty() && server.reads_from(id) {
                events.push(Event::ToServer(id));
            }
            if !link.down.is_empty() && link.has_client {
                events.push(Event::ToClient(id));
            }
            if has_server && server.can_poll_feed(id) {
                events.push(Event::PollFeed(id));
            }
        }
        if !server.store.undecided.is_empty() {
            events.push(Event::Store);
        }
        if server.running().is_some() {
            events.push(Event::Respond);
        }
        // Last, so that the course without faults loses a connection only after everything on it has arrived.
        for link in links {
            match (link.has_client, server.has(link.id)) {
                (false, true) => events.push(Event::ServerLoses(link.id)),
                (true, false) => events.push(Event::ClientLoses(link.id)),
                _ => {}
            }
        }
        if client.link.is_none() && client.over.is_none() {
            events.push(Event::Dial);
        }
        if client.is_paused {
            events.push(Event::Resume);
        }
        if client.held.is_some() {
            events.push(Event::Snapshot);
        }
    }

    /// Calls of the applications, and faults, as far as the scenario allows more of them.
    fn calls_and_faults(&self, state: &State, events: &mut Vec<Event>) {
        let State { client, server, links, used, .. } = state;
        let limits = &self.scenario.limits;
        let mut add = |is_possible: bool, event| events.extend(is_possible.then_some(event));
        if client.over.is_none() {
            add(used.publishes < limits.publishes, Event::Publish);
            add(used.requests < limits.requests, Event::Request);
            let is_waiting = client.requests.last().is_some_and(|request| request.outcome.is_none());
            add(used.cancels < limits.cancels && is_waiting, Event::Cancel);
            add(used.pauses < limits.pauses && !client.is_paused, Event::Pause);
        }
        add(used.others < limits.others, Event::PublishOther);
        for link in links.iter().filter(|link| used.lags < limits.lags && server.is_live(link.id)) {
            add(true, Event::Lag(link.id));
        }
        add(used.drains < limits.drains, Event::Drain);
        add(limits.rollbacks > used.rollbacks && server.store.backup.is_none(), Event::BackUp);
        if used.faults() >= self.scenario.faults {
            return;
        }
        for link in links
            .iter()
            .filter(|link| used.connection_losses < limits.connection_losses && link.has_client && server.has(link.id))
        {
            add(true, Event::ClientLoses(link.id));
            add(true, Event::ServerLoses(link.id));
        }
        for link in links.iter().filter(|link| used.duplicates < limits.duplicates && !link.sent.is_empty()) {
            add(true, Event::Duplicate(link.id));
        }
        add(used.refusals < limits.refusals && !server.store.undecided.is_empty(), Event::Refuse);
        let waits = client.publishes.iter().any(|own| own.outcome.is_none())
            || limits.server_timeouts > 0 && client.requests.iter().any(|own| own.outcome.is_none());
        add(used.client_timeouts < limits.client_timeouts && waits, Event::ClientTimeout);
        add(used.server_timeouts < limits.server_timeouts && server.running().is_some(), Event::ServerTimeout);
        add(used.trims < limits.trims && server.store.disk.can_trim(), Event::Trim);
        add(used.expiries < limits.expiries && server.can_expire(), Event::ExpireSessions);
        add(used.restarts < limits.restarts, Event::Restart);
        add(used.rollbacks < limits.rollbacks && server.store.backup.is_some(), Event::RollBack);
        add(used.history_losses < limits.history_losses && !server.store.disk.messages.is_empty(), Event::LoseHistory);
    }

    fn apply(&self, state: &mut State, event: Event) -> Result<(), Violation> {
        let defect = self.defect;
        let State { client, server, links, used, .. } = state;
        match event {
            Event::Dial => {
                let id = state.next_link;
                state.next_link += 1;
                links.push(Link::new(id));
                server.accept(id);
                client.connected(id, defect)?;
            }
            Event::ToServer(id) => {
                if let Some(link) = find(links, id)
                    && let Some(line) = link.up.pop_front()
                {
                    let is_duplicate = link.is_duplicate;
                    if is_duplicate && matches!(line, FromClient::Hello { .. }) && !server.resumes(line) {
                        server.lose(id)?;
                    } else {
                        match server.receive(id, line) {
                            // The duplicate does not react to the server's lines.
                            Err(Violation::ClientError) if is_duplicate => server.lose(id)?,
                            received => received?,
                        }
                    }
                }
            }
            Event::ToClient(id) => {
                if let Some(line) = find(links, id).and_then(|link| link.down.pop_front()) {
                    if let FromServer::Gap { covers, .. } = line
                        && client.awaits_gap(covers)
                        && used.trims + used.rollbacks + used.history_losses == 0
                    {
                        return Err(Violation::NeedlessGap);
                    }
                    client.receive(line, defect)?;
                }
            }
            Event::ClientLoses(id) => {
                used.connection_losses += u8::from(server.has(id));
                client.disconnected(1006, defect)?;
            }
            Event::ServerLoses(id) => {
                used.connection_losses += u8::from(find(links, id).is_some_and(|link| link.has_client));
                server.lose(id)?;
            }
            Event::EndSuperseded(id) => server.end(id),
            Event::Store => server.decide(false)?,
            Event::Refuse => {
                used.refusals += 1;
                server.decide(true)?;
            }
            Event::Respond => server.respond()?,
            Event::PollFeed(id) => server.poll_feed(id),
            Event::Publish => {
                used.publishes += 1;
                client.publish(self.scenario.limits.client_timeouts > 0, defect)?;
            }
            Event::PublishOther => {
                used.others += 1;
                server.publish(OTHERS + used.others)?;
            }
            Event::Request => {
                used.requests += 1;
                client.request(self.scenario.limits.server_timeouts > 0, defect)?;
            }
            Event::Cancel => {
                used.cancels += 1;
                client.cancel(defect)?;
            }
            Event::Pause => {
                used.pauses += 1;
                client.pause(true, defect)?;
            }
            Event::Lag(id) => {
                used.lags += 1;
                server.fall_behind(id);
            }
            Event::Resume => client.pause(false, defect)?,
            Event::Duplicate(id) => {
                used.duplicates += 1;
                let sent = find(links, id).map(|link| link.sent.clone()).unwrap_or_default();
                let id = state.next_link;
                state.next_link += 1;
                links.push(Link::duplicate(id, sent));
                server.accept(id);
            }
            Event::ClientTimeout => {
                used.client_timeouts += 1;
                client.time_out(defect)?;
            }
            Event::ServerTimeout => {
                used.server_timeouts += 1;
                server.time_out()?;
            }
            Event::Trim => {
                used.trims += 1;
                server.store.disk.trim();
            }
            Event::ExpireSessions => {
                used.expiries += 1;
                server.expire()?;
            }
            Event::Snapshot => client.snapshot(defect)?,
            Event::Drain => {
                used.drains += 1;
                server.drain()?;
            }
            Event::Restart => {
                used.restarts += 1;
                server.restart();
            }
            Event::BackUp => server.store.backup = Some(server.store.disk.clone()),
            Event::RollBack => {
                used.rollbacks += 1;
                if let Some(backup) = server.store.backup.clone() {
                    server.store.disk = backup;
                }
                server.restart();
            }
            Event::LoseHistory => {
                used.history_losses += 1;
                server.store.lose_history();
            }
        }
        self.flush(state)
    }

    /// Puts lines that the event has led to on the connections, and removes connections that are gone at both ends.
    fn flush(&self, state: &mut State) -> Result<(), Violation> {
        let State { client, server, links, used, .. } = state;
        let lines: Vec<FromClient> = std::mem::take(&mut client.out);
        if let Some(link) = client.link.and_then(|id| find(links, id)) {
            let resumes =
                matches!(link.sent.first().or(lines.first()), Some(FromClient::Hello { session: Some(_), .. }));
            if resumes && self.scenario.limits.duplicates > used.duplicates {
                link.sent.extend(&lines);
            }
            link.up.extend(lines);
        }
        if client.leaves {
            client.disconnected(1000, self.defect)?;
        }
        for (id, line) in std::mem::take(&mut server.out) {
            if let Some(link) = find(links, id) {
                link.down.push_back(line);
            }
        }
        for link in links.iter_mut() {
            link.has_client = client.link == Some(link.id);
            if !link.has_client {
                link.down.clear();
            }
            if used.duplicates == self.scenario.limits.duplicates {
                link.sent.clear();
            }
            if !server.has(link.id) {
                link.up.clear();
            }
        }
        links.retain(|link| link.has_client || server.has(link.id));
        if client.over.is_some() && used.duplicates == 0 { Err(Violation::SessionEnded) } else { Ok(()) }
    }

    /// Runs without further faults until nothing is left to do, and checks that state.
    fn run_to_quiescence(&self, state: &State) -> Result<(), Violation> {
        let mut state = state.clone();
        let mut events = Vec::new();
        for _ in 0..MAX_EVENTS_TO_QUIESCENCE {
            events.clear();
            self.progress(&state, &mut events);
            let Some(event) = events.first() else { return self.check_quiescent(&state) };
            self.apply(&mut state, *event)?;
        }
        Err(Violation::NotQuiescent)
    }

    /// Checks what must hold when nothing is left to do.
    fn check_quiescent(&self, state: &State) -> Result<(), Violation> {
        let State { client, server, used, .. } = state;
        let disk = &server.store.disk;
        let has_forgotten = used.restarts + used.rollbacks + used.expiries + used.duplicates > 0;
        let has_lost_data = used.rollbacks + used.history_losses > 0;
        for publish in &client.publishes {
            let found = disk.messages.iter().find(|message| message.payload == publish.payload);
            let is_right = match publish.outcome.ok_or(Violation::NoOutcome)? {
                PublishOutcome::Stored(cursor) => has_lost_data || found.is_some_and(|found| found.cursor == cursor),
                PublishOutcome::Failed(ErrorCode::Unknown) => has_forgotten,
                PublishOutcome::Failed(_) => found.is_none(),
            };
            if !is_right {
                return Err(Violation::WrongOutcome);
            }
        }
        for request in &client.requests {
            let is_right = match request.outcome.ok_or(Violation::NoOutcome)? {
                Ok(()) => true,
                Err(ErrorCode::Cancelled) => used.cancels > 0,
                Err(ErrorCode::Expired) => used.client_timeouts + used.server_timeouts > 0,
                Err(ErrorCode::TakenOver) => used.duplicates > 0,
                Err(code) => code == ErrorCode::Unknown && has_forgotten,
            };
            if !is_right {
                return Err(Violation::WrongOutcome);
            }
        }
        if client.machine.pending() > 0 {
            return Err(Violation::NoOutcome);
        }
        if client.over.is_some() {
            return Ok(());
        }
        let messages = disk.messages.iter().fold(0, |set, message| set | identity(message.cursor));
        if client.has_all(messages, disk.values(), disk.last()) { Ok(()) } else { Err(Violation::Lost) }
    }
}

impl Model for SessionModel {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        if state.violation.is_none() {
            self.progress(state, events);
            self.calls_and_faults(state, events);
        }
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let mut next = state.clone();
        if let Err(violation) = self.apply(&mut next, event) {
            next.violation = Some(violation);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |_, state: &State| state.violation.is_none()),
            Property::always(LIVE, |model: &Self, state: &State| {
                state.violation.is_some() || model.run_to_quiescence(state).is_ok()
            }),
        ]
    }
}

/// The property that no event breaks a guarantee.
pub(crate) const SAFE: &str = "safe";
/// The property that without further faults everything is delivered and answered.
pub(crate) const LIVE: &str = "live";

impl SessionModel {
    /// The guarantee that a state breaks.
    pub(crate) fn violation(&self, state: &State) -> Option<Violation> {
        state.violation.or_else(|| self.run_to_quiescence(state).err())
    }
}

fn find(links: &mut [Link], id: u8) -> Option<&mut Link> {
    links.iter_mut().find(|link| link.id == id)
}

/// The result of an exploration.
#[derive(Debug, Clone)]
pub struct Report {
    /// Distinct states that were visited.
    pub states: usize,
    /// States that were reached, with repetitions.
    pub transitions: usize,
    /// The greatest number of events that led to one of them.
    pub depth: usize,
    /// Whether every state was visited. Not known if a guarantee is broken.
    pub is_complete: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// The guarantee that is broken, and the shortest sequence of events that leads there.
    pub violation: Option<(Violation, Vec<Event>)>,
}

/// Visits the states of a scenario, breadth first, until none is left, at least `states` were visited, `depth` is reached, or a guarantee is
/// broken.
pub fn explore(scenario: Scenario, defect: Option<Defect>, states: usize, depth: Option<usize>) -> Report {
    let started = Instant::now();
    // The checker also counts states that it reaches again, up to four times each.
    let target = states.saturating_mul(4);
    let mut checker = SessionModel { scenario, defect }
        .checker()
        .threads(1)
        .target_state_count(target)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checker = checker.spawn_bfs().join();
    let found = [SAFE, LIVE].into_iter().find_map(|property| checker.discovery(property));
    let violation = found.and_then(|path| {
        let model = SessionModel { scenario, defect };
        let violation = model.violation(path.last_state())?;
        Some((violation, path.into_actions()))
    });
    Report {
        states: checker.unique_state_count(),
        transitions: checker.state_count(),
        depth: checker.max_depth(),
        is_complete: checker.state_count() < target && depth.is_none_or(|depth| checker.max_depth() < depth),
        elapsed: started.elapsed(),
        violation,
    }
}
