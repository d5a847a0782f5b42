//! Times and days as people read them.

const MINUTE: f64 = 60_000.0;
const DAY: f64 = 24.0 * 60.0 * MINUTE;

const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The number of the day since 1970 on a clock that is so many minutes behind UTC.
pub(super) fn day(time: f64, behind_utc: f64) -> i64 {
    ((time - behind_utc * MINUTE) / DAY).floor() as i64
}

/// The time of day: `09:05`.
pub(super) fn time_of_day(time: f64, behind_utc: f64) -> String {
    let minutes = ((time - behind_utc * MINUTE).rem_euclid(DAY) / MINUTE) as u32;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The name of a day: `Today`, `Monday, 23 November`, or with the year where that is another one.
pub(super) fn day_name(day: i64, today: i64) -> String {
    match today - day {
        0 => return "Today".to_owned(),
        1 => return "Yesterday".to_owned(),
        _ => {}
    }
    let (year, month, of_month) = date(day);
    let weekday = WEEKDAYS[day.rem_euclid(7) as usize];
    let name = format!("{weekday}, {of_month} {}", MONTHS[month - 1]);
    if year == date(today).0 { name } else { format!("{name} {year}") }
}

/// The year, the month from 1 and the day from 1. From Howard Hinnant's `civil_from_days`, for years of 365.2425 days that begin in March.
fn date(day: i64) -> (i64, usize, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as usize, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_that_of_the_visitors_clock() {
        let time = 1_795_219_200_000.0;
        assert_eq!([0.0, -90.0, 300.0].map(|behind| time_of_day(time, behind)), ["00:00", "01:30", "19:00"]);
        assert_eq!([0.0, -90.0, 300.0].map(|behind| day(time, behind)), [20_778, 20_778, 20_777]);
        assert_eq!(time_of_day(-MINUTE, 0.0), "23:59");
    }

    #[test]
    fn days_are_named_as_people_name_them() {
        let today = 20_787;
        let names = [0, 1, 2, 8, 365].map(|ago| day_name(today - ago, today));
        assert_eq!(
            names,
            ["Today", "Yesterday", "Saturday, 28 November", "Sunday, 22 November", "Sunday, 30 November 2025"]
        );
        assert_eq!(day_name(today + 1, today), "Tuesday, 1 December", "a server whose clock is ahead");
        assert_eq!((date(0), date(19_782), date(19_783)), ((1970, 1, 1), (2024, 2, 29), (2024, 3, 1)));
    }
}
