use std::ops::RangeInclusive;

/// What the visitor asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) connections: usize,
    /// The pings that each connection keeps under way.
    pub(super) in_flight: usize,
    /// The size of a ping.
    pub(super) bytes: usize,
}

impl Choice {
    /// Browsers hold about 200 WebSockets at once: Firefox 200, Chromium 255.
    pub(super) const CONNECTIONS: RangeInclusive<usize> = 1..=200;
    pub(super) const IN_FLIGHT: RangeInclusive<usize> = 1..=100;
    pub(super) const BYTES: RangeInclusive<usize> = 1..=65_536;

    /// What all pings under way may take together. The page and the server both keep them, and with some 60 MB a page no longer gets
    /// to what its visitor does: not even to the end of the run.
    const UNDER_WAY: u64 = 8_000_000;

    /// Numbers of connections that people like to compare.
    pub(super) const PRESETS: [usize; 5] = [1, 10, 50, 100, 200];
}

impl Choice {
    /// Reads what was typed into the fields, or says what to change.
    pub(super) fn read(connections: &str, in_flight: &str, bytes: &str) -> Result<Self, String> {
        let connections = read(connections, Self::CONNECTIONS).map_err(|range| format!("Open {range} connections."))?;
        let in_flight = read(in_flight, Self::IN_FLIGHT).map_err(|range| format!("Keep {range} pings under way."))?;
        let bytes = read(bytes, Self::BYTES).map_err(|range| format!("Make a ping {range} bytes large."))?;
        let under_way = (connections * in_flight * bytes) as u64;
        if under_way > Self::UNDER_WAY {
            let [size, most] = [under_way, Self::UNDER_WAY].map(crate::format::bytes);
            return Err(format!("That would be {size} under way at once: make it {most} at most."));
        }
        Ok(Self { connections, in_flight, bytes })
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self { connections: 10, in_flight: 1, bytes: 16 }
    }
}

/// Reads a number that has to be within a range.
pub(super) fn read(typed: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let number = typed.trim().parse().ok().filter(|number| range.contains(number));
    let grouped = |number: &usize| crate::format::count(*number as u64);
    number.ok_or_else(|| format!("from {} to {}", grouped(range.start()), grouped(range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_can_be_kept_are_taken() {
        assert_eq!(read(" 200 ", Choice::CONNECTIONS), Ok(200));
        for typed in ["0", "201", "-1", "1.5", "", "ten"] {
            assert_eq!(read(typed, Choice::CONNECTIONS), Err("from 1 to 200".to_owned()), "{typed}");
        }
        assert_eq!(read("65537", Choice::BYTES), Err("from 1 to 65,536".to_owned()));
    }

    #[test]
    fn a_page_is_not_asked_to_keep_more_than_it_can() {
        assert_eq!(Choice::read("200", "100", "16"), Ok(Choice { connections: 200, in_flight: 100, bytes: 16 }));
        assert!(Choice::read("1", "100", "65536").is_ok());
        assert!(Choice::read("200", "100", "400").is_ok());
        let refused = Choice::read("200", "100", "65536").unwrap_err();
        assert!(refused.contains("1.3 GB under way at once: make it 8.0 MB at most"), "{refused}");
        assert_eq!(Choice::read("1", "0", "1").unwrap_err(), "Keep from 1 to 100 pings under way.");
    }

    #[test]
    fn the_presets_are_within_what_may_be_asked_for() {
        assert!(Choice::PRESETS.iter().all(|preset| Choice::CONNECTIONS.contains(preset)));
    }
}
