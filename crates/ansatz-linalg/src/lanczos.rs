//! The Lanczos process: a symmetric operator as a tridiagonal matrix.
//!
//! ```text
//! A·Q = Q·T + β·q·eᵀ,   T = tridiag(β, α, β),   QᵀQ = I
//! ```
//!
//! Eigenvalues of T (Ritz values) approach those of A, the outer ones first; quadrature of a function over the spectrum
//! seen from the starting vector comes from the same T ([`crate::trace`]). In floating point the vectors lose their
//! orthogonality as Ritz values converge: [`Reorthogonalise`] says what is done about it.
//!
//! | | memory | work beyond products | ghosts |
//! |---|---|---|---|
//! | `None` | 3 vectors | 5 passes a step | copies of converged eigenvalues |
//! | `Selective` | all vectors | a full pass at few steps | none to √ε |
//! | `Full` | all vectors | 4j passes at step j | none |
//!
//! Sources: C. Lanczos, 1950; H. Simon, *The Lanczos algorithm with partial reorthogonalization*, Math. Comp. 42 (1984);
//! L. Giraud, J. Langou, M. Rozložník, J. van den Eshof, *Rounding error analysis of the classical Gram-Schmidt
//! orthogonalization process*, 2005 (twice is enough).

mod tridiagonal;

pub use tridiagonal::Tridiagonal;

use ansatz_core::{LinearMap, State};

use crate::LinalgError;
use crate::error::within;
use crate::krylov::finite_state;

/// What is done about vectors that lose their orthogonality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reorthogonalise {
    /// Nothing: three vectors of memory.
    None,
    /// Against all vectors, twice, at every step.
    #[default]
    Full,
    /// Against all vectors, twice, at the steps for which the recurrence of Simon estimates a loss above √ε, and at the
    /// one after.
    Selective,
}

/// The Lanczos process.
///
/// ```
/// use ansatz_linalg::core::OnHost;
/// use ansatz_linalg::lanczos::Lanczos;
/// use ansatz_linalg::operator::Diagonal;
/// let a = Diagonal::new(vec![1.0, 2.0, 5.0])?;
/// let run = Lanczos { steps: 3, ..Lanczos::default() }.run(&OnHost::new(&a), &vec![1.0; 3])?;
/// let (values, _) = run.matrix.eigen()?;
/// assert!((values[0] - 1.0).abs() < 1e-14 && (values[2] - 5.0).abs() < 1e-14);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanczos {
    /// Most steps: rows of T.
    pub steps: usize,
    /// What is done about lost orthogonality.
    pub reorthogonalise: Reorthogonalise,
}

impl Default for Lanczos {
    /// Thirty steps with full re-orthogonalisation.
    fn default() -> Self {
        Self {
            steps: 30,
            reorthogonalise: Reorthogonalise::Full,
        }
    }
}

/// What the process found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LanczosRun<S> {
    /// T.
    pub matrix: Tridiagonal,
    /// Q: empty without re-orthogonalisation.
    pub basis: Vec<S>,
    /// The β after the last row: what is missing for an invariant subspace.
    pub residual: f64,
    /// `true` when the process ended early because Q spans an invariant subspace: eigenvalues of T are then ones of A.
    pub invariant: bool,
    /// Steps at which vectors were made orthogonal anew.
    pub reorthogonalised: usize,
}

