//! Collocation for Riesz' fractional equation against exact solutions and independent numbers.

use ansatz_linalg::krylov::{Gmres, Stop, System};
use ansatz_physics::PhysicsError;
use ansatz_physics::core::{AdjointOp, EvalError, LinearOp};
use ansatz_physics::riesz::{Preconditioner, RieszCollocation, RieszSolution, SolveOptions};

/// s of u = x⁴(1 − x)⁴: Riemann-Liouville derivatives of powers from both ends.
fn source(alpha: f64, x: f64) -> f64 {
    // (1 − x)⁴x⁴ = Σ c_m·x^m, the same from the right.
    let terms = [(4, 1.0), (5, -4.0), (6, 6.0), (7, -4.0), (8, 1.0)];
    let one = |x: f64| -> f64 {
        let power = |(m, c): &(i32, f64)| {
            let m = f64::from(*m);
            c * libm::tgamma(m + 1.0) / libm::tgamma(m + 1.0 - alpha) * x.powf(m - alpha)
        };
        terms.iter().map(power).sum()
    };
    (one(x) + one(1.0 - x)) / (2.0 * (0.5 * std::f64::consts::PI * alpha).cos())
}

fn smooth(x: f64) -> f64 {
    (x * (1.0 - x)).powi(4)
}

/// The relative error in the maximum norm on 4001 points.
fn error(u: &RieszSolution, exact: impl Fn(f64) -> f64) -> f64 {
    let points = || (0..=4000).map(|i| f64::from(i) / 4000.0);
    let gap = points()
        .map(|x| (u.at(x) - exact(x)).abs())
        .fold(0.0, f64::max);
    gap / points().map(|x| exact(x).abs()).fold(0.0, f64::max)
}

#[test]
fn errors_and_orders_of_a_smooth_solution() {
    let table = [
        (
            2,
            [2.3511e-3, 3.7549e-4, 6.6148e-5, 1.1693e-5, 2.0646e-6],
            2.5,
        ),
        (
            3,
            [2.4847e-3, 3.9491e-4, 6.6797e-5, 1.1960e-5, 2.1227e-6],
            2.5,
        ),
        (
            4,
            [9.6899e-5, 5.9160e-6, 3.0921e-7, 1.4871e-8, 6.7616e-10],
            4.5,
        ),
        (
            5,
            [3.3552e-5, 2.2540e-6, 1.1153e-7, 5.0995e-9, 2.1458e-10],
            4.5,
        ),
    ];
    for (p, expected, order) in table {
        let mut before = f64::NAN;
        for (k, reference) in expected.into_iter().enumerate() {
            let problem = RieszCollocation::new(1.5, p, 16 << k).expect("a problem");
            let options = SolveOptions {
                tolerance: 1e-13,
                ..SolveOptions::default()
            };
            // Where the residual stops falling depends on rounding: the dense solution has none of that.
            let u = problem
                .solve(|x| source(1.5, x), &options)
                .or_else(|_| problem.solve_dense(|x| source(1.5, x)));
            let e = error(&u.expect("a solution"), smooth);
            // The reference has entries with the rounding of truncated powers.
            assert!(
                (e / reference - 1.0).abs() < 2e-3 + 1.5e-11 / reference,
                "{p} {}: {e:e}",
                16 << k
            );
            if k == 4 {
                let rate = (before / e).log2();
                assert!((rate - order).abs() < 0.12, "{p}: {rate}");
            }
            before = e;
        }
    }
    // Another order of derivative: 2.8 for p = 2, 4.8 for p = 5 would be p + 2 − α, p + 1 − α.
    for (p, order) in [(2, 2.8), (3, 2.8), (4, 4.8)] {
        let errors = [64, 128].map(|n| {
            let problem = RieszCollocation::new(1.2, p, n).expect("a problem");
            error(
                &problem.solve_dense(|x| source(1.2, x)).expect("a solution"),
                smooth,
            )
        });
        let rate = (errors[0] / errors[1]).log2();
        assert!((rate - order).abs() < 0.25, "{p}: {rate}");
    }
}

#[test]
fn entries_have_all_digits() {
    // Written by fixtures/riesz.py in 60 digits.
    for line in include_str!("fixtures/riesz.csv").lines() {
        let fields: Vec<f64> = line
            .split(',')
            .map(|f| f.parse().expect("a number"))
            .collect();
        let [alpha, p, n, i, j, expected] = fields[..] else {
            panic!("six fields in {line}");
        };
        let problem = RieszCollocation::new(alpha, p as usize, n as usize).expect("a problem");
        let entry = problem.matrix()[(i as usize, j as usize)] / n.powf(alpha);
        assert!(
            (entry - expected).abs() < 1e-14 + 1e-12 * expected.abs(),
            "{line}: {entry}"
        );
    }
}

