//! Diagnostics against ArviZ and the autocorrelation time of an autoregression.

use ansatz_core::Key;
use ansatz_stats::{DiagnosticError, Trace, diagnose};

const FIXTURE: &str = include_str!("../fixtures/diagnostics.txt");

/// The draws of the fixture, `[draws, chains]`.
fn chains(n: usize, count: usize, phi: f64, shift: f64, stretch: f64) -> Vec<f64> {
    let mut out = vec![0.0; n * count];
    for c in 0..count {
        let mut u = 0.1 + 0.07 * c as f64;
        let mut x = 0.0;
        for i in 0..n {
            for _ in 0..7 {
                u = 3.99 * u * (1.0 - u);
            }
            x = phi * x + (u - 0.5);
            out[i * count + c] = x * (1.0 + stretch * c as f64) + shift * c as f64;
        }
    }
    out
}

#[test]
fn values_of_arviz() {
    let rounded = chains(200, 2, 0.5, 0.0, 0.0)
        .iter()
        .map(|x| (3.0 * x).round_ties_even())
        .collect();
    let cases: [(&str, Vec<f64>, usize); 7] = [
        ("independent", chains(200, 4, 0.0, 0.0, 0.0), 4),
        ("slow", chains(301, 4, 0.9, 0.0, 0.0), 4),
        ("antithetic", chains(150, 3, -0.6, 0.0, 0.0), 3),
        ("shifted", chains(200, 4, 0.3, 0.2, 0.0), 4),
        ("stretched", chains(200, 4, 0.3, 0.0, 0.5), 4),
        ("rounded", rounded, 2),
        ("one", chains(500, 1, 0.5, 0.0, 0.0), 1),
    ];
    assert_eq!(FIXTURE.lines().count(), cases.len());
    for (line, (name, values, count)) in FIXTURE.lines().zip(cases) {
        let (head, numbers) = line.split_once(": ").unwrap();
        assert_eq!(head, name);
        let expected: Vec<f64> = numbers.split(' ').map(|v| v.parse().unwrap()).collect();
        let d = diagnose(&values, count).unwrap();
        let got = [d.mean, d.std, d.mcse, d.r_hat, d.ess_bulk, d.ess_tail];
        for (k, (g, e)) in got.iter().zip(&expected).enumerate() {
            // ArviZ gives no R̂ for one chain; its halves do.
            if e.is_nan() {
                assert_eq!((name, k), ("one", 3));
                continue;
            }
            assert!(
                (g - e).abs() < 1e-9 * e.abs().max(1.0),
                "{name}, {k}: {g}, ArviZ {e}"
            );
        }
    }
}

/// xₜ = φxₜ₋₁ + e has τ = (1 + φ)/(1 − φ): effective sizes within a tenth, errors of means as they scatter.
#[test]
fn autoregressions() {
    for phi in [-0.3_f64, 0.0, 0.5, 0.9] {
        let (n, count) = (20_000, 4);
        let mut noise = vec![0.0; n * count];
        Key::new(7).fill_normal(0, &mut noise);
        let mut x = vec![0.0; count];
        for (x, e) in x.iter_mut().zip(&noise) {
            *x = e / (1.0 - phi * phi).sqrt();
        }
        let mut values = x.clone();
        for row in noise[count..].chunks(count) {
            for (x, e) in x.iter_mut().zip(row) {
                *x = phi * *x + e;
            }
            values.extend(&x);
        }
        let d = diagnose(&values, count).unwrap();
        let exact = (n * count) as f64 * (1.0 - phi) / (1.0 + phi);
        assert!(
            (d.ess_bulk / exact - 1.0).abs() < 0.1,
            "{phi}: {}, {exact}",
            d.ess_bulk
        );
        let std = 1.0 / (1.0 - phi * phi).sqrt();
        assert!(
            (d.mcse / (std / exact.sqrt()) - 1.0).abs() < 0.05,
            "{phi}: {}",
            d.mcse
        );
        assert!(d.r_hat < 1.005 && d.mean.abs() < 5.0 * d.mcse);
    }
}

#[test]
fn what_is_refused() {
    let good = chains(50, 2, 0.0, 0.0, 0.0);
    assert!(matches!(
        diagnose(&good, 3),
        Err(DiagnosticError::Chains { .. })
    ));
    assert!(matches!(
        diagnose(&good, 0),
        Err(DiagnosticError::Chains { .. })
    ));
    assert!(matches!(
        diagnose(&good[..14], 2),
        Err(DiagnosticError::TooFew { got: 7, .. })
    ));
    let mut bad = good.clone();
    bad[7] = f64::NAN;
    assert!(matches!(
        diagnose(&bad, 2),
        Err(DiagnosticError::NonFinite {
            draw: 3,
            chain: 1,
            ..
        })
    ));
    assert!(matches!(
        diagnose(&[2.0; 40], 2),
        Err(DiagnosticError::Constant { value: 2.0 })
    ));
    // Chains that stand still at different values.
    let stuck: Vec<f64> = [0.0, 1.0].repeat(20);
    assert_eq!(diagnose(&stuck, 2).unwrap().r_hat, f64::INFINITY);
    assert!(Trace::new(2).diagnose(|row| row[0]).is_err());
}
