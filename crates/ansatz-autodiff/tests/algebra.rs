//! Linear algebra, transforms, indices and functions of users: values and derivatives beside JAX's, and the
//! laws of each.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ansatz_autodiff::op::{Side, Triangle, UserFunction};
use ansatz_autodiff::{Array, Graph, Options, Program, gradient, jvp, vjp};
use common::{run, run_program};

/// The same numbers as in the generator: exact fractions.
fn draws(n: usize, seed: usize, low: f64, high: f64) -> Vec<f64> {
    let part = |i: usize| ((i * i * 7 + i * 37 + seed * 13) % 101) as f64 / 101.0;
    (0..n).map(|i| low + (high - low) * part(i)).collect()
}

/// |a − b| below `tolerance` times the largest |b|, or 1.
#[track_caller]
fn close(name: &str, a: &[f64], b: &[f64], tolerance: f64) -> f64 {
    assert_eq!(a.len(), b.len(), "{name}");
    let scale = b.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale);
    let worst = differences.fold(0.0, |m: f64, d| if d <= m { m } else { d });
    assert!(worst <= tolerance, "{name}: {worst:e}\n{a:?}\n{b:?}");
    worst
}

/// Two symmetric matrices, of which the upper triangles must not be read.
fn spd(x: Array<'_>) -> Array<'_> {
    let identity = x
        .graph()
        .constant(&[3, 3], vec![3.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0]);
    x.reshape(&[2, 3, 3]) + identity
}

fn solve(x: Array<'_>, triangle: Triangle, side: Side) -> Array<'_> {
    let identity = x.graph().constant(&[2, 2], vec![2.0, 0.0, 0.0, 2.0]);
    let m = x.narrow(0, 0, 8).reshape(&[2, 2, 2]) + identity;
    m.solve_triangular(x.narrow(0, 8, 20).reshape(&[2, 2, 3]), triangle, side)
}

fn contracted<'g>(x: Array<'g>, a: &[usize], b: &[usize], labels: &str) -> Array<'g> {
    let (na, n) = (a.iter().product(), x.shape().len());
    let (a, b) = (x.narrow(0, 0, na).reshape(a), x.narrow(0, na, n).reshape(b));
    a.contract(b, labels)
}

type Function = for<'g> fn(Array<'g>) -> Array<'g>;

