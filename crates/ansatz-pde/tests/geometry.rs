//! Domains: distances, normals, measures, points on and in them.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking; numbers that are placed are met exactly"
)]

mod common;
mod threads;

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use ansatz_pde::core::Key;
use ansatz_pde::{
    Ball, BoxDomain, Cylinder, DomainError, Ellipse, Geometry, GridAt, Moved, PointCloud, Points,
    Polygon, Radial, Sampler, Sequence, SpaceTime,
};
use common::{exact, plate, polygons};

/// Points of a box somewhat larger than the geometry's.
fn around(g: &dyn Geometry, n: usize) -> Points {
    let bounds = g.bounds();
    let unit = Sampler::Uniform.unit(n, g.dims(), Key::new(77)).unwrap();
    let place = |u: &[f64]| -> Vec<f64> {
        let at = |k: usize| {
            let (a, b) = (bounds.low[k], bounds.high[k]);
            a - 0.2 * (b - a) + 1.4 * (b - a) * u[k]
        };
        (0..u.len()).map(at).collect()
    };
    Points::new(g.dims(), unit.rows().flat_map(place).collect()).unwrap()
}

/// Share of uniform points of the bounding box inside, and its standard error.
fn filled(g: &dyn Geometry, n: usize) -> (f64, f64) {
    let bounds = g.bounds();
    let unit = Sampler::Uniform.unit(n, g.dims(), Key::new(5)).unwrap();
    let extents = bounds.extents();
    let data = unit.rows().flat_map(|u| {
        let at = |k: usize| bounds.low[k] + extents[k] * u[k];
        (0..u.len()).map(at).collect::<Vec<_>>()
    });
    let points = Points::new(g.dims(), data.collect()).unwrap();
    let inside = g.contains(&points).unwrap().iter().filter(|i| **i).count();
    let p = inside as f64 / n as f64;
    let volume: f64 = extents.iter().product();
    (p * volume, volume * (p * (1.0 - p) / n as f64).sqrt())
}

/// Closed forms of measures, and the share of random points of the box, within 4 standard errors.
#[test]
fn measures_are_right() {
    for (name, g) in exact() {
        let (found, error) = filled(&*g, 40_000);
        let measure = g.measure().unwrap();
        assert!(
            (found - measure).abs() <= 4.0 * error,
            "{name}: {found}, {measure} ± {error}"
        );
    }
    let five = Ball::new(vec![0.0; 5], 1.2).unwrap();
    // 8π²/15 R⁵, 8π²/3 R⁴
    assert!(
        (five.measure().unwrap() / (8.0 * PI * PI / 15.0 * 1.2_f64.powi(5)) - 1.0).abs() < 1e-13
    );
    assert!(
        (five.boundary_measure().unwrap() / (8.0 * PI * PI / 3.0 * 1.2_f64.powi(4)) - 1.0).abs()
            < 1e-13
    );
    let cylinder = Cylinder::new([0.0; 3], 2, 0.5, 3.0).unwrap();
    assert!((cylinder.boundary_measure().unwrap() - (PI * 3.0 + 0.5 * PI)).abs() < 1e-14);
    let square = Arc::new(BoxDomain::cube(2, 0.0, 2.0).unwrap());
    assert_eq!(square.boundary_measure(), Some(8.0));
    let scaled = Moved::scaled(square.clone(), 3.0).unwrap();
    assert_eq!(
        (scaled.measure(), scaled.boundary_measure()),
        (Some(36.0), Some(24.0))
    );
    let time = SpaceTime::new(square, [1.0, 1.5]).unwrap();
    assert_eq!(
        (time.measure(), time.boundary_measure()),
        (Some(2.0), Some(12.0))
    );
}

