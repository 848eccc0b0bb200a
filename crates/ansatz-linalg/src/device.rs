//! Operators in the memory of a CUDA device, as maps on [`CudaState`](ansatz_cuda::CudaState).
//!
//! [Krylov methods](crate::krylov), traces and windows of gradients work on device states as they are; here are the products
//! that they ask for. Each is made of the operator in main memory:
//!
//! | map | of | result on the device |
//! |---|---|---|
//! | [`DevicePoisson`] | [`Poisson`](crate::operator::Poisson) | the same bits |
//! | [`DeviceKronecker`] | [`Kronecker`](crate::operator::Kronecker) | each sum in the order of memory, by fused multiply-add |
//! | [`DeviceConvolution`] | [`Toeplitz`](crate::operator::Toeplitz), [`Circulant`](crate::operator::Circulant) | by cuFFT, to rounding |
//! | [`DeviceFisherWindow`] | [`FisherWindow`](crate::fisher::FisherWindow) | the same bits for up to 64 gradients |
//!
//! Nothing here waits for the device, except where numbers come back to the host. Failures of a device are
//! [`LinalgError::Device`](crate::LinalgError::Device), in maps [`EvalError::Model`](crate::core::EvalError::Model).

mod convolution;
mod fisher;
mod kronecker;
mod poisson;

pub use ansatz_cuda as cuda;
pub use convolution::DeviceConvolution;
pub use fisher::DeviceFisherWindow;
pub use kronecker::DeviceKronecker;
pub use poisson::DevicePoisson;
