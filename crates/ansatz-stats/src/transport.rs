//! Optimal transport: couplings of weighted points, and maps from a density to points.
//!
//! - [`Sinkhorn`]: entropic transport between two finite measures in the log domain; a [`Coupling`] with its
//!   rows, cost, value and barycentric map, and the debiased [`Sinkhorn::divergence`].
//! - [`BrenierMap`]: semi-discrete transport of a density to finitely many targets for the squared
//!   distance, by one height per target; exact on the line ([`BrenierMap::on_line`]), fitted on sampled
//!   source points in any dimension ([`Heights`]).
//!
//! Points are rows of a flat array. Work is shared among the caller's threads by rows, sums over rows run
//! in order: results have the same bits for any number of threads.

mod brenier;
mod cells;
mod cost;
mod coupling;
mod exponential;
mod heights;
mod sinkhorn;
mod source;

pub use brenier::BrenierMap;
pub use cost::Cost;
pub use coupling::Coupling;
pub use heights::{Descent, Draws, Fit, Heights, Stop};
pub use sinkhorn::Sinkhorn;
pub use source::{Source, Spread, normal_quantile};

use crate::TransportError;

/// Weights may miss a sum of 1 by this much: the rounding of a long sum, and no more.
const SUM_TOLERANCE: f64 = 1e-9;

fn finite(what: &'static str, values: &[f64]) -> Result<(), TransportError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(TransportError::NonFinite {
            what,
            index,
            value: values[index],
        }),
    }
}

fn length(what: &'static str, expected: usize, got: usize) -> Result<(), TransportError> {
    if expected == got {
        Ok(())
    } else {
        Err(TransportError::Length {
            what,
            expected,
            got,
        })
    }
}

/// Number of rows of `dim` elements.
fn rows(what: &'static str, len: usize, dim: usize) -> Result<usize, TransportError> {
    if dim == 0 {
        return Err(TransportError::Option {
            name: "dim",
            value: 0.0,
            allowed: "at least 1",
        });
    }
    length(what, len.div_ceil(dim) * dim, len)?;
    Ok(len / dim)
}

/// Weights are numbers of which `holds` is true, and sum to 1.
fn weights(
    what: &'static str,
    weights: &[f64],
    allowed: &'static str,
    holds: impl Fn(f64) -> bool,
) -> Result<(), TransportError> {
    finite(what, weights)?;
    if let Some(index) = weights.iter().position(|w| !holds(*w)) {
        return Err(TransportError::Weight {
            what,
            index,
            value: weights[index],
            allowed,
        });
    }
    let sum: f64 = weights.iter().sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(TransportError::WeightSum { what, sum });
    }
    Ok(())
}

fn positive(name: &'static str, value: f64) -> Result<(), TransportError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(TransportError::Option {
            name,
            value,
            allowed: "a positive number",
        })
    }
}

/// Multiplications below which the work stays on the calling thread.
const WORTH_SHARING: usize = 1 << 16;

/// Whether so many multiplications are worth more than one thread. It changes no bit of any result.
fn worth_sharing(work: usize) -> bool {
    work >= WORTH_SHARING && rayon::current_num_threads() > 1
}
