//! Steppers take the same steps on a device as in main memory and end in the same bits: tables with equal and controlled
//! steps, pairs of states, stochastic equations along a Brownian path. One list for the tests and for the report on a device.

use ansatz_core::{
    ControlField, EvalError, Key, NoiseKind, Report, Scalar, Sde, State, VectorField,
};
use ansatz_cuda::{CudaState, Device, DeviceScalar};
use ansatz_diffeq::brownian::{BrownianInterval, IntervalOptions, LevyArea, VirtualBrownianTree};
use ansatz_diffeq::{
    Control, Options, ReversibleHeun, Symplectic, YOSHIDA4, integrate, sde, solve, solve_dense,
    tableau,
};
use ansatz_testkit::device::Check;

/// The checks of this crate.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("Runge-Kutta tables, equal steps, f32", tables::<f32>),
    ("Runge-Kutta tables, equal steps, f64", tables::<f64>),
    (
        "Runge-Kutta tables, controlled steps, f32",
        controlled::<f32>,
    ),
    (
        "Runge-Kutta tables, controlled steps, f64",
        controlled::<f64>,
    ),
    ("dense output, f64", dense),
    ("pairs of states, f64", pairs),
    (
        "stochastic equations on a Brownian interval, f32",
        stochastic::<f32>,
    ),
    ("stochastic equations on a Brownian tree, f64", tree),
];

const LEN: usize = 5003;

/// dx = −(1 + ‖x‖²/n)·cos t·x dt + 0.3 dW: every element has a part in the slope of each, so that a bit that differs in one
/// shows in all.
struct Equation;

impl<S: State> VectorField<S> for Equation {
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        let size = x.dot(x) / x.len() as f64;
        dx.lincomb(0.0, &[(-(1.0 + size) * t.cos(), x)]);
        Ok(())
    }
}

impl<S: State> ControlField<S> for Equation {
    fn apply(&self, _: f64, _: &S, u: &S, out: &mut S) -> Result<(), EvalError> {
        out.lincomb(0.0, &[(0.3, u)]);
        Ok(())
    }
}

impl<S: State> Sde<S> for Equation {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Additive
    }
}

fn start<T: Scalar>() -> Vec<T> {
    let mut x = vec![T::zero(); LEN];
    Key::new(1).fill_normal(0, &mut x);
    x
}

fn up<T: DeviceScalar>(device: &Device, x: &[T]) -> CudaState<T> {
    CudaState::upload(device, x).expect("a state")
}

/// The same bits.
#[track_caller]
fn same<T: DeviceScalar>(what: &str, on: &CudaState<T>, x: &[T]) {
    let on = on.to_vec().expect("elements");
    assert!(on == x, "{what}: other bits on the device");
}

/// The equation solved on both sides: the same steps, the same bits.
fn agree<T: DeviceScalar>(device: &Device, options: &Options) {
    let what = options.tableau.name;
    let mut x = start::<T>();
    let mut on = up(device, &x);
    let a = solve(&Equation, (0.0, 1.5), &mut x, options, &mut ()).expect("a solution");
    let b = solve(&Equation, (0.0, 1.5), &mut on, options, &mut ()).expect("a solution");
    let counts = |r: &Report| (r.steps, r.nfe);
    assert_eq!(counts(&a), counts(&b), "{what}");
    same(what, &on, &x);
}

fn tables<T: DeviceScalar>(device: &Device) {
    for table in tableau::ALL {
        agree::<T>(device, &Options::fixed(table, 6));
    }
}

fn controlled<T: DeviceScalar>(device: &Device) {
    for table in tableau::ALL.iter().filter(|t| !t.error.is_empty()) {
        let tolerance = if T::EPS.f64() > 1e-10 { 1e-3 } else { 1e-6 };
        let options = Options {
            tableau: table,
            ..Options::tolerance(tolerance, tolerance)
        };
        agree::<T>(device, &options);
    }
}

