//! Paths and noise factors as data.

use std::f64::consts::{FRAC_PI_2, PI};

/// How an interpolant moves from x₀ to x₁.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// (1 − t, t).
    Linear,
    /// (cos ½πt, sin ½πt), times √(1 − γ²) in a two-sided interpolant, which keeps unit variances.
    Trigonometric,
    /// cos²πt on x₀ up to t = ½ and on x₁ from there: all is noise in between.
    EncodingDecoding,
}

/// The noise factor γ of a two-sided interpolant or a mirror; 0 at t = 0 and t = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gamma {
    /// No noise.
    Zero,
    /// √(c·t(1 − t)), the standard deviation of a Brownian bridge with variance c.
    Brownian(f64),
    /// t(1 − t).
    Quadratic,
    /// sin²πt.
    SineSquared,
    /// ς(f(t − ½) + 1) − ς(f(t − ½) − 1) − ς(1 − ½f) + ς(−1 − ½f) with the logistic ς and f = 10.
    Sigmoid,
}

/// Everything about an interpolant at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// Factor of x₀.
    pub a: f64,
    /// Factor of x₁.
    pub b: f64,
    /// Factor of z.
    pub gamma: f64,
    /// da/dt.
    pub a_rate: f64,
    /// db/dt.
    pub b_rate: f64,
    /// γ·dγ/dt, finite everywhere: `b = v − gamma_product·s`.
    pub gamma_product: f64,
    /// dγ/dt, which is infinite at the ends of a Brownian bridge.
    pub gamma_rate: f64,
}

/// γ, γγ̇ and γ̇ at one time.
pub(super) type Noise = [f64; 3];

impl Coefficients {
    pub(super) fn mirror([gamma, gamma_product, gamma_rate]: Noise) -> Self {
        Self {
            a: 0.0,
            b: 1.0,
            gamma,
            a_rate: 0.0,
            b_rate: 0.0,
            gamma_product,
            gamma_rate,
        }
    }
}

impl Path {
    /// (a, b, ȧ, ḃ) without noise.
    fn plain(self, t: f64) -> [f64; 4] {
        match self {
            Self::Linear => [1.0 - t, t, -1.0, 1.0],
            Self::Trigonometric => {
                let (sin, cos) = (FRAC_PI_2 * t).sin_cos();
                [cos, sin, -FRAC_PI_2 * sin, FRAC_PI_2 * cos]
            }
            Self::EncodingDecoding => {
                let (square, rate) = ((PI * t).cos().powi(2), -PI * (2.0 * PI * t).sin());
                if t <= 0.5 {
                    [square, 0.0, rate, 0.0]
                } else {
                    [0.0, square, 0.0, rate]
                }
            }
        }
    }

    /// A two-sided interpolant with noise.
    pub(super) fn with_noise(
        self,
        t: f64,
        [gamma, gamma_product, gamma_rate]: Noise,
    ) -> Coefficients {
        let [a, b, a_rate, b_rate] = self.plain(t);
        let (r, r_rate) = match self {
            Self::Trigonometric => {
                let r = (1.0 - gamma * gamma).sqrt();
                // Where the noise is all there is, the path turns back and has no rate.
                (r, if r > 0.0 { -gamma_product / r } else { 0.0 })
            }
            _ => (1.0, 0.0),
        };
        Coefficients {
            a: r * a,
            b: r * b,
            gamma,
            a_rate: r * a_rate + r_rate * a,
            b_rate: r * b_rate + r_rate * b,
            gamma_product,
            gamma_rate,
        }
    }

    /// Noise in the place of x₀.
    pub(super) fn one_sided(self, t: f64) -> Coefficients {
        let [a, b, a_rate, b_rate] = self.plain(t);
        Coefficients {
            a: 0.0,
            b,
            gamma: a,
            a_rate: 0.0,
            b_rate,
            gamma_product: a * a_rate,
            gamma_rate: a_rate,
        }
    }
}

impl Gamma {
    pub(super) fn at(self, t: f64) -> Noise {
        match self {
            Self::Zero | Self::Brownian(0.0) => [0.0; 3],
            Self::Brownian(c) => {
                let (gamma, product) = ((c * t * (1.0 - t)).sqrt(), c * (0.5 - t));
                [gamma, product, product / gamma]
            }
            Self::Quadratic => of(t * (1.0 - t), 1.0 - 2.0 * t),
            Self::SineSquared => of((PI * t).sin().powi(2), PI * (2.0 * PI * t).sin()),
            Self::Sigmoid => {
                const F: f64 = 10.0;
                let s = |u: f64| 1.0 / (1.0 + (-u).exp());
                let slope = |u: f64| s(u) * s(-u);
                let u = F * (t - 0.5);
                let ends = s(1.0 - 0.5 * F) - s(-1.0 - 0.5 * F);
                // Rounding must not make it negative at the ends.
                let gamma = (s(u + 1.0) - s(u - 1.0) - ends).max(0.0);
                of(gamma, F * (slope(u + 1.0) - slope(u - 1.0)))
            }
        }
    }
}

fn of(gamma: f64, rate: f64) -> Noise {
    [gamma, gamma * rate, rate]
}