impl Lanczos {
    /// Runs the process from `start`, of any norm.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`] for the start, [`LinalgError::Parameter`] for zero steps or a start of norm 0,
    /// [`LinalgError::Breakdown`] for products that are not finite, what the operator reports.
    pub fn run<S: State>(
        &self,
        a: &dyn LinearMap<S>,
        start: &S,
    ) -> Result<LanczosRun<S>, LinalgError> {
        within("steps", self.steps as f64, 1.0.., "at least 1")?;
        finite_state("starting vector", start)?;
        let norm = start.norm();
        within(
            "norm of the starting vector",
            norm,
            f64::MIN_POSITIVE..,
            "positive",
        )?;
        let keep = self.reorthogonalise != Reorthogonalise::None;
        let steps = self.steps.min(start.len());
        let mut basis: Vec<S> = Vec::with_capacity(if keep { steps } else { 0 });
        let mut q = start.clone();
        q.lincomb(1.0 / norm, &[]);
        let mut before = start.zeros_like();
        let mut next = start.zeros_like();
        let (mut alpha, mut beta): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut loss = Loss::new(start.len());
        let mut norm_t = 0.0_f64;
        let (mut invariant, mut residual, mut again, mut reorthogonalised) = (false, 0.0, false, 0);
        for j in 0..steps {
            a.apply(&q, &mut next)?;
            if j > 0 {
                next.lincomb(1.0, &[(-beta[j - 1], &before)]);
            }
            let a_j = next.dot(&q);
            if !a_j.is_finite() {
                return Err(LinalgError::Breakdown {
                    iteration: j + 1,
                    what: "the diagonal of the Lanczos matrix",
                    value: a_j,
                });
            }
            next.lincomb(1.0, &[(-a_j, &q)]);
            alpha.push(a_j);
            let mut b_j = next.norm();
            norm_t = norm_t.max(a_j.abs() + b_j + beta.last().copied().unwrap_or(0.0));
            if keep {
                basis.push(q.clone());
                let full = match self.reorthogonalise {
                    Reorthogonalise::Full => true,
                    _ => loss.too_large(&alpha, &beta, b_j, norm_t) || again,
                };
                if full {
                    for _ in 0..2 {
                        for v in &basis {
                            let c = v.dot(&next);
                            next.lincomb(1.0, &[(-c, v)]);
                        }
                    }
                    b_j = next.norm();
                    reorthogonalised += 1;
                    again = self.reorthogonalise == Reorthogonalise::Selective && !again;
                    loss.reset();
                }
            }
            residual = b_j;
            if b_j <= 10.0 * f64::EPSILON * norm_t {
                invariant = true;
                break;
            }
            if j + 1 < steps {
                beta.push(b_j);
                next.lincomb(1.0 / b_j, &[]);
                std::mem::swap(&mut before, &mut q);
                std::mem::swap(&mut q, &mut next);
            }
        }
        Ok(LanczosRun {
            matrix: Tridiagonal { alpha, beta },
            basis,
            residual,
            invariant,
            reorthogonalised,
        })
    }
}

impl<S: State> LanczosRun<S> {
    /// `out ← Q·y`: the vector of A for a vector of T.
    ///
    /// # Panics
    /// If `y` is longer than the basis.
    pub fn combine(&self, y: &[f64], out: &mut S) {
        assert!(y.len() <= self.basis.len(), "a coefficient for each vector");
        out.lincomb(0.0, &[]);
        for (y, q) in y.chunks(8).zip(self.basis.chunks(8)) {
            let mut terms = [(0.0, &q[0]); 8];
            for (term, (y, q)) in terms.iter_mut().zip(y.iter().zip(q)) {
                *term = (*y, q);
            }
            out.lincomb(1.0, &terms[..y.len()]);
        }
    }
}

/// Estimates of |qᵢᵀq_j|, by the recurrence that the inner products themselves satisfy up to rounding.
struct Loss {
    unit: f64,
    /// ω of the last vector and of the one before against all earlier ones.
    last: Vec<f64>,
    before: Vec<f64>,
    next: Vec<f64>,
}

impl Loss {
    fn new(n: usize) -> Self {
        Self {
            unit: f64::EPSILON * (n as f64).sqrt(),
            last: vec![1.0],
            before: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Moves on to vector j + 1, j + 1 the length of `alpha`; whether one product is above √ε.
    fn too_large(&mut self, alpha: &[f64], beta: &[f64], b_j: f64, norm: f64) -> bool {
        let j = alpha.len() - 1;
        let at = |v: &[f64], i: usize| v.get(i).copied().unwrap_or(0.0);
        self.next.clear();
        let mut worst = 0.0_f64;
        for i in 0..j {
            let below = if i > 0 {
                beta[i - 1] * at(&self.last, i - 1)
            } else {
                0.0
            };
            let known =
                beta[i] * at(&self.last, i + 1) + (alpha[i] - alpha[j]) * at(&self.last, i) + below
                    - beta[j - 1] * at(&self.before, i);
            let rounding = 2.0 * self.unit * norm;
            let omega = (known + known.signum() * rounding) / b_j.max(f64::MIN_POSITIVE);
            worst = worst.max(omega.abs());
            self.next.push(omega);
        }
        self.next.extend([self.unit, 1.0]);
        std::mem::swap(&mut self.before, &mut self.last);
        std::mem::swap(&mut self.last, &mut self.next);
        worst > f64::EPSILON.sqrt()
    }

    /// After the last vector was made orthogonal to all.
    fn reset(&mut self) {
        let (unit, count) = (self.unit, self.last.len().saturating_sub(1));
        for omega in &mut self.last[..count] {
            *omega = unit;
        }
    }
}
