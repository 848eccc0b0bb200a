//! One step of any table, in place.
//!
//! Memory: the stages' slopes and one state. A stage's argument and the result share the state,
//! the error estimate overwrites the second slope, and a reused last stage changes places with the
//! first, so a step allocates nothing and copies nothing.

use ansatz_core::{EvalError, State, Tolerance, VectorField};

use crate::tableau::MAX_STAGES;
use crate::{StepError, Tableau};

/// The working memory of a solve, and where in a step it is.
pub(crate) struct Stepper<'a, S> {
    tableau: &'a Tableau,
    field: &'a dyn VectorField<S>,
    /// kᵢ; the first stays valid when a step is rejected.
    slopes: Vec<S>,
    /// Argument of the next stage; after [`Stepper::attempt`], the result of the step.
    pub(crate) next: S,
    /// Whether the first slope belongs to the current state.
    has_first: bool,
    /// Stages to evaluate: without an error estimate a reused last stage is left to the next step.
    stages: usize,
    /// Evaluations of the field so far.
    pub(crate) nfe: usize,
}

impl<'a, S: State> Stepper<'a, S> {
    /// Allocates for states like `like`; `estimate` says whether errors will be asked for.
    pub(crate) fn new(
        tableau: &'a Tableau,
        field: &'a dyn VectorField<S>,
        like: &S,
        estimate: Estimate,
    ) -> Self {
        let lazy = estimate == Estimate::None && tableau.reuses_last();
        let stages = tableau.stages() - usize::from(lazy);
        Self {
            tableau,
            field,
            slopes: (0..stages).map(|_| like.zeros_like()).collect(),
            next: like.zeros_like(),
            has_first: false,
            stages,
            nfe: 0,
        }
    }

    /// Whether the last stage is evaluated and serves as the first of the next step.
    fn carries(&self) -> bool {
        self.stages == self.tableau.stages() && self.tableau.reuses_last()
    }

    /// f(t, y), from memory if it is known.
    pub(crate) fn first(&mut self, t: f64, y: &S) -> Result<&S, StepError> {
        if !self.has_first {
            evaluate(self.field, t, y, &mut self.slopes[0])?;
            self.nfe += 1;
            self.has_first = true;
        }
        Ok(&self.slopes[0])
    }

    /// f(t, y + h·f₀) in the second slope, for the choice of the first step.
    pub(crate) fn probe(&mut self, t: f64, h: f64, y: &S) -> Result<[&S; 2], StepError> {
        self.first(t, y)?;
        self.next.lincomb(0.0, &[(1.0, y), (h, &self.slopes[0])]);
        evaluate(self.field, t + h, &self.next, &mut self.slopes[1])?;
        self.nfe += 1;
        Ok([&self.slopes[0], &self.slopes[1]])
    }

    /// Computes the state after a step of size `h` from `y` in [`Stepper::next`].
    pub(crate) fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.first(t, y)?;
        for i in 1..self.stages {
            combine(
                &mut self.next,
                y,
                h,
                self.tableau.coefficients[i],
                &self.slopes,
            );
            let at = t + self.tableau.nodes[i] * h;
            evaluate(self.field, at, &self.next, &mut self.slopes[i])?;
            self.nfe += 1;
        }
        if !self.carries() {
            combine(&mut self.next, y, h, self.tableau.weights, &self.slopes);
        }
        Ok(())
    }

    /// Scaled error of the attempted step; smaller than 1 is accepted. NaN if anything was not
    /// finite. Uses up the slopes other than the first and the last.
    pub(crate) fn error(&mut self, h: f64, y: &S, tolerance: Tolerance) -> f64 {
        if !self.next.is_finite() {
            return f64::NAN;
        }
        let d = self.tableau.error;
        let (before, rest) = self.slopes.split_at_mut(1);
        let (estimate, after) = rest.split_at_mut(1);
        let mut terms = [(h * d[0], &before[0]); MAX_STAGES];
        for ((term, d), slope) in terms[1..].iter_mut().zip(&d[2..]).zip(&*after) {
            *term = (h * d, slope);
        }
        estimate[0].lincomb(h * d[1], &terms[..=after.len()]);
        estimate[0].error_norm(y, &self.next, tolerance)
    }

    /// Makes the attempted step the current state.
    pub(crate) fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
        if self.carries() {
            self.slopes.swap(0, self.stages - 1);
        } else {
            self.has_first = false;
        }
    }

    /// Why the attempted step has no finite result.
    pub(crate) fn broken(&self, t: f64, h: f64) -> StepError {
        // The estimate of the error may have used up the second slope; the others are intact.
        for (slope, c) in self.slopes.iter().zip(self.tableau.nodes) {
            if !slope.is_finite() {
                return StepError::NonFinite {
                    what: "the field",
                    t: t + c * h,
                };
            }
        }
        StepError::NonFinite {
            what: "the solution",
            t: t + h,
        }
    }

    /// Whether the first slope, which every step size shares, is finite.
    pub(crate) fn first_is_finite(&self) -> bool {
        self.slopes[0].is_finite()
    }
}

/// Whether a solve needs error estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Estimate {
    None,
    EveryStep,
}

fn evaluate<S: State>(
    field: &dyn VectorField<S>,
    t: f64,
    x: &S,
    out: &mut S,
) -> Result<(), StepError> {
    field
        .eval(t, x, out)
        .map_err(|source| StepError::Eval { t, source })?;
    if out.len() == x.len() {
        Ok(())
    } else {
        let source = EvalError::Length {
            what: "output of the field",
            expected: x.len(),
            got: out.len(),
        };
        Err(StepError::Eval { t, source })
    }
}

/// `out ← y + h Σ c·k` in one pass, leaving out coefficients that are 0.
fn combine<S: State>(out: &mut S, y: &S, h: f64, c: &[f64], slopes: &[S]) {
    let mut terms = [(1.0, y); MAX_STAGES + 1];
    let mut count = 1;
    for (c, k) in c.iter().zip(slopes) {
        if *c != 0.0 {
            terms[count] = (h * c, k);
            count += 1;
        }
    }
    out.lincomb(0.0, &terms[..count]);
}
