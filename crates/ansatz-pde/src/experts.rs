//! Hard constraints: a layer of least squares that makes basis functions satisfy an equation, split over experts.
//!
//! A network gives N functions b on a domain that is cut into K parts. On part k the prediction is u = b·ωₖ with
//!
//! ```text
//! ωₖ = argmin ½‖Fₖ(ω)‖² + ½ϱ²‖ω‖²,    F = [equation at points of part k; conditions],    Du = (Db)·ω
//! ```
//!
//! so that the network only has to span solutions, and the equation itself is solved for each input. Derivatives of u are
//! linear in ω: those of the basis are computed once, and an iteration of Levenberg and Marquardt, by orthogonal
//! factors since functions on a part are close to dependent, costs 2m·N² operations for m equations. The parts know nothing of one another and are solved side by side.
//!
//! [`Constraint`] is an operation of array programs: gradients pass to the basis by the implicit function theorem at the
//! optimum, g(ω, b) = JᵀF + ϱ²ω = 0,
//!
//! ```text
//! v̄ᵀ∂ω/∂b = −wᵀ∂g/∂b  with  (∂g/∂ω)·w = v̄,    ∂g/∂ω = JᵀJ + ϱ² + ΣFᵢ∇²Fᵢ
//! ```
//!
//! written as ω̂ − A⁻¹g(ω̂, b) with ω̂ and A held fixed, which has this derivative and, at the optimum, the value ω̂. Nothing
//! passes through the solver; first derivatives are exact, derivatives of them are not.
//!
//! References: N. Chalapathi, Y. Du, A. Krishnapriyan, *Scaling physics-informed hard constraints with mixture-of-experts*,
//! 2024; J. Bolte, E. Pauwels, S. Vaiter, *One-step differentiation of iterative algorithms*, 2023 (the form above).

mod solve;
mod split;

use std::sync::{Arc, Mutex, PoisonError};

use ansatz_autodiff::op::Side;
use ansatz_autodiff::{Array, gradient};

use solve::Solver;
pub use split::{Split, differences};

use crate::PdeError;
use crate::error::{expect, within};

type RowResidual = dyn for<'g> Fn(&[Array<'g>], &[Array<'g>]) -> Array<'g> + Send + Sync;

/// Equations of one kind: as many for each expert.
#[derive(Clone)]
pub struct Equations {
    /// m, the equations of an expert.
    pub count: usize,
    /// Number of derivatives of u that enter.
    pub derivatives: usize,
    /// Numbers that belong to an equation: a right side, a place.
    pub data: usize,
    /// Factor of the residuals.
    pub weight: f64,
    residual: Arc<RowResidual>,
}

impl std::fmt::Debug for Equations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (m, k) = (self.count, self.derivatives);
        write!(
            f,
            "Equations({m} of {k} derivatives and {} numbers)",
            self.data
        )
    }
}

impl Equations {
    /// Equations of weight 1. `residual` is given derivatives of u and columns of data, arrays of one shape, and works
    /// element by element.
    pub fn new<F>([count, derivatives, data]: [usize; 3], residual: F) -> Self
    where
        F: for<'g> Fn(&[Array<'g>], &[Array<'g>]) -> Array<'g> + Send + Sync + 'static,
    {
        Self {
            count,
            derivatives,
            data,
            weight: 1.0,
            residual: Arc::new(residual),
        }
    }

    /// The equations with another factor.
    #[must_use]
    pub fn weighted(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Number of arrays that these equations take.
    fn arguments(&self) -> usize {
        self.derivatives + usize::from(self.data > 0)
    }
}

/// The matrix of the backward solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backward {
    /// With the curvature of residuals: the derivative.
    #[default]
    Full,
    /// Without: JᵀJ + ϱ², always positive. It is the derivative where residuals vanish or are linear, and a direction close
    /// to it otherwise.
    GaussNewton,
}

