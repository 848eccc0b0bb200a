//! The solvers of `differential-equations` and `diffsol` beside ours, in turns, in one program; then the stiff problem of
//! Robertson through our bridge and by diffsol itself.
//!
//! Arguments and output are those of every peer (`benches/peers/common.py`), but our side is linked in.

#![forbid(unsafe_code)]

mod theirs;

use std::error::Error;
use std::io::stdout;
use std::time::Instant;

use ansatz_bench::emit::Emitter;
use ansatz_bench::ode::{self, PROBLEMS, TOLERANCES, relative, time_at};
use ansatz_bench::record::{Abscissa, Record};
use ansatz_bench::suites::ode::TARGETS;
use ansatz_bench::timing::Quartiles;
use ansatz_diffeq::stiff::{self, Method};
use ansatz_testkit::ode::Robertson;
use lexopt::prelude::*;

type Failure = Box<dyn Error>;
/// State at the end of a solve with a tolerance.
type Solve = Box<dyn Fn(f64) -> Result<Vec<f64>, Failure>>;

const CRATE: &str = "differential-equations 0.7.0";
const DIFFSOL: &str = "diffsol 0.18.0";

/// Tolerances for the stiff problem; the absolute one is 10⁻⁴ of it, for a component of 2·10⁻⁸.
const STIFF: [f64; 5] = [1e-3, 1e-4, 1e-6, 1e-8, 1e-10];
/// Errors at which the curves of the stiff problem are read.
const STIFF_TARGETS: [f64; 3] = [1e-2, 1e-4, 1e-6];

struct Settings {
    suite: String,
    agreement: f64,
    rounds: usize,
}

fn main() -> Result<(), Failure> {
    let settings = arguments()?;
    let mut out = stdout();
    let suite = settings.suite.clone();
    let mut emitter = Emitter::new(&mut out, &suite, PROBLEMS.len() as u64 + 1);
    for problem in PROBLEMS {
        emitter.step(problem)?;
        explicit(problem, &settings, &mut emitter)?;
    }
    emitter.step("robertson")?;
    robertson(&settings, &mut emitter)
}

