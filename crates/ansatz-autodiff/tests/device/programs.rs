//! Programs for devices: every operation with its gradient, and steps of training.

use ansatz_autodiff::{
    Array, Convolution, ConvolutionTransposed, Divisor, Graph, Grid, Interpolation, Pool,
    Resampling, Trace, gradient, hessian_product, jet, laplacian,
};
use ansatz_core::Key;

/// A program with inputs and names of its outputs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) trace: Trace,
    pub(crate) outputs: Vec<String>,
    pub(crate) inputs: Vec<Vec<f64>>,
}

/// Inputs while a program is written.
pub(crate) struct Writer<'g> {
    g: &'g Graph,
    inputs: Vec<Vec<f64>>,
    names: Vec<String>,
    outputs: Vec<Array<'g>>,
}

impl<'g> Writer<'g> {
    fn new(g: &'g Graph) -> Self {
        Self {
            g,
            inputs: Vec::new(),
            names: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// An input of normal numbers of this size.
    fn normal(&mut self, shape: &[usize], scale: f64) -> Array<'g> {
        let mut values = vec![0.0; shape.iter().product()];
        Key::new(0xde7).fill_normal(self.inputs.len() as u64, &mut values);
        // Eight bits each, so that both types begin with the same numbers.
        let short = |v: &f64| (v * 32.0).round() / 32.0 * scale;
        self.given(shape, values.iter().map(short).collect())
    }

    fn given(&mut self, shape: &[usize], values: Vec<f64>) -> Array<'g> {
        self.inputs.push(values);
        self.g.input(shape)
    }

    fn output(&mut self, name: impl Into<String>, value: Array<'g>) {
        self.names.push(name.into());
        self.outputs.push(value);
    }

    /// A value, and the gradient of a sum with weights.
    fn both(&mut self, name: &str, value: Array<'g>, inputs: &[Array<'g>]) {
        let count = value.shape().len();
        let weights = (0..count).map(|i| ((i * 7 + 3) % 11) as f64 / 8.0 - 0.6);
        let weights = self.g.constant(&value.shape(), weights.collect());
        for (k, slope) in gradient((value * weights).sum(), inputs)
            .into_iter()
            .enumerate()
        {
            self.output(format!("{name}, gradient {k}"), slope);
        }
        self.output(name, value);
    }

    fn finish(self, name: &'static str) -> Case {
        Case {
            name,
            trace: self.g.finish(&self.outputs),
            outputs: self.names,
            inputs: self.inputs,
        }
    }
}

/// Functions of single elements, and choices.
pub(crate) fn elementwise() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let (x, y) = (w.normal(&[7, 5], 1.0), w.normal(&[7, 5], 1.0));
    let (row, number) = (w.normal(&[5], 1.0), w.normal(&[], 1.0));
    // In (0, 1), and above 1.
    let part = x.sigmoid() * 0.9 + 0.05;
    let above = x.square() + 1.25;
    for (name, value) in [
        ("neg", -x),
        ("recip", above.recip()),
        ("sqrt", above.sqrt()),
        ("rsqrt", above.rsqrt()),
        ("exp", x.exp()),
        ("expm1", x.expm1()),
        ("exp2", x.exp2()),
        ("ln", above.ln()),
        ("ln1p", above.ln1p()),
        ("log2", above.log2()),
        ("log10", above.log10()),
        ("sin", x.sin()),
        ("cos", x.cos()),
        ("tan", part.tan()),
        ("asin", part.asin()),
        ("acos", part.acos()),
        ("atan", x.atan()),
        ("sinh", x.sinh()),
        ("cosh", x.cosh()),
        ("tanh", x.tanh()),
        ("asinh", x.asinh()),
        ("acosh", above.acosh()),
        ("atanh", part.atanh()),
        ("erf", x.erf()),
        ("sigmoid", x.sigmoid()),
        ("softplus", x.softplus()),
        ("silu", x.silu()),
        ("gelu", x.gelu()),
        ("abs and sign", x.abs() * x.sign()),
        ("powers", above.powi(5) + above.powi(-3) + above.powf(1.3)),
        ("scale and shift", (x * 0.3 + 1.5) * -2.0),
    ] {
        w.both(name, value, &[x]);
    }
    w.both("arithmetic", x * y + x - y, &[x, y]);
    w.both("pow", part.pow(y), &[x, y]);
    w.both("atan2", x.atan2(y + 0.01), &[x, y]);
    w.both("broadcast", x * row + number, &[x, row, number]);
    w.both(
        "choices",
        x.less(y).select(x, y * 2.0) + x.max(y) * x.relu(),
        &[x, y],
    );
    w.finish("elementwise")
}

