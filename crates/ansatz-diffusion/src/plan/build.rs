//! Writing plans.

use ansatz_core::{NoiseLevel, Prediction};

use super::{Linear, Mark, Operation, Plan, Value, allocate};
use crate::PlanError;

/// Records the operations of a solver. Values are computed in the order in which they are asked for.
///
/// A first-order step, complete:
///
/// ```
/// use ansatz_core::{NoiseLevel, Prediction};
/// use ansatz_diffusion::Plan;
/// let (s, t) = (NoiseLevel::new(1.0, 0.6, 0.8), NoiseLevel::new(0.5, 0.8, 0.6));
/// let mut p = Plan::builder();
/// let x = p.input();
/// let m = p.eval(x, &s, Prediction::Data);
/// let ratio = t.sigma / s.sigma;
/// let x = p.combine(ratio * x + (t.alpha - ratio * s.alpha) * m);
/// p.step(&t, &[x]);
/// let plan = p.finish(&[x])?;
/// assert_eq!(plan.nfe(), 1);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PlanBuilder {
    operations: Vec<Operation>,
    marks: Vec<Mark>,
    levels: Vec<NoiseLevel>,
    inputs: usize,
    draws: usize,
    /// Latest estimate of the data, shown to observers.
    denoised: Option<Value>,
    /// First coefficient that was not a number.
    broken: Option<PlanError>,
}

impl PlanBuilder {
    fn push(&mut self, operation: Operation) -> Value {
        self.operations.push(operation);
        Value((self.operations.len() - 1) as u32)
    }

    fn level(&mut self, level: &NoiseLevel) -> usize {
        // Neighbours share levels; a look at the last few finds them.
        let near = self.levels.len().saturating_sub(4);
        if let Some(i) = self.levels[near..].iter().position(|l| l == level) {
            return near + i;
        }
        self.levels.push(*level);
        self.levels.len() - 1
    }

    /// One more input state.
    pub fn input(&mut self) -> Value {
        self.inputs += 1;
        self.push(Operation::Input {
            index: self.inputs - 1,
        })
    }

    /// The model on `x` at `level`, in the kind `want`.
    pub fn eval(&mut self, x: Value, level: &NoiseLevel, want: Prediction) -> Value {
        let level = self.level(level);
        let y = self.push(Operation::Eval { x, level, want });
        if want == Prediction::Data {
            self.denoised = Some(y);
        }
        y
    }

    /// Computes a linear expression, in one pass.
    pub fn combine(&mut self, sum: impl Into<Linear>) -> Value {
        let mut terms = sum.into().0;
        if let Some((value, _)) = terms.iter().find(|(c, _)| !c.is_finite()) {
            self.broken.get_or_insert(PlanError::Coefficient {
                step: self.marks.len(),
                value: *value,
            });
        }
        terms.retain(|(c, _)| *c != 0.0);
        match terms[..] {
            // Nothing to compute: the expression is a value.
            [(1.0, v)] => v,
            _ => self.push(Operation::Combine { terms }),
        }
    }

    /// Standard normal noise of the given random stream.
    pub fn normal(&mut self, stream: u64) -> Value {
        self.normal_numbered(self.draws, stream)
    }

    /// A draw that another plan numbered: transformations ask for the same noise again.
    pub(super) fn normal_numbered(&mut self, draw: usize, stream: u64) -> Value {
        self.draws = self.draws.max(draw + 1);
        self.push(Operation::Normal { draw, stream })
    }

    /// The model's vector-Jacobian product; only adjoint plans have it.
    pub(super) fn vjp(
        &mut self,
        x: Value,
        level: &NoiseLevel,
        want: Prediction,
        w: Value,
        weight: f64,
    ) -> Value {
        let level = self.level(level);
        self.push(Operation::Vjp {
            x,
            level,
            want,
            w,
            weight,
        })
    }

    /// The gradient of the caller's loss; only adjoint plans have it.
    pub(super) fn cotangent(&mut self, output: usize, x: Value) -> Value {
        self.push(Operation::Cotangent { output, x })
    }

    /// Ends a step: `states` are now at `level`, and would be the outputs if the run ended here.
    ///
    /// # Panics
    /// If there is no state: a step without a result is a mistake in the solver.
    pub fn step(&mut self, level: &NoiseLevel, states: &[Value]) {
        assert!(!states.is_empty(), "a step has at least one state");
        let level = self.level(level);
        self.marks.push(Mark {
            after: self.operations.len(),
            level,
            states: states.to_vec(),
            denoised: self.denoised,
        });
    }

    /// Number of steps so far: the index of the step that is being written.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.marks.len()
    }

    /// Completes the plan and assigns memory.
    ///
    /// # Errors
    /// [`PlanError::Coefficient`] if a formula gave NaN or infinity.
    pub fn finish(self, outputs: &[Value]) -> Result<Plan, PlanError> {
        match self.broken {
            Some(error) => Err(error),
            None => Ok(allocate::plan(
                self.operations,
                self.marks,
                self.levels,
                self.inputs,
                outputs.to_vec(),
            )),
        }
    }
}
