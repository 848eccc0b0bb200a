//! Plans on a device.

#![expect(unsafe_code, reason = "kernels are launched here")]

use std::ffi::c_void;
use std::sync::Arc;

use super::body::Array;
use super::plan::{Plan, Products};
use crate::blas::Blas;
use crate::error::demand_len;
use crate::graph::Graph;
use crate::module::Module;
use crate::{Buffer, CudaError, Device, DeviceScalar};

/// Whether launches are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replay {
    /// The first run sends its launches one by one, the second captures them, later ones are one call.
    #[default]
    Graph,
    /// Every run sends its launches one by one.
    Launches,
}

/// How a plan is brought to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// Which products cuBLAS does; `None` takes it where it is found.
    pub products: Option<Products>,
    /// Whether launches are captured.
    pub replay: Replay,
}

/// A plan with its kernels and memory on a device.
///
/// Inputs stay from run to run, so that what does not change is written once; [`Executable::carry`] copies outputs to
/// inputs on the device, for steps that go on from their own results.
#[derive(Debug)]
pub struct Executable<T: DeviceScalar> {
    // In this order: what refers to memory ends before it.
    graph: Option<Graph>,
    runs: u64,
    replay: Replay,
    blas: Option<Blas>,
    module: Arc<Module>,
    launches: Vec<Launch>,
    inputs: Vec<(usize, usize)>,
    outputs: Vec<(usize, usize)>,
    numbers: Buffer<T>,
    /// Addresses of factors and results of products that go together.
    pointers: Buffer<u64>,
    /// Read by kernels through addresses alone.
    _tables: Buffer<u32>,
    device: Device,
}

/// What is sent, with addresses.
#[derive(Debug)]
enum Launch {
    Kernel {
        number: usize,
        grid: [u32; 2],
        arguments: Vec<u64>,
    },
    Product {
        gemm: super::Gemm,
        precision: super::Precision,
        addresses: [u64; 3],
    },
    /// Products whose addresses (of elements) are in memory at this one, `count` of left ones, right ones, results.
    Batch {
        gemm: super::Gemm,
        precision: super::Precision,
        list: usize,
        count: usize,
    },
}

impl<T: DeviceScalar> Executable<T> {
    /// Compiles the kernels, takes the memory and writes constants.
    ///
    /// # Errors
    /// [`CudaError::Compile`] with the compiler's log; [`CudaError::OutOfMemory`]; [`CudaError::CublasMissing`] where
    /// [`Products::Library`] is asked for; what the driver answers.
    pub fn new(device: &Device, plan: &Plan<T>, options: RunOptions) -> Result<Self, CudaError> {
        let products = match options.products {
            Some(products) => products,
            None if Blas::is_present() => Products::Library,
            None => Products::Generated,
        };
        let blas = match products {
            Products::Library if plan.matrix_products() > 0 => Some(Blas::new(device)?),
            _ => None,
        };
        let listing = plan.listing(products);
        let module = device.module("program", &listing.source, &listing.names)?;
        let mut numbers = device.zeros::<T>(plan.room + plan.constants.len())?;
        numbers.write_at(plan.room, &plan.constants)?;
        let tables = device.upload(&plan.tables)?;
        let (base, whole) = (numbers.view().address(), tables.view().address());
        let address = |array: &Array| {
            let known = plan.arrays[array.place()];
            let place = plan.places[array.place()].unwrap_or(0) as u64;
            if known.table {
                whole + 4 * place
            } else {
                base + size_of::<T>() as u64 * place
            }
        };
        let (mut launches, mut pointers) = (Vec::new(), Vec::new());
        for step in &plan.steps {
            let (gemms, kernels) = Plan::<T>::sent(step, products);
            match gemms {
                [] => {}
                [one] => launches.push(Launch::Product {
                    gemm: one.gemm,
                    precision: one.precision,
                    addresses: [0, 1, 2].map(|i| address(&one.arrays[i])),
                }),
                [first, ..] => {
                    launches.push(Launch::Batch {
                        gemm: first.gemm,
                        precision: first.precision,
                        list: pointers.len(),
                        count: gemms.len(),
                    });
                    for i in 0..3 {
                        pointers.extend(gemms.iter().map(|g| {
                            let start = (g.gemm.starts[i] * size_of::<T>()) as u64;
                            address(&g.arrays[i]) + start
                        }));
                    }
                }
            }
            for kernel in kernels {
                launches.push(Launch::Kernel {
                    number: listing.of.get(&kernel.text).copied().unwrap_or(usize::MAX),
                    grid: kernel.grid,
                    arguments: kernel.arguments.iter().map(address).collect(),
                });
            }
        }
        let span = |array: &Array| {
            let place = plan.places[array.place()].unwrap_or(0);
            (place, plan.arrays[array.place()].len)
        };
        Ok(Self {
            graph: None,
            runs: 0,
            replay: options.replay,
            blas,
            module,
            launches,
            inputs: plan.inputs.iter().map(span).collect(),
            outputs: plan.outputs.iter().map(span).collect(),
            numbers,
            pointers: device.upload(&pointers)?,
            _tables: tables,
            device: device.clone(),
        })
    }

