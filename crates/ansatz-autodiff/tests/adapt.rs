//! Traced functions as fields, models and residuals: published gradients, laws, closed forms, errors.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_autodiff::op::Side;
use ansatz_autodiff::{
    Array, AutodiffError, Element, Level, ProgramDenoiser, ProgramDivergence, ProgramField,
    ProgramResidual, ProgramScalarField, Signature,
};
use ansatz_core::{
    Denoiser, DifferentiableField, DivergenceDenoiser, EvalError, JvpField, Key, NoiseLevel,
    Prediction, Residual, ScalarField, VectorField, VjpDenoiser, VjpField,
};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::{Control, Options, RungeKutta, solve, tableau};
use ansatz_testkit::laws;

fn of<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|v| T::of(*v)).collect()
}

/// W₂ tanh(W₁ y + b₁) + b₂ with W₁ (4×2), b₁, W₂ (2×4), b₂.
fn network<'g>(y: Array<'g>, p: &[Array<'g>]) -> Array<'g> {
    let rows = y.reshape(&[y.shape().len() / 2, 2]);
    let hidden = (rows.matmul_by(p[0], Side::Plain, Side::Transposed) + p[1]).tanh();
    let out = hidden.matmul_by(p[2], Side::Plain, Side::Transposed) + p[3];
    out.reshape(&y.shape())
}

const NETWORK: [&[usize]; 4] = [&[4, 2], &[4], &[2, 4], &[2]];

fn weights() -> Vec<f64> {
    let number = |i: usize| i as f64;
    let mut p = Vec::new();
    for i in 0..4 {
        p.extend((0..2).map(|j| (1.0 + 2.0 * number(i) + 3.0 * number(j)).sin()));
    }
    p.extend((0..4).map(|i| 0.1 * number(i).cos()));
    for i in 0..2 {
        p.extend((0..4).map(|j| 0.5 * (1.0 + number(i) + 2.0 * number(j)).cos()));
    }
    p.extend((0..2).map(|i| 0.05 * (number(i) + 1.0)));
    p
}

fn field<T: Element>(state: &[usize], values: &[f64]) -> ProgramField<T> {
    let signature = Signature {
        state,
        parameters: &NETWORK,
        ..Signature::default()
    };
    ProgramField::new(&signature, of(values), |t, y, p| {
        network(y, p) + t.sin() * y
    })
    .unwrap()
}

/// The gradient of ½‖y(2) − (0.2, −0.3)‖² through 20 steps of Runge and Kutta's method, as published: norm and
/// four of its entries.
#[test]
fn a_neural_equation_with_published_gradient() {
    let signature = Signature {
        state: &[2],
        parameters: &NETWORK,
        ..Signature::default()
    };
    let field = ProgramField::new(&signature, weights(), |_, y, p| network(y, p)).unwrap();
    let start = vec![1.0, 0.5];
    let mut method = RungeKutta::new(&tableau::RK4, &field, &start);
    let control = Control::fixed(20);
    let tape = Tape::record(&mut method, &[0.0, 2.0], &start, &control, Memory::Every).unwrap();
    let y = &tape.states()[1];
    let bar = vec![y[0] - 0.2, y[1] + 0.3];
    let gradient = tape.pull(&mut method, &[vec![0.0; 2], bar]).unwrap();
    let p = &gradient.params;
    let norm = p.iter().map(|v| v * v).sum::<f64>().sqrt();
    let got = [y[0], y[1], norm, p[0], p[9], p[15], p[21]];
    let published = [
        1.5170933260776354,
        -0.5912306479327425,
        5.561286243235968,
        0.4832793714492268,
        -1.2043424362999695,
        1.709359431324426,
        -0.7937113958133911,
    ];
    for (a, b) in got.iter().zip(published) {
        assert!((a - b).abs() < 1e-12, "{got:?}");
    }
}

#[test]
fn fields_keep_their_laws() {
    let x = vec![0.4, -0.3];
    laws::vjp_field(&field::<f64>(&[2], &weights()), 0.7, &x);
    laws::vjp_parameters(|p| field::<f64>(&[2], p), &weights(), 0.7, &x);
    laws::vjp_field(&field::<f32>(&[2], &weights()), 0.7, &of::<f32>(&x));
    // Three points at once, each moved on its own.
    let batch = field::<f64>(&[3, 2], &weights());
    let points = vec![0.4, -0.3, 1.1, 0.2, -0.5, 0.9];
    laws::vjp_field(&batch, 0.7, &points);
    let (v, w): (Vec<f64>, Vec<f64>) = ((1..7).map(f64::from).collect(), vec![0.3; 6]);
    let (mut jv, mut jtw, mut p_bar) = (vec![0.0; 6], vec![0.0; 6], vec![0.0; 22]);
    batch.jvp(0.7, &points, &v, &mut jv).unwrap();
    batch.vjp(0.7, &points, &w, &mut jtw, &mut p_bar).unwrap();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!((dot(&jv, &w) - dot(&jtw, &v)).abs() < 1e-13);
    let one = field::<f64>(&[2], &weights());
    for i in 0..3 {
        let mut alone = vec![0.0; 2];
        let at = 2 * i..2 * i + 2;
        let (x, v) = (points[at.clone()].to_vec(), v[at.clone()].to_vec());
        one.jvp(0.7, &x, &v, &mut alone).unwrap();
        assert!((alone[0] - jv[2 * i]).abs() < 1e-14 && (alone[1] - jv[2 * i + 1]).abs() < 1e-14);
    }
}

/// dx/dt = p·x with changed parameters: e^p.
#[test]
fn parameters_may_change() {
    let signature = Signature {
        state: &[1],
        parameters: &[&[]],
        ..Signature::default()
    };
    let mut growth = ProgramField::new(&signature, vec![0.0], |_, x, p| x * p[0]).unwrap();
    for rate in [0.5, -1.0] {
        growth.parameters_mut()[0] = rate;
        assert_eq!(growth.parameters(), [rate]);
        let mut x = vec![1.0];
        let options = Options::tolerance(1e-12, 1e-12);
        solve(&growth, (0.0, 1.0), &mut x, &options, &mut ()).unwrap();
        assert!((x[0] - f64::exp(rate)).abs() < 1e-11, "{x:?}");
    }
}

/// More parameters than slices on the stack.
#[test]
fn many_parameters() {
    let shapes = vec![&[1][..]; 50];
    let signature = Signature {
        state: &[1],
        parameters: &shapes,
        ..Signature::default()
    };
    let values: Vec<f64> = (0..50).map(|i| 0.01 * f64::from(i)).collect();
    let sum = ProgramField::new(&signature, values, |_, x, p| {
        p.iter().fold(x.zeros(), |s, p| s * x + *p)
    })
    .unwrap();
    let x = vec![0.5];
    let (mut x_bar, mut p_bar) = (vec![0.0], vec![1.0; 50]);
    sum.vjp(0.0, &x, &vec![2.0], &mut x_bar, &mut p_bar)
        .unwrap();
    for (i, bar) in (0..).zip(&p_bar) {
        let exact = 1.0 + 2.0 * 0.5_f64.powi(49 - i);
        assert!((bar - exact).abs() < 1e-15, "{i} {bar}");
    }
}

/// Rosenbrock's function as least squares, and a wider one.
#[test]
fn residuals_keep_their_laws() {
    let signature = Signature {
        state: &[2],
        parameters: &[&[1]],
        ..Signature::default()
    };
    let residual = ProgramResidual::<f64>::new(&signature, vec![10.0], |u, p| {
        let (x, y) = (u.narrow(0, 0, 1), u.narrow(0, 1, 2));
        Array::concatenate(&[(y - x * x) * p[0], -x + 1.0, x.sin() * y], 0)
    })
    .unwrap();
    assert_eq!((residual.unknowns(), residual.residuals()), (2, 3));
    laws::residual_derivatives(&residual, &[0.3, -0.7]);
    let mut r = [f64::NAN; 3];
    residual.eval(&[2.0, 3.0], &mut r).unwrap();
    let exact = [-10.0, -1.0, 2.0_f64.sin() * 3.0];
    assert!(r.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-14));
}

