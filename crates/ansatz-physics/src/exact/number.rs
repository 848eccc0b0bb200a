//! Numbers that formulas are written in: plain ones, and Taylor coefficients along a direction.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a formula may do.
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// A constant.
    fn constant(v: f64) -> Self;
    /// The value, without derivatives.
    fn real(self) -> f64;
    /// e^x.
    #[must_use]
    fn exp(self) -> Self;
    /// sin x and cos x.
    #[must_use]
    fn sin_cos(self) -> (Self, Self);
    /// tanh x.
    #[must_use]
    fn tanh(self) -> Self;
    /// √x.
    #[must_use]
    fn sqrt(self) -> Self;

    /// sin x.
    #[must_use]
    fn sin(self) -> Self {
        self.sin_cos().0
    }

    /// cos x.
    #[must_use]
    fn cos(self) -> Self {
        self.sin_cos().1
    }
}

impl Number for f64 {
    fn constant(v: f64) -> Self {
        v
    }

    fn real(self) -> f64 {
        self
    }

    fn exp(self) -> Self {
        self.exp()
    }

    fn sin_cos(self) -> (Self, Self) {
        self.sin_cos()
    }

    fn tanh(self) -> Self {
        self.tanh()
    }

    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

/// Orders kept, with the value.
pub(super) const TERMS: usize = 5;

/// z₀ + z₁s + … + z₄s⁴.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taylor(pub(super) [f64; TERMS]);

impl Add for Taylor {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|k| self.0[k] + other.0[k]))
    }
}

impl Sub for Taylor {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|k| self.0[k] - other.0[k]))
    }
}

impl Neg for Taylor {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.map(|v| -v))
    }
}

impl Mul for Taylor {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|k| {
            (0..=k).map(|j| self.0[j] * other.0[k - j]).sum()
        }))
    }
}

impl Div for Taylor {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let mut q = [0.0; TERMS];
        for k in 0..TERMS {
            let known: f64 = (0..k).map(|j| q[j] * other.0[k - j]).sum();
            q[k] = (self.0[k] - known) / other.0[0];
        }
        Self(q)
    }
}

impl Add<f64> for Taylor {
    type Output = Self;

    fn add(mut self, other: f64) -> Self {
        self.0[0] += other;
        self
    }
}

impl Mul<f64> for Taylor {
    type Output = Self;

    fn mul(self, other: f64) -> Self {
        Self(self.0.map(|v| v * other))
    }
}

impl Taylor {
    /// Coefficient k of the function with y' = slope·z', known up to k − 1.
    fn chain(z: &[f64; TERMS], slope: &[f64; TERMS], k: usize) -> f64 {
        let sum: f64 = (1..=k).map(|j| j as f64 * z[j] * slope[k - j]).sum();
        sum / k as f64
    }
}

impl Number for Taylor {
    fn constant(v: f64) -> Self {
        let mut z = [0.0; TERMS];
        z[0] = v;
        Self(z)
    }

    fn real(self) -> f64 {
        self.0[0]
    }

    fn exp(self) -> Self {
        let mut y = [0.0; TERMS];
        y[0] = self.0[0].exp();
        for k in 1..TERMS {
            y[k] = Self::chain(&self.0, &y, k);
        }
        Self(y)
    }

    fn sin_cos(self) -> (Self, Self) {
        let (mut s, mut c) = ([0.0; TERMS], [0.0; TERMS]);
        (s[0], c[0]) = self.0[0].sin_cos();
        for k in 1..TERMS {
            s[k] = Self::chain(&self.0, &c, k);
            c[k] = -Self::chain(&self.0, &s, k);
        }
        (Self(s), Self(c))
    }

    fn tanh(self) -> Self {
        let (mut y, mut slope) = ([0.0; TERMS], [0.0; TERMS]);
        y[0] = self.0[0].tanh();
        slope[0] = 1.0 - y[0] * y[0];
        for k in 1..TERMS {
            y[k] = Self::chain(&self.0, &slope, k);
            slope[k] = -(0..=k).map(|j| y[j] * y[k - j]).sum::<f64>();
        }
        Self(y)
    }

    fn sqrt(self) -> Self {
        let mut y = [0.0; TERMS];
        y[0] = self.0[0].sqrt();
        for k in 1..TERMS {
            let known: f64 = (1..k).map(|j| y[j] * y[k - j]).sum();
            y[k] = (self.0[k] - known) / (2.0 * y[0]);
        }
        Self(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_those_of_known_functions() {
        let z = Taylor([0.3, 1.0, 0.0, 0.0, 0.0]);
        let y = z.tanh() * (z.sin() + z.cos() * 2.0) / (z.exp() + 1.0) + z.sqrt();
        let f = |x: f64| x.tanh() * (x.sin() + 2.0 * x.cos()) / (x.exp() + 1.0) + x.sqrt();
        // Differences of order 4 and 2.
        let h = 1e-2;
        let [a, b, c, d, e] = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|k| f(0.3 + k * h));
        assert!((y.0[0] - c).abs() < 1e-15);
        assert!((y.0[1] - (a - 8.0 * b + 8.0 * d - e) / (12.0 * h)).abs() < 1e-5);
        assert!(
            (2.0 * y.0[2] - (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * h * h)).abs()
                < 1e-4
        );
        assert!((6.0 * y.0[3] - (e - 2.0 * d + 2.0 * b - a) / (2.0 * h.powi(3))).abs() < 0.2);
        assert!(
            (24.0 * y.0[4] / ((a - 4.0 * b + 6.0 * c - 4.0 * d + e) / h.powi(4)) - 1.0).abs()
                < 0.05
        );
    }
}
