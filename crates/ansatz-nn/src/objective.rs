//! A loss of parameters and data, compiled with its gradient.

use std::ops::Range;

use ansatz_autodiff::{Array, Element, Graph, Options, Program, gradient};
use ansatz_core::Key;

use crate::{Layout, Mode, NetworkError, Parameters, Pass};

/// Shape of an array of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// The first axis numbers the points of the batch, so that work is split along it.
    Batch(Vec<usize>),
    /// Read as a whole.
    Whole(Vec<usize>),
}

impl Data {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        let (Self::Batch(shape) | Self::Whole(shape)) = self;
        shape.iter().product()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A loss of parameters and data with its gradient: what [`Training`](crate::Training) and
/// [`Lbfgs::fit`](crate::Lbfgs::fit) minimise. [`Objective`] is one program; a sum of several with weights of its own is one
/// as well.
pub trait Loss<T> {
    /// The shapes of the data.
    fn data(&self) -> &[Data];

    /// The loss; its gradient goes to `out`, zeros for what is not trained. Draws come from `key`.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for parameters of another layout or a gradient of another length,
    /// [`NetworkError::Program`] for data of another length.
    fn gradient(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        key: Key,
        out: &mut [T],
    ) -> Result<f64, NetworkError>;

    /// The first number that is not finite among those that [`Loss::update`] would write.
    fn stray(&self) -> Option<f64> {
        None
    }

    /// Writes the buffers that layers asked to change, as the last call of [`Loss::gradient`] found them.
    fn update(&self, _parameters: &mut Parameters<T>) {}
}

/// A loss and its gradient in the parameters, as a program.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_nn::{Data, Layer, Layout, Mlp, MlpOptions, Objective, Parameters};
/// let mut layout = Layout::new();
/// let net = Mlp::new(&mut layout.root(), &[1, 16, 1], &MlpOptions::default());
/// let parameters = Parameters::<f64>::new(&layout, Key::new(0));
/// let data = [Data::Batch(vec![8, 1]), Data::Batch(vec![8, 1])];
/// let mut objective = Objective::compile(&layout, &data, |pass, data| {
///     (net.apply(pass, data[0]) - data[1]).square().mean()
/// })?;
/// let x: Vec<f64> = (0..8).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
/// let mut slope = vec![0.0; layout.len()];
/// let loss = objective.gradient(&parameters, &[&x, &y], Key::new(1), &mut slope)?;
/// assert!(loss > 0.0 && slope.iter().any(|s| *s != 0.0));
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug)]
pub struct Objective<T> {
    program: Program<T>,
    layout: Layout,
    data: Vec<Data>,
    /// Draws for each run.
    uniforms: Vec<Vec<T>>,
    /// Places in the flat vector that the program updates, and the new values.
    updates: Vec<(Range<usize>, Vec<T>)>,
    /// What was asked for beside the loss.
    outputs: Vec<Vec<T>>,
}

/// Stream of the draws of a pass; the array's number is added.
const STREAM: u64 = 0x0b1e_0000;

