//! Families on the straight path of flow matching, with a shift of time.
//!
//! Larger images need more noise for the same loss of detail, so their times are shifted towards the noise:
//! t′ = s·t/(1 + (s − 1)·t).
//!
//! Reference: P. Esser et al., *Scaling rectified flow transformers for high-resolution image synthesis*, 2024, section
//! 5.3.2. Conventions of nodes as in diffusers.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use crate::{FlowLinear, PlanError, TimeGrid};

/// t′ = s·t/(1 + (s − 1)·t), which maps [0, 1] to itself and multiplies the noise-to-signal ratio by s.
#[must_use]
pub fn shifted(t: f64, shift: f64) -> f64 {
    shift * t / (1.0 + (shift - 1.0) * t)
}

/// The nodes before they are shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowNodes {
    /// 1, (N−1)/N, …, 1/N.
    Even,
    /// Evenly from 1 to the first label as the shift of training has it: what a scheduler does that is only told N.
    /// (It shifts that end twice.)
    ToFirstLabel,
}

/// A family of flow models: α = 1 − t, σ = t, and a network that predicts u = ε − x₀.
///
/// ```
/// use ansatz_diffusion::{Ddim, Solver, preset::FlowFamily};
/// let family = FlowFamily::flux(4096); // 1024×1024 pixels
/// let grid = family.grid(20)?;
/// assert_eq!(family.label(&grid.start()), 1000.0);
/// // The first-order step is Euler's: x ← x + (t′ − t)·u.
/// let plan = Ddim::default().plan(&family.schedule(), &grid)?.for_model(family.prediction())?;
/// assert_eq!(plan.nfe(), 20);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowFamily {
    /// s; 1 leaves times alone.
    pub shift: f64,
    /// Times before the shift.
    pub nodes: FlowNodes,
    /// The label of t = 1.
    pub labels: f64,
}

impl FlowFamily {
    /// Stable Diffusion 3: shift 3.
    pub const STABLE_DIFFUSION_3: Self = Self {
        shift: 3.0,
        nodes: FlowNodes::ToFirstLabel,
        labels: 1000.0,
    };

    /// FLUX for an image of `tokens` tokens (16×16 pixels each): ln s is linear in their number, ½ at 256 and 1.15 at
    /// 4096.
    #[must_use]
    pub fn flux(tokens: usize) -> Self {
        let slope = (1.15 - 0.5) / (4096.0 - 256.0);
        Self {
            shift: (0.5 + slope * (tokens as f64 - 256.0)).exp(),
            nodes: FlowNodes::Even,
            labels: 1000.0,
        }
    }

    /// What the network predicts.
    #[must_use]
    pub fn prediction(&self) -> Prediction {
        Prediction::Flow
    }

    /// The path, up to t = 1 and down to t = 0.
    #[must_use]
    pub fn schedule(&self) -> FlowLinear {
        FlowLinear {
            t_min: 0.0,
            t_max: 1.0,
        }
    }

    /// The label that the network is told.
    #[must_use]
    pub fn label(&self, at: &NoiseLevel) -> f64 {
        self.labels * at.t
    }

    /// The grid of `steps` evaluations, from pure noise to data.
    ///
    /// It begins where the signal is zero, so a solver must not divide by α: DDIM and solvers in the data form at first
    /// order do not. Others start from [`TimeGrid::from_levels`] without the first node.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for no step, [`PlanError::Option`] for a shift or a number of labels that is not
    /// positive.
    pub fn grid(&self, steps: usize) -> Result<TimeGrid, PlanError> {
        for (name, value) in [("shift", self.shift), ("labels", self.labels)] {
            if !(value.is_finite() && value > 0.0) {
                let allowed = "a positive number";
                return Err(PlanError::Option {
                    name,
                    value,
                    allowed,
                });
            }
        }
        if steps == 0 {
            return Err(PlanError::TooFewSteps {
                method: "a time grid",
                needed: 1,
                got: 0,
            });
        }
        let n = steps as f64;
        let first = shifted(1.0 / self.labels, self.shift);
        let node = |i: usize| match self.nodes {
            FlowNodes::Even => 1.0 - i as f64 / n,
            FlowNodes::ToFirstLabel => 1.0 - (1.0 - first) * i as f64 / (n - 1.0).max(1.0),
        };
        let schedule = self.schedule();
        let times = (0..steps)
            .map(|i| shifted(node(i), self.shift))
            .chain([0.0]);
        TimeGrid::from_levels(times.map(|t| level(&schedule, t)).collect())
    }
}

/// The level at `t`, with the rates of the path at its ends as well.
fn level(schedule: &FlowLinear, t: f64) -> NoiseLevel {
    NoiseLevel {
        t,
        alpha: schedule.alpha(t),
        sigma: schedule.sigma(t),
        alpha_rate: -1.0,
        sigma_rate: 1.0,
    }
}
