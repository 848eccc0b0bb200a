//! Constructive geometry, parts of boundaries, space-time, periodic images.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking; numbers that are placed are met exactly"
)]

mod common;

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::core::Key;
use ansatz_pde::{
    Ball, Boundary, BoundaryPoints, BoxDomain, Csg, Cylinder, DomainError, Ellipse, Geometry,
    GridAt, Moved, Points, Polygon, Sampler, SpaceTime, Where, periodic_pairs,
};

fn square(x: [f64; 2], y: [f64; 2]) -> Arc<dyn Geometry> {
    Arc::new(BoxDomain::rectangle(x, y).unwrap())
}

fn disc(x: f64, y: f64, r: f64) -> Arc<dyn Geometry> {
    Arc::new(Ball::new(vec![x, y], r).unwrap())
}

fn edge(g: &dyn Geometry, n: usize) -> BoundaryPoints {
    g.sample_boundary(n, &Sampler::default(), Key::new(11))
        .unwrap()
}

/// Share of points that satisfy a condition, against a share of length, within 1 % of all.
#[track_caller]
fn share(points: &Points, of: impl Fn(&[f64]) -> bool, expected: f64) {
    let found = points.rows().filter(|x| of(x)).count() as f64 / points.len() as f64;
    assert!((found - expected).abs() < 0.01, "{found}, {expected}");
}

/// Laws of sets at random points.
#[test]
fn operations_obey_the_laws_of_sets() {
    let (a, b) = (square([-1.0, 1.0], [-1.0, 1.0]), disc(0.7, 0.4, 0.8));
    let c: Arc<dyn Geometry> = Arc::new(Ellipse::new([-0.2, 0.3], [1.2, 0.4], 0.6).unwrap());
    let union = |p: &[&Arc<dyn Geometry>]| -> Arc<dyn Geometry> {
        Arc::new(Csg::union(p.iter().map(|p| (*p).clone()).collect()).unwrap())
    };
    let both = |p: &[&Arc<dyn Geometry>]| -> Arc<dyn Geometry> {
        Arc::new(Csg::intersection(p.iter().map(|p| (*p).clone()).collect()).unwrap())
    };
    let minus = |p: &Arc<dyn Geometry>, q: &[&Arc<dyn Geometry>]| -> Arc<dyn Geometry> {
        Arc::new(Csg::difference(p.clone(), q.iter().map(|q| (*q).clone()).collect()).unwrap())
    };
    let laws = [
        (union(&[&a, &b, &c]), union(&[&c, &union(&[&b, &a])])),
        (minus(&a, &[&b, &c]), minus(&a, &[&union(&[&b, &c])])),
        (minus(&a, &[&b, &c]), minus(&minus(&a, &[&b]), &[&c])),
        (both(&[&a, &b]), minus(&a, &[&minus(&a, &[&b])])),
        (
            both(&[&a, &union(&[&b, &c])]),
            union(&[&both(&[&a, &b]), &both(&[&a, &c])]),
        ),
    ];
    let unit = Sampler::Uniform.unit(20_000, 2, Key::new(1)).unwrap();
    let points = Points::new(2, unit.as_slice().iter().map(|u| 4.0 * u - 2.0).collect()).unwrap();
    for (left, right) in laws {
        assert_eq!(
            left.contains(&points).unwrap(),
            right.contains(&points).unwrap()
        );
        let lengths = [&left, &right].map(|g| edge(&**g, 4000));
        // Boundaries are the same set: each one's points lie on the other's.
        assert!(lengths[0].points.rows().all(|x| right.on_boundary(x, 1e-9)));
        assert!(lengths[1].points.rows().all(|x| left.on_boundary(x, 1e-9)));
    }
}

