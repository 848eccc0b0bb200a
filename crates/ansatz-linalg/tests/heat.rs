//! Heat on graphs, geodesic distances and embeddings against reference values and closed forms.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ansatz_linalg::LinalgError;
use ansatz_linalg::graph::{
    Graph, HeatGeodesic, HeatKernel, HeatMethod, LaplacianKind, Smacof, StochasticScaling,
    StressWeights, Times, classical_scaling, pairwise_distances, procrustes, triplet_distances,
};

fn path() -> Graph {
    path_of(50)
}

fn path_of(n: usize) -> Graph {
    let edges = (0..n - 1).map(|i| (i, i + 1, (-0.1 * (i as f64).sin()).exp()));
    Graph::from_edges(n, edges).unwrap()
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

/// Distances by several times, by the time at the knee and denoised, against those from scipy's matrix exponential.
#[test]
fn distances_of_a_path() {
    let rows: Vec<(&str, Vec<f64>)> = include_str!("fixtures/heat.txt")
        .lines()
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name, rest.split(' ').map(|v| v.parse().unwrap()).collect())
        })
        .collect();
    assert_eq!(rows.len(), 5);
    for (name, row) in &rows {
        let mut options = HeatGeodesic::default();
        let mut pairs = [(0, 1), (3, 5), (10, 13), (20, 24)];
        let mut graph = path();
        match *name {
            "knee" => {
                options.times = Times::Knee(row[0] as usize);
                pairs = [(0, 1), (3, 17), (10, 20), (30, 39)];
            }
            "several" => {
                // From 0.1 to 50, equal ratios.
                let times = (0..5).map(|i| 0.1 * 500.0_f64.powf(f64::from(i) / 4.0));
                options.times = Times::Several(times.collect());
                options.harnack = row[0];
            }
            _ => {
                options.times = Times::Single(5.0);
                options.denoise = row[0];
                graph = path_of(12);
                pairs = [(0, 1), (3, 5), (2, 9), (0, 11)];
            }
        }
        let result = options.distances(&graph).unwrap();
        let n = graph.vertices();
        let mut expected = &row[1..];
        if *name == "knee" {
            assert!((result.times[0] - row[1]).abs() < 1e-12);
            expected = &row[2..];
        }
        for ((i, j), expected) in pairs.iter().zip(expected) {
            let got = result.distances[i * n + j];
            assert!(
                (got - expected).abs() < 1e-7,
                "{name} {i} {j}: {got} {expected}"
            );
        }
    }
}

#[test]
fn shortest_paths_of_a_roll() {
    let n = 400;
    let (points, truth) = swiss_roll(n, 1);
    let euclidean = pairwise_distances(&points, 3).unwrap();
    // Between neighbours short-circuits hurt: the paths are those of the figures for heat.
    for (k, expected) in [(5, 0.9993), (10, 0.6430)] {
        let graph = Graph::alpha_decay(&points, 3, k, 40.0).unwrap();
        let d = graph
            .shortest_paths(|i, j, _| euclidean[i * n + j])
            .unwrap();
        let got = spearman(&d, &truth, n);
        assert!((got - expected).abs() < 5e-4, "k = {k}: {got}");
    }
    // By Floyd and Warshall.
    let graph = Graph::nearest(&points[..180], 3, 4).unwrap();
    let d = graph
        .shortest_paths(|i, j, _| euclidean[i * n + j])
        .unwrap();
    let n_ = 60;
    let mut all = vec![f64::INFINITY; n_ * n_];
    for i in 0..n_ {
        all[i * n_ + i] = 0.0;
        for (j, _) in graph.neighbours(i) {
            all[i * n_ + j] = euclidean[i * n + j];
        }
    }
    for via in 0..n_ {
        for i in 0..n_ {
            for j in 0..n_ {
                all[i * n_ + j] = all[i * n_ + j].min(all[i * n_ + via] + all[via * n_ + j]);
            }
        }
    }
    assert!(largest_gap(&d, &all) < 1e-12);
    let parts = Graph::from_edges(3, [(0, 1, 1.0)]).unwrap();
    assert!(matches!(
        parts.shortest_paths(|_, _, w| w),
        Err(LinalgError::Disconnected { .. })
    ));
    assert!(matches!(
        path().shortest_paths(|_, _, w| -w),
        Err(LinalgError::Parameter { .. })
    ));
    assert!(matches!(
        path().shortest_paths(|_, _, _| f64::NAN),
        Err(LinalgError::Parameter { .. })
    ));
}

