//! The noise levels that a sampler visits, from noise to data.

use ansatz_core::{NoiseLevel, NoiseSchedule};

use crate::plan::check_level;
use crate::{Discrete, PlanError};

/// How the nodes of a grid are spread between its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Spacing {
    /// Evenly in t.
    Time,
    /// Evenly in t^(1/κ); κ = 2 is the "quadratic" grid of DEIS and DDIM, κ = 1 is [`Spacing::Time`].
    Power(f64),
    /// Evenly in λ = ln(α/σ), which is evenly in ln ρ.
    LogSnr,
    /// Evenly in (σ/α)^(1/ρ); ρ = 7 in EDM.
    Karras(f64),
}

impl Spacing {
    /// The grid that does best on smooth models at 5 to 20 steps: evenly in √t.
    pub const QUADRATIC: Self = Self::Power(2.0);
    /// The grid of EDM.
    pub const KARRAS: Self = Self::Karras(7.0);

    /// Maps a time to the coordinate in which nodes are even, and back.
    fn to(self, schedule: &dyn NoiseSchedule, t: f64) -> f64 {
        match self {
            Self::Time => t,
            Self::Power(k) => t.powf(1.0 / k),
            Self::LogSnr => schedule.lambda(t),
            Self::Karras(k) => (-schedule.lambda(t) / k).exp(),
        }
    }

    fn back(self, schedule: &dyn NoiseSchedule, u: f64) -> f64 {
        match self {
            Self::Time => u,
            Self::Power(k) => u.powf(k),
            Self::LogSnr => schedule.t_of_lambda(u),
            Self::Karras(k) => schedule.t_of_lambda(-k * u.ln()),
        }
    }
}

/// Which integer labels a discrete model visits.
///
/// Reference: S. Lin et al., *Common diffusion noise schedules and sample steps are flawed*, 2024,
/// table 2 (names and formulas).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelSpacing {
    /// 0, T/N, 2T/N, …: never visits the last label.
    Leading,
    /// T − 1, T − 1 − T/N, …: starts at the last label.
    Trailing,
    /// N labels from T − 1 down to, but without, 0, evenly spaced and rounded.
    Linspace,
    /// Of the labels k·T/n − 1, k = n, …, 1, on which a model was distilled in n steps, N spread
    /// evenly from the largest (latent consistency models: n = 50).
    Origins(usize),
    /// N labels from T − 1 down to 0, evenly spaced and rounded (`linspace` of DDIM programs).
    LinspaceToZero,
}

impl LabelSpacing {
    /// `steps` of `total` labels, noise first.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for no step, [`PlanError::Option`] for more steps than labels.
    pub fn labels(self, total: usize, steps: usize) -> Result<Vec<f64>, PlanError> {
        if steps == 0 {
            return Err(PlanError::TooFewSteps {
                method: "a time grid",
                needed: 1,
                got: 0,
            });
        }
        if steps > total {
            return Err(PlanError::Option {
                name: "steps",
                value: steps as f64,
                allowed: "at most the number of labels",
            });
        }
        if let Self::Origins(origins) = self
            && !(steps..=total).contains(&origins)
        {
            return Err(PlanError::Option {
                name: "origins",
                value: origins as f64,
                allowed: "at least the number of steps, at most the number of labels",
            });
        }
        let (n, t) = (steps as f64, total as f64);
        let label = |i: f64| match self {
            Self::Leading => ((n - 1.0 - i) * (t / n).floor()).floor(),
            Self::Trailing => (t - i * t / n).round_ties_even() - 1.0,
            Self::Linspace => ((t - 1.0) * (n - i) / n).round_ties_even(),
            // A single label is the first of numpy's list, 0.
            Self::LinspaceToZero => {
                ((t - 1.0) * (n - 1.0 - i) / (n - 1.0).max(1.0)).round_ties_even()
            }
            Self::Origins(origins) => {
                let k = origins as f64 - (i * origins as f64 / n).floor();
                k * (t / origins as f64).floor() - 1.0
            }
        };
        Ok((0..steps).map(|i| label(i as f64)).collect())
    }
}

