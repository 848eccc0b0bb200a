//! Samplers against SciPy's numbers, their structure and the order of their errors.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking; numbers that are placed are met exactly"
)]

use ansatz_pde::core::Key;
use ansatz_pde::points::adaptive::{greedy, retained};
use ansatz_pde::{
    BoxDomain, Density, DomainError, Geometry, GridAt, Points, Refinement, Sampler, Scramble,
    Sequence,
};

const FIXTURE: &str = include_str!("fixtures/points.txt");

fn lines(name: &str) -> impl Iterator<Item = Vec<f64>> {
    FIXTURE.lines().filter_map(move |l| {
        let mut words = l.split(' ');
        (words.next() == Some(name)).then(|| words.map(|w| w.parse().unwrap()).collect())
    })
}

fn owen() -> Sequence {
    Sequence::default()
}

fn shifted() -> Sequence {
    Sequence {
        scramble: Scramble::DigitalShift,
        skip: 0,
    }
}

fn all() -> Vec<Sampler> {
    vec![
        Sampler::Grid(GridAt::Centres),
        Sampler::Grid(GridAt::Nodes),
        Sampler::Uniform,
        Sampler::LatinHypercube,
        Sampler::Halton(Sequence::PLAIN),
        Sampler::Halton(shifted()),
        Sampler::Halton(owen()),
        Sampler::Hammersley(Sequence::WITHOUT_ORIGIN),
        Sampler::Hammersley(owen()),
        Sampler::Sobol(Sequence::PLAIN),
        Sampler::Sobol(shifted()),
        Sampler::Sobol(owen()),
    ]
}

#[test]
fn sequences_are_those_of_scipy() {
    let key = Key::new(0);
    for (name, dims) in [("sobol", 21), ("sobol100", 100), ("halton", 6)] {
        let mut count = 0;
        for line in lines(name) {
            let i = line[0] as usize;
            let sampler = if name == "halton" {
                Sampler::Halton(Sequence::PLAIN)
            } else {
                Sampler::Sobol(Sequence::PLAIN)
            };
            let points = sampler.unit(i + 1, dims, key).unwrap();
            for (a, b) in points.row(i).iter().zip(&line[1..]) {
                assert!((a - b).abs() < 1e-15, "{name} {i}: {a}, {b}");
            }
            count += 1;
        }
        assert!(count > 0);
    }
}

#[test]
fn a_sequence_begins_like_a_longer_one() {
    for sampler in all().into_iter().filter(Sampler::is_sequence) {
        let short = sampler.unit(37, 3, Key::new(5)).unwrap();
        let long = sampler.unit(2000, 3, Key::new(5)).unwrap();
        assert_eq!(short.as_slice(), &long.as_slice()[..37 * 3], "{sampler:?}");
    }
}

#[test]
fn dropping_the_origin_shifts_the_sequence_by_one() {
    for make in [Sampler::Sobol, Sampler::Halton] {
        let with = make(Sequence::PLAIN).unit(9, 4, Key::new(0)).unwrap();
        let without = make(Sequence::WITHOUT_ORIGIN)
            .unit(8, 4, Key::new(0))
            .unwrap();
        assert_eq!(with.row(0), [0.0; 4]);
        assert_eq!(with.as_slice()[4..], *without.as_slice());
    }
    let points = Sampler::Hammersley(Sequence::PLAIN).unit(8, 2, Key::new(0));
    let first: Vec<f64> = (0..8).map(|i| f64::from(i) / 8.0).collect();
    assert_eq!(points.unwrap().column(0), first);
}

/// Points stay in the cube, differ between keys if they are random, and do not depend on the number of threads.
#[test]
fn points_lie_in_the_cube_and_follow_the_key() {
    for sampler in all() {
        let points = sampler.unit(700, 3, Key::new(1)).unwrap();
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let alone = one.install(|| sampler.unit(700, 3, Key::new(1)).unwrap());
        assert_eq!(points, alone, "{sampler:?}");
        let below = if sampler == Sampler::Grid(GridAt::Nodes) {
            1.0
        } else {
            1.0 - f64::EPSILON / 2.0
        };
        assert!(points.as_slice().iter().all(|x| (0.0..=below).contains(x)));
        let other = sampler.unit(700, 3, Key::new(2)).unwrap();
        let random = format!("{sampler:?}");
        let random = !random.contains("None") && !random.contains("Grid");
        assert_eq!(points != other, random, "{sampler:?}");
    }
}

