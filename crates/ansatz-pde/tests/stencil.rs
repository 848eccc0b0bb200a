//! Stencils: published weights, orders of convergence of every family, transposed maps, and equations on nodes beside those
//! of networks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use ansatz_pde::autodiff::{Graph, Options, Program, ProgramResidual, Signature};
use ansatz_pde::core::{Key, Residual as _};
use ansatz_pde::nn::{Data, Layer, Layout, Lbfgs, Mlp, MlpOptions, Objective, Parameters};
use ansatz_pde::stencil::{Axis, Scattered, Stencil, Stencils, weights};
use ansatz_pde::{
    Ball, BoxDomain, Counts, Geometry, Model, OnNodes, PdeError, Points, Problem, Sampler, sample,
};

/// Derivatives of these orders of values at the nodes.
fn derivatives(stencils: &Stencils, values: &[f64], orders: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let g = Graph::new();
    let input = g.input(&[values.len(), 1]);
    let found = stencils.derivatives(input, orders).unwrap();
    let program = Program::<f64>::compile(&g.finish(&found), &Options::default()).unwrap();
    let mut out = vec![vec![0.0; values.len()]; orders.len()];
    let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
    program.run(&[values], &mut slices).unwrap();
    out
}

/// Largest error of a derivative of `u`, `exact` being that derivative.
fn error(
    stencils: &Stencils,
    order: &[usize],
    u: impl Fn(&[f64]) -> f64,
    exact: impl Fn(&[f64]) -> f64,
) -> f64 {
    let values: Vec<f64> = stencils.points().rows().map(u).collect();
    let found = derivatives(stencils, &values, &[order.to_vec()]).remove(0);
    let pairs = found.iter().zip(stencils.points().rows());
    pairs.map(|(f, x)| (f - exact(x)).abs()).fold(0.0, f64::max)
}

/// The derivative of sin(2x + ½).
fn sine(x: f64, order: usize) -> f64 {
    2.0_f64.powf(order as f64) * (2.0 * x + 0.5 + 0.5 * PI * order as f64).sin()
}

/// Nodes, an order and weights.
type Row<'a> = (&'a [f64], usize, &'a [f64]);

/// Tables 1 and 3 of the paper.
#[test]
fn weights_are_the_published_ones() {
    let centred: Vec<f64> = (-4..=4).map(f64::from).collect();
    let one_sided: Vec<f64> = (0..=4).map(f64::from).collect();
    let tables: [Row<'_>; 7] = [
        (&centred[3..6], 1, &[-0.5, 0.0, 0.5]),
        (
            &centred[2..7],
            2,
            &[-1.0 / 12.0, 4.0 / 3.0, -2.5, 4.0 / 3.0, -1.0 / 12.0],
        ),
        (&centred[2..7], 3, &[-0.5, 1.0, 0.0, -1.0, 0.5]),
        (
            &centred[1..8],
            4,
            &[-1.0 / 6.0, 2.0, -6.5, 28.0 / 3.0, -6.5, 2.0, -1.0 / 6.0],
        ),
        (
            &centred,
            1,
            &[
                1.0 / 280.0,
                -4.0 / 105.0,
                0.2,
                -0.8,
                0.0,
                0.8,
                -0.2,
                4.0 / 105.0,
                -1.0 / 280.0,
            ],
        ),
        (&one_sided[..3], 1, &[-1.5, 2.0, -0.5]),
        (
            &one_sided,
            2,
            &[35.0 / 12.0, -26.0 / 3.0, 9.5, -14.0 / 3.0, 11.0 / 12.0],
        ),
    ];
    for (nodes, order, expected) in tables {
        let found = &weights(0.0, nodes, order)[order];
        for (w, e) in found.iter().zip(expected) {
            assert!((w - e).abs() < 1e-13, "{order}: {w} {e}");
        }
    }
    // Exact for polynomials on nodes of any places, in any order.
    let nodes = [0.3, -1.1, 2.0, 0.9, -0.4, 1.4];
    let all = weights(0.2, &nodes, 4);
    for degree in 0..6_i32 {
        for (order, row) in (0..).zip(&all) {
            let sum: f64 = nodes.iter().zip(row).map(|(x, w)| w * x.powi(degree)).sum();
            let mut exact = 0.2_f64.powi(degree - order);
            for k in 0..order {
                exact *= f64::from(degree - k);
            }
            assert!(
                (sum - exact).abs() < 1e-11,
                "{degree} {order}: {sum} {exact}"
            );
        }
    }
    assert!(weights(0.0, &[], 2).iter().all(Vec::is_empty));
}

