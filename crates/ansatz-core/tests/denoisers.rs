//! Combinators around models, and operators lifted to states.

use ansatz_core::{
    Clamped, ClassifierGuided, Counted, Denoiser, DynamicThreshold, EvalError, Guided, LinearMap,
    LinearOp, NoiseLevel, OnHost, OnInterval, Prediction, Rescaled, State, denoiser,
};
use ansatz_testkit::{Gaussian, laws, measure, tb1};

fn level() -> NoiseLevel {
    NoiseLevel {
        alpha_rate: -0.9,
        sigma_rate: 1.3,
        ..NoiseLevel::new(0.5, 0.8, 0.6)
    }
}

fn two() -> (Gaussian, Gaussian) {
    let model = |mean, variance| Gaussian::isotropic(2, mean, variance).expect("valid parameters");
    (model(1.0, 0.3), model(-0.5, 2.0))
}

fn eval(model: &impl Denoiser<Vec<f64>>, want: Prediction) -> Vec<f64> {
    let x = tb1::points(8);
    let mut out = vec![f64::NAN; x.len()];
    model
        .eval_as(want, &x, &level(), &mut out)
        .expect("valid arguments");
    out
}

#[test]
fn guidance_is_linear_between_its_models() {
    let (a, b) = two();
    let (c, u) = (eval(&a, Prediction::Noise), eval(&b, Prediction::Noise));
    for kind in [Prediction::Noise, Prediction::Data, Prediction::Velocity] {
        // The unconditional model may predict another kind.
        let guided = |w: f64| {
            let conditional = a.clone().predicting(kind);
            let unconditional = b.clone().predicting(Prediction::Score);
            Guided::new(conditional, unconditional, w).expect("finite scale")
        };
        for w in [0.0, 1.0, 0.3, 7.5, -2.0] {
            let got = eval(&guided(w), Prediction::Noise);
            let want: Vec<f64> = c.iter().zip(&u).map(|(c, u)| u + w * (c - u)).collect();
            assert!(measure::max_abs_diff(&got, &want) < 1e-14, "{kind:?}, {w}");
            laws::denoiser(&guided(w), &tb1::points(8), &level());
        }
        assert_eq!(Denoiser::<Vec<f64>>::native(&guided(2.0)), kind);
    }
}

#[test]
fn guidance_scale_must_be_finite() {
    for w in [f64::NAN, f64::INFINITY] {
        let (a, b) = two();
        let made = Guided::<Vec<f64>, _, _>::new(a, b, w);
        assert!(matches!(
            made,
            Err(EvalError::NonFinite {
                what: "guidance_scale"
            })
        ));
    }
}

#[test]
fn clamping_limits_the_data_and_shows_nan() {
    let (model, _) = two();
    let limit = 0.9;
    let clamped =
        Clamped::new(model.clone().predicting(Prediction::Noise), limit).expect("positive limit");
    let free = eval(&model, Prediction::Data);
    assert!(free.iter().any(|v| v.abs() > limit));
    for (got, free) in eval(&clamped, Prediction::Data).iter().zip(&free) {
        assert!((got - free.clamp(-limit, limit)).abs() < 1e-14);
    }
    laws::denoiser(&clamped, &tb1::points(8), &level());

    let at = level();
    let broken = denoiser::from_fn(
        Prediction::Data,
        |x: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.copy_from_slice(x);
            Ok(())
        },
    );
    let broken = Clamped::new(broken, 1.0).expect("positive limit");
    let mut out = vec![0.0; 3];
    let x = vec![f64::NAN, f64::INFINITY, -3.0];
    broken.eval(&x, &at, &mut out).expect("valid arguments");
    assert!(out[0].is_nan());
    assert_eq!(out[1..], [1.0, -1.0]);

    for limit in [0.0, -1.0, f64::NAN] {
        assert!(matches!(
            Clamped::new(model.clone(), limit),
            Err(EvalError::OutOfRange { what: "limit", .. })
        ));
    }
}

#[test]
fn counting_counts_calls_of_either_kind() {
    let counted = Counted::new(two().0);
    assert_eq!(counted.nfe(), 0);
    eval(&counted, Prediction::Data);
    eval(&counted, Prediction::Flow);
    assert_eq!(counted.nfe(), 2);
    // A conversion that is impossible costs no evaluation.
    let x = vec![1.0, 2.0];
    let mut out = x.clone();
    let refused = counted.eval_as(Prediction::Noise, &x, &NoiseLevel::clean(0.0), &mut out);
    assert!(matches!(
        refused,
        Err(EvalError::Conversion {
            from: Prediction::Data,
            want: Prediction::Noise,
            ..
        })
    ));
    assert_eq!(counted.nfe(), 2);
    laws::denoiser(&counted, &tb1::points(8), &level());
}