/// The distance to the boundary is the least distance to many of its points.
#[test]
fn distances_are_those_to_the_boundary() {
    for (name, g) in exact() {
        if g.dims() > 3 {
            continue;
        }
        let n = if g.dims() == 3 { 40_000 } else { 20_000 };
        let edge = g
            .sample_boundary(n, &Sampler::default(), Key::new(1))
            .unwrap();
        // Points are this far apart on average; none is missed by more than some times that.
        let spacing =
            (g.boundary_measure().unwrap() / n as f64).powf(1.0 / (g.dims() as f64 - 1.0).max(1.0));
        for x in around(&*g, 40).rows() {
            let apart = |p: &[f64]| {
                p.iter()
                    .zip(x)
                    .map(|(p, x)| (p - x) * (p - x))
                    .sum::<f64>()
                    .sqrt()
            };
            let nearest = edge.points.rows().map(apart).fold(f64::INFINITY, f64::min);
            let distance = g.distance(x).abs();
            assert!(
                nearest >= distance - 1e-12 && nearest <= distance + 4.0 * spacing,
                "{name} at {x:?}: {distance}, nearest sample {nearest}"
            );
        }
    }
}

/// Normals are gradients of the distance, by central differences; the distance has slope 1.
#[test]
fn normals_are_gradients() {
    for (name, g) in exact() {
        let d = g.dims();
        let mut normal = vec![0.0; d];
        let mut rough = 0;
        let points = around(&*g, 300);
        for x in points.rows() {
            let h = 1e-6;
            let slope: Vec<f64> = (0..d)
                .map(|k| {
                    let at = |s: f64| {
                        let mut x = x.to_vec();
                        x[k] += s;
                        g.distance(&x)
                    };
                    (at(h) - at(-h)) / (2.0 * h)
                })
                .collect();
            g.normal(x, &mut normal);
            let off = slope
                .iter()
                .zip(&normal)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            // Within h of a medial axis the difference is taken over a kink.
            rough += usize::from(off > 1e-5);
        }
        assert!(rough <= 1, "{name}: {rough} of 300");
    }
}

/// Boundary points lie on the boundary and on their face, with the face's outward unit normal.
#[test]
fn boundary_points_lie_on_their_faces() {
    let mut list = exact();
    list.push(("plate", Arc::new(plate())));
    for sampler in [
        Sampler::default(),
        Sampler::Uniform,
        Sampler::LatinHypercube,
        Sampler::Halton(Sequence::WITHOUT_ORIGIN),
        Sampler::Grid(GridAt::Centres),
    ] {
        for (name, g) in &list {
            let n = 200;
            let edge = g.sample_boundary(n, &sampler, Key::new(2)).unwrap();
            if matches!(sampler, Sampler::Grid(_)) {
                assert!(edge.points.len() >= n / 2, "{name}: {}", edge.points.len());
            } else {
                assert_eq!(edge.points.len(), n, "{name}");
            }
            let step = 1e-5;
            for (i, x) in edge.points.rows().enumerate() {
                let normal = edge.normals.row(i);
                let tolerance = g.tolerance();
                assert!(
                    g.on_boundary(x, tolerance),
                    "{name} {x:?}: {}",
                    g.distance(x)
                );
                assert!(g.on_face(edge.faces[i], x, tolerance), "{name} {x:?}");
                let length: f64 = normal.iter().map(|v| v * v).sum();
                assert!((length - 1.0).abs() < 1e-12, "{name}");
                let moved = |s: f64| -> f64 {
                    let y: Vec<f64> = x.iter().zip(normal).map(|(x, n)| x + s * n).collect();
                    g.distance(&y)
                };
                // Near corners another face is as near; curvature costs a square.
                assert!(moved(step) > 0.5 * step, "{name} at {x:?}: {}", moved(step));
                assert!(moved(-step) < 0.0, "{name} at {x:?}: {}", moved(-step));
            }
        }
    }
}