/// Errors fall by 2^accuracy when the spacing is halved: up to the ends, on periods, and on unequal spacing.
#[test]
fn differences_converge_by_their_order() {
    let smooth = |count: usize, accuracy| {
        let at = |i: usize| {
            let s = i as f64 / (count - 1) as f64;
            3.0 * s + 0.45 * (TAU * s).sin() / TAU
        };
        Axis::new(
            (0..count).map(at).collect(),
            None,
            Stencil::Differences { accuracy },
        )
    };
    for accuracy in [2, 4, 6, 8] {
        for order in 1..=4 {
            let stencil = Stencil::Differences { accuracy };
            let axes = |count: usize| {
                [
                    Axis::even([0.0, 3.0], count, stencil).unwrap(),
                    Axis::periodic([0.0, PI], count, stencil).unwrap(),
                    smooth(count, accuracy).unwrap(),
                ]
            };
            // Few nodes where rounding would hide the order: weights of one-sided rows are large.
            let counts = if accuracy > 4 { [24, 48] } else { [60, 120] };
            let [coarse, fine] = counts.map(|count| {
                axes(count).map(|axis| {
                    let stencils = Stencils::grid(vec![axis]).unwrap();
                    error(
                        &stencils,
                        &[order],
                        |x| sine(x[0], 0),
                        |x| sine(x[0], order),
                    )
                })
            });
            for (kind, (coarse, fine)) in coarse.iter().zip(fine).enumerate() {
                let reached = (coarse / fine).log2();
                let asked = 0.85 * accuracy as f64;
                assert!(
                    reached > asked || fine < 1e-9,
                    "kind {kind}, accuracy {accuracy}, order {order}: {coarse:e} {fine:e}"
                );
            }
        }
    }
}

#[test]
fn spectral_families_reach_rounding() {
    let u = |x: &[f64]| x[0].sin().exp();
    let slope = |x: &[f64]| x[0].cos() * x[0].sin().exp();
    let third = |x: &[f64]| {
        let (s, c) = x[0].sin_cos();
        (c * c * c - 3.0 * s * c - c) * s.exp()
    };
    for count in [32, 33] {
        let axis = Axis::periodic([-PI, PI], count, Stencil::Fourier).unwrap();
        let stencils = Stencils::grid(vec![axis]).unwrap();
        assert!(error(&stencils, &[1], u, slope) < 1e-12);
        assert!(error(&stencils, &[3], u, third) < 1e-10);
    }
    // The highest frequency of an even number has no slope, and a second derivative.
    let axis = Axis::periodic([0.0, TAU], 8, Stencil::Fourier).unwrap();
    let stencils = Stencils::grid(vec![axis]).unwrap();
    let wave = |x: &[f64]| (4.0 * x[0]).cos();
    assert!(error(&stencils, &[1], wave, |_| 0.0) < 1e-13);
    assert!(error(&stencils, &[2], wave, |x| -16.0 * wave(x)) < 1e-12);
    let axis = Axis::chebyshev([0.0, 1.0], 20).unwrap();
    let stencils = Stencils::grid(vec![axis]).unwrap();
    let reached = error(&stencils, &[2], |x| sine(x[0], 0), |x| sine(x[0], 2));
    assert!(reached < 1e-10, "{reached:e}");
}

