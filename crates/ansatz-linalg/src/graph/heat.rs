//! exp(−τL), whole.

use ansatz_core::LinearOp;
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::sparse::{SparseColMat, Triplet};
use faer::{Accum, Mat, Par, Side};
use rayon::prelude::*;

use super::LaplacianKind;
use super::build::Graph;
use crate::LinalgError;
use crate::error::within;
use crate::operator::Sparse;

/// How heat is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeatMethod {
    /// Eigenvectors of L: exact, O(N³) once for all τ.
    #[default]
    Eigen,
    /// A Chebyshev polynomial of this order. Its error falls faster than geometrically once the order is above
    /// about √(τ·λ_max·10), down to about 1e-15 absolute: smaller entries are noise.
    Chebyshev(usize),
    /// This many implicit steps, (I + τL/K)^(−K), with one sparse factorisation: first order in 1/K, entries stay
    /// positive.
    BackwardEuler(usize),
}

/// Heat on a graph, ready for any number of times.
pub struct HeatKernel {
    laplacian: Sparse<f64>,
    flow: Flow,
}

/// A [`HeatMethod`] with what it needs.
enum Flow {
    Eigen {
        values: Vec<f64>,
        vectors: Mat<f64>,
    },
    Chebyshev {
        order: usize,
        /// A bound on the spectrum.
        largest: f64,
    },
    BackwardEuler {
        steps: usize,
    },
}

impl HeatKernel {
    /// For a graph, which may have several components.
    ///
    /// # Errors
    /// Those of [`Graph::laplacian`]; [`LinalgError::Shape`] for a graph without vertices;
    /// [`LinalgError::Parameter`] for an order or a number of steps of 0, or above 10⁶.
    pub fn new(
        graph: &Graph,
        kind: LaplacianKind,
        method: HeatMethod,
    ) -> Result<Self, LinalgError> {
        if let HeatMethod::Chebyshev(k) | HeatMethod::BackwardEuler(k) = method {
            within(
                "order or number of steps",
                k as f64,
                1.0..=1e6,
                "from 1 to 10⁶",
            )?;
        }
        let n = graph.vertices();
        if n == 0 {
            return Err(LinalgError::Shape {
                what: "vertices (at least)",
                expected: 1,
                got: 0,
            });
        }
        let laplacian = graph.laplacian(kind)?;
        let flow = match method {
            HeatMethod::Eigen => {
                let dense = laplacian.columns().to_dense();
                let eigen = dense.self_adjoint_eigen(Side::Lower);
                let eigen = eigen.map_err(|_| LinalgError::Breakdown {
                    iteration: 0,
                    what: "eigenvalues of the Laplacian",
                    value: f64::NAN,
                })?;
                Flow::Eigen {
                    values: (0..n).map(|i| eigen.S()[i]).collect(),
                    vectors: eigen.U().to_owned(),
                }
            }
            HeatMethod::Chebyshev(order) => Flow::Chebyshev {
                order,
                // Gershgorin: 2 for the normalised Laplacian, twice the largest degree for the other.
                largest: match kind {
                    LaplacianKind::Normalised => 2.0,
                    LaplacianKind::Combinatorial => {
                        2.0 * graph.degrees().iter().copied().fold(0.0, f64::max)
                    }
                },
            },
            HeatMethod::BackwardEuler(steps) => Flow::BackwardEuler { steps },
        };
        Ok(Self { laplacian, flow })
    }

