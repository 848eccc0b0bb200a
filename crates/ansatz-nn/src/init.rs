//! Values of parameters at the start.
//!
//! References: X. Glorot, Y. Bengio, *Understanding the difficulty of training deep feedforward neural
//! networks*, 2010; K. He et al., *Delving deep into rectifiers*, 2015; A. Saxe et al., *Exact solutions to the
//! nonlinear dynamics of learning in deep linear neural networks*, 2014.

use ansatz_autodiff::Shape;
use ansatz_core::{Key, Scalar};

use crate::Parameter;

/// How a parameter's values are drawn. Weights have the shape `[out, in, …]`: the fan-in is the product of all
/// axes but the first, the fan-out that of all but the second.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// All elements the same number.
    Constant(f64),
    /// Given numbers, row by row.
    Values(Vec<f64>),
    /// Uniform in ±c.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform in ±1/√fan-in: the default of PyTorch's linear and convolutional layers.
    FanIn,
    /// Uniform in ±√(6/(fan-in + fan-out)) (Glorot and Bengio 2010, eq. 16): for tanh and linear layers.
    Glorot,
    /// Normal with variance 2/fan-in (He et al. 2015, eq. 10): for rectifiers.
    He,
    /// A matrix with orthonormal rows or columns (Saxe et al. 2014); arrays of more axes as `[out, rest]`.
    Orthogonal,
    /// The identity matrix.
    Identity,
    /// exp of normal numbers with this mean and standard deviation.
    LogNormal(f64, f64),
    /// Drawn by the first, then each row divided by the value of its number in a parameter that was added before.
    Divided(Box<Init>, Parameter),
}

/// Stream of draws for initial values.
const STREAM: u64 = 0x1417;

impl Init {
    /// Draws the values; those of [`Init::Divided`] before they are divided, which [`Parameters::new`](crate::Parameters::new)
    /// does.
    pub fn fill<T: Scalar>(&self, key: Key, shape: &Shape, out: &mut [T]) {
        let rows = shape.first().copied().unwrap_or(1).max(1);
        let fan_in = (shape.len() / rows).max(1);
        let fan_out = shape.len() / shape.get(1).copied().unwrap_or(1).max(1);
        let uniform = |c: f64, out: &mut [T]| {
            for (i, pair) in out.chunks_mut(2).enumerate() {
                let draws = key.uniform(STREAM, i as u64);
                for (o, u) in pair.iter_mut().zip(draws) {
                    *o = T::of((2.0 * u - 1.0) * c);
                }
            }
        };
        let normal = |deviation: f64, out: &mut [T]| {
            key.fill_normal(STREAM, out);
            for o in out {
                *o = T::of(o.f64() * deviation);
            }
        };
        match self {
            Self::Constant(c) => out.fill(T::of(*c)),
            Self::Values(values) => {
                for (o, v) in out.iter_mut().zip(values) {
                    *o = T::of(*v);
                }
            }
            Self::Uniform(c) => uniform(*c, out),
            Self::Normal(deviation) => normal(*deviation, out),
            Self::FanIn => uniform((fan_in as f64).sqrt().recip(), out),
            Self::Glorot => uniform((6.0 / (fan_in + fan_out) as f64).sqrt(), out),
            Self::He => normal((2.0 / fan_in as f64).sqrt(), out),
            Self::Orthogonal => {
                let mut wide = vec![0.0; out.len()];
                key.fill_normal(STREAM, &mut wide);
                orthonormal(&mut wide, rows, fan_in);
                for (o, v) in out.iter_mut().zip(wide) {
                    *o = T::of(v);
                }
            }
            Self::LogNormal(mean, deviation) => {
                key.fill_normal(STREAM, out);
                for o in out {
                    *o = T::of((mean + o.f64() * deviation).exp());
                }
            }
            Self::Divided(init, _) => init.fill(key, shape, out),
            Self::Identity => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = T::of(f64::from(u8::from(i / fan_in == i % fan_in)));
                }
            }
        }
    }
}

/// Orthonormal rows, or columns if there are fewer of them, by modified Gram-Schmidt, twice.
fn orthonormal(x: &mut [f64], rows: usize, columns: usize) {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let at = |vector: usize, k: usize| {
        if rows <= columns {
            vector * columns + k
        } else {
            k * columns + vector
        }
    };
    for v in 0..count {
        for _ in 0..2 {
            for u in 0..v {
                let dot: f64 = (0..len).map(|k| x[at(u, k)] * x[at(v, k)]).sum();
                for k in 0..len {
                    x[at(v, k)] -= dot * x[at(u, k)];
                }
            }
            let norm = (0..len).map(|k| x[at(v, k)].powi(2)).sum::<f64>().sqrt();
            for k in 0..len {
                x[at(v, k)] /= norm;
            }
        }
    }
}
