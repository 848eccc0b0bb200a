//! Diffusion by optimal transport: one map from noise to noisy data, then a few Langevin steps.
//!
//! Of the reverse process only the end is run. A semi-discrete map T carries noise to stored latents
//! `y_j = α·data_j + σ·ε_j` at a low noise level; T is fitted once, with cells of equal mass
//! ([`Heights`](crate::stats::transport::Heights)). From T(noise), annealed Langevin steps follow a ladder of
//! levels,
//!
//! `x ← x + h·∇log p(x) + √(2h)·z`, `h = r·σ²`, as many at each level,
//!
//! with x scaled by the ratio of α between levels, and the model's estimate of the data at the last level is the
//! sample (`x + σ²·∇log p(x)` for α = 1).
//!
//! The published program departs from the paper, and from itself, in two places:
//!
//! - The source is uniform on [0, 1]ᴰ, where the paper says normal. Here a map fitted on either is run on the
//!   points that it was fitted for: give `sample` a state of
//!   [`Source::Normal`](crate::stats::transport::Source), which is what all samplers start from, or of
//!   `Source::Uniform`.
//! - Latents are made 10 levels before the end of its ladder and the Langevin steps start 2 before, at a level
//!   where the latents have too much noise. [`DpmOt::new`] starts at the level of the latents; [`Ladder`] has
//!   the published levels, and both starts ([`Start`]).
//!
//! Cost: `levels·per_level + 1` evaluations and one pass of the map, n·D multiplications a sample; four states,
//! nothing allocated in a step.
//!
//! Use it when thousands of samples are drawn from a model whose data is at hand, in few evaluations each. T
//! returns stored latents: without Langevin steps it repeats them, and what it does not hold is reached only as
//! far as the steps go. Noise left over from one level to the next decays by (1 − r) a step, so that
//! `(1 − r)^per_level` should not be far above the ratio of two levels. The map alone is of use too: its output is
//! the start of any [`Plan`](crate::Plan) whose grid begins at the level of the latents.
//!
//! Reference: Z. Li, S. Li, Z. Wang, N. Lei, Z. Luo, X. Gu, *DPM-OT: a new diffusion probabilistic model based on
//! optimal transport*, 2023, algorithms 1 and 2.

use std::ops::ControlFlow;

use ansatz_core::{
    Denoiser, Event, Key, NoiseLevel, Observer, Prediction, Report, RowState, Scalar, State, stream,
};
use ansatz_stats::transport::BrenierMap;

use crate::solver::{Evaluator, Sampler, finite};
use crate::{PlanError, SampleError, TimeGrid};

/// Where Langevin steps start on a [`Ladder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At the level of the latents.
    #[default]
    Latents,
    /// ⌈back/5⌉ levels before the end, whatever the level of the latents: what the published program does.
    Published,
}

/// The geometric levels of the published program, with α = 1.
///
/// ```
/// use ansatz_diffusion::{Ladder, Start};
/// let ladder = Ladder::default();
/// assert_eq!(ladder.levels(10, Start::Latents)?[0], ladder.latents(10)?);
/// assert_eq!(ladder.levels(10, Start::Published)?.len(), 2); // 10 evaluations and the last
/// # Ok::<(), ansatz_diffusion::PlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ladder {
    /// First σ.
    pub sigma_max: f64,
    /// Last σ, below the first.
    pub sigma_min: f64,
    /// Number L of levels, at least 2.
    pub count: usize,
}

impl Default for Ladder {
    /// From 50 to 0.01 in 232 levels, as for CIFAR-10.
    fn default() -> Self {
        Self {
            sigma_max: 50.0,
            sigma_min: 0.01,
            count: 232,
        }
    }
}

impl Ladder {
    /// The last `back` levels: `L − back, …, L − 1` from 0.
    fn last(&self, back: usize) -> Result<Vec<NoiseLevel>, PlanError> {
        let refuse = |name, value, allowed| {
            Err(PlanError::Option {
                name,
                value,
                allowed,
            })
        };
        if !(self.sigma_min > 0.0 && self.sigma_min < self.sigma_max && self.sigma_max.is_finite())
        {
            let allowed = "a positive number below `sigma_max`";
            return refuse("sigma_min", self.sigma_min, allowed);
        }
        if self.count < 2 {
            return refuse("count", self.count as f64, "at least 2");
        }
        if back == 0 || back > self.count {
            return refuse("back", back as f64, "between 1 and the number of levels");
        }
        let last = (self.count - 1) as f64;
        let level = |k: usize| {
            let sigma = self.sigma_max * (self.sigma_min / self.sigma_max).powf(k as f64 / last);
            NoiseLevel::new(sigma, 1.0, sigma)
        };
        Ok((self.count - back..self.count).map(level).collect())
    }

    /// The level of the latents, `back` before the end.
    ///
    /// # Errors
    /// [`PlanError::Option`] for numbers out of range.
    pub fn latents(&self, back: usize) -> Result<NoiseLevel, PlanError> {
        Ok(self.last(back)?[0])
    }

    /// The levels of the Langevin steps for latents `back` levels before the end.
    ///
    /// # Errors
    /// [`PlanError::Option`] for numbers out of range.
    pub fn levels(&self, back: usize, start: Start) -> Result<Vec<NoiseLevel>, PlanError> {
        let levels = self.last(back)?;
        match start {
            Start::Latents => Ok(levels),
            Start::Published => self.last(back.div_ceil(5)),
        }
    }
}

