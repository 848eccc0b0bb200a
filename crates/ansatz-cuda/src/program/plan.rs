//! From steps to kernels and memory.

use std::collections::HashMap;

use super::body::{Array, Body};
use super::emit::{self, Kernel, PRELUDE, Setting, Sharing};
use super::index::{Index, signed};
use super::memory::{ALIGNMENT, places};
use super::step::{Fold, Gemm, Known, Loop, Precision, Product, Store, demand};
use super::tiles::{self, Cut};
use crate::error::elements;
use crate::{CudaError, DeviceScalar};

/// What an array is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Input,
    /// Known elements, from here on.
    Constant(usize),
    /// Known whole numbers, from here on.
    Table(usize),
    Result,
}

/// Writes a program: arrays, then steps in the order in which they run.
///
/// ```
/// use ansatz_cuda::program::{Body, Builder, Function, Index, Loop, Store};
/// // y[i, j] = tanh(x[j, i]).
/// let mut program = Builder::<f32>::new();
/// let x = program.input(6);
/// let y = program.array(6);
/// let at = Index::axes(&[2, 3], 0);
/// let mut body = Body::new();
/// let value = body.load(x, &Index::flat(&[at[1].clone(), at[0].clone()], &[3, 2]));
/// let value = body.call(Function::Tanh, &[value]);
/// let results = vec![Store { value, array: y, index: Index::flat(&at, &[2, 3]) }];
/// program.add_loop(Loop { outer: vec![2, 3], inner: vec![], body, fold: None, results })?;
/// let plan = program.finish(&[y])?;
/// assert!(plan.source().contains("f_tanh"));
/// # Ok::<(), ansatz_cuda::CudaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder<T> {
    arrays: Vec<Known>,
    roles: Vec<Role>,
    constants: Vec<T>,
    tables: Vec<u32>,
    steps: Vec<Step>,
}

impl<T: DeviceScalar> Default for Builder<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What is sent to the device.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Kernel(Kernel),
    /// Products of equal sizes that do not need each other: by the library, if there are some, or by kernels.
    Product {
        gemms: Vec<Matrices>,
        kernels: Vec<Kernel>,
    },
}

/// A matrix product with its arrays: left, right, result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matrices {
    pub(super) gemm: Gemm,
    pub(super) precision: Precision,
    pub(super) arrays: [Array; 3],
}

impl Matrices {
    /// Whether the library can do both at once: they differ in places alone, and neither needs the other.
    fn joins(&self, other: &Self) -> bool {
        let sizes = |m: &Self| (m.gemm.sizes, m.gemm.sides, m.gemm.pitch, m.precision);
        let apart = |a: &Self, b: &Self| !b.arrays.contains(&a.arrays[2]);
        // Large ones fill the device alone.
        let small = self.gemm.sizes.iter().product::<usize>() <= 1 << 28;
        small
            && self.gemm.count == 1
            && other.gemm.count == 1
            && sizes(self) == sizes(other)
            && apart(self, other)
            && apart(other, self)
    }
}

impl Step {
    fn kernels(&self) -> &[Kernel] {
        match self {
            Self::Kernel(kernel) => std::slice::from_ref(kernel),
            Self::Product { kernels, .. } => kernels,
        }
    }
}

