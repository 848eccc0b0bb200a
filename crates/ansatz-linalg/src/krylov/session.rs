//! What every method shares: the system, when to stop, what was seen on the way.

use std::ops::ControlFlow;

use ansatz_core::{LinearMap, SearchDirection, State};

use crate::LinalgError;
use crate::error::within;

/// When a solve ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// Residual allowed, relative to ‖b‖.
    pub rtol: f64,
    /// Residual allowed, in the units of b.
    pub atol: f64,
    /// Most steps.
    pub max_iterations: usize,
}

impl Default for Stop {
    /// To 1e-8 within 1000 steps.
    fn default() -> Self {
        Self {
            rtol: 1e-8,
            atol: 0.0,
            max_iterations: 1000,
        }
    }
}

/// One finished step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Iteration<'a, S> {
    /// Steps finished, from 1; 0 announces the starting guess.
    pub step: usize,
    /// ‖b − A·x‖ / ‖b‖, as the method carries it.
    pub residual: f64,
    /// The solution so far, for methods that have it at every step.
    pub solution: Option<&'a S>,
}

/// What a solve did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SolveReport {
    /// Steps made.
    pub iterations: usize,
    /// ‖b − A·x‖ / ‖b‖ at the end, computed from its definition.
    pub residual: f64,
    /// The relative residual at the start and after every step.
    pub history: Vec<f64>,
    /// Products with A.
    pub products: usize,
    /// `true` when an observer ended the solve.
    pub stopped_early: bool,
    /// Steps for which a method used a safeguard; see the method.
    pub safeguards: usize,
    /// The step after which a method left the rest to conjugate gradients.
    pub fallback_at: Option<usize>,
}

/// Memory that solves use again.
#[derive(Debug, Clone)]
pub struct Workspace<S> {
    slots: Vec<S>,
}

impl<S> Default for Workspace<S> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<S: State> Workspace<S> {
    /// The first `n` vectors, of the shape of `like`; their contents do not matter.
    pub fn first(&mut self, n: usize, like: &S) -> &mut [S] {
        if self.slots.first().is_some_and(|s| !s.same_shape(like)) {
            self.slots.clear();
        }
        while self.slots.len() < n {
            self.slots.push(like.zeros_like());
        }
        &mut self.slots[..n]
    }

    /// The same as an array.
    pub fn vectors<const N: usize>(&mut self, like: &S) -> [&mut S; N] {
        self.split(0, like).0
    }

    /// An array of vectors, and `more` behind them.
    pub fn split<const N: usize>(&mut self, more: usize, like: &S) -> ([&mut S; N], &mut [S]) {
        let Some((slots, rest)) = self.first(N + more, like).split_first_chunk_mut::<N>() else {
            unreachable!("as many as asked for")
        };
        (slots.each_mut(), rest)
    }
}

type Watch<'a, S> = dyn FnMut(&Iteration<'_, S>) -> ControlFlow<()> + 'a;

/// A·x = b, and what goes around solving it.
pub struct System<'a, S: State> {
    a: &'a dyn LinearMap<S>,
    b: &'a S,
    preconditioner: Option<&'a mut dyn SearchDirection<S>>,
    observer: Option<&'a mut Watch<'a, S>>,
    workspace: Option<&'a mut Workspace<S>>,
    stop: Stop,
}

impl<'a, S: State> System<'a, S> {
    /// A·x = b.
    pub fn new(a: &'a dyn LinearMap<S>, b: &'a S) -> Self {
        Self {
            a,
            b,
            preconditioner: None,
            observer: None,
            workspace: None,
            stop: Stop::default(),
        }
    }

    /// With a preconditioner: M⁻¹ as a map from residuals to directions.
    #[must_use]
    pub fn preconditioned(mut self, m: &'a mut dyn SearchDirection<S>) -> Self {
        self.preconditioner = Some(m);
        self
    }

    /// With another tolerance.
    #[must_use]
    pub fn until(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// With somebody who sees every step and may end the solve, which is then no error.
    #[must_use]
    pub fn observed(
        mut self,
        observer: &'a mut (dyn FnMut(&Iteration<'_, S>) -> ControlFlow<()> + 'a),
    ) -> Self {
        self.observer = Some(observer);
        self
    }

