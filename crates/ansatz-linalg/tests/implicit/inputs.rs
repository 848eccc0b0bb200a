//! What is no point of a map is refused by every map, before anything is written as a success.

use ansatz_linalg::LinalgError;
use ansatz_linalg::implicit::{
    Bilinear, BoxSection, Compose, Cone, ConicProgram, Descent, Elementwise, EntropicIsotonic,
    FixedPoint, Geometry, GroupKind, Grouped, Isotonic, Order, Parameters, ParametricMap, Point,
    Polyhedron, QuadraticProgram, Separable, Stack, Transport,
};

use super::maps::{layer, quadratic, ridge};

fn maps() -> Vec<(String, Box<dyn ParametricMap>)> {
    let mut all: Vec<(String, Box<dyn ParametricMap>)> = Vec::new();
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
        for parameters in [Parameters::Shared, Parameters::Each] {
            let map = Separable::new(kind, 4, parameters);
            all.push((format!("{kind:?} {parameters:?}"), Box::new(map)));
        }
    }
    for kind in [
        GroupKind::Simplex,
        GroupKind::SparseSimplex(1),
        GroupKind::EntropicSimplex,
        GroupKind::L1Ball,
        GroupKind::L1Sphere,
        GroupKind::L2Ball,
        GroupKind::L2Sphere,
        GroupKind::GroupLasso,
    ] {
        let map = Grouped::new(kind, 2, 2).unwrap();
        all.push((format!("{kind:?}"), Box::new(map)));
    }
    for geometry in [Geometry::Euclidean, Geometry::Entropic] {
        let map = Transport {
            rows: 2,
            columns: 2,
            geometry,
        };
        all.push((format!("transport {geometry:?}"), Box::new(map)));
    }
    for order in [Order::Ascending, Order::Descending] {
        all.push((format!("{order:?}"), Box::new(Isotonic { n: 4, order })));
        let map = EntropicIsotonic { n: 4, order };
        all.push((format!("entropic {order:?}"), Box::new(map)));
    }
    let q = || {
        let entry = |k: usize| if k.is_multiple_of(5) { 2.0 } else { 0.5 };
        quadratic((0..16).map(entry).collect(), 4)
    };
    let lasso = || Separable::new(Elementwise::Lasso, 4, Parameters::Shared);
    let program = QuadraticProgram {
        n: 2,
        equalities: 1,
        inequalities: 1,
    };
    let others: [(&str, Box<dyn ParametricMap>); 11] = [
        ("box section", Box::new(BoxSection { n: 4 })),
        (
            "polyhedron",
            Box::new(Polyhedron {
                n: 4,
                equalities: 1,
                inequalities: 2,
            }),
        ),
        ("linear system", Box::new(Bilinear::linear_system(4))),
        ("quadratic program", Box::new(program.optimality())),
        (
            "conic program",
            Box::new(ConicProgram {
                n: 2,
                cones: vec![Cone::Zero(1), Cone::NonNegative(1), Cone::SecondOrder(2)],
            }),
        ),
        ("ridge", Box::new(ridge())),
        ("fixed point", Box::new(FixedPoint(layer(4)))),
        (
            "proximal gradient",
            Box::new(FixedPoint(Descent::proximal(q(), lasso(), 0.1).unwrap())),
        ),
        (
            "mirror descent",
            Box::new(FixedPoint(Descent::mirror(q(), 2, 0.1).unwrap())),
        ),
        (
            "composition",
            Box::new(Compose {
                outer: Separable::new(Elementwise::Hypercube, 4, Parameters::Shared),
                inner: lasso(),
            }),
        ),
        (
            "stack",
            Box::new(Stack(vec![
                Box::new(lasso()),
                Box::new(Grouped::new(GroupKind::Simplex, 2, 1).unwrap()),
            ])),
        ),
    ];
    all.extend(others.map(|(name, map)| (name.to_owned(), map)));
    all
}

#[test]
fn bad_points_are_refused() {
    for (name, map) in maps() {
        let x: Vec<f64> = (0..map.unknowns()).map(|i| 0.3 + 0.1 * i as f64).collect();
        let lengths = map.arguments();
        let args: Vec<Vec<f64>> = lengths.iter().map(|n| vec![0.5; *n]).collect();
        let value = |x: &[f64], args: &[Vec<f64>], outputs: usize| {
            let args: Vec<&[f64]> = args.iter().map(Vec::as_slice).collect();
            let mut out = vec![0.0; outputs];
            map.value(Point { x, args: &args }, &mut out).map(|()| out)
        };
        let outputs = map.outputs();
        let short = value(&x[1..], &args, outputs);
        assert!(matches!(short, Err(LinalgError::Shape { .. })), "{name}");
        let short = value(&x, &args, outputs - 1);
        assert!(matches!(short, Err(LinalgError::Shape { .. })), "{name}");
        let more = [&args[..], &[vec![1.0]]].concat();
        let more = value(&x, &more, outputs);
        assert!(matches!(more, Err(LinalgError::Shape { .. })), "{name}");
        for bad in [f64::NAN, f64::INFINITY] {
            let mut broken = x.clone();
            broken[1] = bad;
            let error = value(&broken, &args, outputs);
            assert!(
                matches!(error, Err(LinalgError::NotFinite { .. })),
                "{name}"
            );
        }
        for (k, length) in lengths.iter().enumerate() {
            let mut short = args.clone();
            short[k].pop();
            let error = value(&x, &short, outputs);
            assert!(
                matches!(error, Err(LinalgError::Shape { .. })),
                "{name} {k}"
            );
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut broken = args.clone();
                broken[k][length / 2] = bad;
                // Infinite bounds are bounds; nothing else may come of it.
                match value(&x, &broken, outputs) {
                    Ok(out) => assert!(
                        !bad.is_nan() && out.iter().all(|v| v.is_finite()),
                        "{name}, argument {k} of {bad}: {out:?}"
                    ),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
}
