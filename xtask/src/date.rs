//! Dates without a calendar crate.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    seconds: u64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            seconds: since.as_secs(),
        }
    }

    /// Year, month and day by the days-to-civil algorithm of H. Hinnant, valid from 1970 on.
    fn civil(self) -> (u64, u64, u64) {
        let z = self.seconds / 86_400 + 719_468;
        let era = z / 146_097;
        let day_of_era = z % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        (year_of_era + era * 400 + u64::from(month <= 2), month, day)
    }

    /// `2026-01-31 23:59 UTC`.
    pub(crate) fn readable(self) -> String {
        let (year, month, day) = self.civil();
        let (hour, minute) = (self.seconds / 3600 % 24, self.seconds / 60 % 60);
        format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }

    /// `20260131-235959`, which sorts and makes a folder name.
    pub(crate) fn stamp(self) -> String {
        let (year, month, day) = self.civil();
        let s = self.seconds;
        format!(
            "{year}{month:02}{day:02}-{:02}{:02}{:02}",
            s / 3600 % 24,
            s / 60 % 60,
            s % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let cases = [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (1_735_689_599, "20241231-235959"),
            (4_107_542_400, "21000301-000000"),
        ];
        for (seconds, stamp) in cases {
            assert_eq!(Moment { seconds }.stamp(), stamp);
        }
        assert_eq!(
            Moment {
                seconds: 951_782_400
            }
            .readable(),
            "2000-02-29 00:00 UTC"
        );
    }
}
