//! Law of models that know their divergence.

use ansatz_core::{DivergenceDenoiser, EvalError, HostState, NoiseLevel, Prediction, Scalar};

use super::{Verdict, demand, uphold};

/// Step of the difference quotients, of order 4.
const STEP: f64 = 1e-3;

/// The divergence of `samples` samples is the trace of the model's Jacobian, in every kind.
///
/// Checked against central differences of order 4 of [`ansatz_core::Denoiser::eval_as`], one
/// element of each sample at a time, to `tolerance` times the number of elements of a sample. Use
/// states in `f64`; kinds that the level does not allow are left out.
///
/// # Panics
/// On the first violation, or when the model itself fails.
#[track_caller]
pub fn divergence<S: HostState>(
    model: &(impl DivergenceDenoiser<S> + ?Sized),
    x: &S,
    at: &NoiseLevel,
    samples: usize,
    tolerance: f64,
) {
    let verdict = check(model, x, at, samples, tolerance);
    uphold(verdict.unwrap_or_else(|e| Err(format!("evaluation fails: {e}"))));
}

fn check<S: HostState>(
    model: &(impl DivergenceDenoiser<S> + ?Sized),
    x: &S,
    at: &NoiseLevel,
    samples: usize,
    tolerance: f64,
) -> Result<Verdict, EvalError> {
    let size = x.len() / samples.max(1);
    for want in Prediction::ALL {
        if at.convert(model.native(), want).is_err() {
            continue;
        }
        let mut trace = vec![0.0; samples];
        for i in 0..size {
            for (shift, weight) in [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)] {
                let mut moved = x.clone();
                for sample in moved.as_mut_slice().chunks_mut(size) {
                    sample[i] = S::Scalar::of(sample[i].f64() + shift * STEP);
                }
                let mut y = x.zeros_like();
                model.eval_as(want, &moved, at, &mut y)?;
                for (t, y) in trace.iter_mut().zip(y.as_slice().chunks(size)) {
                    *t += weight * y[i].f64() / (12.0 * STEP);
                }
            }
        }
        let (mut y, mut got) = (x.zeros_like(), vec![f64::NAN; samples]);
        model.eval_divergence_as(want, x, at, &mut y, &mut got)?;
        let mut plain = x.zeros_like();
        model.eval_as(want, x, at, &mut plain)?;
        let same = plain
            .as_slice()
            .iter()
            .zip(y.as_slice())
            .all(|(a, b)| a == b);
        if let Err(e) = demand(same, || format!("{want:?}: not the output of eval_as")) {
            return Ok(Err(e));
        }
        for (b, (got, trace)) in got.iter().zip(&trace).enumerate() {
            let limit = tolerance * size as f64;
            let right = (got - trace).abs() <= limit;
            let verdict = demand(right, || {
                format!("{want:?}: divergence of sample {b} is {got:e}, differences give {trace:e}")
            });
            if verdict.is_err() {
                return Ok(verdict);
            }
        }
    }
    Ok(Ok(()))
}
