//! Splittings of x' = (A + B)·x in reference errors, their orders, and what is refused.

#![expect(
    clippy::unnecessary_wraps,
    reason = "flows may fail, as their type says"
)]

use ansatz_core::EvalError;
use ansatz_diffeq::splitting::Flow;
use ansatz_diffeq::{Splitting, StepError, YOSHIDA4, YOSHIDA6};

type X = [f64; 2];

/// e^{hA} for A = [[0, 1], [−1, 0]].
fn turn(h: f64, x: &mut X) -> Result<(), EvalError> {
    let (s, c) = h.sin_cos();
    *x = [c * x[0] + s * x[1], c * x[1] - s * x[0]];
    Ok(())
}

/// e^{hB} for B = [[−0.5, 0.3], [0, −0.1]].
fn damp(h: f64, x: &mut X) -> Result<(), EvalError> {
    let (fast, slow) = ((-0.5 * h).exp(), (-0.1 * h).exp());
    *x = [fast * x[0] + 0.3 / 0.4 * (slow - fast) * x[1], slow * x[1]];
    Ok(())
}

fn turn_euler(h: f64, x: &mut X) -> Result<(), EvalError> {
    *x = [x[0] + h * x[1], x[1] - h * x[0]];
    Ok(())
}

fn damp_euler(h: f64, x: &mut X) -> Result<(), EvalError> {
    *x = [x[0] + h * (-0.5 * x[0] + 0.3 * x[1]), x[1] - 0.1 * h * x[1]];
    Ok(())
}

type Part = fn(f64, &mut X) -> Result<(), EvalError>;

