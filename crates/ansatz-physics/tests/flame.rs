//! Flame speeds against published accurate ones, and published data against Euler's method.

use ansatz_physics::flame::{Flame, Scheme};
use ansatz_physics::{PhysicsError, Reference};

#[test]
fn speeds() {
    for (phi, speed) in [(0.40, 0.267820482), (0.42, 0.292786112)] {
        let flame = Flame::lean(phi)
            .expect("a flame")
            .solve()
            .expect("a solution");
        assert!((flame.speed - speed).abs() < 1e-8, "{phi}: {}", flame.speed);
        assert!(flame.speed_accuracy < 1e-7);
    }
    for (slope, speed) in [(1e3, 0.293586), (1e4, 0.293513), (3e5, 0.291172)] {
        let flame = Flame {
            inlet_slope: slope,
            ..Flame::lean(0.42).expect("a flame")
        };
        let flame = flame.solve().expect("a solution");
        assert!(
            (flame.speed - speed).abs() < 6e-7,
            "{slope}: {}",
            flame.speed
        );
    }
}

#[test]
fn eulers_method_gives_the_published_data() {
    for (phi, speed) in [(0.40, 0.26794193), (0.42, 0.29293141)] {
        let flame = Flame {
            scheme: Scheme::Euler,
            cells: 10_000,
            ..Flame::lean(phi).expect("a flame")
        };
        let flame = flame.solve().expect("a solution");
        assert!((flame.speed - speed).abs() < 1e-6, "{phi}: {}", flame.speed);
    }
}

#[test]
fn profile() {
    let problem = Flame::lean(0.42).expect("a flame");
    let flame = problem.solve().expect("a solution");
    let table = [
        (0.1e-3, 318.962),
        (0.2e-3, 398.548),
        (0.3e-3, 700.702),
        (0.35e-3, 1089.680),
        (0.4e-3, 1831.395),
        (0.45e-3, 2923.279),
    ];
    for (x, t) in table {
        let value = flame.temperature(x).expect("a temperature")[0];
        assert!((value - t).abs() < 2e-3, "{x}: {value}");
    }
    let steepest = (0..1500)
        .map(|i| {
            flame
                .temperature(1e-6 * f64::from(i))
                .expect("a temperature")[1]
        })
        .fold(0.0, f64::max);
    assert!((steepest - 2.271e7).abs() < 1e4, "{steepest}");
    assert!(flame.accuracy() < 0.1);
    // All is burnt in the end; T never falls.
    let end = flame.temperature(1.5e-3).expect("a temperature")[0];
    assert!(
        (end / problem.burnt_temperature() - 1.0).abs() < 2e-3,
        "{end}"
    );
    assert!(flame.fuel(1.5e-3).expect("a fraction") < 2e-3 * problem.fuel);
    assert!((flame.fuel(0.0).expect("a fraction") - problem.fuel).abs() < 1e-15);
    assert!((flame.velocity(0.0).expect("a velocity") - flame.speed).abs() < 1e-12);
    let all: Vec<f64> = (0..=1500)
        .map(|i| {
            flame
                .temperature(1e-6 * f64::from(i))
                .expect("a temperature")[0]
        })
        .collect();
    assert!(all.windows(2).all(|w| w[1] >= w[0] - 1e-9));
    assert!(matches!(
        flame.temperature(2e-3),
        Err(PhysicsError::OutsideDomain { .. })
    ));
}

#[test]
fn bad_input_is_refused() {
    for phi in [0.0, -1.0, f64::NAN] {
        assert!(Flame::lean(phi).is_err());
    }
    let flame = Flame::lean(0.4).expect("a flame");
    assert!(Flame { cells: 10, ..flame }.solve().is_err());
    assert!(
        Flame {
            pressure: 0.0,
            ..flame
        }
        .solve()
        .is_err()
    );
    // Nothing burns.
    let cold = Flame {
        rate: 1e-30,
        ..flame
    };
    assert!(matches!(
        cold.solve(),
        Err(PhysicsError::NotConverged { .. })
    ));
}
