//! Entropic transport against POT, closed forms of Gaussians, and the sorted assignment on the line.

use ansatz_core::{Key, State};
use ansatz_stats::TransportError;
use ansatz_stats::transport::{Cost, Sinkhorn};
use ansatz_testkit::laws;

const FIXTURE: &str = include_str!("../fixtures/sinkhorn.txt");

/// The points and weights of the fixture.
fn case() -> (Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>) {
    let x = (0..7)
        .map(f64::from)
        .flat_map(|i| [(1.3 * i).sin(), (0.7 * i).cos()]);
    let y = (0..9)
        .map(f64::from)
        .flat_map(|j| [0.5 + (2.1 * j).cos(), (0.4 * j).sin() - 0.2]);
    let normal = |w: Vec<f64>| -> Vec<f64> {
        let sum: f64 = w.iter().sum();
        w.iter().map(|w| w / sum).collect()
    };
    let a = normal((0..7).map(|i| 1.0 + f64::from(i)).collect());
    let b = normal((0..9).map(|j| 2.0 + f64::from(j).cos()).collect());
    (x.collect(), y.collect(), a, b)
}

fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect()
}

fn matrix(x: &[f64], y: &[f64], dim: usize) -> Vec<f64> {
    let square = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
    x.chunks(dim)
        .flat_map(|x| y.chunks(dim).map(move |y| square(x, y)))
        .collect()
}

#[test]
fn plans_of_pot() {
    let (x, y, a, b) = case();
    let cost = matrix(&x, &y, 2);
    let mut lines = FIXTURE.lines();
    let exact = numbers(lines.next().unwrap())[0];
    let mut cases = 0;
    while let Some(head) = lines.next() {
        let [epsilon, transport_cost] = numbers(head)[..] else {
            panic!("{head}")
        };
        let solver = Sinkhorn {
            epsilon,
            tolerance: 1e-13,
            max_iterations: 100_000,
            ..Sinkhorn::default()
        };
        let points = Cost::SquaredDistance {
            x: &x,
            y: &y,
            dim: 2,
        };
        let plans = [Cost::Matrix(&cost), points].map(|c| solver.solve(&a, &b, c).unwrap());
        for i in 0..7 {
            let expected = numbers(lines.next().unwrap());
            for plan in &plans {
                let mut row = vec![0.0; 9];
                plan.row(i, &mut row).unwrap();
                let worst = ansatz_testkit::measure::max_abs_diff(&row, &expected);
                assert!(worst < 1e-10, "{epsilon}, row {i}: {worst:e}");
            }
        }
        for plan in &plans {
            assert!((plan.transport_cost() - transport_cost).abs() < 1e-9);
            // The entropic cost lies between the exact one and the cost of the plan plus its entropy.
            assert!(plan.transport_cost() > exact && plan.value() > exact);
            println!("ε = {epsilon}: {} iterations", plan.iterations());
        }
        cases += 1;
    }
    assert_eq!(cases, 3);
}

/// Scaling of ε changes the way and not the end; weights of 0 are allowed and get no mass.
#[test]
fn the_way_does_not_matter() {
    let (x, y, a, mut b) = case();
    b[4] += b[2];
    b[2] = 0.0;
    let cost = Cost::SquaredDistance {
        x: &x,
        y: &y,
        dim: 2,
    };
    let rows = |scaling: f64| {
        let solver = Sinkhorn {
            epsilon: 0.1,
            tolerance: 1e-13,
            scaling,
            ..Sinkhorn::default()
        };
        let plan = solver.solve(&a, &b, cost).unwrap();
        assert!(plan.error() <= 1e-13);
        let mut all = vec![0.0; 63];
        for (i, row) in all.chunks_mut(9).enumerate() {
            plan.row(i, row).unwrap();
            assert!((row.iter().sum::<f64>() - a[i]).abs() < 1e-13);
            assert_eq!(row[2], 0.0);
        }
        for (j, b) in b.iter().enumerate() {
            let sum: f64 = all.iter().skip(j).step_by(9).sum();
            assert!((sum - b).abs() < 1e-14, "{j}: {sum}, {b}");
        }
        all
    };
    let worst = ansatz_testkit::measure::max_abs_diff(&rows(1.0), &rows(0.7));
    assert!(worst < 1e-11, "{worst:e}");
}

