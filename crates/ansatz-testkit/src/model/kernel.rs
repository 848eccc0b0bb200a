//! From closed forms on a few rows in `f64` to batches of any scalar type on all cores.

use ansatz_core::{EvalError, HostState, NoiseLevel, Prediction, Scalar};
use rayon::prelude::*;

use super::Analytic;
use crate::scratch::{self, split};

/// Rows that a kernel sees at once: a data set streams through the cache once per tile.
const TILE: usize = 8;

/// Elementary operations below which a batch stays on the calling thread (about 50 µs).
const PARALLEL_MIN: usize = 1 << 16;

/// What [`Kernel::posterior`] writes, for each row.
pub(super) struct Posterior<'a> {
    /// E[x₀ | x], `[rows, dim]`.
    pub(super) data: &'a mut [f64],
    /// ∇ log p(x), `[rows, dim]`.
    pub(super) score: &'a mut [f64],
    /// log p(x), `[rows]`.
    pub(super) log_density: &'a mut [f64],
}

/// The closed forms of one model. Lengths are checked by the callers in this file.
pub(super) trait Kernel: Sync {
    /// Length of one row.
    fn dim(&self) -> usize;

    /// Rough count of elementary operations per row.
    fn work(&self) -> usize;

    /// Numbers that depend on the noise level alone.
    fn constants_len(&self) -> usize;

    /// Fills them; the error is that of a distribution without density.
    fn prepare(&self, at: &NoiseLevel, constants: &mut [f64]) -> Result<(), EvalError>;

    /// Working memory of the functions below, for up to `rows` rows.
    fn scratch_len(&self, rows: usize) -> usize;

    /// Posterior mean, score and log density of the rows of `x`.
    fn posterior(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        out: Posterior<'_>,
        scratch: &mut [f64],
    );

    /// Jacobian of the posterior mean at one row, times `w`.
    fn vjp(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        w: &[f64],
        out: &mut [f64],
        scratch: &mut [f64],
    );

    /// Laplacian of the log density at one row.
    fn laplacian(&self, at: &NoiseLevel, constants: &[f64], x: &[f64], scratch: &mut [f64]) -> f64;
}

fn check_length(what: &'static str, expected: usize, got: usize) -> Result<(), EvalError> {
    if expected == got {
        Ok(())
    } else {
        Err(EvalError::Length {
            what,
            expected,
            got,
        })
    }
}

/// Number of rows of `x`, if it holds whole rows and the level is finite.
fn batch<T>(dim: usize, x: &[T], at: &NoiseLevel) -> Result<usize, EvalError> {
    let rows = x.len() / dim;
    check_length("x (whole rows)", rows * dim, x.len())?;
    if at.alpha.is_finite() && at.sigma.is_finite() {
        Ok(rows)
    } else {
        Err(EvalError::NonFinite {
            what: "noise level",
        })
    }
}

/// `a` and `b` of the prediction `y = a·x̂₀ + b·score`.
fn mix(kind: Prediction, at: &NoiseLevel) -> (f64, f64) {
    if kind == Prediction::Score {
        return (0.0, 1.0);
    }
    let (p, q) = kind.mix(at);
    (p, -at.sigma * q)
}

/// Calls `f(first_row, tile)` on tiles of `out`, which has `width` elements per row.
fn tiles<T: Send>(work: usize, width: usize, out: &mut [T], f: impl Fn(usize, &mut [T]) + Sync) {
    let rows = out.len() / width;
    let tile = TILE * width;
    if rows > TILE && rows.saturating_mul(work) >= PARALLEL_MIN {
        // Cheap rows go in larger tasks; results do not depend on the split.
        let least = (PARALLEL_MIN / 4 / (TILE * work.max(1))).max(1);
        out.par_chunks_mut(tile)
            .with_min_len(least)
            .enumerate()
            .for_each(|(i, t)| f(i * TILE, t));
    } else {
        for (i, t) in out.chunks_mut(tile).enumerate() {
            f(i * TILE, t);
        }
    }
}

