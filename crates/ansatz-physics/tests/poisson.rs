//! Five-point solutions against closed forms and the torsion of an L.

use std::f64::consts::PI;

use ansatz_physics::poisson::{FivePoint, l_shape};
use ansatz_physics::{PhysicsError, Reference};

#[test]
fn order_two_on_a_square() {
    let error = |cells: usize| {
        let grid = FivePoint {
            low: 0.0,
            high: 1.0,
            cells,
        };
        let exact = |x: f64, y: f64| (PI * x).sin() * (2.0 * PI * y).sin() + x * y;
        let source = |x: f64, y: f64| 5.0 * PI * PI * (PI * x).sin() * (2.0 * PI * y).sin();
        let u = grid.solve(|_, _| true, source, exact).expect("a solution");
        let gap = |x: f64, y: f64| (u.value(x, y).expect("a value") - exact(x, y)).abs();
        let points = [(0.5, 0.25), (0.31, 0.77), (0.01, 0.5), (0.99, 0.98)];
        let most = points
            .into_iter()
            .map(|(x, y)| gap(x, y))
            .fold(0.0, f64::max);
        assert!(most < u.accuracy(), "{most} {}", u.accuracy());
        most
    };
    let (coarse, fine) = (error(32), error(64));
    assert!(
        ((coarse / fine).log2() - 2.0).abs() < 0.1,
        "{coarse} {fine}"
    );
}

#[test]
fn torsion_of_an_l() {
    let solve = |cells: usize| {
        let grid = FivePoint {
            low: -1.0,
            high: 1.0,
            cells,
        };
        grid.solve(l_shape, |_, _| 1.0, |_, _| 0.0)
            .expect("a solution")
    };
    // ∫u = ∫|∇u|² = 0.2140750 is known from adaptive finite elements.
    let integrals = [64, 128].map(|n| solve(n).integral());
    assert!((integrals[1] - 0.2140750).abs() < 4e-4, "{integrals:?}");
    let order = ((integrals[0] - 0.2140750) / (integrals[1] - 0.2140750)).log2();
    assert!((1.2..2.1).contains(&order), "{order}");
    let u = solve(256);
    let arm = u.value(-0.5, 0.5).expect("a value");
    assert!((arm - u.value(0.5, -0.5).expect("a value")).abs() < 1e-10);
    assert!(u.accuracy() < 3e-3, "{}", u.accuracy());
    // −Δu = 1 by differences of interpolated values.
    let h = 0.05;
    let at = |x: f64, y: f64| u.value(x, y).expect("a value");
    let five = 4.0 * at(-0.4, -0.3)
        - at(-0.4 + h, -0.3)
        - at(-0.4 - h, -0.3)
        - at(-0.4, -0.3 + h)
        - at(-0.4, -0.3 - h);
    assert!((five / (h * h) - 1.0).abs() < 0.02, "{five}");
    assert!(at(0.5, 0.5).abs() < 1e-15 && at(0.0, 0.5).abs() < 1e-15);
}

#[test]
fn bad_input_is_refused() {
    let grid = FivePoint {
        low: 0.0,
        high: 1.0,
        cells: 16,
    };
    let solve = |grid: FivePoint, f: f64| grid.solve(|_, _| true, |_, _| f, |_, _| 0.0);
    for cells in [8, 15] {
        assert!(solve(FivePoint { cells, ..grid }, 1.0).is_err());
    }
    assert!(solve(FivePoint { high: 0.0, ..grid }, 1.0).is_err());
    assert!(solve(grid, f64::NAN).is_err());
    assert!(grid.solve(|_, _| false, |_, _| 1.0, |_, _| 0.0).is_err());
    let u = solve(grid, 1.0).expect("a solution");
    assert!(matches!(
        u.value(1.1, 0.5),
        Err(PhysicsError::OutsideDomain { .. })
    ));
}
