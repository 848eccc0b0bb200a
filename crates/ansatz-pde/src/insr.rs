//! Implicit neural spatial representations: classical steps in time, a network for the field in space.
//!
//! The field at a time is a network of the place alone. A step from uₙ to u finds the parameters for which the residual
//! of a classical rule for steps is least over points,
//!
//! ```text
//! u_t = F(x, t, u, ∂u, …),    r = (u − uₙ)/Δt − [F at Δt's end, start, their mean, or of the mean field]
//! ```
//!
//! from the parameters of uₙ on. What uₙ and its derivatives are at the points is data. There is no grid, so the field can be
//! asked for anywhere; the error is that of the rule and of the minimisation.
//!
//! | type | what it steps |
//! |---|---|
//! | [`Evolution`] | an equation of first order in time, its right side written on derivatives of the field |
//! | [`Fluid`] | an inviscid fluid in a box: advected, then projected to zero divergence |
//! | [`Elastic`] | a deformed body: the minimum of its energy, inertia, anchors and contact |
//!
//! Cost of a step with p parameters and n points: about n·p² + p³/3 operations for each of some five iterations by
//! [`StepSolver::LeastSquares`], which is the method for up to a few thousand parameters, or some thousands of gradients by
//! [`StepSolver::Adam`].
//!
//! Use it where a field moves far in a large domain and memory is short, or where it must be known between points. On a
//! fixed grid that resolves the field a classical solver is faster by orders of magnitude.
//!
//! Reference: H. Chen, R. Wu, E. Grinspun, C. Zheng, P. Y. Chen, *Implicit neural spatial representations for time-dependent
//! PDEs*, 2023.

mod elastic;
mod fluid;
mod step;

use std::fmt::Debug;
use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_nn::{Layout, LevenbergMarquardt, Parameters, Pass};

pub use elastic::{Anchor, Contact, Elastic, ElasticOptions};
pub use fluid::{Fluid, FluidOptions, Outside};
use step::{First, Minimiser};
pub use step::{Plateau, StepReport, StepSolver, Watch};

use crate::error::{expect, within};
use crate::probe::{Probe, side_by_side};
use crate::{Model, PdeError, Term, partials};

/// The rule of a step, r = (u − uₙ)/Δt − F with F taken where it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeRule {
    /// F of uₙ: first order.
    ExplicitEuler,
    /// F of u: first order, damps what is fast.
    ImplicitEuler,
    /// The mean of both: second order.
    #[default]
    CrankNicolson,
    /// F of ½(u + uₙ) at the middle of the step: second order, keeps quadratic invariants.
    Midpoint,
}

/// What the right side of an equation may use.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a, 'g> {
    /// Places `[n, d]`.
    pub x: Array<'g>,
    /// The time, `[n, 1]`.
    pub time: Array<'g>,
    /// The derivatives that were asked for, each `[n, m]`.
    pub field: &'a [Array<'g>],
}

/// Points of a step, drawn by a key: as many each time.
pub type PointSource = Arc<dyn Fn(Key) -> Vec<f64> + Send + Sync>;

type Rate = dyn for<'g> Fn(Local<'_, 'g>) -> Array<'g> + Send + Sync;
type ConditionResidual =
    dyn for<'g> Fn(&Pass<'g>, Array<'g>, Array<'g>) -> Result<Array<'g>, PdeError> + Send + Sync;

/// u_t = F for one network.
#[derive(Clone)]
pub struct Equation {
    model: Model,
    dims: usize,
    orders: Vec<Vec<usize>>,
    rate: Arc<Rate>,
}

impl Debug for Equation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Equation({} coordinates, {:?})", self.dims, self.orders)
    }
}

impl Equation {
    /// The equation whose right side `rate`, `[n, m]` like the field, uses the derivatives of these multi-indices of `dims`
    /// numbers; the field itself is the index of zeros.
    pub fn new<F>(model: Model, dims: usize, orders: &[Vec<usize>], rate: F) -> Self
    where
        F: for<'g> Fn(Local<'_, 'g>) -> Array<'g> + Send + Sync + 'static,
    {
        let orders = orders.to_vec();
        let rate = Arc::new(rate);
        Self {
            model,
            dims,
            orders,
            rate,
        }
    }

    fn rate<'g>(&self, x: Array<'g>, time: Array<'g>, field: &[Array<'g>]) -> Array<'g> {
        (self.rate)(Local { x, time, field })
    }

    /// The field, then its derivatives.
    fn field<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Result<Vec<Array<'g>>, PdeError> {
        let u = self.model.apply(pass, x);
        let mut all = vec![u];
        all.extend(partials(u, x, &self.orders)?);
        Ok(all)
    }
}

/// What holds at every time: on the boundary, mostly.
#[derive(Clone)]
pub struct Condition {
    /// What errors call it.
    pub name: String,
    /// λ beside the equation's 1.
    pub weight: f64,
    /// Draws its points.
    pub source: PointSource,
    residual: Arc<ConditionResidual>,
}

