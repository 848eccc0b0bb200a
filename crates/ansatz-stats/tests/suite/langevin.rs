//! Unadjusted Langevin steps against the law that they have in closed form.

use ansatz_core::{EvalError, Key, State};
use ansatz_stats::Ula;
use ansatz_testkit::laws;

/// On N(0, s²) the variance after k steps is v ← (1 − h/(2s²))²v + h; in the limit s²/(1 − h/(4s²)).
/// Within five standard errors v√(2/n) of 200 000 chains.
#[test]
fn variances_on_a_gaussian() {
    let (n, s2) = (200_000, 0.49);
    let score = |x: &Vec<f64>, out: &mut Vec<f64>| -> Result<(), EvalError> {
        out.lincomb(0.0, &[(-1.0 / s2, x)]);
        Ok(())
    };
    for (h, steps) in [(0.2, 3), (0.2, 40), (0.98, 1), (0.98, 20), (1.6, 60)] {
        let mut x = vec![0.0; n];
        let ula = Ula { step: h, steps };
        let report = ula.run(&score, &mut x, Key::new(4), &mut ()).unwrap();
        assert_eq!((report.nfe, report.steps), (steps, steps));
        let v = (0..steps).fold(0.0, |v, _| (1.0 - h / (2.0 * s2)).powi(2) * v + h);
        let got = x.dot(&x) / n as f64;
        let bound = 5.0 * v * (2.0 / n as f64).sqrt();
        assert!((got - v).abs() < bound, "h = {h}, {steps}: {got}, {v}");
        if steps >= 20 {
            // The distance to the limit is below a fifth of the bias that the limit has.
            let limit = s2 / (1.0 - h / (4.0 * s2));
            let contraction = (1.0 - h / (2.0 * s2)).powf(2.0 * steps as f64);
            assert!((v - limit).abs() <= limit * contraction * (1.0 + 1e-12) + 1e-15);
            assert!(
                (got - limit).abs() < 0.2 * (limit - s2),
                "{got}, limit {limit}"
            );
        }
    }
}

#[test]
fn threads_and_precision() {
    fn run<T: ansatz_core::Scalar>() -> Vec<T> {
        let score = |x: &Vec<T>, out: &mut Vec<T>| -> Result<(), EvalError> {
            out.lincomb(0.0, &[(-1.0, x)]);
            Ok(())
        };
        let mut x = vec![T::of(0.5); 20_000];
        let ula = Ula {
            step: 0.3,
            steps: 5,
        };
        ula.run(&score, &mut x, Key::new(6), &mut ()).unwrap();
        x
    }
    laws::same_for_threads(run::<f64>);
    laws::same_for_threads(run::<f32>);
    let worst = run::<f64>()
        .iter()
        .zip(run::<f32>())
        .fold(0.0_f64, |w, (a, b)| w.max((a - f64::from(b)).abs()));
    // Five steps, each of which rounds state, score and noise of size up to 5 once.
    assert!(
        worst < 5.0 * 3.0 * 5.0 * f64::from(f32::EPSILON),
        "{worst:e}"
    );
}
