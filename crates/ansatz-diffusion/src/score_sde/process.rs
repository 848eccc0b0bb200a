//! The three processes of the paper with their tables of N noise levels and their time grids.

use ansatz_core::{NoiseLevel, NoiseSchedule};

use super::{LastStep, Predictor, Transition, write};
use crate::{Plan, PlanError, SubVp, VarianceExploding, VpLinear};

/// A forward process: the schedule of its marginals and, by its kind, its discrete table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Process {
    /// Variance preserving; the table is β_k, evenly from β_min/N to β_max/N.
    Preserving(VpLinear),
    /// Sub-variance preserving; it has no table, so its discrete steps are Euler's.
    SubPreserving(SubVp),
    /// Variance exploding; the table is σ_k, geometric from σ_min to σ_max.
    Exploding(VarianceExploding),
}

impl Process {
    /// α(t) and σ(t).
    #[must_use]
    pub fn schedule(&self) -> &dyn NoiseSchedule {
        match self {
            Self::Preserving(s) => s,
            Self::SubPreserving(s) => s,
            Self::Exploding(s) => s,
        }
    }

    /// Standard deviation of the initial noise.
    #[must_use]
    pub fn prior_std(&self) -> f64 {
        match self {
            Self::Exploding(s) => s.sigma_max,
            _ => 1.0,
        }
    }
}

/// The published sampler of a process: N evaluations at times spaced evenly from T to ε.
///
/// The reference program steps by 1/N though its times are (T − ε)/(N − 1) apart, and takes one more
/// step from the last time; both are kept here, because its numbers depend on them. On grids of your
/// own, [`ReverseSde`](super::ReverseSde) steps by the distance of the times.
///
/// The table of β at k = 0 does not shrink with ε: for data of variance below β_min/N the last steps
/// overshoot, and more steps are the remedy.
///
/// ```
/// use ansatz_core::{Key, State, stream};
/// use ansatz_diffusion::{Predictor, ScoreSde};
/// use ansatz_testkit::Gaussian;
/// let sampler = ScoreSde { predictor: Predictor::Ancestral, ..ScoreSde::preserving(200) };
/// let plan = sampler.plan()?;
/// let model = Gaussian::isotropic(1, 2.0, 0.25)?;
/// let (mut x, key) = (vec![0.0_f64; 4000], Key::new(0));
/// x.fill_normal(key, stream::INITIAL);
/// plan.sample(&model, &mut x, key, &mut ())?;
/// let mean = x.iter().sum::<f64>() / 4000.0;
/// assert!((mean - 2.0).abs() < 0.04, "{mean}"); // five standard errors
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreSde {
    /// What noised the data.
    pub process: Process,
    /// The discretisation.
    pub predictor: Predictor,
    /// N, the number of evaluations (at least 2).
    pub steps: usize,
    /// ε, the last time at which the score is taken.
    pub end: f64,
    /// Noise in the last step.
    pub last: LastStep,
}

impl ScoreSde {
    /// The variance-preserving process with the paper's defaults and ε = 1e-3.
    #[must_use]
    pub fn preserving(steps: usize) -> Self {
        Self::of(Process::Preserving(VpLinear::default()), steps, 1e-3)
    }

    /// The sub-variance-preserving process with the paper's defaults and ε = 1e-3.
    #[must_use]
    pub fn sub_preserving(steps: usize) -> Self {
        Self::of(Process::SubPreserving(SubVp::default()), steps, 1e-3)
    }

    /// The variance-exploding process with the paper's defaults and ε = 1e-5.
    #[must_use]
    pub fn exploding(steps: usize) -> Self {
        Self::of(
            Process::Exploding(VarianceExploding::default()),
            steps,
            1e-5,
        )
    }

    fn of(process: Process, steps: usize, end: f64) -> Self {
        Self {
            process,
            predictor: Predictor::default(),
            steps,
            end,
            last: LastStep::default(),
        }
    }