/// A plate with a round end, a hole in it and an elliptic slot: area and shares of its edge in closed form.
#[test]
fn a_plate_has_its_area_and_edge() {
    let plate = common::plate();
    let bounds = plate.bounds();
    assert_eq!(
        (bounds.low, bounds.high),
        (vec![-2.0, -1.0], vec![3.0, 1.0])
    );
    let unit = Sampler::Uniform.unit(200_000, 2, Key::new(2)).unwrap();
    let at = |u: &[f64]| [5.0 * u[0] - 2.0, 2.0 * u[1] - 1.0];
    let points = Points::new(2, unit.rows().flat_map(at).collect()).unwrap();
    let inside = plate
        .contains(&points)
        .unwrap()
        .iter()
        .filter(|i| **i)
        .count() as f64;
    let p = (8.0 + PI / 2.0 - PI / 4.0 - 0.18 * PI) / 10.0;
    let error = (p * (1.0 - p) / 200_000.0).sqrt();
    assert!((inside / 200_000.0 - p).abs() < 4.0 * error);

    let slot = Ellipse::new([-1.0, 0.0], [0.6, 0.3], 0.5)
        .unwrap()
        .boundary_measure()
        .unwrap();
    let total = 10.0 + PI + PI + slot;
    let edge = edge(&plate, 8000);
    let from = |x: &[f64]| (x[0] - 2.0).hypot(x[1]);
    share(&edge.points, |x| (from(x) - 0.5).abs() < 1e-9, PI / total);
    share(
        &edge.points,
        |x| x[0] > 2.0 && (from(x) - 1.0).abs() < 1e-9,
        PI / total,
    );
    share(&edge.points, |x| x[0] == -2.0, 2.0 / total);
    share(&edge.points, |x| x[1] == 1.0, 4.0 / total);
    // Normals of holes point into them.
    for (x, n) in edge.points.rows().zip(edge.normals.rows()) {
        if (from(x) - 0.5).abs() < 1e-9 {
            assert!((n[0] * (x[0] - 2.0) + n[1] * x[1] + 0.5).abs() < 1e-9);
        }
    }
}

#[test]
fn a_shared_face_of_a_union_is_inside() {
    let pair = Csg::union(vec![
        square([0.0, 1.0], [0.0, 1.0]),
        square([1.0, 2.0], [0.0, 1.0]),
    ])
    .unwrap();
    assert!(!pair.on_boundary(&[1.0, 0.5], 1e-9));
    assert_eq!(
        pair.contains(&Points::new(2, vec![1.0, 0.5]).unwrap())
            .unwrap(),
        [true]
    );
    let edge = edge(&pair, 6000);
    share(&edge.points, |x| (x[0] - 1.0).abs() < 1e-9, 0.0);
    share(&edge.points, |x| x[1] == 0.0, 2.0 / 6.0);
    share(&edge.points, |x| x[0] == 2.0, 1.0 / 6.0);
}

/// Where faces of two parts coincide, points come once.
#[test]
fn faces_that_coincide_are_sampled_once() {
    let pair = Csg::union(vec![
        square([0.0, 2.0], [0.0, 1.0]),
        square([1.0, 3.0], [0.0, 1.0]),
    ])
    .unwrap();
    let drawn = edge(&pair, 8000);
    for k in 0..3 {
        let low = f64::from(k);
        share(
            &drawn.points,
            |x| x[1] == 1.0 && x[0] > low && x[0] < low + 1.0,
            1.0 / 8.0,
        );
    }
    // What is removed reaches the edge: half of the square is left.
    let half = Csg::difference(
        square([0.0, 2.0], [0.0, 2.0]),
        vec![square([1.0, 2.0], [0.0, 2.0])],
    )
    .unwrap();
    let drawn = edge(&half, 6000);
    share(&drawn.points, |x| x[0] == 2.0, 0.0);
    share(&drawn.points, |x| x[0] == 1.0, 2.0 / 6.0);
    for (x, n) in drawn.points.rows().zip(drawn.normals.rows()) {
        if (x[0] - 1.0).abs() < 1e-12 && x[1] > 0.0 && x[1] < 2.0 {
            assert_eq!(n, [1.0, 0.0]);
        }
    }
}

