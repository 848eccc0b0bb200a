//! Ensemble Kalman filters: members of an ensemble are moved towards measurements, with covariances taken from the ensemble.
//!
//! With anomalies A = x − x̄ of N members, anomalies Y of their predicted measurements and noise of covariance R = LLᵀ,
//! the gain is K = AᵀY/(N−1)·(YᵀY/(N−1) + R)⁻¹, and
//! - [`Update::Perturbed`] moves each member by K(y + εᵢ − Hxᵢ), εᵢ ~ N(0, R). The draws are centred, so that the mean of
//!   the ensemble is moved by K(y − Hx̄) exactly, and scaled so that their covariance is R on average;
//! - [`Update::Transform`] moves the mean in the same way and multiplies anomalies by the symmetric root of
//!   (I + ỸỸᵀ)⁻¹, Ỹ = YL⁻ᵀ/√(N−1): no draws, and the covariance of the analysis is (I − KH)P exactly.
//!
//! Everything is done in measurements divided by their noise, in the smaller of two spaces: with m ≤ N measurements an
//! m×m matrix is factored, with more an N×N one, (ỸᵀỸ + I)⁻¹ with Ỹ before it being Ỹ before (ỸỸᵀ + I)⁻¹. The model
//! of measurements needs not be linear: predicted ones are given.
//!
//! Small ensembles see correlations that are none, and lose spread. [`EnsembleKalman::inflation`] widens the forecast;
//! [`Localisation`] tapers covariances by distance.
//!
//! Cost: k²·(m + N) + k³ + N·k·d with k = min(m, N) and d numbers in a member. With localisation m³ + N·m·d, or, for the
//! transform, N³·d.
//!
//! References: G. Evensen, *The ensemble Kalman filter: theoretical formulation and practical implementation*, 2003;
//! G. Burgers, P. van Leeuwen, G. Evensen, *Analysis scheme in the ensemble Kalman filter*, 1998 (perturbed
//! measurements); C. Bishop, B. Etherton, S. Majumdar, *Adaptive sampling with the ensemble transform Kalman filter*,
//! 2001; B. Hunt, E. Kostelich, I. Szunyogh, *Efficient data assimilation for spatiotemporal chaos: a local ensemble
//! transform Kalman filter*, 2007, equations 20 to 25.

mod analysis;
mod dense;

use ansatz_core::Key;
use thiserror::Error;

use analysis::{
    Root, anomalies, covariance, draws, global, local, perturbed, transform, transposed,
};
use dense::{Factor, product};

/// How members are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Update {
    /// Each towards measurements with noise of its own.
    #[default]
    Perturbed,
    /// The mean, and anomalies by a matrix, without draws.
    Transform,
}

/// Factors between 0 and 1 that take the place of distances: 1 keeps a covariance, 0 removes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Localisation {
    /// Factors `[d, m]` for covariances of a number of the state with a measurement. [`Update::Transform`] divides the
    /// noise of a measurement by them instead, for each number of the state by itself.
    pub state: Vec<f64>,
    /// Factors `[m, m]` for covariances of measurements; a positive definite matrix. Not read by [`Update::Transform`].
    pub measurements: Vec<f64>,
}

/// Noise of measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise<'a> {
    /// Independent, of these variances.
    Variances(&'a [f64]),
    /// Of this covariance matrix, row by row.
    Covariance(&'a [f64]),
}

/// Measured values and their noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<'a> {
    /// The values y.
    pub values: &'a [f64],
    /// Their noise R.
    pub noise: Noise<'a>,
}

