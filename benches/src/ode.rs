//! Standard initial value problems for the suites and for peers: one call solves one problem by one method.

use std::time::Instant;

use ansatz_core::{HostState, Report};
use ansatz_diffeq::{Options, StepError, Tableau, solve, tableau};
use ansatz_testkit::ode::{
    BrusselatorGrid, HeatGrid, Lorenz96, LotkaVolterra, Pleiades, Problem, Robertson, System,
};
use serde::Serialize;

/// The problems of the comparison, by name.
pub const PROBLEMS: [&str; 5] = [
    "lotka-volterra",
    "pleiades",
    "lorenz-96",
    "heat-2d",
    "brusselator-2d",
];

/// Our methods, by the names that peers ask for.
pub const METHODS: [(&str, &Tableau); 4] = [
    ("Tsit5", &tableau::TSITOURAS),
    ("Dopri5", &tableau::DORMAND_PRINCE),
    ("DOP853", &tableau::DOP853),
    ("Dopri8", &tableau::PRINCE_DORMAND),
];

/// Tolerances of a curve, relative and absolute.
pub const TOLERANCES: [f64; 6] = [1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12];

/// A solve with its cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Solved {
    /// State at the end.
    pub x: Vec<f64>,
    /// Seconds of the fastest of a few solves in a row.
    pub seconds: f64,
    /// Largest error of a component over the largest component of the reference. (An answer with a field
    /// `error` says that something failed.)
    #[serde(rename = "distance")]
    pub error: f64,
    /// Evaluations of the field.
    pub nfe: usize,
    /// Accepted steps.
    pub steps: usize,
}

/// What a peer needs to set up a problem.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// State at the start.
    pub start: Vec<f64>,
    /// First and last time.
    pub times: (f64, f64),
    /// State at the end.
    pub end: Vec<f64>,
}

impl<F> From<Problem<F>> for Setting {
    fn from(problem: Problem<F>) -> Self {
        Self {
            start: problem.start,
            times: problem.times,
            end: problem.end,
        }
    }
}

/// The setting of a problem; `None` if there is none of that name.
#[must_use]
pub fn setting(name: &str) -> Option<Setting> {
    Some(match name {
        "lotka-volterra" => LotkaVolterra::problem().into(),
        "pleiades" => Pleiades::problem().into(),
        "lorenz-96" => Lorenz96::problem().into(),
        "heat-2d" => HeatGrid::problem().into(),
        "brusselator-2d" => BrusselatorGrid::problem().into(),
        "robertson" => Robertson::problem().into(),
        _ => return None,
    })
}

/// Solves a problem with a tolerance; `None` if there is no such problem or method.
///
/// # Errors
/// [`StepError`] if the solve fails.
#[must_use]
pub fn run(problem: &str, method: &str, tol: f64) -> Option<Result<Solved, StepError>> {
    let (_, method) = METHODS.iter().find(|(name, _)| *name == method)?;
    let options = Options {
        tableau: method,
        max_steps: 10_000_000,
        ..Options::tolerance(tol, tol)
    };
    Some(match problem {
        "lotka-volterra" => timed(&LotkaVolterra::problem(), &[1.0, 1.0], &options),
        "pleiades" => of_vector(&Pleiades::problem(), &options),
        "lorenz-96" => of_vector(&Lorenz96::problem(), &options),
        "heat-2d" => of_vector(&HeatGrid::problem(), &options),
        "brusselator-2d" => of_vector(&BrusselatorGrid::problem(), &options),
        _ => return None,
    })
}

fn of_vector<F: System>(problem: &Problem<F>, options: &Options) -> Result<Solved, StepError> {
    timed(problem, &problem.start, options)
}

/// The fastest of at least three solves and as many as fit into 10 ms.
fn timed<F: System, S: HostState<Scalar = f64>>(
    problem: &Problem<F>,
    start: &S,
    options: &Options,
) -> Result<Solved, StepError> {
    let mut x = start.clone();
    let mut report = Report::default();
    let (mut best, begin) = (f64::INFINITY, Instant::now());
    let mut runs = 0;
    while runs < 3 || (begin.elapsed().as_secs_f64() < 0.01 && runs < 1000) {
        x.assign(start);
        let clock = Instant::now();
        report = solve(problem, problem.times, &mut x, options, &mut ())?;
        best = best.min(clock.elapsed().as_secs_f64());
        runs += 1;
    }
    let x = x.as_slice().to_vec();
    Ok(Solved {
        error: relative(&x, &problem.end),
        x,
        seconds: best,
        nfe: report.nfe,
        steps: report.steps,
    })
}

/// Largest difference over the largest component.
#[must_use]
pub fn relative(x: &[f64], exact: &[f64]) -> f64 {
    let size = exact.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    ansatz_testkit::measure::max_abs_diff(x, exact) / size
}

/// Time at the error `target` on a curve of (error, seconds): linear in logarithms between the two
/// neighbouring points, `None` if the curve does not reach it. A curve that stays below the target has
/// its least time there.
#[must_use]
pub fn time_at(curve: &[(f64, f64)], target: f64) -> Option<f64> {
    let below = curve.iter().filter(|p| p.0 <= target);
    let below = below.min_by(|a, b| a.1.total_cmp(&b.1))?;
    // The cheapest point above the target that is cheaper than the one below.
    let above = curve.iter().filter(|p| p.0 > target && p.1 < below.1);
    let Some(above) = above.min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return Some(below.1);
    };
    let part = (target / below.0).ln() / (above.0 / below.0).ln();
    Some((below.1.ln() + part * (above.1 / below.1).ln()).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_and_method_is_solved() {
        for problem in PROBLEMS {
            let reference = setting(problem).unwrap();
            for (method, _) in METHODS {
                let solved = run(problem, method, 1e-8).unwrap().unwrap();
                assert!(solved.error < 1e-2, "{problem} {method}: {}", solved.error);
                assert_eq!(solved.x.len(), reference.end.len());
            }
        }
        assert!(run("nope", "Tsit5", 1e-3).is_none() && setting("nope").is_none());
    }

    #[test]
    fn curves_are_read_between_their_points() {
        let curve = [(1e-2, 1.0), (1e-4, 2.0), (1e-8, 8.0)];
        let close = |a: Option<f64>, b: f64| (a.unwrap() / b - 1.0).abs() < 1e-12;
        assert!(close(time_at(&curve, 1e-6), 4.0));
        assert!(close(time_at(&curve, 1e-4), 2.0));
        assert!(close(time_at(&curve, 1.0), 1.0));
        assert_eq!(time_at(&curve, 1e-9), None);
    }
}