#[test]
fn central_entries_and_symbol() {
    let problem = RieszCollocation::new(1.5, 2, 64).expect("a problem");
    let expected = [
        1.430727, -0.586710, -0.0754320, -0.0219465, -0.0100486, -0.0055999,
    ];
    for (k, e) in expected.into_iter().enumerate() {
        let entry = problem.toeplitz_column()[k] / 64.0_f64.powf(1.5);
        assert!((entry - e).abs() < 6e-7, "{k}: {entry}");
    }
    let pi = std::f64::consts::PI;
    assert!((problem.symbol(pi) - 2.4840567).abs() < 1e-7);
    let cubic = RieszCollocation::new(1.5, 3, 64).expect("a problem");
    assert!((cubic.symbol(pi) - 2.020130867413363).abs() < 1e-13); // 32·(2π)^{−5/2}·ζ(5/2, ½)
    assert!((cubic.symbol(-0.3) - cubic.symbol(0.3)).abs() < 1e-15);
    // The zero at 0 is |θ|^α.
    assert!((problem.symbol(1e-3) / 1e-3_f64.powf(1.5) - 1.0).abs() < 1e-6);
    for (p, alpha) in [(2, 1.5), (3, 1.3), (5, 1.8)] {
        // Entries are Fourier coefficients of the symbol: the rule of midpoints, after a correction of its error at the
        // zero of order α.
        let problem = RieszCollocation::new(alpha, p, 100).expect("a problem");
        let count = 1 << 15;
        for k in [0, 1, 4] {
            let sum: f64 = (0..count)
                .map(|i| {
                    let theta = pi * (f64::from(i) + 0.5) / f64::from(count);
                    problem.symbol(theta) * (f64::from(k) * theta).cos()
                })
                .sum();
            let coefficient = sum / f64::from(count);
            let entry = problem.toeplitz_column()[k as usize] / 100.0_f64.powf(alpha);
            assert!(
                (coefficient - entry).abs() < 1e-9,
                "{p} {k}: {coefficient} {entry}"
            );
        }
        // The definition, term by term.
        let theta: f64 = 2.1;
        let series: f64 = (-20_000..=20_000)
            .map(|l| {
                let z = theta + 2.0 * pi * f64::from(l);
                let sinc = (0.5 * z).sin() / (0.5 * z);
                (0..=p).fold(z.abs().powf(alpha), |product, _| product * sinc)
            })
            .sum();
        assert!((problem.symbol(theta) - series).abs() < 1e-5);
    }
}

#[test]
fn products_are_those_of_the_full_matrix() {
    for (p, n) in [(2, 3), (2, 20), (3, 4), (3, 17), (5, 6), (5, 40), (8, 9)] {
        let problem = RieszCollocation::new(1.4, p, n).expect("a problem");
        let m = problem.order();
        assert_eq!(m, n + p - 2);
        let a = problem.matrix();
        let x: Vec<f64> = (0..m).map(|i| (1.7 * i as f64).sin()).collect();
        let (mut y, mut scratch) = (vec![0.0; m], vec![0.0; problem.scratch_len()]);
        problem.apply(&x, &mut y, &mut scratch);
        let mut z = vec![0.0; m];
        problem.apply_adjoint(&x, &mut z, &mut scratch);
        let size = a.norm_max();
        for i in 0..m {
            let (mut sum, mut adjoint) = (0.0, 0.0);
            for j in 0..m {
                sum += a[(i, j)] * x[j];
                adjoint += a[(j, i)] * x[j];
                // The operator is symmetric under reflection.
                let mirrored = a[(m - 1 - i, m - 1 - j)];
                assert!((a[(i, j)] - mirrored).abs() < 1e-12 * size);
            }
            assert!(
                (y[i] - sum).abs() < 1e-12 * size,
                "{p} {n} {i}: {} {sum}",
                y[i]
            );
            assert!((z[i] - adjoint).abs() < 1e-12 * size, "{p} {n} {i}");
        }
    }
}

#[test]
fn conditions() {
    for (n, expected) in [(128, 796.0), (256, 2252.0), (512, 6369.0)] {
        let problem = RieszCollocation::new(1.5, 2, n).expect("a problem");
        let condition = problem.condition().expect("singular values");
        assert!(
            (condition / expected - 1.0).abs() < 2e-3,
            "{n}: {condition}"
        );
    }
}

