//! Kronecker products on a device.

use ansatz_core::{EvalError, LinearMap};
use ansatz_cuda::kernel::kron::{self, Side};
use ansatz_cuda::{Buffer, CudaState, Device, DeviceScalar};
use faer::traits::RealField;

use crate::LinalgError;
use crate::operator::Kronecker;

/// A₁⊗A₂⊗… on a device: a product along each axis in turn.
///
/// Cost for factors of order n_d, N = Π n_d: 2N·Σn_d operations, two arrays of N numbers beside the operands.
#[derive(Debug)]
pub struct DeviceKronecker<T: DeviceScalar> {
    /// Row by row, with rows and columns.
    factors: Vec<(Buffer<T>, [usize; 2])>,
}

impl<T: DeviceScalar + RealField> DeviceKronecker<T> {
    /// Uploads the factors.
    ///
    /// # Errors
    /// [`LinalgError::Device`].
    pub fn new(operator: &Kronecker<T>, device: &Device) -> Result<Self, LinalgError> {
        let upload = |a: &faer::Mat<T>| {
            let (rows, columns) = a.shape();
            let entries: Vec<T> = (0..rows * columns)
                .map(|e| a[(e / columns, e % columns)])
                .collect();
            Ok((device.upload(&entries)?, [rows, columns]))
        };
        let factors: Result<Vec<_>, LinalgError> = operator.factors().iter().map(upload).collect();
        Ok(Self { factors: factors? })
    }
}

impl<T: DeviceScalar> DeviceKronecker<T> {
    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.factors.iter().map(|(_, shape)| shape[axis]).product())
    }

    /// The transpose, as a map.
    pub fn transposed(&self) -> impl LinearMap<CudaState<T>> + '_ {
        move |y: &CudaState<T>, x: &mut CudaState<T>| self.product(Side::Transposed, y, x)
    }

    fn product(&self, side: Side, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), EvalError> {
        let factors: Vec<_> = self.factors.iter().map(|(a, shape)| (a, *shape)).collect();
        let from = x.values().map_err(EvalError::model)?;
        let to = y.target().map_err(EvalError::model)?;
        kron::product(&factors, side, from, to).map_err(EvalError::model)
    }
}

impl<T: DeviceScalar> LinearMap<CudaState<T>> for DeviceKronecker<T> {
    fn apply(&self, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), EvalError> {
        self.product(Side::Plain, x, y)
    }
}