/// Elements in other places.
pub(crate) fn movements() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let x = w.normal(&[4, 6, 5], 1.0);
    let y = w.normal(&[4, 2, 5], 1.0);
    let rows = w.given(&[2, 3], vec![5.0, 0.0, 3.0, 3.0, 1.0, 5.0]);
    w.both("transpose", x.transpose(&[2, 0, 1]).tanh(), &[x]);
    w.both("reshape", x.reshape(&[8, 15]).square(), &[x]);
    w.both(
        "reshape of a transpose",
        x.transpose(&[1, 0, 2]).reshape(&[3, 40]).sin(),
        &[x],
    );
    w.both("slice", x.narrow(1, 2, 5).exp(), &[x]);
    let every = |start, length, step| ansatz_autodiff::op::Range {
        start,
        length,
        step,
    };
    let ranges = [every(0, 4, 1), every(1, 3, 2), every(0, 3, 2)];
    w.both("slice with steps", x.slice(&ranges).exp(), &[x]);
    let ranges = [every(1, 4, 1), every(0, 6, 2), every(2, 5, 1)];
    w.both("pad", x.exp().pad(&[6, 11, 8], &ranges), &[x]);
    let joined = Array::concatenate(&[x, y.sin(), x * 2.0], 1);
    w.both("concatenate", joined.square(), &[x, y]);
    w.both("take", x.take(1, &[5, 0, 0, 2]).cos(), &[x]);
    w.both("reverse", x.reverse(&[0, 2]), &[x]);
    w.both(
        "scatter_add",
        x.scatter_add(1, &[2, 0, 2, 1, 0, 2], 4),
        &[x],
    );
    w.both("gather", x.gather(1, rows).sin(), &[x]);
    let added = y
        .reshape(&[4, 2, 5])
        .take(1, &[0, 1, 0, 1, 1, 0])
        .reshape(&[4, 2, 3, 5]);
    w.both("scatter_add_at", added.scatter_add_at(1, rows, 7), &[y]);
    w.both("cumulative_sum", x.cumulative_sum(1), &[x]);
    w.output("an input", x);
    w.output("an input in another shape", x.reshape(&[120]));
    w.output("numbers", g.constant(&[3], vec![1.0, 2.0, 4.0]));
    w.output("stop_gradient", x.stop_gradient() * 2.0);
    w.finish("movements")
}

/// Sums and other folds, short and long, along first, middle and last axes.
pub(crate) fn folds() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let x = w.normal(&[6, 50, 40], 1.0);
    let long = w.normal(&[9000], 1.0);
    let tall = w.normal(&[3000, 3], 1.0);
    w.both("all", x.square().sum(), &[x]);
    w.both("first axis", x.sum_axes(&[0]).tanh(), &[x]);
    w.both("middle axis", x.sum_axes(&[1]).tanh(), &[x]);
    w.both("last axis", x.sum_axes(&[2]).tanh(), &[x]);
    w.both("two axes", x.sum_axes(&[0, 2]).tanh(), &[x]);
    w.both("mean of a long one", long.tanh().mean(), &[long]);
    w.both(
        "columns of a tall one",
        tall.square().sum_axes(&[0]),
        &[tall],
    );
    // So many parts that folding them is cut again. Sums of eight bits are exact in any order; row by row in f32, those of
    // their squares are not.
    let taller = w.normal(&[70_000, 3], 1.0);
    w.output("columns of a taller one", taller.sum_axes(&[0]));
    w.output("largest", x.reduce_max(&[1]));
    w.output("largest of all", x.reduce_max(&[0, 1, 2]));
    w.output("largest of a long one", long.reduce_max(&[0]));
    w.both("softmax", x.narrow(0, 0, 1).softmax(&[2]), &[x]);
    w.both("log_sum_exp", x.log_sum_exp(&[2]), &[x]);
    w.both("variance", x.variance(&[1, 2]), &[x]);
    w.finish("folds")
}