/// Runs [`Kernel::posterior`] on a batch and keeps what `keep(x̂₀, score, log p, row)` makes of it.
fn posterior<K: Kernel + ?Sized, T: Scalar, U: Send>(
    model: &K,
    x: &[T],
    at: &NoiseLevel,
    (width, out): (usize, &mut [U]),
    keep: impl Fn(&[f64], &[f64], f64, &mut [U]) + Sync,
) -> Result<(), EvalError> {
    let dim = model.dim();
    let rows = batch(dim, x, at)?;
    check_length("out", rows * width, out.len())?;
    scratch::with(model.constants_len(), |constants| {
        model.prepare(at, constants)?;
        let constants = &*constants;
        tiles(model.work(), width, out, |first, out| {
            let rows = out.len() / width;
            let n = rows * dim;
            let lengths = [n, n, n, rows, model.scratch_len(rows)];
            scratch::with(lengths.iter().sum(), |buffer| {
                let [row, data, score, log_density, rest] = split(buffer, lengths);
                for (r, x) in row.iter_mut().zip(&x[first * dim..]) {
                    *r = x.f64();
                }
                let posterior = Posterior {
                    data,
                    score,
                    log_density,
                };
                model.posterior(at, constants, row, posterior, rest);
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    let part = i * dim..(i + 1) * dim;
                    keep(&data[part.clone()], &score[part], log_density[i], out);
                }
            });
        });
        Ok(())
    })
}

/// A model as a denoiser of kind `kind`.
pub(super) fn eval<K: Kernel, S: HostState>(
    model: &K,
    kind: Prediction,
    x: &S,
    at: &NoiseLevel,
    out: &mut S,
) -> Result<(), EvalError> {
    let (a, b) = mix(kind, at);
    let target = (model.dim(), out.as_mut_slice());
    posterior(model, x.as_slice(), at, target, |data, score, _, out| {
        for ((o, d), s) in out.iter_mut().zip(data).zip(score) {
            *o = S::Scalar::of(match kind {
                Prediction::Data => *d,
                Prediction::Noise | Prediction::Score => b * s,
                _ => a * d + b * s,
            });
        }
    })
}

impl<K: Kernel> Analytic for K {
    fn dim(&self) -> usize {
        Kernel::dim(self)
    }

    fn log_density<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [f64],
    ) -> Result<(), EvalError> {
        posterior(self, x, at, (1, out), |_, _, log_p, out| out[0] = log_p)
    }

    fn score<T: Scalar>(&self, x: &[T], at: &NoiseLevel, out: &mut [T]) -> Result<(), EvalError> {
        let target = (Kernel::dim(self), out);
        posterior(self, x, at, target, |_, score, _, out| round(score, out))
    }

    fn posterior_mean<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [T],
    ) -> Result<(), EvalError> {
        let target = (Kernel::dim(self), out);
        posterior(self, x, at, target, |data, _, _, out| round(data, out))
    }

    fn posterior_mean_vjp<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        w: &[T],
        out: &mut [T],
    ) -> Result<(), EvalError> {
        let dim = Kernel::dim(self);
        batch(dim, x, at)?;
        check_length("w", x.len(), w.len())?;
        check_length("out", x.len(), out.len())?;
        each_row(self, at, (dim, out), |constants, i, out| {
            let lengths = [dim, dim, dim, self.scratch_len(1)];
            scratch::with(lengths.iter().sum(), |buffer| {
                let [row, weights, product, rest] = split(buffer, lengths);
                widen(&x[i * dim..][..dim], row);
                widen(&w[i * dim..][..dim], weights);
                self.vjp(at, constants, row, weights, product, rest);
                round(product, out);
            });
        })
    }

    fn laplacian<T: Scalar>(
        &self,
        x: &[T],
        at: &NoiseLevel,
        out: &mut [f64],
    ) -> Result<(), EvalError> {
        let dim = Kernel::dim(self);
        check_length("out", batch(dim, x, at)?, out.len())?;
        each_row(self, at, (1, out), |constants, i, out| {
            let lengths = [dim, self.scratch_len(1)];
            scratch::with(lengths.iter().sum(), |buffer| {
                let [row, rest] = split(buffer, lengths);
                widen(&x[i * dim..][..dim], row);
                out[0] = self.laplacian(at, constants, row, rest);
            });
        })
    }
}

/// Calls `f(constants, row, out)` on every row of `out`.
fn each_row<K: Kernel, U: Send>(
    model: &K,
    at: &NoiseLevel,
    (width, out): (usize, &mut [U]),
    f: impl Fn(&[f64], usize, &mut [U]) + Sync,
) -> Result<(), EvalError> {
    scratch::with(model.constants_len(), |constants| {
        model.prepare(at, constants)?;
        let constants = &*constants;
        tiles(2 * model.work(), width, out, |first, out| {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                f(constants, first + i, out);
            }
        });
        Ok(())
    })
}

fn widen<T: Scalar>(from: &[T], to: &mut [f64]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = f.f64();
    }
}

fn round<T: Scalar>(from: &[f64], to: &mut [T]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = T::of(*f);
    }
}

/// The error of a noisy distribution that has no density.
pub(super) fn degenerate(at: &NoiseLevel) -> EvalError {
    EvalError::OutOfRange {
        what: "sigma of a distribution without density",
        value: at.sigma,
        min: f64::MIN_POSITIVE,
        max: f64::INFINITY,
    }
}
