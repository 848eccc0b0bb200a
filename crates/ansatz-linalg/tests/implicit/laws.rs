//! The adjoint identity and central differences, for every map.

use ansatz_linalg::core::{Key, stream};
use ansatz_linalg::implicit::{
    Bilinear, BoxSection, Compose, Cone, ConicProgram, Descent, Elementwise, EntropicIsotonic,
    FixedPoint, Geometry, GroupKind, Grouped, ImplicitOptions, Isotonic, Order, Parameters,
    ParametricMap, Point, Polyhedron, Proximal, QuadraticProgram, Separable, Stack, Transport,
    root_jvp, root_vjp,
};

use super::maps::{design, layer, least_squares, quadratic, ridge, targets};

fn normal(seed: u64, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    Key::new(seed).fill_normal(stream::INITIAL, &mut out);
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn refs(v: &[Vec<f64>]) -> Vec<&[f64]> {
    v.iter().map(Vec::as_slice).collect()
}

/// Checks the four products of `map`, at a point where it is smooth; `along` are directions in which arguments may move.
#[track_caller]
fn check(name: &str, map: &dyn ParametricMap, x: &[f64], args: &[Vec<f64>], along: &[Vec<f64>]) {
    let (n, m) = (map.unknowns(), map.outputs());
    let mut y = vec![0.0; m];
    let at = refs(args);
    let derivative = map.linearise(Point { x, args: &at }, &mut y).unwrap();
    let (w, v) = (normal(11, n), normal(12, m));
    let size = 1.0 + dot(&v, &v).sqrt() * dot(&w, &w).sqrt();
    let (mut jw, mut jv) = (vec![0.0; m], vec![0.0; n]);
    derivative.jvp_x(&w, &mut jw).unwrap();
    derivative.vjp_x(&v, &mut jv).unwrap();
    let (a, b) = (dot(&jw, &v), dot(&w, &jv));
    assert!(
        (a - b).abs() <= 1e-10 * size,
        "{name}: adjoint in x, {a} and {b}"
    );
    let (mut aw, mut av): (_, Vec<Vec<f64>>) = (
        vec![0.0; m],
        args.iter().map(|a| vec![7.0; a.len()]).collect(),
    );
    derivative.jvp_args(&refs(along), &mut aw).unwrap();
    let mut parts: Vec<&mut [f64]> = av.iter_mut().map(Vec::as_mut_slice).collect();
    derivative.vjp_args(&v, &mut parts).unwrap();
    let (a, b) = (
        dot(&aw, &v),
        along.iter().zip(&av).map(|(d, g)| dot(d, g)).sum::<f64>(),
    );
    assert!(
        (a - b).abs() <= 1e-10 * size,
        "{name}: adjoint in the arguments, {a} and {b}"
    );
    // Central differences with an error of h² + ε/h.
    let h = 1e-5;
    let moved = |s: f64, by_x: f64, by_args: f64| {
        let x: Vec<f64> = x.iter().zip(&w).map(|(x, w)| x + s * by_x * w).collect();
        let args: Vec<Vec<f64>> = args
            .iter()
            .zip(along)
            .map(|(a, d)| a.iter().zip(d).map(|(a, d)| a + s * by_args * d).collect())
            .collect();
        let mut out = vec![0.0; m];
        map.value(
            Point {
                x: &x,
                args: &refs(&args),
            },
            &mut out,
        )
        .unwrap();
        out
    };
    for (kind, product, by_x, by_args) in [("x", &jw, 1.0, 0.0), ("arguments", &aw, 0.0, 1.0)] {
        let (plus, minus) = (moved(h, by_x, by_args), moved(-h, by_x, by_args));
        for i in 0..m {
            let slope = (plus[i] - minus[i]) / (2.0 * h);
            let gap = (slope - product[i]).abs();
            assert!(
                gap < 1e-7 * (1.0 + slope.abs()),
                "{name} in {kind}: output {i}, {slope} by differences, {} by the product",
                product[i]
            );
        }
    }
}

#[test]
fn separable() {
    let x = normal(1, 9);
    for kind in [
        Elementwise::Zero,
        Elementwise::NonNegative,
        Elementwise::Hypercube,
        Elementwise::Box,
        Elementwise::Ball,
        Elementwise::Lasso,
        Elementwise::NonNegativeLasso,
        Elementwise::ElasticNet,
        Elementwise::Ridge,
        Elementwise::NonNegativeRidge,
    ] {
        for (parameters, length) in [(Parameters::Shared, 1), (Parameters::Each, 9)] {
            let map = Separable::new(kind, 9, parameters).scaled(0.7);
            let args: Vec<Vec<f64>> = (0..kind.parameters())
                .map(|k| vec![0.4 + 0.5 * k as f64; length])
                .collect();
            let along: Vec<Vec<f64>> = (0..args.len())
                .map(|k| normal(20 + k as u64, length))
                .collect();
            check(&format!("{kind:?}"), &map, &x, &args, &along);
        }
    }
}

#[test]
fn grouped() {
    let x = normal(2, 15);
    for kind in [
        GroupKind::Simplex,
        GroupKind::SparseSimplex(3),
        GroupKind::EntropicSimplex,
        GroupKind::L1Ball,
        GroupKind::L1Sphere,
        GroupKind::L2Ball,
        GroupKind::L2Sphere,
        GroupKind::GroupLasso,
    ] {
        let map = Grouped::new(kind, 5, 3).unwrap().scaled(0.7);
        check(&format!("{kind:?}"), &map, &x, &[vec![1.2]], &[vec![0.8]]);
        let mut y = vec![0.0; 15];
        map.value(
            Point {
                x: &x,
                args: &[&[1.2]],
            },
            &mut y,
        )
        .unwrap();
        for y in y.chunks(5) {
            let size: f64 = match kind {
                GroupKind::L2Ball | GroupKind::L2Sphere => dot(y, y).sqrt(),
                GroupKind::GroupLasso => 1.2,
                _ => y.iter().map(|y| y.abs()).sum(),
            };
            let inside = matches!(kind, GroupKind::L1Ball | GroupKind::L2Ball);
            assert!(
                (size - 1.2).abs() < 1e-14 || inside && size < 1.2,
                "{kind:?}: {size}"
            );
        }
    }
    let sphere = Grouped::new(GroupKind::L2Sphere, 2, 1).unwrap();
    assert!(
        sphere
            .value(
                Point {
                    x: &[0.0; 2],
                    args: &[&[1.0]]
                },
                &mut [0.0; 2]
            )
            .is_err()
    );
}

/// Projections on one set by two ways.
#[test]
fn polyhedra_agree_with_special_sets() {
    let x = normal(3, 6);
    let identity: Vec<f64> = (0..36)
        .map(|k| {
            if usize::is_multiple_of(k, 7) {
                -1.0
            } else {
                0.0
            }
        })
        .collect();
    let general = Polyhedron {
        n: 6,
        equalities: 1,
        inequalities: 6,
    };
    let (mut a, mut b, mut c) = (vec![0.0; 6], vec![0.0; 6], vec![0.0; 6]);
    general
        .value(
            Point {
                x: &x,
                args: &[&[1.0; 6], &[1.0], &identity, &[0.0; 6]],
            },
            &mut a,
        )
        .unwrap();
    Grouped::new(GroupKind::Simplex, 6, 1)
        .unwrap()
        .value(
            Point {
                x: &x,
                args: &[&[1.0]],
            },
            &mut b,
        )
        .unwrap();
    let bounds: [&[f64]; 4] = [&[0.0; 6], &[f64::INFINITY; 6], &[1.0; 6], &[1.0]];
    BoxSection { n: 6 }
        .value(
            Point {
                x: &x,
                args: &bounds,
            },
            &mut c,
        )
        .unwrap();
    for i in 0..6 {
        assert!(
            (a[i] - b[i]).abs() < 1e-13 && (b[i] - c[i]).abs() < 1e-13,
            "{a:?} {b:?} {c:?}"
        );
    }
}

#[test]
fn polyhedra() {
    let x = normal(4, 5);
    for (name, map) in [
        ("hyperplane", Polyhedron::hyperplane(5)),
        ("half-space", Polyhedron::half_space(5)),
        ("affine set", Polyhedron::affine(5, 2)),
        (
            "polyhedron",
            Polyhedron {
                n: 5,
                equalities: 1,
                inequalities: 4,
            },
        ),
    ] {
        let lengths = map.arguments();
        let mut args: Vec<Vec<f64>> = lengths
            .iter()
            .enumerate()
            .map(|(k, n)| normal(30 + k as u64, *n))
            .collect();
        if map.inequalities > 0 {
            // The origin is inside, x is not.
            let last = args.len() - 1;
            args[last].iter_mut().for_each(|h| *h = 0.1);
            if map.equalities == 0 {
                args[0].copy_from_slice(&x);
            } else {
                args[1][0] = 0.05;
            }
        }
        let along: Vec<Vec<f64>> = lengths
            .iter()
            .enumerate()
            .map(|(k, n)| normal(40 + k as u64, *n))
            .collect();
        check(name, &map, &x, &args, &along);
        let mut y = vec![0.0; 5];
        map.value(
            Point {
                x: &x,
                args: &refs(&args),
            },
            &mut y,
        )
        .unwrap();
        if map.equalities > 0 {
            for (row, b) in args[0].chunks(5).zip(&args[1]) {
                assert!((dot(row, &y) - b).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn box_section() {
    let x = normal(5, 7);
    let args = vec![vec![-0.5; 7], vec![0.6; 7], normal(6, 7), vec![0.3]];
    let along = vec![normal(51, 7), normal(52, 7), normal(53, 7), vec![0.4]];
    check("box section", &BoxSection { n: 7 }, &x, &args, &along);
    let mut y = vec![0.0; 7];
    let far: [&[f64]; 4] = [&args[0], &args[1], &args[2], &[1e3]];
    let error = BoxSection { n: 7 }
        .value(Point { x: &x, args: &far }, &mut y)
        .unwrap_err();
    assert!(matches!(
        error,
        ansatz_linalg::LinalgError::Infeasible { .. }
    ));
}

#[test]
fn transport() {
    let x = normal(7, 12);
    let args = vec![vec![0.2, 0.5, 0.3], vec![0.1, 0.4, 0.3, 0.2]];
    // Directions that keep the sums equal.
    let along = vec![vec![0.3, -0.1, -0.2], vec![0.1, 0.2, -0.4, 0.1]];
    for geometry in [Geometry::Euclidean, Geometry::Entropic] {
        let map = Transport {
            rows: 3,
            columns: 4,
            geometry,
        };
        check(&format!("transport {geometry:?}"), &map, &x, &args, &along);
        let mut y = vec![0.0; 12];
        map.value(
            Point {
                x: &x,
                args: &refs(&args),
            },
            &mut y,
        )
        .unwrap();
        for i in 0..3 {
            assert!((y[4 * i..4 * i + 4].iter().sum::<f64>() - args[0][i]).abs() < 1e-12);
        }
    }
    // The polytope as a polyhedron: 7 marginals, one of them redundant, and 12 bounds.
    let mut rows = vec![0.0; 6 * 12];
    for k in 0..12 {
        rows[(k / 4) * 12 + k] = 1.0;
        if k % 4 < 3 {
            rows[(3 + k % 4) * 12 + k] = 1.0;
        }
    }
    let bounds: Vec<f64> = (0..144)
        .map(|k| {
            if usize::is_multiple_of(k, 13) {
                -1.0
            } else {
                0.0
            }
        })
        .collect();
    let general = Polyhedron {
        n: 12,
        equalities: 6,
        inequalities: 12,
    };
    let right = [0.2, 0.5, 0.3, 0.1, 0.4, 0.3];
    let (mut a, mut b) = (vec![0.0; 12], vec![0.0; 12]);
    general
        .value(
            Point {
                x: &x,
                args: &[&rows, &right, &bounds, &[0.0; 12]],
            },
            &mut a,
        )
        .unwrap();
    let euclidean = Transport {
        rows: 3,
        columns: 4,
        geometry: Geometry::Euclidean,
    };
    euclidean
        .value(
            Point {
                x: &x,
                args: &refs(&args),
            },
            &mut b,
        )
        .unwrap();
    for i in 0..12 {
        assert!((a[i] - b[i]).abs() < 1e-12, "{a:?} {b:?}");
    }
    // Birkhoff's polytope, far from flat.
    let y: Vec<f64> = normal(8, 25).iter().map(|v| 4.0 * v).collect();
    let ones = vec![vec![1.0; 5], vec![1.0; 5]];
    let along = vec![vec![0.0; 5], vec![0.0; 5]];
    for geometry in [Geometry::Euclidean, Geometry::Entropic] {
        check(
            "Birkhoff",
            &Transport {
                rows: 5,
                columns: 5,
                geometry,
            },
            &y,
            &ones,
            &along,
        );
    }
}

#[test]
fn isotonic() {
    let x = normal(9, 12);
    for order in [Order::Ascending, Order::Descending] {
        let map = Isotonic { n: 12, order };
        check("isotonic", &map, &x, &[], &[]);
        let bounded = Compose {
            outer: Separable::new(Elementwise::Hypercube, 12, Parameters::Shared),
            inner: map,
        };
        check("order simplex", &bounded, &x, &[], &[]);
    }
    // Against the quadratic program with eleven inequalities.
    let mut g = vec![0.0; 11 * 12];
    for k in 0..11 {
        g[k * 12 + k] = 1.0;
        g[k * 12 + k + 1] = -1.0;
    }
    let (mut a, mut b) = (vec![0.0; 12], vec![0.0; 12]);
    let general = Polyhedron {
        n: 12,
        equalities: 0,
        inequalities: 11,
    };
    general
        .value(
            Point {
                x: &x,
                args: &[&g, &[0.0; 11]],
            },
            &mut a,
        )
        .unwrap();
    Isotonic {
        n: 12,
        order: Order::Ascending,
    }
    .value(Point { x: &x, args: &[] }, &mut b)
    .unwrap();
    for i in 0..12 {
        assert!((a[i] - b[i]).abs() < 1e-12, "{a:?} {b:?}");
    }
}

#[test]
fn entropic_isotonic() {
    let (x, w) = (normal(9, 12), normal(10, 12));
    for order in [Order::Ascending, Order::Descending] {
        let map = EntropicIsotonic { n: 12, order };
        let along = [normal(11, 12)];
        check(
            "entropic isotonic",
            &map,
            &x,
            std::slice::from_ref(&w),
            &along,
        );
        let mut v = vec![0.0; 12];
        let at = Point { x: &x, args: &[&w] };
        map.value(at, &mut v).unwrap();
        // vᵢ = max over j ≤ i of min over k ≥ i of the value of j…k, for ascending values; the reverse for descending ones.
        let exp = |a: &[f64]| a.iter().map(|a| a.exp()).sum::<f64>();
        let value = |j: usize, k: usize| (exp(&x[j..=k]) / exp(&w[j..=k])).ln();
        for (i, v) in v.iter().enumerate() {
            let sign = if order == Order::Ascending { 1.0 } else { -1.0 };
            let inner = |j: usize| {
                (i..12)
                    .map(|k| sign * value(j, k))
                    .fold(f64::INFINITY, f64::min)
            };
            let expected = sign * (0..=i).map(inner).fold(f64::NEG_INFINITY, f64::max);
            assert!((v - expected).abs() < 1e-13, "{i}: {v} {expected}");
        }
        // Far from where exponentials can be taken.
        let far: Vec<f64> = x.iter().map(|x| 2000.0 + x).collect();
        let mut there = vec![0.0; 12];
        map.value(
            Point {
                x: &far,
                args: &[&w],
            },
            &mut there,
        )
        .unwrap();
        assert!(
            v.iter()
                .zip(&there)
                .all(|(v, t)| (t - v - 2000.0).abs() < 1e-11)
        );
    }
    let map = EntropicIsotonic {
        n: 2,
        order: Order::Ascending,
    };
    let bad = Point {
        x: &[1.0, 2.0],
        args: &[&[f64::INFINITY, 0.0]],
    };
    assert!(map.value(bad, &mut [0.0; 2]).is_err());
}

/// A convex quadratic of order 6, as rows.
fn hessian() -> Vec<f64> {
    let entry = |k: usize| {
        (-((k / 6) as f64 - (k % 6) as f64).abs() / 2.0).exp()
            + if usize::is_multiple_of(k, 7) {
                0.1
            } else {
                0.0
            }
    };
    (0..36).map(entry).collect()
}

#[test]
fn catalogue() {
    let x = normal(61, 6);
    let theta = normal(62, 6);
    let lasso = |n| Separable::new(Elementwise::Lasso, n, Parameters::Shared);
    let q = || quadratic(hessian(), 6);
    check(
        "stationary",
        &q(),
        &x,
        std::slice::from_ref(&theta),
        &[normal(63, 6)],
    );
    let small = normal(64, 3);
    check(
        "ridge",
        &ridge(),
        &small,
        &[design(), targets(), vec![2.0]],
        &[normal(65, 30), normal(66, 10), vec![1.0]],
    );
    let map = FixedPoint(Descent::proximal(least_squares(), lasso(3), 0.05).unwrap());
    check(
        "proximal gradient",
        &map,
        &small,
        &[design(), targets(), vec![2.0]],
        &[normal(65, 30), normal(66, 10), vec![1.0]],
    );
    let simplex = Grouped::new(GroupKind::Simplex, 3, 2).unwrap();
    let map = FixedPoint(Descent::proximal(q(), simplex, 0.3).unwrap());
    check(
        "projected gradient",
        &map,
        &x,
        &[theta.clone(), vec![1.0]],
        &[normal(63, 6), vec![0.5]],
    );
    let positive: Vec<f64> = x.iter().map(|x| 0.1 + x.abs()).collect();
    let map = FixedPoint(Descent::mirror(q(), 3, 0.3).unwrap());
    check(
        "mirror descent",
        &map,
        &positive,
        &[theta.clone(), vec![1.0]],
        &[normal(63, 6), vec![0.5]],
    );
    let blocks = Stack(vec![
        Box::new(lasso(2).scaled(0.2)),
        Box::new(
            Grouped::new(GroupKind::GroupLasso, 4, 1)
                .unwrap()
                .scaled(0.5),
        ),
    ]);
    let steps = vec![0.2, 0.2, 0.5, 0.5, 0.5, 0.5];
    let map = FixedPoint(Descent::with_steps(q(), blocks, steps).unwrap());
    check(
        "block proximal gradient",
        &map,
        &x,
        &[theta.clone(), vec![0.3], vec![0.4]],
        &[normal(63, 6), vec![1.0], vec![-1.0]],
    );
    let map = FixedPoint(layer(4));
    check(
        "fixed point",
        &map,
        &normal(67, 4),
        &[normal(68, 16), normal(69, 4)],
        &[normal(70, 16), normal(71, 4)],
    );
    check(
        "linear system",
        &Bilinear::linear_system(4),
        &normal(67, 4),
        &[normal(68, 16), normal(69, 4)],
        &[normal(70, 16), normal(71, 4)],
    );
    let program = QuadraticProgram {
        n: 4,
        equalities: 2,
        inequalities: 3,
    };
    let some = |seed: u64| -> Vec<Vec<f64>> {
        program
            .arguments()
            .iter()
            .enumerate()
            .map(|(k, n)| normal(seed + k as u64, *n))
            .collect()
    };
    check(
        "quadratic program",
        &program.optimality(),
        &normal(72, 9),
        &some(80),
        &some(90),
    );
    let program = ConicProgram {
        n: 4,
        cones: vec![
            Cone::Zero(2),
            Cone::NonNegative(3),
            Cone::SecondOrder(3),
            Cone::SecondOrder(4),
        ],
    };
    let some = |seed: u64| -> Vec<Vec<f64>> {
        program
            .arguments()
            .iter()
            .enumerate()
            .map(|(k, n)| normal(seed + k as u64, *n))
            .collect()
    };
    check(
        "conic program",
        &program,
        &normal(73, 16),
        &some(100),
        &some(110),
    );
}

/// ⟨Jw, v⟩ = ⟨w, Jᵀv⟩ for the derivative of a solution.
#[test]
fn solutions_are_adjoint() {
    let program = QuadraticProgram {
        n: 6,
        equalities: 1,
        inequalities: 6,
    };
    let bounds: Vec<f64> = (0..36)
        .map(|k| {
            if usize::is_multiple_of(k, 7) {
                -1.0
            } else {
                0.0
            }
        })
        .collect();
    let args = vec![
        hessian(),
        normal(62, 6),
        vec![1.0; 6],
        vec![1.0],
        bounds,
        vec![0.0; 6],
    ];
    let solution = program.solve(&refs(&args)).unwrap();
    let map = program.optimality();
    let x = solution.stacked();
    let at = refs(&args);
    let at = Point { x: &x, args: &at };
    let along: Vec<Vec<f64>> = args
        .iter()
        .enumerate()
        .map(|(k, a)| normal(120 + k as u64, a.len()))
        .collect();
    let v = normal(130, x.len());
    let options = ImplicitOptions::default();
    let (jw, _) = root_jvp(&map, at, &refs(&along), &options).unwrap();
    let (jv, _) = root_vjp(&map, at, &v, &options).unwrap();
    let (a, b) = (
        dot(&jw, &v),
        along.iter().zip(&jv).map(|(d, g)| dot(d, g)).sum::<f64>(),
    );
    assert!((a - b).abs() < 1e-10 * a.abs().max(1.0), "{a} {b}");
    // And the slope is that of the solver.
    let h = 1e-6;
    let moved = |s: f64| {
        let c: Vec<f64> = args[1]
            .iter()
            .zip(&along[1])
            .map(|(c, d)| c + s * d)
            .collect();
        let mut args = args.clone();
        args[1] = c;
        program.solve(&refs(&args)).unwrap().x
    };
    let zeros: Vec<Vec<f64>> = args
        .iter()
        .enumerate()
        .map(|(k, a)| {
            if k == 1 {
                along[1].clone()
            } else {
                vec![0.0; a.len()]
            }
        })
        .collect();
    let (slope, _) = root_jvp(&map, at, &refs(&zeros), &options).unwrap();
    let (plus, minus) = (moved(h), moved(-h));
    for i in 0..6 {
        assert!(((plus[i] - minus[i]) / (2.0 * h) - slope[i]).abs() < 1e-8);
    }
}
