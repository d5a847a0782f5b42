//! A state of the model, and what can happen in it.

use everwire_core::{protocol::ErrorCode, session::PublishOutcome};
use stateright::{Model, Property};

use crate::{
    check::{Finding, Session},
    client::Client,
    link::{Down, Link, Up},
    scenario::Counts,
    server::Server,
    store::{OTHERS, identity},
};

/// More events than it takes to come to rest from any state.
const MAX_QUIET: usize = 400;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The client opens a connection, and the server accepts it.
    Dial,
    /// The next line of the client arrives.
    ToServer(u8),
    /// The next line of the server arrives.
    ToClient(u8),
    /// The client finds a connection broken. What it sent may still arrive.
    ClientLoses(u8),
    /// The server finds a connection broken. What it sent may still arrive.
    ServerLoses(u8),
    /// The server ends a connection of which another one has taken the session. Until it gets to that, it goes on reading.
    End(u8),
    /// The broker stores the oldest publish,
    Store,
    /// or the server's rules refuse it.
    Refuse,
    /// The handler of the oldest request answers with a part.
    Respond,
    /// The server does the next thing for a subscription that has not caught up.
    Pump(u8),
    /// The client's application publishes.
    Publish,
    /// Another client publishes.
    PublishOther,
    /// The client's application sends a request.
    Request,
    /// The client's application cancels its latest request.
    Cancel,
    /// The client's application does not keep up,
    Pause,
    /// and goes on.
    GoOn,
    /// A connection does not keep up with the channel.
    Lag(u8),
    /// All that the client has sent on a connection arrives on another one once more.
    Copy(u8),
    /// The time of the client's publishes and requests runs out by its clock,
    Lapse,
    /// or that of its requests by the clock of the server.
    TimeOut,
    /// The store drops the messages that it has.
    Trim,
    /// The sessions without a connection expire.
    Expire,
    /// The client's application has loaded a snapshot.
    Snapshot,
    /// The server asks its clients to leave, because it stops.
    Drain,
    /// The server's process ends and starts again.
    Restart,
    /// The store is copied,
    BackUp,
    /// and the copy is put in its place.
    RollBack,
    /// The store loses the channel's history, while the server goes on.
    LoseHistory,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    client: Client,
    server: Server,
    links: Vec<Link>,
    next_link: u8,
    used: Counts,
    pub(crate) finding: Option<Finding>,
}

impl Session {
    pub(crate) fn start(&self) -> World {
        World {
            client: Client::new(&self.scenario),
            server: Server::new(&self.scenario, self.defect),
            links: Vec::new(),
            next_link: 0,
            used: Counts::default(),
            finding: None,
        }
    }

    /// What happens by itself.
    fn own(&self, world: &World, actions: &mut Vec<Action>) {
        let World { client, server, links, .. } = world;
        for link in links {
            let id = link.id;
            let has_server = server.has(id);
            if server.is_superseded(id) {
                actions.push(Action::End(id));
            }
            if !link.up.is_empty() && server.reads_from(id) {
                actions.push(Action::ToServer(id));
            }
            if !link.down.is_empty() && link.has_client {
                actions.push(Action::ToClient(id));
            }
            if has_server && server.can_pump(id) {
                actions.push(Action::Pump(id));
            }
        }
        if !server.store.undecided.is_empty() {
            actions.push(Action::Store);
        }
        if server.running().is_some() {
            actions.push(Action::Respond);
        }
        // Last, so that the quiet course finds a connection broken only when everything on it has arrived.
        for link in links {
            match (link.has_client, server.has(link.id)) {
                (false, true) => actions.push(Action::ServerLoses(link.id)),
                (true, false) => actions.push(Action::ClientLoses(link.id)),
                _ => {}
            }
        }
        if client.link.is_none() && client.over.is_none() {
            actions.push(Action::Dial);
        }
        if client.is_paused {
            actions.push(Action::GoOn);
        }
        if client.held.is_some() {
            actions.push(Action::Snapshot);
        }
    }

