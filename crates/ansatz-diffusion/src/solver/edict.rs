//! EDICT: exact inversion by two coupled states.
//!
//! With the DDIM step `Φ(z; e) = a·z + b·e` from s to t, one step is
//! `x ← a·x + b·ε(y, s)`, `y ← a·y + b·ε(x, s)`, then the mixing
//! `x ← p·x + (1−p)·y`, `y ← (1−p)·x + p·y`. Every line is affine in the state that it replaces.
//! Mixing pulls the two together by p² a step, and undoing it pushes them apart by p⁻²: hence `f64`.
//!
//! Cost: two evaluations a step, three states. Order 1. Latent: a pair.
//!
//! Use it where other programs use it; [`Bdia`](crate::Bdia) inverts at half the cost. Not below
//! 40 steps.
//!
//! Reference: B. Wallace, A. Gokul, N. Naik, *EDICT: exact diffusion inversion via coupled
//! transformations*, 2023, eqs. 10 to 15.

use ansatz_core::{NoiseSchedule, Prediction};

use super::Solver;
use super::invertible::{
    ExactInversion, MAX_AMPLIFICATION_F64, Partner, check_steps, from_noise, transfer,
};
use crate::{Plan, PlanError, TimeGrid};

/// EDICT with mixing weight p.
///
/// ```
/// use ansatz_diffusion::{Edict, ExactInversion, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::Time, 50)?;
/// let encode = Edict::default().encode(&schedule, &grid)?;
/// assert_eq!((encode.nfe(), encode.inputs(), encode.outputs()), (100, 1, 2));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edict {
    /// Mixing weight p in (0, 1]; 1 does not mix.
    pub mixing: f64,
    /// Which of the two states is updated first.
    pub alternate: Alternate,
    /// Growth of rounding errors that [`ExactInversion::encode`] accepts; use
    /// [`MAX_AMPLIFICATION_F32`](super::MAX_AMPLIFICATION_F32) for `f32` states.
    pub max_amplification: f64,
}

/// Order of the two affine updates in EDICT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alternate {
    /// The first state leads in even steps, the second in odd ones, as in the official program.
    #[default]
    EveryStep,
    /// The first state always leads, as in the paper's equations.
    Never,
}

impl Default for Edict {
    fn default() -> Self {
        Self {
            mixing: 0.93,
            alternate: Alternate::EveryStep,
            max_amplification: MAX_AMPLIFICATION_F64,
        }
    }
}

impl Solver for Edict {
    /// # Errors
    /// [`PlanError::Option`] for a mixing weight outside (0, 1].
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        from_noise(self, schedule, grid, 1)
    }
}

impl ExactInversion for Edict {
    fn pair(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        let mix = self.mixing;
        if !(mix > 0.0 && mix <= 1.0) {
            return Err(PlanError::Option {
                name: "mixing",
                value: mix,
                allowed: "above 0, at most 1",
            });
        }
        check_steps("EDICT", 1, grid)?;
        let mut p = Plan::builder();
        let (mut x, mut y) = (p.input(), p.input());
        for (i, (from, to)) in grid.pairs().enumerate() {
            let swap = self.alternate == Alternate::EveryStep && i % 2 == 1;
            let (mut first, mut second) = if swap { (y, x) } else { (x, y) };
            let e = p.eval(second, from, Prediction::Noise);
            first = p.combine(transfer(first, e, from, to));
            let e = p.eval(first, from, Prediction::Noise);
            second = p.combine(transfer(second, e, from, to));
            (x, y) = if swap {
                (second, first)
            } else {
                (first, second)
            };
            x = p.combine(mix * x + (1.0 - mix) * y);
            y = p.combine((1.0 - mix) * x + mix * y);
            p.step(to, &[x, y]);
        }
        p.finish(&[x, y])
    }

    fn partner(&self) -> Partner {
        Partner::Copy
    }

    fn amplification(&self, steps: usize) -> f64 {
        self.mixing.powf(-2.0 * steps as f64)
    }

    fn max_amplification(&self) -> f64 {
        self.max_amplification
    }
}
