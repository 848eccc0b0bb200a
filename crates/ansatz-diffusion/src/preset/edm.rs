//! EDM: noise levels of σ, and a network between factors that keep its input and output at unit variance.
//!
//! `D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise)` with c_skip = σ_d²/(σ² + σ_d²), c_out = σσ_d/√(σ² + σ_d²),
//! c_in = 1/√(σ² + σ_d²), c_noise = ¼ ln σ.
//!
//! Reference: T. Karras, M. Aittala, T. Aila, S. Laine, *Elucidating the design space of diffusion-based generative
//! models*, 2022, table 1 and equation 7.

use std::marker::PhantomData;

use ansatz_core::denoiser::Scratch;
use ansatz_core::{Denoiser, EvalError, NoiseLevel, Prediction, State};

use crate::{Edm, PlanError, Spacing, TimeGrid};

/// A family of EDM models.
///
/// ```
/// use ansatz_diffusion::preset::EdmFamily;
/// let family = EdmFamily::default();
/// let grid = family.grid(18)?;
/// assert_eq!((grid.start().sigma, grid.end().sigma, grid.steps()), (80.0, 0.0, 18));
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdmFamily {
    /// Range of σ.
    pub schedule: Edm,
    /// ρ of the spacing.
    pub rho: f64,
    /// Standard deviation of the data.
    pub sigma_data: f64,
}

impl Default for EdmFamily {
    fn default() -> Self {
        Self {
            schedule: Edm::default(),
            rho: 7.0,
            sigma_data: 0.5,
        }
    }
}

/// Factors around the network at one noise level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Of the state, in the result.
    pub skip: f64,
    /// Of the network's output.
    pub out: f64,
    /// Of the state, before the network.
    pub input: f64,
    /// What the network is told about the noise.
    pub noise: f64,
}

impl EdmFamily {
    /// `levels` Karras levels, then clean data: `levels` steps.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer than two levels, [`PlanError::Option`] for a ρ that is not positive.
    pub fn grid(&self, levels: usize) -> Result<TimeGrid, PlanError> {
        let spacing = Spacing::Karras(self.rho);
        Ok(TimeGrid::new(&self.schedule, spacing, levels.saturating_sub(1))?.with_clean_end())
    }

    /// The factors at a level with α = 1; others are brought there by scaling.
    #[must_use]
    pub fn factors(&self, sigma: f64) -> Factors {
        let norm = sigma.hypot(self.sigma_data);
        Factors {
            skip: (self.sigma_data / norm).powi(2),
            out: sigma * self.sigma_data / norm,
            input: 1.0 / norm,
            noise: 0.25 * sigma.ln(),
        }
    }

    /// The model of a raw network `(c_in·x, c_noise, out)`.
    ///
    /// ```
    /// use ansatz_core::{Denoiser, NoiseLevel};
    /// use ansatz_diffusion::preset::EdmFamily;
    /// // A network that returns zeros: what is left is the skip connection.
    /// let model = EdmFamily::default().around(|_: &Vec<f64>, _, out: &mut Vec<f64>| {
    ///     out.fill(0.0);
    ///     Ok(())
    /// });
    /// let mut data = vec![0.0];
    /// model.eval(&vec![3.0], &NoiseLevel::new(0.5, 1.0, 0.5), &mut data)?;
    /// assert!((data[0] - 1.5_f64).abs() < 1e-15);
    /// # Ok::<(), ansatz_core::EvalError>(())
    /// ```
    pub fn around<S: State, F>(&self, network: F) -> Preconditioned<S, F>
    where
        F: Fn(&S, f64, &mut S) -> Result<(), EvalError> + Sync,
    {
        Preconditioned {
            family: *self,
            network,
            scratch: Scratch::default(),
            state: PhantomData,
        }
    }
}

/// A raw network with EDM's factors around it, as a model of the data; made by [`EdmFamily::around`].
///
/// On a schedule with α ≠ 1 the state is divided by α first, so an EDM network serves any solver and any schedule.
pub struct Preconditioned<S, F> {
    family: EdmFamily,
    network: F,
    scratch: Scratch<S>,
    state: PhantomData<fn(&S)>,
}

impl<S: State, F> Denoiser<S> for Preconditioned<S, F>
where
    F: Fn(&S, f64, &mut S) -> Result<(), EvalError> + Sync,
{
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    /// # Errors
    /// The network's, and [`EvalError::OutOfRange`] at a level without noise or without signal, where ln(σ/α) is not
    /// finite.
    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let rho = at.rho();
        if !(rho.is_finite() && rho > 0.0) {
            return Err(EvalError::OutOfRange {
                what: "noise-to-signal ratio",
                value: rho,
                min: f64::MIN_POSITIVE,
                max: f64::MAX,
            });
        }
        let c = self.family.factors(rho);
        self.scratch.with(x, |scaled| {
            scaled.lincomb(0.0, &[(c.input / at.alpha, x)]);
            (self.network)(scaled, c.noise, out)
        })?;
        if out.len() == x.len() {
            out.lincomb(c.out, &[(c.skip / at.alpha, x)]);
        }
        Ok(())
    }
}
