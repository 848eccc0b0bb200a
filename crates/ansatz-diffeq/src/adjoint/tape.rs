//! Discretise, then optimise: the steps of a solve, replayed and pulled back.

use ansatz_core::{Report, State};

use super::{AdjointStepper, Gradient, check, finish, schedule};
use crate::integrate::{Accepted, integrate};
use crate::{Control, StepError, Stepper};

/// How many states a [`Tape`] may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Memory {
    /// One for every step.
    #[default]
    Every,
    /// This many at a time, the initial state included; the others are computed again, in the order
    /// that takes the fewest steps ([`schedule::repeated_steps`]).
    Slots(usize),
}

/// A finished solve that can be differentiated.
///
/// ```
/// use ansatz_diffeq::adjoint::{Memory, Tape};
/// use ansatz_diffeq::core::{EvalError, VectorField, VjpField};
/// use ansatz_diffeq::{Control, RungeKutta, tableau};
///
/// /// x' = p·x, with the solution x₀·exp(p·t).
/// struct Growth(f64);
/// impl VectorField<[f64; 1]> for Growth {
///     fn eval(&self, _: f64, x: &[f64; 1], dx: &mut [f64; 1]) -> Result<(), EvalError> {
///         dx[0] = self.0 * x[0];
///         Ok(())
///     }
/// }
/// impl VjpField<[f64; 1]> for Growth {
///     fn params(&self) -> usize {
///         1
///     }
///     fn vjp(
///         &self, _: f64, x: &[f64; 1], w: &[f64; 1], x_bar: &mut [f64; 1], p_bar: &mut [f64],
///     ) -> Result<(), EvalError> {
///         x_bar[0] = self.0 * w[0];
///         p_bar[0] += x[0] * w[0];
///         Ok(())
///     }
/// }
///
/// let (growth, x) = (Growth(0.5), [2.0]);
/// let mut method = RungeKutta::new(&tableau::TSITOURAS, &growth, &x);
/// let tape = Tape::record(&mut method, &[0.0, 1.0], &x, &Control::default(), Memory::Slots(4))?;
/// // L = x(1), so its cotangents are 0 at the start and 1 at the end.
/// let gradient = tape.pull(&mut method, &[[0.0], [1.0]])?;
/// assert!((gradient.params[0] - 2.0 * 0.5_f64.exp()).abs() < 1e-5);
/// assert!((gradient.times[1] - 0.5 * 2.0 * 0.5_f64.exp()).abs() < 1e-5);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tape<S> {
    times: Vec<f64>,
    states: Vec<S>,
    /// Time and size of each step.
    steps: Vec<(f64, f64)>,
    /// Steps up to each time.
    ends: Vec<usize>,
    /// The state before each step, if all are kept.
    every: Vec<S>,
    memory: Memory,
    report: Report,
}

impl<S: State> Tape<S> {
    /// Solves from `x`, hitting all `times`, and keeps what a gradient needs.
    ///
    /// # Errors
    /// [`StepError`]; [`StepError::Option`] for no slots.
    pub fn record<M: Stepper<S> + ?Sized>(
        method: &mut M,
        times: &[f64],
        x: &S,
        control: &Control,
        memory: Memory,
    ) -> Result<Self, StepError> {
        Self::record_with(method, times, x, control, memory, &mut |_| Ok(()))
    }

