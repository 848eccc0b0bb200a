//! Stable forms of stochastic equations: their laws, and the derivatives that training needs.

use ansatz_core::{
    ControlField, EvalError, Key, NoiseKind, Sde, VectorField, VjpControlField, VjpField,
};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::brownian::{
    Brownian, BrownianInterval, Increment, IntervalOptions, LevyArea, VirtualBrownianTree,
};
use ansatz_diffeq::sde::{
    self, EULER_MARUYAMA, Form, LOG_EULER, MILSTEIN_ITO, SHARK, Stable, VjpVolatility, Volatility,
};
use ansatz_diffeq::{Control, StepError};
use ansatz_testkit::measure;

use crate::statistics::{mean, normal_below, variance};

type States = Vec<f64>;

fn path(n: usize, end: f64, levels: LevyArea) -> BrownianInterval<States> {
    let options = IntervalOptions::default();
    BrownianInterval::new(Key::new(12), (0.0, end), &vec![0.0; n], levels, options).unwrap()
}

fn constant(sigma: f64) -> impl Volatility<States> {
    move |_: f64, out: &mut States| {
        out.fill(sigma);
        Ok(())
    }
}

fn each(f: fn(f64) -> f64) -> impl VectorField<States> {
    move |_: f64, z: &States, dz: &mut States| {
        dz.iter_mut().zip(z).for_each(|(d, z)| *d = f(*z));
        Ok(())
    }
}

/// Stationary moments of dz = (z − z³) dt + 0.7 dW, by quadrature of exp(−2U/σ²).
#[test]
fn langevin_form_reaches_its_stationary_law() {
    let n = 100_000;
    let equation = Stable::new(Form::Langevin, each(|z| z - z * z * z), constant(0.7));
    assert_eq!(equation.noise(), NoiseKind::Additive);
    let mut z: States = (0..n)
        .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let mut path = path(n, 8.0, LevyArea::None);
    let (times, control) = ((0.0, 8.0), Control::fixed(800));
    sde::solve(
        &equation,
        &mut path,
        times,
        &mut z,
        &EULER_MARUYAMA,
        &control,
        &mut (),
    )
    .unwrap();
    let square = z.iter().map(|z| z * z).sum::<f64>() / n as f64;
    let fourth = z.iter().map(|z| z.powi(4)).sum::<f64>() / n as f64;
    println!("E z² = {square:.4}, E z⁴ = {fourth:.4}");
    assert!((square / 0.8322329813 - 1.0).abs() < 0.02);
    assert!((fourth / 1.0772329813 - 1.0).abs() < 0.02);
}

/// dz = (1 − z) dt + ½ z dW has mean 1 and variance 1/7.
#[test]
fn linear_noise_form_reaches_its_stationary_law() {
    let n = 200_000;
    let equation = Stable::new(Form::LinearNoise, each(|z| 1.0 - z), constant(0.5));
    assert_eq!(equation.noise(), NoiseKind::Diagonal);
    let mut z = vec![1.0; n];
    let mut path = path(n, 6.0, LevyArea::None);
    let (times, control) = ((0.0, 6.0), Control::fixed(200));
    sde::solve(
        &equation,
        &mut path,
        times,
        &mut z,
        &MILSTEIN_ITO,
        &control,
        &mut (),
    )
    .unwrap();
    println!("mean {:.4}, variance {:.5}", mean(&z), variance(&z));
    assert!((mean(&z) - 1.0).abs() < 4.0 * (1.0 / 7.0 / n as f64).sqrt());
    assert!((variance(&z) * 7.0 - 1.0).abs() < 0.03);
}