/// Interior points are inside; their means are those of much larger plain rejection.
#[test]
fn interior_points_are_uniform() {
    let mut list = exact();
    list.push(("plate", Arc::new(plate())));
    for (name, g) in list {
        let d = g.dims();
        // By rejection, which no chart has a part in.
        let pool = around(&*g, 60_000);
        let inside = g.contains(&pool).unwrap();
        let reference: Vec<&[f64]> = pool
            .rows()
            .zip(&inside)
            .filter(|(_, i)| **i)
            .map(|(x, _)| x)
            .collect();
        let features = |x: &[f64]| -> Vec<f64> {
            (0..d)
                .flat_map(|k| [x[k], x[k] * x[k], x[k] * x[(k + 1) % d]])
                .collect()
        };
        let mean = |rows: &mut dyn Iterator<Item = &[f64]>| {
            let (mut sum, mut squares, mut n) = (vec![0.0; 3 * d], vec![0.0; 3 * d], 0.0);
            for x in rows {
                for (k, f) in features(x).iter().enumerate() {
                    sum[k] += f;
                    squares[k] += f * f;
                }
                n += 1.0;
            }
            let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
            let variance = (0..3 * d).map(|k| (squares[k] / n - mean[k] * mean[k]) / n);
            (mean.clone(), variance.collect::<Vec<f64>>())
        };
        let (expected, by) = mean(&mut reference.iter().copied());
        for sampler in [
            Sampler::default(),
            Sampler::Uniform,
            Sampler::LatinHypercube,
            Sampler::Hammersley(Sequence::default()),
        ] {
            let n = 4096;
            let points = g.sample_interior(n, &sampler, Key::new(3)).unwrap();
            assert_eq!(points.len(), n, "{name}");
            let distances = g.distances(&points).unwrap();
            assert!(distances.iter().all(|d| *d <= 1e-13), "{name}");
            let (found, noise) = mean(&mut points.rows());
            for k in 0..3 * d {
                let error = (by[k] + noise[k]).sqrt();
                assert!(
                    (found[k] - expected[k]).abs() <= 4.5 * error,
                    "{name}, {sampler:?}, feature {k}: {}, {} ± {error}",
                    found[k],
                    expected[k]
                );
            }
        }
    }
}

/// Shares of boundary points per face are shares of length; those of a disc are uniform in angle, of a ball in height.
#[test]
fn boundary_points_are_uniform() {
    let box3 = BoxDomain::cuboid([0.0, 1.0], [0.0, 2.0], [0.0, 3.0]).unwrap();
    let edge = box3
        .sample_boundary(2200, &Sampler::default(), Key::new(0))
        .unwrap();
    let on = |f: usize| edge.faces.iter().filter(|i| **i == f).count() as f64;
    for (f, area) in [6.0, 6.0, 3.0, 3.0, 2.0, 2.0].iter().enumerate() {
        assert!((on(f) - 100.0 * area).abs() <= 1.0, "face {f}: {}", on(f));
    }
    let ball = Ball::new(vec![0.0; 3], 1.0).unwrap();
    let sphere = ball
        .sample_boundary(4096, &Sampler::default(), Key::new(0))
        .unwrap();
    for k in 0..3 {
        let mean = sphere.points.column(k).iter().map(|x| x * x).sum::<f64>() / 4096.0;
        assert!((mean - 1.0 / 3.0).abs() < 1e-3, "{mean}");
    }
    // In six dimensions: E x² = 1/6, E x⁴ = 3/(6·8).
    let ball = Ball::new(vec![0.0; 6], 1.0).unwrap();
    let sphere = ball
        .sample_boundary(8192, &Sampler::default(), Key::new(0))
        .unwrap();
    for k in 0..6 {
        let column = sphere.points.column(k);
        let moment = |p: i32| column.iter().map(|x| x.powi(p)).sum::<f64>() / 8192.0;
        assert!((moment(2) - 1.0 / 6.0).abs() < 2e-3 && (moment(4) - 1.0 / 16.0).abs() < 2e-3);
    }
    // Ends of an interval take turns.
    let interval = BoxDomain::interval(0.0, 1.0).unwrap();
    let ends = interval
        .sample_boundary(2, &Sampler::default(), Key::new(9))
        .unwrap();
    assert_eq!(
        (ends.points.as_slice(), ends.normals.as_slice()),
        (&[0.0, 1.0][..], &[-1.0, 1.0][..])
    );
}

