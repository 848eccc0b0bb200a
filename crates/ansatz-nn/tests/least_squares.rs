//! Levenberg-Marquardt against closed forms, NIST's certified values, SciPy and Adam.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;
use std::ops::ControlFlow;

use ansatz_nn::autodiff::{Array, laplacian};
use ansatz_nn::core::{Event, Key};
use ansatz_nn::{
    Adam, Damping, Data, FitStep, Init, Layer, Layout, LeastSquares, LevenbergMarquardt, Mlp,
    MlpOptions, NetworkError, Objective, Parameters, Pass, Schedule, Stop, Training,
    TrainingOptions,
};

fn fixture(name: &str) -> Vec<f64> {
    let mut lines = include_str!("fixtures/optimizers.txt").lines();
    let line = lines.find(|l| l.split(' ').next() == Some(name)).unwrap();
    let numbers = line.split(' ').skip(1);
    numbers.map(|v| v.parse().unwrap()).collect()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    for (a, b) in a.iter().zip(b) {
        assert!((a / b - 1.0).abs() < tolerance, "{a:e} {b:e}");
    }
}

/// A curve b ↦ y(x; b) of scalar parameters: its residuals and parameters.
fn curve<F>(start: &[f64], points: usize, f: F) -> (LeastSquares<f64>, Parameters<f64>)
where
    F: for<'g> Fn(&[Array<'g>], Array<'g>) -> Array<'g>,
{
    let mut layout = Layout::new();
    for (i, b) in start.iter().enumerate() {
        layout.root().parameter(i, &[1], Init::Constant(*b));
    }
    let data = [Data::Batch(vec![points, 1]), Data::Batch(vec![points, 1])];
    let problem = LeastSquares::compile(&layout, &data, |pass: &Pass<'_>, data| {
        f(pass.arrays(), data[0]) - data[1]
    });
    (problem.unwrap(), Parameters::new(&layout, Key::new(0)))
}