    /// What applications do, and what goes wrong.
    fn others(&self, world: &World, actions: &mut Vec<Action>) {
        let World { client, server, links, used, .. } = world;
        let limits = &self.scenario.limits;
        let mut add = |is_possible: bool, action| actions.extend(is_possible.then_some(action));
        if client.over.is_none() {
            add(used.publishes < limits.publishes, Action::Publish);
            add(used.requests < limits.requests, Action::Request);
            let is_waiting = client.requests.last().is_some_and(|request| request.outcome.is_none());
            add(used.cancels < limits.cancels && is_waiting, Action::Cancel);
            add(used.pauses < limits.pauses && !client.is_paused, Action::Pause);
        }
        add(used.others < limits.others, Action::PublishOther);
        for link in links.iter().filter(|link| used.lags < limits.lags && server.is_live(link.id)) {
            add(true, Action::Lag(link.id));
        }
        add(used.drains < limits.drains, Action::Drain);
        add(limits.rollbacks > used.rollbacks && server.store.backup.is_none(), Action::BackUp);
        if used.faults() >= self.scenario.faults {
            return;
        }
        for link in links.iter().filter(|link| used.cuts < limits.cuts && link.has_client && server.has(link.id)) {
            add(true, Action::ClientLoses(link.id));
            add(true, Action::ServerLoses(link.id));
        }
        for link in links.iter().filter(|link| used.copies < limits.copies && !link.sent.is_empty()) {
            add(true, Action::Copy(link.id));
        }
        add(used.refusals < limits.refusals && !server.store.undecided.is_empty(), Action::Refuse);
        let waits = client.publishes.iter().any(|own| own.outcome.is_none())
            || limits.timeouts > 0 && client.requests.iter().any(|own| own.outcome.is_none());
        add(used.lapses < limits.lapses && waits, Action::Lapse);
        add(used.timeouts < limits.timeouts && server.running().is_some(), Action::TimeOut);
        add(used.trims < limits.trims && server.store.disk.can_trim(), Action::Trim);
        add(used.expiries < limits.expiries && server.can_expire(), Action::Expire);
        add(used.restarts < limits.restarts, Action::Restart);
        add(used.rollbacks < limits.rollbacks && server.store.backup.is_some(), Action::RollBack);
        add(used.losses < limits.losses && !server.store.disk.messages.is_empty(), Action::LoseHistory);
    }

    fn apply(&self, world: &mut World, action: Action) -> Result<(), Finding> {
        let defect = self.defect;
        let World { client, server, links, used, .. } = world;
        match action {
            Action::Dial => {
                let id = world.next_link;
                world.next_link += 1;
                links.push(Link::new(id));
                server.accept(id);
                client.connected(id, defect)?;
            }
            Action::ToServer(id) => {
                if let Some(link) = find(links, id)
                    && let Some(line) = link.up.pop_front()
                {
                    let is_copy = link.is_copy;
                    if is_copy && matches!(line, Up::Hello { .. }) && !server.resumes(line) {
                        server.lose(id)?;
                    } else {
                        match server.receive(id, line) {
                            // It does not react to what the server says.
                            Err(Finding::ClientInError) if is_copy => server.lose(id)?,
                            received => received?,
                        }
                    }
                }
            }
            Action::ToClient(id) => {
                if let Some(line) = find(links, id).and_then(|link| link.down.pop_front()) {
                    if let Down::Gap { covers, .. } = line
                        && client.awaits_gap(covers)
                        && used.trims + used.rollbacks + used.losses == 0
                    {
                        return Err(Finding::NeedlessGap);
                    }
                    client.receive(line, defect)?;
                }
            }
            Action::ClientLoses(id) => {
                used.cuts += u8::from(server.has(id));
                client.disconnected(1006, defect)?;
            }
            Action::ServerLoses(id) => {
                used.cuts += u8::from(find(links, id).is_some_and(|link| link.has_client));
                server.lose(id)?;
            }
            Action::End(id) => server.end(id),
            Action::Store => server.decide(false)?,
            Action::Refuse => {
                used.refusals += 1;
                server.decide(true)?;
            }
            Action::Respond => server.respond()?,
            Action::Pump(id) => server.pump(id),
            Action::Publish => {
                used.publishes += 1;
                client.publish(self.scenario.limits.lapses > 0, defect)?;
            }
            Action::PublishOther => {
                used.others += 1;
                server.publish(OTHERS + used.others)?;
            }
            Action::Request => {
                used.requests += 1;
                client.request(self.scenario.limits.timeouts > 0, defect)?;
            }
            Action::Cancel => {
                used.cancels += 1;
                client.cancel(defect)?;
            }
            Action::Pause => {
                used.pauses += 1;
                client.pause(true, defect)?;
            }
            Action::Lag(id) => {
                used.lags += 1;
                server.fall_behind(id);
            }
            Action::GoOn => client.pause(false, defect)?,
            Action::Copy(id) => {
                used.copies += 1;
                let sent = find(links, id).map(|link| link.sent.clone()).unwrap_or_default();
                let id = world.next_link;
                world.next_link += 1;
                links.push(Link::copy(id, sent));
                server.accept(id);
            }
            Action::Lapse => {
                used.lapses += 1;
                client.lapse(defect)?;
            }
            Action::TimeOut => {
                used.timeouts += 1;
                server.time_out()?;
            }
            Action::Trim => {
                used.trims += 1;
                server.store.disk.trim();
            }
            Action::Expire => {
                used.expiries += 1;
                server.expire()?;
            }
            Action::Snapshot => client.snapshot(defect)?,
            Action::Drain => {
                used.drains += 1;
                server.drain()?;
            }
            Action::Restart => {
                used.restarts += 1;
                server.restart();
            }
            Action::BackUp => server.store.backup = Some(server.store.disk.clone()),
            Action::RollBack => {
                used.rollbacks += 1;
                if let Some(backup) = server.store.backup.clone() {
                    server.store.disk = backup;
                }
                server.restart();
            }
            Action::LoseHistory => {
                used.losses += 1;
                server.store.lose_history();
            }
        }
        self.settle(world)
    }