impl<T: DeviceScalar> Builder<T> {
    /// A program without steps.
    #[must_use]
    pub fn new() -> Self {
        Self {
            arrays: Vec::new(),
            roles: Vec::new(),
            constants: Vec::new(),
            tables: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn push(&mut self, len: usize, role: Role) -> Array {
        self.arrays.push(Known {
            len,
            table: matches!(role, Role::Table(_)),
            writable: role == Role::Result,
        });
        self.roles.push(role);
        Array(self.arrays.len() as u32 - 1)
    }

    /// The next input, of `len` elements.
    pub fn input(&mut self, len: usize) -> Array {
        self.push(len, Role::Input)
    }

    /// Known elements.
    pub fn constant(&mut self, values: &[T]) -> Array {
        // Loops may read any array in pieces of 16 bytes.
        let from = self.constants.len().next_multiple_of(ALIGNMENT);
        self.constants.resize(from, T::zero());
        self.constants.extend_from_slice(values);
        self.push(values.len(), Role::Constant(from))
    }

    /// Known whole numbers, which a body reads as rows.
    pub fn table(&mut self, values: &[u32]) -> Array {
        let from = self.tables.len();
        self.tables.extend_from_slice(values);
        self.push(values.len(), Role::Table(from))
    }

    /// An array of `len` elements that steps write.
    pub fn array(&mut self, len: usize) -> Array {
        self.push(len, Role::Result)
    }

    /// Number of elements of an array; 0 for one of another program.
    #[must_use]
    pub fn len_of(&self, array: Array) -> usize {
        self.arrays.get(array.place()).map_or(0, |a| a.len)
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            scalar: T::pick("float", "double"),
            arrays: &self.arrays,
        }
    }

    /// Adds a loop.
    ///
    /// # Errors
    /// [`CudaError::Unsound`], [`CudaError::OutOfRange`] for a loop that is not sound: registers out of order, results that share
    /// places or lie outside of their arrays.
    pub fn add_loop(&mut self, task: Loop) -> Result<(), CudaError> {
        task.check(&self.arrays)?;
        let kernels = self.loop_kernels(task);
        self.steps.extend(kernels.into_iter().map(Step::Kernel));
        Ok(())
    }

    /// The kernels of a loop: where its fold is cut into parts, those that fold the parts, which may be many, come behind.
    fn loop_kernels(&mut self, task: Loop) -> Vec<Kernel> {
        let sharing = Sharing::of(&task);
        let points = elements(&task.outer);
        let scratch: Vec<Array> = if sharing.parts > 1 {
            let room = |_: &Store| self.array(points * sharing.parts);
            task.results.iter().map(room).collect()
        } else {
            Vec::new()
        };
        let mut kernels = Vec::new();
        kernels.extend(emit::kernel(&task, self.setting(), sharing, &scratch));
        for (store, from) in task.results.into_iter().zip(scratch) {
            let fold = task.fold.unwrap_or(Fold::Sum);
            let result = (store.array, store.index);
            let total = total(&task.outer, sharing.parts, fold, from, result);
            kernels.extend(self.loop_kernels(total));
        }
        kernels
    }

    /// Adds a product.
    ///
    /// # Errors
    /// [`CudaError::Unsound`], [`CudaError::OutOfRange`] for a product that is not sound.
    pub fn add_product(&mut self, product: &Product) -> Result<(), CudaError> {
        product.check(&self.arrays)?;
        let plain = product.as_gemm(&self.arrays).map(|gemm| Matrices {
            gemm,
            precision: product.precision,
            arrays: [product.left.array, product.right.array, product.out.0],
        });
        let cut = Cut::of(product, self.setting().scalar);
        let outer = product.outer();
        let scratch = (cut.parts > 1).then(|| self.array(elements(&outer) * cut.parts));
        let mut kernels = Vec::new();
        kernels.extend(tiles::kernel(product, self.setting(), cut, scratch));
        if let Some(from) = scratch {
            let total = total(&outer, cut.parts, Fold::Sum, from, product.out.clone());
            kernels.extend(self.loop_kernels(total));
        }
        if kernels.is_empty() {
            return Ok(());
        }
        if let (
            Some(new),
            Some(Step::Product {
                gemms,
                kernels: list,
            }),
        ) = (plain, self.steps.last_mut())
            && !gemms.is_empty()
            && gemms.iter().all(|g| g.joins(&new))
        {
            gemms.push(new);
            list.extend(kernels);
            return Ok(());
        }
        let gemms = plain.into_iter().collect();
        self.steps.push(Step::Product { gemms, kernels });
        Ok(())
    }

    /// Ends the program: arrays get their memory.
    ///
    /// # Errors
    /// [`CudaError::Unsound`] when an output is no array of numbers.
    pub fn finish(self, outputs: &[Array]) -> Result<Plan<T>, CudaError> {
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; self.arrays.len()];
        for (i, step) in self.steps.iter().enumerate() {
            for array in step.kernels().iter().flat_map(|k| &k.arguments) {
                let span = spans[array.place()].get_or_insert((i, i));
                span.1 = i;
            }
        }
        for output in outputs {
            let place = output.place();
            let table = self.arrays.get(place).is_none_or(|a| a.table);
            demand(!table, "an output is no array of numbers")?;
            // Also what no step writes, because it has no elements.
            let span = spans[place].get_or_insert((0, 0));
            span.1 = usize::MAX;
        }
        let lengths: Vec<usize> = self.arrays.iter().map(|a| a.len).collect();
        for (span, role) in spans.iter_mut().zip(&self.roles) {
            match role {
                // Inputs stay from run to run.
                Role::Input => *span = Some((0, usize::MAX)),
                Role::Constant(_) | Role::Table(_) => *span = None,
                Role::Result => {}
            }
        }
        let (mut places, end) = places(&lengths, &spans);
        for (place, role) in places.iter_mut().zip(&self.roles) {
            match role {
                Role::Constant(from) => *place = Some(end + from),
                Role::Table(from) => *place = Some(*from),
                Role::Input | Role::Result => {}
            }
        }
        let inputs = (0..self.roles.len() as u32).map(Array);
        let inputs = inputs
            .filter(|a| self.roles[a.place()] == Role::Input)
            .collect();
        Ok(Plan {
            arrays: self.arrays,
            places,
            inputs,
            outputs: outputs.to_vec(),
            constants: self.constants,
            tables: self.tables,
            steps: self.steps,
            room: end,
        })
    }
}

