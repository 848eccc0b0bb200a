//! Semi-discrete transport: closed forms on the line, fitted heights, cells of prescribed mass.

use ansatz_core::{Key, State};
use ansatz_stats::TransportError;
use ansatz_stats::transport::{
    BrenierMap, Descent, Draws, Fit, Heights, Source, Spread, Stop, normal_quantile,
};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Mixture, laws, tb1};

const LINE: [f64; 5] = [-1.3, -0.4, 0.1, 0.9, 2.0];
const UNIFORM: [f64; 5] = [0.632, 0.452, 0.252, -0.228, -1.108];
const NORMAL: [f64; 5] = [-0.41574367, 0.34171544, 0.46838899, 0.26571130, -0.66007205];

fn worst(h: &[f64], expected: &[f64]) -> f64 {
    ansatz_testkit::measure::max_abs_diff(h, expected)
}

/// Values of mpmath's inverse error function at 40 digits.
#[test]
fn quantiles() {
    for (p, z) in [
        (1e-300, -37.047_096_299_361_2),
        (1e-20, -9.262_340_089_798_408),
        (1e-5, -4.264_890_793_922_825),
        (0.02, -2.053_748_910_631_823),
        (0.074, -1.446_632_067_158_978_5),
        (0.076, -1.432_502_720_825_811_6),
        (0.2, -0.841_621_233_572_914_2),
        (0.6, 0.253_347_103_135_799_8),
        (0.926, 1.446_632_067_158_978_5),
    ] {
        let got = normal_quantile(p);
        assert!(
            (got - z).abs() < 4.0 * f64::EPSILON * z.abs().max(0.5),
            "{p}: {got}, {z}"
        );
    }
    assert_eq!(normal_quantile(0.5), 0.0);
    assert_eq!(normal_quantile(1.0), f64::INFINITY);
    assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
    assert!(normal_quantile(1.1).is_nan());
}

/// The table of heights, to its digits; cells that end at quantiles, to 1e-14.
#[test]
fn exact_heights_on_the_line() {
    for (source, table, digits) in [
        (Source::Uniform, UNIFORM, 1e-14),
        (Source::Normal, NORMAL, 1e-8),
    ] {
        let map = BrenierMap::on_line(&LINE, &[0.2; 5], |p| source.quantile(p)).unwrap();
        let error = worst(map.heights(), &table);
        assert!(error < digits, "{source:?}: {error:e}");
        for j in 0..4 {
            let h = map.heights();
            let end = (h[j] - h[j + 1]) / (LINE[j + 1] - LINE[j]);
            assert!((end - source.quantile(0.2 * (j + 1) as f64)).abs() < 1e-14);
        }
        // Any order of the targets; unequal weights.
        let order = [3, 0, 4, 1, 2];
        let shuffled = order.map(|k| LINE[k]);
        let nu = [0.1, 0.3, 0.25, 0.05, 0.3];
        let map = BrenierMap::on_line(&shuffled, &nu, |p| source.quantile(p)).unwrap();
        let points: Vec<f64> = source.points(1, 100_000, Spread::Even);
        let masses = map.cell_masses(&points).unwrap();
        assert!(worst(&masses, &nu) < 1.5e-5, "{masses:?}");
    }
}

/// 200 000 even points and the published rule: heights to 2e-3. The default is nearer still.
#[test]
fn fitted_heights_on_the_line() {
    for (source, table) in [(Source::Uniform, UNIFORM), (Source::Normal, NORMAL)] {
        let points: Vec<f64> = source.points(1, 200_000, Spread::Even);
        let fit = |descent| {
            Heights { descent }
                .fit(&LINE, 1, &[0.2; 5], Draws::Fixed(&points))
                .unwrap()
        };
        let (published, default) = (fit(Descent::PUBLISHED), fit(Descent::default()));
        assert_eq!(published.stop, Stop::Tolerance);
        assert!(published.gradient < 8e-4);
        let errors = [&published, &default].map(|f| worst(f.map.heights(), &table));
        println!(
            "{source:?}: {errors:?} after {} and {}",
            published.iterations, default.iterations
        );
        assert!(errors[0] < 2e-3, "{source:?}: {errors:?}");
        assert!(errors[1] < 1e-4, "{source:?}: {errors:?}");
    }
}

/// 32 targets: the exact flow of 80·P(32) on TB1 to σ = 0.3, 10 000 even points of the unit square.
fn tb1_targets() -> Vec<f64> {
    struct Exploding;
    impl ansatz_core::NoiseSchedule for Exploding {
        fn t_min(&self) -> f64 {
            1e-3
        }
        fn t_max(&self) -> f64 {
            80.0
        }
        fn log_alpha(&self, _: f64) -> f64 {
            0.0
        }
        fn sigma(&self, t: f64) -> f64 {
            t
        }
        fn log_alpha_rate(&self, _: f64) -> f64 {
            0.0
        }
        fn sigma_rate(&self, _: f64) -> f64 {
            1.0
        }
        fn t_of_lambda(&self, lambda: f64) -> f64 {
            (-lambda).exp()
        }
    }
    let start: Vec<f64> = tb1::points(32).iter().map(|x| 80.0 * x).collect();
    probability_flow(&Mixture::tb1(), &Exploding, 80.0, 0.3, &start).unwrap()
}

