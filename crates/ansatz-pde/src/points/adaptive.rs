//! Points placed where the residual is large.
//!
//! | method | points afterwards |
//! |---|---|
//! | [`Refinement::RarG`] | the old ones and the m candidates of largest \|r\| |
//! | [`Refinement::RarD`] | the old ones and m candidates drawn from p |
//! | [`Refinement::Rad`] | as many as before, all drawn from p |
//! | [`Refinement::R3`] | the old ones with \|r\| above the mean, the others drawn anew |
//!
//! p(x) ∝ |r(x)|ᵏ/mean|r|ᵏ + c over the candidates ([`Density`]): k = 0 or c = ∞ is uniform. Draws are without replacement: with
//! weights w and uniform numbers u, the n largest of ln(u)/w (P. Efraimidis, P. Spirakis, *Weighted random sampling with a
//! reservoir*, 2006), so that one pass serves and results are a function of the key.
//!
//! Cost: one evaluation of the residual at all candidates (10 times the points is usual) and a selection. Take
//! [`Refinement::RarG`] for few sharp features, [`Refinement::Rad`] otherwise.
//!
//! References: L. Lu, X. Meng, Z. Mao, G. Karniadakis, *DeepXDE: a deep learning library for solving differential equations*, 2021
//! (RAR); C. Wu, M. Zhu, Q. Tan, Y. Kartha, L. Lu, *A comprehensive study of non-adaptive and residual-based adaptive sampling for
//! physics-informed neural networks*, 2023, equation 2 and algorithms 1 to 3; A. Daw, J. Bu, S. Wang, P. Perdikaris, A. Karpatne,
//! *Mitigating propagation failures in physics-informed neural networks using retain-resample-release sampling*, 2023 (R3).

use ansatz_core::Key;

use super::uniform;
use crate::geometry::error::finite;
use crate::{DomainError, Points};

/// p ∝ |r|ᵏ/mean|r|ᵏ + c.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Density {
    /// k ≥ 0: how strongly points follow the residual.
    pub power: f64,
    /// c ≥ 0: how many stay uniform.
    pub floor: f64,
}

impl Default for Density {
    fn default() -> Self {
        Self {
            power: 1.0,
            floor: 1.0,
        }
    }
}

impl Density {
    /// What Wu et al. recommend for [`Refinement::RarD`]: k = 2, c = 0.
    pub const FOLLOWING: Self = Self {
        power: 2.0,
        floor: 0.0,
    };

    /// Weights of candidates with the given |r|, of mean 1 + c before c = ∞ makes them all 1. Residuals that are all zero give
    /// equal weights.
    ///
    /// # Errors
    /// [`DomainError::NonFinite`] for a residual that is NaN or infinite, [`DomainError::Value`] for k or c below 0 or NaN.
    pub fn weights(&self, residual: &[f64]) -> Result<Vec<f64>, DomainError> {
        finite("residual", residual)?;
        let (power, floor) = (self.power, self.floor);
        let least = |name, value: f64, most: f64| {
            if (0.0..=most).contains(&value) {
                return Ok(());
            }
            Err(DomainError::Value {
                name,
                value,
                needed: "at least 0",
            })
        };
        least("power", power, f64::MAX)?;
        least("floor", floor, f64::INFINITY)?;
        if floor.is_infinite() {
            return Ok(vec![1.0; residual.len()]);
        }
        // Relative to the largest, so that powers stay in range.
        let largest = residual.iter().fold(0.0_f64, |m, r| m.max(r.abs()));
        if largest == 0.0 {
            return Ok(vec![1.0 + floor; residual.len()]);
        }
        let powers = residual.iter().map(|r| libm::pow(r.abs() / largest, power));
        let powers: Vec<f64> = powers.collect();
        let mean = powers.iter().sum::<f64>() / powers.len() as f64;
        Ok(powers.iter().map(|p| p / mean + floor).collect())
    }

    /// The numbers of `n` different candidates drawn in proportion to their weights, in rising order.
    ///
    /// # Errors
    /// As [`Density::weights`]; [`DomainError::Count`] when less than `n` candidates have positive weight.
    pub fn draw(&self, residual: &[f64], n: usize, key: Key) -> Result<Vec<usize>, DomainError> {
        let weights = self.weights(residual)?;
        let chance = |(i, w): (usize, &f64)| {
            let u = 1.0 - uniform(key, i as u64);
            (i, libm::log(u) / w)
        };
        let possible = weights.iter().enumerate().filter(|(_, w)| **w > 0.0);
        largest(possible.map(chance).collect(), n)
    }
}