/// A cube with a bore and a dent: volume and shares of its surface.
#[test]
fn solids_have_their_volume_and_surface() {
    let cube = Arc::new(BoxDomain::cube(3, -1.0, 1.0).unwrap());
    let bore = Arc::new(Cylinder::new([0.0; 3], 2, 0.5, 4.0).unwrap());
    let dent = Arc::new(Ball::new(vec![1.0, 0.0, 0.0], 0.3).unwrap());
    let solid = Csg::difference(cube, vec![bore, dent]).unwrap();
    let unit = Sampler::Uniform.unit(100_000, 3, Key::new(3)).unwrap();
    let points = Points::new(3, unit.as_slice().iter().map(|u| 2.0 * u - 1.0).collect()).unwrap();
    let inside = solid
        .contains(&points)
        .unwrap()
        .iter()
        .filter(|i| **i)
        .count() as f64;
    let p = (8.0 - PI / 2.0 - 2.0 / 3.0 * PI * 0.027) / 8.0;
    let error = (p * (1.0 - p) / 1e5_f64).sqrt();
    assert!((inside / 1e5 - p).abs() < 4.0 * error);
    let total = 24.0 - 2.0 * PI * 0.25 + 2.0 * PI - PI * 0.09 + 2.0 * PI * 0.09;
    let surface = edge(&solid, 10_000);
    share(
        &surface.points,
        |x| (x[0].hypot(x[1]) - 0.5).abs() < 1e-9,
        2.0 * PI / total,
    );
    share(&surface.points, |x| x[2] == 1.0, (4.0 - PI * 0.25) / total);
    share(&surface.points, |x| x[0] == 1.0, (4.0 - PI * 0.09) / total);
    let grid = solid
        .sample_interior(1000, &Sampler::Grid(GridAt::Centres), Key::new(0))
        .unwrap();
    assert!((900..1100).contains(&grid.len()), "{}", grid.len());
    let grid = solid
        .sample_boundary(1000, &Sampler::Grid(GridAt::Centres), Key::new(0))
        .unwrap();
    assert!(
        (850..1200).contains(&grid.points.len()),
        "{}",
        grid.points.len()
    );
}

#[test]
fn operations_without_effect_are_refused() {
    let a = square([0.0, 1.0], [0.0, 1.0]);
    let away = disc(3.0, 3.0, 0.5);
    let nothing = |holes: Vec<Arc<dyn Geometry>>| Csg::difference(a.clone(), holes).unwrap_err();
    assert_eq!(
        nothing(vec![away.clone()]),
        DomainError::NothingRemoved { part: 1 }
    );
    assert_eq!(
        nothing(vec![disc(0.5, 0.5, 0.1), away.clone()]),
        DomainError::NothingRemoved { part: 2 }
    );
    // Boxes overlap, bodies do not.
    assert_eq!(
        nothing(vec![disc(1.4, 1.4, 0.5)]),
        DomainError::NothingRemoved { part: 1 }
    );
    // A common face is not a common part.
    assert_eq!(
        nothing(vec![square([1.0, 2.0], [0.0, 1.0])]),
        DomainError::NothingRemoved { part: 1 }
    );
    let left = DomainError::NothingLeft {
        operation: "difference",
    };
    assert_eq!(nothing(vec![disc(0.5, 0.5, 1.0)]), left);
    assert_eq!(
        nothing(vec![
            square([0.0, 0.6], [0.0, 1.0]),
            square([0.6, 1.0], [0.0, 1.0])
        ]),
        left
    );
    let none = Csg::intersection(vec![a.clone(), away]).unwrap_err();
    assert_eq!(
        none,
        DomainError::NothingLeft {
            operation: "intersection"
        }
    );
    assert!(matches!(
        Csg::union(vec![]),
        Err(DomainError::Count { got: 0, .. })
    ));
    let line: Arc<dyn Geometry> = Arc::new(BoxDomain::interval(0.0, 1.0).unwrap());
    assert!(matches!(
        Csg::union(vec![a.clone(), line]),
        Err(DomainError::Width {
            expected: 2,
            got: 1,
            ..
        })
    ));
    // A hole of 3e-6 of the area is seen.
    assert!(Csg::difference(a, vec![disc(0.501, 0.499, 1e-3)]).is_ok());
}

