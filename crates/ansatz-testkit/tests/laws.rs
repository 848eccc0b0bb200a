//! Every law accepts a right implementation and names what is wrong with a broken one.
#![expect(clippy::unwrap_used, reason = "a failing test panics")]

mod broken;
mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ansatz_core::{EvalError, NoiseLevel, NoiseSchedule, Prediction, State, denoiser};
use ansatz_testkit::laws::{self, Variance};
use broken::maps::{Curve, GENERAL, INDEFINITE, Matrix, SPD, Surface, Wave, Wrong};
use broken::{Fault, Faulty};
use common::{Edm, VpLinear};

/// The message with which `law` panics.
fn violation(law: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(law)).expect_err("the law must be violated");
    payload.downcast_ref::<String>().unwrap().clone()
}

#[track_caller]
fn names(law: impl FnOnce(), words: &str) {
    let message = violation(law);
    assert!(message.contains(words), "\"{words}\" is not in: {message}");
}

// --- states -----------------------------------------------------------------------------------

fn check_faulty(fault: Fault) {
    laws::state(
        |x| Faulty {
            values: x.iter().map(|v| *v as f32).collect(),
            fault,
        },
        |s| s.values.iter().map(|v| f64::from(*v)).collect(),
    );
}

#[test]
fn state_law_accepts_a_right_state() {
    check_faulty(Fault::None);
}

#[test]
fn state_law_names_each_fault() {
    for (fault, words) in [
        (Fault::Len, "len is"),
        (Fault::ZerosLike, "zeros_like"),
        (Fault::Assign, "assign"),
        (Fault::ZeroBeta, "lincomb of 0 terms with beta = 0"),
        (Fault::LostTerm, "lincomb of 7 terms"),
        (Fault::RoundsEachTerm, "lincomb of"),
        (Fault::Dot, "dot is"),
        (Fault::ErrorNorm, "error_norm is"),
        (Fault::Finite, "is_finite does not see"),
        (Fault::NoiseStream, "depend on the stream"),
        (Fault::NoiseKey, "depend on the key"),
        (Fault::NoiseScale, "variance"),
        (Fault::NoiseRepeats, "does not repeat"),
        (Fault::Threads, "depends on the number of threads"),
    ] {
        names(|| check_faulty(fault), words);
    }
}

#[test]
fn flat_noise_law() {
    let read = |s: &Vec<f64>| s.clone();
    laws::flat_noise(<[f64]>::to_vec, read);
    // A pair draws its halves from two keys, so it is not flat.
    let make = |x: &[f64]| {
        let (a, b) = x.split_at(x.len() / 2);
        (a.to_vec(), b.to_vec())
    };
    names(
        || laws::flat_noise(make, |s| [&s.0[..], &s.1].concat()),
        "noise number 0",
    );
}

#[test]
fn thread_law() {
    let x: Vec<f64> = (0..100_000).map(|i| f64::from(i).sin()).collect();
    laws::same_for_threads(|| vec![x.dot(&x)]);
    let threads = || vec![rayon::current_num_threads() as f64];
    names(|| laws::same_for_threads(threads), "2e0 on 2");
    let shape = || vec![0.0; rayon::current_num_threads()];
    names(|| laws::same_for_threads(shape), "2 elements on 2 threads");
    laws::same_for_threads(|| vec![f64::NAN]); // equal bits, though not equal numbers
}

#[test]
fn order_law() {
    laws::order(&[1.0, 0.3, 0.08], 2.0, 0.1);
    names(
        || laws::order(&[1.0, 0.5, 0.25], 2.0, 0.1),
        "order 1.000 instead of 2",
    );
    names(|| laws::order(&[1.0], 2.0, 0.1), "two errors");
    names(|| laws::order(&[1.0, f64::NAN], 2.0, 0.1), "order NaN");
}

// --- models and noise -------------------------------------------------------------------------

fn flow_level() -> NoiseLevel {
    NoiseLevel {
        alpha_rate: -1.0,
        sigma_rate: 1.0,
        ..NoiseLevel::new(0.3, 0.7, 0.3)
    }
}

#[test]
fn conversion_law() {
    for at in [
        flow_level(),
        NoiseLevel::new(0.5, 0.8, 0.6),
        NoiseLevel::new(1.0, 1.0, 80.0),
        NoiseLevel::new(1.0, 0.0, 1.0),
        NoiseLevel::clean(0.0),
        VpLinear.level(1.0),
        VpLinear.level(1e-5),
    ] {
        laws::prediction_conversions(&at);
    }
    let overflowing = NoiseLevel::new(0.5, 1e-200, 1e-200);
    names(|| laws::prediction_conversions(&overflowing), "refused");
}

