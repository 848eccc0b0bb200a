//! Derivatives of a fixed network by every route, against values of a computer algebra system, and estimates of traces.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;

use ansatz_pde::autodiff::{Array, Graph, Options, Program, jet, jvp, laplacian, units};
use ansatz_pde::core::Key;
use ansatz_pde::nn::{Layer, Layout, Mlp, MlpOptions, Mode, Parameters, Pass};
use ansatz_pde::{PdeError, Probes, bilaplacian_estimate, partials, trace_estimate};

const W: [f64; 6] = [0.6, -0.4, 0.3, 0.9, -0.7, 0.2];
const B: [f64; 3] = [0.1, -0.2, 0.3];
const OUT: [f64; 3] = [1.2, -0.8, 0.5];

fn net(x: Array<'_>) -> Array<'_> {
    let g = x.graph();
    let w = g.constant(&[3, 2], W.to_vec()).transpose(&[1, 0]);
    let hidden = (x.matmul(w) + g.constant(&[3], B.to_vec())).tanh();
    hidden.matmul(g.constant(&[3, 1], OUT.to_vec()))
}

/// The number that an array holds at (0.3, −0.2).
fn at(f: impl for<'g> Fn(Array<'g>) -> Array<'g>) -> f64 {
    let g = Graph::new();
    let x = g.batch(&[1, 2]);
    let program = Program::<f64>::compile(&g.finish(&[f(x)]), &Options::default()).unwrap();
    let mut out = [0.0];
    program.run(&[&[0.3, -0.2]], &mut [&mut out]).unwrap();
    out[0]
}

fn partial(x: usize, y: usize) -> f64 {
    at(|p| partials(net(p), p, &[vec![x, y]]).unwrap()[0])
}

#[test]
fn values_of_a_computer_algebra_system() {
    let cases = [
        ((0, 0), 0.664943878577272),
        ((1, 0), 0.0641731911926155),
        ((0, 1), -0.985734636013572),
        ((2, 0), -0.324531855636495),
        ((1, 1), 0.0699428965545726),
        ((0, 2), -0.455298958022320),
        ((3, 0), 0.0764778011604591),
        ((4, 0), 0.740449024734710),
        ((2, 2), 0.497330631904018),
    ];
    let mut worst = 0.0_f64;
    for ((x, y), value) in cases {
        let got = partial(x, y);
        worst = worst.max((got - value).abs());
        assert!((got - value).abs() < 1e-12, "({x}, {y}): {got}, {value}");
    }
    println!("derivatives to {worst:.1e}");
}

/// D^k along v.
fn along(v: [f64; 2], k: usize) -> f64 {
    let factorial: usize = (1..=k).product();
    at(|p| {
        let v = p.graph().constant(&[2], v.to_vec()).broadcast(&[1, 2]);
        jet(&[net(p)], &[(p, &[v])], k).remove(0)[k] * factorial as f64
    })
}

#[test]
fn every_route_agrees() {
    let worst = Cell::new(0.0_f64);
    let same = |a: f64, b: f64| {
        worst.set(worst.get().max((a - b).abs()));
        assert!((a - b).abs() < 1e-11, "{a} {b}");
    };
    let d = along;
    // Polarisation.
    let (x, y, sum, difference) = ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]);
    same(0.5 * (d(sum, 2) - d(x, 2) - d(y, 2)), partial(1, 1));
    same(0.25 * (d(sum, 2) - d(difference, 2)), partial(1, 1));
    same(
        (d(sum, 3) - d(difference, 3) - 2.0 * d(y, 3)) / 6.0,
        partial(2, 1),
    );
    let fourth = d(sum, 4) + d(difference, 4) - 2.0 * d(x, 4) - 2.0 * d(y, 4);
    same(fourth / 12.0, partial(2, 2));
    let (steep, back) = ([2.0, 1.0], [2.0, -1.0]);
    let mixed = d(steep, 4) - d(back, 4) - 2.0 * d(sum, 4) + 2.0 * d(difference, 4);
    same(mixed / 48.0, partial(3, 1));
    // Nested tangents.
    let nested = |path: &[usize]| {
        at(|p| {
            let e = units(p);
            path.iter().fold(net(p), |y, i| jvp(&[y], &[(p, e[*i])])[0])
        })
    };
    same(nested(&[0, 1]), partial(1, 1));
    same(nested(&[1, 0, 1]), partial(1, 2));
    same(nested(&[0, 0, 1, 1]), partial(2, 2));
    same(nested(&[0, 0, 0, 1]), partial(3, 1));
    // The forward Laplacian.
    let second = at(|p| laplacian(net(p), p, &units(p)).second);
    same(second, partial(2, 0) + partial(0, 2));
    println!("routes agree to {:.1e}", worst.get());
}