    /// Puts on the connections what the event has led to, and forgets those that are gone at both ends.
    fn settle(&self, world: &mut World) -> Result<(), Finding> {
        let World { client, server, links, used, .. } = world;
        let lines: Vec<Up> = std::mem::take(&mut client.out);
        if let Some(link) = client.link.and_then(|id| find(links, id)) {
            let resumes = matches!(link.sent.first().or(lines.first()), Some(Up::Hello { session: Some(_), .. }));
            if resumes && self.scenario.limits.copies > used.copies {
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
            if used.copies == self.scenario.limits.copies {
                link.sent.clear();
            }
            if !server.has(link.id) {
                link.up.clear();
            }
        }
        links.retain(|link| link.has_client || server.has(link.id));
        if client.over.is_some() && used.copies == 0 { Err(Finding::SessionEnded) } else { Ok(()) }
    }

    /// Lets everything go on without anything going wrong, and checks where that ends.
    fn quiet(&self, world: &World) -> Result<(), Finding> {
        let mut world = world.clone();
        let mut actions = Vec::new();
        for _ in 0..MAX_QUIET {
            actions.clear();
            self.own(&world, &mut actions);
            let Some(action) = actions.first() else { return self.at_rest(&world) };
            self.apply(&mut world, *action)?;
        }
        Err(Finding::NoRest)
    }

    /// What holds when nothing is left to do.
    fn at_rest(&self, world: &World) -> Result<(), Finding> {
        let World { client, server, used, .. } = world;
        let disk = &server.store.disk;
        let has_forgotten = used.restarts + used.rollbacks + used.expiries + used.copies > 0;
        let has_lost_data = used.rollbacks + used.losses > 0;
        for publish in &client.publishes {
            let found = disk.messages.iter().find(|message| message.payload == publish.payload);
            let is_right = match publish.outcome.ok_or(Finding::NoOutcome)? {
                PublishOutcome::Stored(cursor) => has_lost_data || found.is_some_and(|found| found.cursor == cursor),
                PublishOutcome::Failed(ErrorCode::Unknown) => has_forgotten,
                PublishOutcome::Failed(_) => found.is_none(),
            };
            if !is_right {
                return Err(Finding::WrongOutcome);
            }
        }
        for request in &client.requests {
            let is_right = match request.outcome.ok_or(Finding::NoOutcome)? {
                Ok(()) => true,
                Err(ErrorCode::Cancelled) => used.cancels > 0,
                Err(ErrorCode::Expired) => used.lapses + used.timeouts > 0,
                Err(ErrorCode::TakenOver) => used.copies > 0,
                Err(code) => code == ErrorCode::Unknown && has_forgotten,
            };
            if !is_right {
                return Err(Finding::WrongOutcome);
            }
        }
        if client.machine.pending() > 0 {
            return Err(Finding::NoOutcome);
        }
        if client.over.is_some() {
            return Ok(());
        }
        let messages = disk.messages.iter().fold(0, |set, message| set | identity(message.cursor));
        if client.has_all(messages, disk.values(), disk.last()) { Ok(()) } else { Err(Finding::Lost) }
    }
}

impl Model for Session {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.start()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.finding.is_none() {
            self.own(world, actions);
            self.others(world, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        if let Err(finding) = self.apply(&mut next, action) {
            next.finding = Some(finding);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |_, world: &World| world.finding.is_none()),
            Property::always(LIVE, |model: &Self, world: &World| world.finding.is_some() || model.quiet(world).is_ok()),
        ]
    }
}

/// No event breaks a promise.
pub(crate) const SAFE: &str = "safe";
/// Without further faults, everything is delivered and answered.
pub(crate) const LIVE: &str = "live";

impl Session {
    /// What is wrong with a state.
    pub(crate) fn finding(&self, world: &World) -> Option<Finding> {
        world.finding.or_else(|| self.quiet(world).err())
    }
}

fn find(links: &mut [Link], id: u8) -> Option<&mut Link> {
    links.iter_mut().find(|link| link.id == id)
}
