//! Traces of operators that are never formed, by random probes.
//!
//! ```text
//! tr A    ≈ mean of zᵀA·z                              (Hutchinson; variance 2(‖A‖² − Σaᵢᵢ²) for signs, symmetric A)
//! tr A    = tr QᵀA·Q + tr (I−QQᵀ)A(I−QQᵀ)              (Hutch++: Q spans A·probes, the rest by Hutchinson)
//! tr f(A) ≈ mean of n·Σ wₖ·f(θₖ)                        (stochastic Lanczos quadrature)
//! tr A⁻¹B ≈ mean of zᵀA⁻¹B·z                            (one solve a probe: derivatives of log|A|)
//! ```
//!
//! θ and w are nodes and weights of the Gauss quadrature of the Lanczos process from z/‖z‖. Every estimate comes with
//! the standard error of its mean; the error of the quadrature itself, which more steps lower, is not in it. Probes are
//! a function of their number: signs of a [`Key`] ([`signs`]), normal numbers for states on any device ([`normals`]), or
//! whatever a closure writes.
//!
//! Sources: M. Hutchinson, *A stochastic estimator of the trace of the influence matrix*, 1990; R. Meyer, C. Musco,
//! C. Musco, D. Woodruff, *Hutch++: optimal stochastic trace estimation*, SOSA 2021; S. Ubaru, J. Chen, Y. Saad, *Fast
//! estimation of tr(f(A)) via stochastic Lanczos quadrature*, SIAM J. Matrix Anal. 38 (2017).

use ansatz_core::{HostState, Key, LinearMap, Scalar, State};

use crate::LinalgError;
use crate::error::within;
use crate::lanczos::Lanczos;

/// A mean over probes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The estimate.
    pub mean: f64,
    /// Standard error of the mean; infinite for a single probe.
    pub standard_error: f64,
    /// What each probe gave.
    pub samples: Vec<f64>,
}

impl Estimate {
    fn of(samples: Vec<f64>) -> Self {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|s| (s - mean) * (s - mean)).sum();
        let standard_error = if samples.len() > 1 {
            (squares / (n - 1.0) / n).sqrt()
        } else {
            f64::INFINITY
        };
        Self {
            mean,
            standard_error,
            samples,
        }
    }

    fn shifted(mut self, by: f64) -> Self {
        self.mean += by;
        for s in &mut self.samples {
            *s += by;
        }
        self
    }
}

/// Writes the probe of a number.
pub type Probe<'a, S> = dyn Fn(usize, &mut S) + 'a;

/// Random signs: the probes of least variance.
pub fn signs<S: HostState>(key: Key) -> impl Fn(usize, &mut S) {
    move |probe, z| {
        for (c, z) in z.as_mut_slice().chunks_mut(128).enumerate() {
            let bits = key.bits(probe as u64, c as u64);
            for (i, z) in z.iter_mut().enumerate() {
                let one = bits[i / 32] >> (i % 32) & 1;
                *z = S::Scalar::of(if one == 1 { 1.0 } else { -1.0 });
            }
        }
    }
}

/// Standard normal probes, on any device.
pub fn normals<S: State>(key: Key) -> impl Fn(usize, &mut S) {
    move |probe, z| z.fill_normal(key, probe as u64)
}

fn count(probes: usize) -> Result<(), LinalgError> {
    within("probes", probes as f64, 1.0.., "at least 1")
}

fn finite(probe: usize, what: &'static str, value: f64) -> Result<f64, LinalgError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(LinalgError::Breakdown {
        iteration: probe + 1,
        what,
        value,
    })
}

/// tr A from `probes` probes of the shape of `like`; one product each.
///
/// ```
/// use ansatz_linalg::core::{Key, OnHost};
/// use ansatz_linalg::{operator::Diagonal, trace};
/// let a = Diagonal::new(vec![1.0, 2.0, 3.0])?;
/// let probe = trace::signs(Key::new(1));
/// let trace = trace::hutchinson(&OnHost::new(&a), &vec![0.0; 3], &probe, 4)?;
/// assert_eq!(trace.mean, 6.0); // exact for diagonal matrices
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
///
/// # Errors
/// [`LinalgError::Parameter`] for no probes, [`LinalgError::Breakdown`] for products that are not finite, what the
/// operator reports.
pub fn hutchinson<S: State>(
    a: &dyn LinearMap<S>,
    like: &S,
    probe: &Probe<'_, S>,
    probes: usize,
) -> Result<Estimate, LinalgError> {
    count(probes)?;
    let (mut z, mut az) = (like.zeros_like(), like.zeros_like());
    let mut samples = Vec::new();
    for k in 0..probes {
        probe(k, &mut z);
        a.apply(&z, &mut az)?;
        samples.push(finite(k, "zᵀA·z", z.dot(&az))?);
    }
    Ok(Estimate::of(samples))
}

