//! Stable forms of learned stochastic equations: Langevin-type, linear noise, geometric.
//!
//! | form | equation (Itô, diagonal noise) | keeps |
//! |---|---|---|
//! | [`Form::Langevin`] | dz = γ(t, z) dt + σ(t) dW | a stationary law, if γ confines |
//! | [`Form::LinearNoise`] | dz = γ(t, z) dt + σ(t)∘z dW | solutions: noise grows no faster than z |
//! | [`Form::Geometric`] | dz = z∘γ(t, z) dt + z∘σ(t) dW | the sign of z, and 0 |
//!
//! γ is any field, a network mostly; σ depends on time alone, which is what the theorems on stability under
//! missing data need: a diffusion σ(t, z) of a general network has no such guarantee. A control path X enters through
//! γ, which may look at X(t).
//!
//! Euler's method on the geometric form crosses 0 with probability Φ(−(1 + γh)/(σ√h)) a step; [`LOG_EULER`] steps by
//! z·exp((γ − σ²/2)h + σΔW), which is exact for constant γ and σ, never does, and has
//! strong order 1: in ln z the noise is additive.
//!
//! Cost: one evaluation of γ and one of σ a step. Source: Y. Oh, D. Lim, S. Kim, *Stable neural stochastic
//! differential equations in analyzing irregular time series data*, 2024.

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    ControlField, EvalError, HostState, NoiseKind, Scalar, Sde, State, Tolerance, VectorField,
    VjpControlField, VjpField,
};

use super::noisy::Step;
use super::{Calculus, Method, check_components};
use crate::brownian::Brownian;
use crate::{StepError, Stepper};

/// σ(t), a number for each component of the state. Closures qualify.
pub trait Volatility<S: State>: Sync {
    /// `out ← σ(t)`.
    ///
    /// # Errors
    /// Whatever the function reports.
    fn eval(&self, t: f64, out: &mut S) -> Result<(), EvalError>;
}

impl<S: State, F: Fn(f64, &mut S) -> Result<(), EvalError> + Sync> Volatility<S> for F {
    fn eval(&self, t: f64, out: &mut S) -> Result<(), EvalError> {
        self(t, out)
    }
}

/// A volatility with derivatives.
pub trait VjpVolatility<S: State>: Volatility<S> {
    /// Number of parameters.
    fn params(&self) -> usize;

    /// `p_bar += (∂σ/∂p)ᵀ·w`.
    ///
    /// # Errors
    /// Whatever the function reports.
    fn vjp(&self, t: f64, w: &S, p_bar: &mut [f64]) -> Result<(), EvalError>;
}

/// How drift and noise depend on the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// dz = γ dt + σ(t) dW.
    Langevin,
    /// dz = γ dt + σ(t)∘z dW.
    LinearNoise,
    /// dz = z∘γ dt + z∘σ(t) dW.
    Geometric,
}

/// A stochastic equation of a stable form. Its parameters are those of γ, then those of σ.
pub struct Stable<S, F, V> {
    /// The form.
    pub form: Form,
    /// γ.
    pub drift: F,
    /// σ.
    pub volatility: V,
    pool: Scratch<S>,
}

impl<S: State, F, V> Stable<S, F, V> {
    /// An equation from its two functions.
    pub fn new(form: Form, drift: F, volatility: V) -> Self {
        Self {
            form,
            drift,
            volatility,
            pool: Scratch::default(),
        }
    }
}

/// `out ← a∘b`.
fn product<S: HostState>(a: &S, b: &S, out: &mut S) {
    out.assign(a);
    multiply(out, b);
}

/// `x ← x∘y`.
fn multiply<S: HostState>(x: &mut S, y: &S) {
    for (x, y) in x.as_mut_slice().iter_mut().zip(y.as_slice()) {
        *x *= *y;
    }
}

impl<S, F, V> VectorField<S> for Stable<S, F, V>
where
    S: HostState,
    F: VectorField<S>,
    V: Sync,
{
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        self.drift.eval(t, x, dx)?;
        if self.form == Form::Geometric {
            same_length("drift", x, dx)?;
            multiply(dx, x);
        }
        Ok(())
    }
}

impl<S, F, V> ControlField<S> for Stable<S, F, V>
where
    S: HostState,
    F: Sync,
    V: Volatility<S>,
{
    fn apply(&self, t: f64, x: &S, u: &S, out: &mut S) -> Result<(), EvalError> {
        self.volatility.eval(t, out)?;
        same_length("volatility", x, out)?;
        same_length("increment", x, u)?;
        multiply(out, u);
        if self.form != Form::Langevin {
            multiply(out, x);
        }
        Ok(())
    }
}

impl<S, F, V> Sde<S> for Stable<S, F, V>
where
    S: HostState,
    F: VectorField<S>,
    V: Volatility<S>,
{
    fn noise(&self) -> NoiseKind {
        match self.form {
            Form::Langevin => NoiseKind::Additive,
            _ => NoiseKind::Diagonal,
        }
    }
}

