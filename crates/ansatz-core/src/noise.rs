//! Noise levels, noise schedules, and what a diffusion model may predict.
//!
//! The forward marginal is `x = α·x₀ + σ·ε` with ε standard normal. Every prediction kind is a
//! fixed mix `y = p·x₀ + q·ε`, so one 2×2 solve converts any kind into any other; a table of
//! formulas per pair is neither needed nor right for all schedules.
//!
//! References: Y. Song et al., *Score-based generative modeling through stochastic differential
//! equations*, 2021; T. Salimans, J. Ho, *Progressive distillation*, 2022 (velocity, appendix D);
//! C. Lai et al., *The principles of diffusion models*, 2025.

use crate::EvalError;

/// What a model returns for a noisy input `x = α·x₀ + σ·ε`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prediction {
    /// The noise ε.
    Noise,
    /// The clean data x₀ (posterior mean).
    Data,
    /// The score ∇ log p(x) = −ε/σ.
    Score,
    /// The angular velocity v = (α·ε − σ·x₀)/c with c² = α² + σ² (c = 1 when variance preserving).
    Velocity,
    /// The flow velocity u = α̇·x₀ + σ̇·ε, the time derivative along the path.
    Flow,
}

impl Prediction {
    /// All kinds, for tests and tables.
    pub const ALL: [Self; 5] = [
        Self::Noise,
        Self::Data,
        Self::Score,
        Self::Velocity,
        Self::Flow,
    ];

    /// `(p, q)` such that the prediction is `y = p·x₀ + q·ε` at the level `at`.
    ///
    /// Not finite where the kind has no meaning (the score at σ = 0).
    ///
    /// ```
    /// use ansatz_core::{NoiseLevel, Prediction};
    /// let at = NoiseLevel::new(0.5, 0.8, 0.6);
    /// assert_eq!(Prediction::Velocity.mix(&at), (-0.6, 0.8));
    /// ```
    #[must_use]
    pub fn mix(self, at: &NoiseLevel) -> (f64, f64) {
        let c = at.alpha.hypot(at.sigma);
        match self {
            Self::Noise => (0.0, 1.0),
            Self::Data => (1.0, 0.0),
            Self::Score => (0.0, -1.0 / at.sigma),
            Self::Velocity => (-at.sigma / c, at.alpha / c),
            Self::Flow => (at.alpha_rate, at.sigma_rate),
        }
    }
}

/// Where on the noise schedule a state lives: `x = alpha·x₀ + sigma·ε`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseLevel {
    /// Time of the schedule; a label for models that take one.
    pub t: f64,
    /// Signal factor α ≥ 0.
    pub alpha: f64,
    /// Noise factor σ ≥ 0.
    pub sigma: f64,
    /// dα/dt, needed by [`Prediction::Flow`] only.
    pub alpha_rate: f64,
    /// dσ/dt, needed by [`Prediction::Flow`] only.
    pub sigma_rate: f64,
}

impl NoiseLevel {
    /// A level without rates (they are 0), for models that do not predict a flow.
    #[must_use]
    pub const fn new(t: f64, alpha: f64, sigma: f64) -> Self {
        Self {
            t,
            alpha,
            sigma,
            alpha_rate: 0.0,
            sigma_rate: 0.0,
        }
    }

    /// The noiseless end of a trajectory: α = 1, σ = 0.
    #[must_use]
    pub const fn clean(t: f64) -> Self {
        Self::new(t, 1.0, 0.0)
    }

    /// Half log signal-to-noise ratio λ = ln(α/σ); infinite at a clean level.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    /// ρ = σ/α, the noise level of the same state scaled to unit signal.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.sigma / self.alpha
    }

    /// `(c_x, c_y)` such that `want = c_x·x + c_y·y` for a model output `y` of kind `from`.
    ///
    /// # Errors
    /// [`EvalError::Conversion`] where the two are not related at this level: data from noise
    /// where α = 0, noise from data where σ = 0, a flow whose rates are proportional to (α, σ).
    ///
    /// ```
    /// use ansatz_core::{NoiseLevel, Prediction};
    /// let at = NoiseLevel::new(0.5, 0.8, 0.6);
    /// let (cx, cy) = at.convert(Prediction::Noise, Prediction::Data)?;
    /// let (x0, noise) = (1.5, -0.2);
    /// let x = 0.8 * x0 + 0.6 * noise;
    /// assert!((cx * x + cy * noise - x0).abs() < 1e-15);
    /// # Ok::<(), ansatz_core::EvalError>(())
    /// ```
    pub fn convert(&self, from: Prediction, want: Prediction) -> Result<(f64, f64), EvalError> {
        if from == want {
            return Ok((0.0, 1.0));
        }
        let (p, q) = from.mix(self);
        let (r, s) = want.mix(self);
        let det = self.alpha * q - self.sigma * p;
        let c_x = (r * q - s * p) / det;
        let c_y = (self.alpha * s - self.sigma * r) / det;
        if c_x.is_finite() && c_y.is_finite() {
            Ok((c_x, c_y))
        } else {
            Err(EvalError::Conversion {
                from,
                want,
                alpha: self.alpha,
                sigma: self.sigma,
            })
        }
    }
}

/// α(t) and σ(t) in continuous time, all in `f64`.
///
/// λ(t) = ln(α/σ) must fall strictly as t grows from `t_min` (data) to `t_max` (noise).
pub trait NoiseSchedule: Send + Sync {
    /// Smallest usable time, at the data end.
    fn t_min(&self) -> f64;

    /// Largest usable time, at the noise end.
    fn t_max(&self) -> f64;

    /// ln α(t).
    fn log_alpha(&self, t: f64) -> f64;

    /// σ(t), computed without cancellation (variance preserving: `sqrt(-expm1(2·log_alpha))`).
    fn sigma(&self, t: f64) -> f64;

    /// d ln α / dt, the drift factor f(t) of the forward SDE.
    fn log_alpha_rate(&self, t: f64) -> f64;

    /// dσ/dt.
    fn sigma_rate(&self, t: f64) -> f64;

    /// The time at which ln(α/σ) = λ.
    fn t_of_lambda(&self, lambda: f64) -> f64;

    /// α(t).
    fn alpha(&self, t: f64) -> f64 {
        self.log_alpha(t).exp()
    }

    /// λ(t) = ln(α/σ).
    fn lambda(&self, t: f64) -> f64 {
        self.log_alpha(t) - self.sigma(t).ln()
    }

    /// Everything that a model or solver asks about time `t`.
    fn level(&self, t: f64) -> NoiseLevel {
        let alpha = self.alpha(t);
        NoiseLevel {
            t,
            alpha,
            sigma: self.sigma(t),
            alpha_rate: alpha * self.log_alpha_rate(t),
            sigma_rate: self.sigma_rate(t),
        }
    }

    /// f(t) of the forward SDE dx = f·x dt + g dW.
    fn drift(&self, t: f64) -> f64 {
        self.log_alpha_rate(t)
    }

    /// g²(t) = dσ²/dt − 2 f σ² of the forward SDE dx = f·x dt + g dW.
    fn diffusion_squared(&self, t: f64) -> f64 {
        let sigma = self.sigma(t);
        2.0 * sigma * (self.sigma_rate(t) - self.log_alpha_rate(t) * sigma)
    }
}
