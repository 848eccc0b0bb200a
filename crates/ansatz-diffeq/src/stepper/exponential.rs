//! Exponential time differencing of order 4.
//!
//! For y' = L y + N(t, y) with a diagonal L (a spectral discretisation), the linear part is solved
//! exactly: with E = e^{hL}, E₂ = e^{hL/2},
//!
//! a = E₂y + Q N(y), b = E₂y + Q N(a), c = E₂a + Q (2N(b) − N(y)),
//! y' = E y + f₁N(y) + 2f₂(N(a) + N(b)) + f₃N(c).
//!
//! Q, f₁, f₂, f₃ are functions of hL that cancel near 0, so they are means over a circle around hL
//! (Kassam and Trefethen). They are worked out once for each step size.
//!
//! Cost: four evaluations of N and five states a step. Use it for equations that are stiff in L only.
//!
//! References: S. Cox, P. Matthews, *Exponential time differencing for stiff systems*, 2002, eq.
//! 26 to 29; A.-K. Kassam, L. Trefethen, *Fourth-order time-stepping for stiff PDEs*, 2005, section 3.

use std::f64::consts::PI;

use ansatz_core::{HostState, Scalar, Tolerance, VectorField};
use num_complex::Complex64;

use super::{Stepper, evaluate, hermite};
use crate::StepError;
use crate::integrate::same;

/// The diagonal of L.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Spectrum {
    /// One real number for each element of the state.
    Real(Vec<f64>),
    /// One complex number (real and imaginary part) for each two elements of the state, which are
    /// the parts of a complex one.
    Complex(Vec<[f64; 2]>),
}

/// Points of the circle. The means converge geometrically; 64 is beyond rounding.
const POINTS: usize = 64;

/// Coefficients of one eigenvalue for one step size.
#[derive(Clone, Copy, Default)]
struct Weights {
    full: Complex64,
    half: Complex64,
    q: Complex64,
    f: [Complex64; 3],
}

/// ETDRK4, bound to a spectrum and a nonlinear part.
///
/// ```
/// use ansatz_diffeq::{Control, Etdrk4, Spectrum, integrate};
/// // y' = −1000 y + 1000 sin t + cos t has the solution sin t: stiff, but only in L.
/// let rest = |t: f64, _: &[f64; 1], out: &mut [f64; 1]| {
///     out[0] = 1000.0 * t.sin() + t.cos();
///     Ok(())
/// };
/// let mut y = [0.0];
/// let mut method = Etdrk4::new(Spectrum::Real(vec![-1000.0]), &rest, &y)?;
/// integrate(&mut method, &[0.0, 1.0], &mut y, &Control::fixed(20), &mut ())?;
/// assert!((y[0] - 1.0_f64.sin()).abs() < 1e-5);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub struct Etdrk4<'a, S, F: ?Sized> {
    spectrum: Spectrum,
    rest: &'a F,
    weights: Vec<Weights>,
    /// Size that the weights belong to; 0 at first.
    h: f64,
    /// N at y, a, b, c.
    slopes: [S; 4],
    /// a, then b, then c; then the result.
    next: S,
    /// a is needed for c.
    first_stage: S,
    has_first: bool,
    nfe: usize,
}

impl<'a, S: HostState, F: VectorField<S> + ?Sized> Etdrk4<'a, S, F> {
    /// Allocates for states like `like`.
    ///
    /// # Errors
    /// [`StepError::Count`] when the spectrum does not fit the state, [`StepError::Option`] when it
    /// is not finite.
    pub fn new(spectrum: Spectrum, rest: &'a F, like: &S) -> Result<Self, StepError> {
        let (count, per) = match &spectrum {
            Spectrum::Real(l) => (l.len(), 1),
            Spectrum::Complex(l) => (l.len(), 2),
        };
        if count * per != like.len() {
            return Err(StepError::Count {
                what: "elements of the spectrum (half as many for a complex one)",
                expected: like.len() / per,
                got: count,
            });
        }
        let bad = match &spectrum {
            Spectrum::Real(l) => l.iter().copied().find(|v| !v.is_finite()),
            Spectrum::Complex(l) => l.iter().flatten().copied().find(|v| !v.is_finite()),
        };
        if let Some(value) = bad {
            return Err(StepError::Option {
                name: "spectrum",
                value,
                allowed: "finite numbers",
            });
        }
        let zeros = || like.zeros_like();
        Ok(Self {
            spectrum,
            rest,
            weights: vec![Weights::default(); count],
            h: 0.0,
            slopes: [zeros(), zeros(), zeros(), zeros()],
            next: zeros(),
            first_stage: zeros(),
            has_first: false,
            nfe: 0,
        })
    }

    fn prepare(&mut self, h: f64) {
        if same(self.h, h) {
            return;
        }
        self.h = h;
        match &self.spectrum {
            Spectrum::Real(l) => {
                for (w, l) in self.weights.iter_mut().zip(l) {
                    *w = weights(h, Complex64::new(*l, 0.0));
                }
            }
            Spectrum::Complex(l) => {
                for (w, [re, im]) in self.weights.iter_mut().zip(l) {
                    *w = weights(h, Complex64::new(*re, *im));
                }
            }
        }
    }

    /// N at stage `i`'s argument, which is in `next`.
    fn stage(&mut self, i: usize, t: f64) -> Result<(), StepError> {
        evaluate(&mut &*self.rest, t, &self.next, &mut self.slopes[i])?;
        self.nfe += 1;
        Ok(())
    }
}

