//! Methods that are not Runge-Kutta tables, steps of given size, stiffness.

use ansatz_core::EvalError;
use ansatz_diffeq::{
    Accepted, Adaptive, Composition, Control, Etdrk4, OnStiff, Options, ReversibleHeun, RungeKutta,
    Spectrum, StepError, StepSize, Stepper, Symplectic, VERLET, YOSHIDA4, YOSHIDA6, integrate,
    solve, tableau,
};
use ansatz_testkit::measure;

use crate::problems::{LOTKA_VOLTERRA, lotka_volterra};

type Plane = [f64; 2];
type Made = Result<(), EvalError>;

#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
fn velocity(_: f64, p: &Plane, v: &mut Plane) -> Made {
    *v = *p;
    Ok(())
}

/// The force of Hénon and Heiles.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
fn force(_: f64, q: &Plane, f: &mut Plane) -> Made {
    *f = [-q[0] - 2.0 * q[0] * q[1], -q[1] - q[0] * q[0] + q[1] * q[1]];
    Ok(())
}

fn energy((q, p): &(Plane, Plane)) -> f64 {
    let square = |v: &Plane| v[0] * v[0] + v[1] * v[1];
    0.5 * (square(p) + square(q)) + q[0] * q[0] * q[1] - q[1].powi(3) / 3.0
}

const START: (Plane, Plane) = ([0.1, 0.2], [0.3, 0.1]);
/// Position at t = 100, by a method of order 8 in extended precision.
const AT_100: Plane = [0.0628596612825, -0.0992294847762];

fn position_error(method: &Composition, n: usize) -> f64 {
    let mut y = START;
    let mut stepper = Symplectic::new(method, &velocity, &force, &y);
    integrate(
        &mut stepper,
        &[0.0, 100.0],
        &mut y,
        &Control::fixed(n),
        &mut (),
    )
    .unwrap();
    let substeps = method.weights.len();
    assert_eq!(stepper.nfe(), n * substeps + 1);
    measure::max_abs_diff(&y.0, &AT_100)
}

fn worst_energy(method: &Composition, h: f64) -> f64 {
    let mut y = START;
    let start = energy(&y);
    let mut worst = 0.0_f64;
    let mut stepper = Symplectic::new(method, &velocity, &force, &y);
    let mut watch = |step: &mut Accepted<'_, (Plane, Plane), _>| {
        worst = worst.max((energy(step.next()) - start).abs());
        Ok(None)
    };
    let control = Control::constant(h);
    integrate(&mut stepper, &[0.0, 1000.0], &mut y, &control, &mut watch).unwrap();
    worst
}

