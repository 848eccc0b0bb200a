//! Denoising Markov chains: Gibbs sampling over a state and its noise level.
//!
//! The joint density p(x, k) ∝ p_k(x) lives on noisy states x and levels k, with p_k the data noised to
//! level k and all levels equally likely. A sweep moves one given the other:
//!
//! - `x ← x + ½η·∇log p_k(x) + √η·z`, one Langevin step at the level of each sample;
//! - `k ~ p(k | x) ∝ p_k(x)`, by [`LevelDraw::Sample`]; the published program takes the most likely level
//!   instead ([`LevelDraw::MostLikely`]), which is no Gibbs step and does not keep p(x, k).
//!
//! At high levels the chain crosses between modes, at low ones it is near data. Any solver then denoises
//! each sample from its level. The present (x, k) follows p(x, k), so that denoising it gives data
//! ([`Harvest::Present`]). The paper keeps the state of the lowest level in a window of sweeps
//! ([`Harvest::Cleanest`]), which needs fewer steps and is biased, as a choice that depends on the path.
//! The posterior of the level comes from a classifier, or exactly from a model with a density
//! ([`ExactLevels`]).
//!
//! Cost: each sample is evaluated once a sweep, in one batch per level that is occupied, and the
//! posterior once; five states, nothing allocated in a sweep.
//!
//! Use it to draw many samples in sequence. The step η is the same at all levels and not adjusted: η/2
//! must lie below the smallest variance of the data noised to the lowest level, and mixing
//! at high levels takes σ²/η sweeps.
//!
//! Reference: B. Kim, J. C. Ye, *Denoising MCMC for accelerating diffusion-based generative models*,
//! 2022 (denoising Langevin Gibbs).

use std::ops::ControlFlow;

use ansatz_core::{
    Denoiser, DensityDenoiser, EvalError, Event, Key, NoiseLevel, NoiseSchedule, Observer,
    Prediction, Report, Scalar, State, stream,
};
use ansatz_stats::{WeightError, categorical, log_sum_exp};

use crate::flow::check_samples;
use crate::{Plan, PlanError, SampleError, Solver, Spacing, TimeGrid};

/// How the level of a sample is chosen from its posterior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LevelDraw {
    /// A draw: a Gibbs step.
    #[default]
    Sample,
    /// The most likely level, the lowest of equals: what the published program does.
    MostLikely,
}

/// Which state of a chain is denoised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Harvest {
    /// The present one, whatever its level.
    #[default]
    Present,
    /// That of the lowest level since [`NoisyChains::harvest`]: what the paper does; biased.
    Cleanest,
}

/// The posterior of the noise level of a noisy state. Closures qualify.
pub trait LevelPosterior<T>: Sync {
    /// `log_posterior[k·samples + b] ← log p(level k | x_b)`, up to a constant that may depend on b;
    /// the number of samples is the length of `log_posterior` over that of `levels`.
    ///
    /// # Errors
    /// Whatever the classifier reports.
    #[expect(clippy::ptr_arg, reason = "models take states, and a slice is none")]
    fn log_posterior(
        &self,
        x: &Vec<T>,
        levels: &[NoiseLevel],
        log_posterior: &mut [f64],
    ) -> Result<(), EvalError>;
}

impl<T, F> LevelPosterior<T> for F
where
    F: Fn(&Vec<T>, &[NoiseLevel], &mut [f64]) -> Result<(), EvalError> + Sync,
{
    fn log_posterior(
        &self,
        x: &Vec<T>,
        levels: &[NoiseLevel],
        log_posterior: &mut [f64],
    ) -> Result<(), EvalError> {
        self(x, levels, log_posterior)
    }
}

/// The exact posterior under equally likely levels, of a model that knows its density.
#[derive(Debug, Clone, Copy)]
pub struct ExactLevels<M>(pub M);

impl<T: Scalar, M: DensityDenoiser<Vec<T>>> LevelPosterior<T> for ExactLevels<M> {
    fn log_posterior(
        &self,
        x: &Vec<T>,
        levels: &[NoiseLevel],
        log_posterior: &mut [f64],
    ) -> Result<(), EvalError> {
        let samples = log_posterior.len() / levels.len().max(1);
        for (level, out) in levels.iter().zip(log_posterior.chunks_exact_mut(samples)) {
            self.0.log_density(x, level, out)?;
        }
        Ok(())
    }
}

