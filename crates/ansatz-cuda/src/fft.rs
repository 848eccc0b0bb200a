//! Real Fourier transforms on a device, by cuFFT, which is looked for when a transform is first asked for.
//!
//! With ω = e^{−2πi/n}: X\[k\] = Σ x\[j\]·ω^{jk} for k = 0..n/2, and back n times the inverse, as common libraries have it. Last
//! bits depend on the library; its working memory comes from the stream's pool. Cost: O(n log n), bound by memory.

#![expect(unsafe_code, reason = "the library's interface is C")]

use std::sync::{Mutex, PoisonError};

use cudarc::cufft::sys::{self, cufftResult_t as Answer, cufftType_t as Type};

use crate::buffer::same_stream;
use crate::device::driver_error;
use crate::error::{demand_len, demand_range};
use crate::{Buffer, CudaError, Device, DeviceScalar};

/// Whether the library can be loaded.
#[must_use]
pub fn is_present() -> bool {
    library_is_present()
}

/// The build links it: a program that runs has it.
#[cfg(feature = "linked")]
fn library_is_present() -> bool {
    true
}

#[cfg(not(feature = "linked"))]
fn library_is_present() -> bool {
    // SAFETY: it loads a library by its well-known names and closes it again; nothing else is called.
    unsafe { sys::is_culib_present() }
}

/// What the library answered to `what`.
fn done(what: &'static str, answer: Answer) -> Result<(), CudaError> {
    match answer {
        Answer::CUFFT_SUCCESS => Ok(()),
        Answer::CUFFT_ALLOC_FAILED => Err(CudaError::OutOfMemory { bytes: 0, free: 0 }),
        other => Err(CudaError::Driver {
            what,
            code: format!("{other:?}").into(),
        }),
    }
}

/// A handle of the library, given back at the end.
#[derive(Debug)]
struct Handle(sys::cufftHandle);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by `cufftCreate` and given back once. A failure leaves nothing to do.
        let _ = unsafe { sys::cufftDestroy(self.0) };
    }
}

/// A plan of the library. Its working memory goes after it.
#[derive(Debug)]
struct Plan {
    handle: Handle,
    _work: Buffer<u8>,
}

impl Plan {
    fn new(device: &Device, length: i32, kind: Type, batch: i32) -> Result<Self, CudaError> {
        let mut handle = 0;
        // SAFETY: the library is there and writes one number.
        done("making a transform", unsafe {
            sys::cufftCreate(&raw mut handle)
        })?;
        let handle = Handle(handle);
        let mut bytes = 0;
        // SAFETY: the handle is a plan that is not made yet, and the library writes one number. The stream lives as long as
        // the device that whoever holds the plan holds, too.
        unsafe {
            let manual = sys::cufftSetAutoAllocation(handle.0, 0);
            done("setting up a transform", manual)?;
            let made = sys::cufftMakePlan1d(handle.0, length, kind, batch, &raw mut bytes);
            done("planning a transform", made)?;
            let stream = device.stream().cu_stream().cast();
            done("setting a stream", sys::cufftSetStream(handle.0, stream))?;
        }
        // The library wants a place even where it needs none.
        let mut work = Buffer::<u8>::stale(device, bytes.max(1))?;
        let at = work.view_mut().address() as *mut std::ffi::c_void;
        // SAFETY: as many bytes as it asked for, which are held until the plan is given back.
        let taken = unsafe { sys::cufftSetWorkArea(handle.0, at) };
        done("giving memory to a transform", taken)?;
        Ok(Self {
            handle,
            _work: work,
        })
    }
}

