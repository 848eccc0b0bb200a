//! The linear solves behind implicit derivatives.

use ansatz_core::EvalError;
use faer::Mat;
use faer::linalg::solvers::{PartialPivLu, Solve};

use super::{Derivative, ParametricMap, Point, check, check_lengths, dot};
use crate::LinalgError;
use crate::error::{finite, shape, within};
use crate::krylov::{BiCgStab, Cg, Gmres, Method, Stop, System};

/// How systems with M = ∂F/∂x are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RootSolver {
    /// [`RootSolver::Lu`] up to 500 unknowns, [`RootSolver::Gmres`] above.
    #[default]
    Automatic,
    /// Conjugate gradients: M symmetric positive definite, as for gradients of convex functions.
    Cg,
    /// Conjugate gradients on the normal equations: any M; the condition is squared.
    NormalCg,
    /// GMRES, restarted every 100 steps.
    Gmres,
    /// BiCGStab: constant memory.
    BiCgStab,
    /// M from n products, factored: at most 500 unknowns.
    Lu,
}

/// Most unknowns for a dense factorisation.
const DENSE: usize = 500;

/// How an implicit derivative is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImplicitOptions {
    /// The linear solver.
    pub solver: RootSolver,
    /// δ ≥ 0 for a singular M: solves with M + δI, for [`RootSolver::NormalCg`] with MᵀM + δI.
    pub ridge: f64,
    /// Residual of the solve, relative to its right-hand side.
    pub rtol: f64,
    /// Most steps of an iterative solver.
    pub max_iterations: usize,
    /// ‖F(x̂, θ)‖ ≤ this·(1 + ‖x̂‖) counts as a solution; above, the report warns.
    pub residual_limit: f64,
}

impl Default for ImplicitOptions {
    /// To 1e-10 without ridge; a warning above 1e-6.
    fn default() -> Self {
        Self {
            solver: RootSolver::Automatic,
            ridge: 0.0,
            rtol: 1e-10,
            max_iterations: 5000,
            residual_limit: 1e-6,
        }
    }
}

/// What was seen on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ImplicitReport {
    /// ‖F(x̂, θ)‖: how far x̂ is from a solution.
    pub residual: f64,
    /// `true` when that is above [`ImplicitOptions::residual_limit`]: the derivative belongs to another point than the
    /// solution, and is as inexact as x̂.
    pub unconverged: bool,
    /// Relative residual of the linear solve.
    pub solve_residual: f64,
    /// Steps of the iterative solver, 0 for a factorisation.
    pub iterations: usize,
}

/// vᵀ·∂x*/∂θ for all arguments, by one solve, at a solution `at.x` found by any means.
///
/// # Errors
/// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Singular`] where ∂F/∂x is, as at a degenerate
/// active set: a ridge helps; [`LinalgError::NotConverged`]; [`LinalgError::Indefinite`] from conjugate gradients;
/// [`LinalgError::TooLarge`] for LU above 500 unknowns; those of the map.
pub fn root_vjp(
    map: &dyn ParametricMap,
    at: Point<'_>,
    v: &[f64],
    options: &ImplicitOptions,
) -> Result<(Vec<Vec<f64>>, ImplicitReport), LinalgError> {
    Sensitivity::new(map, at, options)?.vjp(v)
}

/// ∂x*/∂θ·w, by one solve.
///
/// # Errors
/// Those of [`root_vjp`].
pub fn root_jvp(
    map: &dyn ParametricMap,
    at: Point<'_>,
    w: &[&[f64]],
    options: &ImplicitOptions,
) -> Result<(Vec<f64>, ImplicitReport), LinalgError> {
    Sensitivity::new(map, at, options)?.jvp(w)
}

/// The derivative of a solution, ready for any number of products: the map is linearised, and factored for
/// [`RootSolver::Lu`], once.
pub struct Sensitivity<'a> {
    derivative: Box<dyn Derivative + 'a>,
    unknowns: usize,
    arguments: Vec<usize>,
    options: ImplicitOptions,
    lu: Option<PartialPivLu<f64>>,
    residual: f64,
    unconverged: bool,
}

/// Which of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Plain,
    Transposed,
}

