//! The points of a data set as a distribution.

use ansatz_core::{Denoiser, EvalError, HostState, NoiseLevel, Prediction, Scalar};

use super::kernel::{self, Kernel, Posterior};
use crate::ModelError;
use crate::error::{finite, length, non_negative};
use crate::scratch::split;

/// Data points that stay in the first cache level while a tile of rows passes over them.
const BLOCK: usize = 32;

/// Independent partial sums of a squared distance.
const LANES: usize = 8;

/// Softmax weights below e⁻⁸⁰ ≈ 2e-35 of the largest are dropped: even 10¹⁸ of them together
/// would not reach the last bit of the sum.
const NEGLIGIBLE: f64 = -80.0;

/// Data drawn from the rows of a data set, each blurred by N(0, h²I) (h = 0 by default).
///
/// With `c = α²h² + σ²`, weights `γᵢ ∝ exp(−|x − αyᵢ|²/(2c))` and `ȳ = Σ γᵢyᵢ`: score
/// `−(x − αȳ)/c`, posterior mean `ȳ + αh²(x − αȳ)/c`, Jacobian `(α/c)(h²I + (σ²/c)·Cov_γ[y])`.
/// Distances are summed directly, without the expansion into dot products, which would lose all
/// digits at low noise. Cost: `5·n·dim` operations per row.
///
/// ```
/// use ansatz_core::{Denoiser, NoiseLevel};
/// use ansatz_testkit::Empirical;
/// let model = Empirical::new(&[-1.0, 0.0, 1.0, 0.0], 2)?; // two points of the plane
/// let mut mean = vec![0.0; 2];
/// model.eval(&vec![0.3, 5.0], &NoiseLevel::new(0.5, 1.0, 1.0), &mut mean)?;
/// assert!((mean[0] - 0.3_f64.tanh()).abs() < 1e-15 && mean[1] == 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Empirical {
    dim: usize,
    /// `[n, dim]`, row-major.
    data: Vec<f64>,
    bandwidth: f64,
    kind: Prediction,
}

impl Empirical {
    /// A distribution over the rows of `data`, `[n, dim]` flat and row-major.
    ///
    /// # Errors
    /// [`ModelError`] for empty, ragged or non-finite data.
    pub fn new<T: Scalar>(data: &[T], dim: usize) -> Result<Self, ModelError> {
        if dim == 0 {
            return Err(ModelError::Empty { what: "a data row" });
        }
        if data.is_empty() {
            return Err(ModelError::Empty { what: "data" });
        }
        length(
            "data (whole rows)",
            data.len().div_ceil(dim) * dim,
            data.len(),
        )?;
        let data: Vec<f64> = data.iter().map(|v| v.f64()).collect();
        finite("data", &data)?;
        Ok(Self {
            dim,
            data,
            bandwidth: 0.0,
            kind: Prediction::Data,
        })
    }

    /// The same points, each blurred by a normal distribution of standard deviation `bandwidth`.
    ///
    /// # Errors
    /// [`ModelError`] for a bandwidth that is negative or not finite.
    pub fn smoothed(mut self, bandwidth: f64) -> Result<Self, ModelError> {
        finite("bandwidth", &[bandwidth])?;
        non_negative("bandwidth", &[bandwidth])?;
        self.bandwidth = bandwidth;
        Ok(self)
    }

    /// The same distribution as a model that predicts `kind`; a new model predicts the data.
    #[must_use]
    pub fn predicting(mut self, kind: Prediction) -> Self {
        self.kind = kind;
        self
    }

    /// The data set, `[n, dim]` flat and row-major.
    #[must_use]
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    fn points(&self) -> usize {
        self.data.len() / self.dim
    }

    fn square_bandwidth(&self) -> f64 {
        self.bandwidth * self.bandwidth
    }

    /// Weights γ `[n]` and their mean ȳ `[dim]` at one row.
    fn weights(&self, at: &NoiseLevel, c: f64, x: &[f64], gamma: &mut [f64], mean: &mut [f64]) {
        let points = || self.data.chunks_exact(self.dim);
        let mut top = f64::NEG_INFINITY;
        for (g, y) in gamma.iter_mut().zip(points()) {
            *g = -0.5 * squared_distance(x, at.alpha, y) / c;
            top = top.max(*g);
        }
        let mut sum = 0.0;
        for g in &mut *gamma {
            *g = (*g - top).exp();
            sum += *g;
        }
        mean.fill(0.0);
        for (g, y) in gamma.iter_mut().zip(points()) {
            *g /= sum;
            add_scaled(mean, *g, y);
        }
    }
}

