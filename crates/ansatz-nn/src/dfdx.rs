//! Networks of the `dfdx` crate where this project asks for models, and weights between the two (feature `dfdx`).
//!
//! Any `dfdx` 0.13 module on the CPU that maps batches `[b, I]` to `[b, O]` becomes a diffusion model ([`DfdxDenoiser`]), the
//! right side of a differential equation ([`DfdxField`]) or a scalar field ([`DfdxScalarField`]), with the products that
//! gradients through a solve need. A state is one or more samples of O numbers, one after the other; what else the module
//! reads, times or noise levels, are the last I − O columns, which a function of yours fills.
//!
//! `dfdx` has first derivatives only, and no two-dimensional convolution on a stable compiler: networks that are
//! differentiated more than once, and networks of images, are this crate's own. An evaluation copies states into
//! tensors and back, and allocates.
//!
//! Weights: [`parameters`] gives a module's tensors under `dfdx`'s names (`0.weight`, `0.bias`, `2.weight`, …: the place in a tuple
//! of layers, activations counted) and shapes (`[out, in]`, as here), so that [`Parameters::save`](crate::Parameters::save) writes a
//! `safetensors` file as `dfdx` reads it; [`assign`] puts parameters into a module. To and from an [`Mlp`](crate::Mlp), whose
//! names count dense layers only, [`Parameters::copy_in_order`](crate::Parameters::copy_in_order) goes by place.
//!
//! ```
//! use ::dfdx::prelude::*;
//! use ansatz_nn::core::VectorField;
//! use ansatz_nn::dfdx::DfdxField;
//! type Net = (Linear<3, 16>, Tanh, Linear<16, 2>);
//! let net = Cpu::default().build_module::<Net, f64>();
//! // dx/dt = net(x, t) for two numbers x.
//! let field = DfdxField::<_, f64, _, 3, 2>::new(net, |t, columns: &mut [f64]| columns[0] = t)?;
//! let mut dx = vec![0.0; 2];
//! field.eval(0.5, &vec![1.0, -1.0], &mut dx)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod weights;

use std::fmt::Debug;
use std::marker::PhantomData;

use ::dfdx::nn::Module;
use ::dfdx::nn::modules::NumParams as _;
use ::dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorRef,
};
use ::dfdx::shapes::{Const, Dtype, HasShape as _, Shape};
use ::dfdx::tensor::{Cpu, CpuError, Gradients, OwnedTape, Tensor, TensorFromVec as _, Trace as _};
use ::dfdx::tensor_ops::{Backward as _, Device, SumTo as _};
use ansatz_autodiff::Element;
use ansatz_core::{
    Denoiser, DifferentiableField, EvalError, HostState, NoiseLevel, Prediction, ScalarField,
    VectorField, VjpDenoiser, VjpField,
};
use thiserror::Error;

use crate::NetworkError;
pub use weights::{assign, parameters};

/// A batch of samples of N numbers.
pub type Batch<E, const N: usize, T = ::dfdx::tensor::NoneTape> =
    Tensor<(usize, Const<N>), E, Cpu, T>;

/// What a module of `dfdx` reports.
#[derive(Debug, Error)]
#[error("dfdx: {0}")]
struct Report(String);

fn failed(error: impl Debug) -> EvalError {
    EvalError::model(Report(format!("{error:?}")))
}

/// Modules that map batches of I numbers to batches of O numbers. All that do are.
pub trait Evaluated<E: Dtype, const I: usize, const O: usize>:
    Module<Batch<E, I>, Output = Batch<E, O>> + Sync
{
}

impl<M, E: Dtype, const I: usize, const O: usize> Evaluated<E, I, O> for M where
    M: Module<Batch<E, I>, Output = Batch<E, O>> + Sync
{
}

