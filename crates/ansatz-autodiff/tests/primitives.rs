//! Laws of primitives: compiled as evaluated, derivatives as finite differences, every mode alike.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::op::{Primitive, Range, Rule, Side, Split, Triangle};
use ansatz_autodiff::{Array, Graph, Options, Program, Shape, jet, jvp, laplacian, vjp};
use ansatz_core::Key;
use common::{close, run, run_with};

type Function = for<'g> fn(Array<'g>) -> Array<'g>;

/// Functions of a 4×6 array, with the interval that their elements are drawn from.
const FUNCTIONS: &[(&str, f64, f64, Function)] = &[
    ("neg", -2.0, 2.0, |x| -x),
    ("recip", 0.5, 2.0, |x| x.recip()),
    ("sqrt", 0.5, 2.0, |x| x.sqrt()),
    ("rsqrt", 0.5, 2.0, |x| x.rsqrt()),
    ("exp", -2.0, 2.0, |x| x.exp()),
    ("expm1", -2.0, 2.0, |x| x.expm1()),
    ("ln", 0.5, 2.0, |x| x.ln()),
    ("ln1p", -0.5, 2.0, |x| x.ln1p()),
    ("sin", -2.0, 2.0, |x| x.sin()),
    ("cos", -2.0, 2.0, |x| x.cos()),
    ("tanh", -2.0, 2.0, |x| x.tanh()),
    ("sigmoid", -2.0, 2.0, |x| x.sigmoid()),
    ("softplus", -2.0, 2.0, |x| x.softplus()),
    ("silu", -2.0, 2.0, |x| x.silu()),
    ("gelu", -2.0, 2.0, |x| x.gelu()),
    ("erf", -2.0, 2.0, |x| x.erf()),
    ("abs", 0.5, 2.0, |x| (x * -1.5).abs()),
    ("powi", 0.5, 2.0, |x| x.powi(5) + x.powi(-2)),
    ("powf", 0.5, 2.0, |x| x.powf(1.7)),
    ("add, sub, mul, div", 0.5, 2.0, |x| {
        (x + 2.0) * x / (x * x + 1.0) - x * 0.3
    }),
    ("relu", 0.5, 2.0, |x| {
        (x - 0.1).relu() + (x * -1.0).relu() + (x * x).relu()
    }),
    ("max, min", 0.5, 2.0, |x| x.max(x * x).min(x + 0.7)),
    ("rows", -2.0, 2.0, |x| {
        x * x.sum_axes(&[0]) + x.sum_axes(&[0]).tanh()
    }),
    ("columns", -2.0, 2.0, |x| {
        x * x.sum_axes(&[1]).reshape(&[4, 1])
    }),
    ("sums", -2.0, 2.0, |x| (x * x).sum().broadcast(&[4, 6]) * x),
    ("mean", -2.0, 2.0, |x| x - x.sin().mean()),
    ("sums of any axes", -2.0, 2.0, |x| {
        let y = x.square().reshape(&[4, 2, 1, 3]);
        let ends = y.sum_axes(&[0, 3]).reshape(&[2, 1, 1]);
        let middle = y.sin().sum_axes(&[1]).reshape(&[4, 1, 1, 3]);
        let wide = x.broadcast(&[40, 4, 6]).sum_axes(&[0, 2]);
        let most = y.sum_axes(&[0, 1, 2]) * y.sum_axes(&[2]);
        y * ends * middle.broadcast(&[4, 2, 1, 3]) + most.reshape(&[4, 2, 1, 3]) * wide.sum()
    }),
    ("moves of rows", -2.0, 2.0, |x| {
        let y = x.sin().reshape(&[4, 2, 3]).transpose(&[0, 2, 1]).square();
        let third = y.narrow(1, 1, 3).reshape(&[4, 1, 4]).broadcast(&[4, 3, 4]);
        let padded = y.narrow(2, 0, 1).reshape(&[4, 3]).pad(
            &[4, 6],
            &[
                Range::all(4),
                Range {
                    start: 1,
                    length: 3,
                    step: 2,
                },
            ],
        );
        let joined = Array::concatenate(&[third.square(), y], 2);
        joined.reshape(&[4, 18]) * Array::concatenate(&[padded, x, padded * x], 1)
    }),
    ("softmax", -2.0, 2.0, |x| x.softmax(&[1]) * x),
    ("log_sum_exp", -2.0, 2.0, |x| x.log_sum_exp(&[0]) * x),
    ("transpose", -2.0, 2.0, |x| x.transpose(&[1, 0]).sin()),
    ("slice, pad", -2.0, 2.0, |x| {
        let part = x.narrow(1, 1, 4).square();
        let all = Range {
            start: 0,
            length: 4,
            step: 1,
        };
        let at = Range {
            start: 0,
            length: 3,
            step: 2,
        };
        part.pad(&[4, 6], &[all, at]) * x
    }),
    ("concatenate", -2.0, 2.0, |x| {
        Array::concatenate(&[x.sin(), x.narrow(1, 2, 3), x * x], 1)
    }),
    ("matmul", -2.0, 2.0, |x| {
        x.matmul(x.transpose(&[1, 0])).tanh().matmul(x)
    }),
    ("matmul of stacks", -2.0, 2.0, |x| {
        let (a, b) = (x.reshape(&[2, 2, 6]), x.reshape(&[2, 6, 2]));
        a.matmul(b).sin()
    }),
    ("general", -2.0, 2.0, |x| {
        let y = x.graph().apply(Growth, &[x, x.sin()]);
        y.graph().apply(Growth, &[y, x]) * x
    }),
    ("take, scatter_add", -2.0, 2.0, |x| {
        let rows = x.take(0, &[3, 1, 1]).sin().scatter_add(0, &[2, 0, 2], 4);
        let columns = x.take(1, &[5, 0, 0, 3]).square();
        rows * x + columns.scatter_add(1, &[1, 5, 1, 2], 6).sin()
    }),
    ("gather, scatter_add_at", -2.0, 2.0, |x| {
        let indices = x.graph().constant(&[2, 2], vec![5.0, 0.0, 0.0, 3.0]);
        let picked = x.sin().gather(1, indices);
        let rows = x.gather(0, x.graph().constant(&[2], vec![2.0, 0.0]));
        let sums = (picked * picked).scatter_add_at(1, indices, 6) * x;
        let first = rows.scatter_add_at(0, x.graph().constant(&[2], vec![1.0, 1.0]), 4);
        sums + first.square()
    }),
    ("cumulative_sum, reverse", -2.0, 2.0, |x| {
        let sums = x.sin().cumulative_sum(0).cumulative_sum(1);
        (x.reverse(&[0, 1]) * sums).square()
    }),
    ("rfft", -2.0, 2.0, |x| {
        let odd = x.narrow(1, 0, 5).rfft(1).square();
        let plane = x.reshape(&[4, 2, 3]).rfft(2).square();
        x.rfft(1).square().reshape(&[4, 8])
            + odd.sum_axes(&[2, 1]).reshape(&[4, 1])
            + plane.reshape(&[4, 8])
            + x.rfft(2).square().reshape(&[4, 8])
    }),
    ("irfft", -2.0, 2.0, |x| {
        let half = x.reshape(&[4, 3, 2]);
        let plane = half.irfft(2, 5);
        half.irfft(1, 4).square() + (half.irfft(1, 5) * plane).narrow(1, 0, 4)
    }),
    ("fft", -2.0, 2.0, |x| {
        let z = x.reshape(&[4, 3, 2]);
        let product = z.fft(1).complex_mul(z.fft(2)).ifft(2);
        product.complex_mul(z.ifft(1).complex_conj())
    }),
    ("tril, triu, diagonal", -2.0, 2.0, |x| {
        let matrices = x.square().reshape(&[4, 2, 3]);
        let whole = x.tril().reshape(&[4, 2, 3]) + x.triu().sin().reshape(&[4, 2, 3]);
        let swapped = (matrices.tril() * matrices).matrix_transpose();
        swapped.sum_axes(&[1]) * matrices.diagonal() + whole.narrow(2, 1, 3).sum_axes(&[2])
    }),
    ("triangular_solve", 0.5, 1.5, |x| {
        let (b, l) = (x.reshape(&[4, 2, 3]), x.narrow(1, 1, 5).reshape(&[4, 2, 2]));
        [Triangle::Lower, Triangle::Upper]
            .into_iter()
            .flat_map(|t| [(t, Side::Plain), (t, Side::Transposed)])
            .fold(b, |b, (t, side)| {
                (l + 0.5).solve_triangular(b, t, side).sin()
            })
    }),
    ("cholesky", -1.0, 1.0, |x| {
        let m = x.reshape(&[4, 3, 2]);
        let identity = m
            .graph()
            .constant(&[3, 3], vec![1.5, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0]);
        let a = m.matmul_by(m, Side::Plain, Side::Transposed) + identity;
        a.cholesky() * a.solve_spd(a.cholesky()) + a.log_determinant().reshape(&[4, 1, 1])
    }),
    ("inverse_root, lyapunov", -1.0, 1.0, |x| {
        let (m, b) = (x.reshape(&[4, 3, 2]), x.narrow(1, 1, 5).reshape(&[4, 2, 2]));
        let identity = |n: usize| {
            let one = |k: usize| f64::from(u8::from(k / n == k % n));
            m.graph().constant(&[n, n], (0..n * n).map(one).collect())
        };
        let a = m.matmul_by(m, Side::Plain, Side::Transposed) + identity(3);
        let c = m.matmul_by(m, Side::Transposed, Side::Plain) + identity(2);
        a.inverse_root().matmul(m).matmul(c.solve_lyapunov(b).sin())
    }),
    ("contract", -1.0, 1.0, |x| {
        let (a, b) = (x.reshape(&[4, 2, 3]), x.narrow(1, 2, 6).reshape(&[4, 2, 2]));
        let w = x.narrow(0, 1, 3).reshape(&[2, 3, 2]);
        // Points as rows from either side, as a stack, and summed; products; outer products.
        let rows = a.contract(w, "bij,kji->bk") + w.contract(a, "kji,bij->bk");
        let stack = a.contract(b, "bij,bik->bjk").contract(w, "bjk,ijk->bi");
        let sums = a.contract(b, "bij,bki->jk").contract(w, "jk,ijk->i");
        let out = rows * stack * sums;
        out + a
            .contract(b, "bij,bkl->bk")
            .matmul(b.contract(b, "bij,bjk->ik"))
    }),
    ("mix_modes", -1.0, 1.0, |x| {
        let z = x.reshape(&[4, 1, 3, 2]);
        let w = x.narrow(0, 1, 3).reshape(&[1, 2, 3, 2]);
        z.mix_modes(w).square()
    }),
    ("tan, asin, acos, atan", 0.1, 0.8, |x| {
        x.tan() * x.asin() + x.acos() * x.atan()
    }),
    ("sinh, cosh, asinh, acosh, atanh", 0.1, 0.8, |x| {
        x.sinh() * x.cosh() + x.asinh() * (x + 1.5).acosh() * x.atanh()
    }),
    ("exp2, log2, log10", 0.5, 2.0, |x| {
        x.exp2() * x.log2() + x.log10()
    }),
    ("pow, atan2", 0.5, 2.0, |x| {
        let y = x.reverse(&[1]);
        x.pow(y) * y.atan2(x - 1.2) + x.pow(x.filled(1.3))
    }),
    ("clamp, reduce_min", -2.0, 2.0, |x| {
        let least = x.reduce_min(&[1]).reshape(&[4, 1]);
        let soft = (least - x).exp().sum_axes(&[1]).ln().reshape(&[4, 1]) - least;
        x.clamp(-5.0, 1.7).square() * x.sin().clamp(0.0, 2.0) + soft * x
    }),
    ("mean_axes, variance", -2.0, 2.0, |x| {
        (x - x.mean_axes(&[1]).reshape(&[4, 1]))
            * x.variance(&[1]).reshape(&[4, 1])
            * x.variance(&[0, 1])
    }),
    ("functions of multiples and copies", 0.5, 2.0, |x| {
        let (twice, row) = (x * 2.0, x.sum_axes(&[0]).broadcast(&[4, 6]));
        let y = x.graph().apply(Growth, &[twice, -x]);
        twice.powi(3) * row.powi(3) + y.graph().apply(Growth, &[-y, row * -0.3])
    }),
    ("network", -2.0, 2.0, |x| {
        let w = x.narrow(0, 0, 2).transpose(&[1, 0]);
        ((x.matmul(w) * 0.3).silu() + 0.1).square()
    }),
];