impl<'a> Sensitivity<'a> {
    /// Linearises `map` at `at`.
    ///
    /// # Errors
    /// Those of [`root_vjp`].
    pub fn new(
        map: &'a (dyn ParametricMap + 'a),
        at: Point<'_>,
        options: &ImplicitOptions,
    ) -> Result<Self, LinalgError> {
        let n = map.unknowns();
        if n == 0 {
            return Err(LinalgError::Shape {
                what: "unknowns (at least)",
                expected: 1,
                got: 0,
            });
        }
        shape("outputs of an optimality map", n, map.outputs())?;
        within("ridge", options.ridge, 0.0.., "a finite number, at least 0")?;
        within("rtol", options.rtol, 0.0..1.0, "at least 0 and below 1")?;
        let mut value = vec![0.0; n];
        check(map, at, &value)?;
        let derivative = map.linearise(at, &mut value)?;
        finite("value of the optimality map", &value)?;
        let residual = dot(&value, &value).sqrt();
        let limit = options.residual_limit * (1.0 + dot(at.x, at.x).sqrt());
        let mut this = Self {
            derivative,
            unknowns: n,
            arguments: map.arguments(),
            options: *options,
            lu: None,
            residual,
            // A limit that is no number warns.
            unconverged: residual > limit || limit.is_nan(),
        };
        let automatic = options.solver == RootSolver::Automatic && n <= DENSE;
        if automatic || options.solver == RootSolver::Lu {
            this.lu = Some(this.factor()?);
        }
        Ok(this)
    }

    /// vᵀ·∂x*/∂θ.
    ///
    /// # Errors
    /// Those of [`root_vjp`].
    pub fn vjp(&self, v: &[f64]) -> Result<(Vec<Vec<f64>>, ImplicitReport), LinalgError> {
        shape("cotangent", self.unknowns, v.len())?;
        finite("cotangent", v)?;
        let (mut u, report) = self.solve_side(Side::Transposed, v)?;
        for u in &mut u {
            *u = -*u;
        }
        let mut out: Vec<Vec<f64>> = self.arguments.iter().map(|n| vec![0.0; *n]).collect();
        let mut parts: Vec<&mut [f64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        self.derivative.vjp_args(&u, &mut parts)?;
        for part in &out {
            finite("cotangent of an argument", part)?;
        }
        Ok((out, report))
    }

    /// ∂x*/∂θ·w.
    ///
    /// # Errors
    /// Those of [`root_vjp`].
    pub fn jvp(&self, w: &[&[f64]]) -> Result<(Vec<f64>, ImplicitReport), LinalgError> {
        check_lengths("tangents", &self.arguments, w.iter().map(|w| w.len()))?;
        for w in w {
            finite("tangent", w)?;
        }
        let mut b = vec![0.0; self.unknowns];
        self.derivative.jvp_args(w, &mut b)?;
        for b in &mut b {
            *b = -*b;
        }
        finite("tangent of the optimality map", &b)?;
        self.solve_side(Side::Plain, &b)
    }

    /// M⁻¹b.
    ///
    /// # Errors
    /// Those of [`root_vjp`].
    pub fn solve(&self, b: &[f64]) -> Result<(Vec<f64>, ImplicitReport), LinalgError> {
        shape("right-hand side", self.unknowns, b.len())?;
        finite("right-hand side", b)?;
        self.solve_side(Side::Plain, b)
    }

    /// M⁻ᵀb.
    ///
    /// # Errors
    /// Those of [`root_vjp`].
    pub fn solve_transposed(&self, b: &[f64]) -> Result<(Vec<f64>, ImplicitReport), LinalgError> {
        shape("right-hand side", self.unknowns, b.len())?;
        finite("right-hand side", b)?;
        self.solve_side(Side::Transposed, b)
    }

    /// `out ← M·x + δx` or its transpose.
    fn product(&self, side: Side, ridge: f64, x: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        match side {
            Side::Plain => self.derivative.jvp_x(x, out)?,
            Side::Transposed => self.derivative.vjp_x(x, out)?,
        }
        for (out, x) in out.iter_mut().zip(x) {
            *out += ridge * x;
        }
        Ok(())
    }

    fn factor(&self) -> Result<PartialPivLu<f64>, LinalgError> {
        let n = self.unknowns;
        if n > DENSE {
            return Err(LinalgError::TooLarge {
                what: "the matrix of an implicit derivative",
                needed: n * n * size_of::<f64>(),
                limit: DENSE * DENSE * size_of::<f64>(),
            });
        }
        let mut m = Mat::zeros(n, n);
        let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            unit[j] = 1.0;
            self.product(Side::Plain, self.options.ridge, &unit, &mut column)?;
            finite("derivative of the optimality map", &column)?;
            for (i, c) in column.iter().enumerate() {
                m[(i, j)] = *c;
            }
            unit[j] = 0.0;
        }
        // Not by full pivoting: that of faer 0.24 at times takes another entry than the largest, and a tiny one among zeros.
        let lu = m.partial_piv_lu();
        let pivot = |i: usize| lu.U()[(i, i)].abs();
        let sizes = || (0..n).map(pivot);
        let estimate = sizes().fold(f64::INFINITY, f64::min) / sizes().fold(0.0, f64::max);
        // 0/0 is singular as well.
        if estimate.is_nan() || estimate <= n as f64 * f64::EPSILON {
            return Err(LinalgError::Singular {
                what: "derivative of the optimality map",
                estimate: if estimate.is_nan() { 0.0 } else { estimate },
            });
        }
        Ok(lu)
    }

    /// M⁻¹b or M⁻ᵀb.
    fn solve_side(&self, side: Side, b: &[f64]) -> Result<(Vec<f64>, ImplicitReport), LinalgError> {
        let n = self.unknowns;
        let mut x = vec![0.0; n];
        let mut iterations = 0;
        let mut failure = None;
        let normal = self.options.solver == RootSolver::NormalCg;
        if let Some(lu) = &self.lu {
            let b = Mat::from_fn(n, 1, |i, _| b[i]);
            let solution = match side {
                Side::Plain => lu.solve(&b),
                Side::Transposed => lu.solve_transpose(&b),
            };
            x.iter_mut()
                .zip(solution.col_as_slice(0))
                .for_each(|(x, s)| *x = *s);
        } else {
            let ridge = self.options.ridge;
            let stop = Stop {
                rtol: self.options.rtol,
                atol: 0.0,
                max_iterations: self.options.max_iterations,
            };
            let b = b.to_vec();
            let plain = |x: &Vec<f64>, y: &mut Vec<f64>| self.product(side, ridge, x, y);
            let other = match side {
                Side::Plain => Side::Transposed,
                Side::Transposed => Side::Plain,
            };
            let squared = |x: &Vec<f64>, y: &mut Vec<f64>| {
                let mut middle = vec![0.0; n];
                self.product(side, 0.0, x, &mut middle)?;
                self.product(other, 0.0, &middle, y)?;
                for (y, x) in y.iter_mut().zip(x) {
                    *y += ridge * x;
                }
                Ok::<(), EvalError>(())
            };
            let gmres = Gmres {
                restart: n.min(100),
            };
            let cg = Cg::default();
            let method: &dyn Method<Vec<f64>> = match self.options.solver {
                RootSolver::Cg | RootSolver::NormalCg => &cg,
                RootSolver::BiCgStab => &BiCgStab,
                RootSolver::Gmres | RootSolver::Automatic | RootSolver::Lu => &gmres,
            };
            let solved = if normal {
                let mut rhs = vec![0.0; n];
                self.product(other, 0.0, &b, &mut rhs)?;
                System::new(&squared, &rhs)
                    .until(stop)
                    .solve(method, &mut x)
            } else {
                System::new(&plain, &b).until(stop).solve(method, &mut x)
            };
            match solved {
                Ok(report) => iterations = report.iterations,
                Err(error @ (LinalgError::NotConverged { .. } | LinalgError::Breakdown { .. })) => {
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        finite("implicit derivative", &x)?;
        let solve_residual = self.examine(side, b, &x, failure)?;
        let report = ImplicitReport {
            residual: self.residual,
            unconverged: self.unconverged,
            solve_residual,
            iterations,
        };
        Ok((x, report))
    }

    /// The relative residual, or why there is no solution: what of b is left over and lies in the kernel of the other
    /// side is what no x can produce.
    fn examine(
        &self,
        side: Side,
        b: &[f64],
        x: &[f64],
        failure: Option<LinalgError>,
    ) -> Result<f64, LinalgError> {
        let norm = dot(b, b).sqrt();
        if norm == 0.0 {
            return Ok(0.0);
        }
        let mut r = vec![0.0; b.len()];
        let normal = self.options.solver == RootSolver::NormalCg;
        let ridge = if normal { 0.0 } else { self.options.ridge };
        self.product(side, ridge, x, &mut r)?;
        for (r, b) in r.iter_mut().zip(b) {
            *r = b - *r;
        }
        let left = dot(&r, &r).sqrt() / norm;
        if normal && self.options.ridge > 0.0 {
            return failure.map_or(Ok(left), Err);
        }
        // Normal equations converge without solving the system when that is impossible.
        if failure.is_none() && (self.lu.is_some() || left <= self.options.rtol.max(1e-13) * 1e4) {
            return Ok(left);
        }
        let other = match side {
            Side::Plain => Side::Transposed,
            Side::Transposed => Side::Plain,
        };
        let mut back = vec![0.0; b.len()];
        self.product(other, ridge, &r, &mut back)?;
        let seen = dot(&back, &back).sqrt() / (left * norm);
        self.product(other, ridge, b, &mut back)?;
        let size = dot(&back, &back).sqrt() / norm;
        let estimate = seen / size.max(seen);
        if estimate < 1e-6 || estimate.is_nan() {
            return Err(LinalgError::Singular {
                what: "derivative of the optimality map",
                estimate: if estimate.is_nan() { 0.0 } else { estimate },
            });
        }
        Err(failure.unwrap_or(LinalgError::NotConverged {
            iterations: self.options.max_iterations,
            residual: left,
            tolerance: self.options.rtol,
        }))
    }
}
