//! Divergences from vector-Jacobian products.
//!
//! - [`ExactTrace`]: one product with each unit vector, `dim` products an evaluation.
//! - [`Hutchinson`]: `E[vᵀ(∂y/∂x)v] = tr(∂y/∂x)` for v of mean 0 and covariance I; one product with one
//!   probe that stays the same during a solve, so that the right-hand side stays smooth.
//!
//! Use the first up to about 64 dimensions, the second above. Rademacher probes (signs) have the
//! smaller variance: `2Σ_{i≠j} Sᵢⱼ²` with S the symmetric part, against `2Σ Sᵢⱼ²` of normal ones.
//!
//! References: M. Hutchinson, *A stochastic estimator of the trace of the influence matrix*, 1990;
//! W. Grathwohl et al., *FFJORD*, 2019.

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    Denoiser, DivergenceDenoiser, EvalError, HostState, Key, NoiseLevel, Prediction, Scalar,
    VjpDenoiser,
};

/// A model whose divergence is the sum of its Jacobian's diagonal, found product by product.
pub struct ExactTrace<S, M> {
    model: M,
    scratch: Scratch<S>,
}

impl<S: HostState, M: VjpDenoiser<S>> ExactTrace<S, M> {
    /// Wraps a model. Rows of a batch must not influence one another.
    pub fn new(model: M) -> Self {
        Self {
            model,
            scratch: Scratch::default(),
        }
    }
}

impl<S: HostState, M: VjpDenoiser<S>> Denoiser<S> for ExactTrace<S, M> {
    fn native(&self) -> Prediction {
        self.model.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.model.eval(x, at, out)
    }
}

impl<S: HostState, M: VjpDenoiser<S>> DivergenceDenoiser<S> for ExactTrace<S, M> {
    fn divergence(&self, x: &S, at: &NoiseLevel, divergence: &mut [f64]) -> Result<(), EvalError> {
        let dim = sample_len(x, divergence)?;
        divergence.fill(0.0);
        let mut parameters = vec![0.0; self.model.params()];
        self.scratch.with(x, |unit| {
            self.scratch.with(x, |row| {
                for i in 0..dim {
                    for sample in unit.as_mut_slice().chunks_exact_mut(dim) {
                        for (j, u) in sample.iter_mut().enumerate() {
                            *u = S::Scalar::of(f64::from(u8::from(i == j)));
                        }
                    }
                    self.model.vjp(x, at, unit, row, &mut parameters)?;
                    for (d, row) in divergence.iter_mut().zip(row.as_slice().chunks_exact(dim)) {
                        *d += row[i].f64();
                    }
                }
                Ok(())
            })
        })
    }
}

/// A model whose divergence is estimated with one probe.
pub struct Hutchinson<S, M> {
    model: M,
    probe: S,
    scratch: Scratch<S>,
}

impl<S: HostState, M: VjpDenoiser<S>> Hutchinson<S, M> {
    /// With a given probe, of the shape of the states that will come.
    pub fn with_probe(model: M, probe: S) -> Self {
        Self {
            model,
            probe,
            scratch: Scratch::default(),
        }
    }

    /// With random signs in the shape of `like`.
    pub fn rademacher(model: M, like: &S, key: Key) -> Self {
        let mut probe = like.zeros_like();
        probe.fill_normal(key, STREAM);
        for v in probe.as_mut_slice() {
            *v = S::Scalar::of(1.0_f64.copysign(v.f64()));
        }
        Self::with_probe(model, probe)
    }

    /// With standard normal numbers in the shape of `like`.
    pub fn gaussian(model: M, like: &S, key: Key) -> Self {
        let mut probe = like.zeros_like();
        probe.fill_normal(key, STREAM);
        Self::with_probe(model, probe)
    }
}

/// Random stream of probes: far from those of samplers.
const STREAM: u64 = 0x7072_6f62_6500_0000;

impl<S: HostState, M: VjpDenoiser<S>> Denoiser<S> for Hutchinson<S, M> {
    fn native(&self) -> Prediction {
        self.model.native()
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.model.eval(x, at, out)
    }
}

impl<S: HostState, M: VjpDenoiser<S>> DivergenceDenoiser<S> for Hutchinson<S, M> {
    fn divergence(&self, x: &S, at: &NoiseLevel, divergence: &mut [f64]) -> Result<(), EvalError> {
        let dim = sample_len(x, divergence)?;
        if self.probe.len() != x.len() {
            return Err(EvalError::Length {
                what: "probe",
                expected: x.len(),
                got: self.probe.len(),
            });
        }
        let mut parameters = vec![0.0; self.model.params()];
        self.scratch.with(x, |product| {
            self.model
                .vjp(x, at, &self.probe, product, &mut parameters)?;
            let rows = self.probe.as_slice().chunks_exact(dim);
            let products = product.as_slice().chunks_exact(dim);
            for ((d, v), p) in divergence.iter_mut().zip(rows).zip(products) {
                *d = v.iter().zip(p).map(|(v, p)| v.f64() * p.f64()).sum();
            }
            Ok(())
        })
    }
}

/// Elements of one sample.
fn sample_len<S: HostState>(x: &S, divergence: &[f64]) -> Result<usize, EvalError> {
    let samples = divergence.len();
    let dim = x.len() / samples.max(1);
    if dim > 0 && dim * samples == x.len() {
        Ok(dim)
    } else {
        Err(EvalError::Length {
            what: "divergence (a number of samples that divides the state)",
            expected: x.len(),
            got: samples,
        })
    }
}
