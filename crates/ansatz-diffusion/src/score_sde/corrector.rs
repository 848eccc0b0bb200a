//! Predictor and corrector: Langevin steps at one noise level before each step to the next.
//!
//! A corrector step is `x ← x + h·s(x) + √(2h)·z` with `h = 2a(r‖z‖/‖s‖)²`, where ‖·‖ is the mean over the
//! batch of the Euclidean norms of the samples, r the signal-to-noise ratio, and a = (α_t/α_s)². The size
//! depends on the state, so this is a general [`Sampler`] and not a plan.
//!
//! Cost: `steps + 1` evaluations a transition, four states.
//!
//! Use r = 0.16 for small images and 0.075 to 0.17 otherwise, tuned per data set.
//!
//! Reference: Y. Song et al., *Score-based generative modeling through stochastic differential
//! equations*, 2021, algorithms 2 to 5 and appendix I (imputation).

use std::ops::ControlFlow;

use ansatz_core::{
    Denoiser, Event, Key, NoiseLevel, Observer, Prediction, Report, RowState, stream,
};

use super::{LastStep, Transition};
use crate::flow::check_samples;
use crate::solver::{Sampler, finite};
use crate::{NoiseSource, PlanError, SampleError};

/// How long a corrector step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LangevinStep {
    /// By the norms of noise and score: `2a(r‖z‖/‖s‖)²`.
    #[default]
    Norms,
    /// Annealed: `2a(r·σ)²`.
    Annealed,
}

/// Langevin steps at one noise level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Langevin {
    /// Signal-to-noise ratio r > 0.
    pub snr: f64,
    /// Corrector steps before each predictor step.
    pub steps: usize,
    /// How long they are.
    pub step: LangevinStep,
}

impl Default for Langevin {
    /// One step with r = 0.16, as for CIFAR-10 in the paper.
    fn default() -> Self {
        Self {
            snr: 0.16,
            steps: 1,
            step: LangevinStep::default(),
        }
    }
}

/// Elements whose data is known, to be kept while the others are sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<S> {
    /// 1 where the data is known, 0 where it is to be sampled.
    pub mask: S,
    /// The data; its value does not matter where the mask is 0.
    pub data: S,
}

/// A table of transitions with correctors between them.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_diffusion::{PredictorCorrector, Sampler, ScoreSde};
/// use ansatz_testkit::{Mixture, tb1};
/// let sampler = PredictorCorrector::new(ScoreSde::preserving(50).transitions()?, 16);
/// let mut x = tb1::points(16);
/// let report = sampler.sample(&Mixture::tb1(), &mut x, Key::new(1), &mut ())?;
/// assert_eq!(report.nfe, 100);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PredictorCorrector<S> {
    /// The predictor: from [`ScoreSde`](super::ScoreSde) or [`ReverseSde`](super::ReverseSde).
    pub transitions: Vec<Transition>,
    /// Samples in a batch, over which norms are averaged.
    pub samples: usize,
    /// The corrector.
    pub langevin: Langevin,
    /// Noise in the last step.
    pub last: LastStep,
    /// Elements that are known.
    pub known: Option<Known<S>>,
}

/// First random stream of imputation, above those of steps and correctors.
const IMPUTATION: u64 = 1 << 48;

impl<S: RowState> PredictorCorrector<S> {
    /// With one corrector step of r = 0.16 and no imputation.
    #[must_use]
    pub fn new(transitions: Vec<Transition>, samples: usize) -> Self {
        Self {
            transitions,
            samples,
            langevin: Langevin::default(),
            last: LastStep::default(),
            known: None,
        }
    }

    fn validate(&self, x: &S) -> Result<(), SampleError> {
        check_samples(x.len(), self.samples)?;
        if !(self.langevin.snr.is_finite() && self.langevin.snr > 0.0) {
            return Err(PlanError::Option {
                name: "snr",
                value: self.langevin.snr,
                allowed: "a positive number",
            }
            .into());
        }
        if let Some(known) = &self.known {
            for (what, state) in [("known.mask", &known.mask), ("known.data", &known.data)] {
                if state.len() != x.len() {
                    return Err(SampleError::Length {
                        what,
                        expected: x.len(),
                        got: state.len(),
                    });
                }
                if !state.same_shape(x) {
                    return Err(SampleError::Shape { what });
                }
            }
        }
        if x.is_finite() {
            return Ok(());
        }
        Err(SampleError::NonFinite {
            what: "initial state",
            step: 0,
            t: self.transitions.first().map_or(f64::NAN, |s| s.from.t),
        })
    }

