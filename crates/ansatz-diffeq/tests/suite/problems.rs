//! Initial value problems whose answers are known without a solver.

use ansatz_core::EvalError;

pub(crate) type Field = fn(f64, &Vec<f64>, &mut Vec<f64>) -> Result<(), EvalError>;

/// A problem with its exact state at the end.
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    pub(crate) field: Field,
    pub(crate) start: Vec<f64>,
    pub(crate) times: (f64, f64),
    pub(crate) exact: Vec<f64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
pub(crate) fn lotka_volterra(_: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
    dx[0] = 1.5 * x[0] - x[0] * x[1];
    dx[1] = -3.0 * x[1] + x[0] * x[1];
    Ok(())
}

/// State of [`lotka_volterra`] from (1, 1) at t = 5 and t = 10, by a Taylor series in 40 digits.
pub(crate) const LOTKA_VOLTERRA: [[f64; 2]; 2] = [
    [6.098494675971742818, 0.628137902187460903],
    [1.026344767575089319, 0.909691078136041618],
];

/// Restricted three-body problem (position, velocity).
#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
pub(crate) fn arenstorf(_: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
    let (mu, nu) = (0.012277471, 1.0 - 0.012277471);
    let d1 = ((x[0] + mu).powi(2) + x[1] * x[1]).powf(1.5);
    let d2 = ((x[0] - nu).powi(2) + x[1] * x[1]).powf(1.5);
    dx[0] = x[2];
    dx[1] = x[3];
    dx[2] = x[0] + 2.0 * x[3] - nu * (x[0] + mu) / d1 - mu * (x[0] - nu) / d2;
    dx[3] = x[1] - 2.0 * x[2] - nu * x[1] / d1 - mu * x[1] / d2;
    Ok(())
}

/// Start and period of the closed orbit.
pub(crate) const ARENSTORF: ([f64; 4], f64) = (
    [0.994, 0.0, 0.0, -2.001585106379082524],
    17.065216560157962558,
);

/// Three smooth problems in closed form: nonlinear, coupled with time in the field, linear.
pub(crate) fn smooth() -> Vec<Problem> {
    let (t, w) = (4.0_f64, 1.7_f64);
    vec![
        Problem {
            // Turns by the angle t²/2 at a rate that depends on the (constant) radius.
            name: "chirp",
            field: |t, x, dx| {
                let rate = t * (x[0] * x[0] + x[1] * x[1]);
                dx[0] = -rate * x[1];
                dx[1] = rate * x[0];
                Ok(())
            },
            start: vec![1.0, 0.0],
            times: (0.0, t),
            exact: vec![(0.5 * t * t).cos(), (0.5 * t * t).sin()],
        },
        Problem {
            // (eˢ, e⁻ˢ, s) with s = sin t, written so that the components need one another.
            name: "coupled",
            field: |t, x, dx| {
                dx[0] = t.cos() * x[0] * x[0] * x[1];
                dx[1] = -t.cos() * x[1] + x[2] - t.sin();
                dx[2] = t.cos() * x[0] * x[1] + (x[2] - t.sin()) * x[0];
                Ok(())
            },
            start: vec![1.0, 1.0, 0.0],
            times: (0.0, t),
            exact: vec![t.sin().exp(), (-t.sin()).exp(), t.sin()],
        },
        Problem {
            name: "damped oscillator",
            field: |_, x, dx| {
                dx[0] = -0.3 * x[0] - 1.7 * x[1];
                dx[1] = 1.7 * x[0] - 0.3 * x[1];
                Ok(())
            },
            start: vec![1.0, 0.5],
            times: (0.0, t),
            exact: {
                let (c, s, decay) = ((w * t).cos(), (w * t).sin(), (-0.3 * t).exp());
                vec![decay * (c - 0.5 * s), decay * (s + 0.5 * c)]
            },
        },
    ]
}
