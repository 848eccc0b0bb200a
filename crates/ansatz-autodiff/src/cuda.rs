//! Programs on CUDA devices.
//!
//! [`DeviceProgram::compile`] makes a device program of the same [`Trace`] that [`Program`](crate::Program) compiles for the
//! processor: elementwise operations and movements between heavy ones become generated kernels with several results, sums
//! fold what is computed on the way, products go to cuBLAS or to generated kernels that read their factors where they lie
//! (convolutions without im2col's copy), arrays share memory by the spans in which they are needed, and all launches of a
//! run are captured as one graph.
//!
//! Results are those of the processor up to rounding: sums are added in another, fixed order, and elementary functions are
//! the device's (at most 2 units in the last place). [`DeviceOptions::precision`] rounds the factors of `f32` products.
//! The same device gives the same bits each time.
//!
//! | on the device | not yet, an error that names it |
//! |---|---|
//! | elementwise functions, comparisons, choices | Fourier transforms |
//! | broadcasts, reshapes, transposes, slices, pads, concatenations, rows by index | factors, roots and triangular solutions of matrices |
//! | sums, largest elements, running sums (up to 4096 elements), scattered sums | functions of one's own ([`Graph::function`](crate::Graph::function), [`Graph::apply`](crate::Graph::apply)) |
//! | matrix products, contractions | |
//! | convolutions and their transposes in any number of dimensions, pools, resampling | |
//!
//! ```
//! use ansatz_autodiff::cuda::{DeviceOptions, DeviceProgram};
//! use ansatz_autodiff::{Graph, gradient};
//! use ansatz_cuda::Device;
//! let g = Graph::new();
//! let (x, w) = (g.input(&[8, 3]), g.input(&[3, 1]));
//! let loss = x.matmul(w).tanh().square().mean();
//! let step = w - gradient(loss, &[w])[0] * 0.1;
//! let trace = g.finish(&[loss, step]);
//! match Device::new(0) {
//!     Ok(device) => {
//!         let mut program = DeviceProgram::<f32>::compile(&trace, &device, &DeviceOptions::default())?;
//!         let (mut loss, mut next) = ([0.0], [0.0; 3]);
//!         program.run(&[&[0.1; 24], &[0.5; 3]], &mut [&mut loss, &mut next])?;
//!         // Further steps without copies: the second output becomes the second input.
//!         program.carry(1, 1)?;
//!         program.launch()?;
//!     }
//!     Err(missing) => println!("{missing}"),
//! }
//! # Ok::<(), ansatz_autodiff::cuda::DeviceError>(())
//! ```

mod fold;
mod form;
mod lower;
mod product;
mod stage;
mod value;

use ansatz_cuda::program::{Executable, Plan, RunOptions};
pub use ansatz_cuda::program::{Precision, Products, Replay};
use ansatz_cuda::{CudaError, Device, DeviceScalar};
use thiserror::Error;

use crate::{AutodiffError, Element, Shape, Trace};

/// How a program is brought to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceOptions {
    /// How exact products of `f32` are: in full by default.
    pub precision: Precision,
    /// Which products cuBLAS does; by default those that it can, where it is found.
    pub products: Option<Products>,
    /// Whether runs are captured as a graph; by default they are.
    pub replay: Replay,
}

