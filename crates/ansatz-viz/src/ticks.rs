//! Where the marks of an axis stand.

use crate::number;

/// A mark on an axis; a mark without a label is a minor one.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Position in data units.
    pub value: f64,
    /// What is written beside it.
    pub label: Option<String>,
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten, about `target` of them inside `[lo, hi]`.
#[must_use]
pub fn linear_ticks(lo: f64, hi: f64, target: usize) -> Vec<Tick> {
    let span = hi - lo;
    if !(span.is_finite() && span > 0.0) || target == 0 {
        return vec![Tick {
            value: lo,
            label: Some(number::short(lo)),
        }];
    }
    let raw = span / target as f64;
    let decade = 10f64.powf(raw.log10().floor());
    let step = match raw / decade {
        r if r <= 1.0 => decade,
        r if r <= 2.0 => 2.0 * decade,
        r if r <= 5.0 => 5.0 * decade,
        _ => 10.0 * decade,
    };
    let first = (lo / step - 1e-9).ceil();
    let last = (hi / step + 1e-9).floor();
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let plain = decimals <= 4 && lo.abs().max(hi.abs()) < 1e6;
    (0..=(last - first).max(0.0) as usize)
        .map(|i| {
            // `+ 0.0` turns -0 into 0, which would be labelled "-0".
            let value = (first + i as f64) * step + 0.0;
            let label = if plain {
                format!("{value:.decimals$}")
            } else {
                number::short(value)
            };
            Tick {
                value,
                label: Some(label),
            }
        })
        .collect()
}

/// Ticks for a logarithmic axis: labelled decades with unlabelled 2 … 9 between them; over less than two decades the
/// multiples 1, 2 and 5 are labelled as well. At most about `target` decades carry a label.
#[must_use]
pub fn log_ticks(lo: f64, hi: f64, target: usize) -> Vec<Tick> {
    if !(lo > 0.0 && hi > lo && hi.is_finite()) {
        return vec![Tick {
            value: lo,
            label: Some(number::short(lo)),
        }];
    }
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let decades = hi.log10() - lo.log10();
    let every = (decades / target.max(1) as f64).ceil().max(1.0) as i32;
    let mut ticks = Vec::new();
    for exponent in first..=last {
        let decade = 10f64.powi(exponent);
        for multiple in 1..10 {
            let value = f64::from(multiple) * decade;
            if value < lo * (1.0 - 1e-9) || value > hi * (1.0 + 1e-9) {
                continue;
            }
            let label = match multiple {
                1 if exponent.rem_euclid(every) == 0 => Some(number::power_of_ten(exponent)),
                2 | 5 if decades < 2.0 => Some(number::short(value)),
                _ if decades < 0.5 => Some(number::short(value)),
                _ => None,
            };
            // Minor marks would merge into a grey bar on a long axis.
            if label.is_some() || multiple == 1 || decades <= 5.0 {
                ticks.push(Tick { value, label });
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().filter_map(|t| t.label.as_deref()).collect()
    }

    #[test]
    fn linear_steps_are_one_two_or_five() {
        assert_eq!(
            labels(&linear_ticks(0.0, 1.0, 5)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(&linear_ticks(-3.0, 7.0, 5)),
            ["-2", "0", "2", "4", "6"]
        );
        assert_eq!(
            labels(&linear_ticks(0.0, 43.0, 5)),
            ["0", "10", "20", "30", "40"]
        );
    }

    #[test]
    fn log_labels_decades_and_marks_between() {
        let ticks = log_ticks(1e-4, 1.0, 6);
        assert_eq!(labels(&ticks), ["10⁻⁴", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(ticks.len(), 37);
    }

    #[test]
    fn short_log_axes_label_two_and_five() {
        assert_eq!(
            labels(&log_ticks(5.0, 100.0, 6)),
            ["5", "10", "20", "50", "100"]
        );
    }

    #[test]
    fn long_log_axes_skip_decades() {
        let ticks = log_ticks(1e-16, 1.0, 6);
        assert!(labels(&ticks).len() <= 7, "{ticks:?}");
        assert_eq!(ticks.len(), 17);
    }

    #[test]
    fn degenerate_ranges_give_one_tick() {
        assert_eq!(linear_ticks(2.0, 2.0, 5).len(), 1);
        assert_eq!(log_ticks(0.0, 2.0, 5).len(), 1);
    }
}
