//! The cavity against extrapolated solutions of finer grids and spectral ones.

use ansatz_physics::cavity::{CavityFlow, CavityOptions};
use ansatz_physics::{PhysicsError, Reference};

const Y: [f64; 11] = [
    0.0547, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516, 0.9531, 0.9766,
];
const X: [f64; 10] = [
    0.0625, 0.0938, 0.1563, 0.2344, 0.5, 0.8047, 0.8594, 0.9063, 0.9531, 0.9688,
];

#[expect(clippy::print_stdout, reason = "what was measured")]
fn check(reynolds: f64, cells: usize, u: [f64; 11], v: [f64; 10]) {
    let options = CavityOptions {
        cells,
        ..CavityOptions::default()
    };
    let flow = CavityFlow::new(reynolds, &options).expect("a flow");
    let mut most: f64 = 0.0;
    for (y, expected) in Y.into_iter().zip(u) {
        let value = flow.velocity(0.5, y).expect("a velocity")[0];
        most = most.max((value - expected).abs());
    }
    for (x, expected) in X.into_iter().zip(v) {
        let value = flow.velocity(x, 0.5).expect("a velocity")[1];
        most = most.max((value - expected).abs());
    }
    let stated = flow.accuracy();
    println!("Re {reynolds}: profiles to {most:.1e}, stated {stated:.1e}");
    assert!(most < 2e-4, "Re {reynolds}: {most:e}, stated {stated:e}");
    assert!(flow.accuracy() < 1e-3);
    // Nothing flows through a section: ∫u dy = 0, by Simpson's rule.
    let n = 400;
    let sum: f64 = (0..=n)
        .map(|i| {
            let w = if i == 0 || i == n {
                1.0
            } else {
                2.0 + 2.0 * f64::from(i % 2)
            };
            w * flow
                .velocity(0.5, f64::from(i) / f64::from(n))
                .expect("a velocity")[0]
        })
        .sum();
    assert!((sum / (3.0 * f64::from(n))).abs() < 1e-4, "{sum}");
}

#[test]
fn profiles_at_100() {
    check(
        100.0,
        72,
        [
            -0.03722, -0.06443, -0.10173, -0.15766, -0.21397, -0.20914, -0.13880, 0.00418, 0.23653,
            0.69100, 0.84371,
        ],
        [
            0.09480, 0.12642, 0.16481, 0.17955, 0.05754, -0.25353, -0.23368, -0.17707, -0.09338,
            -0.06219,
        ],
    );
}

#[test]
fn profiles_at_400() {
    check(
        400.0,
        168,
        [
            -0.08180, -0.14615, -0.24373, -0.32870, -0.17147, -0.11504, 0.02104, 0.16256, 0.29200,
            0.56145, 0.76054,
        ],
        [
            0.18508, 0.23167, 0.28349, 0.30341, 0.05207, -0.38563, -0.45381, -0.38964, -0.19818,
            -0.12512,
        ],
    );
}

#[test]
fn extrema_at_1000() {
    let options = CavityOptions {
        cells: 192,
        ..CavityOptions::default()
    };
    let flow = CavityFlow::new(1000.0, &options).expect("a flow");
    let along = |f: &dyn Fn(f64) -> f64| {
        (1..1000)
            .map(|i| f(f64::from(i) / 1000.0))
            .fold(0.0, f64::min)
    };
    let u = along(&|y| flow.velocity(0.5, y).expect("a velocity")[0]);
    let low = along(&|x| flow.velocity(x, 0.5).expect("a velocity")[1]);
    let high = -along(&|x| -flow.velocity(x, 0.5).expect("a velocity")[1]);
    println!("u {u:.5}, v {high:.5} and {low:.5}");
    // Botella and Peyret.
    assert!((u + 0.3885698).abs() < 2e-4, "{u}");
    assert!((high - 0.3769447).abs() < 2e-4, "{high}");
    assert!((low + 0.5270771).abs() < 2e-4, "{low}");
    let mut psi: f64 = 0.0;
    for i in 40..60 {
        for j in 40..70 {
            let (x, y) = (f64::from(i) / 100.0, f64::from(j) / 100.0);
            psi = psi.min(flow.stream(x, y).expect("a value"));
        }
    }
    println!("stream function {psi:.5}");
    assert!((psi + 0.11890).abs() < 1e-4, "{psi}");
}

#[test]
fn walls_and_bad_input() {
    let options = CavityOptions {
        cells: 48,
        ..CavityOptions::default()
    };
    let flow = CavityFlow::new(10.0, &options).expect("a flow");
    let close = |v: [f64; 2], w: [f64; 2]| (v[0] - w[0]).abs() + (v[1] - w[1]).abs() < 1e-15;
    assert!(close(
        flow.velocity(0.3, 1.0).expect("a velocity"),
        [1.0, 0.0]
    ));
    assert!(close(
        flow.velocity(0.3, 0.0).expect("a velocity"),
        [0.0; 2]
    ));
    assert!(close(
        flow.velocity(1.0, 0.3).expect("a velocity"),
        [0.0; 2]
    ));
    for (x, y) in [(1.1, 0.5), (0.5, -0.1), (f64::NAN, 0.5)] {
        assert!(matches!(
            flow.velocity(x, y),
            Err(PhysicsError::OutsideDomain { .. })
        ));
    }
    assert!(CavityFlow::new(0.0, &options).is_err());
    assert!(CavityFlow::new(f64::NAN, &options).is_err());
    for cells in [24, 50] {
        assert!(CavityFlow::new(1.0, &CavityOptions { cells, ..options }).is_err());
    }
    let hopeless = CavityOptions {
        cells: 48,
        iterations: 2,
    };
    assert!(matches!(
        CavityFlow::new(400.0, &hopeless),
        Err(PhysicsError::NotConverged { .. })
    ));
}
