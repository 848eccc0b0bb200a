//! The exact inverse of a plan, by algebra.
//!
//! Walk backwards through the operations. A combination whose result is known and of whose terms
//! exactly one is unknown gives that term; model outputs are computed again from states that are
//! known by then. Coupled and bi-directional samplers (EDICT, BDIA, O-BELM, reversible Heun) are
//! invertible for this one reason, so no method carries an inverse of its own.

use super::{Operation, Plan, PlanBuilder, Value};
use crate::{Linear, PlanError};

/// How far back a value may be recomputed: stages of one step, never whole trajectories.
const MAX_DEPTH: usize = 16;

struct Inverter<'a> {
    plan: &'a Plan,
    p: PlanBuilder,
    /// New value of each old one, once it is known.
    known: Vec<Option<Value>>,
}

impl Inverter<'_> {
    fn at(&self, v: Value) -> Option<Value> {
        self.known[v.0 as usize]
    }

    /// Whether `v` follows from known values, by model evaluations if need be.
    fn follows(&self, v: Value, depth: usize) -> bool {
        self.at(v).is_some()
            || depth < MAX_DEPTH
                && match &self.plan.operations[v.0 as usize] {
                    Operation::Input { .. } => false,
                    Operation::Eval { x, .. } => self.follows(*x, depth + 1),
                    Operation::Combine { terms } => {
                        terms.iter().all(|(_, u)| self.follows(*u, depth + 1))
                    }
                    Operation::Normal { .. } => true,
                }
    }

    /// The new value of `v`, which [`Inverter::follows`].
    fn compute(&mut self, v: Value) -> Value {
        if let Some(new) = self.at(v) {
            return new;
        }
        let plan = self.plan;
        let new = match &plan.operations[v.0 as usize] {
            Operation::Eval { x, level, want } => {
                let x = self.compute(*x);
                self.p.eval(x, &plan.levels[*level], *want)
            }
            Operation::Combine { terms } => {
                let sum = self.sum(terms);
                self.p.combine(sum)
            }
            Operation::Normal { draw, stream } => self.p.normal_numbered(*draw, *stream),
            // `follows` is false for an unknown input.
            Operation::Input { .. } => v,
        };
        self.known[v.0 as usize] = Some(new);
        new
    }

    fn sum(&mut self, terms: &[(f64, Value)]) -> Linear {
        let mut sum = Linear::default();
        for (c, u) in terms {
            sum = sum + *c * self.compute(*u);
        }
        sum
    }

    /// Uses `v = Σ c·u` with `v` known to find the one `u` that is not.
    fn solve(&mut self, index: usize, terms: &[(f64, Value)]) -> Result<(), PlanError> {
        let Some(result) = self.known[index] else {
            return Ok(());
        };
        let unknown: Vec<_> = terms.iter().filter(|(_, u)| !self.follows(*u, 0)).collect();
        let &(c, u) = match unknown[..] {
            [] => return Ok(()),
            [one] => one,
            _ => {
                return Err(PlanError::NotInvertible {
                    operation: index,
                    unknown: unknown.len(),
                });
            }
        };
        let others: Vec<_> = terms.iter().copied().filter(|(_, w)| *w != u).collect();
        let sum = self.sum(&others);
        let new = self.p.combine((result - sum) / c);
        self.known[u.0 as usize] = Some(new);
        Ok(())
    }
}

impl Plan {
    /// The plan that takes the outputs of this one back to its inputs, exactly up to rounding.
    ///
    /// Noise is drawn again from the same numbered draws, so stochastic plans may have inverses.
    ///
    /// ```
    /// use ansatz_core::{Key, NoiseLevel, Prediction, denoiser::from_fn};
    /// use ansatz_diffusion::{Edict, ExactInversion, Spacing, TimeGrid, VpLinear};
    /// let schedule = VpLinear::default();
    /// let grid = TimeGrid::new(&schedule, Spacing::Time, 50)?;
    /// let pair = Edict::default().pair(&schedule, &grid)?;
    /// let model = from_fn(Prediction::Noise, |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
    ///     out.iter_mut().zip(x).for_each(|(o, x)| *o = at.sigma * x.sin());
    ///     Ok(())
    /// });
    /// let start = vec![vec![0.3], vec![0.3]];
    /// let (data, _) = pair.sample_all(&model, start.clone(), Key::new(0), &mut ())?;
    /// let (back, _) = pair.inverse()?.sample_all(&model, data, Key::new(0), &mut ())?;
    /// assert!((back[0][0] - start[0][0]).abs() < 1e-12);
    /// # Ok::<(), ansatz_diffusion::SampleError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::NotInvertible`] if some combination has two unknowns, as in every ordinary
    /// sampler: the model was evaluated on the very state that is sought.
    pub fn inverse(&self) -> Result<Self, PlanError> {
        let mut inverter = Inverter {
            plan: self,
            p: Self::builder(),
            known: vec![None; self.operations.len()],
        };
        for v in &self.outputs {
            let new = inverter.p.input();
            inverter.known[v.0 as usize] = Some(new);
        }
        // A step of the inverse ends where the states at the end of an earlier step are known.
        let mut marks = self.marks.iter().rev().skip(1).peekable();
        for (index, operation) in self.operations.iter().enumerate().rev() {
            if let Operation::Combine { terms } = operation {
                inverter.solve(index, terms)?;
            }
            while let Some(mark) = marks
                .next_if(|m| m.after > index || m.states.iter().all(|v| inverter.at(*v).is_some()))
            {
                let states: Option<Vec<_>> = mark.states.iter().map(|v| inverter.at(*v)).collect();
                if let Some(states) = states {
                    inverter.p.step(&self.levels[mark.level], &states);
                }
            }
        }
        let mut inputs = Vec::with_capacity(self.inputs);
        for (i, operation) in self.operations.iter().enumerate() {
            if matches!(operation, Operation::Input { .. }) {
                inputs.push(inverter.known[i].ok_or(PlanError::NotInvertible {
                    operation: i,
                    unknown: 1,
                })?);
            }
        }
        if let Some(first) = self.levels.first() {
            inverter.p.step(first, &inputs);
        }
        inverter.p.finish(&inputs)
    }
}
