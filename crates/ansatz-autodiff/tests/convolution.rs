//! Convolutions, pooling and resampling beside PyTorch, plain loops and the laws of linear maps.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use ansatz_autodiff::{
    Array, Convolution, ConvolutionTransposed, Divisor, Element, Graph, Grid, Interpolation,
    Options, Pool, Program, Resampling, jet, jvp, vjp,
};
use common::{close, run};

fn formula(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(i as f64)).collect()
}

/// `1,2,3`.
fn numbers(text: &str) -> Vec<usize> {
    text.split(',').map(|n| n.parse().unwrap()).collect()
}

/// `1:2,0:3`.
fn pairs(text: &str) -> Vec<(usize, usize)> {
    let pair = |p: &str| {
        let (low, high) = p.split_once(':').unwrap();
        (low.parse().unwrap(), high.parse().unwrap())
    };
    text.split(',').map(pair).collect()
}

/// A case of the fixture: what is done, and what PyTorch gives.
struct Case {
    head: Vec<String>,
    shape: Vec<usize>,
    values: Vec<(String, Vec<f64>)>,
}

fn cases() -> Vec<Case> {
    let mut list: Vec<Case> = Vec::new();
    for line in include_str!("../fixtures/convolution.txt").lines() {
        if let Some((head, shape)) = line.split_once(" | ") {
            list.push(Case {
                head: head.split(' ').map(str::to_owned).collect(),
                shape: numbers(shape),
                values: Vec::new(),
            });
        } else {
            let mut words = line.split(' ');
            let name = words.next().unwrap().to_owned();
            let values = words.map(|w| w.parse().unwrap()).collect();
            list.last_mut().unwrap().values.push((name, values));
        }
    }
    list
}

impl Case {
    fn shapes(&self) -> Vec<Vec<usize>> {
        let weights = matches!(self.head[0].as_str(), "convolve" | "transposed");
        let count = if weights { 2 } else { 1 };
        self.head[1..=count].iter().map(|s| numbers(s)).collect()
    }

    fn options(&self) -> Convolution {
        Convolution {
            stride: numbers(&self.head[3]),
            padding: pairs(&self.head[4]),
            dilation: numbers(&self.head[5]),
            groups: self.head[6].parse().unwrap(),
        }
    }

    fn pool(&self, divisor: Divisor) -> Pool {
        Pool {
            window: numbers(&self.head[2]),
            stride: numbers(&self.head[3]),
            padding: pairs(&self.head[4]),
            dilation: self.head.get(5).map_or(Vec::new(), |d| numbers(d)),
            divisor,
        }
    }

