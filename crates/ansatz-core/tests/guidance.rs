//! Guidance and thresholds: identities, statistics against direct computation, NaN, bad options.

use ansatz_core::denoiser::from_fn;
use ansatz_core::{
    Clamped, ClassifierGuided, Counted, Denoiser, DynamicThreshold, EvalError, Guided, NoiseLevel,
    OnInterval, Prediction, Rescaled,
};
use ansatz_testkit::{Gaussian, laws, measure, tb1};

fn level() -> NoiseLevel {
    NoiseLevel {
        alpha_rate: -0.9,
        sigma_rate: 1.3,
        ..NoiseLevel::new(0.5, 0.8, 0.6)
    }
}

fn gaussian(mean: f64, variance: f64) -> Gaussian {
    Gaussian::isotropic(2, mean, variance).expect("valid parameters")
}

fn eval(model: &impl Denoiser<Vec<f64>>, want: Prediction) -> Vec<f64> {
    let x = tb1::points(8);
    let mut out = vec![f64::NAN; x.len()];
    model
        .eval_as(want, &x, &level(), &mut out)
        .expect("valid arguments");
    out
}

fn guided(w: f64) -> Guided<Vec<f64>, Gaussian, Gaussian> {
    Guided::new(
        gaussian(1.0, 0.3).predicting(Prediction::Noise),
        gaussian(-0.5, 2.0),
        w,
    )
    .expect("finite scale")
}