/// Samples with a level each, and the cleanest that each has been.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisyChains<T> {
    x: Vec<T>,
    levels: Vec<usize>,
    cleanest: Vec<T>,
    cleanest_levels: Vec<usize>,
    sweeps: u64,
}

impl<T: Scalar> NoisyChains<T> {
    /// `samples` equal rows of `x`, all at the level of this index.
    ///
    /// # Errors
    /// [`PlanError::Option`] when the samples do not divide the state.
    pub fn new(x: Vec<T>, samples: usize, level: usize) -> Result<Self, PlanError> {
        check_samples(x.len(), samples)?;
        Ok(Self {
            cleanest: x.clone(),
            x,
            levels: vec![level; samples],
            cleanest_levels: vec![level; samples],
            sweeps: 0,
        })
    }

    /// The samples, row by row.
    #[must_use]
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// Index of the level of each sample.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// Each sample where its level was lowest since the last harvest (the latest of equals), and
    /// the index of that level.
    #[must_use]
    pub fn cleanest(&self) -> (&[T], &[usize]) {
        (&self.cleanest, &self.cleanest_levels)
    }

    /// Forgets the past: the present samples are now the cleanest.
    pub fn harvest(&mut self) {
        self.cleanest.copy_from_slice(&self.x);
        self.cleanest_levels.copy_from_slice(&self.levels);
    }
}

/// Denoising Langevin-Gibbs sampling.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_diffusion::{
///     DenoisingMcmc, Edm, ExactLevels, Harvest, Heun, NoisyChains, Spacing, TimeGrid,
/// };
/// use ansatz_testkit::{Mixture, tb1};
/// let (model, schedule) = (Mixture::tb1(), Edm { sigma_min: 0.01, sigma_max: 5.0 });
/// let grid = TimeGrid::between(&schedule, Spacing::LogSnr, 19, 5.0, 0.05)?;
/// let sampler = DenoisingMcmc::new(&grid, 0.05);
/// let mut chains = NoisyChains::new(tb1::points(64), 64, 10)?;
/// sampler.run(&model, &ExactLevels(&model), &mut chains, 50, Key::new(1), &mut ())?;
/// let plans = sampler.plans(&Heun::default(), &schedule, Spacing::LogSnr, 5, 0.01)?;
/// let x = sampler.denoise(&model, &chains, Harvest::Present, &plans, Key::new(2))?;
/// assert_eq!(x.len(), 128);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DenoisingMcmc {
    /// The levels, σ/α rising strictly.
    pub levels: Vec<NoiseLevel>,
    /// Size η > 0 of a Langevin step.
    pub step: f64,
    /// How levels are chosen.
    pub draw: LevelDraw,
}

impl DenoisingMcmc {
    /// On the levels of a grid, drawn from their posterior.
    #[must_use]
    pub fn new(grid: &TimeGrid, step: f64) -> Self {
        Self {
            levels: grid.levels().iter().rev().copied().collect(),
            step,
            draw: LevelDraw::default(),
        }
    }

    fn validate(&self, chains: &NoisyChains<impl Scalar>) -> Result<(), SampleError> {
        let refuse = |name, value, allowed| {
            Err(PlanError::Option {
                name,
                value,
                allowed,
            }
            .into())
        };
        if !(self.step.is_finite() && self.step > 0.0) {
            return refuse("step", self.step, "a positive number");
        }
        let mut before = 0.0;
        for rho in self.levels.iter().map(NoiseLevel::rho) {
            if !(rho.is_finite() && rho > before) {
                let allowed = "levels whose sigma/alpha is positive and rises strictly";
                return refuse("levels (sigma/alpha)", rho, allowed);
            }
            before = rho;
        }
        let known = |k: &&usize| **k >= self.levels.len();
        if let Some(k) = chains
            .levels
            .iter()
            .chain(&chains.cleanest_levels)
            .find(known)
        {
            return refuse("level of a chain", *k as f64, "an index of `levels`");
        }
        if chains.x.is_finite() {
            return Ok(());
        }
        Err(SampleError::NonFinite {
            what: "initial state",
            step: 0,
            t: self.levels[0].t,
        })
    }