    fn apply<'g>(&self, leaves: &[Array<'g>]) -> Array<'g> {
        match self.head[0].as_str() {
            "convolve" => leaves[0].convolve(leaves[1], &self.options()),
            "transposed" => {
                let options = ConvolutionTransposed {
                    convolution: self.options(),
                    output_padding: numbers(&self.head[7]),
                };
                leaves[0].convolve_transposed(leaves[1], &options)
            }
            "max" => leaves[0].max_pool(&self.pool(Divisor::Window)),
            "average" => leaves[0].average_pool(&self.pool(Divisor::Window)),
            "average_inside" => leaves[0].average_pool(&self.pool(Divisor::Inside)),
            kind => {
                let options = Resampling {
                    interpolation: match kind {
                        "nearest" => Interpolation::Nearest,
                        _ => Interpolation::Linear,
                    },
                    grid: match kind {
                        "corners" => Grid::AlignedCorners,
                        _ => Grid::HalfPixel,
                    },
                };
                leaves[0].resample(&numbers(&self.head[2]), &options)
            }
        }
    }

    fn inputs(&self) -> Vec<Vec<f64>> {
        let mut list = Vec::new();
        for (i, shape) in self.shapes().iter().enumerate() {
            let n = shape.iter().product();
            list.push(formula(n, |k| match i {
                0 => (0.7 * k + 0.3).sin(),
                _ => 0.5 * (1.3 * k + 0.2).cos(),
            }));
        }
        list
    }

    /// Runs values, gradients and gradients of gradients as the fixture's script does.
    fn compute<T: Element>(&self, batched: Batched) -> Vec<Vec<f64>> {
        let g = Graph::new();
        let shapes = self.shapes();
        let leaves: Vec<Array<'_>> = shapes
            .iter()
            .enumerate()
            .map(|(i, s)| match (i, batched) {
                (0, Batched::Yes) => g.batch(s),
                _ => g.input(s),
            })
            .collect();
        let y = self.apply(&leaves);
        assert_eq!(&y.shape()[..], &self.shape[..], "{:?}", self.head);
        let constant = |shape: &[usize], f: &dyn Fn(f64) -> f64| {
            let n = shape.iter().product();
            g.constant(shape, formula(n, f))
        };
        let r = constant(&self.shape, &|i| 1.0 + 0.3 * (1.1 * i).sin());
        let loss = (r * y.powi(3)).sum() * (1.0 / 3.0);
        let first = vjp(&[(loss, loss.ones())], &leaves);
        let along = first.iter().enumerate().map(|(i, d)| {
            let u = constant(&shapes[i], &|k| match i {
                0 => (0.9 * k).cos(),
                _ => (0.4 * k + 1.0).sin(),
            });
            (*d * u).sum()
        });
        let s = along.reduce(|a, b| a + b).unwrap();
        let second = vjp(&[(s, s.ones())], &leaves);
        let outputs: Vec<Array<'_>> = [&[y][..], &first, &second].concat();
        let inputs = self.inputs();
        let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        run::<T>(&g, &outputs, &views)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Batched {
    Yes,
    No,
}

/// Values, gradients and gradients of gradients as PyTorch's, with a batch and without; f32 as f64.
#[test]
fn as_pytorch() {
    for case in cases() {
        let whole = case.compute::<f64>(Batched::No);
        for (got, (name, wanted)) in whole.iter().zip(&case.values) {
            let projections: Vec<f64> = [0.37, 1.93, 2.71]
                .iter()
                .map(|c| {
                    let weights = formula(got.len(), |i| ((i + 1.0) * c + c * c).sin());
                    got.iter().zip(weights).map(|(a, w)| a * w).sum()
                })
                .collect();
            let what = format!("{:?} {name}", case.head);
            let size = got.iter().map(|v| v.abs()).sum::<f64>();
            close(&what, &projections, wanted, 1e-10 * (1.0 + 1e-2 * size));
        }
        let split = case.compute::<f64>(Batched::Yes);
        let single = case.compute::<f32>(Batched::Yes);
        for (k, whole) in whole.iter().enumerate() {
            let what = format!("{:?} {k}", case.head);
            close(&what, &split[k], whole, 1e-12);
            // Sums of up to a few hundred terms.
            let scale = whole.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            close(&what, &single[k], whole, 1e-5 * scale);
        }
    }
}

/// Sizes for the laws: x, w, options. Wide and narrow groups, strides, dilations, one and more axes.
fn sizes() -> Vec<([usize; 4], [usize; 4], Convolution)> {
    let options = |stride, padding, dilation: usize, groups| Convolution {
        stride: vec![stride],
        padding: vec![padding],
        dilation: vec![dilation],
        groups,
    };
    vec![
        ([37, 3, 9, 8], [20, 3, 3, 3], options(1, (1, 1), 1, 1)),
        ([37, 6, 9, 8], [6, 1, 3, 3], options(1, (1, 1), 1, 6)),
        ([37, 8, 9, 8], [40, 4, 3, 2], options(2, (2, 0), 2, 2)),
        ([37, 5, 6, 7], [2, 5, 3, 4], options(3, (1, 2), 1, 1)),
        // By tiles: in groups, of odd sizes, with much padding and with many channels.
        ([3, 64, 21, 23], [66, 32, 3, 3], options(1, (1, 1), 1, 2)),
        ([17, 32, 22, 23], [35, 32, 3, 3], options(1, (0, 3), 1, 1)),
        ([2, 140, 21, 22], [32, 140, 3, 3], options(1, (2, 1), 1, 1)),
        // By few tiles, whose weights come transformed.
        ([5, 66, 14, 13], [64, 33, 3, 3], options(1, (1, 1), 1, 2)),
    ]
}

fn draws(n: usize, stream: u64) -> Vec<f64> {
    let key = ansatz_core::Key::new(5);
    (0..n)
        .map(|i| 2.0 * key.uniform(stream, i as u64)[0] - 1.0)
        .collect()
}

/// A plain loop over everything.
fn plain(x: &[f64], xs: [usize; 4], w: &[f64], ws: [usize; 4], options: &Convolution) -> Vec<f64> {
    let (s, d, (low, high)) = (options.stride[0], options.dilation[0], options.padding[0]);
    let length = |i: usize| (xs[i] + low + high - d * (ws[i] - 1) - 1) / s + 1;
    let (h, v) = (length(2), length(3));
    let per = ws[0] / options.groups;
    let mut y = Vec::new();
    for n in 0..xs[0] * ws[0] * h * v {
        let (b, c, i, j) = (n / v / h / ws[0], n / v / h % ws[0], n / v % h, n % v);
        let mut sum = 0.0;
        for k in 0..ws[1] * ws[2] * ws[3] {
            let (e, p, q) = (k / ws[3] / ws[2], k / ws[3] % ws[2], k % ws[3]);
            let (row, column) = (i * s + p * d, j * s + q * d);
            if row >= low && column >= low && row - low < xs[2] && column - low < xs[3] {
                let channel = c / per * ws[1] + e;
                let at = ((b * xs[1] + channel) * xs[2] + row - low) * xs[3] + column - low;
                sum += x[at] * w[c * ws[1] * ws[2] * ws[3] + k];
            }
        }
        y.push(sum);
    }
    y
}

/// Values as a plain loop's; ⟨y, C(x, w)⟩ = ⟨x, Cᵀ(y, w)⟩ = ⟨w, W(x, y)⟩; operations as counted.
#[test]
fn plain_loops_and_adjoints() {
    for (xs, ws, options) in sizes() {
        let g = Graph::new();
        let (x, w) = (g.batch(&xs), g.input(&ws));
        let y = x.convolve(w, &options);
        let bar = g.batch(&y.shape());
        let back = vjp(&[(y, bar)], &[x, w]);
        let (x0, w0) = (draws(x.shape().len(), 0), draws(w.shape().len(), 1));
        let b0 = draws(y.shape().len(), 2);
        let got = run::<f64>(&g, &[y, back[0], back[1]], &[&x0, &w0, &b0]);
        // Sums of products of numbers below 1.
        let terms = (ws[1] * ws[2] * ws[3]) as f64;
        let tolerance = 1e-14 + f64::EPSILON * terms;
        close(
            "values",
            &got[0],
            &plain(&x0, xs, &w0, ws, &options),
            tolerance,
        );
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let forms = [dot(&got[0], &b0), dot(&got[1], &x0), dot(&got[2], &w0)];
        close("adjoint", &forms[1..], &[forms[0]; 2], 1e-11);
        // Ones count the products in the sums.
        let counts = plain(&vec![1.0; x0.len()], xs, &vec![1.0; w0.len()], ws, &options);
        let flops = 2.0 * counts.iter().sum::<f64>();
        assert_eq!(g.finish(&[y]).flops(), flops as u64);
    }
}

/// The same bits for one, two and three threads and any chunk.
#[test]
fn threads_and_chunks() {
    for (xs, ws, options) in sizes() {
        let g = Graph::new();
        let (x, w) = (g.batch(&xs), g.input(&ws));
        let y = x.convolve(w, &options);
        let pool = Pool {
            window: vec![2],
            stride: vec![1],
            ..Pool::default()
        };
        let z = y
            .silu()
            .max_pool(&pool)
            .resample(&[5, 3], &Resampling::default());
        let loss = z.square().mean() + y.average_pool(&pool).powi(3).mean();
        let slopes = vjp(&[(loss, loss.ones())], &[x, w]);
        let trace = g.finish(&[z, slopes[0], slopes[1]]);
        let narrow = |v: Vec<f64>| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let (x0, w0) = (
            narrow(draws(x.shape().len(), 0)),
            narrow(draws(w.shape().len(), 1)),
        );
        let run = |chunk, threads| {
            let options = Options {
                chunk,
                ..Options::default()
            };
            let program = Program::<f32>::compile(&trace, &options).unwrap();
            let mut out: Vec<Vec<f32>> =
                trace.output_shapes().map(|s| vec![0.0; s.len()]).collect();
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            for _ in 0..2 {
                let mut views: Vec<&mut [f32]> = out.iter_mut().map(Vec::as_mut_slice).collect();
                pool.install(|| program.run(&[&x0, &w0], &mut views))
                    .unwrap();
            }
            out
        };
        let one = run(None, 1);
        assert!(one[2].iter().all(|v| v.is_finite() && *v != 0.0));
        for chunk in [None, Some(1), Some(2), Some(3)] {
            for threads in [1, 2, 3] {
                assert_eq!(run(chunk, threads), one, "{chunk:?} {threads}");
            }
        }
    }
}

/// Windows with NaN give NaN, others do not; ties go to the first element.
#[test]
fn not_a_number_and_ties() {
    let g = Graph::new();
    let (x, w) = (g.batch(&[2, 1, 6]), g.input(&[1, 1, 3]));
    let windows = Pool {
        window: vec![2],
        ..Pool::default()
    };
    let largest = x.max_pool(&windows);
    let slope = vjp(&[(largest, largest.ones())], &[x])[0];
    let outputs = [
        x.convolve(w, &Convolution::default()),
        x.average_pool(&windows),
        largest,
        x.resample(&[3], &Resampling::default()),
        slope,
    ];
    let mut values = vec![1.0; 12];
    values[7] = f64::NAN;
    let got = run::<f64>(&g, &outputs, &[&values, &[1.0, 2.0, 3.0]]);
    let nan = |v: &[f64]| v.iter().map(|v| v.is_nan()).collect::<Vec<bool>>();
    let expected = [false, false, false, false, true, true, false, false];
    assert_eq!(nan(&got[0]), expected);
    for pooled in &got[1..4] {
        assert_eq!(nan(pooled), [false, false, false, true, false, false]);
    }
    let first = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
    assert_eq!(got[4], first);
}

/// Taylor coefficients along a line agree with nested products of Jacobians.
#[test]
fn series() {
    let (xs, ws, options) = sizes().swap_remove(2);
    let g = Graph::new();
    let (x, w) = (g.input(&[2, xs[1], xs[2], xs[3]]), g.input(&ws));
    let (u, v) = (g.input(&x.shape()), g.input(&ws));
    let y = x.tanh().convolve(w, &options).max_pool(&Pool {
        window: vec![2],
        ..Pool::default()
    });
    let loss = y.resample(&[3, 3], &Resampling::default()).powi(3).sum();
    let along = jet(&[loss], &[(x, &[u]), (w, &[v])], 3).remove(0);
    let mut nested = loss;
    let mut outputs = along.clone();
    for _ in 0..3 {
        nested = jvp(&[nested], &[(x, u), (w, v)])[0];
        outputs.push(nested);
    }
    let n = x.shape().len();
    let inputs = [
        draws(n, 0),
        draws(w.shape().len(), 1),
        draws(n, 2),
        draws(w.shape().len(), 3),
    ];
    let views: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let got: Vec<f64> = run::<f64>(&g, &outputs, &views).concat();
    let scale = got[4].abs().max(got[5].abs());
    close(
        "series",
        &[got[1], 2.0 * got[2], 6.0 * got[3]],
        &got[4..],
        1e-13 * scale,
    );
}

/// What does not fit is refused where it is written, with what would.
#[test]
fn what_does_not_fit() {
    let refused = |f: &dyn Fn(&Graph)| {
        let g = Graph::new();
        let problem = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(&g))).unwrap_err();
        problem.downcast_ref::<String>().unwrap().clone()
    };
    let text = refused(&|g| {
        let options = Convolution::default();
        let _ = g.input(&[1, 2, 3]).convolve(g.input(&[4, 2, 5]), &options);
    });
    assert!(
        text.contains("a window of 5 elements does not fit into 3"),
        "{text}"
    );
    let text = refused(&|g| {
        let options = Convolution {
            groups: 2,
            ..Convolution::default()
        };
        let _ = g.input(&[1, 2, 8]).convolve(g.input(&[4, 2, 5]), &options);
    });
    assert!(text.contains("2 channels in 2 groups"), "{text}");
    let text = refused(&|g| {
        let options = Convolution {
            stride: vec![1, 2],
            ..Convolution::default()
        };
        let _ = g.input(&[1, 2, 8]).convolve(g.input(&[4, 2, 5]), &options);
    });
    assert!(text.contains("stride has 2 numbers"), "{text}");
    let text = refused(&|g| {
        let options = Pool {
            window: vec![2],
            padding: vec![(2, 0)],
            ..Pool::default()
        };
        let _ = g.input(&[1, 2, 8]).max_pool(&options);
    });
    assert!(
        text.contains("window 0 of 2 elements lies in the padding"),
        "{text}"
    );
    let text = refused(&|g| {
        let options = ConvolutionTransposed {
            output_padding: vec![1],
            ..ConvolutionTransposed::default()
        };
        let _ = g
            .input(&[1, 2, 8])
            .convolve_transposed(g.input(&[2, 2, 5]), &options);
    });
    assert!(text.contains("output padding 1"), "{text}");
}
