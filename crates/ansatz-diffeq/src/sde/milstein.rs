//! Milstein's method with exact derivatives.

use ansatz_core::{HostState, NoiseKind, Scalar, Sde, Tolerance, VjpControlField};

use super::diagonal::{add_product, ones};
use super::noisy::Step;
use super::{Calculus, check_components};
use crate::brownian::Brownian;
use crate::{StepError, Stepper};

/// X + fh + gW + g·g'·I₁₁ with I₁₁ = (W² − h)/2 (Itô) or W²/2 (Stratonovich), for diagonal noise. The
/// derivative is the equation's own ([`VjpControlField`]). The error estimate is the last term.
///
/// Source: G. Milstein, *Approximate integration of stochastic differential equations*, 1974.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milstein {
    /// In which calculus the equation is read.
    pub calculus: Calculus,
}

/// [`Milstein`] bound to an equation and a path.
pub struct MilsteinStepper<'a, S, W, E: ?Sized, B: ?Sized> {
    method: Milstein,
    equation: &'a E,
    path: &'a mut B,
    step: Step<W>,
    ones: W,
    /// I₁₁.
    control: W,
    drift: S,
    /// g, then the error estimate.
    diffusion: S,
    correction: S,
    next: S,
    /// Derivatives that the equation gives and nobody needs.
    unused: (W, Vec<f64>),
    nfe: usize,
}

impl<'a, S, W, E, B> MilsteinStepper<'a, S, W, E, B>
where
    S: HostState,
    W: HostState,
    E: Sde<S, W> + VjpControlField<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    /// Allocates for states like `like`.
    ///
    /// # Errors
    /// [`StepError::Noise`], [`StepError::Count`].
    pub fn new(
        method: Milstein,
        equation: &'a E,
        path: &'a mut B,
        like: &S,
    ) -> Result<Self, StepError> {
        let (noise, kind) = (path.like().len(), equation.noise());
        if kind != NoiseKind::Diagonal && like.len() != 1 {
            // One motion for several components would need products with g' from the right.
            let needs = "diagonal noise";
            let method = "Milstein";
            return Err(StepError::Noise {
                method,
                kind,
                needs,
            });
        }
        check_components(like.len(), noise)?;
        let (zeros, like) = (like.zeros_like(), path.like());
        Ok(Self {
            method,
            equation,
            step: Step::new(path),
            ones: ones(like),
            control: like.zeros_like(),
            unused: (like.zeros_like(), vec![0.0; equation.control_params()]),
            path,
            drift: zeros.clone(),
            diffusion: zeros.clone(),
            correction: zeros.clone(),
            next: zeros,
            nfe: 0,
        })
    }
}

impl<S, W, E, B> Stepper<S> for MilsteinStepper<'_, S, W, E, B>
where
    S: HostState,
    W: HostState,
    E: Sde<S, W> + VjpControlField<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    fn error_order(&self) -> Option<f64> {
        Some(1.5)
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.step.query(self.path, t, h)?;
        let failed = |source| StepError::Eval { t, source };
        let w = self.step.increment.w();
        for (u, w) in self.control.as_mut_slice().iter_mut().zip(w.as_slice()) {
            *u = W::Scalar::of(self.method.calculus.iterated(w.f64(), h)[0]);
        }
        let equation = self.equation;
        equation.eval(t, y, &mut self.drift).map_err(failed)?;
        equation
            .apply(t, y, &self.ones, &mut self.diffusion)
            .map_err(failed)?;
        crate::stepper::same_length(t, y, &self.drift)?;
        crate::stepper::same_length(t, y, &self.diffusion)?;
        // g'·I₁₁·g: the derivative of G·I₁₁, transposed (it is diagonal), times g.
        equation
            .control_vjp(
                t,
                y,
                &self.control,
                &self.diffusion,
                &mut self.correction,
                &mut self.unused.0,
                &mut self.unused.1,
            )
            .map_err(failed)?;
        self.nfe += 3;
        let terms = [(1.0, y), (h, &self.drift), (1.0, &self.correction)];
        self.next.lincomb(0.0, &terms);
        let w = w.as_slice();
        add_product(&mut self.next, &self.diffusion, |k| w[k].f64());
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, _: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        if !self.next.is_finite() {
            return Ok(f64::NAN);
        }
        Ok(self.correction.error_norm(y, &self.next, tolerance))
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
    }

    fn restart(&mut self) {}

    fn nfe(&self) -> usize {
        self.nfe
    }
}