/// Mixed derivatives are one map after the other, of different families and for several unknowns and sets of values.
#[test]
fn grids_of_several_coordinates() {
    let stencil = Stencil::Differences { accuracy: 8 };
    let axes = vec![
        Axis::periodic([0.0, TAU], 16, Stencil::Fourier).unwrap(),
        Axis::even([0.0, 1.0], 25, stencil).unwrap(),
        Axis::chebyshev([-1.0, 1.0], 12).unwrap(),
    ];
    let stencils = Stencils::grid(axes).unwrap();
    assert_eq!(stencils.points().row(1)[..2], [0.0, 0.0]);
    let u = |x: &[f64]| x[0].sin() * sine(x[1], 0) * (x[2]).exp();
    let exact = |x: &[f64]| x[0].cos() * sine(x[1], 2) * (x[2]).exp();
    assert!(error(&stencils, &[1, 2, 1], u, exact) < 1e-7);

    // Two sets of values of two unknowns: the same as each alone.
    let n = stencils.points().len();
    let one: Vec<f64> = stencils.points().rows().map(u).collect();
    let four: Vec<f64> = [1.0, 3.0]
        .iter()
        .flat_map(|f| one.iter().flat_map(move |v| [f * v, 2.0 * f * v]))
        .collect();
    let g = Graph::new();
    let values = g.input(&[2 * n, 2]);
    let found = stencils.derivatives(values, &[vec![0, 1, 1]]).unwrap();
    let program = Program::<f64>::compile(&g.finish(&found), &Options::default()).unwrap();
    let mut out = vec![0.0; 4 * n];
    program.run(&[&four], &mut [&mut out]).unwrap();
    let alone = derivatives(&stencils, &one, &[vec![0, 1, 1]]).remove(0);
    for (i, value) in alone.iter().enumerate() {
        for (k, factor) in [(2 * i, 1.0), (2 * i + 1, 2.0), (2 * (n + i) + 1, 6.0)] {
            assert!((out[k] - factor * value).abs() < 1e-9 * (1.0 + value.abs()));
        }
    }
}

/// Points of the unit square that are on no grid.
fn scattered(count: usize) -> Points {
    let square = BoxDomain::rectangle([0.0, 1.0], [0.0, 1.0]).unwrap();
    square
        .sample_interior(count, &Sampler::default(), Key::new(1))
        .unwrap()
}

#[test]
fn scattered_nodes_converge_by_their_degree() {
    let u = |x: &[f64]| sine(x[0], 0) * (1.5 * x[1]).cos();
    let laplacian = |x: &[f64]| (-4.0 - 2.25) * u(x);
    let methods: [fn(usize, usize) -> Scattered; 2] =
        [Scattered::polyharmonic, Scattered::least_squares];
    for method in methods {
        for degree in [3, 5] {
            // Root mean squares: points are not evenly spread, so the largest error is one of luck.
            let [coarse, fine] = [300, 1200].map(|count| {
                let stencils = Stencils::scattered(scattered(count), method(2, degree)).unwrap();
                let values: Vec<f64> = stencils.points().rows().map(u).collect();
                let found = derivatives(&stencils, &values, &[vec![2, 0], vec![0, 2]]);
                let sums = found[0].iter().zip(&found[1]).map(|(a, b)| a + b);
                let squares = sums
                    .zip(stencils.points().rows())
                    .map(|(s, x)| (s - laplacian(x)).powi(2));
                (squares.sum::<f64>() / count as f64).sqrt()
            });
            let (reached, asked) = ((coarse / fine).log2(), degree as f64 - 1.0);
            assert!(reached > asked - 0.4, "{degree}: {coarse:e} {fine:e}");
        }
        // Polynomials of the degree are exact, mixed derivatives too.
        let stencils = Stencils::scattered(scattered(200), method(2, 4)).unwrap();
        let u = |x: &[f64]| x[0].powi(2) * x[1].powi(2) - 3.0 * x[0] * x[1];
        let exact = |x: &[f64]| 4.0 * x[0] * x[1] - 3.0;
        assert!(error(&stencils, &[1, 1], u, exact) < 1e-8);
        assert!(error(&stencils, &[2, 2], u, |_| 4.0) < 1e-4);
    }
}

