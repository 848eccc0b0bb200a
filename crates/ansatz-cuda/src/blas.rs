//! Matrix products by cuBLAS, which is looked for when a program asks for it.

#![expect(unsafe_code, reason = "the library's interface is C")]

use std::ffi::{c_int, c_void};

use cudarc::cublas::sys::{
    self, cublasComputeType_t, cublasGemmAlgo_t, cublasHandle_t, cublasOperation_t, cudaDataType,
};

use crate::program::{Gemm, Precision};
use crate::{Buffer, CudaError, Device, DeviceScalar};

/// Bytes that the library may use beside the factors; held here so that nothing is allocated in a capture.
const WORKSPACE: usize = 32 << 20;

/// A handle of the library on a device's stream.
#[derive(Debug)]
pub(crate) struct Blas {
    handle: cublasHandle_t,
    _workspace: Buffer<u8>,
    device: Device,
}

// SAFETY: a handle may be used by any thread, by one at a time; it is not `Sync`.
unsafe impl Send for Blas {}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: made in `new` and given back once. A failure leaves nothing to do.
        let _ = unsafe { sys::cublasDestroy_v2(self.handle) };
    }
}

fn done(what: &'static str, status: sys::cublasStatus_t) -> Result<(), CudaError> {
    match status {
        sys::cublasStatus_t::CUBLAS_STATUS_SUCCESS => Ok(()),
        other => Err(CudaError::Driver {
            what,
            code: format!("{other:?}").into(),
        }),
    }
}

impl Blas {
    /// Whether the library can be loaded.
    #[cfg(feature = "linked")]
    pub(crate) fn is_present() -> bool {
        true
    }

    /// Whether the library can be loaded.
    #[cfg(not(feature = "linked"))]
    pub(crate) fn is_present() -> bool {
        // SAFETY: it loads a library by its well-known names and closes it again; nothing else is called.
        unsafe { sys::is_culib_present() }
    }

    /// A handle with memory of its own.
    ///
    /// # Errors
    /// [`CudaError::CublasMissing`]; [`CudaError::OutOfMemory`]; what the library answers.
    pub(crate) fn new(device: &Device) -> Result<Self, CudaError> {
        if !Self::is_present() {
            return Err(CudaError::CublasMissing);
        }
        device
            .context()
            .bind_to_thread()
            .map_err(|e| crate::device::driver_error("binding the device", e))?;
        let workspace = device.zeros::<u8>(WORKSPACE)?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the library is there and writes a handle.
        done("starting cuBLAS", unsafe {
            sys::cublasCreate_v2(&raw mut handle)
        })?;
        let blas = Self {
            handle,
            _workspace: workspace,
            device: device.clone(),
        };
        let memory = blas._workspace.view().address() as *mut c_void;
        // SAFETY: handle and stream live; the stream's type is the driver's under another name. The workspace is as long as
        // said and lives as long as the handle.
        unsafe {
            done(
                "giving cuBLAS its stream",
                sys::cublasSetStream_v2(handle, device.stream().cu_stream().cast()),
            )?;
            done(
                "giving cuBLAS its memory",
                sys::cublasSetWorkspace_v2(handle, memory, WORKSPACE),
            )?;
        }
        Ok(blas)
    }

    /// out ← left·right for each matrix; addresses are those of the arrays of left, right and result.
    ///
    /// # Safety
    /// All places that the sizes and distances reach are memory of the device's stream, and the result's are nobody else's.
    pub(crate) unsafe fn product<T: DeviceScalar>(
        &self,
        gemm: &Gemm,
        precision: Precision,
        addresses: [u64; 3],
    ) -> Result<(), CudaError> {
        let compute = match (precision, T::pick(true, false)) {
            (_, false) => cublasComputeType_t::CUBLAS_COMPUTE_64F,
            (Precision::Full, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F,
            (Precision::Tf32, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            (Precision::Bf16, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_16BF,
        };
        let kind = T::pick(cudaDataType::CUDA_R_32F, cudaDataType::CUDA_R_64F);
        let (one, zero) = (T::one(), T::zero());
        let [m, n, k] = gemm.sizes.map(|v| v as c_int);
        let [left, right, out] = [0, 1, 2]
            .map(|i| (addresses[i] + (gemm.starts[i] * size_of::<T>()) as u64) as *mut c_void);
        let operation = |plain: bool| match plain {
            true => cublasOperation_t::CUBLAS_OP_N,
            false => cublasOperation_t::CUBLAS_OP_T,
        };
        let [a, b] = gemm.sides;
        let [stride_a, stride_b, stride_c] = gemm.strides.map(|s| s as i64);
        self.device
            .context()
            .bind_to_thread()
            .map_err(|e| crate::device::driver_error("binding the device", e))?;
        // Rows of ours are the library's columns: it computes outᵀ = rightᵀ·leftᵀ.
        // SAFETY: the caller's promise; the numbers are read before the call returns, as the library's mode is by default.
        let status = unsafe {
            sys::cublasGemmStridedBatchedEx(
                self.handle,
                operation(b.0),
                operation(a.0),
                n,
                m,
                k,
                (&raw const one).cast(),
                right,
                kind,
                b.1 as c_int,
                stride_b,
                left,
                kind,
                a.1 as c_int,
                stride_a,
                (&raw const zero).cast(),
                out,
                kind,
                gemm.pitch as c_int,
                stride_c,
                gemm.count as c_int,
                compute,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        done("a product by cuBLAS", status)
    }
}