#[test]
fn stochastic_scaling() {
    // Distances that points of the plane have: found from any start, to rounding.
    let points: Vec<f64> = (0..40)
        .map(|i| (1.7 * f64::from(i)).sin() * f64::from(1 + i % 3))
        .collect();
    let d = pairwise_distances(&points, 2).unwrap();
    let start: Vec<f64> = (0..40).map(|i| (0.9 * f64::from(i * i)).cos()).collect();
    let scaling = StochasticScaling {
        epochs: 300,
        ..StochasticScaling::default()
    };
    let report = scaling.embed_from(&d, &start).unwrap();
    assert_eq!(report.stress.len(), 301);
    let mut found = report.points;
    procrustes(&mut found, &points, 2).unwrap();
    assert!(
        largest_gap(&found, &points) < 1e-6,
        "{}",
        largest_gap(&found, &points)
    );
    // Distances that none have: nearly the stress that majorisation reaches with the same weights.
    let solid: Vec<f64> = (0..60).map(|i| (1.3 * f64::from(i * i)).sin()).collect();
    let d = pairwise_distances(&solid, 3).unwrap();
    for weights in [StressWeights::Uniform, StressWeights::Power(2.0)] {
        let least = Smacof {
            weights: weights.clone(),
            rtol: 1e-10,
            ..Smacof::default()
        }
        .embed(&d, 20)
        .unwrap();
        let least = least.stress[least.stress.len() - 1];
        let scaling = StochasticScaling {
            weights,
            epochs: 200,
            last: 1e-3,
            ..StochasticScaling::default()
        };
        let stress = scaling.embed(&d, 20).unwrap().stress;
        let ratio = stress[200] / least;
        assert!(ratio < 1.02 && stress[200] < stress[0], "{ratio}");
    }
    let none = StochasticScaling {
        weights: StressWeights::Given(vec![0.0; 400]),
        ..StochasticScaling::default()
    };
    assert!(matches!(
        none.embed(&d, 20),
        Err(LinalgError::Parameter { .. })
    ));
    let endless = StochasticScaling {
        last: 1.0,
        ..StochasticScaling::default()
    };
    assert!(matches!(
        endless.embed(&d, 20),
        Err(LinalgError::Parameter { .. })
    ));
    assert!(matches!(
        StochasticScaling::default().embed_from(&d, &[f64::NAN; 40]),
        Err(LinalgError::NotFinite { .. })
    ));
    assert!(matches!(
        StochasticScaling::default().embed_from(&d, &[0.0; 38]),
        Err(LinalgError::Shape { .. })
    ));
}

/// The same bits for one, two and three threads.
#[test]
fn threads() {
    let n = 300;
    let (points, _) = swiss_roll(n, 1);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let graph = Graph::alpha_decay(&points, 3, 6, 40.0).unwrap();
            let mut all = graph.shortest_paths(|_, _, w| 1.0 / w).unwrap();
            for method in [
                HeatMethod::Eigen,
                HeatMethod::Chebyshev(30),
                HeatMethod::BackwardEuler(5),
            ] {
                let options = HeatGeodesic {
                    method,
                    denoise: 0.2,
                    times: Times::Several(vec![5.0, 20.0]),
                    ..HeatGeodesic::default()
                };
                all.extend(options.distances(&graph).unwrap().distances);
            }
            let d = &all[n * n..2 * n * n];
            let few = Smacof {
                sweeps: 5,
                ..Smacof::default()
            };
            let weighted = Smacof {
                sweeps: 5,
                weights: StressWeights::Power(1.0),
                ..Smacof::default()
            };
            let random = StochasticScaling {
                epochs: 3,
                ..StochasticScaling::default()
            };
            let mut end = Vec::new();
            for report in [few.embed(d, n), weighted.embed(d, n), random.embed(d, n)] {
                let report = report.unwrap();
                end.extend(report.points);
                end.extend(report.stress);
            }
            all.extend(end);
            all.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
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
    assert!(Graph::nearest(&same, 1, usize::MAX).is_err());
    assert!(pairwise_distances(&[f64::NAN, 0.0], 1).is_err());
    assert!(triplet_distances(&[f64::INFINITY; 4], 2, 0.5).is_err());
    for method in [
        HeatMethod::Chebyshev(usize::MAX),
        HeatMethod::Chebyshev(0),
        HeatMethod::BackwardEuler(usize::MAX),
    ] {
        assert!(matches!(
            HeatKernel::new(&path(), LaplacianKind::Normalised, method),
            Err(LinalgError::Parameter { .. })
        ));
    }
    let method = HeatMethod::Chebyshev(5);
    let kernel = HeatKernel::new(&path(), LaplacianKind::Normalised, method).unwrap();
    for tau in [1e300, f64::NAN, f64::INFINITY, -1.0] {
        assert!(matches!(kernel.at(tau), Err(LinalgError::Parameter { .. })));
    }
    for times in [
        Times::Knee(usize::MAX),
        Times::Knee(2),
        Times::Several(Vec::new()),
        Times::Several(vec![1.0, -1.0]),
    ] {
        let options = HeatGeodesic {
            times,
            ..HeatGeodesic::default()
        };
        assert!(matches!(
            options.distances(&path()),
            Err(LinalgError::Parameter { .. })
        ));
    }
    let kernel = HeatKernel::new(&path(), LaplacianKind::Normalised, HeatMethod::Eigen).unwrap();
    assert!(matches!(kernel.at(0.0), Err(LinalgError::Parameter { .. })));
    assert!(
        Graph::from_edges(2, [(0, 0, 1.0)]).is_err()
            && Graph::from_edges(2, [(0, 1, 1.0), (1, 0, 1.0)]).is_err()
    );
    assert!(Graph::from_edges(2, [(0, 1, -1.0)]).is_err());
}
