//! What the tests share.
#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;

use ansatz_pde::autodiff::{Array, Graph, Options, Program};
use ansatz_pde::{Ball, BoxDomain, Csg, Cylinder, Ellipse, Geometry, Moved, Polygon, SpaceTime};

/// The elements of arrays for one input.
pub(crate) fn run(g: &Graph, outputs: &[Array<'_>], x: &[f64]) -> Vec<Vec<f64>> {
    let program = Program::<f64>::compile(&g.finish(outputs), &Options::default()).unwrap();
    let sizes = outputs.iter().map(|o| o.shape().len());
    let mut results: Vec<Vec<f64>> = sizes.map(|n| vec![f64::NAN; n]).collect();
    let mut views: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&[x], &mut views).unwrap();
    results
}

/// A comb with teeth of one height, a spiral of two turns, a star: polygons with many re-entrant corners.
pub(crate) fn polygons() -> Vec<(&'static str, Vec<[f64; 2]>)> {
    let comb = vec![
        [0.0, 0.0],
        [5.0, 0.0],
        [5.0, 2.0],
        [4.0, 2.0],
        [4.0, 1.0],
        [3.0, 1.0],
        [3.0, 2.0],
        [2.0, 2.0],
        [2.0, 1.0],
        [1.0, 1.0],
        [1.0, 2.0],
        [0.0, 2.0],
    ];
    let spiral = vec![
        [0.0, 0.0],
        [6.0, 0.0],
        [6.0, 6.0],
        [1.0, 6.0],
        [1.0, 2.0],
        [4.0, 2.0],
        [4.0, 4.0],
        [3.0, 4.0],
        [3.0, 3.0],
        [2.0, 3.0],
        [2.0, 5.0],
        [5.0, 5.0],
        [5.0, 1.0],
        [0.0, 1.0],
    ];
    let star = (0..14)
        .map(|i| {
            let r = if i % 2 == 0 { 2.0 } else { 0.7 };
            let (sin, cos) = (0.3 + std::f64::consts::PI * f64::from(i) / 7.0).sin_cos();
            [r * cos, r * sin]
        })
        .collect();
    let l = vec![
        [0.0, 0.0],
        [1.0, 0.0],
        [1.0, -1.0],
        [-1.0, -1.0],
        [-1.0, 1.0],
        [0.0, 1.0],
    ];
    let triangle = vec![[0.0, 0.0], [2.0, 0.5], [-0.3, 1.5]];
    vec![
        ("comb", comb),
        ("spiral", spiral),
        ("star", star),
        ("L", l),
        ("triangle", triangle),
    ]
}

/// A geometry of each kind that has an exact distance.
pub(crate) fn exact() -> Vec<(&'static str, Arc<dyn Geometry>)> {
    let ball = |c: &[f64], r| Arc::new(Ball::new(c.to_vec(), r).unwrap());
    let square: Arc<dyn Geometry> =
        Arc::new(BoxDomain::rectangle([-1.0, 2.0], [0.0, 1.0]).unwrap());
    let ellipse = Arc::new(Ellipse::new([0.3, -0.2], [2.0, 0.7], 0.4).unwrap());
    let mut list: Vec<(&'static str, Arc<dyn Geometry>)> = vec![
        (
            "interval",
            Arc::new(BoxDomain::interval(-1.0, 2.0).unwrap()),
        ),
        ("rectangle", square.clone()),
        (
            "cuboid",
            Arc::new(BoxDomain::cuboid([0.0, 1.0], [-1.0, 0.5], [2.0, 4.0]).unwrap()),
        ),
        ("5-cube", Arc::new(BoxDomain::cube(5, -1.0, 1.0).unwrap())),
        ("disc", ball(&[1.0, -1.0], 1.5)),
        ("ball", ball(&[0.0, 0.5, 1.0], 0.8)),
        ("5-ball", ball(&[0.0, 0.1, 0.2, 0.3, 0.4], 1.2)),
        ("6-ball", ball(&[0.0; 6], 1.0)),
        ("ellipse", ellipse.clone()),
        (
            "cylinder",
            Arc::new(Cylinder::new([0.5, 0.0, -0.5], 1, 0.6, 1.4).unwrap()),
        ),
        (
            "turned rectangle",
            Arc::new(Moved::rotated(square.clone(), 0.7).unwrap()),
        ),
        (
            "moved ellipse",
            Arc::new(Moved::new(ellipse, vec![0.6, -0.8, 0.8, 0.6], 1.7, vec![1.0, 2.0]).unwrap()),
        ),
        (
            "rectangle in time",
            Arc::new(SpaceTime::new(square, [0.5, 2.0]).unwrap()),
        ),
        (
            "time, then disc",
            Arc::new(
                SpaceTime::new(ball(&[0.0, 0.0], 1.0), [0.0, 1.0])
                    .and_then(|s| s.with_time_axis(0))
                    .unwrap(),
            ),
        ),
    ];
    for (name, corners) in polygons() {
        list.push((name, Arc::new(Polygon::new(&corners).unwrap())));
    }
    list
}

/// A plate with two holes and a disc added, turned.
pub(crate) fn plate() -> Csg {
    let plate = Arc::new(BoxDomain::rectangle([-2.0, 2.0], [-1.0, 1.0]).unwrap());
    let disc = Arc::new(Ball::new(vec![2.0, 0.0], 1.0).unwrap());
    let hole = Arc::new(Ball::new(vec![2.0, 0.0], 0.5).unwrap());
    let slot = Arc::new(Ellipse::new([-1.0, 0.0], [0.6, 0.3], 0.5).unwrap());
    let body = Arc::new(Csg::union(vec![plate, disc]).unwrap());
    Csg::difference(body, vec![hole, slot]).unwrap()
}
