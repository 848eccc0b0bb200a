//! Stochastic differential equations dX = f(t, X) dt + G(t, X) dW.
//!
//! [`solve`] carries a state along a Brownian path with one of these methods. The method says in which
//! calculus the equation is read: Itô's or Stratonovich's.
//!
//! | method | calculus | noise | strong order | f, G per step |
//! |---|---|---|---|---|
//! | [`EULER_MARUYAMA`] | Itô | any | ½; 1 additive | 1, 1 |
//! | [`EULER_HEUN`] | Stratonovich | any | ½; 1 commutative | 1, 2 |
//! | [`HEUN`] | Stratonovich | any | ½; 1 commutative | 2, 2 |
//! | [`MIDPOINT`] | Stratonovich | any | ½; 1 commutative | 2, 2 |
//! | [`REVERSIBLE_HEUN`] | Stratonovich | any | ½; 1 additive | 2, 2 |
//! | [`Milstein`] | either | diagonal, with derivatives | 1 | 1, 1 and a product |
//! | [`MILSTEIN_ITO`] | Itô | diagonal, scalar | 1 | 1, 2 |
//! | [`MILSTEIN_STRATONOVICH`] | Stratonovich | diagonal, scalar | 1 | 1, 3 |
//! | [`SRA1`] | both | additive | 1.5 | 2, 3 |
//! | [`SHARK`] | both | additive | 1.5 | 2, 2 |
//! | [`SRID2`] | Itô | diagonal, scalar | 1.5 | 3, 4 |
//! | [`LOG_EULER`] | Itô | geometric equations ([`Stable`]) | 1; keeps signs | 1, 1 |
//!
//! Three families of tables and two methods by themselves: any explicit Runge-Kutta table runs on the slope
//! f + G·ΔW/h ([`NoisyField`]) and converges to the Stratonovich solution (Euler's to the Itô one);
//! [`SrkTableau`] lists evaluations of f and of G times combinations of W and H; [`DiagonalTableau`] is
//! Rössler's form with iterated integrals. Your own tables work.
//!
//! Steps are equal, or controlled where a method has an error estimate ([`Control::adaptive`] with
//! [`Gains::NOISY`] and a first step): rejected steps ask the same path again. [`Doubled`] makes an estimate for those
//! without. Controlled steps with an Itô method of order ½ may converge to a wrong limit, so Euler-Maruyama has none.
//!
//! An equation of one calculus with diagonal noise becomes one of the other by [`Converted`].
//!
//! A step allocates nothing and is a pure function of (t, h, y, path). Vectorise over samples: a state
//! of 20 000 components is 20 000 paths of a scalar equation.
//!
//! References: P. Kloeden, E. Platen, *Numerical solution of stochastic differential equations*, 1992; A.
//! Rößler, *Runge-Kutta methods for the strong approximation of solutions of stochastic differential
//! equations*, 2010; J. Foster, G. dos Reis, C. Strange, *High order splitting methods for SDEs satisfying a
//! commutativity condition*, 2023 (ShARK); P. Kidger, *On neural differential equations*, 2022, chapter 5.

mod convert;
mod diagonal;
mod milstein;
mod noisy;
mod srk;
mod stable;

use ansatz_core::{HostState, NoiseKind, Observer, Report, Sde, State, VjpControlField};

use crate::brownian::{Brownian, LevyArea};
use crate::integrate::{Accepted, first_output, integrate, outputs_at_stops};
use crate::stepper::Doubling;
use crate::{Control, ReversibleHeun, RungeKutta, StepError, StepSize, Stepper, Tableau, tableau};

pub use convert::Converted;
pub use diagonal::{
    DiagonalRungeKutta, DiagonalTableau, MILSTEIN_ITO, MILSTEIN_STRATONOVICH, SRID2,
};
pub use milstein::{Milstein, MilsteinStepper};
pub use noisy::{NoisyField, Unpaired};
pub use srk::{At, Call, EULER_HEUN, SHARK, SRA1, SrkTableau, StochasticRungeKutta, Term};
pub use stable::{Form, LOG_EULER, LogEuler, LogEulerStepper, Stable, VjpVolatility, Volatility};

