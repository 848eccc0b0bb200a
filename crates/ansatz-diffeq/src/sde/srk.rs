//! Stochastic Runge-Kutta methods as lists of evaluations.
//!
//! A step is a list of calls: h·f(t + ch, ·) or G(t + ch, ·)·(αW + βH), each at the state or at the state plus a
//! combination of earlier results; the new state is another such combination. The list is all that an
//! adjoint needs as well.

use ansatz_core::{NoiseKind, Sde, State, Tolerance, VjpControlField, VjpField};

use super::noisy::Step;
use super::{Calculus, check_levels};
use crate::adjoint::AdjointStepper;
use crate::brownian::{Brownian, Increment, LevyArea};
use crate::{StepError, Stepper};

/// A method as data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SrkTableau {
    /// Its name.
    pub name: &'static str,
    /// In which calculus it reads the equation.
    pub calculus: Calculus,
    /// Kinds of noise that it treats.
    pub noise: &'static [NoiseKind],
    /// The same in words.
    pub needs: &'static str,
    /// What it needs of the path.
    pub levels: LevyArea,
    /// Order in the step-size rule: strong order + ½.
    pub error_order: f64,
    /// The evaluations, in order.
    pub calls: &'static [Call],
    /// The new state is X + Σ weights·results.
    pub weights: &'static [f64],
    /// The error estimate is Σ error·results; empty if there is none.
    pub error: &'static [f64],
}

/// One evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Of what.
    pub term: Term,
    /// At the time t + node·h.
    pub node: f64,
    /// At which state.
    pub at: At,
}

/// What is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// h·f.
    Drift,
    /// G·(w·W + area·H).
    Noise {
        /// Factor of the increment.
        w: f64,
        /// Factor of the space-time area.
        area: f64,
    },
}

/// Where it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// At the state before the step.
    Start,
    /// At X + Σ row·results, over the calls before this one.
    Row(&'static [f64]),
}

/// Most calls of a table.
const MAX_CALLS: usize = 8;

const ANY: &[NoiseKind] = &[
    NoiseKind::Additive,
    NoiseKind::Diagonal,
    NoiseKind::Commutative,
    NoiseKind::General,
];

const fn drift(node: f64, at: At) -> Call {
    let term = Term::Drift;
    Call { term, node, at }
}

const fn noise(node: f64, at: At, w: f64, area: f64) -> Call {
    let term = Term::Noise { w, area };
    Call { term, node, at }
}

/// X* = X + GΔW, X + fh + ½(G + G*)ΔW. The estimate is the difference to Euler's method.
pub const EULER_HEUN: SrkTableau = SrkTableau {
    name: "Euler-Heun",
    calculus: Calculus::Stratonovich,
    noise: ANY,
    needs: "nothing",
    levels: LevyArea::None,
    error_order: 1.0,
    calls: &[
        drift(0.0, At::Start),
        noise(0.0, At::Start, 1.0, 0.0),
        noise(0.0, At::Row(&[0.0, 1.0]), 1.0, 0.0),
    ],
    weights: &[1.0, 0.5, 0.5],
    error: &[0.0, -0.5, 0.5],
};

/// Rößler's SRA1 for additive noise (2010), with I₁₀/h = W/2 + H.
pub const SRA1: SrkTableau = SrkTableau {
    name: "SRA1",
    calculus: Calculus::Ito,
    noise: &[NoiseKind::Additive],
    needs: "additive noise",
    levels: LevyArea::SpaceTime,
    error_order: 2.0,
    calls: &[
        drift(0.0, At::Start),
        noise(0.0, At::Start, 0.5, 1.0),
        noise(1.0, At::Start, 0.5, 1.0),
        noise(1.0, At::Start, 1.0, 0.0),
        drift(0.75, At::Row(&[0.75, 0.0, 1.5])),
    ],
    weights: &[1.0 / 3.0, 1.0, -1.0, 1.0, 2.0 / 3.0],
    error: &[-2.0 / 3.0, 1.0, -1.0, 0.0, 2.0 / 3.0],
};

/// Shifted additive-noise Runge-Kutta (Foster, dos Reis, Strange 2023) for additive noise that does not depend
/// on time.
pub const SHARK: SrkTableau = SrkTableau {
    name: "ShARK",
    calculus: Calculus::Ito,
    noise: &[NoiseKind::Additive],
    needs: "additive noise",
    levels: LevyArea::SpaceTime,
    error_order: 2.0,
    calls: &[
        noise(0.0, At::Start, 0.0, 1.0),
        drift(0.0, At::Row(&[1.0])),
        noise(0.0, At::Start, 1.0, 0.0),
        drift(5.0 / 6.0, At::Row(&[1.0, 5.0 / 6.0, 5.0 / 6.0])),
    ],
    weights: &[0.0, 0.4, 1.0, 0.6],
    error: &[0.0, -0.6, 0.0, 0.6],
};

