//! Derivatives against finite differences and closed forms, compiled against naive evaluation.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::{Array, Graph, gradient, jet, jvp, laplacian, vjp};
use common::run;

#[test]
fn a_small_network() {
    let g = Graph::new();
    let x = g.batch(&[37, 2]);
    let w = g.input(&[2, 5]);
    let b = g.input(&[5]);
    let v = g.input(&[5, 1]);
    let y = (x.matmul(w) + b).tanh().matmul(v);
    let loss = (y * y).mean();
    let grads = gradient(loss, &[w, b, v]);
    let xs: Vec<f64> = (0..74).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let ws: Vec<f64> = (0..10).map(|i| (f64::from(i) * 0.7).cos()).collect();
    let bs: Vec<f64> = (0..5).map(|i| 0.1 * f64::from(i)).collect();
    let vs: Vec<f64> = (0..5).map(|i| (f64::from(i) * 1.3).sin()).collect();
    let out = run::<f64>(
        &g,
        &[loss, grads[0], grads[1], grads[2]],
        &[&xs, &ws, &bs, &vs],
    );
    let value = |ws: &[f64], bs: &[f64], vs: &[f64]| {
        let mut sum = 0.0;
        for p in xs.chunks(2) {
            let mut y = 0.0;
            for j in 0..5 {
                y += vs[j] * (p[0] * ws[j] + p[1] * ws[5 + j] + bs[j]).tanh();
            }
            sum += y * y;
        }
        sum / 37.0
    };
    assert!((out[0][0] - value(&ws, &bs, &vs)).abs() < 1e-14);
    let d = 1e-6;
    for i in 0..10 {
        let (mut up, mut down) = (ws.clone(), ws.clone());
        up[i] += d;
        down[i] -= d;
        let fd = (value(&up, &bs, &vs) - value(&down, &bs, &vs)) / (2.0 * d);
        assert!((out[1][i] - fd).abs() < 1e-8, "{i} {} {fd}", out[1][i]);
    }
    for i in 0..5 {
        let (mut up, mut down) = (bs.clone(), bs.clone());
        up[i] += d;
        down[i] -= d;
        let fd = (value(&ws, &up, &vs) - value(&ws, &down, &vs)) / (2.0 * d);
        assert!((out[2][i] - fd).abs() < 1e-8, "{i} {} {fd}", out[2][i]);
        let (mut up, mut down) = (vs.clone(), vs.clone());
        up[i] += d;
        down[i] -= d;
        let fd = (value(&ws, &bs, &up) - value(&ws, &bs, &down)) / (2.0 * d);
        assert!((out[3][i] - fd).abs() < 1e-8, "{i} {} {fd}", out[3][i]);
    }
}

#[test]
fn orders_agree() {
    // The same fourth derivative by nested jvp, nested vjp and one jet.
    let g = Graph::new();
    let x = g.input(&[7]);
    let y = (x.sin() * x.exp() + x.tanh() / (x * x + 2.0)).sigmoid() + (x * x + 1.0).ln() * x.cos();
    let mut nested = y;
    let mut reverse = y;
    for _ in 0..4 {
        nested = jvp(&[nested], &[(x, x.ones())])[0];
        reverse = vjp(&[(reverse, reverse.ones())], &[x])[0];
    }
    let series = jet(&[y], &[(x, &[x.ones()])], 4).remove(0);
    let xs: Vec<f64> = (0..7).map(|i| f64::from(i) * 0.4 - 1.1).collect();
    let out = run::<f64>(&g, &[nested, reverse, series[4]], &[&xs]);
    for i in 0..7 {
        assert!((out[0][i] - out[1][i]).abs() < 1e-10 * out[0][i].abs().max(1.0));
        assert!((out[0][i] - 24.0 * out[2][i]).abs() < 1e-10 * out[0][i].abs().max(1.0));
    }
}

#[test]
fn laplacian_of_a_network() {
    let g = Graph::new();
    let x = g.batch(&[20, 2]);
    let w = g.input(&[2, 6]);
    let v = g.input(&[6, 1]);
    let u = x.matmul(w).tanh().matmul(v);
    let unit = |i: usize| {
        let mut e = vec![0.0; 2];
        e[i] = 1.0;
        g.constant(&[2], e).broadcast(&[20, 2])
    };
    let l = laplacian(u, x, &[unit(0), unit(1)]);
    let nested: Vec<Array<'_>> = (0..2)
        .map(|i| {
            let first = jvp(&[u], &[(x, unit(i))])[0];
            jvp(&[first], &[(x, unit(i))])[0]
        })
        .collect();
    let sum = nested[0] + nested[1];
    let xs: Vec<f64> = (0..40).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let ws: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.7).cos()).collect();
    let vs: Vec<f64> = (0..6).map(|i| (f64::from(i) * 1.3).sin()).collect();
    let loss = (l.second * l.second).mean();
    let grad = gradient(loss, &[w])[0];
    let other = gradient((sum * sum).mean(), &[w])[0];
    let out = run::<f64>(&g, &[l.second, sum, grad, other], &[&xs, &ws, &vs]);
    for i in 0..20 {
        assert!((out[0][i] - out[1][i]).abs() < 1e-13);
    }
    for i in 0..12 {
        assert!((out[2][i] - out[3][i]).abs() < 1e-12);
    }
}

/// Reverse over Taylor: (sin a·x)''' = −a³ cos a·x, its mean square and the slope of that in a.
#[test]
fn gradient_of_a_third_derivative() {
    let g = Graph::new();
    let (x, a) = (g.batch(&[100]), g.input(&[]));
    let y = (x * a).sin();
    let series = jet(&[y], &[(x, &[x.ones()])], 3).remove(0);
    let loss = (series[3] * 6.0).square().mean();
    let slope = gradient(loss, &[a])[0];
    let xs: Vec<f64> = (0..100).map(|i| 0.01 * f64::from(i)).collect();
    let a0 = 1.3_f64;
    let out = run::<f64>(&g, &[loss, slope], &[&xs, &[a0]]);
    let mean = |f: &dyn Fn(f64) -> f64| xs.iter().map(|x| f(*x)).sum::<f64>() / 100.0;
    let value = mean(&|x| a0.powi(6) * (a0 * x).cos().powi(2));
    let exact = mean(&|x| {
        let (s, c) = (a0 * x).sin_cos();
        6.0 * a0.powi(5) * c * c - 2.0 * a0.powi(6) * x * s * c
    });
    assert!((out[0][0] - value).abs() < 1e-13 * value);
    assert!((out[1][0] - exact).abs() < 1e-12 * exact.abs());
}