/// The functions of the generator, by name.
const CASES: &[(&str, Function)] = &[
    ("take", |x| {
        x.powi(3).reshape(&[3, 4]).take(1, &[3, 0, 0, 2, 1])
    }),
    ("take_rows", |x| {
        x.powi(3).reshape(&[3, 4]).take(0, &[2, 0, 0])
    }),
    ("scatter_add", |x| {
        x.powi(3).reshape(&[3, 4]).scatter_add(1, &[2, 0, 2, 1], 3)
    }),
    ("scatter_add_rows", |x| {
        x.powi(3).reshape(&[3, 4]).scatter_add(0, &[3, 0, 3], 4)
    }),
    ("gather", |x| {
        let indices = x.graph().constant(&[2, 2], vec![3.0, 0.0, 0.0, 2.0]);
        x.powi(3).reshape(&[3, 4]).gather(1, indices)
    }),
    ("reverse", |x| {
        x.powi(3).reshape(&[3, 2, 2]).reverse(&[0, 2])
    }),
    ("cumulative_sum", |x| {
        x.powi(3).reshape(&[3, 2, 2]).cumulative_sum(1)
    }),
    ("rfft_even", |x| x.powi(3).reshape(&[2, 6]).rfft(1)),
    ("rfft_odd", |x| x.powi(3).reshape(&[3, 5]).rfft(1)),
    ("rfft_2", |x| x.powi(3).reshape(&[2, 3, 4]).rfft(2)),
    ("rfft_3", |x| x.powi(3).reshape(&[2, 3, 5]).rfft(3)),
    ("irfft_even", |x| x.powi(3).reshape(&[2, 4, 2]).irfft(1, 6)),
    ("irfft_odd", |x| x.powi(3).reshape(&[2, 4, 2]).irfft(1, 7)),
    ("irfft_2", |x| x.powi(3).reshape(&[3, 3, 2]).irfft(2, 4)),
    ("irfft_3", |x| x.powi(3).reshape(&[2, 3, 2, 2]).irfft(3, 3)),
    ("fft", |x| x.powi(3).reshape(&[2, 5, 2]).fft(1)),
    ("ifft", |x| x.powi(3).reshape(&[2, 6, 2]).ifft(1)),
    ("fft_2", |x| x.powi(3).reshape(&[3, 4, 2]).fft(2)),
    ("ifft_3", |x| x.powi(3).reshape(&[2, 2, 3, 2]).ifft(3)),
    ("complex_mul", |x| {
        let (a, b) = (x.narrow(0, 0, 6), x.narrow(0, 6, 12));
        a.reshape(&[3, 2])
            .complex_mul(b.reshape(&[3, 2]).complex_conj())
    }),
    ("mix_modes", |x| {
        let (z, w) = (x.narrow(0, 0, 16), x.narrow(0, 16, 40));
        z.reshape(&[2, 2, 2, 2]).mix_modes(w.reshape(&[2, 3, 2, 2]))
    }),
    ("cholesky", |x| spd(x).cholesky()),
    ("solve_spd", |x| {
        spd(x.narrow(0, 0, 18)).solve_spd(x.narrow(0, 18, 24).reshape(&[2, 3, 1]))
    }),
    ("log_determinant", |x| spd(x).log_determinant()),
    ("solve_lower", |x| solve(x, Triangle::Lower, Side::Plain)),
    ("solve_lower_transposed", |x| {
        solve(x, Triangle::Lower, Side::Transposed)
    }),
    ("solve_upper", |x| solve(x, Triangle::Upper, Side::Plain)),
    ("solve_upper_transposed", |x| {
        solve(x, Triangle::Upper, Side::Transposed)
    }),
    ("tril, triu", |x| {
        let (a, b) = (
            x.powi(3).reshape(&[2, 2, 3]),
            x.square().reshape(&[2, 2, 3]),
        );
        a.tril() + b.triu() * 2.0
    }),
    ("diagonal", |x| x.powi(3).reshape(&[2, 2, 3]).diagonal()),
    ("contract bij,bjk->bki", |x| {
        contracted(x, &[2, 2, 2], &[2, 2, 2], "bij,bjk->bki")
    }),
    ("contract ij,kj->ki", |x| {
        contracted(x, &[2, 3], &[2, 3], "ij,kj->ki")
    }),
    ("contract bij,cj->bci", |x| {
        contracted(x, &[2, 2, 3], &[2, 3], "bij,cj->bci")
    }),
    ("contract cj,bij->bci", |x| {
        contracted(x, &[2, 3], &[2, 2, 3], "cj,bij->bci")
    }),
    ("contract bci,bdi->bcd", |x| {
        contracted(x, &[2, 2, 2], &[2, 3, 2], "bci,bdi->bcd")
    }),
    ("contract bci,bid->cd", |x| {
        contracted(x, &[2, 2, 2], &[2, 2, 3], "bci,bid->cd")
    }),
    ("contract bi,bj->ibj", |x| {
        contracted(x, &[2, 2], &[2, 3], "bi,bj->ibj")
    }),
    ("contract i,j->ij", |x| contracted(x, &[2], &[3], "i,j->ij")),
    ("contract ijk,i->j", |x| {
        contracted(x, &[2, 3, 2], &[2], "ijk,i->j")
    }),
    ("contract ij,ij->", |x| {
        contracted(x, &[2, 3], &[2, 3], "ij,ij->")
    }),
    ("atan2", |x| x.narrow(0, 0, 6).atan2(x.narrow(0, 6, 12))),
    ("pow", |x| (x.narrow(0, 0, 6) + 1.5).pow(x.narrow(0, 6, 12))),
    ("tan", |x| x.tan()),
    ("asin", |x| x.asin()),
    ("acos", |x| x.acos()),
    ("atan", |x| x.atan()),
    ("sinh", |x| x.sinh()),
    ("cosh", |x| x.cosh()),
    ("asinh", |x| x.asinh()),
    ("acosh", |x| (x + 2.5).acosh()),
    ("atanh", |x| x.atanh()),
    ("exp2", |x| x.exp2()),
    ("log2", |x| (x + 1.5).log2()),
    ("log10", |x| (x + 1.5).log10()),
    ("clamp", |x| x.powi(3).clamp(-0.2, 0.3)),
    ("reduce_min", |x| {
        x.powi(3).reshape(&[3, 4]).reduce_min(&[1])
    }),
    ("mean_axes", |x| {
        x.powi(3).reshape(&[3, 2, 2]).mean_axes(&[0, 2])
    }),
    ("variance", |x| {
        x.powi(3).reshape(&[3, 2, 2]).variance(&[0, 2])
    }),
];

