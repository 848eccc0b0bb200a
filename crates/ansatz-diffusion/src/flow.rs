//! The probability flow: the differential equation whose solutions carry noise to data.
//!
//! With f = d ln α/dt and m = dλ/dt = f − σ̇/σ, the flow is `dx/dt = f·x − σm·ε(x, t)`, or in the
//! half log-SNR `dx/dλ = (f/m)·x − σ·ε`: the same curves, walked at another pace. [`ProbabilityFlow`]
//! solves it to a tolerance. It samples (noise to data), encodes (data to noise), maps between any two
//! times, and with the divergence of the model it gives exact densities: along a solution
//! `d log p/dt = −div(dx/dt)`.
//!
//! Cost: some 100 evaluations at tolerance 1e-5 on smooth models, memory for nine states; a density
//! also takes one divergence per evaluation.
//!
//! Use it for densities, exact latents and references. For samples within a fixed budget,
//! [`DpmMultistep`](crate::DpmMultistep) is several times cheaper.
//!
//! References: Y. Song et al., *Score-based generative modeling through stochastic differential
//! equations*, 2021, section 4.3 and appendix D; R. Chen et al., *Neural ordinary differential
//! equations*, 2018, theorem 1.

mod augmented;
mod density;
mod field;
mod trace;

pub(crate) use density::check_samples;
pub use density::{Encoded, bits_per_dim, follow_density, normal_log_density};
pub use trace::{ExactTrace, Hutchinson};

use std::ops::ControlFlow;

use ansatz_core::{
    Denoiser, Event, HostState, Key, NoiseSchedule, Observer, Report, State, VectorField,
};
use ansatz_diffeq::{Options, solve};

use crate::grid::check_range;
use crate::solver::{Sampler, row_length};
use crate::{PlanError, SampleError};
use augmented::Augmented;
use field::{FlowField, WithDensity};

/// The variable in which the flow is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The schedule's time, as in the paper.
    Time,
    /// λ = ln(α/σ), in which models are smooth at an even pace: the cost hardly depends on the
    /// schedule. (On a mixture at tolerance 1e-5: 110 evaluations, against 86 in the time of
    /// [`VpLinear`](crate::VpLinear) and 248 in that of [`Edm`](crate::Edm).)
    #[default]
    LogSnr,
}

/// The flow of a schedule between two times, and how it is solved.
///
/// ```
/// use ansatz_core::{Key, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{ProbabilityFlow, Sampler, VpLinear};
/// // Data N(0, 1): the flow does not move at all.
/// let model = from_fn(Prediction::Noise, |x: &Vec<f64>, at: &_, out: &mut Vec<f64>| {
///     let at: &ansatz_core::NoiseLevel = at;
///     out.iter_mut().zip(x).for_each(|(o, x)| *o = at.sigma * x);
///     Ok(())
/// });
/// let schedule = VpLinear::default();
/// let mut x = vec![0.7, -1.2];
/// let report = ProbabilityFlow::new(&schedule).sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert!((x[0] - 0.7).abs() < 1e-5 && report.nfe < 200);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ProbabilityFlow<'a> {
    /// Where α and σ come from.
    pub schedule: &'a dyn NoiseSchedule,
    /// Time of the noise.
    pub noise: f64,
    /// Time of the data.
    pub data: f64,
    /// Variable of integration.
    pub clock: Clock,
    /// Method and tolerances.
    pub options: Options,
}

impl<'a> ProbabilityFlow<'a> {
    /// Over the whole range of the schedule, with tolerances 1e-5 as in the paper.
    #[must_use]
    pub fn new(schedule: &'a dyn NoiseSchedule) -> Self {
        Self {
            schedule,
            noise: schedule.t_max(),
            data: schedule.t_min(),
            clock: Clock::default(),
            options: Options::tolerance(1e-5, 1e-5),
        }
    }

    /// The same flow solved to other tolerances.
    #[must_use]
    pub fn with_tolerance(mut self, atol: f64, rtol: f64) -> Self {
        self.options = Options::tolerance(atol, rtol);
        self
    }