/// A strictly decreasing list of times with their noise levels: N + 1 nodes for N steps.
///
/// ```
/// use ansatz_diffusion::{Spacing, TimeGrid, VpLinear};
/// let grid = TimeGrid::new(&VpLinear::default(), Spacing::LogSnr, 20)?;
/// assert_eq!(grid.steps(), 20);
/// assert_eq!(grid.levels()[0].t, 1.0);
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TimeGrid {
    levels: Vec<NoiseLevel>,
}

impl TimeGrid {
    /// `steps` steps over the whole range of the schedule.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for zero steps; see also [`TimeGrid::from_times`].
    pub fn new(
        schedule: &dyn NoiseSchedule,
        spacing: Spacing,
        steps: usize,
    ) -> Result<Self, PlanError> {
        Self::between(schedule, spacing, steps, schedule.t_max(), schedule.t_min())
    }

    /// `steps` steps from `start` (noise) down to `end` (data).
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for zero steps, [`PlanError::Option`] for a power that is not
    /// positive, a schedule without a range of times, or a spacing in a coordinate that is infinite at
    /// an end (λ at pure noise); see also [`TimeGrid::from_times`].
    pub fn between(
        schedule: &dyn NoiseSchedule,
        spacing: Spacing,
        steps: usize,
        start: f64,
        end: f64,
    ) -> Result<Self, PlanError> {
        if steps == 0 {
            return Err(PlanError::TooFewSteps {
                method: "a time grid",
                needed: 1,
                got: 0,
            });
        }
        if let Spacing::Power(value) | Spacing::Karras(value) = spacing
            && !(value.is_finite() && value > 0.0)
        {
            return Err(PlanError::Option {
                name: "spacing exponent",
                value,
                allowed: "a positive number",
            });
        }
        let (min, max) = (schedule.t_min(), schedule.t_max());
        if !(min.is_finite() && max.is_finite() && min < max) {
            return Err(PlanError::Option {
                name: "the schedule's largest time",
                value: max,
                allowed: "finite and above its smallest time",
            });
        }
        // Checked first: the coordinate of a time outside the range may not exist.
        check_range(schedule, 0, start)?;
        check_range(schedule, steps, end)?;
        let (a, b) = (spacing.to(schedule, start), spacing.to(schedule, end));
        if let Some(&value) = [a, b].iter().find(|u| steps > 1 && !u.is_finite()) {
            return Err(PlanError::Option {
                name: "spacing coordinate at an end of the grid",
                value,
                allowed: "a number: take another spacing or exponent, or ends inside the schedule",
            });
        }
        let times: Vec<f64> = (0..=steps)
            .map(|i| match i {
                // The ends are exact; rounding of the coordinate must not move them.
                0 => start,
                _ if i == steps => end,
                _ => spacing.back(schedule, a + (b - a) * i as f64 / steps as f64),
            })
            .collect();
        Self::from_times(schedule, &times)
    }

    /// The given times, noise first.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer than two times, [`PlanError::TimeOutOfRange`],
    /// [`PlanError::Level`] where the schedule's parameters give no number,
    /// [`PlanError::GridNotDecreasing`], [`PlanError::LogSnrNotIncreasing`].
    pub fn from_times(schedule: &dyn NoiseSchedule, times: &[f64]) -> Result<Self, PlanError> {
        for (i, t) in times.iter().enumerate() {
            check_range(schedule, i, *t)?;
        }
        Self::from_levels(times.iter().map(|t| schedule.level(*t)).collect())
    }

    /// The given levels, noise first.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer than two levels, [`PlanError::Level`] for NaN, infinity or
    /// a negative factor, [`PlanError::GridNotDecreasing`], [`PlanError::LogSnrNotIncreasing`].
    pub fn from_levels(levels: Vec<NoiseLevel>) -> Result<Self, PlanError> {
        if levels.len() < 2 {
            return Err(PlanError::TooFewSteps {
                method: "a time grid",
                needed: 1,
                got: levels.len().saturating_sub(1),
            });
        }
        for (index, level) in levels.iter().enumerate() {
            check_level(index, level)?;
        }
        for (index, w) in levels.windows(2).enumerate() {
            // A comparison that holds: NaN is refused, too.
            let time_falls = w[0].t > w[1].t;
            if !time_falls {
                return Err(PlanError::GridNotDecreasing {
                    index,
                    t: w[0].t,
                    next: w[1].t,
                });
            }
            let (lambda, next) = (w[0].lambda(), w[1].lambda());
            let snr_grows = lambda < next;
            if !snr_grows {
                return Err(PlanError::LogSnrNotIncreasing {
                    index,
                    lambda,
                    next,
                });
            }
        }
        Ok(Self { levels })
    }