/// a·eᵇ, element by element, as a user would write a primitive of their own.
#[derive(Debug)]
struct Growth;

impl Primitive for Growth {
    fn name(&self) -> &'static str {
        "growth"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0].clone())
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let growth = tangents[0].map(|da| da * inputs[1].exp());
        let rate = tangents[1].map(|db| db * out);
        match (growth, rate) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        }
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        bar * if i == 0 { inputs[1].exp() } else { out }
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        if split.iter().all(|s| *s) {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        for ((o, a), b) in out.iter_mut().zip(inputs[0].0).zip(inputs[1].0) {
            *o = a * b.exp();
        }
    }
}

fn draws(n: usize, low: f64, high: f64, stream: u64) -> Vec<f64> {
    let u = (0..n).map(|i| Key::new(9).uniform(stream, i as u64)[0]);
    u.map(|u| low + (high - low) * u).collect()
}

/// Values, tangents and cotangents against central differences; the two products agree; derivatives to
/// order 3 by nested tangents, nested cotangents and one series.
#[test]
fn every_function_to_third_order() {
    for &(name, low, high, f) in FUNCTIONS {
        let x0 = draws(24, low, high, 0);
        let v0 = draws(24, -1.0, 1.0, 1);
        let value = |x: &[f64]| {
            let g = Graph::new();
            let y = f(g.input(&[4, 6]));
            run::<f64>(&g, &[y], &[x]).remove(0)
        };
        let g = Graph::new();
        let (x, v) = (g.input(&[4, 6]), g.input(&[4, 6]));
        let y = f(x);
        let w0 = draws(y.shape().len(), -1.0, 1.0, 2);
        let w = g.input(&y.shape());
        let d1 = jvp(&[y], &[(x, v)])[0];
        let back = vjp(&[(y, w)], &[x])[0];
        // wᵀy along v, three times: forwards, backwards, and as a series.
        let number = (y * w).sum();
        let (mut nested, mut reverse) = (number, number);
        let mut orders = Vec::new();
        for _ in 0..3 {
            nested = jvp(&[nested], &[(x, v)])[0];
            reverse = (vjp(&[(reverse, reverse.ones())], &[x])[0] * v).sum();
            orders.extend([nested, reverse]);
        }
        let series = jet(&[number], &[(x, &[v])], 3).remove(0);
        let mut outputs = vec![d1, back];
        outputs.extend(&orders);
        outputs.extend(&series[1..]);
        let inputs: [&[f64]; 3] = [&x0, &v0, &w0];
        let got = run::<f64>(&g, &outputs, &inputs);
        let h = 1e-5;
        let moved = |h: f64| -> Vec<f64> { x0.iter().zip(&v0).map(|(x, v)| x + h * v).collect() };
        let (up, down) = (value(&moved(h)), value(&moved(-h)));
        let differences: Vec<f64> = up
            .iter()
            .zip(&down)
            .map(|(a, b)| (a - b) / (2.0 * h))
            .collect();
        close(&format!("{name}, tangent"), &got[0], &differences, 1e-8);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        close(
            &format!("{name}, products"),
            &[dot(&got[1], &v0)],
            &[dot(&got[0], &w0)],
            1e-12,
        );
        let mut factorial = 1.0;
        for k in 0..3 {
            factorial *= (k + 1) as f64;
            let (forward, backward) = (&got[2 + 2 * k], &got[3 + 2 * k]);
            close(&format!("{name}, order"), forward, backward, 1e-10);
            close(
                &format!("{name}, series"),
                &[factorial * got[8 + k][0]],
                forward,
                1e-10,
            );
        }
        // The rows as points of a batch, worked on one by one.
        let split = Graph::new();
        let (x, v) = (split.batch(&[4, 6]), split.batch(&[4, 6]));
        let y = f(x);
        let w = split.input(&y.shape());
        let tangent = jvp(&[y], &[(x, v)])[0];
        let back = vjp(&[(y, w)], &[x])[0];
        let second = (vjp(&[((back * v).sum(), split.number(1.0))], &[x])[0] * v).sum();
        let options = Options {
            chunk: Some(1),
            ..Options::default()
        };
        let rows = run_with::<f64>(&split, &[tangent, back, second], &inputs, &options);
        for (a, b) in rows.iter().zip([&got[0], &got[1], &got[4]]) {
            close(&format!("{name}, rows"), a, b, 1e-11);
        }
        // In single precision the same to its rounding, times the cancellation of third derivatives.
        let single = run::<f32>(&g, &outputs, &inputs);
        for (a, b) in single.iter().zip(&got) {
            close(&format!("{name}, f32"), a, b, 3e-4);
        }
    }
}