/// ⟨w, Dv⟩ = ⟨Dᵀw, v⟩ for every family.
#[test]
fn cotangents_are_the_transposed_maps() {
    let differences = Stencil::Differences { accuracy: 4 };
    let families = [
        Stencils::grid(vec![
            Axis::even([0.0, 1.0], 9, differences).unwrap(),
            Axis::periodic([0.0, 1.0], 10, differences).unwrap(),
        ]),
        Stencils::grid(vec![
            Axis::periodic([0.0, 1.0], 9, Stencil::Fourier).unwrap(),
            Axis::chebyshev([0.0, 1.0], 8).unwrap(),
        ]),
        Stencils::scattered(scattered(60), Scattered::polyharmonic(2, 3)),
        Stencils::scattered(scattered(60), Scattered::least_squares(2, 3)),
    ];
    for stencils in families {
        let stencils = stencils.unwrap();
        let shape = [stencils.points().len(), 1];
        let n = shape[0];
        let signature = Signature {
            state: &shape,
            ..Signature::default()
        };
        let map = ProgramResidual::<f64>::new(&signature, Vec::new(), |u, _| {
            let all = stencils.derivatives(u, &[vec![1, 0], vec![1, 2]]).unwrap();
            all[0].square() + all[1]
        })
        .unwrap();
        let mut random = vec![0.0; 3 * n];
        Key::new(5).fill_normal(0, &mut random);
        let (u, rest) = random.split_at(n);
        let (v, w) = rest.split_at(n);
        let (mut forward, mut backward) = (vec![0.0; n], vec![0.0; n]);
        map.jvp(u, v, &mut forward).unwrap();
        map.vjp(u, w, &mut backward).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (left, right) = (dot(w, &forward), dot(&backward, v));
        assert!(
            (left - right).abs() < 1e-9 * left.abs().max(1.0),
            "{left} {right}"
        );
        // Beside a difference of values.
        let moved = |step: f64| {
            let at: Vec<f64> = u.iter().zip(v).map(|(u, v)| u + step * v).collect();
            let mut out = vec![0.0; n];
            map.eval(&at, &mut out).unwrap();
            out
        };
        let (up, down) = (moved(1e-4), moved(-1e-4));
        let size = forward.iter().fold(0.0, |m: f64, f| m.max(f.abs()));
        for ((a, b), f) in up.iter().zip(&down).zip(&forward) {
            assert!(((a - b) / 2e-4 - f).abs() < 1e-6 * size);
        }
    }
}

/// What the equations' residual is at the nodes by Taylor series of a network, and by stencils of its values.
fn both(problem: &Problem, stencils: Stencils) -> (Vec<f64>, Vec<f64>) {
    let mut layout = Layout::new();
    let dims = problem.coordinates().len();
    let widths = [dims, 8, 8, problem.unknowns().len()];
    let net = Mlp::new(&mut layout.root(), &widths, &MlpOptions::default());
    let parameters = Parameters::<f64>::new(&layout, Key::new(4));
    let net: Model = Arc::new(net);
    let on_nodes = OnNodes::new(problem, stencils).unwrap();
    let (_, inside) = on_nodes.parts().next().unwrap();
    let points = on_nodes.stencils().points();
    let own = points.select(inside).into_vec();
    let counts = Counts::default();
    let term = problem
        .terms(&net, &[], &counts, Key::new(0))
        .unwrap()
        .remove(0);
    let exact = sample(&parameters, dims, &own, |pass, x| (term.residual)(pass, x)).unwrap();
    let found = sample(&parameters, dims, points.as_slice(), |pass, x| {
        Ok(on_nodes.residuals(pass, net.apply(pass, x), &[])?[0])
    });
    (exact, found.unwrap())
}

