//! Toeplitz and circulant matrices on a device, by cuFFT.

use ansatz_core::{EvalError, LinearMap, SearchDirection};
use ansatz_cuda::fft::RealFft;
use ansatz_cuda::kernel::kron::Side;
use ansatz_cuda::kernel::spectrum;
use ansatz_cuda::{Buffer, CudaError, CudaState, Device, DeviceScalar};

use crate::fourier::Convolution;
use crate::operator::{Circulant, Toeplitz};
use crate::{LinalgError, error::shape};

/// A [`Toeplitz`] or [`Circulant`] matrix on a device: two real transforms and a product of spectra.
///
/// The spectrum is that of the operator in main memory, rounded once to `T`; results agree with it to rounding, their last
/// bits depend on the library. The inverse of a circulant is a circulant: as a [`SearchDirection`] it preconditions.
/// Cost of a product: O(n log n), bound by memory; two arrays of the transform's length beside the operands.
///
/// ```
/// use ansatz_linalg::core::LinearMap;
/// use ansatz_linalg::device::{DeviceConvolution, cuda::{CudaState, Device}};
/// use ansatz_linalg::operator::Circulant;
/// # fn with(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let shift = DeviceConvolution::of_circulant(&Circulant::new(&[0.0, 1.0, 0.0])?, device)?;
/// let x = CudaState::upload(device, &[1.0_f64, 2.0, 3.0])?;
/// let mut y = x.clone();
/// shift.apply(&x, &mut y)?;
/// assert!((y.to_vec()?[0] - 3.0).abs() < 1e-14);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DeviceConvolution<T: DeviceScalar> {
    fft: RealFft<T>,
    spectrum: Buffer<T>,
    shape: [usize; 2],
    device: Device,
}

impl<T: DeviceScalar> DeviceConvolution<T> {
    /// A circulant matrix.
    ///
    /// # Errors
    /// [`LinalgError::Device`], [`CudaError::FftMissing`] among others.
    pub fn of_circulant(operator: &Circulant, device: &Device) -> Result<Self, LinalgError> {
        let convolution = operator.convolution();
        let n = convolution.fft().len();
        Self::new(convolution, [n, n], device)
    }

    /// A Toeplitz matrix.
    ///
    /// # Errors
    /// As [`DeviceConvolution::of_circulant`].
    pub fn of_toeplitz(operator: &Toeplitz, device: &Device) -> Result<Self, LinalgError> {
        use ansatz_core::LinearOp;
        let shape = [operator.rows(), operator.cols()];
        Self::new(operator.convolution(), shape, device)
    }

    fn new(
        convolution: &Convolution,
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Self, LinalgError> {
        let pairs = convolution.spectrum().iter();
        let spectrum: Vec<T> = pairs.flat_map(|v| [T::of(v.re), T::of(v.im)]).collect();
        Ok(Self {
            fft: RealFft::new(device, convolution.fft().len(), 1)?,
            spectrum: device.upload(&spectrum)?,
            shape,
            device: device.clone(),
        })
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The transpose, as a map.
    pub fn transposed(&self) -> impl LinearMap<CudaState<T>> + '_ {
        move |y: &CudaState<T>, x: &mut CudaState<T>| {
            self.product(Side::Transposed, y, x)
                .map_err(EvalError::model)
        }
    }

    fn product(
        &self,
        side: Side,
        x: &CudaState<T>,
        y: &mut CudaState<T>,
    ) -> Result<(), LinalgError> {
        let [rows, columns] = self.shape;
        let (from, to) = match side {
            Side::Plain => (columns, rows),
            Side::Transposed => (rows, columns),
        };
        let (x, y) = (x.values()?, y.target()?);
        shape("input of the operator", from, x.len())?;
        shape("output of the operator", to, y.len())?;
        let n = self.fft.length();
        let mut transform = self.device.zeros(2 * self.fft.bins())?;
        // Arrays of the transform's length are used as they are, others stand before zeros.
        if x.len() == n {
            self.fft.forward(x, &mut transform)?;
        } else {
            let mut padded = self.device.zeros(n)?;
            padded.put(0, x)?;
            self.fft.forward(&padded, &mut transform)?;
        }
        spectrum::multiply(&mut transform, &self.spectrum, side)?;
        if y.len() == n {
            self.fft.backward(&mut transform, y)?;
        } else {
            let mut padded = self.device.zeros(n)?;
            self.fft.backward(&mut transform, &mut padded)?;
            let part: Result<(), CudaError> = y.take(&padded, 0);
            part?;
        }
        Ok(())
    }
}

impl<T: DeviceScalar> LinearMap<CudaState<T>> for DeviceConvolution<T> {
    fn apply(&self, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), EvalError> {
        self.product(Side::Plain, x, y).map_err(EvalError::model)
    }
}

impl<T: DeviceScalar> SearchDirection<CudaState<T>> for DeviceConvolution<T> {
    fn propose(
        &mut self,
        residual: &CudaState<T>,
        direction: &mut CudaState<T>,
    ) -> Result<(), EvalError> {
        self.apply(residual, direction)
    }
}