/// A torus: any number of points, batches of 64, values of the shapes [b] and [b, 1].
#[test]
fn scalar_fields_keep_their_laws() {
    let signature = Signature {
        state: &[64, 3],
        parameters: &[&[2]],
        ..Signature::default()
    };
    let distance = |row: bool| {
        ProgramScalarField::<f64>::new(&signature, vec![1.0, 0.3], move |x, p| {
            let flat = x.narrow(1, 0, 2).square().sum_axes(&[1]).sqrt() - p[0].narrow(0, 0, 1);
            let height = x.narrow(1, 2, 3).reshape(&[64]);
            let d = (flat.square() + height.square()).sqrt() - p[0].narrow(0, 1, 2);
            if row { d.reshape(&[64, 1]) } else { d }
        })
        .unwrap()
    };
    let points: Vec<[f64; 3]> = (0..150)
        .map(|i| {
            let [a, b] = Key::new(3).uniform(0, i);
            [2.0 + a, 0.5 * b, 0.4 + a * b]
        })
        .collect();
    for torus in [distance(false), distance(true)] {
        for n in [0, 1, 64, 65, 150] {
            laws::differentiable_field(&torus, &points[..n]);
        }
        let mut values = vec![f64::NAN; 150];
        torus.eval(&points, &mut values);
        for (v, [x, y, z]) in values.iter().zip(&points) {
            let exact = ((x.hypot(*y) - 1.0).hypot(*z)) - 0.3;
            assert!((v - exact).abs() < 1e-14);
        }
    }
}

