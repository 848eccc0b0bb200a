//! EVODiff: a two-step sampler whose coefficients come from inner products of model outputs.
//!
//! With data estimates m₀ at s, m₋₁ at s′ and κ = σ/α, a step to t extrapolates
//! x_E = (σ_t/σ_s)x + σ_t·h·m₀, h = 1/κ_t − 1/κ_s, to a probe along D₁ = m₀ − r₁m₋₁, evaluates m_t
//! there, and corrects along a mix B of D₁ and D₂ = m_t − r₂m₀:
//! `x_t = x_E + ½σ_t·h·B/ζ`. The scalars r₁, r₂, η (the mix) and ζ are per sample, from
//! ⟨m₀, m₋₁⟩, ⟨m_t, m₀⟩, ⟨D, D⟩, damped by sigmoids and clamped to [−2, 2]. m_t serves the next step.
//!
//! Cost: one evaluation a step, six states, twelve passes over them for the scalars. It is not a consistent method: its scalars tend to no
//! limit that makes it one, and on exact models it is worse than
//! [`DpmMultistep`](crate::DpmMultistep). Its gain is on imperfect networks.
//!
//! Use it for comparison with the paper; never as a default. The last step uses σ in absolute units,
//! so data must have the scale of the paper's (EDM, [−1, 1]).
//!
//! Reference: S. Li, W. Chen, D. Zeng, *EVODiff: entropy-aware variance optimized diffusion
//! inference*, 2025; formulas as in the authors' program, whose inner products are per sample and channel.

mod scalars;

use std::ops::ControlFlow;

use ansatz_core::{Denoiser, Event, Key, NoiseLevel, Observer, Prediction, Report, RowState};

use super::Sampler;
use super::invertible::check_steps;
use super::rows::{Evaluator, finite, row_length};
use crate::{PlanError, SampleError, TimeGrid};
use scalars::{Coefficients, Scalars};

/// Options of EVODiff; [`EvoDiff::on`] puts it on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvoDiff {
    /// Samples that the state is made of; each has its own scalars. The authors' program takes the
    /// channels of each image apart: give samples times channels for that.
    pub batch: usize,
}

impl Default for EvoDiff {
    fn default() -> Self {
        Self { batch: 1 }
    }
}

/// EVODiff on a grid.
///
/// ```
/// use ansatz_core::{Key, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{Edm, EvoDiff, Sampler, Spacing, TimeGrid};
/// let grid = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 10)?;
/// let model = from_fn(Prediction::Data, |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
///     out.fill(0.4);
///     Ok(())
/// });
/// let mut x = vec![31.0, -80.0];
/// let report = EvoDiff::default().on(&grid)?.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert_eq!(report.nfe, 10);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct EvoDiffSampler<'a> {
    options: EvoDiff,
    grid: &'a TimeGrid,
}

impl EvoDiff {
    /// Puts the sampler on a grid.
    ///
    /// # Errors
    /// [`PlanError::TooFewSteps`] for fewer than two steps, [`PlanError::Coefficient`] for a grid
    /// that starts without signal.
    pub fn on<'a>(&self, grid: &'a TimeGrid) -> Result<EvoDiffSampler<'a>, PlanError> {
        check_steps("EVODiff", 2, grid)?;
        let value = grid.start().rho();
        if !value.is_finite() {
            return Err(PlanError::Coefficient { step: 0, value });
        }
        Ok(EvoDiffSampler {
            options: *self,
            grid,
        })
    }
}

impl<S: RowState> Sampler<S> for EvoDiffSampler<'_> {
    /// # Errors
    /// As every sampler, and [`PlanError::Option`] for a batch that does not divide the state.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        _: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        row_length(x, self.options.batch, self.grid.start().t)?;
        let mut now = x.clone();
        let [mut m0, mut m1, mut mt] = [(); 3].map(|()| x.zeros_like());
        let mut scratch = [(); 2].map(|()| x.zeros_like());
        let mut scalars = Scalars::new(self.options.batch);
        let mut evaluator = Evaluator {
            model,
            want: Prediction::Data,
            nfe: 0,
            step: 0,
        };
        let mut report = Report::default();
        let pairs: Vec<(&NoiseLevel, &NoiseLevel)> = self.grid.pairs().collect();
        for (i, (from, to)) in pairs.iter().enumerate() {
            // The first two steps have no estimate of their own start yet.
            if i < 2 {
                std::mem::swap(&mut m0, &mut m1);
                evaluator.eval(&now, from, &mut m0)?;
            }
            let keep = to.sigma / from.sigma;
            let gain = to.alpha - keep * from.alpha;
            let last = i + 1 == pairs.len();
            if i == 0 || to.sigma == 0.0 {
                now.lincomb(keep, &[(gain, &m0)]);
            } else if last {
                let root = if keep < 0.5 { keep } else { keep - 0.5 }.sqrt();
                let damped = 1.0 - (to.sigma * from.sigma).sqrt();
                let r = 1.0 - 0.5 * root;
                now.lincomb(
                    damped * keep,
                    &[((damped + 0.5) * gain, &m0), (-0.5 * r * gain, &m1)],
                );
            } else {
                let step = Coefficients::new(self.grid, i);
                scalars.probe(&step, &m0, &m1);
                let [own, before] = scalars.probe_factors(gain);
                scratch[0].assign(&now);
                scratch[0].row_lincomb(keep, &[(own, &m0), (before, &m1)]);
                evaluator.eval(&scratch[0], to, &mut mt)?;
                scalars.correct(&step, [&m0, &m1, &mt], &mut scratch);
                let [own, before, new] = scalars.step_factors(gain);
                now.row_lincomb(keep, &[(own, &m0), (before, &m1), (new, &mt)]);
                // m_t is the newest estimate, m₀ the one before.
                std::mem::swap(&mut m1, &mut m0);
                std::mem::swap(&mut m0, &mut mt);
            }
            finite("result of a step", &now, i, to.t)?;
            evaluator.step += 1;
            report.steps += 1;
            report.nfe = evaluator.nfe;
            let event = Event::new(report.steps, pairs.len(), report.nfe, **to, &now);
            if observer.on_step(&event.with_denoised(Some(&m0))) == ControlFlow::Break(()) {
                report.stopped_early = true;
                break;
            }
        }
        *x = now;
        Ok(report)
    }
}