#[test]
fn cells_in_the_plane() {
    let targets = tb1_targets();
    let points: Vec<f64> = Source::Uniform.points(2, 10_000, Spread::Even);
    let alpha = [0.7548776662466927, 0.5698402909980532];
    for (k, row) in points.chunks(2).enumerate() {
        for (x, alpha) in row.iter().zip(alpha) {
            assert!((x - ((k as f64 + 0.5) * alpha).fract()).abs() < 1e-11);
        }
    }
    let fit = |points: &[f64]| -> Fit {
        let nu = [1.0 / 32.0; 32];
        Heights::default()
            .fit(&targets, 2, &nu, Draws::Fixed(points))
            .unwrap()
    };
    let uniform = fit(&points);
    let normal = fit(&Source::Normal.points(2, 10_000, Spread::Even));
    println!(
        "max |g|·n: uniform {}, normal {}",
        uniform.worst_cell, normal.worst_cell
    );
    assert!(uniform.worst_cell < 0.02 && normal.worst_cell < 0.02);
    // The rates of the table, in their own units: the targets spread by 1.4.
    let descent = Descent::Decay {
        first: 0.1,
        last: 1e-4,
        iterations: 1000,
    };
    let wide = Heights { descent }.fit(&targets, 2, &[1.0 / 32.0; 32], Draws::Fixed(&points));
    assert!(wide.unwrap().worst_cell < 0.02);
    // On points that were not fitted: within five standard errors of a count.
    let fresh: Vec<f64> = Source::Normal.points(2, 400_000, Spread::Random(Key::new(5), 0));
    let masses = normal.map.cell_masses(&fresh).unwrap();
    let error = 5.0 * (1.0 / 32.0 / 400_000.0_f64).sqrt();
    for m in &masses {
        assert!((m - 1.0 / 32.0).abs() < error + 0.01 / 32.0, "{m}");
    }
    assert_eq!(fit(&points), uniform);
}

/// The published rule on new points in every iteration: it cannot meet its tolerance and doubles them.
#[test]
fn fresh_points() {
    let targets = tb1_targets();
    let descent = Descent::Published {
        rate: 0.1,
        tolerance: 8e-4,
        patience: 50,
        iterations: 1500,
    };
    let draws = Draws::Fresh {
        source: Source::Normal,
        count: 2000,
        key: Key::new(3),
    };
    let fit = Heights { descent }
        .fit(&targets, 2, &[1.0 / 32.0; 32], draws)
        .unwrap();
    assert_eq!((fit.stop, fit.iterations), (Stop::Iterations, 1500));
    // ‖g‖ of M random points has the mean square (1 − 1/n)/M at the optimum; M is 16 000 at the end.
    let noise = (1.0_f64 / 16_000.0).sqrt();
    assert!(
        fit.gradient < 2.0 * noise && fit.gradient > 8e-4,
        "{}",
        fit.gradient
    );
    let even: Vec<f64> = Source::Normal.points(2, 200_000, Spread::Even);
    let masses = fit.map.cell_masses(&even).unwrap();
    let worst = masses
        .iter()
        .fold(0.0_f64, |w, m| w.max((32.0 * m - 1.0).abs()));
    assert!(worst < 0.5, "{worst}");
}

/// The kernel against the definition, for sizes around its blocks and panels; ties go to the lowest index.
#[test]
fn cells_are_what_they_are_said_to_be() {
    for (n, dim, count) in [
        (2, 1, 1),
        (7, 3, 65),
        (8, 2, 130),
        (9, 17, 3),
        (700, 40, 66),
        (2500, 8, 70),
    ] {
        let (mut targets, mut heights, mut x) =
            (vec![0.0; n * dim], vec![0.0; n], vec![0.0; count * dim]);
        targets.fill_normal(Key::new(1), 0);
        heights.fill_normal(Key::new(2), 0);
        x.fill_normal(Key::new(3), 0);
        let map = BrenierMap::new(&targets, dim, &heights).unwrap();
        assert!(map.heights().iter().sum::<f64>().abs() < 1e-12 * n as f64);
        let (mut cells, mut values) = (vec![0; count], vec![0.0; count]);
        map.assign(&x, &mut cells, &mut values).unwrap();
        let mut out = vec![0.0; x.len()];
        map.map(&x, &mut out).unwrap();
        for (k, x) in x.chunks(dim).enumerate() {
            let plane = |j: usize| {
                let y = &targets[j * dim..][..dim];
                map.heights()[j] + x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>()
            };
            let best = (0..n).map(plane).fold(f64::NEG_INFINITY, f64::max);
            assert!((values[k] - best).abs() < 1e-13 * best.abs().max(1.0) * dim as f64);
            let cell = cells[k] as usize;
            assert!((plane(cell) - best).abs() < 1e-13 * best.abs().max(1.0) * dim as f64);
            assert_eq!(out[k * dim..][..dim], targets[cell * dim..][..dim]);
        }
    }
    // ⟨0, y⟩ + h: all equal; then one above the rest.
    let targets: Vec<f64> = (0..40).map(f64::from).collect();
    let mut heights = vec![0.0; 40];
    let cell = |heights: &[f64]| {
        let map = BrenierMap::new(&targets, 1, heights).unwrap();
        let (mut cells, mut values) = (vec![0; 5], vec![0.0; 5]);
        map.assign(&[0.0_f32; 5], &mut cells, &mut values).unwrap();
        cells
    };
    assert_eq!(cell(&heights), [0; 5]);
    for j in [13, 25, 30] {
        heights[j] = 1.0;
    }
    assert_eq!(cell(&heights), [13; 5]);
}