/// Both directions of real transforms of one length, several at a time.
///
/// ```
/// # use ansatz_cuda::{CudaError, Device, fft::RealFft};
/// # fn with(device: &Device) -> Result<(), CudaError> {
/// let fft = RealFft::<f64>::new(device, 4, 1)?;
/// let mut spectrum = device.zeros(2 * fft.bins())?;
/// fft.forward(&device.upload(&[1.0, 2.0, 3.0, 4.0])?, &mut spectrum)?;
/// let s = spectrum.to_vec()?; // 10, −2 + 2i, −2
/// assert!((s[0] - 10.0).abs() < 1e-12 && (s[2] + 2.0).abs() < 1e-12 && (s[3] - 2.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RealFft<T: DeviceScalar> {
    // Plans go before the device, whose stream they use. A plan may be used by one thread at a time.
    forward: Mutex<Plan>,
    backward: Mutex<Plan>,
    length: usize,
    batch: usize,
    device: Device,
    element: std::marker::PhantomData<T>,
}

impl<T: DeviceScalar> RealFft<T> {
    /// For `batch` arrays of `length`.
    ///
    /// # Errors
    /// [`CudaError::FftMissing`]; [`CudaError::OutOfRange`] for sizes of 0 or 2³¹; [`CudaError::OutOfMemory`]; what the
    /// library answers.
    pub fn new(device: &Device, length: usize, batch: usize) -> Result<Self, CudaError> {
        if !is_present() {
            return Err(CudaError::FftMissing);
        }
        let size = |what, value| {
            demand_range(what, value, 1, i32::MAX as usize)?;
            Ok(i32::try_from(value).unwrap_or(i32::MAX))
        };
        let n = size("the length of a transform", length)?;
        let count = size("the number of transforms", batch)?;
        bind(device)?;
        let plan = |kind| Plan::new(device, n, kind, count).map(Mutex::new);
        Ok(Self {
            forward: plan(T::pick(Type::CUFFT_R2C, Type::CUFFT_D2Z))?,
            backward: plan(T::pick(Type::CUFFT_C2R, Type::CUFFT_Z2D))?,
            length,
            batch,
            device: device.clone(),
            element: std::marker::PhantomData,
        })
    }

    /// Length of an array.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Complex numbers of a half spectrum.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    fn check(&self, x: &Buffer<T>, spectrum: &Buffer<T>) -> Result<(), CudaError> {
        same_stream(&self.device, "the array", x)?;
        same_stream(&self.device, "the spectrum", spectrum)?;
        demand_len("the arrays", self.batch * self.length, x.len())?;
        demand_len("the spectra", 2 * self.batch * self.bins(), spectrum.len())?;
        bind(&self.device)
    }

    /// `spectrum` ← the transforms of x.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the library answers.
    pub fn forward(&self, x: &Buffer<T>, spectrum: &mut Buffer<T>) -> Result<(), CudaError> {
        self.check(x, spectrum)?;
        let plan = self.forward.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (x.view().address(), spectrum.view_mut().address());
        // SAFETY: the plan is of this direction and type, sizes were checked, both belong to the plan's stream; transforms
        // to another place leave their input as it is.
        let answer = unsafe {
            T::pick::<unsafe fn(_, u64, u64) -> _>(
                |plan, x, y| sys::cufftExecR2C(plan, x as *mut _, y as *mut _),
                |plan, x, y| sys::cufftExecD2Z(plan, x as *mut _, y as *mut _),
            )(plan.handle.0, from, to)
        };
        done("a transform", answer)
    }

    /// `x` ← n times the inverse transforms of `spectrum`, whose contents are lost.
    ///
    /// # Errors
    /// As [`RealFft::forward`].
    pub fn backward(&self, spectrum: &mut Buffer<T>, x: &mut Buffer<T>) -> Result<(), CudaError> {
        self.check(x, spectrum)?;
        let plan = self.backward.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (spectrum.view_mut().address(), x.view_mut().address());
        // SAFETY: as in `forward`; both are held alone.
        let answer = unsafe {
            T::pick::<unsafe fn(_, u64, u64) -> _>(
                |plan, x, y| sys::cufftExecC2R(plan, x as *mut _, y as *mut _),
                |plan, x, y| sys::cufftExecZ2D(plan, x as *mut _, y as *mut _),
            )(plan.handle.0, from, to)
        };
        done("an inverse transform", answer)
    }
}

fn bind(device: &Device) -> Result<(), CudaError> {
    let bound = device.context().bind_to_thread();
    bound.map_err(|e| driver_error("binding the device", e))
}
