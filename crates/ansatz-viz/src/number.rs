//! Numbers as people read them.

const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// A number in about three significant digits: `0`, `12.3`, `1,230`, `4.56e-7`.
#[must_use]
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs();
    if !(1e-3..1e7).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    if magnitude >= 999.5 {
        return thousands(value.round());
    }
    let decimals = (2 - magnitude.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    // 9.996 rounds up to 10.00: a digit more than the others show.
    let text = if text.len() > decimals + 3 && decimals > 0 && magnitude >= 0.9995 {
        format!("{value:.*}", decimals - 1)
    } else {
        text
    };
    trim_zeros(&text)
}

/// A power of ten as it stands at an axis: plain between 0.001 and 1000, else `10⁻⁷`.
#[must_use]
pub fn power_of_ten(exponent: i32) -> String {
    if (-3..=3).contains(&exponent) {
        return trim_zeros(&format!("{:.3}", 10f64.powi(exponent)));
    }
    let mut text = String::from("10");
    if exponent < 0 {
        text.push('⁻');
    }
    for digit in exponent.unsigned_abs().to_string().bytes() {
        text.push(SUPERSCRIPTS[usize::from(digit - b'0')]);
    }
    text
}

/// A value with its unit, seconds and bytes per second in the prefix that fits: `12.3 ms`.
#[must_use]
pub fn with_unit(value: f64, unit: &str) -> String {
    if unit == "s" && value == 0.0 {
        return "0".into();
    }
    if unit == "s" && value.is_finite() {
        let (factor, prefix) = match value.abs() {
            v if v < 1e-6 => (1e9, "ns"),
            v if v < 1e-3 => (1e6, "µs"),
            v if v < 1.0 => (1e3, "ms"),
            _ => (1.0, "s"),
        };
        return format!("{} {prefix}", short(value * factor));
    }
    if unit.is_empty() || unit == "1" {
        short(value)
    } else {
        format!("{} {unit}", short(value))
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    if value < 0.0 {
        text.push('-');
    }
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keeps_three_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (12.345, "12.3"),
            (-0.012_345, "-0.0123"),
            (9.996, "10"),
            (999.4, "999"),
            (1234.4, "1,234"),
            (1_234_567.0, "1,234,567"),
            (4.56e-7, "4.56e-7"),
            (2.5e9, "2.50e9"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn seconds_take_a_prefix() {
        assert_eq!(with_unit(0.001_23, "s"), "1.23 ms");
        assert_eq!(with_unit(4.5e-9, "s"), "4.5 ns");
        assert_eq!(with_unit(3.0, "GB/s"), "3 GB/s");
    }

    #[test]
    fn powers_are_plain_near_one() {
        assert_eq!(power_of_ten(-3), "0.001");
        assert_eq!(power_of_ten(3), "1000");
        assert_eq!(power_of_ten(-12), "10⁻¹²");
    }
}