/// Burgers, Kuramoto-Sivashinsky and a system: the same text, derivatives of both kinds.
#[test]
fn equations_on_nodes_are_those_of_networks() {
    let line = || {
        Problem::new()
            .coordinate("x", [-1.0, 1.0])
            .time("t", [0.0, 1.0])
            .unknown("u")
    };
    let problems = [
        line().equation("u_t + u*u_x = 0.1*u_xx"),
        line().equation("u_t + 5*u*u_x + 0.5*u_xx + 0.005*u_xxxx = 0"),
        line()
            .unknown("v")
            .equation("u_t = v_xx + x*t*u")
            .equation("diff(v*diff(u, x), x) = u_xt - v"),
    ];
    for problem in problems {
        let problem = problem.incomplete().build().unwrap();
        for accuracy in [2, 4] {
            let [coarse, fine] = [15, 29].map(|count| {
                let stencil = Stencil::Differences { accuracy };
                let axes = [[-1.0, 1.0], [0.0, 1.0]];
                let axes = axes.map(|ends| Axis::even(ends, count, stencil).unwrap());
                let stencils = Stencils::grid(axes.to_vec()).unwrap();
                let (exact, found) = both(&problem, stencils);
                let pairs = exact.iter().zip(&found);
                let squares: f64 = pairs.map(|(e, f)| (e - f) * (e - f)).sum();
                (squares / exact.len() as f64).sqrt()
            });
            let reached = (coarse / fine).log2();
            assert!(
                reached > accuracy as f64 - 0.4,
                "{accuracy}: {coarse:e} {fine:e}"
            );
        }
        let chebyshev = [[-1.0, 1.0], [0.0, 1.0]];
        let axes = chebyshev.map(|ends| Axis::chebyshev(ends, 22).unwrap());
        let (exact, found) = both(&problem, Stencils::grid(axes.to_vec()).unwrap());
        let off = exact.iter().zip(&found).map(|(e, f)| (e - f).abs());
        let off = off.fold(0.0, f64::max);
        assert!(off < 1e-4, "{off:e}");
    }
}

/// −Δu = 2π²·sin πx·sin πy by least squares of the values: errors of the stencils' order.
#[test]
fn values_on_a_grid_solve_poisson() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .equation("-laplacian(u, x, y) = 2*pi^2*sin(pi*x)*sin(pi*y)")
        .condition("boundary", "u = 0")
        .build()
        .unwrap();
    let solve = |axis: &dyn Fn() -> Axis| {
        let stencils = Stencils::grid(vec![axis(), axis()]).unwrap();
        let on_nodes = OnNodes::new(&problem, stencils).unwrap();
        let n = on_nodes.stencils().points().len();
        let solution = on_nodes.solve(&vec![0.0; n], 3).unwrap();
        let exact = |x: &[f64]| (PI * x[0]).sin() * (PI * x[1]).sin();
        let exact = on_nodes.stencils().points().rows().map(exact);
        let off = solution
            .values
            .iter()
            .zip(exact)
            .map(|(u, v)| (u - v).abs());
        off.fold(0.0, f64::max)
    };
    for accuracy in [2, 4] {
        let stencil = Stencil::Differences { accuracy };
        let [coarse, fine] =
            [16, 31].map(|n| solve(&|| Axis::even([0.0, 1.0], n, stencil).unwrap()));
        let reached = (coarse / fine).log2();
        assert!(reached > accuracy as f64 - 0.5, "{coarse:e} {fine:e}");
    }
    let spectral = solve(&|| Axis::chebyshev([0.0, 1.0], 15).unwrap());
    assert!(spectral < 1e-9, "{spectral:e}");
}

