//! Our fields as diffsol's equations, its solvers in our loop, its errors as ours.

use std::cell::RefCell;
use std::ops::ControlFlow;

use ansatz_core::{EvalError, Event, NoiseLevel, Observer, Report};
use diffsol::error::{NonLinearSolverError, OdeSolverError};
use diffsol::op::closure::Closure;
use diffsol::op::constant_closure::ConstantClosure;
use diffsol::op::linear_closure::LinearClosure;
use diffsol::{
    DiffsolError, FaerSparseLU, FaerSparseMat, LinearSolver, Matrix, NalgebraLU, NalgebraMat,
    OdeBuilder, OdeEquationsImplicit, OdeSolverMethod, OdeSolverProblem, OdeSolverStopReason,
    UnitCallable, Vector, VectorRef, matrix::MatrixRef,
};

use super::{Equation, Linear, Method, Options};
use crate::StepError;
use crate::stepper::same_length;

/// The equation with what its closures share: diffsol calls them through shared references and knows
/// no errors of the user's functions.
struct Shared<'a> {
    equation: Equation<'a>,
    /// 1, or −1 where time runs backwards: diffsol sees s = ±t.
    sign: f64,
    memory: RefCell<Memory>,
}

#[derive(Default)]
struct Memory {
    x: Vec<f64>,
    v: Vec<f64>,
    out: Vec<f64>,
    /// The first error of a user's function; nothing is called after it.
    failure: Option<StepError>,
    /// Time of the latest rate that was not finite.
    broken: Option<f64>,
    calls: usize,
}

impl Shared<'_> {
    /// Runs a user's function on copies in vectors, and writes its output, or NaN if it fails.
    fn call(
        &self,
        s: f64,
        inputs: [&[f64]; 2],
        y: &mut [f64],
        function: impl FnOnce(f64, &Vec<f64>, &Vec<f64>, &mut Vec<f64>) -> Result<(), EvalError>,
    ) {
        let mut memory = self.memory.borrow_mut();
        let Memory {
            x,
            v,
            out,
            failure,
            calls,
            ..
        } = &mut *memory;
        if failure.is_some() {
            y.fill(f64::NAN);
            return;
        }
        let t = self.sign * s;
        for (to, from) in [(&mut *x, inputs[0]), (&mut *v, inputs[1])] {
            to.clear();
            to.extend_from_slice(from);
        }
        out.resize(y.len(), 0.0);
        *calls += 1;
        let done = function(t, x, v, out)
            .map_err(|source| StepError::Eval { t, source })
            .and_then(|()| same_length(t, x, out));
        match done {
            Ok(()) => y.copy_from_slice(out),
            Err(error) => {
                y.fill(f64::NAN);
                *failure = Some(error);
            }
        }
    }

    /// `y ← ±f(±s, x)`.
    fn rate(&self, x: &[f64], s: f64, y: &mut [f64]) {
        self.call(s, [x, &[]], y, |t, x, _, out| {
            self.equation.field.eval(t, x, out)
        });
        if !y.iter().all(|v| v.is_finite()) {
            self.memory.borrow_mut().broken = Some(self.sign * s);
        }
        self.turn(y);
    }

    /// `y ← ±J(±s, x)·v`.
    fn product(&self, x: &[f64], s: f64, v: &[f64], y: &mut [f64]) {
        self.call(s, [x, v], y, |t, x, v, out| {
            self.equation.field.jvp(t, x, v, out)
        });
        self.turn(y);
    }

    /// `y ← M·x + beta·y`.
    fn mass(&self, x: &[f64], s: f64, beta: f64, y: &mut [f64]) {
        let Some(mass) = self.equation.mass else {
            return;
        };
        let before = y.to_vec();
        self.call(s, [x, &[]], y, |_, x, _, out| mass.apply(x, out));
        for (y, b) in y.iter_mut().zip(before) {
            // diffsol asks for M·x by beta = 0, and y may then hold anything.
            if beta != 0.0 {
                *y += beta * b;
            }
        }
    }

    fn turn(&self, y: &mut [f64]) {
        if self.sign < 0.0 {
            for v in y {
                *v = -*v;
            }
        }
    }

    fn failure(&self) -> Option<StepError> {
        self.memory.borrow_mut().failure.take()
    }
}