    /// Number of vertices.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.laplacian.columns().nrows()
    }

    /// Eigenvalues of L, ascending, for [`HeatMethod::Eigen`].
    #[must_use]
    pub fn eigenvalues(&self) -> Option<&[f64]> {
        match &self.flow {
            Flow::Eigen { values, .. } => Some(values),
            Flow::Chebyshev { .. } | Flow::BackwardEuler { .. } => None,
        }
    }

    /// exp(−τL), row by row. Each row is computed by itself: symmetry holds to rounding.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] unless τ > 0, and for Chebyshev's method above 10⁶/λ_max; [`LinalgError::NotPositiveDefinite`] from the factorisation.
    pub fn at(&self, tau: f64) -> Result<Vec<f64>, LinalgError> {
        within("tau", tau, f64::MIN_POSITIVE.., "positive")?;
        let n = self.vertices();
        let mut heat = vec![0.0; n * n];
        match &self.flow {
            Flow::Chebyshev { order, largest } => {
                within(
                    "tau times the spectrum",
                    tau * largest,
                    0.0..=1e6,
                    "at most 10⁶: take eigenvectors",
                )?;
                self.chebyshev(tau, (*order, *largest), &mut heat);
            }
            Flow::BackwardEuler { steps } => self.euler(tau, *steps, &mut heat)?,
            Flow::Eigen { values, vectors } => {
                let decayed = Mat::from_fn(n, n, |i, j| vectors[(i, j)] * (-tau * values[j]).exp());
                let out = faer::MatMut::from_row_major_slice_mut(&mut heat, n, n);
                matmul(
                    out,
                    Accum::Replace,
                    &decayed,
                    vectors.transpose(),
                    1.0,
                    Par::Seq,
                );
            }
        }
        Ok(heat)
    }

    /// ½c₀ + Σ cⱼTⱼ((L − φ)/φ), cⱼ = 2(−1)^j·e^(−τφ)I_j(τφ), on each unit vector.
    fn chebyshev(&self, tau: f64, (order, largest): (usize, f64), heat: &mut [f64]) {
        let n = self.vertices();
        let phi = (0.5 * largest).max(f64::MIN_POSITIVE);
        let bessel = scaled_bessel(tau * phi, order);
        let sign = |j: usize| if j.is_multiple_of(2) { 2.0 } else { -2.0 };
        let c: Vec<f64> = bessel
            .iter()
            .enumerate()
            .map(|(j, b)| sign(j) * b)
            .collect();
        heat.par_chunks_mut(n).enumerate().for_each(|(i, out)| {
            let (mut before, mut now, mut next) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            before[i] = 1.0;
            let shifted = |x: &[f64], y: &mut [f64]| {
                self.laplacian.apply(x, y, &mut []);
                for (y, x) in y.iter_mut().zip(x) {
                    *y = *y / phi - x;
                }
            };
            shifted(&before, &mut now);
            for (k, out) in out.iter_mut().enumerate() {
                *out = 0.5 * c[0] * before[k] + c[1] * now[k];
            }
            for c in &c[2..] {
                shifted(&now, &mut next);
                for k in 0..n {
                    next[k] = 2.0 * next[k] - before[k];
                    out[k] += c * next[k];
                }
                std::mem::swap(&mut before, &mut now);
                std::mem::swap(&mut now, &mut next);
            }
        });
    }

    fn euler(&self, tau: f64, steps: usize, heat: &mut [f64]) -> Result<(), LinalgError> {
        let n = self.vertices();
        let l = self.laplacian.columns();
        let scale = tau / steps as f64;
        let mut entries: Vec<_> = (0..n).map(|i| Triplet::new(i, i, 1.0)).collect();
        for t in l.triplet_iter() {
            entries.push(Triplet::new(t.row, t.col, scale * t.val));
        }
        let failed = |value: f64| LinalgError::NotPositiveDefinite {
            what: "I + tau L/K",
            at: 0,
            value,
        };
        let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(n, n, &entries);
        let matrix = matrix.map_err(|_| failed(f64::NAN))?;
        let factor = matrix
            .sp_cholesky(Side::Lower)
            .map_err(|_| failed(f64::NAN))?;
        let mut x = Mat::<f64>::identity(n, n);
        for _ in 0..steps {
            x = factor.solve(&x);
        }
        for (i, row) in heat.chunks_exact_mut(n).enumerate() {
            row.copy_from_slice(x.col_as_slice(i));
        }
        Ok(())
    }
}

/// e^(−x)·I_j(x) for j = 0 … `order` (at least two), by Miller's backward recurrence.
fn scaled_bessel(x: f64, order: usize) -> Vec<f64> {
    let order = order.max(1);
    let start = order + 20 + (40.0 * (order as f64 + x)).sqrt() as usize + x.min(1e6) as usize;
    let (mut above, mut here, mut sum) = (0.0, 1e-280, 0.0);
    let mut out = vec![0.0; order + 1];
    for j in (0..=start).rev() {
        if j <= order {
            out[j] = here;
        }
        sum += if j == 0 { here } else { 2.0 * here };
        let below = above + 2.0 * j as f64 / x * here;
        (above, here) = (here, below);
        if here > 1e250 {
            for v in out.iter_mut().chain([&mut above, &mut here, &mut sum]) {
                *v *= 1e-250;
            }
        }
    }
    out.iter().map(|v| v / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::scaled_bessel;

    #[test]
    fn bessel_functions() {
        // e⁻⁵·I_j(5) from the power series, whose terms are positive.
        let series = |x: f64, j: usize| -> f64 {
            let mut term = (1..=j).fold(1.0, |t, k| t * x / 2.0 / k as f64);
            let mut sum = 0.0;
            for k in 1..200 {
                sum += term;
                term *= x * x / 4.0 / (k * (k + j)) as f64;
            }
            sum * (-x).exp()
        };
        for x in [0.1, 1.0, 5.0, 40.0] {
            for (j, got) in scaled_bessel(x, 30).iter().enumerate() {
                let expected = series(x, j);
                assert!(
                    (got - expected).abs() < 1e-13 * expected.max(1e-200),
                    "{x} {j}: {got:e} {expected:e}"
                );
            }
        }
        assert!(scaled_bessel(1e5, 10)[0] > 1e-3);
    }
}
