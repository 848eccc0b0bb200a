//! Stochastic equations whose solutions are functions of the path: errors path by path, and moments.

use ansatz_core::{ControlField, EvalError, NoiseKind, Sde, VectorField};
use ansatz_diffeq::Control;
use ansatz_diffeq::brownian::{LevyArea, VirtualBrownianTree};
use ansatz_diffeq::sde::{
    self, Calculus, EULER_HEUN, EULER_MARUYAMA, HEUN, MIDPOINT, MILSTEIN_ITO,
    MILSTEIN_STRATONOVICH, Method, Milstein, REVERSIBLE_HEUN, SHARK, SRA1, SRID2,
};
use ansatz_testkit::measure;

use crate::noisy_problems::{
    ADDITIVE, Any, Each, One, PATHS, Paths, START, Spiral, TANH, TANH_STRATONOVICH, increment, run,
    sheet, spiral_error, tanh_of, tree,
};
use crate::statistics::mean;

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
