//! Training by Adam, stages, and warnings.

use std::f64::consts::PI;
use std::fmt;

use ansatz_core::{Event, NoiseLevel, Observer};

use crate::LinalgError;
use crate::error::within;

use super::equation::{Problem, Residual};
use super::kernel::Covariance;
use super::objective::{Frozen, Objective, Weighing};
use super::solution::{Solution, Stage};

/// Step size by step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Always the same, as published. The loss jumps near the end.
    Constant(f64),
    /// `rate` for the first half of all steps, then a half cosine down to `floor`. In the end u wavers by about the floor.
    Cosine {
        /// The size of the first half.
        rate: f64,
        /// The size of the last step.
        floor: f64,
    },
}

impl Rate {
    fn at(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Constant(rate) => rate,
            Self::Cosine { rate, floor } => {
                let half = 0.5 * steps as f64;
                let past = step as f64 - half;
                if past < 0.0 {
                    rate
                } else {
                    0.5 * rate * (1.0 + (PI * past / half).cos()) + floor
                }
            }
        }
    }
}

/// Whether parameters are kept in a box.
///
/// The density is unbounded: with an exact fit log τ₂ → ∞, and frequencies that a grid cannot resolve alias in C but not in
/// C''. Adam from the usual start does not go there; other optimisers and starts may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bounds {
    /// None.
    #[default]
    Free,
    /// 0 ≤ μ ≤ 0.45/h for the widest step h of a grid, ℓ ≤ 1, log τ₂ ≤ 0.
    Resolved,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainOptions {
    /// Steps of Adam.
    pub steps: usize,
    /// Their size.
    pub rate: Rate,
    /// Limits of the parameters.
    pub bounds: Bounds,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            steps: 30_000,
            rate: Rate::Cosine {
                rate: 0.01,
                floor: 1e-6,
            },
            bounds: Bounds::Free,
        }
    }
}

/// Something that a person should know of a result.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum GpWarning {
    /// A component with more than 1 % of the weight above 0.45/h: the grid cannot tell it from a lower frequency.
    Aliased {
        /// The coordinate.
        dimension: usize,
        /// The frequency, in cycles per unit.
        frequency: f64,
        /// 0.45/h.
        limit: f64,
        /// Its share of all weights.
        share: f64,
    },
    /// A covariance matrix was not positive definite with the jitter asked for.
    JitterRaised {
        /// The jitter asked for.
        from: f64,
        /// The highest that was needed.
        to: f64,
    },
}

impl fmt::Display for GpWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aliased {
                dimension,
                frequency,
                limit,
                share,
            } => write!(
                f,
                "coordinate {dimension}: {:.1} % of the weight is at {frequency} cycles per unit, above {limit}, which the \
                 grid does not resolve: refine it, or train with bounds",
                100.0 * share
            ),
            Self::JitterRaised { from, to } => {
                write!(
                    f,
                    "a factorisation needed a jitter of {to:e} instead of {from:e}"
                )
            }
        }
    }
}

/// How a training went.
#[derive(Debug, Clone, PartialEq)]
pub struct GpRecord {
    /// The loss −J before each step.
    pub losses: Vec<f64>,
    /// The least of them.
    pub lowest: f64,
    /// The step before which it was reached.
    pub lowest_at: usize,
    /// `true` when an observer ended the training.
    pub stopped_early: bool,
    /// What to know of the result.
    pub warnings: Vec<GpWarning>,
}

/// A step as an observer sees it.
#[derive(Debug)]
pub struct GpStep<'s, 'a, R> {
    /// The loss −J before the step.
    pub loss: f64,
    /// Its size.
    pub rate: f64,
    /// u at the grid after the step.
    pub u: &'s [f64],
    solver: &'s Parts<'a, R>,
    unknowns: &'s [f64],
}

impl<'a, R: Residual> GpStep<'_, 'a, R> {
    /// The solution as it now is. Cost: about that of a step, and its memory afresh.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`].
    pub fn solution(&self) -> Result<Solution<'a>, LinalgError> {
        self.solver.solution(self.unknowns)
    }
}

/// All of a solver but its memory.
#[derive(Debug)]
struct Parts<'a, R> {
    problem: &'a Problem<R>,
    kernel: &'a dyn Covariance,
    weighing: Weighing,
    /// Stages that are no longer trained, and their sum on the grid.
    earlier: Vec<Stage<'a>>,
    frozen: Option<Frozen>,
}

impl<'a, R: Residual> Parts<'a, R> {
    fn stage(&self, z: &[f64]) -> Result<Stage<'a>, LinalgError> {
        let mut objective = Objective::new(self.problem, self.kernel, self.weighing)?;
        let alpha = objective.coefficients(z)?;
        let layout = objective.layout;
        Ok(Stage {
            kernel: self.kernel,
            theta: (0..layout.dimensions)
                .map(|d| z[layout.theta(d)].to_vec())
                .collect(),
            grids: self.problem.grids(),
            alpha,
        })
    }

    fn solution(&self, z: &[f64]) -> Result<Solution<'a>, LinalgError> {
        let mut stages = self.earlier.clone();
        stages.push(self.stage(z)?);
        Ok(Solution { stages })
    }
}