/// A normal density on an even grid, whose sums are integrals to rounding.
fn bell(mean: f64, std: f64, grid: &[f64]) -> Vec<f64> {
    let density = |x: &f64| (-0.5 * ((x - mean) / std).powi(2)).exp();
    let sum: f64 = grid.iter().map(density).sum();
    grid.iter().map(|x| density(x) / sum).collect()
}

/// OT_ε of N(a, A) and N(b, B) on the line for |x − y|², with 2s = ε and D = √(4AB + s²):
/// (a − b)² + A + B − D + s(1 − ln 2s) + s·ln(D + s).
///
/// H. Janati, B. Muzellec, G. Peyré, M. Cuturi, *Entropic optimal transport between unbalanced Gaussian
/// measures has a closed form*, 2020, theorem 1.
fn gaussian_value((a, s): (f64, f64), (b, t): (f64, f64), epsilon: f64) -> f64 {
    let (va, vb, half) = (s * s, t * t, 0.5 * epsilon);
    let d = (4.0 * va * vb + half * half).sqrt();
    (a - b).powi(2) + va + vb - d + half * (1.0 - (2.0 * half).ln()) + half * (d + half).ln()
}

#[test]
fn gaussians_in_closed_form() {
    let grid: Vec<f64> = (0..481).map(|k| 0.05 * f64::from(k - 240)).collect();
    let (first, second) = ((-0.3, 1.0), (0.8, 0.6));
    let a = bell(first.0, first.1, &grid);
    let b = bell(second.0, second.1, &grid);
    for epsilon in [4.0, 1.0, 0.3] {
        let solver = Sinkhorn {
            epsilon,
            tolerance: 1e-12,
            ..Sinkhorn::default()
        };
        let cost = Cost::SquaredDistance {
            x: &grid,
            y: &grid,
            dim: 1,
        };
        let plan = solver.solve(&a, &b, cost).unwrap();
        let exact = gaussian_value(first, second, epsilon);
        let error = (plan.value() - exact).abs();
        assert!(error < 1e-9, "{epsilon}: {error:e}");
        let own = solver.self_value(&a, cost).unwrap();
        assert!((own - gaussian_value(first, first, epsilon)).abs() < 1e-9);
        let divergence = solver.divergence(&a, &grid, &b, &grid, 1).unwrap();
        let debiased = exact
            - 0.5
                * (gaussian_value(first, first, epsilon) + gaussian_value(second, second, epsilon));
        assert!(
            (divergence - debiased).abs() < 1e-9,
            "{divergence}, {debiased}"
        );
        // The barycentric map of Gaussians is affine with slope (D − s)/(2A) for s = ε/2.
        let mut map = vec![0.0; grid.len()];
        plan.barycentric(&grid, 1, &mut map).unwrap();
        let half = 0.5 * epsilon;
        let d = (4.0_f64 * first.1.powi(2) * second.1.powi(2) + half * half).sqrt();
        let slope = (d - half) / (2.0 * first.1.powi(2));
        for (x, t) in grid.iter().zip(&map).filter(|(x, _)| x.abs() < 3.0) {
            let expected = second.0 + slope * (x - first.0);
            assert!((t - expected).abs() < 1e-8, "{x}: {t}, {expected}");
        }
        let same = solver.divergence(&a, &grid, &a, &grid, 1).unwrap();
        assert!(same.abs() < 1e-11, "{same:e}");
    }
}

