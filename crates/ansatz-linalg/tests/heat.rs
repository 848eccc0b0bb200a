//! Heat on graphs, geodesic distances and embeddings against reference values and closed forms.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ansatz_linalg::LinalgError;
use ansatz_linalg::graph::{
    Graph, HeatGeodesic, HeatKernel, HeatMethod, LaplacianKind, Smacof, StressWeights, Times,
    classical_scaling, pairwise_distances, procrustes, triplet_distances,
};

fn path() -> Graph {
    Graph::from_edges(
        50,
        (0..49).map(|i| (i, i + 1, (-0.1 * (i as f64).sin()).exp())),
    )
    .unwrap()
}

fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

#[test]
fn heat_on_a_path() {
    let kernel = |method| HeatKernel::new(&path(), LaplacianKind::Normalised, method).unwrap();
    let exact = kernel(HeatMethod::Eigen);
    let values = exact.eigenvalues().unwrap();
    assert!(
        values[0].abs() < 1e-14
            && (values[1] - 0.002053853347).abs() < 1e-12
            && (values[49] - 2.0).abs() < 1e-12
    );
    let heat = exact.at(5.0).unwrap();
    assert!((heat[0] - 0.193361067402).abs() < 1e-12);
    assert!((heat[1] - 0.240391551642).abs() < 1e-12);
    assert!((heat[10 * 50 + 20] - 3.204740102e-5).abs() < 1e-14);
    for (order, expected) in [(5, 7.718e-3), (10, 9.342e-6), (15, 1.495e-9)] {
        let gap = largest_gap(
            &heat,
            &kernel(HeatMethod::Chebyshev(order)).at(5.0).unwrap(),
        );
        assert!(
            (gap / expected - 1.0).abs() < 1e-3,
            "order {order}: {gap:e}"
        );
    }
    assert!(largest_gap(&heat, &kernel(HeatMethod::Chebyshev(20)).at(5.0).unwrap()) < 1e-13);
    for (steps, expected) in [(10, 9.532e-3), (30, 3.035e-3), (100, 8.965e-4)] {
        let gap = largest_gap(
            &heat,
            &kernel(HeatMethod::BackwardEuler(steps)).at(5.0).unwrap(),
        );
        assert!(
            (gap / expected - 1.0).abs() < 1e-3,
            "{steps} steps: {gap:e}"
        );
    }
    let entropy: f64 = heat
        .iter()
        .map(|h| h.max(0.0))
        .map(|h| -h * (h + 1e-10).ln())
        .sum();
    assert!((entropy - 107.698424).abs() < 1e-5, "{entropy}");
    let options = HeatGeodesic {
        times: Times::Single(5.0),
        ..HeatGeodesic::default()
    };
    let result = options.distances(&path()).unwrap();
    assert!((result.distances[1] - 5.3394498216).abs() < 1e-9);
    assert_eq!(result.distances[0].to_bits(), 0.0_f64.to_bits());
    assert!(
        result.saturated > 0.03,
        "the ends of the path are too far for this time"
    );
    // The combinatorial Laplacian keeps heat: rows sum to 1.
    for method in [
        HeatMethod::Eigen,
        HeatMethod::Chebyshev(40),
        HeatMethod::BackwardEuler(5),
    ] {
        let kernel = HeatKernel::new(&path(), LaplacianKind::Combinatorial, method).unwrap();
        for row in kernel.at(3.0).unwrap().chunks(50) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{method:?}");
        }
    }
}

/// The radical inverse of i.
fn halton(mut i: usize, base: usize) -> f64 {
    let (mut out, mut place) = (0.0, 1.0);
    while i > 0 {
        place /= base as f64;
        out += place * (i % base) as f64;
        i /= base;
    }
    out
}

/// Points on a roll, and their distances along it. Halton's sequence starts at `first`.
fn swiss_roll(n: usize, first: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut points, mut flat) = (Vec::new(), Vec::new());
    for i in first..n + first {
        let t = 1.5 * PI * (1.0 + 2.0 * halton(i, 2));
        let height = 21.0 * halton(i, 3);
        points.extend([t * t.cos(), height, t * t.sin()]);
        let arc = 0.5 * (t * (1.0 + t * t).sqrt() + t.asinh());
        flat.extend([arc, height]);
    }
    (points, pairwise_distances(&flat, 2).unwrap())
}

/// Rank correlation over pairs i < j; no ties are expected.
fn spearman(a: &[f64], b: &[f64], n: usize) -> f64 {
    let ranks = |d: &[f64]| -> Vec<f64> {
        let pairs: Vec<f64> = (0..n)
            .flat_map(|i| (i + 1..n).map(move |j| d[i * n + j]))
            .collect();
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by(|x, y| pairs[*x].total_cmp(&pairs[*y]));
        let mut out = vec![0.0; pairs.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(rank, i)| out[*i] = rank as f64);
        out
    };
    let (x, y) = (ranks(a), ranks(b));
    let mean = (x.len() - 1) as f64 / 2.0;
    let product: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean) * (y - mean)).sum();
    let square: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    product / square
}

#[test]
fn swiss_roll_distances() {
    let n = 400;
    let (points, truth) = swiss_roll(n, 1);
    let euclidean = spearman(&pairwise_distances(&points, 3).unwrap(), &truth, n);
    assert!((euclidean - 0.3637).abs() < 5e-4, "{euclidean}");
    let correlation = |k: usize, harnack: f64| {
        let graph = Graph::alpha_decay(&points, 3, k, 40.0).unwrap();
        let options = HeatGeodesic {
            harnack,
            ..HeatGeodesic::default()
        };
        let result = options.distances(&graph).unwrap();
        spearman(&result.distances, &truth, n)
    };
    for (k, harnack, expected) in [(5, 0.0, 0.9865), (5, 1.0, 0.9873), (10, 0.0, 0.7633)] {
        let got = correlation(k, harnack);
        assert!(
            (got - expected).abs() < 5e-4,
            "k = {k}, σ = {harnack}: {got}"
        );
    }
}

