//! `dst ← β·dst + Σ cₖ·xₖ`, one pass over memory for up to 16 terms.
//!
//! Elements are combined in `f64` and rounded once; coefficients of `f32` are rounded to 29 bits. Twin: `State::lincomb` of
//! `Vec`, bit for bit. Cost: (terms + 1)·size bytes an element, one size more where β ≠ 0; longer sums are split, and rounded
//! once more for each further 16 terms.

#![expect(unsafe_code, reason = "kernels are launched here")]

use crate::buffer::same_stream;
use crate::call::{Call, TABLE, View, ViewMut, blocks};
use crate::error::{demand_len, demand_range};
use crate::family::entry;
use crate::{Buffer, CudaError, DeviceScalar, Family};

/// Threads in a block.
const BLOCK: u32 = 256;

/// Terms of one call.
pub const TERMS: usize = TABLE;

/// Terms up to which the twin begins a sum with its first product, not with 0.
const FROM_PRODUCT: usize = 12;

/// The call for at most [`TERMS`] terms. `broken`, if given, is one `u32` that is set to 1 when a result is not finite.
/// `None` for empty states.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for more terms.
pub fn plan<T: DeviceScalar>(
    dst: &ViewMut<'_, T>,
    beta: f64,
    terms: &[(f64, View<'_, T>)],
    broken: Option<&ViewMut<'_, u32>>,
) -> Result<Option<Call>, CudaError> {
    let n = dst.len();
    demand_range("the number of terms", terms.len(), 0, TERMS)?;
    for (_, x) in terms {
        demand_len("a term", n, x.len())?;
    }
    if let Some(broken) = broken {
        demand_len("the flag", 1, broken.len())?;
    }
    if n == 0 {
        return Ok(None);
    }
    let entry = match terms.len() {
        0 => entry!(T, "lincomb_0"),
        1 => entry!(T, "lincomb_1"),
        2 => entry!(T, "lincomb_2"),
        3 => entry!(T, "lincomb_3"),
        4 => entry!(T, "lincomb_4"),
        5 => entry!(T, "lincomb_5"),
        6 => entry!(T, "lincomb_6"),
        7 => entry!(T, "lincomb_7"),
        8 => entry!(T, "lincomb_8"),
        _ => entry!(T, "lincomb_any"),
    };
    let wide = dst.view().is_wide() && terms.iter().all(|(_, x)| x.is_wide());
    let (vectors, grid) = pieces::<T>(n, wide)?;
    let call = Call::new(Family::Lincomb, entry, grid, BLOCK)
        .write(dst)
        .f64(T::coefficient(beta))
        .f64(start(terms.len()))
        .table(terms.iter().map(|(c, x)| (T::coefficient(*c), *x)))
        .u32(terms.len())
        .len(vectors)
        .len(n);
    Ok(Some(match broken {
        Some(flag) => call.write(flag),
        None => call.nothing(),
    }))
}

/// What a sum of so many terms begins with where nothing of the old value is kept: −0 changes no bit of the first product.
pub(crate) fn start(terms: usize) -> f64 {
    if (1..=FROM_PRODUCT).contains(&terms) {
        -0.0
    } else {
        0.0
    }
}

/// Pieces of 16 bytes, where addresses allow them, and blocks for a thread for each and for each element left over.
fn pieces<T>(n: usize, wide: bool) -> Result<(usize, [u32; 3]), CudaError> {
    let size = 16 / size_of::<T>();
    let vectors = if wide { n / size } else { 0 };
    Ok((vectors, grid(vectors.max(n - vectors * size))?))
}

/// The call for at most [`TERMS`] terms with a coefficient for each term and row, `c[k·rows + r]`, which [`coefficients`]
/// gives. `None` for empty states.
///
/// # Errors
/// [`CudaError::ShapeMismatch`]; [`CudaError::OutOfRange`] for more terms or no row.
pub fn plan_rows<T: DeviceScalar>(
    dst: &ViewMut<'_, T>,
    beta: f64,
    rows: usize,
    c: View<'_, f64>,
    terms: &[View<'_, T>],
) -> Result<Option<Call>, CudaError> {
    let n = dst.len();
    demand_range("the number of terms", terms.len(), 1, TERMS)?;
    for x in terms {
        demand_len("a term", n, x.len())?;
    }
    if n == 0 {
        return Ok(None);
    }
    demand_range("the number of rows", rows, 1, n)?;
    demand_len("the rows together", n, n / rows * rows)?;
    demand_len("the coefficients", terms.len() * rows, c.len())?;
    let wide = dst.view().is_wide() && terms.iter().all(View::is_wide);
    let (vectors, grid) = pieces::<T>(n, wide)?;
    Ok(Some(
        Call::new(Family::Lincomb, entry!(T, "lincomb_rows"), grid, BLOCK)
            .write(dst)
            .f64(T::coefficient(beta))
            .f64(start(terms.len()))
            .table(terms.iter().map(|x| (0.0, *x)))
            .read(c)
            .u32(terms.len())
            .len(n / rows)
            .len(vectors)
            .len(n),
    ))
}

/// The call for `dst ← (1 − m)·dst + m·value` where the mask's element m is not 0. `None` for empty states.
///
/// # Errors
/// [`CudaError::ShapeMismatch`].
pub fn plan_blend<T: DeviceScalar>(
    dst: &ViewMut<'_, T>,
    mask: View<'_, T>,
    value: View<'_, T>,
) -> Result<Option<Call>, CudaError> {
    demand_len("the mask", dst.len(), mask.len())?;
    demand_len("the value", dst.len(), value.len())?;
    if dst.is_empty() {
        return Ok(None);
    }
    let wide = dst.view().is_wide() && mask.is_wide() && value.is_wide();
    let (vectors, grid) = pieces::<T>(dst.len(), wide)?;
    Ok(Some(
        Call::new(Family::Lincomb, entry!(T, "lincomb_blend"), grid, BLOCK)
            .write(dst)
            .read(mask)
            .read(value)
            .len(vectors)
            .len(dst.len()),
    ))
}

/// Coefficients as [`plan_rows`] wants them: term by term, for `f32` rounded to 29 bits.
#[must_use]
pub fn coefficients<T: DeviceScalar>(lists: &[&[f64]]) -> Vec<f64> {
    let all = lists.iter().flat_map(|c| c.iter());
    all.map(|c| T::coefficient(*c)).collect()
}

/// Blocks for so many threads along x.
pub(crate) fn grid(threads: usize) -> Result<[u32; 3], CudaError> {
    let x = blocks(threads as u64, BLOCK).ok_or(CudaError::OutOfRange {
        what: "the number of elements",
        value: threads,
        min: 0,
        max: i32::MAX as usize * BLOCK as usize,
    })?;
    Ok([x, 1, 1])
}

/// `dst ← β·dst + Σ cₖ·xₖ` for any number of terms. `broken`, if given, is set to 1 when a result is not finite.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`], before anything is written; [`CudaError::Lost`] and what else the
/// driver answers.
pub fn lincomb<T: DeviceScalar>(
    dst: &mut Buffer<T>,
    beta: f64,
    terms: &[(f64, &Buffer<T>)],
    broken: Option<&mut Buffer<u32>>,
) -> Result<(), CudaError> {
    combine(dst, beta, terms.len(), |k| Ok(terms[k]), broken)
}

/// As [`lincomb`], for terms that are looked up by number.
pub(crate) fn combine<'a, T: DeviceScalar>(
    dst: &mut Buffer<T>,
    mut beta: f64,
    terms: usize,
    term: impl Fn(usize) -> Result<(f64, &'a Buffer<T>), CudaError>,
    mut broken: Option<&mut Buffer<u32>>,
) -> Result<(), CudaError> {
    let device = dst.device().clone();
    for k in 0..terms {
        let (_, x) = term(k)?;
        same_stream(&device, "a term", x)?;
        demand_len("a term", dst.len(), x.len())?;
    }
    if let Some(flag) = &broken {
        same_stream(&device, "the flag", flag)?;
    }
    let mut done = 0;
    loop {
        let count = (terms - done).min(TERMS);
        let mut views = [(0.0, View::new(0, 0)); TERMS];
        for (k, view) in views[..count].iter_mut().enumerate() {
            let (c, x) = term(done + k)?;
            *view = (c, x.view());
        }
        let flag = broken.as_deref_mut().map(Buffer::view_mut);
        if let Some(call) = plan(&dst.view_mut(), beta, &views[..count], flag.as_ref())? {
            // SAFETY: `plan` gave the arguments of this kernel, which reaches `dst.len()` elements of each operand; all have
            // that many and belong to this stream, and what is written is borrowed for writing.
            unsafe { device.launch(&call)? };
        }
        (done, beta) = (done + count, 1.0);
        if done == terms {
            return Ok(());
        }
    }
}

/// `dst_r ← β·dst_r + Σ cₖ[r]·xₖ_r` for every row r; every list has a coefficient for each row.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`], before anything is written; [`CudaError::OutOfMemory`]; what
/// else the driver answers.
pub fn lincomb_rows<T: DeviceScalar>(
    dst: &mut Buffer<T>,
    mut beta: f64,
    terms: &[(&[f64], &Buffer<T>)],
) -> Result<(), CudaError> {
    let device = dst.device().clone();
    let rows = terms.first().map_or(1, |(c, _)| c.len());
    for (c, x) in terms {
        same_stream(&device, "a term", x)?;
        demand_len("a term", dst.len(), x.len())?;
        demand_len("the coefficients of a term", rows, c.len())?;
    }
    if terms.is_empty() {
        return lincomb(dst, beta, &[], None);
    }
    for terms in terms.chunks(TERMS) {
        let lists: Vec<_> = terms.iter().map(|(c, _)| *c).collect();
        let c = device.upload(&coefficients::<T>(&lists))?;
        let views: Vec<_> = terms.iter().map(|(_, x)| x.view()).collect();
        if let Some(call) = plan_rows(&dst.view_mut(), beta, rows, c.view(), &views)? {
            // SAFETY: `plan_rows` gave the arguments of this kernel and checked that terms have the elements of `dst` and
            // coefficients one for each term and row; all belong to this stream, and `dst` is borrowed for writing.
            unsafe { device.launch(&call)? };
        }
        beta = 1.0;
    }
    Ok(())
}

/// `dst ← (1 − m)·dst + m·value` where the mask's element m is not 0.
///
/// # Errors
/// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`], before anything is written; what the driver answers.
pub fn blend<T: DeviceScalar>(
    dst: &mut Buffer<T>,
    mask: &Buffer<T>,
    value: &Buffer<T>,
) -> Result<(), CudaError> {
    let device = dst.device().clone();
    same_stream(&device, "the mask", mask)?;
    same_stream(&device, "the value", value)?;
    if let Some(call) = plan_blend(&dst.view_mut(), mask.view(), value.view())? {
        // SAFETY: `plan_blend` gave the arguments of this kernel and checked that all three have as many elements; all belong
        // to this stream, and `dst` is borrowed for writing.
        unsafe { device.launch(&call)? };
    }
    Ok(())
}
