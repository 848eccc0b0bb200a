//! Problems with gradients by hand.

use ansatz_linalg::implicit::Closures;

pub(crate) const ROWS: usize = 10;
pub(crate) const COLUMNS: usize = 3;

/// X, row by row.
pub(crate) fn design() -> Vec<f64> {
    let entry = |k: usize| {
        let (i, j) = ((k / COLUMNS) as f64, (k % COLUMNS) as f64);
        (1.0 + 3.0 * i + j * j).sin() + 0.3 * (i * (j + 1.0)).cos()
    };
    (0..ROWS * COLUMNS).map(entry).collect()
}

pub(crate) fn targets() -> Vec<f64> {
    (0..ROWS).map(|i| (0.7 * i as f64).cos()).collect()
}

fn times(x: &[f64], w: &[f64]) -> Vec<f64> {
    x.chunks(w.len())
        .map(|row| row.iter().zip(w).map(|(x, w)| x * w).sum())
        .collect()
}

fn back(x: &[f64], r: &[f64]) -> Vec<f64> {
    let n = x.len() / r.len();
    (0..n)
        .map(|j| r.iter().enumerate().map(|(i, r)| x[i * n + j] * r).sum())
        .collect()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// ∇½‖Xw − y‖² with the arguments [X, y].
pub(crate) fn least_squares() -> Closures<'static> {
    Closures::gradient(
        COLUMNS,
        &[ROWS * COLUMNS, ROWS],
        |at, out| {
            let [x, y] = [at.args[0], at.args[1]];
            out.copy_from_slice(&back(x, &minus(&times(x, at.x), y)));
        },
        |at, w, out| out.copy_from_slice(&back(at.args[0], &times(at.args[0], w))),
        |at, d, out| {
            let [x, y] = [at.args[0], at.args[1]];
            let r = minus(&times(x, at.x), y);
            let first = back(d[0], &r);
            let second = back(x, &minus(&times(d[0], at.x), d[1]));
            for (i, out) in out.iter_mut().enumerate() {
                *out = first[i] + second[i];
            }
        },
        |at, v, out| {
            let [x, y] = [at.args[0], at.args[1]];
            let r = minus(&times(x, at.x), y);
            let xv = times(x, v);
            for i in 0..ROWS {
                for j in 0..COLUMNS {
                    out[0][i * COLUMNS + j] = r[i] * v[j] + xv[i] * at.x[j];
                }
                out[1][i] = -xv[i];
            }
        },
    )
}

/// The same + ½θ‖w‖², with the arguments [X, y, θ].
pub(crate) fn ridge() -> Closures<'static> {
    Closures::gradient(
        COLUMNS,
        &[ROWS * COLUMNS, ROWS, 1],
        |at, out| {
            let [x, y] = [at.args[0], at.args[1]];
            let g = back(x, &minus(&times(x, at.x), y));
            for (i, out) in out.iter_mut().enumerate() {
                *out = g[i] + at.args[2][0] * at.x[i];
            }
        },
        |at, w, out| {
            let g = back(at.args[0], &times(at.args[0], w));
            for (i, out) in out.iter_mut().enumerate() {
                *out = g[i] + at.args[2][0] * w[i];
            }
        },
        |at, d, out| {
            let [x, y] = [at.args[0], at.args[1]];
            let r = minus(&times(x, at.x), y);
            let first = back(d[0], &r);
            let second = back(x, &minus(&times(d[0], at.x), d[1]));
            for (i, out) in out.iter_mut().enumerate() {
                *out = first[i] + second[i] + d[2][0] * at.x[i];
            }
        },
        |at, v, out| {
            let [x, y] = [at.args[0], at.args[1]];
            let r = minus(&times(x, at.x), y);
            let xv = times(x, v);
            for i in 0..ROWS {
                for j in 0..COLUMNS {
                    out[0][i * COLUMNS + j] = r[i] * v[j] + xv[i] * at.x[j];
                }
                out[1][i] = -xv[i];
            }
            out[2][0] = at.x.iter().zip(v).map(|(x, v)| x * v).sum();
        },
    )
}

/// Q·x − θ with the argument θ.
pub(crate) fn quadratic(q: Vec<f64>, n: usize) -> Closures<'static> {
    let again = q.clone();
    Closures::gradient(
        n,
        &[n],
        move |at, out| out.copy_from_slice(&minus(&times(&q, at.x), at.args[0])),
        move |_, w, out| out.copy_from_slice(&times(&again, w)),
        |_, d, out| out.iter_mut().zip(d[0]).for_each(|(out, d)| *out = -d),
        |_, v, out| out[0].iter_mut().zip(v).for_each(|(out, v)| *out = -v),
    )
}

/// tanh(Wz + b) with the arguments [W, b].
pub(crate) fn layer(n: usize) -> Closures<'static> {
    fn pre(at: ansatz_linalg::implicit::Point<'_>) -> Vec<f64> {
        let s = times(at.args[0], at.x);
        s.iter().zip(at.args[1]).map(|(s, b)| s + b).collect()
    }
    fn slopes(at: ansatz_linalg::implicit::Point<'_>) -> Vec<f64> {
        pre(at).iter().map(|s| 1.0 - s.tanh().powi(2)).collect()
    }
    fn scale(d: &[f64], v: &[f64]) -> Vec<f64> {
        d.iter().zip(v).map(|(d, v)| d * v).collect()
    }
    Closures::new(
        [n, n],
        &[n * n, n],
        |at, out| {
            let s = pre(at);
            out.iter_mut().zip(&s).for_each(|(out, s)| *out = s.tanh());
        },
        |at, w, out| out.copy_from_slice(&scale(&slopes(at), &times(at.args[0], w))),
        |at, v, out| out.copy_from_slice(&back(at.args[0], &scale(&slopes(at), v))),
        |at, d, out| {
            let mut inner = times(d[0], at.x);
            inner.iter_mut().zip(d[1]).for_each(|(i, d)| *i += d);
            out.copy_from_slice(&scale(&slopes(at), &inner));
        },
        move |at, v, out| {
            let s = scale(&slopes(at), v);
            for i in 0..n {
                for j in 0..n {
                    out[0][i * n + j] = s[i] * at.x[j];
                }
            }
            out[1].copy_from_slice(&s);
        },
    )
}