/// Matrix products of all sides, stacks and shapes, contractions.
pub(crate) fn products() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let (a, b) = (w.normal(&[37, 29], 0.25), w.normal(&[29, 21], 0.25));
    let (thin, wide) = (w.normal(&[37, 1], 0.25), w.normal(&[700, 37], 0.25));
    let (s, t) = (w.normal(&[3, 7, 9], 0.25), w.normal(&[3, 9, 5], 0.25));
    w.both("matmul", a.matmul(b), &[a, b]);
    w.both(
        "of transposes",
        b.matrix_transpose().matmul(a.matrix_transpose()),
        &[a, b],
    );
    w.both(
        "of slices",
        a.narrow(1, 3, 20).matmul(b.narrow(0, 3, 20)),
        &[a, b],
    );
    w.both("one column", wide.matmul(thin), &[wide, thin]);
    w.both("long sum", wide.matrix_transpose().matmul(wide), &[wide]);
    w.both("stack", s.matmul(t), &[s, t]);
    w.both(
        "stack by one",
        s.matmul(t.narrow(0, 1, 2).broadcast(&[3, 9, 5])),
        &[s, t],
    );
    w.both("of a sum", (a.tanh() + 1.0).matmul(b.sin()), &[a, b]);
    w.both("contract", s.contract(t, "bij,bjk->kib"), &[s, t]);
    w.both("outer product", s.contract(t, "aij,bkl->aibk"), &[s, t]);
    w.finish("products")
}

/// Convolutions, pools, resampling.
pub(crate) fn images() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let x = w.normal(&[2, 4, 9, 8], 0.5);
    let plain = w.normal(&[6, 4, 3, 3], 0.25);
    let grouped = w.normal(&[6, 2, 3, 2], 0.25);
    let point = w.normal(&[5, 4, 1, 1], 0.25);
    let (line, taps) = (w.normal(&[2, 3, 17], 0.5), w.normal(&[4, 3, 5], 0.25));
    let (body, cube) = (
        w.normal(&[1, 2, 5, 4, 6], 0.5),
        w.normal(&[3, 2, 3, 3, 3], 0.25),
    );
    let same = Convolution {
        padding: vec![(1, 1)],
        ..Convolution::default()
    };
    w.both("convolve", x.convolve(plain, &same), &[x, plain]);
    let strided = Convolution {
        stride: vec![2, 1],
        padding: vec![(1, 0), (2, 1)],
        dilation: vec![1, 2],
        groups: 2,
    };
    w.both(
        "strides and groups",
        x.convolve(grouped, &strided),
        &[x, grouped],
    );
    w.both(
        "of single elements",
        x.convolve(point, &Convolution::default()),
        &[x, point],
    );
    w.both("of a line", line.convolve(taps, &same), &[line, taps]);
    w.both("of a body", body.convolve(cube, &same), &[body, cube]);
    let back = ConvolutionTransposed {
        convolution: Convolution {
            stride: vec![2],
            padding: vec![(1, 1)],
            ..Convolution::default()
        },
        output_padding: vec![1],
    };
    let y = w.normal(&[2, 6, 5, 4], 0.5);
    w.both(
        "transposed",
        y.convolve_transposed(plain, &back),
        &[y, plain],
    );
    let pool = Pool {
        window: vec![3, 2],
        stride: vec![2],
        padding: vec![(1, 1), (0, 0)],
        divisor: Divisor::Inside,
        ..Pool::default()
    };
    w.both("average_pool", x.average_pool(&pool), &[x]);
    w.both("max_pool", x.max_pool(&pool), &[x]);
    w.both(
        "resample",
        x.resample(&[13, 16], &Resampling::default()),
        &[x],
    );
    let nearest = Resampling {
        interpolation: Interpolation::Nearest,
        grid: Grid::HalfPixel,
    };
    w.both("nearest", x.resample(&[18, 16], &nearest), &[x]);
    w.finish("images")
}