    /// With the memory of earlier solves.
    #[must_use]
    pub fn reusing(mut self, workspace: &'a mut Workspace<S>) -> Self {
        self.workspace = Some(workspace);
        self
    }

    /// Solves the system: `x` is the starting guess on entry and the solution on return.
    ///
    /// # Errors
    /// Bad input ([`LinalgError::Shape`], [`LinalgError::NotFinite`], [`LinalgError::Parameter`]) changes nothing.
    /// [`LinalgError::NotConverged`], [`LinalgError::Indefinite`], [`LinalgError::Breakdown`] and errors of the
    /// operator leave the best iterate in `x`.
    pub fn solve<M: Method<S> + ?Sized>(
        self,
        method: &M,
        x: &mut S,
    ) -> Result<SolveReport, LinalgError> {
        let Self {
            a,
            b,
            preconditioner,
            observer,
            workspace,
            stop,
        } = self;
        if b.is_empty() {
            return Err(LinalgError::Shape {
                what: "unknowns (at least)",
                expected: 1,
                got: 0,
            });
        }
        if !x.same_shape(b) {
            return Err(LinalgError::Shape {
                what: "starting guess, as long, of the shape and on the device of the right-hand side",
                expected: b.len(),
                got: x.len(),
            });
        }
        within("rtol", stop.rtol, 0.0.., "a finite number, at least 0")?;
        within("atol", stop.atol, 0.0.., "a finite number, at least 0")?;
        finite_state("right-hand side", b)?;
        finite_state("starting guess", x)?;
        method.check()?;
        let norm = b.norm();
        let mut session = Session {
            a,
            b,
            preconditioner,
            observer,
            stop,
            norm,
            history: Vec::with_capacity(stop.max_iterations.min(1 << 16) + 1),
            products: 0,
            iterations: 0,
            stopped: false,
            safeguards: 0,
            fallback_at: None,
        };
        if norm == 0.0 {
            x.lincomb(0.0, &[]);
            session.history.push(0.0);
            return Ok(session.report(0.0));
        }
        let mut own = Workspace::default();
        let workspace = workspace.unwrap_or(&mut own);
        let residual = method.run(&mut session, x, workspace)?;
        if session.stopped || residual <= session.target() {
            return Ok(session.report(residual / norm));
        }
        Err(LinalgError::NotConverged {
            iterations: session.iterations,
            residual: residual / norm,
            tolerance: session.target() / norm,
        })
    }
}

/// Refuses states with NaN or infinite elements.
pub(crate) fn finite_state<S: State>(what: &'static str, s: &S) -> Result<(), LinalgError> {
    if s.is_finite() {
        return Ok(());
    }
    Err(LinalgError::NotFinite {
        what,
        // A state on another device does not tell where.
        index: 0,
        value: f64::NAN,
    })
}

/// Whether a method goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another step is wanted.
    Continue,
    /// The residual is as small as wanted.
    Converged,
    /// No more steps: their number is used up, or an observer ended the solve.
    Ended,
}