#[cfg(doc)]
use crate::Gains;

/// How ∫G dW is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calculus {
    /// G at the beginning of each piece.
    Ito,
    /// G in the middle: the ordinary chain rule holds.
    Stratonovich,
}

impl Calculus {
    /// ∫∫dW dW and ∫∫∫dW dW dW over a step of size h with increment w.
    #[must_use]
    pub fn iterated(self, w: f64, h: f64) -> [f64; 2] {
        match self {
            Self::Ito => [0.5 * (w * w - h), w * (w * w - 3.0 * h) / 6.0],
            Self::Stratonovich => [0.5 * w * w, w * w * w / 6.0],
        }
    }
}

/// A method for stochastic equations: binds itself to an equation and a path.
pub trait Method<S: State, W: State, E: ?Sized, B: ?Sized>: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// In which calculus it reads the equation.
    fn calculus(&self) -> Calculus;

    /// The stepper for states like `like`.
    ///
    /// # Errors
    /// [`StepError::Noise`], [`StepError::Levels`], [`StepError::Count`] when the equation or the path is none that
    /// the method can treat.
    fn stepper<'a>(
        &self,
        equation: &'a E,
        path: &'a mut B,
        like: &S,
    ) -> Result<Box<dyn Stepper<S> + 'a>, StepError>
    where
        S: 'a,
        W: 'a;
}

/// An explicit Runge-Kutta table on the slope f + G·ΔW/h.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classical {
    /// What the table is called when it treats noise.
    pub name: &'static str,
    /// The table.
    pub tableau: &'static Tableau,
    /// [`Calculus::Ito`] for Euler's table, [`Calculus::Stratonovich`] for all of order 2 and more.
    pub calculus: Calculus,
}

/// X + f·h + G·ΔW (G. Maruyama, *Continuous Markov processes and stochastic equations*, 1955).
pub const EULER_MARUYAMA: Classical = Classical {
    name: "Euler-Maruyama",
    tableau: &tableau::EULER,
    calculus: Calculus::Ito,
};

/// The average of the slopes at the beginning and at the end of an Euler step, which serves as the error
/// estimate.
pub const HEUN: Classical = Classical {
    name: "Heun",
    tableau: &tableau::HEUN2,
    calculus: Calculus::Stratonovich,
};

/// The slope at the end of half an Euler step.
pub const MIDPOINT: Classical = Classical {
    name: "midpoint",
    tableau: &tableau::MIDPOINT,
    calculus: Calculus::Stratonovich,
};

/// The method of the type [`ReversibleHeun`], for single states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversible;

/// The reversible Heun method. [`ReversibleHeun`] on pairs runs backwards as well.
pub const REVERSIBLE_HEUN: Reversible = Reversible;

/// A method with step doubling for its error estimate, see [`Doubling`].
///
/// Of Euler-Maruyama only where the noise is additive: with the step chosen by the path, an Itô method of order ½ may
/// converge to a wrong limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Doubled<M> {
    /// The method.
    pub method: M,
    /// Order in the step-size rule: strong order + ½.
    pub error_order: f64,
}

impl<S, W, E, B, M> Method<S, W, E, B> for Doubled<M>
where
    S: State,
    W: State,
    E: ?Sized,
    B: ?Sized,
    M: Method<S, W, E, B>,
{
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn calculus(&self) -> Calculus {
        self.method.calculus()
    }

    fn stepper<'a>(
        &self,
        equation: &'a E,
        path: &'a mut B,
        like: &S,
    ) -> Result<Box<dyn Stepper<S> + 'a>, StepError>
    where
        S: 'a,
        W: 'a,
    {
        let method = self.method.stepper(equation, path, like)?;
        Ok(Box::new(Doubling::new(method, self.error_order, like)))
    }
}

