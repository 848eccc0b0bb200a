//! Residual denoising diffusion: one network for what was lost, one for the noise.
//!
//! I_t = I₀ + ᾱ_t·I_res + β̄_t·ε with I_res = I_in − I₀, a degraded image on the way to noise. From t
//! to p, `I_p = I_t − (ᾱ_t − ᾱ_p)I_res − (β̄_t − √(β̄_p² − s²))ε + s·z`, `s² = η(β̄_t² − β̄_p²)β̄_p²/β̄_t²`.
//! With α = 1 − ᾱ and σ = β̄ this is the ordinary marginal of I − I_in, whose data are −I_res: levels
//! are [`NoiseLevel`]s, and the residual is asked for as [`Prediction::Data`]. Both quantities come
//! from the model, and are not computed from one another, so the two may be removed at different
//! speeds: residual first, noise first, or together.
//!
//! Cost: two evaluations a step, three states (four with noise). Order 1. η enters linearly, DDIM's quadratically.
//!
//! Use it with models trained for it. With one model for both, on the levels of a
//! variance-preserving schedule, η = 0 is DDIM.
//!
//! Reference: J. Liu, Q. Wang, H. Fan, Y. Wang, Y. Tang, L. Qu, *Residual denoising diffusion models*,
//! 2024, section 3 (forward and reverse process) and section 4 (coefficient schedules).

use ansatz_core::denoiser::Scratch;
use ansatz_core::{Denoiser, EvalError, NoiseLevel, NoiseSchedule, Prediction, State, stream};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// The sampler of residual denoising diffusion models.
///
/// ```
/// use ansatz_core::{EvalError, Key, NoiseLevel};
/// use ansatz_diffusion::{Ramp, Rddm, ResidualPair, ResidualTable, Solver, VpLinear};
/// let table = ResidualTable::new(Ramp::Decreased, Ramp::Increased, 0.01, 1000)?;
/// let plan = Rddm::default().plan(&VpLinear::default(), &table.grid(5)?)?;
/// assert_eq!(plan.nfe(), 10);
/// // Networks that know the answer: the clean image is 0.2, the degraded one 0.5.
/// let residual = |_: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| Ok(out.fill(0.3));
/// let noise = |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| -> Result<(), EvalError> {
///     out[0] = (x[0] - 0.2 - (1.0 - at.alpha) * 0.3) / at.sigma;
///     Ok(())
/// };
/// let mut x = vec![0.5 + 0.1 * 0.8]; // the degraded image and noise
/// plan.sample(&ResidualPair::new(residual, noise), &mut x, Key::new(0), &mut ())?;
/// assert!((x[0] - 0.2).abs() < 1e-12);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rddm {
    /// 0 deterministic … 1 as much noise as the forward posterior.
    pub eta: f64,
}

impl Solver for Rddm {
    /// The schedule is not used: a grid of [`ResidualTable::grid`](crate::ResidualTable::grid) or any other levels.
    ///
    /// # Errors
    /// [`PlanError::Option`] unless 0 ≤ η ≤ 1, so that β̄_p² ≥ s².
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(PlanError::Option {
                name: "eta",
                value: self.eta,
                allowed: "0 (deterministic) to 1",
            });
        }
        let mut p = Plan::builder();
        let mut x = p.input();
        for (i, (from, to)) in grid.pairs().enumerate() {
            let data = p.eval(x, from, Prediction::Data);
            let noise = p.eval(x, from, Prediction::Noise);
            let (now, next) = (from.sigma.powi(2), to.sigma.powi(2));
            // A leg that removes only the residual leaves the noise as it is.
            let variance = self.eta * (now - next).max(0.0) * next / now;
            let keep = (next - variance).max(0.0).sqrt();
            let mean = x + (to.alpha - from.alpha) * data + (keep - from.sigma) * noise;
            x = if variance > 0.0 {
                let z = p.normal(stream::step(i as u64));
                p.combine(mean + variance.sqrt() * z)
            } else {
                p.combine(mean)
            };
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}

/// Two networks as one model: a residual I_res and a noise ε, each asked for by itself.
///
/// As [`Prediction::Data`] it gives −I_res, the data of I − I_in; as noise it gives ε; other kinds
/// are mixed from both. A single network, of either kind, needs no pair: around I_in
/// ([`Shifted`](crate::Shifted)) it is an ordinary model, and conversion gives the other quantity.
pub struct ResidualPair<S, R, N> {
    residual: R,
    noise: N,
    scratch: Scratch<S>,
}

impl<S, R, N> ResidualPair<S, R, N>
where
    S: State,
    R: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
    N: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    /// The networks as functions `(I_t, level, out)`; ᾱ is `1 − level.alpha`, β̄ is `level.sigma`.
    pub fn new(residual: R, noise: N) -> Self {
        Self {
            residual,
            noise,
            scratch: Scratch::default(),
        }
    }
}

impl<S, R, N> Denoiser<S> for ResidualPair<S, R, N>
where
    S: State,
    R: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
    N: Fn(&S, &NoiseLevel, &mut S) -> Result<(), EvalError> + Sync,
{
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        (self.residual)(x, at, out)?;
        out.lincomb(-1.0, &[]);
        Ok(())
    }

    fn eval_as(
        &self,
        want: Prediction,
        x: &S,
        at: &NoiseLevel,
        out: &mut S,
    ) -> Result<(), EvalError> {
        match want {
            Prediction::Data => self.eval(x, at, out),
            Prediction::Noise => (self.noise)(x, at, out),
            _ => {
                let (p, q) = want.mix(at);
                self.eval(x, at, out)?;
                self.scratch.with(x, |noise| {
                    (self.noise)(x, at, noise)?;
                    out.lincomb(p, &[(q, noise)]);
                    Ok(())
                })
            }
        }
    }
}
