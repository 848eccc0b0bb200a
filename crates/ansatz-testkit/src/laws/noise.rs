//! Laws of prediction kinds and models.

use ansatz_core::{Denoiser, EvalError, NoiseLevel, Prediction, Scalar, State};

use super::{Verdict, demand, uphold};

/// Every kind converts into every other at the level `at`.
///
/// For clean data and noise of several sizes, `convert` must give the prediction that
/// [`Prediction::mix`] defines, to 16 units of rounding of the terms added; conversions may be
/// refused only where `x` and the source kind are linearly dependent at this level (to within
/// rounding), or the wanted kind is not finite there.
///
/// ```
/// use ansatz_core::NoiseLevel;
/// ansatz_testkit::laws::prediction_conversions(&NoiseLevel::new(0.5, 0.8, 0.6));
/// ```
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn prediction_conversions(at: &NoiseLevel) {
    for from in Prediction::ALL {
        for want in Prediction::ALL {
            uphold(check_pair(at, from, want));
        }
    }
}

fn check_pair(at: &NoiseLevel, from: Prediction, want: Prediction) -> Verdict {
    let (p, q) = from.mix(at);
    let (r, s) = want.mix(at);
    let (c_x, c_y) = match at.convert(from, want) {
        Ok(c) => c,
        Err(EvalError::Conversion { .. }) => {
            let det = at.alpha * q - at.sigma * p;
            let scale = (at.alpha * q).abs() + (at.sigma * p).abs();
            let possible = det.abs() > 1e-12 * scale && r.is_finite() && s.is_finite();
            return demand(!possible, || {
                format!("{from:?} to {want:?} is refused at {at:?}")
            });
        }
        Err(e) => return Err(format!("{from:?} to {want:?} at {at:?}: {e}")),
    };
    if from == want {
        // Defined even where the kind itself is not: nothing is computed.
        return demand(c_x.abs() <= 0.0 && (c_y - 1.0).abs() <= 0.0, || {
            format!("{from:?} to itself is {c_x}·x + {c_y}·y")
        });
    }
    for (data, noise) in [(1.0, 0.0), (0.0, 1.0), (0.7, -1.3), (-25.0, 0.4)] {
        let x = at.alpha * data + at.sigma * noise;
        let (given, expected) = (p * data + q * noise, r * data + s * noise);
        let got = c_x * x + c_y * given;
        let size = c_x.abs() * ((at.alpha * data).abs() + (at.sigma * noise).abs())
            + c_y.abs() * ((p * data).abs() + (q * noise).abs())
            + (r * data).abs()
            + (s * noise).abs();
        demand((got - expected).abs() <= 16.0 * f64::EPSILON * size, || {
            format!(
                "{from:?} to {want:?} at {at:?}: data {data} and noise {noise} give {got:e}, \
                 expected {expected:e}"
            )
        })?;
    }
    Ok(())
}

/// A model answers consistently in all kinds at the point `x` and level `at`.
///
/// - `eval` repeats its bits, overwrites whatever `out` held, and equals `eval_as(native)`;
/// - data and noise recombine to the input, `α·x̂₀ + σ·ε = x`;
/// - every other kind is the mix of data and noise that defines it;
/// - a kind is refused only where [`NoiseLevel::convert`] refuses it.
///
/// Tolerance: 64 units of rounding of the state's scalar, times the sizes added on the way from
/// the native kind.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn denoiser<S: State>(model: &(impl Denoiser<S> + ?Sized), x: &S, at: &NoiseLevel) {
    uphold(check_denoiser(model, x, at));
}

fn check_denoiser<S: State>(
    model: &(impl Denoiser<S> + ?Sized),
    x: &S,
    at: &NoiseLevel,
) -> Verdict {
    let native = model.native();
    let mut poisoned = x.clone();
    poisoned.lincomb(f64::NAN, &[]);
    let run = |want: Option<Prediction>| {
        let mut out = poisoned.clone();
        match want {
            None => model.eval(x, at, &mut out),
            Some(kind) => model.eval_as(kind, x, at, &mut out),
        }
        .map(|()| out)
    };
    let y = run(None).map_err(|e| format!("eval fails: {e}"))?;
    demand(y.is_finite(), || {
        "eval leaves NaN that out held before the call, or makes it".into()
    })?;
    for (what, again) in [
        ("a second eval", run(None)),
        ("eval_as(native)", run(Some(native))),
    ] {
        let again = again.map_err(|e| format!("{what} fails: {e}"))?;
        let apart = distance(&again, &[(1.0, &y)]);
        demand(apart <= 0.0, || {
            format!("{what} differs from the first by {apart:e}")
        })?;
    }
    let mut known: [Option<S>; Prediction::ALL.len()] = Default::default();
    for (slot, want) in known.iter_mut().zip(Prediction::ALL) {
        *slot = match (run(Some(want)), at.convert(native, want)) {
            (Ok(y), _) => Some(y),
            (Err(_), Err(_)) => None,
            (Err(e), Ok(_)) => return Err(format!("{want:?} is refused: {e}")),
        };
    }
    let eps = 64.0 * S::Scalar::EPS.f64();
    // What rounding of the native output and of x can do to a kind derived from them.
    let rounding = |want: Prediction| {
        at.convert(native, want).map_or(f64::INFINITY, |(a, b)| {
            eps * (a.abs() * x.norm() + b.abs() * y.norm())
        })
    };
    let of = |kind: Prediction| {
        Prediction::ALL
            .iter()
            .position(|k| *k == kind)
            .and_then(|k| known[k].as_ref())
    };
    let (Some(data), Some(noise)) = (of(Prediction::Data), of(Prediction::Noise)) else {
        return Ok(());
    };
    let (slack_data, slack_noise) = (rounding(Prediction::Data), rounding(Prediction::Noise));
    let apart = distance(x, &[(at.alpha, data), (at.sigma, noise)]);
    let limit = at.alpha * slack_data + at.sigma * slack_noise + eps * x.norm();
    demand(apart <= limit, || {
        format!("data and noise recombine to x with an error of {apart:e}, more than {limit:e}")
    })?;
    for want in Prediction::ALL {
        let Some(got) = of(want) else { continue };
        let (p, q) = want.mix(at);
        let apart = distance(got, &[(p, data), (q, noise)]);
        let limit = p.abs() * (slack_data + eps * data.norm())
            + q.abs() * (slack_noise + eps * noise.norm())
            + rounding(want);
        demand(apart <= limit, || {
            format!("{want:?} differs from its mix of data and noise by {apart:e} > {limit:e}")
        })?;
    }
    Ok(())
}

/// |x − Σ c·y|
fn distance<S: State>(x: &S, terms: &[(f64, &S)]) -> f64 {
    let mut d = x.zeros_like();
    d.lincomb(0.0, terms);
    d.lincomb(-1.0, &[(1.0, x)]);
    d.norm()
}