    /// The device and stream that it runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether later runs are one call of the driver.
    #[must_use]
    pub fn is_captured(&self) -> bool {
        self.graph.is_some()
    }

    fn part(
        list: &[(usize, usize)],
        what: &'static str,
        number: usize,
    ) -> Result<(usize, usize), CudaError> {
        list.get(number).copied().ok_or(CudaError::OutOfRange {
            what,
            value: number,
            min: 0,
            max: list.len().saturating_sub(1),
        })
    }

    /// Copies an input to the device, where it stays.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`] for an input that there is not; [`CudaError::ShapeMismatch`]; what the driver answers.
    pub fn write(&mut self, input: usize, data: &[T]) -> Result<(), CudaError> {
        let (at, len) = Self::part(&self.inputs, "the number of an input", input)?;
        demand_len("an input", len, data.len())?;
        self.numbers.write_at(at, data)
    }

    /// Copies an output from the device, once the runs before are done.
    ///
    /// # Errors
    /// As [`Executable::write`].
    pub fn read(&self, output: usize, data: &mut [T]) -> Result<(), CudaError> {
        let (at, len) = Self::part(&self.outputs, "the number of an output", output)?;
        demand_len("the place for an output", len, data.len())?;
        self.numbers.read_at(at, data)
    }

    /// Copies an output of the last run to an input of the next, on the device.
    ///
    /// # Errors
    /// As [`Executable::write`], where lengths differ.
    pub fn carry(&mut self, output: usize, input: usize) -> Result<(), CudaError> {
        let (from, len) = Self::part(&self.outputs, "the number of an output", output)?;
        let (to, expected) = Self::part(&self.inputs, "the number of an input", input)?;
        demand_len("an output that becomes an input", expected, len)?;
        self.numbers.copy_within(from, to, len)
    }

    /// Computes all outputs from the inputs that are there. Returns before the device is done.
    ///
    /// # Errors
    /// What the driver and the library answer.
    pub fn launch(&mut self) -> Result<(), CudaError> {
        // The first run loads code and makes the library choose, which must not happen in a capture.
        if self.replay == Replay::Graph && self.graph.is_none() && self.runs > 0 {
            let graph = Graph::capture(&self.device, || self.send())?;
            self.graph = Some(graph);
        }
        self.runs += 1;
        match &self.graph {
            Some(graph) => graph.launch(),
            None => self.send(),
        }
    }

    fn send(&self) -> Result<(), CudaError> {
        for launch in &self.launches {
            match launch {
                Launch::Kernel {
                    number,
                    grid,
                    arguments,
                } => {
                    let mut pointers: Vec<*mut c_void> = arguments
                        .iter()
                        .map(|a| std::ptr::from_ref(a).cast_mut().cast())
                        .collect();
                    // SAFETY: the plan made the kernel's text and this list of arguments together: addresses of arrays
                    // of the lengths that the text was made for, in memory that this executable holds and alone uses,
                    // those written apart from all others that are needed at that time. The text tests every place that
                    // is not proven to lie in its array.
                    unsafe {
                        self.module
                            .launch(&self.device, *number, *grid, &mut pointers)?;
                    }
                }
                Launch::Product {
                    gemm,
                    precision,
                    addresses,
                } => {
                    let Some(blas) = &self.blas else {
                        return Err(CudaError::CublasMissing);
                    };
                    // SAFETY: `Product::as_gemm` gave sizes and distances of factors that lie in their arrays and of a
                    // result that was checked to; the memory is this executable's.
                    unsafe { blas.product::<T>(gemm, *precision, *addresses)? };
                }
                Launch::Batch {
                    gemm,
                    precision,
                    list,
                    count,
                } => {
                    let Some(blas) = &self.blas else {
                        return Err(CudaError::CublasMissing);
                    };
                    let at = self.pointers.view().address() + 8 * *list as u64;
                    let lists = [0, 1, 2].map(|i| at + 8 * (i * count) as u64);
                    // SAFETY: as above for each of the products, which have these sizes; their addresses were written when
                    // this was made.
                    unsafe { blas.products::<T>(gemm, *precision, lists, *count)? };
                }
            }
        }
        Ok(())
    }
}
