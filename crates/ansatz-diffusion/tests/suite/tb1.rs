//! The reference tables of TB1: errors of every solver to four digits, and measured orders.
//!
//! Tolerance: 1e-4 relative. The methods are fully specified and run in f64, so the printed seven
//! digits limit the comparison from below, and rounding in end points of the reference from above.

use crate::common::tb1_rms;
use ansatz_diffusion::{Coefficients, Ddim, DpmMultistep, Form, LowerOrder, Solver, Spacing};

fn multistep(order: usize, form: Form, coefficients: Coefficients) -> Box<dyn Solver> {
    Box::new(DpmMultistep {
        order,
        form,
        coefficients,
        lower_order: LowerOrder::Never,
    })
}

/// Uniform log-SNR grid, 16 points: rms at N = 20, 80, 320 and the slope from 320 to 640.
#[test]
fn convergence_on_the_log_snr_grid() {
    use Coefficients::{Midpoint, Published, Taylor};
    use Form::{Data, Noise};
    let ddim: Box<dyn Solver> = Box::new(Ddim::default());
    let rows = [
        ("DDIM", ddim, [1.208229e-1, 3.049498e-2, 7.638827e-3], 1.00),
        (
            "++1",
            multistep(1, Data, Midpoint),
            [1.208229e-1, 3.049498e-2, 7.638827e-3],
            1.00,
        ),
        (
            "DPM-1",
            multistep(1, Noise, Midpoint),
            [1.208229e-1, 3.049498e-2, 7.638827e-3],
            1.00,
        ),
        (
            "2M midpoint",
            multistep(2, Noise, Midpoint),
            [1.544371e-2, 1.093365e-3, 7.024444e-5],
            1.99,
        ),
        (
            "2M taylor",
            multistep(2, Noise, Taylor),
            [2.268560e-2, 1.619131e-3, 1.046019e-4],
            1.99,
        ),
        (
            "++2M midpoint",
            multistep(2, Data, Midpoint),
            [1.799035e-2, 1.041283e-3, 6.367201e-5],
            2.01,
        ),
        (
            "++2M taylor",
            multistep(2, Data, Taylor),
            [2.980619e-2, 1.621807e-3, 9.829887e-5],
            2.01,
        ),
        (
            "3M published",
            multistep(3, Noise, Published),
            [8.139534e-3, 3.799622e-4, 2.160452e-5],
            2.02,
        ),
        (
            "3M",
            multistep(3, Noise, Taylor),
            [5.168556e-3, 9.385142e-5, 1.282158e-6],
            3.05,
        ),
        (
            "++3M published",
            multistep(3, Data, Published),
            [5.210488e-3, 2.963666e-4, 1.923883e-5],
            1.99,
        ),
        (
            "++3M",
            multistep(3, Data, Taylor),
            [4.392225e-3, 6.508833e-5, 1.020211e-6],
            2.98,
        ),
    ];
    let mut bad = Vec::new();
    for (name, solver, expected, slope) in rows {
        for (n, e) in [20, 80, 320].into_iter().zip(expected) {
            let rms = tb1_rms(&*solver, Spacing::LogSnr, n, 16);
            if (rms / e - 1.0).abs() > 1e-4 {
                bad.push(format!("{name} N={n}: rms {rms:e}, table {e:e}"));
            }
        }
        let [a, b] = [320, 640].map(|n| tb1_rms(&*solver, Spacing::LogSnr, n, 16));
        let measured = (a / b).log2();
        if (measured - slope).abs() > 0.1 {
            bad.push(format!("{name}: slope {measured}, table {slope}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Table 23.3: rms over 512 points at 5, 10 and 20 evaluations on three grids. Five digits printed.
#[test]
fn levels_at_small_budgets() {
    let ddim: Box<dyn Solver> = Box::new(Ddim::default());
    let two_m = |lower_order| -> Box<dyn Solver> {
        Box::new(DpmMultistep {
            lower_order,
            ..Default::default()
        })
    };
    let published_3m: Box<dyn Solver> = Box::new(DpmMultistep {
        order: 3,
        coefficients: Coefficients::Published,
        ..Default::default()
    });
    let rows: [(&str, Box<dyn Solver>, [[f64; 3]; 3]); 4] = [
        (
            "DDIM",
            ddim,
            [
                [0.45475, 0.24649, 0.12748],
                [0.38561, 0.19190, 0.098617],
                [0.30183, 0.15712, 0.080154],
            ],
        ),
        (
            "++2M auto",
            two_m(LowerOrder::Auto),
            [
                [0.15460, 0.071851, 0.019947],
                [0.32802, 0.42081, 0.13798],
                [0.10237, 0.060795, 0.013461],
            ],
        ),
        (
            "++2M",
            two_m(LowerOrder::Final),
            [
                [0.15460, 0.066937, 0.019812],
                [0.32802, 0.10492, 0.046608],
                [0.10237, 0.028919, 0.0093353],
            ],
        ),
        (
            "++3M published",
            published_3m,
            [
                [0.12127, 0.10422, 0.0071199],
                [0.32176, 0.10276, 0.052939],
                [0.085173, 0.045009, 0.0080323],
            ],
        ),
    ];
    let mut bad = Vec::new();
    for (name, solver, grids) in rows {
        for (spacing, expected) in [Spacing::LogSnr, Spacing::Time, Spacing::QUADRATIC]
            .into_iter()
            .zip(grids)
        {
            for (nfe, e) in [5, 10, 20].into_iter().zip(expected) {
                let rms = tb1_rms(&*solver, spacing, nfe, 512);
                if (rms / e - 1.0).abs() > 1e-4 {
                    bad.push(format!(
                        "{name} {spacing:?} NFE={nfe}: rms {rms:.6}, table {e}"
                    ));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