#[test]
fn parts_of_boundaries_are_found_by_name_value_and_predicate() {
    let g = square([0.0, 2.0], [0.0, 1.0]);
    let part = |place| Boundary::new("part", g.clone(), place);
    let draw = |place| {
        part(place)
            .unwrap()
            .sample(50, &Sampler::default(), Key::new(0))
            .unwrap()
    };
    let left = draw(Where::face("left"));
    assert!(left.points.rows().all(|x| x[0] == 0.0) && left.points.len() == 50);
    let top = draw(Where::Coordinate {
        axis: 1,
        value: 1.0,
    });
    assert!(top.points.rows().all(|x| x[1] == 1.0) && top.points.len() == 50);
    assert!(top.faces.iter().all(|f| *f == 3));
    let near = draw(Where::predicate(|x| x[0] + x[1] < 0.5));
    assert!(near.points.rows().all(|x| x[0] + x[1] < 0.5) && near.points.len() == 50);
    // Half of it lies on each axis.
    share(
        &draw(Where::predicate(|x| x[0] + x[1] < 0.5)).points,
        |x| x[0] == 0.0,
        0.5,
    );
    assert_eq!(part(Where::face("left")).unwrap().measure(), Some(1.0));
    assert_eq!(part(Where::Everywhere).unwrap().measure(), Some(6.0));
    let probes = Points::new(2, vec![0.0, 0.5, 0.5, 0.0, 0.0, 1.5, 0.1, 0.5]).unwrap();
    let on = part(Where::face("left"))
        .unwrap()
        .contains(&probes)
        .unwrap();
    assert_eq!(on, [true, false, false, false]);
    assert!(
        matches!(part(Where::Coordinate { axis: 0, value: 0.7 }), Err(DomainError::EmptyBoundary { name }) if name == "part")
    );
    assert!(matches!(
        part(Where::Coordinate {
            axis: 2,
            value: 0.0
        }),
        Err(DomainError::Value { .. })
    ));
    assert!(matches!(
        part(Where::Coordinate {
            axis: 0,
            value: f64::NAN
        }),
        Err(DomainError::NonFinite { .. })
    ));
    match part(Where::face("lid")) {
        Err(DomainError::NoFace { name, known }) => {
            assert_eq!(
                (name.as_str(), known),
                (
                    "lid",
                    ["left", "right", "bottom", "top"]
                        .map(String::from)
                        .to_vec()
                )
            );
        }
        other => panic!("{other:?}"),
    }
    // Of a solid, by the part's number or without it.
    let ring: Arc<dyn Geometry> =
        Arc::new(Csg::difference(disc(0.0, 0.0, 2.0), vec![disc(0.0, 0.0, 1.0)]).unwrap());
    let radius = |name: &str| {
        let part = Boundary::new("c", ring.clone(), Where::face(name)).unwrap();
        let points = part
            .sample(100, &Sampler::default(), Key::new(0))
            .unwrap()
            .points;
        let radii: Vec<f64> = points.rows().map(|x| x[0].hypot(x[1])).collect();
        radii.iter().sum::<f64>() / 100.0
    };
    assert!((radius("0:sphere") - 2.0).abs() < 1e-12 && (radius("1:sphere") - 1.0).abs() < 1e-12);
    assert!((radius("sphere") - 5.0 / 3.0).abs() < 0.02);
    // A face that the hole removes whole.
    let cut = Csg::difference(g, vec![square([1.5, 3.0], [-1.0, 2.0])]).unwrap();
    let right = Boundary::new("outflow", Arc::new(cut), Where::face("0:right"));
    assert!(matches!(right, Err(DomainError::EmptyBoundary { name }) if name == "outflow"));
}