impl<T: Element> Objective<T> {
    /// Compiles `loss`, a number, and its gradient, in [`Mode::Train`].
    ///
    /// # Errors
    /// [`NetworkError::Size`] for data without elements, [`NetworkError::Program`] when the program needs more memory
    /// than the options allow.
    ///
    /// # Panics
    /// When the loss is no number, at the shapes that `loss` combines, or when batches have several lengths.
    pub fn compile<F>(layout: &Layout, data: &[Data], loss: F) -> Result<Self, NetworkError>
    where
        F: for<'g> FnOnce(&Pass<'g>, &[Array<'g>]) -> Array<'g>,
    {
        Self::with_options(layout, data, (Mode::Train, Options::default()), loss)
    }

    /// Compiles with a mode and options of the compiler.
    ///
    /// # Errors
    /// As [`Objective::compile`].
    ///
    /// # Panics
    /// As [`Objective::compile`].
    pub fn with_options<F>(
        layout: &Layout,
        data: &[Data],
        options: (Mode, Options),
        loss: F,
    ) -> Result<Self, NetworkError>
    where
        F: for<'g> FnOnce(&Pass<'g>, &[Array<'g>]) -> Array<'g>,
    {
        Self::with_outputs(layout, data, options, |pass, data| {
            (loss(pass, data), Vec::new())
        })
    }

    /// Compiles a loss and what else to keep of each evaluation, such as the residuals it is the mean of: see
    /// [`Objective::outputs`].
    ///
    /// # Errors
    /// As [`Objective::compile`].
    ///
    /// # Panics
    /// As [`Objective::compile`].
    pub fn with_outputs<F>(
        layout: &Layout,
        data: &[Data],
        (mode, options): (Mode, Options),
        loss: F,
    ) -> Result<Self, NetworkError>
    where
        F: for<'g> FnOnce(&Pass<'g>, &[Array<'g>]) -> (Array<'g>, Vec<Array<'g>>),
    {
        if data.iter().any(Data::is_empty) {
            return Err(NetworkError::Size {
                what: "elements of an array of data, at least",
                expected: 1,
                got: 0,
            });
        }
        let graph = Graph::new();
        let batch = data.iter().find_map(|d| match d {
            Data::Batch(shape) => shape.first().copied(),
            Data::Whole(_) => None,
        });
        let pass = Pass::new(&graph, layout, (mode, batch));
        let inputs: Vec<Array<'_>> = data
            .iter()
            .map(|d| match d {
                Data::Batch(shape) => graph.batch(shape),
                Data::Whole(shape) => graph.input(shape),
            })
            .collect();
        let (value, beside) = loss(&pass, &inputs);
        let entries = layout.entries().iter().zip(pass.arrays());
        let trained: Vec<Array<'_>> = entries
            .filter(|(e, _)| e.trained)
            .map(|(_, a)| *a)
            .collect();
        let mut outputs = vec![value];
        outputs.extend(gradient(value, &trained));
        let mut updates = Vec::new();
        for (parameter, new) in pass.updates() {
            let range = layout.entry(parameter).range();
            updates.push((range.clone(), vec![T::zero(); range.len()]));
            outputs.push(new);
        }
        outputs.extend(&beside);
        let uniforms = pass.uniforms();
        Ok(Self {
            program: Program::compile(&graph.finish(&outputs), &options)?,
            layout: layout.clone(),
            data: data.to_vec(),
            uniforms: uniforms
                .iter()
                .map(|u| vec![T::zero(); u.shape().len()])
                .collect(),
            updates,
            outputs: beside
                .iter()
                .map(|a| vec![T::zero(); a.shape().len()])
                .collect(),
        })
    }

    /// What [`Objective::with_outputs`] asked for, as the last call of [`Objective::gradient`] found it.
    #[must_use]
    pub fn outputs(&self) -> &[Vec<T>] {
        &self.outputs
    }

    /// The shapes of the data.
    #[must_use]
    pub fn data(&self) -> &[Data] {
        &self.data
    }

    /// The program: its cost and memory.
    #[must_use]
    pub fn program(&self) -> &Program<T> {
        &self.program
    }

    /// The loss; its gradient goes to `out`, zeros for what is not trained. Draws come from `key`.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for parameters of another layout or a gradient of another length,
    /// [`NetworkError::Program`] for data of another length.
    pub fn gradient(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        key: Key,
        out: &mut [T],
    ) -> Result<f64, NetworkError> {
        let size = |what, expected, got| NetworkError::Size {
            what,
            expected,
            got,
        };
        let n = self.layout.len();
        if parameters.values().len() != n {
            return Err(size("parameters", n, parameters.values().len()));
        }
        if out.len() != n {
            return Err(size("elements of the gradient", n, out.len()));
        }
        for (stream, draws) in (STREAM..).zip(&mut self.uniforms) {
            for (counter, pair) in (0..).zip(draws.chunks_mut(2)) {
                for (draw, u) in pair.iter_mut().zip(key.uniform(stream, counter)) {
                    *draw = T::of(u);
                }
            }
        }
        let values = parameters.values();
        let entries = self.layout.entries();
        let mut inputs: Vec<&[T]> = entries.iter().map(|e| &values[e.range()]).collect();
        inputs.extend_from_slice(data);
        inputs.extend(self.uniforms.iter().map(|u| &u[..]));
        let mut loss = [T::zero()];
        let mut outputs: Vec<&mut [T]> = vec![&mut loss];
        let mut rest = out;
        for entry in entries {
            let (part, later) = rest.split_at_mut(entry.shape.len());
            rest = later;
            if entry.trained {
                outputs.push(part);
            } else {
                part.fill(T::zero());
            }
        }
        outputs.extend(self.updates.iter_mut().map(|(_, v)| &mut v[..]));
        outputs.extend(self.outputs.iter_mut().map(|v| &mut v[..]));
        self.program.run(&inputs, &mut outputs)?;
        Ok(loss[0].f64())
    }
}

impl<T: Element> Loss<T> for Objective<T> {
    fn data(&self) -> &[Data] {
        &self.data
    }

    fn gradient(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        key: Key,
        out: &mut [T],
    ) -> Result<f64, NetworkError> {
        Self::gradient(self, parameters, data, key, out)
    }

    fn stray(&self) -> Option<f64> {
        let values = self.updates.iter().flat_map(|(_, v)| v);
        values.map(|v| v.f64()).find(|v| !v.is_finite())
    }

    fn update(&self, parameters: &mut Parameters<T>) {
        for (range, new) in &self.updates {
            parameters.values_mut()[range.clone()].copy_from_slice(new);
        }
    }
}
