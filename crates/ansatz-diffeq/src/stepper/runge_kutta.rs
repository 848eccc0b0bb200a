//! One step of any explicit Runge-Kutta table, in place.
//!
//! Memory: the slopes of the stages, the result (which also holds the stages' arguments) and one
//! state for error estimates. A reused last stage changes places with the first, so a step
//! allocates nothing and copies nothing; dense output allocates its extra slopes once.

use ansatz_core::{State, Tolerance};

use super::{Drive, Stepper, Stiffness, evaluate};
use crate::adjoint::PullMemory;
use crate::tableau::MAX_STAGES;
use crate::{Adaptive, StepError, Tableau};

/// An explicit Runge-Kutta method for dx/dt = f(t, x), or for the slope of any [`Drive`].
///
/// ```
/// use ansatz_diffeq::{Control, RungeKutta, integrate, tableau};
/// let decay = |_: f64, x: &[f64; 1], dx: &mut [f64; 1]| {
///     dx[0] = -x[0];
///     Ok(())
/// };
/// let mut y = [1.0];
/// let mut method = RungeKutta::new(&tableau::RK4, &decay, &y);
/// integrate(&mut method, &[0.0, 1.0], &mut y, &Control::fixed(50), &mut ())?;
/// assert!((y[0] - (-1.0_f64).exp()).abs() < 1e-8);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is known of a step comes and goes independently"
)]
pub struct RungeKutta<'a, S, D> {
    pub(crate) tableau: &'a Tableau,
    /// Whether the last stage is the first of the next step.
    reused: bool,
    pub(crate) drive: D,
    /// kᵢ; the first stays valid when a step is rejected.
    pub(crate) slopes: Vec<S>,
    /// Argument of the next stage; after an attempt, the result of the step.
    pub(crate) next: S,
    /// Differences: the error estimate, and arguments in the search of a first step.
    scratch: S,
    /// f at the end of the step where no stage has it, and the extra stages of dense output.
    extra: Vec<S>,
    /// Whether the first slope belongs to the current state.
    has_first: bool,
    /// Whether the slope at the end of the attempted step is known.
    has_end: bool,
    /// Whether the extra stages of the attempted step are known.
    has_extra: bool,
    /// Real interval of stability, once somebody asked.
    limit: Option<f64>,
    pub(crate) nfe: usize,
    /// Memory of the backward pass, once there is one.
    pub(crate) pull_memory: Option<PullMemory<S>>,
}

impl<'a, S: State, D: Drive<S>> RungeKutta<'a, S, D> {
    /// Allocates for states like `like`. `drive` is a reference to a
    /// [`VectorField`](ansatz_core::VectorField), or a [`Drive`] that brings increments. The table
    /// is the caller's to [`validate`](Tableau::validate).
    pub fn new(tableau: &'a Tableau, drive: D, like: &S) -> Self {
        Self {
            tableau,
            reused: tableau.reuses_last(),
            drive,
            slopes: (0..tableau.stages()).map(|_| like.zeros_like()).collect(),
            next: like.zeros_like(),
            scratch: like.zeros_like(),
            extra: Vec::new(),
            has_first: false,
            has_end: false,
            has_extra: false,
            limit: None,
            nfe: 0,
            pull_memory: None,
        }
    }

    /// The slopes are about to be used for something else.
    pub(crate) fn forget(&mut self) {
        self.has_first = false;
        self.has_end = false;
        self.has_extra = false;
    }

    /// f(t, y), from memory if it is known.
    fn first(&mut self, t: f64, y: &S) -> Result<(), StepError> {
        if !self.has_first {
            evaluate(&mut self.drive, t, y, &mut self.slopes[0])?;
            self.nfe += 1;
            self.has_first = true;
        }
        Ok(())
    }

    /// Makes f at the end of the attempted step known.
    pub(crate) fn end(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        if self.has_end {
            return Ok(());
        }
        let slope = if self.reused {
            &mut self.slopes[self.tableau.stages() - 1]
        } else {
            if self.extra.is_empty() {
                self.extra.push(self.next.zeros_like());
            }
            &mut self.extra[0]
        };
        evaluate(&mut self.drive, t + h, &self.next, slope)?;
        self.nfe += 1;
        self.has_end = true;
        Ok(())
    }

    /// Where the slope at the end is.
    fn end_slope(&self) -> &S {
        if self.reused {
            &self.slopes[self.tableau.stages() - 1]
        } else {
            &self.extra[0]
        }
    }