/// A disk with scattered nodes and a normal derivative on half of its edge; Burgers' equation with a shock layer.
#[test]
fn scattered_values_and_equations_that_are_not_linear() {
    let disk = Ball::new(vec![0.0, 0.0], 1.0).unwrap();
    let mut points = disk
        .sample_interior(400, &Sampler::default(), Key::new(2))
        .unwrap();
    let edge: Vec<f64> = (0..90)
        .flat_map(|i| {
            let (s, c) = (TAU * (f64::from(i) + 0.5) / 90.0).sin_cos();
            [c, s]
        })
        .collect();
    points.extend(&Points::new(2, edge).unwrap()).unwrap();
    let half =
        |name: &str, sign: f64| ansatz_pde::Place::predicate(name, move |x| sign * x[0] > 0.0);
    let problem = Problem::new()
        .space(&["x", "y"], disk)
        .unknown("u")
        .equation("laplacian(u, x, y) = -8*(x + y)")
        .condition(half("right", 1.0), "u = 0")
        .condition(half("left", -1.0), "u_n = -2*(x + y)")
        .build()
        .unwrap();
    // (1 − x² − y²)(x + y): a cubic, which polynomials of degree 3 have exactly.
    for how in [
        Scattered::polyharmonic(2, 3),
        Scattered::least_squares(2, 3),
    ] {
        let stencils = Stencils::scattered(points.clone(), how).unwrap();
        let on_nodes = OnNodes::new(&problem, stencils).unwrap();
        let solution = on_nodes.solve(&vec![0.0; points.len()], 2).unwrap();
        for (u, x) in solution.values.iter().zip(points.rows()) {
            let exact = (1.0 - x[0] * x[0] - x[1] * x[1]) * (x[0] + x[1]);
            assert!((u - exact).abs() < 1e-6, "{u} {exact}");
        }
    }

    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .unknown("u")
        .equation("u*u_x = 0.1*u_xx")
        .form("u", "-x + (1 - x^2)*u")
        .build()
        .unwrap();
    let axis = Axis::chebyshev([-1.0, 1.0], 70).unwrap();
    let on_nodes = OnNodes::new(&problem, Stencils::grid(vec![axis]).unwrap()).unwrap();
    let solution = on_nodes.solve(&[0.0; 70], 30).unwrap();
    // −a·tanh(a·x/0.2) with a·tanh(a/0.2) = 1.
    let mut a: f64 = 1.0;
    for _ in 0..50 {
        a = 1.0 / (a / 0.2).tanh();
    }
    for (u, x) in solution
        .values
        .iter()
        .zip(on_nodes.stencils().points().rows())
    {
        assert!(
            (u + a * (a * x[0] / 0.2).tanh()).abs() < 1e-6,
            "{u} at {}",
            x[0]
        );
    }
    assert!(solution.history.windows(2).all(|w| w[1] < w[0]));
}

/// A network trained through stencils alone: the same problem as by Taylor series, with the outputs on a grid.
#[test]
fn networks_are_trained_through_stencils() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .equation("-laplacian(u, x, y) = 2*pi^2*sin(pi*x)*sin(pi*y)")
        .form("u", "x*(1 - x)*y*(1 - y)*u")
        .build()
        .unwrap();
    let axis = || Axis::chebyshev([0.0, 1.0], 9).unwrap();
    let on_nodes = OnNodes::new(&problem, Stencils::grid(vec![axis(), axis()]).unwrap()).unwrap();
    let points = on_nodes.stencils().points();
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[2, 12, 12, 1], &MlpOptions::default());
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let data = [Data::Whole(vec![points.len(), 2])];
    let mut objective = Objective::compile(&layout, &data, |pass, data| {
        let r = on_nodes
            .residuals(pass, net.apply(pass, data[0]), &[])
            .unwrap();
        r[0].square().mean()
    })
    .unwrap();
    let method = Lbfgs {
        steps: 300,
        ..Lbfgs::default()
    };
    let inputs = [points.as_slice()];
    method
        .fit(
            &mut objective,
            &mut parameters,
            &inputs,
            Key::new(1),
            &mut (),
        )
        .unwrap();
    let values = sample(&parameters, 2, points.as_slice(), |pass, x| {
        Ok(net.apply(pass, x))
    });
    let values = on_nodes.shape_values(&values.unwrap()).unwrap();
    for (u, x) in values.iter().zip(points.rows()) {
        let exact = (PI * x[0]).sin() * (PI * x[1]).sin();
        assert!((u - exact).abs() < 1e-2, "{u} {exact}");
    }
}

