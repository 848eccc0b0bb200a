//! A plan for models of one prediction kind.

use ansatz_core::Prediction;

use super::{Linear, Operation, Plan, Value};
use crate::PlanError;

impl Plan {
    /// The same plan with the conversion of predictions written into its coefficients.
    ///
    /// A plan that asks for data but meets a model of noise converts each output, which is one more
    /// pass over memory. Here conversions join the combinations that use them wherever the
    /// evaluated state is still at hand: one step of DDIM becomes a single pass for any model. The
    /// result is the same up to rounding.
    ///
    /// ```
    /// use ansatz_core::Prediction;
    /// use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
    /// let schedule = VpLinear::default();
    /// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
    /// let plan = Ddim::default().plan(&schedule, &grid)?;
    /// let direct = plan.for_model(Prediction::Noise)?;
    /// assert_eq!(direct.operations().len(), plan.operations().len()); // nothing was added
    /// # Ok::<(), ansatz_diffusion::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Conversion`] at a level where `native` does not determine what the plan needs.
    pub fn for_model(&self, native: Prediction) -> Result<Self, PlanError> {
        let mut p = Self::builder();
        let last = self.last_reads();
        // Each old value as a sum of new ones; most are a single value.
        let mut new: Vec<Linear> = Vec::with_capacity(self.operations.len());
        let mut marks = self.marks.iter().peekable();
        for index in 0..=self.operations.len() {
            while let Some(mark) = marks.next_if(|m| m.after == index) {
                let states: Vec<_> = mark
                    .states
                    .iter()
                    .map(|v| p.combine(new[at(*v)].clone()))
                    .collect();
                for (v, s) in mark.states.iter().zip(&states) {
                    new[at(*v)] = Linear::from(*s);
                }
                p.step(&self.levels[mark.level], &states);
            }
            let Some(operation) = self.operations.get(index) else {
                break;
            };
            let value = match operation {
                Operation::Input { .. } => Linear::from(p.input()),
                Operation::Eval { x, level, want } => {
                    let level = &self.levels[*level];
                    let (c_x, c_y) =
                        level
                            .convert(native, *want)
                            .map_err(|_| PlanError::Conversion {
                                from: native,
                                want: *want,
                                t: level.t,
                            })?;
                    let input = p.combine(new[at(*x)].clone());
                    new[at(*x)] = Linear::from(input);
                    let y = p.eval(input, level, native);
                    let sum = c_x * input + c_y * y;
                    // Once the state is overwritten, the conversion must have been done.
                    let joins = last[index] <= last[at(*x)];
                    if joins {
                        sum
                    } else {
                        Linear::from(p.combine(sum))
                    }
                }
                Operation::Combine { terms } => {
                    let mut sum = Linear::default();
                    for (c, v) in terms {
                        sum = sum + *c * new[at(*v)].clone();
                    }
                    Linear::from(p.combine(sum))
                }
                Operation::Normal { draw, stream } => {
                    Linear::from(p.normal_numbered(*draw, *stream))
                }
                // Adjoint plans are made of plans that were specialised before.
                Operation::Vjp { .. } | Operation::Cotangent { .. } => Linear::default(),
            };
            new.push(value);
        }
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|v| p.combine(new[at(*v)].clone()))
            .collect();
        p.finish(&outputs)
    }

    /// Index of the last operation that reads each value; the end for outputs.
    fn last_reads(&self) -> Vec<usize> {
        let mut last = vec![0; self.operations.len()];
        for (index, operation) in self.operations.iter().enumerate() {
            match operation {
                Operation::Eval { x, .. } => last[at(*x)] = index,
                Operation::Combine { terms } => {
                    for (_, v) in terms {
                        last[at(*v)] = index;
                    }
                }
                _ => {}
            }
        }
        for mark in &self.marks {
            for v in &mark.states {
                last[at(*v)] = last[at(*v)].max(mark.after);
            }
        }
        for v in &self.outputs {
            last[at(*v)] = usize::MAX;
        }
        last
    }
}

fn at(v: Value) -> usize {
    v.0 as usize
}
