//! Windows of subdomains: partition of unity, agreement of numbers and graphs, gaps.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking; numbers that are placed are met exactly"
)]

mod common;

use ansatz_pde::autodiff::{Graph, jet};
use ansatz_pde::core::Key;
use ansatz_pde::{Bounds, Decomposition, DomainError, Points, Sampler, Window};

const WINDOWS: [Window; 4] = [
    Window::Cosine,
    Window::Sigmoid { tolerance: 1e-8 },
    Window::Bump,
    Window::Wendland,
];

fn unit(dims: usize) -> Bounds {
    Bounds {
        low: vec![0.0; dims],
        high: vec![1.0; dims],
    }
}

/// Regular and irregular subdomains in one to three dimensions.
fn cases(window: Window) -> Vec<Decomposition> {
    let irregular = [
        vec![[-0.2, 0.3], [0.1, 0.6], [0.5, 1.4]],
        vec![[-0.1, 0.55], [0.45, 1.1]],
    ];
    vec![
        Decomposition::regular(&unit(1), &[15], 2.1, window).unwrap(),
        Decomposition::regular(&unit(1), &[1], 1.5, window).unwrap(),
        Decomposition::regular(&unit(3), &[2, 3, 4], 2.5, window).unwrap(),
        Decomposition::new(&unit(2), &irregular, window).unwrap(),
    ]
}

fn random(dims: usize) -> Points {
    Sampler::Uniform.unit(10_000, dims, Key::new(8)).unwrap()
}

#[test]
fn windows_sum_to_one() {
    for window in WINDOWS {
        for parts in cases(window) {
            for x in random(parts.dims()).rows() {
                let sum: f64 = parts.weights(x).iter().map(|(_, w)| w).sum();
                assert!((sum - 1.0).abs() < 1e-14, "{window:?} at {x:?}: {sum}");
            }
        }
    }
}

#[test]
fn graphs_give_the_same_weights() {
    for window in WINDOWS {
        for parts in cases(window) {
            let points = random(parts.dims());
            let g = Graph::new();
            let x = g.batch(&[points.len(), parts.dims()]);
            let local = parts.local_in_graph(parts.len() - 1, x);
            let outputs = [parts.weights_in_graph(x), local];
            let found = common::run(&g, &outputs, points.as_slice());
            for (i, x) in points.rows().enumerate() {
                let row = &found[0][i * parts.len()..(i + 1) * parts.len()];
                let sum: f64 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-14, "{window:?}: {sum}");
                let mut expected = vec![0.0; parts.len()];
                for (k, w) in parts.weights(x) {
                    expected[k] = w;
                }
                for (a, b) in row.iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-12, "{window:?} at {x:?}: {a}, {b}");
                }
                let own = parts.local(parts.len() - 1, x);
                for (a, b) in found[1][i * x.len()..].iter().zip(&own) {
                    assert!((a - b).abs() < 1e-14, "{a}, {b}");
                }
            }
        }
    }
}

/// Values of the formulas at places where they are known.
#[test]
fn windows_have_their_values() {
    // One segment is [−1, 1] from the middle of its left neighbour to that of its right one.
    let bounds = Bounds {
        low: vec![-1.0],
        high: vec![1.0],
    };
    let at = |window, x: f64| {
        let parts = Decomposition::regular(&bounds, &[3], 2.0, window).unwrap();
        let [a, b] = [parts.weights(&[x]), parts.weights(&[0.0])];
        assert_eq!(b, [(1, 1.0)]);
        a.iter().find(|(i, _)| *i == 1).unwrap().1
    };
    // At ½ both neighbours weigh the same; at ¼ the ratio of the windows is known.
    let share = |near: f64, far: f64| near / (near + far);
    let cosine = |r: f64| (f64::midpoint(1.0, (std::f64::consts::PI * r).cos())).powi(2);
    let wendland = |r: f64| (1.0 - r).powi(4) * (4.0 * r + 1.0);
    let bump = |r: f64| (-1.0 / (1.0 - r * r)).exp();
    assert!((at(Window::Cosine, 0.25) - share(cosine(0.25), cosine(0.75))).abs() < 1e-15);
    assert!((at(Window::Wendland, 0.25) - share(wendland(0.25), wendland(0.75))).abs() < 1e-15);
    assert!((at(Window::Bump, 0.25) - share(bump(0.25), bump(0.75))).abs() < 1e-15);
    for window in WINDOWS {
        assert!((at(window, 0.5) - 0.5).abs() < 1e-15, "{window:?}");
    }
    // A sigmoid is the tolerance at the end of its segment, ½ in the middle of the overlap.
    let window = Window::Sigmoid { tolerance: 1e-6 };
    let parts = Decomposition::new(&unit(1), &[vec![[-1.0, 0.5], [0.3, 2.0]]], window).unwrap();
    let second = |x: f64| parts.weights(&[x]).iter().find(|(i, _)| *i == 1).unwrap().1;
    assert!((second(0.4) - 0.5).abs() < 1e-12);
    assert!((second(0.300_000_01) / 1e-6 - 1.0).abs() < 1e-4);
}

