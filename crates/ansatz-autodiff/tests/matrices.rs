//! Jacobians, Hessians and Gauss-Newton products beside JAX, by rows and by columns.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::{
    Array, Graph, Sweep, diagonal, gauss_newton_product, gradient, hessian, hessian_product,
    jacobian, laplacian, point_hessians, point_jacobians, units,
};
use common::{agree, run};

fn of(case: &str, what: &str) -> Vec<f64> {
    let start = format!("{case}\t{what}\t");
    let lines = include_str!("../fixtures/derivatives.txt").lines();
    let mut found = lines.filter_map(|line| line.strip_prefix(&start));
    let numbers = found.next().unwrap().split('\t');
    numbers.map(|v| v.parse().unwrap()).collect()
}

/// The network of the fixture: 2-8-8-1, tanh, five points.
struct Net<'g> {
    x: Array<'g>,
    p: Vec<Array<'g>>,
    h: Array<'g>,
    u: Array<'g>,
}

const LENGTHS: [usize; 6] = [16, 8, 64, 8, 8, 1];

fn net(g: &Graph, points: usize, batched: bool) -> Net<'_> {
    let x = if batched {
        g.batch(&[points, 2])
    } else {
        g.input(&[points, 2])
    };
    let shapes: [&[usize]; 6] = [&[2, 8], &[8], &[8, 8], &[8], &[8, 1], &[1]];
    let p: Vec<Array<'_>> = shapes.iter().map(|s| g.input(s)).collect();
    let h = ((x.matmul(p[0]) + p[1]).tanh().matmul(p[2]) + p[3]).tanh();
    let u = h.matmul(p[4]) + p[5];
    Net { x, p, h, u }
}

/// A flat vector in the parameters' parts.
fn parts(all: &[f64]) -> Vec<&[f64]> {
    let mut rest = all;
    LENGTHS
        .iter()
        .map(|n| {
            let (part, after) = rest.split_at(*n);
            rest = after;
            part
        })
        .collect()
}

fn inputs<'a>(x: &'a [f64], p: &'a [f64]) -> Vec<&'a [f64]> {
    std::iter::once(x).chain(parts(p)).collect()
}

#[test]
fn jacobians_by_rows_and_by_columns() {
    let (x, p) = (of("network", "x"), of("network", "p"));
    for sweep in [Sweep::Rows, Sweep::Columns, Sweep::Cheaper] {
        let g = Graph::new();
        let one = net(&g, 1, false);
        let whole = jacobian(one.h, one.x, sweep);
        assert_eq!(whole.shape()[..], [8, 2]);
        let got = run::<f64>(&g, &[whole], &inputs(&x[..2], &p));
        agree("one point", &got[0], &of("matrices", "jacobian of h"));
        for batched in [false, true] {
            let g = Graph::new();
            let net = net(&g, 5, batched);
            let outputs = [
                point_jacobians(net.h, net.x, sweep),
                point_jacobians(net.u, net.x, sweep),
                jacobian(net.u, net.p[0], sweep),
            ];
            let shapes = outputs.map(|o| o.shape().to_vec());
            assert_eq!(shapes, [vec![5, 8, 2], vec![5, 1, 2], vec![5, 16]]);
            let got = run::<f64>(&g, &outputs, &inputs(&x, &p));
            let names = [
                "jacobians of h",
                "jacobians of u",
                "jacobian of u in weights",
            ];
            for (values, name) in got.iter().zip(names) {
                agree(name, values, &of("matrices", name));
            }
        }
    }
}

#[test]
fn hessians_and_their_diagonals() {
    let (x, p) = (of("network", "x"), of("network", "p"));
    let g = Graph::new();
    let net = net(&g, 5, true);
    let directions = units(net.x);
    let each = diagonal(net.u, net.x, &directions);
    let sum = laplacian(net.u, net.x, &directions);
    let mut outputs = vec![
        hessian(net.u.square().mean(), net.x),
        point_hessians(net.u, net.x),
        point_jacobians(net.u, net.x, Sweep::Rows),
        sum.second,
    ];
    outputs.extend(each.first.iter().chain(&each.second));
    let got = run::<f64>(&g, &outputs, &inputs(&x, &p));
    agree("hessian", &got[0], &of("matrices", "hessian"));
    agree("hessians", &got[1], &of("matrices", "hessians"));
    let diagonals = [&got[6][..], &got[7]].concat();
    agree("diagonals", &diagonals, &of("matrices", "diagonals"));
    for i in 0..5 {
        agree("first", &[got[4][i], got[5][i]], &got[2][2 * i..2 * i + 2]);
        agree("sum", &[got[6][i] + got[7][i]], &got[3][i..=i]);
    }
}

