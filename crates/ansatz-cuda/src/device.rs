//! Devices, their streams and what is compiled for them.

#![expect(unsafe_code, reason = "the driver's interface is C")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cudarc::driver::sys::CUdevice_attribute as Attribute;
use cudarc::driver::{CudaContext, CudaFunction, CudaSlice, CudaStream, DriverError, result};
use cudarc::nvrtc::Ptx;

use crate::call::Call;
use crate::module::Modules;
use crate::nvrtc::{self, Target};
use crate::pool::{Shelves, block_len};
use crate::{Buffer, CudaError, Element, Family};

/// Kernels of one family on one device.
type Kernels = HashMap<&'static str, CudaFunction>;

/// A device and one of its streams: work asked of one `Device` runs in the order in which it was asked.
///
/// Copies are handles of the same stream. [`Device::fork`] makes a further stream, whose work may overlap with this one's;
/// it shares what was compiled. Memory belongs to the stream that made it, and operations take operands of one stream.
///
/// ```
/// use ansatz_cuda::{CudaError, CudaState, Device};
/// match Device::new(0) {
///     Ok(device) => {
///         let x = CudaState::upload(&device, &[1.0_f32, 2.0])?;
///         assert_eq!(x.to_vec()?, [1.0, 2.0]);
///     }
///     // Without a driver, a compiler or a device the answer is an error that says what is missing.
///     Err(error) => assert!(!error.to_string().is_empty()),
/// }
/// # Ok::<(), CudaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // In this order: what is kept goes back before its stream ends.
    shelves: Shelves,
    compiled: Arc<Compiled>,
    stream: Arc<CudaStream>,
    fault: Mutex<Option<CudaError>>,
}

/// What streams of a device share.
#[derive(Debug)]
struct Compiled {
    context: Arc<CudaContext>,
    target: Target,
    families: Vec<OnceLock<Result<Kernels, CudaError>>>,
    modules: Modules,
}

impl Device {
    /// How many devices there are; 0 without a driver.
    ///
    /// # Errors
    /// When the driver is there and does not answer.
    pub fn count() -> Result<usize, CudaError> {
        if !driver_is_present() {
            return Ok(0);
        }
        match result::init().and_then(|()| CudaContext::device_count()) {
            Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
            Err(e) if name_of(e) == "CUDA_ERROR_NO_DEVICE" => Ok(0),
            Err(e) => Err(driver_error("counting devices", e)),
        }
    }

    /// Opens device number `ordinal`, with a stream of its own, and compiles what states need: about half a second.
    ///
    /// # Errors
    /// [`CudaError::DriverMissing`], [`CudaError::NvrtcMissing`], [`CudaError::NoDevice`]; [`CudaError::Compile`] with the
    /// compiler's log; [`CudaError::Driver`] for what else the driver answers.
    pub fn new(ordinal: usize) -> Result<Self, CudaError> {
        if !driver_is_present() {
            return Err(CudaError::DriverMissing);
        }
        if !nvrtc::is_present() {
            return Err(CudaError::NvrtcMissing);
        }
        let found = Self::count()?;
        if ordinal >= found {
            return Err(CudaError::NoDevice { ordinal, found });
        }
        let fail = |what| move |e| driver_error(what, e);
        let context = CudaContext::new(ordinal).map_err(fail("opening the device"))?;
        // SAFETY: without tracking, memory must not be used by two streams at once. Buffers are used by the stream that
        // made them alone: launchers refuse operands of others, and copies between streams wait for both.
        unsafe { context.disable_event_tracking() };
        let (major, minor) = context
            .compute_capability()
            .map_err(fail("asking for the capability"))?;
        let capability = u32::try_from(10 * major + minor).unwrap_or(0);
        let target = choose(capability, &nvrtc::architectures()?)?;
        let device = Self::with_stream(Arc::new(Compiled {
            context,
            target,
            families: Family::ALL.iter().map(|_| OnceLock::new()).collect(),
            modules: Modules::default(),
        }))?;
        for family in [Family::Lincomb, Family::Reduce, Family::Philox] {
            device.kernels(family)?;
        }
        Ok(device)
    }

    fn with_stream(compiled: Arc<Compiled>) -> Result<Self, CudaError> {
        let stream = compiled
            .context
            .new_stream()
            .map_err(|e| driver_error("making a stream", e))?;
        Ok(Self(Arc::new(Inner {
            shelves: Shelves::default(),
            compiled,
            stream,
            fault: Mutex::new(None),
        })))
    }