impl Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({:?}, weight {})", self.name, self.weight)
    }
}

impl Condition {
    /// A condition of weight 1: `residual` of the new field at places `[n, d]` and the new time `[n, 1]`.
    pub fn new<S, F>(name: impl Into<String>, source: S, residual: F) -> Self
    where
        S: Fn(Key) -> Vec<f64> + Send + Sync + 'static,
        F: for<'g> Fn(&Pass<'g>, Array<'g>, Array<'g>) -> Result<Array<'g>, PdeError>
            + Send
            + Sync
            + 'static,
    {
        Self {
            name: name.into(),
            weight: 1.0,
            source: Arc::new(source),
            residual: Arc::new(residual),
        }
    }

    /// The condition with another weight.
    #[must_use]
    pub fn weighted(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// The term of a step, with the time as its last column.
    fn term(&self, dims: usize, key: Key) -> Term {
        let residual = self.residual.clone();
        let points = with_time(&(self.source)(key), dims, 0.0);
        Term::new(&self.name, dims + 1, points, move |pass, data| {
            residual(pass, columns(data, 0, dims), columns(data, dims, dims + 1))
        })
        .weighted(self.weight)
    }
}

/// Columns of rows, which can be moved.
pub(crate) fn columns(data: Array<'_>, from: usize, to: usize) -> Array<'_> {
    data.narrow(1, from, to).variable()
}

/// Rows with the time behind them.
fn with_time(points: &[f64], dims: usize, time: f64) -> Vec<f64> {
    let times = vec![time; points.len() / dims.max(1)];
    side_by_side(&[(points, dims), (&times, 1)])
}

/// Options of an [`Evolution`].
#[derive(Debug, Clone, PartialEq)]
pub struct EvolutionOptions {
    /// Δt > 0.
    pub dt: f64,
    /// The rule of a step.
    pub rule: TimeRule,
    /// How its problem is solved.
    pub solver: StepSolver,
    /// How the first field is fitted.
    pub start: StepSolver,
    /// Decides on points.
    pub key: Key,
}

impl Default for EvolutionOptions {
    /// Δt = 0.05 by Crank and Nicolson's rule and least squares; up to 200 iterations from much damping for the first field,
    /// whose network knows nothing yet.
    fn default() -> Self {
        let start = LevenbergMarquardt {
            steps: 200,
            damping: 0.1,
            ..LevenbergMarquardt::default()
        };
        Self {
            dt: 0.05,
            rule: TimeRule::default(),
            solver: StepSolver::default(),
            start: StepSolver::LeastSquares(start),
            key: Key::new(0),
        }
    }
}

/// An equation marched in time. The field at [`Evolution::time`] is the network of the parameters.
///
/// ```
/// use std::sync::Arc;
/// use ansatz_pde::core::Key;
/// use ansatz_pde::nn::{Layout, Parameters, Siren};
/// use ansatz_pde::insr::{Equation, Evolution, EvolutionOptions};
/// use ansatz_pde::{Model};
/// // u_t = −u from u = cos x: a factor of 0.9/1.1 in a step of 0.2.
/// let mut layout = Layout::new();
/// let model: Model = Arc::new(Siren::new(&mut layout.root(), &[1, 12, 1], 3.0));
/// let equation = Equation::new(model, 1, &[vec![0]], |at| -at.field[0]);
/// let grid = |_: Key| (0..40).map(|i| f64::from(i) / 20.0 - 1.0).collect();
/// let options = EvolutionOptions { dt: 0.2, ..EvolutionOptions::default() };
/// let mut evolution = Evolution::new(&layout, equation, grid, &[], &options)?;
/// let mut parameters = Parameters::new(&layout, Key::new(1));
/// evolution.start(&mut parameters, |x, u| u[0] = x[0].cos())?;
/// evolution.step(&mut parameters)?;
/// assert!((evolution.field(&parameters, &[0.0])?[0] - 0.9 / 1.1).abs() < 1e-4);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
pub struct Evolution {
    equation: Equation,
    source: PointSource,
    conditions: Vec<Condition>,
    options: EvolutionOptions,
    /// uₙ and its derivatives.
    before: Probe,
    step: Minimiser,
    /// Channels of the field.
    width: usize,
    steps: usize,
}

impl Debug for Evolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (equation, steps) = (&self.equation, self.steps);
        write!(f, "Evolution({equation:?}, {steps} steps)")
    }
}

/// Keys of the first field's points, apart from those of steps.
pub(crate) const START: u64 = 1 << 40;