/// The radius of STDE's experiments: uniform in [0, R].
#[test]
fn the_radius_of_a_ball_may_be_uniform() {
    for d in [2, 3, 100] {
        let ball = Ball::new(vec![0.0; d], 2.0).unwrap();
        let radii = |radial| {
            let points = ball.clone().with_radial(radial).sample_interior(
                4000,
                &Sampler::Uniform,
                Key::new(4),
            );
            let points = points.unwrap();
            let mut r: Vec<f64> = points
                .rows()
                .map(|x| x.iter().map(|x| x * x).sum::<f64>().sqrt() / 2.0)
                .collect();
            r.sort_by(f64::total_cmp);
            r
        };
        // Kolmogorov and Smirnov's distance at the 1e-4 level: 2.23/√n.
        for (radial, power) in [(Radial::Uniform, 1.0), (Radial::Volume, d as f64)] {
            let r = radii(radial);
            let far = r
                .iter()
                .enumerate()
                .map(|(i, r)| (r.powf(power) - (i as f64 + 0.5) / 4000.0).abs());
            assert!(
                far.fold(0.0, f64::max) < 2.23 / 4000.0_f64.sqrt(),
                "{radial:?} in {d}"
            );
        }
    }
}

/// Distances by SciPy's minimisation, perimeters by its elliptic integral; points uniform in arc length.
#[test]
fn ellipses_are_right() {
    let lines = include_str!("fixtures/points.txt")
        .lines()
        .filter_map(|l| l.strip_prefix("ellipse "));
    let mut count = 0;
    for line in lines {
        let v: Vec<f64> = line.split(' ').map(|w| w.parse().unwrap()).collect();
        let ellipse = Ellipse::new([0.0; 2], [v[0], v[1]], 0.0).unwrap();
        assert!(
            (ellipse.distance(&v[2..4]) - v[4]).abs() < 1e-9,
            "{line}: {}",
            ellipse.distance(&v[2..4])
        );
        assert!(
            (ellipse.boundary_measure().unwrap() / v[5] - 1.0).abs() < 1e-12,
            "{line}"
        );
        let turned = Ellipse::new([3.0, 1.0], [v[0], v[1]], 1.1).unwrap();
        let (sin, cos) = 1.1_f64.sin_cos();
        let x = [3.0 + cos * v[2] - sin * v[3], 1.0 + sin * v[2] + cos * v[3]];
        assert!((turned.distance(&x) - v[4]).abs() < 1e-9);
        count += 1;
    }
    assert_eq!(count, 12);
    // Neighbours on a grid of the boundary are equally far apart along it: chords differ by curvature only.
    let ellipse = Ellipse::new([0.0; 2], [2.0, 0.5], 0.3).unwrap();
    let n = 4000;
    let edge = ellipse
        .sample_boundary(n, &Sampler::Grid(GridAt::Centres), Key::new(0))
        .unwrap();
    let step = ellipse.boundary_measure().unwrap() / n as f64;
    for i in 0..n {
        let (a, b) = (edge.points.row(i), edge.points.row((i + 1) % n));
        let chord = (a[0] - b[0]).hypot(a[1] - b[1]);
        // κ ≤ a/b² = 8: chord = s(1 − (κs)²/24).
        assert!(
            (chord / step - 1.0).abs() < (8.0 * step).powi(2) / 20.0,
            "{chord}, {step}"
        );
    }
    // Centre and points on the axes, where formulas degenerate.
    let round = Ellipse::new([0.0; 2], [1.0, 1.0], 0.0).unwrap();
    let tall = Ellipse::new([0.0; 2], [1.0, 3.0], 0.0).unwrap();
    for (g, x, d) in [
        (&round, [0.0, 0.0], -1.0),
        (&tall, [0.0, 0.0], -1.0),
        (&tall, [0.0, 4.0], 1.0),
        (&tall, [0.0, 2.9], -0.1),
        (&tall, [2.0, 0.0], 1.0),
    ] {
        assert!(
            (g.distance(&x) - d).abs() < 1e-12,
            "{x:?}: {}",
            g.distance(&x)
        );
    }
}

