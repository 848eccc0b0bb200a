//! How long the steps are.
//!
//! With q the scaled error of a step of size h, accepted when q < 1, and r = 1/q, the next size is
//! `h·safety·rₙ^β₁·rₙ₋₁^β₂·rₙ₋₂^β₃` where β₁ = (k_I + k_P + k_D)/p, β₂ = −(k_P + 2k_D)/p, β₃ = k_D/p and
//! p is the order of the method. The factor is limited: a step that is accepted never makes the
//! next one shorter, one that is rejected always does.
//!
//! Cost: nothing beside the error estimate. Use [`Gains::I`] unless the right-hand side is rough or
//! the method is at its limit of stability, where [`Gains::PI`] rejects less.
//!
//! References: G. Söderlind, *Digital filters in adaptive time-stepping*, 2003; E. Hairer, S.
//! Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd edition, 1993, section II.4
//! (first step); P. Kidger, *On neural differential equations*, 2022, section 5.3.

use ansatz_core::Tolerance;

use crate::StepError;

/// Constant or controlled steps.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum StepSize {
    /// This many equal steps, between each two times that the solve has to hit.
    Fixed(usize),
    /// Steps of this size, the last one before a time that the solve has to hit shortened.
    Constant(f64),
    /// Steps as long as the tolerance allows.
    Adaptive(Adaptive),
}

/// What to do when an explicit method meets a stiff problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStiff {
    /// Go on: steps become short, the answer stays right.
    #[default]
    GoOn,
    /// Fail with [`StepError::Stiff`] when 15 of 20 steps are limited by stability, so that the
    /// caller can go on with an implicit method from there. Needs adaptive steps and a method with
    /// an estimate ([`Stepper::stiffness`](crate::Stepper::stiffness)).
    Refuse,
}

/// How the loop chooses its steps, for every method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Equal steps or controlled ones.
    pub step: StepSize,
    /// Most steps, rejected ones included.
    pub max_steps: usize,
    /// Whether to look out for stiffness.
    pub on_stiff: OnStiff,
}

impl Control {
    /// This many equal steps.
    #[must_use]
    pub fn fixed(steps: usize) -> Self {
        Self {
            step: StepSize::Fixed(steps),
            max_steps: usize::MAX,
            on_stiff: OnStiff::GoOn,
        }
    }

    /// Steps of this size, positive.
    #[must_use]
    pub fn constant(h: f64) -> Self {
        Self {
            step: StepSize::Constant(h),
            ..Self::fixed(1)
        }
    }

    /// Controlled steps, at most 100 000.
    #[must_use]
    pub fn adaptive(settings: Adaptive) -> Self {
        Self {
            step: StepSize::Adaptive(settings),
            max_steps: 100_000,
            on_stiff: OnStiff::GoOn,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), StepError> {
        match self.step {
            StepSize::Fixed(0) => Err(StepError::Option {
                name: "steps",
                value: 0.0,
                allowed: "at least 1",
            }),
            StepSize::Fixed(_) => Ok(()),
            StepSize::Constant(h) if h.is_finite() && h > 0.0 => Ok(()),
            StepSize::Constant(h) => Err(StepError::Option {
                name: "step",
                value: h,
                allowed: "finite and positive; the direction is that of the times",
            }),
            StepSize::Adaptive(settings) => settings.validate(),
        }
    }
}

impl Default for Control {
    /// Tolerances 1e-6.
    fn default() -> Self {
        Self::adaptive(Adaptive::default())
    }
}

/// Gains of the controller, in the units of the scaled error's logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gains {
    /// k_P.
    pub proportional: f64,
    /// k_I.
    pub integral: f64,
    /// k_D.
    pub derivative: f64,
}

impl Gains {
    /// The classical controller.
    pub const I: Self = Self {
        proportional: 0.0,
        integral: 1.0,
        derivative: 0.0,
    };
    /// For stochastic equations (k_P = 0.1, k_I = 0.3).
    pub const NOISY: Self = Self {
        proportional: 0.1,
        integral: 0.3,
        derivative: 0.0,
    };
    /// Smoother steps where the size is limited by stability (k_P = 0.4, k_I = 0.3).
    pub const PI: Self = Self {
        proportional: 0.4,
        integral: 0.3,
        derivative: 0.0,
    };
}

