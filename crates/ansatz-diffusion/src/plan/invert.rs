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

pub(super) struct Inverter<'a> {
    plan: &'a Plan,
    /// New value of each old one, once it is known.
    known: Vec<Option<Value>>,
}

impl<'a> Inverter<'a> {
    /// Starts from the values of the outputs.
    pub(super) fn new(plan: &'a Plan, outputs: &[Value]) -> Self {
        let mut known = vec![None; plan.operations.len()];
        for (old, new) in plan.outputs.iter().zip(outputs) {
            known[old.0 as usize] = Some(*new);
        }
        Self { plan, known }
    }

    fn at(&self, v: Value) -> Option<Value> {
        self.known[v.0 as usize]
    }

    /// Whether `v` follows from known values, by model evaluations if need be.
    fn follows(&self, v: Value) -> bool {
        self.follows_within(v, MAX_DEPTH, &mut Vec::new())
    }

    /// The same by at most `depth` operations one on another. Values that were found to follow are in
    /// `found`, with the depth they had: sums of sums share terms, and paths through them are many.
    fn follows_within(&self, v: Value, depth: usize, found: &mut Vec<(Value, usize)>) -> bool {
        if self.at(v).is_some() || found.iter().any(|(w, d)| *w == v && *d <= depth) {
            return true;
        }
        let Some(left) = depth.checked_sub(1) else {
            return false;
        };
        let follows = match &self.plan.operations[v.0 as usize] {
            Operation::Input { .. } | Operation::Vjp { .. } | Operation::Cotangent { .. } => false,
            Operation::Eval { x, .. } => self.follows_within(*x, left, found),
            Operation::Combine { terms } => terms
                .iter()
                .all(|(_, u)| self.follows_within(*u, left, found)),
            Operation::Normal { .. } => true,
        };
        if follows {
            found.push((v, depth));
        }
        follows
    }

    /// The new value of `v`, if it follows from what is known.
    pub(super) fn value(&mut self, p: &mut PlanBuilder, v: Value) -> Option<Value> {
        self.follows(v).then(|| self.compute(p, v))
    }

    /// The new value of `v`, which [`Inverter::follows`].
    fn compute(&mut self, p: &mut PlanBuilder, v: Value) -> Value {
        if let Some(new) = self.at(v) {
            return new;
        }
        let plan = self.plan;
        let new = match &plan.operations[v.0 as usize] {
            Operation::Eval { x, level, want } => {
                let x = self.compute(p, *x);
                p.eval(x, &plan.levels[*level], *want)
            }
            Operation::Combine { terms } => {
                let sum = self.sum(p, terms);
                p.combine(sum)
            }
            Operation::Normal { draw, stream } => p.normal_numbered(*draw, *stream),
            // `follows` is false for these.
            Operation::Input { .. } | Operation::Vjp { .. } | Operation::Cotangent { .. } => v,
        };
        self.known[v.0 as usize] = Some(new);
        new
    }

    fn sum(&mut self, p: &mut PlanBuilder, terms: &[(f64, Value)]) -> Linear {
        let mut sum = Linear::default();
        for (c, u) in terms {
            sum = sum + *c * self.compute(p, *u);
        }
        sum
    }

    /// If operation `index` is `v = Σ c·u` with `v` known, finds the one `u` that is not.
    pub(super) fn solve(&mut self, p: &mut PlanBuilder, index: usize) -> Result<(), PlanError> {
        let plan = self.plan;
        let Operation::Combine { terms } = &plan.operations[index] else {
            return Ok(());
        };
        let Some(result) = self.known[index] else {
            return Ok(());
        };
        let unknown: Vec<_> = terms.iter().filter(|(_, u)| !self.follows(*u)).collect();
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
        let sum = self.sum(p, &others);
        let new = p.combine((result - sum) / c);
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
        let mut p = Self::builder();
        let outputs: Vec<_> = self.outputs.iter().map(|_| p.input()).collect();
        let mut inverter = Inverter::new(self, &outputs);
        // A step of the inverse ends where the states at the end of an earlier step are known.
        let mut marks = self.marks.iter().rev().skip(1).peekable();
        for index in (0..self.operations.len()).rev() {
            inverter.solve(&mut p, index)?;
            while let Some(mark) = marks
                .next_if(|m| m.after > index || m.states.iter().all(|v| inverter.at(*v).is_some()))
            {
                let states: Option<Vec<_>> = mark.states.iter().map(|v| inverter.at(*v)).collect();
                if let Some(states) = states {
                    p.step(&self.levels[mark.level], &states);
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
            p.step(first, &inputs);
        }
        p.finish(&inputs)
    }
}