#[test]
fn counting_works_through_guidance() {
    let (a, b) = two();
    let (a, b) = (Counted::new(a), Counted::new(b));
    let guided = Guided::new(&a, &b, 2.0).expect("finite scale");
    eval(&guided, Prediction::Noise);
    assert_eq!((a.nfe(), b.nfe()), (1, 1));
}

#[test]
fn a_model_that_changes_the_length_is_an_error() {
    let shrinks = denoiser::from_fn(
        Prediction::Data,
        |_: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.pop();
            Ok(())
        },
    );
    let x = vec![1.0, 2.0];
    let mut out = x.clone();
    assert!(matches!(
        shrinks.eval_as(Prediction::Data, &x, &level(), &mut out),
        Err(EvalError::Length {
            expected: 2,
            got: 1,
            ..
        })
    ));
}

#[test]
fn the_models_error_comes_through_whole() {
    let fails = denoiser::from_fn(Prediction::Data, |_: &Vec<f64>, _: &_, _: &mut Vec<f64>| {
        Err(EvalError::model(std::fmt::Error))
    });
    let x = vec![1.0];
    let mut out = x.clone();
    let e = fails.eval_as(Prediction::Noise, &x, &level(), &mut out);
    let e = e.expect_err("the model fails");
    let source = std::error::Error::source(&e).expect("a source");
    assert!(source.is::<std::fmt::Error>());
}

/// y = (x₀ + x₁, 2x₁, x₂ − x₀, x₂) through its scratch.
struct Tall;

impl LinearOp<f64> for Tall {
    fn rows(&self) -> usize {
        4
    }

    fn cols(&self) -> usize {
        3
    }

    fn scratch_len(&self) -> usize {
        3
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        scratch.copy_from_slice(x);
        let s = scratch;
        y.copy_from_slice(&[s[0] + s[1], 2.0 * s[1], s[2] - s[0], s[2]]);
    }
}

#[test]
fn operators_become_maps_with_checked_lengths() {
    laws::linear_op(&Tall);
    let map = OnHost::new(&Tall);
    let mut y = vec![f64::NAN; 4];
    map.apply(&vec![1.0, 2.0, 3.0], &mut y)
        .expect("right lengths");
    assert_eq!(y, [3.0, 4.0, 2.0, 3.0]);
    assert!(matches!(
        map.apply(&vec![1.0; 4], &mut y),
        Err(EvalError::Length {
            what: "input of the operator",
            expected: 3,
            got: 4
        })
    ));
    assert!(matches!(
        map.apply(&vec![1.0; 3], &mut vec![0.0; 3]),
        Err(EvalError::Length {
            what: "output of the operator",
            expected: 4,
            got: 3
        })
    ));
}

/// Several threads may use one map: they take turns at its scratch.
#[test]
fn maps_are_shared_between_threads() {
    let map = OnHost::new(&Tall);
    std::thread::scope(|scope| {
        for k in 0..4 {
            let map = &map;
            scope.spawn(move || {
                for i in 0..1000 {
                    let x = vec![f64::from(k), f64::from(i), 1.0];
                    let mut y = x.zeros_like();
                    y.push(0.0);
                    map.apply(&x, &mut y).expect("right lengths");
                    assert_eq!(y, [x[0] + x[1], 2.0 * x[1], 1.0 - x[0], 1.0]);
                }
            });
        }
    });
}

#[test]
fn sizes_of_errors_stay_small() {
    assert!(size_of::<EvalError>() <= 64);
}

/// A model that resizes its output, inside of every combinator: an error, not a panic.
#[test]
fn combinators_refuse_another_length() {
    let longer = || {
        denoiser::from_fn(Prediction::Noise, |_: &Vec<f64>, _: &NoiseLevel, out| {
            let out: &mut Vec<f64> = out;
            out.push(0.0);
            Ok(())
        })
    };
    let gradient = |_: &Vec<f64>, _: &NoiseLevel, g: &mut Vec<f64>| {
        g.fill(0.0);
        Ok(())
    };
    let guided = || Guided::new(longer(), longer(), 2.0).expect("a finite scale");
    let models: [Box<dyn Denoiser<Vec<f64>>>; 6] = [
        Box::new(guided()),
        Box::new(Rescaled::new(guided(), 0.7, 1).expect("valid options")),
        Box::new(ClassifierGuided::new(longer(), gradient, 1.0).expect("a finite scale")),
        Box::new(Clamped::new(longer(), 1.0).expect("a positive limit")),
        Box::new(DynamicThreshold::new(longer(), 0.9, 1.0, 1).expect("valid options")),
        Box::new(OnInterval::new(longer(), longer(), -1.0..=1.0).expect("an interval")),
    ];
    for (i, model) in models.iter().enumerate() {
        for want in Prediction::ALL {
            let x = tb1::points(8);
            let mut out = x.clone();
            let result = model.eval_as(want, &x, &level(), &mut out);
            assert!(
                matches!(result, Err(EvalError::Length { .. })),
                "{i} {want:?}: {result:?}"
            );
        }
    }
}