#[test]
fn gauss_newton_products() {
    let (x, p, q) = (of("network", "x"), of("network", "p"), of("network", "q"));
    let g = Graph::new();
    let net = net(&g, 5, true);
    let v: Vec<Array<'_>> = net.p.iter().map(|p| g.input(&p.shape())).collect();
    let directions: Vec<_> = net.p.iter().copied().zip(v.iter().copied()).collect();
    let mut chosen = vec![0.0; 40];
    (0..5).for_each(|i| chosen[8 * i + i * 3 % 8] = 1.0);
    let chosen = g.constant(&[5, 8], chosen);
    let logits = net.h;
    let loss = (logits.log_sum_exp(&[1]).sum() - (logits * chosen).sum()) * 0.2;
    let mut outputs = gauss_newton_product(loss, logits, &directions[..4]);
    // Where the residual is zero, the Hessian is Gauss and Newton's: a loss against the network itself.
    let fixed = g.input(&[5, 1]);
    let squares = (net.u - fixed).square().mean();
    outputs.extend(gauss_newton_product(squares, net.u, &directions));
    let slopes = gradient(squares, &net.p);
    outputs.extend(ansatz_autodiff::jvp(&slopes, &directions));
    outputs.push(net.u);
    let mut given = inputs(&x, &p);
    given.extend(parts(&q));
    let value = {
        let g = Graph::new();
        let again = self::net(&g, 5, true);
        run::<f64>(&g, &[again.u], &inputs(&x, &p)).remove(0)
    };
    given.push(&value);
    let got = run::<f64>(&g, &outputs, &given);
    let product = got[..4].concat();
    agree("cross-entropy", &product, &of("matrices", "gauss-newton"));
    let (product, full) = (got[4..10].concat(), got[10..16].concat());
    agree("squares", &product, &full);
}

/// A penalty on the weights is none of the results' business.
#[test]
#[should_panic(expected = "otherwise than through")]
fn a_loss_of_more_than_the_results() {
    let g = Graph::new();
    let (p, v) = (g.input(&[3]), g.input(&[3]));
    let y = p.sin();
    let _ = gauss_newton_product(y.square().sum() + p.square().sum(), y, &[(p, v)]);
}

/// H·v of a whole Hessian is the product.
#[test]
fn a_hessian_times_a_vector() {
    let g = Graph::new();
    let (x, v) = (g.input(&[2, 3]), g.input(&[2, 3]));
    let y = (x.sin() * x.sum_axes(&[0]).exp()).sum();
    let full = hessian(y, x).matmul(v.reshape(&[6, 1]));
    let product = hessian_product(y, x, v);
    let (a, b) = (
        [0.3, -0.2, 0.5, 0.1, 0.7, -0.4],
        [1.0, -2.0, 0.5, 0.3, -0.6, 2.0],
    );
    let got = run::<f64>(&g, &[full, product], &[&a, &b]);
    agree("product", &got[0], &got[1]);
}

/// A derivative with respect to an array that is not an input: what is made of it must not be folded past it.
#[test]
fn derivatives_in_the_middle() {
    let g = Graph::new();
    let x = g.input(&[4]);
    let scaled = (x * 2.0).variable();
    let copied = x.sum_axes(&[0]).broadcast(&[4]).variable();
    let negated = (-x).variable();
    let outputs = [
        gradient((scaled * 3.0).sum(), &[scaled])[0],
        gradient(copied.exp().sum(), &[copied])[0],
        gradient((-negated).sum(), &[negated])[0],
    ];
    let got = run::<f64>(&g, &outputs, &[&[0.1, 0.2, 0.3, 0.4]]);
    agree("scaled", &got[0], &[3.0; 4]);
    agree("copied", &got[1], &[1.0_f64.exp(); 4]);
    agree("negated", &got[2], &[-1.0; 4]);
}

#[test]
#[should_panic(expected = "Array::variable")]
fn derivatives_past_the_middle() {
    let g = Graph::new();
    let scaled = g.input(&[4]) * 2.0;
    let _ = gradient((scaled * 3.0).sum(), &[scaled]);
}
