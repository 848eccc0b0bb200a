//! Training for equations that are cheap to solve: solver heuristics as regularisers.
//!
//! A solver knows, for each step j, its scaled error qⱼ and an estimate of the stiffness
//! Sⱼ = ‖k_b − k_a‖/‖g_b − g_a‖ (slopes and arguments of the two last stages, which lie at the same
//! time). Adding λ_E·R_E + λ_S·R_S to a loss, with R_E an aggregate of qⱼ|hⱼ| and R_S one of Sⱼ, makes
//! training prefer dynamics that the solver crosses in few steps.
//!
//! The gradient goes through the stages, the error estimate and the scale of the tolerance, with the
//! sizes of the steps held fixed; a continuous adjoint cannot see these quantities. Cost: that of
//! [`Tape::pull`] with one more stage. qⱼ is about 1 whatever the tolerance, so λ belongs to a tolerance.
//!
//! Reference: A. Pal, Y. Ma, V. Shah, C. Rackauckas, *Opening the blackbox: accelerating neural
//! differential equations by regularizing internal solver heuristics*, 2021, eq. 9 to 14.

use ansatz_core::{HostState, Key, Scalar, Tolerance, stream};

use crate::adjoint::{Bars, Gradient, Memory, Stages, Tape, VjpDrive};
use crate::integrate::Accepted;
use crate::tableau::MAX_STAGES;
use crate::{Control, RungeKutta, StepError, Stepper, Tableau};

/// What the solver saw in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heuristic {
    /// Signed size of the step.
    pub h: f64,
    /// Scaled error q.
    pub error: f64,
    /// Stiffness S; 0 where the two stages do not differ.
    pub stiffness: f64,
}

/// How the steps' values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// Their sum: grows with the number of steps.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest; its gradient is that of the step which has it.
    Max,
}

/// λ_E·agg(q^power·|h|) + λ_S·agg(S).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regulariser {
    /// λ_E.
    pub error: f64,
    /// Power of q: 1, or 2 for the variant R_E².
    pub power: i32,
    /// How the errors are put together.
    pub over_errors: Aggregate,
    /// λ_S.
    pub stiffness: f64,
    /// How the stiffnesses are put together.
    pub over_stiffness: Aggregate,
}

impl Default for Regulariser {
    /// λ_E = 1 on the mean error, no stiffness.
    fn default() -> Self {
        Self {
            error: 1.0,
            power: 1,
            over_errors: Aggregate::Mean,
            stiffness: 0.0,
            over_stiffness: Aggregate::Max,
        }
    }
}

impl Regulariser {
    /// The value that is added to the loss.
    pub fn value(&self, steps: &[Heuristic]) -> f64 {
        let errors = steps.iter().map(|s| s.error.powi(self.power) * s.h.abs());
        let stiffness = steps.iter().map(|s| s.stiffness);
        self.error * aggregate(self.over_errors, errors)
            + self.stiffness * aggregate(self.over_stiffness, stiffness)
    }

    /// Its derivatives with respect to each step's error and stiffness.
    fn derivatives(&self, steps: &[Heuristic]) -> Vec<[f64; 2]> {
        let value = |s: &Heuristic| s.error.powi(self.power) * s.h.abs();
        let errors = weights(self.over_errors, steps.iter().map(value));
        let stiffness = weights(self.over_stiffness, steps.iter().map(|s| s.stiffness));
        let power = f64::from(self.power);
        steps
            .iter()
            .zip(errors.zip(stiffness))
            .map(|(s, (e, w))| {
                let slope = power * s.error.powi(self.power - 1) * s.h.abs();
                [self.error * e * slope, self.stiffness * w]
            })
            .collect()
    }
}

fn aggregate(how: Aggregate, values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    match how {
        Aggregate::Sum => values.sum(),
        Aggregate::Mean => values.sum::<f64>() / n,
        Aggregate::Max => values.fold(0.0, f64::max),
    }
}

