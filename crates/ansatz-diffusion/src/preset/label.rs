//! Families with a table of betas and integer labels.
//!
//! References: J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, 2020; A. Nichol, P. Dhariwal,
//! *Improved denoising diffusion probabilistic models*, 2021; R. Rombach et al., *High-resolution image synthesis with
//! latent diffusion models*, 2022; S. Lin et al., *Common diffusion noise schedules and sample steps are flawed*, 2024.

use ansatz_core::{NoiseLevel, NoiseSchedule, Prediction};

use crate::{Betas, Discrete, LabelSpacing, PlanError, TimeGrid};

/// Where the last step of a grid of labels ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelEnd {
    /// At noiseless data, as time −1 (`set_alpha_to_one = true`).
    Clean,
    /// At the level of label 0 (`set_alpha_to_one = false`).
    FirstLabel,
}

/// A family of models with integer labels.
///
/// ```
/// use ansatz_diffusion::{Ddim, Solver, preset::LabelFamily};
/// let family = LabelFamily::STABLE_DIFFUSION;
/// let grid = family.grid(50)?;
/// assert_eq!((grid.start().t, grid.steps()), (981.0, 50));
/// let plan = Ddim::default().plan(&family.schedule()?, &grid)?.for_model(family.prediction)?;
/// assert_eq!(plan.nfe(), 50);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelFamily {
    /// Table of β.
    pub betas: Betas,
    /// Length of the table.
    pub labels: usize,
    /// What the network predicts.
    pub prediction: Prediction,
    /// Which labels are visited.
    pub spacing: LabelSpacing,
    /// Added to every label (`steps_offset`).
    pub offset: usize,
    /// Where the last step ends.
    pub end: LabelEnd,
}

impl LabelFamily {
    /// Stable Diffusion 1 and 2 and other latent diffusion models of noise.
    pub const STABLE_DIFFUSION: Self = Self {
        betas: Betas::ScaledLinear(0.00085, 0.012),
        labels: 1000,
        prediction: Prediction::Noise,
        spacing: LabelSpacing::Leading,
        offset: 1,
        end: LabelEnd::FirstLabel,
    };

    /// Stable Diffusion 2 at 768 pixels: the same table, a network that predicts velocity.
    pub const STABLE_DIFFUSION_V: Self = Self {
        prediction: Prediction::Velocity,
        ..Self::STABLE_DIFFUSION
    };

    /// DDPM.
    pub const DDPM: Self = Self {
        betas: Betas::Linear(1e-4, 0.02),
        offset: 0,
        end: LabelEnd::Clean,
        ..Self::STABLE_DIFFUSION
    };

    /// Improved DDPM, with the cosine table.
    pub const IMPROVED_DDPM: Self = Self {
        betas: Betas::Cosine,
        ..Self::DDPM
    };

    /// The schedule of the table.
    ///
    /// # Errors
    /// Those of [`Discrete::new`].
    pub fn schedule(&self) -> Result<Discrete, PlanError> {
        Discrete::new(self.betas, self.labels)
    }

    /// The grid of `steps` evaluations. A last label that already lies at the end takes no step.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for no step, [`PlanError::Option`] for more steps than labels, and
    /// [`PlanError::TimeOutOfRange`] for an offset that leads out of the table.
    pub fn grid(&self, steps: usize) -> Result<TimeGrid, PlanError> {
        let schedule = self.schedule()?;
        let mut times = self.spacing.labels(self.labels, steps)?;
        for t in &mut times {
            *t += self.offset as f64;
        }
        if self.end == LabelEnd::FirstLabel && times.last().is_some_and(|t| *t > 0.0) {
            times.push(0.0);
        }
        let last = schedule.t_max();
        if let Some(&t) = times.first().filter(|t| **t > last) {
            let (index, min, max) = (0, 0.0, last);
            return Err(PlanError::TimeOutOfRange { index, t, min, max });
        }
        let mut levels: Vec<_> = times.iter().map(|t| schedule.level(*t)).collect();
        if self.end == LabelEnd::Clean {
            levels.push(NoiseLevel::clean(-1.0));
        }
        TimeGrid::from_levels(levels)
    }
}
