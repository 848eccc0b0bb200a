//! What a solver does between two model evaluations, timed without a model.
//!
//! A run of a published method on the labels of a discrete schedule (1000 linear betas), for a model of noise that
//! leaves its prediction in the memory that it is given. This is the work that a scheduler's `step` does in other
//! packages, which are handed the prediction as well.

use std::time::{Duration, Instant};

use ansatz_core::{Key, NoiseLevel, Prediction, Scalar, State, stream};
use ansatz_diffusion::{
    Betas, Ddim, Discrete, DpmMultistep, Heun, LabelSpacing, Plan, PlanError, Progress,
    SampleError, Solver, TimeGrid,
};

/// The methods, by the names they have in records.
pub const METHODS: [&str; 3] = ["DDIM", "DPM-Solver++(2M)", "Heun"];

/// Steps of a timed run; Heun's take two evaluations each, but for the last.
pub const STEPS: usize = 20;

/// The schedule that most published models were trained with.
///
/// # Errors
/// None in practice: the numbers are fixed and allowed.
pub fn schedule() -> Result<Discrete, PlanError> {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000)
}

/// The plan of `method` as other packages lay it out: DDIM on leading labels, DPM-Solver++ on evenly spread ones, Heun on
/// the given noise-to-signal ratios (evenly spread labels if there are none), all ending at clean data.
///
/// # Errors
/// [`PlanError`] for a number of steps that the method or the schedule cannot take; an unknown method is an option error.
pub fn plan(method: &str, steps: usize, sigmas: &[f64]) -> Result<Plan, PlanError> {
    let schedule = schedule()?;
    match method {
        "DDIM" => Ddim::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Leading, steps)?,
        ),
        "DPM-Solver++(2M)" => DpmMultistep::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps)?,
        ),
        "Heun" if sigmas.is_empty() => Heun::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps)?,
        ),
        "Heun" => {
            let level = |(i, s): (usize, &f64)| {
                let norm = s.hypot(1.0);
                NoiseLevel::new((sigmas.len() - i) as f64, 1.0 / norm, s / norm)
            };
            let levels = sigmas.iter().enumerate().map(level).collect();
            Heun::default().plan(&schedule, &TimeGrid::from_levels(levels)?.with_clean_end())
        }
        _ => Err(PlanError::Option {
            name: "method",
            value: f64::NAN,
            allowed: "one of METHODS",
        }),
    }
}

/// A run to be timed, with everything that it needs made beforehand.
#[derive(Debug, Clone)]
pub struct Stepping<T: Scalar> {
    plan: Plan,
    start: Vec<T>,
}

impl<T: Scalar> Stepping<T> {
    /// `method` on a state of `elements` numbers.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn new(method: &str, elements: usize) -> Result<Self, PlanError> {
        let mut start = vec![T::zero(); elements];
        start.fill_normal(Key::new(1), stream::INITIAL);
        let plan = plan(method, STEPS, &[])?.for_model(Prediction::Noise)?;
        Ok(Self { plan, start })
    }

    /// Evaluations that one run asks for.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.plan.nfe()
    }

    /// Runs once; the time is that of all steps, without making the memory of the run.
    ///
    /// # Errors
    /// [`SampleError`] if a state stops being finite.
    pub fn run(&self) -> Result<Duration, SampleError> {
        let mut run = self.plan.start(self.start.clone(), Key::new(0))?;
        let begin = Instant::now();
        loop {
            match run.advance()? {
                Progress::Eval(request) => request.fill(|_, _, _, _| Ok(()))?,
                Progress::Step(_) => {}
                Progress::Done => return Ok(begin.elapsed()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_runs_and_takes_the_evaluations_it_should() {
        for (method, evaluations) in METHODS.into_iter().zip([STEPS, STEPS, 2 * STEPS - 1]) {
            let stepping = Stepping::<f32>::new(method, 64).unwrap();
            assert_eq!(stepping.evaluations(), evaluations, "{method}");
            assert!(stepping.run().unwrap() > Duration::ZERO);
        }
        assert!(Stepping::<f32>::new("nope", 64).is_err());
    }
}