/// Signs of polygons against the winding number by summed angles.
#[test]
fn polygons_know_their_inside() {
    for (name, corners) in polygons() {
        let mut reversed = corners.clone();
        reversed.reverse();
        let (polygon, other) = (
            Polygon::new(&corners).unwrap(),
            Polygon::new(&reversed).unwrap(),
        );
        assert!((polygon.measure().unwrap() - other.measure().unwrap()).abs() < 1e-12);
        for x in around(&polygon, 2000).rows() {
            let angle = |i: usize| {
                let (a, b) = (corners[i], corners[(i + 1) % corners.len()]);
                let (u, v) = ([a[0] - x[0], a[1] - x[1]], [b[0] - x[0], b[1] - x[1]]);
                (u[0] * v[1] - u[1] * v[0]).atan2(u[0] * v[0] + u[1] * v[1])
            };
            let winding = (0..corners.len()).map(angle).sum::<f64>() / TAU;
            let inside = winding.abs() > 0.5;
            assert_eq!(polygon.distance(x) < 0.0, inside, "{name} at {x:?}");
            // Edges run the other way, so points on them are rounded otherwise.
            assert!(
                (polygon.distance(x) - other.distance(x)).abs() < 1e-14,
                "{name}"
            );
        }
    }
    let hexagon = Polygon::regular(6, [1.0, 1.0], 2.0, 0.1).unwrap();
    assert!((hexagon.measure().unwrap() - 6.0 * 3.0_f64.sqrt()).abs() < 1e-13);
}

#[test]
fn point_clouds_give_their_points() {
    let inside = Points::new(2, (0..20).map(f64::from).collect()).unwrap();
    let cloud = PointCloud::new(inside.clone()).unwrap();
    let draw = |n| cloud.sample_interior(n, &Sampler::default(), Key::new(0));
    let drawn = draw(10).unwrap();
    let mut first: Vec<f64> = drawn.column(0);
    first.sort_by(f64::total_cmp);
    assert_eq!(first, inside.column(0));
    assert_eq!(cloud.contains(&drawn).unwrap(), [true; 10]);
    assert!(matches!(
        draw(11),
        Err(DomainError::Count {
            expected: 11,
            got: 10,
            ..
        })
    ));
    let none = cloud.sample_boundary(1, &Sampler::default(), Key::new(0));
    assert!(matches!(none, Err(DomainError::NoPoints { .. })));
    let edge = Points::new(2, vec![-1.0, 0.0, 21.0, 0.0]).unwrap();
    let normals = Points::new(2, vec![-3.0, 0.0, 2.0, 0.0]).unwrap();
    let cloud = cloud.with_boundary(edge, normals).unwrap();
    let edge = cloud
        .sample_boundary(2, &Sampler::default(), Key::new(1))
        .unwrap();
    for (x, n) in edge.points.rows().zip(edge.normals.rows()) {
        assert_eq!(n, [if x[0] < 0.0 { -1.0 } else { 1.0 }, 0.0]);
        assert!(cloud.on_boundary(x, 0.0));
    }
    assert!(PointCloud::new(Points::new(2, vec![]).unwrap()).is_err());
}

#[test]
fn points_do_not_depend_on_the_number_of_threads() {
    let list: Vec<Arc<dyn Geometry>> = vec![
        Arc::new(plate()),
        Arc::new(Ball::new(vec![0.0; 4], 1.0).unwrap()),
    ];
    for g in list {
        let draw = || {
            let inside = g
                .sample_interior(3000, &Sampler::default(), Key::new(6))
                .unwrap();
            let edge = g
                .sample_boundary(3000, &Sampler::default(), Key::new(6))
                .unwrap();
            (inside, edge)
        };
        assert!(threads::alike(draw) == draw());
    }
}