/// Options of a [`Constraint`].
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintOptions {
    /// K, the experts: parts of the domain, times the samples of a batch.
    pub experts: usize,
    /// N, the basis functions.
    pub basis: usize,
    /// ϱ ≥ 0. It keeps what lies between the points from being free.
    pub ridge: f64,
    /// λ > 0 of (JᵀJ + ϱ² + λ)δ = −g at the start.
    pub damping: f64,
    /// Largest element of g at which an expert is done.
    pub tolerance: f64,
    /// Most iterations, those rejected included.
    pub iterations: usize,
    /// All elements of ω at the start.
    pub start: f64,
    /// The matrix of the backward solve.
    pub backward: Backward,
}

impl Default for ConstraintOptions {
    /// One expert of 16 functions, ϱ = 1e-4, λ = 1, g to 1e-4 within 50 iterations from ω = 1: the paper's for diffusion and
    /// sorption.
    fn default() -> Self {
        Self {
            experts: 1,
            basis: 16,
            ridge: 1e-4,
            damping: 1.0,
            tolerance: 1e-4,
            iterations: 50,
            start: 1.0,
            backward: Backward::Full,
        }
    }
}

/// Why an expert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// g is below the tolerance.
    Converged,
    /// The iterations are spent.
    Iterations,
    /// No step lowers the loss: rounding, or a tolerance out of reach.
    Stalled,
}

/// What one expert reached.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ExpertReport {
    /// ½‖F‖² + ½ϱ²‖ω‖².
    pub loss: f64,
    /// Largest element of g.
    pub slope: f64,
    /// Iterations, those rejected included.
    pub iterations: usize,
    /// Why it ended.
    pub status: Status,
}

/// The layer of least squares.
///
/// ```
/// use ansatz_pde::autodiff::{Graph, Options, Program, gradient};
/// use ansatz_pde::experts::{Constraint, ConstraintOptions, Equations};
/// // One function b = x at one point x = 2, u² = 9: ω = 3/2, and ∂ω/∂b = −ω/b.
/// let equation = Equations::new([1, 1, 1], |u, f| u[0].square() - f[0]);
/// let options = ConstraintOptions { basis: 1, ridge: 0.0, tolerance: 1e-12, ..ConstraintOptions::default() };
/// let layer = Constraint::new(vec![equation], &options)?;
/// let g = Graph::new();
/// let (b, f) = (g.input(&[1, 1, 1]), g.input(&[1, 1, 1]));
/// let omega = layer.apply(&[b, f])?;
/// let slope = gradient(omega.sum(), &[b])[0];
/// let program = Program::<f64>::compile(&g.finish(&[omega, slope]), &Options::default())?;
/// let (mut omega, mut slope) = ([0.0], [0.0]);
/// program.run(&[&[2.0], &[9.0]], &mut [&mut omega, &mut slope])?;
/// assert!((omega[0] - 1.5).abs() < 1e-12 && (slope[0] + 0.75).abs() < 1e-12);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Constraint(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    equations: Vec<Equations>,
    options: ConstraintOptions,
    solver: Solver,
    seen: Mutex<Seen>,
}

/// What evaluations left behind.
#[derive(Debug, Default)]
struct Seen {
    reports: Vec<ExpertReport>,
    failure: Option<PdeError>,
}

impl Constraint {
    /// A layer for these equations. Its arguments are, for each kind of equations, the derivatives of the basis
    /// `[K, m, N]`, then the data `[K, m, c]` if there are any.
    ///
    /// # Errors
    /// [`PdeError::Underdetermined`] for fewer equations than functions without a ridge, [`PdeError::Option`],
    /// [`PdeError::Width`] for no equations or experts.
    pub fn new(equations: Vec<Equations>, options: &ConstraintOptions) -> Result<Self, PdeError> {
        options.check()?;
        let rows: usize = equations.iter().map(|e| e.count).sum();
        if rows < options.basis && options.ridge <= 0.0 {
            return Err(PdeError::Underdetermined {
                rows,
                unknowns: options.basis,
            });
        }
        for kind in &equations {
            within("count", kind.count as f64, 1.0.., "1 or more")?;
            within("derivatives", kind.derivatives as f64, 1.0.., "1 or more")?;
            within("weight", kind.weight, 0.0.., "a number not below 0")?;
        }
        Ok(Self(Arc::new(Shared {
            solver: Solver::compile(&equations, options)?,
            equations,
            options: options.clone(),
            seen: Mutex::default(),
        })))
    }

