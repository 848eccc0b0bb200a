//! Diffusion with sorption against published values, and a linear case in closed form.

use ansatz_physics::sorption::Sorption;
use ansatz_physics::{PhysicsError, Reference};

#[test]
fn profiles_of_the_usual_soil() {
    let times = [100.0, 300.0, 500.0];
    let u = Sorption::default()
        .solve(|_| 0.1, &times)
        .expect("a solution");
    let xs = [0.05, 0.1, 0.2, 0.3, 0.5, 0.8];
    let rows = [
        [0.791734, 0.599540, 0.309850, 0.163260, 0.101755, 0.079426],
        [0.878631, 0.760426, 0.545029, 0.371673, 0.166503, 0.057721],
        [0.905290, 0.812008, 0.635128, 0.478672, 0.245987, 0.067804],
    ];
    for (t, row) in times.into_iter().zip(rows) {
        for (x, expected) in xs.into_iter().zip(row) {
            let value = u.value(x, t).expect("a value");
            println!("{x} {t}: {value:.6} for {expected:.6}");
            assert!(
                (value - expected).abs() < 2e-5,
                "{x} {t}: {value} {expected}"
            );
        }
        // The condition at the wall, and at the inlet.
        let [wall, slope] = u.jet(1.0, t).expect("a value");
        assert!((wall + 5e-4 * slope).abs() < 1e-5, "{wall} {slope}");
        assert!((u.value(0.0, t).expect("a value") - 1.0).abs() < 1e-14);
    }
    assert!(u.accuracy() < 1e-3, "{:e}", u.accuracy());
}

#[test]
fn without_curvature_it_is_the_heat_equation() {
    // n = 1: R = 1 + c. From 1 to a steady line? Early on u = erfc(x/√(4Dt/R)) beside the inlet, from u₀ = 0.
    let soil = Sorption {
        exponent: 1.0,
        ..Sorption::default()
    };
    let r = soil.diffusivity / soil.mobility(0.5)[0];
    assert!((r - 1.0 - 0.71 / 0.29 * 2880.0 * 3.5e-4).abs() < 1e-12);
    let u = soil.solve(|_| 0.0, &[60.0]).expect("a solution");
    for x in [0.02, 0.1, 0.2, 0.3] {
        let exact = libm::erfc(x / (4.0 * soil.diffusivity / r * 60.0_f64).sqrt());
        let value = u.value(x, 60.0).expect("a value");
        assert!((value - exact).abs() < 1e-6, "{x}: {value} {exact}");
        assert!((value - exact).abs() < u.accuracy());
    }
}

#[test]
fn bad_input_is_refused() {
    let soil = Sorption::default();
    let bad = [
        Sorption {
            diffusivity: 0.0,
            ..soil
        },
        Sorption {
            porosity: 0.0,
            ..soil
        },
        Sorption { cells: 30, ..soil },
        Sorption { steps: 1, ..soil },
        Sorption {
            exponent: f64::NAN,
            ..soil
        },
    ];
    for soil in bad {
        assert!(soil.solve(|_| 0.1, &[1.0]).is_err());
    }
    let small = Sorption {
        cells: 32,
        steps: 16,
        ..soil
    };
    assert!(small.solve(|_| f64::NAN, &[1.0]).is_err());
    assert!(small.solve(|_| 0.1, &[2.0, 1.0]).is_err());
    let u = small.solve(|_| 0.1, &[1.0]).expect("a solution");
    for (x, t) in [(1.5, 1.0), (0.5, 0.5), (0.5, f64::NAN)] {
        assert!(u.value(x, t).is_err());
    }
    assert!(matches!(
        u.value(-0.1, 1.0),
        Err(PhysicsError::OutsideDomain { .. })
    ));
}