#[test]
fn a_line_takes_one_step_without_damping() {
    let x: Vec<f64> = (0..30).map(|i| f64::from(i) / 7.0).collect();
    let y: Vec<f64> = x.iter().map(|x| 2.0 - 0.3 * x + (9.0 * x).sin()).collect();
    let (mut problem, mut parameters) = curve(&[5.0, 5.0], 30, |b, x| b[0] + x * b[1]);
    let method = LevenbergMarquardt {
        damping: 0.0,
        gradient: 1e-10,
        ..LevenbergMarquardt::default()
    };
    let mut gains = Vec::new();
    let fit = method
        .fit(
            &mut problem,
            &mut parameters,
            &[&x, &y],
            None,
            &mut |e: &Event<'_, FitStep<'_, f64>>| {
                gains.push(e.state.gain);
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    assert_eq!((fit.steps, fit.stop), (1, Stop::Gradient));
    // The linear model is the function.
    assert!((gains[0] - 1.0).abs() < 1e-12);
    // The line of least squares in closed form.
    let n = 30.0;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let xy: f64 = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let xx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    let slope = xy / xx;
    close(parameters.values(), &[my - slope * mx, slope], 1e-12);
}

#[test]
fn certified_values_of_misra1a_from_both_starts() {
    let y = [
        10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47,
        81.78,
    ];
    let x = [
        77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1,
        760.0,
    ];
    // NIST statistical reference datasets, Misra1a: residual sum of squares, b₁, b₂.
    let certified = [1.245_513_889_4e-1, 2.389_421_291_8e2, 5.501_564_318_1e-4];
    close(&fixture("misra1a"), &certified, 1e-6);
    for start in [[500.0, 1e-4], [250.0, 5e-4]] {
        let (mut problem, mut parameters) = curve(&start, 14, |b, x| -(-(x * b[1])).expm1() * b[0]);
        let method = LevenbergMarquardt {
            scaling: Damping::Scaled,
            ..LevenbergMarquardt::default()
        };
        let fit = method
            .fit(&mut problem, &mut parameters, &[&x, &y], None, &mut ())
            .unwrap();
        let b = parameters.values();
        close(&[2.0 * fit.loss, b[0], b[1]], &certified, 1e-8);
        close(&[2.0 * fit.loss, b[0], b[1]], &fixture("misra1a"), 1e-6);
        assert!(fit.steps < 30);
    }
}

#[test]
fn two_exponentials_end_where_scipy_does() {
    let t: Vec<f64> = (0..40).map(|i| f64::from(i) / 10.0).collect();
    let z: Vec<f64> = (0..40)
        .map(|i| {
            let (i, t) = (f64::from(i), f64::from(i) / 10.0);
            2.0 * (-0.6 * t).exp() + (-3.0 * t).exp() + 0.01 * (17.0 * i).sin()
        })
        .collect();
    let expected = fixture("exponentials");
    for scaling in [Damping::Uniform, Damping::Scaled] {
        // Chunks that hold all rows, some, and one.
        for chunk in [256, 7, 1] {
            let (mut problem, mut parameters) = curve(&[1.0, 0.3, 1.0, 2.0], 40, |b, t| {
                (-(t * b[1])).exp() * b[0] + (-(t * b[3])).exp() * b[2]
            });
            let method = LevenbergMarquardt {
                scaling,
                chunk,
                ..LevenbergMarquardt::default()
            };
            let fit = method
                .fit(&mut problem, &mut parameters, &[&t, &z], None, &mut ())
                .unwrap();
            close(&[2.0 * fit.loss], &expected, 1e-10);
            close(parameters.values(), &expected[1..], 1e-6);
        }
    }
}

/// u″ = −π²sin πx with u(±1) = 0: residuals of a network x ↦ (1 − x²)·net(x).
fn poisson<'g>(net: &Mlp, pass: &Pass<'g>, data: &[Array<'g>]) -> Array<'g> {
    let x = data[0];
    let u = -(x.square() - 1.0) * net.apply(pass, x);
    let second = laplacian(u, x, &[x.ones()]).second;
    (second + (x * PI).sin() * (PI * PI)) * 0.1
}

#[test]
fn a_physics_informed_network_gets_where_adam_does_not() {
    let b = 40;
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 12, 12, 1], &MlpOptions::default());
    let start = Parameters::<f64>::new(&layout, Key::new(1));
    let data = [Data::Batch(vec![b, 1])];
    let points = |shift: f64| -> Vec<f64> {
        let each = 0..b;
        each.map(|i| -1.0 + 2.0 * (i as f64 + shift) / b as f64)
            .collect()
    };
    let (x, between) = (points(0.0), points(0.5));

    let mut problem =
        LeastSquares::<f64>::compile(&layout, &data, |pass, data| poisson(&net, pass, data))
            .unwrap();
    let mut parameters = start.clone();
    let method = LevenbergMarquardt::default();
    let fit = method
        .fit(
            &mut problem,
            &mut parameters,
            &[&x],
            Some(&[&between]),
            &mut (),
        )
        .unwrap();
    let fresh = fit.fresh.unwrap();
    assert!((problem.loss(&parameters, &[&x]).unwrap() / fit.loss - 1.0).abs() < 1e-6);
    assert!((problem.loss(&parameters, &[&between]).unwrap() / fresh - 1.0).abs() < 1e-12);

    // Adam with 30 times as many gradients.
    let mut objective = Objective::<f64>::compile(&layout, &data, |pass, data| {
        poisson(&net, pass, data).square().sum() * 0.5
    })
    .unwrap();
    let mut training = Training::new(start, Adam::default(), Key::new(0));
    let options = TrainingOptions {
        steps: 3000,
        rate: Schedule::Cosine {
            from: 1e-2,
            to: 1e-4,
            steps: 3000,
        },
        ..TrainingOptions::default()
    };
    let batch = |_, data: &mut [Vec<f64>]| data[0].copy_from_slice(&x);
    training
        .run(&mut objective, &options, batch, &mut ())
        .unwrap();
    let adam = problem.loss(&training.parameters, &[&x]).unwrap();
    assert!(fit.loss < 1e-4 * adam, "{} {adam}", fit.loss);
    assert!(fresh > fit.loss && fresh < 1e-2 * adam, "{fresh} {adam}");
}

#[test]
fn single_precision_goes_as_far_as_its_jacobian() {
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 12, 1], &MlpOptions::default());
    let data = [Data::Batch(vec![50, 1]), Data::Batch(vec![50, 1])];
    let mut problem = LeastSquares::<f32>::compile(&layout, &data, |pass, data| {
        net.apply(pass, data[0]) - data[1]
    })
    .unwrap();
    let x: Vec<f32> = (0..50).map(|i| i as f32 / 25.0 - 1.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (3.0 * x).sin()).collect();
    let mut parameters = Parameters::<f32>::new(&layout, Key::new(2));
    let method = LevenbergMarquardt {
        steps: 300,
        ..LevenbergMarquardt::default()
    };
    let fit = method
        .fit(&mut problem, &mut parameters, &[&x, &y], None, &mut ())
        .unwrap();
    // Residuals of 2e-5 in the mean: the rounding of J keeps it from more.
    assert!(fit.loss < 3e-8 && fit.rejected < 300, "{fit:?}");
}