/// Data N(0, p): x̂ = α·p·x/(α²p + σ²).
fn gaussian<'g>(x: Array<'g>, at: Level<'g>, p: &[Array<'g>]) -> Array<'g> {
    let signal = at.alpha * p[0];
    x * signal / (at.alpha * signal + at.sigma.square())
}

#[test]
fn denoisers_with_closed_forms() {
    let signature = Signature {
        state: &[4, 3],
        parameters: &[&[]],
        ..Signature::default()
    };
    let variance = 1.7;
    let make = || ProgramDivergence::new(Prediction::Data, &signature, vec![variance], gaussian);
    let model = make().unwrap();
    let at = NoiseLevel::new(0.4, 0.8, 0.6);
    let x: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let mut out = vec![f64::NAN; 12];
    model.eval(&x, &at, &mut out).unwrap();
    let denominator = 0.64 * variance + 0.36;
    let c = 0.8 * variance / denominator;
    assert!(out.iter().zip(&x).all(|(o, x)| (o - c * x).abs() < 1e-14));
    let mut divergence = [f64::NAN; 4];
    model.divergence(&x, &at, &mut divergence).unwrap();
    assert!(divergence.iter().all(|d| (d - 3.0 * c).abs() < 1e-14));
    laws::divergence(&model, &x, &at, 4, 1e-9);
    // dx̂/dp = α·σ²·x/(α²p + σ²)².
    let w: Vec<f64> = (0..12).map(|i| f64::from(i) - 5.0).collect();
    let (mut x_bar, mut p_bar) = (vec![f64::NAN; 12], [0.5]);
    assert_eq!(VjpDenoiser::<Vec<f64>>::params(&model), 1);
    model.vjp(&x, &at, &w, &mut x_bar, &mut p_bar).unwrap();
    assert!(x_bar.iter().zip(&w).all(|(b, w)| (b - c * w).abs() < 1e-14));
    let slope = 0.8 * 0.36 / denominator.powi(2);
    let along: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
    assert!((p_bar[0] - 0.5 - slope * along).abs() < 1e-13);
    // In another kind, as solvers ask.
    let mut noise = vec![f64::NAN; 12];
    model
        .eval_as(Prediction::Noise, &x, &at, &mut noise)
        .unwrap();
    let kind = |x: f64| (x - 0.8 * c * x) / 0.6;
    assert!(
        noise
            .iter()
            .zip(&x)
            .all(|(n, x)| (n - kind(*x)).abs() < 1e-14)
    );
}

