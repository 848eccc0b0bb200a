//! Bounds on boxes, margins, tightness, and certified training, in published and closed-form numbers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_autodiff::{Array, Graph, Options, Program};
use ansatz_core::Key;
use ansatz_nn::{
    Activation, Adam, Bounded, Data, Init, Interval, Layer, Layout, Mlp, MlpOptions, Mode,
    NetworkError, Objective, Optimizer, Parameters, Pass, robust_loss,
};

/// What `f` gives for a network of these widths and these values.
fn values<F>(widths: &[usize], activation: Activation, given: &[f64], f: F) -> Vec<Vec<f64>>
where
    F: for<'g> Fn(&Pass<'g>, &Mlp) -> Vec<Array<'g>>,
{
    let mut layout = Layout::new();
    let options = MlpOptions {
        activation,
        ..MlpOptions::default()
    };
    let net = Mlp::new(&mut layout.root(), widths, &options);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    parameters.values_mut().copy_from_slice(given);
    let g = Graph::new();
    let pass = Pass::new(&g, &layout, (Mode::Evaluate, None));
    let outputs = f(&pass, &net);
    let program = Program::<f64>::compile(&g.finish(&outputs), &Options::default()).unwrap();
    let mut out: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
    let mut views: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
    let inputs: Vec<&[f64]> = parameters.iter().map(|(_, v)| v).collect();
    program.run(&inputs, &mut views).unwrap();
    out
}

fn close(ours: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), known.len());
    for (a, b) in ours.iter().zip(known) {
        assert!((a - b).abs() < tolerance, "{ours:?} and {known:?}");
    }
}

const WIDTHS: [usize; 4] = [4, 6, 5, 3];

/// W[i, j] = sin(1.7(i + 1)(j + 1) + l)/√n, b[i] = 0.1·cos(i + l).
fn waves() -> Vec<f64> {
    let mut all = Vec::new();
    for (l, pair) in WIDTHS.windows(2).enumerate() {
        let (n, m) = (pair[0], pair[1]);
        for i in 0..m {
            for j in 0..n {
                let phase = 1.7 * ((i + 1) * (j + 1)) as f64 + l as f64;
                all.push(phase.sin() / (n as f64).sqrt());
            }
        }
        all.extend((0..m).map(|i| 0.1 * ((i + l) as f64).cos()));
    }
    all
}

fn point<'g>(pass: &Pass<'g>) -> Array<'g> {
    pass.graph().constant(&[1, 4], vec![0.2, 0.5, 0.7, 0.4])
}

fn last_label<'g>(pass: &Pass<'g>) -> Array<'g> {
    pass.graph().constant(&[1, 3], vec![0.0, 0.0, 1.0])
}

#[test]
fn a_small_network_in_numbers() {
    let found = values(&WIDTHS, Activation::Relu, &waves(), |pass, net| {
        let x = point(pass);
        let boxed = Interval::about(x, x.filled(0.1), None);
        let out = net.bound(pass, boxed).unwrap();
        let margins = net.margins(pass, boxed, last_label(pass)).unwrap();
        vec![
            net.apply(pass, x),
            out.low(),
            out.high(),
            margins,
            robust_loss(margins),
        ]
    });
    close(
        &found[0],
        &[-0.185_379_048, -0.147_157_405, -0.013_348_240],
        1e-9,
    );
    close(
        &found[1],
        &[-0.282_532_185_9, -0.260_167_213_7, -0.163_900_071_0],
        1e-10,
    );
    close(
        &found[2],
        &[-0.007_799_061_0, -0.044_760_645_2, 0.078_010_735_3],
        1e-10,
    );
    close(&found[3], &[-0.100_338_388_7, -0.091_226_597_8, 0.0], 1e-10);
    close(&found[4], &[1.163_482_685_3], 1e-10);
    let linear = values(&WIDTHS, Activation::Identity, &waves(), |pass, net| {
        vec![net.tightness(pass, point(pass), None).unwrap()]
    });
    close(
        &linear[0],
        &[0.187_427_805_5, 0.349_533_344_1, 0.087_851_381_9],
        1e-10,
    );
}

