//! A normal distribution with independent coordinates.

use ansatz_core::{Denoiser, EvalError, HostState, NoiseLevel, Prediction, Scalar};

use super::kernel::{self, Kernel, Posterior};
use crate::ModelError;
use crate::error::{finite, length, non_negative};

/// Data from N(mean, diag(variance)): the one model whose flow map is known exactly.
///
/// With `c = α²·variance + σ²` and `r = x − α·mean`, per coordinate: `x̂₀ = mean + α·variance·r/c`,
/// score `−r/c`, and probability flow from level t to level s `α_s·mean + r·√(c_s/c_t)`.
///
/// ```
/// use ansatz_core::{Denoiser, NoiseLevel, Prediction};
/// use ansatz_testkit::Gaussian;
/// let model = Gaussian::isotropic(2, 0.0, 0.25)?.predicting(Prediction::Noise);
/// let mut noise = vec![0.0_f64; 2];
/// model.eval(&vec![1.0, -2.0], &NoiseLevel::new(0.5, 0.8, 0.6), &mut noise)?;
/// assert!((noise[0] - 0.6 / 0.52).abs() < 1e-15); // σ·x / (α²·0.25 + σ²)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    variance: Vec<f64>,
    kind: Prediction,
}

impl Gaussian {
    /// A distribution with a mean and a variance per coordinate. A variance may be 0.
    ///
    /// # Errors
    /// [`ModelError`] for empty, unequally long, non-finite arguments or a negative variance.
    pub fn new(mean: &[f64], variance: &[f64]) -> Result<Self, ModelError> {
        if mean.is_empty() {
            return Err(ModelError::Empty { what: "mean" });
        }
        length("variance", mean.len(), variance.len())?;
        finite("mean", mean)?;
        finite("variance", variance)?;
        non_negative("variance", variance)?;
        Ok(Self {
            mean: mean.to_vec(),
            variance: variance.to_vec(),
            kind: Prediction::Data,
        })
    }

    /// The same mean and variance in all of `dim` coordinates.
    ///
    /// # Errors
    /// Those of [`Gaussian::new`].
    pub fn isotropic(dim: usize, mean: f64, variance: f64) -> Result<Self, ModelError> {
        Self::new(&vec![mean; dim], &vec![variance; dim])
    }

    /// The same distribution as a model that predicts `kind`; a new model predicts the data.
    #[must_use]
    pub fn predicting(mut self, kind: Prediction) -> Self {
        self.kind = kind;
        self
    }

    /// Mean per coordinate, `[dim]`.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Variance per coordinate, `[dim]`.
    #[must_use]
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// The exact probability flow of `x`, `[batch, dim]`, from one noise level to another.
    ///
    /// # Errors
    /// [`EvalError::Length`] when `x` and `out` are not the same whole rows,
    /// [`EvalError::OutOfRange`] where `from` has σ = 0 and a coordinate variance 0.
    pub fn probability_flow<T: Scalar>(
        &self,
        x: &[T],
        from: &NoiseLevel,
        to: &NoiseLevel,
        out: &mut [T],
    ) -> Result<(), EvalError> {
        let dim = self.mean.len();
        for (what, expected, got) in [
            ("x (whole rows)", x.len() / dim * dim, x.len()),
            ("out", x.len(), out.len()),
        ] {
            if expected != got {
                return Err(EvalError::Length {
                    what,
                    expected,
                    got,
                });
            }
        }
        for (j, (m, v)) in self.mean.iter().zip(&self.variance).enumerate() {
            let (before, after) = (marginal(*v, from), marginal(*v, to));
            if before <= 0.0 {
                return Err(kernel::degenerate(from));
            }
            let factor = (after / before).sqrt();
            for (o, x) in out.iter_mut().zip(x).skip(j).step_by(dim) {
                *o = T::of(to.alpha * m + (x.f64() - from.alpha * m) * factor);
            }
        }
        Ok(())
    }
}

/// Variance of a coordinate at a noise level.
fn marginal(variance: f64, at: &NoiseLevel) -> f64 {
    at.alpha * at.alpha * variance + at.sigma * at.sigma
}

impl<S: HostState> Denoiser<S> for Gaussian {
    fn native(&self) -> Prediction {
        self.kind
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        kernel::eval(self, self.kind, x, at, out)
    }
}

impl Kernel for Gaussian {
    fn dim(&self) -> usize {
        self.mean.len()
    }

    fn work(&self) -> usize {
        10 * self.mean.len()
    }

    /// 1/c per coordinate, then the log of the normalising factor.
    fn constants_len(&self) -> usize {
        self.mean.len() + 1
    }

    fn prepare(&self, at: &NoiseLevel, constants: &mut [f64]) -> Result<(), EvalError> {
        let mut log_norm = 0.0;
        for (inverse, v) in constants.iter_mut().zip(&self.variance) {
            let c = marginal(*v, at);
            if c <= 0.0 {
                return Err(kernel::degenerate(at));
            }
            *inverse = 1.0 / c;
            log_norm -= 0.5 * (std::f64::consts::TAU * c).ln();
        }
        constants[self.mean.len()] = log_norm;
        Ok(())
    }

    fn scratch_len(&self, _: usize) -> usize {
        0
    }

    fn posterior(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        out: Posterior<'_>,
        _: &mut [f64],
    ) {
        let dim = self.mean.len();
        for (i, log_p) in out.log_density.iter_mut().enumerate() {
            let mut square = 0.0;
            for j in 0..dim {
                let r = x[i * dim + j] - at.alpha * self.mean[j];
                let q = r * constants[j];
                out.data[i * dim + j] = self.mean[j] + at.alpha * self.variance[j] * q;
                out.score[i * dim + j] = -q;
                square += r * q;
            }
            *log_p = constants[dim] - 0.5 * square;
        }
    }

    fn vjp(
        &self,
        at: &NoiseLevel,
        constants: &[f64],
        x: &[f64],
        w: &[f64],
        out: &mut [f64],
        _: &mut [f64],
    ) {
        let poison = poison(x);
        for (j, o) in out.iter_mut().enumerate() {
            *o = at.alpha * self.variance[j] * constants[j] * w[j] * poison;
        }
    }

    fn laplacian(&self, _: &NoiseLevel, constants: &[f64], x: &[f64], _: &mut [f64]) -> f64 {
        -constants[..self.mean.len()].iter().sum::<f64>() * poison(x)
    }
}

/// 1, or NaN when `x` is broken: a derivative that does not depend on x must still show it.
fn poison(x: &[f64]) -> f64 {
    if x.iter().all(|v| v.is_finite()) {
        1.0
    } else {
        f64::NAN
    }
}
