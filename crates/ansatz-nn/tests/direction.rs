//! The network of the deep conjugate direction method, beside PyTorch.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_nn::core::{EvalError, Key, SearchDirection};
use ansatz_nn::{
    Data, DirectionNet, DirectionOptions, Layer, Layout, Objective, Parameters, box_laplacian,
    direction_loss,
};

const FIXTURES: &str = include_str!("fixtures/direction.txt");

fn fixture(name: &str) -> Vec<f64> {
    let mut lines = FIXTURES.lines().map(|l| l.split_whitespace());
    let line = lines.find_map(|mut l| (l.next() == Some(name)).then_some(l));
    line.unwrap().map(|v| v.parse().unwrap()).collect()
}

fn close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-11 * size, "{what}: {got}, {want}");
    }
}

/// Neighbours that are not walls, for a box that is open behind the last cells of its slowest axis.
fn diagonal(side: usize, axes: usize) -> Vec<f64> {
    let cell = |c: usize| {
        let mut count = 0;
        for axis in 0..axes {
            let i = c / side.pow(axis as u32) % side;
            let open = axis + 1 == axes;
            count += u32::from(i > 0) + u32::from(i + 1 < side || open);
        }
        f64::from(count)
    };
    (0..side.pow(axes as u32)).map(cell).collect()
}

fn compare(name: &str, options: DirectionOptions, side: usize) {
    let mut layout = Layout::new();
    let net = DirectionNet::new(&mut layout.root(), &options);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    for (i, p) in parameters.values_mut().iter_mut().enumerate() {
        *p = 0.3 * (1.7 * i as f64 + 0.3).sin();
    }
    let n = side.pow(options.axes as u32);
    let r: Vec<f64> = (0..2 * n)
        .map(|i| (0.7 * (i as f64).powf(1.5)).cos())
        .collect();

    let lengths = vec![side; options.axes];
    let mut direction = parameters
        .direction(&lengths, |pass, x| net.apply(pass, x))
        .unwrap();
    let mut both = Vec::new();
    for r in r.chunks_exact(n) {
        let mut d = vec![0.0; n];
        direction.propose(&r.to_vec(), &mut d).unwrap();
        both.extend(d);
    }
    close(name, &both, &fixture(&format!("{name}-output")));

    let mut shape = vec![2, 1];
    shape.extend(&lengths);
    let mut objective = Objective::compile(&layout, &[Data::Batch(shape)], |pass, data| {
        let d = net.apply(pass, data[0]);
        let product = box_laplacian(d, diagonal(side, options.axes));
        direction_loss(data[0], d, product)
    })
    .unwrap();
    let mut slopes = vec![0.0; layout.len()];
    let key = Key::new(0);
    let loss = objective
        .gradient(&parameters, &[&r], key, &mut slopes)
        .unwrap();
    let mut got = vec![loss];
    for w in [0.1, 0.37, 2.2] {
        let parts = slopes.iter().enumerate();
        got.push(parts.map(|(i, g)| g * (w * i as f64).cos()).sum());
    }
    let want = fixture(&format!("{name}-loss"));
    close("loss", &got[..1], &want[..1]);
    close("gradient", &got[1..], &want[1..]);
}

#[test]
fn outputs_losses_and_gradients_are_those_of_pytorch() {
    let flat = DirectionOptions {
        axes: 2,
        channels: 4,
        ..DirectionOptions::default()
    };
    compare("flat", flat, 8);
    let large = DirectionOptions {
        channels: 3,
        ..DirectionOptions::large()
    };
    compare("large", large, 4);
}

#[test]
fn parameters_are_counted_as_published() {
    let count = |options: &DirectionOptions| {
        let mut layout = Layout::new();
        DirectionNet::new(&mut layout.root(), options);
        layout.len()
    };
    let default = DirectionOptions::default();
    assert_eq!(count(&default), 97_457);
    assert_eq!(count(&DirectionOptions::large()), 139_025);
    assert_eq!(count(&DirectionOptions { axes: 2, ..default }), 32_657);
}

#[test]
fn residuals_of_another_grid_are_refused() {
    let mut layout = Layout::new();
    let options = DirectionOptions {
        axes: 2,
        channels: 2,
        ..DirectionOptions::default()
    };
    let net = DirectionNet::new(&mut layout.root(), &options);
    let parameters = Parameters::<f32>::new(&layout, Key::new(0));
    let mut direction = parameters
        .direction(&[4, 4], |pass, x| net.apply(pass, x))
        .unwrap();
    let refused = direction.propose(&vec![0.0_f64; 15], &mut vec![0.0; 16]);
    assert!(matches!(
        refused,
        Err(EvalError::Length {
            expected: 16,
            got: 15,
            ..
        })
    ));
    // An odd length cannot be halved.
    assert!(
        std::panic::catch_unwind(|| parameters
            .direction(&[5, 4], |p, x| net.apply(p, x))
            .is_ok())
        .is_err()
    );
}
