//! The family of stochastic equations that share an interpolant's marginals.
//!
//! Forwards `dx = (b + εs) dt + √(2ε) dW`; backwards in time `dx = (b − εs) dt + √(2ε) dW̄`. Euler-Maruyama
//! is of weak order 1; Heun's rule for additive noise averages the drift at both ends of the step and is
//! of weak order 2 for constant ε.
//!
//! Cost: one (two with Heun) evaluations of b, and of s where ε > 0, per step; five states.
//!
//! Reference: M. Albergo, N. Boffi, E. Vanden-Eijnden, *Stochastic interpolants*, 2023, theorem 2.8 and
//! section 5; P. Kloeden, E. Platen, *Numerical solution of stochastic differential equations*, 1992,
//! section 15.1.

use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, NoiseLevel, Observer, Report, State, VectorField, stream};

use crate::{NoiseSource, PlanError, SampleError};

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// The drift at the start of the step.
    EulerMaruyama,
    /// The mean of the drifts at its start and at the Euler-Maruyama prediction of its end.
    // Deviation: the reference program takes both drifts at the end's time, which loses an order.
    #[default]
    Heun,
}

/// An equation from `times.0` to `times.1`, forwards or backwards, on equal steps.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_diffusion::interpolant::{BridgeSde, Scheme};
/// // From N(0, 1) to N(0, 1): the velocity is 0 and the score −x.
/// let still = |_: f64, _: &Vec<f64>, dx: &mut Vec<f64>| {
///     dx.fill(0.0);
///     Ok(())
/// };
/// let score = |_: f64, x: &Vec<f64>, s: &mut Vec<f64>| {
///     s.iter_mut().zip(x).for_each(|(s, x)| *s = -x);
///     Ok(())
/// };
/// let sde = BridgeSde { epsilon: &|_| 0.5, ..BridgeSde::new(&still, &score, 50) };
/// let mut x = vec![0.0; 1000];
/// let report = sde.sample(&mut x, Key::new(3), &mut ())?;
/// assert_eq!((report.steps, report.nfe), (50, 100));
/// assert!(x.iter().all(|v| v.abs() < 5.0) && x[0] != 0.0);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Clone, Copy)]
pub struct BridgeSde<'a, S> {
    /// b.
    pub velocity: &'a dyn VectorField<S>,
    /// s; not asked where ε = 0.
    pub score: &'a dyn VectorField<S>,
    /// ε(t) ≥ 0.
    pub epsilon: &'a (dyn Fn(f64) -> f64 + Sync),
    /// Start and end, within [0, 1].
    pub times: (f64, f64),
    /// Number of steps.
    pub steps: usize,
    /// How they are taken.
    pub scheme: Scheme,
}

impl<'a, S: State> BridgeSde<'a, S> {
    /// From 0 to 1 by Heun's rule with ε = 1.
    #[must_use]
    pub fn new(
        velocity: &'a dyn VectorField<S>,
        score: &'a dyn VectorField<S>,
        steps: usize,
    ) -> Self {
        Self {
            velocity,
            score,
            epsilon: &|_| 1.0,
            times: (0.0, 1.0),
            steps,
            scheme: Scheme::default(),
        }
    }

    fn validate(&self, x: &S) -> Result<(), SampleError> {
        if self.steps == 0 {
            return Err(PlanError::TooFewSteps {
                method: "a stochastic equation",
                needed: 1,
                got: 0,
            }
            .into());
        }
        for (name, t) in [("times.0", self.times.0), ("times.1", self.times.1)] {
            if !(0.0..=1.0).contains(&t) {
                return Err(PlanError::Option {
                    name,
                    value: t,
                    allowed: "0 to 1",
                }
                .into());
            }
        }
        if x.is_finite() {
            return Ok(());
        }
        Err(SampleError::NonFinite {
            what: "initial state",
            step: 0,
            t: self.times.0,
        })
    }

    /// Solves in place; draw number k is that of step k.
    ///
    /// # Errors
    /// [`PlanError::Option`] for times outside [0, 1] or ε < 0, and other [`SampleError`]s; `x` is then
    /// unchanged.
    pub fn sample(
        &self,
        x: &mut S,
        mut noise: impl NoiseSource<S>,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.validate(x)?;
        let (start, end) = self.times;
        let h = (end - start) / self.steps as f64;
        let mut report = Report::default();
        let mut y = x.clone();
        let [mut first, mut second, mut score, mut z, mut ahead] = [(); 5].map(|()| x.zeros_like());
        for i in 0..self.steps {
            let t = start + i as f64 * h;
            let next = if i + 1 == self.steps { end } else { t + h };
            let epsilon = self.drift(i, t, &y, &mut first, &mut score)?;
            report.nfe += 1;
            let mut std = (2.0 * epsilon * h.abs()).sqrt();
            match self.scheme {
                Scheme::EulerMaruyama => {
                    if std > 0.0 {
                        noise.draw(i, stream::step(i as u64), &mut z);
                    }
                    y.lincomb(1.0, &[(h, &first), (std, &z)]);
                }
                Scheme::Heun => {
                    let later = self.epsilon_at(next)?;
                    if epsilon + later > 0.0 {
                        noise.draw(i, stream::step(i as u64), &mut z);
                    }
                    ahead.lincomb(0.0, &[(1.0, &y), (h, &first), (std, &z)]);
                    self.drift(i, next, &ahead, &mut second, &mut score)?;
                    report.nfe += 1;
                    std = ((epsilon + later) * h.abs()).sqrt();
                    y.lincomb(1.0, &[(0.5 * h, &first), (0.5 * h, &second), (std, &z)]);
                }
            }
            if !y.is_finite() {
                return Err(SampleError::NonFinite {
                    what: "velocity or score",
                    step: i,
                    t,
                });
            }
            report.steps += 1;
            let at = NoiseLevel::clean(next);
            let event = Event::new(report.steps, self.steps, report.nfe, at, &y);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                report.stopped_early = true;
                break;
            }
        }
        *x = y;
        Ok(report)
    }

    fn epsilon_at(&self, t: f64) -> Result<f64, PlanError> {
        let value = (self.epsilon)(t);
        if value >= 0.0 && value.is_finite() {
            return Ok(value);
        }
        Err(PlanError::Option {
            name: "epsilon",
            value,
            allowed: "a finite number from 0 at every time",
        })
    }

    /// `out ← b ± ε·s`, with the sign of the direction; returns ε.
    fn drift(
        &self,
        step: usize,
        t: f64,
        x: &S,
        out: &mut S,
        score: &mut S,
    ) -> Result<f64, SampleError> {
        let eval = |field: &dyn VectorField<S>, out: &mut S| {
            field
                .eval(t, x, out)
                .and_then(|()| {
                    if out.len() == x.len() {
                        return Ok(());
                    }
                    let (expected, got) = (x.len(), out.len());
                    Err(EvalError::Length {
                        what: "velocity or score",
                        expected,
                        got,
                    })
                })
                .map_err(|source| SampleError::Eval { step, t, source })
        };
        let epsilon = self.epsilon_at(t)?;
        eval(self.velocity, out)?;
        if epsilon > 0.0 {
            eval(self.score, score)?;
            let sign = (self.times.1 - self.times.0).signum();
            out.lincomb(1.0, &[(sign * epsilon, score)]);
        }
        Ok(epsilon)
    }
}