/// Adam's moments (D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015).
#[derive(Debug, Clone)]
struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Adam {
    const BETA: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-8;

    fn new(n: usize) -> Self {
        Self {
            first: vec![0.0; n],
            second: vec![0.0; n],
            steps: 0,
        }
    }

    fn step(&mut self, rate: f64, slope: &[f64], z: &mut [f64]) {
        self.steps = self.steps.saturating_add(1);
        let [b1, b2] = Self::BETA;
        let (c1, c2) = (1.0 - b1.powi(self.steps), 1.0 - b2.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for (((m, v), g), z) in moments.zip(slope).zip(z) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *z -= rate * (*m / c1) / ((*v / c2).sqrt() + Self::EPSILON);
        }
    }
}

/// A Gaussian process in training for a problem.
///
/// ```
/// use ansatz_linalg::gp::{Envelope, Equation, GpSolver, Mixture, Problem, Rate, TrainOptions, Weighing, uniform_grid};
/// // u'' = −9 sin 3x.
/// let grid = uniform_grid(0.0, 6.0, 60);
/// let exact = |x: &[f64]| (3.0 * x[0]).sin();
/// let problem = Problem::from_functions(Equation::poisson(1), vec![grid], |x| -9.0 * exact(x), exact)?;
/// let kernel = Mixture::spectral(Envelope::StudentT, 5, 1.0)?;
/// let mut solver = GpSolver::new(&problem, &kernel, Weighing::default())?;
/// let record = solver.train(&TrainOptions { steps: 10_000, ..TrainOptions::default() }, &mut ())?;
/// assert!(record.warnings.is_empty());
/// let solution = solver.solution()?;
/// let [u, slope] = [[0], [1]].map(|order| solution.at(&[2.5], &order));
/// assert!((u?[0] - 7.5_f64.sin()).abs() < 1e-3);
/// assert!((slope?[0] - 3.0 * 7.5_f64.cos()).abs() < 1e-2);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug)]
pub struct GpSolver<'a, R> {
    parts: Parts<'a, R>,
    objective: Objective<'a, R>,
    unknowns: Vec<f64>,
    adam: Adam,
    slope: Vec<f64>,
    next: Vec<f64>,
}

impl<'a, R: Residual> GpSolver<'a, R> {
    /// A solver at its start: u = 0, the kernel's own parameters, τ₁ = τ₂ = 1.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for a weight or jitter out of range; [`LinalgError::TooLarge`] when matrices need more
    /// memory than allowed, before anything is allocated.
    pub fn new(
        problem: &'a Problem<R>,
        kernel: &'a dyn Covariance,
        weighing: Weighing,
    ) -> Result<Self, LinalgError> {
        let objective = Objective::new(problem, kernel, weighing)?;
        let n = objective.layout.len();
        Ok(Self {
            unknowns: objective.start(),
            adam: Adam::new(n),
            slope: vec![0.0; n],
            next: vec![0.0; n],
            parts: Parts {
                problem,
                kernel,
                weighing,
                earlier: Vec::new(),
                frozen: None,
            },
            objective,
        })
    }

    /// All unknowns: u at the grid, the kernel's parameters of each coordinate, log τ₁ and log τ₂.
    pub fn unknowns(&self) -> &[f64] {
        &self.unknowns
    }

    /// Replaces all unknowns, for a start of one's own. Adam's moments are kept.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`].
    pub fn set_unknowns(&mut self, unknowns: &[f64]) -> Result<(), LinalgError> {
        crate::error::shape("unknowns", self.unknowns.len(), unknowns.len())?;
        crate::error::finite("unknowns", unknowns)?;
        self.unknowns.copy_from_slice(unknowns);
        Ok(())
    }

    /// The loss −J at the unknowns, its gradient in `gradient`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], and [`LinalgError::NotPositiveDefinite`] when no jitter up to 1e-4 helps.
    pub fn loss(&mut self, gradient: &mut [f64]) -> Result<f64, LinalgError> {
        crate::error::shape("gradient", self.unknowns.len(), gradient.len())?;
        self.objective.gradient(&self.unknowns, gradient)
    }

