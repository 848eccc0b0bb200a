//! Tensors as points of a vector space.
//!
//! A combination is carried out in `f64` on the tensor's device and rounded once, as for vectors; so are reductions.
//! candle has no kernel for a sum of several tensors, so every term is a pass over memory of its own and a step
//! allocates: the state's share of a run is slower than that of a `Vec`, which matters little beside a network on the same
//! device. Devices without `f64` (Metal) combine in `f32`.
//!
//! Noise is computed by the processor and copied: the same numbers on every device.

use std::marker::PhantomData;

use ansatz_core::{Key, Scalar, State, Tolerance};
use candle_core::{DType, Device, Result, Tensor, WithDType};

/// Types of elements that a state may have: `f32` and `f64`.
pub trait Element: Scalar + WithDType {}

impl Element for f32 {}
impl Element for f64 {}

/// A [`Tensor`] of elements `T` as a state, on its device.
///
/// ```
/// use ansatz_candle::{CandleState, candle::{Device, Tensor}};
/// use ansatz_core::State;
/// let tensor = Tensor::new(&[[1.0_f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
/// let mut x = CandleState::<f32>::new(&tensor)?;
/// let y = x.clone();
/// x.lincomb(2.0, &[(0.5, &y)]);
/// assert_eq!(x.tensor().to_vec2::<f32>()?, [[2.5, 5.0], [7.5, 10.0]]);
/// # Ok::<(), ansatz_candle::candle::Error>(())
/// ```
///
/// # Panics
/// Methods of [`State`] panic when shapes or devices differ, as they do for vectors of different length, and when the
/// device itself fails (out of memory): the trait has no way to return that.
#[derive(Debug, Clone)]
pub struct CandleState<T> {
    // Never written in place, so that clones may share memory.
    tensor: Tensor,
    element: PhantomData<T>,
}

impl<T: Element> CandleState<T> {
    /// A tensor as a state, converted to elements `T` if they are others; gradients do not flow through a state.
    ///
    /// # Errors
    /// candle's, if the conversion fails.
    pub fn new(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.detach().to_dtype(T::DTYPE)?;
        Ok(Self {
            tensor,
            element: PhantomData,
        })
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The tensor, given away.
    pub fn into_tensor(self) -> Tensor {
        self.tensor
    }

    /// The type that sums are formed in.
    fn wide(&self) -> DType {
        if matches!(self.tensor.device(), Device::Metal(_)) {
            T::DTYPE
        } else {
            DType::F64
        }
    }

    fn widened(&self) -> Result<Tensor> {
        self.tensor.to_dtype(self.wide())
    }

    fn combined(&self, beta: f64, terms: &[(f64, &Self)]) -> Result<Tensor> {
        let own = (beta != 0.0).then_some((beta, self));
        let mut sum: Option<Tensor> = None;
        for (c, x) in own.into_iter().chain(terms.iter().copied()) {
            assert_eq!(
                x.tensor.shape(),
                self.tensor.shape(),
                "lincomb: tensors of different shape"
            );
            let term = x.widened()?.affine(c, 0.0)?;
            sum = Some(match sum {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
        match sum {
            Some(sum) => sum.to_dtype(T::DTYPE),
            None => self.tensor.zeros_like(),
        }
    }

    fn total(values: &Tensor) -> Result<f64> {
        if values.elem_count() == 0 {
            return Ok(0.0);
        }
        values.sum_all()?.to_dtype(DType::F64)?.to_scalar()
    }

    fn scaled_square(&self, a: &Self, b: &Self, tol: Tolerance) -> Result<f64> {
        let larger = a.widened()?.abs()?.maximum(&b.widened()?.abs()?)?;
        let scale = larger.affine(tol.rtol, tol.atol)?;
        Self::total(&self.widened()?.div(&scale)?.sqr()?)
    }
}

/// What a candle operation gave.
///
/// # Panics
/// If it failed.
#[track_caller]
fn done<R>(what: &str, result: Result<R>) -> R {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

impl<T: Element> State for CandleState<T> {
    type Scalar = T;

    fn len(&self) -> usize {
        self.tensor.elem_count()
    }

    fn same_shape(&self, other: &Self) -> bool {
        self.tensor.shape() == other.tensor.shape()
    }

    fn zeros_like(&self) -> Self {
        Self {
            tensor: done("zeros_like", self.tensor.zeros_like()),
            element: PhantomData,
        }
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        self.tensor = done("lincomb", self.combined(beta, terms));
    }

    fn dot(&self, other: &Self) -> f64 {
        let product = || Self::total(&self.widened()?.mul(&other.widened()?)?);
        done("dot", product())
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let sum = done("error_norm", self.scaled_square(a, b, tol));
        (sum / self.len() as f64).sqrt()
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        let mut noise = vec![T::zero(); self.len()];
        key.fill_normal(stream, &mut noise);
        let filled = Tensor::from_vec(noise, self.tensor.shape(), self.tensor.device());
        self.tensor = done("fill_normal", filled);
    }

    fn assign(&mut self, other: &Self) {
        self.tensor = other.tensor.clone();
    }
}