/// Solves with matrices of the kind that the options ask for.
pub(super) fn run(
    equation: Equation<'_>,
    times: &[f64],
    x: &[f64],
    options: &Options,
    observer: &mut dyn Observer<Vec<f64>>,
    output: &mut dyn FnMut(usize, &[f64]),
) -> Result<Report, StepError> {
    let sign = (times[times.len() - 1] - times[0]).signum();
    let shared = Shared {
        equation,
        sign,
        memory: RefCell::default(),
    };
    let mut first = vec![0.0; x.len()];
    shared.rate(x, sign * times[0], &mut first);
    if let Some(error) = shared.failure() {
        return Err(error);
    }
    if !first.iter().all(|v| v.is_finite()) {
        return Err(StepError::NonFinite {
            what: "the field",
            t: times[0],
        });
    }
    let job = Job {
        shared: &shared,
        times,
        x,
        options,
        observer,
        output,
    };
    match options.linear {
        Linear::Dense => job.build::<NalgebraMat<f64>, NalgebraLU<f64>>(),
        Linear::Sparse => job.build::<FaerSparseMat<f64>, FaerSparseLU<f64>>(),
    }
}

/// What one solve is given.
struct Job<'a> {
    shared: &'a Shared<'a>,
    times: &'a [f64],
    x: &'a [f64],
    options: &'a Options,
    observer: &'a mut dyn Observer<Vec<f64>>,
    output: &'a mut dyn FnMut(usize, &[f64]),
}