/// Every value of the network on a box is in its bounds, and margins without elision are not tighter.
#[test]
fn bounds_hold_what_is_there() {
    let parts = 5_usize.pow(4);
    for activation in [
        Activation::Relu,
        Activation::Tanh,
        Activation::Elu,
        Activation::LeakyRelu(0.1),
    ] {
        let found = values(&WIDTHS, activation, &waves(), |pass, net| {
            let x = point(pass);
            let boxed = Interval::about(x, x.filled(0.3), Some((0.0, 1.0)));
            let out = net.bound(pass, boxed).unwrap();
            let lattice =
                (0..parts).flat_map(|k| (0..4).map(move |a| (k / 5_usize.pow(a) % 5) as f64 / 4.0));
            let unit = pass.graph().constant(&[parts, 4], lattice.collect());
            let inside = boxed.low() + unit * (boxed.high() - boxed.low());
            vec![
                out.low(),
                out.high(),
                net.apply(pass, inside),
                net.margins(pass, boxed, last_label(pass)).unwrap(),
            ]
        });
        for y in found[2].chunks(3) {
            for k in 0..3 {
                assert!(found[0][k] <= y[k] && y[k] <= found[1][k], "{activation:?}");
                let margin = y[2] - y[k];
                assert!(found[3][k] <= margin + 1e-12, "{activation:?}, margin {k}");
            }
        }
        for k in 0..2 {
            assert!(
                found[0][2] - found[1][k] <= found[3][k],
                "{activation:?}: elision loosens"
            );
        }
    }
}

/// For Gaussian weights the expected width of the truth over that of the bounds is √π·Γ((d + 1)/2)/(d·Γ(d/2)).
#[test]
fn gaussian_layers_are_as_loose_as_known() {
    for (d, known) in [(10_usize, 0.386_563), (100, 0.125_018)] {
        let (mut truth, mut bound) = (0.0, 0.0);
        for trial in 0..400 {
            let mut w = vec![0.0; 2 * d];
            Key::new(trial).fill_normal(0, &mut w);
            let (u, v) = w.split_at(d);
            truth += u.iter().zip(v).map(|(a, b)| a * b).sum::<f64>().abs();
            let mut given = vec![0.0; 2 * d + d + 1];
            given[..d].copy_from_slice(u);
            given[2 * d..3 * d].copy_from_slice(v);
            let tau = values(&[1, d, 1], Activation::Identity, &given, |pass, net| {
                vec![
                    net.tightness(pass, pass.graph().constant(&[1, 1], vec![0.3]), None)
                        .unwrap(),
                ]
            })[0][0];
            let all = u.iter().zip(v).map(|(a, b)| (a * b).abs()).sum::<f64>();
            let ours = u.iter().zip(v).map(|(a, b)| a * b).sum::<f64>().abs() / all;
            assert!((tau - ours).abs() < 1e-12 && tau <= 1.0);
            bound += all;
        }
        let ratio = truth / bound;
        // The standard error of 400 trials is some 4 %.
        assert!((ratio / known - 1.0).abs() < 0.12, "{d}: {ratio}");
    }
}

/// splitmix64 to [−1, 1).
fn draw(i: u64) -> f64 {
    let x = i.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    2.0 * (((z ^ (z >> 31)) >> 11) as f64 * 2.0_f64.powi(-53)) - 1.0
}

fn halton(mut i: u32, base: u32) -> f64 {
    let (mut f, mut r) = (1.0, 0.0);
    while i > 0 {
        f /= f64::from(base);
        r += f * f64::from(i % base);
        i /= base;
    }
    r
}

/// Points of the unit square away from a circle, and whether they are inside it.
fn disc() -> (Vec<f64>, Vec<f64>) {
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for i in 1..=256 {
        let p = [halton(i, 2), halton(i, 3)];
        let r = (p[0] - 0.5).hypot(p[1] - 0.5);
        if (r - 0.33).abs() > 0.03 {
            x.extend(p);
            labels.extend(if r < 0.33 { [0.0, 1.0] } else { [1.0, 0.0] });
        }
    }
    (x, labels)
}

