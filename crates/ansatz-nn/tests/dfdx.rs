//! The same networks in dfdx and here: values, gradients in inputs and parameters, weights both ways.

#![expect(clippy::float_cmp, reason = "two ways give the same bits")]

use ::dfdx::prelude::{AsArray, Cpu, DeviceBuildExt, LayerNorm1D, Linear, Residual, Sigmoid, Tanh};
use ansatz_autodiff::{Array, Element};
use ansatz_core::{
    Denoiser, DifferentiableField, EvalError, Key, NoiseLevel, Prediction, ScalarField,
    VectorField, VjpDenoiser, VjpField,
};
use ansatz_nn::dfdx::{DfdxDenoiser, DfdxField, DfdxScalarField, assign, parameters};
use ansatz_nn::{Activation, Layer, LayerNorm, Layout, Mlp, MlpOptions, NetworkError, Parameters};

type Net = (Linear<3, 16>, Tanh, Linear<16, 16>, Tanh, Linear<16, 2>);

fn mlp(widths: &[usize], activation: Activation) -> (Layout, Mlp) {
    let mut layout = Layout::new();
    let options = MlpOptions {
        activation,
        ..MlpOptions::default()
    };
    let net = Mlp::new(&mut layout.root(), widths, &options);
    (layout, net)
}

fn close<T: Element>(what: &str, ours: &[T], theirs: &[T], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().any(|v| v.f64().abs() > 1e-3), "{what}");
    for (a, b) in ours.iter().zip(theirs) {
        assert!(
            (a.f64() - b.f64()).abs() < tolerance * (1.0 + b.f64().abs()),
            "{what}: {a} and {b}"
        );
    }
}

/// x and t side by side for a batch of `n` points.
fn with_time<'g>(x: Array<'g>, t: Array<'g>, n: usize) -> Array<'g> {
    Array::concatenate(&[x, t.reshape(&[1, 1]).broadcast(&[n, 1])], 1)
}

macro_rules! network {
    ($name:ident, $E:ty, $tolerance:expr) => {
        #[test]
        fn $name() {
            let device = Cpu::seed_from_u64(3);
            let net = device.build_module::<Net, $E>();
            let (layout, mlp) = mlp(&[3, 16, 16, 2], Activation::Tanh);
            let mut ours = Parameters::<$E>::new(&layout, Key::new(0));
            ours.copy_in_order(&parameters(&net).unwrap()).unwrap();
            let points = 5;
            let x: Vec<$E> = (0..10).map(|i| (0.7 * i as $E).sin()).collect();
            let w: Vec<$E> = (0..10).map(|i| (1.3 * i as $E).cos()).collect();

            let field = ours
                .field(&[points, 2], |pass, t, x| {
                    mlp.apply(pass, with_time(x, t, points))
                })
                .unwrap();
            let theirs = DfdxField::<_, $E, _, 3, 2>::new(net, |t, columns: &mut [$E]| {
                columns[0] = t as $E;
            })
            .unwrap();
            let (mut a, mut b) = (x.clone(), x.clone());
            field.eval(0.3, &x, &mut a).unwrap();
            theirs.eval(0.3, &x, &mut b).unwrap();
            close("value", &a, &b, $tolerance);
            let count = VjpField::<Vec<$E>>::params(&field);
            assert_eq!(count, VjpField::<Vec<$E>>::params(&theirs));
            let (mut p, mut q) = (vec![0.5; count], vec![0.5; count]);
            field.vjp(0.3, &x, &w, &mut a, &mut p).unwrap();
            theirs.vjp(0.3, &x, &w, &mut b, &mut q).unwrap();
            close("slope in x", &a, &b, $tolerance);
            close("slope in parameters", &p, &q, 10.0 * $tolerance);

            let model = ours
                .denoiser(Prediction::Noise, &[points, 2], |pass, x, at| {
                    mlp.apply(pass, with_time(x, at.t, points))
                })
                .unwrap();
            let net = theirs.module().clone();
            let theirs = DfdxDenoiser::<_, $E, _, 3, 2>::new(
                Prediction::Noise,
                net,
                |at: &NoiseLevel, columns: &mut [$E]| columns[0] = at.t as $E,
            )
            .unwrap();
            let at = NoiseLevel::clean(0.8);
            Denoiser::<Vec<$E>>::eval(&model, &x, &at, &mut a).unwrap();
            theirs.eval(&x, &at, &mut b).unwrap();
            assert_eq!(Denoiser::<Vec<$E>>::native(&theirs), Prediction::Noise);
            close("prediction", &a, &b, $tolerance);
            model.vjp(&x, &at, &w, &mut a, &mut p).unwrap();
            theirs.vjp(&x, &at, &w, &mut b, &mut q).unwrap();
            close("slope of the prediction", &a, &b, $tolerance);
            close("slope in parameters", &p, &q, 10.0 * $tolerance);
        }
    };
}

network!(in_double_precision, f64, 1e-13);
network!(in_single_precision, f32, 2e-6);

/// A field in space, smooth, with its gradient.
#[test]
fn scalar_fields() {
    type Net = (Linear<3, 8>, Sigmoid, Linear<8, 1>);
    let net = Cpu::seed_from_u64(5).build_module::<Net, f64>();
    let (layout, mlp) = mlp(&[3, 8, 1], Activation::Sigmoid);
    let mut ours = Parameters::<f64>::new(&layout, Key::new(0));
    ours.copy_in_order(&parameters(&net).unwrap()).unwrap();
    let field = ours
        .scalar_field(4, |pass, x| mlp.apply(pass, x).reshape(&[4]))
        .unwrap();
    let theirs = DfdxScalarField::<_, f64>::new(net);
    let points: Vec<[f64; 3]> = (0..7)
        .map(|i| [0.3, 0.9, 1.7].map(|w| (w * f64::from(i)).sin()))
        .collect();
    let mut values = [[0.0; 7]; 3];
    let mut slopes = [[[0.0; 3]; 7]; 2];
    field.eval_gradient(&points, &mut values[0], &mut slopes[0]);
    theirs.eval_gradient(&points, &mut values[1], &mut slopes[1]);
    theirs.eval(&points, &mut values[2]);
    close("values", &values[0], &values[1], 1e-14);
    assert_eq!(values[1], values[2]);
    close(
        "slopes",
        slopes[0].as_flattened(),
        slopes[1].as_flattened(),
        1e-14,
    );
}