/// The fold of parts that lie behind each other.
fn total(
    outer: &[usize],
    parts: usize,
    fold: Fold,
    from: Array,
    (array, index): (Array, Index),
) -> Loop {
    let point = Index::flat(&Index::axes(outer, 0), outer);
    let at = Index::axis(outer.len(), parts).times(signed(elements(outer)));
    let mut body = Body::new();
    let value = body.load(from, &at.plus(&point));
    Loop {
        outer: outer.to_vec(),
        inner: vec![parts],
        body,
        fold: Some(fold),
        results: vec![Store {
            value,
            array,
            index,
        }],
    }
}

/// Which products a library does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Products {
    /// Those that are matrix products: cuBLAS.
    Library,
    /// None: generated kernels do all.
    Generated,
}

/// A finished program: kernels, and where its arrays are.
#[derive(Debug, Clone)]
pub struct Plan<T> {
    pub(super) arrays: Vec<Known>,
    /// In the block of numbers, or of whole numbers.
    pub(super) places: Vec<Option<usize>>,
    pub(super) inputs: Vec<Array>,
    pub(super) outputs: Vec<Array>,
    pub(super) constants: Vec<T>,
    pub(super) tables: Vec<u32>,
    pub(super) steps: Vec<Step>,
    /// Elements before the constants.
    pub(super) room: usize,
}

/// Source with a kernel for each launch.
pub(super) struct Listing {
    pub(super) source: String,
    /// Names in the source.
    pub(super) names: Vec<String>,
    /// The kernel of each text.
    pub(super) of: HashMap<String, usize>,
}

impl<T: DeviceScalar> Plan<T> {
    /// Source of all kernels where a library does matrix products.
    #[must_use]
    pub fn source(&self) -> String {
        self.listing(Products::Library).source
    }

    /// Source of all kernels.
    #[must_use]
    pub fn source_for(&self, products: Products) -> String {
        self.listing(products).source
    }

    /// Names of the kernels in [`Plan::source_for`].
    #[must_use]
    pub fn entries(&self, products: Products) -> Vec<String> {
        self.listing(products).names
    }

    /// Bytes of device memory that the program takes, beside what the library of products takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.room + self.constants.len()) * size_of::<T>() + 4 * self.tables.len()
    }

    /// Launches in one run.
    #[must_use]
    pub fn launches(&self, products: Products) -> usize {
        self.steps
            .iter()
            .map(|s| Self::sent(s, products).1.len().max(1))
            .sum()
    }

    /// Bytes that the launches of one run move at least: each array that a launch reads or writes, once.
    #[must_use]
    pub fn traffic(&self, products: Products) -> usize {
        let of = |arrays: &[Array]| -> usize {
            let bytes = |a: &Array| {
                let known = self.arrays[a.place()];
                known.len * if known.table { 4 } else { size_of::<T>() }
            };
            arrays.iter().map(bytes).sum()
        };
        let step = |s: &Step| {
            let (matrices, kernels) = Self::sent(s, products);
            let by_library: usize = matrices.iter().map(|m| of(&m.arrays)).sum();
            by_library + kernels.iter().map(|k| of(&k.arguments)).sum::<usize>()
        };
        self.steps.iter().map(step).sum()
    }

    /// Matrix products that a library can do.
    #[must_use]
    pub fn matrix_products(&self) -> usize {
        let by_library = |s: &Step| Self::sent(s, Products::Library).0.len();
        self.steps.iter().map(by_library).sum()
    }

    /// Numbers of elements of the inputs.
    pub fn input_lengths(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().map(|a| self.arrays[a.place()].len)
    }

    /// Numbers of elements of the outputs.
    pub fn output_lengths(&self) -> impl Iterator<Item = usize> {
        self.outputs.iter().map(|a| self.arrays[a.place()].len)
    }

    /// What a step sends: to the library, or kernels.
    pub(super) fn sent(step: &Step, products: Products) -> (&[Matrices], &[Kernel]) {
        match step {
            Step::Product { gemms, .. } if products == Products::Library && !gemms.is_empty() => {
                (gemms, &[])
            }
            step => (&[], step.kernels()),
        }
    }

    pub(super) fn listing(&self, products: Products) -> Listing {
        let mut listing = Listing {
            source: format!("#line 1 \"program.cuh\"\n{PRELUDE}"),
            names: Vec::new(),
            of: HashMap::new(),
        };
        for kernel in self.steps.iter().flat_map(|s| Self::sent(s, products).1) {
            if listing.of.contains_key(&kernel.text) {
                continue;
            }
            let number = listing.names.len();
            let name = format!("program_{number}");
            listing
                .source
                .push_str(&kernel.text.replacen("KERNEL", &name, 1));
            listing.names.push(name);
            listing.of.insert(kernel.text.clone(), number);
        }
        listing
    }
}