/// The logarithmic step is exact for constant rates, whatever its size, and keeps signs and zeros.
#[test]
fn geometric_form() {
    let n = 20_000;
    let equation = Stable::new(Form::Geometric, each(|_| 0.1), constant(0.6));
    let start: States = (0..n).map(|i| [1.5, 1.5, -1.5, 0.0][i % 4]).collect();
    let mut path = path(n, 2.0, LevyArea::None);
    let mut w = Increment::new(path.like(), LevyArea::None);
    path.query(0.0, 2.0, &mut w).unwrap();
    for steps in [1, 7, 40] {
        let mut z = start.clone();
        let control = Control::fixed(steps);
        sde::solve(
            &equation,
            &mut path,
            (0.0, 2.0),
            &mut z,
            &LOG_EULER,
            &control,
            &mut (),
        )
        .unwrap();
        for ((z, start), w) in z.iter().zip(&start).zip(w.w()) {
            let exact = start * (2.0 * (0.1 - 0.18) + 0.6 * w).exp();
            assert!((z - exact).abs() <= 1e-13 * exact.abs(), "{z} {exact}");
        }
        let logs: Vec<f64> = (0..n).filter(|i| i % 4 < 2).map(|i| z[i].ln()).collect();
        let sigma = 4.0 / (logs.len() as f64).sqrt();
        assert!((mean(&logs) - 0.2454651081).abs() < sigma * 0.72_f64.sqrt());
        assert!((variance(&logs) / 0.72 - 1.0).abs() < sigma * 2.0_f64.sqrt());
    }
    let additive = Stable::new(Form::Langevin, each(|_| 0.1), constant(0.6));
    let mut z = start.clone();
    let control = Control::fixed(1);
    let error = sde::solve(
        &additive,
        &mut path,
        (0.0, 2.0),
        &mut z,
        &LOG_EULER,
        &control,
        &mut (),
    );
    assert!(matches!(error.unwrap_err(), StepError::Noise { .. }));
    assert_eq!(z, start);
}

/// In ln z the noise is additive: the logarithmic step has strong order 1 for rates that depend on the state.
#[test]
fn logarithmic_steps_have_order_one() {
    let n = 2000;
    let equation = Stable::new(Form::Geometric, each(|z| 1.0 - z), constant(0.6));
    let mut path = path(n, 1.0, LevyArea::None);
    let mut run = |steps| {
        let (mut z, control) = (vec![1.5; n], Control::fixed(steps));
        sde::solve(
            &equation,
            &mut path,
            (0.0, 1.0),
            &mut z,
            &LOG_EULER,
            &control,
            &mut (),
        )
        .unwrap();
        z
    };
    let fine = run(1024);
    let errors = [8, 16, 32].map(|steps| measure::rms(&run(steps), &fine, 1));
    let slope = (errors[0] / errors[2]).log2() / 2.0;
    assert!((slope - 1.0).abs() < 0.15, "{errors:?}");
}

/// How often one Euler step of the geometric form turns negative, against Φ(−(1 + γh)/(σ√h)); the logarithmic step never
/// does.
#[test]
fn euler_steps_cross_zero() {
    let n = 400_000;
    let equation = Stable::new(Form::Geometric, each(|_| 0.1), constant(1.5));
    for (h, printed) in [(0.5, 0.16110), (0.1, 0.016617)] {
        let p = normal_below(-(1.0 + 0.1 * h) / (1.5 * f64::sqrt(h)));
        assert!((p - printed).abs() < 1e-5, "{p}");
        let mut path = path(n, h, LevyArea::None);
        let mut step = |method: &dyn sde::Method<States, States, _, BrownianInterval<States>>| {
            let mut z = vec![1.0; n];
            let control = Control::fixed(1);
            sde::solve(
                &equation,
                &mut path,
                (0.0, h),
                &mut z,
                method,
                &control,
                &mut (),
            )
            .unwrap();
            z.iter().filter(|z| **z < 0.0).count() as f64 / n as f64
        };
        let crossed = step(&EULER_MARUYAMA);
        println!("h = {h}: {crossed:.5} for {p:.5}");
        assert!((crossed - p).abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt());
        assert!(step(&LOG_EULER) == 0.0);
    }
}

/// γᵢ = p₀·tanh(zᵢ + zᵢ₊₁) + p₁t and σᵢ = p₂(1 + i)·cos t, with derivatives.
struct Learned([f64; 3]);

