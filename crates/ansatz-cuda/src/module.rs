//! Generated sources: compiled, loaded, and kept for the next program with the same text.

#![expect(unsafe_code, reason = "kernels are launched here")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{CudaFunction, result};
use cudarc::nvrtc::Ptx;

use crate::device::driver_error;
use crate::nvrtc;
use crate::{CudaError, Device};

/// Threads in a block of a generated kernel.
const BLOCK: u32 = 256;

/// Kernels of one source.
#[derive(Debug)]
pub(crate) struct Module {
    kernels: Vec<CudaFunction>,
}

/// What was compiled, by its source.
#[derive(Debug, Default)]
pub(crate) struct Modules(Mutex<HashMap<String, Arc<Module>>>);

impl Device {
    /// The kernels `entries` of a source, compiled at the first call with it.
    ///
    /// # Errors
    /// [`CudaError::Compile`] with the compiler's log; what the driver answers.
    pub(crate) fn module(
        &self,
        name: &'static str,
        source: &str,
        entries: &[String],
    ) -> Result<Arc<Module>, CudaError> {
        let mut known = self
            .modules()
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = known.get(source) {
            return Ok(Arc::clone(module));
        }
        let mut kernels = Vec::with_capacity(entries.len());
        if !entries.is_empty() {
            let compiled = nvrtc::compile_source(name, source, self.target(), &[])?;
            let image = match compiled.cubin {
                Some(code) => Ptx::from_binary(code),
                None => Ptx::from_src(compiled.ptx),
            };
            let module = self
                .context()
                .load_module(image)
                .map_err(|e| driver_error("loading generated kernels", e))?;
            for entry in entries {
                let kernel = module.load_function(entry);
                kernels.push(kernel.map_err(|e| driver_error("looking up a generated kernel", e))?);
            }
        }
        let module = Arc::new(Module { kernels });
        known.insert(source.to_owned(), Arc::clone(&module));
        Ok(module)
    }
}

impl Module {
    /// Sends a kernel to the device's stream.
    ///
    /// # Safety
    /// `arguments` point to what the kernel's parameters are: addresses of memory of the device's stream with at least the
    /// elements that the kernel reaches.
    pub(crate) unsafe fn launch(
        &self,
        device: &Device,
        number: usize,
        [x, y]: [u32; 2],
        arguments: &mut [*mut c_void],
    ) -> Result<(), CudaError> {
        let kernel = self.kernels.get(number).ok_or(CudaError::Driver {
            what: "looking up a generated kernel",
            code: number.to_string().into(),
        })?;
        device
            .context()
            .bind_to_thread()
            .map_err(|e| driver_error("binding the device", e))?;
        // SAFETY: the caller's promise; the driver reads arguments before it returns.
        unsafe {
            result::launch_kernel(
                kernel.cu_function(),
                (x, y, 1),
                (BLOCK, 1, 1),
                0,
                device.stream().cu_stream(),
                arguments,
            )
        }
        .map_err(|e| driver_error("launching a generated kernel", e))
    }
}