/// The same bits of weights and of values.
#[test]
fn threads_make_no_difference() {
    threads::alike(|| {
        let points = scattered(300);
        let stencils = Stencils::scattered(points, Scattered::polyharmonic(2, 4)).unwrap();
        let values: Vec<f64> = stencils
            .points()
            .rows()
            .map(|x| (3.0 * x[0]).sin() * x[1])
            .collect();
        derivatives(&stencils, &values, &[vec![2, 0], vec![1, 1]])
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let two = Stencil::Differences { accuracy: 2 };
    let option = |e: PdeError| matches!(e, PdeError::Option { .. });
    for accuracy in [0, 3, 10] {
        let stencil = Stencil::Differences { accuracy };
        assert!(option(Axis::even([0.0, 1.0], 9, stencil).unwrap_err()));
    }
    assert!(option(
        Axis::new(vec![0.0, 0.0, 1.0], None, two).unwrap_err()
    ));
    assert!(option(
        Axis::new(vec![0.0, 0.5, 1.0], Some(1.0), two).unwrap_err()
    ));
    assert!(option(
        Axis::even([0.0, 1.0], 9, Stencil::Fourier).unwrap_err()
    ));
    let uneven = Axis::new(vec![0.0, 0.2, 0.5], Some(1.0), Stencil::Fourier);
    assert!(option(uneven.unwrap_err()));
    assert!(matches!(
        Axis::new(vec![0.0, f64::NAN], None, two),
        Err(PdeError::NotFinite { index: 1, .. })
    ));
    assert!(Stencils::grid(Vec::new()).is_err());
    // As many neighbours as polynomials, but all on a line.
    let line: Vec<f64> = (0..40).flat_map(|i| [f64::from(i) / 40.0, 0.5]).collect();
    let line = Points::new(2, line).unwrap();
    let g = Graph::new();
    for how in [
        Scattered::least_squares(2, 2),
        Scattered::polyharmonic(2, 2),
    ] {
        let stencils = Stencils::scattered(line.clone(), how).unwrap();
        let refused = stencils.derivatives(g.input(&[40, 1]), &[vec![2, 0]]);
        assert!(matches!(
            refused,
            Err(PdeError::Undetermined { degree: 2, .. })
        ));
        // A degree below the order; a multi-index of another length; an order that is too high.
        let value = g.input(&[40, 1]);
        assert!(option(
            stencils.derivatives(value, &[vec![3, 0]]).unwrap_err()
        ));
        assert!(stencils.derivatives(value, &[vec![2]]).is_err());
        assert!(matches!(
            stencils.derivatives(value, &[vec![5, 4]]),
            Err(PdeError::Order { order: 9, .. })
        ));
        assert!(
            stencils
                .derivatives(g.input(&[41, 1]), &[vec![1, 0]])
                .is_err()
        );
    }
    let few = Scattered {
        neighbours: 5,
        ..Scattered::least_squares(2, 2)
    };
    assert!(option(Stencils::scattered(line, few).unwrap_err()));

    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .unknown("u")
        .equation("u_xx = 1")
        .condition("x = 0", "u = 0")
        .condition("x = 1", "u = 0")
        .build()
        .unwrap();
    let on = |axis: Axis| OnNodes::new(&problem, Stencils::grid(vec![axis]).unwrap());
    let outside = on(Axis::even([0.0, 1.5], 9, two).unwrap());
    assert!(matches!(outside, Err(PdeError::Misplaced { node: 6, .. })));
    let periodic = on(Axis::periodic([0.0, 1.0], 9, two).unwrap());
    assert!(matches!(periodic, Err(PdeError::Unsuited { .. })));
    let without_end = on(Axis::even([0.0, 0.9], 9, two).unwrap());
    assert!(matches!(without_end, Err(PdeError::NoPoints { .. })));
    let fits = on(Axis::even([0.0, 1.0], 9, two).unwrap()).unwrap();
    assert!(fits.solve(&[0.0; 8], 1).is_err());
    assert!(fits.solve(&[f64::NAN; 9], 1).is_err());
    let short = on(Axis::even([0.0, 1.0], 3, two).unwrap()).unwrap();
    assert!(matches!(
        short.solve(&[0.0; 3], 1),
        Err(PdeError::Width { .. })
    ));
}
