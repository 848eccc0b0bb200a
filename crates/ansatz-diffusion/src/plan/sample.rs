//! Running a plan by one call.

use std::ops::{ControlFlow, Deref};

use ansatz_core::{Denoiser, Key, Observer, Report, State};

use super::Plan;
use super::run::{NoiseSource, Progress, Run, arity};
use crate::SampleError;

impl Plan {
    /// Starts a run that hands out its evaluation requests, for models that live elsewhere.
    ///
    /// ```
    /// use ansatz_core::{Key, Prediction};
    /// use ansatz_diffusion::{Ddim, Progress, Solver, Spacing, TimeGrid, VpLinear};
    /// let schedule = VpLinear::default();
    /// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
    /// let plan = Ddim::default().plan(&schedule, &grid)?;
    /// let mut run = plan.start(vec![0.3_f64, -1.2], Key::new(0))?;
    /// loop {
    ///     match run.advance()? {
    ///         Progress::Eval(request) => {
    ///             // Send `request.x()` and `request.level().t` to the model; here, data N(0, 1).
    ///             let sigma = request.level().sigma;
    ///             let noise: Vec<f64> = request.x().iter().map(|x| sigma * x).collect();
    ///             request.answer(Prediction::Noise, &noise)?;
    ///         }
    ///         Progress::Step(event) => assert!(event.step <= 10),
    ///         Progress::Done => break,
    ///     }
    /// }
    /// let (states, report) = run.finish();
    /// assert_eq!((states.len(), report.nfe), (1, 10));
    /// # Ok::<(), ansatz_diffusion::SampleError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Arity`](crate::PlanError::Arity) if the plan takes more than one state: see [`Run::new`].
    pub fn start<S: State, N: NoiseSource<S>>(
        &self,
        x: S,
        noise: N,
    ) -> Result<Run<S, &Self, N>, SampleError> {
        Run::new(self, vec![x], noise)
    }

    /// Runs the plan on `x`, in place. `key` feeds stochastic plans; others ignore it.
    ///
    /// # Errors
    /// [`SampleError`] for a plan of several states ([`Plan::sample_all`] runs those), a model
    /// that fails, or a value that is not finite. `x` is then unchanged.
    pub fn sample<S: State>(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.sample_with(model, x, key, observer)
    }

    /// [`Plan::sample`] with noise from any source.
    ///
    /// # Errors
    /// As [`Plan::sample`].
    pub fn sample_with<S: State, N: NoiseSource<S>>(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        noise: N,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        arity("output", self.outputs(), 1)?;
        let (mut states, report) = self.sample_all(model, vec![x.clone()], noise, observer)?;
        if let Some(state) = states.pop() {
            *x = state;
        }
        Ok(report)
    }

    /// Runs a plan of any number of states, from its inputs to its outputs.
    ///
    /// # Errors
    /// As [`Plan::sample`], and [`PlanError::Arity`](crate::PlanError::Arity) for the wrong number of inputs.
    pub fn sample_all<S: State, N: NoiseSource<S>>(
        &self,
        model: &dyn Denoiser<S>,
        inputs: Vec<S>,
        noise: N,
        observer: &mut dyn Observer<S>,
    ) -> Result<(Vec<S>, Report), SampleError> {
        let mut run = Run::new(self, inputs, noise)?;
        run.drive(model, observer)?;
        Ok(run.finish())
    }
}

impl<S: State, P: Deref<Target = Plan>, N: NoiseSource<S>> Run<S, P, N> {
    /// Runs to the end, or until the observer breaks.
    fn drive(
        &mut self,
        model: &dyn Denoiser<S>,
        observer: &mut dyn Observer<S>,
    ) -> Result<(), SampleError> {
        loop {
            match self.advance()? {
                Progress::Eval(request) => {
                    request.fill(|x, level, want, out| model.eval_as(want, x, level, out))?;
                }
                Progress::Step(event) => {
                    if observer.on_step(&event) == ControlFlow::Break(()) {
                        self.report.stopped_early = true;
                        return Ok(());
                    }
                }
                Progress::Done => return Ok(()),
            }
        }
    }
}