#[test]
fn a_set_at_once_is_each_alone() {
    let orders = [
        vec![0, 0],
        vec![2, 1],
        vec![0, 2],
        vec![1, 0],
        vec![2, 2],
        vec![0, 4],
    ];
    let g = Graph::new();
    let x = g.batch(&[1, 2]);
    let found = partials(net(x), x, &orders).unwrap();
    let program = Program::<f64>::compile(&g.finish(&found), &Options::default()).unwrap();
    let mut out = vec![[0.0]; orders.len()];
    let mut views: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
    program.run(&[&[0.3, -0.2]], &mut views).unwrap();
    for (index, got) in orders.iter().zip(out) {
        let alone = partial(index[0], index[1]);
        assert!((got[0] - alone).abs() < 1e-13, "{index:?}");
    }
}

#[test]
fn what_is_refused() {
    let g = Graph::new();
    let x = g.batch(&[4, 2]);
    let y = x.tanh().sum_axes(&[1]);
    let order = partials(y, x, &[vec![5, 4]]).unwrap_err();
    assert!(
        matches!(order, PdeError::Order { order: 9, most: 8 }),
        "{order}"
    );
    let width = partials(y, x, &[vec![1, 0, 0]]).unwrap_err();
    assert!(
        matches!(
            width,
            PdeError::Width {
                expected: 2,
                got: 3,
                ..
            }
        ),
        "{width}"
    );
    let kink = partials(x.relu(), x, &[vec![2, 0]]).unwrap_err();
    assert!(matches!(kink, PdeError::Kink { order: 2, .. }), "{kink}");
    assert!(
        partials(x.relu(), x, &[vec![1, 0]]).is_ok(),
        "one order is right almost everywhere"
    );
    let mut out = [0.0; 10];
    let many = Probes::Coordinates
        .draw(Key::new(0), 2, &mut out)
        .unwrap_err();
    assert!(
        matches!(many, PdeError::TooManyProbes { probes: 5, dims: 2 }),
        "{many}"
    );
    assert!(Probes::Gaussian.draw(Key::new(0), 3, &mut out).is_err());
}

/// u = ½xᵀAx: the Hessian is A everywhere.
const A: [[f64; 4]; 4] = [
    [2.0, 1.0, 0.0, 0.5],
    [1.0, 3.0, -1.0, 0.0],
    [0.0, -1.0, 1.0, 2.0],
    [0.5, 0.0, 2.0, -1.0],
];

/// Mean and variance of many estimates with this many probes each.
fn moments(kind: Probes, probes: usize) -> (f64, f64) {
    let draws = 100_000;
    let g = Graph::new();
    let (x, v) = (g.batch(&[1, 4]), g.input(&[probes, 4]));
    let a = g.constant(&[4, 4], A.concat());
    let u = (x.matmul(a) * x).sum_axes(&[1]) * 0.5;
    let estimate = trace_estimate(u, x, v);
    let program = Program::<f64>::compile(&g.finish(&[estimate]), &Options::default()).unwrap();
    let (mut v, mut out) = (vec![0.0; probes * 4], [0.0]);
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in 0..draws {
        kind.draw(Key::new(7).fold_in(i), 4, &mut v).unwrap();
        program
            .run(&[&[0.3, 0.1, -0.2, 0.5], &v], &mut [&mut out])
            .unwrap();
        sum += out[0] - 5.0;
        squares += (out[0] - 5.0).powi(2);
    }
    let n = draws as f64;
    (5.0 + sum / n, squares / n)
}

