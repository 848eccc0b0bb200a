//! Exact end points of the probability flow, by extrapolation.
//!
//! The flow `dx/dt = f·x − ½g²·∇log p` of a diffusion model reads in λ = ln(α/σ)
//! `dx/dλ = (d ln α/dλ)·x − σ·ε(x, λ)`, which is smooth and of even scale. It is integrated on
//! uniform steps in λ by Gragg's midpoint rule with 2, 4, …, 12 substeps and Richardson
//! extrapolation in the square of the substep: order 12, 37 model evaluations per step. On
//! [`crate::tb1`] the default of 64 steps leaves errors below 1e-12.
//!
//! Use it as the truth for solvers on models whose flow has no closed form. It is not meant to be
//! cheap, and in `f32` states it is no better than the state's rounding.
//!
//! Reference: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd
//! edition, section II.9 (extrapolation, without the smoothing step).

use ansatz_core::{Denoiser, EvalError, NoiseSchedule, Prediction, State};

/// Rows of the extrapolation table; row `j` takes `2(j + 1)` midpoint substeps.
const ROWS: usize = 6;

/// The reference integrator, with its one setting.
///
/// ```
/// use ansatz_testkit::reference::ProbabilityFlow;
/// let quick = ProbabilityFlow { steps: 24 };
/// assert!(quick.steps < ProbabilityFlow::default().steps);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbabilityFlow {
    /// Uniform steps in λ, of order 12 each.
    pub steps: usize,
}

impl Default for ProbabilityFlow {
    fn default() -> Self {
        Self { steps: 64 }
    }
}

/// Carries `x` along the probability flow of `model` from one time to another, with the default
/// [`ProbabilityFlow`].
///
/// # Errors
/// Those of [`ProbabilityFlow::solve`].
pub fn probability_flow<S: State>(
    model: &(impl Denoiser<S> + ?Sized),
    schedule: &(impl NoiseSchedule + ?Sized),
    from_t: f64,
    to_t: f64,
    x: &S,
) -> Result<S, EvalError> {
    ProbabilityFlow::default().solve(model, schedule, from_t, to_t, x)
}

impl ProbabilityFlow {
    /// Carries `x` along the probability flow of `model` from one time to another, in either
    /// direction.
    ///
    /// # Errors
    /// Those of the model; [`EvalError::NonFinite`] when λ of an end is not finite (σ = 0 there)
    /// or the result is not; [`EvalError::OutOfRange`] for 0 steps.
    pub fn solve<S: State>(
        &self,
        model: &(impl Denoiser<S> + ?Sized),
        schedule: &(impl NoiseSchedule + ?Sized),
        from_t: f64,
        to_t: f64,
        x: &S,
    ) -> Result<S, EvalError> {
        if self.steps == 0 {
            return Err(EvalError::OutOfRange {
                what: "steps",
                value: 0.0,
                min: 1.0,
                max: f64::INFINITY,
            });
        }
        let (start, end) = (schedule.lambda(from_t), schedule.lambda(to_t));
        if !(start.is_finite() && end.is_finite()) {
            return Err(EvalError::NonFinite {
                what: "lambda at an end of the flow",
            });
        }
        let node = |i: usize| start + (end - start) * (i as f64 / self.steps as f64);
        // dx ← dx/dλ
        let rate = |lambda: f64, x: &S, dx: &mut S| {
            let at = schedule.level(schedule.t_of_lambda(lambda));
            let f = schedule.log_alpha_rate(at.t);
            let growth = f / (f - at.sigma_rate / at.sigma);
            model.eval_as(Prediction::Noise, x, &at, dx)?;
            dx.lincomb(-at.sigma, &[(growth, x)]);
            Ok::<_, EvalError>(())
        };
        let mut x = x.clone();
        let mut table: Vec<S> = (0..ROWS).map(|_| x.zeros_like()).collect();
        let [mut first, mut slope, mut behind] = [(); 3].map(|()| x.zeros_like());
        for i in 0..self.steps {
            let (a, b) = (node(i), node(i + 1));
            rate(a, &x, &mut first)?;
            for (j, row) in table.iter_mut().enumerate() {
                let substeps = 2 * (j + 1);
                let h = (b - a) / substeps as f64;
                behind.assign(&x);
                row.lincomb(0.0, &[(1.0, &x), (h, &first)]);
                for k in 1..substeps {
                    rate(a + h * k as f64, row, &mut slope)?;
                    // The older of the two last points becomes the newest.
                    behind.lincomb(1.0, &[(2.0 * h, &slope)]);
                    std::mem::swap(row, &mut behind);
                }
            }
            extrapolate(&mut table);
            x.assign(&table[0]);
        }
        if x.is_finite() {
            Ok(x)
        } else {
            Err(EvalError::NonFinite {
                what: "end of the probability flow",
            })
        }
    }
}

/// Aitken and Neville in h²: leaves the value of highest order in the first place.
fn extrapolate<S: State>(table: &mut [S]) {
    for column in 1..table.len() {
        for j in 0..table.len() - column {
            // Row j now combines substep counts 2(j + 1) to 2(j + column + 1).
            let ratio = (j + column + 1) as f64 / (j + 1) as f64;
            let c = 1.0 / (ratio * ratio - 1.0);
            let (left, right) = table.split_at_mut(j + 1);
            left[j].lincomb(-c, &[(1.0 + c, &right[0])]);
        }
    }
}