/// The numbers of the `n` largest values, in rising order; of equal ones the earlier.
fn largest(mut values: Vec<(usize, f64)>, n: usize) -> Result<Vec<usize>, DomainError> {
    if n > values.len() {
        return Err(DomainError::Count {
            what: "candidates",
            expected: n,
            got: values.len(),
        });
    }
    if n == 0 {
        return Ok(Vec::new());
    }
    values.select_nth_unstable_by(n - 1, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut chosen: Vec<usize> = values[..n].iter().map(|v| v.0).collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// The numbers of the `n` candidates of largest |r|, in rising order.
///
/// # Errors
/// [`DomainError::Count`] for less than `n` candidates, [`DomainError::NonFinite`] for a residual that is NaN or infinite.
pub fn greedy(residual: &[f64], n: usize) -> Result<Vec<usize>, DomainError> {
    finite("residual", residual)?;
    let values = residual.iter().map(|r| r.abs()).enumerate();
    largest(values.collect(), n)
}

/// The numbers of points that R3 keeps: those with |r| above the mean.
///
/// # Errors
/// [`DomainError::NonFinite`] for a residual that is NaN or infinite.
pub fn retained(residual: &[f64]) -> Result<Vec<usize>, DomainError> {
    finite("residual", residual)?;
    let mean = residual.iter().map(|r| r.abs() / residual.len() as f64);
    let mean: f64 = mean.sum();
    let kept = (0..residual.len()).filter(|i| residual[*i].abs() > mean);
    Ok(kept.collect())
}

/// How a set of points follows the residual.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Refinement {
    /// Residual-based adaptive refinement, greedy.
    RarG {
        /// Points added.
        add: usize,
    },
    /// Residual-based adaptive refinement with a distribution.
    RarD {
        /// Points added.
        add: usize,
        /// Their density.
        density: Density,
    },
    /// Residual-based adaptive distribution.
    Rad {
        /// The points' density.
        density: Density,
    },
    /// Retain, resample, release.
    R3,
}

impl Refinement {
    /// The next set of points.
    ///
    /// `draw(n, key)` gives n fresh points of the domain, `residual` the residuals at points, row by row; only their size
    /// matters. `candidates` fresh points are drawn, R3 draws as many as it releases.
    ///
    /// ```
    /// use ansatz_pde::{BoxDomain, Geometry, Points, Refinement, Sampler, core::Key};
    /// let domain = BoxDomain::interval(0.0, 1.0)?;
    /// let points = domain.sample_interior(16, &Sampler::default(), Key::new(0))?;
    /// let more = Refinement::RarG { add: 4 }.next(
    ///     &points,
    ///     1000,
    ///     |n, key| domain.sample_interior(n, &Sampler::Uniform, key),
    ///     |x| x.iter().map(|x| x * x).collect(),
    ///     Key::new(1),
    /// )?;
    /// assert_eq!(more.len(), 20);
    /// assert!(more.rows().skip(16).all(|x| x[0] > 0.98));
    /// # Ok::<(), ansatz_pde::DomainError>(())
    /// ```
    ///
    /// # Errors
    /// What `draw` gives; [`DomainError::Count`] for another number of residuals than points, or too few candidates;
    /// [`DomainError::Width`] for candidates of another width; [`DomainError::NonFinite`] for a residual that is NaN or infinite.
    pub fn next(
        &self,
        points: &Points,
        candidates: usize,
        mut draw: impl FnMut(usize, Key) -> Result<Points, DomainError>,
        mut residual: impl FnMut(&[f64]) -> Vec<f64>,
        key: Key,
    ) -> Result<Points, DomainError> {
        let mut measured = |points: &Points| {
            let values = residual(points.as_slice());
            if values.len() == points.len() {
                return Ok(values);
            }
            Err(DomainError::Count {
                what: "residuals",
                expected: points.len(),
                got: values.len(),
            })
        };
        let mut fresh = |n: usize| {
            let drawn = draw(n, key.fold_in(0))?;
            drawn.expect_width("candidates", points.dims())?;
            Ok(drawn)
        };
        let choice = key.fold_in(1);
        if *self == Self::R3 {
            let mut next = points.select(&retained(&measured(points)?)?);
            let released = points.len() - next.len();
            next.extend(&fresh(released)?)?;
            return Ok(next);
        }
        let pool = fresh(candidates)?;
        let r = measured(&pool)?;
        let chosen = match self {
            Self::RarG { add } => greedy(&r, *add)?,
            Self::RarD { add, density } => density.draw(&r, *add, choice)?,
            Self::Rad { density } => density.draw(&r, points.len(), choice)?,
            Self::R3 => Vec::new(),
        };
        let chosen = pool.select(&chosen);
        if matches!(self, Self::Rad { .. }) {
            return Ok(chosen);
        }
        let mut next = points.clone();
        next.extend(&chosen)?;
        Ok(next)
    }
}
