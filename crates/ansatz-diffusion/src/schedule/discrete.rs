//! Schedules given by a table: models trained with T integer labels.

use ansatz_core::{NoiseLevel, NoiseSchedule};

use super::softplus;
use crate::PlanError;

/// The published tables of β, T entries each.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Betas {
    /// Evenly spaced from the first to the second number (DDPM: 1e-4, 0.02).
    Linear(f64, f64),
    /// Evenly spaced square roots (latent diffusion: 0.00085, 0.012).
    ScaledLinear(f64, f64),
    /// From ᾱ(u) = cos²((u + 0.008)/1.008·π/2), each β at most 0.999 (improved DDPM).
    Cosine,
}

impl Betas {
    /// The table.
    #[must_use]
    pub fn table(self, len: usize) -> Vec<f64> {
        let linspace = |a: f64, b: f64, i: usize| {
            if len > 1 {
                a + (b - a) * i as f64 / (len - 1) as f64
            } else {
                a
            }
        };
        (0..len)
            .map(|i| match self {
                Self::Linear(a, b) => linspace(a, b, i),
                Self::ScaledLinear(a, b) => linspace(a.sqrt(), b.sqrt(), i).powi(2),
                Self::Cosine => {
                    let bar = |u: f64| {
                        ((u + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
                            .cos()
                            .powi(2)
                    };
                    let n = len as f64;
                    (1.0 - bar((i + 1) as f64 / n) / bar(i as f64 / n)).min(0.999)
                }
            })
            .collect()
    }
}

/// A variance-preserving schedule on integer labels 0 (least noise) to T − 1.
///
/// Time *is* the label, so a model reads it from [`NoiseLevel::t`]. Between labels ln α is linear.
///
/// References: J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, 2020;
/// C. Lu et al., *DPM-Solver*, 2022, appendix D.1 (interpolation).
#[derive(Debug, Clone, PartialEq)]
pub struct Discrete {
    /// ln α of each label, strictly decreasing.
    log_alpha: Vec<f64>,
}

impl Discrete {
    /// From a published table with `len` labels.
    ///
    /// # Errors
    /// Those of [`Discrete::from_betas`].
    pub fn new(betas: Betas, len: usize) -> Result<Self, PlanError> {
        Self::from_betas(&betas.table(len))
    }

    /// From any table: ᾱ is the running product of 1 − β.
    ///
    /// # Errors
    /// [`PlanError::Option`] for fewer than two entries, a β outside (0, 1), or one so small that it
    /// does not change ᾱ.
    pub fn from_betas(betas: &[f64]) -> Result<Self, PlanError> {
        if betas.len() < 2 {
            return Err(PlanError::Option {
                name: "betas.len()",
                value: betas.len() as f64,
                allowed: "at least 2 entries",
            });
        }
        if let Some(&value) = betas.iter().find(|b| !(**b > 0.0 && **b < 1.0)) {
            return Err(PlanError::Option {
                name: "beta",
                value,
                allowed: "a number between 0 and 1, both excluded",
            });
        }
        let mut sum = 0.0;
        let log_alpha = betas.iter().map(|b| {
            sum += 0.5 * (-b).ln_1p();
            sum
        });
        Self::from_log_alpha(log_alpha.collect())
    }

    /// From ln α of each label.
    ///
    /// # Errors
    /// [`PlanError::Option`] for fewer than two entries, entries that are not negative, or a table
    /// that does not fall strictly.
    pub fn from_log_alpha(log_alpha: Vec<f64>) -> Result<Self, PlanError> {
        if log_alpha.len() < 2 {
            return Err(PlanError::Option {
                name: "log_alpha.len()",
                value: log_alpha.len() as f64,
                allowed: "at least 2 entries",
            });
        }
        let mut before = 0.0;
        for &value in &log_alpha {
            let falls = value < before && value.is_finite();
            if !falls {
                return Err(PlanError::Option {
                    name: "log_alpha",
                    value,
                    allowed: "finite, below 0 and below the entry before",
                });
            }
            before = value;
        }
        Ok(Self { log_alpha })
    }

    /// The table of IR-SDE with `steps` + 1 labels, whose last α is `end` (100 and 0.005 in the
    /// paper's program). Label 0 is not clean. Meant inside [`ScaledNoise`](crate::ScaledNoise).
    ///
    /// Reference: Z. Luo et al., *Image restoration with mean-reverting stochastic differential
    /// equations*, 2023, section 3.3, with the cosine θ of their program.
    ///
    /// # Errors
    /// [`PlanError::Option`] for no step or an `end` outside (0, 1).
    pub fn mean_reverting(steps: usize, end: f64) -> Result<Self, PlanError> {
        if !(end > 0.0 && end < 1.0) {
            return Err(PlanError::Option {
                name: "end",
                value: end,
                allowed: "between 0 and 1, both excluded",
            });
        }
        let c = |i: usize| {
            let u = i as f64 / (steps + 2) as f64;
            ((u + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
                .cos()
                .powi(2)
        };
        let mut sum = 0.0;
        let mut total: Vec<f64> = (0..=steps)
            .map(|i| {
                sum += 1.0 - c(i + 1) / c(0);
                sum
            })
            .collect();
        for v in &mut total {
            *v *= end.ln() / sum;
        }
        Self::from_log_alpha(total)
    }

    /// The same table without the last entries whose λ lies below `lambda`; DPM-Solver's programs
    /// use −5.1, because the noisiest labels of a cosine table carry no signal.
    ///
    /// # Errors
    /// [`PlanError::Option`] if fewer than two entries are left.
    pub fn truncated(mut self, lambda: f64) -> Result<Self, PlanError> {
        let left = (0..self.labels()).filter(|i| self.lambda(*i as f64) >= lambda);
        let left = left.count();
        if left < 2 {
            return Err(PlanError::Option {
                name: "lambda",
                value: lambda,
                allowed: "below the log-SNR of the second label",
            });
        }
        self.log_alpha.truncate(left);
        Ok(self)
    }

    /// Number of labels T.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.log_alpha.len()
    }

    /// The level of an integer label; `None` past the table.
    #[must_use]
    pub fn at_label(&self, label: usize) -> Option<NoiseLevel> {
        (label < self.labels()).then(|| self.level(label as f64))
    }

    /// Segment of the table that holds `t`, and the slope of ln α there.
    fn segment(&self, t: f64) -> (usize, f64) {
        let i = (t.max(0.0) as usize).min(self.labels() - 2);
        (i, self.log_alpha[i + 1] - self.log_alpha[i])
    }
}

impl NoiseSchedule for Discrete {
    fn t_min(&self) -> f64 {
        0.0
    }

    fn t_max(&self) -> f64 {
        (self.labels() - 1) as f64
    }

    fn log_alpha(&self, t: f64) -> f64 {
        let (i, slope) = self.segment(t);
        self.log_alpha[i] + (t - i as f64) * slope
    }

    fn sigma(&self, t: f64) -> f64 {
        (-(2.0 * self.log_alpha(t)).exp_m1()).sqrt()
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        self.segment(t).1
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        -(2.0 * self.log_alpha(t)).exp() * self.log_alpha_rate(t) / self.sigma(t)
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        let log_alpha = -0.5 * softplus(-2.0 * lambda);
        let above = self.log_alpha.partition_point(|l| *l > log_alpha);
        let i = above.clamp(1, self.labels() - 1) - 1;
        let slope = self.log_alpha[i + 1] - self.log_alpha[i];
        i as f64 + (log_alpha - self.log_alpha[i]) / slope
    }
}
