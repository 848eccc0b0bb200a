//! Trainings in legs: windows of time, levels of a constant; what is handed over, resumption.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::TAU;
use std::ops::ControlFlow;
use std::path::PathBuf;

use ansatz_pde::core::{Event, Key};
use ansatz_pde::nn::{Checkpoint, Schedule};
use ansatz_pde::{
    Counts, Curriculum, Level, Marching, Moment, Network, PdeError, Pinn, Points, Problem,
    ProblemBuilder, Solution, Stage, WindowStart,
};

fn pinn(hidden: &[usize], inside: usize, steps: usize) -> Pinn {
    Pinn {
        network: Network::mlp(hidden),
        points: Counts {
            inside,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        ..Pinn::default()
    }
}

/// u_t + 30u_x = 0 on a circle, from sin x.
fn convection() -> ProblemBuilder {
    Problem::new()
        .coordinate("x", [0.0, TAU])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .constant("beta", 30.0)
        .equation("(u_t + beta*u_x)/beta = 0")
        .periodic("x")
        .condition("t = 0", "u = sin(x)")
}

fn convection_error(solution: &Solution<f64>) -> f64 {
    let grid = solution.grid(&[65, 101]).unwrap();
    let exact = |p: &[f64]| vec![(p[0] - 30.0 * p[1]).sin()];
    solution.error_against(&grid, exact).unwrap().relative
}

/// Five turns of an oscillator: value and slope are handed over nine times.
#[test]
fn windows_hand_over_values_and_slopes() {
    let problem = || {
        Problem::new()
            .time("t", [0.0, 5.0 * TAU])
            .unknown("u")
            .equation("u_tt = -u")
            .condition("t = 0", "u = 1")
            .condition("t = 0", "u_t = 0")
    };
    for start in [WindowStart::Warm, WindowStart::Fresh] {
        let marching = Marching {
            pinn: pinn(&[10, 10], 60, 60),
            windows: 10,
            start,
            ..Marching::default()
        };
        let solution = marching.solve::<f64, _>(&problem(), &mut ()).unwrap();
        let grid = solution.grid(&[1001]).unwrap();
        let error = solution.error_against(&grid, |p| vec![p[0].cos()]).unwrap();
        assert!(error.relative < 1e-4, "{start:?}: {error}");
        // Derivatives of the whole are those of the windows.
        let slope = solution.derivatives(&[10.0, 20.0], &[1]).unwrap();
        assert!(
            (slope[0] + 10.0_f64.sin()).abs() < 1e-3 && (slope[1] + 20.0_f64.sin()).abs() < 1e-3
        );
        assert_eq!(solution.report.terms.len(), 30);
        assert!(solution.report.terms[29].name.starts_with("9: "));
        let again = marching.solve::<f64, _>(&problem(), &mut ()).unwrap();
        assert_eq!(solution.parameters.values(), again.parameters.values());
    }
}

/// Transport over five lengths of the circle, where one network of the same size finds nothing: by windows.
#[test]
fn windows_carry_what_one_network_does_not() {
    let one = pinn(&[16, 16], 500, 60);
    let alone = one.solve::<f64, _>(&convection().build().unwrap(), &mut ());
    let alone = convection_error(&alone.unwrap());
    let marching = Marching {
        pinn: one,
        windows: 5,
        ..Marching::default()
    };
    let solution = marching.solve::<f64, _>(&convection(), &mut ()).unwrap();
    let error = convection_error(&solution);
    assert!(alone > 0.3 && error < 1e-2, "{alone} {error}");
}

/// A front of width 0.02 in a steady flow, u·u_x = ν·u_xx: from thick to thin beside as many steps on the thin one.
#[test]
fn levels_make_a_thin_front_easier() {
    let problem = || {
        Problem::new()
            .coordinate("x", [-1.0, 1.0])
            .unknown("u")
            .constant("nu", 1.0)
            .equation("u*u_x = nu*u_xx")
            .condition("x = -1", "u = 1")
            .condition("x = 1", "u = -1")
    };
    let run = |levels: &[f64], steps: usize| {
        let level = |value: &f64| Level {
            value: *value,
            stages: vec![Stage::levenberg_marquardt(steps)],
        };
        let curriculum = Curriculum {
            pinn: pinn(&[12, 12], 300, 0),
            constant: "nu".into(),
            levels: levels.iter().map(level).collect(),
        };
        let solution = curriculum.solve::<f64, _>(&problem(), &mut ()).unwrap();
        let grid = solution.grid(&[1001]).unwrap();
        let exact = |p: &[f64]| vec![-(p[0] / 0.02).tanh()];
        let error = solution.error_against(&grid, exact).unwrap().relative;
        (error, solution.report.evaluations)
    };
    let (error, cost) = run(&[0.3, 0.1, 0.05, 0.03, 0.02, 0.015, 0.01], 20);
    let (alone, most) = run(&[0.01], 140);
    assert!(cost <= most + 14);
    assert!(error < 1e-2 && 3.0 * error < alone, "{error} {alone}");

    // Without stages the parameters of the level before are as they were.
    let first = Level {
        value: 0.1,
        stages: vec![Stage::levenberg_marquardt(3)],
    };
    let last = Level {
        value: 0.05,
        stages: Vec::new(),
    };
    let climb = |levels| {
        let curriculum = Curriculum {
            pinn: pinn(&[6], 30, 0),
            constant: "nu".into(),
            levels,
        };
        curriculum.solve::<f64, _>(&problem(), &mut ()).unwrap()
    };
    let (one, two) = (climb(vec![first.clone()]), climb(vec![first, last]));
    assert_eq!(one.parameters.values(), two.parameters.values());
    // The residual is that of the last level.
    let residual = |s: &Solution<f64>| s.residuals(&[0.3]).unwrap()[0];
    let second = one.derivatives(&[0.3], &[2]).unwrap()[0];
    assert!((residual(&two) - residual(&one) - 0.05 * second).abs() < 1e-12 * (1.0 + second.abs()));
}

/// A run with files at a path, which asks after each step whether to go on.
type Run<'a> = dyn Fn(Option<PathBuf>, &mut dyn FnMut() -> bool) -> Solution<f64> + 'a;

#[test]
fn killed_runs_end_with_the_same_bits() {
    let small = |path: Option<PathBuf>| Pinn {
        points: Counts {
            inside: 60,
            on_conditions: 20,
            ..Counts::default()
        },
        network: Network::mlp(&[6]),
        stages: vec![
            Stage::adam(6, Schedule::Constant(1e-2)),
            Stage::levenberg_marquardt(4),
        ],
        checkpoint: path.map(|path| Checkpoint { path, every: 2 }),
        ..Pinn::default()
    };
    let march = |path| Marching {
        pinn: small(path),
        windows: 3,
        ..Marching::default()
    };
    let climb = |path| Curriculum {
        pinn: small(path),
        constant: "beta".into(),
        levels: [1.0, 2.0]
            .map(|value| Level {
                value,
                stages: small(None).stages,
            })
            .to_vec(),
    };
    let runs: [&Run<'_>; 2] = [
        &|path, go| march(path).solve(&convection(), &mut watch(go)).unwrap(),
        &|path, go| climb(path).solve(&convection(), &mut watch(go)).unwrap(),
    ];
    for run in runs {
        let expected = run(None, &mut || true);
        for kill in [1, 5, 9, 11, 14, 19] {
            let folder = tempfile::tempdir().unwrap();
            let path = Some(folder.path().join("run"));
            let mut rounds = 0;
            let found = loop {
                let mut left = kill + rounds;
                let found = run(path.clone(), &mut || {
                    left -= 1;
                    left > 0
                });
                rounds += 1;
                assert!(rounds < 60);
                if !found.report.stopped_early {
                    break found;
                }
            };
            assert_eq!(found.parameters.values(), expected.parameters.values());
            // Files of another run are refused.
            if kill == 1 {
                let mut other = march(path);
                other.pinn.key = Key::new(5);
                let refused = other.solve::<f64, _>(&convection(), &mut ()).unwrap_err();
                assert!(matches!(refused, PdeError::Network(_)), "{refused}");
            }
        }
    }
}

/// An observer that asks whether to go on.
fn watch(
    go: &mut dyn FnMut() -> bool,
) -> impl for<'e, 'a> FnMut(&Event<'e, Moment<'a, f64>>) -> ControlFlow<()> {
    move |_: &Event<'_, Moment<'_, f64>>| {
        if go() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// A decay rate from measurements at all times: each window sees its own, and the rate goes from one to the next.
#[test]
fn measurements_belong_to_windows() {
    let times: Vec<f64> = (0..40).map(|i| f64::from(i) / 10.0).collect();
    let values = times.iter().map(|t| (-0.7 * t).exp()).collect();
    let problem = Problem::new()
        .time("t", [0.0, 4.0])
        .unknown("u")
        .coefficient("k", 0.1)
        .equation("u_t = -k*u")
        .condition("t = 0", "u = 1")
        .measured("u", Points::new(1, times).unwrap(), values);
    let marching = Marching {
        pinn: pinn(&[8], 30, 40),
        windows: 2,
        ..Marching::default()
    };
    let solution = marching.solve::<f64, _>(&problem, &mut ()).unwrap();
    let found = solution.coefficients();
    assert!((found[0].1 - 0.7).abs() < 1e-3, "{found:?}");
    let points = |window: &str| {
        let own = solution
            .report
            .terms
            .iter()
            .filter(|t| t.name.starts_with(window));
        own.map(|t| t.points).collect::<Vec<_>>()
    };
    // Equation, start, those to t = 2.2; equation, those from t = 2, what was handed over.
    assert_eq!(points("0: "), [30, 1, 23]);
    assert_eq!(points("1: "), [30, 20, 1]);
}

#[test]
fn what_is_refused() {
    let still = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .unknown("u")
        .equation("u_xx = 1")
        .condition("boundary", "u = 0");
    let refused = Marching::default().solve::<f64, _>(&still, &mut ());
    assert!(matches!(
        refused,
        Err(PdeError::Nothing { what: "time", .. })
    ));
    for (windows, extension) in [(0, 0.1), (2, -0.1), (2, 1.5), (2, f64::NAN)] {
        let marching = Marching {
            windows,
            extension,
            ..Marching::default()
        };
        let refused = marching.solve::<f64, _>(&convection(), &mut ());
        assert!(matches!(refused, Err(PdeError::Option { .. })));
    }
    let level = |value| Level {
        value,
        stages: Vec::new(),
    };
    let climb = |constant: &str, levels: &[f64]| {
        let curriculum = Curriculum {
            pinn: Pinn::default(),
            constant: constant.into(),
            levels: levels.iter().map(|v| level(*v)).collect(),
        };
        curriculum
            .solve::<f64, _>(&convection(), &mut ())
            .unwrap_err()
    };
    let unknown = climb("gamma", &[1.0]).to_string();
    assert!(
        unknown.contains("gamma") && unknown.contains("beta"),
        "{unknown}"
    );
    assert!(matches!(
        climb("beta", &[]),
        PdeError::Nothing { what: "level", .. }
    ));
    assert!(matches!(
        climb("beta", &[1.0, f64::NAN]),
        PdeError::NotFinite { index: 1, .. }
    ));
    // Parameters of another network.
    let solved = pinn(&[4], 20, 1).solve::<f64, _>(&convection().build().unwrap(), &mut ());
    let other = pinn(&[5], 20, 1).solve_from(
        &convection().build().unwrap(),
        &solved.unwrap().parameters,
        &mut (),
    );
    let refused = other.unwrap_err().to_string();
    assert!(refused.contains("net.0.weight"), "{refused}");
}
