//! Error against evaluations for the samplers, on models whose answers are exact.

mod digits;
mod guide;
mod methods;
mod mixture;

use std::io::Write;
use std::time::Duration;

use ansatz_core::Key;
use ansatz_diffusion::SampleError;
use ansatz_testkit::measure::{median_error, rms};
use serde::Deserialize;

pub use self::guide::guide;
use self::methods::{End, Family, Kind, Method, Start, methods, within};
use super::{Settings, SuiteError, cases};
use crate::emit::Emitter;
use crate::record::{Abscissa, Record};
use crate::timing::{Effort, interleaved};

const SUITE: &str = "samplers";

/// Evaluations that each sampler may use in the bars.
const BUDGET: usize = 20;

/// Samplers whose wall time and pictures are shown.
const SHOWN: [&str; 3] = ["DDIM", "DPM-Solver++(2M)", "Heun"];

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
    let steps = 4 + 2 * methods().len() + SHOWN.len();
    let mut emitter = Emitter::new(out, SUITE, steps as u64);
    mixture::run(&evaluations, settings, &mut emitter)?;
    digits::run(&evaluations, &options, settings, &mut emitter)
}

/// Samplers that are shown in pictures.
fn shown() -> impl Iterator<Item = Method> {
    methods().into_iter().filter(|m| SHOWN.contains(&m.name))
}

/// A model with its schedule and the noise to start from, and where the exact flow ends.
struct Problem<'a> {
    case: &'a str,
    start: Start<'a>,
    exact: &'a [f64],
    dim: usize,
    threads: usize,
}

impl Problem<'_> {
    fn record(&self, case: String, method: &Method, metric: &str, value: f64) -> Record {
        Record {
            case,
            implementation: method.name.to_owned(),
            metric: metric.to_owned(),
            value,
            unit: "1".to_owned(),
            runs: 1,
            threads: self.threads as u64,
            ..Record::default()
        }
    }

    /// The curves of all samplers, a case for each family, and their bars at [`BUDGET`].
    fn all(&self, evaluations: &[usize], emitter: &mut Emitter<'_>) -> Result<(), SuiteError> {
        for method in &methods() {
            emitter.step(format!("{}, {}", self.case, method.name))?;
            self.curves(method, evaluations, emitter)?;
            // An adaptive sampler may end beyond the budget that it was aimed at.
            let end = method.run(&self.start, BUDGET)?;
            if let Some(end) = end.filter(|end| end.nfe <= BUDGET) {
                for (metric, error) in self.errors(&end) {
                    let metric = format!("{metric}_at_budget");
                    emitter.record(self.record(self.case.to_owned(), method, &metric, error))?;
                }
            }
        }
        Ok(())
    }

    fn errors(&self, end: &End) -> [(&'static str, f64); 2] {
        [
            ("rms", rms(&end.x, self.exact, self.dim)),
            ("median", median_error(&end.x, self.exact, self.dim)),
        ]
    }

    fn curves(
        &self,
        method: &Method,
        evaluations: &[usize],
        emitter: &mut Emitter<'_>,
    ) -> Result<(), SuiteError> {
        for &n in evaluations {
            let Some(end) = method.run(&self.start, n)? else {
                continue;
            };
            let x = Some(Abscissa {
                name: "nfe".into(),
                value: end.nfe as f64,
            });
            for family in Family::ALL {
                if family != method.family && method.name != "DDIM" {
                    continue;
                }
                let case = format!("{}: {}", self.case, family.title());
                for (metric, error) in self.errors(&end) {
                    emitter.record(Record {
                        x: x.clone(),
                        ..self.record(case.clone(), method, metric, error)
                    })?;
                }
            }
        }
        if SHOWN.contains(&method.name) {
            self.wall(method, evaluations, emitter)?;
        }
        Ok(())
    }

    /// Seconds of whole runs, model included: three times, more often if they are short.
    fn wall(
        &self,
        method: &Method,
        evaluations: &[usize],
        emitter: &mut Emitter<'_>,
    ) -> Result<(), SuiteError> {
        let Kind::Planned(solver) = &method.kind else {
            return Ok(());
        };
        let effort = Effort {
            min_runs: 3,
            max_runs: 15,
            budget: Duration::from_millis(60),
            warm_up: 0,
        };
        let Start {
            model,
            schedule,
            spacing,
            ..
        } = self.start;
        for &n in evaluations {
            let Some(plan) = within(&**solver, schedule, spacing, n)? else {
                continue;
            };
            let mut failed: Option<SampleError> = None;
            let mut run = || {
                let mut x = self.start.x.clone();
                let ended = plan.sample(model, &mut x, Key::new(0), &mut ());
                failed = failed.take().or(ended.err());
            };
            let time = interleaved(effort, &mut [&mut run])[0];
            if let Some(error) = failed {
                return Err(error.into());
            }
            emitter.record(Record {
                lo: Some(time.lo),
                hi: Some(time.hi),
                runs: time.runs as u64,
                unit: "s".to_owned(),
                x: Some(Abscissa {
                    name: "nfe".into(),
                    value: plan.nfe() as f64,
                }),
                ..self.record(self.case.to_owned(), method, "wall", time.median)
            })?;
        }
        Ok(())
    }
}
