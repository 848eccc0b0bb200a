//! Semilinear equations in Fourier space, by exponential time differencing: reference solutions and data.
//!
//! ```text
//! u_t = Lu + N(u),     L diagonal in the basis, N by fast transforms
//! ```
//!
//! | | equation | basis |
//! |---|---|---|
//! | [`Equation`] | u_t + c·u·u_x = Σ a_j ∂_x^j u + Σ p_m u^m on a period: Burgers, Korteweg-de Vries, Kuramoto-Sivashinsky, Allen-Cahn | Fourier |
//! | [`Vorticity`] | ω_t + u·∇ω = νΔω + f in a periodic square | Fourier |
//! | [`WallEquation`] | u_t = νu_xx + Σ p_m u^m between walls with given values: Allen-Cahn | eigenfunctions of Legendre-Galerkin |
//!
//! One engine ([`Etdrk4`]) steps them all: stiffness of L costs nothing, the order is four. Products are free of aliasing
//! by the rule of 2/3: only modes |k| < n/3 are kept, in the state and in the nonlinear term, so that a quadratic term is
//! Galerkin's. The mode n/2 of odd derivatives is 0.
//!
//! A solution at the times asked for is a [`Trajectory`] of trigonometric polynomials ([`Periodic`]), evaluated anywhere
//! with derivatives of any order. It states its own accuracy: the largest difference from the solution with half the
//! modes and twice the step, which bounds the error of a solution that converges at all. Cost: O(n log n) for each of
//! four stages per step; nothing is allocated while stepping.
//!
//! Kuramoto and Sivashinsky's equation is chaotic: solutions of different programs agree up to t ≈ 60 on 32π and no longer.
//!
//! A.-K. Kassam, L. N. Trefethen, *Fourth-order time-stepping for stiff PDEs*, SIAM J. Sci. Comput. 26, 2005; S. M. Cox, P. C.
//! Matthews, *Exponential time differencing for stiff systems*, J. Comput. Phys. 176, 2002.

mod etdrk4;
mod field;
mod line;
mod plane;
mod trajectory;
mod wall;

pub(crate) use etdrk4::march;
pub use etdrk4::{Etdrk4, Semilinear};
pub use field::GaussianField;
pub use line::{Equation, Periodic};
pub use plane::{PeriodicPlane, Vorticity};
pub use trajectory::{Snapshot, Trajectory};
pub use wall::{LegendreSum, WallEquation};

use crate::PhysicsError;
use crate::reference::positive;

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpectralOptions {
    /// Points per axis, n: even, 8 or more.
    pub modes: usize,
    /// The longest step.
    pub step: f64,
    /// Which modes take part.
    pub dealiasing: Dealiasing,
    /// How the accuracy is found.
    pub check: Check,
}

impl Default for SpectralOptions {
    fn default() -> Self {
        Self {
            modes: 512,
            step: 1e-3,
            dealiasing: Dealiasing::TwoThirds,
            check: Check::Coarser,
        }
    }
}

/// Which modes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dealiasing {
    /// |k| < n/3.
    #[default]
    TwoThirds,
    /// All: products alias, which well-resolved solutions do not see.
    None,
}

/// How a solution learns its accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// By a second solution with half the modes and twice the step; a quarter more work in one dimension.
    #[default]
    Coarser,
    /// Not at all: [`Trajectory::accuracy`](crate::Reference::accuracy) is infinite.
    Skip,
}

impl SpectralOptions {
    fn validate(&self) -> Result<(), PhysicsError> {
        positive("step", self.step)?;
        if self.modes >= 8 && self.modes.is_multiple_of(2) {
            return Ok(());
        }
        Err(PhysicsError::Parameter {
            name: "modes",
            value: self.modes as f64,
            needed: "must be even and 8 or more",
        })
    }

    /// The greatest |k| kept.
    fn highest(&self) -> usize {
        match self.dealiasing {
            Dealiasing::TwoThirds => self.modes.div_ceil(3) - 1,
            Dealiasing::None => self.modes / 2,
        }
    }

    /// Half the modes, twice the step.
    fn coarser(&self) -> Self {
        Self {
            modes: (self.modes / 4).max(2) * 2,
            step: 2.0 * self.step,
            ..*self
        }
    }
}
