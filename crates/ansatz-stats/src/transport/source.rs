//! Source measures and points that stand for them.

use ansatz_core::{Key, Scalar};

/// The measure that a semi-discrete map starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The standard normal distribution.
    #[default]
    Normal,
    /// The uniform distribution on the unit cube [0, 1]ᴰ.
    Uniform,
}

/// How points are spread over a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Without randomness: `(k + ½)/n` on the line; in D dimensions the additive recurrence
    /// `frac((k + ½)·φ⁻ⁱ)`, i = 1, …, D, with `φ^(D+1) = φ + 1`. Masses of cells are off by about 1/n instead of
    /// 1/√n in a few dimensions; beyond ten or so use random points.
    ///
    /// Reference: M. Roberts, *The unreasonable effectiveness of quasirandom sequences*, 2018.
    Even,
    /// Independent points: coordinate i of point k is a function of the key, the stream and D·k + i.
    Random(Key, u64),
}

impl Source {
    /// The value below which a coordinate lies with probability `p`; infinite at the ends for a normal one.
    #[must_use]
    pub fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Normal => normal_quantile(p),
            Self::Uniform => p,
        }
    }

    /// Fills rows of `dim` elements with points of the measure. A last row that is not whole is filled as far
    /// as it goes; nothing is done for `dim = 0`.
    ///
    /// ```
    /// use ansatz_stats::transport::{Source, Spread};
    /// let mut x = [0.0; 4];
    /// Source::Uniform.fill(1, Spread::Even, &mut x);
    /// assert_eq!(x, [0.125, 0.375, 0.625, 0.875]);
    /// ```
    pub fn fill<T: Scalar>(self, dim: usize, spread: Spread, out: &mut [T]) {
        if dim == 0 {
            return;
        }
        match spread {
            Spread::Random(key, stream) => match self {
                Self::Normal => key.fill_normal(stream, out),
                Self::Uniform => {
                    for (k, pair) in out.chunks_mut(2).enumerate() {
                        let u = key.uniform(stream, k as u64);
                        pair.iter_mut().zip(u).for_each(|(o, u)| *o = T::of(u));
                    }
                }
            },
            Spread::Even => {
                let count = (out.len() / dim).max(1) as f64;
                let phi = generator(dim);
                for (k, row) in out.chunks_mut(dim).enumerate() {
                    let mut factor = 1.0;
                    for o in row {
                        factor /= phi;
                        let p = if dim == 1 {
                            (k as f64 + 0.5) / count
                        } else {
                            ((k as f64 + 0.5) * factor).fract()
                        };
                        *o = T::of(self.quantile(p));
                    }
                }
            }
        }
    }

    /// `count` points as a new array, `[count, dim]`; see [`Source::fill`].
    #[must_use]
    pub fn points<T: Scalar>(self, dim: usize, count: usize, spread: Spread) -> Vec<T> {
        let mut out = vec![T::zero(); dim * count];
        self.fill(dim, spread, &mut out);
        out
    }
}

/// The root φ > 1 of `φ^(dim+1) = φ + 1`: x ↦ (1 + x)^(1/(dim+1)) contracts by less than 1/(dim + 1).
fn generator(dim: usize) -> f64 {
    let power = 1.0 / (dim as f64 + 1.0);
    (0..64).fold(2.0_f64, |x, _| (1.0 + x).powf(power))
}

/// Coefficients of a ratio of two polynomials, by falling powers of r up to the constant terms.
type Ratio = [[f64; 8]; 2];

/// |p − ½| ≤ 0.425, in 0.425² − (p − ½)².
#[expect(clippy::excessive_precision, reason = "the published digits")]
const MIDDLE: Ratio = [
    [
        2.5090809287301226727e+3,
        3.3430575583588128105e+4,
        6.7265770927008700853e+4,
        4.5921953931549871457e+4,
        1.3731693765509461125e+4,
        1.9715909503065514427e+3,
        1.3314166789178437745e+2,
        3.3871328727963666080,
    ],
    [
        5.2264952788528545610e+3,
        2.8729085735721942674e+4,
        3.9307895800092710610e+4,
        2.1213794301586595867e+4,
        5.3941960214247511077e+3,
        6.8718700749205790830e+2,
        4.2313330701600911252e+1,
        1.0,
    ],
];

/// √(−ln p) ≤ 5, in √(−ln p) − 1.6.
#[expect(clippy::excessive_precision, reason = "the published digits")]
const SHOULDER: Ratio = [
    [
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258,
        3.64784832476320460504,
        5.76949722146069140550,
        4.63033784615654529590,
        1.42343711074968357734,
    ],
    [
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940,
        2.05319162663775882187,
        1.0,
    ],
];

/// √(−ln p) > 5, in √(−ln p) − 5.
#[expect(clippy::excessive_precision, reason = "the published digits")]
const TAIL: Ratio = [
    [
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580,
        5.46378491116411436990,
        6.65790464350110377720,
    ],
    [
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ],
];

fn ratio([above, below]: &Ratio, r: f64) -> f64 {
    let at = |c: &[f64; 8]| c.iter().fold(0.0, |sum, c| sum * r + c);
    at(above) / at(below)
}

/// Φ⁻¹(p), the quantile of the standard normal distribution, to about 1e-16 relative.
///
/// −∞ at 0, +∞ at 1, NaN outside [0, 1].
///
/// Reference: M. Wichura, *Algorithm AS 241: the percentage points of the normal distribution*, 1988.
///
/// ```
/// use ansatz_stats::transport::normal_quantile;
/// assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-15);
/// ```
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&MIDDLE, 0.425 * 0.425 - q * q);
    }
    let tail = p.min(1.0 - p);
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-tail.ln()).sqrt();
    let value = if r <= 5.0 {
        ratio(&SHOULDER, r - 1.6)
    } else {
        ratio(&TAIL, r - 5.0)
    };
    value.copysign(q)
}