    fn validate(&self) -> Result<(), PlanError> {
        if self.steps < 2 {
            return Err(PlanError::TooFewSteps {
                method: "the sampler of Score-SDE",
                needed: 2,
                got: self.steps,
            });
        }
        let last_time = self.process.schedule().t_max();
        let option = |name, value, allowed| {
            Err(PlanError::Option {
                name,
                value,
                allowed,
            })
        };
        if !(self.end > 0.0 && self.end < last_time) {
            return option("end", self.end, "between 0 and the schedule's last time");
        }
        match self.process {
            Process::Exploding(s) if !(s.sigma_min > 0.0 && s.sigma_min < s.sigma_max) => {
                option("sigma_min", s.sigma_min, "positive and below sigma_max")
            }
            Process::Preserving(s) | Process::SubPreserving(SubVp(s))
                if !(s.beta_min > 0.0 && s.beta_max >= s.beta_min)
                    || s.beta_max >= self.steps as f64 =>
            {
                option(
                    "beta_max",
                    s.beta_max,
                    "at least beta_min > 0 and below the number of steps",
                )
            }
            Process::SubPreserving(_) if self.predictor == Predictor::Ancestral => option(
                "predictor (ancestral)",
                2.0,
                "reverse diffusion or Euler-Maruyama: the sub-variance-preserving process has no \
                 table of discrete steps",
            ),
            _ => Ok(()),
        }
    }

    /// The steps as data.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer than two steps; [`PlanError::Option`] for ε outside
    /// (0, T), σ_min not below σ_max, β not ordered or too large for the number of steps, and
    /// ancestral sampling of the sub-variance-preserving process.
    pub fn transitions(&self) -> Result<Vec<Transition>, PlanError> {
        self.validate()?;
        let schedule = self.process.schedule();
        let (n, start) = (self.steps, schedule.t_max());
        // Levels come from a schedule that reaches to ε, whatever its own range.
        let time = |i: usize| start + (self.end - start) * i as f64 / (n - 1) as f64;
        Ok((0..n)
            .map(|i| {
                let from = schedule.level(time(i));
                let to = schedule.level(time((i + 1).min(n - 1)));
                self.transition(self.label(i), from, to)
            })
            .collect())
    }

    /// k = floor(t(N − 1)/T) of time number `i`, written so that no rounding decides.
    fn label(&self, i: usize) -> usize {
        let behind = i as f64 * self.end / self.process.schedule().t_max();
        (self.steps - 1 - i + behind.floor() as usize).min(self.steps - 1)
    }

    fn transition(&self, k: usize, from: NoiseLevel, to: NoiseLevel) -> Transition {
        let schedule = self.process.schedule();
        let (n, u) = (self.steps as f64, k as f64 / (self.steps - 1) as f64);
        let beta = match self.process {
            Process::Preserving(s) | Process::SubPreserving(SubVp(s)) => {
                (s.beta_min + u * (s.beta_max - s.beta_min)) / n
            }
            Process::Exploding(_) => 0.0,
        };
        let (keep, score, std) = match (self.predictor, self.process) {
            (Predictor::EulerMaruyama, _) | (_, Process::SubPreserving(_)) => {
                let dt = schedule.t_max() / n;
                let g2 = schedule.diffusion_squared(from.t);
                (1.0 - schedule.drift(from.t) * dt, g2 * dt, (g2 * dt).sqrt())
            }
            (Predictor::ReverseDiffusion, Process::Preserving(_)) => {
                (2.0 - (1.0 - beta).sqrt(), beta, beta.sqrt())
            }
            (Predictor::Ancestral, Process::Preserving(_)) => {
                let root = (1.0 - beta).sqrt();
                (1.0 / root, beta / root, beta.sqrt())
            }
            (predictor, Process::Exploding(s)) => {
                let sigma = |u: f64| s.sigma_min * (s.sigma_max / s.sigma_min).powf(u);
                let before = if k == 0 {
                    0.0
                } else {
                    sigma((k - 1) as f64 / (n - 1.0))
                };
                let here = sigma(u);
                let v = here * here - before * before;
                let shrink = match predictor {
                    Predictor::Ancestral => before / here,
                    _ => 1.0,
                };
                (1.0, v, v.sqrt() * shrink)
            }
        };
        Transition {
            from,
            to,
            keep,
            score,
            std,
            // Deviation: the program reads this from a table that its sub-variance-preserving class
            // does not have, and fails; that of the variance-preserving process is meant.
            damping: 1.0 - beta,
        }
    }

    /// The steps as a plan.
    ///
    /// # Errors
    /// Those of [`ScoreSde::transitions`].
    pub fn plan(&self) -> Result<Plan, PlanError> {
        write(&self.transitions()?, self.last)
    }
}
