//! Matrix products by cuBLAS, which is looked for when a program asks for it.

#![expect(unsafe_code, reason = "the library's interface is C")]

use std::ffi::{c_int, c_void};

use cudarc::cublas::sys::{
    self, cublasComputeType_t, cublasGemmAlgo_t, cublasHandle_t, cublasOperation_t, cudaDataType,
};

use crate::device::driver_error;
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
            .map_err(|e| driver_error("binding the device", e))?;
        let workspace = device.zeros::<u8>(WORKSPACE)?;
        let memory = workspace.view().address() as *mut c_void;
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
        let [left, right, out] = [0, 1, 2]
            .map(|i| (addresses[i] + (gemm.starts[i] * size_of::<T>()) as u64) as *mut c_void);
        let Common {
            compute,
            kind,
            sizes: [m, n, k],
            operations: [op_a, op_b],
            pitches: [lda, ldb, ldc],
        } = self.common::<T>(gemm, precision)?;
        let (one, zero) = (T::one(), T::zero());
        let [stride_a, stride_b, stride_c] =
            gemm.strides.map(|s| i64::try_from(s).unwrap_or(i64::MAX));
        // Rows of ours are the library's columns: it computes outᵀ = rightᵀ·leftᵀ.
        // SAFETY: the caller's promise; the numbers are read before the call returns, as the library's mode is by default.
        let status = unsafe {
            sys::cublasGemmStridedBatchedEx(
                self.handle,
                op_b,
                op_a,
                n,
                m,
                k,
                (&raw const one).cast(),
                right,
                kind,
                ldb,
                stride_b,
                left,
                kind,
                lda,
                stride_a,
                (&raw const zero).cast(),
                out,
                kind,
                ldc,
                stride_c,
                int(gemm.count),
                compute,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        done("a product by cuBLAS", status)
    }

    /// The same for `count` products of one size; addresses are those of lists of addresses of first elements.
    ///
    /// # Safety
    /// As [`Blas::product`] for each of them, and the lists are in memory of the device's stream.
    pub(crate) unsafe fn products<T: DeviceScalar>(
        &self,
        gemm: &Gemm,
        precision: Precision,
        lists: [u64; 3],
        count: usize,
    ) -> Result<(), CudaError> {
        let [left, right, out] = lists;
        let Common {
            compute,
            kind,
            sizes: [m, n, k],
            operations: [op_a, op_b],
            pitches: [lda, ldb, ldc],
        } = self.common::<T>(gemm, precision)?;
        let (one, zero) = (T::one(), T::zero());
        // SAFETY: the caller's promise; the numbers are read before the call returns.
        let status = unsafe {
            sys::cublasGemmBatchedEx(
                self.handle,
                op_b,
                op_a,
                n,
                m,
                k,
                (&raw const one).cast(),
                right as *const *const c_void,
                kind,
                ldb,
                left as *const *const c_void,
                kind,
                lda,
                (&raw const zero).cast(),
                out as *const *mut c_void,
                kind,
                ldc,
                int(count),
                compute,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        done("products by cuBLAS", status)
    }

    /// What both calls are given; the device is bound to the thread.
    fn common<T: DeviceScalar>(
        &self,
        gemm: &Gemm,
        precision: Precision,
    ) -> Result<Common, CudaError> {
        self.device
            .context()
            .bind_to_thread()
            .map_err(|e| driver_error("binding the device", e))?;
        let operation = |plain: bool| {
            if plain {
                cublasOperation_t::CUBLAS_OP_N
            } else {
                cublasOperation_t::CUBLAS_OP_T
            }
        };
        let [a, b] = gemm.sides;
        Ok(Common {
            compute: match (precision, T::pick(true, false)) {
                (_, false) => cublasComputeType_t::CUBLAS_COMPUTE_64F,
                (Precision::Full, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F,
                (Precision::Tf32, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
                (Precision::Bf16, _) => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_16BF,
            },
            kind: T::pick(cudaDataType::CUDA_R_32F, cudaDataType::CUDA_R_64F),
            sizes: gemm.sizes.map(int),
            operations: [operation(a.0), operation(b.0)],
            pitches: [int(a.1), int(b.1), int(gemm.pitch)],
        })
    }
}

/// A size in the library's words; `Product::as_gemm` gives none that is larger.
fn int(size: usize) -> c_int {
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

/// A product in the library's words.
struct Common {
    compute: cublasComputeType_t,
    kind: cudaDataType,
    sizes: [c_int; 3],
    operations: [cublasOperation_t; 2],
    pitches: [c_int; 3],
}
