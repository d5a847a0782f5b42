use everwire_companion_api::monitor::Vmstat;

use super::counters::Counters;

/// Rates and shares between two readings.
pub(super) fn between(before: &Counters, after: &Counters, seconds: f64, page_size: u64) -> Vmstat {
    // A counter that decreased was reset, as the idle time of a core can be, and gives a rate of zero.
    let rate = |before: u64, after: u64| (after.saturating_sub(before) as f64 / seconds.max(1e-3)).round() as u64;
    let pages = |before: u64, after: u64| rate(before * page_size / 1024, after * page_size / 1024);
    let mut spent = [0; 8];
    for (spent, (before, after)) in spent.iter_mut().zip(before.time.into_iter().zip(after.time)) {
        *spent = after.saturating_sub(before);
    }
    let [user, nice, system, idle, wait, irq, softirq, stolen] = spent;
    let all = spent.iter().sum::<u64>().max(1);
    let percent = |ticks: u64| (100 * ticks + all / 2) / all;
    Vmstat {
        // The process that reads the counter is running as well.
        running: after.running.saturating_sub(1),
        blocked: after.blocked,
        swap_used: after.swap_used,
        free: after.free,
        buffers: after.buffers,
        cache: after.cache,
        swapped_in: pages(before.swapped_in, after.swapped_in),
        swapped_out: pages(before.swapped_out, after.swapped_out),
        blocks_in: rate(before.blocks_in, after.blocks_in),
        blocks_out: rate(before.blocks_out, after.blocks_out),
        interrupts: rate(before.interrupts, after.interrupts),
        switches: rate(before.switches, after.switches),
        user: percent(user + nice),
        system: percent(system + irq + softirq),
        idle: percent(idle),
        wait: percent(wait),
        stolen: percent(stolen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_rates_and_times_become_shares() {
        let before = Counters { interrupts: 1_000, swapped_in: 10, time: [100; 8], ..Counters::default() };
        let after = Counters {
            interrupts: 1_500,
            swapped_in: 20,
            running: 3,
            free: 7,
            time: [130, 110, 120, 230, 100, 105, 105, 100],
            ..Counters::default()
        };
        let row = between(&before, &after, 2.0, 4096);
        assert_eq!((row.interrupts, row.swapped_in, row.running, row.free), (250, 20, 2, 7));
        assert_eq!((row.user, row.system, row.idle, row.wait, row.stolen), (20, 15, 65, 0, 0));
    }

    #[test]
    fn a_counter_that_was_reset_gives_zero_and_no_ticks_divide_by_nothing() {
        let before = Counters { interrupts: 9, time: [9; 8], ..Counters::default() };
        assert_eq!(between(&before, &Counters::default(), 0.0, 4096), Vmstat::default());
    }
}
