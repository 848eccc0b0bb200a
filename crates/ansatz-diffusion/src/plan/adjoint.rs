//! Gradients through sampling, as a plan transformation.
//!
//! The discrete adjoint of a plan is a plan: the operations in reverse, combinations transposed, and
//! every model evaluation replaced by its vector-Jacobian product. It is the exact gradient of the
//! numbers that were computed, for every solver, because it is made from the operations and not
//! from the differential equation. The products need the states at which the model was evaluated;
//! [`Checkpoints`] says whether these are kept, computed again, or got back by exact inversion.
//!
//! References: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, chapters 3 and
//! 12 (reverse mode, checkpointing); J. Pan et al., *AdjointDPM*, 2024 (the continuous adjoint, whose
//! error the discrete one does not have).

use ansatz_core::{EvalError, Observer, Prediction, Report, State, VjpDenoiser};

use super::invert::Inverter;
use super::run::{Next, NoiseSource, Run};
use super::{Linear, Operation, Plan, PlanBuilder, Value};
use crate::{PlanError, SampleError};

/// Where the reverse sweep gets the states of the forward one from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpoints {
    /// All are kept: N states, no evaluation twice.
    All,
    /// One in √N steps is kept, the rest is computed again: about 2√N states, 2N evaluations.
    #[default]
    Sqrt,
    /// As [`Checkpoints::Sqrt`], with a segment of this many steps.
    Every(usize),
    /// The plan is inverted exactly: a handful of states for any N, 2N evaluations. For [`Bdia`],
    /// [`Edict`] and [`OBelm`] only, with their pair as output.
    ///
    /// [`Bdia`]: crate::Bdia
    /// [`Edict`]: crate::Edict
    /// [`OBelm`]: crate::OBelm
    Invert,
}

/// A plan with its gradient; made by [`Plan::gradient`].
#[derive(Debug, Clone, PartialEq)]
pub struct GradientPlan {
    plan: Plan,
    native: Prediction,
    outputs: usize,
}

/// What a run of a [`GradientPlan`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient<S> {
    /// The samples.
    pub outputs: Vec<S>,
    /// Gradient of the loss with respect to each initial state.
    pub inputs: Vec<S>,
    /// Gradient of the loss with respect to the model's parameters.
    pub params: Vec<f64>,
    /// Cost of the evaluations; products are [`GradientPlan::vjps`].
    pub report: Report,
}

/// Forward values of a segment, wherever they come from.
enum Source<'a> {
    Kept,
    Again(Vec<Option<Value>>),
    Inverted(Inverter<'a>),
}

/// One reverse sweep in the making.
struct Sweep<'a> {
    plan: &'a Plan,
    p: PlanBuilder,
    forward: Vec<Value>,
    /// Cotangent of each value of the plan, summed as its uses are met.
    bar: Vec<Linear>,
}

