//! Cole and Hopf's formula against published values, its own series, another solver and the equation.

use std::f64::consts::{PI, TAU};

use ansatz_physics::burgers::{ColeHopf, FourierSeries, Wave};
use ansatz_physics::spectral::{Equation, SpectralOptions};
use ansatz_physics::{PhysicsError, Reference};

const NU: f64 = 0.01 / PI;

#[test]
fn table_of_the_usual_problem() {
    let u = ColeHopf::new(NU).expect("a solution");
    let xs = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75];
    let rows = [
        (
            0.25,
            [
                -0.0636482990,
                -0.1264047020,
                -0.5315978594,
                -0.7949743591,
                -0.9920815616,
                -0.8031984208,
                -0.4305162642,
            ],
        ),
        (
            0.5,
            [
                -0.6374186633,
                -0.8980496423,
                -0.9789821784,
                -0.9581595534,
                -0.8473545245,
                -0.5927695344,
                -0.3028427083,
            ],
        ),
        (
            0.99,
            [
                -0.3831128067,
                -0.6002029104,
                -0.7048649256,
                -0.6701489545,
                -0.5632500986,
                -0.3789962898,
                -0.1904341987,
            ],
        ),
    ];
    let mut most = 0.0_f64;
    for (t, values) in rows {
        for (x, expected) in xs.into_iter().zip(values) {
            let value = u.value(x, t).expect("a value");
            most = most.max((value - expected).abs());
            assert!((value - expected).abs() < 6e-11, "{x} {t}: {value}");
            // u is odd.
            assert!((u.value(-x, t).expect("a value") + value).abs() < 1e-12);
        }
        for x in [-1.0, 0.0, 1.0] {
            assert!(u.value(x, t).expect("a value").abs() < 1e-12);
        }
    }
    println!("table to {most:.1e}, stated {:.1e}", u.accuracy());
    assert!(u.accuracy() < 1e-9);
}

#[test]
fn steepest_slope() {
    let u = ColeHopf::new(NU).expect("a solution");
    let slope = |t: f64| u.value_and_slope(0.0, t).expect("a slope")[1];
    let best = (0..400)
        .map(|i| 0.5 + 5e-5 * f64::from(i))
        .min_by(|a, b| slope(*a).total_cmp(&slope(*b)))
        .expect("times");
    println!("slope {:.6} at {best}", slope(best));
    assert!((slope(best) + 152.00516).abs() < 1e-5, "{}", slope(best));
    assert!((best - 1.6037 / PI).abs() < 5e-5, "{best}");
    // The slope is that of the values.
    for (x, t) in [(0.003, 0.5), (-0.2, 0.3), (0.01, 0.9)] {
        let h = 1e-5;
        let at = |x: f64| u.value(x, t).expect("a value");
        let difference =
            (8.0 * (at(x + h) - at(x - h)) - (at(x + 2.0 * h) - at(x - 2.0 * h))) / (12.0 * h);
        let slope = u.value_and_slope(x, t).expect("a slope")[1];
        assert!(
            (slope - difference).abs() < 1e-5,
            "{x} {t}: {slope} {difference}"
        );
    }
}