#[test]
fn steps_do_not_grow_with_preconditioners() {
    // GMRES preconditioned from the left, to a preconditioned residual of 1e-8.
    for (n, expected) in [(128, [52, 5, 5]), (256, [89, 5, 5]), (512, [150, 5, 6])] {
        let problem = RieszCollocation::new(1.5, 2, n).expect("a problem");
        let m = problem.order();
        for (kind, expected) in [
            Preconditioner::None,
            Preconditioner::Circulant,
            Preconditioner::Tau,
        ]
        .into_iter()
        .zip(expected)
        {
            let b: Vec<f64> = problem.points().iter().map(|x| source(1.5, *x)).collect();
            let solve = std::sync::Mutex::new(problem.preconditioner(kind).expect("definite"));
            let inverse = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
                if let Some(m) = &mut *solve.lock().expect("no panic") {
                    return m.propose(x, y);
                }
                y.copy_from_slice(x);
                Ok(())
            };
            let a = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
                let mut z = vec![0.0; m];
                problem.apply(x, &mut z, &mut vec![0.0; problem.scratch_len()]);
                inverse(&z, y)
            };
            let mut rhs = vec![0.0; m];
            inverse(&b, &mut rhs).expect("lengths");
            let mut x = vec![0.0; m];
            let stop = Stop {
                rtol: 1e-8,
                ..Stop::default()
            };
            let report = System::new(&a, &rhs)
                .until(stop)
                .solve(&Gmres { restart: m }, &mut x);
            let steps = report.expect("a solution").iterations;
            assert!(steps.abs_diff(expected) <= 1, "{kind:?} {n}: {steps}");
        }
    }
}

#[test]
fn solutions_are_those_of_the_dense_system() {
    for p in [2, 3, 4] {
        let problem = RieszCollocation::new(1.5, p, 200).expect("a problem");
        let dense = problem.solve_dense(|x| source(1.5, x)).expect("a solution");
        for preconditioner in [Preconditioner::Tau, Preconditioner::Circulant] {
            let options = SolveOptions {
                preconditioner,
                ..SolveOptions::default()
            };
            let u = problem
                .solve(|x| source(1.5, x), &options)
                .expect("a solution");
            assert!(
                u.iterations <= 12,
                "{p} {preconditioner:?}: {}",
                u.iterations
            );
            let size = dense
                .coefficients
                .iter()
                .fold(0.0_f64, |m, c| m.max(c.abs()));
            for (a, b) in u.coefficients.iter().zip(&dense.coefficients) {
                assert!((a - b).abs() < 1e-8 * size, "{p}: {a} {b}");
            }
        }
    }
}

#[test]
fn right_hand_sides_that_do_not_vanish_have_order_half_alpha() {
    // s = 1: u = (x(1 − x))^{α/2}/Γ(1 + α).
    let exact = |x: f64| (x * (1.0 - x)).powf(0.75) / libm::tgamma(2.5);
    let errors = [(32, 8.1138e-3), (64, 4.8183e-3), (128, 2.8636e-3)].map(|(n, expected)| {
        let problem = RieszCollocation::new(1.5, 3, n).expect("a problem");
        let u = problem
            .solve(|_| 1.0, &SolveOptions::default())
            .expect("a solution");
        let e = error(&u, exact);
        assert!((e / expected - 1.0).abs() < 2e-3, "{n}: {e:e}");
        e
    });
    let rate = (errors[1] / errors[2]).log2();
    assert!((rate - 0.75).abs() < 0.02, "{rate}");
}

#[test]
fn bad_input_is_refused() {
    for (alpha, p, n) in [
        (1.0, 3, 10),
        (2.0, 3, 10),
        (f64::NAN, 3, 10),
        (1.5, 1, 10),
        (1.5, 40, 100),
        (1.5, 3, 3),
    ] {
        let refused = RieszCollocation::new(alpha, p, n);
        assert!(
            matches!(refused, Err(PhysicsError::Parameter { .. })),
            "{alpha} {p} {n}"
        );
    }
    let problem = RieszCollocation::new(1.5, 3, 8).expect("a problem");
    let holes = problem.solve(|x| 1.0 / (x - 0.5), &SolveOptions::default());
    assert!(matches!(holes, Err(PhysicsError::NotFinite { .. })));
    let few = SolveOptions {
        steps: 1,
        preconditioner: Preconditioner::None,
        ..SolveOptions::default()
    };
    assert!(matches!(
        problem.solve(|x| source(1.5, x), &few),
        Err(PhysicsError::Linear(_))
    ));
}
