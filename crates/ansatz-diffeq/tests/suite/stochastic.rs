//! Stochastic equations whose solutions are functions of the path: errors path by path, moments, and what
//! solvers refuse.

use ansatz_core::{
    ControlField, EvalError, HostState, Key, NoiseKind, Sde, State, VectorField, VjpControlField,
};
use ansatz_diffeq::brownian::{
    Brownian, BrownianError, BrownianInterval, Increment, IntervalOptions, LevyArea,
    VirtualBrownianTree,
};
use ansatz_diffeq::sde::{
    self, Calculus, Converted, EULER_HEUN, EULER_MARUYAMA, HEUN, MIDPOINT, MILSTEIN_ITO,
    MILSTEIN_STRATONOVICH, Method, Milstein, NoisyField, REVERSIBLE_HEUN, SHARK, SRA1, SRID2,
};
use ansatz_diffeq::{Adaptive, Control, Gains, ReversibleHeun, StepError, integrate};
use ansatz_testkit::{laws, measure};

use crate::statistics::mean;

pub(crate) const PATHS: usize = 20_000;

/// A scalar equation dX = f dt + g dW, on every component of a state.
#[derive(Clone, Copy)]
pub(crate) struct Each {
    pub(crate) drift: fn(f64, f64) -> f64,
    pub(crate) diffusion: fn(f64, f64) -> f64,
    /// ∂g/∂x.
    pub(crate) slope: fn(f64, f64) -> f64,
    pub(crate) kind: NoiseKind,
}

