//! What stochastic solvers do with their steps, their paths and bad input.

use ansatz_core::{NoiseKind, Sde, VectorField};
use ansatz_diffeq::brownian::{BrownianError, LevyArea, VirtualBrownianTree};
use ansatz_diffeq::sde::{
    self, Calculus, Converted, EULER_HEUN, EULER_MARUYAMA, HEUN, MIDPOINT, MILSTEIN_ITO,
    MILSTEIN_STRATONOVICH, Method, Milstein, NoisyField, REVERSIBLE_HEUN, SHARK, SRA1, SRID2,
};
use ansatz_diffeq::{Adaptive, Control, ReversibleHeun, StepError, integrate};
use ansatz_testkit::{laws, measure};

use crate::noisy_problems::{
    ADDITIVE, Any, Each, One, PATHS, Paths, START, Spiral, TANH, TANH_STRATONOVICH, controlled,
    increment, run, sheet, spiral_error, tanh_of, tree,
};

/// Controlled steps converge to the same solution of the same path, with fewer steps where tolerance is loose.
#[test]
fn adaptive_steps_see_the_same_path() {
    let methods: [&dyn Method<[f64; 2], [f64; 2], Spiral, VirtualBrownianTree<[f64; 2]>>; 3] =
        [&HEUN, &EULER_HEUN, &REVERSIBLE_HEUN];
    for method in methods {
        let runs = [3e-2, 3e-3].map(|tol| spiral_error(method, &controlled(tol)));
        println!("{}: {runs:?}", method.name());
        assert!(runs[0].2 > 0, "nothing was rejected");
        assert!(runs[1].1 > 2 * runs[0].1);
        assert!(runs[1].0 < 0.3 * runs[0].0, "{}: {runs:?}", method.name());
        assert!(runs[1].0 < 5e-3);
    }
    let ito = Milstein {
        calculus: Calculus::Ito,
    };
    let methods: [&dyn Method<[f64; 1], [f64; 1], Each, One>; 3] = [&SRID2, &ito, &MILSTEIN_ITO];
    for method in methods {
        let errors = [1e-2, 1e-3, 1e-4].map(|tol| {
            let squares: f64 = (0..300)
                .map(|seed| {
                    let mut path = tree(&[0.0], 1.0, seed);
                    let exact = tanh_of(increment(&mut path)[0]);
                    let mut x = [START];
                    let control = controlled(tol);
                    sde::solve(
                        &TANH,
                        &mut path,
                        (0.0, 1.0),
                        &mut x,
                        method,
                        &control,
                        &mut (),
                    )
                    .unwrap();
                    (x[0] - exact).powi(2)
                })
                .sum();
            (squares / 300.0).sqrt()
        });
        println!("{}: {errors:?}", method.name());
        assert!(
            errors[2] < 0.2 * errors[0] && errors[2] < 2e-3,
            "{errors:?}"
        );
    }
    let error = |tol| {
        let mut x = vec![1.0; 1000];
        let mut path = sheet(1000, 5, LevyArea::SpaceTime);
        let mut fine = x.clone();
        let times = (0.0, 1.0);
        sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut fine,
            &SRA1,
            &Control::fixed(1024),
            &mut (),
        )
        .unwrap();
        sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut x,
            &SHARK,
            &controlled(tol),
            &mut (),
        )
        .unwrap();
        measure::rms(&x, &fine, 1)
    };
    let (loose, tight) = (error(1e-2), error(1e-5));
    println!("ShARK, controlled: {loose:.2e} {tight:.2e}");
    assert!(tight < 1e-2 * loose && tight < 1e-4);
}

