//! Hours of the week, in UTC.

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MIN: u32 = 24 * 60;

/// Times of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours(Vec<Window>);

/// Days of the week, and from when to when on each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    first_day: u32,
    last_day: u32,
    from_min: u32,
    /// Not in it any more.
    to_min: u32,
}

impl Hours {
    /// Reads windows such as `Mon-Fri 08:00-18:00` or `Sun 00:00-24:00`.
    ///
    /// # Errors
    /// What is expected.
    pub fn of(texts: &[String]) -> Result<Self, String> {
        let window = |text: &String| {
            let read = window(text);
            read.ok_or_else(|| {
                format!(
                    "hours: {text:?}, expected days and hours as in \"Mon-Fri 08:00-18:00\", in UTC"
                )
            })
        };
        texts.iter().map(window).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this time, ms since 1970, is in them.
    pub fn hold(&self, now_ms: u64) -> bool {
        let minutes = now_ms / 60_000;
        // The first of January 1970 was a Thursday.
        let day = (minutes / u64::from(DAY_MIN) + 3) % 7;
        let minute = minutes % u64::from(DAY_MIN);
        self.0.iter().any(|window| {
            (u64::from(window.first_day)..=u64::from(window.last_day)).contains(&day)
                && (u64::from(window.from_min)..u64::from(window.to_min)).contains(&minute)
        })
    }
}

fn window(text: &str) -> Option<Window> {
    let (days, hours) = text.split_once(' ')?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (first_day, last_day) = (day(first)?, day(last)?);
    let (from, to) = hours.split_once('-')?;
    let (from_min, to_min) = (minute(from)?, minute(to)?);
    (first_day <= last_day && from_min < to_min).then_some(Window {
        first_day,
        last_day,
        from_min,
        to_min,
    })
}

fn day(name: &str) -> Option<u32> {
    let name = name.to_lowercase();
    let found = (0_u32..).zip(DAYS).find(|(_, day)| *day == name);
    found.map(|(day, _)| day)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY_MIN).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Result<Hours, String> {
        Hours::of(&[text.to_owned()])
    }

    #[test]
    fn a_time_is_in_the_window_from_its_first_minute_to_before_its_last() {
        let work = hours("Mon-Fri 08:00-18:00").unwrap();
        // 2026-11-30 is a Monday.
        let monday = 1_796_000_000_000 / 86_400_000 * 86_400_000;
        let at = |day: u64, hour: u64, minute: u64| {
            work.hold(monday + ((day * 24 + hour) * 60 + minute) * 60_000)
        };
        let days: Vec<bool> = (0..7).map(|day| at(day, 12, 0)).collect();
        assert_eq!(days.iter().filter(|open| **open).count(), 5, "{days:?}");
        let first = (0..7)
            .find(|day| !at((day + 6) % 7, 12, 0) && at(*day, 12, 0))
            .unwrap();
        assert!(!at(first, 7, 59) && at(first, 8, 0) && at(first, 17, 59) && !at(first, 18, 0));
        // The board's first second: a Thursday.
        assert!(hours("Thu 00:00-00:01").unwrap().hold(0));
        assert!(!hours("Fri 00:00-24:00").unwrap().hold(0));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for good in ["Sun 00:00-24:00", "mon-SUN 23:59-24:00"] {
            assert!(hours(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Mon",
            "Mon 8:00-18:00",
            "Mon 18:00-08:00",
            "Fri-Mon 08:00-18:00",
            "Mon 08:00-24:01",
            "Mon 08:60-18:00",
            "Day 08:00-18:00",
            "Mon 08:00",
            "Mon  08:00-18:00",
        ] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }
}