impl<S, F, V> VjpField<S> for Stable<S, F, V>
where
    S: HostState,
    F: VjpField<S>,
    V: VjpVolatility<S>,
{
    fn params(&self) -> usize {
        self.drift.params() + self.volatility.params()
    }

    fn vjp(&self, t: f64, x: &S, w: &S, x_bar: &mut S, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let own = self.drift.params();
        let p_bar = p_bar.get_mut(..own).ok_or(EvalError::Length {
            what: "p_bar",
            expected: own,
            got: 0,
        })?;
        if self.form != Form::Geometric {
            return self.drift.vjp(t, x, w, x_bar, p_bar);
        }
        // y = z∘γ: z̄ = γ∘w + (∂γ/∂z)ᵀ(z∘w).
        self.pool.with(x, |scratch| {
            product(x, w, scratch);
            self.drift.vjp(t, x, scratch, x_bar, p_bar)?;
            self.drift.eval(t, x, scratch)?;
            same_length("drift", x, scratch)?;
            multiply(scratch, w);
            x_bar.lincomb(1.0, &[(1.0, scratch)]);
            Ok(())
        })
    }
}

impl<S, F, V> VjpControlField<S> for Stable<S, F, V>
where
    S: HostState,
    F: VjpField<S>,
    V: VjpVolatility<S>,
{
    fn control_params(&self) -> usize {
        self.params()
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &S,
        u: &S,
        w: &S,
        x_bar: &mut S,
        u_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let (before, all) = (self.drift.params(), self.params());
        let got = p_bar.len();
        let p_bar = p_bar.get_mut(before..all).ok_or(EvalError::Length {
            what: "p_bar",
            expected: all,
            got,
        })?;
        same_length("increment", x, u)?;
        // y = σ∘u (∘x).
        let with_state = self.form != Form::Langevin;
        self.pool.with(x, |scratch| {
            product(u, w, scratch);
            if with_state {
                multiply(scratch, x);
            }
            self.volatility.vjp(t, scratch, p_bar)?;
            self.volatility.eval(t, scratch)?;
            same_length("volatility", x, scratch)?;
            multiply(scratch, w);
            u_bar.assign(scratch);
            if with_state {
                multiply(u_bar, x);
                product(scratch, u, x_bar);
            } else {
                x_bar.lincomb(0.0, &[]);
            }
            Ok(())
        })
    }
}

fn same_length<S: State>(what: &'static str, x: &S, out: &S) -> Result<(), EvalError> {
    if out.len() == x.len() {
        return Ok(());
    }
    Err(EvalError::Length {
        what,
        expected: x.len(),
        got: out.len(),
    })
}

/// z·exp((γ − σ²/2)h + σΔW) for [`Form::Geometric`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEuler;

/// The exponential Euler method of geometric equations.
pub const LOG_EULER: LogEuler = LogEuler;

/// [`LogEuler`] bound to an equation and a path.
pub struct LogEulerStepper<'a, S, F, V, B: ?Sized> {
    equation: &'a Stable<S, F, V>,
    path: &'a mut B,
    step: Step<S>,
    drift: S,
    volatility: S,
    next: S,
    nfe: usize,
}

impl<S, F, V, B> Method<S, S, Stable<S, F, V>, B> for LogEuler
where
    S: HostState,
    F: VectorField<S>,
    V: Volatility<S>,
    B: Brownian<S> + ?Sized,
{
    fn name(&self) -> &'static str {
        "logarithmic Euler"
    }

    fn calculus(&self) -> Calculus {
        Calculus::Ito
    }

    fn stepper<'a>(
        &self,
        equation: &'a Stable<S, F, V>,
        path: &'a mut B,
        like: &S,
    ) -> Result<Box<dyn Stepper<S> + 'a>, StepError>
    where
        S: 'a,
    {
        let name = "logarithmic Euler";
        if equation.form != Form::Geometric {
            return Err(StepError::Noise {
                method: name,
                kind: equation.noise(),
                needs: "the geometric form",
            });
        }
        check_components(like.len(), path.like().len())?;
        Ok(Box::new(LogEulerStepper {
            equation,
            step: Step::new(path),
            path,
            drift: like.zeros_like(),
            volatility: like.zeros_like(),
            next: like.zeros_like(),
            nfe: 0,
        }))
    }
}

impl<S, F, V, B> Stepper<S> for LogEulerStepper<'_, S, F, V, B>
where
    S: HostState,
    F: VectorField<S>,
    V: Volatility<S>,
    B: Brownian<S> + ?Sized,
{
    fn error_order(&self) -> Option<f64> {
        None
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.step.query(self.path, t, h)?;
        let failed = |source| StepError::Eval { t, source };
        let equation = self.equation;
        equation.drift.eval(t, y, &mut self.drift).map_err(failed)?;
        equation
            .volatility
            .eval(t, &mut self.volatility)
            .map_err(failed)?;
        crate::stepper::same_length(t, y, &self.drift)?;
        crate::stepper::same_length(t, y, &self.volatility)?;
        self.nfe += 2;
        let w = self.step.increment.w().as_slice();
        let rates = self.drift.as_slice().iter().zip(self.volatility.as_slice());
        let parts = y.as_slice().iter().zip(rates).enumerate();
        for (z, (k, (y, (gamma, sigma)))) in self.next.as_mut_slice().iter_mut().zip(parts) {
            let w = w[k].f64();
            let (gamma, sigma) = (gamma.f64(), sigma.f64());
            let growth = (gamma - 0.5 * sigma * sigma) * h + sigma * w;
            *z = S::Scalar::of(y.f64() * growth.exp());
        }
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, _: f64, _: &S, _: Tolerance) -> Result<f64, StepError> {
        Ok(0.0)
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
    }

    fn restart(&mut self) {}

    fn nfe(&self) -> usize {
        self.nfe
    }
}
