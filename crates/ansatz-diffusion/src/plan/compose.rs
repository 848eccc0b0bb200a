//! Plans after plans.

use super::{Operation, Plan, PlanBuilder, Value};
use crate::PlanError;

impl PlanBuilder {
    /// Writes all of `plan` here, with `inputs` as its input states; returns its outputs.
    ///
    /// Draws of noise are numbered on; their streams stay.
    ///
    /// # Errors
    /// [`PlanError::Arity`] for the wrong number of inputs.
    pub fn append(&mut self, plan: &Plan, inputs: &[Value]) -> Result<Vec<Value>, PlanError> {
        Ok(self.append_all(plan, inputs)?.0)
    }

    /// [`PlanBuilder::append`] that also tells where every value of `plan` went.
    pub(super) fn append_all(
        &mut self,
        plan: &Plan,
        inputs: &[Value],
    ) -> Result<(Vec<Value>, Vec<Value>), PlanError> {
        if inputs.len() != plan.inputs {
            return Err(PlanError::Arity {
                what: "input",
                expected: plan.inputs,
                got: inputs.len(),
            });
        }
        let mut new: Vec<Value> = Vec::with_capacity(plan.operations.len());
        let mut marks = plan.marks.iter().peekable();
        for index in 0..=plan.operations.len() {
            while let Some(mark) = marks.next_if(|m| m.after == index) {
                let states: Vec<_> = mark.states.iter().map(|v| new[v.0 as usize]).collect();
                self.step(&plan.levels[mark.level], &states);
            }
            let Some(operation) = plan.operations.get(index) else {
                break;
            };
            let value = match operation {
                Operation::Input { index } => inputs[*index],
                Operation::Eval { x, level, want } => {
                    self.eval(new[x.0 as usize], &plan.levels[*level], *want)
                }
                Operation::Combine { terms } => {
                    let terms = terms.iter().map(|(c, v)| (*c, new[v.0 as usize]));
                    self.combine(crate::Linear(terms.collect()))
                }
                Operation::Normal { stream, .. } => self.normal(*stream),
                Operation::Vjp {
                    x,
                    level,
                    want,
                    w,
                    weight,
                } => {
                    let (x, w) = (new[x.0 as usize], new[w.0 as usize]);
                    self.vjp(x, &plan.levels[*level], *want, w, *weight)
                }
                Operation::Cotangent { output, x } => self.cotangent(*output, new[x.0 as usize]),
            };
            new.push(value);
        }
        let outputs = plan.outputs.iter().map(|v| new[v.0 as usize]).collect();
        Ok((outputs, new))
    }
}
