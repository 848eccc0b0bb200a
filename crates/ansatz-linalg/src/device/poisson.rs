//! The Laplacian of a grid's fluid cells on a device.

use ansatz_core::{EvalError, LinearMap};
use ansatz_cuda::kernel::stencil;
use ansatz_cuda::{Buffer, CudaState, Device, DeviceScalar};

use crate::LinalgError;
use crate::operator::Poisson;

/// A [`Poisson`] operator on a device, with the same bits; the vector space is the grid's cells, [nz, ny, nx].
///
/// Cost of a product: 3 numbers of memory traffic a cell.
///
/// ```
/// use ansatz_linalg::core::LinearMap;
/// use ansatz_linalg::device::{DevicePoisson, cuda::{CudaState, Device}};
/// use ansatz_linalg::operator::{Face::Open, Grid, Poisson};
/// # fn with(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let a = Poisson::<f64>::new(&Grid::new(&[2, 2], &[[Open; 2]; 2])?)?;
/// let on = DevicePoisson::new(&a, device)?;
/// let x = CudaState::upload(device, &[1.0, 0.0, 0.0, 0.0])?;
/// let mut y = x.clone();
/// on.apply(&x, &mut y)?;
/// assert_eq!(y.to_vec()?, [4.0, -1.0, -1.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DevicePoisson<T: DeviceScalar> {
    shape: [usize; 3],
    diagonal: Buffer<T>,
}

impl<T: DeviceScalar> DevicePoisson<T> {
    /// Uploads the diagonal, which says all.
    ///
    /// # Errors
    /// [`LinalgError::Device`].
    pub fn new(operator: &Poisson<T>, device: &Device) -> Result<Self, LinalgError> {
        Ok(Self {
            shape: operator.grid().shape(),
            diagonal: device.upload(operator.diagonal())?,
        })
    }
}

impl<T: DeviceScalar> LinearMap<CudaState<T>> for DevicePoisson<T> {
    fn apply(&self, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), EvalError> {
        let from = x.values().map_err(EvalError::model)?;
        let to = y.target().map_err(EvalError::model)?;
        stencil::laplacian(self.shape, from, &self.diagonal, to).map_err(EvalError::model)
    }
}