    /// Makes `sweeps` sweeps.
    ///
    /// A second run goes on where the first ended: with the same key, the two make the sweeps of one
    /// long run. The noise of a chain depends on the key, the sweep and its place in the batch alone.
    /// The observer sees the chains after every sweep; [`Event::level`] is the lowest level of all, and
    /// [`Event::nfe`] counts batches in which every sample is evaluated once.
    ///
    /// # Errors
    /// [`SampleError`]; `chains` is then unchanged.
    pub fn run<T: Scalar>(
        &self,
        model: &dyn Denoiser<Vec<T>>,
        posterior: &dyn LevelPosterior<T>,
        chains: &mut NoisyChains<T>,
        sweeps: usize,
        key: Key,
        observer: &mut dyn Observer<NoisyChains<T>>,
    ) -> Result<Report, SampleError> {
        self.validate(chains)?;
        let mut run = Run::new(self, chains);
        let mut report = Report::default();
        for step in 0..sweeps {
            run.langevin(model, step, key)?;
            run.choose(posterior, step, key)?;
            (report.nfe, report.steps) = (step + 1, step + 1);
            let event = Event::new(step + 1, sweeps, step + 1, self.levels[0], &run.chains);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                report.stopped_early = true;
                break;
            }
        }
        *chains = run.chains;
        Ok(report)
    }

    /// One plan per level, each of `steps` steps from there to the time `end` of the schedule that the
    /// levels are of.
    ///
    /// # Errors
    /// [`PlanError`] of the grids and the solver, such as an `end` that is not below all levels.
    pub fn plans(
        &self,
        solver: &dyn Solver,
        schedule: &dyn NoiseSchedule,
        spacing: Spacing,
        steps: usize,
        end: f64,
    ) -> Result<Vec<Plan>, PlanError> {
        let plan = |level: &NoiseLevel| {
            let grid = TimeGrid::between(schedule, spacing, steps, level.t, end)?;
            solver.plan(schedule, &grid)
        };
        self.levels.iter().map(plan).collect()
    }

    /// Denoises a state of each chain by the plan of its level.
    ///
    /// # Errors
    /// [`SampleError`] of the plans; [`SampleError::Length`] unless there is one per level.
    pub fn denoise<T: Scalar>(
        &self,
        model: &dyn Denoiser<Vec<T>>,
        chains: &NoisyChains<T>,
        harvest: Harvest,
        plans: &[Plan],
        key: Key,
    ) -> Result<Vec<T>, SampleError> {
        self.validate(chains)?;
        if plans.len() != self.levels.len() {
            return Err(SampleError::Length {
                what: "plans (one per level)",
                expected: self.levels.len(),
                got: plans.len(),
            });
        }
        let (rows, levels) = match harvest {
            Harvest::Present => (chains.x(), chains.levels()),
            Harvest::Cleanest => chains.cleanest(),
        };
        let mut x = rows.to_vec();
        let mut groups = Groups::new(rows, levels.len());
        for (k, plan) in plans.iter().enumerate() {
            if groups.gather(k, rows, levels) {
                let key = key.fold_in(k as u64);
                plan.sample(model, &mut groups.rows, key, &mut ())?;
                Groups::<T>::scatter(&groups.members, &groups.rows, &mut x);
            }
        }
        Ok(x)
    }
}

/// The samples of one level at a time, side by side.
struct Groups<T> {
    dim: usize,
    members: Vec<usize>,
    rows: Vec<T>,
    out: Vec<T>,
}

impl<T: Scalar> Groups<T> {
    fn new(x: &[T], samples: usize) -> Self {
        Self {
            dim: x.len() / samples,
            members: Vec::with_capacity(samples),
            rows: Vec::with_capacity(x.len()),
            out: vec![T::zero(); x.len()],
        }
    }

    /// Collects the rows of `x` at the level `k`; tells whether there are any.
    fn gather(&mut self, k: usize, x: &[T], levels: &[usize]) -> bool {
        self.members.clear();
        self.rows.clear();
        for (b, row) in x.chunks_exact(self.dim).enumerate() {
            if levels[b] == k {
                self.members.push(b);
                self.rows.extend_from_slice(row);
            }
        }
        self.out.resize(self.rows.len(), T::zero());
        !self.members.is_empty()
    }