/// Backwards over the same path, the reversible method gives its start to the last digits.
#[test]
fn reversible_steps_run_backwards() {
    let (n, h) = (100, 0.01);
    let mut path = tree(&[0.0; 2], 1.0, 4);
    let w: [f64; 2] = increment(&mut path);
    let x = [1.0, 0.0];
    let mut y = (x, x);
    {
        let drive = NoisyField::new(&Spiral, &mut path, &x);
        let mut method = ReversibleHeun::new(drive, &x);
        integrate(
            &mut method,
            &[0.0, 1.0],
            &mut y,
            &Control::fixed(n),
            &mut (),
        )
        .unwrap();
        let r = (0.4 * w[0]).exp();
        assert!((y.0[0] - r * (0.4 * w[1]).cos()).abs() < 0.02);
        for i in (0..n).rev() {
            method.step_back(i as f64 * h, h, &mut y).unwrap();
        }
    }
    // Some 200 roundings of numbers near 1.
    for y in [y.0, y.1] {
        assert!((y[0] - 1.0).abs() < 1e-13 && y[1].abs() < 1e-13, "{y:?}");
    }
}

/// A Stratonovich flow is undone by the same path backwards, up to the error of the method.
#[test]
fn solving_backwards_in_time() {
    let mut path = tree(&[0.0; 2], 1.0, 4);
    let mut x = [1.0, 0.0];
    let control = Control::fixed(1000);
    sde::solve(
        &Spiral,
        &mut path,
        (0.0, 1.0),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert!((x[0] - 1.0).abs() > 0.05);
    sde::solve(
        &Spiral,
        &mut path,
        (1.0, 0.0),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert!((x[0] - 1.0).abs() < 1e-3 && x[1].abs() < 1e-3, "{x:?}");
}

/// The same path gives the same bits, whoever asks in between.
#[test]
fn runs_repeat_bit_by_bit() {
    let methods: [Any<'_>; 4] = [&HEUN, &SRID2, &EULER_HEUN, &MILSTEIN_ITO];
    for method in methods {
        let mut path = sheet(PATHS, 6, LevyArea::SpaceTime);
        let one = run(&TANH, method, 13, &mut path, START);
        run(&TANH, method, 7, &mut path, START);
        assert_eq!(one, run(&TANH, method, 13, &mut path, START));
    }
}

/// Long states are shared among threads; no bit depends on how many.
#[test]
fn threads_change_no_bit() {
    let methods: [Any<'_>; 3] = [&HEUN, &SRID2, &REVERSIBLE_HEUN];
    for method in methods {
        laws::same_for_threads(|| {
            let mut path = sheet(70_000, 7, LevyArea::SpaceTime);
            let mut x = vec![START; 70_000];
            let (times, control) = ((0.0, 1.0), Control::fixed(5));
            sde::solve(&TANH, &mut path, times, &mut x, method, &control, &mut ()).unwrap();
            x
        });
    }
}

#[test]
fn what_solvers_refuse() {
    let mut path = sheet(3, 1, LevyArea::SpaceTime);
    let mut x = vec![START; 3];
    let control = Control::fixed(10);
    let mut refuse = |problem: &Each, method: Any<'_>, times, control: &Control| {
        let error =
            sde::solve(problem, &mut path, times, &mut x, method, control, &mut ()).unwrap_err();
        assert_eq!(x, [START; 3]);
        error
    };
    let unit = (0.0, 1.0);
    for method in [&SRA1 as Any<'_>, &SHARK] {
        let error = refuse(&TANH, method, unit, &control);
        let kind = NoiseKind::Diagonal;
        assert!(matches!(error, StepError::Noise { kind: k, .. } if k == kind));
    }
    let general = Each {
        kind: NoiseKind::General,
        ..TANH
    };
    let ito = Milstein {
        calculus: Calculus::Ito,
    };
    for method in [&SRID2 as Any<'_>, &MILSTEIN_ITO, &ito] {
        let error = refuse(&general, method, unit, &control);
        assert!(matches!(
            error,
            StepError::Noise {
                kind: NoiseKind::General,
                ..
            }
        ));
    }
    let error = refuse(&TANH, &HEUN, (0.5, 1.5), &control);
    assert!(matches!(
        error,
        StepError::Brownian(BrownianError::Outside { .. })
    ));
    let error = refuse(&TANH, &SRID2, (1.0, 0.0), &control);
    assert!(matches!(
        error,
        StepError::Brownian(BrownianError::Reversed { .. })
    ));
    let error = refuse(&TANH, &EULER_MARUYAMA, unit, &controlled(1e-3));
    assert!(matches!(
        error,
        StepError::Option {
            name: "error_order",
            ..
        }
    ));
    let no_first = Control::adaptive(Adaptive::new(1e-3, 1e-3));
    let error = refuse(&TANH, &HEUN, unit, &no_first);
    assert!(matches!(error, StepError::Option { name: "first", .. }));
    let broken = Each {
        drift: |_, x| (x - 1.0).sqrt(),
        ..TANH
    };
    for method in [&HEUN as Any<'_>, &SRID2, &EULER_HEUN, &ito] {
        let error = refuse(&broken, method, unit, &control);
        assert!(matches!(error, StepError::NonFinite { .. }), "{error}");
    }
    let mut poor = sheet(3, 1, LevyArea::None);
    for error in [
        sde::solve(&TANH, &mut poor, unit, &mut x, &SRID2, &control, &mut ()),
        sde::solve(
            &ADDITIVE,
            &mut poor,
            unit,
            &mut x,
            &SHARK,
            &control,
            &mut (),
        ),
    ] {
        assert!(matches!(error.unwrap_err(), StepError::Levels { .. }));
    }
    let mut long = sheet(4, 1, LevyArea::SpaceTime);
    let mut one = sheet(1, 1, LevyArea::SpaceTime);
    for error in [
        sde::solve(&TANH, &mut long, unit, &mut x, &SRID2, &control, &mut ()),
        sde::solve(&TANH, &mut long, unit, &mut x, &ito, &control, &mut ()),
        sde::solve(&TANH, &mut one, unit, &mut x, &ito, &control, &mut ()),
    ] {
        assert!(matches!(error.unwrap_err(), StepError::Count { .. }));
    }
    // Equal times are nothing to do.
    sde::solve(
        &TANH,
        &mut path,
        (0.5, 0.5),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert_eq!(x, [START; 3]);
}

/// Tables are consistent: drifts weigh 1, increments weigh W once and areas nothing.
#[test]
fn tables_are_consistent() {
    for t in [EULER_HEUN, SRA1, SHARK] {
        t.validate().unwrap();
        let (mut drift, mut w, mut area) = (0.0, 0.0, 0.0);
        for (call, weight) in t.calls.iter().zip(t.weights) {
            match call.term {
                sde::Term::Drift => drift += weight,
                sde::Term::Noise { w: a, area: b } => {
                    w += a * weight;
                    area += b * weight;
                }
            }
        }
        assert!((drift - 1.0).abs() < 1e-15, "{}", t.name);
        assert!((w - 1.0).abs() < 1e-15 && area.abs() < 1e-15, "{}", t.name);
    }
    for t in [SRID2, MILSTEIN_ITO, MILSTEIN_STRATONOVICH] {
        t.validate().unwrap();
        assert!((t.alpha.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        for (beta, want) in t.beta.iter().zip([1.0, 0.0, 0.0, 0.0]) {
            assert!(
                (beta.iter().sum::<f64>() - want).abs() < 1e-15,
                "{}",
                t.name
            );
        }
    }
    let [double, triple] = Calculus::Ito.iterated(2.0, 0.5);
    assert!((double - 1.75).abs() < 1e-15 && (triple - 5.0 / 6.0).abs() < 1e-15);
    let short = sde::SrkTableau {
        weights: &[1.0],
        ..SHARK
    };
    assert!(matches!(short.validate(), Err(StepError::Tableau { .. })));
}

/// An Itô equation in the other calculus, and back.
#[test]
fn conversion_between_calculi() {
    let x = vec![-0.7, 0.1, 0.9];
    let eval = |e: &dyn VectorField<Vec<f64>>| {
        let mut out = vec![0.0; 3];
        e.eval(0.0, &x, &mut out).unwrap();
        out
    };
    // f − ½g'g = 0 for the tanh problem.
    let stratonovich = Converted::new(&TANH, Calculus::Stratonovich, &x).unwrap();
    let ito = Converted::new(&TANH_STRATONOVICH, Calculus::Ito, &x).unwrap();
    for (i, drift) in eval(&ito).iter().enumerate() {
        assert!(eval(&stratonovich)[i].abs() < 1e-16);
        assert!((drift - (TANH.drift)(0.0, x[i])).abs() < 1e-16);
    }
    let mut path = sheet(3, 2, LevyArea::SpaceTime);
    let run = |e: &dyn Sde<Vec<f64>>, path: &mut Paths| {
        let (mut z, control) = (x.clone(), Control::fixed(20));
        sde::solve(e, path, (0.0, 1.0), &mut z, &HEUN, &control, &mut ()).unwrap();
        z
    };
    let direct = run(&TANH_STRATONOVICH, &mut path);
    let converted = run(&stratonovich, &mut path);
    assert!(measure::max_abs_diff(&direct, &converted) < 1e-14);
    let general = Each {
        kind: NoiseKind::General,
        ..TANH
    };
    let refused = Converted::new(&general, Calculus::Ito, &x).err();
    assert!(matches!(refused, Some(StepError::Noise { .. })));
}

/// States at many times are those of a solve to each of them.
#[test]
fn outputs_at_many_times() {
    let mut path = sheet(5, 3, LevyArea::SpaceTime);
    let x = vec![START; 5];
    let times = [0.0, 0.25, 0.5, 1.0];
    let mut out = vec![x.clone(); 4];
    let control = Control::fixed(8);
    let report = sde::solve_at(&TANH, &mut path, &times, &x, &SRID2, &control, &mut out).unwrap();
    assert_eq!(report.steps, 24);
    let mut y = x.clone();
    for (pair, out) in times.windows(2).zip(&out[1..]) {
        let leg = (pair[0], pair[1]);
        sde::solve(&TANH, &mut path, leg, &mut y, &SRID2, &control, &mut ()).unwrap();
        assert_eq!(&y, out);
    }
    let short = sde::solve_at(
        &TANH,
        &mut path,
        &times,
        &x,
        &SRID2,
        &control,
        &mut out[..2],
    );
    assert!(matches!(short, Err(StepError::Count { .. })));
    let order = [0.0, 0.5, 0.25];
    let wrong = sde::solve_at(
        &TANH,
        &mut path,
        &order,
        &x,
        &SRID2,
        &control,
        &mut out[..3],
    );
    assert!(matches!(wrong, Err(StepError::Times { .. })));
}

/// Step doubling gives estimates to methods without: Euler-Maruyama with additive noise, the midpoint rule.
#[test]
fn doubled_steps() {
    let doubled = sde::Doubled {
        method: EULER_MARUYAMA,
        error_order: 1.5,
    };
    let mut path = sheet(500, 5, LevyArea::SpaceTime);
    let x = vec![1.0; 500];
    let mut solve = |method: Any<'_>, control: &Control| {
        let mut z = x.clone();
        let times = (0.0, 1.0);
        let report = sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut z,
            method,
            control,
            &mut (),
        )
        .unwrap();
        (z, report)
    };
    let (fine, _) = solve(&SRA1, &Control::fixed(1024));
    let errors = [1e-2, 1e-4].map(|tol| {
        let (z, report) = solve(&doubled, &controlled(tol));
        (measure::rms(&z, &fine, 1), report.steps)
    });
    println!("Euler-Maruyama, doubled: {errors:?}");
    assert!(errors[1].0 < 0.1 * errors[0].0 && errors[1].1 > 5 * errors[0].1);
    let doubled = sde::Doubled {
        method: MIDPOINT,
        error_order: 1.5,
    };
    let errors = [3e-2, 1e-3].map(|tol| spiral_error(&doubled, &controlled(tol)).0);
    println!("midpoint, doubled: {errors:?}");
    assert!(errors[1] < 0.3 * errors[0] && errors[1] < 5e-3);
}