#[test]
fn several_residuals_a_point_and_data_read_as_a_whole() {
    // (c·sin x − a, c·cos x − b) with whole data c = 2: the angle x of 12 points (a, b), fitted by one parameter.
    let mut layout = Layout::new();
    let mut root = layout.root();
    let angle = root.parameter("angle", &[1], Init::Constant(0.5));
    let fixed = root.buffer("fixed", &[1], Init::Constant(2.0));
    let data = [Data::Batch(vec![12, 2]), Data::Whole(vec![1])];
    let mut problem = LeastSquares::<f64>::compile(&layout, &data, |pass, data| {
        let pair = [pass[angle].sin(), pass[angle].cos()].map(|v| v * data[1] * pass[fixed]);
        let [s, c] = pair.map(|v| v.reshape(&[1, 1]));
        data[0] - Array::concatenate(&[s, c], 1)
    })
    .unwrap();
    assert_eq!((problem.residuals(), problem.trained()), (24, 1));
    let (mut a, mut b) = (0.0, 0.0);
    let points: Vec<f64> = (0..12)
        .flat_map(|i| {
            let phi = 1.1 + 0.2 * f64::from(i).sin();
            (a, b) = (a + phi.sin(), b + phi.cos());
            [2.0 * phi.sin(), 2.0 * phi.cos()]
        })
        .collect();
    let mut parameters = Parameters::new(&layout, Key::new(0));
    let method = LevenbergMarquardt::default();
    method
        .fit(
            &mut problem,
            &mut parameters,
            &[&points, &[1.0]],
            None,
            &mut (),
        )
        .unwrap();
    // The angle of the mean; a loss that is not 0 there tells no angles apart that are nearer than √ε.
    close(parameters.values(), &[a.atan2(b), 2.0], 1e-8);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_changes() {
    let (mut problem, mut parameters) = curve(&[1.0, 1.0], 4, |b, x| b[0] + x * b[1]);
    let kept = parameters.clone();
    let method = LevenbergMarquardt::default();
    let (x, y) = ([0.0, 1.0, 2.0, 3.0], [1.0, f64::NAN, 0.0, 0.0]);
    let mut fails = |method: &LevenbergMarquardt, data: &[&[f64]]| {
        let error = method
            .fit(&mut problem, &mut parameters, data, None, &mut ())
            .unwrap_err();
        assert!(parameters == kept);
        error
    };
    let error = fails(&method, &[&x, &y]);
    assert!(matches!(error, NetworkError::NotFinite { step: 0, .. }));
    let error = fails(&method, &[&x, &x[..3]]);
    assert!(matches!(error, NetworkError::Size { got: 3, .. }));
    let error = fails(&method, &[&x]);
    assert!(matches!(error, NetworkError::Size { got: 1, .. }));
    let few = LevenbergMarquardt { most: 1, ..method };
    let error = fails(&few, &[&x, &x]);
    assert!(matches!(
        error,
        NetworkError::Size {
            expected: 1,
            got: 2,
            ..
        }
    ));
    for damping in [f64::NAN, -1.0] {
        let bad = LevenbergMarquardt { damping, ..method };
        let error = fails(&bad, &[&x, &x]);
        assert!(matches!(
            error,
            NetworkError::Option {
                name: "damping",
                ..
            }
        ));
    }

    let mut layout = Layout::new();
    let w = layout.root().parameter("w", &[1], Init::Constant(1.0));
    let compile = |data: &[Data], draws: usize, whole: usize| {
        LeastSquares::<f64>::compile(&layout, data, |pass, data| {
            let mut r = data[0] * pass[w];
            for _ in 0..draws {
                r = r + pass.uniform(&[1]);
            }
            if whole > 0 { r.sum().reshape(&[1]) } else { r }
        })
        .map(|_| ())
    };
    let batch = |n: usize| Data::Batch(vec![n, 1]);
    assert!(compile(&[batch(5)], 0, 0).is_ok());
    for (data, draws, whole) in [
        (vec![batch(5), batch(6)], 0, 0),
        (vec![batch(0)], 0, 0),
        (vec![Data::Whole(vec![5, 1])], 0, 0),
        (vec![batch(5)], 1, 0),
        (vec![batch(5)], 0, 1),
    ] {
        let result = compile(&data, draws, whole);
        assert!(matches!(result, Err(NetworkError::Size { .. })), "{data:?}");
    }
}

#[test]
fn parameters_without_influence_stay() {
    let x: Vec<f64> = (0..20).map(|i| f64::from(i) / 10.0).collect();
    let y: Vec<f64> = x.iter().map(|x| (0.7 * x).exp()).collect();
    for scaling in [Damping::Uniform, Damping::Scaled] {
        // b₂ does not matter, and b₀·b₁ only as a product: JᵀJ is singular.
        let (mut problem, mut parameters) = curve(&[1.0, 0.2, 5.0], 20, |b, x| {
            (x * b[0] * b[1]).exp() + b[2] * 0.0
        });
        let method = LevenbergMarquardt {
            scaling,
            ..LevenbergMarquardt::default()
        };
        let fit = method
            .fit(&mut problem, &mut parameters, &[&x, &y], None, &mut ())
            .unwrap();
        let b = parameters.values();
        assert!(fit.loss < 1e-20, "{fit:?}");
        close(&[b[0] * b[1], b[2]], &[0.7, 5.0], 1e-9);
    }
}

#[test]
fn steps_have_the_same_bits_for_any_number_of_threads() {
    // More points than the 193 parameters, and fewer.
    for points in [300, 100] {
        let one = steps(points, 1);
        assert_eq!(one, steps(points, 2));
        assert_eq!(one, steps(points, 3));
    }
}

/// Bits of the parameters after ten steps on so many points.
fn steps(points: u32, threads: usize) -> Vec<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(|| {
        let mut layout = Layout::new();
        let net = Mlp::new(&mut layout.root(), &[1, 12, 12, 1], &MlpOptions::default());
        let data = [Data::Batch(vec![points as usize, 1])];
        let mut problem =
            LeastSquares::<f64>::compile(&layout, &data, |pass, data| poisson(&net, pass, data))
                .unwrap();
        let mut parameters = Parameters::new(&layout, Key::new(1));
        let half = f64::from(points) / 2.0;
        let x: Vec<f64> = (0..points).map(|i| f64::from(i) / half - 1.0).collect();
        let method = LevenbergMarquardt {
            steps: 10,
            ..LevenbergMarquardt::default()
        };
        method
            .fit(&mut problem, &mut parameters, &[&x], None, &mut ())
            .unwrap();
        parameters.values().iter().map(|v| v.to_bits()).collect()
    })
}