/// Values and derivatives to order 3 within 1e-10 of JAX's, relative to the largest of an array.
#[test]
fn values_and_derivatives_beside_jax() {
    let text = include_str!("../fixtures/algebra.txt");
    let lines: Vec<&str> = text.lines().collect();
    let expected: HashMap<&str, &[&str]> = lines
        .chunks_exact(5)
        .map(|c| (c[0].rsplit_once(": ").unwrap().0, c))
        .collect();
    assert_eq!(expected.len(), CASES.len());
    let mut worst = 0.0_f64;
    for (name, f) in CASES {
        let lines = expected[name];
        let n: usize = lines[0].rsplit_once(": ").unwrap().1.parse().unwrap();
        let numbers = |line: &str| -> Vec<f64> {
            line.split_whitespace()
                .map(|v| v.parse().unwrap())
                .collect()
        };
        let g = Graph::new();
        let (x, v) = (g.input(&[n]), g.input(&[n]));
        let y = f(x);
        let w = g.input(&[y.shape().len()]);
        let first = gradient((y.reshape(&w.shape()) * w).sum(), &[x])[0];
        let second = gradient((first * v).sum(), &[x])[0];
        let third = gradient((second * v).sum(), &[x])[0];
        let (x0, v0) = (draws(n, 1, -0.9, 0.9), draws(n, 3, -1.0, 1.0));
        let w0 = draws(y.shape().len(), 2, -1.0, 1.0);
        let outputs = [y, first, second, third];
        let inputs: [&[f64]; 3] = [&x0, &v0, &w0];
        let got = run::<f64>(&g, &outputs, &inputs);
        for (k, values) in got.iter().enumerate() {
            let what = format!("{name}, order {k}");
            worst = worst.max(close(&what, values, &numbers(lines[k + 1]), 1e-10));
        }
        // In single precision to its rounding, which third derivatives enlarge.
        let single = run::<f32>(&g, &outputs, &inputs);
        for (a, b) in single.iter().zip(&got) {
            close(name, a, b, 2e-5);
        }
    }
    assert!(worst > 0.0, "something was compared");
}

/// Discrete Fourier transforms of every small length by their definition, and back.
#[test]
fn transforms_of_every_length() {
    for n in (1..=17).chain([31, 64, 97]) {
        let g = Graph::new();
        let (x, z) = (g.input(&[n]), g.input(&[n, 2]));
        let outputs = [x.rfft(1), x.rfft(1).irfft(1, n), z.fft(1), z.fft(1).ifft(1)];
        let (x0, z0) = (draws(n, 4, -1.0, 1.0), draws(2 * n, 5, -1.0, 1.0));
        let got = run::<f64>(&g, &outputs, &[&x0, &z0]);
        let dft = |x: &dyn Fn(usize) -> (f64, f64), k: usize| {
            let mut sum = [0.0; 2];
            for j in 0..n {
                let angle = -2.0 * std::f64::consts::PI * ((j * k % n) as f64) / n as f64;
                let ((a, b), (s, c)) = (x(j), angle.sin_cos());
                sum[0] += a * c - b * s;
                sum[1] += a * s + b * c;
            }
            sum
        };
        let half: Vec<f64> = (0..=n / 2)
            .flat_map(|k| dft(&|j| (x0[j], 0.0), k))
            .collect();
        let full: Vec<f64> = (0..n)
            .flat_map(|k| dft(&|j| (z0[2 * j], z0[2 * j + 1]), k))
            .collect();
        let name = format!("length {n}");
        // Sums of n terms near 1, each rounded.
        let tolerance = n as f64 * f64::EPSILON;
        for (a, b) in got.iter().zip([&half, &x0, &full, &z0]) {
            close(&name, a, b, tolerance);
        }
        let single = run::<f32>(&g, &outputs, &[&x0, &z0]);
        for (a, b) in single.iter().zip(&got) {
            close(&name, a, b, 4.0 * f64::from(f32::EPSILON));
        }
    }
}