/// The distance to the solution at t = 1 from (1, 0).
fn error(splitting: &Splitting, (mut a, mut b): (Part, Part), steps: usize) -> f64 {
    // x₁'' + 0.6·x₁' + (0.7 + 0.05)·x₁ = 0 for the matrix [[−0.5, 1.3], [−1, −0.1]]: trace −0.6, determinant 1.35.
    let w = (1.35_f64 - 0.09).sqrt();
    let decay = (-0.3_f64).exp();
    let exact = [
        decay * (w.cos() + (-0.5 + 0.3) / w * w.sin()),
        -decay / w * w.sin(),
    ];
    assert!((exact[0] - 0.20214362).abs() < 1e-8 && (exact[1] + 0.59475848).abs() < 1e-8);
    let mut x = [1.0, 0.0];
    let flows: &mut [&mut Flow<'_, X>] = &mut [&mut a, &mut b];
    splitting.solve(flows, (0.0, 1.0), steps, &mut x).unwrap();
    (x[0] - exact[0]).hypot(x[1] - exact[1])
}

#[test]
fn errors_in_numbers() {
    let exact: (Part, Part) = (turn, damp);
    let lie = [3.811e-2, 1.879e-2, 9.341e-3, 4.658e-3, 2.326e-3];
    let strang = [2.754e-3, 6.846e-4, 1.709e-4, 4.272e-5, 1.068e-5];
    for (k, steps) in [4, 8, 16, 32, 64].into_iter().enumerate() {
        for (splitting, known) in [
            (Splitting::lie_trotter(2), lie[k]),
            (Splitting::strang(2), strang[k]),
        ] {
            let ours = error(&splitting, exact, steps);
            assert!(
                (ours / known - 1.0).abs() < 3e-4,
                "{}, {steps}: {ours}",
                splitting.name
            );
        }
    }
    // Euler's steps as flows: both of order 1.
    let euler: (Part, Part) = (turn_euler, damp_euler);
    for (splitting, known) in [
        (Splitting::lie_trotter(2), 5.858e-3),
        (Splitting::strang(2), 4.424e-3),
    ] {
        let ours = error(&splitting, euler, 64);
        assert!(
            (ours / known - 1.0).abs() < 3e-4,
            "{}: {ours}",
            splitting.name
        );
        let order = (ours / error(&splitting, euler, 128)).log2();
        assert!(
            (order - 1.0).abs() < 0.05,
            "{}: order {order}",
            splitting.name
        );
    }
}

#[test]
fn orders() {
    let exact: (Part, Part) = (turn, damp);
    let strang = Splitting::strang(2);
    for splitting in [
        Splitting::lie_trotter(2),
        strang.clone(),
        strang.composed(&YOSHIDA4),
        strang.composed(&YOSHIDA6),
    ] {
        let order = (error(&splitting, exact, 16) / error(&splitting, exact, 32)).log2();
        assert!(
            (order - f64::from(splitting.order)).abs() < 0.15,
            "{}: {order}",
            splitting.name
        );
    }
    // Neighbours of one flow are one factor: 3·2 + 1.
    assert_eq!(strang.composed(&YOSHIDA4).factors.len(), 7);
}

/// Three flows that do not commute; exact as each is, the sum is a rotation in space about (1, 1, 1)/√3.
#[test]
fn three_flows() {
    type X = [f64; 3];
    let about = |axis: usize| {
        move |h: f64, x: &mut X| {
            let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
            let (s, c) = h.sin_cos();
            (x[i], x[j]) = (c * x[i] - s * x[j], s * x[i] + c * x[j]);
            Ok(())
        }
    };
    // A third of a turn carries each axis to the next one.
    let end = 2.0 * std::f64::consts::PI / 3.0 / 3.0_f64.sqrt();
    let distance = |splitting: &Splitting, steps: usize| {
        let mut x = [1.0, 0.0, 0.0];
        let (mut a, mut b, mut c) = (about(0), about(1), about(2));
        let flows: &mut [&mut Flow<'_, X>] = &mut [&mut a, &mut b, &mut c];
        splitting.solve(flows, (0.0, end), steps, &mut x).unwrap();
        ((x[0]).powi(2) + (x[1] - 1.0).powi(2) + x[2].powi(2)).sqrt()
    };
    let strang = Splitting::strang(3);
    assert_eq!(
        strang.factors,
        [(2, 0.5), (1, 0.5), (0, 1.0), (1, 0.5), (2, 0.5)]
    );
    for splitting in [
        Splitting::lie_trotter(3),
        strang.clone(),
        strang.composed(&YOSHIDA4),
    ] {
        let order = (distance(&splitting, 20) / distance(&splitting, 40)).log2();
        assert!(
            (order - f64::from(splitting.order)).abs() < 0.15,
            "{}: {order}",
            splitting.name
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let (mut a, mut b) = (turn as Part, damp as Part);
    let mut fails = |_: f64, _: &mut X| Err(EvalError::model(std::io::Error::other("no")));
    let mut explodes = |_: f64, x: &mut X| {
        x[1] = f64::INFINITY;
        Ok(())
    };
    let start = [1.0, 0.0];
    let mut x = start;
    let strang = Splitting::strang(2);
    let refused = strang.solve(&mut [&mut a], (0.0, 1.0), 4, &mut x);
    assert!(matches!(
        refused,
        Err(StepError::Count {
            expected: 2,
            got: 1,
            ..
        })
    ));
    let refused = strang.solve(&mut [&mut a, &mut b], (0.0, 1.0), 0, &mut x);
    assert!(matches!(
        refused,
        Err(StepError::Option { name: "steps", .. })
    ));
    let refused = strang.solve(&mut [&mut a, &mut b], (0.0, f64::NAN), 4, &mut x);
    assert!(matches!(refused, Err(StepError::Option { .. })));
    let refused = strang.solve(&mut [&mut a, &mut fails], (0.0, 1.0), 4, &mut x);
    assert!(matches!(refused, Err(StepError::Eval { .. })));
    let refused = strang.solve(&mut [&mut a, &mut explodes], (0.0, 1.0), 4, &mut x);
    assert!(matches!(refused, Err(StepError::NonFinite { .. })));
    let mut wrong = strang.clone();
    wrong.factors[0].1 = 0.4;
    let refused = wrong.step(&mut [&mut a, &mut b], 0.1, &mut x);
    assert!(matches!(refused, Err(StepError::Tableau { stage: 1, .. })));
    assert_eq!(x, start);
    strang.step(&mut [&mut a, &mut b], 0.0, &mut x).unwrap();
    assert_eq!(x, start);
}