    /// Trains for some steps. Called again it goes on, with Adam's moments as they are and the schedule from its start.
    ///
    /// Do not stop on a plateau: the error stands still for thousands of steps until a frequency locks on.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for a rate that is not positive; [`LinalgError::NotPositiveDefinite`] when no jitter up to
    /// 1e-4 helps; [`LinalgError::Breakdown`] for a loss or a step that is not finite. The unknowns are then those of the last
    /// good step.
    pub fn train<'o>(
        &mut self,
        options: &TrainOptions,
        observer: &'o mut dyn for<'s> Observer<GpStep<'s, 'a, R>>,
    ) -> Result<GpRecord, LinalgError> {
        let (rate, floor) = match options.rate {
            Rate::Constant(rate) => (rate, 0.0),
            Rate::Cosine { rate, floor } => (rate, floor),
        };
        within(
            "floor of the learning rate",
            floor,
            0.0..,
            "must be 0 or more",
        )?;
        within(
            "learning rate",
            rate,
            f64::MIN_POSITIVE..,
            "must be positive",
        )?;
        let mut record = GpRecord {
            losses: Vec::with_capacity(options.steps.min(1 << 16)),
            lowest: f64::INFINITY,
            lowest_at: 0,
            stopped_early: false,
            warnings: Vec::new(),
        };
        self.objective.jitter = self.parts.weighing.jitter;
        for step in 0..options.steps {
            let loss = self.objective.gradient(&self.unknowns, &mut self.slope)?;
            let stray = |what, value| LinalgError::Breakdown {
                iteration: step,
                what,
                value,
            };
            if !loss.is_finite() {
                return Err(stray("the loss", loss));
            }
            if let Some(value) = self.slope.iter().find(|g| !g.is_finite()) {
                return Err(stray("an element of the gradient", *value));
            }
            let rate = options.rate.at(step, options.steps);
            self.next.copy_from_slice(&self.unknowns);
            self.adam.step(rate, &self.slope, &mut self.next);
            if options.bounds == Bounds::Resolved {
                bound(&self.objective, &mut self.next);
            }
            if let Some(value) = self.next.iter().find(|z| !z.is_finite()) {
                return Err(stray("an unknown after the step", *value));
            }
            std::mem::swap(&mut self.unknowns, &mut self.next);
            record.losses.push(loss);
            if loss < record.lowest {
                (record.lowest, record.lowest_at) = (loss, step);
            }
            let seen = GpStep {
                loss,
                rate,
                u: &self.unknowns[..self.objective.layout.points],
                solver: &self.parts,
                unknowns: &self.unknowns,
            };
            let level = NoiseLevel::clean((step + 1) as f64);
            let event = Event::new(step + 1, options.steps, step + 1, level, &seen);
            if observer.on_step(&event).is_break() {
                record.stopped_early = true;
                break;
            }
        }
        record.warnings = self.warnings();
        Ok(record)
    }

    /// What to know of the unknowns as they are.
    pub fn warnings(&self) -> Vec<GpWarning> {
        let mut all = Vec::new();
        for (dimension, factor) in self.objective.factors.iter().enumerate() {
            let theta = &self.unknowns[self.objective.layout.theta(dimension)];
            let components = self.parts.kernel.spectrum(theta);
            let total: f64 = components.iter().map(|c| c.weight).sum();
            let limit = resolved(factor.axis.widest_step());
            all.extend(
                components
                    .iter()
                    .filter(|c| c.frequency.abs() > limit && c.weight > 0.01 * total)
                    .map(|c| GpWarning::Aliased {
                        dimension,
                        frequency: c.frequency,
                        limit,
                        share: c.weight / total,
                    }),
            );
        }
        let (from, to) = (self.parts.weighing.jitter, self.objective.jitter);
        if to > from {
            all.push(GpWarning::JitterRaised { from, to });
        }
        all
    }

    /// The solution as it is.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] when no jitter up to 1e-4 helps.
    pub fn solution(&self) -> Result<Solution<'a>, LinalgError> {
        self.parts.solution(&self.unknowns)
    }

    /// Keeps what was learnt and adds a second Gaussian process with a kernel of its own, [`Mixture::matern`] say, for what the
    /// first does not see: a slow part under a residual of high frequencies. Its u starts at 0, τ₁ is taken over, τ₂ = 1, and
    /// Adam begins afresh; residual and boundary are those of the sum.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`], [`LinalgError::TooLarge`]; the solver is then as it was.
    ///
    /// [`Mixture::matern`]: super::Mixture::matern
    pub fn add_stage(&mut self, kernel: &'a dyn Covariance) -> Result<(), LinalgError> {
        let stage = self.parts.stage(&self.unknowns)?;
        let mut objective = Objective::new(self.parts.problem, kernel, self.parts.weighing)?;
        let frozen = self.objective.freeze(&self.unknowns)?;
        objective.frozen = Some(frozen.clone());
        let mut unknowns = objective.start();
        unknowns[objective.layout.noise()] = self.unknowns[self.objective.layout.noise()];
        let n = unknowns.len();
        self.parts.earlier.push(stage);
        self.parts.kernel = kernel;
        self.parts.frozen = Some(frozen);
        self.objective = objective;
        self.unknowns = unknowns;
        self.adam = Adam::new(n);
        self.slope = vec![0.0; n];
        self.next = vec![0.0; n];
        Ok(())
    }
}

/// The highest frequency that a grid of steps h resolves with some room.
fn resolved(h: f64) -> f64 {
    0.45 / h
}

fn bound<R: Residual>(objective: &Objective<'_, R>, z: &mut [f64]) {
    let layout = objective.layout;
    for (d, factor) in objective.factors.iter().enumerate() {
        let limit = resolved(factor.axis.widest_step());
        objective.kernel.bound(limit, &mut z[layout.theta(d)]);
    }
    let log = &mut z[layout.noise() + 1];
    *log = log.min(0.0);
}