    /// Carries `x` from one time to another, in either direction: the flow map.
    ///
    /// The observer sees every step at its noise level. From a time to itself nothing happens.
    ///
    /// # Errors
    /// [`SampleError`]; `x` is then unchanged.
    pub fn map<S: State>(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        (from, to): (f64, f64),
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.check(x, from, to)?;
        let field = FlowField::new(model, self.schedule, self.clock);
        self.solve(&field, x, (from, to), |step, steps, nfe, t, x| {
            observer.on_step(&Event::new(step, steps, nfe, self.schedule.level(t), x))
        })
    }

    /// Carries data `x` to its latent and follows the density of each of `samples` samples.
    ///
    /// # Errors
    /// [`SampleError`]; see also [`ProbabilityFlow::map`].
    ///
    /// ```
    /// use ansatz_core::NoiseSchedule;
    /// use ansatz_diffusion::{ProbabilityFlow, VpLinear, flow};
    /// use ansatz_testkit::Gaussian;
    /// let schedule = VpLinear::default();
    /// let model = Gaussian::isotropic(1, 0.0, 1.0)?; // one dimension, so three samples below
    /// let x = vec![0.0, 1.0, -2.0];
    /// let encoded = ProbabilityFlow::new(&schedule).encode(&model, &x, 3)?;
    /// let log_p = encoded.log_density(&flow::normal_log_density(&encoded.latent, 3, 1.0)?)?;
    /// assert!((log_p[1] - log_p[0] + 0.5).abs() < 1e-4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode<S: HostState>(
        &self,
        model: &dyn ansatz_core::DivergenceDenoiser<S>,
        x: &S,
        samples: usize,
    ) -> Result<Encoded<S>, SampleError> {
        check_samples(x.len(), samples)?;
        self.check(x, self.data, self.noise)?;
        let field = WithDensity(FlowField::new(model, self.schedule, self.clock));
        let mut state = Augmented {
            x: x.clone(),
            log: vec![0.0; samples],
        };
        let report = self.solve(
            &field,
            &mut state,
            (self.data, self.noise),
            |_, _, _, _, _| ControlFlow::Continue(()),
        )?;
        Ok(Encoded {
            latent: state.x,
            log_volume: state.log,
            report,
        })
    }

    fn check<S: State>(&self, x: &S, from: f64, to: f64) -> Result<(), SampleError> {
        for (index, t) in [from, to].into_iter().enumerate() {
            check_range(self.schedule, index, t)?;
            let lambda = self.schedule.lambda(t);
            if !lambda.is_finite() {
                return Err(PlanError::Coefficient {
                    step: index,
                    value: lambda,
                }
                .into());
            }
        }
        row_length(x, 1, from)?;
        Ok(())
    }

    /// Solves in the clock's variable and speaks of times.
    fn solve<T: State>(
        &self,
        field: &dyn VectorField<T>,
        x: &mut T,
        (from, to): (f64, f64),
        mut observe: impl FnMut(usize, usize, usize, f64, &T) -> ControlFlow<()>,
    ) -> Result<Report, SampleError> {
        let variable = |t: f64| match self.clock {
            Clock::Time => t,
            Clock::LogSnr => self.schedule.lambda(t),
        };
        let time = |u: f64| match self.clock {
            Clock::Time => u,
            Clock::LogSnr => self.schedule.t_of_lambda(u),
        };
        let mut done = 0;
        let (start, end) = (variable(from), variable(to));
        let mut observer = |e: &Event<'_, T>| {
            done = e.step;
            let t = if e.level.t.to_bits() == end.to_bits() {
                to
            } else {
                time(e.level.t)
            };
            observe(e.step, e.steps, e.nfe, t, e.state)
        };
        solve(field, (start, end), x, &self.options, &mut observer)
            .map_err(|e| SampleError::of_solve(e, done, time))
    }
}

impl<S: State> Sampler<S> for ProbabilityFlow<'_> {
    /// From noise to data. The flow is deterministic: the key is not used.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        _: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.map(model, x, (self.noise, self.data), observer)
    }
}