/// Of 2ᵏ points of the first two coordinates, each elementary interval of area 2⁻ᵏ holds one: Sobol's first two coordinates are
/// a (0, 2)-sequence in base 2, and scrambling keeps it.
#[test]
fn scrambling_keeps_the_net() {
    for sequence in [Sequence::PLAIN, shifted(), owen()] {
        for seed in 0..4 {
            let points = Sampler::Sobol(sequence)
                .unit(256, 2, Key::new(seed))
                .unwrap();
            for k in 0..=8 {
                let (across, up) = (1 << k, 1 << (8 - k));
                let mut seen = vec![0; 256];
                for p in points.rows() {
                    let (i, j) = (p[0] * f64::from(across), p[1] * f64::from(up));
                    seen[i as usize * up as usize + j as usize] += 1;
                }
                assert_eq!(seen, vec![1; 256], "{sequence:?}, {across} by {up}");
            }
        }
    }
}

/// Each scrambled point is uniform: means and variances of one coordinate of one point over keys.
#[test]
fn a_scrambled_point_is_uniform() {
    for sampler in [
        Sampler::Sobol(owen()),
        Sampler::Sobol(shifted()),
        Sampler::Halton(owen()),
        Sampler::Halton(shifted()),
    ] {
        for (i, axis) in [(0, 0), (5, 2)] {
            let draws = 4000;
            let values =
                (0..draws).map(|s| sampler.unit(i + 1, 3, Key::new(s)).unwrap().row(i)[axis]);
            let (mut sum, mut squares) = (0.0, 0.0);
            for v in values {
                sum += v;
                squares += (v - 0.5) * (v - 0.5);
            }
            let (mean, variance) = (sum / 4000.0, squares / 4000.0);
            // Standard errors of a uniform number: √(1/12n), √(1/180n).
            assert!(
                (mean - 0.5).abs() < 4.0 * (1.0 / 12.0 / 4000.0_f64).sqrt(),
                "{sampler:?} {mean}"
            );
            assert!(
                (variance - 1.0 / 12.0).abs() < 4.0 * (1.0 / 180.0 / 4000.0_f64).sqrt(),
                "{sampler:?} {variance}"
            );
        }
    }
}

#[test]
fn each_stratum_of_a_latin_hypercube_holds_one_point() {
    let points = Sampler::LatinHypercube.unit(1000, 4, Key::new(3)).unwrap();
    for axis in 0..4 {
        let mut strata: Vec<usize> = points
            .column(axis)
            .iter()
            .map(|x| (x * 1000.0) as usize)
            .collect();
        strata.sort_unstable();
        assert!(strata.iter().copied().eq(0..1000));
    }
}

#[test]
fn grids_are_grids() {
    let points = Sampler::Grid(GridAt::Nodes)
        .unit(9, 2, Key::new(0))
        .unwrap();
    let expected: Vec<f64> = (0..9)
        .flat_map(|i| [f64::from(i / 3) / 2.0, f64::from(i % 3) / 2.0])
        .collect();
    assert_eq!(points.as_slice(), expected);
    // The nearest full grid above 10 points; cells of a long box near to squares.
    assert_eq!(
        Sampler::Grid(GridAt::Centres)
            .unit(10, 2, Key::new(0))
            .unwrap()
            .len(),
        12
    );
    let long = BoxDomain::rectangle([0.0, 4.0], [0.0, 1.0]).unwrap();
    let points = long
        .sample_interior(400, &Sampler::Grid(GridAt::Centres), Key::new(0))
        .unwrap();
    let mut xs = points.column(0);
    xs.dedup();
    assert_eq!((points.len(), xs.len()), (400, 40));
    // 20 axes of which 10 are cut in two, not 2^20 points.
    assert_eq!(
        Sampler::Grid(GridAt::Centres)
            .unit(1000, 20, Key::new(0))
            .unwrap()
            .len(),
        1024
    );
}

/// Root mean square error over keys of the mean of Π eˣ/(e − 1), whose integral is 1.
fn error(sampler: Sampler, n: usize, dims: usize, keys: u64) -> f64 {
    let f = |x: &[f64]| -> f64 { x.iter().map(|x| x.exp() / (1.0_f64.exp() - 1.0)).product() };
    let squares = (0..keys).map(|s| {
        let points = sampler.unit(n, dims, Key::new(s)).unwrap();
        let mean = points.rows().map(f).sum::<f64>() / points.len() as f64;
        (mean - 1.0) * (mean - 1.0)
    });
    (squares.sum::<f64>() / keys as f64).sqrt()
}