/// Modules that do so under a tape, and whose tensors can be visited. All that can are.
pub trait Differentiated<E: Dtype, const I: usize, const O: usize>:
    Evaluated<E, I, O>
    + Module<Batch<E, I, OwnedTape<E, Cpu>>, Output = Batch<E, O, OwnedTape<E, Cpu>>>
    + TensorCollection<E, Cpu>
where
    Cpu: Device<E>,
{
}

impl<M, E: Dtype, const I: usize, const O: usize> Differentiated<E, I, O> for M
where
    Cpu: Device<E>,
    M: Evaluated<E, I, O>
        + Module<Batch<E, I, OwnedTape<E, Cpu>>, Output = Batch<E, O, OwnedTape<E, Cpu>>>
        + TensorCollection<E, Cpu>,
{
}

/// A module with the function that fills the columns behind the state.
#[derive(Debug, Clone)]
struct Model<M, E, F, const I: usize, const O: usize> {
    module: M,
    columns: F,
    device: Cpu,
    element: PhantomData<E>,
}

impl<M, E, F, const I: usize, const O: usize> Model<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
{
    fn new(module: M, columns: F) -> Result<Self, NetworkError> {
        if O == 0 || I < O {
            return Err(NetworkError::Size {
                what: "inputs of a module, at least as many as outputs",
                expected: O.max(1),
                got: I,
            });
        }
        Ok(Self {
            module,
            columns,
            device: Cpu::default(),
            element: PhantomData,
        })
    }

    /// The module's input for a state of samples, with `fill` for the other columns.
    fn input(&self, x: &[E], fill: impl FnOnce(&F, &mut [E])) -> Result<Batch<E, I>, EvalError> {
        if !x.len().is_multiple_of(O) || x.is_empty() {
            return Err(EvalError::Length {
                what: "state (a multiple of the module's outputs)",
                expected: x.len().div_ceil(O).max(1) * O,
                got: x.len(),
            });
        }
        let mut more = [E::zero(); I];
        fill(&self.columns, &mut more[O..]);
        let rows = x.chunks_exact(O);
        let rows: Vec<E> = rows
            .flat_map(|row| row.iter().chain(&more[O..]).copied())
            .collect();
        self.tensor(rows)
    }

    fn tensor<const N: usize>(&self, rows: Vec<E>) -> Result<Batch<E, N>, EvalError> {
        let shape = (rows.len() / N, Const::<N>);
        self.device.try_tensor_from_vec(rows, shape).map_err(failed)
    }

    fn eval(&self, input: Batch<E, I>, out: &mut [E]) -> Result<(), EvalError>
    where
        M: Evaluated<E, I, O>,
    {
        let y = self.module.try_forward(input).map_err(failed)?.as_vec();
        if y.len() != out.len() {
            return Err(EvalError::Length {
                what: "result",
                expected: y.len(),
                got: out.len(),
            });
        }
        out.copy_from_slice(&y);
        Ok(())
    }

    /// `x_bar ← (∂y/∂x)ᵀ·w`, and `p_bar += (∂y/∂p)ᵀ·w`.
    fn vjp(
        &self,
        input: &Batch<E, I>,
        w: &[E],
        x_bar: &mut [E],
        p_bar: &mut [f64],
    ) -> Result<(), EvalError>
    where
        M: Differentiated<E, I, O>,
    {
        let length = |what, expected, got| {
            if expected == got {
                return Ok(());
            }
            Err(EvalError::Length {
                what,
                expected,
                got,
            })
        };
        let outputs = input.shape().0 * O;
        length("cotangent", outputs, w.len())?;
        length("result", outputs, x_bar.len())?;
        let parameters = self.module.num_trainable_params();
        length("cotangent of the parameters", parameters, p_bar.len())?;
        let y = self
            .module
            .try_forward(input.leaky_trace())
            .map_err(failed)?;
        let w: Batch<E, O> = self.tensor(w.to_vec())?;
        let product = ::dfdx::tensor_ops::TryMul::try_mul(y, w).map_err(failed)?;
        let sum: Tensor<(), E, Cpu, _> = product.try_sum().map_err(failed)?;
        let mut slopes = Slopes {
            gradients: sum.try_backward().map_err(failed)?,
            out: Vec::with_capacity(parameters),
        };
        slopes.gradients.get_or_alloc_mut(input).map_err(failed)?;
        let rows = slopes.gradients.get(input).as_vec();
        M::iter_tensors(&mut RecursiveWalker {
            m: &self.module,
            f: &mut slopes,
        })
        .map_err(failed)?;
        for (bar, row) in x_bar.chunks_exact_mut(O).zip(rows.chunks_exact(I)) {
            bar.copy_from_slice(&row[..O]);
        }
        for (p, s) in p_bar.iter_mut().zip(slopes.out) {
            *p += s;
        }
        Ok(())
    }
}