/// Third derivatives of normalised cosine windows are continuous over the end of a segment; Wendland's second.
#[test]
fn derivatives_are_continuous_as_far_as_stated() {
    for (window, order) in [
        (Window::Cosine, 3),
        (Window::Wendland, 2),
        (Window::Bump, 4),
    ] {
        let parts = Decomposition::regular(&unit(1), &[5], 2.5, window).unwrap();
        let end = parts.bounds(1).high[0];
        let middle = 0.25;
        for place in [end, middle] {
            let g = Graph::new();
            let x = g.batch(&[2, 1]);
            let series = jet(&[parts.weights_in_graph(x)], &[(x, &[x.ones()])], order);
            let found = common::run(&g, &series[0], &[place - 1e-7, place + 1e-7]);
            for (k, both) in found.iter().enumerate() {
                for i in 0..5 {
                    let (a, b) = (both[i], both[5 + i]);
                    // Derivatives grow as the inverse width 8 to the order; the gap is 2e-7.
                    let allowed = 1e-3 * 8.0_f64.powf(k as f64);
                    assert!(
                        (a - b).abs() < allowed,
                        "{window:?} order {k} at {place}: {a}, {b}"
                    );
                    assert!(a.is_finite());
                }
            }
        }
    }
}

#[test]
fn active_points_are_those_in_the_subdomain() {
    let parts = Decomposition::regular(&unit(2), &[4, 3], 1.8, Window::Cosine).unwrap();
    let points = random(2);
    let active = parts.active(&points).unwrap();
    assert_eq!(active.len(), 12);
    for (i, numbers) in active.iter().enumerate() {
        let bounds = parts.bounds(i);
        let inside = |x: &[f64]| (0..2).all(|k| bounds.low[k] < x[k] && x[k] < bounds.high[k]);
        let expected: Vec<usize> = (0..points.len())
            .filter(|p| inside(points.row(*p)))
            .collect();
        assert_eq!(*numbers, expected);
    }
    let corner = parts.local(0, &[0.0, 0.0]);
    assert_eq!(corner, [0.0, 0.0]);
    assert!(matches!(
        parts.active(&random(1)),
        Err(DomainError::Width { .. })
    ));
}

#[test]
fn gaps_are_found() {
    let gap = |axes: &[Vec<[f64; 2]>]| {
        let bounds = unit(axes.len());
        match Decomposition::new(&bounds, axes, Window::Cosine) {
            Err(DomainError::GapBetweenSubdomains { axis, index }) => (axis, index),
            other => panic!("{other:?}"),
        }
    };
    let whole = || vec![[-1.0, 2.0]];
    assert_eq!(gap(&[whole(), vec![[-0.1, 0.4], [0.4, 1.1]]]), (1, 1));
    assert_eq!(gap(&[vec![[-0.1, 0.4], [0.3, 0.6], [0.7, 1.1]]]), (0, 2));
    assert_eq!(gap(&[vec![[0.0, 0.6], [0.4, 1.1]]]), (0, 0));
    assert_eq!(gap(&[vec![[-0.1, 0.6], [0.4, 1.0]]]), (0, 2));
    assert_eq!(gap(&[vec![]]), (0, 0));
    let touching = Decomposition::regular(&unit(1), &[5], 1.0, Window::Cosine);
    assert!(matches!(
        touching,
        Err(DomainError::GapBetweenSubdomains { axis: 0, .. })
    ));
    let inside = Decomposition::new(&unit(1), &[vec![[-1.0, 2.0], [0.2, 0.4]]], Window::Cosine);
    assert!(matches!(inside, Err(DomainError::Value { .. })));
    let window = Window::Sigmoid { tolerance: 0.5 };
    assert!(matches!(
        Decomposition::regular(&unit(1), &[2], 2.0, window),
        Err(DomainError::Value { .. })
    ));
}