/// wᵀ(A·x) = (Aᵀw)ᵀx for the linear ones, and (Aᵀ)ᵀ = A.
#[test]
fn transposes_are_adjoint() {
    let check = |name: &str, shape: &[usize], f: &dyn for<'g> Fn(Array<'g>) -> Array<'g>| {
        let g = Graph::new();
        let x = g.input(shape);
        let y = f(x);
        let w = g.input(&y.shape());
        let back = vjp(&[(y, w)], &[x])[0];
        let again = vjp(&[(back, x)], &[w])[0];
        let (x0, w0) = (
            draws(x.shape().len(), 6, -1.0, 1.0),
            draws(y.shape().len(), 7, -1.0, 1.0),
        );
        let got = run::<f64>(&g, &[y, back, again], &[&x0, &w0]);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        close(name, &[dot(&got[0], &w0)], &[dot(&got[1], &x0)], 1e-13);
        close(name, &got[2], &got[0], 1e-14);
    };
    for n in 1..=13 {
        check("rfft", &[2, n], &|x| x.rfft(1));
        check("rfft 2", &[n, 3, 4], &|x| x.rfft(2));
        check("rfft 3", &[3, 2, n], &|x| x.rfft(3));
        check("irfft", &[2, n / 2 + 1, 2], &|x| x.irfft(1, n));
        check("irfft 2", &[4, n / 2 + 1, 2], &|x| x.irfft(2, n));
        check("irfft 3", &[2, 3, n / 2 + 1, 2], &|x| x.irfft(3, n));
        check("fft", &[2, n, 2], &|x| x.fft(1));
        check("ifft", &[n, 2, 2], &|x| x.ifft(2));
    }
    check("take", &[3, 4, 2], &|x| x.take(1, &[3, 3, 0]));
    check("scatter_add", &[3, 4, 2], &|x| {
        x.scatter_add(1, &[6, 0, 6, 2], 7)
    });
    check("cumulative_sum", &[3, 4, 2], &|x| x.cumulative_sum(1));
    check("reverse", &[3, 4, 2], &|x| x.reverse(&[2, 1]));
    check("gather", &[4, 3], &|x| {
        x.gather(0, x.graph().constant(&[3], vec![1.0, 3.0, 1.0]))
    });
    check("scatter_add_at", &[2, 3], &|x| {
        x.scatter_add_at(1, x.graph().constant(&[3], vec![1.0, 9.0, 1.0]), 4)
    });
}