/// A way to solve linear systems.
///
/// [`System::solve`] checks the input and makes the report; a method iterates. Its own methods are written on a
/// [`Session`], which counts and records.
pub trait Method<S: State>: Sync {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`].
    fn check(&self) -> Result<(), LinalgError> {
        Ok(())
    }

    /// Iterates until [`Session::step`] says otherwise, and returns ‖b − A·x‖ computed from its definition.
    ///
    /// # Errors
    /// What the operator or the preconditioner report, and breakdowns; `x` then holds the best iterate.
    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError>;
}

/// A solve on its way.
pub struct Session<'a, S: State> {
    a: &'a dyn LinearMap<S>,
    b: &'a S,
    preconditioner: Option<&'a mut dyn SearchDirection<S>>,
    observer: Option<&'a mut Watch<'a, S>>,
    stop: Stop,
    norm: f64,
    history: Vec<f64>,
    products: usize,
    iterations: usize,
    stopped: bool,
    safeguards: usize,
    fallback_at: Option<usize>,
}

impl<S: State> Session<'_, S> {
    /// The right-hand side.
    pub fn b(&self) -> &S {
        self.b
    }

    /// ‖b − A·x‖ at which the solve is done.
    pub fn target(&self) -> f64 {
        (self.stop.rtol * self.norm).max(self.stop.atol)
    }

    /// ‖b‖.
    pub fn norm(&self) -> f64 {
        self.norm
    }

    /// Steps made so far.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Most steps.
    pub fn max_iterations(&self) -> usize {
        self.stop.max_iterations
    }

    /// Counts the use of a safeguard.
    pub fn note_safeguard(&mut self) {
        self.safeguards += 1;
    }

    /// Goes on without the preconditioner, and notes when.
    pub fn fall_back(&mut self) {
        self.preconditioner = None;
        self.fallback_at = Some(self.iterations);
    }

    /// `y ← A·x`.
    ///
    /// # Errors
    /// Those of the operator.
    pub fn apply(&mut self, x: &S, y: &mut S) -> Result<(), LinalgError> {
        self.products += 1;
        Ok(self.a.apply(x, y)?)
    }

    /// `r ← b − A·x`; returns its norm. A product is saved for x = 0.
    ///
    /// # Errors
    /// Those of the operator; [`LinalgError::Breakdown`] for a residual that is not finite.
    pub fn residual(&mut self, x: &S, r: &mut S) -> Result<f64, LinalgError> {
        if self.iterations == 0 && x.norm() == 0.0 {
            r.assign(self.b);
        } else {
            self.apply(x, r)?;
            r.lincomb(-1.0, &[(1.0, self.b)]);
        }
        self.finite("the norm of the residual", r.norm())
    }

    /// Whether there is a preconditioner.
    pub fn is_preconditioned(&self) -> bool {
        self.preconditioner.is_some()
    }

    /// `z ← M⁻¹·r`, where without a preconditioner `z` becomes `r`.
    ///
    /// # Errors
    /// Those of the preconditioner.
    pub fn precondition(&mut self, r: &S, z: &mut S) -> Result<(), LinalgError> {
        match &mut self.preconditioner {
            Some(m) => m.propose(r, z)?,
            None => z.assign(r),
        }
        Ok(())
    }

    /// Refuses numbers with which a method cannot go on.
    ///
    /// # Errors
    /// [`LinalgError::Breakdown`] for NaN and infinity.
    pub fn finite(&self, what: &'static str, value: f64) -> Result<f64, LinalgError> {
        if value.is_finite() {
            return Ok(value);
        }
        Err(LinalgError::Breakdown {
            iteration: self.iterations,
            what,
            value,
        })
    }

    /// Announces the starting guess and its residual.
    pub fn start(&mut self, x: &S, residual: f64) -> Progress {
        self.record(Some(x), residual)
    }

    /// Announces a finished step and its residual.
    pub fn step(&mut self, x: Option<&S>, residual: f64) -> Progress {
        self.iterations += 1;
        self.record(x, residual)
    }

    /// After a residual was computed anew: replaces the last one recorded, and tells what follows from it.
    pub fn correct(&mut self, residual: f64) -> Progress {
        if let Some(last) = self.history.last_mut() {
            *last = residual / self.norm;
        }
        self.progress(residual)
    }

    fn record(&mut self, x: Option<&S>, residual: f64) -> Progress {
        let relative = residual / self.norm;
        self.history.push(relative);
        if let Some(observer) = &mut self.observer {
            let seen = observer(&Iteration {
                step: self.iterations,
                residual: relative,
                solution: x,
            });
            self.stopped |= seen.is_break();
        }
        self.progress(residual)
    }

    fn progress(&self, residual: f64) -> Progress {
        if residual <= self.target() {
            Progress::Converged
        } else if self.stopped || self.iterations >= self.stop.max_iterations {
            Progress::Ended
        } else {
            Progress::Continue
        }
    }

    fn report(self, residual: f64) -> SolveReport {
        SolveReport {
            iterations: self.iterations,
            residual,
            history: self.history,
            products: self.products,
            stopped_early: self.stopped,
            safeguards: self.safeguards,
            fallback_at: self.fallback_at,
        }
    }
}