impl SrkTableau {
    /// Checks that rows fit the calls.
    ///
    /// # Errors
    /// [`StepError::Tableau`].
    pub fn validate(&self) -> Result<(), StepError> {
        let wrong = |what, stage: usize, got: usize, expected: usize| {
            Err(StepError::Tableau {
                name: self.name,
                what,
                stage,
                got: got as f64,
                expected: expected as f64,
            })
        };
        let n = self.calls.len();
        if n > MAX_CALLS {
            return wrong("number of calls", n, n, MAX_CALLS);
        }
        for (i, call) in self.calls.iter().enumerate() {
            if let At::Row(row) = call.at
                && row.len() > i
            {
                return wrong("length of the row", i, row.len(), i);
            }
        }
        if self.weights.len() != n {
            return wrong("length of the weights", n, self.weights.len(), n);
        }
        if !self.error.is_empty() && self.error.len() != n {
            return wrong("length of the error row", n, self.error.len(), n);
        }
        Ok(())
    }

    /// What the results of a call are multiplied by: drifts are stored without h.
    fn scale(&self, call: usize, h: f64) -> f64 {
        match self.calls[call].term {
            Term::Drift => h,
            Term::Noise { .. } => 1.0,
        }
    }
}

/// A [`SrkTableau`] bound to an equation and a path.
pub struct StochasticRungeKutta<'a, S, W, E: ?Sized, B: ?Sized> {
    tableau: SrkTableau,
    equation: &'a E,
    path: &'a mut B,
    step: Step<W>,
    /// w·W + area·H.
    control: W,
    results: Vec<S>,
    next: S,
    scratch: S,
    pull_memory: Option<PullMemory<S, W>>,
    nfe: usize,
}

/// Memory of the backward pass.
struct PullMemory<S, W> {
    /// Where the calls were evaluated; then the cotangents of these states.
    points: Vec<S>,
    bar: S,
    x_bar: S,
    u_bar: W,
}

impl<'a, S, W, E, B> StochasticRungeKutta<'a, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    /// Allocates for states like `like`.
    ///
    /// # Errors
    /// [`StepError::Tableau`], [`StepError::Noise`], [`StepError::Levels`].
    pub fn new(
        tableau: SrkTableau,
        equation: &'a E,
        path: &'a mut B,
        like: &S,
    ) -> Result<Self, StepError> {
        tableau.validate()?;
        let (method, kind) = (tableau.name, equation.noise());
        if !tableau.noise.contains(&kind) {
            let needs = tableau.needs;
            return Err(StepError::Noise {
                method,
                kind,
                needs,
            });
        }
        check_levels(method, tableau.levels, path.levels())?;
        let zeros = like.zeros_like();
        Ok(Self {
            equation,
            step: Step::new(path),
            control: path.like().zeros_like(),
            path,
            results: vec![zeros.clone(); tableau.calls.len()],
            next: zeros.clone(),
            scratch: zeros,
            pull_memory: None,
            nfe: 0,
            tableau,
        })
    }
}

impl<S, W, E, B> Stepper<S> for StochasticRungeKutta<'_, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    fn error_order(&self) -> Option<f64> {
        (!self.tableau.error.is_empty()).then_some(self.tableau.error_order)
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.step.query(self.path, t, h)?;
        let tableau = self.tableau;
        let increment = &self.step.increment;
        for (i, call) in tableau.calls.iter().enumerate() {
            let (earlier, rest) = self.results.split_at_mut(i);
            let at = match call.at {
                At::Start => y,
                At::Row(row) => {
                    combine(&mut self.scratch, Some(y), &tableau, h, row, earlier);
                    &self.scratch
                }
            };
            let time = t + call.node * h;
            let (out, equation) = (&mut rest[0], self.equation);
            let done = match call.term {
                Term::Drift => equation.eval(time, at, out),
                Term::Noise { w, area } => {
                    let control = control(w, area, increment, &mut self.control);
                    equation.apply(time, at, control, out)
                }
            };
            done.map_err(|source| StepError::Eval { t: time, source })?;
            crate::stepper::same_length(time, y, out)?;
            self.nfe += 1;
        }
        combine(
            &mut self.next,
            Some(y),
            &tableau,
            h,
            tableau.weights,
            &self.results,
        );
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, h: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        if !self.next.is_finite() {
            return Ok(f64::NAN);
        }
        let tableau = self.tableau;
        combine(
            &mut self.scratch,
            None,
            &tableau,
            h,
            tableau.error,
            &self.results,
        );
        Ok(self.scratch.error_norm(y, &self.next, tolerance))
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
    }

    fn restart(&mut self) {}

    fn nfe(&self) -> usize {
        self.nfe
    }
}