/// A program cannot be brought to a device, or does not run there.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device has no such operation.
    #[error("{op} does not run on devices: {remedy}")]
    Unsupported {
        /// Its name.
        op: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// The device's failure.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// Inputs or outputs that do not fit.
    #[error(transparent)]
    Program(#[from] AutodiffError),
}

/// Kernels and memory of a program, without a device: for its source, its size, its launches.
///
/// # Errors
/// [`DeviceError::Unsupported`].
pub fn plan<T: Element + DeviceScalar>(
    trace: &Trace,
    options: &DeviceOptions,
) -> Result<Plan<T>, DeviceError> {
    lower::lower(trace, options.precision)
}

/// A program on a device, for `f32` or `f64`.
#[derive(Debug)]
pub struct DeviceProgram<T: Element + DeviceScalar> {
    executable: Executable<T>,
    inputs: Vec<Shape>,
    outputs: Vec<Shape>,
    bytes: usize,
}

impl<T: Element + DeviceScalar> DeviceProgram<T> {
    /// Compiles a trace for a device: a second or two for the kernels of a step of training, nothing for those that the
    /// device had before.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`]; [`CudaError::Compile`], [`CudaError::OutOfMemory`] and what else the driver answers.
    pub fn compile(
        trace: &Trace,
        device: &Device,
        options: &DeviceOptions,
    ) -> Result<Self, DeviceError> {
        let plan = plan::<T>(trace, options)?;
        let run = RunOptions {
            products: options.products,
            replay: options.replay,
        };
        Ok(Self {
            executable: Executable::new(device, &plan, run)?,
            inputs: trace.input_shapes().cloned().collect(),
            outputs: trace.output_shapes().cloned().collect(),
            bytes: plan.bytes(),
        })
    }

    /// Bytes of device memory that it takes, inputs and outputs included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The device and stream that it runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.executable.device()
    }

    /// Copies the inputs to the device, computes, and copies the outputs back.
    ///
    /// # Errors
    /// [`AutodiffError::Count`], [`AutodiffError::Length`] when slices do not fit; what the driver answers.
    pub fn run(&mut self, inputs: &[&[T]], outputs: &mut [&mut [T]]) -> Result<(), DeviceError> {
        count("inputs", self.inputs.len(), inputs.len())?;
        count("outputs", self.outputs.len(), outputs.len())?;
        for (i, (x, shape)) in outputs.iter().zip(&self.outputs).enumerate() {
            length("output", i, shape, x.len())?;
        }
        for (i, x) in inputs.iter().enumerate() {
            self.write(i, x)?;
        }
        self.launch()?;
        for (i, out) in outputs.iter_mut().enumerate() {
            self.read(i, out)?;
        }
        Ok(())
    }

    /// Copies one input to the device, where it stays for all later runs.
    ///
    /// # Errors
    /// [`AutodiffError::Length`]; [`CudaError::OutOfRange`] for an input that there is not; what the driver answers.
    pub fn write(&mut self, input: usize, data: &[T]) -> Result<(), DeviceError> {
        if let Some(shape) = self.inputs.get(input) {
            length("input", input, shape, data.len())?;
        }
        Ok(self.executable.write(input, data)?)
    }

    /// Computes all outputs from the inputs that are there. Returns before the device is done.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn launch(&mut self) -> Result<(), DeviceError> {
        Ok(self.executable.launch()?)
    }

    /// Copies one output from the device, once the runs before are done.
    ///
    /// # Errors
    /// As [`DeviceProgram::write`].
    pub fn read(&self, output: usize, data: &mut [T]) -> Result<(), DeviceError> {
        if let Some(shape) = self.outputs.get(output) {
            length("output", output, shape, data.len())?;
        }
        Ok(self.executable.read(output, data)?)
    }

    /// Copies an output of the last run to an input of the next, on the device: for steps that go on from their own results.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`] where they differ; [`CudaError::OutOfRange`] for one that there is not.
    pub fn carry(&mut self, output: usize, input: usize) -> Result<(), DeviceError> {
        Ok(self.executable.carry(output, input)?)
    }
}

/// A length as a whole number with a sign.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn count(what: &'static str, expected: usize, got: usize) -> Result<(), AutodiffError> {
    if expected == got {
        return Ok(());
    }
    Err(AutodiffError::Count {
        what,
        expected,
        got,
    })
}

fn length(
    what: &'static str,
    index: usize,
    shape: &Shape,
    got: usize,
) -> Result<(), AutodiffError> {
    if shape.len() == got {
        return Ok(());
    }
    Err(AutodiffError::Length {
        what,
        index,
        shape: shape.to_string(),
        expected: shape.len(),
        got,
    })
}
