//! Primitives made ready for given shapes.

use std::fmt::Debug;
use std::sync::Arc;

use super::Primitive;
use crate::Shape;

/// A primitive made ready for given shapes: offsets, tables and plans are worked out, a run only computes.
pub trait Kernel<T>: Debug + Send + Sync {
    /// Elements of scratch memory that a run needs, whatever the number of rows.
    fn scratch(&self) -> usize {
        0
    }

    /// Computes `rows` rows. Split inputs hold `rows` rows one after the other, the others are whole.
    ///
    /// - [`Split::Rows`](super::Split::Rows): writes `rows` rows of `out`.
    /// - [`Split::Sum`](super::Split::Sum): adds what the rows give to `out`.
    /// - Nothing is split: `rows` is 1, and `out` is written; by a sum over rows, added to.
    ///
    /// `out` may hold anything before it is written. `scratch` has [`Kernel::scratch`] elements of any
    /// value. A run allocates nothing.
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]);
}

/// The kernels of a primitive for both types.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) single: Arc<dyn Kernel<f32>>,
    pub(crate) double: Arc<dyn Kernel<f64>>,
    pub(crate) packing: Option<Arc<Packing>>,
}

/// What is made of an input that is not split, once for all rows: the kernel reads it in place of the input.
#[derive(Debug, Clone)]
pub(crate) struct Packing {
    /// Which input.
    pub(crate) input: usize,
    /// From the input alone, in one row.
    pub(crate) kernel: Prepared,
    /// Elements of the result at most.
    pub(crate) length: usize,
}

impl Prepared {
    /// From a kernel that is written for both types.
    pub fn new<K: Kernel<f32> + Kernel<f64> + 'static>(kernel: K) -> Self {
        let kernel = Arc::new(kernel);
        Self::pair(kernel.clone(), kernel)
    }

    /// From a kernel for each type.
    pub(super) fn pair(single: Arc<dyn Kernel<f32>>, double: Arc<dyn Kernel<f64>>) -> Self {
        Self {
            single,
            double,
            packing: None,
        }
    }

    /// With an input that is packed before.
    pub(super) fn packed(self, input: usize, kernel: Self, length: usize) -> Self {
        let packing = Packing {
            input,
            kernel,
            length,
        };
        Self {
            packing: Some(Arc::new(packing)),
            ..self
        }
    }
}

/// Evaluates by the prepared kernel.
pub(super) fn evaluate<P: Primitive + ?Sized>(
    primitive: &P,
    inputs: &[(&[f64], &Shape)],
    (out, shape): (&mut [f64], &Shape),
) {
    let shapes: Vec<Shape> = inputs.iter().map(|(_, s)| (*s).clone()).collect();
    let values: Vec<&[f64]> = inputs.iter().map(|(x, _)| *x).collect();
    let prepared = primitive.prepare(&shapes, shape, &vec![false; inputs.len()]);
    let Some(Prepared { double, .. }) = prepared else {
        panic!(
            "{}: neither evaluate nor prepare is given",
            primitive.name()
        );
    };
    out.fill(0.0);
    double.run(1, &values, out, &mut vec![0.0; double.scratch()]);
}
