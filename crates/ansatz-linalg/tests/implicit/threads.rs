//! The same bits for one, two and three threads.

use ansatz_linalg::core::{Key, stream};
use ansatz_linalg::implicit::{
    Bilinear, Descent, Elementwise, EntropicIsotonic, FixedPoint, Geometry, GroupKind, Grouped,
    ImplicitOptions, Order, Parameters, ParametricMap, Point, QuadraticProgram, RootSolver,
    Separable, Transport, root_jvp, root_vjp,
};

use super::maps::quadratic;

fn normal(seed: u64, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    Key::new(seed).fill_normal(stream::INITIAL, &mut out);
    out
}

/// e^(−|i−j|/2) + ½δ, row by row.
fn matrix(n: usize) -> Vec<f64> {
    let entry = |k: usize| {
        let distance = (k / n).abs_diff(k % n) as f64;
        (-distance / 2.0).exp() + if distance > 0.0 { 0.0 } else { 0.5 }
    };
    (0..n * n).map(entry).collect()
}

/// Everything that a map and the solves with it give.
fn all(map: &dyn ParametricMap, x: &[f64], args: &[Vec<f64>], solver: RootSolver) -> Vec<f64> {
    let n = x.len();
    let args: Vec<&[f64]> = args.iter().map(Vec::as_slice).collect();
    let at = Point { x, args: &args };
    let mut out = vec![0.0; n];
    map.value(at, &mut out).unwrap();
    let options = ImplicitOptions {
        solver,
        ridge: 1e-3,
        ..ImplicitOptions::default()
    };
    let (bars, report) = root_vjp(map, at, &normal(1, n), &options).unwrap();
    out.extend(bars.concat());
    out.extend([report.residual, report.solve_residual]);
    let along: Vec<Vec<f64>> = (2..)
        .zip(map.arguments())
        .map(|(s, n)| normal(s, n))
        .collect();
    let along: Vec<&[f64]> = along.iter().map(Vec::as_slice).collect();
    out.extend(root_jvp(map, at, &along, &options).unwrap().0);
    out
}

#[test]
fn bits() {
    let n = 240;
    let theta = normal(11, n);
    let positive: Vec<f64> = normal(12, n).iter().map(|v| 0.1 + v.abs()).collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let q = || quadratic(matrix(n), n);
            let x = normal(13, n);
            let mut out = Vec::new();
            for solver in [
                RootSolver::Lu,
                RootSolver::Cg,
                RootSolver::Gmres,
                RootSolver::BiCgStab,
            ] {
                out.extend(all(&q(), &x, std::slice::from_ref(&theta), solver));
            }
            let with = |arg: &[f64]| vec![theta.clone(), arg.to_vec()];
            let simplex = Grouped::new(GroupKind::Simplex, 12, 20).unwrap();
            let map = FixedPoint(Descent::proximal(q(), simplex, 0.2).unwrap());
            out.extend(all(&map, &x, &with(&[1.0]), RootSolver::Automatic));
            let lasso = Separable::new(Elementwise::Lasso, n, Parameters::Shared);
            let map = FixedPoint(Descent::proximal(q(), lasso, 0.2).unwrap());
            out.extend(all(&map, &x, &with(&[0.3]), RootSolver::Automatic));
            let map = FixedPoint(Descent::mirror(q(), 12, 0.2).unwrap());
            out.extend(all(&map, &positive, &with(&[1.0]), RootSolver::Automatic));
            let order = Order::Ascending;
            let map = FixedPoint(EntropicIsotonic { n, order });
            out.extend(all(
                &map,
                &x,
                std::slice::from_ref(&theta),
                RootSolver::Gmres,
            ));
            out.extend(all(
                &Bilinear::linear_system(n),
                &x,
                &[matrix(n), theta.clone()],
                RootSolver::Automatic,
            ));
            let marginals = [vec![1.0 / 12.0; 12], vec![1.0 / 20.0; 20]];
            for geometry in [Geometry::Euclidean, Geometry::Entropic] {
                let map = Transport {
                    rows: 12,
                    columns: 20,
                    geometry,
                };
                let mut plan = vec![0.0; n];
                let args: Vec<&[f64]> = marginals.iter().map(Vec::as_slice).collect();
                map.value(Point { x: &x, args: &args }, &mut plan).unwrap();
                out.extend(plan);
            }
            let program = QuadraticProgram {
                n: 40,
                equalities: 1,
                inequalities: 40,
            };
            let bounds: Vec<f64> = (0..1600)
                .map(|k: usize| if k.is_multiple_of(41) { -1.0 } else { 0.0 })
                .collect();
            let c = normal(14, 40);
            let args: [&[f64]; 6] = [&matrix(40), &c, &[1.0; 40], &[1.0], &bounds, &[0.0; 40]];
            out.extend(program.solve(&args).unwrap().stacked());
            out.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}