/// Energy errors up to t = 1000 and positions at t = 100 of the Hénon-Heiles system, 2 %.
#[test]
fn symplectic_methods_keep_the_energy() {
    let close = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 0.02, "{got:e} {want:e}");
    close(worst_energy(&VERLET, 0.1), 1.822e-4);
    close(worst_energy(&VERLET, 0.05), 4.541e-5);
    close(worst_energy(&YOSHIDA4, 0.1), 8.497e-7);
    close(worst_energy(&YOSHIDA4, 0.05), 5.287e-8);
    for (n, verlet, yoshida) in [
        (1000, 1.089e-2, 2.719e-4),
        (2000, 2.695e-3, 1.699e-5),
        (4000, 6.719e-4, 1.062e-6),
    ] {
        close(position_error(&VERLET, n), verlet);
        close(position_error(&YOSHIDA4, n), yoshida);
    }
    // Order 6: halving the step divides the error by 64.
    let ratio = position_error(&YOSHIDA6, 300) / position_error(&YOSHIDA6, 600);
    assert!((ratio.log2() - 6.0).abs() < 0.25, "{ratio}");
    for method in [VERLET, YOSHIDA4, YOSHIDA6] {
        assert!((method.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
    }
}

/// Reversible Heun on Lotka-Volterra at t = 5 with 50, 100 and 200 steps against diffrax, 1 %, and
/// back to the start.
#[test]
fn reversible_heun() {
    for (n, expected) in [(50, 5.66), (100, 0.206), (200, 1.06e-2)] {
        let x = vec![1.0, 1.0];
        let mut y = (x.clone(), x.clone());
        let mut method = ReversibleHeun::new(&lotka_volterra, &x);
        integrate(
            &mut method,
            &[0.0, 5.0],
            &mut y,
            &Control::fixed(n),
            &mut (),
        )
        .unwrap();
        assert_eq!(method.nfe(), n + 1);
        let got = measure::max_abs_diff(&y.0, &LOTKA_VOLTERRA[0]);
        assert!((got / expected - 1.0).abs() < 0.01, "{n}: {got:e}");
        if n < 200 {
            continue;
        }
        let h = 5.0 / n as f64;
        for i in (0..n).rev() {
            method.step_back(i as f64 * h, h, &mut y).unwrap();
        }
        // Rounding, magnified by the problem's own growth.
        assert!(measure::max_abs_diff(&y.0, &x) < 1e-10, "{y:?}");
    }
}

/// ETDRK4 has order 4 with real and complex spectra, and agrees for both ways to write the same
/// problem.
#[test]
fn exponential_steps() {
    // Duffing's oscillator u' = i u − i |u|² u/10 in real and imaginary part: |u| is constant, so
    // u = u₀ exp(i (1 − |u₀|²/10) t).
    let cubic = |_: f64, u: &Plane, out: &mut Plane| -> Made {
        let r = 0.1 * (u[0] * u[0] + u[1] * u[1]);
        *out = [r * u[1], -r * u[0]];
        Ok(())
    };
    let error = |n: usize| {
        let mut u = [1.2, 0.5];
        let rate = 1.0 - 0.1 * (1.2 * 1.2 + 0.5 * 0.5);
        let (s, c) = (rate * 5.0_f64).sin_cos();
        let exact = [1.2 * c - 0.5 * s, 1.2 * s + 0.5 * c];
        let spectrum = Spectrum::Complex(vec![[0.0, 1.0]]);
        let mut method = Etdrk4::new(spectrum, &cubic, &u).unwrap();
        integrate(
            &mut method,
            &[0.0, 5.0],
            &mut u,
            &Control::fixed(n),
            &mut (),
        )
        .unwrap();
        assert_eq!(method.nfe(), 4 * n);
        measure::max_abs_diff(&u, &exact)
    };
    let slope = (error(20) / error(40)).log2();
    assert!((slope - 4.0).abs() < 0.25, "{slope}");
    // Without a nonlinear part a step is exact, however stiff; a spectrum of 0 gives RK4.
    let none = |_: f64, _: &Plane, out: &mut Plane| -> Made {
        *out = [0.0; 2];
        Ok(())
    };
    let mut y = [1.0, 1.0];
    let mut method = Etdrk4::new(Spectrum::Real(vec![-1e4, -2.0]), &none, &y).unwrap();
    integrate(
        &mut method,
        &[0.0, 1.0],
        &mut y,
        &Control::fixed(1),
        &mut (),
    )
    .unwrap();
    assert!(y[0] == 0.0 && (y[1] - (-2.0_f64).exp()).abs() < 1e-16);
    let swing = |_: f64, x: &Plane, dx: &mut Plane| -> Made {
        *dx = [x[1], -x[0].sin()];
        Ok(())
    };
    let (mut y, mut z) = ([1.0, 0.0], [1.0, 0.0]);
    let mut method = Etdrk4::new(Spectrum::Real(vec![0.0; 2]), &swing, &y).unwrap();
    integrate(
        &mut method,
        &[0.0, 1.0],
        &mut y,
        &Control::fixed(10),
        &mut (),
    )
    .unwrap();
    let mut classic = RungeKutta::new(&tableau::RK4, &swing, &z);
    integrate(
        &mut classic,
        &[0.0, 1.0],
        &mut z,
        &Control::fixed(10),
        &mut (),
    )
    .unwrap();
    // Contour means of numbers up to 1 over 64 points.
    assert!(measure::max_abs_diff(&y, &z) < 1e-14);
}

#[test]
fn a_spectrum_must_fit() {
    let none = |_: f64, _: &Plane, _: &mut Plane| -> Made { Ok(()) };
    let make = |spectrum| Etdrk4::new(spectrum, &none, &[0.0; 2]).err().unwrap();
    assert!(matches!(
        make(Spectrum::Real(vec![0.0; 3])),
        StepError::Count {
            expected: 2,
            got: 3,
            ..
        }
    ));
    assert!(matches!(
        make(Spectrum::Complex(vec![[0.0; 2]; 2])),
        StepError::Count {
            expected: 1,
            got: 2,
            ..
        }
    ));
    assert!(matches!(
        make(Spectrum::Real(vec![0.0, f64::INFINITY])),
        StepError::Option {
            name: "spectrum",
            ..
        }
    ));
}

/// Steps of given size: the last one is cut, the count is right, both directions.
#[test]
fn constant_steps() {
    for (end, steps) in [(1.0, 10), (0.95, 10), (-1.0, 10), (0.05, 1)] {
        let mut y = vec![1.0, 1.0];
        let mut method = RungeKutta::new(&tableau::RK4, &lotka_volterra, &y);
        let mut ends = Vec::new();
        let mut watch = |step: &mut Accepted<'_, Vec<f64>, _>| {
            ends.push(step.end);
            Ok(None)
        };
        let control = Control::constant(0.1);
        integrate(&mut method, &[0.0, end], &mut y, &control, &mut watch).unwrap();
        assert_eq!((ends.len(), *ends.last().unwrap()), (steps, end));
    }
    let mut y = vec![1.0, 1.0];
    let mut method = RungeKutta::new(&tableau::RK4, &lotka_volterra, &y);
    for h in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let control = Control::constant(h);
        let error = integrate(&mut method, &[0.0, 1.0], &mut y, &control, &mut ()).unwrap_err();
        assert!(matches!(error, StepError::Option { name: "step", .. }));
    }
    let control = Control {
        max_steps: 3,
        ..Control::constant(0.1)
    };
    let error = integrate(&mut method, &[0.0, 1.0], &mut y, &control, &mut ()).unwrap_err();
    assert!(matches!(
        error,
        StepError::TooManySteps { max_steps: 3, .. }
    ));
}