/// tr A by Hutch++: a third of the `products` makes a sketch A·S, a third the exact trace on its span, a third the
/// rest by Hutchinson. The error falls like 1/products where the spectrum decays, not like its root.
///
/// Memory: products/3 vectors. The standard error is that of the last part; the first is exact.
///
/// # Errors
/// As [`hutchinson`]; [`LinalgError::Parameter`] for fewer than three products.
pub fn hutch_pp<S: State>(
    a: &dyn LinearMap<S>,
    like: &S,
    probe: &Probe<'_, S>,
    products: usize,
) -> Result<Estimate, LinalgError> {
    within("products", products as f64, 3.0.., "at least 3")?;
    let third = products / 3;
    let (mut z, mut az) = (like.zeros_like(), like.zeros_like());
    let mut q: Vec<S> = Vec::new();
    for k in 0..third {
        probe(k, &mut z);
        a.apply(&z, &mut az)?;
        let before = finite(k, "the norm of A·z", az.norm())?;
        project_out(&q, &mut az);
        let norm = az.norm();
        // A sketch of lower rank than asked for is complete.
        if norm > before * 1e2 * f64::EPSILON * (like.len() as f64).sqrt() {
            az.lincomb(1.0 / norm, &[]);
            q.push(az.clone());
        }
    }
    let mut exact = 0.0;
    for (k, v) in q.iter().enumerate() {
        a.apply(v, &mut az)?;
        exact += finite(k, "qᵀA·q", v.dot(&az))?;
    }
    let mut samples = Vec::new();
    for k in 0..third {
        probe(third + k, &mut z);
        project_out(&q, &mut z);
        a.apply(&z, &mut az)?;
        samples.push(finite(k, "zᵀA·z", z.dot(&az))?);
    }
    Ok(Estimate::of(samples).shifted(exact))
}

fn project_out<S: State>(q: &[S], z: &mut S) {
    for _ in 0..2 {
        for v in q {
            let c = v.dot(z);
            z.lincomb(1.0, &[(-c, v)]);
        }
    }
}

/// tr f(A) of a symmetric operator by stochastic Lanczos quadrature.
///
/// Cost: `probes` runs of `lanczos`. With f = ln this is log|A| of a positive definite operator ([`log_det`]).
///
/// # Errors
/// As [`hutchinson`]; [`LinalgError::Breakdown`] where f is not finite at a node.
pub fn lanczos_quadrature<S: State>(
    a: &dyn LinearMap<S>,
    f: &dyn Fn(f64) -> f64,
    like: &S,
    probe: &Probe<'_, S>,
    probes: usize,
    lanczos: &Lanczos,
) -> Result<Estimate, LinalgError> {
    quadrature(a, like, probe, probes, lanczos, &|theta| Ok(f(theta)))
}

/// log|A| of a symmetric positive definite operator.
///
/// # Errors
/// As [`lanczos_quadrature`]; [`LinalgError::NotPositiveDefinite`] for a Ritz value that is not positive, with the
/// number of the probe.
pub fn log_det<S: State>(
    a: &dyn LinearMap<S>,
    like: &S,
    probe: &Probe<'_, S>,
    probes: usize,
    lanczos: &Lanczos,
) -> Result<Estimate, LinalgError> {
    quadrature(a, like, probe, probes, lanczos, &|theta| {
        if theta > 0.0 {
            Ok(theta.ln())
        } else {
            Err(theta)
        }
    })
}

fn quadrature<S: State>(
    a: &dyn LinearMap<S>,
    like: &S,
    probe: &Probe<'_, S>,
    probes: usize,
    lanczos: &Lanczos,
    f: &dyn Fn(f64) -> Result<f64, f64>,
) -> Result<Estimate, LinalgError> {
    count(probes)?;
    let mut z = like.zeros_like();
    let mut samples = Vec::new();
    for k in 0..probes {
        probe(k, &mut z);
        let run = lanczos.run(a, &z)?;
        let mut sum = 0.0;
        for (theta, weight) in run.matrix.quadrature()? {
            sum += weight
                * f(theta).map_err(|value| LinalgError::NotPositiveDefinite {
                    what: "operator, by a Ritz value of a probe",
                    at: k,
                    value,
                })?;
        }
        samples.push(finite(k, "the function at a Ritz value", z.dot(&z) * sum)?);
    }
    Ok(Estimate::of(samples))
}

/// tr A⁻¹B by the probes: the derivative of log|A| in the direction B = dA. `solve` writes A⁻¹·b into its second
/// argument, which holds zeros on entry.
///
/// # Errors
/// As [`hutchinson`], and those of the solves.
pub fn inverse_product<S: State>(
    mut solve: impl FnMut(&S, &mut S) -> Result<(), LinalgError>,
    b: &dyn LinearMap<S>,
    like: &S,
    probe: &Probe<'_, S>,
    probes: usize,
) -> Result<Estimate, LinalgError> {
    count(probes)?;
    let (mut z, mut bz, mut x) = (like.zeros_like(), like.zeros_like(), like.zeros_like());
    let mut samples = Vec::new();
    for k in 0..probes {
        probe(k, &mut z);
        b.apply(&z, &mut bz)?;
        x.lincomb(0.0, &[]);
        solve(&bz, &mut x)?;
        samples.push(finite(k, "zᵀA⁻¹B·z", z.dot(&x))?);
    }
    Ok(Estimate::of(samples))
}