/// Settings of adaptive steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptive {
    /// Absolute and relative error allowed in each step, per component, in root mean square.
    pub tolerance: Tolerance,
    /// Gains of the controller.
    pub gains: Gains,
    /// Aims below the tolerance; in (0, 1].
    pub safety: f64,
    /// Smallest factor between two sizes; in (0, 1).
    pub shrink: f64,
    /// Largest factor between two sizes; at least 1.
    pub grow: f64,
    /// Size of the first step; `None` estimates it with one more evaluation.
    pub first: Option<f64>,
    /// Longest step.
    pub longest: f64,
    /// Shortest step; a step that would have to be shorter is [`StepError::StepTooSmall`]. At least
    /// the spacing of the numbers at the times is kept anyway.
    pub shortest: f64,
}

impl Adaptive {
    /// Both tolerances, all else by default.
    #[must_use]
    pub fn new(atol: f64, rtol: f64) -> Self {
        Self {
            tolerance: Tolerance::new(atol, rtol),
            ..Self::default()
        }
    }

    pub(crate) fn validate(&self) -> Result<(), StepError> {
        let Tolerance { atol, rtol } = self.tolerance;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let checks = [
            (
                "atol",
                atol,
                atol >= 0.0 && atol.is_finite() && !(atol <= 0.0 && rtol == 0.0),
                "finite, not negative, and not 0 together with rtol",
            ),
            (
                "rtol",
                rtol,
                rtol >= 0.0 && rtol.is_finite(),
                "finite and not negative",
            ),
            (
                "safety",
                self.safety,
                positive(self.safety) && self.safety <= 1.0,
                "in (0, 1]",
            ),
            (
                "shrink",
                self.shrink,
                positive(self.shrink) && self.shrink < 1.0,
                "in (0, 1)",
            ),
            ("grow", self.grow, self.grow >= 1.0, "at least 1"),
            (
                "first",
                self.first.unwrap_or(1.0),
                positive(self.first.unwrap_or(1.0)),
                "finite and positive",
            ),
            ("longest", self.longest, self.longest > 0.0, "positive"),
            (
                "shortest",
                self.shortest,
                self.shortest >= 0.0 && self.shortest <= self.longest,
                "from 0 to the longest step",
            ),
            (
                "gains",
                self.gains.integral,
                [
                    self.gains.proportional,
                    self.gains.integral,
                    self.gains.derivative,
                ]
                .iter()
                .all(|g| g.is_finite()),
                "finite numbers",
            ),
        ];
        for (name, value, good, allowed) in checks {
            if !good {
                return Err(StepError::Option {
                    name,
                    value,
                    allowed,
                });
            }
        }
        Ok(())
    }
}

impl Default for Adaptive {
    /// Tolerances 1e-6, the I controller, factors 0.2 to 10.
    fn default() -> Self {
        Self {
            tolerance: Tolerance::new(1e-6, 1e-6),
            gains: Gains::I,
            safety: 0.9,
            shrink: 0.2,
            grow: 10.0,
            first: None,
            longest: f64::INFINITY,
            shortest: 0.0,
        }
    }
}

/// What to do with a step, and the factor to the next size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decision {
    Accept(f64),
    Reject(f64),
}

/// A controller at work: the settings and the last two values of r.
pub(crate) struct Controller {
    settings: Adaptive,
    order: f64,
    history: [f64; 2],
}

/// A step that is rejected becomes shorter by at least this factor.
const REJECTED: f64 = 0.9;

impl Controller {
    pub(crate) fn new(settings: Adaptive, order: f64) -> Self {
        Self {
            settings,
            order,
            history: [1.0; 2],
        }
    }

    /// `error` may be NaN: something was not finite, and a shorter step may help.
    pub(crate) fn decide(&mut self, error: f64) -> Decision {
        let Adaptive {
            gains,
            safety,
            shrink,
            grow,
            ..
        } = self.settings;
        if error.is_nan() {
            return Decision::Reject(shrink);
        }
        let r = 1.0 / error;
        let Gains {
            proportional,
            integral,
            derivative,
        } = gains;
        let exponents = [
            integral + proportional + derivative,
            -(proportional + 2.0 * derivative),
            derivative,
        ];
        let product: f64 = [r, self.history[0], self.history[1]]
            .iter()
            .zip(exponents)
            // A gain of 0 switches a factor off, even that of an infinite r.
            .filter(|(_, k)| *k != 0.0)
            .map(|(r, k)| r.powf(k / self.order))
            .product();
        let factor = safety * product;
        if error < 1.0 {
            let stored = if r.is_finite() { r } else { 1.0 };
            self.history = [stored, self.history[0]];
            Decision::Accept(factor.clamp(1.0, grow))
        } else {
            Decision::Reject(factor.clamp(shrink, REJECTED.max(shrink)))
        }
    }
}
