//! DDIM(η): the first-order sampler, deterministic to ancestral.
//!
//! From level t to p, with the model's data estimate x̂₀ and noise ε:
//! `x ← α_p·x̂₀ + √(σ_p² − s²)·ε + s·z`, where `s² = η²·σ_p²·(σ_t² − (α_t/α_p)²σ_p²)/σ_t²` is η² times
//! the variance of the forward posterior. η = 0 is deterministic and equals DPM-Solver-1; η = 1 is
//! DDPM's ancestral sampling.
//!
//! Cost: one evaluation a step, two states (three with noise). Order 1.
//!
//! Use it as the baseline, for few steps with a stochastic sampler, or where other programs use it.
//! [`DpmMultistep`](crate::DpmMultistep) is better at the same cost.
//!
//! References: J. Song, C. Meng, S. Ermon, *Denoising diffusion implicit models*, 2021, eqs. 12 and
//! 16; J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, 2020, eq. 7.

use ansatz_core::{NoiseSchedule, Prediction, stream};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// DDIM with noise level η.
///
/// ```
/// use ansatz_core::{Key, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 50)?;
/// let plan = Ddim { eta: 0.0 }.plan(&schedule, &grid)?;
/// // Data that is always 2: whatever the noise, the sample is 2.
/// let model = from_fn(Prediction::Data, |_: &Vec<f64>, _: &_, out| {
///     out.fill(2.0);
///     Ok(())
/// });
/// let mut x = vec![0.4, -1.3];
/// plan.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert!(x.iter().all(|v| (v - 2.0).abs() < 0.05));
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ddim {
    /// 0 deterministic … 1 ancestral.
    pub eta: f64,
}

impl Solver for Ddim {
    /// # Errors
    /// [`PlanError::Option`] unless 0 ≤ η ≤ 1.
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(PlanError::Option {
                name: "eta",
                value: self.eta,
                allowed: "0 (deterministic) to 1 (ancestral)",
            });
        }
        let mut p = Plan::builder();
        let mut x = p.input();
        for (i, (from, to)) in grid.pairs().enumerate() {
            let m = p.eval(x, from, Prediction::Data);
            let ratio = from.alpha / to.alpha;
            let posterior = (from.sigma.powi(2) - (ratio * to.sigma).powi(2)).max(0.0);
            let std = self.eta * to.sigma / from.sigma * posterior.sqrt();
            // ε = (x − α x̂₀)/σ, inserted: no division by α or by the new σ.
            let keep = (to.sigma.powi(2) - std * std).max(0.0).sqrt() / from.sigma;
            let mean = keep * x + (to.alpha - keep * from.alpha) * m;
            x = if std > 0.0 {
                let z = p.normal(stream::step(i as u64));
                p.combine(mean + std * z)
            } else {
                p.combine(mean)
            };
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}