#[test]
fn denoiser_law() {
    let x = vec![1.0, -2.0, 0.5];
    let at = flow_level();
    let half = |scale: f64| {
        move |x: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>| {
            out.lincomb(0.0, &[(scale, x)]);
            Ok(())
        }
    };
    for kind in Prediction::ALL {
        laws::denoiser(&denoiser::from_fn(kind, half(0.5)), &x, &at);
    }
    laws::denoiser(
        &denoiser::from_fn(Prediction::Noise, half(0.5)),
        &x,
        &NoiseLevel::new(1.0, 0.0, 1.0),
    );
    let accumulates = denoiser::from_fn(
        Prediction::Data,
        |x: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            out.lincomb(1.0, &[(0.5, x)]);
            Ok(())
        },
    );
    names(|| laws::denoiser(&accumulates, &x, &at), "NaN");
    let calls = std::sync::atomic::AtomicU32::new(0);
    let drifts = denoiser::from_fn(
        Prediction::Data,
        |x: &Vec<f64>, _: &_, out: &mut Vec<f64>| {
            let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            out.lincomb(0.0, &[(f64::from(n), x)]);
            Ok(())
        },
    );
    names(|| laws::denoiser(&drifts, &x, &at), "second eval");
    let fails = denoiser::from_fn(Prediction::Data, |_: &Vec<f64>, _: &_, _: &mut Vec<f64>| {
        Err(EvalError::NonFinite { what: "weights" })
    });
    names(|| laws::denoiser(&fails, &x, &at), "weights is not finite");
    for (kind, words) in [
        (Prediction::Noise, "recombine"),
        (Prediction::Velocity, "Velocity differs"),
        (Prediction::Score, "Score is refused"),
    ] {
        names(
            || laws::denoiser(&broken::OwnConversion(kind), &x, &at),
            words,
        );
    }
}

#[test]
fn schedule_law() {
    laws::schedule(&VpLinear, Variance::Preserving);
    laws::schedule(&Edm, Variance::Free);
    laws::schedule(&broken::Linear::RIGHT, Variance::Free);
    names(
        || laws::schedule(&broken::Linear::RIGHT, Variance::Preserving),
        "alpha² + sigma²",
    );
    let dynamic: &dyn NoiseSchedule = &Edm;
    laws::schedule(dynamic, Variance::Free);
    let right = broken::Linear::RIGHT;
    for (schedule, words) in [
        (
            broken::Linear {
                inverse: 1.0 + 1e-10,
                ..right
            },
            "t_of_lambda",
        ),
        (
            broken::Linear {
                alpha_rate: 1.0 + 1e-6,
                ..right
            },
            "log_alpha_rate",
        ),
        (
            broken::Linear {
                sigma_rate: 1.0 - 1e-6,
                ..right
            },
            "sigma_rate",
        ),
        (
            broken::Linear {
                sigma: -1.0,
                ..right
            },
            "lambda",
        ),
        (
            broken::Linear {
                ends: (1.0, 0.0),
                ..right
            },
            "no interval",
        ),
    ] {
        names(|| laws::schedule(&schedule, Variance::Free), words);
    }
}

// --- operators --------------------------------------------------------------------------------

#[test]
fn operator_laws() {
    let make = |a, wrong| Matrix { a, wrong };
    laws::linear_op::<f64>(&make(GENERAL, Wrong::Nothing));
    laws::adjoint_op::<f64>(&make(GENERAL, Wrong::Nothing));
    laws::spd_op::<f64>(&make(SPD, Wrong::Nothing));
    for (wrong, words) in [
        (Wrong::Affine, "not linear"),
        (Wrong::Adds, "NaN that its output"),
        (Wrong::ReadsScratch, "depends on what"),
    ] {
        names(|| laws::linear_op::<f64>(&make(GENERAL, wrong)), words);
        names(|| laws::adjoint_op::<f64>(&make(GENERAL, wrong)), words);
        names(|| laws::spd_op::<f64>(&make(SPD, wrong)), words);
    }
    let adjoint = make(GENERAL, Wrong::Adjoint);
    names(|| laws::adjoint_op::<f64>(&adjoint), "not adjoint");
    names(|| laws::spd_op::<f64>(&adjoint), "not adjoint");
    let indefinite = make(INDEFINITE, Wrong::Nothing);
    names(|| laws::spd_op::<f64>(&indefinite), "not positive definite");
}

// --- derivatives ------------------------------------------------------------------------------

#[test]
fn residual_law() {
    let u = [0.7, -1.2];
    laws::residual_derivatives(&Curve { jvp: 1.0, vjp: 1.0 }, &u);
    for jvp in [0.0, -1.0, 1.001, 1.0 + 1e-6] {
        names(
            || laws::residual_derivatives(&Curve { jvp, vjp: 1.0 }, &u),
            "jvp is no derivative",
        );
    }
    for vjp in [0.0, 1.0 + 1e-10, f64::NAN] {
        names(
            || laws::residual_derivatives(&Curve { jvp: 1.0, vjp }, &u),
            "vjp: ",
        );
    }
    names(
        || laws::residual_derivatives(&Curve { jvp: 1.0, vjp: 1.0 }, &[0.0]),
        "u has 1 elements",
    );
}

