//! Error against evaluations for the samplers, on models whose answers are exact.

mod digits;
mod families;
mod mixture;

use std::io::Write;
use std::time::Duration;

use ansatz_core::{Denoiser, Key, NoiseSchedule};
use ansatz_diffusion::{Ddim, DpmMultistep, Heun, Plan, SampleError, Solver, Spacing, TimeGrid};
use ansatz_testkit::measure::rms;
use serde::Deserialize;

use super::{Settings, SuiteError, cases};
use crate::emit::Emitter;
use crate::record::{Abscissa, Record};
use crate::timing::{Effort, Quartiles, interleaved};

const SUITE: &str = "samplers";

#[derive(Debug, Deserialize)]
struct Cases {
    curve: Curve,
    digits: digits::Options,
}

/// Evaluations at which errors are taken.
#[derive(Debug, Deserialize)]
struct Curve {
    quick: Vec<usize>,
    full: Vec<usize>,
}

/// A sampler with the evaluations that one of its steps takes.
struct Method {
    name: &'static str,
    solver: Box<dyn Solver>,
    per_step: usize,
}

fn methods() -> [Method; 3] {
    let method = |name, solver, per_step| Method {
        name,
        solver,
        per_step,
    };
    [
        method("DDIM", Box::<Ddim>::default() as Box<dyn Solver>, 1),
        method("DPM-Solver++(2M)", Box::<DpmMultistep>::default(), 1),
        method("Heun", Box::<Heun>::default(), 2),
    ]
}

/// Measures every sampler on every model.
///
/// # Errors
/// [`SuiteError`] if a sampler fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let Cases {
        curve,
        digits: options,
    } = cases(SUITE, include_str!("../../suites/samplers.toml"))?;
    let evaluations = if settings.quick {
        curve.quick
    } else {
        curve.full
    };
    let mut emitter = Emitter::new(out, SUITE, 7 + 9 * evaluations.len() as u64);
    mixture::run(&evaluations, settings, &mut emitter)?;
    digits::run(&evaluations, &options, settings, &mut emitter)
}

/// A model with its schedule, the noise to start from and where the exact flow ends.
struct Problem<'a> {
    case: &'a str,
    model: &'a dyn Denoiser<Vec<f64>>,
    schedule: &'a dyn NoiseSchedule,
    spacing: Spacing,
    start: &'a Vec<f64>,
    exact: &'a [f64],
    dim: usize,
}

impl Problem<'_> {
    fn plan(&self, method: &Method, evaluations: usize) -> Result<Plan, SuiteError> {
        let grid = TimeGrid::new(self.schedule, self.spacing, evaluations / method.per_step)?;
        Ok(method.solver.plan(self.schedule, &grid)?)
    }

    fn sample(&self, method: &Method, evaluations: usize) -> Result<Vec<f64>, SuiteError> {
        let mut x = self.start.clone();
        self.plan(method, evaluations)?
            .sample(self.model, &mut x, Key::new(0), &mut ())?;
        Ok(x)
    }

    /// The curves of all samplers.
    fn curves(
        &self,
        evaluations: &[usize],
        threads: usize,
        emitter: &mut Emitter<'_>,
    ) -> Result<(), SuiteError> {
        for method in &methods() {
            for &n in evaluations {
                emitter.step(format!("{}, {} at {n} evaluations", self.case, method.name))?;
                let plan = self.plan(method, n)?;
                let mut x = self.start.clone();
                let report = plan.sample(self.model, &mut x, Key::new(0), &mut ())?;
                let wall = self.wall(&plan)?;
                let record = |metric: &str, value, unit: &str| Record {
                    case: self.case.to_owned(),
                    implementation: method.name.to_owned(),
                    metric: metric.to_owned(),
                    value,
                    unit: unit.to_owned(),
                    runs: 1,
                    threads: threads as u64,
                    x: Some(Abscissa {
                        name: "nfe".into(),
                        value: report.nfe as f64,
                    }),
                    ..Record::default()
                };
                emitter.record(record("rms", rms(&x, self.exact, self.dim), "1"))?;
                emitter.record(Record {
                    lo: Some(wall.lo),
                    hi: Some(wall.hi),
                    runs: wall.runs as u64,
                    ..record("wall", wall.median, "s")
                })?;
            }
        }
        Ok(())
    }

    /// Seconds of a whole run, model included: three times, more often if it is short.
    fn wall(&self, plan: &Plan) -> Result<Quartiles, SuiteError> {
        let effort = Effort {
            min_runs: 3,
            max_runs: 15,
            budget: Duration::from_millis(60),
            warm_up: 0,
        };
        let mut failed: Option<SampleError> = None;
        let mut run = || {
            let mut x = self.start.clone();
            let ended = plan.sample(self.model, &mut x, Key::new(0), &mut ());
            failed = failed.take().or(ended.err());
        };
        let times = interleaved(effort, &mut [&mut run]);
        failed.map_or(Ok(times[0]), |error| Err(error.into()))
    }
}
