//! Networks against the laws of derivatives, and optimisers against their first steps by hand.

use ansatz_core::{ControlField, EvalError, Key, VectorField, VjpControlField, VjpField};
use ansatz_testkit::laws;
use ansatz_testkit::measure::max_abs_diff;
use ansatz_testkit::net::{
    Activation, Adadelta, Adam, Net, NetControl, NetField, Trace, accuracy, cross_entropy,
};

const ALL: [Activation; 6] = [
    Activation::Identity,
    Activation::Tanh,
    Activation::Relu,
    Activation::LipSwish,
    Activation::Softplus,
    Activation::Sin,
];

fn normal(n: usize, stream: u64) -> Vec<f64> {
    let mut x = vec![0.0; n];
    Key::new(5).fill_normal(stream, &mut x);
    x
}

/// The definition, layer by layer, without tiles.
#[test]
fn forward_is_the_formula() {
    let net = Net::with_time(3)
        .layer(9, Activation::Tanh)
        .layer(6, Activation::Softplus)
        .scaled(1.5);
    assert_eq!(net.params(), (4 * 9 + 9) + (10 * 6 + 6));
    let (p, x, t) = (normal(net.params(), 0), normal(21, 1), 0.7);
    let (first, second) = p.split_at(45);
    let layer = |p: &[f64], x: &[f64], outputs: usize, o: usize| {
        let bias = p[(x.len() + 1) * outputs + o];
        let inputs = x.iter().chain([&t]).enumerate();
        inputs.map(|(i, x)| x * p[i * outputs + o]).sum::<f64>() + bias
    };
    let mut want = Vec::new();
    for row in x.chunks(3) {
        let hidden: Vec<f64> = (0..9).map(|o| layer(first, row, 9, o).tanh()).collect();
        want.extend((0..6).map(|o| 1.5 * layer(second, &hidden, 6, o).exp().ln_1p()));
    }
    let mut trace = Trace::default();
    let got = net.forward(&p, t, &x, &mut trace);
    assert!(max_abs_diff(got, &want) < 1e-14);
    // A row's bits do not depend on its neighbours.
    let got = got.to_vec();
    let alone = net.forward(&p, t, &x[6..9], &mut trace);
    assert_eq!(alone, &got[12..18]);
}

#[test]
fn fields_keep_the_laws() {
    for activation in ALL {
        let net = Net::with_time(3).layer(9, activation).layer(3, activation);
        let p = normal(net.params(), 2);
        // Seven rows: full tiles and rests of both kinds. ReLU is kinked: one row away from kinks.
        let x = normal(
            if activation == Activation::Relu {
                3
            } else {
                21
            },
            3,
        );
        let make = |p: &[f64]| NetField::new(net.clone(), p.to_vec()).unwrap();
        laws::vjp_field(&make(&p), 0.3, &x);
        laws::vjp_parameters(make, &p, 0.3, &x);
    }
}

/// G(t, x)·u with u held still, as a field.
struct Held(NetControl, Vec<f64>);

impl VectorField<Vec<f64>> for Held {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        self.0.apply(t, x, &self.1, dx)
    }
}

impl VjpField<Vec<f64>> for Held {
    fn params(&self) -> usize {
        self.0.control_params()
    }

    fn vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let mut u_bar = vec![f64::NAN; self.1.len()];
        let Self(field, u) = self;
        field.control_vjp(t, x, u, w, x_bar, &mut u_bar, p_bar)
    }
}

#[test]
fn control_fields_keep_the_laws() {
    let net = Net::with_time(3)
        .layer(5, Activation::LipSwish)
        .layer(6, Activation::Tanh);
    let (p, x, u) = (normal(net.params(), 4), normal(15, 5), normal(10, 6));
    let make = |p: &[f64]| NetControl::new(net.clone(), p.to_vec(), 2).unwrap();
    let held = |p: &[f64]| Held(make(p), u.clone());
    laws::vjp_field(&held(&p), 0.3, &x);
    laws::vjp_parameters(held, &p, 0.3, &x);
    // Linear in the control: ⟨w, G·u⟩ = ⟨Gᵀ·w, u⟩.
    let (field, w) = (make(&p), normal(15, 7));
    let (mut y, mut x_bar, mut u_bar) = (vec![0.0; 15], vec![0.0; 15], vec![0.0; 10]);
    field.apply(0.3, &x, &u, &mut y).unwrap();
    let mut p_bar = vec![0.0; p.len()];
    field
        .control_vjp(0.3, &x, &u, &w, &mut x_bar, &mut u_bar, &mut p_bar)
        .unwrap();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!((dot(&w, &y) - dot(&u_bar, &u)).abs() < 1e-13);
}