    /// Puts the rows of a group back in their places.
    fn scatter(members: &[usize], rows: &[T], into: &mut [T]) {
        let dim = rows.len() / members.len();
        for (b, row) in members.iter().zip(rows.chunks_exact(dim)) {
            into[b * dim..][..dim].copy_from_slice(row);
        }
    }
}

/// A run in progress.
struct Run<'a, T> {
    sampler: &'a DenoisingMcmc,
    chains: NoisyChains<T>,
    groups: Groups<T>,
    score: Vec<T>,
    z: Vec<T>,
    log_posterior: Vec<f64>,
    /// Of one sample.
    row: Vec<f64>,
}

impl<'a, T: Scalar> Run<'a, T> {
    fn new(sampler: &'a DenoisingMcmc, chains: &NoisyChains<T>) -> Self {
        let (samples, levels) = (chains.levels.len(), sampler.levels.len());
        Self {
            sampler,
            chains: chains.clone(),
            groups: Groups::new(&chains.x, samples),
            score: chains.x.zeros_like(),
            z: chains.x.zeros_like(),
            log_posterior: vec![0.0; samples * levels],
            row: vec![0.0; levels],
        }
    }

    /// A Langevin step of every sample at its level.
    fn langevin(
        &mut self,
        model: &dyn Denoiser<Vec<T>>,
        step: usize,
        key: Key,
    ) -> Result<(), SampleError> {
        let (chains, groups) = (&mut self.chains, &mut self.groups);
        for (k, level) in self.sampler.levels.iter().enumerate() {
            if !groups.gather(k, &chains.x, &chains.levels) {
                continue;
            }
            let t = level.t;
            model
                .eval_as(Prediction::Score, &groups.rows, level, &mut groups.out)
                .map_err(|source| SampleError::Eval { step, t, source })?;
            if !groups.out.is_finite() {
                return Err(SampleError::NonFinite {
                    what: "model output",
                    step,
                    t,
                });
            }
            Groups::scatter(&groups.members, &groups.out, &mut self.score);
        }
        self.z.fill_normal(key, stream::step(chains.sweeps));
        let eta = self.sampler.step;
        chains
            .x
            .lincomb(1.0, &[(0.5 * eta, &self.score), (eta.sqrt(), &self.z)]);
        Ok(())
    }

    /// A level for every sample.
    fn choose(
        &mut self,
        posterior: &dyn LevelPosterior<T>,
        step: usize,
        key: Key,
    ) -> Result<(), SampleError> {
        let (sampler, chains) = (self.sampler, &mut self.chains);
        let t = sampler.levels[0].t;
        posterior
            .log_posterior(&chains.x, &sampler.levels, &mut self.log_posterior)
            .map_err(|source| SampleError::Eval { step, t, source })?;
        let (samples, dim) = (chains.levels.len(), self.groups.dim);
        for b in 0..samples {
            for (k, log) in self.row.iter_mut().enumerate() {
                *log = self.log_posterior[k * samples + b];
            }
            let [u, _] = key.uniform(stream::corrector(chains.sweeps), b as u64);
            let level = match sampler.draw {
                LevelDraw::Sample => categorical(&self.row, u),
                LevelDraw::MostLikely => most_likely(&self.row),
            }
            .map_err(|source| SampleError::Weights {
                sample: b,
                step,
                source,
            })?;
            chains.levels[b] = level;
            if level <= chains.cleanest_levels[b] {
                chains.cleanest_levels[b] = level;
                let row = b * dim..(b + 1) * dim;
                chains.cleanest[row.clone()].copy_from_slice(&chains.x[row]);
            }
        }
        chains.sweeps += 1;
        Ok(())
    }
}

fn most_likely(log_weights: &[f64]) -> Result<usize, WeightError> {
    log_sum_exp(log_weights)?;
    let mut best = 0;
    for (k, w) in log_weights.iter().enumerate() {
        if *w > log_weights[best] {
            best = k;
        }
    }
    Ok(best)
}