impl VectorField<[f64; 2]> for Learned {
    fn eval(&self, t: f64, z: &[f64; 2], dz: &mut [f64; 2]) -> Result<(), EvalError> {
        let [p, q, _] = self.0;
        *dz = [
            p * (z[0] + z[1]).tanh() + q * t,
            p * (2.0 * z[1]).tanh() + q * t,
        ];
        Ok(())
    }
}

impl VjpField<[f64; 2]> for Learned {
    fn params(&self) -> usize {
        2
    }

    fn vjp(
        &self,
        t: f64,
        z: &[f64; 2],
        w: &[f64; 2],
        z_bar: &mut [f64; 2],
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let (a, b) = ((z[0] + z[1]).tanh(), (2.0 * z[1]).tanh());
        let (da, db) = (self.0[0] * (1.0 - a * a), self.0[0] * (1.0 - b * b));
        *z_bar = [da * w[0], da * w[0] + 2.0 * db * w[1]];
        p_bar[0] += a * w[0] + b * w[1];
        p_bar[1] += t * (w[0] + w[1]);
        Ok(())
    }
}

struct Wave(f64);

impl Volatility<[f64; 2]> for Wave {
    fn eval(&self, t: f64, out: &mut [f64; 2]) -> Result<(), EvalError> {
        *out = [self.0 * t.cos(), 2.0 * self.0 * t.cos()];
        Ok(())
    }
}

impl VjpVolatility<[f64; 2]> for Wave {
    fn params(&self) -> usize {
        1
    }

    fn vjp(&self, t: f64, w: &[f64; 2], p_bar: &mut [f64]) -> Result<(), EvalError> {
        p_bar[0] += t.cos() * (w[0] + 2.0 * w[1]);
        Ok(())
    }
}

/// Products with Jacobians of all three forms against central differences.
#[test]
fn derivatives_of_the_forms() {
    let (t, x, u, w) = (0.4, [0.3, -0.8], [1.2, 0.5], [0.7, -1.1]);
    let p = [0.9, 0.2, 0.6];
    let make = |form, p: [f64; 3]| Stable::new(form, Learned(p), Wave(p[2]));
    let e = 1e-5;
    for form in [Form::Langevin, Form::LinearNoise, Form::Geometric] {
        let drift = |p: [f64; 3], x: [f64; 2]| {
            let mut out = [0.0; 2];
            make(form, p).eval(t, &x, &mut out).unwrap();
            out[0] * w[0] + out[1] * w[1]
        };
        let noise = |p: [f64; 3], x: [f64; 2], u: [f64; 2]| {
            let mut out = [0.0; 2];
            make(form, p).apply(t, &x, &u, &mut out).unwrap();
            out[0] * w[0] + out[1] * w[1]
        };
        let equation = make(form, p);
        assert_eq!(equation.params(), 3);
        let (mut x_bar, mut u_bar, mut p_bar) = ([0.0; 2], [0.0; 2], [0.0; 3]);
        equation.vjp(t, &x, &w, &mut x_bar, &mut p_bar).unwrap();
        let near = |got: f64, up: f64, down: f64| {
            assert!(
                (got - (up - down) / (2.0 * e)).abs() < 1e-9,
                "{form:?}: {got}"
            );
        };
        let shifted = |mut v: [f64; 2], i: usize, e: f64| {
            v[i] += e;
            v
        };
        let other = |i: usize, e: f64| {
            let mut p = p;
            p[i] += e;
            p
        };
        for i in 0..2 {
            near(
                x_bar[i],
                drift(p, shifted(x, i, e)),
                drift(p, shifted(x, i, -e)),
            );
        }
        for i in 0..3 {
            near(p_bar[i], drift(other(i, e), x), drift(other(i, -e), x));
        }
        p_bar = [0.0; 3];
        equation
            .control_vjp(t, &x, &u, &w, &mut x_bar, &mut u_bar, &mut p_bar)
            .unwrap();
        for i in 0..2 {
            near(
                x_bar[i],
                noise(p, shifted(x, i, e), u),
                noise(p, shifted(x, i, -e), u),
            );
            near(
                u_bar[i],
                noise(p, x, shifted(u, i, e)),
                noise(p, x, shifted(u, i, -e)),
            );
        }
        for i in 0..3 {
            near(
                p_bar[i],
                noise(other(i, e), x, u),
                noise(other(i, -e), x, u),
            );
        }
        let short = equation.vjp(t, &x, &w, &mut x_bar, &mut []);
        assert!(matches!(short, Err(EvalError::Length { .. })));
    }
}

