//! Adaptive DPM-Solver: step sizes from the difference of two orders.
//!
//! An attempt from λ to λ + h computes a lower and a higher order from shared stages (orders 1 and
//! 2, or 2 and 3). With δ = max(atol, rtol·max(|x_low|, |x_prev|)) elementwise, its error is
//! `E = max over samples of rms((x_high − x_low)/δ)`. It is accepted if E ≤ 1, and the next step is
//! `θ·h·E^{−1/order}`, at most what is left. As in the paper's program, x_prev is the lower-order
//! result of the last accepted step.
//!
//! Cost: `order` evaluations an attempt, one less after a rejection, whose first stage is kept; six
//! to seven states, allocated once. The error is a maximum over the batch, so a sample's steps depend
//! on its company.
//!
//! Use it to find out how many evaluations a model needs. At a known budget a fixed grid is better.
//!
//! Reference: C. Lu et al., *DPM-Solver*, 2022, appendix C, algorithms 3 and 6.

use std::ops::ControlFlow;

use ansatz_core::{
    Denoiser, Event, Key, NoiseLevel, NoiseSchedule, Observer, Report, RowState, Tolerance,
};

use super::rows::{Evaluator, assign, finite, row_length, worst};
use super::singlestep::{result, stage};
use super::{Coefficients, Form, Sampler};
use crate::{PlanError, SampleError, Value};

/// The two orders that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderPair {
    /// Orders 1 and 2.
    OneTwo,
    /// Orders 2 and 3.
    #[default]
    TwoThree,
}

/// Options of the adaptive sampler; [`DpmAdaptive::on`] puts it on a schedule.
///
/// ```
/// use ansatz_core::{Key, NoiseLevel, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{DpmAdaptive, Sampler, VpLinear};
/// let model = from_fn(Prediction::Noise, |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
///     // Data N(0, 0.25), of which every sample is a row of one element.
///     let scale = at.sigma / (0.25 * at.alpha * at.alpha + at.sigma * at.sigma);
///     out.iter_mut().zip(x).for_each(|(o, x)| *o = scale * x);
///     Ok(())
/// });
/// let mut x = vec![1.0, -2.0, 0.3];
/// let adaptive = DpmAdaptive { batch: 3, ..Default::default() };
/// let report = adaptive.on(&VpLinear::default())?.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert!((x[0] - 0.5).abs() < 0.03 && report.nfe < 100);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmAdaptive {
    /// The orders compared.
    pub pair: OrderPair,
    /// Data (`++`) or noise prediction.
    pub form: Form,
    /// Tolerances; the defaults are the paper's (0.0078 = 2/256 for images in [−1, 1], 0.05).
    pub tolerance: Tolerance,
    /// θ in (0, 1).
    pub safety: f64,
    /// First step in λ.
    pub first_step: f64,
    /// Evaluations after which the sampler gives up.
    pub max_nfe: usize,
    /// Samples that the state is made of; each has its own error.
    pub batch: usize,
}

impl Default for DpmAdaptive {
    fn default() -> Self {
        Self {
            pair: OrderPair::TwoThree,
            form: Form::Noise,
            tolerance: Tolerance::new(0.0078, 0.05),
            safety: 0.9,
            first_step: 0.05,
            max_nfe: 10_000,
            batch: 1,
        }
    }
}

/// An adaptive sampler on a schedule, from its noise end to its data end.
#[derive(Clone, Copy)]
pub struct AdaptiveSampler<'a> {
    options: DpmAdaptive,
    schedule: &'a dyn NoiseSchedule,
    start: NoiseLevel,
    end: NoiseLevel,
}

impl DpmAdaptive {
    /// Checks the options and takes the whole range of `schedule`.
    ///
    /// # Errors
    /// [`PlanError::Option`] for negative or non-finite tolerances (or both zero), θ outside (0, 1),
    /// a first step that is not positive; [`PlanError::LogSnrNotIncreasing`] for a schedule whose
    /// ends are not finite in λ.
    pub fn on<'a>(
        &self,
        schedule: &'a dyn NoiseSchedule,
    ) -> Result<AdaptiveSampler<'a>, PlanError> {
        let Tolerance { atol, rtol } = self.tolerance;
        let rows = [
            ("atol", atol, atol >= 0.0, "finite, not negative"),
            ("rtol", rtol, rtol >= 0.0, "finite, not negative"),
            (
                "atol + rtol",
                atol + rtol,
                atol + rtol > 0.0,
                "above 0: every step would be rejected",
            ),
            (
                "safety",
                self.safety,
                self.safety > 0.0 && self.safety < 1.0,
                "between 0 and 1, both excluded",
            ),
            (
                "first_step",
                self.first_step,
                self.first_step > 0.0,
                "a positive number",
            ),
        ];
        for (name, value, good, allowed) in rows {
            if !(good && value.is_finite()) {
                return Err(PlanError::Option {
                    name,
                    value,
                    allowed,
                });
            }
        }
        let (start, end) = (
            schedule.level(schedule.t_max()),
            schedule.level(schedule.t_min()),
        );
        let (lambda, next) = (start.lambda(), end.lambda());
        if lambda < next && lambda.is_finite() && next.is_finite() {
            Ok(AdaptiveSampler {
                options: *self,
                schedule,
                start,
                end,
            })
        } else {
            Err(PlanError::LogSnrNotIncreasing {
                index: 0,
                lambda,
                next,
            })
        }
    }
}