/// A batch cut into chunks has the bits of the whole one, for any chunk and any number of threads; what is
/// summed over it has the same bits for any of them.
#[test]
fn batches_change_no_bit() {
    let points = 101;
    let build = |g: &Graph, split: bool| {
        let input = |shape: &[usize]| {
            if split {
                g.batch(shape)
            } else {
                g.input(shape)
            }
        };
        let (x, m, at) = (
            input(&[points, 6]),
            input(&[points, 3, 3]),
            input(&[points]),
        );
        let table = g.input(&[7, 2]);
        let columns = g.constant(&[3], vec![5.0, 0.0, 5.0]);
        let identity = g.constant(&[3, 3], vec![4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 4.0]);
        let spd = m.matmul_by(m, Side::Plain, Side::Transposed) + identity;
        let l = spd.cholesky();
        let rows = UserFunction::new("rows", &[points, 2], |x, y| {
            y[0] = x[0][0] * x[0][5];
            y[1] = x[0][1];
        })
        .by_rows();
        let found = table.gather(0, at);
        let each = [
            x.take(1, &[5, 0, 0]),
            x.scatter_add(1, &[1, 0, 1, 1, 2, 0], 3),
            x.gather(1, columns),
            x.take(1, &[0, 1, 2]).scatter_add_at(1, columns, 6),
            found,
            x.cumulative_sum(1),
            x.rfft(1),
            x.reshape(&[points, 3, 2]).irfft(1, 5),
            x.reshape(&[points, 3, 2]).fft(1),
            l,
            l.solve_triangular(m, Triangle::Lower, Side::Transposed),
            (x + 2.0).pow(x).atan2(x),
            g.apply(rows, &[x]),
        ];
        let sums = [found.scatter_add_at(0, at, 7), m.contract(x, "bij,bk->ijk")];
        let slope = gradient((found * x.take(1, &[0, 1])).sum(), &[table])[0];
        let outputs: Vec<Array<'_>> = each.into_iter().chain(sums).chain([slope]).collect();
        let sizes: Vec<usize> = outputs.iter().map(|o| o.shape().len()).collect();
        (each.len(), g.finish(&outputs), sizes)
    };
    let indices: Vec<f64> = (0..points).map(|i| (i * 5 % 7) as f64).collect();
    let inputs = [
        draws(points * 6, 1, -1.0, 1.0),
        draws(points * 9, 2, -1.0, 1.0),
        indices,
        draws(14, 3, -1.0, 1.0),
    ];
    let views = inputs.each_ref().map(Vec::as_slice);
    let go = |split: bool, chunk: Option<usize>, threads: usize| {
        let g = Graph::new();
        let options = Options {
            chunk,
            ..Options::default()
        };
        let (each, trace, sizes) = build(&g, split);
        let program = Program::<f64>::compile(&trace, &options).unwrap();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let first = pool.install(|| run_program(&program, &sizes, &views));
        let later = pool.install(|| run_program(&program, &sizes, &views));
        assert_eq!(first, later, "memory is left as it is found");
        (each, first)
    };
    let (each, whole) = go(false, None, 1);
    let (_, one) = go(true, Some(1), 1);
    for chunk in [None, Some(1), Some(3), Some(50)] {
        for threads in [1, 2, 3] {
            let (_, split) = go(true, chunk, threads);
            assert_eq!(split[..each], whole[..each], "{chunk:?} {threads}");
            // The contraction is a matrix product, whose inner sums follow the chunk.
            assert_eq!(split[each], one[each], "{chunk:?} {threads}");
            assert_eq!(split[each + 2], one[each + 2], "{chunk:?} {threads}");
        }
    }
    for (a, b) in one[each..].iter().zip(&whole[each..]) {
        close("sums", a, b, 1e-13);
    }
}

/// Factors of matrices of many sizes: L·Lᵀ = A and A·X = B to rounding, in both types.
#[test]
fn factors_of_any_size() {
    for n in [1, 2, 15, 16, 17, 33, 64, 100, 150] {
        let g = Graph::new();
        let (m, b) = (g.input(&[n, n]), g.input(&[n, 3]));
        let shift: Vec<f64> = (0..n * n)
            .map(|k| if k % (n + 1) == 0 { 1.0 } else { 0.0 })
            .collect();
        let a = m.matmul_by(m, Side::Plain, Side::Transposed) * (1.0 / n as f64)
            + g.constant(&[n, n], shift);
        let l = a.cholesky();
        let x = a.solve_spd(b);
        let outputs = [
            l.matmul_by(l, Side::Plain, Side::Transposed) - a,
            a.matmul(x) - b,
            l - l.tril(),
            l.diagonal().ln().sum() * 2.0 - a.log_determinant(),
        ];
        let inputs = [draws(n * n, 1, -1.0, 1.0), draws(3 * n, 2, -1.0, 1.0)];
        let views = inputs.each_ref().map(Vec::as_slice);
        // Elements of A and L are below 2; A is conditioned below 100.
        let tolerance = 100.0 * n as f64;
        for (values, eps) in [
            (run::<f64>(&g, &outputs, &views), f64::EPSILON),
            (run::<f32>(&g, &outputs, &views), f64::from(f32::EPSILON)),
        ] {
            for v in values {
                close("residual", &v, &vec![0.0; v.len()], tolerance * eps);
            }
        }
    }
}

