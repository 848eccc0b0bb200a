//! Least squares: min ‖b − A·x‖² + λ²‖x‖² for rectangular operators.
//!
//! Golub-Kahan bidiagonalisation, and MINRES on the normal equations without forming them: ‖Aᵀr‖ falls at every step.
//! A step costs one product, one transposed product, two norms and six combinations.
//!
//! Source: D. Fong, M. Saunders, *LSMR: an iterative algorithm for sparse least-squares problems*, SIAM J. Sci. Comput.
//! 33 (2011).

use ansatz_core::{LinearMap, State};

use super::session::finite_state;
use crate::LinalgError;
use crate::error::within;

/// LSMR.
///
/// ```
/// use ansatz_linalg::core::EvalError;
/// use ansatz_linalg::krylov::Lsmr;
/// // The mean of three numbers.
/// let a = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> { y.fill(x[0]); Ok(()) };
/// let at = |y: &Vec<f64>, x: &mut Vec<f64>| -> Result<(), EvalError> { x[0] = y.iter().sum(); Ok(()) };
/// let mut x = vec![0.0];
/// Lsmr::default().solve(&a, &at, &vec![1.0, 2.0, 6.0], &mut x)?;
/// assert!((x[0] - 3.0).abs() < 1e-12);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lsmr {
    /// λ: weight of the norm of the solution.
    pub damp: f64,
    /// Done when ‖Aᵀr‖ ≤ atol·‖A‖‖r‖: a least-squares solution.
    pub atol: f64,
    /// Done when ‖r‖ ≤ btol·‖b‖ + atol·‖A‖‖x‖: a solution.
    pub btol: f64,
    /// Most steps.
    pub max_iterations: usize,
}

impl Default for Lsmr {
    fn default() -> Self {
        Self {
            damp: 0.0,
            atol: 1e-10,
            btol: 1e-10,
            max_iterations: 1000,
        }
    }
}

/// Why LSMR ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LsmrEnd {
    /// The residual is small: x solves the system.
    Solution,
    /// Aᵀr is small: x is a least-squares solution.
    LeastSquares,
}

/// What LSMR found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LsmrReport {
    /// Steps made.
    pub iterations: usize,
    /// ‖b − A·x‖, computed from its definition (without the damping term).
    pub residual: f64,
    /// ‖Aᵀr − λ²x‖ as the recurrence has it, at the start and after every step.
    pub history: Vec<f64>,
    /// Estimate of ‖A‖ in the Frobenius norm.
    pub norm: f64,
    /// Estimate of the condition number.
    pub condition: f64,
    /// Why it ended.
    pub end: LsmrEnd,
}

/// (c, s, r) with c·a + s·b = r, s·a − c·b = 0.
fn rotation(a: f64, b: f64) -> (f64, f64, f64) {
    let r = a.hypot(b);
    if r == 0.0 {
        (1.0, 0.0, 0.0)
    } else {
        (a / r, b / r, r)
    }
}

/// Scales to norm 1 and returns the norm.
fn normalise<S: State>(s: &mut S, iteration: usize) -> Result<f64, LinalgError> {
    let norm = s.norm();
    if !norm.is_finite() {
        return Err(LinalgError::Breakdown {
            iteration,
            what: "the norm of a bidiagonalisation vector",
            value: norm,
        });
    }
    if norm > 0.0 {
        s.lincomb(1.0 / norm, &[]);
    }
    Ok(norm)
}