    /// ω `[K, N]` for these arguments, with derivatives in all of them. When an expert fails its result is NaN, and
    /// [`Constraint::failure`] has the reason.
    ///
    /// # Errors
    /// [`PdeError::Width`] for arguments of other shapes.
    pub fn apply<'g>(&self, args: &[Array<'g>]) -> Result<Array<'g>, PdeError> {
        let shared = &self.0;
        let shapes = shared.shapes();
        expect("arguments of the constraint", shapes.len(), args.len())?;
        for (shape, arg) in shapes.iter().zip(args) {
            let got = arg.shape();
            for axis in 0..3 {
                let found = got.get(axis).copied().unwrap_or(0);
                expect("elements of an axis of an argument", shape[axis], found)?;
            }
        }
        let (k, n) = (shared.options.experts, shared.options.basis);
        let op = shared.clone();
        let graph = args[0].graph();
        let found = graph.function(args, &[k, n], move |inputs, out| {
            let reports = op.solver.run(inputs, out);
            let mut seen = op.seen();
            match reports {
                Ok(reports) => seen.reports = reports,
                Err(error) => {
                    out.fill(f64::NAN);
                    seen.failure.get_or_insert(error);
                }
            }
        });
        let found = found.stop_gradient();
        let normal = Normal::new(&shared.equations, &shared.options, found, args);
        let matrix = match shared.options.backward {
            Backward::Full => normal.matrix + normal.curvature,
            Backward::GaussNewton => normal.matrix,
        };
        let step = matrix
            .stop_gradient()
            .solve_spd(normal.slope)
            .reshape(&[k, n]);
        // The value of the step, looked at: a matrix that is not positive leaves no number in it.
        let op = shared.clone();
        let checked = graph.function(&[step.stop_gradient()], &[k, n], move |inputs, out| {
            out.copy_from_slice(inputs[0]);
            if out.iter().any(|v| v.is_nan()) {
                op.seen()
                    .failure
                    .get_or_insert(PdeError::NotPositiveDefinite {
                        what: "curvature of a constraint (Backward::GaussNewton is always positive)",
                        pivot: f64::NAN,
                        jitter: 0.0,
                    });
            }
        });
        Ok(found + checked.stop_gradient() - step)
    }

    /// ω, expert by expert, and what each reached.
    ///
    /// # Errors
    /// [`PdeError::NotFinite`] for a basis that is not finite or residuals that are not at the start,
    /// [`PdeError::Width`] for arguments of other lengths.
    pub fn solve(&self, args: &[&[f64]]) -> Result<(Vec<f64>, Vec<ExpertReport>), PdeError> {
        let shared = &self.0;
        let mut omega = vec![0.0; shared.options.experts * shared.options.basis];
        let reports = shared.solver.run(args, &mut omega)?;
        Ok((omega, reports))
    }

    /// What the experts reached in the last evaluation inside of a program.
    #[must_use]
    pub fn reports(&self) -> Vec<ExpertReport> {
        self.0.seen().reports.clone()
    }

    /// Why a result is NaN: the first failure since the last call.
    #[must_use]
    pub fn failure(&self) -> Option<PdeError> {
        self.0.seen().failure.take()
    }
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shapes(&self) -> Vec<[usize; 3]> {
        let (k, n) = (self.options.experts, self.options.basis);
        let kind = |e: &Equations| {
            let mut shapes = vec![[k, e.count, n]; e.derivatives];
            if e.data > 0 {
                shapes.push([k, e.count, e.data]);
            }
            shapes
        };
        self.equations.iter().flat_map(kind).collect()
    }
}