/// Orders of the error in n on a smooth integrand of two coordinates.
#[test]
fn errors_fall_as_the_table_says() {
    let cases = [
        (Sampler::Uniform, 0.5, 0.1),
        (Sampler::Grid(GridAt::Centres), 1.0, 0.05),
        (Sampler::Halton(owen()), 1.0, 0.25),
        (Sampler::Hammersley(owen()), 1.0, 0.25),
        (Sampler::Sobol(shifted()), 1.0, 0.2),
        (Sampler::Sobol(owen()), 1.5, 0.2),
    ];
    for (sampler, order, slack) in cases {
        let (few, many) = (error(sampler, 256, 2, 40), error(sampler, 4096, 2, 40));
        let found = (few / many).log2() / 4.0;
        assert!(
            (found - order).abs() <= slack,
            "{sampler:?}: order {found:.2}, expected {order}"
        );
    }
    // A Latin hypercube removes what depends on one coordinate.
    let one = |n| error(Sampler::LatinHypercube, n, 1, 60);
    let found = (one(64) / one(1024)).log2() / 4.0;
    assert!((found - 1.5).abs() < 0.15, "order {found:.2}");
}

#[test]
fn bad_points_are_refused() {
    assert!(matches!(
        Points::new(2, vec![0.0; 3]),
        Err(DomainError::Rows {
            numbers: 3,
            dims: 2
        })
    ));
    assert!(matches!(
        Points::new(0, vec![]),
        Err(DomainError::Rows { .. })
    ));
    assert!(matches!(
        Points::new(1, vec![0.0, f64::NAN]),
        Err(DomainError::NonFinite { index: 1, .. })
    ));
    assert!(matches!(
        Sampler::default().unit(4, 101, Key::new(0)),
        Err(DomainError::Value { value: 101.0, .. })
    ));
    assert!(Sampler::Uniform.unit(4, 1000, Key::new(0)).is_ok());
    assert!(matches!(
        Sampler::Uniform.unit(4, 0, Key::new(0)),
        Err(DomainError::Value { .. })
    ));
}

/// How often each candidate is drawn, over many keys.
fn frequencies(density: Density, residual: &[f64], n: usize, keys: u64) -> Vec<f64> {
    let mut counts = vec![0.0; residual.len()];
    for s in 0..keys {
        for i in density.draw(residual, n, Key::new(s)).unwrap() {
            counts[i] += 1.0 / keys as f64;
        }
    }
    counts
}

/// k = 0 or c = ∞: every candidate has the same chance.
#[test]
fn a_flat_density_is_uniform() {
    let residual: Vec<f64> = (0..20).map(|i| f64::from(i * i)).collect();
    let flat = [(0.0, 1.0), (0.0, 0.0), (1.0, f64::INFINITY), (1.0, 1e300)];
    for (power, floor) in flat {
        let density = Density { power, floor };
        let keys = 20_000;
        let found = frequencies(density, &residual, 5, keys);
        // Binomial with p = 1/4; 20 candidates at 4 standard errors.
        let error = (0.25 * 0.75 / keys as f64).sqrt();
        for f in found {
            assert!((f - 0.25).abs() < 4.0 * error, "{density:?}: {f}");
        }
    }
}

/// One draw follows p; the first two of a small case follow successive draws without replacement.
#[test]
fn draws_follow_the_density() {
    let residual = [0.5, -1.0, 0.0, 4.0, 2.5];
    for (power, floor) in [(1.0, 1.0), (2.0, 0.0), (1.0, 0.0), (0.5, 2.0)] {
        let powers: Vec<f64> = residual.iter().map(|r: &f64| r.abs().powf(power)).collect();
        let mean = powers.iter().sum::<f64>() / 5.0;
        let p: Vec<f64> = powers
            .iter()
            .map(|v| (v / mean + floor) / (5.0 * (1.0 + floor)))
            .collect();
        let keys = 20_000;
        let density = Density { power, floor };
        let one = frequencies(density, &residual, 1, keys);
        let two = frequencies(density, &residual, 2, keys);
        for i in 0..5 {
            let second: f64 = (0..5)
                .filter(|j| *j != i)
                .map(|j| p[j] * p[i] / (1.0 - p[j]))
                .sum();
            for (found, p) in [(one[i], p[i]), (two[i], p[i] + second)] {
                let error = (p * (1.0 - p) / keys as f64).sqrt();
                assert!(
                    (found - p).abs() <= 4.0 * error,
                    "{density:?} {i}: {found}, {p}"
                );
            }
        }
    }
}