fn deviation(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

#[test]
fn rescaling() {
    let conditional = eval(&gaussian(1.0, 0.3), Prediction::Data);
    for w in [1.0, 3.0, 7.5] {
        let plain = eval(&guided(w), Prediction::Data);
        for (samples, size) in [(1, 16), (4, 4), (8, 2)] {
            let rescaled = |phi| Rescaled::new(guided(w), phi, samples).expect("a valid factor");
            let none = eval(&rescaled(0.0), Prediction::Data);
            assert!(measure::max_abs_diff(&none, &plain) < 1e-13);
            let full = eval(&rescaled(1.0), Prediction::Data);
            let part = eval(&rescaled(0.7), Prediction::Data);
            for i in 0..samples {
                let row = i * size..(i + 1) * size;
                let wanted = deviation(&conditional[row.clone()]);
                assert!((deviation(&full[row.clone()]) - wanted).abs() < 1e-13);
                let factor = wanted / deviation(&plain[row.clone()]);
                for j in row {
                    let expected = (0.7 * factor + 0.3) * plain[j];
                    assert!((part[j] - expected).abs() < 1e-13 * (1.0 + expected.abs()));
                }
            }
            laws::denoiser(&rescaled(0.7), &tb1::points(8), &level());
        }
    }
    // w = 1 is the conditional model, whatever φ.
    let same = Rescaled::new(guided(1.0), 0.7, 8).expect("a valid factor");
    assert!(measure::max_abs_diff(&eval(&same, Prediction::Data), &conditional) < 1e-13);
}

/// A model that returns fixed data.
fn fixed(data: Vec<f64>) -> impl Denoiser<Vec<f64>> {
    from_fn(Prediction::Data, move |_: &Vec<f64>, _: &_, out| {
        out.clone_from(&data);
        Ok(())
    })
}

#[test]
fn dynamic_thresholds() {
    // Two samples of eight: one reaches to 3.5, one stays inside.
    let first = [0.0, -0.5, 1.0, -1.5, 2.0, -2.5, 3.0, -3.5];
    let second: Vec<f64> = first.iter().map(|v| 0.2 * v).collect();
    let data = [&first[..], &second].concat();
    for limit in [1.0, 2.0] {
        for q in [0.5, 0.9, 0.995, 1.0] {
            let model = DynamicThreshold::new(fixed(data.clone()), q, limit, 2).expect("valid");
            let got = eval(&model, Prediction::Data);
            // |first| is evenly spaced, so its quantiles are linear.
            let s = (3.5 * q).max(limit);
            for (g, v) in got[..8].iter().zip(&first) {
                let expected = v.clamp(-s, s) * limit / s;
                assert!((g - expected).abs() < 1e-15, "{limit} {q}: {g} {expected}");
            }
            assert!(measure::max_abs_diff(&got[8..], &second) < 1e-15);
        }
    }
    // With everything below the limit it is the model, and with quantile 1 nothing is cut.
    let wide = DynamicThreshold::new(fixed(data.clone()), 0.995, 5.0, 2).expect("valid");
    assert_eq!(eval(&wide, Prediction::Data), data);
    // A sample in the limit of a small quantile is clipped as by fixed thresholds.
    let small = DynamicThreshold::new(fixed(data.clone()), 1e-9, 0.4, 2).expect("valid");
    let clamped = Clamped::new(fixed(data.clone()), 0.4).expect("valid");
    assert_eq!(
        eval(&small, Prediction::Data),
        eval(&clamped, Prediction::Data)
    );
    let mut broken = data;
    broken[3] = f64::NAN;
    let model = DynamicThreshold::new(fixed(broken), 0.9, 1.0, 2).expect("valid");
    let got = eval(&model, Prediction::Data);
    assert!(got[3].is_nan() && got[8..].iter().all(|v| v.is_finite()));
}

#[test]
fn intervals() {
    let plain = gaussian(1.0, 0.3).predicting(Prediction::Score);
    let inside = eval(&guided(4.0), Prediction::Noise);
    let outside = eval(&plain, Prediction::Noise);
    let rho = level().rho();
    for (interval, expected) in [
        (0.0..=f64::INFINITY, &inside),
        (rho..=rho, &inside),
        (1.0..=0.5, &outside),
        (0.0..=0.5 * rho, &outside),
        (2.0 * rho..=9.0, &outside),
    ] {
        let model = OnInterval::new(guided(4.0), plain.clone(), interval).expect("no NaN");
        let got = eval(&model, Prediction::Noise);
        assert!(measure::max_abs_diff(&got, expected) < 1e-13);
        laws::denoiser(&model, &tb1::points(8), &level());
    }
    // Outside, the guided model is not called.
    let counted = Counted::new(plain.clone());
    let guided = Guided::new(&counted, &counted, 2.0).expect("finite scale");
    let model = OnInterval::new(guided, plain, 0.0..=0.1).expect("no NaN");
    let _ = eval(&model, Prediction::Data);
    assert_eq!(counted.nfe(), 0);
}

/// A unit Gaussian prior and a Gaussian likelihood: the guided model is the posterior's.
#[test]
fn classifiers() {
    // Class c: N(x₀; 1, 0.5) ∝ N(x₀; 0, 1)·p(c | x₀), with p(c | x₀) ∝ N(x₀; 2, 1).
    let at = level();
    let (a, s) = (at.alpha, at.sigma);
    // log p(c | x) = log p(x | c) − log p(x) + const.
    let gradient = move |x: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| {
        for (o, x) in out.iter_mut().zip(x) {
            *o = -(x - a) / (0.5 * a * a + s * s) + x / (a * a + s * s);
        }
        Ok(())
    };
    for kind in Prediction::ALL {
        let prior = gaussian(0.0, 1.0).predicting(kind);
        let with = |w| {
            ClassifierGuided::<Vec<f64>, _, _>::new(prior.clone(), gradient, w).expect("finite")
        };
        for want in Prediction::ALL {
            let none = eval(&with(0.0), want);
            assert!(measure::max_abs_diff(&none, &eval(&prior, want)) < 1e-13);
            let full = eval(&with(1.0), want);
            let posterior = eval(&gaussian(1.0, 0.5), want);
            let error = measure::max_abs_diff(&full, &posterior);
            assert!(error < 1e-13, "{kind:?} as {want:?}: {error:e}");
        }
        laws::denoiser(&with(2.5), &tb1::points(8), &at);
    }
}

#[test]
fn bad_options_are_errors() {
    for phi in [-0.1, 1.1, f64::NAN] {
        let made = Rescaled::new(guided(2.0), phi, 8);
        assert!(matches!(
            made,
            Err(EvalError::OutOfRange { what: "phi", .. })
        ));
    }
    for quantile in [0.0, -1.0, 1.5, f64::NAN] {
        let made = DynamicThreshold::new(gaussian(0.0, 1.0), quantile, 1.0, 8);
        assert!(matches!(
            made,
            Err(EvalError::OutOfRange {
                what: "quantile",
                ..
            })
        ));
    }
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let made = DynamicThreshold::new(gaussian(0.0, 1.0), 0.995, limit, 8);
        assert!(matches!(
            made,
            Err(EvalError::OutOfRange { what: "limit", .. })
        ));
    }
    let nan = OnInterval::new(gaussian(0.0, 1.0), gaussian(0.0, 1.0), 0.0..=f64::NAN);
    assert!(matches!(
        nan,
        Err(EvalError::NonFinite { what: "interval" })
    ));
    let gradient = |_: &Vec<f64>, _: &NoiseLevel, _: &mut Vec<f64>| Ok(());
    let nan = ClassifierGuided::<Vec<f64>, _, _>::new(gaussian(0.0, 1.0), gradient, f64::NAN);
    assert!(matches!(nan, Err(EvalError::NonFinite { what: "scale" })));
    let x = tb1::points(8);
    for samples in [0, 3, 17] {
        let mut out = x.clone();
        let rescaled = Rescaled::new(guided(2.0), 0.5, samples).expect("a valid factor");
        let error = rescaled.eval(&x, &level(), &mut out);
        assert!(matches!(error, Err(EvalError::Length { got: 16, .. })));
        let threshold =
            DynamicThreshold::new(gaussian(0.0, 1.0), 0.9, 1.0, samples).expect("valid");
        let error = threshold.eval(&x, &level(), &mut out);
        assert!(matches!(error, Err(EvalError::Length { got: 16, .. })));
    }
}
