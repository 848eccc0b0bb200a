//! The mass of Hamiltonian dynamics, and its estimate from draws.

use ansatz_core::{HostState, Key, Scalar};

use crate::ChainError;

/// The mass matrix M of the momentum p ~ N(0, M), the same for all chains.
///
/// The best mass is the inverse of the target's covariance: all coordinates then move alike.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Mass {
    /// M = I.
    #[default]
    Identity,
    /// The diagonal of M⁻¹, in the place of the variances of the coordinates of a chain.
    Diagonal(Vec<f64>),
}

impl Mass {
    pub(crate) fn validate(&self, dim: usize) -> Result<(), ChainError> {
        let Self::Diagonal(inverse) = self else {
            return Ok(());
        };
        if inverse.len() != dim {
            return Err(ChainError::Option {
                name: "mass (its length)",
                value: inverse.len() as f64,
                allowed: "one number for each element of a chain",
            });
        }
        match inverse.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            None => Ok(()),
            Some(value) => Err(ChainError::Option {
                name: "mass",
                value: *value,
                allowed: "positive numbers",
            }),
        }
    }

    /// p ~ N(0, M), row by row.
    pub(crate) fn draw<T: Scalar>(&self, p: &mut [T], key: Key, stream: u64) {
        key.fill_normal(stream, p);
        if let Self::Diagonal(inverse) = self {
            for row in p.chunks_exact_mut(inverse.len()) {
                for (p, v) in row.iter_mut().zip(inverse) {
                    *p = T::of(p.f64() / v.sqrt());
                }
            }
        }
    }

    /// `x ← x + step·M⁻¹p`, row by row.
    pub(crate) fn drift<S: HostState>(&self, x: &mut S, p: &S, step: f64) {
        let Self::Diagonal(inverse) = self else {
            return x.lincomb(1.0, &[(step, p)]);
        };
        let rows = x.as_mut_slice().chunks_exact_mut(inverse.len());
        for (x, p) in rows.zip(p.as_slice().chunks_exact(inverse.len())) {
            for ((x, p), v) in x.iter_mut().zip(p).zip(inverse) {
                *x = S::Scalar::of(x.f64() + step * v * p.f64());
            }
        }
    }

    /// Element i of the diagonal of M⁻¹.
    pub(crate) fn inverse(&self, i: usize) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Diagonal(inverse) => inverse[i],
        }
    }

    /// ½pᵀM⁻¹p of one row.
    pub(crate) fn kinetic<T: Scalar>(&self, row: &[T]) -> f64 {
        let squares = row.iter().map(|p| p.f64() * p.f64());
        0.5 * match self {
            Self::Identity => squares.sum::<f64>(),
            Self::Diagonal(inverse) => squares.zip(inverse).map(|(s, v)| s * v).sum::<f64>(),
        }
    }
}

/// Running mean and sum of squares of each coordinate, over draws and chains.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Spread {
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            count: 0.0,
            mean: vec![0.0; dim],
            squares: vec![0.0; dim],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0.0;
        self.mean.fill(0.0);
        self.squares.fill(0.0);
    }

    /// Welford's update by every row.
    pub(crate) fn add<T: Scalar>(&mut self, rows: &[T]) {
        for row in rows.chunks_exact(self.mean.len()) {
            self.count += 1.0;
            for ((x, m), s) in row.iter().zip(&mut self.mean).zip(&mut self.squares) {
                let before = x.f64() - *m;
                *m += before / self.count;
                *s += before * (x.f64() - *m);
            }
        }
    }

    /// Variances as the inverse mass, drawn towards 10⁻³ with the weight of five draws.
    pub(crate) fn mass(&self) -> Mass {
        let (n, divisor) = (self.count, (self.count - 1.0).max(1.0));
        let shrunk = |s: &f64| (n * s / divisor + 5.0 * 1e-3) / (n + 5.0);
        Mass::Diagonal(self.squares.iter().map(shrunk).collect())
    }
}