#[test]
fn space_time_has_slices_and_a_side() {
    let spaces: Vec<Arc<dyn Geometry>> = vec![
        square([0.0, 2.0], [0.0, 1.0]),
        disc(1.0, 0.0, 2.0),
        Arc::new(Polygon::new(&common::polygons()[3].1).unwrap()),
        Arc::new(common::plate()),
        Arc::new(Moved::rotated(square([0.0, 2.0], [0.0, 1.0]), 0.3).unwrap()),
        Arc::new(BoxDomain::interval(-1.0, 1.0).unwrap()),
    ];
    for space in spaces {
        for axis in [0, space.dims()] {
            let domain = SpaceTime::new(space.clone(), [0.5, 2.0])
                .unwrap()
                .with_time_axis(axis)
                .unwrap();
            let place = |x: &[f64]| -> Vec<f64> {
                (0..x.len()).filter(|k| *k != axis).map(|k| x[k]).collect()
            };
            let draw = |part: Boundary| part.sample(300, &Sampler::default(), Key::new(4)).unwrap();
            for (part, t, forward) in [(domain.initial(), 0.5, -1.0), (domain.end(), 2.0, 1.0)] {
                let drawn = draw(part);
                assert_eq!(drawn.points.len(), 300);
                for (x, n) in drawn.points.rows().zip(drawn.normals.rows()) {
                    assert_eq!((x[axis], n[axis]), (t, forward));
                    assert!(space.distance(&place(x)) <= 1e-14);
                }
            }
            let side = draw(domain.side());
            assert_eq!(side.points.len(), 300);
            let mean = side.points.column(axis).iter().sum::<f64>() / 300.0;
            assert!((mean - 1.25).abs() < 0.1, "{mean}");
            for (x, n) in side.points.rows().zip(side.normals.rows()) {
                assert!(space.on_boundary(&place(x), space.tolerance()) && n[axis] == 0.0);
                assert!(domain.on_boundary(x, domain.tolerance()));
            }
            let inside = domain
                .sample_interior(300, &Sampler::default(), Key::new(4))
                .unwrap();
            for x in inside.rows() {
                assert!(space.distance(&place(x)) <= 1e-14 && x[axis] >= 0.5 && x[axis] <= 2.0);
            }
            // Outside in space and time: a right triangle of distances.
            if space.dims() == 1 {
                let mut far = vec![4.0; 2];
                far[axis] = 6.0;
                assert_eq!(domain.distance(&far), 5.0);
            }
        }
    }
    let domain =
        SpaceTime::new(Arc::new(BoxDomain::interval(0.0, 1.0).unwrap()), [0.0, 1.0]).unwrap();
    let names: Vec<String> = domain.faces().into_iter().map(|f| f.name).collect();
    assert_eq!(names, ["left", "right", "initial", "end"]);
}

#[test]
fn periodic_images_lie_opposite() {
    let g = square([0.0, 2.0], [0.0, 1.0]);
    let pair =
        |g: Arc<dyn Geometry>, axis| periodic_pairs(g, axis, 20, &Sampler::default(), Key::new(0));
    let [low, high] = pair(g.clone(), 1).unwrap();
    assert_eq!(
        (low.column(1), high.column(1)),
        (vec![0.0; 20], vec![1.0; 20])
    );
    assert_eq!(low.column(0), high.column(0));
    let domain: Arc<dyn Geometry> = Arc::new(SpaceTime::new(g.clone(), [0.0, 1.0]).unwrap());
    let [low, high] = pair(domain, 0).unwrap();
    assert_eq!(
        (low.column(1), low.column(2)),
        (high.column(1), high.column(2))
    );
    assert!(matches!(
        pair(disc(0.0, 0.0, 1.0), 0),
        Err(DomainError::EmptyBoundary { .. })
    ));
    let l: Arc<dyn Geometry> = Arc::new(Polygon::new(&common::polygons()[3].1).unwrap());
    assert!(matches!(
        pair(l, 0),
        Err(DomainError::NotPeriodic { axis: 0, .. })
    ));
    assert!(pair(g, 2).is_err());
}