impl AdaptiveSampler<'_> {
    /// Stages, as fractions of the step in λ.
    fn ratios(&self) -> &'static [f64] {
        match self.options.pair {
            OrderPair::OneTwo => &[0.5],
            OrderPair::TwoThree => &[1.0 / 3.0, 2.0 / 3.0],
        }
    }
}

impl<S: RowState> Sampler<S> for AdaptiveSampler<'_> {
    /// # Errors
    /// As every sampler, and [`PlanError::Option`] for a batch that does not divide the state,
    /// [`SampleError::Budget`] when `max_nfe` does not suffice.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        _: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        let o = &self.options;
        row_length(x, o.batch, self.start.t)?;
        let mut errors = vec![0.0; o.batch];
        let ratios = self.ratios();
        let order = ratios.len() + 1;
        // Places in `states` below: the state, then the outputs of the stages.
        let [state, first] = [Value(0), Value(1)];
        let mut now = x.clone();
        let mut outputs = vec![x.zeros_like(); order];
        let [mut low, mut high, mut previous] = [x.zeros_like(), x.zeros_like(), x.clone()];
        let mut evaluator = Evaluator {
            model,
            want: o.form.prediction(),
            nfe: 0,
            step: 0,
        };
        let mut report = Report::default();
        let (mut from, mut h) = (self.start, o.first_step);
        let mut fresh = true;
        while from != self.end {
            let needed = evaluator.nfe + order - usize::from(!fresh);
            if needed > o.max_nfe {
                return Err(SampleError::Budget {
                    nfe: evaluator.nfe,
                    max_nfe: o.max_nfe,
                    t: from.t,
                });
            }
            let left = self.end.lambda() - from.lambda();
            let last = h >= left;
            h = h.min(left);
            let level = |lambda: f64| self.schedule.level(self.schedule.t_of_lambda(lambda));
            // Exactly the end: nothing is left over by rounding.
            let to = if last {
                self.end
            } else {
                level(from.lambda() + h)
            };
            if fresh {
                evaluator.eval(&now, &from, &mut outputs[0])?;
                fresh = false;
            }
            let mut nodes = vec![(from, first)];
            for (k, r) in ratios.iter().enumerate() {
                let at = level(from.lambda() + r * h);
                let sum = stage(o.form, state, &nodes, &at);
                assign(&mut high, &sum, &places(&now, &outputs));
                evaluator.eval(&high, &at, &mut outputs[k + 1])?;
                nodes.push((at, Value(k as u32 + 2)));
            }
            let combine = |dst: &mut S, used: usize| {
                let sum = result(o.form, Coefficients::Midpoint, state, &nodes[..used], &to);
                assign(dst, &sum, &places(&now, &outputs));
            };
            combine(&mut low, order - 1);
            combine(&mut high, order);
            high.row_errors(&low, &previous, o.tolerance, &mut errors);
            let error = worst(&errors);
            if error <= 1.0 {
                std::mem::swap(&mut now, &mut high);
                std::mem::swap(&mut previous, &mut low);
                (from, fresh) = (to, true);
                report.steps += 1;
                evaluator.step += 1;
                report.nfe = evaluator.nfe;
                let event = Event::new(report.steps, 0, evaluator.nfe, to, &now);
                if observer.on_step(&event) == ControlFlow::Break(()) {
                    report.stopped_early = true;
                    break;
                }
            } else {
                finite("result of a step", &high, evaluator.step, to.t)?;
                if error.is_nan() {
                    return Err(SampleError::NonFinite {
                        what: "error of a step",
                        step: evaluator.step,
                        t: to.t,
                    });
                }
                report.rejected += 1;
            }
            h *= o.safety * error.powf(-1.0 / order as f64);
        }
        *x = now;
        Ok(report)
    }
}

/// The states that expressions refer to: the state, then the outputs.
fn places<'a, S>(x: &'a S, outputs: &'a [S]) -> Vec<&'a S> {
    std::iter::once(x).chain(outputs).collect()
}
