//! From what the core asks for to numbers.

use everwire_core::{Action, AtRisk, Cause, DiscardReason, Ended, Event, Time, Verdict};

use crate::{
    body::Body,
    codes::{action, cause, discarded},
    numbers::{Count, Policy},
};

/// What goes with an action.
pub(crate) type Operands = [f64; 6];

/// Writes the operands and returns the action's number.
pub(crate) fn write(action: Action<Body>, policy: Policy, operands: &mut Operands) -> u32 {
    match action {
        Action::Dial { socket, failures } => {
            operands[0] = socket.0 as f64;
            operands[1] = failures.into();
            action::DIAL
        }
        Action::Transmit { message, .. } => {
            operands[0] = message.key.into();
            action::TRANSMIT
        }
        Action::Probe { ping, .. } => {
            operands[0] = ping as f64;
            action::PROBE
        }
        Action::Measure { socket } => {
            operands[0] = socket.0 as f64;
            action::MEASURE
        }
        Action::Close { .. } => action::CLOSE,
        Action::Abandon { .. } => action::ABANDON,
        Action::Notify(event) => tell(event, policy, operands),
    }
}

fn tell(event: Event<Body>, policy: Policy, operands: &mut Operands) -> u32 {
    match event {
        Event::Opened { .. } => action::OPENED,
        Event::Latency(round_trip) => {
            operands[0] = round_trip.as_millis_f64();
            action::LATENCY
        }
        Event::Dropped { cause, at_risk, retry } => {
            let by_default = policy.by_default(&cause) != Verdict::Stop;
            let at = retry.at.map_or(-1.0, Time::as_millis_f64);
            let AtRisk { bytes, messages: Count(messages) } = at_risk;
            *operands =
                [number(&cause).into(), by_default.into(), bytes as f64, messages as f64, retry.attempt.into(), at];
            action::DROPPED
        }
        Event::Discarded { message, reason, .. } => {
            operands[0] = message.key.into();
            operands[1] = match reason {
                DiscardReason::Evicted => discarded::EVICTED,
                DiscardReason::Replaced => discarded::REPLACED,
                DiscardReason::Closed => discarded::CLOSED,
                // The others are all known here; the enum is open for crates outside of this workspace.
                _ => discarded::EXPIRED,
            }
            .into();
            action::DISCARDED
        }
        Event::Closed { ended, at_risk } => {
            let cause = match ended {
                Ended::Final(cause) | Ended::Exhausted(cause) => number(&cause),
                _ => cause::BY_APPLICATION,
            };
            let AtRisk { bytes, messages: Count(messages) } = at_risk;
            *operands = [cause.into(), bytes as f64, messages as f64, 0.0, 0.0, 0.0];
            action::ENDED
        }
        // Messages go without an action. The others are all known here; the enum is open for crates outside of this workspace.
        _ => action::NONE,
    }
}

fn number(cause: &Cause<()>) -> u32 {
    match cause {
        Cause::ConnectTimeout => cause::CONNECT_TIMEOUT,
        Cause::HeartbeatTimeout { ever_answered: true } => cause::HEARTBEAT_TIMEOUT,
        Cause::HeartbeatTimeout { ever_answered: false } => cause::NEVER_ANSWERED,
        Cause::NetworkChanged => cause::NETWORK_CHANGED,
        Cause::Provider(_) => cause::PROVIDER,
        Cause::Refused(_) => cause::REFUSED,
        Cause::Suspended => cause::SUSPENDED,
        Cause::Requested => cause::REQUESTED,
        // The others are all known here; the enum is open for crates outside of this workspace.
        _ => cause::CLOSED,
    }
}