/// The weights of eigenvalue `l`.
fn weights(h: f64, l: Complex64) -> Weights {
    let z0 = l * h;
    let mut sums = [Complex64::default(); 4];
    for m in 0..POINTS {
        let angle = 2.0 * PI * (m as f64 + 0.5) / POINTS as f64;
        let z = z0 + Complex64::from_polar(1.0, angle);
        let (e, half, z3) = (z.exp(), (0.5 * z).exp(), z * z * z);
        sums[0] += (half - 1.0) / z;
        sums[1] += (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / z3;
        sums[2] += (2.0 + z + e * (z - 2.0)) / z3;
        sums[3] += (-4.0 - 3.0 * z - z * z + e * (4.0 - z)) / z3;
    }
    let [q, f1, f2, f3] = sums.map(|s| s * (h / POINTS as f64));
    Weights {
        full: z0.exp(),
        half: (0.5 * z0).exp(),
        q,
        f: [f1, f2, f3],
    }
}

/// `out ← Σ c(w)·x`, element by element, for real or complex elements.
fn apply<S: HostState, const N: usize>(
    spectrum: &Spectrum,
    weights: &[Weights],
    terms: [&S; N],
    c: impl Fn(&Weights) -> [Complex64; N],
    out: &mut S,
) {
    let terms = terms.map(HostState::as_slice);
    let out = out.as_mut_slice();
    match spectrum {
        Spectrum::Real(_) => {
            for (i, (o, w)) in out.iter_mut().zip(weights).enumerate() {
                let c = c(w);
                *o = S::Scalar::of((0..N).map(|k| c[k].re * terms[k][i].f64()).sum());
            }
        }
        Spectrum::Complex(_) => {
            for (i, (o, w)) in out.chunks_exact_mut(2).zip(weights).enumerate() {
                let c = c(w);
                let sum: Complex64 = (0..N)
                    .map(|k| {
                        let (re, im) = (terms[k][2 * i].f64(), terms[k][2 * i + 1].f64());
                        c[k] * Complex64::new(re, im)
                    })
                    .sum();
                o[0] = S::Scalar::of(sum.re);
                o[1] = S::Scalar::of(sum.im);
            }
        }
    }
}

impl<S: HostState, F: VectorField<S> + ?Sized> Stepper<S> for Etdrk4<'_, S, F> {
    fn error_order(&self) -> Option<f64> {
        None
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.prepare(h);
        if !self.has_first {
            evaluate(&mut &*self.rest, t, y, &mut self.slopes[0])?;
            self.nfe += 1;
            self.has_first = true;
        }
        let middle = t + 0.5 * h;
        let step = |w: &Weights| [w.half, w.q];
        {
            let Self {
                spectrum,
                weights,
                slopes,
                first_stage,
                ..
            } = self;
            apply(spectrum, weights, [y, &slopes[0]], step, first_stage);
            self.next.assign(&self.first_stage);
        }
        self.stage(1, middle)?;
        apply(
            &self.spectrum,
            &self.weights,
            [y, &self.slopes[1]],
            step,
            &mut self.next,
        );
        self.stage(2, middle)?;
        apply(
            &self.spectrum,
            &self.weights,
            [&self.first_stage, &self.slopes[2], &self.slopes[0]],
            |w| [w.half, 2.0 * w.q, -w.q],
            &mut self.next,
        );
        self.stage(3, t + h)?;
        let [n0, n1, n2, n3] = &self.slopes;
        apply(
            &self.spectrum,
            &self.weights,
            [y, n0, n1, n2, n3],
            |w| [w.full, w.f[0], 2.0 * w.f[1], 2.0 * w.f[1], w.f[2]],
            &mut self.next,
        );
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, _: f64, _: &S, _: Tolerance) -> Result<f64, StepError> {
        Ok(f64::NAN)
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
        self.has_first = false;
    }

    fn restart(&mut self) {
        self.has_first = false;
    }

    fn nfe(&self) -> usize {
        self.nfe
    }

    /// The cubic Hermite polynomial, with slopes L y + N at both ends.
    fn interpolate(
        &mut self,
        t: f64,
        h: f64,
        theta: f64,
        y: &S,
        out: &mut S,
    ) -> Result<(), StepError> {
        // The inner stages' slopes are spent; they hold the slopes at both ends now.
        evaluate(&mut &*self.rest, t + h, &self.next, &mut self.slopes[3])?;
        self.nfe += 1;
        let [n0, start, end, n1] = &mut self.slopes;
        for (x, n, slope) in [(y, n0, start), (&self.next, n1, end)] {
            slope.assign(n);
            add_linear(&self.spectrum, x, slope);
        }
        let [_, start, end, _] = &self.slopes;
        hermite(theta, h, (y, start), (&self.next, end), out);
        Ok(())
    }
}

/// `out ← out + L·x`.
fn add_linear<S: HostState>(spectrum: &Spectrum, x: &S, out: &mut S) {
    let (x, out) = (x.as_slice(), out.as_mut_slice());
    match spectrum {
        Spectrum::Real(l) => {
            for ((o, x), l) in out.iter_mut().zip(x).zip(l) {
                *o = S::Scalar::of(o.f64() + l * x.f64());
            }
        }
        Spectrum::Complex(l) => {
            for ((o, x), [re, im]) in out.chunks_exact_mut(2).zip(x.chunks_exact(2)).zip(l) {
                let (a, b) = (x[0].f64(), x[1].f64());
                o[0] = S::Scalar::of(o[0].f64() + re * a - im * b);
                o[1] = S::Scalar::of(o[1].f64() + re * b + im * a);
            }
        }
    }
}