impl<S: HostState<Scalar = f64>> VectorField<S> for Each {
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        for (d, x) in dx.as_mut_slice().iter_mut().zip(x.as_slice()) {
            *d = (self.drift)(t, *x);
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> ControlField<S> for Each {
    fn apply(&self, t: f64, x: &S, w: &S, out: &mut S) -> Result<(), EvalError> {
        let terms = x.as_slice().iter().zip(w.as_slice());
        for (o, (x, w)) in out.as_mut_slice().iter_mut().zip(terms) {
            *o = (self.diffusion)(t, *x) * w;
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> VjpControlField<S> for Each {
    fn control_params(&self) -> usize {
        0
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &S,
        u: &S,
        w: &S,
        x_bar: &mut S,
        u_bar: &mut S,
        _: &mut [f64],
    ) -> Result<(), EvalError> {
        for (i, x) in x.as_slice().iter().enumerate() {
            let w = w.as_slice()[i];
            x_bar.as_mut_slice()[i] = (self.slope)(t, *x) * u.as_slice()[i] * w;
            u_bar.as_mut_slice()[i] = (self.diffusion)(t, *x) * w;
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> Sde<S> for Each {
    fn noise(&self) -> NoiseKind {
        self.kind
    }
}

/// dX = −a²X(1 − X²) dt + a(1 − X²) dW with a = ½ (Itô): X = tanh(aW + artanh X₀).
const TANH: Each = Each {
    drift: |_, x| -0.25 * x * (1.0 - x * x),
    diffusion: |_, x| 0.5 * (1.0 - x * x),
    slope: |_, x| -x,
    kind: NoiseKind::Diagonal,
};

/// The same for Stratonovich's calculus.
const TANH_STRATONOVICH: Each = Each {
    drift: |_, _| 0.0,
    ..TANH
};

const START: f64 = 0.3;

fn tanh_of(w: f64) -> f64 {
    (0.5 * w + START.atanh()).tanh()
}

pub(crate) fn tree<S: State>(like: &S, end: f64, seed: u64) -> VirtualBrownianTree<S> {
    VirtualBrownianTree::new(Key::new(seed), (0.0, end), like, LevyArea::SpaceTime, 1e-4).unwrap()
}

pub(crate) fn increment<S: State>(path: &mut dyn Brownian<S>) -> S {
    let mut out = Increment::new(path.like(), path.levels());
    let (start, end) = path.span();
    path.query(start, end, &mut out).unwrap();
    out.w().clone()
}

type Paths = BrownianInterval<Vec<f64>>;
type One = VirtualBrownianTree<[f64; 1]>;

fn sheet(components: usize, seed: u64, levels: LevyArea) -> Paths {
    let like = vec![0.0; components];
    let options = IntervalOptions::default();
    BrownianInterval::new(Key::new(seed), (0.0, 1.0), &like, levels, options).unwrap()
}

type Any<'a> = &'a dyn Method<Vec<f64>, Vec<f64>, Each, Paths>;

fn run(problem: &Each, method: Any<'_>, steps: usize, path: &mut Paths, start: f64) -> Vec<f64> {
    let mut x = vec![start; PATHS];
    let control = Control::fixed(steps);
    let times = path.span();
    sde::solve(problem, path, times, &mut x, method, &control, &mut ()).unwrap();
    x
}

/// Root mean square errors at 8, 16 and 32 steps, each within 5 %, and the slope.
fn strong_errors(
    problem: &Each,
    method: Any<'_>,
    exact: &[f64],
    path: &mut Paths,
    start: f64,
) -> [f64; 3] {
    [8, 16, 32].map(|steps| measure::rms(&run(problem, method, steps, path, start), exact, 1))
}

fn compare(name: &str, errors: [f64; 3], want: [f64; 3]) {
    // The error of the reversible method has heavy tails: 20 000 paths know it to 5 % (one sigma), as 4
    // million paths of another program tell.
    let bound = if name.starts_with("reversible") {
        0.15
    } else {
        0.05
    };
    for (e, w) in errors.iter().zip(want) {
        assert!((e / w - 1.0).abs() < bound, "{name}: {e:e} for {w:e}");
    }
}

/// Strong errors on the tanh problem against values computed elsewhere from the formulas.
#[test]
fn strong_errors_with_diagonal_noise() {
    let mut path = sheet(PATHS, 1, LevyArea::SpaceTime);
    let exact: Vec<f64> = increment(&mut path).iter().map(|w| tanh_of(*w)).collect();
    let milstein = |calculus| Milstein { calculus };
    let (ito, stratonovich) = (milstein(Calculus::Ito), milstein(Calculus::Stratonovich));
    let heun = [1.331e-2, 6.11e-3, 2.93e-3];
    let exact_milstein = [1.167e-2, 5.63e-3, 2.79e-3];
    let rows: [(&Each, Any<'_>, [f64; 3]); 7] = [
        (&TANH, &EULER_MARUYAMA, [3.64e-2, 2.50e-2, 1.75e-2]),
        (&TANH, &ito, exact_milstein),
        (&TANH_STRATONOVICH, &stratonovich, exact_milstein),
        (&TANH_STRATONOVICH, &HEUN, heun),
        (&TANH_STRATONOVICH, &EULER_HEUN, heun),
        (
            &TANH_STRATONOVICH,
            &REVERSIBLE_HEUN,
            [1.384e-2, 6.36e-3, 3.13e-3],
        ),
        (&TANH, &SRID2, [2.44e-3, 8.90e-4, 3.09e-4]),
    ];
    for (problem, method, want) in rows {
        let errors = strong_errors(problem, method, &exact, &mut path, START);
        compare(method.name(), errors, want);
    }
    // Without printed values: order 1.
    let rows: [(&Each, Any<'_>); 3] = [
        (&TANH_STRATONOVICH, &MIDPOINT),
        (&TANH, &MILSTEIN_ITO),
        (&TANH_STRATONOVICH, &MILSTEIN_STRATONOVICH),
    ];
    for (problem, method) in rows {
        let errors = strong_errors(problem, method, &exact, &mut path, START);
        let slope = (errors[0] / errors[2]).log2() / 2.0;
        println!("{}: {errors:?}, slope {slope:.2}", method.name());
        assert!((slope - 1.0).abs() < 0.15 && errors[2] < 4e-3);
    }
    // The calculus matters: the Itô equation read as Stratonovich's has another limit.
    let wrong = strong_errors(&TANH, &HEUN, &exact, &mut path, START);
    assert!(wrong[2] > 0.02, "{wrong:?}");
}

/// dX = −(X + sin X) dt + ½ dW.
const ADDITIVE: Each = Each {
    drift: |_, x| -(x + x.sin()),
    diffusion: |_, _| 0.5,
    slope: |_, _| 0.0,
    kind: NoiseKind::Additive,
};

#[test]
fn strong_errors_with_additive_noise() {
    let mut path = sheet(PATHS, 2, LevyArea::SpaceTime);
    let exact = run(&ADDITIVE, &SHARK, 1024, &mut path, 1.0);
    // The reference is as good as another method's.
    let other = run(&ADDITIVE, &SRA1, 1024, &mut path, 1.0);
    assert!(measure::rms(&exact, &other, 1) < 1e-6);
    let rows: [(Any<'_>, [f64; 3]); 3] = [
        (&EULER_MARUYAMA, [4.51e-2, 2.19e-2, 1.08e-2]),
        (&SRA1, [4.51e-3, 1.05e-3, 2.51e-4]),
        (&SHARK, [3.86e-3, 8.81e-4, 2.10e-4]),
    ];
    for (method, want) in rows {
        let errors = strong_errors(&ADDITIVE, method, &exact, &mut path, 1.0);
        compare(method.name(), errors, want);
    }
}

/// SRA1 keeps its order when the noise depends on time.
#[test]
fn additive_noise_that_depends_on_time() {
    let problem = Each {
        diffusion: |t, _| 0.5 * (1.0 + (3.0 * t).sin()),
        ..ADDITIVE
    };
    let mut path = sheet(PATHS, 3, LevyArea::SpaceTime);
    let exact = run(&problem, &SRA1, 1024, &mut path, 1.0);
    let errors = strong_errors(&problem, &SRA1, &exact, &mut path, 1.0);
    let slope = (errors[0] / errors[2]).log2() / 2.0;
    println!("SRA1: {errors:?}, slope {slope:.2}");
    assert!(slope > 1.4, "{errors:?}");
}

/// Moments of geometric Brownian motion after 16 steps of Euler's and Milstein's methods: exact recursions.
#[test]
fn moments_of_geometric_brownian_motion() {
    let paths = 1_000_000;
    let gbm = Each {
        drift: |_, x| 0.5 * x,
        diffusion: |_, x| 0.8 * x,
        slope: |_, _| 0.8,
        kind: NoiseKind::Diagonal,
    };
    let mut path = sheet(paths, 8, LevyArea::None);
    let milstein = Milstein {
        calculus: Calculus::Ito,
    };
    let first = 1.6361510105666233;
    let rows: [(Any<'_>, f64); 3] = [
        (&EULER_MARUYAMA, 4.832922301170125),
        (&milstein, 4.889288617431383),
        // g is linear: the difference quotient is the derivative.
        (&MILSTEIN_ITO, 4.889288617431383),
    ];
    for (method, second) in rows {
        let mut x = vec![1.0; paths];
        let control = Control::fixed(16);
        sde::solve(
            &gbm,
            &mut path,
            (0.0, 1.0),
            &mut x,
            method,
            &control,
            &mut (),
        )
        .unwrap();
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        let (m, s) = (mean(&x), mean(&squares));
        println!("{}: {m} {s}", method.name());
        assert!((m / first - 1.0).abs() < 0.01 && (s / second - 1.0).abs() < 0.01);
    }
}

/// dX = X dW₁ + JX dW₂ (Stratonovich, the matrices commute): X = e^{W₁}·(rotation by W₂)·X₀.
struct Spiral;

impl VectorField<[f64; 2]> for Spiral {
    fn eval(&self, _: f64, _: &[f64; 2], dx: &mut [f64; 2]) -> Result<(), EvalError> {
        *dx = [0.0; 2];
        Ok(())
    }
}

impl ControlField<[f64; 2], [f64; 2]> for Spiral {
    fn apply(
        &self,
        _: f64,
        x: &[f64; 2],
        w: &[f64; 2],
        out: &mut [f64; 2],
    ) -> Result<(), EvalError> {
        *out = [
            0.4 * (x[0] * w[0] - x[1] * w[1]),
            0.4 * (x[1] * w[0] + x[0] * w[1]),
        ];
        Ok(())
    }
}

impl Sde<[f64; 2], [f64; 2]> for Spiral {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Commutative
    }
}

fn spiral_error(
    method: &dyn Method<[f64; 2], [f64; 2], Spiral, VirtualBrownianTree<[f64; 2]>>,
    control: &Control,
) -> (f64, usize, usize) {
    let (mut sum, mut steps, mut rejected) = (0.0, 0, 0);
    let paths = 500;
    for seed in 0..paths {
        let mut path =
            VirtualBrownianTree::new(Key::new(seed), (0.0, 1.0), &[0.0; 2], LevyArea::None, 1e-6)
                .unwrap();
        let w: [f64; 2] = increment(&mut path);
        let r = (0.4 * w[0]).exp();
        let exact = [r * (0.4 * w[1]).cos(), r * (0.4 * w[1]).sin()];
        let mut x = [1.0, 0.0];
        let report = sde::solve(
            &Spiral,
            &mut path,
            (0.0, 1.0),
            &mut x,
            method,
            control,
            &mut (),
        )
        .unwrap();
        sum += (x[0] - exact[0]).powi(2) + (x[1] - exact[1]).powi(2);
        steps += report.steps;
        rejected += report.rejected;
    }
    ((sum / paths as f64).sqrt(), steps, rejected)
}

#[test]
fn commutative_noise_in_small_states() {
    let methods: [&dyn Method<[f64; 2], [f64; 2], Spiral, VirtualBrownianTree<[f64; 2]>>; 4] =
        [&HEUN, &EULER_HEUN, &MIDPOINT, &REVERSIBLE_HEUN];
    for method in methods {
        let errors = [16, 32, 64].map(|n| spiral_error(method, &Control::fixed(n)).0);
        let slope = (errors[0] / errors[2]).log2() / 2.0;
        println!("{}: {errors:?}, slope {slope:.2}", method.name());
        assert!((slope - 1.0).abs() < 0.15, "{}: {errors:?}", method.name());
    }
}

fn controlled(tolerance: f64) -> Control {
    Control::adaptive(Adaptive {
        gains: Gains::NOISY,
        first: Some(0.01),
        ..Adaptive::new(tolerance, tolerance)
    })
}

/// Controlled steps converge to the same solution of the same path, with fewer steps where tolerance is loose.
#[test]
fn adaptive_steps_see_the_same_path() {
    let methods: [&dyn Method<[f64; 2], [f64; 2], Spiral, VirtualBrownianTree<[f64; 2]>>; 3] =
        [&HEUN, &EULER_HEUN, &REVERSIBLE_HEUN];
    for method in methods {
        let runs = [3e-2, 3e-3].map(|tol| spiral_error(method, &controlled(tol)));
        println!("{}: {runs:?}", method.name());
        assert!(runs[0].2 > 0, "nothing was rejected");
        assert!(runs[1].1 > 2 * runs[0].1);
        assert!(runs[1].0 < 0.3 * runs[0].0, "{}: {runs:?}", method.name());
        assert!(runs[1].0 < 5e-3);
    }
    let ito = Milstein {
        calculus: Calculus::Ito,
    };
    let methods: [&dyn Method<[f64; 1], [f64; 1], Each, One>; 3] = [&SRID2, &ito, &MILSTEIN_ITO];
    for method in methods {
        let errors = [1e-2, 1e-3, 1e-4].map(|tol| {
            let squares: f64 = (0..300)
                .map(|seed| {
                    let mut path = tree(&[0.0], 1.0, seed);
                    let exact = tanh_of(increment(&mut path)[0]);
                    let mut x = [START];
                    let control = controlled(tol);
                    sde::solve(
                        &TANH,
                        &mut path,
                        (0.0, 1.0),
                        &mut x,
                        method,
                        &control,
                        &mut (),
                    )
                    .unwrap();
                    (x[0] - exact).powi(2)
                })
                .sum();
            (squares / 300.0).sqrt()
        });
        println!("{}: {errors:?}", method.name());
        assert!(
            errors[2] < 0.2 * errors[0] && errors[2] < 2e-3,
            "{errors:?}"
        );
    }
    let error = |tol| {
        let mut x = vec![1.0; 1000];
        let mut path = sheet(1000, 5, LevyArea::SpaceTime);
        let mut fine = x.clone();
        let times = (0.0, 1.0);
        sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut fine,
            &SRA1,
            &Control::fixed(1024),
            &mut (),
        )
        .unwrap();
        sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut x,
            &SHARK,
            &controlled(tol),
            &mut (),
        )
        .unwrap();
        measure::rms(&x, &fine, 1)
    };
    let (loose, tight) = (error(1e-2), error(1e-5));
    println!("ShARK, controlled: {loose:.2e} {tight:.2e}");
    assert!(tight < 1e-2 * loose && tight < 1e-4);
}

/// Backwards over the same path, the reversible method gives its start to the last digits.
#[test]
fn reversible_steps_run_backwards() {
    let (n, h) = (100, 0.01);
    let mut path = tree(&[0.0; 2], 1.0, 4);
    let w: [f64; 2] = increment(&mut path);
    let x = [1.0, 0.0];
    let mut y = (x, x);
    {
        let drive = NoisyField::new(&Spiral, &mut path, &x);
        let mut method = ReversibleHeun::new(drive, &x);
        integrate(
            &mut method,
            &[0.0, 1.0],
            &mut y,
            &Control::fixed(n),
            &mut (),
        )
        .unwrap();
        let r = (0.4 * w[0]).exp();
        assert!((y.0[0] - r * (0.4 * w[1]).cos()).abs() < 0.02);
        for i in (0..n).rev() {
            method.step_back(i as f64 * h, h, &mut y).unwrap();
        }
    }
    // Some 200 roundings of numbers near 1.
    for y in [y.0, y.1] {
        assert!((y[0] - 1.0).abs() < 1e-13 && y[1].abs() < 1e-13, "{y:?}");
    }
}

/// A Stratonovich flow is undone by the same path backwards, up to the error of the method.
#[test]
fn solving_backwards_in_time() {
    let mut path = tree(&[0.0; 2], 1.0, 4);
    let mut x = [1.0, 0.0];
    let control = Control::fixed(1000);
    sde::solve(
        &Spiral,
        &mut path,
        (0.0, 1.0),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert!((x[0] - 1.0).abs() > 0.05);
    sde::solve(
        &Spiral,
        &mut path,
        (1.0, 0.0),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert!((x[0] - 1.0).abs() < 1e-3 && x[1].abs() < 1e-3, "{x:?}");
}

/// One Brownian motion for three components, each with its own sensitivity: X = X₀·exp(bW) in Stratonovich's sense.
struct Shared;

impl VectorField<[f64; 3]> for Shared {
    fn eval(&self, _: f64, x: &[f64; 3], dx: &mut [f64; 3]) -> Result<(), EvalError> {
        // The Itô drift ½b²x.
        *dx = [0.02 * x[0], 0.08 * x[1], 0.18 * x[2]];
        Ok(())
    }
}

impl ControlField<[f64; 3], [f64; 1]> for Shared {
    fn apply(
        &self,
        _: f64,
        x: &[f64; 3],
        w: &[f64; 1],
        out: &mut [f64; 3],
    ) -> Result<(), EvalError> {
        *out = [0.2 * x[0] * w[0], 0.4 * x[1] * w[0], 0.6 * x[2] * w[0]];
        Ok(())
    }
}

impl Sde<[f64; 3], [f64; 1]> for Shared {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Commutative
    }
}

#[test]
fn scalar_noise_for_several_components() {
    let methods: [(&dyn Method<[f64; 3], [f64; 1], Shared, One>, f64); 2] =
        [(&MILSTEIN_ITO, 1.0), (&SRID2, 1.5)];
    for (method, order) in methods {
        let errors = [16, 32, 64].map(|n| {
            let squares: f64 = (0..500)
                .map(|seed| {
                    let mut path = tree(&[0.0], 1.0, seed);
                    let w = increment(&mut path)[0];
                    let mut x = [1.0; 3];
                    let control = Control::fixed(n);
                    sde::solve(
                        &Shared,
                        &mut path,
                        (0.0, 1.0),
                        &mut x,
                        method,
                        &control,
                        &mut (),
                    )
                    .unwrap();
                    let exact = [(0.2 * w).exp(), (0.4 * w).exp(), (0.6 * w).exp()];
                    x.iter()
                        .zip(exact)
                        .map(|(x, e)| (x - e).powi(2))
                        .sum::<f64>()
                })
                .sum();
            (squares / 500.0).sqrt()
        });
        let slope = (errors[0] / errors[2]).log2() / 2.0;
        println!("{}: {errors:?}, slope {slope:.2}", method.name());
        assert!((slope - order).abs() < 0.2, "{errors:?}");
    }
}

/// The same path gives the same bits, whoever asks in between.
#[test]
fn runs_repeat_bit_by_bit() {
    let methods: [Any<'_>; 4] = [&HEUN, &SRID2, &EULER_HEUN, &MILSTEIN_ITO];
    for method in methods {
        let mut path = sheet(PATHS, 6, LevyArea::SpaceTime);
        let one = run(&TANH, method, 13, &mut path, START);
        run(&TANH, method, 7, &mut path, START);
        assert_eq!(one, run(&TANH, method, 13, &mut path, START));
    }
}

/// Long states are shared among threads; no bit depends on how many.
#[test]
fn threads_change_no_bit() {
    let methods: [Any<'_>; 3] = [&HEUN, &SRID2, &REVERSIBLE_HEUN];
    for method in methods {
        laws::same_for_threads(|| {
            let mut path = sheet(70_000, 7, LevyArea::SpaceTime);
            let mut x = vec![START; 70_000];
            let (times, control) = ((0.0, 1.0), Control::fixed(5));
            sde::solve(&TANH, &mut path, times, &mut x, method, &control, &mut ()).unwrap();
            x
        });
    }
}

#[test]
fn what_solvers_refuse() {
    let mut path = sheet(3, 1, LevyArea::SpaceTime);
    let mut x = vec![START; 3];
    let control = Control::fixed(10);
    let mut refuse = |problem: &Each, method: Any<'_>, times, control: &Control| {
        let error =
            sde::solve(problem, &mut path, times, &mut x, method, control, &mut ()).unwrap_err();
        assert_eq!(x, [START; 3]);
        error
    };
    let unit = (0.0, 1.0);
    for method in [&SRA1 as Any<'_>, &SHARK] {
        let error = refuse(&TANH, method, unit, &control);
        let kind = NoiseKind::Diagonal;
        assert!(matches!(error, StepError::Noise { kind: k, .. } if k == kind));
    }
    let general = Each {
        kind: NoiseKind::General,
        ..TANH
    };
    let ito = Milstein {
        calculus: Calculus::Ito,
    };
    for method in [&SRID2 as Any<'_>, &MILSTEIN_ITO, &ito] {
        let error = refuse(&general, method, unit, &control);
        assert!(matches!(
            error,
            StepError::Noise {
                kind: NoiseKind::General,
                ..
            }
        ));
    }
    let error = refuse(&TANH, &HEUN, (0.5, 1.5), &control);
    assert!(matches!(
        error,
        StepError::Brownian(BrownianError::Outside { .. })
    ));
    let error = refuse(&TANH, &SRID2, (1.0, 0.0), &control);
    assert!(matches!(
        error,
        StepError::Brownian(BrownianError::Reversed { .. })
    ));
    let error = refuse(&TANH, &EULER_MARUYAMA, unit, &controlled(1e-3));
    assert!(matches!(
        error,
        StepError::Option {
            name: "error_order",
            ..
        }
    ));
    let no_first = Control::adaptive(Adaptive::new(1e-3, 1e-3));
    let error = refuse(&TANH, &HEUN, unit, &no_first);
    assert!(matches!(error, StepError::Option { name: "first", .. }));
    let broken = Each {
        drift: |_, x| (x - 1.0).sqrt(),
        ..TANH
    };
    for method in [&HEUN as Any<'_>, &SRID2, &EULER_HEUN, &ito] {
        let error = refuse(&broken, method, unit, &control);
        assert!(matches!(error, StepError::NonFinite { .. }), "{error}");
    }
    let mut poor = sheet(3, 1, LevyArea::None);
    for error in [
        sde::solve(&TANH, &mut poor, unit, &mut x, &SRID2, &control, &mut ()),
        sde::solve(
            &ADDITIVE,
            &mut poor,
            unit,
            &mut x,
            &SHARK,
            &control,
            &mut (),
        ),
    ] {
        assert!(matches!(error.unwrap_err(), StepError::Levels { .. }));
    }
    let mut long = sheet(4, 1, LevyArea::SpaceTime);
    let error = sde::solve(&TANH, &mut long, unit, &mut x, &SRID2, &control, &mut ());
    assert!(matches!(error.unwrap_err(), StepError::Count { .. }));
    // Equal times are nothing to do.
    sde::solve(
        &TANH,
        &mut path,
        (0.5, 0.5),
        &mut x,
        &HEUN,
        &control,
        &mut (),
    )
    .unwrap();
    assert_eq!(x, [START; 3]);
}

/// Tables are consistent: drifts weigh 1, increments weigh W once and areas nothing.
#[test]
fn tables_are_consistent() {
    for t in [EULER_HEUN, SRA1, SHARK] {
        t.validate().unwrap();
        let (mut drift, mut w, mut area) = (0.0, 0.0, 0.0);
        for (call, weight) in t.calls.iter().zip(t.weights) {
            match call.term {
                sde::Term::Drift => drift += weight,
                sde::Term::Noise { w: a, area: b } => {
                    w += a * weight;
                    area += b * weight;
                }
            }
        }
        assert!((drift - 1.0).abs() < 1e-15, "{}", t.name);
        assert!((w - 1.0).abs() < 1e-15 && area.abs() < 1e-15, "{}", t.name);
    }
    for t in [SRID2, MILSTEIN_ITO, MILSTEIN_STRATONOVICH] {
        t.validate().unwrap();
        assert!((t.alpha.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        for (beta, want) in t.beta.iter().zip([1.0, 0.0, 0.0, 0.0]) {
            assert!(
                (beta.iter().sum::<f64>() - want).abs() < 1e-15,
                "{}",
                t.name
            );
        }
    }
    let [double, triple] = Calculus::Ito.iterated(2.0, 0.5);
    assert!((double - 1.75).abs() < 1e-15 && (triple - 5.0 / 6.0).abs() < 1e-15);
    let short = sde::SrkTableau {
        weights: &[1.0],
        ..SHARK
    };
    assert!(matches!(short.validate(), Err(StepError::Tableau { .. })));
}

/// An Itô equation in the other calculus, and back.
#[test]
fn conversion_between_calculi() {
    let x = vec![-0.7, 0.1, 0.9];
    let eval = |e: &dyn VectorField<Vec<f64>>| {
        let mut out = vec![0.0; 3];
        e.eval(0.0, &x, &mut out).unwrap();
        out
    };
    // f − ½g'g = 0 for the tanh problem.
    let stratonovich = Converted::new(&TANH, Calculus::Stratonovich, &x).unwrap();
    let ito = Converted::new(&TANH_STRATONOVICH, Calculus::Ito, &x).unwrap();
    for (i, drift) in eval(&ito).iter().enumerate() {
        assert!(eval(&stratonovich)[i].abs() < 1e-16);
        assert!((drift - (TANH.drift)(0.0, x[i])).abs() < 1e-16);
    }
    let mut path = sheet(3, 2, LevyArea::SpaceTime);
    let run = |e: &dyn Sde<Vec<f64>>, path: &mut Paths| {
        let (mut z, control) = (x.clone(), Control::fixed(20));
        sde::solve(e, path, (0.0, 1.0), &mut z, &HEUN, &control, &mut ()).unwrap();
        z
    };
    let direct = run(&TANH_STRATONOVICH, &mut path);
    let converted = run(&stratonovich, &mut path);
    assert!(measure::max_abs_diff(&direct, &converted) < 1e-14);
    let general = Each {
        kind: NoiseKind::General,
        ..TANH
    };
    let refused = Converted::new(&general, Calculus::Ito, &x).err();
    assert!(matches!(refused, Some(StepError::Noise { .. })));
}

/// dX = (dW₁, dW₂, X₁dW₂ − X₂dW₁): the third component is twice the Lévy area, and the columns do not commute.
struct Heisenberg;

impl VectorField<[f64; 3]> for Heisenberg {
    fn eval(&self, _: f64, _: &[f64; 3], dx: &mut [f64; 3]) -> Result<(), EvalError> {
        *dx = [0.0; 3];
        Ok(())
    }
}

impl ControlField<[f64; 3], [f64; 2]> for Heisenberg {
    fn apply(
        &self,
        _: f64,
        x: &[f64; 3],
        w: &[f64; 2],
        out: &mut [f64; 3],
    ) -> Result<(), EvalError> {
        *out = [w[0], w[1], x[0] * w[1] - x[1] * w[0]];
        Ok(())
    }
}

impl Sde<[f64; 3], [f64; 2]> for Heisenberg {
    fn noise(&self) -> NoiseKind {
        NoiseKind::General
    }
}

/// Increments alone do not tell the area: the error of n steps has the variance h²·n = h, whatever the method.
#[test]
fn general_noise_has_order_one_half() {
    type Two = VirtualBrownianTree<[f64; 2]>;
    let methods: [&dyn Method<[f64; 3], [f64; 2], Heisenberg, Two>; 3] =
        [&HEUN, &EULER_MARUYAMA, &MIDPOINT];
    let runs = 400;
    for method in methods {
        for n in [8, 32] {
            let squares: f64 = (0..runs)
                .map(|seed| {
                    let mut path = tree(&[0.0; 2], 1.0, seed);
                    let mut run = |n| {
                        let (mut x, control) = ([0.0; 3], Control::fixed(n));
                        let times = (0.0, 1.0);
                        sde::solve(
                            &Heisenberg,
                            &mut path,
                            times,
                            &mut x,
                            method,
                            &control,
                            &mut (),
                        )
                        .unwrap();
                        x[2]
                    };
                    (run(n) - run(2048)).powi(2)
                })
                .sum();
            let variance = squares / runs as f64;
            let exact = 1.0 / n as f64 - 1.0 / 2048.0;
            println!("{}: {variance:.4} for {exact:.4}", method.name());
            // The squares of areas have relative deviations of 2.
            assert!((variance / exact - 1.0).abs() < 4.0 * 2.0 / (runs as f64).sqrt());
        }
    }
}

/// States at many times are those of a solve to each of them.
#[test]
fn outputs_at_many_times() {
    let mut path = sheet(5, 3, LevyArea::SpaceTime);
    let x = vec![START; 5];
    let times = [0.0, 0.25, 0.5, 1.0];
    let mut out = vec![x.clone(); 4];
    let control = Control::fixed(8);
    let report = sde::solve_at(&TANH, &mut path, &times, &x, &SRID2, &control, &mut out).unwrap();
    assert_eq!(report.steps, 24);
    let mut y = x.clone();
    for (pair, out) in times.windows(2).zip(&out[1..]) {
        let leg = (pair[0], pair[1]);
        sde::solve(&TANH, &mut path, leg, &mut y, &SRID2, &control, &mut ()).unwrap();
        assert_eq!(&y, out);
    }
    let short = sde::solve_at(
        &TANH,
        &mut path,
        &times,
        &x,
        &SRID2,
        &control,
        &mut out[..2],
    );
    assert!(matches!(short, Err(StepError::Count { .. })));
    let order = [0.0, 0.5, 0.25];
    let wrong = sde::solve_at(
        &TANH,
        &mut path,
        &order,
        &x,
        &SRID2,
        &control,
        &mut out[..3],
    );
    assert!(matches!(wrong, Err(StepError::Times { .. })));
}

/// Step doubling gives estimates to methods without: Euler-Maruyama with additive noise, the midpoint rule.
#[test]
fn doubled_steps() {
    let doubled = sde::Doubled {
        method: EULER_MARUYAMA,
        error_order: 1.5,
    };
    let mut path = sheet(500, 5, LevyArea::SpaceTime);
    let x = vec![1.0; 500];
    let mut solve = |method: Any<'_>, control: &Control| {
        let mut z = x.clone();
        let times = (0.0, 1.0);
        let report = sde::solve(
            &ADDITIVE,
            &mut path,
            times,
            &mut z,
            method,
            control,
            &mut (),
        )
        .unwrap();
        (z, report)
    };
    let (fine, _) = solve(&SRA1, &Control::fixed(1024));
    let errors = [1e-2, 1e-4].map(|tol| {
        let (z, report) = solve(&doubled, &controlled(tol));
        (measure::rms(&z, &fine, 1), report.steps)
    });
    println!("Euler-Maruyama, doubled: {errors:?}");
    assert!(errors[1].0 < 0.1 * errors[0].0 && errors[1].1 > 5 * errors[0].1);
    let doubled = sde::Doubled {
        method: MIDPOINT,
        error_order: 1.5,
    };
    let errors = [3e-2, 1e-3].map(|tol| spiral_error(&doubled, &controlled(tol)).0);
    println!("midpoint, doubled: {errors:?}");
    assert!(errors[1] < 0.3 * errors[0] && errors[1] < 5e-3);
}
