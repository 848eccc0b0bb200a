//! SDE-DPM-Solver(++): multistep steps of the reverse SDE.
//!
//! For noise level η the reverse process is exact for a polynomial through the last outputs; with
//! H = (1 + η)h and e = 1 − e^{−H} the data form is
//! `x_t = (σ_t/σ_s)e^{−ηh}x + α_t[e·m₀ + (1 − e/H)D₁ − ((1 − e/H)/H − ½)D₂] + σ_t√(1 − e^{−2ηh})·z`,
//! D₁ and D₂ as in [`DpmMultistep`]. η = 0 is that solver, η = 1 the reverse SDE of the model.
//!
//! Cost: one evaluation and one draw a step, `order + 2` states. Weak order at most 2, whatever the
//! order of the polynomial: the history carries noise.
//!
//! Use it where samples of the ODE lack detail, with 20 steps or more. For fewer, the ODE is better.
//!
//! Reference: C. Lu et al., *DPM-Solver++*, 2022, appendix on SDE-DPM-Solver++; the general η is that
//! of the programs that offer `dpmpp_2m_sde` and `dpmpp_3m_sde`.

use ansatz_core::NoiseSchedule;

use super::{DpmMultistep, LowerOrder, Solver};
use crate::{Plan, PlanError, TimeGrid};

/// Stochastic multistep DPM-Solver(++).
///
/// ```
/// use ansatz_diffusion::{SdeDpmMultistep, Solver, Spacing, TimeGrid, VpLinear};
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 20)?;
/// let plan = SdeDpmMultistep::default().plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.draws()), (20, 20));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SdeDpmMultistep {
    /// Order, form and coefficients. (Midpoint and Taylor are `midpoint` and `heun` of programs.)
    pub multistep: DpmMultistep,
    /// 0 deterministic … 1 reverse SDE, and beyond.
    pub eta: f64,
    /// Factor of every draw; 1 is the mathematics.
    pub noise_scale: f64,
}

impl Default for SdeDpmMultistep {
    /// SDE-DPM-Solver++(2M) with η = 1.
    fn default() -> Self {
        Self {
            multistep: DpmMultistep {
                lower_order: LowerOrder::Never,
                ..DpmMultistep::default()
            },
            eta: 1.0,
            noise_scale: 1.0,
        }
    }
}

impl Solver for SdeDpmMultistep {
    /// # Errors
    /// [`PlanError::Option`] unless η and the noise scale are finite and not negative, and as
    /// [`DpmMultistep`].
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        for (name, value) in [("eta", self.eta), ("noise_scale", self.noise_scale)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(PlanError::Option {
                    name,
                    value,
                    allowed: "finite and not negative",
                });
            }
        }
        self.multistep.write(grid, self.eta, self.noise_scale)
    }
}
