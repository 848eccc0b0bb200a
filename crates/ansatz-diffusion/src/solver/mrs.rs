//! Samplers for mean-reverting diffusion: any plan, around an anchor.
//!
//! Restoration diffusion reverts to a degraded image μ: dx = f·(μ − x)dt + g dw, whose marginal is
//! x = αx₀ + (1 − α)μ + σε. Shifted by μ it is the ordinary one,
//! `x − μ = α(x₀ − μ) + σε`, so every solver of this crate is a sampler for it. The steps that the
//! paper derives (MR sampler, ODE and SDE, orders 1 to 3) are [`DpmMultistep`](crate::DpmMultistep)
//! with Taylor coefficients and [`SdeDpmMultistep`](crate::SdeDpmMultistep), term by term.
//!
//! Cost: that of the plan, one state more, and two passes over the state an evaluation.
//!
//! Use it with models trained on mean-reverting SDEs, on [`ScaledNoise`](crate::ScaledNoise)
//! schedules. The final clipping to [0, 1] of published programs is left to the caller.
//!
//! References: Z. Luo, F. Gustafsson, Z. Zhao, J. Sjölund, T. Schön, *Image restoration with
//! mean-reverting stochastic differential equations*, 2023; A. Li, W. Fang, H. Zhao, L. Lu, G. Yang,
//! M. Xu, *MaRS: a fast sampler for mean reverting diffusion based on ODE and SDE solvers*, 2025.

use std::ops::ControlFlow;

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    Denoiser, EvalError, Event, Key, NoiseLevel, Observer, Prediction, Report, State,
};

use super::Sampler;
use super::rows::finite;
use crate::{Plan, SampleError};

/// A model on x, as a model on x − μ. It predicts the same kind, of the pair (x₀ − μ, ε).
///
/// Velocity and flow are those of the shifted pair already; see [`StationaryVelocity`] for the
/// velocity of mean-reverting models.
pub struct Shifted<S, D> {
    inner: D,
    anchor: S,
    scratch: Scratch<S>,
}

impl<S: State, D> Shifted<S, D> {
    /// Shifts by `anchor`, which is μ.
    pub fn new(inner: D, anchor: S) -> Self {
        Self {
            inner,
            anchor,
            scratch: Scratch::default(),
        }
    }
}

impl<S: State, D: Denoiser<S>> Denoiser<S> for Shifted<S, D> {
    fn native(&self) -> Prediction {
        self.inner.native()
    }

    fn eval(&self, y: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        if y.len() != self.anchor.len() {
            return Err(EvalError::Length {
                what: "state beside the anchor",
                expected: self.anchor.len(),
                got: y.len(),
            });
        }
        if !y.same_shape(&self.anchor) {
            return Err(EvalError::Shape {
                what: "state beside the anchor",
            });
        }
        self.scratch.with(y, |x| {
            x.lincomb(0.0, &[(1.0, y), (1.0, &self.anchor)]);
            self.inner.eval(x, at, out)
        })?;
        if self.native() == Prediction::Data && out.len() == self.anchor.len() {
            out.lincomb(1.0, &[(-1.0, &self.anchor)]);
        }
        Ok(())
    }
}

/// A velocity model of a mean-reverting SDE: v = −(σ/σ∞)(x₀ − μ) + σ∞·α·ε, read as data by
/// x₀ − μ = α(x − μ) − (σ/σ∞)v.
///
/// It is meant for states around the anchor, so it belongs around [`Shifted`].
#[derive(Debug, Clone, Copy)]
pub struct StationaryVelocity<D> {
    inner: D,
    sigma: f64,
}

impl<D> StationaryVelocity<D> {
    /// `sigma` is σ∞, the standard deviation that the SDE tends to.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless it is positive and finite.
    pub fn new(inner: D, sigma: f64) -> Result<Self, EvalError> {
        if sigma > 0.0 && sigma.is_finite() {
            Ok(Self { inner, sigma })
        } else {
            Err(EvalError::OutOfRange {
                what: "sigma",
                value: sigma,
                min: f64::MIN_POSITIVE,
                max: f64::MAX,
            })
        }
    }
}

impl<S: State, D: Denoiser<S>> Denoiser<S> for StationaryVelocity<D> {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, y: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.inner.eval_as(self.inner.native(), y, at, out)?;
        out.lincomb(-at.sigma / self.sigma, &[(at.alpha, y)]);
        Ok(())
    }
}

/// A plan run around an anchor: states in and out, and those that observers see, are x; the plan
/// sees x − μ.
///
/// ```
/// use ansatz_core::{Key, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{DpmMultistep, MeanReverting, Sampler, ScaledNoise, Solver, Spacing};
/// use ansatz_diffusion::{TimeGrid, VpLinear};
/// let schedule = ScaledNoise::new(VpLinear::default(), 0.2)?;
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
/// let plan = DpmMultistep::default().plan(&schedule, &grid)?;
/// // A restorer that knows the answer, 0.7.
/// let model = from_fn(Prediction::Data, |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
///     out.fill(0.7);
///     Ok(())
/// });
/// let degraded = vec![0.5, 0.1];
/// let mut x = vec![0.6, 0.0]; // the degraded image and noise of scale 0.2
/// MeanReverting { plan: &plan, anchor: &degraded }.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert!(x.iter().all(|v| (v - 0.7).abs() < 0.01));
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MeanReverting<'a, S> {
    /// Made for the schedule of α and σ.
    pub plan: &'a Plan,
    /// μ.
    pub anchor: &'a S,
}

/// Shows x = y + μ to an observer of x.
struct Around<'a, 'b, S> {
    inner: &'a mut dyn Observer<S>,
    anchor: &'b S,
    x: S,
    denoised: S,
}

impl<S: State> Observer<S> for Around<'_, '_, S> {
    fn on_step(&mut self, event: &Event<'_, S>) -> ControlFlow<()> {
        let shift = |y: &S, x: &mut S| x.lincomb(0.0, &[(1.0, y), (1.0, self.anchor)]);
        shift(event.state, &mut self.x);
        let denoised = event.denoised.map(|y| {
            shift(y, &mut self.denoised);
            &self.denoised
        });
        let event = Event::new(event.step, event.steps, event.nfe, event.level, &self.x);
        self.inner.on_step(&event.with_denoised(denoised))
    }
}

impl<S: State> Sampler<S> for MeanReverting<'_, S> {
    /// # Errors
    /// As the plan, and [`SampleError::Length`] for an anchor of another length.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        if self.anchor.len() != x.len() {
            return Err(SampleError::Length {
                what: "anchor",
                expected: x.len(),
                got: self.anchor.len(),
            });
        }
        if !self.anchor.same_shape(x) {
            return Err(SampleError::Shape { what: "anchor" });
        }
        let shifted = Shifted::new(model, self.anchor.clone());
        let mut observer = Around {
            inner: observer,
            anchor: self.anchor,
            x: x.zeros_like(),
            denoised: x.zeros_like(),
        };
        let mut y = x.clone();
        y.lincomb(1.0, &[(-1.0, self.anchor)]);
        let report = self.plan.sample(&shifted, &mut y, key, &mut observer)?;
        y.lincomb(1.0, &[(1.0, self.anchor)]);
        let end = self.plan.levels().last().map_or(f64::NAN, |l| l.t);
        finite("sample", &y, report.steps, end)?;
        *x = y;
        Ok(report)
    }
}
