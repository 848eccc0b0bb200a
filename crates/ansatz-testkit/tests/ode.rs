//! Standard problems: derivatives against differences, ends against closed forms and each other.

use ansatz_core::{JvpField, VectorField};
use ansatz_testkit::measure::max_abs_diff;
use ansatz_testkit::ode::{self, HeatGrid, HenonHeiles, Robertson};

/// Jacobian products agree with central differences, whose step of 1e-5 leaves 1e-7 near the Moon.
#[test]
fn jacobian_products_are_derivatives() {
    for p in ode::smooth().into_iter().chain(ode::stiff()) {
        let n = p.start.len();
        // A point off the start, whose zeros hide terms.
        let x: Vec<f64> = (0..n).map(|i| p.end[i] + 0.1 + 0.01 * i as f64).collect();
        let v: Vec<f64> = (0..n).map(|i| (1.3 * i as f64 + 0.4).sin()).collect();
        let rate = |s: f64| {
            let moved = x.iter().zip(&v).map(|(x, v)| x + s * v).collect::<Vec<_>>();
            let mut out = vec![f64::NAN; n];
            p.eval(0.0, &moved, &mut out).unwrap();
            out
        };
        let h = 1e-5;
        let (above, below) = (rate(h), rate(-h));
        let mut jv = vec![f64::NAN; n];
        p.jvp(0.0, &x, &v, &mut jv).unwrap();
        let scale = above.iter().fold(1.0_f64, |m, r| m.max(r.abs())) / h;
        for i in 0..n {
            let difference = (above[i] - below[i]) / (2.0 * h);
            // Rounding of the rates, and the third derivative.
            let allowed = 1e-15 * scale + 1e-7 * jv[i].abs().max(1.0);
            assert!(
                (difference - jv[i]).abs() < allowed,
                "{}: {difference} {}",
                p.name,
                jv[i]
            );
        }
    }
}

#[test]
fn problems_fit_together_and_refuse_other_lengths() {
    for p in ode::smooth().into_iter().chain(ode::stiff()) {
        assert_eq!(p.start.len(), p.end.len(), "{}", p.name);
        assert!(p.times.1 > p.times.0 && p.end_error < 2e-11, "{}", p.name);
        assert!(p.start.iter().chain(&p.end).all(|v| v.is_finite()));
        let short = vec![0.0; p.start.len() - 1];
        let error = p.eval(0.0, &short, &mut short.clone()).unwrap_err();
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

/// The grid's closed form obeys the grid's equation: du/dt by central differences in time.
#[test]
fn heat_decays_as_its_field_says() {
    let grid = HeatGrid {
        side: 9,
        diffusivity: 0.7,
    };
    let problem = grid.from_modes(0.1);
    let (t, h) = (0.02, 1e-5);
    let (above, below) = (grid.exact(t + h), grid.exact(t - h));
    let mut rate = vec![0.0; 81];
    problem.eval(t, &grid.exact(t), &mut rate).unwrap();
    let difference: Vec<f64> = above
        .iter()
        .zip(&below)
        .map(|(a, b)| (a - b) / (2.0 * h))
        .collect();
    assert!(max_abs_diff(&rate, &difference) < 1e-5);
    assert!(rate.iter().any(|r| r.abs() > 1.0));
}

/// Energy and mass are kept; the digits are those of other programs (Radau, tolerance 1e-13).
#[test]
fn known_invariants_and_digits() {
    let p = HenonHeiles::problem();
    assert!((p.system.energy(&p.start) - p.system.energy(&p.end)).abs() < 1e-14);
    assert!((p.end[0] - 0.0628596612825).abs() < 1e-12);
    let digits = [
        [0.985172113861, 3.38639537897e-5, 0.0147940221852],
        [0.715827068719, 9.18553476456e-6, 0.284163745746],
        [4.93827452100e-3, 1.98499408796e-8, 0.995061705629],
    ];
    for ((_, state), digits) in Robertson::states().iter().zip(digits) {
        assert!((state.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        for (s, d) in state.iter().zip(digits) {
            assert!((s / d - 1.0).abs() < 1e-11, "{s} {d}");
        }
    }
}
