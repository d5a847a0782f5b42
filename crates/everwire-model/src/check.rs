//! Runs the checker.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    scenario::{Defect, Scenario},
    world::{Action, LIVE, SAFE},
};

/// A promise that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// A message is missing without a gap, or the subscription does not reach the end of the channel.
    Lost,
    /// A message is delivered twice, or after a gap said that it is missing.
    Repeated,
    /// A gap is reported, and the store has lost nothing.
    NeedlessGap,
    /// The client gets its own message before the answer to the publish.
    CopyBeforeAnswer,
    /// A publish or a request has no outcome when nothing is left to do.
    NoOutcome,
    /// A publish or a request has a second outcome, or parts that do not belong to it.
    TwoOutcomes,
    /// An outcome is not what is in the store, or unknown for no reason.
    WrongOutcome,
    /// A publish is stored twice.
    StoredTwice,
    /// A request runs twice.
    RunTwice,
    /// The client accepts nothing.
    Refused,
    /// The server finds the client in error.
    ClientInError,
    /// The client finds the server in error.
    ServerInError,
    /// The client's session ends.
    SessionEnded,
    /// It goes on for ever.
    NoRest,
}

/// What a run has visited and found.
#[derive(Debug, Clone)]
pub struct Report {
    /// States that are different.
    pub states: usize,
    /// States that were reached, with repetitions.
    pub transitions: usize,
    /// The greatest number of events that led to one of them.
    pub depth: usize,
    /// There is no other state. Not known where a promise is broken.
    pub is_complete: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// The promise that is broken, and the shortest way there.
    pub finding: Option<(Finding, Vec<Action>)>,
}

/// The model that the checker runs.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) scenario: Scenario,
    pub(crate) defect: Option<Defect>,
}

/// Visits the states of a scenario, breadth first, until there are no others, at least `states` were visited, `depth` is reached, or a
/// promise is broken.
pub fn explore(scenario: Scenario, defect: Option<Defect>, states: usize, depth: Option<usize>) -> Report {
    let started = Instant::now();
    // The checker counts the states that it reaches again as well, which makes up to four for each.
    let target = states.saturating_mul(4);
    let mut checker = Session { scenario, defect }
        .checker()
        .threads(1)
        .target_state_count(target)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checker = checker.spawn_bfs().join();
    let found = [SAFE, LIVE].into_iter().find_map(|property| checker.discovery(property));
    let finding = found.and_then(|path| {
        let model = Session { scenario, defect };
        let finding = model.finding(path.last_state())?;
        Some((finding, path.into_actions()))
    });
    Report {
        states: checker.unique_state_count(),
        transitions: checker.state_count(),
        depth: checker.max_depth(),
        is_complete: checker.state_count() < target && depth.is_none_or(|depth| checker.max_depth() < depth),
        elapsed: started.elapsed(),
        finding,
    }
}