/// An analysis could not be made. The ensemble is as it was.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KalmanError {
    /// An ensemble without a covariance.
    #[error("{members} members have no covariance: at least 2 are needed")]
    TooFew {
        /// Number of members.
        members: usize,
    },
    /// An argument of another length.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// NaN or infinity where a number was needed.
    #[error("element {index} of {what} is {value}")]
    NotFinite {
        /// Which argument.
        what: &'static str,
        /// Element, from 0.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A matrix that is no covariance.
    #[error("{what} is not symmetric positive definite: pivot {index} is {pivot:e}")]
    NotPositiveDefinite {
        /// Which matrix.
        what: &'static str,
        /// Row, from 0.
        index: usize,
        /// Its pivot, or the difference of two elements that should be equal.
        pivot: f64,
    },
    /// An option outside its range.
    #[error("option {name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
}

/// The filter's step of analysis.
///
/// ```
/// use ansatz_stats::core::{Key, State};
/// use ansatz_stats::kalman::{EnsembleKalman, Measured, Noise};
/// // x ~ N(1, 2), measured as 3 with variance 1: N(7/3, 2/3).
/// let n = 4000;
/// let mut x = vec![0.0; n];
/// x.fill_normal(Key::new(1), 0);
/// for x in &mut x {
///     *x = 1.0 + 2.0_f64.sqrt() * *x;
/// }
/// let measured = Measured { values: &[3.0], noise: Noise::Variances(&[1.0]) };
/// let predicted = x.clone();
/// EnsembleKalman::default().analyse(&mut x, n, &predicted, measured, Key::new(2))?;
/// assert!((x.iter().sum::<f64>() / n as f64 - 7.0 / 3.0).abs() < 0.05);
/// # Ok::<(), ansatz_stats::kalman::KalmanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleKalman {
    /// How members are moved.
    pub update: Update,
    /// Factor of the forecast's anomalies, from 1 on.
    pub inflation: f64,
    /// Tapers of covariances.
    pub localisation: Option<Localisation>,
}

impl Default for EnsembleKalman {
    /// Perturbed measurements, no inflation, no localisation.
    fn default() -> Self {
        Self {
            update: Update::default(),
            inflation: 1.0,
            localisation: None,
        }
    }
}

impl EnsembleKalman {
    /// Moves `n` members, the rows of `x` `[n, d]`, given their predicted measurements `[n, m]`.
    ///
    /// # Errors
    /// [`KalmanError`]; `x` is as it was then.
    pub fn analyse(
        &self,
        x: &mut [f64],
        n: usize,
        predicted: &[f64],
        measured: Measured<'_>,
        key: Key,
    ) -> Result<(), KalmanError> {
        let (d, m) = self.check(x, n, predicted, measured)?;
        if m == 0 || d == 0 {
            return Ok(());
        }
        let root = Root::of(measured.noise, m)?;
        let (mean, mut a) = anomalies(x, n, self.inflation);
        let (centre, mut y) = anomalies(predicted, n, self.inflation);
        let scale = ((n - 1) as f64).sqrt().recip();
        a.iter_mut().chain(&mut y).for_each(|v| *v *= scale);
        // What was not predicted, from the forecast's mean.
        let mut off: Vec<f64> = measured
            .values
            .iter()
            .zip(&centre)
            .map(|(y, c)| y - c)
            .collect();
        let mut moved = match (&self.localisation, self.update) {
            (Some(taper), Update::Perturbed) => {
                let mut draws = draws(n, m, key);
                for row in draws.chunks_mut(m) {
                    root.colour(row);
                }
                let s = covariance(&y, m, &taper.measurements, measured.noise);
                perturbed(
                    &mut draws,
                    &off,
                    &y,
                    ((n - 1) as f64).sqrt(),
                    &Factor::of(&s, m, "the covariance of predicted measurements")?,
                );
                // Gain without its last factor, tapered.
                let mut basis = product(&transposed(&y, n), &a, n);
                for (i, row) in basis.chunks_mut(d).enumerate() {
                    for (k, v) in row.iter_mut().enumerate() {
                        *v *= taper.state[k * m + i];
                    }
                }
                product(&draws, &basis, m)
            }
            (taper, update) => {
                for row in y.chunks_mut(m) {
                    root.whiten(row);
                }
                root.whiten(&mut off);
                match (taper, update) {
                    (Some(taper), Update::Transform) => local(&a, &y, &off, n, &taper.state)?,
                    (_, Update::Transform) => transform(&a, &y, &off, n),
                    (_, Update::Perturbed) => global(&a, &y, &off, n, draws(n, m, key))?,
                }
            }
        };
        // Anomalies of the forecast stand in `a` scaled: what is added goes on top of them.
        for (row, a) in moved.chunks_mut(d).zip(a.chunks(d)) {
            for ((v, a), mean) in row.iter_mut().zip(a).zip(&mean) {
                *v += mean + a / scale;
            }
        }
        finite("the analysis", &moved)?;
        x.copy_from_slice(&moved);
        Ok(())
    }

