/// Counters of the kernel in its own units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Time of all cores in ticks: user, nice, system, idle, wait, irq, softirq, steal.
    pub(super) time: [u64; 8],
    pub(super) interrupts: u64,
    pub(super) switches: u64,
    pub(super) running: u64,
    pub(super) blocked: u64,
    /// Pages swapped in and out.
    pub(super) swapped_in: u64,
    pub(super) swapped_out: u64,
    /// KiB read from and written to block devices.
    pub(super) blocks_in: u64,
    pub(super) blocks_out: u64,
    /// KiB.
    pub(super) swap_used: u64,
    pub(super) free: u64,
    pub(super) buffers: u64,
    pub(super) cache: u64,
}

impl Counters {
    /// Reads `/proc/stat`, `/proc/vmstat` and `/proc/meminfo`.
    pub(super) fn parse(stat: &str, vmstat: &str, meminfo: &str) -> Option<Self> {
        let mut time = [0; 8];
        // Old kernels have fewer columns, and new ones more.
        let columns = line(stat, "cpu")?.split_ascii_whitespace().map_while(|ticks| ticks.parse().ok());
        time.iter_mut().zip(columns).for_each(|(ticks, column)| *ticks = column);
        let memory = |name| first_number(meminfo, name).unwrap_or(0);
        let swapped = |name| first_number(vmstat, name).unwrap_or(0);
        Some(Self {
            time,
            interrupts: first_number(stat, "intr")?,
            switches: first_number(stat, "ctxt")?,
            running: first_number(stat, "procs_running")?,
            blocked: first_number(stat, "procs_blocked")?,
            swapped_in: swapped("pswpin"),
            swapped_out: swapped("pswpout"),
            blocks_in: swapped("pgpgin"),
            blocks_out: swapped("pgpgout"),
            swap_used: memory("SwapTotal:").saturating_sub(memory("SwapFree:")),
            free: memory("MemFree:"),
            buffers: memory("Buffers:"),
            // Like procps since 2014, which counts reclaimable slab memory as cache.
            cache: memory("Cached:") + memory("SReclaimable:"),
        })
    }
}

fn first_number(text: &str, name: &str) -> Option<u64> {
    line(text, name)?.split_ascii_whitespace().next()?.parse().ok()
}

/// The rest of the line that starts with `name`.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 500 1 2 3\nctxt 600\n\
                        btime 1\nprocesses 9\nprocs_running 3\nprocs_blocked 1\nsoftirq 7 8 9\n";
    const VMSTAT: &str = "nr_free_pages 1\npgpgin 11\npgpgout 12\npswpin 13\npswpout 14\n";
    const MEMINFO: &str = "MemTotal:  1000 kB\nMemFree:  100 kB\nBuffers:  50 kB\nCached:  200 kB\nSwapCached: 9 kB\n\
                           SwapTotal:  400 kB\nSwapFree:  150 kB\nSReclaimable:  30 kB\n";

    #[test]
    fn counters_are_read_from_all_three_files() {
        let expected = Counters {
            time: [10, 20, 30, 40, 50, 60, 70, 80],
            interrupts: 500,
            switches: 600,
            running: 3,
            blocked: 1,
            swapped_in: 13,
            swapped_out: 14,
            blocks_in: 11,
            blocks_out: 12,
            swap_used: 250,
            free: 100,
            buffers: 50,
            cache: 230,
        };
        assert_eq!(Counters::parse(STAT, VMSTAT, MEMINFO), Some(expected));
    }

    #[test]
    fn an_incomplete_file_gives_no_counters() {
        assert_eq!(Counters::parse("", VMSTAT, MEMINFO), None);
        assert_eq!(Counters::parse("cpu  1 2 3 4\n", VMSTAT, MEMINFO), None);
    }
}
