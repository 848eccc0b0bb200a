//! Networks in labels: fast transport, Burgers' equation with viscosity, crossing characteristics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::TAU;

use ansatz_pde::lagrangian::{Characteristics, Metric, Transport};
use ansatz_pde::{Counts, Network, PdeError, Pinn, Problem, Solution, Stage, relative_error};

fn pinn(hidden: &[usize], inside: usize, steps: usize) -> Pinn {
    Pinn {
        network: Network::Each(Box::new(Network::mlp(hidden))),
        points: Counts {
            inside,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        ..Pinn::default()
    }
}

fn convection(speed: f64) -> Transport {
    Transport {
        speed: speed.to_string(),
        viscosity: 0.0,
        start: "sin(X)".into(),
        period: [0.0, TAU],
        end: 1.0,
        metric: Metric::Space,
    }
}

fn solve(problem: &Problem, pinn: &Pinn) -> Solution<f64> {
    pinn.solve(problem, &mut ()).unwrap()
}

/// Against sin(x − βt).
fn error(solution: &Solution<f64>, speed: f64) -> f64 {
    let seen = Characteristics::new(solution, 64).unwrap();
    let place: Vec<f64> = (0..64).map(|i| TAU * f64::from(i) / 64.0).collect();
    let (mut found, mut exact) = (Vec::new(), Vec::new());
    for k in 0..=20 {
        let t = f64::from(k) / 20.0;
        found.extend(seen.at(&place, t).unwrap());
        exact.extend(place.iter().map(|x| (x - speed * t).sin()));
    }
    relative_error(&found, &exact).unwrap()
}

#[test]
fn fast_transport() {
    let slow = convection(30.0);
    let labels = solve(&slow.in_labels().unwrap(), &pinn(&[20, 20], 512, 20));
    let lagrangian = error(&labels, 30.0);
    println!("speed 30 in labels, 20 steps: {lagrangian:.2e}");
    assert!(lagrangian < 1e-4, "{lagrangian}");

    // The same network in space fails, as it should.
    let problem = slow.in_space().unwrap();
    let space = solve(&problem, &pinn(&[20, 20], 512, 25));
    let grid = space.grid(&[64, 21]).unwrap();
    let eulerian = space
        .error_against(&grid, |p| vec![(p[0] - 30.0 * p[1]).sin()])
        .unwrap();
    println!("in space: {eulerian}");
    assert!(eulerian.relative > 0.5, "{eulerian}");

    let fast = convection(50.0);
    let labels = solve(&fast.in_labels().unwrap(), &pinn(&[20, 20], 512, 20));
    let fast = error(&labels, 50.0);
    println!("speed 50 in labels: {fast:.2e}");
    assert!(fast < 10.0 * lagrangian.max(1e-5), "{fast} {lagrangian}");
}

/// How the errors fall with the steps, to 1e-6 in labels.
#[test]
#[ignore = "half a minute: cargo test -p ansatz-pde --test lagrangian -- --ignored --nocapture"]
fn fast_transport_to_the_end() {
    let slow = convection(30.0);
    let errors = [20, 60, 99].map(|steps| {
        let labels = solve(&slow.in_labels().unwrap(), &pinn(&[20, 20], 512, steps));
        error(&labels, 30.0)
    });
    println!("20, 60 and 99 steps: {errors:?}");
    assert!(errors[0] < 1e-4 && errors[2] < 2e-6, "{errors:?}");
    let space = solve(&slow.in_space().unwrap(), &pinn(&[20, 20], 512, 99));
    let grid = space.grid(&[64, 21]).unwrap();
    let exact = |p: &[f64]| vec![(p[0] - 30.0 * p[1]).sin()];
    let eulerian = space.error_against(&grid, exact).unwrap();
    println!("in space, 99 steps: {eulerian}");
    assert!(eulerian.relative > 0.5, "{eulerian}");
}

fn viscous(metric: Metric) -> Transport {
    Transport {
        speed: "u".into(),
        viscosity: 0.01,
        start: "10 + sin(X)".into(),
        period: [0.0, TAU],
        end: 0.5,
        metric,
    }
}

/// u − C at x − Ct and t = 0.5 of u₀ = C + sin x with ν = 0.01, by the Cole-Hopf transformation.
const PLACES: [f64; 6] = [0.5, 1.0, 2.0, 2.5, 3.0, 3.1];
const VALUES: [f64; 6] = [
    0.328403511,
    0.630283273,
    0.992917750,
    0.876028883,
    0.270949577,
    0.081394815,
];

#[test]
fn burgers_needs_the_metric() {
    let run = |metric| {
        let problem = viscous(metric).in_labels().unwrap();
        let solution = solve(&problem, &pinn(&[20, 20], 800, 60));
        let seen = Characteristics::new(&solution, 128).unwrap();
        let places = PLACES.map(|x| x + 10.0 * 0.5);
        let found = seen.at(&places, 0.5).unwrap();
        let found: Vec<f64> = found.iter().map(|u| u - 10.0).collect();
        assert!(seen.least_spacing(0.5).unwrap() > 0.3);
        relative_error(&found, &VALUES).unwrap()
    };
    let (space, labels) = (run(Metric::Space), run(Metric::Labels));
    println!("derivatives in space {space:.2e}, in labels {labels:.2e}");
    assert!(space < 1e-2 && labels > 3.0 * space, "{space} {labels}");
}

/// Without viscosity labels carry their values: x = X + t·u₀(X), up to where they meet at t = 1.
#[test]
fn characteristics_without_viscosity() {
    let transport = Transport {
        speed: "u".into(),
        viscosity: 0.0,
        start: "sin(X)".into(),
        period: [0.0, TAU],
        end: 1.3,
        metric: Metric::Space,
    };
    let solution = solve(&transport.in_labels().unwrap(), &pinn(&[20, 20], 512, 60));
    let labels: Vec<f64> = (0..50).map(|i| TAU * f64::from(i) / 50.0).collect();
    let rows: Vec<f64> = labels.iter().flat_map(|x| [*x, 0.9]).collect();
    let found = solution.values(&rows).unwrap();
    for (pair, x) in found.chunks(2).zip(&labels) {
        assert!((pair[0] - (x + 0.9 * x.sin())).abs() < 1e-4, "{pair:?} {x}");
        assert!((pair[1] - x.sin()).abs() < 1e-4);
    }
    let seen = Characteristics::new(&solution, 128).unwrap();
    assert!(seen.at(&[1.0], 0.9).is_ok());
    let crossed = seen.at(&[1.0], 1.3).unwrap_err();
    assert!(
        matches!(crossed, PdeError::Crossing { time: 1.3, .. }),
        "{crossed}"
    );
    assert!((seen.least_spacing(0.9).unwrap() - 0.1).abs() < 0.02);
}

#[test]
fn what_is_refused() {
    let negative = Transport {
        viscosity: -1.0,
        ..viscous(Metric::Space)
    };
    assert!(matches!(negative.in_labels(), Err(PdeError::Option { .. })));
    let unread = Transport {
        speed: "w".into(),
        ..viscous(Metric::Space)
    };
    let message = unread.in_labels().unwrap_err().to_string();
    assert!(message.contains("`w`"), "{message}");
}