/// Adam's update of parameters by slopes (D. P. Kingma, J. Ba, *Adam*, 2015) at its first steps' scale.
fn adam<'g>(w: &mut Writer<'g>, parameters: &[Array<'g>], slopes: &[Array<'g>]) {
    for (k, (p, slope)) in parameters.iter().zip(slopes).enumerate() {
        let (m, v) = (w.normal(&p.shape(), 0.01), w.normal(&p.shape(), 0.1));
        let m = m * 0.9 + *slope * 0.1;
        let v = v.square() * 0.999 + slope.square() * 0.001;
        w.output(format!("parameter {k}"), *p - m / (v.sqrt() + 1e-3) * 0.01);
        w.output(format!("mean {k}"), m);
        w.output(format!("square {k}"), v);
    }
}

/// A step of training a perceptron on given values.
pub(crate) fn perceptron(points: usize, width: usize) -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let (x, y) = (w.normal(&[points, 3], 1.0), w.normal(&[points, 2], 1.0));
    let mut parameters = Vec::new();
    let mut h = x;
    for (from, to) in [(3, width), (width, width), (width, 2)] {
        let (weight, bias) = (w.normal(&[from, to], 0.4), w.normal(&[to], 0.1));
        parameters.extend([weight, bias]);
        h = h.matmul(weight) + bias;
        if to != 2 {
            h = h.gelu();
        }
    }
    let loss = (h - y).square().mean();
    let slopes = gradient(loss, &parameters);
    w.output("loss", loss);
    adam(&mut w, &parameters, &slopes);
    w.finish("perceptron")
}

/// A perceptron of pairs of weights and biases.
fn network<'g>(x: Array<'g>, parameters: &[Array<'g>]) -> Array<'g> {
    let last = parameters.len() / 2 - 1;
    let layer = |h: Array<'g>, (k, pair): (usize, &[Array<'g>])| {
        let z = h.matmul(pair[0]) + pair[1];
        if k < last { z.tanh() } else { z }
    };
    parameters.chunks(2).enumerate().fold(x, layer)
}

/// A step of a physics-informed network: the mean of (Δu − f)² with u = 0 given at some points.
pub(crate) fn informed(points: usize, width: usize) -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let (x, edge) = (w.normal(&[points, 2], 0.5), w.normal(&[points / 4, 2], 0.5));
    let mut parameters = Vec::new();
    let sizes = [2, width, width, width, 1];
    for pair in sizes.windows(2) {
        let scale = 1.0 / (pair[0] as f64).sqrt();
        let (weight, bias) = (
            w.normal(&[pair[0], pair[1]], scale),
            w.normal(&[pair[1]], 0.1),
        );
        parameters.extend([weight, bias]);
    }
    let unit = |i: usize| {
        let e = if i == 0 {
            vec![1.0, 0.0]
        } else {
            vec![0.0, 1.0]
        };
        g.constant(&[2], e).broadcast(&[points, 2])
    };
    let u = network(x, &parameters);
    let f = x.square().sum_axes(&[1]).reshape(&[points, 1]).sin();
    let residual = laplacian(u, x, &[unit(0), unit(1)]).second - f;
    let loss = residual.square().mean() + network(edge, &parameters).square().mean() * 10.0;
    let slopes = gradient(loss, &parameters);
    w.output("loss", loss);
    adam(&mut w, &parameters, &slopes);
    w.finish("informed")
}