/// What is not there gives NaN, and NaN stays.
#[test]
fn nothing_false_passes() {
    let g = Graph::new();
    let (a, x, at) = (g.input(&[2, 20, 20]), g.input(&[3, 2]), g.input(&[6]));
    let rows = x.gather(0, at);
    let sums = rows.scatter_add_at(0, at, 3);
    let slope = vjp(&[(rows, rows.ones())], &[x])[0];
    let back = vjp(&[(sums, sums.ones())], &[rows])[0];
    let outputs = [
        a.cholesky(),
        a.log_determinant(),
        rows,
        slope,
        back,
        x.clamp(0.0, 1.0),
    ];
    // The second matrix has one eigenvalue below zero, in the second block.
    let mut matrices = vec![0.0; 800];
    for i in 0..20 {
        matrices[21 * i] = 4.0;
        matrices[400 + 21 * i] = if i == 18 { -1.0 } else { 4.0 };
    }
    let nan = f64::NAN;
    let inputs: [&[f64]; 3] = [
        &matrices,
        &[1.0, 2.0, 3.0, nan, 5.0, 6.0],
        &[2.0, 3.0, -1.0, 0.5, nan, 0.0],
    ];
    for got in [
        run::<f64>(&g, &outputs, &inputs),
        run::<f32>(&g, &outputs, &inputs),
    ] {
        let (good, bad) = got[0].split_at(400);
        for i in 0..20 {
            for j in 0..20 {
                let expected = if i == j { 2.0 } else { 0.0 };
                assert!((good[20 * i + j] - expected).abs() <= 0.0);
                assert_eq!(bad[20 * i + j].is_nan(), j <= i, "{i} {j}");
            }
        }
        assert!(got[1][0].is_finite() && got[1][1].is_nan());
        assert_eq!(got[2][..2], [5.0, 6.0]);
        assert!(got[2][2..10].iter().all(|v| v.is_nan()));
        assert_eq!(got[2][10..], [1.0, 2.0]);
        assert_eq!(
            got[3],
            [1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
            "a slope for rows that are there"
        );
        let there = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        assert_eq!(got[4], there);
        assert_eq!(got[5][..3], [1.0, 1.0, 1.0]);
        assert!(got[5][3].is_nan());
    }
    // A NaN passes through transforms and running sums.
    let g = Graph::new();
    let x = g.input(&[6]);
    let outputs = [
        x.rfft(1),
        x.cumulative_sum(0),
        x.take(0, &[1]),
        x.contract(x, "i,j->ij"),
    ];
    let got = run::<f64>(&g, &outputs, &[&[0.0, nan, 0.0, 0.0, 0.0, 0.0]]);
    assert!(got[0].iter().filter(|v| v.is_nan()).count() >= 4);
    assert_eq!(got[1].iter().filter(|v| v.is_nan()).count(), 5);
    assert!(got[2][0].is_nan());
    assert_eq!(got[3].iter().filter(|v| v.is_nan()).count(), 11);
}

/// A user's function with rules over slices, and one with rules as programs, beside the same as a program.
#[test]
fn functions_of_users() {
    // y = (x₀·x₁, sin x₀).
    let plain = UserFunction::new("user", &[2], |x, y| {
        y[0] = x[0][0] * x[1][0];
        y[1] = x[0][0].sin();
    });
    let slices = plain
        .clone()
        .with_tangent(|x, d, y| {
            y[0] = d[0][0] * x[1][0] + x[0][0] * d[1][0];
            y[1] = x[0][0].cos() * d[0][0];
        })
        .with_cotangent(|x, bar, bars| {
            bars[0][0] = bar[0] * x[1][0] + bar[1] * x[0][0].cos();
            bars[1][0] = bar[0] * x[0][0];
        });
    let programs = plain
        .clone()
        .with_tangent_program(|x, _, d| {
            Array::concatenate(&[d[0] * x[1] + x[0] * d[1], x[0].cos() * d[0]], 0)
        })
        .with_cotangent_program(|x, _, bar| {
            let (a, b) = (bar.narrow(0, 0, 1), bar.narrow(0, 1, 2));
            vec![a * x[1] + b * x[0].cos(), a * x[0]]
        });
    let g = Graph::new();
    let x = [g.input(&[1]), g.input(&[1])];
    let (v, w) = (g.input(&[1]), g.input(&[2]));
    let oracle = Array::concatenate(&[x[0] * x[1], x[0].sin()], 0);
    let derivatives = |y| {
        let back = vjp(&[(y, w)], &x);
        let along = jvp(&[y], &[(x[0], v), (x[1], v * 2.0)])[0];
        // The products are linear in their last argument, and know it.
        let forward = jvp(&[back[0]], &[(w, w * 3.0)])[0];
        let reverse = vjp(&[(along, w)], &[v])[0];
        vec![y, back[0], back[1], along, forward, reverse]
    };
    let second = |y| {
        let back = vjp(&[(y, w)], &x)[0];
        vec![
            jvp(&[back], &[(x[0], v)])[0],
            jvp(&[jvp(&[y], &[(x[0], v)])[0]], &[(x[0], v)])[0],
        ]
    };
    let (a, b, c) = (g.apply(slices, &x), g.apply(programs, &x), oracle);
    let lists = [
        derivatives(a),
        derivatives(b),
        derivatives(c),
        second(b),
        second(c),
    ];
    let inputs: [&[f64]; 4] = [&[0.7], &[-1.2], &[0.3], &[0.5, 2.0]];
    let values = run::<f64>(&g, &lists.concat(), &inputs);
    for i in 0..6 {
        close("slices", &values[i], &values[12 + i], 1e-15);
        close("programs", &values[6 + i], &values[12 + i], 1e-15);
    }
    for i in 18..20 {
        close("second", &values[i], &values[i + 2], 1e-15);
    }
    // What has no rule says so when it is differentiated, not with a number.
    let says = |what: &str, f: &dyn Fn()| {
        let error = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let text = error.downcast_ref::<String>().unwrap();
        assert!(text.contains(what), "{text}");
    };
    let opaque = g.function(&[x[0]], &[], |x, y| y[0] = x[0][0]);
    says("function has no rule for cotangents", &|| {
        let _ = gradient(opaque, &[x[0]]);
    });
    says("user has no rule for tangents", &|| {
        let _ = jvp(&[g.apply(plain.clone(), &x)], &[(x[0], v)]);
    });
    says("second derivatives", &|| {
        let _ = second(a);
    });
    let stopped =
        g.function(&[x[0].stop_gradient()], &[], |x, y| y[0] = 2.0 * x[0][0]) * x[1].sum();
    let slopes = gradient(stopped + x[0].square().sum(), &x);
    let got = run::<f64>(&g, &slopes, &inputs);
    assert_eq!(got, [[1.4], [1.4]]);
}

/// What cannot fit is refused at the line that writes it.
#[test]
fn shapes_that_do_not_fit() {
    let refused = |what: &str, f: &dyn for<'g> Fn(Array<'g>) -> Array<'g>| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let g = Graph::new();
            let _ = f(g.input(&[2, 3]));
        }));
        let error = result.unwrap_err();
        let text = error.downcast_ref::<String>().unwrap();
        assert!(text.contains(what), "{text}");
    };
    refused("there is no row 3 of 3", &|x| x.take(1, &[0, 3]));
    refused("there is no axis 2", &|x| x.take(2, &[0]));
    refused("there is no row 4 of 4", &|x| x.scatter_add(0, &[0, 4], 4));
    refused("3 indices", &|x| x.scatter_add(0, &[0, 1, 2], 4));
    refused("there is no axis 2", &|x| x.gather(2, x));
    refused("the axes from 0 are not [3]", &|x| {
        x.scatter_add_at(0, x.narrow(0, 0, 1).reshape(&[3]), 4)
    });
    refused("there is no axis 5", &|x| x.cumulative_sum(5));
    refused("a transform over 3 axes", &|x| x.rfft(3));
    refused("a complex array ends", &|x| x.fft(1));
    refused("2 frequencies for length 4", &|x| {
        x.reshape(&[3, 2]).narrow(0, 0, 2).irfft(1, 4)
    });
    refused("square matrices", &|x| x.cholesky());
    refused("has not 2 rows", &|x| {
        x.narrow(1, 0, 2)
            .solve_triangular(x.transpose(&[1, 0]), Triangle::Lower, Side::Plain)
    });
    refused("one label have other lengths", &|x| {
        x.contract(x, "ij,jk->kji")
    });
    refused("is not of the form", &|x| x.contract(x, "ij,jk"));
    refused("a label repeats", &|x| {
        x.narrow(1, 0, 2).contract(x, "ii,ij->jji")
    });
    refused("in no factor", &|x| x.contract(x, "ij,ij->ijk"));
    refused("labels for the axes", &|x| x.contract(x, "ijk,ij->k"));
}