impl Sweep<'_> {
    /// Computes again the values from `start` on that evaluations before `end` need.
    fn recompute(&mut self, start: usize, end: usize) -> Vec<Option<Value>> {
        let operations = &self.plan.operations;
        let mut needed = vec![false; end - start];
        for index in (start..end).rev() {
            let reads: Vec<Value> = match &operations[index] {
                Operation::Eval { x, .. } => vec![*x],
                Operation::Combine { terms } if needed[index - start] => {
                    terms.iter().map(|(_, v)| *v).collect()
                }
                _ => continue,
            };
            // An evaluation whose output nobody needs again is not repeated, but its state is.
            for v in reads {
                if v.0 as usize >= start {
                    needed[v.0 as usize - start] = true;
                }
            }
        }
        let mut again: Vec<Option<Value>> = vec![None; end - start];
        for index in start..end {
            if !needed[index - start] {
                continue;
            }
            let value = |v: Value| match (v.0 as usize).checked_sub(start) {
                Some(i) => again[i].unwrap_or(v),
                None => self.forward[v.0 as usize],
            };
            let new = match &operations[index] {
                Operation::Eval { x, level, want } => {
                    self.p.eval(value(*x), &self.plan.levels[*level], *want)
                }
                Operation::Combine { terms } => {
                    let terms = terms.iter().map(|(c, v)| (*c, value(*v))).collect();
                    self.p.combine(Linear(terms))
                }
                Operation::Normal { draw, stream } => self.p.normal_numbered(*draw, *stream),
                _ => self.forward[index],
            };
            again[index - start] = Some(new);
        }
        again
    }

    /// Transposes the operations `start..end`, last first.
    fn reverse(
        &mut self,
        start: usize,
        end: usize,
        source: &mut Source<'_>,
    ) -> Result<(), PlanError> {
        let plan = self.plan;
        for index in (start..end).rev() {
            if let Source::Inverted(inverter) = source {
                inverter.solve(&mut self.p, index)?;
            }
            let bar = std::mem::take(&mut self.bar[index]);
            if bar.0.is_empty() {
                continue;
            }
            match &plan.operations[index] {
                Operation::Combine { terms } => {
                    let bar = self.p.combine(bar);
                    for (c, v) in terms {
                        self.add(*v, *c * bar);
                    }
                }
                Operation::Eval { x, level, want } => {
                    let at = match source {
                        Source::Again(again) if x.0 as usize >= start => {
                            again[x.0 as usize - start].unwrap_or(*x)
                        }
                        Source::Inverted(inverter) => {
                            inverter
                                .value(&mut self.p, *x)
                                .ok_or(PlanError::NotInvertible {
                                    operation: index,
                                    unknown: 1,
                                })?
                        }
                        _ => self.forward[x.0 as usize],
                    };
                    let w = self.p.combine(bar);
                    let product = self.p.vjp(at, &plan.levels[*level], *want, w, 1.0);
                    self.add(*x, product.into());
                }
                // Inputs keep what was summed; noise has no cotangent to hand on.
                Operation::Input { .. } => self.bar[index] = bar,
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, v: Value, term: Linear) {
        let bar = &mut self.bar[v.0 as usize];
        *bar = std::mem::take(bar) + term;
    }
}

impl Plan {
    /// The plan that samples, asks for the gradient of a loss at the sample, and carries it back to
    /// the initial states and to the parameters of a model of kind `native`.
    ///
    /// ```
    /// use ansatz_core::{EvalError, Key, NoiseLevel, Prediction, VjpDenoiser, Denoiser};
    /// use ansatz_diffusion::{Checkpoints, Ddim, Solver, Spacing, TimeGrid, VpLinear};
    /// struct Shrink; // predicts the data as x/2
    /// impl Denoiser<Vec<f64>> for Shrink {
    ///     fn native(&self) -> Prediction { Prediction::Data }
    ///     fn eval(&self, x: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
    ///         out.iter_mut().zip(x).for_each(|(o, x)| *o = 0.5 * x);
    ///         Ok(())
    ///     }
    /// }
    /// impl VjpDenoiser<Vec<f64>> for Shrink {
    ///     fn vjp(&self, _: &Vec<f64>, _: &NoiseLevel, w: &Vec<f64>, x_bar: &mut Vec<f64>, _: &mut [f64])
    ///         -> Result<(), EvalError> {
    ///         x_bar.iter_mut().zip(w).for_each(|(b, w)| *b = 0.5 * w);
    ///         Ok(())
    ///     }
    /// }
    /// let schedule = VpLinear::default();
    /// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 9)?;
    /// let plan = Ddim::default().plan(&schedule, &grid)?.gradient(Prediction::Data, Checkpoints::Sqrt)?;
    /// // Loss x₀: its gradient is 1. The map is linear, so gradient times start is the sample.
    /// let g = plan.run(&Shrink, vec![vec![3.0]], Key::new(0), &mut |_, _, w| { w[0] = 1.0; Ok(()) }, &mut ())?;
    /// assert!((3.0 * g.inputs[0][0] - g.outputs[0][0]).abs() < 1e-12);
    /// # Ok::<(), ansatz_diffusion::SampleError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Conversion`], see [`Plan::for_model`]; [`PlanError::NotInvertible`] for
    /// [`Checkpoints::Invert`] on a plan without exact inverse; [`PlanError::Option`] for segments
    /// of 0 steps.
    pub fn gradient(
        &self,
        native: Prediction,
        checkpoints: Checkpoints,
    ) -> Result<GradientPlan, PlanError> {
        let plan = &self.for_model(native)?;
        let steps = plan.steps();
        let segment = match checkpoints {
            Checkpoints::All | Checkpoints::Invert => steps.max(1),
            Checkpoints::Sqrt => ((steps as f64).sqrt().ceil() as usize).max(1),
            Checkpoints::Every(0) => {
                return Err(PlanError::Option {
                    name: "checkpoints",
                    value: 0.0,
                    allowed: "segments of at least one step",
                });
            }
            Checkpoints::Every(n) => n,
        };
        let mut p = Self::builder();
        let inputs: Vec<_> = (0..plan.inputs).map(|_| p.input()).collect();
        let (outputs, forward) = p.append_all(plan, &inputs)?;
        let mut sweep = Sweep {
            plan,
            p,
            forward,
            bar: vec![Linear::default(); plan.operations.len()],
        };
        for (k, (old, new)) in plan.outputs.iter().zip(&outputs).enumerate() {
            let w = sweep.p.cotangent(k, *new);
            sweep.add(*old, w.into());
        }
        // Segments begin where steps begin: few values are live there.
        let mut starts: Vec<usize> = plan
            .marks
            .iter()
            .skip(segment - 1)
            .step_by(segment)
            .map(|m| m.after)
            .filter(|s| *s < plan.operations.len())
            .collect();
        starts.insert(0, 0);
        let mut end = plan.operations.len();
        for start in starts.into_iter().rev() {
            let last = end == plan.operations.len();
            let mut source = match checkpoints {
                Checkpoints::Invert => Source::Inverted(Inverter::new(plan, &outputs)),
                // What was just computed is still there.
                _ if last => Source::Kept,
                _ => Source::Again(sweep.recompute(start, end)),
            };
            sweep.reverse(start, end, &mut source)?;
            end = start;
        }
        let mut results = outputs.clone();
        for (index, operation) in plan.operations.iter().enumerate() {
            if matches!(operation, Operation::Input { .. }) {
                let bar = std::mem::take(&mut sweep.bar[index]);
                results.push(sweep.p.combine(bar));
            }
        }
        let plan = sweep.p.finish(&results)?;
        Ok(GradientPlan::new(plan, native, outputs.len()))
    }
}

impl GradientPlan {
    pub(super) fn new(plan: Plan, native: Prediction, outputs: usize) -> Self {
        Self {
            plan,
            native,
            outputs,
        }
    }

    /// Model evaluations in a full run, repeated ones included.
    #[must_use]
    pub fn nfe(&self) -> usize {
        self.plan.nfe()
    }

    /// Vector-Jacobian products in a full run.
    #[must_use]
    pub fn vjps(&self) -> usize {
        let vjp = |o: &&Operation| matches!(o, Operation::Vjp { .. });
        self.plan.operations.iter().filter(vjp).count()
    }

    /// States held in memory while running.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.plan.slots
    }

    /// Samples from `inputs`, calls `loss(k, x, w)` to write the gradient `w` of the loss at output
    /// number `k`, and carries it back.
    ///
    /// # Errors
    /// [`PlanError::Conversion`] for a model of another kind than the plan was made for, and those of
    /// [`Plan::sample`]; [`SampleError::Eval`] also carries errors of the loss.
    pub fn run<S: State, N: NoiseSource<S>>(
        &self,
        model: &dyn VjpDenoiser<S>,
        inputs: Vec<S>,
        noise: N,
        loss: &mut dyn FnMut(usize, &S, &mut S) -> Result<(), EvalError>,
        observer: &mut dyn Observer<S>,
    ) -> Result<Gradient<S>, SampleError> {
        if model.native() != self.native {
            return Err(SampleError::Plan(PlanError::Conversion {
                from: model.native(),
                want: self.native,
                t: f64::NAN,
            }));
        }
        let mut params = vec![0.0; model.params()];
        let mut part = params.clone();
        let mut run: Run<S, &Plan, N> = Run::new(&self.plan, inputs, noise)?;
        loop {
            match run.next()? {
                Next::Eval { x, level, out, .. } => {
                    run.write(level, [x, x], out, |[x, _], at, out| model.eval(x, at, out))?;
                }
                Next::Vjp {
                    x,
                    w,
                    weight,
                    level,
                    out,
                } => {
                    part.fill(0.0);
                    run.write(level, [x, w], out, |[x, w], at, out| {
                        model.vjp(x, at, w, out, &mut part)
                    })?;
                    for (sum, p) in params.iter_mut().zip(&part) {
                        *sum += weight * p;
                    }
                }
                Next::Cotangent { output, x, out } => {
                    let level = self.plan.levels.len().saturating_sub(1);
                    run.write(level, [x, x], out, |[x, _], _, out| loss(output, x, out))?;
                }
                Next::Step => {
                    // A gradient of half a trajectory is of no use, so observers only look.
                    let _ = observer.on_step(&run.event());
                }
                Next::Done => break,
            }
        }
        let (mut outputs, report) = run.finish();
        let inputs = outputs.split_off(self.outputs);
        Ok(Gradient {
            outputs,
            inputs,
            params,
            report,
        })
    }
}
