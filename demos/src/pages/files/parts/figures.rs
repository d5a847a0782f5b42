use everwire_companion_api::files::Limits;

use crate::format;
use crate::pages::files::readable;
use crate::pages::files::transfer::{Stage, Transfer};

/// The numbers of a transfer, the most important first.
pub(super) fn figures(transfer: &Transfer, limits: Option<Limits>, is_interrupted: bool, now: f64) -> Vec<String> {
    let (acked, size) = (transfer.flow.acked(), transfer.flow.size());
    match &transfer.stage {
        Stage::Done(file) => {
            vec![format::bytes(size), format!("SHA-256 {}… is equal on both sides", &short(&file.sha256))]
        }
        Stage::Failed(_) | Stage::Waiting => vec![format::bytes(size)],
        Stage::Checking(position) => {
            vec![format!("{} of {} read again for the checksum", format::bytes(*position), format::bytes(acked))]
        }
        _ => {
            let mut figures = vec![
                format!("{} %", readable::percent(acked, size)),
                format!("{} of {}", format::bytes(acked), format::bytes(size)),
            ];
            if matches!(transfer.stage, Stage::Sending | Stage::Comparing) && !is_interrupted {
                figures.extend(transfer.meter.speed(now).map(readable::speed));
                let left = transfer.meter.time_left(now, size - acked);
                figures.extend(left.map(|left| format!("{} left", readable::wait(left))));
                figures.push(format!("{} on the way", format::bytes(transfer.flow.on_the_way())));
            }
            if transfer.stage == Stage::Paused && acked > 0 {
                let kept = limits.map(|limits| readable::wait(limits.unfinished));
                figures.extend(kept.map(|kept| format!("the server keeps it for {kept}")));
            }
            figures
        }
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