/// At A = a·1, where derivatives of eigenvectors do not exist: d(A^(-1/2)) = -½·a^(-3/2)·dA, and a second derivative
/// ¾·a^(-5/2)·(dA·dB + dB·dA)/2; at diag(2, 2, 3) the slope by differences.
#[test]
fn roots_of_repeated_eigenvalues() {
    let g = Graph::new();
    let (a, v, w) = (g.input(&[3, 3]), g.input(&[3, 3]), g.input(&[3, 3]));
    let y = a.inverse_root();
    let first = jvp(&[y], &[(a, v)])[0];
    let second = jvp(&[first], &[(a, w)])[0];
    let probe = g.constant(
        &[3, 3],
        (0..9).map(|k| (0.7 * f64::from(k)).cos()).collect(),
    );
    let slope = gradient((y * probe).sum(), &[a])[0];
    let at =
        |a: &[f64], v: &[f64], w: &[f64]| run::<f64>(&g, &[y, first, second, slope], &[a, v, w]);
    let v = [0.3, -1.0, 0.5, -1.0, 0.8, 0.2, 0.5, 0.2, -0.4];
    let w = [1.0, 0.4, 0.0, 0.4, -0.6, 0.9, 0.0, 0.9, 0.7];
    let same = [1.7, 0.0, 0.0, 0.0, 1.7, 0.0, 0.0, 0.0, 1.7];
    let got = at(&same, &v, &w);
    let known: Vec<f64> = v.iter().map(|v| -0.5 * 1.7_f64.powf(-1.5) * v).collect();
    close("first", &got[1], &known, 1e-14);
    let product = |x: &[f64], y: &[f64], k: usize| -> f64 {
        (0..3).map(|m| x[k / 3 * 3 + m] * y[3 * m + k % 3]).sum()
    };
    let known: Vec<f64> = (0..9)
        .map(|k| 0.375 * 1.7_f64.powf(-2.5) * (product(&v, &w, k) + product(&w, &v, k)))
        .collect();
    close("second", &got[2], &known, 1e-13);
    // Nearly the same as the same, and two alike of three.
    let pair = [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0];
    let mut near = same;
    near[4] += 1e-9;
    near[1] = 1e-10;
    near[3] = 1e-10;
    for matrix in [same, pair, near] {
        let got = at(&matrix, &v, &w);
        for k in 0..9 {
            let value = |h: f64| {
                let mut moved = matrix;
                moved[k] += h;
                let y = &at(&moved, &v, &w)[0];
                let each = y.iter().enumerate();
                each.map(|(i, y)| y * (0.7 * i as f64).cos()).sum::<f64>()
            };
            let difference = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert!(
                (got[3][k] - difference).abs() < 1e-9,
                "{k}: {} and {difference}",
                got[3][k]
            );
        }
    }
    // Singular: the pseudo-inverse. Not semidefinite: NaN. Zero: zero.
    let singular = [4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let got = at(&singular, &v, &w);
    assert_eq!(got[0], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert!(got.iter().flatten().all(|v| v.is_finite()));
    assert_eq!(at(&[0.0; 9], &v, &w)[0], [0.0; 9]);
    assert!(at(&[-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], &v, &w)[0][0].is_nan());
}
