//! A sampler as data: model evaluations, linear combinations and noise injections.
//!
//! On a fixed grid every diffusion solver does the same three things: it evaluates the model, it
//! forms linear combinations of states and model outputs, and it adds noise. A [`Plan`] is the list
//! of these operations with all coefficients worked out in `f64`. Solvers only write plans; one
//! executor runs them. So
//!
//! - the cost is known before running: [`Plan::nfe`], [`Plan::slots`];
//! - a plan can be printed, compared, kept and shared between threads;
//! - the model may live anywhere: [`Plan::start`] hands out evaluation requests and takes answers;
//! - whole-program transformations (exact inversion, gradients) work for every solver at once.
//!
//! Values are in single-assignment form, as in a compiler. Memory is planned by liveness when the
//! plan is built: a state that is not needed again gives its memory to the next result, so most
//! combinations run in place.

mod adjoint;
mod allocate;
mod build;
mod compose;
mod continuous;
mod display;
mod invert;
mod linear;
mod run;
mod sample;
mod specialise;
mod traffic;

use ansatz_core::{Combination, NoiseLevel, Prediction};

pub use adjoint::{Checkpoints, Gradient, GradientPlan};
pub use build::PlanBuilder;
pub use continuous::AdjointDpm;
pub use linear::Linear;
pub use run::{NoiseSource, Progress, Request, Run};

/// A state computed by a plan: an input, a model output, a combination or noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub(crate) u32);

/// Where a value is kept while the plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(pub(crate) u32);

/// One operation, in single-assignment form.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// The `index`-th input state.
    Input {
        /// Position among the inputs.
        index: usize,
    },
    /// The model on `x` at level number `level`, in the kind `want`.
    Eval {
        /// What the model is evaluated on.
        x: Value,
        /// Index into [`Plan::levels`].
        level: usize,
        /// Kind of prediction asked for.
        want: Prediction,
    },
    /// `Σ c·v`.
    Combine {
        /// Coefficients and values.
        terms: Vec<(f64, Value)>,
    },
    /// Standard normal noise.
    Normal {
        /// Number of the draw, from 0.
        draw: usize,
        /// Random stream of the draw.
        stream: u64,
    },
    /// `(∂y/∂x)ᵀ·w` of the model output y on `x`; adds `weight·(∂y/∂p)ᵀ·w` to the gradient of the
    /// parameters.
    Vjp {
        /// What the model is evaluated on.
        x: Value,
        /// Index into [`Plan::levels`].
        level: usize,
        /// Kind of the model's prediction.
        want: Prediction,
        /// Cotangent of the output.
        w: Value,
        /// Factor of the parameters' part.
        weight: f64,
    },
    /// The gradient of the caller's loss with respect to output number `output`, which is `x`.
    Cotangent {
        /// Which output.
        output: usize,
        /// Its value.
        x: Value,
    },
}

/// What the executor does, in memory slots.
#[derive(Debug, Clone, PartialEq)]
enum Instruction {
    Eval {
        x: Slot,
        level: usize,
        want: Prediction,
        out: Slot,
    },
    /// Lines that nothing comes between, so that they can share one sweep over memory.
    Combine(Vec<Combination>),
    Normal {
        out: Slot,
        draw: usize,
        stream: u64,
    },
    Vjp {
        x: Slot,
        level: usize,
        w: Slot,
        weight: f64,
        out: Slot,
    },
    Cotangent {
        output: usize,
        x: Slot,
        out: Slot,
    },
    Step {
        level: usize,
        states: Vec<Slot>,
        denoised: Option<Slot>,
    },
}

/// End of a step, for observers and early stop.
#[derive(Debug, Clone, PartialEq)]
struct Mark {
    /// Operations done before the mark.
    after: usize,
    level: usize,
    states: Vec<Value>,
    denoised: Option<Value>,
}

/// A sampler on a fixed grid, ready to run. Made by a [`Solver`](crate::Solver).
///
/// ```
/// use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
/// let plan = Ddim::default().plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.slots()), (10, 2)); // one call a step, two states of memory
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    operations: Vec<Operation>,
    marks: Vec<Mark>,
    levels: Vec<NoiseLevel>,
    inputs: usize,
    outputs: Vec<Value>,
    instructions: Vec<Instruction>,
    output_slots: Vec<Slot>,
    slots: usize,
}

impl Plan {
    /// Starts an empty plan.
    #[must_use]
    pub fn builder() -> PlanBuilder {
        PlanBuilder::default()
    }

    /// Model evaluations in a full run.
    #[must_use]
    pub fn nfe(&self) -> usize {
        let eval = |o: &&Operation| matches!(o, Operation::Eval { .. });
        self.operations.iter().filter(eval).count()
    }

    /// Steps in a full run.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.marks.len()
    }

    /// States held in memory while running, inputs included.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Noise draws in a full run; 0 for a deterministic sampler.
    #[must_use]
    pub fn draws(&self) -> usize {
        let normal = |o: &&Operation| matches!(o, Operation::Normal { .. });
        self.operations.iter().filter(normal).count()
    }

    /// Number of input states (2 for coupled methods).
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of output states.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The noise levels that evaluations and steps refer to.
    #[must_use]
    pub fn levels(&self) -> &[NoiseLevel] {
        &self.levels
    }

    /// The operations in order; operation `i` computes the value with index `i`.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}