/// The derivative of the aggregate with respect to each value.
fn weights(
    how: Aggregate,
    values: impl ExactSizeIterator<Item = f64>,
) -> impl Iterator<Item = f64> {
    let n = values.len();
    let (all, one) = match how {
        Aggregate::Sum => (1.0, None),
        Aggregate::Mean => (1.0 / n.max(1) as f64, None),
        Aggregate::Max => (
            0.0,
            values
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(i, _)| i),
        ),
    };
    (0..n).map(move |i| if one == Some(i) { 1.0 } else { all })
}

/// The weight λ when a part `done` (0 to 1) of the training is over: from `first` to `last`, falling by the
/// same factor every epoch.
///
/// ```
/// assert_eq!(ansatz_diffeq::heuristics::annealed(100.0, 1.0, 0.5), 10.0);
/// ```
#[must_use]
pub fn annealed(first: f64, last: f64, done: f64) -> f64 {
    first * (last / first).powf(done)
}

/// A random end of integration for training step `step`, uniform within `reach` of `end` on either side: a field
/// that gives the right answer at all of them hardly moves any more, and is cheap to solve.
///
/// Reference: A. Ghosh, H. Behl, E. Dupont, P. Torr, V. Namboodiri, *STEER: simple temporal regularization for neural
/// ODEs*, 2020, section 3.
#[must_use]
pub fn random_end(key: Key, step: u64, end: f64, reach: f64) -> f64 {
    end + reach * (2.0 * key.uniform(stream::step(step), 0)[0] - 1.0)
}

/// A solve with what the solver saw on the way.
#[derive(Debug, Clone)]
pub struct Watched<S> {
    tape: Tape<S>,
    steps: Vec<Heuristic>,
    tolerance: Tolerance,
}

impl<S: HostState> Watched<S> {
    /// [`Tape::record`] that notes the heuristics of every step. `tolerance` scales the errors; with
    /// adaptive steps it should be the controller's.
    ///
    /// # Errors
    /// [`StepError::Option`] for a table without an error estimate or without two stages at the end of
    /// the step; else as [`Tape::record`].
    pub fn record<D: VjpDrive<S>>(
        method: &mut RungeKutta<'_, S, D>,
        times: &[f64],
        x: &S,
        control: &Control,
        tolerance: Tolerance,
        memory: Memory,
    ) -> Result<Self, StepError> {
        let tableau = method.tableau;
        if tableau.error.is_empty() || !tableau.second_error.is_empty() {
            return Err(StepError::Option {
                name: "tableau.error.len()",
                value: tableau.error.len() as f64,
                allowed: "a table with one embedded error estimate",
            });
        }
        twins(tableau)?;
        let mut steps = Vec::new();
        let mut look = |step: &mut Accepted<'_, S, RungeKutta<'_, S, D>>| {
            let (t, h) = (step.start, step.h);
            let error = step.method.error(t, h, step.state, tolerance)?;
            let stiffness = step.method.stiffness().map_or(0.0, |s| s.size / h.abs());
            steps.push(Heuristic {
                h,
                error,
                stiffness,
            });
            Ok(())
        };
        let tape = Tape::record_with(method, times, x, control, memory, &mut look)?;
        Ok(Self {
            tape,
            steps,
            tolerance,
        })
    }

    /// The solve itself.
    pub fn tape(&self) -> &Tape<S> {
        &self.tape
    }

    /// What the solver saw, step by step.
    pub fn steps(&self) -> &[Heuristic] {
        &self.steps
    }

    /// The gradient of a loss with the given cotangents plus that of the regulariser.
    ///
    /// # Errors
    /// As [`Tape::pull`].
    pub fn pull<D: VjpDrive<S>>(
        &self,
        method: &mut RungeKutta<'_, S, D>,
        cotangents: &[S],
        regulariser: &Regulariser,
    ) -> Result<Gradient<S>, StepError> {
        let (from, to) = twins(method.tableau)?;
        let tableau = method.tableau;
        let bars = regulariser.derivatives(&self.steps);
        let tolerance = self.tolerance;
        let pull = &mut |method: &mut RungeKutta<'_, S, D>,
                         i: usize,
                         y: &S,
                         y_bar: &mut S,
                         p_bar: &mut [f64]| {
            let [error_bar, stiffness_bar] = bars[i];
            let mut seed = |step: &Stages<'_, S>, bars: &mut Bars<'_, S>| {
                if error_bar != 0.0 {
                    pull_error(tableau, error_bar, tolerance, step, bars);
                }
                if stiffness_bar != 0.0 {
                    pull_stiffness(tableau, (from, to), stiffness_bar, step, bars);
                }
            };
            method.pull_with(self.tape.steps()[i], y, y_bar, p_bar, Some(&mut seed))
        };
        self.tape.pull_with(method, cotangents, pull)
    }
}