/// Gradients of the trained tensors, one after the other.
struct Slopes<E: Dtype> {
    gradients: Gradients<E, Cpu>,
    out: Vec<f64>,
}

impl<E: Element + Dtype> TensorVisitor<E, Cpu> for Slopes<E>
where
    Cpu: Device<E>,
{
    type Viewer = ViewTensorRef;
    type Err = CpuError;
    type E2 = E;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, Cpu>,
        tensor: &Tensor<S, E, Cpu>,
    ) -> Result<Option<Tensor<S, E, Cpu>>, CpuError> {
        if options.do_gradient_update {
            // A tensor that the result does not depend on has no gradient yet.
            self.gradients.get_or_alloc_mut(tensor)?;
            let slope = self.gradients.get(tensor).as_vec();
            self.out.extend(slope.iter().map(|v| v.f64()));
        }
        Ok(None)
    }
}

/// A module as a diffusion model. The noise level goes into the last I − O columns.
#[derive(Debug, Clone)]
pub struct DfdxDenoiser<M, E, F, const I: usize, const O: usize> {
    native: Prediction,
    model: Model<M, E, F, I, O>,
}

impl<M, E, F, const I: usize, const O: usize> DfdxDenoiser<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, I, O>,
    F: Fn(&NoiseLevel, &mut [E]) + Sync,
{
    /// A model that predicts `native`; `columns` writes what the module is told of a noise level.
    ///
    /// # Errors
    /// [`NetworkError::Size`] when the module has less inputs than outputs.
    pub fn new(native: Prediction, module: M, columns: F) -> Result<Self, NetworkError> {
        let model = Model::new(module, columns)?;
        Ok(Self { native, model })
    }

    /// The module.
    pub fn module(&self) -> &M {
        &self.model.module
    }
}

impl<M, E, F, S, const I: usize, const O: usize> Denoiser<S> for DfdxDenoiser<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, I, O>,
    F: Fn(&NoiseLevel, &mut [E]) + Sync,
    S: HostState<Scalar = E>,
{
    fn native(&self) -> Prediction {
        self.native
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let input = self
            .model
            .input(x.as_slice(), |f, columns| f(at, columns))?;
        self.model.eval(input, out.as_mut_slice())
    }
}

impl<M, E, F, S, const I: usize, const O: usize> VjpDenoiser<S> for DfdxDenoiser<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Differentiated<E, I, O>,
    F: Fn(&NoiseLevel, &mut [E]) + Sync,
    S: HostState<Scalar = E>,
{
    fn params(&self) -> usize {
        self.model.module.num_trainable_params()
    }

    fn vjp(
        &self,
        x: &S,
        at: &NoiseLevel,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let input = self
            .model
            .input(x.as_slice(), |f, columns| f(at, columns))?;
        self.model
            .vjp(&input, w.as_slice(), x_bar.as_mut_slice(), p_bar)
    }
}

/// A module as the right side of a differential equation. The time goes into the last I − O columns.
#[derive(Debug, Clone)]
pub struct DfdxField<M, E, F, const I: usize, const O: usize>(Model<M, E, F, I, O>);

