//! Determinants, as their logarithms.

/// A determinant as sign and logarithm: sign·e^log. The determinant itself of a large matrix is rarely a number of `f64`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogDet {
    /// 1, −1, or 0 for a singular matrix.
    pub sign: f64,
    /// log|det|; −∞ for a singular matrix.
    pub log: f64,
}

impl LogDet {
    /// The determinant of the identity.
    pub(crate) const ONE: Self = Self {
        sign: 1.0,
        log: 0.0,
    };

    /// That of the product with a matrix of determinant `value`.
    #[must_use]
    pub(crate) fn times(self, value: f64) -> Self {
        Self {
            sign: self.sign * if value == 0.0 { 0.0 } else { value.signum() },
            log: self.log + value.abs().ln(),
        }
    }

    /// That of the matrix multiplied with itself `count` times.
    #[must_use]
    pub(crate) fn power(self, count: usize) -> Self {
        Self {
            sign: if count.is_multiple_of(2) {
                self.sign.abs()
            } else {
                self.sign
            },
            log: self.log * count as f64,
        }
    }
}