#[test]
fn the_equation_holds() {
    let u = ColeHopf::from_wave(0.05, Wave::on_current(0.3)).expect("a solution");
    let at = |x: f64, t: f64| u.value(x, t).expect("a value");
    for (x, t) in [(0.4, 0.5), (2.5, 1.0), (3.3, 2.0), (5.0, 0.2)] {
        // Differences of order 4, of slopes for u_xx.
        let h = 2e-3;
        let d = |f: &dyn Fn(f64) -> f64| {
            (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
        };
        let slope = |x: f64| u.value_and_slope(x, t).expect("a slope")[1];
        let rest = d(&|s| at(x, t + s)) + at(x, t) * slope(x) - 0.05 * d(&|s| slope(x + s));
        assert!(rest.abs() < 2e-8, "{x} {t}: {rest:e}");
    }
}

#[test]
fn waves_on_a_current() {
    for current in [0.0, 1.0, 70.0] {
        let u = ColeHopf::from_wave(0.01, Wave::on_current(current)).expect("a solution");
        let table = [
            (0.5, 0.328403511),
            (1.0, 0.630283273),
            (2.0, 0.992917750),
            (2.5, 0.876028883),
            (3.0, 0.270949577),
            (3.1, 0.081394815),
        ];
        for (x, expected) in table {
            let value = u.value(x + 0.5 * current, 0.5).expect("a value") - current;
            assert!((value - expected).abs() < 1e-9, "{current} {x}: {value}");
        }
    }
}

#[test]
fn series_quadrature_and_spectral_solver_agree() {
    let nu = 0.05;
    let wave = Wave::on_current(0.0);
    let (a, b) = (
        ColeHopf::from_wave(nu, wave).expect("a solution"),
        FourierSeries::new(nu, wave).expect("a series"),
    );
    // The series in 40 digits.
    let table = [0.3821212541051029, 0.7254547024071468, 0.943956764776739];
    for (k, expected) in table.into_iter().enumerate() {
        let x = PI * (k + 1) as f64 / 4.0;
        let (p, q) = (
            a.value(x, 1.0).expect("a value"),
            b.value(x, 1.0).expect("a value"),
        );
        assert!((p - expected).abs() < 1e-13, "{x}: {p}");
        // Cancellation in the series: e^{10} on the way down to its least value.
        assert!((p - q).abs() < 1e-10, "{x}: {p} {q}");
    }
    let options = SpectralOptions {
        modes: 512,
        step: 1e-3,
        ..SpectralOptions::default()
    };
    let c = Equation::burgers(nu).expect("an equation");
    let c = c
        .solve([0.0, TAU], f64::sin, &[1.0], &options)
        .expect("a solution");
    for i in 0..40 {
        let x = 0.157 * f64::from(i);
        let gap = c.value(x, 1.0).expect("a value") - a.value(x, 1.0).expect("a value");
        assert!(gap.abs() < 1e-11, "{x}: {gap:e}");
    }
    // Small viscosity: no digits are left far from the crest of φ.
    let sharp = FourierSeries::new(NU, Wave::NEGATIVE_SINE).expect("a series");
    assert!(matches!(
        sharp.value(0.1, 0.05),
        Err(PhysicsError::NotConverged { .. })
    ));
    let sharp = sharp.value(0.9, 0.05).expect("a value");
    let exact = ColeHopf::new(NU)
        .expect("a solution")
        .value(0.9, 0.05)
        .expect("a value");
    assert!((sharp - exact).abs() < 1e-10);
}

#[test]
fn small_viscosities_and_early_times() {
    // Before the shock the solution is close to that without viscosity: u = u₀(x − ut).
    let u = ColeHopf::new(1e-5).expect("a solution");
    let (x, t) = (0.4, 0.2);
    let mut v = 0.0;
    for _ in 0..200 {
        v = -(PI * (x - v * t)).sin();
    }
    assert!((u.value(x, t).expect("a value") - v).abs() < 1e-3);
    let start = u.value(x, 1e-12).expect("a value");
    assert!((start + (PI * x).sin()).abs() < 1e-10);
    assert!((u.value(x, 0.0).expect("a value") + (PI * x).sin()).abs() < 1e-15);
    // After it, the shock at 0 of height ±u(0±).
    let late = u.value(0.001, 1.0).expect("a value");
    assert!(late < -0.5);
}

#[test]
fn bad_input_is_refused() {
    for nu in [0.0, -1.0, f64::NAN] {
        assert!(ColeHopf::new(nu).is_err());
        assert!(FourierSeries::new(nu, Wave::on_current(0.0)).is_err());
    }
    let u = ColeHopf::new(NU).expect("a solution");
    for (x, t) in [
        (1.1, 0.5),
        (-1.1, 0.5),
        (0.0, -0.1),
        (f64::NAN, 0.1),
        (0.0, f64::NAN),
    ] {
        assert!(matches!(
            u.value(x, t),
            Err(PhysicsError::OutsideDomain { .. })
        ));
    }
    let hopeless = ColeHopf::new(1e-12).expect("a solution");
    assert!(matches!(
        hopeless.value(0.1, 1.0),
        Err(PhysicsError::NotConverged { .. })
    ));
    assert!(FourierSeries::new(1e-5, Wave::NEGATIVE_SINE).is_err());
    let strange = Wave {
        wavenumber: 0.0,
        ..Wave::NEGATIVE_SINE
    };
    assert!(ColeHopf::from_wave(0.1, strange).is_err());
}