#[test]
fn field_laws() {
    let x = vec![0.4, -1.0, 2.5];
    laws::vjp_field(&Wave::RIGHT, 0.7, &x);
    let make = |p_factor: f64| {
        move |p: &[f64]| Wave {
            p: [p[0], p[1]],
            p_factor,
            ..Wave::RIGHT
        }
    };
    laws::vjp_parameters(make(1.0), &[1.5, -0.3], 0.7, &x);
    let wrong = Wave {
        x_factor: 1.0 + 1e-5,
        ..Wave::RIGHT
    };
    names(|| laws::vjp_field(&wrong, 0.7, &x), "vjp is no derivative");
    let wrong = Wave {
        overwrites: true,
        ..Wave::RIGHT
    };
    names(|| laws::vjp_field(&wrong, 0.7, &x), "must add to p_bar");
    names(
        || laws::vjp_parameters(make(0.99), &[1.5, -0.3], 0.7, &x),
        "parameter vjp is no derivative",
    );
    names(
        || laws::vjp_parameters(make(1.0), &[1.5, -0.3, 0.0], 0.7, &x),
        "params() is 2 for 3",
    );
}

#[test]
fn gradient_law() {
    let points = [[0.1, 0.2, 0.3], [-1.0, 2.0, 0.5]];
    let check = |value, slope| laws::differentiable_field(&Surface { value, slope }, &points);
    check(1.0, 1.0);
    names(|| check(1.1, 1.0), "point 0: eval gives");
    names(
        || check(1.0, 1.0001),
        "point 0, axis 2: gradient is no derivative",
    );
}

/// Single precision passes with the same faults seen, if they are larger than its rounding.
#[test]
fn laws_hold_in_single_precision() {
    let make = |a, wrong| Matrix { a, wrong };
    laws::adjoint_op::<f32>(&make(GENERAL, Wrong::Nothing));
    laws::spd_op::<f32>(&make(SPD, Wrong::Nothing));
    let adjoint = make(GENERAL, Wrong::Adjoint);
    names(|| laws::adjoint_op::<f32>(&adjoint), "not adjoint");

    let check = |jvp, vjp| laws::residual_derivatives(&Curve { jvp, vjp }, &[0.7_f32, -1.2]);
    check(1.0, 1.0);
    names(|| check(1.1, 1.0), "jvp is no derivative");
    names(|| check(0.0, 1.0), "jvp is no derivative");
    names(|| check(1.0, 1.001), "vjp: ");

    let x = vec![0.4_f32, -1.0, 2.5];
    laws::vjp_field(&Wave::RIGHT, 0.7, &x);
    let wrong = Wave {
        x_factor: 1.2,
        ..Wave::RIGHT
    };
    names(|| laws::vjp_field(&wrong, 0.7, &x), "vjp is no derivative");

    let points = [[0.1_f32, 0.2, 0.3], [-1.0, 2.0, 0.5]];
    let check = |value, slope| laws::differentiable_field(&Surface { value, slope }, &points);
    check(1.0, 1.0);
    names(|| check(1.0, 1.2), "gradient is no derivative");
}

// --- maps between states ----------------------------------------------------------------------

/// y ← A·x + β·y with A = [[2, 1], [1, 3]] or its mirror image with another sign.
fn small(sign: f64, beta: f64) -> impl Fn(&Vec<f64>, &mut Vec<f64>) -> Result<(), EvalError> {
    move |x, y| {
        let product = [2.0 * x[0] + x[1], sign * x[0] + 3.0 * x[1]];
        for (y, p) in y.iter_mut().zip(product) {
            *y = p + if beta == 0.0 { 0.0 } else { beta * *y };
        }
        Ok(())
    }
}

#[test]
fn laws_of_maps_accept_and_refuse() {
    let copy = |x: &[f64]| x.to_vec();
    let read = |x: &Vec<f64>| x.clone();
    laws::spd_map(&small(1.0, 0.0), 2, copy, read);
    laws::adjoint_maps(&small(1.0, 0.0), &small(1.0, 0.0), [2, 2], copy, read);
    names(
        || laws::linear_map(&small(1.0, 0.5), [2, 2], copy, read),
        "NaN that its output",
    );
    names(
        || laws::adjoint_maps(&small(-1.0, 0.0), &small(-1.0, 0.0), [2, 2], copy, read),
        "not adjoint",
    );
    let negative = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
        y.lincomb(0.0, &[(-1.0, x)]);
        Ok(())
    };
    names(
        || laws::spd_map(&negative, 2, copy, read),
        "not positive definite",
    );
    let fails = |_: &Vec<f64>, _: &mut Vec<f64>| -> Result<(), EvalError> {
        Err(EvalError::NonFinite { what: "x" })
    };
    names(
        || laws::linear_map(&fails, [2, 2], copy, read),
        "the map failed",
    );
}
