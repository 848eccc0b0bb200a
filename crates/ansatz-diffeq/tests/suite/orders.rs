//! Orders of the tables: by algebra, and as measured slopes.

use ansatz_diffeq::{Options, Tableau, solve, tableau};
use ansatz_testkit::measure;

use crate::problems::smooth;

/// `Σ bᵢ·vᵢ`
fn weigh(b: &[f64], v: &[f64]) -> f64 {
    b.iter().zip(v).map(|(b, v)| b * v).sum()
}

/// Row `i` of `A·v`.
fn product(t: &Tableau, v: &[f64]) -> Vec<f64> {
    t.coefficients.iter().map(|row| weigh(row, v)).collect()
}

/// What `Σ b·(tree)` is and must be, for all rooted trees of `order` nodes (up to 5).
fn conditions(t: &Tableau, order: u32) -> Vec<(f64, f64)> {
    let times =
        |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let c = t.nodes;
    let one = vec![1.0; t.stages()];
    let c2 = times(c, c);
    let c3 = times(&c2, c);
    let ac = product(t, c);
    let ac2 = product(t, &c2);
    let aac = product(t, &ac);
    let rows: Vec<(Vec<f64>, f64)> = match order {
        1 => vec![(one, 1.0)],
        2 => vec![(c.to_vec(), 1.0 / 2.0)],
        3 => vec![(c2, 1.0 / 3.0), (ac, 1.0 / 6.0)],
        4 => vec![
            (c3, 1.0 / 4.0),
            (times(c, &ac), 1.0 / 8.0),
            (ac2, 1.0 / 12.0),
            (aac, 1.0 / 24.0),
        ],
        _ => vec![
            (times(&c3, c), 1.0 / 5.0),
            (times(&c2, &ac), 1.0 / 10.0),
            (times(c, &ac2), 1.0 / 15.0),
            (times(c, &aac), 1.0 / 30.0),
            (times(&ac, &ac), 1.0 / 20.0),
            (product(t, &c3), 1.0 / 20.0),
            (product(t, &times(c, &ac)), 1.0 / 40.0),
            (product(t, &ac2), 1.0 / 60.0),
            (product(t, &aac), 1.0 / 120.0),
        ],
    };
    rows.into_iter()
        .map(|(v, want)| (weigh(t.weights, &v), want))
        .collect()
}

/// The order conditions hold up to the declared order and fail at the next one.
#[test]
fn order_conditions() {
    for t in tableau::ALL {
        t.validate().unwrap();
        // The trees of up to five nodes; beyond them the measured slopes speak.
        let known = t.order.min(5);
        for order in 1..=known {
            for (got, want) in conditions(t, order) {
                // Coefficients up to 43, printed to 16 digits.
                assert!((got - want).abs() < 1e-13, "{}: {got} for {want}", t.name);
            }
        }
        if t.order < 5 {
            let next = conditions(t, t.order + 1);
            assert!(next.iter().any(|(got, want)| (got - want).abs() > 1e-3));
        }
        if t.error.is_empty() || t.order > 5 {
            continue;
        }
        // b̂ = b − d is of one order less.
        let hat: Vec<f64> = t.weights.iter().zip(t.error).map(|(b, d)| b - d).collect();
        let embedded = Tableau {
            weights: Vec::leak(hat),
            ..*t
        };
        for order in 1..t.order {
            for (got, want) in conditions(&embedded, order) {
                assert!((got - want).abs() < 1e-14, "{}: embedded", t.name);
            }
        }
        let missed = conditions(&embedded, t.order);
        assert!(missed.iter().any(|(got, want)| (got - want).abs() > 1e-4));
    }
}

/// Measured slopes lie close to the declared order on three smooth problems.
#[test]
fn measured_orders() {
    for t in tableau::ALL {
        for p in smooth() {
            let error = |n: u32| {
                let mut x = p.start.clone();
                let n = n as usize;
                let options = Options::fixed(t, n);
                let report = solve(&p.field, p.times, &mut x, &options, &mut ()).unwrap();
                let stages = t.stages() - usize::from(t.reuses_last());
                assert_eq!((report.steps, report.nfe), (n, n * stages), "{}", t.name);
                measure::rms(&x, &p.exact, 1)
            };
            let (n, margin) = match t.order {
                1 => (800, 0.25),
                2 | 3 => (200, 0.25),
                4 => (80, 0.25),
                5 => (160, 0.25),
                // Rounding leaves little room: the last pair of counts above it.
                _ => ((10..80).rfind(|n| error(*n) > 1e-9).unwrap(), 0.5),
            };
            let slope = (error(n) / error(2 * n)).log2();
            // A problem may be kind to a method of order 8: a linear one loses its first error term.
            let above = if t.order > 5 { 1.5 } else { margin };
            let excess = slope - f64::from(t.order);
            assert!(
                excess > -margin && excess < above,
                "{} on {}: slope {slope} at {n}",
                t.name,
                p.name
            );
        }
    }
}
