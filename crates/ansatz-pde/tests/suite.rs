//! Benchmarks: each method stays below the error that its entry states.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_pde::suite::{self, Method};
use ansatz_pde::{Network, Stage};

#[expect(clippy::print_stdout, reason = "what was measured")]
fn run(id: &str) {
    let benchmark = suite::get(id).unwrap();
    assert_eq!(benchmark.id, id);
    // The reference is better than what is judged by it.
    assert!(benchmark.reference.accuracy() < 0.1 * benchmark.reached);
    let (_, error) = benchmark.run::<f64, _>(&mut ()).unwrap();
    println!("{id}: {error}, stated {:.0e}", benchmark.reached);
    assert!(error.relative < benchmark.reached, "{id}: {error}");
}

#[test]
fn quick_ones() {
    for id in ["poisson", "reaction", "convection"] {
        run(id);
    }
}

/// The velocity along the centre lines beside extrapolated solutions of second order (good to 2e-4), and the walls.
#[test]
fn cavity_on_its_centre_lines() {
    let mut benchmark = suite::get("cavity").unwrap();
    // Fewer parameters and points than the entry's.
    let Method::Levels(method) = &mut benchmark.method else {
        panic!("{:?}", benchmark.method);
    };
    let curriculum = &mut method.0;
    curriculum.pinn.network = Network::mlp(&[20, 20]);
    curriculum.pinn.points.inside = 1000;
    for (level, steps) in curriculum.levels.iter_mut().zip([30, 30, 60]) {
        level.stages = vec![Stage::levenberg_marquardt(steps)];
    }
    let (solution, error) = benchmark.run::<f64, _>(&mut ()).unwrap();
    println!("cavity: {error}");
    assert!(error.relative < 3e-3, "{error}");
    let along_y = [
        (0.0547, -0.03722),
        (0.1016, -0.06443),
        (0.1719, -0.10173),
        (0.2813, -0.15766),
        (0.4531, -0.21397),
        (0.5, -0.20914),
        (0.6172, -0.13880),
        (0.7344, 0.00418),
        (0.8516, 0.23653),
        (0.9531, 0.69100),
        (0.9766, 0.84371),
    ];
    let along_x = [
        (0.0625, 0.09480),
        (0.0938, 0.12642),
        (0.1563, 0.16481),
        (0.2344, 0.17955),
        (0.5, 0.05754),
        (0.8047, -0.25353),
        (0.8594, -0.23368),
        (0.9063, -0.17707),
        (0.9531, -0.09338),
        (0.9688, -0.06219),
    ];
    for (y, expected) in along_y {
        let u = benchmark.found(&solution, &[0.5, y]).unwrap()[0];
        assert!((u - expected).abs() < 2e-3, "u at {y}: {u}");
    }
    for (x, expected) in along_x {
        let v = benchmark.found(&solution, &[x, 0.5]).unwrap()[1];
        assert!((v - expected).abs() < 2e-3, "v at {x}: {v}");
    }
    assert!(solution.expressions(&[0.5, 0.5], &["phi_x"]).is_err());
    // Walls, lid and a corner, by the form.
    for (point, expected) in [
        ([0.3, 1.0], [1.0, 0.0]),
        ([0.0, 0.4], [0.0, 0.0]),
        ([1.0, 0.7], [0.0, 0.0]),
        ([0.6, 0.0], [0.0, 0.0]),
        ([0.0, 1.0], [1.0, 0.0]),
    ] {
        let found = benchmark.found(&solution, &point).unwrap();
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-6, "{point:?}: {found:?}");
        }
    }
}

#[test]
#[ignore = "minutes; the example shows them"]
fn all() {
    for (id, _) in suite::ALL {
        run(id);
    }
}
