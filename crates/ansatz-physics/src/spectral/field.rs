//! Random initial data.

use std::f64::consts::PI;

use ansatz_core::{Key, stream};
use num_complex::Complex64;

use crate::PhysicsError;
use crate::reference::{finite, positive};

use super::{Periodic, PeriodicPlane};

/// A Gaussian field of mean 0 on a torus with the covariance σ²(−Δ + τ²)^{−α}, without its constant mode:
///
/// ```text
/// u = Σ_k √λ_k ξ_k e_k,   λ_k = σ²(|κ|² + τ²)^{−α},   ξ_k normal,   e_k = √2cos(κ·x), √2sin(κ·x),   κ = 2πk/length.
/// ```
///
/// A mode's number depends on the key and on k alone: more points show the same field with finer detail.
///
/// Z. Li et al., *Fourier neural operator for parametric partial differential equations*, 2021, appendix A.3, has the two
/// settings below. The published generator of the data for Navier and Stokes' equations multiplies by √2 once more and has
/// σ² = τ^{2α−2} = 7³ where the text has 7^{3/2}: fields of that program are those of [`Self::NAVIER_STOKES`] times √2·7^{3/4}.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianField {
    /// σ².
    pub scale: f64,
    /// τ.
    pub tau: f64,
    /// α, more than half the dimension.
    pub alpha: f64,
}

impl GaussianField {
    /// 625(−Δ + 25I)^{−2} on the unit interval, for Burgers' equation.
    pub const BURGERS: Self = Self {
        scale: 625.0,
        tau: 5.0,
        alpha: 2.0,
    };

    /// 7^{3/2}(−Δ + 49I)^{−5/2} on the unit square, for vorticity.
    pub const NAVIER_STOKES: Self = Self {
        scale: 18.520259177452136,
        tau: 7.0,
        alpha: 2.5,
    };

    /// λ for |κ|².
    pub fn variance(&self, square: f64) -> f64 {
        self.scale * (square + self.tau * self.tau).powf(-self.alpha)
    }

    fn validate(&self, dimension: f64, n: usize) -> Result<(), PhysicsError> {
        positive("scale", self.scale)?;
        finite("tau", self.tau)?;
        if self.alpha.is_nan() || 2.0 * self.alpha <= dimension || self.alpha.is_infinite() {
            return Err(PhysicsError::Parameter {
                name: "alpha",
                value: self.alpha,
                needed: "must be more than half the dimension: the variance is infinite",
            });
        }
        if n >= 2 && n.is_multiple_of(2) {
            return Ok(());
        }
        Err(PhysicsError::Parameter {
            name: "points",
            value: n as f64,
            needed: "must be even and positive",
        })
    }

    /// A draw on the period [start, end), with modes |k| < n/2.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for odd n, α ≤ ½, a scale or length that is not positive.
    pub fn line(
        &self,
        key: Key,
        [start, end]: [f64; 2],
        n: usize,
    ) -> Result<Periodic, PhysicsError> {
        self.validate(1.0, n)?;
        finite("start of the period", start)?;
        let length = positive("length of the period", end - start)?;
        let mut coefficients = vec![Complex64::ZERO; n / 2 + 1];
        for (k, c) in coefficients.iter_mut().enumerate().take(n / 2).skip(1) {
            let [a, b] = key.normal(stream::INITIAL, k as u64);
            let kappa = 2.0 * PI * k as f64 / length;
            *c = (0.5 * self.variance(kappa * kappa)).sqrt() * Complex64::new(a, b);
        }
        // e_k is normalised over the period.
        for c in &mut coefficients {
            *c /= length.sqrt();
        }
        Ok(Periodic::from_coefficients(start, length, coefficients))
    }

    /// A draw on the unit square, with modes |k_x|, |k_y| < n/2.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for odd n, α ≤ 1 or a scale that is not positive.
    pub fn plane(&self, key: Key, n: usize) -> Result<PeriodicPlane, PhysicsError> {
        self.validate(2.0, n)?;
        let mut coefficients = vec![Complex64::ZERO; n * (n / 2 + 1)];
        for ky in 0..n / 2 {
            for kx in 0..n / 2 {
                // (k_x, k_y) and (−k_x, k_y): one mode of each pair ±k, its mirror image on the line k_y = 0.
                for mirror in 0..2_u64 {
                    let once = kx == 0 || ky == 0;
                    if (kx, ky) == (0, 0) || (mirror == 1 && once) {
                        continue;
                    }
                    let counter = (mirror << 63) | ((kx as u64) << 31) | ky as u64;
                    let [a, b] = key.normal(stream::INITIAL, counter);
                    let square = 4.0 * PI * PI * (kx * kx + ky * ky) as f64;
                    let c = (0.5 * self.variance(square)).sqrt() * Complex64::new(a, b);
                    let place = if mirror == 1 { n - kx } else { kx };
                    coefficients[ky * n + place] = c;
                    if ky == 0 {
                        coefficients[n - kx] = c.conj();
                    }
                }
            }
        }
        Ok(PeriodicPlane::from_coefficients(n, coefficients))
    }
}