/// w·W + area·H, in `out` unless it is W.
fn control<'a, W: State>(w: f64, area: f64, increment: &'a Increment<W>, out: &'a mut W) -> &'a W {
    let Some(levy) = increment.h().filter(|_| area != 0.0) else {
        // A table that has no area has W once.
        return increment.w();
    };
    let terms = [(area, levy), (w, increment.w())];
    let count = if w == 0.0 { 1 } else { 2 };
    out.lincomb(0.0, &terms[..count]);
    out
}

/// With vᵢ the results, xᵢ the states where they were evaluated and rⱼ the rows: v̄ᵢ = wᵢȳ₁ + Σ_{j>i} rⱼᵢ x̄ⱼ,
/// x̄ᵢ = (∂vᵢ/∂x)ᵀv̄ᵢ and ȳ₀ = ȳ₁ + Σ x̄ᵢ.
impl<S, W, E, B> AdjointStepper<S> for StochasticRungeKutta<'_, S, W, E, B>
where
    S: State,
    W: State,
    E: Sde<S, W> + VjpField<S> + VjpControlField<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    fn params(&self) -> usize {
        VjpField::params(self.equation)
    }

    fn pull(
        &mut self,
        t: f64,
        h: f64,
        y: &S,
        y_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), StepError> {
        self.attempt(t, h, y)?;
        let (tableau, equation) = (self.tableau, self.equation);
        let increment = &self.step.increment;
        let memory = self.pull_memory.get_or_insert_with(|| PullMemory {
            points: vec![y.zeros_like(); tableau.calls.len()],
            bar: y.zeros_like(),
            x_bar: y.zeros_like(),
            u_bar: increment.w().zeros_like(),
        });
        let PullMemory {
            points,
            bar,
            x_bar,
            u_bar,
        } = memory;
        for (point, call) in points.iter_mut().zip(tableau.calls) {
            match call.at {
                At::Start => point.assign(y),
                At::Row(row) => combine(point, Some(y), &tableau, h, row, &self.results),
            }
        }
        for (i, call) in tableau.calls.iter().enumerate().rev() {
            let scale = tableau.scale(i, h);
            let mut terms = [(scale * tableau.weights[i], &*y_bar); MAX_CALLS + 1];
            let mut count = 1;
            for (later, x_bar) in tableau.calls.iter().zip(&*points).skip(i + 1) {
                if let At::Row(row) = later.at
                    && let Some(c) = row.get(i).filter(|c| **c != 0.0)
                {
                    terms[count] = (scale * c, x_bar);
                    count += 1;
                }
            }
            bar.lincomb(0.0, &terms[..count]);
            let (time, point) = (t + call.node * h, &points[i]);
            let done = match call.term {
                Term::Drift => equation.vjp(time, point, bar, x_bar, p_bar),
                Term::Noise { w, area } => {
                    let control = control(w, area, increment, &mut self.control);
                    equation.control_vjp(time, point, control, bar, x_bar, u_bar, p_bar)
                }
            };
            done.map_err(|source| StepError::Eval { t: time, source })?;
            crate::stepper::same_length(time, y, x_bar)?;
            std::mem::swap(&mut points[i], x_bar);
        }
        for x_bar in &*points {
            y_bar.lincomb(1.0, &[(1.0, x_bar)]);
        }
        Ok(())
    }

    fn rate(&mut self, _: f64, _: &S, _: &mut S) -> Result<bool, StepError> {
        Ok(false)
    }
}

/// `out ← y + Σ row·results` in one pass.
fn combine<S: State>(
    out: &mut S,
    y: Option<&S>,
    tableau: &SrkTableau,
    h: f64,
    row: &[f64],
    results: &[S],
) {
    let Some(first) = y.or(results.first()) else {
        return;
    };
    let mut terms = [(1.0, first); MAX_CALLS + 1];
    let mut count = usize::from(y.is_some());
    for (i, (c, v)) in row.iter().zip(results).enumerate() {
        if *c != 0.0 {
            terms[count] = (c * tableau.scale(i, h), v);
            count += 1;
        }
    }
    out.lincomb(0.0, &terms[..count]);
}