/// Networks other than chains of dense layers: a residual with a normalisation, whose parameters go by place too.
#[test]
fn other_modules() {
    type Net = (LayerNorm1D<4>, Residual<(Linear<4, 4>, Tanh)>);
    let net = Cpu::seed_from_u64(7).build_module::<Net, f64>();
    let theirs = parameters(&net).unwrap();
    let names: Vec<&str> = theirs
        .layout()
        .entries()
        .iter()
        .map(|e| &e.name[..])
        .collect();
    assert_eq!(names[..2], ["0.gamma", "0.beta"]);
    let mut layout = Layout::new();
    let norm = LayerNorm::new(&mut layout.root().scope("norm"), 4);
    let dense = ansatz_nn::Dense::new(&mut layout.root().scope("dense"), 4, 4);
    let mut ours = Parameters::<f64>::new(&layout, Key::new(0));
    ours.copy_in_order(&theirs).unwrap();
    let field = ours
        .field(&[2, 4], |pass, _, x| {
            let y = norm.apply(pass, x);
            y + dense.apply(pass, y).tanh()
        })
        .unwrap();
    let theirs = DfdxField::<_, f64, _, 4, 4>::new(net, |_, _: &mut [f64]| {}).unwrap();
    let x: Vec<f64> = (0..8).map(|i| (0.9 * f64::from(i)).cos()).collect();
    let (mut a, mut b) = (x.clone(), x.clone());
    let count = VjpField::<Vec<f64>>::params(&field);
    let (mut p, mut q) = (vec![0.0; count], vec![0.0; count]);
    field.vjp(0.0, &x, &x, &mut a, &mut p).unwrap();
    theirs.vjp(0.0, &x, &x, &mut b, &mut q).unwrap();
    close("slope in x", &a, &b, 1e-12);
    close("slope in parameters", &p, &q, 1e-12);
}

/// Weights through a file under dfdx's names, and back into a module.
#[test]
fn weights_travel() {
    let (first, mut second) = (
        Cpu::seed_from_u64(1).build_module::<Net, f32>(),
        Cpu::seed_from_u64(2).build_module::<Net, f32>(),
    );
    let theirs = parameters(&first).unwrap();
    let names: Vec<String> = theirs
        .layout()
        .entries()
        .iter()
        .map(|e| format!("{} {}", e.name, e.shape))
        .collect();
    assert_eq!(
        names,
        [
            "0.weight [16, 3]",
            "0.bias [16]",
            "2.weight [16, 16]",
            "2.bias [16]",
            "4.weight [2, 16]",
            "4.bias [2]"
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    theirs.save(&path).unwrap();
    let mut loaded = parameters(&second).unwrap();
    assert_ne!(loaded, theirs);
    loaded.load(&path).unwrap();
    assign(&mut second, &loaded).unwrap();
    assert_eq!(parameters(&second).unwrap(), theirs);
    assert_eq!(second.0.weight.array(), first.0.weight.array());
    // From our own network, whose names differ.
    let (layout, _) = mlp(&[3, 16, 16, 2], Activation::Tanh);
    let ours = Parameters::<f32>::new(&layout, Key::new(9));
    assign(&mut second, &ours).unwrap();
    assert_eq!(parameters(&second).unwrap().values(), ours.values());

    let before = parameters(&second).unwrap();
    for widths in [&[3, 16, 2][..], &[3, 16, 8, 2]] {
        let (layout, _) = mlp(widths, Activation::Tanh);
        let refused = assign(&mut second, &Parameters::<f32>::new(&layout, Key::new(9)));
        assert!(matches!(
            refused,
            Err(NetworkError::Size {
                expected: 6,
                got: 4,
                ..
            } | NetworkError::Tensor { .. })
        ));
    }
    assert_eq!(parameters(&second).unwrap(), before);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Cpu::default();
    let narrow = device.build_module::<Linear<2, 3>, f64>();
    let refused = DfdxField::<_, f64, _, 2, 3>::new(narrow, |_, _: &mut [f64]| {});
    assert!(matches!(
        refused,
        Err(NetworkError::Size {
            expected: 3,
            got: 2,
            ..
        })
    ));
    let net = device.build_module::<Linear<2, 2>, f64>();
    let field = DfdxField::<_, f64, _, 2, 2>::new(net, |_, _: &mut [f64]| {}).unwrap();
    let mut out = vec![0.0; 3];
    let refused = field.eval(0.0, &vec![0.0; 3], &mut out);
    assert!(matches!(
        refused,
        Err(EvalError::Length {
            expected: 4,
            got: 3,
            ..
        })
    ));
    let refused = field.eval(0.0, &vec![0.0; 4], &mut out);
    assert!(matches!(
        refused,
        Err(EvalError::Length {
            expected: 4,
            got: 3,
            ..
        })
    ));
    let (x, mut bar) = (vec![0.0; 4], vec![0.0; 4]);
    let refused = field.vjp(0.0, &x, &x, &mut bar, &mut [0.0; 5]);
    assert!(matches!(
        refused,
        Err(EvalError::Length {
            expected: 6,
            got: 5,
            ..
        })
    ));
}