/// A step of a small U-Net that removes noise: convolutions, group normalisation, halving, doubling, a skip.
pub(crate) fn unet(images: usize, channels: usize, side: usize) -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let c = channels;
    let (x, noise) = (
        w.normal(&[images, 1, side, side], 1.0),
        w.normal(&[images, 1, side, side], 1.0),
    );
    let time = w.normal(&[images, 8], 1.0);
    let mut parameters = Vec::new();
    let same = Convolution {
        padding: vec![(1, 1)],
        ..Convolution::default()
    };
    let halved = Convolution {
        stride: vec![2],
        ..same.clone()
    };
    macro_rules! convolve {
        ($x:expr, $to:expr, $moves:expr) => {{
            let x = $x;
            let from = x.shape()[1];
            let weight = w.normal(&[$to, from, 3, 3], 0.5 / (from as f64).sqrt());
            let bias = w.normal(&[$to, 1, 1], 0.1);
            parameters.extend([weight, bias]);
            x.convolve(weight, $moves) + bias
        }};
    }
    macro_rules! normalised {
        ($x:expr) => {{
            let x = $x;
            let shape = x.shape();
            let groups = x.reshape(&[shape[0], 2, shape[1] / 2, shape[2] * shape[3]]);
            let kept = [shape[0], 2, 1, 1];
            let centred = groups - groups.mean_axes(&[2, 3]).reshape(&kept);
            let spread = centred.square().mean_axes(&[2, 3]).reshape(&kept);
            (centred * (spread + 1e-5).rsqrt()).reshape(&shape).silu()
        }};
    }
    let first = convolve!(x, c, &same);
    let embedded = w.normal(&[8, c], 0.3);
    parameters.push(embedded);
    let first = first + time.matmul(embedded).silu().reshape(&[images, c, 1, 1]);
    let skip = normalised!(first);
    let low = normalised!(convolve!(skip, 2 * c, &halved));
    let low = normalised!(convolve!(low, 2 * c, &same));
    let nearest = Resampling {
        interpolation: Interpolation::Nearest,
        grid: Grid::HalfPixel,
    };
    let high = low.resample(&[side, side], &nearest);
    let joined = Array::concatenate(&[high, skip], 1);
    let last = normalised!(convolve!(joined, c, &same));
    let out = convolve!(last, 1, &same);
    let loss = (out - noise).square().mean();
    let slopes = gradient(loss, &parameters);
    w.output("loss", loss);
    adam(&mut w, &parameters, &slopes);
    w.finish("unet")
}

/// Elementwise work on arrays so large that threads move 16 bytes: in pieces, rows and columns that repeat, places that are
/// shifted by whole pieces and by less, transposes, and rows that are no whole pieces.
pub(crate) fn wide() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let n = 512;
    let (x, y) = (w.normal(&[n, n], 1.0), w.normal(&[n, n + 8], 1.0));
    let (row, column) = (w.normal(&[n], 1.0), w.normal(&[n, 1], 1.0));
    let known = (0..n).map(|i| (i % 7) as f64 - 3.0).collect();
    let known = g.constant(&[n], known);
    w.output("pieces", (x * row + known).tanh() * column);
    let columns = [0.5, 1.5, 2.5].map(|by| column * by);
    w.output(
        "columns",
        ((x + columns[0]) * columns[1] - columns[2]) * column,
    );
    let shifted = y.narrow(1, 4, n + 4) * x + y.narrow(1, 1, n + 1);
    w.output("shifted", shifted);
    w.output("transposed", x.transpose(&[1, 0]) + x * 0.5);
    let z = w.normal(&[100_000, 3], 1.0);
    w.output("rows of three", (z * 2.0 + 1.0).sigmoid());
    w.finish("wide")
}

/// Taylor coefficients, a product with a Hessian, gradients through parts that are computed again.
pub(crate) fn orders() -> Case {
    let g = Graph::new();
    let mut w = Writer::new(&g);
    let (x, direction) = (w.normal(&[20, 3], 1.0), w.normal(&[20, 3], 1.0));
    let parameters = [w.normal(&[3, 8], 0.5), w.normal(&[8], 0.1)];
    let again = [w.normal(&[8, 8], 0.4), w.normal(&[8], 0.1)];
    let last = [w.normal(&[8, 1], 0.4), w.normal(&[1], 0.1)];
    let h = network(x, &[parameters, parameters].concat()[..2]).tanh();
    let inner = (0..3).fold(h, |h, _| {
        g.checkpoint([h], |[h]| (h.matmul(again[0]) + again[1]).tanh())
    });
    let y = network(inner, &last);
    let coefficients = jet(&[y], &[(x, &[direction])], 3).remove(0);
    for (k, coefficient) in coefficients.iter().enumerate().skip(1) {
        w.output(format!("coefficient {k}"), *coefficient);
    }
    let loss = y.square().mean();
    for (k, slope) in gradient(loss, &again).into_iter().enumerate() {
        w.output(format!("gradient {k} through checkpoints"), slope);
    }
    w.output(
        "product with the Hessian",
        hessian_product(loss, x, direction),
    );
    w.finish("orders")
}

/// All of them, small.
pub(crate) fn all() -> Vec<Case> {
    vec![
        elementwise(),
        movements(),
        folds(),
        products(),
        images(),
        orders(),
        wide(),
        perceptron(50, 24),
        informed(60, 20),
        unet(2, 4, 8),
    ]
}