fn twins(tableau: &Tableau) -> Result<(usize, usize), StepError> {
    tableau.twin_stages().ok_or(StepError::Option {
        name: "tableau.nodes",
        value: f64::NAN,
        allowed: "a table whose two last stages lie at the end of the step, such as TSITOURAS",
    })
}

/// Adds the cotangents of q = rms(eᵢ/sᵢ), e = h Σ dⱼkⱼ, s = atol + rtol·max(|y|, |y₁|).
fn pull_error<S: HostState>(
    tableau: &Tableau,
    q_bar: f64,
    Tolerance { atol, rtol }: Tolerance,
    step: &Stages<'_, S>,
    bars: &mut Bars<'_, S>,
) {
    let [e, e_bar] = &mut *bars.work;
    e.step_from(None, step.h, tableau.error, step.slopes);
    let n = e.len();
    let (y, next) = (step.start.as_slice(), step.next.as_slice());
    let (e, e_bar) = (e.as_mut_slice(), e_bar.as_mut_slice());
    let mut squares = 0.0;
    for i in 0..n {
        let scale = atol + rtol * y[i].f64().abs().max(next[i].f64().abs());
        squares += (e[i].f64() / scale).powi(2);
    }
    let q = (squares / n as f64).sqrt();
    if q == 0.0 {
        return;
    }
    let (start_bar, next_bar) = (bars.start.as_mut_slice(), bars.next.as_mut_slice());
    for i in 0..n {
        let (a, b) = (y[i].f64(), next[i].f64());
        let scale = atol + rtol * a.abs().max(b.abs());
        let x = e[i].f64() / scale;
        let common = q_bar * x / (n as f64 * q * scale);
        e_bar[i] = S::Scalar::of(common);
        // The scale follows the larger of the two ends.
        let change = -common * x * rtol;
        if a.abs() > b.abs() {
            start_bar[i] += S::Scalar::of(change * a.signum());
        } else {
            next_bar[i] += S::Scalar::of(change * b.signum());
        }
    }
    let e_bar = &bars.work[1];
    for (bar, d) in bars.slopes.iter_mut().zip(tableau.error) {
        if *d != 0.0 {
            bar.lincomb(1.0, &[(step.h * d, e_bar)]);
        }
    }
}

/// Adds the cotangents of S = ‖u‖/‖v‖, u = k_to − k_from, v = h Σ (a_to − a_from)ⱼ kⱼ.
fn pull_stiffness<S: HostState>(
    tableau: &Tableau,
    (from, to): (usize, usize),
    bar: f64,
    step: &Stages<'_, S>,
    bars: &mut Bars<'_, S>,
) {
    let mut difference = [0.0; MAX_STAGES];
    let rows = tableau.coefficients;
    for (j, a) in rows[to].iter().enumerate() {
        difference[j] = a - rows[from].get(j).copied().unwrap_or(0.0);
    }
    let [u, v] = &mut *bars.work;
    u.lincomb(0.0, &[(1.0, &step.slopes[to]), (-1.0, &step.slopes[from])]);
    v.step_from(None, step.h, &difference[..to], step.slopes);
    let (nu, nv) = (u.norm(), v.norm());
    if nu == 0.0 || nv == 0.0 {
        return;
    }
    let du = bar / (nu * nv);
    bars.slopes[to].lincomb(1.0, &[(du, u)]);
    bars.slopes[from].lincomb(1.0, &[(-du, u)]);
    let dv = -bar * nu / nv.powi(3);
    for (slope_bar, d) in bars.slopes.iter_mut().zip(&difference[..to]) {
        if *d != 0.0 {
            slope_bar.lincomb(1.0, &[(step.h * d * dv, v)]);
        }
    }
}