/// Latents for data: `α·data + σ·ε`, with ε a function of the key and the place.
#[must_use]
pub fn latents<T: Scalar>(data: &[T], level: &NoiseLevel, key: Key) -> Vec<f64> {
    let mut out = vec![0.0; data.len()];
    out.fill_normal(key, stream::INITIAL);
    for (o, x) in out.iter_mut().zip(data) {
        *o = level.alpha * x.f64() + level.sigma * *o;
    }
    out
}

/// A map from noise to latents with Langevin steps after it; see the [module](self).
///
/// ```
/// use ansatz_core::{Key, State, stream};
/// use ansatz_diffusion::stats::transport::{Draws, Heights, Source, Spread};
/// use ansatz_diffusion::{DpmOt, Edm, Sampler, Spacing, TimeGrid, dpm_ot};
/// use ansatz_testkit::{Mixture, tb1};
/// let schedule = Edm { sigma_min: 0.01, sigma_max: 80.0 };
/// let grid = TimeGrid::between(&schedule, Spacing::LogSnr, 9, 0.3, 0.02)?;
/// let data = tb1::points(64);
/// let targets = dpm_ot::latents(&data, &grid.start(), Key::new(1));
/// let points: Vec<f64> = Source::Normal.points(2, 2000, Spread::Even);
/// let fit = Heights::default().fit(&targets, 2, &[1.0 / 64.0; 64], Draws::Fixed(&points))?;
/// let sampler = DpmOt::new(fit.map, &grid);
/// let mut x = vec![0.0; 2 * 100];
/// x.fill_normal(Key::new(2), stream::INITIAL);
/// let report = sampler.sample(&Mixture::tb1(), &mut x, Key::new(2), &mut ())?;
/// assert_eq!(report.nfe, 51); // ten levels of five steps, and the last
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DpmOt {
    /// From noise to latents.
    pub map: BrenierMap,
    /// Levels of the Langevin steps, σ/α falling strictly; latents are of the first.
    pub levels: Vec<NoiseLevel>,
    /// Steps at each level.
    pub per_level: usize,
    /// Size r of a step in units of σ², in (0, 2).
    pub ratio: f64,
}

impl DpmOt {
    /// Five steps at each level of a grid with r = 0.062, the published numbers (6.2e-6 at σ = 0.01).
    #[must_use]
    pub fn new(map: BrenierMap, grid: &TimeGrid) -> Self {
        Self {
            map,
            levels: grid.levels().to_vec(),
            per_level: 5,
            ratio: 0.062,
        }
    }

    fn validate(&self, x: &impl State) -> Result<NoiseLevel, SampleError> {
        let refuse = |name, value, allowed| {
            Err(PlanError::Option {
                name,
                value,
                allowed,
            }
            .into())
        };
        if !(self.ratio > 0.0 && self.ratio < 2.0) {
            return refuse("ratio", self.ratio, "a number in (0, 2)");
        }
        let mut before = f64::INFINITY;
        for rho in self.levels.iter().map(NoiseLevel::rho) {
            if !(rho > 0.0 && rho < before) {
                let allowed = "levels whose sigma/alpha is positive and falls strictly";
                return refuse("levels (sigma/alpha)", rho, allowed);
            }
            before = rho;
        }
        let Some(first) = self.levels.first() else {
            return refuse("levels (their number)", 0.0, "at least 1");
        };
        let dim = self.map.dim();
        if x.is_empty() || !x.len().is_multiple_of(dim) {
            return Err(SampleError::Length {
                what: "initial state (whole rows of the map)",
                expected: x.len().div_ceil(dim).max(1) * dim,
                got: x.len(),
            });
        }
        finite("initial state", x, 0, first.t)?;
        Ok(*first)
    }
}

impl<S: RowState> Sampler<S> for DpmOt {
    /// Samples from points of the source of the map, row by row. The map is applied in main memory, once.
    ///
    /// Noise of a step is a function of the key and the number of the step. The observer sees the state
    /// after every step; the last is the estimate of the data.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        let mut before = self.validate(x)?;
        let (mut now, mut out, mut z) = (x.clone(), x.zeros_like(), x.zeros_like());
        // A state that fails to be copied has no values, which the next evaluation sees.
        if let Some(mapped) = now.on_host(|elements| {
            let source = elements.to_vec();
            self.map.map(&source, elements)
        }) {
            mapped?;
        }
        let steps = self.levels.len() * self.per_level + 1;
        let mut report = Report::default();
        let mut evaluator = Evaluator {
            model,
            want: Prediction::Score,
            nfe: 0,
            step: 0,
        };
        for level in &self.levels {
            if level.alpha.to_bits() != before.alpha.to_bits() {
                now.lincomb(level.alpha / before.alpha, &[]);
            }
            before = *level;
            let h = self.ratio * level.sigma * level.sigma;
            for _ in 0..self.per_level {
                evaluator.eval(&now, level, &mut out)?;
                z.fill_normal(key, stream::step(evaluator.step as u64));
                now.lincomb(1.0, &[(h, &out), ((2.0 * h).sqrt(), &z)]);
                evaluator.step += 1;
                (report.nfe, report.steps) = (evaluator.nfe, evaluator.step);
                let event = Event::new(report.steps, steps, report.nfe, *level, &now);
                if observer.on_step(&event) == ControlFlow::Break(()) {
                    report.stopped_early = true;
                    finite("sample", &now, report.steps, level.t)?;
                    *x = now;
                    return Ok(report);
                }
            }
        }
        evaluator.want = Prediction::Data;
        evaluator.eval(&now, &before, &mut out)?;
        (report.nfe, report.steps) = (evaluator.nfe, steps);
        let clean = NoiseLevel::clean(before.t);
        let event = Event::new(steps, steps, report.nfe, clean, &out);
        // There is nothing left to stop.
        let _ = observer.on_step(&event);
        *x = out;
        Ok(report)
    }
}