#[test]
fn bad_domains_are_refused() {
    assert!(matches!(
        BoxDomain::interval(1.0, 1.0),
        Err(DomainError::Extent { axis: 0, .. })
    ));
    assert!(matches!(
        BoxDomain::rectangle([0.0, 1.0], [2.0, 1.0]),
        Err(DomainError::Extent { axis: 1, .. })
    ));
    assert!(matches!(
        BoxDomain::interval(f64::NAN, 1.0),
        Err(DomainError::NonFinite { .. })
    ));
    assert!(matches!(
        BoxDomain::new(vec![], vec![]),
        Err(DomainError::Count { .. })
    ));
    assert!(matches!(
        BoxDomain::new(vec![0.0], vec![1.0, 2.0]),
        Err(DomainError::Count { .. })
    ));
    assert!(matches!(
        Ball::new(vec![0.0, 0.0], 0.0),
        Err(DomainError::Value { .. })
    ));
    assert!(matches!(
        Ball::new(vec![0.0], 1.0),
        Err(DomainError::Value { .. })
    ));
    assert!(matches!(
        Ball::new(vec![0.0, f64::INFINITY], 1.0),
        Err(DomainError::NonFinite { index: 1, .. })
    ));
    assert!(matches!(
        Ellipse::new([0.0; 2], [1.0, -1.0], 0.0),
        Err(DomainError::Value { .. })
    ));
    assert!(matches!(
        Cylinder::new([0.0; 3], 3, 1.0, 1.0),
        Err(DomainError::Value { .. })
    ));
    let square: Arc<dyn Geometry> = Arc::new(BoxDomain::cube(2, 0.0, 1.0).unwrap());
    assert!(matches!(
        Moved::new(square.clone(), vec![1.0, 0.1, 0.0, 1.0], 1.0, vec![0.0; 2]),
        Err(DomainError::Rotation { .. })
    ));
    assert!(matches!(
        Moved::translated(square.clone(), vec![0.0]),
        Err(DomainError::Count { .. })
    ));
    assert!(matches!(
        SpaceTime::new(square.clone(), [1.0, 0.0]),
        Err(DomainError::Extent { axis: 2, .. })
    ));
    let time = SpaceTime::new(square.clone(), [0.0, 1.0]).unwrap();
    assert!(matches!(
        time.with_time_axis(3),
        Err(DomainError::Value { .. })
    ));
    let wide = Points::new(3, vec![0.0; 3]).unwrap();
    assert!(matches!(
        square.contains(&wide),
        Err(DomainError::Width {
            expected: 2,
            got: 3,
            ..
        })
    ));
    let sobol = BoxDomain::cube(101, 0.0, 1.0).unwrap();
    assert!(
        sobol
            .sample_interior(4, &Sampler::default(), Key::new(0))
            .is_err()
    );
    assert!(
        sobol
            .sample_interior(4, &Sampler::Uniform, Key::new(0))
            .is_ok()
    );
    // A needle fills 1e-9 of its box.
    let needle = Polygon::triangle([0.0, 0.0], [1.0, 1.0], [1.0, 1.0 + 1e-9]).unwrap();
    assert!(matches!(
        needle.sample_interior(10, &Sampler::Uniform, Key::new(0)),
        Err(DomainError::TooThin { .. })
    ));
}

#[test]
fn polygons_that_are_not_simple_are_refused() {
    let refused = |corners: &[[f64; 2]], pair: (usize, usize)| match Polygon::new(corners) {
        Err(DomainError::Crossing { first, second }) => assert_eq!((first, second), pair),
        other => panic!("{other:?}"),
    };
    refused(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], (0, 2));
    // A fold, a double corner, a corner on another edge.
    refused(&[[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0]], (0, 1));
    refused(&[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], (0, 1));
    refused(
        &[[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 0.0], [0.0, 1.0]],
        (0, 2),
    );
    assert!(matches!(
        Polygon::new(&[[0.0, 0.0], [1.0, 0.0]]),
        Err(DomainError::Count { .. })
    ));
    // Collinear neighbours are no fold.
    let flat = Polygon::new(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]).unwrap();
    assert_eq!(flat.measure(), Some(2.0));
}