/// A method without an error estimate cannot control its steps.
#[test]
fn no_estimate_no_control() {
    let mut y = START;
    let mut method = Symplectic::new(&VERLET, &velocity, &force, &y);
    let error = integrate(
        &mut method,
        &[0.0, 1.0],
        &mut y,
        &Control::default(),
        &mut (),
    );
    assert!(matches!(
        error.unwrap_err(),
        StepError::Option {
            name: "error_order",
            ..
        }
    ));
}

/// Real intervals of stability, published to a few digits.
#[test]
fn intervals_of_stability() {
    for (t, expected) in [
        (&tableau::EULER, 2.0),
        (&tableau::MIDPOINT, 2.0),
        (&tableau::KUTTA3, 2.5127),
        (&tableau::RK4, 2.7853),
        (&tableau::DORMAND_PRINCE, 3.3066),
        (&tableau::TSITOURAS, 3.5068),
    ] {
        let got = t.real_stability();
        assert!((got - expected).abs() < 1e-3, "{}: {got}", t.name);
    }
}

/// y' = −50 (y − cos t): the estimate is 50 on every step; with loose tolerances stability limits the
/// steps, and that is refused if asked for. A problem that is not stiff is not refused.
#[test]
fn stiffness_is_seen() {
    let stiff = |t: f64, y: &[f64; 1], dy: &mut [f64; 1]| -> Made {
        dy[0] = -50.0 * (y[0] - t.cos());
        Ok(())
    };
    let options = Options {
        on_stiff: OnStiff::Refuse,
        ..Options::tolerance(1e-4, 1e-4)
    };
    for t in [
        &tableau::TSITOURAS,
        &tableau::DORMAND_PRINCE,
        &tableau::DOP853,
    ] {
        let mut y = [0.0];
        let mut method = RungeKutta::new(t, &stiff, &y);
        let mut watch = |step: &mut Accepted<'_, [f64; 1], RungeKutta<'_, [f64; 1], _>>| {
            let size = step.method.stiffness().unwrap().size;
            // A difference of two slopes that are nearly equal once the solution is smooth.
            let margin = if t.order == 5 { 1e-6 } else { 5.0 };
            assert!((size / step.h - 50.0).abs() < margin, "{}", size / step.h);
            Ok(None)
        };
        let control = options.control();
        let calm = Control {
            on_stiff: OnStiff::GoOn,
            step: StepSize::Adaptive(Adaptive::new(1e-4, 1e-4)),
            ..control
        };
        integrate(&mut method, &[0.0, 0.3], &mut y, &calm, &mut watch).unwrap();
        let mut y = [0.0];
        let options = Options {
            tableau: t,
            ..options
        };
        let error = solve(&stiff, (0.0, 10.0), &mut y, &options, &mut ()).unwrap_err();
        let StepError::Stiff {
            t: at, size, limit, ..
        } = error
        else {
            panic!("{}: {error}", t.name);
        };
        assert!(at < 5.0 && size > 0.75 * limit && size < 2.0 * limit);
        assert_eq!(y, [0.0]);
        let mut x = vec![1.0, 1.0];
        solve(&lotka_volterra, (0.0, 10.0), &mut x, &options, &mut ()).unwrap();
    }
}
