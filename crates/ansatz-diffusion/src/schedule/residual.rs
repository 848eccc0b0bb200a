//! Tables of residual denoising diffusion: how fast a residual and a noise are added.
//!
//! I_t = I₀ + ᾱ_t·I_res + β̄_t·ε: levels are those of I − I_in with α = 1 − ᾱ and σ = β̄, so a table
//! gives grids for [`Rddm`](crate::Rddm) and needs no time between its labels.
//!
//! Reference: J. Liu, Q. Wang, H. Fan, Y. Wang, Y. Tang, L. Qu, *Residual denoising diffusion models*,
//! 2024, section 4.

use ansatz_core::NoiseLevel;

use crate::{PlanError, TimeGrid};

/// Increments of a table over its labels; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ramp {
    /// Falling linearly to 0.
    Decreased,
    /// Growing linearly from 0.
    Increased,
    /// All the same.
    Average,
}

impl Ramp {
    /// The increment of each of `len` labels.
    #[must_use]
    pub fn table(self, len: usize) -> Vec<f64> {
        let n = len as f64;
        let sum = 0.5 * n * (n - 1.0);
        (0..len)
            .map(|i| match self {
                Self::Average => 1.0 / n,
                _ if len == 1 => 1.0,
                Self::Increased => i as f64 / sum,
                Self::Decreased => (n - 1.0 - i as f64) / sum,
            })
            .collect()
    }
}

/// ᾱ and β̄ of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualTable {
    alpha_bar: Vec<f64>,
    beta_bar: Vec<f64>,
}

impl ResidualTable {
    /// ᾱ from the increments `alpha`; β̄² from `beta_squared`, scaled to end at `scale` (0.01 in
    /// restoration, 1 in generation).
    ///
    /// # Errors
    /// Those of [`ResidualTable::from_tables`].
    pub fn new(alpha: Ramp, beta_squared: Ramp, scale: f64, len: usize) -> Result<Self, PlanError> {
        let cumulative = |ramp: Ramp| {
            let mut sum = 0.0;
            let mut table: Vec<f64> = ramp
                .table(len)
                .iter()
                .map(|v| {
                    sum += v;
                    sum
                })
                .collect();
            // The last is 1 by construction, which rounding must not change.
            if let Some(last) = table.last_mut() {
                *last = 1.0;
            }
            table
        };
        let beta_bar = cumulative(beta_squared)
            .iter()
            .map(|b| (scale * b).sqrt())
            .collect();
        Self::from_tables(cumulative(alpha), beta_bar)
    }

    /// From ᾱ and β̄ themselves, noisier labels last.
    ///
    /// # Errors
    /// [`PlanError::Option`] for tables that are empty or of unequal length, that fall somewhere, or
    /// that leave [0, 1] (ᾱ) or [0, ∞) (β̄).
    pub fn from_tables(alpha_bar: Vec<f64>, beta_bar: Vec<f64>) -> Result<Self, PlanError> {
        if alpha_bar.is_empty() || alpha_bar.len() != beta_bar.len() {
            return Err(PlanError::Option {
                name: "beta_bar.len()",
                value: beta_bar.len() as f64,
                allowed: "as many entries as alpha_bar has, and at least one",
            });
        }
        for (name, table, max, allowed) in [
            (
                "alpha_bar",
                &alpha_bar,
                1.0,
                "0 to 1 and never falling along the table",
            ),
            (
                "beta_bar",
                &beta_bar,
                f64::MAX,
                "finite, not negative and never falling along the table",
            ),
        ] {
            let mut before = 0.0;
            for &value in table {
                if !(value >= before && value <= max) {
                    return Err(PlanError::Option {
                        name,
                        value,
                        allowed,
                    });
                }
                before = value;
            }
        }
        Ok(Self {
            alpha_bar,
            beta_bar,
        })
    }

    /// Number of labels.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.alpha_bar.len()
    }

    /// `steps` steps over labels that are even from the last one down to the clean image (time −1).
    ///
    /// # Errors
    /// [`PlanError::Option`] for more steps than labels, [`PlanError::TooFewSteps`] for none, and
    /// [`PlanError::LogSnrNotIncreasing`] if two visited labels are both free of noise.
    pub fn grid(&self, steps: usize) -> Result<TimeGrid, PlanError> {
        let total = self.labels();
        if steps > total {
            return Err(PlanError::Option {
                name: "steps",
                value: steps as f64,
                allowed: "at most the number of labels",
            });
        }
        let mut levels: Vec<NoiseLevel> = (0..steps)
            .map(|i| {
                let t = total as f64 * (steps - i) as f64 / steps as f64 - 1.0;
                let label = t.max(0.0) as usize;
                NoiseLevel::new(
                    label as f64,
                    1.0 - self.alpha_bar[label],
                    self.beta_bar[label],
                )
            })
            .collect();
        levels.push(NoiseLevel::clean(-1.0));
        TimeGrid::from_levels(levels)
    }
}