/// Implements [`Method`] for a type: its memory, what it asks of the equation, its name, its calculus,
/// and how it becomes a stepper.
macro_rules! method {
    (
        $type:ty, $memory:ident, [$($equation:tt)*];
        name: $n:ident => $name:expr;
        calculus: $c:ident => $calculus:expr;
        stepper: ($m:ident, $e:ident, $path:ident, $like:ident) => $stepper:expr
    ) => {
        impl<S, W, E, B> Method<S, W, E, B> for $type
        where
            S: $memory,
            W: $memory,
            E: $($equation)* + ?Sized,
            B: Brownian<W> + ?Sized,
        {
            fn name(&self) -> &'static str {
                let $n = self;
                $name
            }

            fn calculus(&self) -> Calculus {
                let $c = self;
                $calculus
            }

            fn stepper<'a>(
                &self,
                equation: &'a E,
                path: &'a mut B,
                like: &S,
            ) -> Result<Box<dyn Stepper<S> + 'a>, StepError>
            where
                S: 'a,
                W: 'a,
            {
                let ($m, $e, $path, $like) = (self, equation, path, like);
                $stepper
            }
        }
    };
}

method! {
    Classical, State, [Sde<S, W>];
    name: method => method.name;
    calculus: method => method.calculus;
    stepper: (method, equation, path, like) => {
        method.tableau.validate()?;
        let drive = NoisyField::new(equation, path, like);
        Ok(Box::new(RungeKutta::new(method.tableau, drive, like)))
    }
}

method! {
    Reversible, State, [Sde<S, W>];
    name: _method => "reversible Heun";
    calculus: _method => Calculus::Stratonovich;
    stepper: (_method, equation, path, like) => {
        let drive = NoisyField::new(equation, path, like);
        let pairs = ReversibleHeun::new(drive, like);
        Ok(Box::new(Unpaired::new(pairs, like)))
    }
}

method! {
    SrkTableau, State, [Sde<S, W>];
    name: method => method.name;
    calculus: method => method.calculus;
    stepper: (method, equation, path, like) => {
        Ok(Box::new(StochasticRungeKutta::new(*method, equation, path, like)?))
    }
}

method! {
    DiagonalTableau, HostState, [Sde<S, W>];
    name: method => method.name;
    calculus: method => method.calculus;
    stepper: (method, equation, path, like) => {
        Ok(Box::new(DiagonalRungeKutta::new(*method, equation, path, like)?))
    }
}

method! {
    Milstein, HostState, [Sde<S, W> + VjpControlField<S, W>];
    name: _method => "Milstein";
    calculus: method => method.calculus;
    stepper: (method, equation, path, like) => {
        Ok(Box::new(MilsteinStepper::new(*method, equation, path, like)?))
    }
}