fn dense(device: &Device) {
    let x = start::<f64>();
    let on = up(device, &x);
    let options = Options::default();
    let a = solve_dense(&Equation, (0.0, 1.0), &x, &options).expect("a solution");
    let b = solve_dense(&Equation, (0.0, 1.0), &on, &options).expect("a solution");
    let (mut x, mut on) = (x.zeros_like(), on.zeros_like());
    for t in [0.0, 0.37, 0.99] {
        a.at(t, &mut x).expect("a state");
        b.at(t, &mut on).expect("a state");
        same("dense output", &on, &x);
    }
}

/// Splitting of positions and velocities, and a method whose state is a pair.
fn pairs(device: &Device) {
    #[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
    fn velocity<S: State>(_: f64, p: &S, out: &mut S) -> Result<(), EvalError> {
        out.assign(p);
        Ok(())
    }
    #[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
    fn force<S: State>(_: f64, q: &S, out: &mut S) -> Result<(), EvalError> {
        let size = q.dot(q) / q.len() as f64;
        out.lincomb(0.0, &[(-1.0 - 0.2 * size, q)]);
        Ok(())
    }
    fn run<S: State>(x: &S) -> (S, S) {
        let control = Control::fixed(20);
        let mut y = (x.clone(), x.zeros_like());
        let mut method = Symplectic::new(&YOSHIDA4, &velocity::<S>, &force::<S>, &y);
        integrate(&mut method, &[0.0, 2.0], &mut y, &control, &mut ()).expect("a solution");
        let mut z = (y.0.clone(), y.0.clone());
        let mut method = ReversibleHeun::new(&Equation, &y.0);
        integrate(&mut method, &[0.0, 1.0], &mut z, &control, &mut ()).expect("a solution");
        (y.1, z.0)
    }
    let x = start::<f64>();
    let (a, b) = (run(&x), run(&up(device, &x)));
    same("the splitting", &b.0, &a.0);
    same("the reversible method", &b.1, &a.1);
}

fn stochastic<T: DeviceScalar>(device: &Device) {
    fn run<S: State>(x: &S, which: usize) -> S {
        let (mut x, control) = (x.clone(), Control::fixed(8));
        let levels = LevyArea::SpaceTime;
        let options = IntervalOptions::default();
        let mut path =
            BrownianInterval::new(Key::new(4), (0.0, 1.0), &x, levels, options).expect("a path");
        let times = (0.0, 1.0);
        let done = match which {
            0 => sde::solve(
                &Equation,
                &mut path,
                times,
                &mut x,
                &sde::EULER_MARUYAMA,
                &control,
                &mut (),
            ),
            1 => sde::solve(
                &Equation,
                &mut path,
                times,
                &mut x,
                &sde::HEUN,
                &control,
                &mut (),
            ),
            2 => sde::solve(
                &Equation,
                &mut path,
                times,
                &mut x,
                &sde::SRA1,
                &control,
                &mut (),
            ),
            _ => sde::solve(
                &Equation,
                &mut path,
                times,
                &mut x,
                &sde::SHARK,
                &control,
                &mut (),
            ),
        };
        done.expect("a solution");
        x
    }
    let x = start::<T>();
    let on = up(device, &x);
    for which in 0..4 {
        let what = format!("stochastic method {which}");
        same(&what, &run(&on, which), &run(&x, which));
    }
}

/// The same of a path that is a function of its key alone.
fn tree(device: &Device) {
    fn run<S: State>(x: &S) -> (S, usize) {
        let mut x = x.clone();
        let levels = LevyArea::SpaceTime;
        let mut path =
            VirtualBrownianTree::new(Key::new(4), (0.0, 1.0), &x, levels, 1e-4).expect("a path");
        let control = Control::fixed(10);
        let report = sde::solve(
            &Equation,
            &mut path,
            (0.0, 1.0),
            &mut x,
            &sde::SRA1,
            &control,
            &mut (),
        )
        .expect("a solution");
        (x, report.nfe)
    }
    let x = start::<f64>();
    let ((a, na), (b, nb)) = (run(&x), run(&up(device, &x)));
    assert_eq!(na, nb);
    same("the tree", &b, &a);
}