#[test]
fn greedy_refinement_takes_the_largest() {
    assert_eq!(greedy(&[1.0, -5.0, 3.0, 5.0, 0.0], 3).unwrap(), [1, 2, 3]);
    assert_eq!(greedy(&[1.0, 1.0, 1.0], 2).unwrap(), [0, 1]);
    assert_eq!(retained(&[1.0, -5.0, 3.0, 1.0]).unwrap(), [1, 2]);
    assert_eq!(retained(&[2.0; 4]).unwrap(), Vec::<usize>::new());
}

#[test]
fn refinements_keep_what_they_say() {
    let domain = BoxDomain::cube(2, 0.0, 1.0).unwrap();
    let points = domain
        .sample_interior(100, &Sampler::default(), Key::new(0))
        .unwrap();
    let draw = |n, key| domain.sample_interior(n, &Sampler::Uniform, key);
    // A ridge at x = 0.7.
    let ridge = |x: &[f64]| -> Vec<f64> {
        x.chunks(2)
            .map(|p| (-(p[0] - 0.7).powi(2) / 2e-4).exp())
            .collect()
    };
    let near = |p: &Points| p.rows().filter(|x| (x[0] - 0.7).abs() < 0.05).count();
    let next = |r: Refinement| r.next(&points, 2000, draw, ridge, Key::new(1)).unwrap();
    let follow = Density::FOLLOWING;
    for (refinement, len) in [
        (Refinement::RarG { add: 30 }, 130),
        (
            Refinement::RarD {
                add: 30,
                density: follow,
            },
            130,
        ),
    ] {
        let grown = next(refinement);
        assert_eq!(grown.as_slice()[..200], *points.as_slice());
        assert_eq!((grown.len(), near(&grown)), (len, near(&points) + 30));
    }
    let moved = next(Refinement::Rad { density: follow });
    assert_eq!((moved.len(), near(&moved)), (100, 100));
    // Half of the mass is uniform where k = c = 1.
    let mixed = next(Refinement::Rad {
        density: Density::default(),
    });
    assert!((40..=70).contains(&near(&mixed)), "{}", near(&mixed));
    let r = ridge(points.as_slice());
    let mean = r.iter().sum::<f64>() / 100.0;
    let above: Vec<usize> = (0..100).filter(|i| r[*i] > mean).collect();
    let kept = next(Refinement::R3);
    assert_eq!(kept.len(), 100);
    assert_eq!(
        kept.as_slice()[..2 * above.len()],
        *points.select(&above).as_slice()
    );
}

#[test]
fn bad_residuals_are_refused() {
    let points = Points::new(1, vec![0.0, 1.0]).unwrap();
    let draw = |n, key| Sampler::Uniform.unit(n, 1, key);
    let refine = Refinement::RarG { add: 3 };
    let nan = |x: &[f64]| vec![f64::NAN; x.len()];
    let ones = |x: &[f64]| vec![1.0; x.len()];
    let key = Key::new(0);
    assert!(matches!(
        refine.next(&points, 9, draw, nan, key),
        Err(DomainError::NonFinite { .. })
    ));
    assert!(matches!(
        refine.next(&points, 2, draw, ones, key),
        Err(DomainError::Count {
            expected: 3,
            got: 2,
            ..
        })
    ));
    assert!(matches!(
        refine.next(&points, 9, draw, |_| vec![1.0], key),
        Err(DomainError::Count {
            expected: 9,
            got: 1,
            ..
        })
    ));
    let wide = |n, key| Sampler::Uniform.unit(n, 2, key);
    assert!(matches!(
        refine.next(&points, 9, wide, ones, key),
        Err(DomainError::Width { .. })
    ));
    let density = Density {
        power: -1.0,
        floor: 1.0,
    };
    assert!(matches!(
        density.weights(&[1.0]),
        Err(DomainError::Value { .. })
    ));
    assert_eq!(Density::default().weights(&[0.0; 3]).unwrap(), [2.0; 3]);
}
