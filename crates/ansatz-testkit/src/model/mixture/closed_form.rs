//! Score, posterior mean and their derivatives of a mixture; formulas in [`Mixture`].

use ansatz_core::{EvalError, NoiseLevel};

use super::super::kernel::{self, Kernel, Posterior};
use super::Mixture;
use crate::scratch::split;

impl Kernel for Mixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn work(&self) -> usize {
        self.components.len() * (30 + 8 * self.dim * self.dim)
    }

    /// Per component: 1/c per eigenvalue, then the log of weight times normalising factor.
    fn constants_len(&self) -> usize {
        self.components.len() * (self.dim + 1)
    }

    fn prepare(&self, at: &NoiseLevel, constants: &mut [f64]) -> Result<(), EvalError> {
        for (part, component) in constants
            .chunks_exact_mut(self.dim + 1)
            .zip(&self.components)
        {
            let mut log_norm = component.weight.ln();
            for (inverse, value) in part.iter_mut().zip(&component.values) {
                let c = at.alpha * at.alpha * value + at.sigma * at.sigma;
                if c <= 0.0 {
                    return Err(kernel::degenerate(at));
                }
                *inverse = 1.0 / c;
                log_norm -= 0.5 * (std::f64::consts::TAU * c).ln();
            }
            part[self.dim] = log_norm;
        }
        Ok(())
    }

    fn scratch_len(&self, _: usize) -> usize {
        self.components.len() * (1 + 2 * self.dim)
    }

    fn posterior(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        out: Posterior<'_>,
        scratch: &mut [f64],
    ) {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        for (i, log_p) in out.log_density.iter_mut().enumerate() {
            let row = i * dim..(i + 1) * dim;
            *log_p = self.components_at(
                at,
                constants,
                &x[row.clone()],
                [&mut *gamma, &mut *q, &mut *m],
            );
            for (j, (data, score)) in out.data[row.clone()]
                .iter_mut()
                .zip(&mut out.score[row])
                .enumerate()
            {
                *data = average(gamma, m, dim, j);
                *score = -average(gamma, q, dim, j);
            }
        }
    }

    fn vjp(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        w: &[f64],
        out: &mut [f64],
        scratch: &mut [f64],
    ) {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        self.components_at(at, constants, x, [&mut *gamma, &mut *q, &mut *m]);
        out.fill(0.0);
        // Deviations from the mean of the components replace q and m.
        for j in 0..dim {
            let (mean_q, mean_m) = (average(gamma, q, dim, j), average(gamma, m, dim, j));
            for k in 0..gamma.len() {
                q[k * dim + j] -= mean_q;
                m[k * dim + j] -= mean_m;
            }
        }
        for (k, component) in self.components.iter().enumerate() {
            let part = &constants[k * (dim + 1)..][..dim];
            let along: f64 = (0..dim).map(|j| q[k * dim + j] * w[j]).sum();
            for j in 0..dim {
                out[j] -= gamma[k] * m[k * dim + j] * along;
            }
            for j in 0..dim {
                let axis = &component.axes[j * dim..][..dim];
                let y: f64 = axis.iter().zip(w).map(|(a, w)| a * w).sum();
                let z = gamma[k] * at.alpha * component.values[j] * part[j] * y;
                for i in 0..dim {
                    out[i] += axis[i] * z;
                }
            }
        }
    }

    fn laplacian(&self, at: &NoiseLevel, constants: &[f64], x: &[f64], scratch: &mut [f64]) -> f64 {
        let dim = self.dim;
        let [gamma, q, m] = self.pieces(scratch);
        self.components_at(at, constants, x, [&mut *gamma, &mut *q, m]);
        let mut sum = 0.0;
        for j in 0..dim {
            let mean = average(gamma, q, dim, j);
            for (k, g) in gamma.iter().enumerate() {
                let spread = q[k * dim + j] - mean;
                sum += g * (spread * spread - constants[k * (dim + 1) + j]);
            }
        }
        sum
    }
}

impl Mixture {
    /// Responsibilities γ `[K]`, `q` and `m` `[K, dim]`, and log p, of one row.
    fn components_at(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        [gamma, q, m]: [&mut [f64]; 3],
    ) -> f64 {
        let dim = self.dim;
        let mut top = f64::NEG_INFINITY;
        for (k, component) in self.components.iter().enumerate() {
            let part = &constants[k * (dim + 1)..][..=dim];
            let (q, m) = (&mut q[k * dim..][..dim], &mut m[k * dim..][..dim]);
            q.fill(0.0);
            m.copy_from_slice(&component.mean);
            let mut square = 0.0;
            for j in 0..dim {
                let axis = &component.axes[j * dim..][..dim];
                let mut y = 0.0;
                for i in 0..dim {
                    y += axis[i] * (x[i] - at.alpha * component.mean[i]);
                }
                let z = y * part[j];
                square += y * z;
                let shrunk = at.alpha * component.values[j] * z;
                for i in 0..dim {
                    q[i] += axis[i] * z;
                    m[i] += axis[i] * shrunk;
                }
            }
            gamma[k] = part[dim] - 0.5 * square;
            top = top.max(gamma[k]);
        }
        let mut sum = 0.0;
        for g in &mut *gamma {
            *g = (*g - top).exp();
            sum += *g;
        }
        for g in gamma {
            *g /= sum;
        }
        top + sum.ln()
    }

    fn pieces<'a>(&self, scratch: &'a mut [f64]) -> [&'a mut [f64]; 3] {
        let count = self.components.len();
        split(scratch, [count, count * self.dim, count * self.dim])
    }
}

/// Σ γₖ·vₖⱼ
fn average(gamma: &[f64], v: &[f64], dim: usize, j: usize) -> f64 {
    gamma
        .iter()
        .enumerate()
        .map(|(k, g)| g * v[k * dim + j])
        .sum()
}
