//! Gradients of two networks: a physics-informed step and a stack of convolutions.
//!
//! Inputs are numbers of `f32` drawn from a [`Key`], so that both types and every peer work on the same problem.

pub mod floor;

use ansatz_autodiff::{Array, AutodiffError, Convolution, Element, Graph, Options, Program, Trace};
use ansatz_autodiff::{gradient, laplacian};
use ansatz_core::Key;

/// The workloads by name.
pub const WORKLOADS: [&str; 2] = ["pinn", "stack"];

/// Points of the physics-informed step.
pub const POINTS: usize = 4096;

/// Widths of its network.
pub const WIDTHS: [usize; 6] = [2, 64, 64, 64, 64, 1];

/// Images of the stack of convolutions, and their side.
pub const IMAGES: (usize, usize) = (32, 28);

/// Its channels.
pub const CHANNELS: [usize; 4] = [1, 32, 64, 64];

/// A loss and its gradient: the program, and what it is run on.
#[derive(Debug)]
pub struct Workload {
    /// The loss, then its gradient in each parameter.
    pub trace: Trace,
    /// Elements of each input; the parameters come last.
    pub inputs: Vec<Vec<f64>>,
    /// Length of the batch.
    pub points: usize,
}

impl Workload {
    /// The workload of a name, or `None` if there is none; `points` is the length of its batch.
    #[must_use]
    pub fn new(name: &str, points: usize) -> Option<Self> {
        match name {
            "pinn" => Some(pinn(points)),
            "stack" => Some(stack(points)),
            _ => None,
        }
    }
}

/// Numbers of `f32` drawn from a normal distribution of standard deviation `scale`.
fn normal(stream: u64, length: usize, scale: f64) -> Vec<f64> {
    let one = |i: usize| scale * Key::new(41).normal(stream, i as u64)[0];
    (0..length).map(|i| f64::from(one(i) as f32)).collect()
}

/// The mean of (u_xx + u_yy − f)² for a network u with tanh between its layers, and the gradient in all weights.
fn pinn(points: usize) -> Workload {
    let g = Graph::new();
    let (x, f) = (g.batch(&[points, 2]), g.batch(&[points, 1]));
    let uniform = |i: usize| f64::from(Key::new(40).uniform(0, i as u64)[0] as f32);
    let mut inputs = vec![
        (0..2 * points).map(uniform).collect(),
        normal(1, points, 1.0),
    ];
    let mut parameters = Vec::new();
    let mut u = x;
    for (l, pair) in WIDTHS.windows(2).enumerate() {
        let (w, b) = (g.input(&[pair[0], pair[1]]), g.input(&[pair[1]]));
        u = u.matmul(w) + b;
        if l + 2 < WIDTHS.len() {
            u = u.tanh();
        }
        let stream = 2 + 2 * l as u64;
        let scale = 1.0 / (pair[0] as f64).sqrt();
        inputs.push(normal(stream, pair[0] * pair[1], scale));
        inputs.push(normal(stream + 1, pair[1], 0.1));
        parameters.extend([w, b]);
    }
    let unit = |i: usize| {
        let e = [[1.0, 0.0], [0.0, 1.0]][i].to_vec();
        g.constant(&[2], e).broadcast(&[points, 2])
    };
    let residual = laplacian(u, x, &[unit(0), unit(1)]).second - f;
    with_gradient(&g, residual.square().mean(), &parameters, inputs, points)
}

/// The mean square of three convolutions with SiLU after each, and its gradient in weights and biases.
fn stack(images: usize) -> Workload {
    let g = Graph::new();
    let side = IMAGES.1;
    let mut y = g.batch(&[images, CHANNELS[0], side, side]);
    let mut inputs = vec![normal(20, y.shape().len(), 1.0)];
    let mut parameters = Vec::new();
    let same = Convolution {
        padding: vec![(1, 1)],
        ..Convolution::default()
    };
    for (l, pair) in CHANNELS.windows(2).enumerate() {
        let (w, b) = (g.input(&[pair[1], pair[0], 3, 3]), g.input(&[pair[1]]));
        y = (y.convolve(w, &same) + b.reshape(&[pair[1], 1, 1])).silu();
        let stream = 21 + 2 * l as u64;
        let scale = (2.0 / (9 * pair[0]) as f64).sqrt();
        inputs.push(normal(stream, w.shape().len(), scale));
        inputs.push(normal(stream + 1, pair[1], 0.1));
        parameters.extend([w, b]);
    }
    with_gradient(&g, y.square().mean(), &parameters, inputs, images)
}

fn with_gradient<'g>(
    g: &'g Graph,
    loss: Array<'g>,
    parameters: &[Array<'g>],
    inputs: Vec<Vec<f64>>,
    points: usize,
) -> Workload {
    let mut outputs = vec![loss];
    outputs.extend(gradient(loss, parameters));
    Workload {
        trace: g.finish(&outputs),
        inputs,
        points,
    }
}

/// A workload that runs in one type.
pub trait Running: Send {
    /// Computes loss and gradient.
    ///
    /// # Errors
    /// Those of [`Program::run`].
    fn run(&mut self) -> Result<(), AutodiffError>;

    /// The first `count` of what the last run computed, one array after the other.
    fn values(&self, count: usize) -> Vec<f64>;

    /// Bytes of memory that a run takes.
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct InType<T> {
    program: Program<T>,
    inputs: Vec<Vec<T>>,
    outputs: Vec<Vec<T>>,
}

/// Compiles a workload for `f32` or `f64`.
///
/// # Errors
/// Those of [`Program::compile`].
pub fn compile<T: Element>(workload: &Workload) -> Result<Box<dyn Running>, AutodiffError> {
    let narrow = |x: &Vec<f64>| x.iter().map(|v| T::of(*v)).collect();
    let outputs = workload.trace.output_shapes();
    Ok(Box::new(InType::<T> {
        program: Program::compile(&workload.trace, &Options::default())?,
        inputs: workload.inputs.iter().map(narrow).collect(),
        outputs: outputs.map(|s| vec![T::zero(); s.len()]).collect(),
    }))
}

impl<T: Element> Running for InType<T> {
    fn run(&mut self) -> Result<(), AutodiffError> {
        let inputs: Vec<&[T]> = self.inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<&mut [T]> = self.outputs.iter_mut().map(Vec::as_mut_slice).collect();
        self.program.run(&inputs, &mut outputs)
    }

    fn values(&self, count: usize) -> Vec<f64> {
        let all = self.outputs.iter().flatten();
        all.take(count).map(|v| v.f64()).collect()
    }

    fn bytes(&self) -> usize {
        self.program.bytes()
    }
}
