//! Solving the collocation equations.

use ansatz_core::{LinearMap, OnHost, SearchDirection};
use ansatz_linalg::LinalgError;
use ansatz_linalg::krylov::{Gmres, Stop, System};
use ansatz_linalg::operator::{Circulant, CirculantPreconditioner, TauPreconditioner};
use faer::Mat;
use faer::linalg::solvers::Solve;

use crate::PhysicsError;

use super::{RieszCollocation, RieszSolution};

/// What GMRES is preconditioned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preconditioner {
    /// Nothing: steps grow with n.
    None,
    /// Strang's circulant of the Toeplitz part.
    Circulant,
    /// The symbol in the sine basis.
    #[default]
    Tau,
}

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolveOptions {
    /// The preconditioner.
    pub preconditioner: Preconditioner,
    /// ‖s − A·c‖/‖s‖ wanted.
    pub tolerance: f64,
    /// Most steps, all in one basis.
    pub steps: usize,
}

impl Default for SolveOptions {
    fn default() -> Self {
        Self {
            preconditioner: Preconditioner::Tau,
            tolerance: 1e-10,
            steps: 200,
        }
    }
}

impl RieszCollocation {
    /// Solves for a right-hand side by GMRES, in O(n log n) per step.
    ///
    /// # Errors
    /// [`PhysicsError::NotFinite`] when s is not a number at a point; [`PhysicsError::Linear`] when the steps do not
    /// suffice.
    pub fn solve(
        &self,
        source: impl Fn(f64) -> f64,
        options: &SolveOptions,
    ) -> Result<RieszSolution, PhysicsError> {
        let b = self.right_hand_side(source)?;
        let a = OnHost::new(self);
        let a: &dyn LinearMap<Vec<f64>> = &a;
        let mut preconditioner = self.preconditioner(options.preconditioner)?;
        let mut system = System::new(a, &b).until(Stop {
            rtol: options.tolerance,
            max_iterations: options.steps,
            ..Stop::default()
        });
        if let Some(m) = &mut preconditioner {
            system = system.preconditioned(m.as_mut());
        }
        let method = Gmres {
            restart: options.steps.max(1),
        };
        let mut coefficients = vec![0.0; b.len()];
        let report = system.solve(&method, &mut coefficients)?;
        Ok(RieszSolution {
            knots: self.knots,
            coefficients,
            iterations: report.iterations,
            residual: report.residual,
        })
    }

    /// Solves by LU factorisation of the full matrix: O(M³) time, O(M²) memory, for comparison.
    ///
    /// # Errors
    /// [`PhysicsError::NotFinite`] when s is not a number at a point.
    pub fn solve_dense(&self, source: impl Fn(f64) -> f64) -> Result<RieszSolution, PhysicsError> {
        let b = self.right_hand_side(source)?;
        let a = self.matrix();
        let rhs = Mat::from_fn(b.len(), 1, |i, _| b[i]);
        let x = a.partial_piv_lu().solve(&rhs);
        let rest = (&a * &x - &rhs).norm_l2();
        Ok(RieszSolution {
            knots: self.knots,
            coefficients: (0..b.len()).map(|i| x[(i, 0)]).collect(),
            iterations: 0,
            residual: rest / rhs.norm_l2().max(f64::MIN_POSITIVE),
        })
    }

    /// s at the points of collocation.
    fn right_hand_side(&self, source: impl Fn(f64) -> f64) -> Result<Vec<f64>, PhysicsError> {
        let b: Vec<f64> = self.points().iter().map(|x| source(*x)).collect();
        match b.iter().position(|v| !v.is_finite()) {
            None => Ok(b),
            Some(index) => Err(PhysicsError::NotFinite {
                what: "right-hand side at the points of collocation",
                index,
                value: b[index],
            }),
        }
    }

    /// A preconditioner for methods of one's own; `None` for [`Preconditioner::None`].
    ///
    /// # Errors
    /// [`PhysicsError::Linear`] when it is not positive definite.
    pub fn preconditioner(
        &self,
        kind: Preconditioner,
    ) -> Result<Option<Box<dyn SearchDirection<Vec<f64>> + Send>>, PhysicsError> {
        Ok(match kind {
            Preconditioner::None => None,
            Preconditioner::Circulant => {
                let circulant = Circulant::strang(self.toeplitz_column())?;
                Some(Box::new(CirculantPreconditioner::new(&circulant)?))
            }
            Preconditioner::Tau => {
                let scale = (self.intervals() as f64).powf(self.alpha());
                let symbol = |theta: f64| scale * self.symbol(theta);
                let tau: Result<_, LinalgError> = TauPreconditioner::new(self.order(), symbol);
                Some(Box::new(tau?))
            }
        })
    }
}