    /// `steps` labels of a discrete schedule, ending at the noiseless data (time −1).
    ///
    /// # Errors
    /// [`PlanError::Option`] for more steps than labels, [`PlanError::TooFewSteps`] for none.
    pub fn labels(
        schedule: &Discrete,
        spacing: LabelSpacing,
        steps: usize,
    ) -> Result<Self, PlanError> {
        let times = spacing.labels(schedule.labels(), steps)?;
        for (i, time) in times.iter().enumerate() {
            check_range(schedule, i, *time)?;
        }
        let mut levels: Vec<_> = times.iter().map(|t| schedule.level(*t)).collect();
        levels.push(NoiseLevel::clean(-1.0));
        Self::from_levels(levels)
    }

    /// `steps` steps over whole labels of a discrete schedule, spread by `spacing` from the last
    /// label to label 0.
    ///
    /// Labels are rounded down. Where two fall on the same one, the smallest unused label takes the
    /// place of the second, as in the program of DEIS.
    ///
    /// # Errors
    /// [`PlanError::Option`] if there are not enough labels; see also [`TimeGrid::between`].
    pub fn whole_labels(
        schedule: &Discrete,
        spacing: Spacing,
        steps: usize,
    ) -> Result<Self, PlanError> {
        let total = schedule.labels();
        if steps >= total {
            return Err(PlanError::Option {
                name: "steps",
                value: steps as f64,
                allowed: "below the number of labels",
            });
        }
        let even = Self::new(schedule, spacing, steps)?;
        let mut used = vec![false; total];
        let mut duplicates = 0;
        for level in even.levels() {
            let label = (level.t.max(0.0) as usize).min(total - 1);
            duplicates += usize::from(std::mem::replace(&mut used[label], true));
        }
        for slot in used.iter_mut().filter(|u| !**u).take(duplicates) {
            *slot = true;
        }
        let labels = (0..total).rev().filter(|label| used[*label]);
        let times: Vec<f64> = labels.map(|label| label as f64).collect();
        Self::from_times(schedule, &times)
    }

    /// The same grid with one more step, to the noiseless data.
    ///
    /// The clean end has α = 1 and σ = 0. Its time is 0, or one below the last when that is not above
    /// 0 (labels: −1). A grid that ends without noise stays as it is.
    #[must_use]
    pub fn with_clean_end(mut self) -> Self {
        if let Some(last) = self.levels.last()
            && last.sigma > 0.0
        {
            let t = if last.t > 0.0 { 0.0 } else { last.t - 1.0 };
            self.levels.push(NoiseLevel::clean(t));
        }
        self
    }

    /// The nodes, noise first.
    #[must_use]
    pub fn levels(&self) -> &[NoiseLevel] {
        &self.levels
    }

    /// Number of steps, one less than nodes.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.levels.len() - 1
    }

    /// The node the grid starts from: the level of the initial noise.
    #[must_use]
    pub fn start(&self) -> NoiseLevel {
        self.levels[0]
    }

    /// The node the grid ends at.
    #[must_use]
    pub fn end(&self) -> NoiseLevel {
        self.levels[self.levels.len() - 1]
    }

    /// `(from, to)` of every step.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&NoiseLevel, &NoiseLevel)> {
        self.levels.iter().zip(&self.levels[1..])
    }
}

/// Whether `t` lies in the range of the schedule; `index` is its place in the caller's list.
pub(crate) fn check_range(
    schedule: &dyn NoiseSchedule,
    index: usize,
    t: f64,
) -> Result<(), PlanError> {
    let (min, max) = (schedule.t_min(), schedule.t_max());
    // A few ulps of slack for ends that were computed.
    let slack = 4.0 * f64::EPSILON * max.abs();
    if t >= min - slack && t <= max + slack {
        Ok(())
    } else {
        Err(PlanError::TimeOutOfRange { index, t, min, max })
    }
}
