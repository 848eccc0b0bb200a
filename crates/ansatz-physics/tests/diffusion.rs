//! The porous-medium equation against published values, its self-similar solution and conservation of mass.

use ansatz_physics::diffusion::{PorousMedium, three_bells};
use ansatz_physics::{PhysicsError, Reference};

#[test]
fn three_bells_spread() {
    let u = PorousMedium::default()
        .solve(three_bells, &[0.0, 0.25, 0.5])
        .expect("a solution");
    let points = [
        (0.3, 0.2),
        (-0.5, -0.1),
        (0.0, -0.5),
        (0.0, 0.0),
        (0.6, 0.4),
    ];
    let rows = [
        (0.25, [0.225650, 0.326557, 0.246893, 0.082654, 0.071791]),
        (0.5, [0.209166, 0.288642, 0.218826, 0.086899, 0.075075]),
    ];
    for (t, values) in rows {
        for ((x, y), expected) in points.into_iter().zip(values) {
            let value = u.value(x, y, t).expect("a value");
            println!("{x} {y} {t}: {value:.6} for {expected:.6}");
            assert!(
                (value - expected).abs() < 3e-5,
                "{x} {y} {t}: {value} {expected}"
            );
        }
    }
    assert!(u.accuracy() < 2e-2, "{}", u.accuracy());
}

#[test]
fn barenblatt_and_pattle() {
    // u = τ^{−1/2}(C − r²/(16·(κ/2)·√τ))₊ solves u_t = (κ/2)Δu²  in the plane, τ = t + 1.
    let kappa = 0.05;
    let exact = |x: f64, y: f64, t: f64| {
        let tau: f64 = 1.0 + t;
        ((0.3 - (x * x + y * y) / (8.0 * kappa * tau.sqrt())) / tau.sqrt()).max(0.0)
    };
    // ∫(C − r²/(8κ))₊ over the plane.
    let mass = 0.5 * std::f64::consts::PI * 0.3 * 0.3 * 8.0 * kappa;
    let error = |cells: usize| {
        let problem = PorousMedium { rate: kappa, cells };
        let u = problem
            .solve(|x, y| exact(x, y, 0.0), &[0.0, 1.0])
            .expect("a solution");
        let gap = |x: f64, y: f64| (u.value(x, y, 1.0).expect("a value") - exact(x, y, 1.0)).abs();
        // Nothing reaches the walls.
        assert!((u.mass(0) - mass).abs() < 1e-3 && (u.mass(1) / u.mass(0) - 1.0).abs() < 1e-12);
        // Inside, and over all with the front.
        (gap(0.1, 0.05).max(gap(-0.15, 0.1)), u.accuracy())
    };
    let (coarse, fine) = (error(32), error(64));
    assert!(fine.0 < 2e-4, "{fine:?}");
    assert!(fine.0 < fine.1 && fine.1 < coarse.1, "{coarse:?} {fine:?}");
}

#[test]
fn bad_input_is_refused() {
    let solve = |rate: f64, cells: usize| PorousMedium { rate, cells }.solve(three_bells, &[0.1]);
    assert!(solve(0.0, 16).is_err());
    assert!(solve(0.05, 18).is_err());
    assert!(solve(0.05, 8).is_err());
    let small = PorousMedium {
        cells: 16,
        ..PorousMedium::default()
    };
    assert!(small.solve(|x, _| x, &[0.1]).is_err());
    assert!(small.solve(|x, _| 1.0 / x, &[0.1]).is_err());
    let u = small.solve(three_bells, &[0.1]).expect("a solution");
    assert!(matches!(
        u.value(1.1, 0.0, 0.1),
        Err(PhysicsError::OutsideDomain { .. })
    ));
    assert!(matches!(
        u.value(0.0, 0.0, 0.2),
        Err(PhysicsError::OutsideDomain { .. })
    ));
}