impl Job<'_> {
    fn build<M, L>(self) -> Result<Report, StepError>
    where
        M: Matrix<T = f64>,
        M::V: diffsol::DefaultDenseMatrix,
        for<'b> &'b M::V: VectorRef<M::V>,
        for<'b> &'b M: MatrixRef<M>,
        L: LinearSolver<M>,
    {
        let Self {
            shared,
            times,
            x,
            options,
            ..
        } = self;
        let n = x.len();
        let context = M::C::default();
        let mut rate = Closure::<M, _, _>::new(
            |x: &[f64], _: &[f64], s, y: &mut [f64]| shared.rate(x, s, y),
            |x: &[f64], _: &[f64], s, v: &[f64], y: &mut [f64]| shared.product(x, s, v, y),
            n,
            n,
            0,
            context.clone(),
        );
        let mut mass = shared.equation.mass.map(|_| {
            LinearClosure::<M, _>::new(
                |x: &[f64], _: &[f64], s, beta, y: &mut [f64]| shared.mass(x, s, beta, y),
                n,
                n,
                0,
                context.clone(),
            )
        });
        let start = ConstantClosure::<M, _>::new(
            |_: &[f64], _, y: &mut [f64]| y.copy_from_slice(x),
            n,
            0,
            context.clone(),
        );
        let none = M::V::zeros(0, context.clone());
        let s = shared.sign * times[0];
        if M::is_sparse() {
            let y = M::V::from_vec(x.to_vec(), context);
            rate.calculate_sparsity(&y, s, &none);
            if let Some(mass) = &mut mass {
                mass.calculate_sparsity(s, &none);
            }
            // NaN was sent through on purpose.
            shared.memory.borrow_mut().broken = None;
        }
        let equations = diffsol::OdeSolverEquations::new(
            rate,
            start,
            mass,
            None::<UnitCallable<M>>,
            None::<UnitCallable<M>>,
            None::<UnitCallable<M>>,
            none,
        );
        let last = times[times.len() - 1];
        let built = OdeBuilder::<M>::new()
            .t0(s)
            .h0(options.first.unwrap_or(1.0))
            .rtol(options.tolerance.rtol)
            .atol([options.tolerance.atol])
            .build_from_eqn(equations);
        let mut problem = built.map_err(|e| shared.explain(&e, times[0]))?;
        // diffsol stops after 50 failures of Newton's method in a whole solve; here steps are budgeted.
        problem.ode_options.max_nonlinear_solver_failures = options.max_steps;
        problem.ode_options.min_timestep = 16.0 * f64::EPSILON * times[0].abs().max(last.abs());
        self.start::<_, L>(&problem)
    }

    fn start<E, L>(self, problem: &OdeSolverProblem<E>) -> Result<Report, StepError>
    where
        E: OdeEquationsImplicit<T = f64>,
        E::V: diffsol::DefaultDenseMatrix,
        for<'b> &'b E::V: VectorRef<E::V>,
        for<'b> &'b E::M: MatrixRef<E::M>,
        L: LinearSolver<E::M>,
    {
        let (shared, t) = (self.shared, self.times[0]);
        let explain = |e: DiffsolError| shared.explain(&e, t);
        match self.options.method {
            Method::Bdf => self.follow(&mut problem.bdf::<L>().map_err(explain)?),
            Method::TrBdf2 => self.follow(&mut problem.tr_bdf2::<L>().map_err(explain)?),
            Method::Esdirk34 => self.follow(&mut problem.esdirk34::<L>().map_err(explain)?),
        }
    }

    /// The loop: a step, its outputs, the observer.
    fn follow<'p, E, S>(self, solver: &mut S) -> Result<Report, StepError>
    where
        E: OdeEquationsImplicit<T = f64> + 'p,
        S: OdeSolverMethod<'p, E>,
    {
        let Self {
            shared,
            times,
            options,
            observer,
            output,
            ..
        } = self;
        let sign = shared.sign;
        let end = times[times.len() - 1];
        let mut report = Report::default();
        let mut state = solver.state().y.clone();
        let mut now = times[0];
        let stop = solver.set_stop_time(sign * end);
        stop.map_err(|e| shared.explain(&e, now))?;
        // With constraints the first state may have been corrected.
        let mut values = state.clone_as_vec();
        output(0, &values);
        let mut next = 1;
        loop {
            if report.steps + report.rejected >= options.max_steps {
                let max_steps = options.max_steps;
                return Err(StepError::TooManySteps {
                    max_steps,
                    t: now,
                    end,
                });
            }
            let stepped = solver.step();
            if let Some(error) = shared.failure() {
                return Err(error);
            }
            let reason = stepped.map_err(|e| shared.explain(&e, now))?;
            let statistics = solver.get_statistics();
            report.steps += 1;
            report.rejected = statistics.number_of_error_test_failures
                + statistics.number_of_nonlinear_solver_fails;
            {
                let mut memory = shared.memory.borrow_mut();
                report.nfe = memory.calls;
                memory.broken = None;
            }
            let last = matches!(reason, OdeSolverStopReason::TstopReached);
            let reached = solver.state().t;
            now = if last { end } else { sign * reached };
            while next < times.len() && (last || sign * times[next] <= reached) {
                let at = (sign * times[next]).min(reached);
                let made = solver.interpolate_inplace(at, &mut state);
                made.map_err(|e| shared.explain(&e, now))?;
                output(next, &state.clone_as_vec());
                next += 1;
            }
            values = solver.state().y.clone_as_vec();
            if !values.iter().all(|v| v.is_finite()) {
                return Err(StepError::NonFinite {
                    what: "the solution",
                    t: now,
                });
            }
            let level = NoiseLevel::clean(now);
            let event = Event::new(report.steps, 0, report.nfe, level, &values);
            if observer.on_step(&event) == ControlFlow::Break(()) {
                report.stopped_early = true;
                output(times.len() - 1, &values);
                return Ok(report);
            }
            if last {
                return Ok(report);
            }
        }
    }
}

impl Shared<'_> {
    /// What an error of diffsol at time `t` means.
    fn explain(&self, error: &DiffsolError, t: f64) -> StepError {
        if let Some(failure) = self.failure() {
            return failure;
        }
        if let Some(t) = self.memory.borrow_mut().broken.take() {
            return StepError::NonFinite {
                what: "the field",
                t,
            };
        }
        let at = |s: f64| self.sign * s;
        match error {
            DiffsolError::OdeSolverError(OdeSolverError::StepSizeTooSmall { time }) => {
                StepError::Newton {
                    t: at(*time),
                    reason: "steps have become too small to move the time".into(),
                }
            }
            DiffsolError::OdeSolverError(
                OdeSolverError::TooManyNonlinearSolverFailures { time, .. }
                | OdeSolverError::TooManyErrorTestFailures { time, .. },
            ) => StepError::Newton {
                t: at(*time),
                reason: error.to_string(),
            },
            DiffsolError::NonLinearSolverError(
                NonLinearSolverError::InitialConditionDidNotConverge,
            ) => StepError::Inconsistent { t },
            other => StepError::Newton {
                t,
                reason: other.to_string(),
            },
        }
    }
}