#[test]
fn threads_and_precision() {
    let targets = tb1_targets();
    let fit = || {
        let points: Vec<f64> = Source::Normal.points(2, 20_000, Spread::Even);
        let descent = Descent::Decay {
            first: 0.1,
            last: 1e-3,
            iterations: 30,
        };
        let draws = Draws::Fixed(&points);
        Heights { descent }
            .fit(&targets, 2, &[1.0 / 32.0; 32], draws)
            .unwrap()
    };
    laws::same_for_threads(|| fit().map.heights().to_vec());
    let map = fit().map;
    let x: Vec<f32> = Source::Normal.points(2, 300, Spread::Even);
    let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
    let (mut a, mut b) = (vec![0.0_f32; 600], vec![0.0; 600]);
    map.map(&x, &mut a).unwrap();
    map.map(&wide, &mut b).unwrap();
    // The same cells: products are made in f64 for both.
    assert!(a.iter().zip(&b).all(|(a, b)| *a == *b as f32));
}

#[test]
fn what_is_refused() {
    let nu = [0.5, 0.5];
    let line = |y: &[f64], nu: &[f64]| BrenierMap::on_line(y, nu, |p| p).unwrap_err();
    assert!(matches!(
        line(&[1.0], &[1.0]),
        TransportError::TooFew { got: 1, .. }
    ));
    assert_eq!(
        line(&[1.0, 0.0, 1.0], &[0.2, 0.3, 0.5]),
        TransportError::Duplicate {
            first: 0,
            second: 2
        }
    );
    assert!(matches!(
        line(&[0.0, -0.0], &nu),
        TransportError::Duplicate { .. }
    ));
    assert!(matches!(
        line(&[0.0, 1.0], &[0.5, 0.4]),
        TransportError::WeightSum { .. }
    ));
    assert!(matches!(
        line(&[0.0, 1.0], &[0.0, 1.0]),
        TransportError::Weight { index: 0, .. }
    ));
    assert!(matches!(
        line(&[0.0, 1.0], &[1.0]),
        TransportError::Length { .. }
    ));
    assert!(matches!(
        line(&[0.0, f64::NAN], &nu),
        TransportError::NonFinite { .. }
    ));
    let none = BrenierMap::on_line(&[0.0, 1.0], &nu, |_| f64::INFINITY);
    assert!(matches!(none, Err(TransportError::NonFinite { .. })));
    assert!(BrenierMap::new(&[0.0; 3], 2, &[0.0]).is_err());
    assert!(BrenierMap::new(&[0.0; 3], 0, &[0.0]).is_err());

    let plane = [0.0, 0.0, 1.0, 1.0];
    let points = [0.1, 0.2, 0.3, 0.4];
    let fit = |descent, points: &[f64]| {
        let fit = Heights { descent }.fit(&plane, 2, &nu, Draws::Fixed(points));
        fit.unwrap_err()
    };
    let good = Descent::default();
    assert!(matches!(
        fit(good, &points[..2]),
        TransportError::TooFew { .. }
    ));
    assert!(matches!(
        fit(good, &points[..3]),
        TransportError::Length { .. }
    ));
    assert!(matches!(
        fit(good, &[0.0, f64::NAN, 0.0, 0.0]),
        TransportError::NonFinite { .. }
    ));
    for bad in [
        Descent::Decay {
            first: 0.0,
            last: 1.0,
            iterations: 1,
        },
        Descent::Decay {
            first: 1.0,
            last: f64::NAN,
            iterations: 1,
        },
        Descent::Decay {
            first: 1.0,
            last: 1.0,
            iterations: 0,
        },
        Descent::Published {
            rate: 0.1,
            tolerance: 0.0,
            patience: 1,
            iterations: 1,
        },
        Descent::Published {
            rate: 0.1,
            tolerance: 0.1,
            patience: 0,
            iterations: 1,
        },
    ] {
        assert!(matches!(fit(bad, &points), TransportError::Option { .. }));
    }
    let map = BrenierMap::new(&plane, 2, &nu).unwrap();
    let mut out = [7.0; 4];
    assert!(map.map(&[0.0; 3], &mut out).is_err());
    assert!(map.map(&[0.0, f64::INFINITY, 0.0, 0.0], &mut out).is_err());
    assert_eq!(out, [7.0; 4]);
}