/// The methods for additive noise serve the Langevin form.
#[test]
fn langevin_form_with_a_strong_method() {
    let n = 50_000;
    let equation = Stable::new(Form::Langevin, each(|z| -z), constant(0.5));
    let mut z = vec![1.0; n];
    let mut path = path(n, 4.0, LevyArea::SpaceTime);
    let control = Control::fixed(20);
    sde::solve(
        &equation,
        &mut path,
        (0.0, 4.0),
        &mut z,
        &SHARK,
        &control,
        &mut (),
    )
    .unwrap();
    let exact = 0.125 * (1.0 - (-8.0_f64).exp());
    let sigma = 4.0 / (n as f64).sqrt();
    assert!((mean(&z) - (-4.0_f64).exp()).abs() < sigma * 0.125_f64.sqrt());
    assert!((variance(&z) / exact - 1.0).abs() < 1.5 * sigma);
}

/// Gradients through the listed methods against central differences, on one path.
#[test]
fn gradients_through_listed_methods() {
    let p = [0.9, 0.2, 0.6];
    let (x, c, h) = ([0.3, -0.8], [0.7, -1.1], 1e-5);
    let times = [0.0, 0.5, 1.0];
    for (form, tableau) in [
        (Form::Langevin, sde::SRA1),
        (Form::Langevin, sde::SHARK),
        (Form::LinearNoise, sde::EULER_HEUN),
        (Form::Geometric, sde::EULER_HEUN),
    ] {
        let levels = LevyArea::SpaceTime;
        let make = || VirtualBrownianTree::new(Key::new(2), (0.0, 1.0), &x, levels, 1e-4).unwrap();
        let loss = |p: [f64; 3], x: [f64; 2]| {
            let equation = Stable::new(form, Learned(p), Wave(p[2]));
            let mut out = [x; 3];
            let control = Control::fixed(7);
            let path = &mut make();
            sde::solve_at(&equation, path, &times, &x, &tableau, &control, &mut out).unwrap();
            let end = out[2];
            c[0] * end[0] + c[1] * end[1] + out[1][0]
        };
        let equation = Stable::new(form, Learned(p), Wave(p[2]));
        let mut path = make();
        let mut method = sde::StochasticRungeKutta::new(tableau, &equation, &mut path, &x).unwrap();
        for memory in [Memory::Every, Memory::Slots(3)] {
            let tape = Tape::record(&mut method, &times, &x, &Control::fixed(7), memory).unwrap();
            let gradient = tape.pull(&mut method, &[[0.0; 2], [1.0, 0.0], c]).unwrap();
            let near = |got: f64, up: f64, down: f64| {
                let want = (up - down) / (2.0 * h);
                assert!(
                    (got - want).abs() < 1e-8,
                    "{}: {got} for {want}",
                    tableau.name
                );
            };
            for i in 0..2 {
                let moved = |h: f64| {
                    let mut x = x;
                    x[i] += h;
                    loss(p, x)
                };
                near(gradient.state[i], moved(h), moved(-h));
            }
            for i in 0..3 {
                let moved = |h: f64| {
                    let mut p = p;
                    p[i] += h;
                    loss(p, x)
                };
                near(gradient.params[i], moved(h), moved(-h));
            }
            assert!(gradient.times.is_empty());
        }
    }
}
