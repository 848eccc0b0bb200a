//! The run-time compiler: from a family's source to code for one architecture.
//!
//! Needs the NVRTC library and no device, so that sources can be checked anywhere. Contraction of products and sums is off;
//! where a fused multiply-add is wanted, a kernel says so.

#![expect(unsafe_code, reason = "the compiler's interface is C")]

use std::ffi::{CStr, CString, c_char};

use cudarc::nvrtc::{result, sys};

use crate::{CudaError, Family};

/// What code is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Machine code of compute capability `major·10 + minor`.
    Real(u32),
    /// Portable code, which the driver finishes, for this capability and later ones.
    Virtual(u32),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Real(arch) => write!(f, "sm_{arch}"),
            Self::Virtual(arch) => write!(f, "compute_{arch}"),
        }
    }
}

/// What the compiler made.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Portable assembly.
    pub ptx: String,
    /// Machine code, for [`Target::Real`].
    pub cubin: Option<Vec<u8>>,
    /// What the compiler wrote: for each kernel its registers, shared memory and spills, where asked for.
    pub log: String,
}

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

fn failed(what: &'static str) -> impl Fn(result::NvrtcError) -> CudaError {
    move |e| CudaError::Driver {
        what,
        code: format!("{:?}", e.0).into(),
    }
}

/// Compute capabilities that the library makes code for, ascending.
///
/// # Errors
/// [`CudaError::NvrtcMissing`].
pub fn architectures() -> Result<Vec<u32>, CudaError> {
    if !is_present() {
        return Err(CudaError::NvrtcMissing);
    }
    let what = failed("listing architectures");
    let mut count = 0;
    // SAFETY: the library is there; it writes one number.
    unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }
        .result()
        .map_err(&what)?;
    let mut list = vec![0_i32; usize::try_from(count).unwrap_or(0)];
    // SAFETY: it writes as many numbers as it said there are.
    unsafe { sys::nvrtcGetSupportedArchs(list.as_mut_ptr()) }
        .result()
        .map_err(&what)?;
    Ok(list
        .into_iter()
        .filter_map(|a| u32::try_from(a).ok())
        .collect())
}

/// Compiles a family.
///
/// # Errors
/// [`CudaError::NvrtcMissing`]; [`CudaError::Compile`] with the compiler's log.
pub fn compile(family: Family, target: Target) -> Result<Compiled, CudaError> {
    compile_source(family.name(), &family.source(), target, &[])
}

/// Compiles any source, with further options of the compiler.
///
/// # Errors
/// As [`compile`].
pub fn compile_source(
    name: &'static str,
    source: &str,
    target: Target,
    options: &[&str],
) -> Result<Compiled, CudaError> {
    if !is_present() {
        return Err(CudaError::NvrtcMissing);
    }
    let broken = |log: String| CudaError::Compile {
        kernel: name,
        arch: target.to_string().into(),
        log: log.into(),
    };
    let text = CString::new(source).map_err(|_| broken("the source holds a zero byte".into()))?;
    let mut all = vec![
        format!("--gpu-architecture={target}"),
        "--fmad=false".to_owned(),
        "--std=c++17".to_owned(),
    ];
    all.extend(options.iter().map(|o| (*o).to_owned()));
    let what = failed("compiling");
    let program = Program(result::create_program(&text, None).map_err(&what)?);
    // SAFETY: the program was made above and lives until the end of this function; sizes are asked for before memory of
    // that size is written.
    unsafe {
        let outcome = result::compile_program(program.0, &all);
        let log = result::get_program_log(program.0).map_err(&what)?;
        let log = text_of(&log);
        if outcome.is_err() {
            return Err(broken(log));
        }
        let ptx = text_of(&result::get_ptx(program.0).map_err(&what)?);
        let mut size = 0;
        sys::nvrtcGetCUBINSize(program.0, &raw mut size)
            .result()
            .map_err(&what)?;
        let mut cubin = vec![0_u8; size];
        if size > 0 {
            sys::nvrtcGetCUBIN(program.0, cubin.as_mut_ptr().cast::<c_char>())
                .result()
                .map_err(&what)?;
        }
        Ok(Compiled {
            ptx,
            cubin: (size > 0).then_some(cubin),
            log,
        })
    }
}

/// Text that ends with a zero byte.
fn text_of(bytes: &[c_char]) -> String {
    let bytes: Vec<u8> = bytes.iter().map(|b| b.cast_unsigned()).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A program of the compiler, given back at the end.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by `create_program` and given back once. A failure leaves nothing to do.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}