/// A cubic through two values: of all that pass, one step without damping takes the one that is least far from the start,
/// Φᵀ(ΦΦᵀ)⁻¹(y − Φb), in closed form.
#[test]
fn fewer_residuals_than_parameters_take_the_shortest_step() {
    let (x, y, start) = ([0.5, 2.0], [1.0, -1.0], [0.3, -0.2, 0.1, 0.4]);
    let (mut problem, mut parameters) = curve(&start, 2, |b, x| {
        b[0] + x * b[1] + x * x * b[2] + x * x * x * b[3]
    });
    let method = LevenbergMarquardt {
        damping: 0.0,
        gradient: 1e-10,
        ..LevenbergMarquardt::default()
    };
    let fit = method
        .fit(&mut problem, &mut parameters, &[&x, &y], None, &mut ())
        .unwrap();
    assert_eq!((fit.steps, fit.stop), (1, Stop::Gradient));
    let phi = x.map(|x| [1.0, x, x * x, x * x * x]);
    let dot = |a: &[f64; 4], b: &[f64; 4]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let r = [0, 1].map(|i| y[i] - dot(&phi[i], &start));
    let [aa, ab, bb] = [(0, 0), (0, 1), (1, 1)].map(|(i, j)| dot(&phi[i], &phi[j]));
    let det = aa * bb - ab * ab;
    let w = [(bb * r[0] - ab * r[1]) / det, (aa * r[1] - ab * r[0]) / det];
    let expected: Vec<f64> = (0..4)
        .map(|i| start[i] + w[0] * phi[0][i] + w[1] * phi[1][i])
        .collect();
    close(parameters.values(), &expected, 1e-12);
}
