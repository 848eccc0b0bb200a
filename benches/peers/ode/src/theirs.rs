//! The same problems in the other crates' own terms.

use ansatz_diffeq::stiff::Method;
use ansatz_testkit::ode::{
    BrusselatorGrid, HeatGrid, Lorenz96, LotkaVolterra, Pleiades, Problem, Robertson, System,
};
use differential_equations::prelude::{ExplicitRungeKutta, IVP, ODE};
use diffsol::{
    NalgebraLU, NalgebraMat, OdeBuilder, OdeEquations, OdeSolverMethod, OdeSolverStopReason, Vector,
};

use crate::{Failure, Solve};

/// Steps that a solve may take.
const MOST: usize = 10_000_000;

/// A solve by `method` of a program; `None` for a name that there is not.
pub(crate) fn explicit(program: &str, problem: &str, method: &str) -> Option<Solve> {
    // States of fixed size where that is what a user would take.
    let tsit = program == "diffsol";
    let eighth = method == "DOP853";
    Some(match problem {
        "lotka-volterra" if tsit => diffsol_tsit(LotkaVolterra::problem()),
        "pleiades" if tsit => diffsol_tsit(Pleiades::problem()),
        "lorenz-96" if tsit => diffsol_tsit(Lorenz96::problem()),
        "heat-2d" if tsit => diffsol_tsit(HeatGrid::problem()),
        "brusselator-2d" if tsit => diffsol_tsit(BrusselatorGrid::problem()),
        "lotka-volterra" => fixed::<_, 2>(LotkaVolterra::problem(), eighth),
        "pleiades" => fixed::<_, 28>(Pleiades::problem(), eighth),
        "lorenz-96" => fixed::<_, 40>(Lorenz96::problem(), eighth),
        "heat-2d" => dynamic(HeatGrid::problem(), eighth),
        "brusselator-2d" => dynamic(BrusselatorGrid::problem(), eighth),
        _ => return None,
    })
}

struct Field<'a, F>(&'a F);

impl<F: System, const N: usize> ODE<f64, [f64; N]> for Field<'_, F> {
    fn diff(&self, t: f64, y: &[f64; N], dydt: &mut [f64; N]) {
        self.0.rate(t, y, dydt);
    }
}

impl<F: System> ODE<f64, Vec<f64>> for Field<'_, F> {
    fn diff(&self, t: f64, y: &Vec<f64>, dydt: &mut Vec<f64>) {
        self.0.rate(t, y, dydt);
    }
}

/// A solve by differential-equations with the state and the method given.
macro_rules! solve_ivp {
    ($problem:expr, $start:expr, $method:ident, $tol:expr) => {{
        let (field, (t0, t1)) = (Field(&$problem.system), $problem.times);
        let method = ExplicitRungeKutta::$method()
            .rtol($tol)
            .atol($tol)
            .max_steps(MOST);
        let solution = IVP::ode(&field, t0, t1, $start).method(method).solve();
        let solution = solution.map_err(|e| format!("{e:?}"))?;
        let end = solution.y.last().ok_or("no output")?;
        Ok(end.to_vec())
    }};
}

fn fixed<F: System + 'static, const N: usize>(problem: Problem<F>, eighth: bool) -> Solve {
    Box::new(move |tol| {
        let start: [f64; N] = problem.start[..].try_into()?;
        if eighth {
            solve_ivp!(problem, start, dop853, tol)
        } else {
            solve_ivp!(problem, start, dopri5, tol)
        }
    })
}

fn dynamic<F: System + 'static>(problem: Problem<F>, eighth: bool) -> Solve {
    Box::new(move |tol| {
        if eighth {
            solve_ivp!(problem, problem.start.clone(), dop853, tol)
        } else {
            solve_ivp!(problem, problem.start.clone(), dopri5, tol)
        }
    })
}

fn diffsol_tsit<F: System + 'static>(problem: Problem<F>) -> Solve {
    Box::new(move |tol| {
        let n = problem.start.len();
        let built = OdeBuilder::<NalgebraMat<f64>>::new()
            .t0(problem.times.0)
            .rtol(tol)
            .atol([tol])
            .rhs(|x: &[f64], _: &[f64], t, dx: &mut [f64]| problem.system.rate(t, x, dx))
            .init(
                |_: &[f64], _, x: &mut [f64]| x.copy_from_slice(&problem.start),
                n,
            )
            .build()?;
        follow(&mut built.tsit45()?, problem.times.1)
    })
}

/// Robertson's problem by diffsol, with the tolerances of our side.
pub(crate) fn robertson(method: Method) -> Solve {
    let problem = Robertson::problem();
    Box::new(move |tol| {
        let built = OdeBuilder::<NalgebraMat<f64>>::new()
            .rtol(tol)
            .atol([1e-4 * tol])
            .rhs_implicit(
                |x: &[f64], _: &[f64], t, dx: &mut [f64]| problem.system.rate(t, x, dx),
                |x: &[f64], _: &[f64], t, v: &[f64], out: &mut [f64]| {
                    problem.system.rate_jvp(t, x, v, out);
                },
            )
            .init(
                |_: &[f64], _, x: &mut [f64]| x.copy_from_slice(&problem.start),
                3,
            )
            .build()?;
        let end = problem.times.1;
        match method {
            Method::TrBdf2 => follow(&mut built.tr_bdf2::<NalgebraLU<f64>>()?, end),
            Method::Esdirk34 => follow(&mut built.esdirk34::<NalgebraLU<f64>>()?, end),
            _ => follow(&mut built.bdf::<NalgebraLU<f64>>()?, end),
        }
    })
}

/// Steps to the end, keeping nothing on the way.
fn follow<'a, E, S>(solver: &mut S, end: f64) -> Result<Vec<f64>, Failure>
where
    E: OdeEquations<T = f64> + 'a,
    S: OdeSolverMethod<'a, E>,
{
    solver.set_stop_time(end)?;
    while !matches!(solver.step()?, OdeSolverStopReason::TstopReached) {}
    Ok(solver.state().y.clone_as_vec())
}