    /// A further stream of the same device, with what is compiled already.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn fork(&self) -> Result<Self, CudaError> {
        Self::with_stream(Arc::clone(&self.0.compiled))
    }

    /// Whether the two are handles of one stream.
    #[must_use]
    pub fn is_same_stream(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The number that it was opened by.
    #[must_use]
    pub fn ordinal(&self) -> usize {
        self.context().ordinal()
    }

    /// The vendor's name of the device.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn name(&self) -> Result<String, CudaError> {
        self.context()
            .name()
            .map_err(|e| driver_error("asking for the name", e))
    }

    /// What kernels are compiled for.
    #[must_use]
    pub fn target(&self) -> Target {
        self.0.compiled.target
    }

    /// Free and total bytes of device memory. What this handle keeps for reuse ([`Device::cached_bytes`]) is not free.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.context()
            .mem_get_info()
            .map_err(|e| driver_error("asking for free memory", e))
    }

    /// Multiprocessors of the device.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn multiprocessors(&self) -> Result<usize, CudaError> {
        self.context()
            .attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .map(|n| usize::try_from(n).unwrap_or(1))
            .map_err(|e| driver_error("asking for multiprocessors", e))
    }

    /// Bytes that are kept for reuse.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.0.shelves.bytes()
    }

    /// Gives what is kept for reuse back to the driver.
    pub fn trim(&self) {
        self.0.shelves.clear();
    }

    /// Waits until all work of this stream is done.
    ///
    /// # Errors
    /// [`CudaError::Lost`] when a kernel broke the device's context; else the first failure of a state's operation since
    /// [`Device::take_fault`].
    pub fn synchronize(&self) -> Result<(), CudaError> {
        let done = self
            .0
            .stream
            .synchronize()
            .and_then(|()| self.context().check_err());
        done.map_err(|e| driver_error("waiting for the stream", e))?;
        self.fault().map_or(Ok(()), Err)
    }

    /// The first failure of an operation on states, which have no way to return one: their values are then gone, their
    /// norms NaN, and methods end with their error for that. This is its cause.
    #[must_use]
    pub fn fault(&self) -> Option<CudaError> {
        self.0
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// As [`Device::fault`], and forgets it: to go on after memory ran out.
    pub fn take_fault(&self) -> Option<CudaError> {
        self.0
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Keeps the first failure.
    pub(crate) fn note(&self, error: CudaError) {
        self.0
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    pub(crate) fn context(&self) -> &Arc<CudaContext> {
        &self.0.compiled.context
    }

    pub(crate) fn modules(&self) -> &Modules {
        &self.0.compiled.modules
    }

    pub(crate) fn stream(&self) -> &Arc<CudaStream> {
        &self.0.stream
    }

    /// A block of memory for `len` elements, and whether it is fresh (then all zeros).
    pub(crate) fn acquire<T: Element>(
        &self,
        len: usize,
    ) -> Result<(CudaSlice<T>, bool), CudaError> {
        let size = block_len(len);
        if let Some(block) = T::shelf(&self.0.shelves).take(size) {
            return Ok((block, false));
        }
        let allocate = || self.0.stream.alloc_zeros::<T>(size);
        let first = allocate();
        let is_full = first
            .as_ref()
            .is_err_and(|e| name_of(*e) == "CUDA_ERROR_OUT_OF_MEMORY");
        let block = if is_full && self.cached_bytes() > 0 {
            self.trim();
            // Memory that was given back is free once the stream has come that far.
            let _ = self.0.stream.synchronize();
            allocate()
        } else {
            first
        };
        block.map(|b| (b, true)).map_err(|e| {
            let error = driver_error("allocating", e);
            match error {
                CudaError::OutOfMemory { .. } => CudaError::OutOfMemory {
                    bytes: (size * size_of::<T>()) as u64,
                    free: self.memory().map_or(0, |(free, _)| free as u64),
                },
                other => other,
            }
        })
    }

    /// Takes a block back.
    pub(crate) fn release<T: Element>(&self, block: CudaSlice<T>) {
        T::shelf(&self.0.shelves).put(block.len(), block);
    }

    /// A buffer of zeros.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`].
    pub fn zeros<T: Element>(&self, len: usize) -> Result<Buffer<T>, CudaError> {
        Buffer::zeros(self, len)
    }

    /// A buffer with a copy of `data`.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`].
    pub fn upload<T: Element>(&self, data: &[T]) -> Result<Buffer<T>, CudaError> {
        let mut buffer = Buffer::stale(self, data.len())?;
        buffer.write(data)?;
        Ok(buffer)
    }

    /// The kernels of a family, compiled at the first call.
    fn kernels(&self, family: Family) -> Result<&Kernels, CudaError> {
        let shared = &self.0.compiled;
        let slot = shared
            .families
            .get(family as usize)
            .ok_or(CudaError::Driver {
                what: "looking up a family",
                code: family.name().into(),
            })?;
        slot.get_or_init(|| load(&shared.context, family, shared.target))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Sends a call to the stream.
    ///
    /// # Safety
    /// The call's arguments must be what its kernel's parameters are, its addresses those of this stream's buffers with at
    /// least the elements that the kernel reaches, none of which is written by the call and borrowed elsewhere.
    pub(crate) unsafe fn launch(&self, call: &Call) -> Result<(), CudaError> {
        if call.stands_in() {
            return Err(CudaError::StandIn {
                kernel: call.entry(),
            });
        }
        let kernel = self
            .kernels(call.family())?
            .get(call.entry())
            .ok_or(CudaError::Driver {
                what: "looking up a kernel",
                code: call.entry().into(),
            })?;
        // The driver reads arguments through pointers, before it returns.
        let mut pointers = [std::ptr::null_mut::<c_void>(); 24];
        let mut count = 0;
        for (pointer, (_, words)) in pointers.iter_mut().zip(call.arguments()) {
            *pointer = words.as_ptr().cast_mut().cast();
            count += 1;
        }
        let [x, y, z] = call.grid();
        self.context()
            .bind_to_thread()
            .map_err(|e| driver_error("binding the device", e))?;
        // SAFETY: the caller's promise; words live until the driver has copied them.
        unsafe {
            result::launch_kernel(
                kernel.cu_function(),
                (x, y, z),
                (call.block(), 1, 1),
                0,
                self.0.stream.cu_stream(),
                &mut pointers[..count],
            )
        }
        .map_err(|e| driver_error(call.entry(), e))
    }
}

/// The build links the driver's library: a program that runs has it.
#[cfg(feature = "linked")]
fn driver_is_present() -> bool {
    true
}

/// Whether the driver's library can be loaded.
#[cfg(not(feature = "linked"))]
fn driver_is_present() -> bool {
    // SAFETY: it loads a library by its well-known names and closes it again; nothing else is called.
    unsafe { cudarc::driver::sys::is_culib_present() }
}

/// Machine code where the compiler knows the device, else portable code of the latest kind before it.
fn choose(capability: u32, known: &[u32]) -> Result<Target, CudaError> {
    if known.contains(&capability) {
        return Ok(Target::Real(capability));
    }
    let before = known.iter().copied().filter(|a| *a <= capability).max();
    before.map(Target::Virtual).ok_or(CudaError::OutOfRange {
        what: "the device's compute capability, for this NVRTC,",
        value: capability as usize,
        min: known.iter().copied().min().unwrap_or(0) as usize,
        max: usize::MAX,
    })
}

fn load(context: &Arc<CudaContext>, family: Family, target: Target) -> Result<Kernels, CudaError> {
    let compiled = nvrtc::compile(family, target)?;
    let image = match compiled.cubin {
        Some(code) => Ptx::from_binary(code),
        None => Ptx::from_src(compiled.ptx),
    };
    let module = context
        .load_module(image)
        .map_err(|e| driver_error("loading kernels", e))?;
    family
        .entries()
        .iter()
        .map(|name| {
            let kernel = module.load_function(name);
            Ok((*name, kernel.map_err(|e| driver_error(name, e))?))
        })
        .collect()
}

/// The driver's name of an answer.
fn name_of(error: DriverError) -> String {
    format!("{:?}", error.0)
}

/// Answers after which nothing of the context works.
const FATAL: [&str; 14] = [
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_ASSERT",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_DEINITIALIZED",
    "CUDA_ERROR_DEVICE_UNAVAILABLE",
];

/// The typed error for what the driver answered to `what`.
pub(crate) fn driver_error(what: &'static str, error: DriverError) -> CudaError {
    sort(what, name_of(error))
}

fn sort(what: &'static str, name: String) -> CudaError {
    let code = name.into_boxed_str();
    if &*code == "CUDA_ERROR_OUT_OF_MEMORY" {
        CudaError::OutOfMemory { bytes: 0, free: 0 }
    } else if FATAL.contains(&&*code) {
        CudaError::Lost { what, code }
    } else {
        CudaError::Driver { what, code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_for_the_device_or_before_it() {
        let known = [75, 80, 86, 90];
        assert_eq!(choose(80, &known), Ok(Target::Real(80)));
        assert_eq!(choose(89, &known), Ok(Target::Virtual(86)));
        assert_eq!(choose(120, &known), Ok(Target::Virtual(90)));
        assert!(matches!(
            choose(70, &known),
            Err(CudaError::OutOfRange { value: 70, .. })
        ));
    }

    #[test]
    fn answers_are_sorted() {
        assert!(sort("x", "CUDA_ERROR_ILLEGAL_ADDRESS".into()).is_lost());
        assert!(matches!(
            sort("x", "CUDA_ERROR_OUT_OF_MEMORY".into()),
            CudaError::OutOfMemory { .. }
        ));
        assert!(matches!(
            sort("x", "CUDA_ERROR_INVALID_VALUE".into()),
            CudaError::Driver { .. }
        ));
    }
}