/// Replaces `x`, the state at `times.0`, by the state at `times.1` on a path.
///
/// The observer sees every accepted step. Equal times are no error and evaluate nothing.
///
/// # Errors
/// [`StepError`]; `x` is then unchanged. [`StepError::Noise`] and [`StepError::Levels`] come before anything is
/// computed; [`StepError::Brownian`] when a step leaves the path.
///
/// ```
/// use ansatz_core::{ControlField, EvalError, Key, NoiseKind, Sde, VectorField};
/// use ansatz_diffeq::brownian::{LevyArea, VirtualBrownianTree};
/// use ansatz_diffeq::{Control, sde};
///
/// /// dX = −X dt + ½ dW, 10 000 times.
/// struct Relaxation;
/// impl VectorField<Vec<f64>> for Relaxation {
///     fn eval(&self, _: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
///         dx.iter_mut().zip(x).for_each(|(d, x)| *d = -x);
///         Ok(())
///     }
/// }
/// impl ControlField<Vec<f64>> for Relaxation {
///     fn apply(&self, _: f64, _: &Vec<f64>, w: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), EvalError> {
///         out.iter_mut().zip(w).for_each(|(o, w)| *o = 0.5 * w);
///         Ok(())
///     }
/// }
/// impl Sde<Vec<f64>> for Relaxation {
///     fn noise(&self) -> NoiseKind {
///         NoiseKind::Additive
///     }
/// }
///
/// let mut x = vec![1.0; 10_000];
/// let mut path = VirtualBrownianTree::new(Key::new(1), (0.0, 4.0), &x, LevyArea::SpaceTime, 1e-3)?;
/// sde::solve(&Relaxation, &mut path, (0.0, 4.0), &mut x, &sde::SHARK, &Control::fixed(40), &mut ())?;
/// let mean = x.iter().sum::<f64>() / 1e4;
/// let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e4;
/// assert!((mean - (-4.0_f64).exp()).abs() < 0.02);
/// assert!((variance - 0.125).abs() < 0.01);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub fn solve<S, W, E, B, M, O>(
    equation: &E,
    path: &mut B,
    times: (f64, f64),
    x: &mut S,
    method: &M,
    control: &Control,
    observer: &mut O,
) -> Result<Report, StepError>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
    M: Method<S, W, E, B> + ?Sized,
    O: Observer<S> + ?Sized,
{
    let planned = match control.step {
        StepSize::Fixed(n) => n,
        _ => 0,
    };
    let mut solution = x.clone();
    let mut stepper = method.stepper(equation, path, x)?;
    let report = integrate(
        stepper.as_mut(),
        &[times.0, times.1],
        &mut solution,
        control,
        &mut |step: &mut Accepted<'_, S, _>| Ok(crate::solve::observe(observer, planned, step)),
    )?;
    drop(stepper);
    *x = solution;
    Ok(report)
}

/// Writes the states at `times` into `out`, from the state `x` at the first of them. Steps end at all of them:
/// between steps a path is not known to the solution.
///
/// With equal steps, their number is that between two times.
///
/// # Errors
/// Those of [`solve`]; [`StepError::Count`] when `out` and `times` differ in length, [`StepError::Times`] when the times
/// are not in order. `out` may then hold part of the solution.
pub fn solve_at<S, W, E, B, M>(
    equation: &E,
    path: &mut B,
    times: &[f64],
    x: &S,
    method: &M,
    control: &Control,
    out: &mut [S],
) -> Result<Report, StepError>
where
    S: State,
    W: State,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
    M: Method<S, W, E, B> + ?Sized,
{
    first_output(times, x, out)?;
    let mut y = x.clone();
    let mut stepper = method.stepper(equation, path, x)?;
    outputs_at_stops(stepper.as_mut(), times, times, &mut y, control, out)
}

/// Whether a path tells enough for a method.
fn check_levels(method: &'static str, needs: LevyArea, got: LevyArea) -> Result<(), StepError> {
    if got >= needs {
        Ok(())
    } else {
        Err(StepError::Levels { method, needs, got })
    }
}

/// Whether an equation's noise acts on each component by itself, or is one number for all.
fn check_diagonal(
    method: &'static str,
    kind: NoiseKind,
    state: usize,
    noise: usize,
) -> Result<(), StepError> {
    if noise == 1 {
        return Ok(());
    }
    if kind != NoiseKind::Diagonal {
        let needs = "diagonal noise, or a single Brownian motion";
        return Err(StepError::Noise {
            method,
            kind,
            needs,
        });
    }
    check_components(state, noise)
}

/// Whether a path has a component for each of the state's.
fn check_components(state: usize, noise: usize) -> Result<(), StepError> {
    if noise == state {
        return Ok(());
    }
    Err(StepError::Count {
        what: "components of the Brownian path",
        expected: state,
        got: noise,
    })
}