    /// The slopes of the table's extra stages, behind the end slope if that is kept there.
    fn extra_stages(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        let rows = self.tableau.extra;
        if self.has_extra || rows.is_empty() {
            return Ok(());
        }
        let base = usize::from(!self.reused);
        while self.extra.len() < base + rows.len() {
            self.extra.push(self.next.zeros_like());
        }
        let stages = self.slopes.len();
        for (i, (node, row)) in rows.iter().enumerate() {
            let (known, unknown) = self.extra.split_at_mut(base + i);
            let slopes = self.slopes.iter().chain(&known[base..]);
            combine(&mut self.scratch, y, h, &row[..stages + i], slopes);
            evaluate(
                &mut self.drive,
                t + node * h,
                &self.scratch,
                &mut unknown[0],
            )?;
            self.nfe += 1;
        }
        self.has_extra = true;
        Ok(())
    }

    /// `scratch ← h Σ d·k`.
    #[inline]
    fn difference(&mut self, h: f64, d: &[f64]) {
        self.scratch.step_from(None, h, d, &self.slopes);
    }
}

impl<S: State, D: Drive<S>> Stepper<S> for RungeKutta<'_, S, D> {
    fn error_order(&self) -> Option<f64> {
        // With noise, what an embedded method of lower order misses shrinks as h does.
        let order = if D::STEADY {
            f64::from(self.tableau.order)
        } else {
            1.0
        };
        (!self.tableau.error.is_empty()).then_some(order)
    }

    #[inline]
    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.drive.begin(t, h)?;
        if !D::STEADY {
            self.has_first = false;
        }
        self.first(t, y)?;
        self.has_end = false;
        self.has_extra = false;
        let tableau = self.tableau;
        // A reused last stage is evaluated when somebody asks: the error estimate or the next step.
        let reused = self.reused;
        let stages = tableau.stages() - usize::from(reused);
        for i in 1..stages {
            self.next
                .step_from(Some(y), h, tableau.coefficients[i], &self.slopes);
            let at = t + tableau.nodes[i] * h;
            evaluate(&mut self.drive, at, &self.next, &mut self.slopes[i])?;
            self.nfe += 1;
        }
        self.next
            .step_from(Some(y), h, tableau.weights, &self.slopes);
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    #[inline]
    fn error(&mut self, t: f64, h: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        if !self.next.is_finite() {
            return Ok(f64::NAN);
        }
        let tableau = self.tableau;
        if self.reused {
            self.end(t, h)?;
        }
        self.difference(h, tableau.error);
        let q = self.scratch.error_norm(y, &self.next, tolerance);
        if tableau.second_error.is_empty() {
            return Ok(q);
        }
        self.difference(h, tableau.second_error);
        let second = self.scratch.error_norm(y, &self.next, tolerance);
        Ok(combined(q, second))
    }

    #[inline]
    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
        self.has_first = self.has_end;
        if self.has_end {
            if self.reused {
                let last = self.slopes.len() - 1;
                self.slopes.swap(0, last);
            } else {
                std::mem::swap(&mut self.slopes[0], &mut self.extra[0]);
            }
        }
    }

    fn restart(&mut self) {
        self.has_first = false;
    }

    fn nfe(&self) -> usize {
        self.nfe
    }

    fn interpolate(
        &mut self,
        t: f64,
        h: f64,
        theta: f64,
        y: &S,
        out: &mut S,
    ) -> Result<(), StepError> {
        self.end(t, h)?;
        self.extra_stages(t, h, y)?;
        let tableau = self.tableau;
        let mut weights = [0.0; MAX_STAGES];
        let end = tableau.dense_weights(theta, &mut weights);
        let base = usize::from(!self.reused);
        let stages = self.slopes.iter().chain(self.extra.iter().skip(base));
        let mut terms = [(1.0, y); MAX_STAGES + 2];
        let mut count = 1;
        for (c, k) in weights.iter().zip(stages) {
            if *c != 0.0 {
                terms[count] = (h * c, k);
                count += 1;
            }
        }
        terms[count] = (h * end, self.end_slope());
        out.lincomb(0.0, &terms[..=count]);
        Ok(())
    }

    fn dense_rows(&self) -> usize {
        3 + self.tableau.dense.len()
    }

    fn dense_row(&mut self, t: f64, h: f64, y: &S, j: usize, out: &mut S) -> Result<(), StepError> {
        self.end(t, h)?;
        self.extra_stages(t, h, y)?;
        let (first, end) = (&self.slopes[0], self.end_slope());
        match j {
            0 => out.lincomb(0.0, &[(1.0, &self.next), (-1.0, y)]),
            1 => out.lincomb(0.0, &[(h, first), (-1.0, &self.next), (1.0, y)]),
            2 => {
                let change = [(2.0, &self.next), (-2.0, y)];
                out.lincomb(0.0, &[change[0], change[1], (-h, first), (-h, end)]);
            }
            _ => {
                let base = usize::from(!self.reused);
                let stages = self.slopes.iter().chain(self.extra.iter().skip(base));
                let mut terms = [(0.0, first); MAX_STAGES];
                out.lincomb(
                    0.0,
                    fill(&mut terms, 0, h, self.tableau.dense[j - 3], stages),
                );
            }
        }
        Ok(())
    }

    fn stiffness(&mut self) -> Option<Stiffness> {
        let (i, j) = self.tableau.twin_stages()?;
        if !self.has_end {
            return None;
        }
        let terms = [(1.0, &self.slopes[j]), (-1.0, &self.slopes[i])];
        self.scratch.lincomb(0.0, &terms);
        let slopes = self.scratch.norm();
        // The arguments of the two stages differ by h Σ (aⱼ − aᵢ) k.
        let mut d = [0.0; MAX_STAGES];
        let rows = self.tableau.coefficients;
        for (k, a) in rows[j].iter().enumerate() {
            d[k] = a - rows[i].get(k).copied().unwrap_or(0.0);
        }
        let count = rows[j].len();
        self.difference(1.0, &d[..count]);
        let arguments = self.scratch.norm();
        let size = slopes / arguments;
        let limit = *self
            .limit
            .get_or_insert_with(|| self.tableau.real_stability());
        (arguments > 0.0).then_some(Stiffness { size, limit })
    }

    fn first_step(
        &mut self,
        (start, end): (f64, f64),
        y: &S,
        settings: &Adaptive,
    ) -> Result<f64, StepError> {
        if let Some(h) = settings.first {
            return Ok(h);
        }
        if !D::STEADY {
            return Err(super::needs_first());
        }
        let length = (end - start).abs();
        let tol = settings.tolerance;
        self.first(start, y)?;
        let (d0, d1) = (
            y.error_norm(y, y, tol),
            self.slopes[0].error_norm(y, y, tol),
        );
        let tiny = d0 < 1e-5 || d1 < 1e-5;
        let h0 = if tiny { 1e-6 } else { 0.01 * d0 / d1 };
        let h0 = h0.min(length);
        let signed = h0.copysign(end - start);
        self.next
            .lincomb(0.0, &[(1.0, y), (signed, &self.slopes[0])]);
        evaluate(
            &mut self.drive,
            start + signed,
            &self.next,
            &mut self.scratch,
        )?;
        self.nfe += 1;
        self.scratch.lincomb(1.0, &[(-1.0, &self.slopes[0])]);
        let d2 = self.scratch.error_norm(y, y, tol) / h0;
        let largest = d1.max(d2);
        let h1 = if largest <= 1e-15 {
            (1e-3 * h0).max(1e-6)
        } else {
            (0.01 / largest).powf(1.0 / f64::from(self.tableau.order))
        };
        // A field that is not finite nearby gives NaN, and `min` lets h₀ through.
        Ok(h1.min(100.0 * h0).min(length))
    }

    fn broken(&self, t: f64, h: f64) -> StepError {
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

    /// The first slope is shared by every step size.
    fn hopeless(&self) -> bool {
        !self.slopes[0].is_finite()
    }
}

