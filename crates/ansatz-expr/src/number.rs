//! Numbers in expressions: rationals while they are small enough to stay exact, else `f64`.

/// Numerators and denominators stay below this, so that both are exact as `f64` and their quotient is the nearest
/// `f64` of the rational.
const LIMIT: i128 = 1 << 53;

/// A number. One value has one form: whatever can be a rational is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// In lowest terms, the denominator positive.
    Rational(i64, i64),
    Real(f64),
}

impl Number {
    pub(crate) const ZERO: Self = Self::Rational(0, 1);
    pub(crate) const ONE: Self = Self::Rational(1, 1);
    pub(crate) const MINUS_ONE: Self = Self::Rational(-1, 1);
    pub(crate) const HALF: Self = Self::Rational(1, 2);

    pub(crate) fn integer(n: i64) -> Self {
        Self::ratio(i128::from(n), 1)
    }

    /// p/q for q ≠ 0.
    fn ratio(p: i128, q: i128) -> Self {
        let divisor = gcd(p.unsigned_abs(), q.unsigned_abs()).cast_signed() * q.signum();
        let (p, q) = (p / divisor, q / divisor);
        if p.abs() < LIMIT && q < LIMIT {
            Self::Rational(p as i64, q as i64)
        } else {
            Self::real(p as f64 / q as f64)
        }
    }

    /// The decimal fraction that is written as `value`, if a rational holds it and rounds back to it: 0.1 is 1/10.
    #[expect(
        clippy::float_cmp,
        reason = "a rational rounds to this very number or it does not"
    )]
    pub(crate) fn real(value: f64) -> Self {
        let mut power: i64 = 1;
        for _ in 0..16 {
            let scaled = (value * power as f64).round();
            if scaled.is_nan() || scaled.abs() >= LIMIT as f64 {
                break;
            }
            if scaled / power as f64 == value {
                return Self::ratio(scaled as i128, i128::from(power));
            }
            power *= 10;
        }
        Self::Real(value)
    }

    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Rational(p, q) => p as f64 / q as f64,
            Self::Real(value) => value,
        }
    }

    pub(crate) fn is_finite(self) -> bool {
        match self {
            Self::Rational(..) => true,
            Self::Real(value) => value.is_finite(),
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    pub(crate) fn is_one(self) -> bool {
        self == Self::ONE
    }

    pub(crate) fn is_negative(self) -> bool {
        match self {
            Self::Rational(p, _) => p < 0,
            Self::Real(value) => value < 0.0,
        }
    }

    pub(crate) fn as_integer(self) -> Option<i64> {
        match self {
            Self::Rational(p, 1) => Some(p),
            _ => None,
        }
    }

    /// An integer, where it is small enough.
    fn whole(n: Option<i64>) -> Option<Self> {
        let n = n.filter(|n| i128::from(*n).abs() < LIMIT)?;
        Some(Self::Rational(n, 1))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        // Divisions of 128 bits are slow, and nearly all coefficients are integers.
        if let (Self::Rational(a, 1), Self::Rational(b, 1)) = (self, other)
            && let Some(sum) = Self::whole(a.checked_add(b))
        {
            return sum;
        }
        match (self, other) {
            (Self::Rational(a, b), Self::Rational(c, d)) => {
                let (a, b, c, d) = (i128::from(a), i128::from(b), i128::from(c), i128::from(d));
                Self::ratio(a * d + c * b, b * d)
            }
            _ => Self::real(self.value() + other.value()),
        }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        if let (Self::Rational(a, 1), Self::Rational(b, 1)) = (self, other)
            && let Some(product) = Self::whole(a.checked_mul(b))
        {
            return product;
        }
        match (self, other) {
            (Self::Rational(a, b), Self::Rational(c, d)) => {
                Self::ratio(i128::from(a) * i128::from(c), i128::from(b) * i128::from(d))
            }
            _ if self.is_zero() || other.is_zero() => Self::ZERO,
            _ => Self::real(self.value() * other.value()),
        }
    }

    pub(crate) fn negated(self) -> Self {
        self.times(Self::MINUS_ONE)
    }

    pub(crate) fn magnitude(self) -> Self {
        if self.is_negative() {
            self.negated()
        } else {
            self
        }
    }

    /// 1/x for x ≠ 0.
    pub(crate) fn inverse(self) -> Self {
        match self {
            Self::Rational(p, q) => Self::ratio(i128::from(q), i128::from(p)),
            Self::Real(value) => Self::real(1.0 / value),
        }
    }

    /// xᵉ where that is a number: for an integer e, a rational that has the root, and what is not exact anyhow.
    /// `None` where it stays as it is written, as √2. x ≠ 0 where e < 0, x > 0 where e is no integer.
    pub(crate) fn power(self, exponent: Self) -> Option<Self> {
        match (self, exponent) {
            (_, Self::Rational(n, 1)) => Some(self.integer_power(n)),
            (Self::Rational(..), Self::Rational(p, q)) => {
                let root = self.root(q)?;
                Some(root.integer_power(p))
            }
            _ => Some(Self::real(self.value().powf(exponent.value()))),
        }
    }

    fn integer_power(self, n: i64) -> Self {
        let base = if n < 0 { self.inverse() } else { self };
        if let Self::Real(value) = base {
            return Self::real(value.powf(n.unsigned_abs() as f64));
        }
        let (mut result, mut square, mut left) = (Self::ONE, base, n.unsigned_abs());
        while left > 0 {
            if left & 1 == 1 {
                result = result.times(square);
            }
            left >>= 1;
            if left > 0 {
                square = square.times(square);
            }
        }
        result
    }

    fn root(self, q: i64) -> Option<Self> {
        let Self::Rational(a, b) = self else {
            return None;
        };
        let exact = |n: i64| {
            let guess = (n as f64).powf(1.0 / q as f64).round();
            let root = Self::integer(guess as i64);
            (root.integer_power(q) == Self::integer(n)).then_some(root)
        };
        Some(exact(a)?.times(exact(b)?.inverse()))
    }

    /// Words for a digest.
    pub(crate) fn words(self) -> [u64; 2] {
        match self {
            Self::Rational(p, q) => [p as u64, q as u64],
            // No rational has denominator 0.
            Self::Real(value) => [value.to_bits(), 0],
        }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_round_back() {
        assert_eq!(Number::real(0.1), Number::Rational(1, 10));
        assert_eq!(Number::real(-0.0), Number::ZERO);
        assert_eq!(Number::real(0.1).plus(Number::real(0.2)), Number::real(0.3));
        for value in [
            1.0 / 3.0,
            1e300,
            0.1 + 0.2,
            f64::MIN_POSITIVE,
            12345.6789,
            1e22,
        ] {
            assert_eq!(Number::real(value).value().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn powers_and_roots() {
        let number = |p, q| Number::Rational(p, q);
        assert_eq!(number(4, 9).power(Number::HALF), Some(number(2, 3)));
        assert_eq!(number(2, 1).power(Number::HALF), None);
        assert_eq!(number(2, 3).power(Number::integer(-2)), Some(number(9, 4)));
        assert_eq!(number(8, 1).power(number(2, 3)), Some(number(4, 1)));
    }

    #[test]
    fn overflow_goes_to_floating_point() {
        let big = Number::integer(1 << 52);
        assert_eq!(
            big.times(big),
            Number::Real((1u64 << 52) as f64 * (1u64 << 52) as f64)
        );
        assert!(!Number::real(1e308).times(Number::real(1e308)).is_finite());
    }
}