/// The divergence of a model that mixes its elements, in a batch and as one sample.
#[test]
fn divergence_of_a_network() {
    for (state, samples) in [(&[2][..], 1), (&[3, 2], 3)] {
        let signature = Signature {
            state,
            parameters: &NETWORK,
            ..Signature::default()
        };
        let model = ProgramDivergence::new(Prediction::Noise, &signature, weights(), |x, at, p| {
            network(x, p) * at.sigma + x * at.t
        })
        .unwrap();
        let x: Vec<f64> = (0..2 * samples).map(|i| (i as f64 * 0.9).cos()).collect();
        let at = NoiseLevel::new(0.3, 0.8, 0.6);
        laws::divergence(&model, &x, &at, samples, 1e-9);
        let wrong = model.divergence(&x, &at, &mut [0.0; 7]).unwrap_err();
        assert!(matches!(wrong, EvalError::Length { got: 7, .. }), "{wrong}");
    }
}

#[test]
fn what_does_not_fit() {
    let signature = Signature {
        state: &[2],
        parameters: &[&[2], &[3]],
        ..Signature::default()
    };
    let make = |values: usize| {
        ProgramField::<f64>::new(&signature, vec![0.5; values], |_, x, p| {
            x * p[0] * p[1].sum()
        })
    };
    let error = make(4).unwrap_err();
    assert!(
        matches!(
            error,
            AutodiffError::Length {
                expected: 5,
                got: 4,
                ..
            }
        ),
        "{error}"
    );
    let field = make(5).unwrap();
    let (short, right, mut out) = (vec![1.0], vec![1.0, 2.0], vec![7.0, 7.0]);
    let error = field.eval(0.0, &short, &mut out).unwrap_err();
    assert!(matches!(
        error,
        EvalError::Length {
            what: "state",
            expected: 2,
            got: 1
        }
    ));
    let error = field.jvp(0.0, &right, &short, &mut out).unwrap_err();
    assert!(matches!(
        error,
        EvalError::Length {
            what: "direction",
            ..
        }
    ));
    let error = field
        .vjp(0.0, &right, &right, &mut out, &mut [0.0; 4])
        .unwrap_err();
    assert!(matches!(
        error,
        EvalError::Length {
            expected: 5,
            got: 4,
            ..
        }
    ));
    assert_eq!(out, [7.0, 7.0], "nothing is written");
    let scalar = ProgramField::<f64>::new(&signature, vec![0.5; 5], |_, x, _| x.sum());
    let error = scalar.unwrap_err();
    assert!(error.to_string().contains("[2] is needed"), "{error}");
    let points = Signature {
        state: &[8, 2],
        ..Signature::default()
    };
    let error = ProgramScalarField::<f64>::new(&points, vec![], |x, _| x.sum_axes(&[1]));
    assert!(error.unwrap_err().to_string().contains("[b, 3]"));
    let model = ProgramDenoiser::<f32>::new(Prediction::Data, &signature, vec![], |x, _, _| x);
    assert!(matches!(model, Err(AutodiffError::Length { got: 0, .. })));
}

#[test]
#[should_panic(expected = "one value per point")]
fn a_value_for_each_point() {
    let signature = Signature {
        state: &[8, 3],
        ..Signature::default()
    };
    let field =
        ProgramScalarField::<f64>::new(&signature, vec![], |x, _| x.sum_axes(&[1])).unwrap();
    field.eval_gradient(&[[0.0; 3]], &mut [0.0; 2], &mut [[0.0; 3]]);
}