/// The norm of two error estimates that DOP853 uses: between the two orders, and never above the
/// higher one (Hairer, Nørsett, Wanner, section II.10, eq. 10.17).
fn combined(q: f64, second: f64) -> f64 {
    let both = q * q + 0.01 * second * second;
    if both > 0.0 {
        q * q / both.sqrt()
    } else {
        both
    }
}

/// Writes the terms h·c·k with c ≠ 0 from `count` on.
#[inline]
fn fill<'t, 'a, S: 'a>(
    terms: &'t mut [(f64, &'a S)],
    mut count: usize,
    h: f64,
    c: &[f64],
    slopes: impl IntoIterator<Item = &'a S>,
) -> &'t [(f64, &'a S)] {
    for (c, k) in c.iter().zip(slopes) {
        if *c != 0.0 {
            terms[count] = (h * c, k);
            count += 1;
        }
    }
    &terms[..count]
}

/// `out ← y + h Σ c·k` in one pass, leaving out coefficients that are 0.
#[inline]
fn combine<'a, S: State + 'a>(
    out: &mut S,
    y: &'a S,
    h: f64,
    c: &[f64],
    slopes: impl IntoIterator<Item = &'a S>,
) {
    let mut terms = [(1.0, y); MAX_STAGES + 1];
    out.lincomb(0.0, fill(&mut terms, 1, h, c, slopes));
}