impl<M, E, const I: usize, const O: usize, F> DfdxField<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, I, O>,
    F: Fn(f64, &mut [E]) + Sync,
{
    /// A field; `columns` writes what the module is told of a time.
    ///
    /// # Errors
    /// [`NetworkError::Size`] when the module has less inputs than outputs.
    pub fn new(module: M, columns: F) -> Result<Self, NetworkError> {
        Model::new(module, columns).map(Self)
    }

    /// The module.
    pub fn module(&self) -> &M {
        &self.0.module
    }
}

impl<M, E, F, S, const I: usize, const O: usize> VectorField<S> for DfdxField<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, I, O>,
    F: Fn(f64, &mut [E]) + Sync,
    S: HostState<Scalar = E>,
{
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        let input = self.0.input(x.as_slice(), |f, columns| f(t, columns))?;
        self.0.eval(input, dx.as_mut_slice())
    }
}

impl<M, E, F, S, const I: usize, const O: usize> VjpField<S> for DfdxField<M, E, F, I, O>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Differentiated<E, I, O>,
    F: Fn(f64, &mut [E]) + Sync,
    S: HostState<Scalar = E>,
{
    fn params(&self) -> usize {
        self.0.module.num_trainable_params()
    }

    fn vjp(&self, t: f64, x: &S, w: &S, x_bar: &mut S, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let input = self.0.input(x.as_slice(), |f, columns| f(t, columns))?;
        self.0
            .vjp(&input, w.as_slice(), x_bar.as_mut_slice(), p_bar)
    }
}

/// A module from points of space to numbers as a scalar field. Where the module fails, values are NaN.
#[derive(Debug, Clone)]
pub struct DfdxScalarField<M, E> {
    module: M,
    device: Cpu,
    element: PhantomData<E>,
}

impl<M, E> DfdxScalarField<M, E>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, 3, 1>,
{
    /// The field.
    pub fn new(module: M) -> Self {
        Self {
            module,
            device: Cpu::default(),
            element: PhantomData,
        }
    }

    fn points(&self, points: &[[E; 3]]) -> Result<Batch<E, 3>, CpuError> {
        let rows = points.as_flattened().to_vec();
        self.device.try_tensor_from_vec(rows, (points.len(), Const))
    }
}

impl<M, E> ScalarField<E> for DfdxScalarField<M, E>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Evaluated<E, 3, 1>,
{
    fn eval(&self, points: &[[E; 3]], values: &mut [E]) {
        assert_eq!(points.len(), values.len(), "one value per point");
        match self.points(points).map(|x| self.module.try_forward(x)) {
            Ok(Ok(y)) => values.copy_from_slice(&y.as_vec()),
            _ => values.fill(E::nan()),
        }
    }
}

impl<M, E> DifferentiableField<E> for DfdxScalarField<M, E>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: Differentiated<E, 3, 1>,
{
    fn eval_gradient(&self, points: &[[E; 3]], values: &mut [E], gradients: &mut [[E; 3]]) {
        assert_eq!(points.len(), values.len(), "one value per point");
        assert_eq!(points.len(), gradients.len(), "one gradient per point");
        let slopes = || -> Option<(Vec<E>, Vec<E>)> {
            let x = self.points(points).ok()?;
            let y = self.module.try_forward(x.leaky_trace()).ok()?;
            let at = y.as_vec();
            let sum: Tensor<(), E, Cpu, _> = y.try_sum().ok()?;
            let mut all = sum.try_backward().ok()?;
            all.get_or_alloc_mut(&x).ok()?;
            Some((at, all.get(&x).as_vec()))
        };
        if let Some((at, slopes)) = slopes() {
            values.copy_from_slice(&at);
            gradients.as_flattened_mut().copy_from_slice(&slopes);
        } else {
            values.fill(E::nan());
            gradients.fill([E::nan(); 3]);
        }
    }
}
