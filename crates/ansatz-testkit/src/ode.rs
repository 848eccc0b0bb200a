//! Standard initial value problems dx/dt = f(t, x) with their state at the end.
//!
//! | problem | unknowns | kind |
//! |---|---|---|
//! | [`LotkaVolterra`], [`Brusselator`], [`VanDerPol`] | 2 | cycles; the last is stiff for a large μ |
//! | [`HenonHeiles`], [`Arenstorf`] | 4 | orbits; the second has close encounters |
//! | [`Pleiades`] | 28 | seven stars with close encounters |
//! | [`Lorenz63`], [`Lorenz96`] | 3, 40 | chaos: errors grow by 10⁴ and more |
//! | [`Robertson`] | 3 | stiff: rates of 10⁻² to 10⁷ |
//! | [`BrusselatorGrid`], [`HeatGrid`] | 882, n² | partial differential equations on a grid |
//!
//! Each type is a [`System`] with public parameters; its `problem` function gives the standard
//! [`Problem`], whose end state is known in closed form or was computed by other programs in more than
//! f64 (`fixtures/ode.py`). A problem is a [`VectorField`] and a [`JvpField`] for every state in
//! main memory.
//!
//! Use them to compare solvers by error and work, and to test an integrator of your own.
//! References: E. Hairer, S. Nørsett, G. Wanner, *Solving ordinary differential equations I*, 2nd
//! edition, 1993, sections 0, I.16 and II.10; F. Mazzia, C. Magherini, *Test set for initial value problem
//! solvers*, release 2.4, 2008; the sources of the others are given with them.

mod chaos;
mod grid;
mod orbit;
mod planar;
mod robertson;

use ansatz_core::{EvalError, HostState, JvpField, VectorField};

pub use chaos::{Lorenz63, Lorenz96};
pub use grid::{BrusselatorGrid, HeatGrid};
pub use orbit::{Arenstorf, HenonHeiles, Pleiades};
pub use planar::{Brusselator, LotkaVolterra, VanDerPol};
pub use robertson::Robertson;

/// A right-hand side on slices, with its Jacobian product.
///
/// Slices of another length than [`System::dim`] are left alone or panic: [`Problem`] checks them.
pub trait System: Sync {
    /// Number of unknowns.
    fn dim(&self) -> usize;

    /// `dx ← f(t, x)`.
    fn rate(&self, t: f64, x: &[f64], dx: &mut [f64]);

    /// `out ← (∂f/∂x)·v`.
    fn rate_jvp(&self, t: f64, x: &[f64], v: &[f64], out: &mut [f64]);
}

impl<F: System + ?Sized> System for Box<F> {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn rate(&self, t: f64, x: &[f64], dx: &mut [f64]) {
        (**self).rate(t, x, dx);
    }

    fn rate_jvp(&self, t: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        (**self).rate_jvp(t, x, v, out);
    }
}

/// An initial value problem whose end is known.
///
/// ```
/// use ansatz_core::VectorField;
/// use ansatz_testkit::ode::LotkaVolterra;
/// let problem = LotkaVolterra::problem();
/// let mut rate = vec![0.0; 2];
/// problem.eval(0.0, &problem.start, &mut rate)?;
/// assert_eq!(rate, [0.5, -2.0]);
/// assert!(problem.distance(&[1.0263, 0.9097]) < 1e-4);
/// # Ok::<(), ansatz_core::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Problem<F> {
    /// Name for tables.
    pub name: &'static str,
    /// The right-hand side.
    pub system: F,
    /// State at the first time.
    pub start: Vec<f64>,
    /// First and last time.
    pub times: (f64, f64),
    /// State at the last time.
    pub end: Vec<f64>,
    /// Bound on the error of every component of [`Problem::end`].
    pub end_error: f64,
}

impl<F: System + 'static> Problem<F> {
    /// The same problem without its type, for lists.
    #[must_use]
    pub fn boxed(self) -> Problem<Box<dyn System>> {
        Problem {
            name: self.name,
            system: Box::new(self.system),
            start: self.start,
            times: self.times,
            end: self.end,
            end_error: self.end_error,
        }
    }
}

impl<F> Problem<F> {
    /// Largest difference of a component from the known end; NaN if one is.
    ///
    /// # Panics
    /// When the length is another.
    #[track_caller]
    #[must_use]
    pub fn distance(&self, x: &[f64]) -> f64 {
        crate::measure::max_abs_diff(x, &self.end)
    }
}

fn check(what: &'static str, expected: usize, got: usize) -> Result<(), EvalError> {
    if expected == got {
        Ok(())
    } else {
        Err(EvalError::Length {
            what,
            expected,
            got,
        })
    }
}

impl<F: System, S: HostState<Scalar = f64>> VectorField<S> for Problem<F> {
    #[inline]
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        check("state", self.system.dim(), x.len())?;
        check("rate", self.system.dim(), dx.len())?;
        self.system.rate(t, x.as_slice(), dx.as_mut_slice());
        Ok(())
    }
}

impl<F: System, S: HostState<Scalar = f64>> JvpField<S> for Problem<F> {
    #[inline]
    fn jvp(&self, t: f64, x: &S, v: &S, out: &mut S) -> Result<(), EvalError> {
        check("state", self.system.dim(), x.len())?;
        check("direction", self.system.dim(), v.len())?;
        check("product", self.system.dim(), out.len())?;
        self.system
            .rate_jvp(t, x.as_slice(), v.as_slice(), out.as_mut_slice());
        Ok(())
    }
}

/// All problems that an explicit method can solve, smallest first.
#[must_use]
pub fn smooth() -> Vec<Problem<Box<dyn System>>> {
    vec![
        LotkaVolterra::problem().boxed(),
        Brusselator::problem().boxed(),
        VanDerPol::problem().boxed(),
        Lorenz63::problem().boxed(),
        HenonHeiles::problem().boxed(),
        Arenstorf::problem().boxed(),
        Pleiades::problem().boxed(),
        Lorenz96::problem().boxed(),
        HeatGrid::problem().boxed(),
        BrusselatorGrid::problem().boxed(),
    ]
}

/// The problems that need an implicit method.
#[must_use]
pub fn stiff() -> Vec<Problem<Box<dyn System>>> {
    vec![
        Robertson::problem().boxed(),
        VanDerPol::stiff_problem().boxed(),
    ]
}

/// End state of a name in the table of references, with the bound on its error.
///
/// # Panics
/// When the table has no such line: the crate ships both.
fn reference(name: &str) -> (Vec<f64>, f64) {
    let lines = include_str!("../data/ode.txt").lines();
    let mut words = lines
        .map(str::split_ascii_whitespace)
        .find_map(|mut words| (words.next() == Some(name)).then_some(words))
        .unwrap_or_else(|| panic!("no reference for {name}"))
        .filter_map(|word| word.parse().ok());
    let error = words.next().unwrap_or(f64::NAN);
    (words.collect(), error)
}

/// The problem `name` of the table of references.
fn standard<F>(name: &'static str, system: F, start: Vec<f64>, end: f64) -> Problem<F> {
    let (state, end_error) = reference(name);
    Problem {
        name,
        system,
        start,
        times: (0.0, end),
        end: state,
        end_error,
    }
}