/// |x − α·y|²
fn squared_distance(x: &[f64], alpha: f64, y: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let mut tail = 0.0;
    for (x, y) in xs.remainder().iter().zip(ys.remainder()) {
        let d = x - alpha * y;
        tail += d * d;
    }
    for (x, y) in xs.zip(ys) {
        for k in 0..LANES {
            let d = x[k] - alpha * y[k];
            lanes[k] += d * d;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h)) + tail
}

fn add_scaled(sum: &mut [f64], factor: f64, y: &[f64]) {
    for (s, y) in sum.iter_mut().zip(y) {
        *s += factor * y;
    }
}

impl<S: HostState> Denoiser<S> for Empirical {
    fn native(&self) -> Prediction {
        self.kind
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        kernel::eval(self, self.kind, x, at, out)
    }
}

impl Kernel for Empirical {
    fn dim(&self) -> usize {
        self.dim
    }

    fn work(&self) -> usize {
        self.data.len()
    }

    /// The variance c, then the log of the normalising factor over the number of points.
    fn constants_len(&self) -> usize {
        2
    }

    fn prepare(&self, at: &NoiseLevel, constants: &mut [f64]) -> Result<(), EvalError> {
        let c = at.alpha * at.alpha * self.square_bandwidth() + at.sigma * at.sigma;
        if c <= 0.0 {
            return Err(kernel::degenerate(at));
        }
        let log_norm = -0.5 * self.dim as f64 * (std::f64::consts::TAU * c).ln();
        constants.copy_from_slice(&[c, log_norm - (self.points() as f64).ln()]);
        Ok(())
    }

    fn scratch_len(&self, rows: usize) -> usize {
        (BLOCK + 2 * rows).max(self.points() + self.dim)
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
        let (c, log_norm) = (constants[0], constants[1]);
        let rows = out.log_density.len();
        let [logits, top, sum] = split(scratch, [BLOCK, rows, rows]);
        top.fill(f64::NEG_INFINITY);
        sum.fill(0.0);
        // The sum of weight times point; what it stands for changes in the last loop.
        let mean = out.data;
        mean.fill(0.0);
        for block in self.data.chunks(BLOCK * dim) {
            for (i, x) in x.chunks_exact(dim).enumerate() {
                let mean = &mut mean[i * dim..][..dim];
                let mut highest = top[i];
                for (l, y) in logits.iter_mut().zip(block.chunks_exact(dim)) {
                    *l = -0.5 * squared_distance(x, at.alpha, y) / c;
                    if *l > highest {
                        highest = *l;
                    }
                }
                if highest > top[i] {
                    let shrink = (top[i] - highest).exp();
                    sum[i] *= shrink;
                    for m in &mut *mean {
                        *m *= shrink;
                    }
                    top[i] = highest;
                }
                for (l, y) in logits.iter().zip(block.chunks_exact(dim)) {
                    if *l - highest < NEGLIGIBLE {
                        continue; // false for NaN, which must reach the sum
                    }
                    let weight = (*l - highest).exp();
                    sum[i] += weight;
                    add_scaled(mean, weight, y);
                }
            }
        }
        let shrunk = at.alpha * self.square_bandwidth() / c;
        for i in 0..rows {
            out.log_density[i] = log_norm + top[i] + sum[i].ln();
            for k in i * dim..(i + 1) * dim {
                let y = mean[k] / sum[i];
                let r = x[k] - at.alpha * y;
                out.score[k] = -r / c;
                mean[k] = y + shrunk * r;
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
        let c = constants[0];
        let [gamma, mean] = split(scratch, [self.points(), self.dim]);
        self.weights(at, c, x, gamma, mean);
        out.fill(0.0);
        for (g, y) in gamma.iter().zip(self.data.chunks_exact(self.dim)) {
            let along: f64 = (0..self.dim).map(|j| (y[j] - mean[j]) * w[j]).sum();
            for j in 0..self.dim {
                out[j] += g * along * (y[j] - mean[j]);
            }
        }
        let spread = at.alpha * at.sigma * at.sigma / (c * c);
        let own = at.alpha * self.square_bandwidth() / c;
        for (o, w) in out.iter_mut().zip(w) {
            *o = spread * *o + own * w;
        }
    }

    fn laplacian(&self, at: &NoiseLevel, constants: &[f64], x: &[f64], scratch: &mut [f64]) -> f64 {
        let c = constants[0];
        let [gamma, mean] = split(scratch, [self.points(), self.dim]);
        self.weights(at, c, x, gamma, mean);
        let mut variance = 0.0;
        for (g, y) in gamma.iter().zip(self.data.chunks_exact(self.dim)) {
            variance += g * squared_distance(mean, 1.0, y);
        }
        (at.alpha / c).powi(2) * variance - self.dim as f64 / c
    }
}