    /// [`Tape::record`] that shows each step to `look`.
    pub(crate) fn record_with<M: Stepper<S> + ?Sized>(
        method: &mut M,
        times: &[f64],
        x: &S,
        control: &Control,
        memory: Memory,
        look: &mut Look<'_, S, M>,
    ) -> Result<Self, StepError> {
        if memory == Memory::Slots(0) {
            return Err(StepError::Option {
                name: "slots",
                value: 0.0,
                allowed: "at least 1: the initial state",
            });
        }
        let mut tape = Self {
            times: times.to_vec(),
            states: vec![x.clone()],
            steps: Vec::new(),
            ends: vec![0],
            every: Vec::new(),
            memory,
            report: Report::default(),
        };
        let mut y = x.clone();
        method.restart();
        let nfe = method.nfe();
        let mut keep = |step: &mut Accepted<'_, S, M>| {
            look(step)?;
            if memory == Memory::Every {
                tape.every.push(step.state.clone());
            }
            tape.steps.push((step.start, step.h));
            if times.get(tape.ends.len()) == Some(&step.end) {
                tape.states.push(step.next().clone());
                tape.ends.push(tape.steps.len());
            }
            Ok(None)
        };
        let report = integrate(method, times, &mut y, control, &mut keep)?;
        // An interval of length zero has no steps, and its end is its start.
        tape.states.resize(times.len(), y);
        tape.ends.resize(times.len(), tape.steps.len());
        tape.report = Report {
            nfe: method.nfe() - nfe,
            ..report
        };
        Ok(tape)
    }

    /// The times of the solve.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The states at these times.
    pub fn states(&self) -> &[S] {
        &self.states
    }

    /// Start and signed size of the steps taken.
    pub fn steps(&self) -> &[(f64, f64)] {
        &self.steps
    }

    /// Steps up to each time.
    pub(crate) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// What the solve cost.
    pub fn report(&self) -> Report {
        self.report
    }

    /// The gradient of a loss with the given cotangents at [`times`](Tape::times).
    ///
    /// `method` must be the one that recorded, or one like it. Cost: each step is computed again and
    /// pulled back once; with [`Memory::Slots`], [`schedule::repeated_steps`] more.
    ///
    /// # Errors
    /// [`StepError::Count`] when the cotangents do not fit; [`StepError::NonFinite`],
    /// [`StepError::Eval`].
    pub fn pull<M: AdjointStepper<S> + ?Sized>(
        &self,
        method: &mut M,
        cotangents: &[S],
    ) -> Result<Gradient<S>, StepError> {
        let pull = &mut |method: &mut M, i: usize, y: &S, y_bar: &mut S, p_bar: &mut [f64]| {
            let (t, h) = self.steps[i];
            method.pull(t, h, y, y_bar, p_bar)
        };
        self.pull_with(method, cotangents, pull)
    }

    /// [`Tape::pull`] with another way to pull step `i` back.
    pub(crate) fn pull_with<M: AdjointStepper<S> + ?Sized>(
        &self,
        method: &mut M,
        cotangents: &[S],
        pull: &mut Pull<'_, S, M>,
    ) -> Result<Gradient<S>, StepError> {
        check(&self.states, cotangents)?;
        let nfe = method.nfe();
        let like = &self.states[0];
        let (mut params, mut rate) = (vec![0.0; method.params()], like.zeros_like());
        let mut times = vec![0.0; self.times.len()];
        let mut steady = true;
        for (i, (y, y_bar)) in self.states.iter().zip(cotangents).enumerate().skip(1) {
            steady = method.rate(self.times[i], y, &mut rate)?;
            times[i] = y_bar.dot(&rate);
        }
        let mut sweep = Sweep {
            tape: self,
            method,
            cotangents,
            leg: self.times.len(),
            y_bar: like.zeros_like(),
            params: &mut params,
            pull,
        };
        sweep.output(self.steps.len());
        match self.memory {
            Memory::Every => {
                for (i, y) in self.every.iter().enumerate().rev() {
                    sweep.step(i, y)?;
                }
            }
            Memory::Slots(slots) => {
                sweep.reverse((0, self.steps.len()), slots, like)?;
            }
        }
        let state = sweep.y_bar;
        // What the loss takes from y(t₀) directly does not move with t₀.
        if steady && let (Some(t), Some(first)) = (self.times.first(), cotangents.first()) {
            steady = method.rate(*t, like, &mut rate)?;
            times[0] = first.dot(&rate) - state.dot(&rate);
        }
        if !steady {
            times.clear();
        }
        let report = Report {
            nfe: method.nfe() - nfe,
            ..Report::default()
        };
        let gradient = Gradient {
            state,
            params,
            times,
            report,
        };
        finish(gradient, self.times.first().copied().unwrap_or_default())
    }
}

/// Looks at an accepted step.
type Look<'a, S, M> = dyn FnMut(&mut Accepted<'_, S, M>) -> Result<(), StepError> + 'a;

/// Pulls a step, given by its index and the state before it, back.
type Pull<'a, S, M> =
    dyn FnMut(&mut M, usize, &S, &mut S, &mut [f64]) -> Result<(), StepError> + 'a;

/// A backward sweep on its way.
struct Sweep<'a, S, M: ?Sized> {
    tape: &'a Tape<S>,
    method: &'a mut M,
    cotangents: &'a [S],
    /// Times from this one on have been seen.
    leg: usize,
    y_bar: S,
    params: &'a mut [f64],
    pull: &'a mut Pull<'a, S, M>,
}

impl<S: State, M: AdjointStepper<S> + ?Sized> Sweep<'_, S, M> {
    /// Adds the cotangents of the outputs that lie before step `i`.
    fn output(&mut self, i: usize) {
        while self.leg > 0 && self.tape.ends[self.leg - 1] == i {
            self.leg -= 1;
            self.y_bar
                .lincomb(1.0, &[(1.0, &self.cotangents[self.leg])]);
        }
    }

    fn step(&mut self, i: usize, y: &S) -> Result<(), StepError> {
        (self.pull)(self.method, i, y, &mut self.y_bar, self.params)?;
        self.output(i);
        Ok(())
    }

    /// Carries `y` over `steps`. Each starts afresh, so that the bits do not depend on where the
    /// walk began.
    fn advance(&mut self, steps: std::ops::Range<usize>, y: &mut S) -> Result<(), StepError> {
        for (t, h) in &self.tape.steps[steps] {
            self.method.restart();
            self.method.attempt(*t, *h, y)?;
            self.method.accept(y);
        }
        self.method.restart();
        Ok(())
    }

    /// Pulls back the steps from `first` on, `y` being the state before them.
    fn reverse(
        &mut self,
        (first, count): (usize, usize),
        slots: usize,
        y: &S,
    ) -> Result<(), StepError> {
        if count == 0 {
            return Ok(());
        }
        if count == 1 {
            return self.step(first, y);
        }
        let mut later = y.clone();
        if slots == 1 {
            for last in (1..count).rev() {
                later.assign(y);
                self.advance(first..first + last, &mut later)?;
                self.step(first + last, &later)?;
            }
            return self.step(first, y);
        }
        let m = schedule::advance(count, slots);
        self.advance(first..first + m, &mut later)?;
        self.reverse((first + m, count - m), slots - 1, &later)?;
        drop(later);
        self.reverse((first, m), slots, y)
    }
}
