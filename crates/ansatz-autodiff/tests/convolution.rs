//! Convolutions, pooling and resampling beside PyTorch, plain loops and the laws of linear maps.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_autodiff::{
    Array, Convolution, ConvolutionTransposed, Divisor, Element, Graph, Grid, Interpolation,
    Options, Pool, Program, Resampling, vjp,
};

fn formula(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(i as f64)).collect()
}

fn run<T: Element>(g: &Graph, outputs: &[Array<'_>], inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let program = Program::<T>::compile(&g.finish(outputs), &Options::default()).unwrap();
    let narrow: Vec<Vec<T>> = inputs
        .iter()
        .map(|x| x.iter().map(|v| T::of(*v)).collect())
        .collect();
    let inputs: Vec<&[T]> = narrow.iter().map(Vec::as_slice).collect();
    let mut results: Vec<Vec<T>> = outputs
        .iter()
        .map(|o| vec![T::of(f64::NAN); o.shape().len()])
        .collect();
    let mut views: Vec<&mut [T]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&inputs, &mut views).unwrap();
    let wide = results.iter().map(|r| r.iter().map(|v| v.f64()).collect());
    wide.collect()
}

#[track_caller]
fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let near = (a - b).abs() <= tolerance * (1.0 + b.abs());
        assert!(near, "{what}, {i}: {a} and {b}");
    }
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