    /// Checks everything; lengths of a member and of its measurements.
    fn check(
        &self,
        x: &[f64],
        n: usize,
        predicted: &[f64],
        measured: Measured<'_>,
    ) -> Result<(usize, usize), KalmanError> {
        if n < 2 {
            return Err(KalmanError::TooFew { members: n });
        }
        if !(self.inflation >= 1.0 && self.inflation.is_finite()) {
            return Err(KalmanError::Option {
                name: "inflation",
                value: self.inflation,
                allowed: "a number from 1 on",
            });
        }
        let (d, m) = (x.len() / n, measured.values.len());
        length("the ensemble, in whole members,", d * n, x.len())?;
        length("the predicted measurements", n * m, predicted.len())?;
        let (noise, needed) = match measured.noise {
            Noise::Variances(v) => (v, m),
            Noise::Covariance(c) => (c, m * m),
        };
        length("the noise", needed, noise.len())?;
        finite("the ensemble", x)?;
        finite("the predicted measurements", predicted)?;
        finite("the measurements", measured.values)?;
        finite("the noise", noise)?;
        if let Some(taper) = &self.localisation {
            length("the taper of the state", d * m, taper.state.len())?;
            for value in taper.state.iter().chain(&taper.measurements) {
                if !(0.0..=1.0).contains(value) {
                    return Err(KalmanError::Option {
                        name: "localisation",
                        value: *value,
                        allowed: "factors from 0 to 1",
                    });
                }
            }
            match (self.update, measured.noise) {
                (Update::Perturbed, _) => {
                    let got = taper.measurements.len();
                    length("the taper of measurements", m * m, got)?;
                }
                (Update::Transform, Noise::Variances(_)) => {}
                (Update::Transform, Noise::Covariance(_)) => {
                    return Err(KalmanError::Option {
                        name: "localisation",
                        value: m as f64,
                        allowed: "a transform with tapers needs independent noise: give variances",
                    });
                }
            }
        }
        Ok((d, m))
    }
}

/// The taper of G. Gaspari and S. Cohn, *Construction of correlation functions in two and three dimensions*, 1999, equation
/// 4.10: like a normal density of scale `half`·√(3/10), and 0 from a distance of 2·`half` on.
#[must_use]
pub fn gaspari_cohn(distance: f64, half: f64) -> f64 {
    let r = distance.abs() / half;
    if r < 1.0 {
        1.0 + r * r * (-5.0 / 3.0 + r * (5.0 / 8.0 + r * (0.5 - 0.25 * r)))
    } else if r < 2.0 {
        let tail = 4.0 - 2.0 / (3.0 * r);
        (tail + r * (-5.0 + r * (5.0 / 3.0 + r * (5.0 / 8.0 + r * (-0.5 + r / 12.0))))).max(0.0)
    } else {
        0.0
    }
}

fn length(what: &'static str, expected: usize, got: usize) -> Result<(), KalmanError> {
    if expected == got {
        return Ok(());
    }
    Err(KalmanError::Length {
        what,
        expected,
        got,
    })
}

fn finite(what: &'static str, values: &[f64]) -> Result<(), KalmanError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(KalmanError::NotFinite {
            what,
            index,
            value: values[index],
        }),
    }
}