impl ConstraintOptions {
    fn check(&self) -> Result<(), PdeError> {
        let positive = f64::MIN_POSITIVE..;
        within("experts", self.experts as f64, 1.0.., "1 or more")?;
        within("basis", self.basis as f64, 1.0.., "1 or more")?;
        within("ridge", self.ridge, 0.0.., "a number not below 0")?;
        within("damping", self.damping, positive, "a number above 0")?;
        within("tolerance", self.tolerance, 0.0.., "a number not below 0")?;
        within("start", self.start, .., "a finite number")
    }
}

/// The normal equations of some experts, as arrays.
struct Normal<'g> {
    /// ½‖F‖² + ½ϱ²‖ω‖², summed.
    loss: Array<'g>,
    /// g `[K, N, 1]`.
    slope: Array<'g>,
    /// JᵀJ + ϱ² `[K, N, N]`.
    matrix: Array<'g>,
    /// ΣFᵢ∇²Fᵢ.
    curvature: Array<'g>,
    /// F `[K, m]` and J `[K, m, N]` of each kind.
    rows: Vec<[Array<'g>; 2]>,
}

impl<'g> Normal<'g> {
    /// At ω `[K, N]`; arguments as [`Constraint::new`] says.
    fn new(
        equations: &[Equations],
        options: &ConstraintOptions,
        omega: Array<'g>,
        args: &[Array<'g>],
    ) -> Self {
        let [k, n] = [omega.shape()[0], omega.shape()[1]];
        let column = omega.reshape(&[k, n, 1]);
        let ridge = options.ridge * options.ridge;
        let mut eye = vec![0.0; n * n];
        for i in 0..n {
            eye[i * n + i] = ridge;
        }
        let eye = omega.graph().constant(&[1, n, n], eye);
        let zero = omega.graph().constant(&[1, 1, 1], vec![0.0]);
        let mut all = Self {
            loss: omega.square().sum() * (0.5 * ridge),
            slope: column * ridge,
            matrix: eye.broadcast(&[k, n, n]),
            curvature: zero.broadcast(&[k, n, n]),
            rows: Vec::new(),
        };
        let mut args = args;
        for kind in equations {
            let (own, rest) = args.split_at(kind.arguments());
            args = rest;
            all.add(kind, column, own);
        }
        all
    }

    fn add(&mut self, kind: &Equations, omega: Array<'g>, args: &[Array<'g>]) {
        let k = omega.shape()[0];
        let (rows, points) = ([k, kind.count], [k, kind.count, 1]);
        let (basis, data) = args.split_at(kind.derivatives);
        let value = |b: &Array<'g>| b.matmul(omega).reshape(&rows).variable();
        let values: Vec<Array<'g>> = basis.iter().map(value).collect();
        let column = |i: usize| data[0].narrow(2, i, i + 1).reshape(&rows);
        let data: Vec<Array<'g>> = (0..kind.data).map(column).collect();
        let f = (kind.residual)(&values, &data) * kind.weight;
        let slopes = gradient(f.sum(), &values);
        let weighted = |b: Array<'g>, s: Array<'g>| b * s.reshape(&points);
        let mut jacobian = weighted(basis[0], slopes[0]);
        for (b, s) in basis.iter().zip(&slopes).skip(1) {
            jacobian = jacobian + weighted(*b, *s);
        }
        let times = |a: Array<'g>, b: Array<'g>| a.matmul_by(b, Side::Transposed, Side::Plain);
        self.rows.push([f, jacobian]);
        self.loss = self.loss + f.square().sum() * 0.5;
        self.slope = self.slope + times(jacobian, f.reshape(&points));
        self.matrix = self.matrix + times(jacobian, jacobian);
        for (b, s) in basis.iter().zip(&slopes) {
            for (other, second) in basis.iter().zip(gradient(s.sum(), &values)) {
                self.curvature = self.curvature + times(*b, weighted(*other, second * f));
            }
        }
    }
}
