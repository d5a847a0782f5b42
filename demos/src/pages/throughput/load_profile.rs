use std::ops::RangeInclusive;

/// The load that a run puts on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoadProfile {
    pub(super) connections: usize,
    /// The pings that each connection keeps in flight.
    pub(super) in_flight: usize,
    /// The size of a ping.
    pub(super) bytes: usize,
}

impl LoadProfile {
    /// Browsers hold about 200 WebSockets at once: Firefox 200, Chromium 255.
    pub(super) const CONNECTIONS: RangeInclusive<usize> = 1..=200;
    pub(super) const IN_FLIGHT: RangeInclusive<usize> = 1..=100;
    pub(super) const BYTES: RangeInclusive<usize> = 1..=65_536;

    /// The most bytes that all connections together may have in flight. The page and the server both buffer them; with some 60 MB the
    /// page no longer responds to input, not even to its stop button.
    const MAX_IN_FLIGHT_BYTES: u64 = 8_000_000;

    /// Numbers of connections that are offered as buttons.
    pub(super) const PRESETS: [usize; 5] = [1, 10, 50, 100, 200];

    /// Parses the texts of the three fields. The error is a sentence that says what to change.
    pub(super) fn parse(connections: &str, in_flight: &str, bytes: &str) -> Result<Self, String> {
        let connections =
            parse_within(connections, Self::CONNECTIONS).map_err(|range| format!("Open {range} connections."))?;
        let in_flight =
            parse_within(in_flight, Self::IN_FLIGHT).map_err(|range| format!("Keep {range} pings in flight."))?;
        let bytes = parse_within(bytes, Self::BYTES).map_err(|range| format!("Use {range} bytes per ping."))?;
        let total = (connections * in_flight * bytes) as u64;
        if total > Self::MAX_IN_FLIGHT_BYTES {
            let [total, most] = [total, Self::MAX_IN_FLIGHT_BYTES].map(crate::format::bytes);
            return Err(format!("That would be {total} in flight at once. The limit is {most}."));
        }
        Ok(Self { connections, in_flight, bytes })
    }
}

impl Default for LoadProfile {
    fn default() -> Self {
        Self { connections: 10, in_flight: 1, bytes: 16 }
    }
}

/// Parses a number; the error names the range that it has to be within.
pub(super) fn parse_within(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    let grouped = |number: &usize| crate::format::count(*number as u64);
    number.ok_or_else(|| format!("from {} to {}", grouped(range.start()), grouped(range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_within_the_range_are_accepted() {
        assert_eq!(parse_within(" 200 ", LoadProfile::CONNECTIONS), Ok(200));
        for typed in ["0", "201", "-1", "1.5", "", "ten"] {
            assert_eq!(parse_within(typed, LoadProfile::CONNECTIONS), Err("from 1 to 200".to_owned()), "{typed}");
        }
        assert_eq!(parse_within("65537", LoadProfile::BYTES), Err("from 1 to 65,536".to_owned()));
    }

    #[test]
    fn the_bytes_in_flight_are_limited_to_what_a_page_can_buffer() {
        let full = LoadProfile { connections: 200, in_flight: 100, bytes: 16 };
        assert_eq!(LoadProfile::parse("200", "100", "16"), Ok(full));
        assert!(LoadProfile::parse("1", "100", "65536").is_ok());
        assert!(LoadProfile::parse("200", "100", "400").is_ok());
        let error = LoadProfile::parse("200", "100", "65536").unwrap_err();
        assert!(error.contains("1.3 GB in flight at once. The limit is 8.0 MB."), "{error}");
        assert_eq!(LoadProfile::parse("1", "0", "1").unwrap_err(), "Keep from 1 to 100 pings in flight.");
    }

    #[test]
    fn the_presets_are_within_the_range() {
        assert!(LoadProfile::PRESETS.iter().all(|preset| LoadProfile::CONNECTIONS.contains(preset)));
    }
}
