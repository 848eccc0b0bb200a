//! The closed forms of a bridge agree with one another and with the mixture at its end.

use ansatz_core::{EvalError, NoiseLevel};
use ansatz_testkit::{Analytic, Bridge, Mix, Mixture, ModelError, measure, tb1};

fn mix(t: f64) -> Mix {
    Mix {
        a: 1.0 - t,
        b: t,
        gamma_squared: t * (1.0 - t),
        a_rate: -1.0,
        b_rate: 1.0,
        gamma_product: 0.5 - t,
    }
}

/// Continuity: ∂ₜ log p = −div b − b·∇ log p; the score and the divergence are derivatives.
#[test]
fn closed_forms_agree() {
    let bridge = Bridge::tb1();
    let x = tb1::points(8);
    let h = 1e-3;
    // Central differences of order 4.
    let slope = |f: &dyn Fn(f64) -> Vec<f64>| -> Vec<f64> {
        let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|k| f(k * h));
        (0..a.len())
            .map(|i| (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / (12.0 * h))
            .collect()
    };
    for t in [0.1, 0.5, 0.8] {
        let here = mix(t);
        let log = |x: &[f64], mix: &Mix| {
            let mut out = vec![0.0; 8];
            bridge.log_density(x, mix, &mut out).expect("a density");
            out
        };
        let (mut b, mut s, mut div) = (vec![0.0; 16], vec![0.0; 16], vec![0.0; 8]);
        bridge.velocity(&x, &here, &mut b).expect("a density");
        bridge.score(&x, &here, &mut s).expect("a density");
        bridge.divergence(&x, &here, &mut div).expect("a density");
        let rate = slope(&|k| log(&x, &mix(t + k)));
        for i in 0..8 {
            let along = b[2 * i] * s[2 * i] + b[2 * i + 1] * s[2 * i + 1];
            let error = rate[i] + div[i] + along;
            assert!(error.abs() < 1e-7, "t = {t}, point {i}: {error:e}");
        }
        let mut trace = vec![0.0; 8];
        for axis in 0..2 {
            let moved = |k: f64| -> Vec<f64> {
                let shift = |(i, v): (usize, &f64)| if i % 2 == axis { v + k } else { *v };
                x.iter().enumerate().map(shift).collect()
            };
            let gradient = slope(&|k| log(&moved(k), &here));
            let change = slope(&|k| {
                let mut b = vec![0.0; 16];
                bridge
                    .velocity(&moved(k), &here, &mut b)
                    .expect("a density");
                b
            });
            for i in 0..8 {
                assert!((gradient[i] - s[2 * i + axis]).abs() < 1e-7);
                trace[i] += change[2 * i + axis];
            }
        }
        assert!(measure::max_abs_diff(&trace, &div) < 1e-7);
    }
    let (mut p, mut q) = (vec![0.0; 8], vec![0.0; 8]);
    bridge
        .log_density(&x, &mix(1.0), &mut p)
        .expect("a density");
    let clean = NoiseLevel::new(0.0, 1.0, 0.0);
    Mixture::tb1()
        .log_density(&x, &clean, &mut q)
        .expect("a density");
    assert!(measure::max_abs_diff(&p, &q) < 1e-12);
}

#[test]
fn bad_bridges() {
    let part = |d: usize| (vec![1.0], vec![0.0; d], vec![0.0; d * d]);
    let error = Bridge::new(part(1), part(2));
    assert!(matches!(
        error,
        Err(ModelError::Length {
            expected: 1,
            got: 2,
            ..
        })
    ));
    let points = Bridge::new(part(2), part(2)).expect("two points");
    let still = Mix {
        gamma_squared: 0.0,
        ..mix(0.5)
    };
    let error = points.velocity(&[0.0, 0.0], &still, &mut [0.0; 2]);
    assert!(matches!(error, Err(EvalError::OutOfRange { .. })));
    let error = points.score(&[0.0; 3], &mix(0.5), &mut [0.0; 2]);
    assert!(matches!(error, Err(EvalError::Length { .. })));
}