/// The forward Laplacian through every function beside nested tangents.
#[test]
fn laplacian_of_every_function() {
    for &(name, low, high, f) in FUNCTIONS {
        let g = Graph::new();
        let x = g.input(&[4, 6]);
        let directions = [g.input(&[4, 6]), g.input(&[4, 6])];
        let y = f(x);
        let l = laplacian(y, x, &directions);
        let twice = |d| {
            let first = jvp(&[y], &[(x, d)])[0];
            (first, jvp(&[first], &[(x, d)])[0])
        };
        let ((a1, a2), (b1, b2)) = (twice(directions[0]), twice(directions[1]));
        let draws = [
            draws(24, low, high, 0),
            draws(24, -1.0, 1.0, 1),
            draws(24, -1.0, 1.0, 2),
        ];
        let outputs = [l.first[0], l.first[1], l.second, a1, b1, a2 + b2];
        let got = run::<f64>(&g, &outputs, &draws.each_ref().map(Vec::as_slice));
        for k in 0..3 {
            close(&format!("{name}, laplacian"), &got[k], &got[k + 3], 1e-12);
        }
    }
}

/// Splitting a batch changes nothing beyond the order of sums; threads change no bit.
#[test]
fn chunks_and_threads() {
    let points = 101;
    let build = |g: &Graph, split: bool| {
        let shape = [points, 3];
        let x = if split {
            g.batch(&shape)
        } else {
            g.input(&shape)
        };
        let (w, b) = (g.input(&[3, 5]), g.input(&[5]));
        let h = (x.matmul(w) + b).tanh();
        let mean = h.mean();
        // A second pass that needs the first one's sum.
        let y = ((h - mean).square().sum_axes(&[1]).reshape(&[points, 1]) * h).exp();
        let loss = y.sum();
        let slopes = vjp(&[(loss, loss.ones())], &[w, b]);
        g.finish(&[loss, slopes[0], slopes[1], y])
    };
    let inputs = [
        draws(points * 3, -1.0, 1.0, 3),
        draws(15, -1.0, 1.0, 4),
        draws(5, -1.0, 1.0, 5),
    ];
    let run = |split: bool, chunk: Option<usize>, threads: usize| {
        let g = Graph::new();
        let options = Options {
            chunk,
            ..Options::default()
        };
        let program = Program::<f64>::compile(&build(&g, split), &options).unwrap();
        let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let mut out = [
            vec![0.0; 1],
            vec![0.0; 15],
            vec![0.0; 5],
            vec![0.0; points * 5],
        ];
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for _ in 0..2 {
            let mut slices: Vec<&mut [f64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
            pool.install(|| program.run(&views, &mut slices)).unwrap();
        }
        out
    };
    let whole = run(false, None, 1);
    for chunk in [None, Some(1), Some(3), Some(50)] {
        let one = run(true, chunk, 1);
        for (a, b) in one.iter().zip(&whole) {
            close("network, chunks", a, b, 1e-12);
        }
        for threads in [2, 3] {
            assert_eq!(run(true, chunk, threads), one);
        }
    }
}

/// Sums of more arrays than a kernel reads from the stack, of a single point, and of none.
#[test]
fn many_inputs_and_few_points() {
    for points in [0, 1, 40] {
        let g = Graph::new();
        let inputs: Vec<Array<'_>> = (0..300).map(|_| g.batch(&[points, 2])).collect();
        let w = g.input(&[2]);
        let first = inputs[0];
        let total = inputs[1..].iter().fold(first, |sum, x| sum + *x);
        let y = (total * w).tanh();
        let loss = y.sum() + total.sum_axes(&[1]).square().sum();
        let slope = vjp(&[(loss, loss.ones())], &[w])[0];
        let values = vec![0.001; 2 * points];
        let mut slices: Vec<&[f64]> = vec![&values; 300];
        slices.push(&[1.0, 2.0]);
        let got = run::<f64>(&g, &[loss, slope], &slices);
        let n = points as f64;
        let (a, b) = (0.3_f64.tanh(), 0.6_f64.tanh());
        close("many, loss", &got[0], &[n * (a + b + 0.36)], 1e-12);
        let slopes = [n * 0.3 * (1.0 - a * a), n * 0.3 * (1.0 - b * b)];
        close("many, slope", &got[1], &slopes, 1e-12);
    }
}

#[test]
fn what_does_not_fit() {
    use ansatz_autodiff::AutodiffError;
    let g = Graph::new();
    let x = g.batch(&[10, 3]);
    let trace = g.finish(&[(x * 2.0).sum()]);
    let options = Options {
        memory: 16,
        ..Options::default()
    };
    let error = Program::<f32>::compile(&trace, &options).unwrap_err();
    assert!(matches!(error, AutodiffError::Memory { limit: 16, needed } if needed > 16));
    let program = Program::<f32>::compile(&trace, &Options::default()).unwrap();
    let mut out = [0.0];
    let error = program.run(&[&[1.0; 29]], &mut [&mut out]).unwrap_err();
    assert!(matches!(
        error,
        AutodiffError::Length {
            expected: 30,
            got: 29,
            ..
        }
    ));
    let error = program.run(&[], &mut [&mut out]).unwrap_err();
    assert!(matches!(
        error,
        AutodiffError::Count {
            expected: 1,
            got: 0,
            ..
        }
    ));
    program.run(&[&[1.0; 30]], &mut [&mut out]).unwrap();
    assert!((out[0] - 60.0_f32).abs() < 1e-6);
}

/// A chain through arrays of several shapes, each with rows and columns of its own.
#[test]
fn chains_through_shapes() {
    let g = Graph::new();
    let (x, w, b, c) = (
        g.input(&[12]),
        g.input(&[12]),
        g.input(&[3]),
        g.input(&[6, 1]),
    );
    let inner = (x.reshape(&[2, 2, 3]) + b).reshape(&[12]) * w;
    let y = (inner.reshape(&[6, 2]) - c).reshape(&[12]) * x;
    let (x0, w0) = (draws(12, -1.0, 1.0, 0), draws(12, -1.0, 1.0, 1));
    let (b0, c0) = ([0.5, 1.5, 2.5], draws(6, -1.0, 1.0, 2));
    let expected: Vec<f64> = (0..12)
        .map(|i| ((x0[i] + b0[i % 3]) * w0[i] - c0[i / 2]) * x0[i])
        .collect();
    let got = run::<f64>(&g, &[y], &[&x0, &w0, &b0, &c0]);
    close("chain, value", &got[0], &expected, 1e-14);
}
