//! The latest gradients in device memory, and products with the inverse of their Fisher matrix.

use std::sync::{Mutex, PoisonError};

use ansatz_core::{EvalError, LinearMap};
use ansatz_cuda::kernel::{ihvp, reduce};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar};

use crate::LinalgError;
use crate::error::shape;
use crate::fisher::{FactorOptions, FisherFactor};

/// The latest m gradients of length d on a device, with F⁻¹ of their damped Fisher matrix: what
/// [`FisherWindow`](crate::fisher::FisherWindow) is for any state, in one pass over all gradients for G·x and one for
/// λ⁻¹x − Gᵀc, whatever m is.
///
/// Cost: 2 sweeps of m·d numbers for a product, one for a new gradient; m numbers go to the host, which has the m×m side,
/// and come back. Bits are those of `FisherWindow<Vec<T>>` for up to 64 gradients; that one rounds once more for each
/// further 64. Source: E. Frantar, E. Kurtic, D. Alistarh, *M-FAC: Efficient matrix-free approximations of second-order
/// information*, 2021.
///
/// ```
/// use ansatz_linalg::device::{DeviceFisherWindow, cuda::{CudaState, Device}};
/// use ansatz_linalg::fisher::FactorOptions;
/// # fn with(device: &Device) -> Result<(), Box<dyn std::error::Error>> {
/// let options = FactorOptions { damping: 0.5, ..FactorOptions::default() };
/// let mut window = DeviceFisherWindow::new(device, 1, 2, options)?;
/// window.push(&CudaState::upload(device, &[1.0_f64, 0.0])?)?;
/// // F = ½I + e₁e₁ᵀ.
/// let x = CudaState::upload(device, &[3.0, 1.0])?;
/// let mut y = x.clone();
/// window.apply_inverse(&x, &mut y)?;
/// assert!(y.to_vec()?.iter().all(|y| (y - 2.0).abs() < 1e-14));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DeviceFisherWindow<T: DeviceScalar> {
    /// Products from several threads at once take turns.
    rows: Mutex<Rows<T>>,
    factor: FisherFactor,
}

/// Gradients, and inner products of one vector with them.
#[derive(Debug)]
struct Rows<T: DeviceScalar> {
    stored: ihvp::Rows<T>,
    products: Vec<f64>,
}

impl<T: DeviceScalar> Rows<T> {
    /// out ← λ⁻¹x − Gᵀc for the products of x that are there.
    fn subtract(
        &mut self,
        factor: &FisherFactor,
        x: &CudaState<T>,
        out: &mut CudaState<T>,
    ) -> Result<(), LinalgError> {
        factor.weights(&mut self.products)?;
        for c in &mut self.products {
            *c = -*c;
        }
        let scale = 1.0 / factor.options().damping;
        Ok(self
            .stored
            .combine(&self.products, scale, x.values()?, out.target()?)?)
    }
}

impl<T: DeviceScalar> DeviceFisherWindow<T> {
    /// An empty window of m gradients of length `len`.
    ///
    /// # Errors
    /// Those of [`FisherFactor::new`]; [`LinalgError::Device`].
    pub fn new(
        device: &Device,
        capacity: usize,
        len: usize,
        options: FactorOptions,
    ) -> Result<Self, LinalgError> {
        let factor = FisherFactor::new(capacity, options)?;
        let rows = Rows {
            stored: ihvp::Rows::zeros(device, capacity, len)?,
            products: vec![0.0; capacity],
        };
        Ok(Self {
            rows: Mutex::new(rows),
            factor,
        })
    }

    /// The m×m side.
    #[must_use]
    pub fn factor(&self) -> &FisherFactor {
        &self.factor
    }

    /// Takes a gradient in; the oldest one makes way when there are m.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; those of [`FisherFactor::replace`], which changes nothing then; [`LinalgError::Device`].
    pub fn push(&mut self, gradient: &CudaState<T>) -> Result<(), LinalgError> {
        let rows = self.rows.get_mut().unwrap_or_else(PoisonError::into_inner);
        push(rows, &mut self.factor, gradient)
    }

    /// `y ← F⁻¹x`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::NotFinite`] when x is not finite; [`LinalgError::Device`].
    pub fn apply_inverse(&self, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), LinalgError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let Rows { stored, products } = &mut *rows;
        let x_values = x.values()?;
        shape("vector", stored.row_len(), x_values.len())?;
        stored.products(x_values, products)?;
        rows.subtract(&self.factor, x, y)
    }

    /// Takes a gradient g in and gives `y ← F⁻¹g` for the new F. The inner products serve both.
    ///
    /// # Errors
    /// Those of [`DeviceFisherWindow::push`].
    pub fn update_and_apply(
        &mut self,
        gradient: &CudaState<T>,
        y: &mut CudaState<T>,
    ) -> Result<(), LinalgError> {
        let rows = self.rows.get_mut().unwrap_or_else(PoisonError::into_inner);
        push(rows, &mut self.factor, gradient)?;
        rows.subtract(&self.factor, gradient, y)
    }
}

/// Products first: the m×m side may refuse them, and gradients are then as they were.
fn push<T: DeviceScalar>(
    rows: &mut Rows<T>,
    factor: &mut FisherFactor,
    gradient: &CudaState<T>,
) -> Result<(), LinalgError> {
    let Rows { stored, products } = rows;
    let values = gradient.values()?;
    shape("gradient", stored.row_len(), values.len())?;
    stored.products(values, products)?;
    let mut square = [0.0];
    reduce::dots(values, &[values], &mut square)?;
    products[factor.next()] = square[0];
    let place = factor.replace(products)?;
    let written: Result<(), CudaError> = stored.write(place, values);
    Ok(written?)
}

impl<T: DeviceScalar> LinearMap<CudaState<T>> for DeviceFisherWindow<T> {
    fn apply(&self, x: &CudaState<T>, y: &mut CudaState<T>) -> Result<(), EvalError> {
        self.apply_inverse(x, y).map_err(EvalError::model)
    }
}
