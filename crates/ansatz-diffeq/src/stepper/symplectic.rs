//! Symplectic methods for separable mechanics q' = v(p), p' = F(t, q).
//!
//! Compositions of Verlet's step p += ½h·F; q += h·v(p); p += ½h·F. The energy error stays bounded
//! over exponentially many steps, as long as h is constant.
//!
//! Cost: one force a substep. Use them for long times; over short ones a Runge-Kutta pair is
//! cheaper. Reference: E. Hairer, C. Lubich, G. Wanner, *Geometric numerical integration*, 2nd
//! edition, 2006, sections I.1 and V.3; H. Yoshida, *Construction of higher order symplectic
//! integrators*, 1990.

use ansatz_core::{State, Tolerance, VectorField};

use super::{Stepper, evaluate, hermite};
use crate::StepError;

/// A symmetric sequence of Verlet steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composition {
    /// Name for messages.
    pub name: &'static str,
    /// Order.
    pub order: u32,
    /// Sizes of the substeps as parts of the step; they sum to 1.
    pub weights: &'static [f64],
}

/// Verlet's method, also known as leapfrog and Störmer's method (order 2).
pub const VERLET: Composition = Composition {
    name: "Verlet",
    order: 2,
    weights: &[1.0],
};

/// Yoshida's method of order 4: w₁ = 1/(2 − 2^{1/3}), w₀ = −2^{1/3} w₁.
pub const YOSHIDA4: Composition = Composition {
    name: "Yoshida 4",
    order: 4,
    weights: &[1.3512071919596578, -1.7024143839193155, 1.3512071919596578],
};

/// Yoshida's method of order 6, his solution A.
pub const YOSHIDA6: Composition = Composition {
    name: "Yoshida 6",
    order: 6,
    weights: &[
        0.784513610477560,
        0.235573213359357,
        -1.17767998417887,
        1.3151863206839063,
        -1.17767998417887,
        0.235573213359357,
        0.784513610477560,
    ],
};

/// A composition bound to a velocity and a force, on pairs (q, p).
///
/// ```
/// use ansatz_diffeq::{Control, Symplectic, VERLET, integrate};
/// let velocity = |_: f64, p: &[f64; 1], v: &mut [f64; 1]| {
///     *v = *p;
///     Ok(())
/// };
/// let spring = |_: f64, q: &[f64; 1], f: &mut [f64; 1]| {
///     f[0] = -q[0];
///     Ok(())
/// };
/// let mut y = ([1.0], [0.0]);
/// let mut method = Symplectic::new(&VERLET, &velocity, &spring, &y);
/// integrate(&mut method, &[0.0, 1000.0], &mut y, &Control::constant(0.1), &mut ())?;
/// let energy = 0.5 * (y.0[0] * y.0[0] + y.1[0] * y.1[0]);
/// assert!((energy - 0.5).abs() < 2e-3);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub struct Symplectic<'a, S, V: ?Sized, F: ?Sized> {
    composition: &'a Composition,
    velocity: &'a V,
    force: &'a F,
    /// (v, F) at the start of the step, and at its end.
    slopes: [(S, S); 2],
    next: (S, S),
    has_first: bool,
    nfe: usize,
}

impl<'a, S, V, F> Symplectic<'a, S, V, F>
where
    S: State,
    V: VectorField<S> + ?Sized,
    F: VectorField<S> + ?Sized,
{
    /// Allocates for pairs like `like`. `velocity` is v(p), which must not depend on the time;
    /// `force` is F(t, q).
    pub fn new(composition: &'a Composition, velocity: &'a V, force: &'a F, like: &(S, S)) -> Self {
        Self {
            composition,
            velocity,
            force,
            slopes: [like.zeros_like(), like.zeros_like()],
            next: like.zeros_like(),
            has_first: false,
            nfe: 0,
        }
    }
}

impl<S, V, F> Stepper<(S, S)> for Symplectic<'_, S, V, F>
where
    S: State,
    V: VectorField<S> + ?Sized,
    F: VectorField<S> + ?Sized,
{
    fn error_order(&self) -> Option<f64> {
        None
    }

    fn attempt(&mut self, t: f64, h: f64, y: &(S, S)) -> Result<(), StepError> {
        let [(_, first), (v, force)] = &mut self.slopes;
        if !self.has_first {
            evaluate(&mut &*self.force, t, &y.0, first)?;
            self.nfe += 1;
            self.has_first = true;
        }
        let (q, p) = &mut self.next;
        q.assign(&y.0);
        // Kicks at the seams of two substeps are one kick.
        let mut pending = 0.0;
        let mut at = t;
        p.assign(&y.1);
        for (i, w) in self.composition.weights.iter().enumerate() {
            let kick = 0.5 * h * w;
            let known = if i == 0 { &*first } else { &*force };
            p.lincomb(1.0, &[(pending + kick, known)]);
            evaluate(&mut &*self.velocity, at, p, v)?;
            q.lincomb(1.0, &[(h * w, v)]);
            at += h * w;
            evaluate(&mut &*self.force, at, q, force)?;
            self.nfe += 1;
            pending = kick;
        }
        p.lincomb(1.0, &[(pending, force)]);
        Ok(())
    }

    fn next(&self) -> &(S, S) {
        &self.next
    }

    fn error(&mut self, _: f64, _: f64, _: &(S, S), _: Tolerance) -> Result<f64, StepError> {
        Ok(f64::NAN)
    }

    fn accept(&mut self, y: &mut (S, S)) {
        std::mem::swap(y, &mut self.next);
        self.slopes.swap(0, 1);
    }

    fn restart(&mut self) {
        self.has_first = false;
    }

    fn nfe(&self) -> usize {
        self.nfe
    }

    fn interpolate(
        &mut self,
        t: f64,
        h: f64,
        theta: f64,
        y: &(S, S),
        out: &mut (S, S),
    ) -> Result<(), StepError> {
        let [(v, f), (v1, f1)] = &mut self.slopes;
        evaluate(&mut &*self.velocity, t, &y.1, v)?;
        evaluate(&mut &*self.velocity, t + h, &self.next.1, v1)?;
        hermite(theta, h, (&y.0, v), (&self.next.0, v1), &mut out.0);
        hermite(theta, h, (&y.1, f), (&self.next.1, f1), &mut out.1);
        Ok(())
    }
}