#[test]
fn estimates_have_the_mean_and_the_variance_of_theory() {
    let cases = [
        (Probes::Rademacher, 1, 25.0),
        (Probes::Gaussian, 1, 55.0),
        (Probes::Coordinates, 1, 35.0),
        (Probes::Coordinates, 2, 35.0 / 3.0),
        (Probes::Rademacher, 4, 25.0 / 4.0),
    ];
    for (kind, probes, variance) in cases {
        let (mean, seen) = moments(kind, probes);
        println!("{kind:?} {probes}: mean {mean:.4}, variance {seen:.4} for {variance:.4}");
        // Three standard errors; the fourth moment of these is below 12 times the squared second one.
        let error = (variance / 1e5_f64).sqrt();
        assert!(
            (mean - 5.0).abs() < 3.0 * error,
            "{kind:?} {probes}: {mean}"
        );
        let error = variance * (12.0_f64 / 1e5).sqrt();
        assert!(
            (seen - variance).abs() < 3.0 * error,
            "{kind:?} {probes}: {seen}"
        );
    }
    let (mean, variance) = moments(Probes::Coordinates, 4);
    assert!(
        (mean - 5.0).abs() < 1e-12 && variance < 1e-24,
        "all coordinates are exact"
    );
}

/// Σxᵢ⁴ + x₀²x₁²: Δ² = 24·d + 8.
#[test]
fn fourth_derivatives_by_gaussian_directions() {
    let g = Graph::new();
    let (x, v) = (g.batch(&[1, 3]), g.input(&[64, 3]));
    let mixed = x.narrow(1, 0, 1).square() * x.narrow(1, 1, 2).square();
    let u = x.powi(4).sum_axes(&[1]).reshape(&[1, 1]) + mixed;
    let estimate = bilaplacian_estimate(u, x, v);
    let program = Program::<f64>::compile(&g.finish(&[estimate]), &Options::default()).unwrap();
    let (mut v, mut out) = (vec![0.0; 192], [0.0]);
    let (mut sum, mut squares, n) = (0.0, 0.0, 400.0);
    for i in 0..400 {
        Probes::Gaussian
            .draw(Key::new(3).fold_in(i), 3, &mut v)
            .unwrap();
        program
            .run(&[&[0.2, -0.4, 0.7], &v], &mut [&mut out])
            .unwrap();
        sum += out[0];
        squares += out[0] * out[0];
    }
    let (mean, square): (f64, f64) = (sum / n, squares / n);
    let error = ((square - mean * mean) / n).sqrt();
    assert!(
        (mean - 80.0).abs() < 3.0 * error && error < 2.0,
        "{mean} ± {error}"
    );
}

/// The forward Laplacian of a network of ten inputs is the sum of ten second derivatives.
#[test]
fn forward_laplacian_of_a_network() {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[10, 64, 64, 1], &MlpOptions::default());
    let parameters = Parameters::<f64>::new(&layout, Key::new(1));
    let g = Graph::new();
    let pass = Pass::new(&g, &layout, (Mode::Evaluate, Some(1000)));
    let x = g.batch(&[1000, 10]);
    let u = net.apply(&pass, x);
    let orders: Vec<Vec<usize>> = (0..10)
        .map(|i| (0..10).map(|j| 2 * usize::from(i == j)).collect())
        .collect();
    let separate = partials(u, x, &orders)
        .unwrap()
        .into_iter()
        .reduce(|a, b| a + b)
        .unwrap();
    let together = laplacian(u, x, &units(x)).second;
    let program =
        Program::<f64>::compile(&g.finish(&[separate, together]), &Options::default()).unwrap();
    let mut points = vec![0.0; 10_000];
    Key::new(2).fill_normal(0, &mut points);
    let entries = layout.entries().iter();
    let mut inputs: Vec<&[f64]> = entries.map(|e| &parameters.values()[e.range()]).collect();
    inputs.push(&points);
    let (mut a, mut b) = (vec![0.0; 1000], vec![0.0; 1000]);
    program.run(&inputs, &mut [&mut a, &mut b]).unwrap();
    let most = a.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut worst = 0.0_f64;
    for (a, b) in a.iter().zip(&b) {
        worst = worst.max((a - b).abs() / most);
        assert!((a - b).abs() < 1e-12 * most, "{a} {b}");
    }
    println!("forward Laplacian to {worst:.1e}");
}