impl Evolution {
    /// An equation on the points that `source` draws, as many each time: for each step by least squares, for each iteration
    /// by Adam. A source that ignores its key is a fixed grid.
    ///
    /// # Errors
    /// [`PdeError::Option`] for Δt ≤ 0, [`PdeError::NoPoints`], what [`partials`] and the conditions refuse.
    pub fn new<S>(
        layout: &Layout,
        equation: Equation,
        source: S,
        conditions: &[Condition],
        options: &EvolutionOptions,
    ) -> Result<Self, PdeError>
    where
        S: Fn(Key) -> Vec<f64> + Send + Sync + 'static,
    {
        let (dims, key, dt) = (equation.dims, options.key, options.dt);
        within("dt", dt, f64::MIN_POSITIVE.., "a number above 0")?;
        let points = source(key);
        let n = points.len() / dims.max(1);
        expect("coordinates of points", n * dims, points.len())?;
        if n == 0 {
            let term = "equation".into();
            return Err(PdeError::NoPoints { term });
        }
        let before = equation.clone();
        let before = Probe::compile(layout, (n, dims), move |pass, x| {
            Ok(Array::concatenate(&before.field(pass, x)?, 1))
        })?;
        let parts = equation.orders.len() + 1;
        let width = before.width() / parts;
        let (own, rule) = (equation.clone(), options.rule);
        // Places, the time at the start, then uₙ and its derivatives.
        let row = dims + 1 + before.width();
        let main = Term::new("equation", row, vec![0.0; n * row], move |pass, data| {
            let (x, time) = (columns(data, 0, dims), data.narrow(1, dims, dims + 1));
            let old = |k: usize| {
                let from = dims + 1 + k * width;
                data.narrow(1, from, from + width)
            };
            let old: Vec<Array<'_>> = (0..parts).map(old).collect();
            let new = own.field(pass, x)?;
            let rate = match rule {
                TimeRule::ExplicitEuler => own.rate(x, time, &old[1..]),
                TimeRule::ImplicitEuler => own.rate(x, time + dt, &new[1..]),
                TimeRule::CrankNicolson => {
                    (own.rate(x, time, &old[1..]) + own.rate(x, time + dt, &new[1..])) * 0.5
                }
                TimeRule::Midpoint => {
                    let pairs = old[1..].iter().zip(&new[1..]);
                    let mean: Vec<Array<'_>> = pairs.map(|(a, b)| (*a + *b) * 0.5).collect();
                    own.rate(x, time + 0.5 * dt, &mean)
                }
            };
            Ok((new[0] - old[0]) / dt - rate)
        });
        let mut terms = vec![main];
        terms.extend(conditions.iter().map(|c| c.term(dims, key)));
        Ok(Self {
            step: Minimiser::new(layout, terms, &options.solver)?,
            source: Arc::new(source),
            conditions: conditions.to_vec(),
            options: options.clone(),
            equation,
            before,
            width,
            steps: 0,
        })
    }

    /// The time of the field.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.steps as f64 * self.options.dt
    }

    /// Fits the field at time 0, which `field` gives for a place, and sets the time to 0.
    ///
    /// # Errors
    /// [`PdeError::NotFinite`] for a field that is not finite, [`PdeError::Diverged`]; the parameters are then unchanged.
    pub fn start<F>(
        &mut self,
        parameters: &mut Parameters<f64>,
        field: F,
    ) -> Result<StepReport, PdeError>
    where
        F: Fn(&[f64], &mut [f64]),
    {
        let first = First {
            model: &self.equation.model,
            dims: self.equation.dims,
            width: self.width,
            name: "the first field",
        };
        let how = (&self.options.start, self.options.key);
        let report = first.fit(parameters, field, |key| (self.source)(key), how)?;
        self.steps = 0;
        Ok(report)
    }

    /// One step of Δt.
    ///
    /// # Errors
    /// [`PdeError::Diverged`], [`PdeError::Network`]; the parameters are then unchanged.
    pub fn step(&mut self, parameters: &mut Parameters<f64>) -> Result<StepReport, PdeError> {
        let (dims, dt, time) = (self.equation.dims, self.options.dt, self.time());
        let old = parameters.clone();
        let (before, source, conditions) = (&self.before, &self.source, &self.conditions);
        let mut fields = Vec::new();
        let mut draw = |key: Key| {
            let points = source(key);
            before.run(&old, &points, &mut fields)?;
            let placed = with_time(&points, dims, time);
            let mut all = vec![side_by_side(&[
                (&placed, dims + 1),
                (&fields, before.width()),
            ])];
            for (i, condition) in conditions.iter().enumerate() {
                let points = (condition.source)(key.fold_in(i as u64));
                all.push(with_time(&points, dims, time + dt));
            }
            Ok(all)
        };
        let number = self.steps + 1;
        let key = self.options.key.fold_in(number as u64);
        let report = self.step.run(parameters, (number, key), &mut draw)?;
        self.steps = number;
        Ok(report)
    }

    /// The field at `points`, row by row.
    ///
    /// # Errors
    /// As [`sample`](crate::sample).
    pub fn field(
        &self,
        parameters: &Parameters<f64>,
        points: &[f64],
    ) -> Result<Vec<f64>, PdeError> {
        crate::sample(parameters, self.equation.dims, points, |pass, x| {
            Ok(self.equation.model.apply(pass, x))
        })
    }
}