impl Lsmr {
    /// Solves min ‖b − A·x‖² + λ²‖x‖² from the guess in `x` (from 0 where λ > 0); `adjoint` is Aᵀ.
    ///
    /// # Errors
    /// Bad input ([`LinalgError::Shape`], [`LinalgError::NotFinite`], [`LinalgError::Parameter`]) changes nothing;
    /// [`LinalgError::NotConverged`] (its residual is ‖Aᵀr‖/(‖A‖‖r‖)), [`LinalgError::Breakdown`] and errors of the
    /// operator leave the last iterate, the best in ‖Aᵀr‖.
    pub fn solve<X: State, Y: State>(
        &self,
        a: &dyn LinearMap<X, Y>,
        adjoint: &dyn LinearMap<Y, X>,
        b: &Y,
        x: &mut X,
    ) -> Result<LsmrReport, LinalgError> {
        if b.is_empty() || x.is_empty() {
            return Err(LinalgError::Shape {
                what: "equations and unknowns (at least)",
                expected: 1,
                got: 0,
            });
        }
        for (name, value) in [
            ("damp", self.damp),
            ("atol", self.atol),
            ("btol", self.btol),
        ] {
            within(name, value, 0.0.., "a finite number, at least 0")?;
        }
        finite_state("right-hand side", b)?;
        finite_state("starting guess", x)?;
        let norm_b = b.norm();
        if self.damp > 0.0 {
            // From a guess the recurrence would charge the correction for its norm, not the solution.
            x.lincomb(0.0, &[]);
        }

        let mut u = b.zeros_like();
        a.apply(x, &mut u)?;
        u.lincomb(-1.0, &[(1.0, b)]);
        let mut v = x.zeros_like();
        let mut out_u = b.zeros_like();
        let mut out_v = x.zeros_like();
        let mut beta = normalise(&mut u, 0)?;
        if beta > 0.0 {
            adjoint.apply(&u, &mut v)?;
        }
        let mut alpha = normalise(&mut v, 0)?;
        let mut h = v.clone();
        let mut h_bar = x.zeros_like();
        let (mut zeta_bar, mut alpha_bar) = (alpha * beta, alpha);
        let (mut rho, mut rho_bar, mut c_bar, mut s_bar) = (1.0, 1.0, 1.0, 0.0);
        // The norm of the residual.
        let (mut beta_dd, mut beta_d, mut rho_d_old) = (beta, 0.0, 1.0);
        let (mut tau_old, mut theta_tilde, mut zeta, mut d) = (0.0, 0.0, 0.0, 0.0_f64);
        // ‖A‖ and its condition.
        let mut norm_a2 = alpha * alpha;
        let (mut largest, mut least) = (0.0_f64, f64::INFINITY);

        let mut history = Vec::with_capacity(self.max_iterations.min(1 << 16) + 1);
        history.push(alpha * beta);
        let mut end = (alpha * beta == 0.0 || beta <= self.btol * norm_b).then_some(
            if beta <= self.btol * norm_b {
                LsmrEnd::Solution
            } else {
                LsmrEnd::LeastSquares
            },
        );
        let mut iterations = 0;
        let mut measure = 1.0;
        while end.is_none() && iterations < self.max_iterations {
            iterations += 1;
            a.apply(&v, &mut out_u)?;
            u.lincomb(-alpha, &[(1.0, &out_u)]);
            beta = normalise(&mut u, iterations)?;
            if beta > 0.0 {
                adjoint.apply(&u, &mut out_v)?;
                v.lincomb(-beta, &[(1.0, &out_v)]);
                alpha = normalise(&mut v, iterations)?;
            } else {
                alpha = 0.0;
            }
            // Three rotations: damping, A's bidiagonal, its square's.
            let (c_hat, s_hat, alpha_hat) = rotation(alpha_bar, self.damp);
            let rho_old = rho;
            let (c, s, r) = rotation(alpha_hat, beta);
            rho = r;
            let theta_new = s * alpha;
            alpha_bar = c * alpha;
            let (rho_bar_old, zeta_old) = (rho_bar, zeta);
            let theta_bar = s_bar * rho;
            let rho_temp = c_bar * rho;
            (c_bar, s_bar, rho_bar) = rotation(c_bar * rho, theta_new);
            zeta = c_bar * zeta_bar;
            zeta_bar *= -s_bar;
            if rho == 0.0 || rho_bar == 0.0 {
                return Err(LinalgError::Breakdown {
                    iteration: iterations,
                    what: "the pivot of the bidiagonal matrix",
                    value: 0.0,
                });
            }
            h_bar.lincomb(-theta_bar * rho / (rho_old * rho_bar_old), &[(1.0, &h)]);
            x.lincomb(1.0, &[(zeta / (rho * rho_bar), &h_bar)]);
            h.lincomb(-theta_new / rho, &[(1.0, &v)]);
            // ‖r‖ by the recurrences of section 5 of the paper.
            let beta_acute = c_hat * beta_dd;
            let beta_check = -s_hat * beta_dd;
            let beta_hat = c * beta_acute;
            beta_dd = -s * beta_acute;
            let theta_tilde_old = theta_tilde;
            let (c_tilde, s_tilde, rho_tilde) = rotation(rho_d_old, theta_bar);
            theta_tilde = s_tilde * rho_bar;
            rho_d_old = c_tilde * rho_bar;
            beta_d = -s_tilde * beta_d + c_tilde * beta_hat;
            tau_old = (zeta_old - theta_tilde_old * tau_old) / rho_tilde;
            let tau = (zeta - theta_tilde * tau_old) / rho_d_old;
            d += beta_check * beta_check;
            let norm_r = (d + (beta_d - tau).powi(2) + beta_dd * beta_dd).sqrt();
            norm_a2 += beta * beta;
            let norm_a = norm_a2.sqrt();
            norm_a2 += alpha * alpha;
            largest = largest.max(rho_bar_old);
            if iterations > 1 {
                least = least.min(rho_bar_old);
            }
            let condition = largest.max(rho_temp) / least.min(rho_temp);
            let norm_ar = zeta_bar.abs();
            history.push(norm_ar);
            let norm_x = x.norm();
            measure = if norm_r > 0.0 {
                norm_ar / (norm_a * norm_r)
            } else {
                0.0
            };
            // Beyond rounding nothing is gained.
            if norm_r <= self.btol.max(f64::EPSILON) * norm_b + self.atol * norm_a * norm_x {
                end = Some(LsmrEnd::Solution);
            } else if measure <= self.atol.max(f64::EPSILON) || condition * f64::EPSILON >= 1.0 {
                end = Some(LsmrEnd::LeastSquares);
            }
        }
        let Some(end) = end else {
            return Err(LinalgError::NotConverged {
                iterations,
                residual: measure,
                tolerance: self.atol,
            });
        };
        a.apply(x, &mut u)?;
        u.lincomb(-1.0, &[(1.0, b)]);
        Ok(LsmrReport {
            iterations,
            residual: u.norm(),
            history,
            norm: norm_a2.sqrt(),
            condition: if iterations == 0 {
                1.0
            } else {
                largest.max(f64::MIN_POSITIVE) / least.min(largest)
            },
            end,
        })
    }
}