#[test]
fn times_and_denoising() {
    let (points, _) = swiss_roll(150, 1);
    let graph = Graph::nearest(&points, 3, 6).unwrap();
    let run = |times: Times| {
        let options = HeatGeodesic {
            times,
            denoise: 0.1,
            ..HeatGeodesic::default()
        };
        options.distances(&graph).unwrap()
    };
    let knee = run(Times::Knee(12));
    assert!(knee.times[0] > 0.05 && knee.times[0] < 50.0);
    let several = run(Times::Several(vec![1.0, 5.0, 25.0]));
    for result in [&knee, &several] {
        let d = &result.distances;
        for i in 0..150 {
            assert!((0..150).all(|j| d[i * 150 + j].to_bits() == d[j * 150 + i].to_bits()));
            assert!((0..150).all(|j| (d[i * 150 + j] > 0.0) == (i != j)));
        }
        assert!(result.saturated <= 1.0);
    }
    // A mean with weights 1 − τ/Στ.
    let plain = |tau: f64| {
        let options = HeatGeodesic {
            times: Times::Single(tau),
            ..HeatGeodesic::default()
        };
        options.distances(&graph).unwrap().distances[7]
    };
    let options = HeatGeodesic {
        times: Times::Several(vec![2.0, 6.0]),
        ..HeatGeodesic::default()
    };
    let mixed = options.distances(&graph).unwrap().distances[7];
    assert!((mixed - (0.75 * plain(2.0) + 0.25 * plain(6.0))).abs() < 1e-12);
    // Rows (0, 3), (3, 0): √18 apart.
    let d = triplet_distances(&[0.0, 3.0, 3.0, 0.0], 2, 0.5).unwrap();
    assert!((d[1] - (1.5 + 0.5 * 18.0_f64.sqrt())).abs() < 1e-15);
}

#[test]
fn scaling_recovers_points() {
    let points: Vec<f64> = (0..30)
        .map(|i| (1.7 * f64::from(i)).sin() * (1.0 + f64::from(i % 2)))
        .collect();
    let d = pairwise_distances(&points, 2).unwrap();
    let mut found = classical_scaling(&d, 15, 2).unwrap();
    assert!(largest_gap(&pairwise_distances(&found, 2).unwrap(), &d) < 1e-12);
    procrustes(&mut found, &points, 2).unwrap();
    assert!(largest_gap(&found, &points) < 1e-12);
    // Distances in three dimensions: stress falls with every sweep, for all weights.
    let solid: Vec<f64> = (0..60).map(|i| (1.3 * f64::from(i * i)).sin()).collect();
    let d = pairwise_distances(&solid, 3).unwrap();
    for weights in [
        StressWeights::Uniform,
        StressWeights::Power(1.0),
        StressWeights::Given(vec![2.0; 400]),
    ] {
        let report = Smacof {
            weights,
            rtol: 1e-9,
            ..Smacof::default()
        }
        .embed(&d, 20)
        .unwrap();
        assert!(
            report.stress.len() > 10
                && report
                    .stress
                    .windows(2)
                    .all(|w| w[1] <= w[0] * (1.0 + 1e-12))
        );
        assert!(report.stress[report.stress.len() - 1] < 0.9 * report.stress[0]);
    }
    let uniform = Smacof::default().embed(&d, 20).unwrap();
    let given = Smacof {
        weights: StressWeights::Given(vec![1.0; 400]),
        ..Smacof::default()
    }
    .embed(&d, 20)
    .unwrap();
    assert!(largest_gap(&uniform.points, &given.points) < 1e-9);
}

#[test]
fn bad_input() {
    let two = Graph::from_edges(5, [(0, 2, 1.0), (1, 3, 1.0), (3, 4, 1.0)]).unwrap();
    let error = HeatGeodesic::default().distances(&two).unwrap_err();
    let LinalgError::Disconnected { components, labels } = error else {
        panic!("{error}")
    };
    assert_eq!((components, labels), (2, vec![0, 1, 0, 1, 1]));
    let same = [1.0, 1.0, 1.0, 1.0, 2.0, 3.0];
    assert!(matches!(
        Graph::alpha_decay(&same, 1, 2, 40.0),
        Err(LinalgError::Parameter { .. })
    ));
    assert!(matches!(
        Graph::alpha_decay(&same, 1, 5, 40.0),
        Err(LinalgError::Shape {
            expected: 7,
            got: 6,
            ..
        })
    ));
    assert!(matches!(
        Graph::nearest(&[1.0, f64::NAN, 2.0], 1, 1),
        Err(LinalgError::NotFinite { index: 1, .. })
    ));
    let kernel = HeatKernel::new(&path(), LaplacianKind::Normalised, HeatMethod::Eigen).unwrap();
    assert!(matches!(kernel.at(0.0), Err(LinalgError::Parameter { .. })));
    assert!(
        Graph::from_edges(2, [(0, 0, 1.0)]).is_err()
            && Graph::from_edges(2, [(0, 1, 1.0), (1, 0, 1.0)]).is_err()
    );
    assert!(Graph::from_edges(2, [(0, 1, -1.0)]).is_err());
}