    /// Samples with noise from any source; draws are numbered in the order in which they are used.
    ///
    /// # Errors
    /// [`SampleError`]; `x` is then unchanged.
    pub fn sample_with(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        mut noise: impl NoiseSource<S>,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.validate(x)?;
        let mut run = Run {
            sampler: self,
            x: x.clone(),
            score: x.zeros_like(),
            z: x.zeros_like(),
            norms: vec![0.0; self.samples],
            noise: &mut noise,
            draws: 0,
            report: Report::default(),
        };
        for (i, step) in self.transitions.iter().enumerate() {
            for j in 0..self.langevin.steps {
                run.correct(model, step, (i * self.langevin.steps + j) as u64)?;
            }
            let last = i + 1 == self.transitions.len();
            run.predict(model, step, i as u64, last)?;
            let (steps, report) = (self.transitions.len(), &mut run.report);
            let event = Event::new(report.steps, steps, report.nfe, step.to, &run.x);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                report.stopped_early = true;
                break;
            }
        }
        let end = self.transitions.last().map_or(f64::NAN, |s| s.to.t);
        finite("sample", &run.x, run.report.steps, end)?;
        *x = run.x;
        Ok(run.report)
    }
}

impl<S: RowState> Sampler<S> for PredictorCorrector<S> {
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.sample_with(model, x, key, observer)
    }
}

/// A run in progress.
struct Run<'a, S> {
    sampler: &'a PredictorCorrector<S>,
    x: S,
    score: S,
    z: S,
    /// Squares of the norms of samples.
    norms: Vec<f64>,
    noise: &'a mut dyn NoiseSource<S>,
    draws: usize,
    report: Report,
}

impl<S: RowState> Run<'_, S> {
    fn draw(&mut self, stream: u64) -> Result<(), SampleError> {
        self.noise.draw(self.draws, stream, &mut self.z);
        self.draws += 1;
        if self.z.same_shape(&self.x) {
            return Ok(());
        }
        Err(SampleError::Length {
            what: "noise",
            expected: self.x.len(),
            got: self.z.len(),
        })
    }

    fn score(&mut self, model: &dyn Denoiser<S>, at: &NoiseLevel) -> Result<(), SampleError> {
        let (step, t) = (self.report.steps, at.t);
        model
            .eval_as(Prediction::Score, &self.x, at, &mut self.score)
            .map_err(|source| SampleError::Eval { step, t, source })?;
        self.report.nfe += 1;
        if self.score.is_finite() {
            return Ok(());
        }
        Err(SampleError::NonFinite {
            what: "model output",
            step,
            t,
        })
    }

    /// One Langevin step at the level that `step` starts from.
    fn correct(
        &mut self,
        model: &dyn Denoiser<S>,
        step: &Transition,
        number: u64,
    ) -> Result<(), SampleError> {
        self.score(model, &step.from)?;
        self.draw(stream::corrector(number))?;
        let Langevin {
            snr, step: rule, ..
        } = self.sampler.langevin;
        let ratio = match rule {
            LangevinStep::Norms => {
                let Self {
                    z, score, norms, ..
                } = self;
                mean_norm(z, norms) / mean_norm(score, norms)
            }
            LangevinStep::Annealed => step.from.sigma,
        };
        let h = 2.0 * step.damping * (snr * ratio).powi(2);
        if !h.is_finite() {
            return Err(SampleError::NonFinite {
                what: "size of the corrector's step (is the score 0?)",
                step: self.report.steps,
                t: step.from.t,
            });
        }
        self.x
            .lincomb(1.0, &[(h, &self.score), ((2.0 * h).sqrt(), &self.z)]);
        self.impute(&step.from, 1.0)
    }

    fn predict(
        &mut self,
        model: &dyn Denoiser<S>,
        step: &Transition,
        number: u64,
        last: bool,
    ) -> Result<(), SampleError> {
        self.score(model, &step.from)?;
        let quiet = last && self.sampler.last == LastStep::Mean;
        if quiet {
            self.x.lincomb(step.keep, &[(step.score, &self.score)]);
        } else {
            self.draw(stream::step(number))?;
            self.x
                .lincomb(step.keep, &[(step.score, &self.score), (step.std, &self.z)]);
        }
        self.report.steps += 1;
        // Deviation: the program overwrites by the marginal of the level that the step starts from.
        self.impute(&step.to, if quiet { 0.0 } else { 1.0 })
    }

    /// Puts known elements to `α·data + noise·σ·z`.
    fn impute(&mut self, at: &NoiseLevel, noise: f64) -> Result<(), SampleError> {
        let Some(known) = &self.sampler.known else {
            return Ok(());
        };
        if noise > 0.0 {
            self.draw(IMPUTATION + self.draws as u64)?;
        }
        let std = noise * at.sigma;
        self.z.lincomb(std, &[(at.alpha, &known.data)]);
        // Elements that are not known may hold anything, NaN included.
        self.x.blend(&known.mask, &self.z);
        Ok(())
    }
}

/// Mean over the batch of the Euclidean norms of the samples; `squares` has a place for each.
fn mean_norm<S: RowState>(x: &S, squares: &mut [f64]) -> f64 {
    x.row_dots(&[x], squares);
    squares.iter().map(|s| s.sqrt()).sum::<f64>() / squares.len() as f64
}
