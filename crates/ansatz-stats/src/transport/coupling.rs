//! What entropic transport finds.

use rayon::prelude::*;

use super::cost::{BLOCK, Rows};
use super::sinkhorn::mean;
use super::{length, worth_sharing};
use crate::TransportError;

/// A coupling `Pᵢⱼ = aᵢbⱼ·exp((fᵢ + gⱼ − cᵢⱼ)/ε)`, known by its potentials.
///
/// Column sums are b to rounding, row sums are a within [`Coupling::error`]. Rows are computed when they are
/// asked for; the matrix is never stored.
#[derive(Debug, Clone)]
pub struct Coupling<'a> {
    rows: Rows<'a>,
    a: Vec<f64>,
    b: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    epsilon: f64,
    iterations: usize,
    error: f64,
}

impl<'a> Coupling<'a> {
    #[expect(clippy::too_many_arguments, reason = "its parts, once")]
    pub(super) fn new(
        rows: Rows<'a>,
        a: &[f64],
        b: &[f64],
        f: Vec<f64>,
        g: Vec<f64>,
        epsilon: f64,
        iterations: usize,
        error: f64,
    ) -> Self {
        Self {
            rows,
            a: a.to_vec(),
            b: b.to_vec(),
            f,
            g,
            epsilon,
            iterations,
            error,
        }
    }

    /// The potentials f, `[n]`, and g, `[m]`, unique up to a constant that goes from one to the other.
    #[must_use]
    pub fn potentials(&self) -> (&[f64], &[f64]) {
        (&self.f, &self.g)
    }

    /// Iterations made.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Σᵢ |Σⱼ Pᵢⱼ − aᵢ|.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.error
    }

    /// `OT_ε = Σ aᵢfᵢ + Σ bⱼgⱼ`, the cost with the entropy.
    #[must_use]
    pub fn value(&self) -> f64 {
        mean(&self.a, &self.f) + mean(&self.b, &self.g)
    }

    /// `Σ Pᵢⱼcᵢⱼ`, the cost alone.
    #[must_use]
    pub fn transport_cost(&self) -> f64 {
        let mut of_rows = vec![0.0; self.a.len()];
        self.each_row(&mut of_rows, 1, |i, out| {
            self.visit(i, |_, cost, p| out[0] += cost * p);
        });
        of_rows.iter().sum()
    }

    /// Row i of P, `[m]`: where the mass of source i goes.
    ///
    /// # Errors
    /// [`TransportError::Length`] for another length, [`TransportError::Option`] for a row that there is not;
    /// `out` is then unchanged.
    pub fn row(&self, i: usize, out: &mut [f64]) -> Result<(), TransportError> {
        if i >= self.a.len() {
            return Err(TransportError::Option {
                name: "row",
                value: i as f64,
                allowed: "an index of the sources",
            });
        }
        length("row of the coupling", self.b.len(), out.len())?;
        self.visit(i, |j, _, p| out[j] = p);
        Ok(())
    }

    /// The barycentric map: `outᵢ ← Σⱼ Pᵢⱼyⱼ / Σⱼ Pᵢⱼ`, `[n, dim]`, for values y at the targets, `[m, dim]`.
    ///
    /// For the squared distance and small ε it approximates the optimal map. A source without weight gets
    /// the limit of weight to 0.
    ///
    /// # Errors
    /// [`TransportError::Length`] unless `y` and `out` hold one row for each target and source.
    pub fn barycentric(
        &self,
        y: &[f64],
        dim: usize,
        out: &mut [f64],
    ) -> Result<(), TransportError> {
        length("y", self.b.len() * dim, y.len())?;
        length("out", self.a.len() * dim, out.len())?;
        if dim == 0 {
            return Ok(());
        }
        self.each_row(out, dim, |i, out| {
            out.fill(0.0);
            let mut sum = 0.0;
            self.visit_conditional(i, |j, _, p| {
                sum += p;
                for (o, y) in out.iter_mut().zip(&y[j * dim..][..dim]) {
                    *o += p * y;
                }
            });
            for o in out {
                *o /= sum;
            }
        });
        Ok(())
    }

    fn each_row(&self, out: &mut [f64], width: usize, f: impl Fn(usize, &mut [f64]) + Sync) {
        if worth_sharing(self.a.len() * self.rows.work(self.b.len())) {
            out.par_chunks_mut(width)
                .enumerate()
                .for_each(|(i, o)| f(i, o));
        } else {
            out.chunks_mut(width).enumerate().for_each(|(i, o)| f(i, o));
        }
    }

    /// Calls with (j, cᵢⱼ, Pᵢⱼ).
    fn visit(&self, i: usize, mut f: impl FnMut(usize, f64, f64)) {
        self.visit_conditional(i, |j, cost, p| f(j, cost, self.a[i] * p));
    }

    /// Calls with (j, cᵢⱼ, Pᵢⱼ/aᵢ).
    fn visit_conditional(&self, i: usize, mut f: impl FnMut(usize, f64, f64)) {
        let mut buffer = [0.0; BLOCK];
        let columns = self.b.len();
        for first in (0..columns).step_by(BLOCK) {
            let block = &mut buffer[..BLOCK.min(columns - first)];
            self.rows.fill(i, columns, first, block);
            for (k, cost) in block.iter().enumerate() {
                let j = first + k;
                let exponent = (self.f[i] + self.g[j] - cost) / self.epsilon;
                f(j, *cost, self.b[j] * exponent.exp());
            }
        }
    }
}