#[test]
fn clipping_bounds_the_lipschitz_constant() {
    let net = Net::new(4)
        .layer(16, Activation::LipSwish)
        .layer(3, Activation::Tanh);
    let mut p: Vec<f64> = normal(net.params(), 8);
    let biases = p[64..80].to_vec();
    assert!(net.lipschitz(&p).iter().all(|l| *l > 1.0));
    net.clip_to_lipschitz(&mut p);
    assert!(net.lipschitz(&p).iter().all(|l| *l <= 1.0));
    assert_eq!(p[64..80], biases);
    // Two points: outputs are no further apart than inputs, in the sum of absolute differences.
    let (a, b) = (normal(4, 9), normal(4, 10));
    let mut trace = Trace::default();
    let y = net.forward(&p, 0.0, &a, &mut trace).to_vec();
    let z = net.forward(&p, 0.0, &b, &mut trace);
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
    assert!(apart(&y, z) <= apart(&a, &b));
}

/// Weights fill ±√(6/(in + out)) evenly: variance 2/(in + out).
#[test]
fn initial_weights() {
    let net = Net::new(60).layer(40, Activation::Tanh);
    let p = net.init(Key::new(1));
    let (weights, bias) = p.split_at(2400);
    assert!(bias.iter().all(|b| *b == 0.0));
    let variance = weights.iter().map(|w| w * w).sum::<f64>() / 2400.0;
    // Relative standard deviation of the estimate: √(0.8/2400) = 0.018.
    assert!((variance / 0.02 - 1.0).abs() < 0.08, "{variance}");
    assert!(weights.iter().all(|w| w.abs() <= 0.06_f64.sqrt()));
}

#[test]
fn first_steps_of_the_optimisers() {
    // Adam's first step is the rate in the direction of the gradient, whatever its size.
    let mut p = [1.0, 1.0];
    Adam::new(2, 0.1).step(&mut p, &[1e-3, -50.0]);
    assert!(max_abs_diff(&p, &[0.9, 1.1]) < 1e-5);
    // Adadelta's: √(ε/(0.1·g² + ε))·g, with g = gradient + decay·p.
    let mut p = [2.0];
    let mut adadelta = Adadelta::new(1, 0.1);
    adadelta.weight_decay = 0.5;
    adadelta.step(&mut p, &[3.0]);
    let change = (1e-6_f64 / (1.6 + 1e-6)).sqrt() * 4.0;
    assert!((p[0] - (2.0 - 0.1 * change)).abs() < 1e-15);
}

#[test]
fn classifiers_are_judged() {
    let logits = [1.0, 2.0, 0.0, 3.0, 700.0, -700.0];
    assert!((accuracy(&logits, &[1, 1, 1]) - 2.0 / 3.0).abs() < 1e-15);
    let mut bar = [0.0; 6];
    let loss = cross_entropy(&logits, &[1, 1, 0], &mut bar);
    let want = ((1.0 + (-1.0_f64).exp()).ln() + (1.0 + (-3.0_f64).exp()).ln()) / 3.0;
    assert!((loss - want).abs() < 1e-15);
    for row in bar.chunks(2) {
        assert!((row[0] + row[1]).abs() < 1e-16);
    }
}

#[test]
fn bad_input() {
    let net = Net::new(3).layer(2, Activation::Tanh);
    let error = NetField::new(net.clone(), vec![0.0; 8]).unwrap_err();
    assert!(matches!(
        error,
        EvalError::Length {
            expected: 3,
            got: 2,
            ..
        }
    ));
    let error = NetControl::new(net, vec![0.0; 8], 1).unwrap_err();
    assert!(matches!(error, EvalError::Length { expected: 3, .. }));
    let net = Net::new(2).layer(2, Activation::Tanh);
    assert!(NetField::new(net.clone(), vec![0.0; 5]).is_err());
    let field = NetField::new(net, vec![0.0; 6]).unwrap();
    let error = field.eval(0.0, &vec![0.0; 3], &mut vec![0.0; 3]);
    assert!(matches!(error, Err(EvalError::Length { .. })));
}