/// Equal points on the line go in order: the cost tends to the sorted one as ε falls, and a batch of
/// 700 points, which is shared among threads, has the same bits for any number of them.
#[test]
fn points_on_the_line() {
    let n = 60;
    let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
    x.fill_normal(Key::new(1), 0);
    y.fill_normal(Key::new(2), 0);
    let sorted = |x: &[f64]| {
        let mut x = x.to_vec();
        x.sort_by(f64::total_cmp);
        x
    };
    let exact: f64 = sorted(&x)
        .iter()
        .zip(sorted(&y))
        .map(|(x, y)| (x - y).powi(2) / n as f64)
        .sum();
    let a = vec![1.0 / n as f64; n];
    for (epsilon, bound) in [(0.1, 0.1), (0.01, 0.01), (0.002, 0.002)] {
        let solver = Sinkhorn {
            epsilon,
            tolerance: 1e-5,
            max_iterations: 200_000,
            ..Sinkhorn::default()
        };
        let plan = solver
            .solve(
                &a,
                &a,
                Cost::SquaredDistance {
                    x: &x,
                    y: &y,
                    dim: 1,
                },
            )
            .unwrap();
        let above = plan.transport_cost() - exact;
        // Mass that goes astray by tolerance costs at most 36 each.
        assert!(above > -4e-4 && above < bound, "{epsilon}: {above}");
    }
    laws::same_for_threads(|| {
        let n = 700;
        let (mut x, mut y) = (vec![0.0; 2 * n], vec![0.0; 2 * n]);
        x.fill_normal(Key::new(1), 0);
        y.fill_normal(Key::new(2), 0);
        let a = vec![1.0 / n as f64; n];
        let solver = Sinkhorn {
            epsilon: 0.5,
            tolerance: 1e-6,
            ..Sinkhorn::default()
        };
        let plan = solver
            .solve(
                &a,
                &a,
                Cost::SquaredDistance {
                    x: &x,
                    y: &y,
                    dim: 2,
                },
            )
            .unwrap();
        let mut out = vec![0.0; 2 * n];
        plan.barycentric(&y, 2, &mut out).unwrap();
        out.extend([plan.value(), plan.transport_cost(), plan.error()]);
        out
    });
}

#[test]
fn what_is_refused() {
    let good = Sinkhorn::default();
    let half = [0.5, 0.5];
    let solve = |solver: Sinkhorn, a: &[f64], cost: &[f64]| {
        solver.solve(a, &half, Cost::Matrix(cost)).unwrap_err()
    };
    let cost = [0.0, 1.0, 1.0, 0.0];
    assert!(matches!(
        solve(good, &[], &[]),
        TransportError::TooFew { .. }
    ));
    assert!(matches!(
        solve(good, &[0.5, 0.6], &cost),
        TransportError::WeightSum { what: "a", .. }
    ));
    assert!(matches!(
        solve(good, &[1.5, -0.5], &cost),
        TransportError::Weight { index: 1, .. }
    ));
    assert!(matches!(
        solve(good, &half, &cost[..3]),
        TransportError::Length { .. }
    ));
    assert!(matches!(
        solve(good, &half, &[0.0, f64::NAN, 1.0, 0.0]),
        TransportError::NonFinite { index: 1, .. }
    ));
    for bad in [
        Sinkhorn {
            epsilon: 0.0,
            ..good
        },
        Sinkhorn {
            tolerance: -1.0,
            ..good
        },
        Sinkhorn {
            scaling: 1.5,
            ..good
        },
        Sinkhorn {
            max_iterations: 0,
            ..good
        },
    ] {
        assert!(matches!(
            solve(bad, &half, &cost),
            TransportError::Option { .. }
        ));
    }
    let few = Sinkhorn {
        epsilon: 1e-3,
        max_iterations: 3,
        ..good
    };
    let error = solve(few, &[0.9, 0.1], &cost);
    let TransportError::NotConverged {
        iterations: 3,
        error,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert!(error > 1e-3);
    let plan = good.solve(&half, &half, Cost::Matrix(&cost)).unwrap();
    assert!(plan.row(2, &mut [0.0; 2]).is_err());
    assert!(plan.row(0, &mut [0.0; 3]).is_err());
    assert!(plan.barycentric(&[0.0; 3], 1, &mut [0.0; 2]).is_err());
}
