//! Traces of Hessians in many dimensions, by few random directions.
//!
//! A Laplacian in d dimensions costs d directional derivatives; with B random directions v that satisfy E[v·vᵀ] = I, the
//! mean of vᵀHv is the trace of H on average. The cost of a point is that of B directions, whatever d is. A residual r
//! whose operator is estimated so has E[r̂²] = r² + Var[r̂]: the loss is biased upwards by the variance of the estimate, and
//! its minimum is not moved as long as the variance there is small. The product of two residuals with independent draws
//! has no bias, at twice the cost, and may be negative.
//!
//! Variances of one direction, for a symmetric H: Gaussian 2‖H‖², Rademacher 2(‖H‖² − ΣHᵢᵢ²); B of d coordinates without
//! repetition: (d²/B)·S²·(1 − B/d) with the sample variance S² of the diagonal, 0 for B = d.
//!
//! References: M. Hutchinson, *A stochastic estimator of the trace of the influence matrix*, 1990; Z. Hu, K. Shukla,
//! G. Karniadakis, K. Kawaguchi, *Tackling the curse of dimensionality with physics-informed neural networks*, 2024;
//! Z. Shi, Z. Hu, M. Lin, K. Kawaguchi, *Stochastic Taylor derivative estimator*, 2024.

use ansatz_autodiff::{Array, jet, laplacian};
use ansatz_core::{Key, Scalar};

use crate::PdeError;

/// Random directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Probes {
    /// ±1 in each coordinate.
    #[default]
    Rademacher,
    /// Standard normal in each coordinate; the only ones for [`bilaplacian_estimate`].
    Gaussian,
    /// √d times unit vectors, without repetition: the exact trace for as many as there are coordinates.
    Coordinates,
}

/// Stream of the draws.
const STREAM: u64 = 0x9e0b;

impl Probes {
    /// Fills `out`, rows of `dims` numbers, with directions whose mean outer product is I.
    ///
    /// # Errors
    /// [`PdeError::Width`] when `out` is no whole number of rows, [`PdeError::TooManyProbes`] for more coordinates than
    /// there are.
    pub fn draw<T: Scalar>(self, key: Key, dims: usize, out: &mut [T]) -> Result<(), PdeError> {
        let rows = out.len() / dims.max(1);
        crate::error::expect("numbers of random directions", rows * dims, out.len())?;
        match self {
            Self::Gaussian => key.fill_normal(STREAM, out),
            Self::Rademacher => {
                for (counter, word) in (0..).zip(out.chunks_mut(128)) {
                    let bits = key.bits(STREAM, counter);
                    for (i, v) in word.iter_mut().enumerate() {
                        let bit = bits[i / 32] >> (i % 32) & 1;
                        *v = T::of(2.0 * f64::from(bit) - 1.0);
                    }
                }
            }
            Self::Coordinates => {
                if rows > dims {
                    return Err(PdeError::TooManyProbes { probes: rows, dims });
                }
                out.fill(T::zero());
                let length = T::of((dims as f64).sqrt());
                // R. Floyd's algorithm: each set of `rows` coordinates is as likely as any other.
                let mut chosen: Vec<usize> = Vec::with_capacity(rows);
                for (row, top) in (dims - rows..dims).enumerate() {
                    let u = key.uniform(STREAM, row as u64)[0];
                    let i = ((u * (top + 1) as f64) as usize).min(top);
                    let i = if chosen.contains(&i) { top } else { i };
                    chosen.push(i);
                    out[row * dims + i] = length;
                }
            }
        }
        Ok(())
    }
}

/// The directions that `probes` `[B, d]` says, each for all points of `x` `[n, d]`.
#[track_caller]
fn directions<'g>(x: Array<'g>, probes: Array<'g>) -> Vec<Array<'g>> {
    let (shape, count) = (x.shape(), probes.shape()[0]);
    let dims = shape[shape.rank() - 1];
    let row = |b| {
        probes
            .narrow(0, b, b + 1)
            .reshape(&[dims])
            .broadcast(&shape)
    };
    (0..count).map(row).collect()
}

/// An estimate of tr ∇²y for each point: the mean of vᵀ∇²y·v over the rows v of `probes` `[B, d]`, by the forward
/// Laplacian in B + 2 streams. For tr(A·∇²y) with A = S·Sᵀ give the rows S·v.
///
/// ```
/// use ansatz_pde::autodiff::{Graph, Options, Program};
/// use ansatz_pde::{Probes, core::Key, trace_estimate};
/// let g = Graph::new();
/// let (x, v) = (g.batch(&[1, 3]), g.input(&[3, 3]));
/// let trace = trace_estimate(x.powi(3).sum_axes(&[1]), x, v); // 6·Σx
/// let program = Program::<f64>::compile(&g.finish(&[trace]), &Options::default())?;
/// let (mut probes, mut out) = ([0.0; 9], [0.0]);
/// Probes::Coordinates.draw(Key::new(0), 3, &mut probes)?; // all of them: exact
/// program.run(&[&[1.0, 2.0, 3.0], &probes], &mut [&mut out])?;
/// assert!((out[0] - 36.0_f64).abs() < 1e-12);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Panics
/// When `probes` has not d columns, or `x` cannot be moved.
#[must_use]
#[track_caller]
pub fn trace_estimate<'g>(y: Array<'g>, x: Array<'g>, probes: Array<'g>) -> Array<'g> {
    let directions = directions(x, probes);
    laplacian(y, x, &directions).second * (directions.len() as f64).recip()
}

/// An estimate of Δ²y for each point: the mean of D⁴ᵥy/3 over Gaussian directions v, the rows of `probes` `[B, d]`.
///
/// # Panics
/// As [`trace_estimate`].
#[must_use]
#[track_caller]
pub fn bilaplacian_estimate<'g>(y: Array<'g>, x: Array<'g>, probes: Array<'g>) -> Array<'g> {
    let directions = directions(x, probes);
    let fourth = |v: &Array<'g>| jet(&[y], &[(x, &[*v])], 4).remove(0)[4];
    let sum = directions.iter().map(fourth).reduce(|a, b| a + b);
    // 4!/3 of the coefficient.
    sum.map_or_else(|| y.zeros(), |s| s * (8.0 / directions.len() as f64))
}