/// Accuracy, certified accuracy and mean tightness after 600 steps of Adam, and the tightness before.
fn trained(certified: bool) -> [f64; 4] {
    const W: usize = 64;
    const EPSILON: f64 = 0.02;
    let (x, labels) = disc();
    let n = labels.len() / 2;
    assert_eq!(
        (n, labels.chunks(2).filter(|l| l[1] > 0.0).count()),
        (225, 73)
    );
    let mut layout = Layout::new();
    let options = MlpOptions {
        activation: Activation::Relu,
        weight: Init::Constant(0.0),
        ..MlpOptions::default()
    };
    let net = Mlp::new(&mut layout.root(), &[2, W, W, 2], &options);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    for (l, fan) in [2, W, W].into_iter().enumerate() {
        let weight = parameters.get_mut(&format!("{l}.weight")).unwrap();
        for (k, w) in weight.iter_mut().enumerate() {
            *w = (6.0 / fan as f64).sqrt() * draw(10_000_000 * (l as u64 + 1) + k as u64);
        }
    }
    let data = [
        Data::Batch(vec![n, 2]),
        Data::Batch(vec![n, 2]),
        Data::Batch(vec![n, 1]),
    ];
    let mut objective = Objective::compile(&layout, &data, |pass, d| {
        if certified {
            let boxed = Interval::about(d[0], d[2].broadcast(&[n, 2]), Some((0.0, 1.0)));
            robust_loss(net.margins(pass, boxed, d[1]).unwrap())
        } else {
            let y = net.apply(pass, d[0]);
            (y.log_sum_exp(&[1]) - (y * d[1]).sum_axes(&[1])).mean()
        }
    })
    .unwrap();
    let state = |parameters: &Parameters<f64>| {
        let found = values(
            &[2, W, W, 2],
            Activation::Relu,
            parameters.values(),
            |pass, net| {
                let x = pass.graph().constant(&[n, 2], disc().0);
                let labels = pass.graph().constant(&[n, 2], disc().1);
                let exact = net
                    .margins(pass, Interval::about(x, x.zeros(), None), labels)
                    .unwrap();
                let boxed = Interval::about(x, x.filled(EPSILON), Some((0.0, 1.0)));
                vec![
                    exact,
                    net.margins(pass, boxed, labels).unwrap(),
                    net.tightness(pass, x, Some(labels)).unwrap(),
                ]
            },
        );
        let right = |margins: &[f64]| {
            let all = margins.iter().zip(&labels);
            let good = all.filter(|(m, l)| **l == 0.0 && **m > 0.0).count();
            good as f64 / n as f64
        };
        let tau = found[2].iter().zip(&labels).filter(|(_, l)| **l == 0.0);
        let tau = tau.map(|(t, _)| t).sum::<f64>() / n as f64;
        [right(&found[0]), right(&found[1]), tau]
    };
    let before = state(&parameters)[2];
    let mut adam = Optimizer::new(Adam::default(), layout.len());
    let mut slope = vec![0.0; layout.len()];
    for step in 0..600 {
        let epsilon = vec![EPSILON * (f64::from(step + 1) / 300.0).min(1.0); n];
        objective
            .gradient(
                &parameters,
                &[&x, &labels, &epsilon],
                Key::new(0),
                &mut slope,
            )
            .unwrap();
        adam.step(5e-3, &slope, parameters.values_mut()).unwrap();
    }
    let [accuracy, certain, tau] = state(&parameters);
    [accuracy, certain, tau, before]
}

#[test]
fn certified_training_tightens() {
    let [accuracy, certain, tau, before] = trained(false);
    assert!((before - 0.0251).abs() < 1e-3, "{before}");
    assert!(accuracy > 0.999, "{accuracy}");
    assert!(
        (certain - 0.884).abs() < 0.02 && (tau - 0.44).abs() < 0.05,
        "{certain}, {tau}"
    );
    let [accuracy, certain, tau, _] = trained(true);
    assert!(accuracy > 0.999, "{accuracy}");
    assert!(
        (certain - 1.0).abs() < 0.02 && (tau - 0.80).abs() < 0.05,
        "{certain}, {tau}"
    );
}

/// Activations that fall somewhere have no bounds at the ends of a box, and slopes of others than rectifiers no pattern.
#[test]
fn activations_that_cannot_be_bounded() {
    for activation in [
        Activation::Silu,
        Activation::Gelu,
        Activation::Sine(1.0),
        Activation::TanhSine,
        Activation::LeakyRelu(-0.1),
    ] {
        let mut layout = Layout::new();
        let options = MlpOptions {
            activation,
            ..MlpOptions::default()
        };
        let net = Mlp::new(&mut layout.root(), &[2, 3, 2], &options);
        let graph = ansatz_nn::autodiff::Graph::new();
        let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
        let x = graph.input(&[1, 2]);
        let boxed = Interval::about(x, x.filled(0.1), None);
        let labels = graph.constant(&[1, 2], vec![0.0, 1.0]);
        for refused in [
            net.bound(&pass, boxed).map(|b| b.centre),
            net.margins(&pass, boxed, labels),
            net.tightness(&pass, x, None),
        ] {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, NetworkError::Activation { activation: a, .. } if a == activation),
                "{error}"
            );
        }
    }
}