fn arguments() -> Result<Settings, Failure> {
    let mut settings = Settings {
        suite: "ode".into(),
        agreement: 1e-5,
        rounds: 9,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("suite") => settings.suite = parser.value()?.string()?,
            Long("agreement") => settings.agreement = parser.value()?.parse()?,
            Long("quick") => settings.rounds = 3,
            Long("ours" | "threads" | "out") => drop(parser.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(settings)
}

/// The fastest of at least three solves and as many as fit into 10 ms, as on our side.
fn best_of(solve: impl Fn() -> Result<Vec<f64>, Failure>) -> Result<(Vec<f64>, f64), Failure> {
    let (mut best, begin) = (f64::INFINITY, Instant::now());
    let mut runs = 0;
    loop {
        let clock = Instant::now();
        let x = solve()?;
        best = best.min(clock.elapsed().as_secs_f64());
        runs += 1;
        if runs >= 3 && (begin.elapsed().as_secs_f64() > 0.01 || runs == 1000) {
            return Ok((x, best));
        }
    }
}

fn ours(problem: &str, method: &str, tol: f64) -> Result<ode::Solved, Failure> {
    let solved = ode::run(problem, method, tol);
    Ok(solved.ok_or("no such problem or method")??)
}

/// Both crates on one problem, each method in turns with ours of the same name.
fn explicit(problem: &str, settings: &Settings, emitter: &mut Emitter<'_>) -> Result<(), Failure> {
    let setting = ode::setting(problem).ok_or("no such problem")?;
    let mut mine: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut best: Vec<(&str, &str, Vec<Vec<(f64, f64)>>)> = Vec::new();
    for (program, version, methods) in [
        ("differential-equations", CRATE, &["Dopri5", "DOP853"][..]),
        ("diffsol", DIFFSOL, &["Tsit5"]),
    ] {
        let mut curves = Vec::new();
        for method in methods {
            let solve = theirs::explicit(program, problem, method).ok_or("no such method")?;
            let name = format!("{program}/{method}");
            let apart = solve(1e-12).and_then(|x| {
                let y = ours(problem, method, 1e-12)?.x;
                Ok(relative(&x, &y))
            });
            let agree = apart.as_ref().is_ok_and(|a| *a <= settings.agreement);
            if let Ok(value) = apart {
                emitter.record(Record {
                    metric: "agreement".into(),
                    ..record(problem, &name, version, value, "1")
                })?;
            }
            if !agree {
                let how = apart.map_or_else(|e| format!("fails ({e})"), |a| format!("ends {a:.2e} away"));
                emitter.note(format!("{problem}: {method} of {program} {how} at 1e-12; not timed."))?;
                continue;
            }
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for tol in TOLERANCES {
                let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
                let (mut our_error, mut their_error) = (f64::NAN, f64::NAN);
                for round in 0..=settings.rounds {
                    let solved = ours(problem, method, tol)?;
                    let Ok((x, seconds)) = best_of(|| solve(tol)) else {
                        break;
                    };
                    if round > 0 {
                        our_times.push(solved.seconds);
                        their_times.push(seconds);
                    }
                    (our_error, their_error) = (solved.error, relative(&x, &setting.end));
                }
                for (name, version, times, error, curve) in [
                    (*method, "", &our_times, our_error, &mut a),
                    (&*name, version, &their_times, their_error, &mut b),
                ] {
                    point(emitter, problem, name, version, times, error, curve)?;
                }
            }
            mine.push(a);
            curves.push(b);
        }
        best.push((program, version, curves));
    }
    // Our best at equal error is over all our methods, these included.
    for (method, _) in ode::METHODS {
        let mut curve = Vec::new();
        for tol in TOLERANCES {
            let solved = ours(problem, method, tol)?;
            curve.push((solved.error, solved.seconds));
        }
        mine.push(curve);
    }
    best.push(("", "", mine));
    equal(emitter, problem, &TARGETS, &best)
}

/// A point of a curve, as a record and in `curve`.
fn point(
    emitter: &mut Emitter<'_>,
    case: &str,
    name: &str,
    version: &str,
    times: &[f64],
    error: f64,
    curve: &mut Vec<(f64, f64)>,
) -> Result<(), Failure> {
    if let Some(q) = Quartiles::of(times) {
        curve.push((error, q.median));
        emitter.record(Record {
            lo: Some(q.lo),
            hi: Some(q.hi),
            runs: q.runs as u64,
            x: Some(Abscissa {
                name: "error".into(),
                value: error,
            }),
            ..record(case, name, version, q.median, "s")
        })?;
    }
    Ok(())
}

/// Program (empty for ours), version, curves.
type Curves<'a> = (&'a str, &'a str, Vec<Vec<(f64, f64)>>);

/// The least time at each error.
fn equal(
    emitter: &mut Emitter<'_>,
    problem: &str,
    targets: &[f64],
    programs: &[Curves<'_>],
) -> Result<(), Failure> {
    for target in targets {
        for (program, version, curves) in programs {
            let times = curves.iter().filter_map(|c| time_at(c, *target));
            if let Some(value) = times.min_by(f64::total_cmp) {
                let case = format!("{problem}, error {target:e}");
                let name = if program.is_empty() {
                    "best".into()
                } else {
                    format!("{program}/best")
                };
                emitter.record(Record {
                    metric: "equal".into(),
                    ..record(&case, &name, version, value, "s")
                })?;
            }
        }
    }
    Ok(())
}

fn record(case: &str, name: &str, version: &str, value: f64, unit: &str) -> Record {
    Record {
        case: case.to_owned(),
        implementation: name.to_owned(),
        version: version.to_owned(),
        metric: "time".into(),
        value,
        unit: unit.to_owned(),
        runs: 1,
        threads: 1,
        ..Record::default()
    }
}

/// Largest relative error of a component.
fn componentwise(x: &[f64], exact: &[f64]) -> f64 {
    let errors = x.iter().zip(exact).map(|(x, e)| (x / e - 1.0).abs());
    errors.fold(0.0, f64::max)
}

/// The bridge beside diffsol itself, method by method.
fn robertson(settings: &Settings, emitter: &mut Emitter<'_>) -> Result<(), Failure> {
    let problem = Robertson::problem();
    let (mut mine, mut other) = (Vec::new(), Vec::new());
    for (method, name) in [
        (Method::Bdf, "BDF"),
        (Method::TrBdf2, "TR-BDF2"),
        (Method::Esdirk34, "ESDIRK34"),
    ] {
        let bridge = problem.clone();
        let ours: Solve = Box::new(move |tol| {
            let options = stiff::Options {
                method,
                ..stiff::Options::tolerance(1e-4 * tol, tol)
            };
            let mut x = bridge.start.clone();
            stiff::solve(&bridge, bridge.times, &mut x, &options, &mut ())?;
            Ok(x)
        });
        let theirs = theirs::robertson(method);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for tol in STIFF {
            // One-step methods of low order take too long there.
            if method != Method::Bdf && tol < 1e-8 {
                continue;
            }
            let (mut times, mut errors) = ([Vec::new(), Vec::new()], [f64::NAN; 2]);
            for round in 0..=settings.rounds {
                for (i, solve) in [&ours, &theirs].into_iter().enumerate() {
                    let (x, seconds) = best_of(|| solve(tol))?;
                    errors[i] = componentwise(&x, &problem.end);
                    if round > 0 {
                        times[i].push(seconds);
                    }
                }
            }
            let peer = format!("diffsol/{name}");
            point(emitter, "robertson", name, "", &times[0], errors[0], &mut a)?;
            point(emitter, "robertson", &peer, DIFFSOL, &times[1], errors[1], &mut b)?;
        }
        mine.push(a);
        other.push(b);
    }
    let programs = [("diffsol", DIFFSOL, other), ("", "", mine)];
    equal(emitter, "robertson", &STIFF_TARGETS, &programs)
}
